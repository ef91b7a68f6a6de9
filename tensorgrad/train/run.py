"""Run: a training at work. The loop of `fit`, what callbacks are given, what a checkpoint holds.

Floor: train.  May import everything below.  What one step computes is `step`'s matter.
"""

from __future__ import annotations

import itertools
import math
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from .._typing import Array
from ..data import DataLoader
from ..interrupts import uninterrupted
from ..nn.module import Module
from ..optim.lr_scheduler import ReduceLROnPlateau
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .checkpoint import load_checkpoint, save_checkpoint
from .diagnostics import Probe, is_due, parameters_by_name
from .history import History
from .metrics import Averages, Metric, evaluate, measured, mode, pairs
from .progress import Progress, epoch_line, write
from .step import Step

Event: TypeAlias = Literal["train_begin", "step_end", "epoch_end", "train_end"]
Callback: TypeAlias = Callable[[Event, "Run"], object]


class DivergenceError(FloatingPointError):
    """The loss became NaN or infinite; `history` holds what was recorded before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


class Run:
    """A training run, as callbacks see it.

    Attributes
    ----------
    model, optimizer, schedule
        As given to `fit`.
    history : History
        What was recorded so far.
    epochs : int
        How many epochs there will be at most.
    epoch : int
        The number of the epoch at hand, from 1; at "epoch_end" of the one that has just ended.
    names : list of str
        What the history has of each epoch.
    stopped : str
        Why the run ends before its last epoch; empty as long as it goes on.
    resumed : bool
        Whether it goes on from a checkpoint.
    """

    def __init__(
        self,
        step: Step,
        batches: Iterable[Any],
        *,
        epochs: int,
        validation: Iterable[Any] | None,
        metrics: Mapping[str, Metric],
        schedule: Any,
        accumulate: int,
        diagnostics: int,
        callbacks: Sequence[Callback],
        verbose: int,
    ) -> None:
        self.model = step.model
        self.optimizer: Optimizer = step.optimizer
        self.schedule = schedule
        self.history = History()
        self.epochs = epochs
        self.epoch = 1
        names = ["loss", *metrics]
        self.names = names + [f"val_{name}" for name in names] * (validation is not None)
        self.stopped = ""
        self.resumed = False
        self._step = step
        if isinstance(batches, Sequence):  # which has no position of its own
            batches = DataLoader(list(batches) if isinstance(batches, tuple) else batches, None)
        self._batches = batches
        self._validation = validation
        self._metrics = dict(metrics)
        self._accumulate = accumulate
        self._diagnostics = diagnostics
        self._parameters = parameters_by_name(self.model, self.optimizer)
        self._callbacks = list(callbacks)
        self._verbose = verbose
        self._event: Event | None = None  # the one that callbacks are at work on
        self._begin_epoch()
        # Of the step at hand, which several batches may make up: their lengths and losses.
        self._group: list[tuple[int, float]] = []
        self._probe: Probe | None = None
        self._eager = True  # the first step is, whose errors are better read without a recording

    def stop(self, why: str) -> None:
        """End the training after this step."""
        self.stopped = why

    def train(self) -> None:
        """Train for the epochs that are left."""
        for data in (self._batches, self._validation):
            if isinstance(data, DataLoader):  # else a pass that was looked into is saved as begun
                data.forget_position()
        self._emit("train_begin")
        try:
            self._train_epochs()
        except DivergenceError:
            self._emit("train_end")
            raise
        self._emit("train_end")

    def _train_epochs(self) -> None:
        """Train, and say why if it ends early."""
        try:
            with mode(self.model, training=True):
                while self.history.epochs < self.epochs and not self.stopped:
                    self._train_epoch()
        except KeyboardInterrupt:
            self.stopped = f"by Ctrl-C in epoch {self.epoch}/{self.epochs}"
        finally:
            self.optimizer.zero_grad()
        if self.stopped and self._verbose:
            write(f"stopped {self.stopped}\n")

    def _emit(self, event: Event) -> None:
        """Call all callbacks."""
        self._event = event
        try:
            for callback in self._callbacks:
                callback(event, self)
        finally:
            self._event = None

    # --- an epoch ---------------------------------------------------------------------------------

    def _begin_epoch(self) -> None:
        """Start to count anew."""
        self._averages = Averages(self._metrics)
        self._batches_done = 0
        self._passed = False  # whether no batch is left of this epoch
        self._seconds = 0.0

    def _train_epoch(self) -> None:
        """Pass the data, or what is left of them after a resumption; validate; close the epoch."""
        self.epoch = self.history.epochs + 1
        start = time.perf_counter() - self._seconds
        total = operator.length_hint(self._batches, -1)
        name = f"epoch {self.epoch}/{self.epochs}"
        with Progress(total if total >= 0 else None, name, verbose=self._verbose) as bar:
            bar.update(steps=self._batches_done)
            for x, y in self._pairs():
                values = self._take(x, y)
                self._averages.add(len(y), values)
                self._batches_done += 1
                bar.update(values["loss"])
                self._seconds = time.perf_counter() - start
                if not self._group:
                    self._emit("step_end")
                if self.stopped:
                    return
        self._passed = True
        if self._group:  # the last step has fewer batches
            self._finish_step()
            self._emit("step_end")
        self._end_epoch(start)

    def _end_epoch(self, start: float) -> None:
        """Validate, and close the epoch in the history."""
        values = self._averages.means()
        if self._validation is not None:
            loss = self._step.loss
            found = evaluate(self.model, self._validation, loss=loss, metrics=self._metrics)
            values |= {f"val_{key}": value for key, value in found.items()}
        seconds = time.perf_counter() - start
        with uninterrupted():
            self.history.end_epoch(seconds=seconds, **values)
            if isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step(values.get("val_loss", values["loss"]))
            self._begin_epoch()
        if self._verbose:
            write(epoch_line(self.epoch, self.epochs, values, seconds) + "\n")
        self._emit("epoch_end")

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of this epoch, or those that are left of it."""
        if self._passed:  # the data would begin a new pass
            return
        source = iter(self._batches)
        if self._batches_done:  # none may be left, where a pass without a batch is else an error
            first = list(itertools.islice(source, 1))
            if not first:
                return
            source = itertools.chain(first, source)
        yield from pairs(source)

    # --- a step -----------------------------------------------------------------------------------

    def _take(self, x: Any, y: Any) -> dict[str, float]:
        """Take a batch in, and finish the step if it is complete; return loss and metrics."""
        if not self._group:
            self._begin_step()
        step, fast = self._step, not self._eager
        if fast and self._accumulate == 1 and step.is_compiled:
            with uninterrupted():  # the history has the loss of each step that was taken
                loss, prediction = step.recorded(step.whole, x, y)
                value = self._finite(loss)
                self._record(value)
        else:
            if not self._group:
                self.optimizer.zero_grad()
            weight = self._weight(len(y))
            if fast:
                loss, prediction = step.recorded(step.gradients, x, y, weight)
            else:
                loss, prediction = step.gradients(x, y, weight, self._probe)
            value = self._finite(loss)
            self._group.append((len(y), value))
        # Before an eager step, so that a metric that fails at the first batch changes nothing.
        values = {"loss": value, **measured(self._metrics, prediction, y)}
        if len(self._group) == self._accumulate:
            self._finish_step()
        return values

    def _begin_step(self) -> None:
        """Decide how the step is taken."""
        number = len(self.history.steps)
        self._probe = None
        if is_due(number, self._diagnostics):
            self._probe = Probe(number, self._parameters)
            self._eager = True

    def _weight(self, samples: int) -> Array | None:
        """Return the weight of a batch in its step, relative to the first: so it is mostly 1."""
        if self._accumulate == 1:
            return None
        first = self._group[0][0] if self._group else samples
        return np.array(samples / first)

    def _finish_step(self) -> None:
        """Update the parameters with the mean gradient over the samples of all batches."""
        step, sizes = self._step, [size for size, _ in self._group]
        loss = sum(size * loss for size, loss in self._group) / sum(sizes)
        scale = None if self._accumulate == 1 else np.array(sizes[0] / sum(sizes))
        with uninterrupted():
            if self._eager:
                step.update(scale, self._probe)
            else:
                step.recorded(step.update, scale)
            self._record(loss)

    def _record(self, loss: float) -> None:
        """Note a step that was taken, and let the schedule go on."""
        self.history.record_step(loss, self.optimizer.lr)
        if self._probe is not None:
            self.history.diagnostics.append(self._probe.after_update())
        if self.schedule is not None and not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        self._group, self._probe, self._eager = [], None, False

    def _finite(self, loss: Tensor) -> float:
        """Return the loss as a number, or raise."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergenceError(
                f"the loss is {value} at step {self._batches_done + 1} of epoch {self.epoch}, "
                f"which was not taken: lower the learning rate (it is {self.optimizer.lr:g}), or "
                "look for NaN and huge numbers in the data; the exception's .history holds the "
                "record up to here",
                self.history,
            )
        return value

    # --- saving -----------------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Save a checkpoint with which `fit(..., resume=path)` goes on to the bit; see `fit`.

        Raises
        ------
        RuntimeError
            If called elsewhere than at "train_begin", "step_end" or "epoch_end".  At "train_end" a
            step may have been left halfway, by Ctrl-C, or the best weights may have been taken
            back: what `ModelCheckpoint` saved last is what to go on from.
        """
        if self._event in (None, "train_end"):
            where = f'at "{self._event}"' if self._event else "outside of a callback"
            raise RuntimeError(
                f"save was called {where}, where the training may stand within a step: save at "
                '"step_end" or "epoch_end", or keep the last.npz of fit(..., checkpoint=folder)'
            )
        save_checkpoint(path, **self._parts())

    def resume(self, path: Any) -> None:
        """Go on from a checkpoint of `save`; where something does not fit nothing is changed."""
        load_checkpoint(path, **self._parts())
        self.resumed = True
        if self._verbose:
            steps, epochs = len(self.history.steps), self.history.epochs
            write(f"goes on from {path}, after {steps:,} steps and {epochs} whole epochs\n")

    def check_resumable(self) -> None:
        """Raise unless the positions in the data and in the schedule can be saved."""
        data, schedule = self._batches, self.schedule
        if not (hasattr(data, "state_dict") and hasattr(data, "load_state_dict")):
            raise TypeError(
                f"data is a {type(data).__name__}, whose position cannot be saved: give arrays, a "
                "list of batches, a DataLoader, or an object with state_dict and load_state_dict"
            )
        if schedule is not None and not hasattr(schedule, "state_dict"):
            raise TypeError(
                f"schedule is a {type(schedule).__name__}, whose position cannot be saved: give it "
                "state_dict and load_state_dict, or take one of optim.lr_scheduler"
            )

    def _parts(self) -> dict[str, Any]:
        """Return all that the next steps depend on."""
        self.check_resumable()
        parts = {
            "model": self.model,
            "loss": self._step.loss,
            "validation": self._validation,  # a shuffled one has a generator
            "schedule": self.schedule,
            **_named(self._callbacks),
        }
        parts = {name: part for name, part in parts.items() if hasattr(part, "state_dict")}
        known = self.model.parameters() if isinstance(self.model, Module) else []
        held = {id(parameter) for parameter in known}
        others = _Others([p for p in self.optimizer.params if id(p) not in held])
        return parts | {
            "parameters": others,
            "optimizer": self.optimizer,
            "data": self._batches,
            "history": self.history,
            "epoch": self,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what is known of the epoch at hand."""
        return {
            "averages": self._averages.state_dict(),
            "batches": self._batches_done,
            "passed": self._passed,
            "seconds": self._seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on within an epoch."""
        averages = Averages(self._metrics)
        averages.load_state_dict(state["averages"])
        names, expected = set(state["averages"]["names"]), {"loss", *self._metrics}
        if names and names != expected:
            raise ValueError(
                f"within an epoch in which {sorted(names)} are measured, not {sorted(expected)}: "
                "give the same metrics"
            )
        batches, passed = int(state["batches"]), bool(state["passed"])
        seconds = float(state["seconds"])
        self._averages, self._seconds = averages, seconds
        self._batches_done, self._passed = batches, passed


def _named(callbacks: Sequence[Callback]) -> dict[str, Callback]:
    """Name callbacks by their classes, with a number from the second of a class on."""
    found: dict[str, Callback] = {}
    for callback in callbacks:
        kind = type(callback)
        count = sum(type(other) is kind for other in found.values())
        found[f"callback {kind.__name__}" + f" {count + 1}" * (count > 0)] = callback
    return found


class _Others(Module):
    """Parameters that the optimiser changes and that no Module has."""

    def __init__(self, params: list[Tensor]) -> None:
        self.params = params
