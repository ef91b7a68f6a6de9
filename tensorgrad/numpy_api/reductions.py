"""Reductions over axes, and the normalising functions built like them.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .._typing import ArrayLike, Axis, DTypeLike
from ..arguments import plain, records, static
from ..handle import differentiable
from ..op import Op
from ..ops import reduce
from ..tensor import Tensor, apply, as_tensor
from .table import implements

NOT_GIVEN: Final[Any] = np._NoValue
"""NumPy's own mark, which a function of its may hand on; None means something to some of them."""


def with_dtype(tensor: Tensor, dtype: DTypeLike, params: dict[str, Any]) -> Tensor:
    """Add a dtype to the parameters of an op; integers and booleans leave the graph."""
    if dtype is None:
        return tensor
    params["dtype"] = np.dtype(dtype)
    return tensor if differentiable(params["dtype"]) else tensor.detach()


def masked(
    op: Op,
    a: ArrayLike,
    axis: Axis,
    dtype: DTypeLike = None,
    keepdims: Any = NOT_GIVEN,
    where: Any = NOT_GIVEN,
    second: Any = NOT_GIVEN,
    **params: Any,
) -> Tensor:
    """Apply a reduction with the options of NumPy's functions.

    After the array it takes `where`, and a `second` value, such as `initial` or `mean`.
    """
    tensor = with_dtype(as_tensor(a), dtype, params)
    options: tuple[Any, ...] = ()
    if second is None:
        params["initial"] = None  # of use to NumPy alone: nothing to start from
    elif second is not NOT_GIVEN:
        # It may record where the array does not; a result of integers leaves the graph.
        whole = dtype is not None and not differentiable(np.dtype(dtype))
        options = (True, plain(second) if whole else second)
    if where is not NOT_GIVEN:
        options = (plain(where), *options[1:])
    keepdims = keepdims is not NOT_GIVEN and bool(keepdims)
    return apply(op, tensor, *options, axis=axis, keepdims=keepdims, **params)


def folded(
    op: Op,
    a: ArrayLike,
    axis: Axis,
    dtype: DTypeLike = None,
    keepdims: Any = NOT_GIVEN,
    where: Any = NOT_GIVEN,
    initial: Any = NOT_GIVEN,
) -> Tensor:
    """Apply a reduction that is a ufunc in NumPy, which lets a 0-d array have an axis 0."""
    if axis in (0, -1) and not np.ndim(a):
        axis = None
    if dtype is None:
        _check_initial(a, initial)
    return masked(op, a, axis, dtype, keepdims, where, initial)


def _check_initial(a: ArrayLike, initial: Any) -> None:
    """Raise if a reduction of integers, which gives an integer, starts from a recording tensor."""
    if records(initial) and not differentiable(as_tensor(a).dtype):
        raise TypeError(
            f"reducing an array of dtype {as_tensor(a).dtype} from a recording initial= would lose "
            "its gradient: make the array one of floats, or give initial.detach()"
        )


def extremum(
    op: Op, larger: Any, a: ArrayLike, axis: Axis, keepdims: Any, initial: Any, where: Any
) -> Any:
    """Apply max or min; an `initial` that records is compared with the rest afterwards."""
    if not records(initial):
        return folded(op, a, axis, None, keepdims, where, initial)
    _check_initial(a, initial)
    lowest = -np.inf if larger is np.maximum else np.inf
    return larger(initial, folded(op, a, axis, None, keepdims, where, lowest))


@implements(np.sum)
def sum(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Tensor:
    """Sum over axes, as `numpy.sum`.

    Parameters
    ----------
    a
        Of any shape.
    axis
        An int, several, or None for all; negative ones count from the end.
    dtype
        The type to sum in; None for that of `a`.
    keepdims
        Whether the axes stay, with size 1.
    initial
        A number that every sum starts from; it may record.
    where
        A mask: the elements to sum.

    Returns
    -------
    Tensor
        Each element's derivative is 1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()
    [4.0, 6.0]
    >>> float(tg.sum([1.0, 2.0, 3.0], where=[True, False, True], initial=10.0))
    14.0
    """
    return folded(reduce.sum, a, axis, dtype, keepdims, where, initial)


@implements(np.mean)
def mean(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = NOT_GIVEN,
    *,
    where: ArrayLike = NOT_GIVEN,
) -> Tensor:
    """Average over axes, as `numpy.mean`; for the parameters see `sum`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 2.0])
    >>> tg.mean(x).backward()
    >>> x.grad
    array([0.5, 0.5])
    """
    return masked(reduce.mean, a, axis, dtype, keepdims, where)


@implements(np.max, np.amax)
def max(
    a: ArrayLike,
    axis: Axis = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Any:
    """Return the largest values, as `numpy.max`; for the parameters see `sum`.

    Equal maxima share the gradient; a NaN is the maximum wherever it stands.  An `initial` that is
    as large takes it all if it is a constant, and half if it records.

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
    return extremum(reduce.max, np.maximum, a, axis, keepdims, initial, where)


@implements(np.min, np.amin)
def min(
    a: ArrayLike,
    axis: Axis = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Any:
    """Return the smallest values, as `numpy.min`; like `max` otherwise.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.min([3.0, 1.0]))
    1.0
    """
    return extremum(reduce.min, np.minimum, a, axis, keepdims, initial, where)


def divisor(ddof: float, correction: Any) -> Any:
    """Return what is taken off n, which has two names."""
    if correction is NOT_GIVEN:
        return static(ddof, "ddof")
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return static(correction, "correction")


@implements(np.var)
def var(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    ddof: float = 0,
    keepdims: bool = NOT_GIVEN,
    *,
    where: ArrayLike = NOT_GIVEN,
    mean: ArrayLike = NOT_GIVEN,
    correction: float = NOT_GIVEN,
) -> Tensor:
    """Compute the variance over axes, as `numpy.var`; for the other parameters see `sum`.

    Parameters
    ----------
    a, axis, dtype, keepdims, where
        As for `sum`.
    ddof, correction
        Two names for one number: the divisor is n - ddof.
    mean
        The mean, with the axes kept, if it is known already; it may record.

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
    ddof = divisor(ddof, correction)
    return masked(reduce.var, a, axis, dtype, keepdims, where, mean, ddof=ddof)


@implements(np.std)
def std(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    ddof: float = 0,
    keepdims: bool = NOT_GIVEN,
    *,
    where: ArrayLike = NOT_GIVEN,
    mean: ArrayLike = NOT_GIVEN,
    correction: float = NOT_GIVEN,
) -> Tensor:
    """Compute the standard deviation over axes, as `numpy.std`; for the parameters see `var`.

    Where all elements are equal the derivative is 0.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.std([1.0, 3.0]))
    1.0
    """
    ddof = divisor(ddof, correction)
    return masked(reduce.std, a, axis, dtype, keepdims, where, mean, ddof=ddof)


@implements(np.prod)
def prod(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Tensor:
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
    return folded(reduce.prod, a, axis, dtype, keepdims, where, initial)


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
