"""Functions that join arrays and take them apart.

Floor: `numpy_api`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike, DTypeLike
from ..arguments import plain, records
from ..handle import differentiable
from ..ops import index, join
from ..tensor import Tensor, apply, as_tensor
from .shapes import atleast_1d, atleast_2d, atleast_3d, moveaxis
from .table import SUPPORT, Support, implements


def concatenate(
    arrays: Sequence[ArrayLike],
    /,
    axis: int | None = 0,
    *,
    dtype: DTypeLike = None,
    casting: str = "same_kind",
) -> Tensor:
    """Join along an existing axis, as `numpy.concatenate`.

    Parameters
    ----------
    arrays
        At least one, of equal shapes but for the axis; Tensors and arrays may be mixed.
    axis
        Where to join; None joins the flattened arrays.
    dtype
        That of the result; a result of integers leaves the graph.
    casting
        Which casts are allowed.

    Returns
    -------
    Tensor
        Each input's gradient is its own piece.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.concatenate([tg.Tensor([1.0]), [2.0, 3.0]]).tolist()
    [1.0, 2.0, 3.0]
    """
    parts = [a if type(a) in (float, int, complex) else as_tensor(a) for a in arrays]
    shapes = [part.shape if isinstance(part, Tensor) else () for part in parts]
    if axis is None:
        sizes = tuple(math.prod(shape) for shape in shapes)
    else:
        # A wrong axis is left to NumPy's own error, in the forward.
        sizes = tuple(s[axis] if -len(s) <= axis < len(s) else 0 for s in shapes)
    parts, cast = _cast(parts, dtype, casting)
    return apply(join.concatenate, *parts, axis=axis, sizes=sizes, **cast)


def _cast(parts: list[Any], dtype: DTypeLike, casting: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the parts, out of their graph for a result of integers, and the options given."""
    if dtype is not None and not differentiable(np.dtype(dtype)):
        parts = [part.detach() if isinstance(part, Tensor) else part for part in parts]
    if dtype is None and casting == "same_kind":
        return parts, {}
    return parts, {"dtype": dtype, "casting": casting}


def stack(
    arrays: Sequence[ArrayLike],
    axis: int = 0,
    *,
    dtype: DTypeLike = None,
    casting: str = "same_kind",
) -> Tensor:
    """Join arrays of one shape along a new axis, as `numpy.stack`.

    Parameters
    ----------
    arrays
        At least one.
    axis
        Where the new axis comes in the result.
    dtype, casting
        As for `concatenate`.

    Returns
    -------
    Tensor
        Of one axis more.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.stack([tg.Tensor(1.0), tg.Tensor(2.0)]).tolist()
    [1.0, 2.0]
    """
    parts, cast = _cast(list(arrays), dtype, casting)
    return apply(join.stack, *parts, axis=axis, **cast)


def joined(data: Any) -> Any:
    """Join nested sequences that hold recording tensors, as `numpy.array` would; or return them."""
    if isinstance(data, (list, tuple)) and records(data):
        return stack([joined(item) for item in data])
    return data


def _all(function: Any, tup: Any) -> list[Tensor]:
    """Apply one of `atleast_1d` and its like to each array."""
    return [function(a) for a in tup]


def vstack(tup: Any, *, dtype: DTypeLike = None, casting: str = "same_kind") -> Tensor:
    """Join along the first axis; arrays with one axis are rows."""
    return concatenate(_all(atleast_2d, tup), dtype=dtype, casting=casting)


implements(np.vstack)(vstack)
if hasattr(np, "row_stack"):  # deprecated: it calls vstack
    SUPPORT[np.row_stack] = Support.DIFFERENTIABLE  # noqa: NPY201


