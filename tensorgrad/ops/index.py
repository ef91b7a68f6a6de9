"""Indexing of every NumPy kind, and assignment through it.

Floor: `ops`.  An index is split: its integer and boolean arrays are data and come as positional
inputs, the rest (slices, ints, None, Ellipsis) is a static template with `HOLE` in their places.
`getitem` and `scatter` are each other's adjoints.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .._typing import Index, Shape
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


def _scatter(g: Any, *arrays: Any, template: tuple[Any, ...], shape: Shape) -> Any:
    """Add `g` into zeros at the index; repeated indices add up (cases 55, 56)."""
    out = _zeros(shape, g.dtype, g)
    index = filled(template, arrays)
    if _unique(arrays):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


scatter: Op
getitem = op(
    _getitem,
    lambda g, _out, _x, *arrays, template: scatter(g, *arrays, template=template, shape=_x.shape),
    name="getitem",
    symbol="[]",
    view=True,
)
scatter = op(
    _scatter,
    lambda g, _out, _g, *arrays, template, **_: getitem(g, *arrays, template=template),
    name="scatter",
)


def _zeros(shape: Shape, dtype: Any, example: Any) -> Any:
    """Return zeros of the array type of `example`; a NumPy scalar is none."""
    return np.zeros(shape, dtype, like=example if hasattr(example, "__array_function__") else None)


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
    return assign(g, 0.0, *arrays, template=template)


def _assign_value(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, template: Any) -> Any:
    """Of several values for one element the last one stays (case 60)."""
    from_element = getitem(g, *arrays, template=template)
    if not _unique(arrays):
        index = filled(template, arrays)
        turns = np.reshape(np.arange(from_element.size, like=arrays[0]), from_element.shape)
        last = _zeros(g.shape, turns.dtype, turns)
        last[index] = turns
        from_element = np.where(last[index] == turns, from_element, 0.0)
    return unbroadcast(from_element, _value.shape)


assign = op(_assign, _assign_base, _assign_value, name="assign", symbol="[]=")
