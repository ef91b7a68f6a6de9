"""Statistics with a weight for each element.

Floor: `ops`.  The weights are of the shape of the array, or of the sizes of the axes reduced.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Axis
from ..op import op, unbroadcast
from .pick import put_extremum
from .quantile import quantile_forward
from .reduce import full, over_axis


def aligned(weights: Any, ndim: int, shape: tuple[int, ...], axis: Axis) -> Any:
    """Give weights that belong to some axes size 1 along the others, and the order of the array."""
    if weights.shape == shape or axis is None:
        return weights
    axes = [int(a) % ndim for a in np.atleast_1d(axis)]
    turned = np.transpose(weights, sorted(range(len(axes)), key=axes.__getitem__))
    return np.reshape(turned, [shape[a] if a in axes else 1 for a in range(ndim)])


def _average(a: Any, weights: Any, *, axis: Axis, keepdims: bool) -> Any:
    kept: Any = keepdims
    return np.average(a, axis, weights, keepdims=kept)


def _average_rule(g: Any, _out: Any, _a: Any, weights: Any, *, axis: Axis, keepdims: bool) -> Any:
    """`w / sum(w)`."""
    weights = aligned(weights, _a.ndim, _a.shape, axis)
    total = np.sum(weights, axis=axis, keepdims=True)
    return full(g, _a.ndim, axis, keepdims) * (weights / total)


def _weights_rule(g: Any, out: Any, a: Any, weights: Any, *, axis: Any, keepdims: bool) -> Any:
    """`(a - average) / sum(w)`."""
    along = aligned(weights, a.ndim, a.shape, axis)
    g, out = (full(z, a.ndim, axis, keepdims) for z in (g, out))
    slope = g * ((a - out) / np.sum(along, axis=axis, keepdims=True))
    if weights.shape == a.shape:
        return slope
    axes = [int(z) % a.ndim for z in np.atleast_1d(axis)]
    summed = np.reshape(unbroadcast(slope, along.shape), [a.shape[z] for z in sorted(axes)])
    ranks = [sorted(axes).index(z) for z in axes]
    return np.transpose(summed, ranks)


average = op(_average, _average_rule, _weights_rule, name="average", groups=over_axis)


def _weighted_quantile(x: Any, q: Any, weights: Any, **params: Any) -> Any:
    return quantile_forward(x, q, weights=weights, **params)


def _weighted_quantile_rule(
    g: Any, out: Any, x: Any, _q: Any, weights: Any, *, axis: Axis, skip_nan: bool, **_: Any
) -> Any:
    """The element that is the quantile; equal ones share, if they have a weight."""
    weighty = aligned(weights, x.ndim, x.shape, axis) > 0
    kept = np.sum(np.zeros_like(x), axis=axis, keepdims=True).shape
    each = (-1, *kept) if out.size else (0, *kept)
    shares = [
        put_extremum(one, x, value, weighty, axis=axis, keep_nan=not skip_nan)
        for one, value in zip(np.reshape(g, each), np.reshape(out, each), strict=True)
    ]
    return np.sum(np.stack(shares), axis=0) if shares else np.zeros_like(x)


weighted_quantile = op(
    _weighted_quantile,
    _weighted_quantile_rule,
    lambda _g, _out, _x, q, _weights, **_: np.zeros_like(q),
    lambda _g, _out, _x, _q, weights, **_: np.zeros_like(weights),
    name="weighted quantile",
)
