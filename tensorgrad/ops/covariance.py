"""The covariance of the rows of a table, whose columns may have weights.

Floor: `ops`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import conjugate, op


def _cov(x: Any, *weights: Any, kinds: tuple[str, ...], ddof: int) -> Any:
    return np.cov(x, ddof=ddof, dtype=x.dtype, **dict(zip(kinds, weights, strict=True)))


def _weights(x: Any, weights: tuple[Any, ...]) -> Any:
    """Return the weight of each column."""
    return math.prod(weights) if weights else np.ones_like(x[0])


def _divisor(weight: Any, weights: tuple[Any, ...], kinds: tuple[str, ...], ddof: int) -> Any:
    """`sum(w) - ddof sum(w a) / sum(w)`, where `a` are the analytic weights; 0 if negative."""
    total = np.sum(weight)
    if ddof and "aweights" in kinds:
        total = total - ddof * np.sum(weight * weights[-1]) / total
    else:
        total = total - ddof
    return np.where(total > 0, total, 0.0)


def _products(g: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    """Return `x - mean`, and half of `g` times its derivative by the products of deviations."""
    g = np.reshape(g, (x.shape[0], x.shape[0]))
    mean = np.sum(x * weight, axis=1, keepdims=True) / np.sum(weight)
    deviation = x - mean
    return deviation, np.matmul(g, conjugate(deviation))


def _cov_rule(g: Any, _out: Any, x: Any, *weights: Any, kinds: tuple[str, ...], ddof: int) -> Any:
    """`(G + Gᴴ) conj(x - mean) w / n`: that the mean moves changes nothing."""
    weight = _weights(x, weights)
    g = np.reshape(g, (x.shape[0], x.shape[0]))
    _, slope = _products(g + conjugate(g.T), x, weight)
    return slope * (weight / _divisor(weight, weights, kinds, ddof))


def _aweights_rule(
    g: Any, out: Any, x: Any, *weights: Any, kinds: tuple[str, ...], ddof: int
) -> Any:
    """The share of a column in the sum of products, and in the divisor n that they have."""
    weight, frequency = _weights(x, weights), _weights(x, weights[:-1])
    n = _divisor(weight, weights, kinds, ddof)
    deviation, slope = _products(g, x, weight)
    n_slope = frequency
    if ddof:
        total, squares = np.sum(weight), np.sum(weight * weights[-1])
        n_slope = frequency - ddof * (2.0 * weight / total - squares / np.square(total) * frequency)
    return frequency * np.sum(deviation * slope, axis=0) / n - np.sum(g * out) / n * n_slope


# The second has the analytic weights alone; frequencies are whole numbers, and have no gradient.
cov = op(_cov, _cov_rule, None, _aweights_rule, name="cov")
cov_aweights = op(_cov, _cov_rule, _aweights_rule, name="cov")
