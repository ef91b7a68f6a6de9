"""RAdam: Adam whose first steps wait until the variance is known.

Floor: optim.
"""

from __future__ import annotations

import numpy as np

from .._typing import Array
from .adam import Adam
from .averages import average, moments
from .flat import State
from .groups import Options


class RAdam(Adam):
    r"""RAdam: Adam with a warm-up that follows from the number of gradients seen.

    At step t, with gradient g, parameter p, learning rate η and weight decay λ::

        g ← g + λ p
        m ← β₁ m + (1 − β₁) g,   m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²,  v̂ = v / (1 − β₂ᵗ)
        ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ),   ρ∞ = 2 / (1 − β₂) − 1
        p ← p − η m̂ r / √v̂         if ρ > 5,  r² = (ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ)
        p ← p − η m̂                else

    Parameters
    ----------
    params, lr, betas, eps, weight_decay
        As for `Adam`; ε is added to √v.

    Raises
    ------
    TypeError, ValueError
        As `Adam` does.

    References
    ----------
    L. Liu and others, "On the variance of the adaptive learning rate and beyond", ICLR 2020,
    algorithm 2, with the bound 5 for ρ and the place of ε that PyTorch has.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0])
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([2.4])
    """

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the step count and the averages m and v, all 0."""
        return moments(param)

    def _adapted(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step without weight decay: m̂ (a / (√v + ε) + b), where one of a, b is 0."""
        beta1, beta2 = options["betas"]
        step = state["step"] + 1
        m = average(state["m"], grad, beta1)
        v = average(state["v"], np.square(grad), beta2)
        rest = 1 - np.power(beta2, step)
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * np.power(beta2, step) / rest
        known, long, longest = length > 5, np.maximum(length, 5.0), max(limit, 5.0)
        share = (long - 4) * (long - 2) / long * longest / ((longest - 4) * (longest - 2))
        rate = options["lr"] / (1 - np.power(beta1, step))
        adapted = np.where(known, rate * np.sqrt(share * rest), 0.0)
        plain = np.where(known, 0.0, rate).astype(param.dtype)
        factor = adapted.astype(param.dtype) / (np.sqrt(v) + options["eps"]) + plain
        return param - m * factor, {"step": step, "m": m, "v": v}
