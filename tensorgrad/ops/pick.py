"""Pairs of linear ops that pick elements and put them back: the derivatives of what selects.

Floor: `ops`.  A function such as max, sort or median hands on some of its elements, unchanged or
averaged.  Where it takes them from depends on the data, and is constant in pieces: the derivative
is a linear map, its transpose is the rule, and the two are each other's derivatives.  Both find the
places themselves, from data that they get beside the array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Axis
from ..op import Op, op, zeros


def pair(name: str, take: Callable[..., Any], put: Callable[..., Any]) -> tuple[Op, Op]:
    """Declare a linear map and its transpose.

    `take(y, *data, **params)` picks elements of `y`, and `put(g, *data, **params)` puts each of `g`
    where `take` would have found it, into zeros.
    """

    def take_rule(g: Any, _out: Any, _y: Any, *data: Any, **params: Any) -> Any:
        """The transpose."""
        return put_op(g, *data, **params)

    def put_rule(g: Any, _out: Any, _g: Any, *data: Any, **params: Any) -> Any:
        """The transpose of the transpose."""
        return take_op(g, *data, **params)

    take_op = op(take, take_rule, name=f"{name} take")
    put_op = op(put, put_rule, name=f"{name} put")
    return take_op, put_op


# --- largest and smallest -------------------------------------------------------------------------


def _hits(x: Any, extremum: Any, where: Any, keep_nan: bool) -> Any:
    """Tell which elements are the extremum of their group: all equal ones, or all NaN."""
    hits = x == extremum
    if keep_nan and np.any(extremum != extremum):
        hits = hits | ((x != x) & (extremum != extremum))
    return hits if where is True else hits & where


def _take_extremum(y: Any, x: Any, extremum: Any, where: Any, *, axis: Axis, keep_nan: bool) -> Any:
    """Average `y` over the places of the extremum; axes stay, with size 1."""
    hits = _hits(x, extremum, where, keep_nan)
    count = np.maximum(np.sum(hits, axis=axis, keepdims=True), 1)
    total = np.sum(np.where(hits, y, 0.0), axis=axis, keepdims=True)
    return (total / count).astype(y.dtype)


def _put_extremum(
    g: Any,
    x: Any,
    extremum: Any,
    where: Any,
    *,
    axis: Axis,
    keep_nan: bool,
    into: Any = None,
) -> Any:
    """Give `g` in equal shares to the places of the extremum (cases 14 to 16).

    The share is computed in float64, since a count of 70,000 has no float16.  What is put `into` an
    array is added to it.
    """
    hits = np.broadcast_to(_hits(x, extremum, where, keep_nan), x.shape)
    places = np.flatnonzero(hits)
    if 16 * places.size > x.size:
        count = np.maximum(np.sum(hits, axis=axis, keepdims=True), 1)
        shares = np.where(hits, (g / count).astype(g.dtype), np.zeros_like(g))
        return shares if into is None else into + shares
    # Nearly always one for each group, and then a memory's worth of zeros is all that it costs.
    at = np.unravel_index(places, x.shape)
    group = tuple(np.minimum(index, size - 1) for index, size in zip(at, g.shape, strict=True))
    count = zeros(g.shape, np.intp, g)
    np.add.at(count, group, 1)
    into = zeros(x.shape, g.dtype, g) if into is None else into
    into[at] += (g[group] / count[group]).astype(g.dtype)
    return into


take_extremum, put_extremum = pair("extremum", _take_extremum, _put_extremum)


def _take_range(y: Any, x: Any, largest: Any, least: Any, *, axis: Axis) -> Any:
    """Subtract what the least takes from what the largest takes."""
    upper, lower = (
        _take_extremum(y, x, extremum, True, axis=axis, keep_nan=True)
        for extremum in (largest, least)
    )
    return upper - lower


def _put_range(g: Any, x: Any, largest: Any, least: Any, *, axis: Axis) -> Any:
    """Give `g` to the places of the largest, and `-g` to those of the least."""
    upper = _put_extremum(g, x, largest, True, axis=axis, keep_nan=True)
    return _put_extremum(-g, x, least, True, axis=axis, keep_nan=True, into=upper)


take_range, put_range = pair("range", _take_range, _put_range)
