"""SGD: gradient descent, plain, with momentum, and Nesterov's.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_flag, as_fraction, as_number
from ..tensor import Tensor
from .averages import settled
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer


class SGD(Optimizer):
    r"""Stochastic gradient descent.

    With gradient g, parameter p, learning rate η, momentum μ and weight decay λ::

        g ← g + λ p
        v ← μ v + g
        p ← p − η v                with momentum
        p ← p − η (g + μ v)        with Nesterov's
        p ← p − η g                with neither

    Parameters
    ----------
    params
        The tensors to change; see `Optimizer`.
    lr
        The learning rate η.
    momentum
        How much of the velocity v stays, in [0, 1).
    nesterov
        Whether to look ahead along the velocity; needs a momentum.
    weight_decay
        λ, the factor of an L2 penalty λ/2 |p|².

    Raises
    ------
    TypeError, ValueError
        As `Optimizer` does.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum
    in deep learning", ICML 2013; with the learning rate outside the velocity, as PyTorch has it.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor(3.0)
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(float(w), 6)
    2.4
    """

    momentum = Option(as_fraction, remembered=True)
    nesterov = Option(as_flag)
    weight_decay = Option(as_number)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
        )

    @staticmethod
    def check(options: Mapping[str, Any], params: list[Tensor]) -> None:  # noqa: ARG004
        """Refuse Nesterov's without momentum."""
        if options["nesterov"] and not options["momentum"]:
            raise ValueError("nesterov=True needs a momentum, such as momentum=0.9; it is 0")

    def init(self, param: Array, options: Options) -> State:
        """Return the velocity v = 0; nothing without momentum."""
        return {"velocity": np.zeros_like(param, order="C")} if options["momentum"] else {}

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step; for the equation see the class."""
        rate, momentum = options["lr"].astype(param.dtype), options["momentum"]
        if options["weight_decay"]:
            grad = grad + options["weight_decay"] * param
        if not momentum:
            return param - rate * grad, state
        velocity = settled(momentum * state["velocity"] + grad)
        direction = grad + momentum * velocity if options["nesterov"] else velocity
        return param - rate * direction, {"velocity": velocity}
