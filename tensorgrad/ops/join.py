"""Operations that join arrays: concatenate, stack, block; insert and delete.

Floor: `ops`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._typing import Shape
from ..op import op, unbroadcast, zeros
from .index import filled


def _along(axis: int, place: Any) -> tuple[Any, ...]:
    """Return the index of `place` along a non-negative axis."""
    return (*(slice(None),) * axis, place)


def _concatenate_rule(
    g: Any,
    _out: Any,
    *_xs: Any,
    needs: tuple[bool, ...],
    axis: int | None,
    sizes: tuple[int, ...],
    **_: Any,
) -> tuple[Any, ...]:
    """Cut `g` where the inputs met."""
    pieces: list[Any] = []
    start = 0
    for _x, size, needed in zip(_xs, sizes, needs, strict=True):
        piece = None
        if needed:
            piece = g[_along(0 if axis is None else axis % g.ndim, slice(start, start + size))]
            piece = np.reshape(piece, _x.shape) if axis is None else piece
        pieces.append(piece)
        start += size
    return tuple(pieces)


def _stack_rule(
    g: Any, _out: Any, *_xs: Any, needs: tuple[bool, ...], axis: int, **_: Any
) -> tuple[Any, ...]:
    """Take `g` apart along the new axis."""
    return tuple(g[_along(axis % g.ndim, i)] for i in range(len(needs)))


# `sizes`, the inputs' lengths along the axis, is what the rule needs to know of them.
concatenate = op(
    lambda *xs, axis, dtype=None, casting="same_kind", **_: np.concatenate(
        xs, axis=axis, dtype=dtype, casting=casting
    ),
    joint=_concatenate_rule,
    name="concatenate",
)
stack = op(
    lambda *xs, axis, **cast: np.stack(xs, axis=axis, **cast), joint=_stack_rule, name="stack"
)


# --- block ----------------------------------------------------------------------------------------


def _rebuilt(layout: Any, xs: Iterator[Any]) -> Any:
    """Put arrays into nested lists: `layout` has None in their places."""
    return next(xs) if layout is None else type(layout)(_rebuilt(part, xs) for part in layout)


def _depth(layout: Any) -> int:
    return 0 if layout is None else 1 + _depth(layout[0])


def _places(
    layout: Any, shapes: Iterator[Shape], depth: int
) -> tuple[Shape, list[tuple[slice, ...]]]:
    """Return the shape of a block of blocks, and the place of each array in it."""
    if layout is None:
        shape = next(shapes)
        return shape, [tuple(slice(0, n) for n in shape)]
    end, found = 0, []
    for part in layout:
        shape, places = _places(part, shapes, depth - 1)
        axis = len(shape) - depth
        for place in places:
            here = slice(end + place[axis].start, end + place[axis].stop)
            found.append((*place[:axis], here, *place[axis + 1 :]))
        end += shape[axis]
    return (*shape[:axis], end, *shape[axis + 1 :]), found


def _block_rule(
    g: Any,
    _out: Any,
    *_xs: Any,
    needs: tuple[bool, ...],
    layout: Any,
    shapes: tuple[Shape, ...],
) -> tuple[Any, ...]:
    """Cut each array's place out of `g`."""
    full = [(1,) * (g.ndim - len(shape)) + shape for shape in shapes]
    _, places = _places(layout, iter(full), _depth(layout))
    return tuple(
        np.reshape(g[place], shape) if needed else None
        for place, shape, needed in zip(places, shapes, needs, strict=True)
    )


block = op(
    lambda *xs, layout, **_: np.block(_rebuilt(layout, iter(xs))),
    joint=_block_rule,
    name="block",
)


# --- insert and delete ----------------------------------------------------------------------------

# `place` is what NumPy calls `obj`: a slice or an int; or HOLE, and then an array comes after the
# other inputs.


def _where(place: Any, arrays: tuple[Any, ...]) -> Any:
    """Return what NumPy takes for `obj`."""
    return filled((place,), arrays)[0]


def _gap(place: Any, n: int) -> tuple[int, int] | None:
    """Return start and stop of what a static place deletes, if that is in one piece."""
    if isinstance(place, int):
        return place % n, place % n + 1
    if isinstance(place, slice):
        deleted = range(*place.indices(n))
        if len(deleted) < 2 or abs(deleted.step) == 1:
            ends = sorted((deleted[0], deleted[-1])) if deleted else (0, -1)
            return ends[0], ends[1] + 1
    return None


def _delete(x: Any, *arrays: Any, place: Any, axis: int) -> Any:
    return np.delete(x, _where(place, arrays), axis)


def _delete_rule(g: Any, _out: Any, _x: Any, *arrays: Any, place: Any, axis: int) -> Any:
    """Zeros where elements were deleted."""
    n = _x.shape[axis]
    gap = _gap(place, n)
    if gap is not None:
        start, stop = gap
        hole = np.zeros_like(g, shape=(*g.shape[:axis], stop - start, *g.shape[axis + 1 :]))
        before, after = g[_along(axis, slice(0, start))], g[_along(axis, slice(start, None))]
        return np.concatenate([before, hole, after], axis=axis)
    kept = np.delete(np.arange(n, like=g), _where(place, arrays))
    whole = zeros(_x.shape, g.dtype, g)
    whole[_along(axis, kept)] = g
    return whole


def _insert(x: Any, values: Any, *arrays: Any, place: Any, axis: int) -> Any:
    return np.insert(x, _where(place, arrays), values, axis)


def _inserted(n: int, g: Any, arrays: tuple[Any, ...], place: Any, axis: int) -> Any:
    """Return where the values are in the result: a slice, or the position of each."""
    count = g.shape[axis] - n
    if isinstance(place, int):
        return slice(place % n if place < 0 else place, (place % n if place < 0 else place) + count)
    marks = np.arange(1, count + 1, like=g)
    turns = np.insert(np.zeros_like(marks, shape=(n,)), _where(place, arrays), marks)
    found = np.nonzero(turns)[0]
    return found[np.argsort(turns[found])]


def _insert_rule(
    g: Any, _out: Any, _x: Any, _values: Any, *arrays: Any, place: Any, axis: int
) -> Any:
    """Take the values out again."""
    return np.delete(g, _inserted(_x.shape[axis], g, arrays, place, axis), axis)


def _insert_values(
    g: Any, _out: Any, _x: Any, _values: Any, *arrays: Any, place: Any, axis: int
) -> Any:
    """Take the values' places; for a single place NumPy has their first axis at `axis`."""
    taken = g[_along(axis, _inserted(_x.shape[axis], g, arrays, place, axis))]
    shape = (1,) * (g.ndim - _values.ndim) + _values.shape
    if _single(place, arrays):
        first, *rest = shape
        taken = unbroadcast(taken, (*rest[:axis], first, *rest[axis:]))
        return np.reshape(np.moveaxis(taken, axis, 0), _values.shape)
    return np.reshape(unbroadcast(taken, shape), _values.shape)


def _single(place: Any, arrays: tuple[Any, ...]) -> bool:
    """Tell whether `obj` is one integer and no list of one."""
    where = _where(place, arrays)
    return isinstance(where, int) or (not isinstance(where, slice) and not where.shape)


delete = op(_delete, _delete_rule, name="delete")
insert = op(_insert, _insert_rule, _insert_values, name="insert")
