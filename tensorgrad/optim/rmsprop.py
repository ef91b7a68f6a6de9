"""RMSprop: steps scaled by a running average of the squared gradient.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_flag, as_fraction, as_number
from .averages import average, settled
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer


class RMSprop(Optimizer):
    r"""RMSprop: the gradient divided by the root of its running mean square.

    With gradient g, parameter p, learning rate η, momentum μ and weight decay λ::

        g ← g + λ p
        s ← α s + (1 − α) g²
        a ← α a + (1 − α) g                 if centered, else a = 0
        d ← g / (√(s − a²) + ε)
        b ← μ b + d,   p ← p − η b          p ← p − η d without momentum

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η.
    alpha
        How much of the averages stays, in [0, 1).
    eps
        ε, positive in the dtype of each parameter.
    weight_decay
        λ, the factor of an L2 penalty λ/2 |p|².
    momentum
        μ, in [0, 1).
    centered
        Whether to divide by the deviation of the gradient rather than by its root mean square.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    T. Tieleman, G. Hinton, "Lecture 6.5: RMSprop", Coursera, 2012; centered: A. Graves, "Generating
    sequences with recurrent neural networks", 2013, equations 38 to 45; ε outside the root, as
    PyTorch has it.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0, -500.0])
    >>> optimizer = RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)
    array([   2.8, -499.8])
    """

    alpha = Option(as_fraction)
    eps = Option(as_number)
    weight_decay = Option(as_number)
    momentum = Option(as_fraction, remembered=True)
    centered = Option(as_flag, remembered=True)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
            centered=centered,
        )  # fmt: skip

    def init(self, param: Array, options: Options) -> State:
        """Return the average s, and where they are needed a and b, all 0."""
        names = [
            "square",
            *["mean"] * options["centered"],
            *["velocity"] * (options["momentum"] > 0),
        ]
        return {name: np.zeros_like(param, order="C") for name in names}

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        rate, alpha = options["lr"].astype(param.dtype), options["alpha"]
        if options["weight_decay"]:
            grad = grad + options["weight_decay"] * param
        new = dict(state)
        new["square"] = spread = average(state["square"], np.square(grad), alpha)
        if options["centered"]:
            new["mean"] = average(state["mean"], grad, alpha)
            # Rounding may leave a variance of zero below it.
            spread = np.maximum(spread - np.square(new["mean"]), 0.0)
        direction = grad / (np.sqrt(spread) + options["eps"])
        if options["momentum"]:
            direction = settled(options["momentum"] * state["velocity"] + direction)
            new["velocity"] = direction
        return param - rate * direction, new
