"""Callbacks of `fit`: stop early, keep the best and the last, draw while it trains.

Floor: train.  A callback is any function `(event, run)`; see `fit` for the events, and `Run` for
what it can look at.  One that has to go on after a resumption has `state_dict` and
`load_state_dict` as well.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..checks import as_count, as_number, one_of
from ..nn.module import Module
from .run import Event, Run

Mode = Literal["min", "max"]


class Best:
    """The best value so far of something that is recorded in each epoch.

    Parameters
    ----------
    monitor
        A name in the history, such as "val_loss" or "accuracy".  None: "val_loss", or "loss" where
        nothing is validated.
    mode
        "min" or "max": which values are better.  None: losses are to fall, accuracies to rise.
    min_delta
        What is better by this much or less does not count.

    Raises
    ------
    ValueError
        If the mode is neither, or cannot be told from the name.
    """

    def __init__(self, monitor: str | None, mode: Mode | None = None, min_delta: float = 0) -> None:
        one_of("mode", mode, "min", "max", None)
        if monitor is not None and mode is None:
            if not monitor.endswith(("loss", "accuracy")):
                raise ValueError(
                    f"mode is not given, and {monitor!r} does not tell whether it should rise or "
                    "fall: give mode='max' or mode='min'"
                )
            mode = "max" if monitor.endswith("accuracy") else "min"
        self.monitor = monitor
        self.value, self.epoch = math.nan, 0
        self._sign = -1.0 if mode == "max" else 1.0
        self._min_delta = as_number("min_delta", min_delta)

    def begin(self, run: Run) -> None:
        """Forget another training, unless this one goes on from a checkpoint.

        Raises
        ------
        ValueError
            If nothing will be recorded under the name.
        """
        if self._name(run) not in run.names:
            raise ValueError(
                f"{self.monitor!r} is to be looked at, and this training records {run.names}: "
                "give validation= or metrics=, or another name"
            )
        if not run.history.steps:
            self.value, self.epoch = math.nan, 0

    def is_new(self, run: Run) -> bool:
        """Look at the epoch that has just ended, and tell whether it is the best so far.

        The first is, unless its value is NaN, which is never better than anything.
        """
        value = run.history[self._name(run)][-1]
        gain = self._sign * (self.value - value)
        if math.isnan(value) or (self.epoch and not gain > self._min_delta):
            return False
        self.value, self.epoch = value, run.epoch
        return True

    def _name(self, run: Run) -> str:
        """Return the name to look under."""
        return self.monitor or ("val_loss" if "val_loss" in run.names else "loss")

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its epoch."""
        return {"value": self.value, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from them."""
        self.value, self.epoch = float(state["value"]), int(state["epoch"])


class EarlyStopping:
    """Stop when a value has not become better for some epochs, and take the best weights back.

    Parameters
    ----------
    monitor
        A name in the history, such as "val_loss" or "val_accuracy".
    patience
        So many epochs in a row that are not better end the training.
    min_delta
        What is better by this much or less does not count.
    restore_best
        Whether the model has the weights (and statistics) of its best epoch when the training ends,
        also by Ctrl-C or a DivergenceError.
    mode
        "min" or "max": whether smaller or greater values are better; has to be given where the name
        ends neither in "loss" nor in "accuracy".

    Attributes
    ----------
    best : Best
        `best.value`, and `best.epoch` from 1; 0 before the first.

    Raises
    ------
    ValueError
        If a number is out of range, or `mode` is missing.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> from tensorgrad.train import fit
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> model = tg.nn.Linear(1, 1, rng=0)
    >>> history = fit(model, (x, 2 * x), loss=tg.nn.mse_loss, epochs=500, rng=0, verbose=0,
    ...               optimizer=tg.optim.SGD(model.parameters(), lr=0.5),
    ...               callbacks=EarlyStopping("loss", patience=3, min_delta=1e-6))
    >>> history.epochs < 100
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: Mode | None = None,
    ) -> None:
        self.best = Best(monitor, mode, min_delta)
        self.patience = as_count("patience", patience)
        self.restore_best = restore_best
        self._weights: dict[str, Any] = {}

    def __call__(self, event: Event, run: Run) -> None:
        """Look at the epoch that has ended."""
        if event == "train_begin":
            self._begin(run)
        if event == "epoch_end" and self.best.is_new(run) and self.restore_best:
            self._weights = run.model.state_dict()  # type: ignore[attr-defined]
        if event in ("train_begin", "epoch_end"):
            waited = run.history.epochs - self.best.epoch
            if self.best.epoch and waited >= self.patience:
                name, best = self.best.monitor, self.best
                run.stop(f"early: {name} is best, {best.value:.6g}, in epoch {best.epoch}")
        if event == "train_end" and self._weights:
            run.model.load_state_dict(self._weights)  # type: ignore[attr-defined]

    def _begin(self, run: Run) -> None:
        """Check what can be checked, and forget another training."""
        if self.restore_best and not isinstance(run.model, Module):
            raise TypeError(
                f"the model is a {type(run.model).__name__}, whose weights cannot be taken back: "
                "give restore_best=False, or a Module"
            )
        self.best.begin(run)
        if not self.best.epoch:
            self._weights = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its weights."""
        return {"best": self.best.state_dict(), "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from them."""
        self.best.load_state_dict(state["best"])
        self._weights = dict(state["weights"])


