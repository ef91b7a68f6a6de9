"""Elementwise operations: arithmetic, exponentials, trigonometry, selection.

Floor: `ops`.  Sorted from simple to tricky; the law of rules is in the package's docstring.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..op import conjugate, op
from .activations import sigmoid

# --- arithmetic -----------------------------------------------------------------------------------
# The operators give the bits of np.add and its like, and are ten times faster on NumPy scalars:
# that is what makes a scalar expression cost what it costs in pure Python.

add = op(
    operator.add,
    lambda g, _out, _x, _y: g,
    lambda g, _out, _x, _y: g,
    symbol="+",
    elementwise=True,
)
subtract = op(
    operator.sub,
    lambda g, _out, _x, _y: g,
    lambda g, _out, _x, _y: -g,
    name="subtract",
    symbol="-",
    elementwise=True,
)
multiply = op(
    operator.mul,
    lambda g, _out, _x, y: g * y,
    lambda g, _out, x, _y: g * x,
    name="multiply",
    symbol="*",
    elementwise=True,
)
divide = op(
    operator.truediv,
    lambda g, _out, _x, y: g / y,
    lambda g, out, _x, y: -g * out / y,
    name="divide",
    symbol="/",
    elementwise=True,
)
positive = op(np.positive, lambda g, _out, _x: g, symbol="+", elementwise=True)
negative = op(operator.neg, lambda g, _out, _x: -g, name="negative", symbol="-", elementwise=True)


def _power_base(g: Any, x: Any, y: Any, power: Any) -> Any:
    """`y x**(y-1)`; where y is 0 the exponent stays 0, so that x = 0 gives 0 and not 0 * inf."""
    if getattr(y, "dtype", g.dtype).kind in "bu":
        y = y.astype(g.dtype)  # NumPy subtracts no booleans, and -1 is no uint8
    return g * (y * power(x, y - (y != 0)))


def _power_exponent(g: Any, out: Any, x: Any, _y: Any) -> Any:
    """`x**y log(x)`, by continuity 0 where x is 0 and y is not negative."""
    x = x + (x == 0)  # log(1) = 0
    if hasattr(x, "dtype"):
        # The logarithm of an int8 is a float16, and of a negative number no complex one.
        log_x = np.log(x if x.dtype == g.dtype else x.astype(g.dtype))
    else:  # a Python number: NumPy's float64 would widen float32
        log_x = np.log(x + 0j if g.dtype.kind == "c" else x).item()
    return g * (out * log_x)


power = op(
    np.power,
    lambda g, _out, x, y: _power_base(g, x, y, np.power),
    _power_exponent,
    symbol="**",
    elementwise=True,
)
float_power = op(
    np.float_power,
    lambda g, _out, x, y: _power_base(g, x, y, np.float_power),
    _power_exponent,
    elementwise=True,
)
square = op(np.square, lambda g, _out, x: g * (2 * x), symbol="**2", elementwise=True)
sqrt = op(np.sqrt, lambda g, out, _x: 0.5 * g / out, elementwise=True)
cbrt = op(np.cbrt, lambda g, out, _x: g / (3 * np.square(out)), elementwise=True)
reciprocal = op(np.reciprocal, lambda g, out, _x: -(g * out * out), elementwise=True)
absolute = op(
    np.abs,
    lambda g, _out, x: g * conjugate(np.sign(x)),
    name="abs",
    elementwise=True,
    selects=True,
)
fabs = op(np.fabs, lambda g, _out, x: g * np.sign(x), elementwise=True, selects=True)


def _sign_rule(g: Any, out: Any, x: Any) -> Any:
    """0 for real numbers and at 0; else what turns the angle, `(g - conj(g out**2)) / 2 |z|`."""
    if x.dtype.kind != "c":
        return np.zeros_like(g)
    zero = x == 0
    return ~zero * (g - np.conj(g * np.square(out))) / (2 * (np.abs(x) + zero))


sign = op(np.sign, _sign_rule, elementwise=True)

# --- exponentials and logarithms ------------------------------------------------------------------

_LN2, _LN10 = math.log(2.0), math.log(10.0)

exp = op(np.exp, lambda g, out, _x: g * out, elementwise=True)
exp2 = op(np.exp2, lambda g, out, _x: g * (_LN2 * out), elementwise=True)
expm1 = op(np.expm1, lambda g, out, _x: g * (out + 1), elementwise=True)
log = op(np.log, lambda g, _out, x: g / x, elementwise=True)
log2 = op(np.log2, lambda g, _out, x: g / (_LN2 * x), elementwise=True)
log10 = op(np.log10, lambda g, _out, x: g / (_LN10 * x), elementwise=True)
log1p = op(np.log1p, lambda g, _out, x: g / (1 + x), elementwise=True)


def _logaddexp_rule(g: Any, out: Any, x: Any, y: Any, base: float) -> Any:
    """`sigmoid(x - y)`, exactly 0.5 for equal ones; 0 where both are -inf (case 25)."""
    return g * np.where(out == -np.inf, 0.0, sigmoid(base * (x - y)))


logaddexp = op(
    np.logaddexp,
    lambda g, out, x, y: _logaddexp_rule(g, out, x, y, 1.0),
    lambda g, out, x, y: _logaddexp_rule(g, out, y, x, 1.0),
    elementwise=True,
)
logaddexp2 = op(
    np.logaddexp2,
    lambda g, out, x, y: _logaddexp_rule(g, out, x, y, _LN2),
    lambda g, out, x, y: _logaddexp_rule(g, out, y, x, _LN2),
    elementwise=True,
)

# --- trigonometric and hyperbolic -----------------------------------------------------------------
# Of a complex number the square root of `1 - z**2` and its like may lie on the wrong side of a
# branch cut; the cosine of the angle does not.


def _cos_of_arcsin(x: Any) -> Any:
    return np.cos(np.arcsin(x)) if x.dtype.kind == "c" else np.sqrt(1 - np.square(x))


def _cosh_of_arcsinh(x: Any) -> Any:
    if x.dtype.kind == "c":
        return np.cosh(np.arcsinh(x))
    # The square of 256 is no float16; hypot is slow.
    return np.hypot(1.0, x) if x.dtype == np.float16 else np.sqrt(1 + np.square(x))


def _sinh_of_arccosh(x: Any) -> Any:
    """`sqrt(x**2 - 1)`, which cannot overflow."""
    return np.sinh(np.arccosh(x)) if x.dtype.kind == "c" else np.sqrt(x - 1) * np.sqrt(x + 1)


sin = op(np.sin, lambda g, _out, x: g * np.cos(x), elementwise=True)
cos = op(np.cos, lambda g, _out, x: -(g * np.sin(x)), elementwise=True)
tan = op(np.tan, lambda g, out, _x: g * (1 + np.square(out)), elementwise=True)
arcsin = op(np.arcsin, lambda g, _out, x: g / _cos_of_arcsin(x), elementwise=True)
arccos = op(np.arccos, lambda g, _out, x: -(g / _cos_of_arcsin(x)), elementwise=True)
arctan = op(np.arctan, lambda g, _out, x: g / (1 + np.square(x)), elementwise=True)
sinh = op(np.sinh, lambda g, _out, x: g * np.cosh(x), elementwise=True)
cosh = op(np.cosh, lambda g, _out, x: g * np.sinh(x), elementwise=True)
tanh = op(np.tanh, lambda g, out, _x: g * (1 - np.square(out)), elementwise=True)
arcsinh = op(np.arcsinh, lambda g, _out, x: g / _cosh_of_arcsinh(x), elementwise=True)
arccosh = op(np.arccosh, lambda g, _out, x: g / _sinh_of_arccosh(x), elementwise=True)
arctanh = op(np.arctanh, lambda g, _out, x: g / (1 - np.square(x)), elementwise=True)

_DEGREE = math.pi / 180.0

degrees = op(np.degrees, lambda g, _out, _x: g * (1.0 / _DEGREE), elementwise=True)
radians = op(np.radians, lambda g, _out, _x: g * _DEGREE, elementwise=True)
rad2deg = op(np.rad2deg, lambda g, _out, _x: g * (1.0 / _DEGREE), elementwise=True)
deg2rad = op(np.deg2rad, lambda g, _out, _x: g * _DEGREE, elementwise=True)

# The sides of a triangle: both are homogeneous, and at (0, 0) the gradient is (0, 0) (case 24).


def _hypot_rule(g: Any, out: Any, x: Any) -> Any:
    """`x / sqrt(x**2 + y**2)`."""
    return g * (x / (out + (out == 0)))


def _arctan2_rule(g: Any, _out: Any, y: Any, x: Any, needs: tuple[bool, ...]) -> tuple[Any, Any]:
    """`x / (x**2 + y**2)` and `-y / (x**2 + y**2)`."""
    zero = (x == 0) & (y == 0)
    if g.dtype == np.float16:  # which does not hold the square of 256
        r = np.hypot(x, y) + zero
        x, y, per_unit = x / r, y / r, g / r
    else:
        kind = g.dtype  # nor does an int8 hold that of 12
        per_unit = g / (np.square(x, dtype=kind) + np.square(y, dtype=kind) + zero)
    return per_unit * x if needs[0] else None, -(per_unit * y) if needs[1] else None


hypot = op(
    np.hypot,
    lambda g, out, x, _y: _hypot_rule(g, out, x),
    lambda g, out, _x, y: _hypot_rule(g, out, y),
    elementwise=True,
)
arctan2 = op(np.arctan2, joint=_arctan2_rule, elementwise=True)

# --- selection ------------------------------------------------------------------------------------


def _half(g: Any, y: Any, beats: Any, holds: Any) -> Any:
    """Give `g` to what beats `y`, and half of it to what only holds against it.

    Equal arrays share it, the minimum-norm subgradient; against a Python number x gets nothing
    at a tie, so that `maximum(x, 0.0)` is relu (semantics, cases 12 and 13).
    """
    if isinstance(y, (int, float)) and not isinstance(y, np.generic):
        return g * beats
    return (0.5 * g) * np.add(beats, holds, dtype=np.int8)  # three times faster than np.where


# A NaN beats and holds.
maximum = op(
    np.maximum,
    lambda g, _out, x, y: _half(g, y, ~(x <= y), ~(x < y)),
    lambda g, _out, x, y: _half(g, x, ~(y <= x), ~(y < x)),
    elementwise=True,
    selects=True,
)
minimum = op(
    np.minimum,
    lambda g, _out, x, y: _half(g, y, ~(x >= y), ~(x > y)),
    lambda g, _out, x, y: _half(g, x, ~(y >= x), ~(y > x)),
    elementwise=True,
    selects=True,
)
# A NaN loses (case 36), and two of them share as equals do.
_number_rules = (
    lambda g, out, x, y: _half(g, y, out != y, out == x),
    lambda g, out, x, y: _half(g, x, out != x, out == y),
)
fmax = op(np.fmax, *_number_rules, elementwise=True, selects=True)
fmin = op(np.fmin, *_number_rules, elementwise=True, selects=True)
# At the bounds themselves the gradient is 1, and with lower > upper it is 0 (cases 19, 20).
clip = op(
    np.clip,
    lambda g, _out, x, lower, upper: g * ((x >= lower) & (x <= upper)),
    lambda g, _out, x, lower, upper: g * ((x < lower) & (lower <= upper)),
    lambda g, _out, x, lower, upper: g * (np.maximum(x, lower) > upper),
    elementwise=True,
    selects=True,
)
where = op(
    np.where,
    None,
    lambda g, _out, condition, _x, _y: np.where(condition, g, 0.0),
    lambda g, _out, condition, _x, _y: np.where(condition, 0.0, g),
    elementwise=True,
)


def _astype(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype)


# The engine casts every cotangent to its input's dtype.
astype = op(_astype, lambda g, _out, _x, **_: g, name="astype", elementwise=True)
