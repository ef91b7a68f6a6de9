"""Averages, quantiles and covariances, and the reductions that leave NaN out.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike, Axis, DTypeLike
from ..ops import covariance, nan_reduce, reduce, weighted
from ..ops import quantile as quantiles
from ..tensor import Tensor, apply, as_tensor
from .reductions import NOT_GIVEN, divisor, extremum, folded, masked, prod, sum
from .scans import without_nan
from .table import implements, no_gradient

no_gradient(np.nanargmax, np.nanargmin)


@implements(np.ptp)
def ptp(a: ArrayLike, axis: Axis = None, keepdims: bool = NOT_GIVEN) -> Tensor:
    """Subtract the smallest from the largest."""
    return folded(reduce.ptp, a, axis, None, keepdims)


# --- without NaN ----------------------------------------------------------------------------------


@implements(np.nansum)
def nansum(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Tensor:
    """Sum, with 0 for NaN."""
    return sum(without_nan(a, 0.0), axis, dtype, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Tensor:
    """Multiply, with 1 for NaN."""
    return prod(without_nan(a, 1.0), axis, dtype, keepdims, initial, where)


@implements(np.nanmax)
def nanmax(
    a: ArrayLike,
    axis: Axis = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Any:
    """Return the largest that is not NaN."""
    return extremum(nan_reduce.nanmax, np.maximum, a, axis, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: ArrayLike,
    axis: Axis = None,
    keepdims: bool = NOT_GIVEN,
    initial: ArrayLike = NOT_GIVEN,
    where: ArrayLike = NOT_GIVEN,
) -> Any:
    """Return the smallest that is not NaN."""
    return extremum(nan_reduce.nanmin, np.minimum, a, axis, keepdims, initial, where)


@implements(np.nanmean)
def nanmean(
    a: ArrayLike,
    axis: Axis = None,
    dtype: DTypeLike = None,
    keepdims: bool = NOT_GIVEN,
    *,
    where: ArrayLike = NOT_GIVEN,
) -> Tensor:
    """Average what is not NaN."""
    return masked(nan_reduce.nanmean, a, axis, dtype, keepdims, where)


def _spread(op: Any) -> Callable[..., Tensor]:
    """Make nanvar or nanstd."""

    def function(
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
        ddof = divisor(ddof, correction)
        return masked(op, a, axis, dtype, keepdims, where, mean, ddof=ddof)

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = f"Apply `numpy.{op.name}`."
    return function


nanvar = implements(np.nanvar)(_spread(nan_reduce.nanvar))
nanstd = implements(np.nanstd)(_spread(nan_reduce.nanstd))

# --- median and quantiles -------------------------------------------------------------------------


@implements(np.median)
def median(
    a: ArrayLike,
    axis: Axis = None,
    overwrite_input: bool = False,  # noqa: ARG001 - nothing here is overwritten
    keepdims: bool = False,
) -> Tensor:
    """Return the middle in the order of size, or the average of the two there."""
    return apply(quantiles.median, a, axis=axis, keepdims=bool(keepdims), skip_nan=False)


@implements(np.nanmedian)
def nanmedian(
    a: ArrayLike,
    axis: Axis = None,
    overwrite_input: bool = False,  # noqa: ARG001
    keepdims: Any = NOT_GIVEN,
) -> Tensor:
    """Return the median of what is not NaN."""
    keepdims = keepdims is not NOT_GIVEN and bool(keepdims)
    return apply(quantiles.median, a, axis=axis, keepdims=keepdims, skip_nan=True)


def _quantile(skip_nan: bool, percent: bool, doc: str) -> Callable[..., Tensor]:
    """Make quantile or one of its kin."""

    def function(
        a: ArrayLike,
        q: ArrayLike,
        axis: Axis = None,
        overwrite_input: bool = False,  # noqa: ARG001
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: ArrayLike = None,
    ) -> Tensor:
        params = {"axis": axis, "method": method, "skip_nan": skip_nan, "percent": percent}
        params["keepdims"] = keepdims is not NOT_GIVEN and bool(keepdims)
        if weights is None:
            return apply(quantiles.quantile, as_tensor(a), q, **params)
        return apply(weighted.weighted_quantile, as_tensor(a), q, as_tensor(weights), **params)

    function.__doc__ = doc
    return function


quantile = implements(np.quantile)(
    _quantile(False, False, "Return what a part q of the elements lies below.")
)
percentile = implements(np.percentile)(
    _quantile(False, True, "Return what q percent of the elements lie below.")
)
nanquantile = implements(np.nanquantile)(
    _quantile(True, False, "Return the quantile of what is not NaN.")
)
nanpercentile = implements(np.nanpercentile)(
    _quantile(True, True, "Return the percentile of what is not NaN.")
)

# --- average and covariance -----------------------------------------------------------------------


@implements(np.average)
def average(
    a: ArrayLike,
    axis: Axis = None,
    weights: ArrayLike = None,
    returned: bool = False,
    *,
    keepdims: Any = NOT_GIVEN,
) -> Any:
    """Average with weights; with `returned`, give the sum of the weights as well."""
    a = as_tensor(a)
    if axis is not None:
        axis = np.lib.array_utils.normalize_axis_tuple(axis, a.ndim, "axis")
    keepdims = keepdims is not NOT_GIVEN and bool(keepdims)
    if weights is None:
        mean = masked(reduce.mean, a, axis, None, keepdims)
        count = a.size / mean.size if returned else 0
        return (mean, as_tensor(np.full(mean.shape, count, mean.dtype))) if returned else mean
    weights = as_tensor(weights)
    mean = apply(weighted.average, a, weights, axis=axis, keepdims=keepdims)
    if not returned:
        return mean
    total = sum(weighted.aligned(weights, a.ndim, a.shape, axis), axis, mean.dtype, keepdims)
    return mean, np.broadcast_to(total, mean.shape)


def _table(data: Tensor, dtype: DTypeLike, turned: bool) -> Tensor:
    """Return variables as the rows of a table."""
    rows = data.astype(dtype)
    rows = rows if rows.ndim == 2 else rows.reshape(1, -1)
    return rows.T if turned else rows


@implements(np.cov)
def cov(
    m: ArrayLike,
    y: ArrayLike = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: ArrayLike = None,
    aweights: ArrayLike = None,
    *,
    dtype: DTypeLike = None,
) -> Tensor:
    """Return the covariances of variables, of which there is one in each row."""
    given = [as_tensor(data) for data in (m, y) if data is not None]
    for name, data in zip("my", given, strict=False):
        if data.ndim > 2:
            raise ValueError(f"{name} has more than 2 dimensions")
    if dtype is None:
        dtype = np.result_type(*(data.dtype for data in given), np.float64)
    table: Any = _table(given[0], dtype, turned=not rowvar and given[0].ndim != 1)
    if table.shape[0] == 0:
        return as_tensor(np.zeros((0, 0)))
    if y is not None:
        rows = _table(given[1], dtype, turned=False)
        rows = rows.T if not rowvar and rows.shape[0] != 1 else rows
        table = np.concatenate([table, rows], axis=0)
    if ddof is None:
        ddof = 0 if bias else 1
    weights = {"fweights": fweights, "aweights": aweights}
    weights = {kind: given for kind, given in weights.items() if given is not None}
    op = covariance.cov_aweights if fweights is None else covariance.cov
    return apply(op, table, *weights.values(), kinds=tuple(weights), ddof=ddof)


@implements(np.corrcoef)
def corrcoef(
    x: ArrayLike, y: ArrayLike = None, rowvar: bool = True, *, dtype: DTypeLike = None
) -> Any:
    """Return the covariances in units of the standard deviations."""
    c: Any = cov(x, y, rowvar, dtype=dtype)
    if c.ndim < 2:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / deviation[:, None] / deviation[None, :]
    if c.dtype.kind != "c":
        return np.clip(c, -1, 1)
    return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1)


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: ArrayLike, axes: int | Sequence[int]) -> Any:
    """Call a function of an array and an axis for each axis in turn."""
    value: Any = as_tensor(a)
    ndim = value.ndim
    for axis in np.atleast_1d(axes).tolist():
        positive = axis + ndim if axis < 0 else axis
        result = func(value, positive)
        if result.ndim != value.ndim:
            result = np.expand_dims(result, positive)
        if result.ndim != value.ndim:
            raise ValueError("function is not returning an array of the correct shape")
        value = result
    return value
