"""fit: the training loop, for those who do not want to write their own.

Floor: train.  May import everything below.  What is measured, and on which data, is `metrics`'
matter; what is kept `history`'s; what is shown `progress`'.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import SeedLike
from ..compiler import CompileError
from ..compiler import compile as compile_step
from ..data._checks import as_count
from ..data.batches import Batches
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..random import as_generator
from ..tensor import Tensor
from .history import History
from .metrics import (
    Averages,
    Loss,
    Metric,
    Metrics,
    Model,
    as_batches,
    as_loss,
    as_metrics,
    evaluate,
    measured,
    mode,
    pairs,
)
from .progress import Progress, epoch_line, write


class DivergenceError(FloatingPointError):
    """The loss became NaN or infinite; `history` holds what was recorded before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: Model,
    data: Any,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int = 64,
    validation: Any = None,
    metrics: Metrics = None,
    rng: SeedLike = None,
    verbose: int = 1,
    compile: bool = True,
) -> History:
    """Train a model: for every batch a forward pass, a backward pass, and a step of the optimiser.

    A Module is in training mode meanwhile, and in evaluation mode while it is validated; afterwards
    each of its parts is in the mode it was in before.

    Ctrl-C ends the training, never within a step, and `fit` returns the history up to there.

    Parameters
    ----------
    model
        A Module, or any function of a batch of inputs.
    data
        `(x, y)`: two arrays, also memory maps, of equal length; they are shuffled in each epoch,
        and the last batch holds what is left.  Or an iterable of batches `(x, y)`, which is passed
        once per epoch in its own order.
    loss
        A function (prediction, target) that returns the mean over a batch, one number as a Tensor.
    optimizer
        Over the parameters of the model.
    epochs
        How often to pass the data.
    batch_size
        Samples per batch, where `data` and `validation` are arrays.
    validation
        Data, in either form, to compute the loss and the metrics on after every epoch.
    metrics
        "accuracy", "top_k_accuracy" or "r2"; or a function (prediction, target) of arrays, a
        `Pooled`; a list of these, or a dict of them by name.  On the training data they look at the
        predictions that the steps made.
    rng
        The generator that shuffles.
    verbose
        1: a progress bar where someone watches, and a line per epoch; 2: the lines; 0: nothing.
    compile
        Whether to record the step with `tensorgrad.compile`, after the first one.  The numbers are
        the same; where the model or the loss cannot be recorded, training goes on without, and a
        line says why.

    Returns
    -------
    History
        The loss of every step; per epoch "loss" and the metrics, means weighted by the lengths of
        the batches, and the same names with `val_` for the validation.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, there is no sample, or the optimiser has none of the
        model's parameters.  Nothing was changed then.
    DivergenceError
        If the loss is NaN or infinite.  The step was not taken; the exception has the history.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad import nn, optim
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> model = nn.Linear(1, 1, rng=0)
    >>> history = fit(model, (x, 3 * x + 1), loss=nn.mse_loss, epochs=20, batch_size=10,
    ...               optimizer=optim.SGD(model.parameters(), lr=0.2), rng=0, verbose=0)
    >>> history.epochs, len(history.steps), history["loss"][-1] < 1e-4
    (20, 100, True)
    """
    epochs = as_count("epochs", epochs, 0)
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose is {verbose!r}; expected 0, 1 or 2")
    _check_optimizer(optimizer, model)
    run = _Run(
        model, as_loss(loss), optimizer, as_metrics(metrics), epochs, verbose, compile, History()
    )
    rng = as_generator(rng)
    batches = as_batches(data, batch_size, passes=epochs, shuffle=True, rng=rng)
    if validation is not None:
        validation = as_batches(validation, batch_size, name="validation", passes=epochs)
        if isinstance(validation, Batches):  # what does not fit is found now, not after an epoch
            evaluate(model, [next(iter(validation))], loss=run.loss, metrics=run.metrics)
    try:
        with mode(model, training=True):
            for epoch in range(1, epochs + 1):
                run.epoch(epoch, batches, validation)
    except KeyboardInterrupt:
        if verbose:
            write(f"stopped by Ctrl-C in epoch {run.history.epochs + 1}/{epochs}\n")
    finally:
        optimizer.zero_grad()
    return run.history


