"""Adagrad: steps scaled by the sum of all squared gradients.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_number
from .averages import settled
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer


class Adagrad(Optimizer):
    r"""Adagrad: rare features take larger steps than frequent ones.

    At step t, with gradient g, parameter p, learning rate η and weight decay λ::

        g ← g + λ p
        s ← s + g²
        p ← p − η / (1 + (t − 1) κ) · g / (√s + ε)

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η.
    lr_decay
        κ, how fast the rate falls beside.
    weight_decay
        λ, the factor of an L2 penalty λ/2 |p|².
    initial_accumulator_value
        What s starts from; to assign another one later is refused.
    eps
        ε, positive in the dtype of each parameter.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011, figure 1 with diagonal matrices; the decay as PyTorch has it.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0, -500.0])
    >>> optimizer = Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([   2.9, -499.9])
    """

    lr_decay = Option(as_number)
    weight_decay = Option(as_number)
    initial_accumulator_value = Option(as_number, initial=True)
    eps = Option(as_number)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(
            params, lr, lr_decay=lr_decay, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, eps=eps,
        )  # fmt: skip

    def init(self, param: Array, options: Options) -> State:
        """Return the step count t, 0, and the sum s."""
        start = options["initial_accumulator_value"]
        return {"step": np.zeros(()), "sum": np.full_like(param, start, order="C")}

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        rate = (options["lr"] / (1 + state["step"] * options["lr_decay"])).astype(param.dtype)
        if options["weight_decay"]:
            grad = grad + options["weight_decay"] * param
        total = settled(state["sum"] + np.square(grad))
        new = param - rate * (grad / (np.sqrt(total) + options["eps"]))
        return new, {"step": state["step"] + 1, "sum": total}
