"""Initial values, written into a parameter in place.

Floor: nn.  May import `tensor` and the floors below it.  A new one computes an array and ends with
`_write`, so that graphs recorded before learn that the data were written.

`fan_in` and `fan_out` are the numbers of inputs and outputs of a unit: of a weight of shape
(out, in, *kernel) they are `in * prod(kernel)` and `out * prod(kernel)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import SeedLike
from ..checks import as_number, one_of
from ..random import as_generator
from ..tensor import Tensor

__all__ = [
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS: dict[str, Callable[[float], float]] = {
    "linear": lambda _slope: 1.0,
    "sigmoid": lambda _slope: 1.0,
    "tanh": lambda _slope: 5.0 / 3.0,
    "relu": lambda _slope: math.sqrt(2.0),
    "leaky_relu": lambda slope: math.sqrt(2.0 / (1.0 + slope * slope)),
}


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, *, rng: SeedLike = None) -> Tensor:
    """Draw from the uniform distribution over [a, b).

    Parameters
    ----------
    tensor
        The parameter to write to, of any shape.
    a, b
        The interval.
    rng
        The generator to draw from.

    Returns
    -------
    Tensor
        `tensor` itself.

    Raises
    ------
    TypeError
        If `tensor` is no tensor of floats.
    ValueError
        If it is the result of an operation, or if `a > b`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> weight = uniform_(tg.Tensor([0.0, 0.0]), -0.1, 0.1, rng=0)
    >>> bool(abs(weight.data).max() <= 0.1)
    True
    """
    _check(tensor)
    if not a <= b:
        raise ValueError(f"the interval goes from a = {a} to b = {b}; expected a <= b")
    return _write(tensor, as_generator(rng).uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, rng: SeedLike = None) -> Tensor:
    """Draw from the normal distribution; for the other parameters see `uniform_`.

    Parameters
    ----------
    tensor, rng
        As for `uniform_`.
    mean, std
        Mean and standard deviation.

    Returns
    -------
    Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `std` is negative.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> normal_(tg.Tensor([0.0, 0.0]), mean=3.0, std=0.0).tolist()
    [3.0, 3.0]
    """
    _check(tensor)
    std = as_number("std", std)
    return _write(tensor, as_generator(rng).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    rng: SeedLike = None,
) -> Tensor:
    """Draw from the normal distribution within [a, b], for any such interval.

    By rejection: a uniform number x is kept with the probability `exp((p² - x²) / 2)`, where p is
    the likeliest point of the interval.  Its ends are cut where less than 1e-17 of that is left.

    Parameters
    ----------
    tensor, rng
        As for `uniform_`.
    mean, std
        Mean and standard deviation before the ends are cut off.
    a, b
        The interval, not in units of `std`.

    Returns
    -------
    Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `std` is not positive, or `a` not below `b`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> weight = trunc_normal_(tg.Tensor([0.0] * 100), std=0.02, a=-0.04, b=0.04, rng=0)
    >>> bool(abs(weight.data).max() <= 0.04)
    True
    """
    _check(tensor)
    std = as_number("std", std, above=0)
    if not a < b:
        raise ValueError(f"the interval goes from a = {a} to b = {b}; expected a < b")
    low, high = (a - mean) / std, (b - mean) / std
    peak = min(max(0.0, low), high)
    reach = math.sqrt(peak * peak + 80.0)
    low, high = max(low, -reach), min(high, reach)
    generator, drawn = as_generator(rng), np.empty(tensor.size)
    left = np.arange(tensor.size)
    while left.size:
        x = generator.uniform(low, high, left.size)
        kept = generator.random(left.size) <= np.exp(0.5 * (peak - x) * (peak + x))
        drawn[left[kept]] = x[kept]
        left = left[~kept]
    return _write(tensor, np.clip(mean + std * drawn, a, b).reshape(tensor.shape))


def orthogonal_(tensor: Tensor, gain: float = 1.0, *, rng: SeedLike = None) -> Tensor:
    """Draw a matrix with orthogonal rows or columns, whichever are fewer, of length `gain`.

    Signals keep their size through any number of linear layers: Saxe, McClelland and Ganguli,
    "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks" (2014).
    All such matrices are equally likely: Mezzadri, "How to generate random matrices from the
    classical compact groups" (2007).

    Parameters
    ----------
    tensor
        A weight of at least two axes, (out, in, ...), taken as a matrix of `out` rows.
    gain
        A factor.
    rng
        The generator to draw from.

    Returns
    -------
    Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> weight = orthogonal_(tg.Tensor([[0.0] * 5] * 3), rng=0)
    >>> (weight.data @ weight.data.T).round(6) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    _fans(tensor)
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    normal = as_generator(rng).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # or the signs would not be random
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Write one number everywhere.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> constant_(tg.Tensor([1.0, 2.0]), 0.5).tolist()
    [0.5, 0.5]
    """
    _check(tensor)
    return _write(tensor, np.full(tensor.shape, value))


def zeros_(tensor: Tensor) -> Tensor:
    """Write zeros.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> zeros_(tg.Tensor([1.0, 2.0])).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Write ones.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> ones_(tg.Tensor([3.0, 2.0])).tolist()
    [1.0, 1.0]
    """
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, *, rng: SeedLike = None) -> Tensor:
    """Draw uniformly from ±`gain sqrt(6 / (fan_in + fan_out))`.

    The variance of signals stays the same forwards and backwards through linear layers: Glorot and
    Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).

    Parameters
    ----------
    tensor
        A weight of at least two axes, (out, in, ...).
    gain
        A factor; 5/3 is usual before tanh in deep networks.
    rng
        The generator to draw from.

    Returns
    -------
    Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> weight = xavier_uniform_(tg.Tensor([[0.0, 0.0, 0.0]] * 3), rng=0)
    >>> bool(abs(weight.data).max() <= 1.0)
    True
    """
    fan_in, fan_out = _fans(tensor)
    bound = gain * math.sqrt(6.0 / max(1, fan_in + fan_out))
    return uniform_(tensor, -bound, bound, rng=rng)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, *, rng: SeedLike = None) -> Tensor:
    """Draw normally with std `gain sqrt(2 / (fan_in + fan_out))`; see `xavier_uniform_`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> xavier_normal_(tg.Tensor([[0.0, 0.0]]), rng=0).shape
    (1, 2)
    """
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(1, fan_in + fan_out)), rng=rng)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: SeedLike = None,
) -> Tensor:
    """Draw uniformly from ±`gain sqrt(3 / fan)`.

    The variance of signals stays the same through layers with this nonlinearity: He, Zhang, Ren
    and Sun, "Delving deep into rectifiers" (2015).

    Parameters
    ----------
    tensor
        A weight of at least two axes, (out, in, ...).
    a
        The negative slope of leaky_relu; 0 is relu.
    mode
        "fan_in" for signals forwards, "fan_out" for gradients backwards.
    nonlinearity
        What follows: "leaky_relu", "relu", "tanh" (gain 5/3), "sigmoid" or "linear" (gain 1).
    rng
        The generator to draw from.

    Returns
    -------
    Tensor
        `tensor` itself.

    Raises
    ------
    ValueError
        If `tensor` has fewer than two axes, or if a name is none of the above.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> weight = kaiming_uniform_(tg.Tensor([[0.0] * 6] * 2), rng=0)
    >>> bool(abs(weight.data).max() <= 1.0)
    True
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, rng=rng)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: SeedLike = None,
) -> Tensor:
    """Draw normally with std `gain / sqrt(fan)`; for all else see `kaiming_uniform_`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> kaiming_normal_(tg.Tensor([[0.0, 0.0]]), rng=0).shape
    (1, 2)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), rng=rng)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Return `gain / sqrt(fan)`."""
    fans = dict(zip(("fan_in", "fan_out"), _fans(tensor), strict=True))
    fan = fans[one_of("mode", mode, *fans)]
    return _GAINS[one_of("nonlinearity", nonlinearity, *_GAINS)](a) / math.sqrt(max(1, fan))


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return the numbers of inputs and of outputs of a unit."""
    _check(tensor)
    if tensor.ndim < 2:
        raise ValueError(
            f"a tensor of shape {tensor.shape} has no fan: expected a weight (out, in, ...); for a "
            "bias use zeros_ or uniform_"
        )
    out, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), out * math.prod(kernel)


def _check(tensor: Tensor) -> None:
    """Raise unless values can be written to `tensor`."""
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"the parameter is {kind}; expected a Tensor of floats")
    if not tensor.is_leaf:
        raise ValueError(
            f"the tensor is the result of {tensor.grad_fn}, which cannot be written to: "
            "initialise the parameter itself"
        )


def _write(tensor: Tensor, values: Any) -> Tensor:
    """Assign: that casts to the tensor's dtype, and tells the graph."""
    tensor.data = values
    return tensor
