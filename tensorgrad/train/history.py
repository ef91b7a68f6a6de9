"""What a training run leaves behind: losses, metrics and times, as a table, a file, a picture.

Floor: train.  May import viz and below; needs neither Tensor nor the engine, only numbers.
A new way of looking at the records is a method here that reads `_epochs`, `steps`, `diagnostics`.
"""

from __future__ import annotations

import copy
import csv
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsFloat

import numpy as np

from ..io.atomic import replacing
from ..viz.diagnostics import plot_diagnostics
from ..viz.plots import plot_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TICKS = "▁▂▃▄▅▆▇█"
_MAX_ROWS = 12
_MAX_NAME = 24
_NAN = math.nan


class _Epoch(NamedTuple):
    """One finished epoch; `end` counts the steps recorded when it ended."""

    end: int
    seconds: float
    values: dict[str, float]


class Diagnostics(NamedTuple):
    """What was seen in one step of a training.

    Attributes
    ----------
    step : int
        Which step, from 0.
    gradient_norm : float
        The Euclidean norm of all gradients together, before they are clipped.
    update_ratios : dict of str to float
        For each parameter that was changed `|after - before| / |before|`, norms of the whole array;
        NaN where it was zero before.  About 1e-3 is usual; see `fit`.
    dead_units : dict of str to float
        For each relu of the forward pass the share of its units that gave 0 for every sample of the
        batch, from 0 to 1.
    """

    step: int
    gradient_norm: float
    update_ratios: dict[str, float]
    dead_units: dict[str, float]


