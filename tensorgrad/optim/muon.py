"""Muon: momentum with its singular values made equal, for weight matrices.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_count, as_flag, as_fraction, as_number, one_of
from ..tensor import Tensor
from .averages import average
from .flat import State
from .groups import Option, Options
from .optimizer import Optimizer

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that brings singular values near 1 in few steps; K. Jordan's."""


def _adjustment(name: str, value: str) -> str:
    """Return the name of a way to adjust the rate, or raise."""
    return one_of(name, value, "original", "match_rms_adamw")


class Muon(Optimizer):
    r"""Muon: the momentum of a matrix is made orthogonal before it is stepped along.

    With gradient g, parameter p of shape (a, b), learning rate η and weight decay λ::

        m ← μ m + (1 − μ) g
        o = orthogonalized((1 − μ) g + μ m)    of m without Nesterov's
        p ← (1 − η λ) p − η √max(1, a/b) o

    It is for the weights of hidden layers.  Biases, embeddings and the weights of the first and the
    last layer are better given to another optimiser, such as `AdamW`.

    Parameters
    ----------
    params
        The matrices to change; see `Optimizer`.
    lr
        The learning rate η.
    weight_decay
        λ.
    momentum
        μ, in [0, 1).
    nesterov
        Whether to look ahead along the momentum.
    eps
        What a norm is divided by at least.
    ns_steps
        How many steps of Newton and Schulz make a matrix orthogonal.
    adjust_lr_fn
        "original" for the factor above; "match_rms_adamw" for 0.2 √max(a, b), with which rates and
        decays found for AdamW can be used.

    Raises
    ------
    TypeError
        If `params` are no leaves of floats, or a number is none.
    ValueError
        If there are no parameters, one comes twice or is no matrix, or a number is out of range.

    References
    ----------
    K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024; with the
    options of `torch.optim.Muon`, which computes in bfloat16 where this keeps the dtype.
    "match_rms_adamw": J. Liu and others, "Muon is scalable for LLM training", 2025.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import AdamW, Muon
    >>> model = tg.nn.MLP(4, [8, 8, 3], output_activation=None, rng=0)
    >>> hidden = [model.layers[1].weight]
    >>> others = [p for p in model.parameters() if p is not hidden[0]]
    >>> optimizers = [Muon(hidden, lr=0.02), AdamW(others, lr=1e-3)]
    """

    elementwise = False
    weight_decay = Option(as_number)
    momentum = Option(as_fraction)
    nesterov = Option(as_flag)
    eps = Option(as_number)
    ns_steps = Option(as_count)
    adjust_lr_fn = Option(_adjustment)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str = "original",
    ) -> None:
        super().__init__(
            params, lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, eps=eps,
            ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        )  # fmt: skip

    @staticmethod
    def check(options: Mapping[str, Any], params: list[Tensor]) -> None:
        """Refuse what is no matrix."""
        Optimizer.check(options, params)
        for i, param in enumerate(params):
            if param.ndim != 2:
                raise ValueError(
                    f"parameter {i} has shape {param.shape}, and Muon is for matrices: give it to "
                    "another optimiser, as in AdamW([p for p in params if p.ndim != 2])"
                )

    def init(self, param: Array, options: Options) -> State:  # noqa: ARG002
        """Return the momentum m = 0."""
        return {"m": np.zeros_like(param, order="C")}

    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute one step of a matrix; for the equation see the class."""
        momentum, (rows, columns) = options["momentum"], param.shape
        m = average(state["m"], grad, momentum)
        direction = average(m, grad, momentum) if options["nesterov"] else m
        direction = orthogonalized(direction, options["ns_steps"], options["eps"])
        factor = max(1.0, rows / max(columns, 1)) ** 0.5
        if options["adjust_lr_fn"] == "match_rms_adamw":
            factor = 0.2 * max(rows, columns) ** 0.5
        rate = (options["lr"] * factor).astype(param.dtype)
        shrink = (1 - options["lr"] * options["weight_decay"]).astype(param.dtype)
        return param * shrink - rate * direction, {"m": m}


def orthogonalized(x: Array, steps: int, eps: float) -> Array:
    """Bring the singular values of a matrix near 1, between 0.7 and 1.2, and keep its vectors.

    Each step applies the odd polynomial a s + b s³ + c s⁵ to all singular values s at once, by
    products of matrices alone.
    """
    a, b, c = _COEFFICIENTS
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x  # the product of x with itself is then the smaller one
    x = x / np.maximum(np.sqrt(np.sum(np.square(x))), eps)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.T if tall else x
