"""Adamax: Adam with the largest gradient in place of the root mean square.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from .adam import Adam
from .averages import average
from .flat import State
from .groups import Options


class Adamax(Adam):
    r"""Adamax: Adam in the maximum norm.

    At step t, with gradient g, parameter p, learning rate η and weight decay λ::

        g ← g + λ p
        m ← β₁ m + (1 − β₁) g
        u ← max(β₂ u, |g| + ε)
        p ← p − η / (1 − β₁ᵗ) · m / u

    Parameters
    ----------
    params, lr, betas, eps, weight_decay
        As for `Adam`.

    Raises
    ------
    TypeError, ValueError
        As `Adam` does.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 2, with
    ε as PyTorch has it.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0, -500.0])
    >>> optimizer = Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([   2.9, -499.9])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the step count t, the average m and the largest gradient u, all 0."""
        names = ("m", "largest")
        return {"step": np.zeros(())} | {n: np.zeros_like(param, order="C") for n in names}

    def _adapted(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step without weight decay."""
        beta1, beta2 = options["betas"]
        step = state["step"] + 1
        m = average(state["m"], grad, beta1)
        largest = np.maximum(beta2 * state["largest"], np.abs(grad) + options["eps"])
        rate = (options["lr"] / (1 - np.power(beta1, step))).astype(param.dtype)
        return param - rate * (m / largest), {"step": step, "m": m, "largest": largest}
