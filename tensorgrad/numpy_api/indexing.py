"""Functions that pick elements out of arrays by indices.  Those that write are in `writing`.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike, Shape
from ..arguments import plain
from ..ops import index
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient


def index_array(indices: Any) -> Any:
    """Return indices as an array; NumPy makes integers of a list, whatever is in it."""
    indices = plain(indices)
    if hasattr(indices, "__array_function__"):
        return indices
    return np.asarray(indices).astype(np.intp)


def along_axis(shape: Shape, indices: Any, axis: int) -> tuple[Any, ...]:
    """Return the index that picks along one axis, and goes in step along the others."""
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if len(shape) != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    steps = np.ix_(*(np.arange(n) for n in shape))
    return (*steps[:axis], indices, *steps[axis + 1 :])


@implements(np.take)
def take(a: ArrayLike, indices: Any, axis: int | None = None, mode: str = "raise") -> Tensor:
    """Pick along one axis, or out of the flattened array."""
    tensor = as_tensor(a)
    if axis is None:
        tensor, axis = tensor.ravel(), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    return apply(index.take, tensor, index_array(indices), axis=axis, mode=mode)


@implements(np.take_along_axis)
def take_along_axis(arr: ArrayLike, indices: Any, axis: int | None = -1) -> Tensor:
    """Pick along one axis: an index array there, ranges on the other axes."""
    tensor, indices = as_tensor(arr), plain(indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        tensor, axis = tensor.ravel(), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    return tensor[along_axis(tensor.shape, indices, axis)]


@implements(np.compress)
def compress(condition: Any, a: ArrayLike, axis: int | None = None) -> Tensor:
    """Pick the slices along an axis for which a condition holds; it may be shorter."""
    tensor = as_tensor(a)
    if axis is None:
        tensor, axis = tensor.ravel(), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    # NumPy picks the positions, with its own rules and errors.
    positions = np.compress(plain(condition), np.arange(tensor.shape[axis]))
    return take(tensor, positions, axis)


@implements(np.extract)
def extract(condition: Any, arr: ArrayLike) -> Tensor:
    """Pick the elements for which a condition holds, in C order."""
    return take(arr, np.nonzero(np.ravel(plain(condition)))[0])


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """Give each sequence an axis of its own; booleans stand for the positions that hold."""
    # NumPy checks the arguments and makes the index; only numbers that record are left to do.
    opened = np.ix_(*plain(args))
    return tuple(
        given.reshape(part.shape) if isinstance(given, Tensor) and given.requires_grad else part
        for given, part in zip(args, opened, strict=True)
    )


no_gradient(
    np.argwhere,
    np.diag_indices_from,
    np.flatnonzero,
    np.ravel_multi_index,
    np.searchsorted,
    np.tril_indices_from,
    np.triu_indices_from,
    np.unravel_index,
)
