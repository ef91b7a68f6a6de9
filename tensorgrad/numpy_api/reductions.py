"""Reductions over axes, and the normalising functions built like them.

Floor: `numpy_api`.
"""

from __future__ import annotations

import numpy as np

from .._typing import ArrayLike, Axis
from ..tensor import Tensor, as_tensor
from .table import implements


def sum(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Sum over axes, as `numpy.sum`.

    Parameters
    ----------
    a
        Of any shape.
    axis
        An int, several, or None for all; negative ones count from the end.
    keepdims
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor
        Each element's derivative is 1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()
    [4.0, 6.0]
    """
    return as_tensor(a).sum(axis, keepdims=keepdims)


def mean(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Average over axes, as `numpy.mean`; for the parameters see `sum`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 2.0])
    >>> tg.mean(x).backward()
    >>> x.grad
    array([0.5, 0.5])
    """
    return as_tensor(a).mean(axis, keepdims=keepdims)


def max(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Return the largest values, as `numpy.max`; for the parameters see `sum`.

    Equal maxima share the gradient; a NaN is the maximum wherever it stands.

    Raises
    ------
    ValueError
        If there is nothing to take the maximum of.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([3.0, 3.0, 1.0])
    >>> tg.max(x).backward()
    >>> x.grad
    array([0.5, 0.5, 0. ])
    """
    return as_tensor(a).max(axis, keepdims=keepdims)


def min(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Return the smallest values, as `numpy.min`; like `max` otherwise.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.min([3.0, 1.0]))
    1.0
    """
    return as_tensor(a).min(axis, keepdims=keepdims)


def var(a: ArrayLike, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the variance over axes, as `numpy.var`; for the other parameters see `sum`.

    Parameters
    ----------
    a, axis, keepdims
        As for `sum`.
    ddof
        The divisor is n - ddof.

    Returns
    -------
    Tensor
        The derivative is `2 (a - mean) / (n - ddof)`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.var([1.0, 3.0], ddof=1))
    2.0
    """
    return as_tensor(a).var(axis, ddof=ddof, keepdims=keepdims)


def std(a: ArrayLike, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the standard deviation over axes, as `numpy.std`; for the parameters see `var`.

    Where all elements are equal the derivative is 0.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.std([1.0, 3.0]))
    1.0
    """
    return as_tensor(a).std(axis, ddof=ddof, keepdims=keepdims)


def prod(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Multiply over axes, as `numpy.prod`; for the parameters see `sum`.

    The derivative, the product of all the others, is right also where elements are zero.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([0.0, 2.0, 3.0])
    >>> tg.prod(x).backward()
    >>> x.grad
    array([6., 0., 0.])
    """
    return as_tensor(a).prod(axis, keepdims=keepdims)


def logsumexp(x: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Return `log(sum(exp(x)))`, which cannot overflow; for the parameters see `sum`.

    The derivative is `softmax(x)`, and 0 where all are -inf.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> round(float(tg.logsumexp([1000.0, 1000.0])), 4)
    1000.6931
    """
    return as_tensor(x).logsumexp(axis, keepdims=keepdims)


def softmax(x: ArrayLike, axis: Axis = -1) -> Tensor:
    """Return `exp(x) / sum(exp(x))` along an axis.

    Parameters
    ----------
    x
        Of any shape.
    axis
        The axes over which the result sums to 1.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    return as_tensor(x).softmax(axis)


def log_softmax(x: ArrayLike, axis: Axis = -1) -> Tensor:
    """Return the logarithm of `softmax`, finite for any finite `x`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.log_softmax([0.0, 1000.0]).tolist()
    [-1000.0, 0.0]
    """
    return as_tensor(x).log_softmax(axis)


implements(np.sum)(sum)
implements(np.mean)(mean)
implements(np.max)(max)
implements(np.min)(min)
implements(np.var)(var)
implements(np.std)(std)
implements(np.prod)(prod)
