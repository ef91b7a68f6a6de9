"""Quantiles and medians: averages of two neighbours in the order of size.

Floor: `ops`.  A quantile is `W(x, q) x`, with at most two weights in a row of W: linear in x while
the order stays, and piecewise linear in q.  So `weighted_take` and `weighted_put` are W and its
transpose, for `slope=1` with the derivatives of the weights by q, and each other's derivatives.
Their `axis` is a tuple of non-negative ints.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from .._typing import Axis, Shape
from ..op import op, zeros
from .shape import inverse

Axes: TypeAlias = tuple[int, ...]

# --- where a quantile lies ------------------------------------------------------------------------

# The place among n elements, from 0, is `n q + alpha + q (1 - alpha - beta) - 1`: Hyndman and Fan,
# "Sample quantiles in statistical packages", American Statistician 50 (1996).
_CONTINUOUS: Final = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1.0 / 3.0, 1.0 / 3.0),
    "normal_unbiased": (3.0 / 8.0, 3.0 / 8.0),
}


def _midpoint(_nq: Any, nq_less_q: Any) -> Any:
    """Between two elements, unless at one."""
    return 0.5 * (np.floor(nq_less_q) + np.ceil(nq_less_q))


def _averaged(nq: Any, _nq_less_q: Any) -> Any:
    """Between two elements where n q is whole, else at the upper one."""
    return np.where(nq == np.floor(nq), nq - 0.5, np.ceil(nq - 1.0))


def _closest(nq: Any, _nq_less_q: Any) -> Any:
    """Round `n q - 1`, from the middle between two to the one whose place is odd."""
    lower = np.floor(nq - 1.5)
    tie = (nq - 1.5 == lower) & (np.mod(lower, 2.0) == 1.0)
    return np.where(tie, lower, lower + 1.0)


# Of `n q` and `(n - 1) q`, in the dtype of q, as NumPy computes them.
_IN_STEPS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lower": lambda _nq, nq_less_q: np.floor(nq_less_q),
    "higher": lambda _nq, nq_less_q: np.ceil(nq_less_q),
    "nearest": lambda _nq, nq_less_q: np.rint(nq_less_q),
    "midpoint": _midpoint,
    "inverted_cdf": lambda nq, _nq_less_q: np.ceil(nq - 1.0),
    "averaged_inverted_cdf": _averaged,
    "closest_observation": _closest,
}


def _place(n: Any, q: Any, method: str) -> tuple[Any, Any]:
    """Return the place of a quantile among n elements, and the derivative of the place by q."""
    nq, nq_less_q = n.astype(q.dtype) * q, (n - 1).astype(q.dtype) * q
    if method in _IN_STEPS:
        place = _IN_STEPS[method](nq, nq_less_q)
        speed = np.zeros_like(place)
    else:
        alpha, beta = _CONTINUOUS[method]
        linear = method == "linear"
        place = nq_less_q if linear else nq + (alpha + q * (1.0 - alpha - beta)) - 1.0
        speed = np.where((place < 0) | (place > n - 1), 0.0, n + (1.0 - alpha - beta))
    return np.clip(place, 0, n - 1).astype(np.float64), speed


# --- the weights ----------------------------------------------------------------------------------


def _rows(x: Any, axis: Axes) -> Any:
    """Lay the elements of each quantile side by side, along the last axis."""
    rest = [a for a in range(x.ndim) if a not in axis]
    turned = np.transpose(x, [*rest, *axis])
    size = math.prod(x.shape[a] for a in axis)
    return np.reshape(turned, (*turned.shape[: len(rest)], size))


def _from_rows(rows: Any, shape: Shape, axis: Axes) -> Any:
    """Undo `_rows`."""
    order = [*(a for a in range(len(shape)) if a not in axis), *axis]
    return np.transpose(np.reshape(rows, [shape[a] for a in order]), inverse(order, len(shape)))


def _neighbours(
    rows: Any, q: Any, method: str, skip_nan: bool, slope: int
) -> list[tuple[Any, Any]]:
    """Return, for the lower and the upper neighbour, its place in each row and its weight.

    Both are of shape (q.size, *rows.shape[:-1]).  A NaN in a row is its quantile, unless skipped.
    Where the quantile is one of the elements, its slope by q is the one to the right.
    """
    size = rows.shape[-1]
    n = np.sum(rows == rows, axis=-1)
    counted = np.maximum(n, 1) if skip_nan else np.full_like(n, size)
    place, speed = _place(counted, np.reshape(q, (-1, *(1,) * n.ndim)), method)
    lower = np.clip(np.floor(place), 0, np.maximum(counted - 2, 0)).astype(np.intp)
    upper = np.minimum(lower + 1, counted - 1)
    wanted = np.unique(np.append(np.stack([lower, upper]), size - 1))
    # To find a few places takes one pass; many, as where rows have NaN, cost more than to sort.
    few = wanted.size <= 8
    order = np.argpartition(rows, wanted, axis=-1) if few else np.argsort(rows, axis=-1)
    weight = place - lower
    shares = (-speed, speed) if slope else (1.0 - weight, weight)
    pairs = []
    for at, share in zip((lower, upper), shares, strict=True):
        found = np.take_along_axis(order[None], at[..., None], -1)[..., 0]
        if skip_nan:
            share = np.where(n == 0, 0.0, share)
        else:
            found = np.where(n == size, found, order[..., -1])
            share = np.where(n == size, share, 0.0 if slope else 0.5)
        pairs.append((found, share))
    return pairs


def _weighted_take(y: Any, x: Any, q: Any, *, axis: Axes, slope: int, **how: Any) -> Any:
    """Average `y` over the neighbours of each quantile of `x`; of shape (q.size, *rest)."""
    rows = _rows(y, axis)[None]
    parts = [
        np.take_along_axis(rows, at[..., None], -1)[..., 0] * share
        for at, share in _neighbours(_rows(x, axis), q, slope=slope, **how)
    ]
    return (parts[0] + parts[1]).astype(y.dtype)


def _weighted_put(g: Any, x: Any, q: Any, *, axis: Axes, slope: int, **how: Any) -> Any:
    """Give the cotangent of each quantile to its neighbours, by their weights."""
    rows = _rows(x, axis)
    result = zeros(rows.shape, g.dtype, g)
    for places, share in _neighbours(rows, q, slope=slope, **how) if x.size else ():
        for at, part in zip(places[..., None], (g * share)[..., None], strict=True):
            so_far = np.take_along_axis(result, at, -1)
            np.put_along_axis(result, at, so_far + part.astype(g.dtype), -1)
    return _from_rows(result, x.shape, axis)


def _by_q(g: Any, y: Any, x: Any, q: Any, *, slope: int, **how: Any) -> Any:
    """The slope of the weights by q, which has no slope itself."""
    if slope:
        return np.zeros_like(q)
    by_each = g * weighted_take(y, x, q, slope=1, **how)
    return np.reshape(np.sum(by_each, axis=tuple(range(1, g.ndim))), q.shape)


def _take_by_y(g: Any, _out: Any, _y: Any, x: Any, q: Any, **params: Any) -> Any:
    """The transpose."""
    return weighted_put(g, x, q, **params)


def _take_by_q(g: Any, _out: Any, y: Any, x: Any, q: Any, **params: Any) -> Any:
    """See `_by_q`."""
    return _by_q(g, y, x, q, **params)


def _put_by_g(g: Any, _out: Any, _g: Any, x: Any, q: Any, **params: Any) -> Any:
    """The transpose of the transpose."""
    return weighted_take(g, x, q, **params)


def _put_by_q(g: Any, _out: Any, g_before: Any, x: Any, q: Any, **params: Any) -> Any:
    """As for the transpose, with the cotangents in each other's places."""
    return _by_q(g_before, g, x, q, **params)


