"""Sequences between two ends, grids, and the matrix of powers.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike, DTypeLike
from ..creation import linspace
from ..handle import differentiable
from ..ops import spacing as ops
from ..tensor import Tensor, apply, as_tensor
from .shapes import astype, broadcast_arrays
from .table import implements

implements(np.linspace)(linspace)


@implements(np.logspace)
def logspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    base: ArrayLike = 10.0,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> Tensor:
    """Raise a base to evenly spaced powers."""
    if not isinstance(base, (float, int)) and np.ndim(base):
        ends = [as_tensor(end) for end in (start, stop, base)]
        ndim = len(np.broadcast_shapes(*(end.shape for end in ends)))
        start, stop, base = (end.reshape((1,) * (ndim - end.ndim) + end.shape) for end in ends)
        base = np.expand_dims(base, axis)
    powers = as_tensor(np.power(base, linspace(start, stop, num, endpoint, axis=axis)))
    return powers if dtype is None else astype(powers, dtype, copy=False)


@implements(np.geomspace)
def geomspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: DTypeLike = None,
    axis: int = 0,
) -> Tensor:
    """Return numbers each of which is the same multiple of the one before."""
    ends = [_outside(dtype, end) for end in (start, stop)]
    return apply(ops.geomspace, *ends, num=num, endpoint=bool(endpoint), dtype=dtype, axis=axis)


def _outside(dtype: DTypeLike, end: Any) -> Any:
    """Take a tensor out of its graph, for a result of integers."""
    if isinstance(end, Tensor) and dtype is not None and not differentiable(np.dtype(dtype)):
        return end.detach()
    return end


@implements(np.meshgrid)
def meshgrid(
    *xi: ArrayLike, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Tensor, ...]:
    """Give each of several coordinate vectors an axis of its own in a grid."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    axes = list(range(len(xi)))
    if indexing == "xy":
        axes[:2] = axes[1::-1]
    grids = tuple(
        as_tensor(x).reshape([-1 if i == axis else 1 for i in range(len(xi))])
        for x, axis in zip(xi, axes, strict=True)
    )
    grids = grids if sparse else broadcast_arrays(*grids)
    return tuple(grid.clone() for grid in grids) if copy else grids


@implements(np.vander)
def vander(x: ArrayLike, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of each element as the columns of a matrix."""
    tensor = as_tensor(x)
    if tensor.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    return apply(ops.vander, tensor, N=len(tensor) if N is None else N, increasing=bool(increasing))
