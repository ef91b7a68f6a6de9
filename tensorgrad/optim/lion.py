"""Lion: steps of one size, along the sign of the momentum.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_fractions, as_number
from .averages import average
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer


class Lion(Optimizer):
    r"""Lion: the sign of momentum and gradient together; one array of state.

    With gradient g, parameter p, learning rate η and weight decay λ::

        c = β₁ m + (1 − β₁) g
        p ← (1 − η λ) p − η sign(c)
        m ← β₂ m + (1 − β₂) g

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η, the size of a step in each coordinate: a third to a tenth of Adam's.
    betas
        β₁ and β₂, each in [0, 1).
    weight_decay
        λ, three to ten times that of `AdamW`.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    X. Chen and others, "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0, -500.0])
    >>> optimizer = Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([   2.9, -499.9])
    """

    betas = Option(as_fractions)
    weight_decay = Option(as_number)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas=betas, weight_decay=weight_decay)

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the momentum m = 0."""
        return {"m": np.zeros_like(param, order="C")}

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        beta1, beta2 = options["betas"]
        rate = options["lr"].astype(param.dtype)
        shrink = (1 - options["lr"] * options["weight_decay"]).astype(param.dtype)
        direction = np.sign(average(state["m"], grad, beta1))
        return param * shrink - rate * direction, {"m": average(state["m"], grad, beta2)}
