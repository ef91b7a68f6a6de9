"""Indexing of every NumPy kind, and assignment through it.

Floor: `ops`.  An index is split: its integer and boolean arrays are data and come as positional
inputs, the rest (slices, ints, None, Ellipsis) is a static template with `HOLE` in their places.
`np.add.at` is the adjoint of reading.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .._typing import Index
from ..op import op, unbroadcast, zeros


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
        value = np.copy(np.broadcast_to(value, out[index].shape), order="C")
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
        last = zeros(g.shape, turns.dtype, turns)
        last[index] = turns
        from_element = np.where(last[index] == turns, from_element, 0.0)
    return unbroadcast(from_element, _value.shape)


assign = op(_assign, _assign_base, _assign_value, name="assign", symbol="[]=", overwrites=True)


def _add(into: Any, value: Any, *arrays: Any, template: tuple[Any, ...]) -> None:
    """Add `value` to `into` at the index; what the index repeats adds up (cases 55, 56)."""
    where = filled(template, arrays)
    if _unique(arrays):
        into[where] += value
    else:
        np.add.at(into, where, value)


def _added(x: Any, value: Any, *arrays: Any, template: tuple[Any, ...]) -> Any:
    out = np.copy(x)
    _add(out, value, *arrays, template=template)
    return out


def _added_value(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, template: Any) -> Any:
    """Each value is in the result as often as its element is named."""
    return unbroadcast(getitem(g, *arrays, template=template), _value.shape)


add_at = op(_added, lambda g, _out, _x, _value, *_arrays, **_: g, _added_value, name="add.at")

WRITERS: Final = {assign: write, add_at: _add}
"""The in-place form of the ops that write, for arrays that nobody else holds."""
