"""Norms and condition numbers.

Floor: `numpy_api`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .._typing import ArrayLike, Axis
from ..arguments import static
from ..ops import norms, systems
from ..tensor import Tensor, apply, as_tensor
from .linalg import svdvals
from .shapes import moveaxis
from .table import implements


@implements(np.linalg.norm)
def norm(x: ArrayLike, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Compute a norm of vectors along one axis, or of matrices along two.

    Where a norm has a kink, at 0 or at a tie, the gradient is the least subgradient.
    """
    tensor = _inexact(as_tensor(x))
    ord, keepdims = static(ord, "ord"), bool(keepdims)
    if axis is not None and not isinstance(axis, tuple):
        try:
            axis = int(axis)
        except Exception as error:
            raise TypeError("'axis' must be None, an integer or a tuple of integers") from error
    axes = tuple(range(tensor.ndim)) if axis is None else np.atleast_1d(axis).tolist()
    euclidean = ord is None or (ord in ("f", "fro") if len(axes) == 2 else ord == 2)
    if not euclidean and len(axes) == 1:
        return _vector_norm(tensor, ord, axes[0], keepdims)
    if not euclidean and len(axes) == 2:
        return _matrix_norm(tensor, ord, axes, keepdims)
    return apply(norms.norm, tensor, ord=ord, axis=axis, keepdims=keepdims)


def _inexact(tensor: Tensor) -> Tensor:
    """Return integers as floats."""
    return tensor if tensor.dtype.kind in "fc" else tensor.astype(np.float64)


def _vector_norm(x: Tensor, ord: Any, axis: int, keepdims: bool) -> Tensor:
    """Compute a norm along one axis, other than the Euclidean one."""
    if not isinstance(ord, str):  # of which NumPy says what is wrong
        axis = normalize_axis_index(axis, x.ndim)
    if ord == math.inf:
        return _largest(x.abs(), axis, keepdims)
    if ord == -math.inf:
        return x.abs().min(axis, keepdims=keepdims)
    if ord == 0:
        return apply(norms.count, x, axis=axis, keepdims=keepdims)
    if ord == 1:
        return x.abs().sum(axis, keepdims=keepdims)
    return apply(norms.norm, x.abs(), ord=ord, axis=axis, keepdims=keepdims)


def _largest(x: Tensor, axis: int, keepdims: bool) -> Tensor:
    """Return the largest of numbers that are not negative, and 0 of none."""
    if not x.shape[axis]:
        return x.sum(axis, keepdims=keepdims)
    return x.max(axis, keepdims=keepdims)


def _matrix_norm(x: Tensor, ord: Any, axes: Any, keepdims: bool) -> Tensor:
    """Compute a norm of matrices, other than that of Frobenius."""
    row, column = (normalize_axis_index(axis, x.ndim) for axis in axes)
    if row == column:
        raise ValueError("Duplicate axes given.")
    if ord in (2, -2, "nuc"):
        values = svdvals(moveaxis(x, (row, column), (-2, -1)))
        if ord == 2:
            found = _largest(values, -1, False)
        else:
            found = values.min(-1) if ord == -2 else values.sum(-1)
        return found.expand_dims(tuple(sorted((row, column)))) if keepdims else found
    if ord in (1, -1):
        sums, over = x.abs().sum(row, keepdims=True), column
    elif ord in (math.inf, -math.inf):
        sums, over = x.abs().sum(column, keepdims=True), row
    else:
        raise ValueError("Invalid norm order for matrices.")
    found = _largest(sums, over, True) if ord > 0 else sums.min(over, keepdims=True)
    return found if keepdims else found.squeeze((row, column))


@implements(np.linalg.matrix_norm)
def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Compute a norm of the matrices in the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(
    x: ArrayLike, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2
) -> Tensor:
    """Compute a norm over any number of axes."""
    tensor = as_tensor(x)
    shape = list(tensor.shape)
    if axis is None:
        found = norm(tensor.ravel(), ord, 0)
    elif isinstance(axis, tuple):
        axes = normalize_axis_tuple(axis, tensor.ndim)
        rest = tuple(i for i in range(tensor.ndim) if i not in axes)
        sizes = [shape[i] for i in rest]
        joined = tensor.transpose(axes + rest).reshape(math.prod(shape[i] for i in axes), *sizes)
        found = norm(joined, ord, 0)
    else:
        found = norm(tensor, ord, axis)
    if not keepdims:
        return found
    for i in normalize_axis_tuple(range(tensor.ndim) if axis is None else axis, tensor.ndim):
        shape[i] = 1
    return found.reshape(shape)


@implements(np.linalg.cond)
def cond(x: ArrayLike, p: Any = None) -> Tensor:
    """Compute condition numbers, by default the largest over the least singular value."""
    tensor, p = as_tensor(x), static(p, "p")
    if not tensor.size and not math.prod(tensor.shape[-2:]):
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    with np.errstate(all="ignore"):  # as NumPy does: a singular matrix has inf
        if p is None or p in (2, -2):
            values = svdvals(tensor)
            first, last = values[..., 0], values[..., -1]
            number = last / first if p == -2 else first / last
        else:
            # Of single precision NumPy keeps the double precision in which it inverts.
            single = tensor.dtype in (np.float32, np.complex64)
            double = np.complex128 if tensor.dtype.kind == "c" else np.float64
            inverse = apply(systems.inverse_or_nan, tensor.astype(double) if single else tensor)
            number = norm(tensor, p, (-2, -1)) * norm(inverse, p, (-2, -1))
            number = number.astype(np.float32) if single else number
    return apply(norms.infinite, number, tensor)
