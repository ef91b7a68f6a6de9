"""Histograms: counts are integers, weights have gradients, and so have the edges of the bins.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain, records
from ..ops import histogram as histograms
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient

_range = range  # which NumPy takes as the name of a parameter

no_gradient(np.digitize)


@implements(np.bincount)
def bincount(x: ArrayLike, /, weights: ArrayLike = None, minlength: int = 0) -> Any:
    """Count how often each number occurs, or sum the weights of each."""
    x = plain(x)
    if weights is None:
        return np.bincount(x, minlength=minlength)
    return apply(histograms.bincount, x, weights, minlength=minlength)


def _edges(a: Tensor, bins: Any, range: Any, weights: Any = None, points: bool = False) -> Any:
    """Return the edges of the bins, which move with the smallest and the largest number."""
    if records(range):
        raise TypeError(
            "the range of a histogram records, and its gradient would be lost: give the edges "
            "themselves as bins=, for example np.linspace(low, high, 11), or pass range detached"
        )
    if np.ndim(bins) == 1:
        return as_tensor(bins)
    if isinstance(bins, str) and weights is not None:
        np.histogram_bin_edges(plain(a), bins, range, plain(weights))  # NumPy says that it cannot
    return apply(histograms.bin_edges, a, bins=bins, range=plain(range), points=points)


@implements(np.histogram_bin_edges)
def histogram_bin_edges(
    a: ArrayLike, bins: Any = 10, range: Any = None, weights: ArrayLike = None
) -> Any:
    """Return the edges of the bins that `histogram` would use."""
    return _edges(as_tensor(a), bins, range, weights)


@implements(np.histogram)
def histogram(
    a: ArrayLike,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: ArrayLike = None,
) -> tuple[Any, Tensor]:
    """Count the numbers in each bin, or sum their weights; return the edges as well."""
    tensor = as_tensor(a)
    edges = _edges(tensor, bins, range, weights)
    count: Any
    if weights is None:
        count = np.histogram(plain(tensor), plain(bins), plain(range))[0]
    else:
        even = None if np.ndim(bins) == 1 else bins
        flat = as_tensor(weights)
        if flat.shape != tensor.shape:
            raise ValueError("weights should have the same shape as a.")
        count = apply(
            histograms.histogram,
            tensor.reshape(-1),
            flat.reshape(-1),
            edges,
            bins=even,
            range=plain(range),
        )
    if density:
        count = count / np.diff(edges).astype(np.float64) / count.sum()
    return count, edges


def _points(sample: Any) -> Tensor:
    """Return points as the rows of a table, also where their coordinates come one by one."""
    if isinstance(sample, (list, tuple)):
        sample = np.stack([as_tensor(column) for column in sample], axis=-1)
    points = as_tensor(sample)
    return points.reshape(-1, 1) if points.ndim < 2 else points


@implements(np.histogramdd)
def histogramdd(
    sample: ArrayLike,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: ArrayLike = None,
) -> tuple[Any, list[Any]]:
    """Count the points in each box, or sum their weights; return the edges as well."""
    points = _points(sample)
    _, dimensions = points.shape
    each = list(bins) if hasattr(bins, "__len__") else [bins] * dimensions
    if len(each) != dimensions:
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    ranges = [None] * dimensions if range is None else range
    if len(ranges) != dimensions:
        raise ValueError("range argument must have one entry per dimension")
    edges = [_edges(points[:, i], each[i], ranges[i], points=True) for i in _range(dimensions)]
    count: Any
    if weights is None:
        count = np.histogramdd(plain(points), plain(edges))[0]
    else:
        count = apply(histograms.histogramdd, points, weights, *edges)
    if density:
        total = count.sum()
        for i, edge in enumerate(edges):
            width = np.diff(edge)
            count = count / width.reshape([-1 if i == j else 1 for j in _range(dimensions)])
        count = count / total
    return count, edges


@implements(np.histogram2d)
def histogram2d(
    x: ArrayLike,
    y: ArrayLike,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: ArrayLike = None,
) -> tuple[Any, Any, Any]:
    """Count the points in each box of the plane."""
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    if hasattr(bins, "__len__") and len(bins) not in (1, 2):
        bins = [bins, bins]
    count, edges = histogramdd([x, y], bins, range, density, weights)
    return count, edges[0], edges[1]
