"""Differences, difference quotients, interpolation, phase: calculus on samples.

Floor: `ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op, zeros
from .index import HOLE, add_at

# --- differences ----------------------------------------------------------------------------------


def _along(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    """The index of `start:stop` along a non-negative axis."""
    return (*(slice(None),) * axis, slice(start, stop))


def _add_difference(into: Any, g: Any, axis: int) -> None:
    """The adjoint of one difference: what is on either side of an element, with opposite signs."""
    into[_along(axis, 1, None)] += g
    into[_along(axis, None, -1)] -= g


def _diff(x: Any, *, n: int, axis: int) -> Any:
    return np.diff(x, n, axis)


def _diff_rule(into: Any, g: Any, _out: Any, _x: Any, *, axis: int, **_: Any) -> None:
    """The adjoint of a difference, n times; differences of too few elements are empty."""
    if not g.size:
        return
    for size in range(g.shape[axis] + 1, into.shape[axis]):
        longer = zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype, g)
        _add_difference(longer, g, axis)
        g = longer
    _add_difference(into, g, axis)


diff = op(_diff, _diff_rule, name="diff", accumulates=True)


def _unwrap(p: Any, period: Any, discont: Any = None, *, axis: int) -> Any:
    return np.unwrap(p, discont, axis, period=period)


# Whole periods are added, as many as `(out - p) / period`.
unwrap = op(
    _unwrap,
    lambda g, _out, _p, *_rest, **_: g,
    lambda g, out, p, period, *_rest, **_: np.sum(g * (out - p)) / period,
    name="unwrap",
)

# --- difference quotients -------------------------------------------------------------------------
# With steps h and slopes s = diff(f) / h between neighbours, np.gradient is in exact arithmetic
# (h2 s1 + h1 s2) / (h1 + h2) inside, s at an edge of order 1, and ((2 h1 + h2) s1 - h1 s2) /
# (h1 + h2) at one of order 2, h1 being the step nearer to the edge.  The rules go by way of the
# slopes, with the axis last.

_EDGES = ((0, 1), (-1, -2))
"""The places of the nearest and of the next slope, for either edge."""


def _gradient(f: Any, spacing: Any, *, axis: int, edge_order: Any) -> Any:
    return np.gradient(f, spacing, axis=axis, edge_order=edge_order)


def _steps(spacing: Any) -> Any:
    """The steps between coordinates, or the one number for all."""
    return np.diff(1.0 * spacing) if np.ndim(spacing) else spacing


def _pick(h: Any, index: Any) -> Any:
    """Some of the steps, or the one number for all."""
    return h[index] if np.ndim(h) else h


def _slope_cotangents(g: Any, h: Any, edge_order: int) -> Any:
    """The cotangents of the slopes."""
    slopes = zeros((*g.shape[:-1], g.shape[-1] - 1), g.dtype, g)
    h1, h2 = _pick(h, slice(None, -1)), _pick(h, slice(1, None))
    slopes[..., :-1] += g[..., 1:-1] * (h2 / (h1 + h2))
    slopes[..., 1:] += g[..., 1:-1] * (h1 / (h1 + h2))
    for edge, following in _EDGES:
        if edge_order == 1:
            slopes[..., edge] += g[..., edge]
        else:
            h1, h2 = _pick(h, edge), _pick(h, following)
            slopes[..., edge] += g[..., edge] * ((2.0 * h1 + h2) / (h1 + h2))
            slopes[..., following] -= g[..., edge] * (h1 / (h1 + h2))
    return slopes


def _gradient_rule(
    into: Any, g: Any, _out: Any, _f: Any, spacing: Any, *, axis: int, edge_order: int
) -> None:
    """From the slopes to the values: the adjoint of `diff(f) / h`."""
    h = _steps(spacing)
    slopes = _slope_cotangents(np.moveaxis(g, axis, -1), h, edge_order) / h
    _add_difference(into, np.moveaxis(slopes, -1, axis), axis)


def _weight_cotangents(g: Any, out: Any, s: Any, h: Any, edge_order: int) -> Any:
    """The cotangents of the steps in the weights of the slopes, the slopes held."""
    steps = np.zeros_like(s)
    inner = g[..., 1:-1] / (h[:-1] + h[1:])
    steps[..., :-1] += inner * (s[..., 1:] - out[..., 1:-1])
    steps[..., 1:] += inner * (s[..., :-1] - out[..., 1:-1])
    if edge_order == 2:
        for edge, following in _EDGES:
            share = g[..., edge] / (h[edge] + h[following])
            beyond = s[..., edge] - out[..., edge]
            steps[..., edge] += share * (beyond + s[..., edge] - s[..., following])
            steps[..., following] += share * beyond
    return steps


def _spacing_rule(g: Any, out: Any, f: Any, spacing: Any, *, axis: int, edge_order: int) -> Any:
    """A single step divides everything; coordinates have their part in slopes and in weights."""
    if not np.ndim(spacing):
        return -np.sum(g * out) / spacing
    h = _steps(spacing)
    g, out, f = (np.moveaxis(a, axis, -1) for a in (g, out, 1.0 * f))
    s = np.diff(f) / h
    steps = _weight_cotangents(g, out, s, h, edge_order)
    steps = steps - _slope_cotangents(g, h, edge_order) * s / h
    coordinates = zeros(spacing.shape, g.dtype, g)
    _add_difference(coordinates, np.sum(steps, axis=tuple(range(steps.ndim - 1))), 0)
    return coordinates


gradient = op(_gradient, _gradient_rule, _spacing_rule, name="gradient", accumulates=True)

# --- interpolation --------------------------------------------------------------------------------
# Segment k is the straight line from knot k - 1 to knot k; the first and the last are outside.


def _interp(x: Any, xp: Any, fp: Any, *, period: float | None) -> Any:
    return np.interp(x, xp, fp, period=period)


def _unrolled(x: Any, xp: Any, fp: Any, period: float | None) -> tuple[Any, Any, Any]:
    """Lay periodic knots out in order, with one more at either end, as NumPy does."""
    if period is None:
        return x, xp, fp
    order = _order(xp, period)
    span, xp = abs(period), np.mod(xp, abs(period))[order]
    before = np.zeros_like(xp)
    before[:1] -= span
    before[-1:] += span
    return np.mod(x, span), xp + before, fp[order]


def _order(xp: Any, period: float) -> Any:
    """The numbers of the knots in their order within a period, the last and the first once more."""
    order = np.argsort(np.mod(xp, abs(period)))
    return np.concatenate([order[-1:], order, order[:1]])


def _located(x: Any, knots: Any) -> tuple[Any, Any]:
    """The segment that each `x` is on, and how far it is from the start; 0 before all knots.

    NumPy's interpolation begins its search at the last find, which makes it far faster than
    `np.searchsorted` where x is in order.  Its result is rounded: an x just before a knot may be
    found on the segment behind, a last digit before the start.  A NaN is before all knots.
    """
    size = knots.shape[0]
    counted = np.arange(1.0, size + 1.0, like=np.argsort(knots))
    found = np.interp(x, knots, counted, left=0.0, right=size + 0.5)
    segment = np.fmax(found, 0.0).astype(np.intp)
    return segment, np.fmax(x, knots[0]) - np.concatenate([knots[:1], knots])[segment]


def _slopes(knots: Any, values: Any) -> tuple[Any, Any]:
    """The slope of each segment, and at the knot that it starts from.

    At a knot it is the slope of least size between the one before and the one after: a subgradient
    where the function is convex, a supergradient where it is concave.  The two ends count as
    inside, as the bounds do of `clip`.
    """
    widths = np.diff(knots)
    inner = np.diff(values) / np.where(widths == 0, np.inf, widths)
    flat = np.zeros_like(values[:1])
    left, right = inner[:-1], inner[1:]
    least = np.where(np.abs(left) < np.abs(right), left, right)
    kinks = np.where(left * right > 0, least, 0.0)
    ends = (inner[:1], inner[-1:]) if inner.size else (flat, flat[:0])
    return np.concatenate([flat, inner, flat]), np.concatenate([flat, ends[0], kinks, ends[1]])


def _slope(segment: Any, offset: Any, knots: Any, values: Any) -> Any:
    """The derivative of the line that each `x` is on; 0 outside."""
    inside, at_start = _slopes(knots, values)
    table = np.reshape(np.stack([at_start, inside], axis=-1), -1)
    return table[2 * (segment - (offset < 0)) + (offset != 0)]


def _shared_out(g: Any, segment: Any, offset: Any, knots: Any) -> Any:
    """Add `g` to the knots at the ends of each segment, by nearness: to one alone outside."""
    widths = np.diff(knots)
    none = np.zeros_like(widths, shape=1)
    per_width = np.concatenate([none, 1.0 / np.where(widths == 0, np.inf, widths), none])
    nothing = zeros((knots.shape[0] + 1,), g.dtype, g)
    every = add_at(nothing, g, segment, template=(HOLE,))
    to_end = add_at(nothing, g * (offset * per_width[segment]), segment, template=(HOLE,))
    shares = every[1:] - to_end[1:] + to_end[:-1]
    shares[:1] += every[:1]
    return shares


def _rolled(shares: Any, xp: Any, period: float | None) -> Any:
    """Bring what is for unrolled knots back to the knots that were given."""
    if period is None:
        return shares
    nothing = zeros(xp.shape, shares.dtype, shares)
    return add_at(nothing, shares, _order(xp, period), template=(HOLE,))


def _interp_x(g: Any, _out: Any, x: Any, xp: Any, fp: Any, *, period: float | None) -> Any:
    """The slope."""
    x, knots, values = _unrolled(x, xp, fp, period)
    return g * _slope(*_located(x, knots), knots, values)


def _interp_xp(g: Any, _out: Any, x: Any, xp: Any, fp: Any, *, period: float | None) -> Any:
    """Moving a knot moves its end of the line sideways."""
    x, knots, values = _unrolled(x, xp, fp, period)
    place = _located(x, knots)
    return -_rolled(_shared_out(g * _slope(*place, knots, values), *place, knots), xp, period)


def _interp_fp(g: Any, _out: Any, x: Any, xp: Any, _fp: Any, *, period: float | None) -> Any:
    """Each value weighs as much as it is near; at NaN the result does not depend on them."""
    x, knots, _ = _unrolled(x, xp, xp, period)
    shares = _shared_out(np.where(x != x, 0.0, g), *_located(x, knots), knots)
    return _rolled(shares, xp, period)


interp = op(_interp, _interp_x, _interp_xp, _interp_fp, name="interp")
