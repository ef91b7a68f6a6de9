"""Indexing of every NumPy kind, and assignment through it; `take`.

Floor: `ops`.  An index is split: its integer and boolean arrays are data and come as positional
inputs, the rest (slices, ints, None, Ellipsis) is a static template with `HOLE` in their places.
`np.add.at` is the adjoint of reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .._typing import Index
from ..op import Op, op, unbroadcast


class _Hole:
    """Stands in a template where an index array goes."""

    def __repr__(self) -> str:
        return "HOLE"


HOLE: Final = _Hole()


def filled(template: tuple[Any, ...], arrays: tuple[Any, ...]) -> Index:
    """Put the index arrays back into their template."""
    rest = iter(arrays)
    return tuple(next(rest) if part is HOLE else part for part in template)


def _unique(arrays: tuple[Any, ...]) -> bool:
    """Tell whether the index names no element twice: slices and masks do not, integers may."""
    return all(array.dtype == np.bool_ for array in arrays)


def _getitem(x: Any, *arrays: Any, template: tuple[Any, ...]) -> Any:
    return x[filled(template, arrays)]


def _read_rule(into: Any, g: Any, _out: Any, _x: Any, *arrays: Any, template: Any) -> None:
    """Add `g` to what is there."""
    _add(into, g, *arrays, template=template)


getitem = op(
    _getitem,
    _read_rule,
    name="getitem",
    symbol="[]",
    view=True,
    accumulates=True,
)


def write(out: Any, value: Any, *arrays: Any, template: tuple[Any, ...]) -> None:
    """Write `value` into `out` at the index.

    Of several values for one element NumPy keeps one that depends on their layout in memory: with
    a copy in C order it is the last in the order of the index, which the rule reckons with.
    """
    index = filled(template, arrays)
    if not _unique(arrays) and np.shape(value):
        shape = out[index].shape
        extra = max(np.ndim(value) - len(shape), 0)  # an assignment drops leading axes of 1
        value = np.reshape(value, np.shape(value)[extra:])
        value = np.copy(np.broadcast_to(value, shape), order="C")
    out[index] = value


def _assign(x: Any, value: Any, *arrays: Any, template: tuple[Any, ...]) -> Any:
    out = np.copy(x)  # an array also where x is a NumPy scalar
    write(out, value, *arrays, template=template)
    return out


def _assign_base(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, template: Any) -> Any:
    """What was overwritten has no influence."""
    g[filled(template, arrays)] = 0
    return g


def _assign_value(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, template: Any) -> Any:
    """Of several values for one element the last one stays (case 60)."""
    from_element = np.copy(getitem(g, *arrays, template=template))
    if not _unique(arrays):
        index = filled(template, arrays)
        turns = np.reshape(np.arange(from_element.size, like=arrays[0]), from_element.shape)
        last = np.empty(g.shape, turns.dtype, like=turns)  # only what is written is read
        last[index] = turns
        from_element = np.where(last[index] == turns, from_element, 0.0)
    return unbroadcast(from_element, _value.shape)


assign = op(_assign, _assign_base, _assign_value, name="assign", symbol="[]=", overwrites=True)


def _add(into: Any, value: Any, *arrays: Any, template: tuple[Any, ...]) -> None:
    """Add `value` to `into` at the index; what the index repeats adds up (cases 55, 56)."""
    where = filled(template, arrays)
    if _unique(arrays):
        into[where] += value
        return
    numbers = _numbers(into, where, arrays, np.size(value))
    if numbers is None:
        np.add.at(into, where[0] if len(where) == 1 else where, value)
    else:
        value = np.reshape(np.broadcast_to(value, numbers.shape), -1)
        np.add.at(np.reshape(into, -1), np.reshape(numbers, -1), value)


def _numbers(into: Any, where: Index, arrays: tuple[Any, ...], count: int) -> Any:
    """Return the numbers of the named elements in memory: np.add.at is four times faster by them.

    None where `into` has one axis already, or is no array in C order, or where an index of few
    elements would have to number all of a large array.
    """
    flags = getattr(into, "flags", None)
    if into.ndim < 2 or flags is None or not flags.c_contiguous:
        return None
    *before, rows = where
    if rows is arrays[0] and all(part == slice(None) for part in before):
        axis, size = len(before), into.shape[len(before)]
        tail = np.arange(math.prod(into.shape[axis + 1 :]), like=rows)
        numbers = np.add.outer(rows.astype(np.intp) % size * tail.size, tail)
        if axis:
            lead = np.arange(math.prod(into.shape[:axis]), like=rows)
            numbers = np.add.outer(lead * (size * tail.size), numbers)
        return np.reshape(numbers, (*into.shape[:axis], *rows.shape, *into.shape[axis + 1 :]))
    if into.size <= 16 * count:
        return np.reshape(np.arange(into.size, like=arrays[0]), into.shape)[where]
    return None


def _added(x: Any, value: Any, *arrays: Any, template: tuple[Any, ...]) -> Any:
    out = np.copy(x)
    _add(out, value, *arrays, template=template)
    return out


def _added_value(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, template: Any) -> Any:
    """Each value is in the result as often as its element is named."""
    return unbroadcast(getitem(g, *arrays, template=template), _value.shape)


add_at = op(_added, lambda g, _out, _x, _value, *_arrays, **_: g, _added_value, name="add.at")


def _take(x: Any, indices: Any, *, axis: int, mode: Any) -> Any:
    return np.take(x, indices, axis=axis, mode=mode)


def _take_rule(
    into: Any, g: Any, _out: Any, _x: Any, indices: Any, *, axis: int, mode: str
) -> None:
    """Add `g` to what was taken."""
    indices = indices.astype(np.intp)  # True counts as 1 here, and is no mask
    if mode == "wrap":
        indices = np.mod(indices, _x.shape[axis])
    elif mode == "clip":
        indices = np.clip(indices, 0, _x.shape[axis] - 1)
    _add(into, g, indices, template=(slice(None),) * axis + (HOLE,))


take = op(_take, _take_rule, name="take", accumulates=True)

WRITERS: Final[dict[Op, Callable[..., None]]] = {assign: write, add_at: _add}
"""The in-place form of the ops that write, for arrays that nobody else holds."""
