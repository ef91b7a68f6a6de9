"""Operations that put elements in order: sort, partition, unique.

Floor: `ops`.  Which element stands where is found again for the derivative, from the data and the
result; of equal elements the first stands first (case 18).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op, zeros
from .pick import pair
from .reduce import over_axis


def stable_order(x: Any, ordered: Any, axis: int) -> Any:
    """Do what `np.argsort(x, axis, kind="stable")` does, given the sorted array.

    NumPy is four times faster if it need not look after equal elements, so that is done here: each
    run of them is put in the order of its places.
    """
    rows, order = np.moveaxis(ordered, axis, -1), np.moveaxis(np.argsort(x, axis), axis, -1)
    before, after = rows[..., :-1], rows[..., 1:]
    equal = (before == after) | ((before != before) & (after != after))
    if np.any(equal):
        starts = np.ones_like(order, dtype=bool)
        starts[..., 1:] = ~equal
        shared = ~starts
        shared[..., :-1] |= equal
        at = np.flatnonzero(shared)
        run = np.cumsum(starts)[at] * order.shape[-1]
        order = np.copy(order, order="C")
        order[np.unravel_index(at, order.shape)] = np.sort(order[shared] + run) - run
    return np.moveaxis(order, -1, axis)


def _taken(y: Any, order: Any, axis: int) -> Any:
    return np.take_along_axis(y, order, axis)


def _put(g: Any, order: Any, axis: int) -> Any:
    result = np.empty_like(g)
    np.put_along_axis(result, order, g, axis)
    return result


take_sorted, put_sorted = pair(
    "sort",
    lambda y, x, ordered, *, axis: _taken(y, stable_order(x, ordered, axis), axis),
    lambda g, x, ordered, *, axis: _put(g, stable_order(x, ordered, axis), axis),
)
sort = op(
    lambda x, *, axis, **how: np.sort(x, axis, **how),
    lambda g, out, x, *, axis, **_: put_sorted(g, x, out, axis=axis),
    name="sort",
    groups=over_axis,
)


# --- partition ------------------------------------------------------------------------------------


def _partition_order(x: Any, parted: Any, kth: Any, axis: int) -> Any:
    """Return the order that makes `parted` of `x`.

    `np.argpartition` need not leave the elements beside the k-th as `np.partition` did; where it
    does not, they are matched by value.
    """
    order = np.argpartition(x, kth, axis)
    found = np.take_along_axis(x, order, axis)
    if not np.all((found == parted) | ((found != found) & (parted != parted))):
        np.put_along_axis(order, np.argsort(parted, axis), np.argsort(x, axis), axis)
    return order


take_parted, put_parted = pair(
    "partition",
    lambda y, x, parted, *, kth, axis: _taken(y, _partition_order(x, parted, kth, axis), axis),
    lambda g, x, parted, *, kth, axis: _put(g, _partition_order(x, parted, kth, axis), axis),
)
partition = op(
    lambda x, *, kth, axis: np.partition(x, kth, axis),
    lambda g, out, x, *, kth, axis: put_parted(g, x, out, kth=kth, axis=axis),
    name="partition",
    groups=over_axis,
)


# --- unique ---------------------------------------------------------------------------------------


def _first_places(x: Any, unique: Any, axis: Any, equal_nan: bool) -> Any:
    """Return where each unique element stands for the first time, in the order of `unique`.

    NumPy may leave them unsorted, but not where it is asked for the places.
    """
    how: dict[str, Any] = {"axis": axis, "equal_nan": equal_nan, "return_index": True}
    in_order, first = np.unique(x, **how)
    if axis is None and not np.array_equal(in_order, unique, equal_nan=True):
        places = np.empty_like(first)
        places[np.argsort(unique, kind="stable")] = first
        return places
    return first


def _take_unique(y: Any, x: Any, unique: Any, *, axis: Any, equal_nan: bool) -> Any:
    return np.take(y, _first_places(x, unique, axis, equal_nan), axis)


def _put_unique(g: Any, x: Any, unique: Any, *, axis: Any, equal_nan: bool) -> Any:
    first = _first_places(x, unique, axis, equal_nan)
    if axis is None:
        result = zeros((x.size,), g.dtype, g)
        result[first] = g
        return np.reshape(result, x.shape)
    result = zeros(x.shape, g.dtype, g)
    result[(slice(None),) * (axis % x.ndim) + (first,)] = g
    return result


take_unique, put_unique = pair("unique", _take_unique, _put_unique)


def _unique(x: Any, *, returns: tuple[str, ...], **how: Any) -> Any:
    """The unique elements; NumPy sorts in another way where it returns counts or places as well."""
    how |= dict.fromkeys(returns, True)
    found = np.unique(x, **how)
    return found[0] if returns else found


def _unique_rule(g: Any, out: Any, x: Any, *, axis: Any, equal_nan: bool, **_: Any) -> Any:
    """Of equal elements the first gets the cotangent."""
    return put_unique(g, x, out, axis=axis, equal_nan=equal_nan)


unique = op(_unique, _unique_rule, name="unique")
