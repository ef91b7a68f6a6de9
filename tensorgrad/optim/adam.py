"""Adam, and AdamW, which decays the weights apart from the gradient.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_fractions, as_number
from .averages import kept_normal, settled
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer


class Adam(Optimizer):
    r"""Adam: steps scaled by running averages of the gradient and of its square.

    At step t, with gradient g, parameter p, learning rate η and weight decay λ::

        g ← g + λ p
        m ← β₁ m + g
        v ← β₂ v + g²
        p ← p − η m̂ / (√v̂ + ε),    m̂ = m / w₁,  v̂ = v / w₂

    The averages m̂ and v̂ are sums divided by the sums of their weights, w ← β w + 1, which is
    (1 − βᵗ) / (1 − β) after t steps.  Each parameter counts its own, those in which it had a
    gradient.  Of float16 the sums are float32.

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η: about the size of a step in each coordinate.
    betas
        β₁ and β₂, how much of the averages stays, each in [0, 1).
    eps
        ε, which bounds the step where gradients are tiny; positive in the dtype of each parameter.
    weight_decay
        λ, the factor of an L2 penalty λ/2 |p|²; `AdamW` decays weights in a way that suits Adam.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0, -500.0])
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([   2.9, -499.9])
    """

    betas = Option(as_fractions)
    eps = Option(as_number)
    weight_decay = Option(as_number)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay, **options)

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the sums m and v and their weights, all 0."""
        wide = np.promote_types(param.dtype, np.float32)  # a thousand squares overflow float16
        return {
            "m_weight": np.zeros(()),
            "v_weight": np.zeros(()),
            "m_sum": np.zeros_like(param, wide, order="C"),
            "v_sum": np.zeros_like(param, wide, order="C"),
        }

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        if options["weight_decay"]:
            grad = grad + options["weight_decay"] * param
        return self._adapted(param, grad, state, options)

    def _adapted(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step without weight decay.

        The weights are put into single numbers, η √w₂ / w₁ and ε √w₂: three passes over memory
        less than with averages that are kept.
        """
        beta1, beta2 = options["betas"]
        weights = beta1 * state["m_weight"] + 1, beta2 * state["v_weight"] + 1
        wide = state["m_sum"].dtype
        grad = grad if grad.dtype == wide else grad.astype(wide)
        m = settled(beta1 * state["m_sum"] + grad)
        v = kept_normal(beta2 * state["v_sum"] + np.square(grad))
        scale = np.sqrt(weights[1])
        rate = (options["lr"] * scale / weights[0]).astype(wide)
        eps = (options["eps"] * scale).astype(wide)
        change = rate * (m / (np.sqrt(v) + eps))
        change = change if param.dtype == wide else change.astype(param.dtype)
        names = ("m_weight", "v_weight", "m_sum", "v_sum")
        return param - change, dict(zip(names, (*weights, m, v), strict=True))


class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    The weights shrink by a share of their own, which does not go through Adam's averages::

        p ← (1 − η λ) p
        then as Adam, without λ

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η.
    betas, eps
        As for `Adam`.
    weight_decay
        λ.

    Raises
    ------
    TypeError, ValueError
        As `Adam` does.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, with
    the decay multiplied by the learning rate, as PyTorch has it.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([2.0])
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (0.0 * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([1.9])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        shrink = (1 - options["lr"] * options["weight_decay"]).astype(param.dtype)
        return self._adapted(param * shrink, grad, state, options)
