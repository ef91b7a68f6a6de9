"""Reductions over axes, and the normalising functions built like them.

Floor: `ops`.  All take `axis` (int, tuple, None, negative) and, but for softmax, `keepdims`, as
static parameters.  `groups=over_axis` tells the engine which elements depend on each other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._typing import Axis, Shape
from ..op import op


def over_axis(*, axis: Axis, **_params: Any) -> Axis:
    """Return the axes that a reduction joins."""
    return axis


def _restored(g: Any, axis: Axis, keepdims: bool) -> Any:
    """Give back to `g` the axes that the reduction removed, with size 1."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def _count(shape: Shape, g: Any) -> int:
    """Return how many elements went into each result; 1 in place of 0."""
    size = math.prod(shape)
    return size // g.size if size else 1


def _sum_rule(g: Any, _out: Any, _x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """Every element gets the cotangent of its sum."""
    return np.broadcast_to(_restored(g, axis, keepdims), _x.shape)


def _mean_rule(g: Any, _out: Any, _x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """As for sum, over n.  `1.0 / n` first: n itself may overflow float16 (case 69)."""
    return np.broadcast_to(_restored(g * (1.0 / _count(_x.shape, g)), axis, keepdims), _x.shape)


def _extremum_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """Equal extrema share the cotangent; a NaN is the extremum wherever it stands.

    Giving all of it to each made training diverge (cases 14 to 16).  The share is computed in
    float64, since a count of 70,000 has no float16.
    """
    chosen = (x == _restored(out, axis, keepdims)) | (x != x)
    share = np.divide(1.0, np.sum(chosen, axis=axis, keepdims=True)).astype(g.dtype)
    return chosen * (_restored(g, axis, keepdims) * share)


def _deviation(x: Any, axis: Axis) -> Any:
    return x - np.mean(x, axis=axis, keepdims=True)


def _freedom(shape: Shape, g: Any, ddof: float) -> float:
    """Return `1 / (n - ddof)`, NaN where NumPy's own value is NaN."""
    n = _count(shape, g) - ddof
    return 1.0 / n if n > 0 else float("nan")


def _var_rule(g: Any, _out: Any, x: Any, *, axis: Axis, keepdims: bool, ddof: float) -> Any:
    """`2 (x - mean) / (n - ddof)`."""
    scale = 2.0 * _freedom(x.shape, g, ddof)
    return _restored(g * scale, axis, keepdims) * _deviation(x, axis)


def _std_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool, ddof: float) -> Any:
    """`(x - mean) / (n - ddof) / std`, and 0 where all are equal (case 32).

    The rounding of the mean of equal numbers may leave a deviation, and a std of the same size.
    """
    per_unit = g * _freedom(x.shape, g, ddof) / (out + (out == 0))
    varied = _restored(per_unit, axis, keepdims) * _deviation(x, axis)
    if not x.size:
        return varied
    largest, least = np.max(x, axis=axis, keepdims=True), np.min(x, axis=axis, keepdims=True)
    return varied * (largest != least)


def _product_before(x: Any) -> Any:
    """Return, along the last axis, the product of the elements before each.

    A scan by doubling: log2(n) multiplications of whole arrays, no division, so that zeros need
    no special case in any order of derivative.
    """
    done = np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], axis=-1)
    step = 1
    while step < x.shape[-1]:
        done = np.concatenate([done[..., :step], done[..., step:] * done[..., :-step]], axis=-1)
        step *= 2
    return done


def _prod_rule(g: Any, _out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """The product of all the other elements, also where some are zero (case 30)."""
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
    reduced = sorted(int(a) % x.ndim for a in axes)
    order = [a for a in range(x.ndim) if a not in reduced] + reduced
    turned = np.transpose(x, order)
    rows = turned.shape[: x.ndim - len(reduced)]
    flat = np.reshape(turned, (*rows, math.prod(x.shape[a] for a in reduced)))
    others = _product_before(flat) * np.flip(_product_before(np.flip(flat, -1)), -1)
    back = sorted(range(x.ndim), key=order.__getitem__)
    others = np.transpose(np.reshape(others, turned.shape), back)
    return _restored(g, axis, keepdims) * others


# The methods do what NumPy's functions of these names do, a microsecond sooner.
sum = op(lambda x, **params: x.sum(**params), _sum_rule, name="sum", groups=over_axis)
mean = op(lambda x, **params: x.mean(**params), _mean_rule, name="mean", groups=over_axis)
max = op(
    lambda x, **params: x.max(**params),
    _extremum_rule,
    name="max",
    groups=over_axis,
    selects=True,
)
min = op(
    lambda x, **params: x.min(**params),
    _extremum_rule,
    name="min",
    groups=over_axis,
    selects=True,
)
var = op(lambda x, **params: x.var(**params), _var_rule, name="var", groups=over_axis)
std = op(lambda x, **params: x.std(**params), _std_rule, name="std", groups=over_axis)
prod = op(lambda x, **params: x.prod(**params), _prod_rule, name="prod", groups=over_axis)


def _logsumexp(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """Shift by the maximum, so that exp cannot overflow; by 0 where that is infinite."""
    largest = np.max(x, axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):  # log(0) is the answer where all are -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return out if keepdims else np.squeeze(out, axis)


def _logsumexp_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """The softmax; where all are -inf, exp(-inf - 0) = 0 (case 26)."""
    total = _restored(np.where(out == -np.inf, 0.0, out), axis, keepdims)
    return _restored(g, axis, keepdims) * np.exp(x - total)


def _softmax(x: Any, *, axis: Axis) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _softmax_rule(g: Any, out: Any, _x: Any, *, axis: Axis) -> Any:
    """`s (g - sum(g s))`."""
    return out * (g - np.sum(g * out, axis=axis, keepdims=True))


def _log_softmax(x: Any, *, axis: Axis) -> Any:
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_rule(g: Any, out: Any, _x: Any, *, axis: Axis) -> Any:
    """`g - exp(out) sum(g)`."""
    return g - np.exp(out) * np.sum(g, axis=axis, keepdims=True)


logsumexp = op(_logsumexp, _logsumexp_rule, name="logsumexp", groups=over_axis)
softmax = op(_softmax, _softmax_rule, name="softmax", groups=over_axis)
log_softmax = op(_log_softmax, _log_softmax_rule, name="log_softmax", groups=over_axis)
