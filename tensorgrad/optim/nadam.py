"""NAdam: Adam with Nesterov's momentum.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_number
from .adam import Adam
from .averages import average, moments
from .flat import State
from .groups import Option, Options


class NAdam(Adam):
    r"""NAdam: Adam that looks ahead along its momentum.

    At step t, with gradient g, parameter p, learning rate η and weight decay λ::

        g ← g + λ p
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        μₜ = β₁ (1 − 0.96^(t ψ) / 2),   Πₜ = μ₁ μ₂ ⋯ μₜ
        m̂ = μₜ₊₁ m / (1 − Πₜ₊₁) + (1 − μₜ) g / (1 − Πₜ)
        p ← p − η m̂ / (√v̂ + ε),        v̂ = v / (1 − β₂ᵗ)

    Parameters
    ----------
    params, lr, betas, eps, weight_decay
        As for `Adam`.
    momentum_decay
        ψ, how fast the momentum warms up.

    Raises
    ------
    TypeError, ValueError
        As `Adam` does.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2, with the
    schedule of momentum that PyTorch has.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0])
    >>> optimizer = NAdam([w], lr=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> bool(abs(w.data[0]) < 0.1)
    True
    """

    momentum_decay = Option(as_number)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, momentum_decay=momentum_decay)

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the step count, the averages m and v, and the product Π of the momenta, 1."""
        return {**moments(param), "product": np.ones(())}

    def _adapted(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step without weight decay."""
        beta1, beta2 = options["betas"]
        step = state["step"] + 1
        m = average(state["m"], grad, beta1)
        v = average(state["v"], np.square(grad), beta2)
        now, following = (
            beta1 * (1 - 0.5 * np.power(0.96, t * options["momentum_decay"]))
            for t in (step, step + 1)
        )
        product = state["product"] * now
        of_m = (options["lr"] * following / (1 - product * following)).astype(param.dtype)
        of_grad = (options["lr"] * (1 - now) / (1 - product)).astype(param.dtype)
        correction = np.sqrt(1 - np.power(beta2, step)).astype(param.dtype)
        spread = np.sqrt(v) / correction + options["eps"]
        new = param - (of_m * m + of_grad * grad) / spread
        return new, {"step": step, "m": m, "v": v, "product": product}
