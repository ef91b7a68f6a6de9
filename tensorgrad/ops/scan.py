"""Cumulative operations along one axis, and reductions over stretches of it.

Floor: `ops`.  `axis` is an int; whoever wants the elements of all axes flattens them first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import Op, op, zeros
from .pick import pair
from .reduce import over_axis


def part(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """Return `x[start:stop]` along an axis."""
    return x[(slice(None),) * (axis % x.ndim) + (slice(start, stop),)]


# --- linear recurrence ----------------------------------------------------------------------------


def _product(a: Any, s: Any) -> Any:
    """Multiply, with 0 where s is 0, whatever a is."""
    return np.where(s == 0, 0.0, a * s)


def _solved(link: Any, b: Any, times: Any) -> Any:
    """Solve the recurrence along the first axis.

    Step by step where that is a few steps of many elements.  Until then two steps are made one,
    `s[i+1] = (b[i+1] + link[i] b[i]) + (link[i] link[i-1]) s[i-1]`: the elements at odd places have
    a recurrence of half the length, and the others follow from them.  That is three multiplications
    per element, all of whole arrays.
    """
    levels = []
    while len(b) > max(32, math.prod(b.shape[1:])):
        levels.append((link, b))
        even = link[0::2]
        b = b[1::2] + times(even, b[0 : 2 * len(even) : 2])
        link = even[1:] * link[1 : 2 * len(even) - 1 : 2]
    solved = np.copy(b, order="C")
    for i in range(1, len(b)):
        solved[i] += times(link[i - 1], solved[i - 1])
    for link, b in reversed(levels):
        whole = np.empty_like(b)
        whole[:1] = b[:1]
        whole[1::2] = solved
        rest = b[2::2]
        whole[2::2] = rest + times(link[1::2], solved[: len(rest)])
        solved = whole
    return solved


def _recurrence(link: Any, b: Any, *, axis: int, backwards: bool) -> Any:
    """Compute `s[i+1] = b[i+1] + link[i] s[i]`, or `s[i] = b[i] + link[i] s[i+1]` backwards.

    Products of several links may overflow where the recurrence itself multiplies by 0: what comes
    out with NaN is computed once more, such that 0 times anything is 0.
    """
    link, b = np.moveaxis(link, axis, 0), np.moveaxis(b, axis, 0)
    if backwards:
        link, b = link[::-1], b[::-1]
    if axis % b.ndim:  # the rows are to be contiguous
        link, b = np.copy(link, order="C"), np.copy(b, order="C")
    with np.errstate(all="ignore"):
        solved = _solved(link, b, np.multiply)
        if np.isnan(np.sum(solved)):
            solved = _solved(link, b, _product)
    return np.moveaxis(solved[::-1] if backwards else solved, 0, axis)


def _link_rule(g: Any, out: Any, link: Any, _b: Any, *, axis: int, backwards: bool) -> Any:
    """The cotangent that arrives at one end of the link times the result at the other."""
    arrived = recurrence(link, g, axis=axis, backwards=not backwards)
    if backwards:
        return part(arrived, axis, None, -1) * part(out, axis, 1, None)
    return part(arrived, axis, 1, None) * part(out, axis, None, -1)


def _added_rule(g: Any, _out: Any, link: Any, _b: Any, *, axis: int, backwards: bool) -> Any:
    """The same recurrence from the other end."""
    return recurrence(link, g, axis=axis, backwards=not backwards)


recurrence = op(_recurrence, _link_rule, _added_rule, name="linear recurrence")


# --- sums and products ----------------------------------------------------------------------------


def _cumsum_rule(g: Any, _out: Any, _x: Any, *, axis: int, **_: Any) -> Any:
    """The cumulative sum from the other end."""
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _cumprod_rule(g: Any, out: Any, x: Any, *, axis: int, **_: Any) -> Any:
    """What was multiplied before, times `s[i] = g[i] + x[i+1] s[i+1]`, what came of it after.

    No division, and so no special case for zeros (case 31).
    """
    after = recurrence(part(x, axis, 1, None), g, axis=axis, backwards=True)
    later = part(out, axis, None, -1) * part(after, axis, 1, None)
    return np.concatenate([part(after, axis, None, 1), later], axis=axis)


cumsum = op(
    lambda x, **params: np.cumsum(x, **params), _cumsum_rule, name="cumsum", groups=over_axis
)
cumprod = op(
    lambda x, **params: np.cumprod(x, **params), _cumprod_rule, name="cumprod", groups=over_axis
)


# --- largest and smallest so far ------------------------------------------------------------------


def _runs(x: Any, out: Any, axis: int) -> tuple[Any, Any, Any]:
    """Follow the extremum: where it stays, which elements are equal to it, and how many so far."""
    hits = (x == out) | (x != x)
    before, after = part(out, axis, None, -1), part(out, axis, 1, None)
    stays = ((before == after) | ((before != before) & (after != after))).astype(np.float64)
    so_far = _recurrence(stays, hits.astype(np.float64), axis=axis, backwards=False)
    return stays, hits, so_far


def _take_running(y: Any, x: Any, out: Any, *, axis: int) -> Any:
    """Average `y`, for each place, over the places up to there that hold the extremum."""
    stays, hits, so_far = _runs(x, out, axis)
    total = _recurrence(stays, np.where(hits, y, 0.0), axis=axis, backwards=False)
    return (total / so_far).astype(y.dtype)


def _put_running(g: Any, x: Any, out: Any, *, axis: int) -> Any:
    """Give equal shares to the places up to there that hold the extremum, as for max."""
    stays, hits, so_far = _runs(x, out, axis)
    total = _recurrence(stays, g / so_far, axis=axis, backwards=True)
    return np.where(hits, total, 0.0).astype(g.dtype)


take_running, put_running = pair("running extremum", _take_running, _put_running)


def _running(ufunc: Any, name: str) -> Op:
    """Declare the accumulation of a ufunc that selects."""
    return op(
        lambda x, *, axis: ufunc.accumulate(x, axis=axis),
        lambda g, out, x, *, axis: put_running(g, x, out, axis=axis),
        name=name,
        groups=over_axis,
    )


cumulative_max = _running(np.maximum, "cumulative max")
cumulative_min = _running(np.minimum, "cumulative min")


# --- sums of stretches ----------------------------------------------------------------------------


def _add_reduceat(x: Any, indices: Any, *, axis: int, **_size: Any) -> Any:
    """Sum from each index up to the next, or take the element where the next is not larger."""
    return np.add.reduceat(x, indices, axis=axis)


def _spread_reduceat(g: Any, indices: Any, *, axis: int, size: int) -> Any:
    """Add the cotangent of each stretch to all of its elements; stretches may overlap."""
    stops = np.append(indices[1:], size)
    lengths = np.maximum(stops - indices, 1)
    first = np.repeat(indices - (np.cumsum(lengths) - lengths), lengths)
    places = first + np.arange(first.size, like=first)
    result = zeros((size, *np.delete(g.shape, axis).tolist()), g.dtype, g)
    np.add.at(result, places, np.repeat(np.moveaxis(g, axis, 0), lengths, axis=0))
    return np.moveaxis(result, 0, axis)


def _add_reduceat_rule(g: Any, _out: Any, _x: Any, indices: Any, **params: Any) -> Any:
    """Every element gets the cotangents of its sums."""
    return spread_reduceat(g, indices, **params)


add_reduceat = op(_add_reduceat, _add_reduceat_rule, name="add.reduceat")
spread_reduceat = op(
    _spread_reduceat,
    lambda g, _out, _g, indices, **params: add_reduceat(g, indices, **params),
    name="add.reduceat spread",
)