@dataclass
class _Run:
    """A training run: what stays the same from step to step, and the history that grows."""

    model: Model
    loss: Loss
    optimizer: Optimizer
    metrics: dict[str, Metric]
    epochs: int
    verbose: int
    compile: bool
    history: History

    def __post_init__(self) -> None:
        self.compiled: Any = None
        """The step as a recording, once the first step has been taken."""

    def epoch(self, epoch: int, batches: Iterable[Any], validation: Iterable[Any] | None) -> None:
        """Pass the data once, validate, and close the epoch in the history."""
        start = time.perf_counter()
        averages = Averages(self.metrics)
        total = operator.length_hint(batches, -1)
        name = f"epoch {epoch}/{self.epochs}"
        with Progress(total if total >= 0 else None, name, verbose=self.verbose) as bar:
            for x, y in pairs(batches):
                values = self.step(x, y, f"step {bar.done + 1} of epoch {epoch}")
                averages.add(len(y), values)
                bar.update(values["loss"])
        values = averages.means()
        if validation is not None:
            found = evaluate(self.model, validation, loss=self.loss, metrics=self.metrics)
            values |= {f"val_{key}": value for key, value in found.items()}
        seconds = time.perf_counter() - start
        self.history.end_epoch(seconds=seconds, **values)
        if self.verbose:
            write(epoch_line(epoch, self.epochs, values, seconds) + "\n")

    def step(self, x: Any, y: Any, where: str) -> dict[str, float]:
        """Take one step, and return the loss and the metrics before it."""
        if self.compiled is not None:
            try:
                loss, prediction = self.compiled(x, y)
            except CompileError as error:
                self.compile, self.compiled = False, None
                if self.verbose:
                    write(f"not compiled: {error}\n")
        if self.compiled is None:
            loss, prediction = self._gradients(x, y)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergenceError(
                f"the loss is {value} at {where}, which was not taken: lower the learning rate (it "
                f"is {self.optimizer.lr:g}), or look for NaN and huge numbers in the data; "
                "the exception's .history holds the record up to here",
                self.history,
            )
        # Before the step, so that a metric that fails at the first batch leaves the model alone.
        values = {"loss": value, **measured(self.metrics, prediction, y)}
        self.history.record_step(value)
        if self.compiled is None:
            self.optimizer.step()
            if self.compile:
                self.compiled = compile_step(self._whole_step)
        return values

    def _gradients(self, x: Any, y: Any) -> tuple[Tensor, Any]:
        """Compute the loss and the prediction, and the gradients if the loss is a number."""
        self.optimizer.zero_grad()
        prediction = self.model(x)
        loss = _checked_loss(self.loss(prediction, y))
        if np.isfinite(loss.detach().data):
            loss.backward()
        return loss, prediction

    def _whole_step(self, x: Any, y: Any) -> tuple[Tensor, Any]:
        """Take a step, unless the loss is no number; return loss and prediction from before it."""
        loss, prediction = self._gradients(x, y)
        if np.isfinite(loss.detach().data):
            self.optimizer.step()
        return loss, prediction if self.metrics else None


def _check_optimizer(optimizer: Any, model: Model) -> None:
    """Raise unless this is an optimiser that changes the model, as far as one can tell."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"optimizer is {optimizer!r}; expected an object such as optim.Adam(model.parameters())"
        )
    if isinstance(model, Module):
        held = {id(parameter) for parameter in optimizer.params}
        if held.isdisjoint(id(parameter) for parameter in model.parameters()):
            raise ValueError(
                "the optimizer holds none of the model's parameters: make it from "
                "model.parameters(), after the last change to the model's layers"
            )


def _checked_loss(loss: Any) -> Tensor:
    """Return the loss, if it is a Tensor of one number."""
    if not isinstance(loss, Tensor):
        raise TypeError(
            f"the loss function returned a {type(loss).__name__}; expected a Tensor that was "
            "computed from the prediction"
        )
    if loss.shape:
        raise ValueError(
            f"the loss function returned shape {loss.shape}; expected one number: take the mean"
        )
    return loss