class History(Mapping[str, list[float]]):
    """The record of a training run: one loss per step, and values per epoch.

    `history["loss"]` is a list with one number per finished epoch, and so is every other
    name that was recorded (`"val_loss"`, `"accuracy"`, `"val_accuracy"`, ...); where an epoch
    did not record a name, NaN stands.  `"loss"`, the mean training loss, is always there.
    `print(history)` shows a table, `history.plot()` the curves.

    A training loop calls `record_step` after each step and `end_epoch` after each epoch.
    When it is interrupted, what was recorded stays: the finished epochs in the table, and the
    losses of the unfinished one in `steps`.

    Attributes
    ----------
    steps : list of float
        The training loss of every step, in order.
    learning_rates : list of float
        The learning rate of every step, of the first group where there are several; NaN where it
        was not recorded.
    diagnostics : list of Diagnostics
        What was seen in those steps that were looked at.
    runs : list of dict
        For each run that wrote here, the first and each that resumed it: "first_step", "seed" and
        the states of "generators", the versions of "tensorgrad", "numpy" and "python", and
        "threads", as many as the environment allows.

    Examples
    --------
    >>> history = History()
    >>> for loss in (0.9, 0.7):
    ...     history.record_step(loss)
    >>> history.end_epoch(seconds=1.5, val_loss=0.75)
    >>> history["loss"], history["val_loss"], history.epochs
    ([0.8], [0.75], 1)
    >>> print(history)
    History: 1 epoch, 2 steps, 1.5 s
    loss █▁
    epoch    loss  val_loss  seconds
        1  0.8000    0.7500     1.50
    """

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.learning_rates: list[float] = []
        self.diagnostics: list[Diagnostics] = []
        self.runs: list[dict[str, Any]] = []
        self._epochs: list[_Epoch] = []

    def record_step(self, loss: SupportsFloat, learning_rate: SupportsFloat = _NAN) -> None:
        """Record the training loss of one step.

        Parameters
        ----------
        loss
            A number, or an array or tensor that holds one.
        learning_rate
            The one that the step was taken with.
        """
        number, rate = float(loss), float(learning_rate)
        # Ctrl-C between the two lines leaves a rate too many, which the next step replaces.
        self.learning_rates[len(self.steps) :] = [rate]
        self.steps.append(number)

    def end_epoch(self, /, *, seconds: float = _NAN, **values: SupportsFloat) -> None:
        """Close an epoch with its values.

        Parameters
        ----------
        seconds
            How long the epoch took.
        **values
            Numbers by name, validation under `val_` and the name.  Where `loss` is not given
            it is the mean over the steps recorded since the last epoch (NaN without any).

        Raises
        ------
        ValueError
            When a value is called `epoch`, which is the table's own first column.
        """
        if "epoch" in values:
            raise ValueError(
                "a value cannot be called 'epoch', the table's first column: rename it"
            )
        numbers = {name: float(value) for name, value in values.items()}
        losses = self.steps[self.epoch_ends[-1] if self._epochs else 0 :]
        mean = sum(losses) / len(losses) if losses else _NAN
        # One append, so that Ctrl-C falls before or after it and never leaves half an epoch.
        self._epochs.append(_Epoch(len(self.steps), float(seconds), {"loss": mean} | numbers))

    @property
    def epochs(self) -> int:
        """How many epochs have ended."""
        return len(self._epochs)

    @property
    def epoch_ends(self) -> list[int]:
        """The number of steps recorded when each epoch ended."""
        return [epoch.end for epoch in self._epochs]

    @property
    def seconds(self) -> list[float]:
        """How long each epoch took, in seconds; NaN where it was not recorded."""
        return [epoch.seconds for epoch in self._epochs]

    def __getitem__(self, name: str) -> list[float]:
        """Return one value per epoch as a new list; NaN where an epoch did not record it."""
        if name not in self:
            known = ", ".join(repr(key) for key in self)
            raise KeyError(f"nothing was recorded as {name!r}; this history has {known}")
        return [epoch.values.get(name, _NAN) for epoch in self._epochs]

    def __contains__(self, name: object) -> bool:
        """Tell whether any epoch recorded this name; `"loss"` always counts."""
        return name == "loss" or any(name in epoch.values for epoch in self._epochs)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the recorded names: `"loss"` first, then in the order of appearance."""
        names = ["loss", *(name for epoch in self._epochs for name in epoch.values)]
        return iter(dict.fromkeys(names))

    def __len__(self) -> int:
        """Return how many names were recorded (`epochs` is the number of epochs)."""
        return sum(1 for _ in self)

    def to_dict(self) -> dict[str, list[float]]:
        """Return the table by columns: `epoch` (from 1), every recorded name, `seconds`.

        Returns
        -------
        dict of str to list
            New lists, one entry per finished epoch; a data frame library takes it as it is.
        """
        epochs: list[float] = list(range(1, self.epochs + 1))
        return {"epoch": epochs, **self, "seconds": self.seconds}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV: a header, then one row per finished epoch.

        Numbers are written in full, so that `from_csv` gives the same ones back.  The file
        appears complete or not at all.

        Parameters
        ----------
        path
            The file to write; one that exists is replaced.

        Raises
        ------
        OSError
            If the file cannot be written; what was there before is still there.
        """
        table = self.to_dict()
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
        with replacing(path) as file:
            file.write(text.getvalue().encode())

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> History:
        """Read what `to_csv` wrote; the losses of single steps are not in the file.

        Parameters
        ----------
        path
            The file to read.

        Returns
        -------
        History
            The same epochs, with an empty `steps`.

        Raises
        ------
        ValueError
            When the file is not a table of `to_csv`, naming the line.
        """
        history = cls()
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if header[:1] != ["epoch"] or header[-1:] != ["seconds"]:
                raise ValueError(
                    f"{path} does not begin with the header 'epoch,...,seconds' that "
                    f"History.to_csv writes, but with {','.join(header)!r}"
                )
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if len(row) != len(header):
                    raise ValueError(f"{where}: {len(row)} cells under a header of {len(header)}")
                try:
                    values = dict(zip(header[1:], map(float, row[1:]), strict=True))
                except ValueError as error:
                    raise ValueError(f"{where}: {error}") from error
                history._epochs.append(_Epoch(0, values.pop("seconds"), values))
        return history

    def state_dict(self) -> dict[str, Any]:
        """Return all that was recorded, as arrays, strings and numbers in dicts and lists."""
        return {
            "steps": np.array(self.steps, dtype=np.float64),
            "learning_rates": np.array(self.learning_rates[: len(self.steps)], dtype=np.float64),
            "epochs": {
                "end": np.array(self.epoch_ends, dtype=np.int64),
                "seconds": np.array(self.seconds, dtype=np.float64),
                "values": _table_of([epoch.values for epoch in self._epochs]),
            },
            "diagnostics": {
                "step": np.array([seen.step for seen in self.diagnostics], dtype=np.int64),
                "gradient_norm": np.array([s.gradient_norm for s in self.diagnostics], dtype=float),
                "update_ratios": _table_of([seen.update_ratios for seen in self.diagnostics]),
                "dead_units": _table_of([seen.dead_units for seen in self.diagnostics]),
            },
            "runs": copy.deepcopy(self.runs),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace all that was recorded by what `state_dict` gave.

        Raises
        ------
        ValueError
            If something is missing or of another length.  Nothing was changed then.
        """
        try:
            epochs, seen = state["epochs"], state["diagnostics"]
            steps, rates = (list(map(float, state[name])) for name in ("steps", "learning_rates"))
            ends, seconds = list(map(int, epochs["end"])), map(float, epochs["seconds"])
            rows = zip(ends, seconds, _rows_of(epochs["values"]), strict=True)
            found = [_Epoch(*row) for row in rows]
            at, norms = map(int, seen["step"]), map(float, seen["gradient_norm"])
            ratios, dead = (_rows_of(seen[name]) for name in ("update_ratios", "dead_units"))
            diagnostics = [Diagnostics(*row) for row in zip(at, norms, ratios, dead, strict=True)]
            runs = copy.deepcopy(list(state["runs"]))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no state of a History: {error!r}") from error
        if len(rates) != len(steps) or ends != sorted(ends) or (ends and ends[-1] > len(steps)):
            raise ValueError(
                f"this is no state of a History: {len(steps)} steps, {len(rates)} learning rates, "
                f"epochs that end at {ends}"
            )
        self.steps, self.learning_rates, self._epochs = steps, rates, found
        self.diagnostics, self.runs = diagnostics, runs

    def plot(
        self,
        what: str | os.PathLike[str] = "curves",
        path: str | os.PathLike[str] | None = None,
        *,
        log_y: bool = False,
        smooth: float | None = None,
    ) -> Figure:
        """Draw the loss and every metric, or the diagnostics.

        Parameters
        ----------
        what
            "curves": the loss and the metrics, see `plot_history`; "diagnostics": learning rate,
            gradients, updates and dead units, see `plot_diagnostics`.  `plot("run.png")` is
            `plot("curves", "run.png")`.
        path
            Where to save the picture as well: `.png`, `.svg` or `.pdf`.
        log_y
            Draw the loss on a logarithmic axis.
        smooth
            How much of the past the smoothed training loss keeps, in [0, 1).

        Returns
        -------
        matplotlib.figure.Figure
            Not shown and not known to pyplot; a notebook displays it when it ends a cell.
        """
        if what == "diagnostics":
            return plot_diagnostics(self, path=path)
        if what != "curves":
            if path is not None:
                raise ValueError(f"plot draws 'curves' or 'diagnostics', not {str(what)!r}")
            path = what
        return plot_history(self, path=path, log_y=log_y, smooth=smooth)

    def __repr__(self) -> str:
        """Return a summary, a sparkline of the loss, and a table of at most 12 epochs."""
        count, steps = self.epochs, len(self.steps)
        lines = [f"History: {_plural(count, 'epoch')}"]
        if steps:
            lines[0] += f", {_plural(steps, 'step')}"
        total = sum(self.seconds)
        if count and math.isfinite(total):
            lines[0] += f", {total:.1f} s"
        curve = sparkline(self.steps or self["loss"])
        if curve:
            lines.append(f"loss {curve}")
        if count:
            lines += self._table()
        unfinished = steps - (self.epoch_ends[-1] if count else 0)
        if unfinished:
            loss = format_number(self.steps[-1])
            lines.append(
                f"epoch {count + 1} stopped after {_plural(unfinished, 'step')}, loss {loss}"
            )
        return "\n".join(lines)

    def _table(self) -> list[str]:
        """Return the lines of the table: a header, then evenly chosen epochs with both ends."""
        last = self.epochs - 1
        count = min(self.epochs, _MAX_ROWS)
        rows = [round(i * last / max(count - 1, 1)) for i in range(count)]
        columns = []
        for name, values in self.to_dict().items():
            style = {"epoch": "{:d}", "seconds": "{:.2f}"}.get(name)
            cells = [style.format(values[i]) if style else format_number(values[i]) for i in rows]
            cells.insert(0, name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…")
            width = max(map(len, cells))
            columns.append([cell.rjust(width) for cell in cells])
        return ["  ".join(line) for line in zip(*columns, strict=True)]


def _table_of(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Turn dicts of numbers into their names and one array, NaN where a dict lacks a name."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    numbers = [[row.get(name, _NAN) for name in names] for row in rows]
    return {"names": names, "numbers": np.array(numbers, float).reshape(len(rows), len(names))}


def _rows_of(table: Mapping[str, Any]) -> list[dict[str, float]]:
    """Turn them back."""
    return [dict(zip(table["names"], row, strict=True)) for row in table["numbers"].tolist()]


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Draw numbers as a line of block characters, from the least to the greatest.

    Parameters
    ----------
    values
        Any numbers.  More than `width` are averaged in runs of nearly equal length.
    width
        The most characters to return.

    Returns
    -------
    str
        One character per run: a block, or `×` where the run holds NaN or infinity.

    Examples
    --------
    >>> sparkline([4.0, 2.0, 1.0, float("nan"), 0.5])
    '█▄▂×▁'
    """
    count = min(len(values), width)
    bounds = [i * len(values) // max(count, 1) for i in range(count + 1)]
    runs = [values[start:end] for start, end in pairwise(bounds)]
    # Divided before they are summed or subtracted, so that huge losses do not overflow.
    means = [sum(value / len(run) for value in run) for run in runs]
    finite = [mean / 2 for mean in means if math.isfinite(mean)]
    low = min(finite, default=0.0)
    span = max(finite, default=0.0) - low
    text = ""
    for mean in means:
        if not math.isfinite(mean):
            text += "×"
        else:
            text += _TICKS[round((mean / 2 - low) / span * 7)] if span else _TICKS[3]
    return text


def format_number(value: float) -> str:
    """Write a loss or metric in few characters: four decimals, or an exponent.

    Examples
    --------
    >>> [format_number(value) for value in (0.96125, 0.0, 3.2e-5, 123456.0, float("nan"))]
    ['0.9613', '0.0000', '3.200e-05', '1.235e+05', 'nan']
    """
    plain = value == 0 or 1e-3 <= abs(value) < 1e4 or not math.isfinite(value)
    return f"{value:.4f}" if plain else f"{value:.3e}"


def _plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 step`, `1,000 steps`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
