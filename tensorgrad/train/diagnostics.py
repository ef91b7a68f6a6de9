"""What a training step does to a network: its gradients, its updates, the units that are dead.

Floor: train.  May import everything below.  A step that is looked at is taken eagerly, which
changes no bit; `Probe` sees it from both sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .._typing import Array
from ..graph import Mode, ModeSwitch, Node, Watcher
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..quiet import quiet
from ..tensor import Tensor
from .history import Diagnostics

# Before the steps between two samples double: it bounds the memory, and with it the cost of a long
# run of a small network, whose eager step takes several times as long as its compiled one.
_SAMPLES: Final = 100
_MAX_RELUS: Final = 50
"""A network that is unrolled in time has one relu for every moment."""


def is_due(step: int, every: int) -> bool:
    """Tell whether a step, counted from 0, is looked at.

    Every `every`-th one is, from the first; after 100 of them every second of those, and so on.  It
    depends on nothing but the number of the step, so that two runs look at the same steps.

    Examples
    --------
    >>> [step for step in range(0, 40) if is_due(step, 10)]
    [0, 10, 20, 30]
    >>> [step for step in range(2000, 2080) if is_due(step, 10)]
    [2000, 2040]
    """
    if not every or step % every:
        return False
    doublings = (step // (every * _SAMPLES)).bit_length()
    return step % (every << doublings) == 0


class Probe:
    """Looks at one step, an eager one: `watched()` around each forward pass, then two calls.

    Parameters
    ----------
    step
        The number of the step.
    parameters
        What the optimiser changes, by name.
    """

    def __init__(self, step: int, parameters: dict[str, Tensor]) -> None:
        self.step = step
        self._parameters = parameters
        self._alive: list[Array] = []
        self._before: dict[str, Array] = {}
        self._gradient_norm = 0.0

    def watched(self) -> ModeSwitch:
        """Return a context in which the relus of a forward pass are seen."""
        return _Watched(_Relus(self._alive))

    def before_update(self) -> None:
        """Look at the gradients, and keep the weights."""
        total = 0.0
        with quiet():
            for name, parameter in self._parameters.items():
                if parameter.has_grad:
                    total += _sum_of_squares(parameter.grad)
                    self._before[name] = np.array(parameter.data)
        self._gradient_norm = math.sqrt(total)

    def after_update(self) -> Diagnostics:
        """Return what was seen."""
        ratios = dict.fromkeys(self._parameters, math.nan)
        with quiet():
            for name, before in self._before.items():
                if size := math.sqrt(_sum_of_squares(before)):
                    change = np.subtract(self._parameters[name].data, before, out=before)
                    ratios[name] = math.sqrt(_sum_of_squares(change)) / size
        alive = {f"relu {i}": a for i, a in enumerate(self._alive, 1) if a.size}
        dead = {name: 1 - int(np.count_nonzero(a)) / a.size for name, a in alive.items()}
        return Diagnostics(self.step, self._gradient_norm, ratios, dead)


class _Watched(ModeSwitch):
    """Tells a watcher of what is recorded."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher

    def _mode(self) -> Mode:
        return self._watcher


class _Relus(Watcher):
    """Notes of every relu of one forward pass which units are above 0 for some sample.

    A unit is an element of a sample, all of its numbers but the first axis; of pictures with four
    axes it is a channel.
    """

    careful = False

    def __init__(self, alive: list[Array]) -> None:
        self._alive = alive
        self._count = 0

    def record(self, node: Node, inputs: Sequence[Any], out: Any) -> None:
        """Look at the result of a relu; one that is not above 0 is 0 (or NaN)."""
        is_relu = node.op is not None and (
            node.op.name == "relu" or (node.op.name == "maximum" and _has_zero(inputs))
        )
        if not is_relu or np.ndim(out) < 2 or self._count >= _MAX_RELUS:
            return
        alive = (out > 0).any(axis=0)
        if alive.ndim == 3:  # after the samples, which took a third of the time of all at once
            alive = alive.any(axis=(1, 2))
        if self._count == len(self._alive):
            self._alive.append(alive)
        elif self._alive[self._count].shape == alive.shape:  # another batch of the same step
            self._alive[self._count] |= alive
        self._count += 1


def _has_zero(inputs: Sequence[Any]) -> bool:
    """Tell whether one of the inputs of `maximum` is the number 0."""
    return any(isinstance(x, (int, float)) and x == 0 for x in inputs)


def _sum_of_squares(array: Array) -> float:
    """Return the sum in float64, or in float32 where it is good to a millionth: five times faster.

    In float32 the square of a number below 1e-19 is 0 or coarse, and one above 1e19 is infinite.
    """
    if array.dtype.type is np.float32:
        total = float(np.vdot(array, array))
        if array.size * 1e-30 < total < math.inf:
            return total
    wide = array.astype(np.float64)
    return float(np.vdot(wide, wide))


def parameters_by_name(model: Any, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return what the optimiser changes: under the model's names, else by its position."""
    found = model.named_parameters() if isinstance(model, Module) else []
    names = {id(parameter): name for name, parameter in found}
    return {names.get(id(p), f"params[{i}]"): p for i, p in enumerate(optimizer.params)}
