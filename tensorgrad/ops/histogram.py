"""Counting with weights: bincount and the histograms.

Floor: `ops`.  The result is linear in the weights and constant, in pieces, in what is counted; the
edges of the bins move with the smallest and the largest number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from .pick import put_extremum

bincount = op(
    lambda x, weights, *, minlength: np.bincount(x, weights, minlength),
    None,
    lambda g, _out, x, _weights, **_: g[x],
    name="bincount",
)


# --- edges ----------------------------------------------------------------------------------------


def _bin_edges(x: Any, *, bins: Any, range: Any, points: bool) -> Any:
    """The edges for numbers, or for a coordinate of points, where a range is of another dtype."""
    if points:
        return np.histogramdd(np.expand_dims(x, -1), [bins], [range])[1][0]
    return np.histogram_bin_edges(x, bins, range)


def _bin_edges_rule(g: Any, _out: Any, x: Any, *, range: Any, **_: Any) -> Any:
    """The edges divide what is between the smallest and the largest number, unless that is given.

    Where all numbers are equal, NumPy takes a half away on either side.
    """
    if range is not None or not x.size:
        return np.zeros_like(x)
    share = (np.cumsum(np.ones_like(g)) - 1.0) * (1.0 / (g.size - 1))
    ends = []
    for part, end in ((g * (1.0 - share), np.min), (g * share, np.max)):
        total = np.reshape(np.sum(part), (1,) * x.ndim)
        extremum = end(x, axis=None, keepdims=True)
        ends.append(put_extremum(total, x, extremum, True, axis=None, keep_nan=True))
    return ends[0] + ends[1]


bin_edges = op(_bin_edges, _bin_edges_rule, name="histogram bin edges")

# --- histograms -----------------------------------------------------------------------------------


def _bin_of(x: Any, edges: Any) -> tuple[Any, Any]:
    """Return the bin of each number, the last one closed, and whether there is one."""
    count = edges.size - 1
    place = np.searchsorted(edges, x, side="right") - 1
    place = np.where(x == edges[-1], count - 1, place)
    return np.clip(place, 0, count - 1), (place >= 0) & (place < count)


def _histogram(x: Any, weights: Any, edges: Any, *, bins: Any, range: Any) -> Any:
    """Count in bins of equal width, which NumPy does in another way, or between the edges."""
    return np.histogram(x, edges if bins is None else bins, range, weights=weights)[0]


def _histogram_rule(g: Any, _out: Any, x: Any, _weights: Any, edges: Any, **_: Any) -> Any:
    """Each weight is in one bin, or in none."""
    place, inside = _bin_of(x, edges)
    return np.where(inside, g[place], 0.0)


histogram = op(
    _histogram,
    lambda _g, _out, x, _weights, _edges, **_: np.zeros_like(x),
    _histogram_rule,
    name="histogram",
)


def _histogramdd(sample: Any, weights: Any, *edges: Any) -> Any:
    return np.histogramdd(sample, edges, weights=weights)[0]


def _histogramdd_rule(g: Any, _out: Any, sample: Any, _weights: Any, *edges: Any) -> Any:
    """As for one dimension."""
    found = [_bin_of(sample[:, i], edge) for i, edge in enumerate(edges)]
    inside = np.stack([there for _, there in found])
    return np.where(np.all(inside, axis=0), g[tuple(place for place, _ in found)], 0.0)


histogramdd = op(
    _histogramdd,
    lambda _g, _out, sample, *_rest: np.zeros_like(sample),
    _histogramdd_rule,
    name="histogramdd",
)
