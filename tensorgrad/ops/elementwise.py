"""Elementwise operations: arithmetic, exponentials, trigonometry, selection, activations.

Floor: `ops`.  Sorted from simple to tricky; the law of rules is in the package's docstring.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..op import op

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
negative = op(operator.neg, lambda g, _out, _x: -g, name="negative", symbol="-", elementwise=True)


def _power_base(g: Any, _out: Any, x: Any, y: Any) -> Any:
    """`y x**(y-1)`; where y is 0 the exponent stays 0, so that x = 0 gives 0 and not 0 * inf."""
    if getattr(y, "dtype", None) == np.bool_:
        y = y.astype(g.dtype)  # NumPy subtracts no booleans
    return g * (y * np.power(x, y - (y != 0)))


def _power_exponent(g: Any, out: Any, x: Any, y: Any) -> Any:
    """`x**y log(x)`, by continuity 0 where x is 0 and y is not negative."""
    # A Python float, where x is a number: NumPy's float64 would widen float32.
    log_x = np.log(x) if hasattr(x, "dtype") else float(np.log(x))
    return np.where((x == 0) & (y >= 0), 0.0, g * out * log_x)


power = op(np.power, _power_base, _power_exponent, symbol="**", elementwise=True)
square = op(np.square, lambda g, _out, x: g * (2 * x), symbol="**2", elementwise=True)
sqrt = op(np.sqrt, lambda g, out, _x: 0.5 * g / out, elementwise=True)
absolute = op(np.abs, lambda g, _out, x: g * np.sign(x), name="abs", elementwise=True, selects=True)
sign = op(np.sign, lambda g, _out, _x: np.zeros_like(g), elementwise=True)

# --- exponentials and logarithms ------------------------------------------------------------------

exp = op(np.exp, lambda g, out, _x: g * out, elementwise=True)
expm1 = op(np.expm1, lambda g, out, _x: g * (out + 1), elementwise=True)
log = op(np.log, lambda g, _out, x: g / x, elementwise=True)
log1p = op(np.log1p, lambda g, _out, x: g / (1 + x), elementwise=True)

# --- trigonometric and hyperbolic -----------------------------------------------------------------

sin = op(np.sin, lambda g, _out, x: g * np.cos(x), elementwise=True)
cos = op(np.cos, lambda g, _out, x: -g * np.sin(x), elementwise=True)
tan = op(np.tan, lambda g, out, _x: g * (1 + np.square(out)), elementwise=True)
arcsin = op(np.arcsin, lambda g, _out, x: g / np.sqrt(1 - np.square(x)), elementwise=True)
arccos = op(np.arccos, lambda g, _out, x: -g / np.sqrt(1 - np.square(x)), elementwise=True)
arctan = op(np.arctan, lambda g, _out, x: g / (1 + np.square(x)), elementwise=True)
sinh = op(np.sinh, lambda g, _out, x: g * np.cosh(x), elementwise=True)
cosh = op(np.cosh, lambda g, _out, x: g * np.sinh(x), elementwise=True)
tanh = op(np.tanh, lambda g, out, _x: g * (1 - np.square(out)), elementwise=True)

# --- selection ------------------------------------------------------------------------------------


def _winner(g: Any, x: Any, y: Any, loses: Any) -> Any:
    """Give `g` to x where it does not lose to y.

    Equal arrays share it, the minimum-norm subgradient; against a Python number x gets nothing
    at a tie, so that `maximum(x, 0.0)` is relu (semantics, cases 12 and 13).
    """
    if isinstance(y, (int, float)) and not isinstance(y, np.generic):
        return g * ~(loses | (x == y))
    return np.where(x == y, 0.5 * g, g) * ~loses


maximum = op(
    np.maximum,
    lambda g, _out, x, y: _winner(g, x, y, x < y),
    lambda g, _out, x, y: _winner(g, y, x, y < x),
    elementwise=True,
    selects=True,
)
minimum = op(
    np.minimum,
    lambda g, _out, x, y: _winner(g, x, y, x > y),
    lambda g, _out, x, y: _winner(g, y, x, y > x),
    elementwise=True,
    selects=True,
)
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

# --- activations ----------------------------------------------------------------------------------


def _sigmoid(x: Any) -> Any:
    """`1 / (1 + exp(-x))`, written so that exp sees no positive number and cannot overflow."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def _softplus(x: Any) -> Any:
    """`log(1 + exp(x))`, written so that exp sees no positive number and cannot overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


sigmoid = op(_sigmoid, lambda g, out, _x: g * (out * (1 - out)), name="sigmoid", elementwise=True)
softplus = op(_softplus, lambda g, _out, x: g * sigmoid(x), name="softplus", elementwise=True)


def _relu(x: Any) -> Any:
    if isinstance(x, np.floating):  # 5 times faster than the ufunc on a NumPy scalar
        return x if x > 0 or x != x else type(x)(0)
    return np.maximum(x, 0)


relu = op(_relu, lambda g, out, _x: g * (out > 0), name="relu", elementwise=True, selects=True)


def _leaky_relu(x: Any, *, negative_slope: float) -> Any:
    return np.maximum(x, 0) + negative_slope * np.minimum(x, 0)


leaky_relu = op(
    _leaky_relu,
    lambda g, _out, x, *, negative_slope: g * (x > 0) + (negative_slope * g) * (x <= 0),
    name="leaky_relu",
    elementwise=True,
)


def _silu_rule(g: Any, out: Any, x: Any) -> Any:
    """`s + x s (1 - s)` with s the sigmoid of x."""
    s = sigmoid(x)
    return g * (s + out * (1 - s))


silu = op(lambda x: x * _sigmoid(x), _silu_rule, name="silu", elementwise=True)

# erfc(z) = t exp(-z**2 + P(t)), t = 2 / (2 + z), for z >= 0: the form of Numerical Recipes (3rd
# ed., 6.2.2), with Chebyshev coefficients of P fitted anew in 60-digit arithmetic; the relative
# error is below 4e-16 in float64.
_ERFC = (
    -1.3026537197817094,
    0.6419697923564902,
    0.019476473204185836,
    -0.009561514786808632,
    -0.0009465953444820369,
    0.00036683949785276145,
    4.252332480690777e-05,
    -2.0278578112534242e-05,
    -1.6242900046470256e-06,
    1.3036558355805232e-06,
    1.5626441722066142e-08,
    -8.523809591492654e-08,
    6.5290544390988515e-09,
    5.059343495551469e-09,
    -9.91364156493033e-10,
    -2.273651222931836e-10,
    9.646791102015527e-11,
    2.3940380830391146e-12,
    -6.886027526497553e-12,
    8.944879273090725e-13,
    3.130921399342958e-13,
    -1.1270822361367252e-13,
    3.810905255189232e-16,
    7.106097613609237e-15,
    -1.5230282014571043e-15,
    -9.457494571291233e-17,
    1.210237189224279e-16,
    -2.816663087747177e-17,
    5.003005559445902e-20,
)


def _normal_cdf(x: Any) -> Any:
    """The standard normal distribution function, `erfc(-x / sqrt(2)) / 2`.  NumPy has no erf."""
    z = np.abs(x) * math.sqrt(0.5)
    t = 2 / (2 + z)
    # Clenshaw's recurrence, with Python numbers as coefficients to keep the dtype.
    u = 4 * t - 2
    b, previous = _ERFC[-1] + 0 * t, 0 * t
    for coefficient in _ERFC[-2:0:-1]:
        b, previous = u * b - previous + coefficient, b
    tail = 0.5 * t * np.exp(0.5 * (_ERFC[0] + u * b) - previous - z * z)
    return np.where(x < 0, tail, 1 - tail)


def _normal_density(x: Any) -> Any:
    """The standard normal density."""
    return math.sqrt(0.5 / math.pi) * np.exp(-0.5 * np.square(x))


normal_cdf = op(
    _normal_cdf, lambda g, _out, x: g * _normal_density(x), name="normal_cdf", elementwise=True
)
gelu = op(
    lambda x: x * _normal_cdf(x),
    lambda g, _out, x: g * (normal_cdf(x) + x * _normal_density(x)),
    name="gelu",
    elementwise=True,
)

_GELU_SCALE = math.sqrt(2.0 / math.pi)


def _gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(_GELU_SCALE * (x + 0.044715 * x * np.square(x))))


def _gelu_tanh_rule(g: Any, _out: Any, x: Any) -> Any:
    """The product rule on `x (1 + t) / 2`, with t the tanh of a cubic."""
    t = np.tanh(_GELU_SCALE * (x + 0.044715 * x * np.square(x)))
    slope = _GELU_SCALE * (1 + 0.134145 * np.square(x))
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - np.square(t)) * slope)


gelu_tanh = op(_gelu_tanh, _gelu_tanh_rule, name="gelu_tanh", elementwise=True)
