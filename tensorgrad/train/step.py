"""Step: what `fit` does with a batch: forward, backward, clip, update; eagerly or recorded.

The checks of an optimiser and of a loss are here too, for `lr_finder` as well.
Floor: train.  May import everything below.  How steps follow each other is `run`'s matter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .._typing import Array
from ..compiler import CompileError
from ..compiler import compile as compile_function
from ..nn.module import Module
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim.base import BaseOptimizer
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .diagnostics import Probe
from .metrics import Loss, Model

_NEEDS_A_CLOSURE: Final = """, which computes the loss several times in a step; this does it once.
Write the loop, over all data at once:

    def closure():
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)"""


class Step:
    """The three functions of a step, each of which can be recorded.

    A step over one batch is `whole`.  A step over several is `gradients` of each, which add up, and
    then `update`.

    Parameters
    ----------
    model, loss, optimizer
        As in `fit`.
    clip_norm, clip_value
        As in `fit`.
    returns_prediction
        Whether somebody looks at the predictions: a recorded step then keeps them.
    compile
        Whether to record.
    warn
        Is told why a step could not be recorded.
    """

    def __init__(
        self,
        model: Model,
        loss: Loss,
        optimizer: Optimizer,
        *,
        clip_norm: float | None,
        clip_value: float | None,
        returns_prediction: bool,
        compile: bool,
        warn: Callable[[str], None],
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.returns_prediction = returns_prediction
        self._warn = warn
        functions = (self.gradients, self.update, self.whole) if compile else ()
        self._recorded = {f.__name__: compile_function(f) for f in functions}

    @property
    def is_compiled(self) -> bool:
        """Whether steps are recorded; not any more, once that has failed."""
        return bool(self._recorded)

    def recorded(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call one of the three by its record, or as it is where there can be none."""
        if self._recorded:
            try:
                return self._recorded[function.__name__](*args)
            except CompileError as error:
                self._recorded = {}
                self._warn(f"not compiled: {error}")
        return function(*args)

    def gradients(
        self, x: Any, y: Any, weight: Array | None = None, probe: Probe | None = None
    ) -> tuple[Tensor, Any]:
        """Add the gradients of a batch, times a weight, if its loss is a finite number.

        Returns
        -------
        tuple
            The loss, and the prediction or None.
        """
        with contextlib.nullcontext() if probe is None else probe.watched():
            prediction = self.model(x)
        loss = checked_loss(self.loss(prediction, y))
        if np.isfinite(loss.detach().data):
            loss.backward(None if weight is None else weight.astype(loss.dtype))
        return loss, prediction if self.returns_prediction else None

    def update(self, scale: Array | None = None, probe: Probe | None = None) -> None:
        """Multiply the gradients by a number, clip them, and let the optimiser step."""
        if scale is not None:
            for parameter in self.optimizer.params:
                if parameter.has_grad:
                    parameter.grad = parameter.grad * scale.astype(parameter.dtype)
        if probe is not None:
            probe.before_update()
        if self.clip_value is not None:
            clip_grad_value_(self.optimizer.params, self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm_(self.optimizer.params, self.clip_norm)
        self.optimizer.step()

    def whole(self, x: Any, y: Any) -> tuple[Tensor, Any]:
        """Take a step over one batch, unless its loss is no number; return what came before it."""
        self.optimizer.zero_grad()
        loss, prediction = self.gradients(x, y)
        if np.isfinite(loss.detach().data):
            self.update()
        return loss, prediction


def check_optimizer(optimizer: Any, model: Model) -> None:
    """Raise unless this is an optimiser that changes the model, as far as one can tell."""
    if isinstance(optimizer, BaseOptimizer) and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is an {type(optimizer).__name__}{_NEEDS_A_CLOSURE}")
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


def checked_loss(loss: Any) -> Tensor:
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
