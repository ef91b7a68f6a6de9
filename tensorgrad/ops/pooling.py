"""Pooling: the largest element of each window, and the mean, which is `windows.sum_windows`.

Floor: `ops`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import op, zeros
from .pick import pair
from .windows import Window


def _max_pool(x: Any, *, window: Window) -> Any:
    """Padding is never the largest; NaN always is."""
    shape = (*x.shape[: -len(window.size)], *window.count)
    largest: Any = np.full_like(x, -np.inf, shape=shape)
    for _, where, place in window.positions:
        key = (..., *place)
        largest[key] = np.maximum(largest[key], x[(..., *where)])
    return largest


def _hits(x: Any, largest: Any, window: Window) -> list[tuple[Any, Any, Any]]:
    """Tell for each position in a window where its elements are the largest; with both indices."""
    found = []
    for _, where, place in window.positions:
        part = x[(..., *where)]
        hit = (part == largest[(..., *place)]) | (part != part)
        found.append((hit, (..., *where), (..., *place)))
    return found


def _count(hits: list[tuple[Any, Any, Any]], largest: Any, window: Window) -> Any:
    """Count the largest elements of each window, in the smallest integers that can."""
    count = zeros(largest.shape, np.min_scalar_type(math.prod(window.kernel)), largest)
    for hit, _, place in hits:
        count[place] += hit
    return np.maximum(count, 1)


def _put(g: Any, x: Any, largest: Any, *, window: Window) -> Any:
    """Give `g` in equal shares to the largest elements of each window (cases 14 and 16)."""
    hits = _hits(x, largest, window)
    share = (g / _count(hits, largest, window)).astype(g.dtype)
    result = zeros(x.shape, g.dtype, g)
    for hit, where, place in hits:
        result[where] += np.where(hit, share[place], 0.0)
    return result


def _take(y: Any, x: Any, largest: Any, *, window: Window) -> Any:
    """Average `y` over the places of the largest elements: the transpose."""
    hits = _hits(x, largest, window)
    total = zeros(largest.shape, y.dtype, y)
    for hit, where, place in hits:
        total[place] += np.where(hit, y[where], 0.0)
    return (total / _count(hits, largest, window)).astype(y.dtype)


take_largest, put_largest = pair("largest in windows", _take, _put)
max_pool = op(
    _max_pool,
    lambda g, out, x, *, window: put_largest(g, x, out, window=window),
    name="max_pool",
)
