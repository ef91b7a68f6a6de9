"""Norms of vectors, and what the condition number needs.

Floor: `ops`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._typing import Axis
from ..op import conjugate, op
from .reduce import over_axis


def _slope(x: Any, length: Any, *, p: float) -> Any:
    """Return `(x / length)**(p - 1)`, and 0 where the length is 0 (case 10)."""
    ratio = x / np.where(length == 0, math.inf, length)
    return ratio if p == 2 else np.power(ratio, p - 1)


def _undefined(length: Any) -> Any:
    """Return 1, and NaN where the length is 0: there a norm has no second derivative (case 39)."""
    return np.where(length == 0, math.nan, 1.0).astype(length.dtype)


def _slope_by_x(g: Any, _out: Any, x: Any, length: Any, *, p: float) -> Any:
    """`(p - 1) (x / length)**(p - 2) / length`."""
    inverse = _undefined(length) / length
    return g * ((p - 1) * inverse if p == 2 else (p - 1) * np.power(x * inverse, p - 2) * inverse)


def _slope_by_length(g: Any, out: Any, _x: Any, length: Any, *, p: float) -> Any:
    """`(1 - p) out / length`."""
    return g * ((1 - p) * out * (_undefined(length) / length))


slope = op(_slope, _slope_by_x, _slope_by_length, name="slope of a norm", elementwise=True)


def _norm_rule(g: Any, out: Any, x: Any, *, ord: Any, axis: Axis, keepdims: bool) -> Any:
    """`(x / norm)**(p - 1)`, of an x that is not negative unless p is 2."""
    if not keepdims and axis is not None:
        g, out = np.expand_dims(g, axis), np.expand_dims(out, axis)
    p = 2.0 if ord is None or isinstance(ord, str) else float(ord)
    return g * slope(conjugate(x), out, p=p)


# The norm of Frobenius, and those of vectors of which a power is summed.
norm = op(
    lambda x, **options: np.linalg.norm(x, **options),
    _norm_rule,
    name="norm",
    groups=over_axis,
)
# How many elements are not 0.
count = op(
    lambda x, *, axis, keepdims: np.linalg.norm(x, 0, axis, keepdims),
    lambda g, _out, _x, **_: np.zeros_like(g, shape=_x.shape),
    name="norm",
)


def _infinite(number: Any, x: Any) -> Any:
    """Return inf in place of a NaN that does not come of one in the matrix."""
    lost = np.isnan(number) & ~np.any(np.isnan(x), axis=(-2, -1))
    return np.where(lost, math.inf, number).astype(number.dtype)


# The end of a condition number: a matrix that has no inverse has an infinite one.
infinite = op(_infinite, lambda g, _out, _number, _x: g, None, name="condition")