class ModelCheckpoint:
    """Save the training after each epoch, `last.npz`, and where it was best, `best.npz`.

    Before the first step as well, so that a folder that cannot be written to is found then.  Both
    files hold the whole training; `load_checkpoint("best.npz", model=model)` takes the weights
    alone.  A file appears whole, or the one before it stays: where a later saving fails, as on a
    full disk, the training goes on, with a warning.

    Parameters
    ----------
    folder
        Where to save; it is made if it is not there.
    monitor, mode
        What has to be best, as in `EarlyStopping`.  By default "val_loss", or "loss" where nothing
        is validated.
    every
        Save `last.npz` also within an epoch, after every so many steps.

    Raises
    ------
    ValueError
        If a number is out of range, or `mode` is missing.
    FileExistsError
        Before the first step, if the folder has a `last.npz` and this training does not resume.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        monitor: str | None = None,
        mode: Mode | None = None,
        every: int | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.best = Best(monitor, mode)
        self.every = None if every is None else as_count("every", every)

    def __call__(self, event: Event, run: Run) -> None:
        """Save what there is to save."""
        steps = len(run.history.steps)
        if event == "train_begin":
            self.best.begin(run)
            self.folder.mkdir(parents=True, exist_ok=True)
            if not run.resumed:
                self._begin(run)
        elif event == "epoch_end":
            before = self.best.state_dict()
            if self.best.is_new(run) and not self._saved(run, "best.npz"):
                self.best.load_state_dict(before)  # so that the next one is tried
            self._saved(run, "last.npz")
        elif event == "step_end" and self.every and steps % self.every == 0:
            self._saved(run, "last.npz")

    def _begin(self, run: Run) -> None:
        """Save the state before the first step, unless there is another training in the folder."""
        last = self.folder / "last.npz"
        if last.exists():
            raise FileExistsError(
                f"{last} holds a training, which this one would replace: go on with it by "
                "fit(..., resume=True), or give another folder"
            )
        run.save(last)

    def _saved(self, run: Run, name: str) -> bool:
        """Save, and tell whether that went well: a full disk is no reason to lose a training."""
        try:
            run.save(self.folder / name)
        except OSError as error:
            why = f"{name} is as it was, since it could not be saved after step "
            warnings.warn(f"{why}{len(run.history.steps)}: {error}", RuntimeWarning, stacklevel=2)
            return False
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what was best."""
        return self.best.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from it."""
        self.best.load_state_dict(state)


class LivePlot:
    """Draw the curves in a notebook while the training goes on; needs IPython.

    Parameters
    ----------
    seconds
        The least time between two drawings, which take about a tenth of a second.

    Raises
    ------
    ImportError
        When it is made, if IPython is not installed.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        try:
            from IPython.display import display
        except ImportError as error:
            raise ImportError(
                'live=True draws in a notebook: pip install "tensorgrad-numpy[progress]"'
            ) from error
        self._display: Any = display
        self._handle: Any = None
        self._seconds = seconds
        self._next = -math.inf

    def __call__(self, event: Event, run: Run) -> None:
        """Draw, in the place of the last drawing, at most every so many seconds."""
        now = time.monotonic()
        if event == "train_begin" or (event != "train_end" and now < self._next):
            return
        if not run.history.steps:
            return
        figure = run.history.plot()
        if self._handle is None:
            self._handle = self._display(figure, display_id=True)
        else:
            self._handle.update(figure)
        self._next = time.monotonic() + self._seconds
