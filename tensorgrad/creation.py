"""Making tensors: from numbers, filled, in sequence, random.

Floor: above `tensor`.  What these functions make does not record, so that it can be filled:
`out = zeros((n, 3)); out[i] = row`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._typing import ArrayLike, DTypeLike, SeedLike, ShapeLike
from .arguments import varargs
from .random import as_generator
from .tensor import Tensor, as_tensor

_default_dtype: list[np.dtype[Any]] = [np.dtype(np.float32)]


def set_default_dtype(dtype: DTypeLike) -> None:
    """Set the dtype of parameters, and of random tensors, that are made without one.

    Parameters
    ----------
    dtype
        A floating dtype; float32 at first.

    Raises
    ------
    TypeError
        If it is not floating.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.set_default_dtype("float64"); tg.randn(2).dtype
    dtype('float64')
    >>> tg.set_default_dtype("float32")
    """
    found = np.dtype(dtype)
    if found.kind != "f":
        raise TypeError(f"the default dtype must be floating, not {found}")
    _default_dtype[0] = found


def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype of parameters that are made without one.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.get_default_dtype()
    dtype('float32')
    """
    return _default_dtype[0]


def tensor(data: ArrayLike, dtype: DTypeLike = None) -> Tensor:
    """Return `data` as a Tensor that does not record, on a copy.

    Parameters
    ----------
    data
        Numbers of any shape.
    dtype
        The type of the elements; None keeps that of `data`.

    Returns
    -------
    Tensor
        A constant.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.tensor([1.0, 2.0]).requires_grad
    False
    """
    return Tensor(data, requires_grad=False, dtype=dtype)


def zeros(*shape: ShapeLike, dtype: DTypeLike = float) -> Tensor:
    """Return zeros; the shape as a tuple or as several ints.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.zeros(2).tolist()
    [0.0, 0.0]
    """
    return as_tensor(np.zeros(varargs(shape), dtype))


def ones(*shape: ShapeLike, dtype: DTypeLike = float) -> Tensor:
    """Return ones; the shape as a tuple or as several ints.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.ones(1, 2).tolist()
    [[1.0, 1.0]]
    """
    return as_tensor(np.ones(varargs(shape), dtype))


def full(shape: ShapeLike, fill_value: float, dtype: DTypeLike = None) -> Tensor:
    """Return copies of one number.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.full(2, 7.0).tolist()
    [7.0, 7.0]
    """
    return as_tensor(np.full(varargs((shape,)), fill_value, dtype))


def eye(n: int, m: int | None = None, dtype: DTypeLike = float) -> Tensor:
    """Return a matrix of n rows with ones on the diagonal.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return as_tensor(np.eye(n, m, dtype=dtype))


def arange(*args: float, dtype: DTypeLike = None) -> Tensor:
    """Return evenly spaced numbers, with `numpy.arange`'s arguments.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.arange(3).tolist()
    [0, 1, 2]
    """
    return as_tensor(np.arange(*args, dtype=dtype))


def linspace(start: float, stop: float, num: int = 50, dtype: DTypeLike = None) -> Tensor:
    """Return `num` evenly spaced numbers, both ends included.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    return as_tensor(np.linspace(start, stop, num, dtype=dtype))


def zeros_like(
    a: ArrayLike, dtype: DTypeLike = None, *, shape: ShapeLike | None = None
) -> Tensor:
    """Return zeros of the shape and dtype of `a`, or of those given.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.zeros_like(tg.Tensor([1.0])).tolist()
    [0.0]
    """
    return as_tensor(np.zeros_like(as_tensor(a).data, dtype, shape=shape))


def ones_like(a: ArrayLike, dtype: DTypeLike = None) -> Tensor:
    """Return ones of the shape and dtype of `a`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.ones_like(tg.Tensor([2.0])).tolist()
    [1.0]
    """
    return as_tensor(np.ones_like(as_tensor(a).data, dtype))


def full_like(a: ArrayLike, fill_value: float, dtype: DTypeLike = None) -> Tensor:
    """Return copies of one number, of the shape and dtype of `a`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.full_like(tg.Tensor([2.0]), 5).tolist()
    [5.0]
    """
    return as_tensor(np.full_like(as_tensor(a).data, fill_value, dtype))


def rand(*shape: ShapeLike, rng: SeedLike | None = None, dtype: DTypeLike = None) -> Tensor:
    """Draw uniformly from [0, 1).

    Parameters
    ----------
    *shape
        The shape, as a tuple or as several ints.
    rng
        The generator to draw from.
    dtype
        Floating; None for the default dtype.

    Returns
    -------
    Tensor
        A constant.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.rand(2, 3, rng=0).shape
    (2, 3)
    """
    drawn = as_generator(rng).random(varargs(shape))
    return as_tensor(np.asarray(drawn).astype(dtype or get_default_dtype()))


def randn(*shape: ShapeLike, rng: SeedLike | None = None, dtype: DTypeLike = None) -> Tensor:
    """Draw from the standard normal distribution; for the parameters see `rand`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.randn(4, rng=0).shape
    (4,)
    """
    drawn = as_generator(rng).standard_normal(varargs(shape))
    return as_tensor(np.asarray(drawn).astype(dtype or get_default_dtype()))
