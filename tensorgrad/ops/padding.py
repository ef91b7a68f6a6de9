"""Padding in all of NumPy's modes.

Floor: `ops`.  NumPy pads one axis after the other, and the border of an axis runs along the borders
of the axes before it.  So each rule takes the axes off in reverse order: it adds what came in at
the border of an axis to the elements that the border was made of, and cuts the border off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np

from .._typing import Shape
from ..op import Op, op, unbroadcast
from .spacing import way

Widths: TypeAlias = tuple[tuple[int, int], ...]


def _pad(x: Any, *, pad_width: Widths, mode: str, **options: Any) -> Any:
    # NumPy reads the empty tuple, which an array of no axis has, as floats.
    return np.pad(x, pad_width or 0, mode, **options)  # type: ignore[call-overload]


def _slice(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    """Return the index of `start:stop` along a non-negative axis."""
    return (*(slice(None),) * axis, slice(start, stop))


def _padded_axes(shape: Shape, pad_width: Widths) -> Iterator[tuple[int, int, int, int]]:
    """Yield each axis that has a border, last first: its number, its length, before, after."""
    for axis in reversed(range(len(shape))):
        before, after = pad_width[axis]
        if before or after:
            yield axis, shape[axis], before, after


def _crop(g: Any, _out: Any, _x: Any, *_rest: Any, pad_width: Widths, **_: Any) -> Any:
    """Cut the borders off."""
    return g[
        tuple(
            slice(before, before + size)
            for (before, _), size in zip(pad_width, _x.shape, strict=True)
        )
    ]


# --- constant -------------------------------------------------------------------------------------


def _constant(x: Any, values: Any, *, pad_width: Widths) -> Any:
    return _pad(x, pad_width=pad_width, mode="constant", constant_values=values)


def _in_pairs(sums: list[tuple[int, Any, Any]], g: Any, ndim: int, shape: Shape) -> Any:
    """Lay the cotangents of both ends of some axes out as NumPy does values of a shape."""
    if not sums:
        return np.zeros_like(g, shape=shape)
    pairs = [[np.zeros_like(sums[0][1])] * 2 for _ in range(ndim)]
    for axis, before, after in sums:
        pairs[axis] = [before, after]
    laid = np.stack([np.stack(pair) for pair in pairs])
    if math.prod(shape) == 2 and shape != (2, 1):  # a pair for all axes
        return np.reshape(np.sum(laid, axis=0), shape)
    return unbroadcast(laid, shape)


def _constant_values(g: Any, _out: Any, _x: Any, _values: Any, *, pad_width: Widths) -> Any:
    """Sum each border that a value fills."""
    sums = []
    for axis, size, before, _ in _padded_axes(_x.shape, pad_width):
        left = np.sum(g[_slice(axis, 0, before)])
        right = np.sum(g[_slice(axis, before + size, None)])
        sums.append((axis, left, right))
        g = g[_slice(axis, before, before + size)]
    return _in_pairs(sums, g, _x.ndim, _values.shape)


pad = op(_constant, _crop, _constant_values, name="pad")
pad_empty = op(_pad, _crop, name="pad_empty")


# --- copies of elements: edge, reflect, symmetric, wrap -------------------------------------------


def _runs(positions: Any) -> Iterator[tuple[int, int, int]]:
    """Cut positions into runs of equal steps -1, 0 or 1; yield start, stop and step of each."""
    steps = np.diff(positions)
    turns = iter([*(np.flatnonzero(np.diff(steps)) + 1).tolist(), steps.size])
    turn, start = next(turns), 0
    while start < positions.size:
        while turn <= start < steps.size:
            turn = next(turns)
        step = int(steps[start]) if start < steps.size else 1
        stop = turn + 1 if start < steps.size and abs(step) <= 1 else start + 1
        yield start, stop, step
        start = stop


def _add_run(into: Any, part: Any, axis: int, first: int, step: int) -> None:
    """Add to `into`, along an axis, what a run of positions from `first` on took from there."""
    count = part.shape[axis]
    if count > 1 and step == 0:
        part, count = np.sum(part, axis=axis, keepdims=True), 1
    elif count > 1 and step == -1:
        part, first = np.flip(part, axis), first - count + 1
    into[_slice(axis, first, first + count)] += part


def _period(size: int, mode: str) -> int:
    """Return after how many positions the copies repeat themselves."""
    return {"edge": 1, "wrap": size, "symmetric": 2 * size, "reflect": max(2 * size - 2, 1)}[mode]


def _sources(positions: Any, size: int, mode: str) -> Any:
    """Return which element each position, before the first or after the last, is a copy of."""
    if mode == "edge":
        return np.clip(positions, 0, size - 1)
    period = _period(size, mode)
    found = positions % period
    if mode == "wrap":
        return found
    return np.minimum(found, period - found - (mode == "symmetric"))


def _pieces(part: Any, axis: int, first: int, period: int) -> Iterator[tuple[Any, Any]]:
    """Yield the sum over the periods of a border that starts at `first`, and what is left over.

    Each with the positions that it stands for.
    """
    count = part.shape[axis] // period
    if count > 1:
        before, after = part.shape[:axis], part.shape[axis + 1 :]
        whole = part[_slice(axis, 0, count * period)]
        total = np.sum(np.reshape(whole, (*before, count, period, *after)), axis=axis)
        yield total, np.arange(first, first + period)
        part, first = part[_slice(axis, count * period, None)], first + count * period
    yield part, np.arange(first, first + part.shape[axis])


def _odd_weights(g: Any, size: int, widths: tuple[int, int], mode: str) -> tuple[Any, Any, Any]:
    """Return a, b and the sign of `a x[0] + b x[-1] + sign x[i]`, which odd reflection makes.

    The sign is 0 where i is an end.  All three are what NumPy makes of arrays of ones and zeros.
    """
    first, last, inner = (np.zeros_like(g, shape=(size,)) for _ in range(3))
    first[0], inner[1:-1] = 1, 1
    last[-1] = min(size - 1, 1)  # of a single element both ends are the first
    first, last, inner = (
        np.pad(basis, widths, mode, reflect_type="odd")  # type: ignore[call-overload]
        for basis in (first, last, inner)
    )
    return first, last, inner


def _weighted(part: Any, weights: Any, axis: int) -> Any:
    """Multiply along an axis; where the weight is 0 nothing of `part` comes in, not even inf."""
    weights = np.reshape(weights, (-1,) + (1,) * (part.ndim - axis - 1))
    return np.where(weights != 0, part * weights, 0.0)


def _fold_axis(
    g: Any, into: Any, axis: int, size: int, before: int, after: int, mode: str, reflect_type: str
) -> None:
    """Add the borders of one axis of `g` to the elements that they repeat."""
    odd = reflect_type == "odd" and _odd_weights(g, size, (before, after), mode)
    for where in (slice(0, before), slice(before + size, before + size + after)):
        part = g[_slice(axis, where.start, where.stop)]
        if odd:
            *ends, sign = (weights[where] for weights in odd)
            for weights, end in zip(ends, (0, size - 1), strict=True):
                share = np.sum(_weighted(part, weights, axis), axis=axis, keepdims=True)
                into[_slice(axis, end, end + 1)] += share
            part = _weighted(part, sign, axis)
        first = where.start - before
        for piece, positions in _pieces(part, axis, first, _period(size, mode)):
            sources = _sources(positions, size, mode)
            for start, stop, step in _runs(sources):
                run = piece[_slice(axis, start, stop)]
                _add_run(into, run, axis, int(sources[start]), step)


def _fold_copies(
    g: Any, *, shape: Shape, pad_width: Widths, mode: str, reflect_type: str = "even"
) -> Any:
    """Add the borders to the elements that they repeat: the adjoint of padding with copies."""
    copied = False
    for axis, size, before, after in _padded_axes(shape, pad_width):
        into = g[_slice(axis, before, before + size)]
        into, copied = into if copied else np.copy(into), True
        _fold_axis(g, into, axis, size, before, after, mode, reflect_type)
        g = into
    return g


pad_copies = op(
    _pad,
    lambda g, _out, _x, **params: fold_copies(g, shape=_x.shape, **params),
    name="pad_copies",
)
fold_copies: Op = op(
    _fold_copies,
    lambda g, _out, _x, *, pad_width, **mode: pad_copies(
        g, pad_width=pad_width, **{key: mode[key] for key in mode if key != "shape"}
    ),
    name="fold_copies",
)


# --- linear ramps ---------------------------------------------------------------------------------


def _ramp(x: Any, values: Any, *, pad_width: Widths) -> Any:
    return _pad(x, pad_width=pad_width, mode="linear_ramp", end_values=values)


def _slopes(g: Any, width: int, axis: int, mirrored: bool) -> Any:
    """Return the share of the edge in the elements of a border along `axis` of `g`."""
    share = way(g, 0.0, 1.0, width, False)
    share = np.flip(share, 0) if mirrored else share
    return np.reshape(share, (width,) + (1,) * (g.ndim - axis - 1))


def _unramped(g: Any, axis: int, size: int, before: int, after: int) -> Any:
    """Cut the ramps along an axis off, and give the edges their shares."""
    left, right = g[_slice(axis, 0, before)], g[_slice(axis, before + size, None)]
    into = np.copy(g[_slice(axis, before, before + size)])
    for ramp, width, edge, mirrored in ((left, before, 0, False), (right, after, size - 1, True)):
        share = ramp * _slopes(g, width, axis, mirrored)
        into[_slice(axis, edge, edge + 1)] += np.sum(share, axis=axis, keepdims=True)
    return into


def _ramp_rule(g: Any, _out: Any, _x: Any, _values: Any, *, pad_width: Widths) -> Any:
    """The nearer to the edge, the more of it."""
    for axis, *sizes in _padded_axes(_x.shape, pad_width):
        g = _unramped(g, axis, *sizes)
    return g


def _ramp_values(g: Any, _out: Any, _x: Any, _values: Any, *, pad_width: Widths) -> Any:
    """The nearer to the end, the more of the value there."""
    sums = []
    for axis, size, before, after in _padded_axes(_x.shape, pad_width):
        left, right = g[_slice(axis, 0, before)], g[_slice(axis, before + size, None)]
        first = np.sum(left * (1.0 - _slopes(g, before, axis, False)))
        last = np.sum(right * (1.0 - _slopes(g, after, axis, True)))
        sums.append((axis, first, last))
        g = _unramped(g, axis, size, before, after)
    return _in_pairs(sums, g, _x.ndim, _values.shape)


pad_ramp = op(_ramp, _ramp_rule, _ramp_values, name="pad_ramp")


# --- statistics -----------------------------------------------------------------------------------


def _shared(total: Any, chunk: Any, value: Any, axis: int) -> Any:
    """Share `total` among the elements that equal a value; NaN is wherever it stands."""
    chosen = (chunk == value) | (chunk != chunk)
    share = np.divide(1.0, np.sum(chosen, axis=axis, keepdims=True)).astype(chunk.dtype)
    return chosen * (total * share)


def _spread(total: Any, chunk: Any, axis: int, mode: str) -> Any:
    """Give the cotangent of a statistic of `chunk` along an axis to its elements."""
    n = chunk.shape[axis]
    if mode == "mean":
        return total * (1.0 / n)
    if mode == "median":
        # The mean of the two in the middle, which are one and the same for an odd number.
        ordered = np.sort(chunk, axis=axis)
        middle = [ordered[_slice(axis, i, i + 1)] for i in ((n - 1) // 2, n // 2)]
        lower, upper = (_shared(total, chunk, half, axis) for half in middle)
        return (lower + upper) * 0.5
    extreme = np.max if mode == "maximum" else np.min
    return _shared(total, chunk, extreme(chunk, axis=axis, keepdims=True), axis)


def _statistic_rule(
    g: Any, out: Any, _x: Any, *, pad_width: Widths, mode: str, stat_length: Any
) -> Any:
    """Each border along an axis goes to the elements that its statistic was taken of."""
    for axis, size, before, _ in _padded_axes(_x.shape, pad_width):
        # What later axes added is cut off, of the result as of its cotangent.
        rest = tuple(
            slice(pad_width[i][0], pad_width[i][0] + _x.shape[i]) for i in range(axis + 1, _x.ndim)
        )
        lines = out[(*_slice(axis, None, None), *rest)]
        into = np.copy(g[_slice(axis, before, before + size)])
        left, right = _slice(axis, 0, before), _slice(axis, before + size, None)
        lengths = (size, size) if stat_length is None else np.minimum(stat_length[axis], size)
        chunks = [slice(0, lengths[0]), slice(size - lengths[1], size)]
        totals = [np.sum(g[side], axis=axis, keepdims=True) for side in (left, right)]
        if chunks[0] == chunks[1]:  # one statistic for both ends
            chunks, totals = chunks[:1], [totals[0] + totals[1]]
        inner = lines[_slice(axis, before, before + size)]
        for place, total in zip(chunks, totals, strict=True):
            where = _slice(axis, place.start, place.stop)
            if place.start < place.stop:
                into[where] += _spread(total, inner[where], axis, mode)
        g = into
    return g


pad_statistic = op(_pad, _statistic_rule, name="pad_statistic")

PADS: Final[dict[str, Op]] = {
    "constant": pad,
    "empty": pad_empty,
    "edge": pad_copies,
    "reflect": pad_copies,
    "symmetric": pad_copies,
    "wrap": pad_copies,
    "linear_ramp": pad_ramp,
    "maximum": pad_statistic,
    "mean": pad_statistic,
    "median": pad_statistic,
    "minimum": pad_statistic,
}
"""The op of each mode."""