weighted_take = op(_weighted_take, _take_by_y, None, _take_by_q, name="weighted take")
weighted_put = op(_weighted_put, _put_by_g, None, _put_by_q, name="weighted put")


# --- quantiles ------------------------------------------------------------------------------------


def _places(q: Any, percent: bool, like: Any) -> Any:
    """Return q as an array between 0 and 1; a Python number has no dtype of its own."""
    if isinstance(q, (int, float)):
        q = zeros((), np.float64, like) + q
    return q / 100.0 if percent else q


def _how(x: Any, axis: Axis, method: str, skip_nan: bool) -> dict[str, Any]:
    """Return the static parameters of the derivative."""
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis).tolist()
    positive = tuple(sorted(a % x.ndim for a in axes))
    return {"axis": positive, "method": method, "skip_nan": skip_nan, "slope": 0}


def _by_quantile(g: Any, x: Any, q: Any, axis: Axes) -> Any:
    """Bring the cotangent to the shape (q.size, *rest)."""
    return np.reshape(g, (q.size, *(size for a, size in enumerate(x.shape) if a not in axis)))


def _quantile_by_x(
    g: Any,
    _out: Any,
    x: Any,
    q: Any,
    *,
    axis: Axis,
    method: str = "linear",
    skip_nan: bool,
    percent: bool = False,
    **_: Any,
) -> Any:
    """The weights that the elements have in the quantile (case 17)."""
    q, how = _places(q, percent, g), _how(x, axis, method, skip_nan)
    return weighted_put(_by_quantile(g, x, q, how["axis"]), x, q, **how)


def _quantile_by_q(
    g: Any,
    _out: Any,
    x: Any,
    q: Any,
    *,
    axis: Axis,
    method: str,
    skip_nan: bool,
    percent: bool,
    **_: Any,
) -> Any:
    """What lies between the neighbours, times how fast the place moves."""
    q, how = _places(q, percent, g), _how(x, axis, method, skip_nan)
    by_q = _by_q(_by_quantile(g, x, q, how["axis"]), x, x, q, **how)
    return by_q / 100.0 if percent else by_q


_QUANTILES: Final = {
    (False, False): np.quantile,
    (False, True): np.percentile,
    (True, False): np.nanquantile,
    (True, True): np.nanpercentile,
}
"""By whether NaN is skipped, and whether q is in percent."""


def quantile_forward(x: Any, q: Any, *, skip_nan: bool, percent: bool, **params: Any) -> Any:
    """Call the function of NumPy that is meant."""
    return _QUANTILES[skip_nan, percent](x, q, **params)


def _median(x: Any, *, skip_nan: bool, **params: Any) -> Any:
    return (np.nanmedian if skip_nan else np.median)(x, **params)


def _median_rule(g: Any, out: Any, x: Any, **params: Any) -> Any:
    """The quantile in the middle."""
    return _quantile_by_x(g, out, x, 0.5, **params)


quantile = op(quantile_forward, _quantile_by_x, _quantile_by_q, name="quantile")
median = op(_median, _median_rule, name="median")
