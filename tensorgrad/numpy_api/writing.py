"""Functions that write into their first argument: copyto, put, place and their like.

Floor: `numpy_api`.  Each is an assignment `a[index] = value`, with its meaning on a tensor: the
handle moves to a new value, which has the gradient of what was written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain, without_graph
from ..tensor import Tensor, as_tensor
from .indexing import along_axis, index_array
from .table import implements


def _writes(numpy_function: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a function stand for one of NumPy's where the array written to is a tensor."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        name = f"np.{numpy_function.__name__}"

        @functools.wraps(function)
        def call(target: Any, *args: Any, **kwargs: Any) -> None:
            if isinstance(target, Tensor):
                function(target, *args, **kwargs)
                return
            advice = "write into a tensor, or pass x.detach()"
            without_graph(name, numpy_function, (target, *args), kwargs, advice)

        implements(numpy_function)(call)
        return function

    return register


def _cycled(values: ArrayLike, count: int) -> Tensor:
    """Return so many values, from the start again where there are too few."""
    given: Tensor = as_tensor(values).ravel()
    if given.size in (1, count):
        return given
    return given[np.arange(count) % given.size]


@_writes(np.copyto)
def copyto(
    dst: Tensor, src: ArrayLike, casting: str = "same_kind", where: ArrayLike = True
) -> None:
    """Copy values into a tensor, where a condition holds."""
    # NumPy judges the cast, on arrays without elements.
    given = src if type(src) in (bool, int, float, complex) else np.empty(0, as_tensor(src).dtype)
    np.copyto(np.empty(0, dst.dtype), given, casting=casting)  # type: ignore[arg-type]
    if where is True:
        dst[...] = src
        return
    chosen = np.empty(np.shape(plain(where)), dtype=bool)
    np.copyto(chosen, plain(where), casting="safe")
    chosen = np.broadcast_to(chosen, dst.shape)
    dst[chosen] = as_tensor(src).broadcast_to(dst.shape)[chosen]


@_writes(np.put)
def put(a: Tensor, ind: Any, v: ArrayLike, mode: str = "raise") -> None:
    """Write at positions of the flattened tensor, the values repeated if they are too few."""
    ind = index_array(ind).ravel().astype(np.intp, casting="same_kind")
    values = as_tensor(v)
    # NumPy's errors, for the mode and for a tensor without elements.
    np.put(np.empty(min(a.size, 1)), ind[:0] if a.size else ind, 0.0, mode)  # type: ignore[arg-type]
    if not values.size:
        return
    if mode == "clip":
        ind = np.clip(ind, 0, max(a.size - 1, 0))
    elif mode == "raise":
        _ = np.broadcast_to(False, (a.size,))[ind]
    if ind.size:
        a[np.unravel_index(ind % a.size, a.shape)] = _cycled(values, ind.size)


@_writes(np.put_along_axis)
def put_along_axis(arr: Tensor, indices: Any, values: ArrayLike, axis: int | None) -> None:
    """Write along one axis: an index array there, ranges on the other axes."""
    indices = plain(indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        (checked,) = along_axis((arr.size,), indices, 0)
        _ = np.broadcast_to(False, (arr.size,))[checked]
        positions = checked.astype(np.intp) % max(arr.size, 1)
        arr[np.unravel_index(positions, arr.shape)] = values
        return
    axis = np.lib.array_utils.normalize_axis_index(axis, arr.ndim)
    arr[along_axis(arr.shape, indices, axis)] = values


@_writes(np.place)
def place(arr: Tensor, mask: Any, vals: ArrayLike) -> None:
    """Write where a mask holds, one value after the other, from the start again at the end."""
    mask = _mask(mask, arr, "place: mask and data must be the same size")
    count = int(np.count_nonzero(mask))
    vals = as_tensor(vals)
    if count and not vals.size:
        raise ValueError("Cannot insert from an empty array!")
    if count:
        arr[mask] = _cycled(vals, count) if vals.size <= count else vals.ravel()[:count]


@_writes(np.putmask)
def putmask(a: Tensor, mask: Any, values: ArrayLike) -> None:
    """Write where a mask holds the value at the same position, of values repeated to the size."""
    mask = _mask(mask, a, "putmask: mask and data must be the same size")
    values = as_tensor(values).ravel()
    if values.size:
        a[mask] = values[np.flatnonzero(mask) % values.size]


def _mask(mask: Any, target: Tensor, message: str) -> Any:
    """Return a mask in the shape of what it is for; its size decides."""
    mask = np.asarray(plain(mask), dtype=bool)
    if mask.size != target.size:
        raise ValueError(message)
    return mask.reshape(target.shape)


@_writes(np.fill_diagonal)
def fill_diagonal(a: Tensor, val: ArrayLike, wrap: bool = False) -> None:
    """Write on the main diagonal; `wrap` starts it again below the square part of a tall matrix."""
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    end = a.size
    if a.ndim == 2:
        step = a.shape[1] + 1
        if not wrap:
            end = min(end, a.shape[1] ** 2)
    elif len(set(a.shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    else:
        step = 1 + int(np.cumprod(a.shape[:-1]).sum())
    positions = np.arange(0, end, step)
    values = as_tensor(val)
    if positions.size and values.size:
        a[np.unravel_index(positions, a.shape)] = _cycled(values, positions.size)
