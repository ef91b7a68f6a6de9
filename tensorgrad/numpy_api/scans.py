"""Cumulative sums and products.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike, DTypeLike
from ..handle import differentiable
from ..op import Op
from ..ops import nan_reduce, scan
from ..tensor import Tensor, apply, as_tensor
from .reductions import with_dtype
from .table import implements


def cumulated(op: Op, a: ArrayLike, axis: int | None, dtype: DTypeLike) -> Tensor:
    """Apply a cumulative op along an axis; NumPy flattens for None, and makes 0-d arrays 1-d."""
    params: dict[str, Any] = {}
    tensor = with_dtype(as_tensor(a), dtype, params)
    if axis is None or (not tensor.shape and axis in (0, -1)):
        tensor, axis = tensor.reshape(-1), 0
    return apply(op, tensor, axis=axis, **params)


@implements(np.cumsum)
def cumsum(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Sum all elements up to each."""
    return cumulated(scan.cumsum, a, axis, dtype)


@implements(np.cumprod)
def cumprod(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Multiply all elements up to each."""
    return cumulated(scan.cumprod, a, axis, dtype)


def without_nan(a: ArrayLike, value: float) -> Tensor:
    """Put a value in the place of NaN."""
    tensor = as_tensor(a)
    if not differentiable(tensor.dtype):
        return tensor
    return apply(nan_reduce.replace_nan, tensor, value=value)


@implements(np.nancumsum)
def nancumsum(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Sum all elements up to each, with 0 for NaN."""
    return cumulated(scan.cumsum, without_nan(a, 0.0), axis, dtype)


@implements(np.nancumprod)
def nancumprod(a: ArrayLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Multiply all elements up to each, with 1 for NaN."""
    return cumulated(scan.cumprod, without_nan(a, 1.0), axis, dtype)


def _cumulative(
    op: Op, x: ArrayLike, axis: int | None, dtype: DTypeLike, first: float | None
) -> Any:
    """Apply a cumulative op as the array API has it: along the only axis, or a given one."""
    tensor = as_tensor(x)
    if axis is None:
        if tensor.ndim > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        axis = 0
    result = cumulated(op, tensor, axis, dtype)
    if first is None:
        return result
    shape = tuple(1 if i == axis % result.ndim else n for i, n in enumerate(result.shape))
    start = np.full_like(result.detach(), first, shape=shape)
    return np.concatenate([start, result], axis=axis)


@implements(np.cumulative_sum)
def cumulative_sum(
    x: ArrayLike,
    /,
    *,
    axis: int | None = None,
    dtype: DTypeLike = None,
    include_initial: bool = False,
) -> Any:
    """Sum all elements up to each, and with `include_initial` up to none."""
    return _cumulative(scan.cumsum, x, axis, dtype, 0.0 if include_initial else None)


@implements(np.cumulative_prod)
def cumulative_prod(
    x: ArrayLike,
    /,
    *,
    axis: int | None = None,
    dtype: DTypeLike = None,
    include_initial: bool = False,
) -> Any:
    """Multiply all elements up to each, and with `include_initial` up to none."""
    return _cumulative(scan.cumprod, x, axis, dtype, 1.0 if include_initial else None)
