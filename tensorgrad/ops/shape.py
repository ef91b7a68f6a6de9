"""Operations that move the elements of one array and compute nothing: reshape, transpose, roll.

Floor: `ops`.  Each is a linear map, and its rule the adjoint.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..op import Op, op, unbroadcast


def inverse(axes: Sequence[int], ndim: int) -> list[int]:
    """Return the permutation that undoes `axes`."""
    positive = [axis % ndim for axis in axes]
    return sorted(range(ndim), key=positive.__getitem__)


def _reshaping(forward: Callable[..., Any]) -> Op:
    """Declare an op that gives the elements, in C order, another shape."""
    return op(forward, lambda g, _out, _x, **_: np.reshape(g, _x.shape), view=True)


atleast_1d = _reshaping(np.atleast_1d)
atleast_2d = _reshaping(np.atleast_2d)
atleast_3d = _reshaping(np.atleast_3d)
expand_dims = _reshaping(np.expand_dims)
squeeze = _reshaping(np.squeeze)

reshape = op(
    lambda x, *, shape, **options: np.reshape(x, shape, **options),
    lambda g, _out, _x, *, order="C", **_: np.reshape(g, _x.shape, order=order),
    name="reshape",
    view=True,
)
transpose = op(
    lambda x, *, axes: np.transpose(x, axes),
    lambda g, _out, _x, *, axes: np.transpose(g, axes and inverse(axes, _x.ndim)),
    name="transpose",
    view=True,
)
swapaxes = op(
    lambda x, *, axis1, axis2: np.swapaxes(x, axis1, axis2),
    lambda g, _out, _x, *, axis1, axis2: np.swapaxes(g, axis1, axis2),
    name="swapaxes",
    view=True,
)
broadcast_to = op(
    lambda x, *, shape: np.broadcast_to(x, shape),
    lambda g, _out, _x, **_: unbroadcast(g, _x.shape),
    name="broadcast_to",
    view=True,
)


def _own_inverse(function: Any) -> Op:
    """Declare an op on views that undoes itself."""
    return op(function, lambda g, _out, _x, **params: function(g, **params), view=True)


flip = _own_inverse(np.flip)
fliplr = _own_inverse(np.fliplr)
flipud = _own_inverse(np.flipud)
matrix_transpose = _own_inverse(np.matrix_transpose)
rot90 = op(np.rot90, lambda g, _out, _x, *, k, axes: np.rot90(g, -k, axes), view=True)
copy = op(
    lambda x, **order: x.copy(**order),
    lambda g, _out, _x, **_: g,
    name="copy",
)


def _roll_rule(g: Any, _out: Any, _x: Any, *, shift: Any, axis: Any) -> Any:
    """Roll back."""
    back = tuple(map(operator.neg, shift)) if isinstance(shift, tuple) else -shift
    return np.roll(g, back, axis)


roll = op(np.roll, _roll_rule)


# --- repetition -----------------------------------------------------------------------------------


def _sum_runs(g: Any, *, count: int, axis: int) -> Any:
    """Sum each `count` neighbours along an axis that is not negative."""
    before, after = g.shape[:axis], g.shape[axis + 1 :]
    n = g.shape[axis] // count
    runs = np.reshape(g, (*before, n, count, *after))
    # NumPy starts a sum anew for each run: einsum is three times as fast on short ones.
    if count < 32 and not after:
        return np.einsum("...i->...", runs)
    return np.sum(runs, axis=axis + 1)


def _repeat_rule(g: Any, _out: Any, _x: Any, *, repeats: int, axis: int) -> Any:
    """Sum over the copies of each element."""
    if not repeats:
        return np.zeros_like(g, shape=_x.shape)
    if repeats == 1:
        return g
    return sum_runs(g, count=repeats, axis=axis)


repeat = op(np.repeat, _repeat_rule)
sum_runs: Op = op(
    _sum_runs,
    lambda g, _out, _x, *, count, axis: np.repeat(g, count, axis),
    name="sum_runs",
)


def _sum_segments(g: Any, repeats: Any, *, axis: int) -> Any:
    """Sum, along an axis that is not negative, neighbours as many as each entry says."""
    before = (slice(None),) * axis
    out = np.zeros_like(g, shape=(*g.shape[:axis], repeats.size, *g.shape[axis + 1 :]))
    if not g.shape[axis]:
        return out
    starts = (np.cumsum(repeats) - repeats).astype(np.intp)
    if axis < g.ndim - 1 and not (repeats > 8).any():
        # The first of each segment, then the second ones, ...: NumPy's segments would start anew
        # for each element of the axes behind.
        for k in range(8):
            longer = repeats > k
            out[(*before, longer)] += g[(*before, starts[longer] + k)]
    else:
        filled = repeats != 0
        out[(*before, filled)] = np.add.reduceat(g, starts[filled], axis)
    return out


def _repeat_each_rule(g: Any, _out: Any, _x: Any, repeats: Any, *, axis: int) -> Any:
    """Sum over the copies of each element, of which there may be none."""
    return sum_segments(g, np.broadcast_to(repeats, _x.shape[axis : axis + 1]), axis=axis)


repeat_each = op(np.repeat, _repeat_each_rule, name="repeat_each")
sum_segments: Op = op(
    _sum_segments,
    lambda g, _out, _x, repeats, *, axis: repeat_each(g, repeats, axis=axis),
    name="sum_segments",
)


def _tile_rule(g: Any, _out: Any, _x: Any, *, reps: tuple[int, ...]) -> Any:
    """Sum over the tiles."""
    ndim = max(len(reps), _x.ndim)
    shape = (1,) * (ndim - _x.ndim) + _x.shape
    counts = (1,) * (ndim - len(reps)) + reps
    apart = [size for pair in zip(counts, shape, strict=True) for size in pair]
    g = np.reshape(g, apart)
    for axis, count in enumerate(counts):  # the outermost first: what is left is little
        if count != 1:
            g = np.sum(g, axis=2 * axis, keepdims=True)
    return np.reshape(g, _x.shape)


def _resize_rule(g: Any, _out: Any, _x: Any, *, new_shape: tuple[int, ...]) -> Any:
    """Sum over the copies of each element, of which the last is not whole."""
    size, n = math.prod(new_shape), math.prod(_x.shape)
    if not size or not n:
        return np.zeros_like(g, shape=_x.shape)
    flat, whole = np.ravel(g), size // n * n
    total = np.sum(np.reshape(flat[:whole], (-1, n)), axis=0)
    rest = np.pad(flat[whole:], (0, n - (size - whole)))
    return np.reshape(total + rest, _x.shape)


tile = op(np.tile, _tile_rule)
resize = op(np.resize, _resize_rule)


# --- windows --------------------------------------------------------------------------------------


_BLOCK = 32768
"""How many numbers to work on at a time, so that they stay in the cache."""


def _fold(g: Any, axis: int) -> Any:
    """Add up the windows, which lie along the last axis, where they overlap along `axis`.

    Window by window if they are wide; otherwise block by block the windows' first elements, their
    second ones, and so on.
    """
    count, width = g.shape[axis], g.shape[-1]
    shape = list(g.shape[:-1])
    shape[axis] = count + width - 1
    out = np.zeros_like(g, shape=shape)
    before, after = (slice(None),) * axis, (slice(None),) * (g.ndim - axis - 2)
    if count <= width or width >= 64:
        windows = np.moveaxis(g, -1, axis + 1)
        for i in range(count):
            out[(*before, slice(i, i + width))] += windows[(*before, i)]
        return out
    block = _BLOCK // max(width * g.size // max(count * width, 1), 1) + 1
    for start in range(0, count, block):
        part = g[(*before, slice(start, start + block))]
        for i in range(width):
            place = slice(start + i, start + i + part.shape[axis])
            out[(*before, place, *after)] += part[..., i]
    return out


def _fold_windows(g: Any, *, window_shape: tuple[int, ...], axis: Any) -> Any:
    """Add up what each element was in, one windowed axis at a time."""
    ndim = g.ndim - len(window_shape)
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim, allow_duplicate=True)
    for one in reversed(axes):
        g = _fold(g, one)
    return g


def _windows(x: Any, *, window_shape: tuple[int, ...], axis: Any) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, window_shape, axis)


sliding_window_view = op(
    _windows,
    lambda g, _out, _x, **params: fold_windows(g, **params),
    name="sliding_window_view",
    view=True,
)
fold_windows: Op = op(
    _fold_windows,
    lambda g, _out, _x, **params: sliding_window_view(g, **params),
    name="fold_windows",
)


# --- shape that depends on the values -------------------------------------------------------------


def _trim_rule(g: Any, _out: Any, x: Any, *, trim: str, axis: Any) -> Any:
    """Put `g` back to where the first element that is kept was."""
    whole = np.zeros_like(x, dtype=g.dtype)
    if not g.size:
        return whole
    trimmed = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    starts = [
        int(np.min(found)) if "f" in trim.lower() and i in trimmed else 0
        for i, found in enumerate(np.nonzero(x))
    ]
    whole[tuple(slice(i, i + n) for i, n in zip(starts, g.shape, strict=True))] = g
    return whole


trim_zeros = op(np.trim_zeros, _trim_rule, view=True)
