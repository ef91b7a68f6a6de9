"""Functions on the diagonals and triangles of matrices.

Floor: `numpy_api`.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .._typing import ArrayLike, DTypeLike
from ..handle import differentiable
from ..ops import diagonal as ops
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient


@implements(np.diagonal)
def diagonal(a: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Return a diagonal of the matrices that two axes span, along a new last axis."""
    return apply(ops.diagonal, a, offset=operator.index(offset), axis1=axis1, axis2=axis2)


@implements(np.linalg.diagonal)
def linalg_diagonal(x: ArrayLike, /, *, offset: int = 0) -> Tensor:
    """Return a diagonal of the matrices in the last two axes."""
    return diagonal(x, offset, -2, -1)


@implements(np.trace)
def trace(
    a: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: DTypeLike = None
) -> Tensor:
    """Sum a diagonal."""
    tensor = as_tensor(a)
    if dtype is not None and not differentiable(np.dtype(dtype)):
        tensor = tensor.detach()
    return apply(
        ops.trace, tensor, offset=operator.index(offset), axis1=axis1, axis2=axis2, dtype=dtype
    )


@implements(np.linalg.trace)
def linalg_trace(x: ArrayLike, /, *, offset: int = 0, dtype: DTypeLike = None) -> Tensor:
    """Sum a diagonal of the matrices in the last two axes."""
    return trace(x, offset, -2, -1, dtype)


@implements(np.diag)
def diag(v: ArrayLike, k: int = 0) -> Tensor:
    """Make a matrix with `v` on a diagonal; or take the diagonal of a matrix."""
    tensor = as_tensor(v)
    if tensor.ndim == 2:
        return diagonal(tensor, k)
    if tensor.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    k = operator.index(k)
    n = tensor.size + abs(k)
    return apply(ops.place_diagonal, tensor, shape=(n, n), offset=k, axis1=0, axis2=1)


@implements(np.diagflat)
def diagflat(v: ArrayLike, k: int = 0) -> Tensor:
    """Make a matrix with all elements of `v` on a diagonal."""
    return diag(as_tensor(v).ravel(), k)


@implements(np.tril)
def tril(m: ArrayLike, k: int = 0) -> Tensor:
    """Put zeros above a diagonal."""
    return apply(ops.tril, m, k=_number(k))


@implements(np.triu)
def triu(m: ArrayLike, k: int = 0) -> Tensor:
    """Put zeros below a diagonal."""
    return apply(ops.triu, m, k=_number(k))


def _number(k: Any) -> Any:
    """Return the number of a diagonal as Python's."""
    return k.item() if isinstance(k, Tensor) else k


no_gradient(
    np.diag_indices,
    np.mask_indices,
    np.tril_indices,
    np.triu_indices,
)