@implements(np.hstack)
def hstack(tup: Any, *, dtype: DTypeLike = None, casting: str = "same_kind") -> Tensor:
    """Join along the second axis, or along the only one."""
    parts = _all(atleast_1d, tup)
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Tensor:
    """Join along the third axis, which the arrays are given."""
    return concatenate(_all(atleast_3d, tup), 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Tensor:
    """Join along the second axis; arrays with one axis are columns."""
    parts = [as_tensor(a) for a in tup]
    return concatenate([p if p.ndim > 1 else atleast_2d(p).T for p in parts], 1)


@implements(np.block)
def block(arrays: Any) -> Tensor:
    """Join nested lists of blocks: the innermost along the last axis."""
    parts: list[Tensor] = []

    def layout(data: Any) -> Any:
        if isinstance(data, (list, tuple)):
            return type(data)(layout(item) for item in data)
        parts.append(as_tensor(data))
        return None

    found = layout(arrays)
    return apply(join.block, *parts, layout=found, shapes=tuple(part.shape for part in parts))


@implements(np.append)
def append(arr: ArrayLike, values: ArrayLike, axis: int | None = None) -> Tensor:
    """Join an array and values; both are flattened where no axis is given."""
    first, second = as_tensor(arr), as_tensor(values)
    if axis is None:
        first, second, axis = first.ravel(), second.ravel(), 0
    return concatenate((first, second), axis)


# --- insert and delete ----------------------------------------------------------------------------


def _place(obj: Any) -> tuple[Any, list[Any]]:
    """Split what NumPy calls `obj` into what is static and arrays; see `ops.join`."""
    if isinstance(obj, slice):
        return obj, []
    if isinstance(obj, (int, np.integer)) and not isinstance(obj, bool):
        return int(obj), []
    array = np.asarray(plain(obj)) if isinstance(obj, (list, tuple, range)) else plain(obj)
    if isinstance(obj, (list, tuple)) and not array.size:
        array = array.astype(np.intp)
    return index.HOLE, [array]


def _flat_unless(axis: int | None, arr: ArrayLike) -> tuple[Tensor, int]:
    """Return an array and the number of an axis, after flattening where no axis is given."""
    tensor = as_tensor(arr)
    if axis is None:
        return tensor.ravel(), 0
    return tensor, np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)


@implements(np.delete)
def delete(arr: ArrayLike, obj: Any, axis: int | None = None) -> Tensor:
    """Leave elements along an axis away."""
    tensor, axis = _flat_unless(axis, arr)
    place, arrays = _place(obj)
    return apply(join.delete, tensor, *arrays, place=place, axis=axis)


@implements(np.insert)
def insert(arr: ArrayLike, obj: Any, values: ArrayLike, axis: int | None = None) -> Tensor:
    """Put values before elements along an axis."""
    tensor, axis = _flat_unless(axis, arr)
    values = as_tensor(values)
    if values.requires_grad and not differentiable(tensor.dtype):
        raise TypeError(
            f"inserting a recording tensor into an array of dtype {tensor.dtype} would lose its "
            "gradient: make the array one of floats, or insert values.detach()"
        )
    extra = values.ndim - tensor.ndim
    if extra > 0 and values.shape[:extra] == (1,) * extra:
        values = values.reshape(values.shape[extra:])
    place, arrays = _place(obj)
    return apply(join.insert, tensor, values, *arrays, place=place, axis=axis)


# --- taking apart ---------------------------------------------------------------------------------


def _pieces(function: Any, ary: ArrayLike, indices_or_sections: Any, axis: int) -> list[Tensor]:
    """Cut along an axis where a function of NumPy cuts the positions there."""
    tensor = as_tensor(ary)
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    before = (slice(None),) * axis
    pieces = []
    # NumPy has its own rules and errors for where to cut.
    for piece in function(np.arange(tensor.shape[axis]), plain(indices_or_sections)):
        start = int(piece[0]) if piece.size else 0
        pieces.append(tensor[(*before, slice(start, start + piece.size))])
    return pieces


def split(ary: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut into pieces along an axis, as `numpy.split`.

    Parameters
    ----------
    ary
        What to cut.
    indices_or_sections
        How many equal pieces, or where to cut.
    axis
        Along which axis.

    Returns
    -------
    list of Tensor
        The pieces.

    Raises
    ------
    ValueError
        If equal pieces are asked for and the length does not divide.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> [piece.tolist() for piece in tg.split([1.0, 2.0, 3.0], [1])]
    [[1.0], [2.0, 3.0]]
    """
    return _pieces(np.split, ary, indices_or_sections, axis)


@implements(np.array_split)
def array_split(ary: ArrayLike, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut into pieces along an axis, whose lengths may differ by one."""
    return _pieces(np.array_split, ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Tensor]:
    """Cut along the second axis, or along the only one."""
    ndim = np.ndim(ary)
    if not ndim:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Tensor]:
    """Cut along the first axis."""
    if np.ndim(ary) < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Tensor]:
    """Cut along the third axis."""
    if np.ndim(ary) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: ArrayLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Take an array apart along an axis, which the parts have not."""
    tensor = as_tensor(x)
    if not tensor.ndim:
        raise ValueError("Input array must be at least 1-d.")
    return tuple(moveaxis(tensor, axis, 0))


implements(np.concatenate)(concatenate)
implements(np.stack)(stack)
implements(np.split)(split)
