"""Adadelta: steps in the unit of the parameter, with hardly a learning rate.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_fraction, as_number
from .averages import average
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer


class Adadelta(Optimizer):
    r"""Adadelta: steps as large as the last ones, relative to the gradients.

    With gradient g, parameter p, learning rate η and weight decay λ::

        g ← g + λ p
        s ← ρ s + (1 − ρ) g²
        d ← g √(u + ε) / √(s + ε)
        u ← ρ u + (1 − ρ) d²
        p ← p − η d

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η; the paper has 1.
    rho
        ρ, how much of the averages stays, in [0, 1).
    eps
        ε, which sets the size of the first steps; positive in the dtype of each parameter.
    weight_decay
        λ, the factor of an L2 penalty λ/2 |p|².

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    M. D. Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0])
    >>> optimizer = Adadelta([w])
    >>> for _ in range(500):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> bool(abs(w.data[0]) < 2)
    True
    """

    rho = Option(as_fraction)
    eps = Option(as_number)
    weight_decay = Option(as_number)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, rho=rho, eps=eps, weight_decay=weight_decay)

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the averages s of the squared gradients and u of the squared steps, both 0."""
        return {name: np.zeros_like(param, order="C") for name in ("square", "moved")}

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        rate, rho, eps = options["lr"].astype(param.dtype), options["rho"], options["eps"]
        if options["weight_decay"]:
            grad = grad + options["weight_decay"] * param
        square = average(state["square"], np.square(grad), rho)
        step = np.sqrt(state["moved"] + eps) / np.sqrt(square + eps) * grad
        moved = average(state["moved"], np.square(step), rho)
        return param - rate * step, {"square": square, "moved": moved}
