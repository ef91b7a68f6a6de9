"""Elementwise functions: arithmetic, exponentials, trigonometry, selection, activations.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._typing import ArrayLike
from ..op import Op
from ..ops import activations, elementwise, rounding
from ..recording import unary_method
from ..tensor import Tensor, apply, as_tensor
from .table import implements


def of_one(op: Op) -> Callable[[ArrayLike], Tensor]:
    """Make the function of an elementwise op of one array."""
    method = unary_method(op)

    def function(x: ArrayLike) -> Tensor:
        return method(x) if isinstance(x, Tensor) else apply(op, x)

    return function


def of_two(op: Op) -> Callable[[ArrayLike, ArrayLike], Tensor]:
    """Make the function of a broadcasting op of two arrays."""

    def function(x: ArrayLike, y: ArrayLike) -> Tensor:
        return apply(op, x, y)

    return function


_UNARY_DOC = """{summary}.

Parameters
----------
x
    Of any shape; floats keep their dtype.

Returns
-------
Tensor
    Of the shape of `x`.  The derivative is `{derivative}`.{notes}

Examples
--------
>>> import tensorgrad as tg
>>> x = tg.Tensor([{at}])
>>> tg.{name}(x).sum().backward()
>>> bool(abs(x.grad[0] - {slope}) < 1e-4)
True
"""


def _unary(
    op: Op, summary: str, derivative: str, at: float, slope: float, notes: str = ""
) -> Callable[[ArrayLike], Tensor]:
    """Make the function of an elementwise op, its docstring from a template."""
    function = of_one(op)
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = _UNARY_DOC.format(
        name=op.name,
        summary=summary,
        derivative=derivative,
        at=at,
        slope=slope,
        notes=f"  {notes}" if notes else "",
    )
    return function


_BINARY_DOC = """{summary}.

Parameters
----------
x, y
    Of shapes that broadcast together.  Python numbers do not widen the dtype (NEP 50).

Returns
-------
Tensor
    Of the common shape.  The derivatives are `{by_x}` by `x` and `{by_y}` by `y`.{notes}

Examples
--------
>>> import tensorgrad as tg
>>> x, y = tg.Tensor(3.0), tg.Tensor(2.0)
>>> tg.{name}(x, y).backward()
>>> bool(abs(x.grad - {dx}) < 1e-4), bool(abs(y.grad - {dy}) < 1e-4)
(True, True)
"""


def _binary(
    op: Op, summary: str, by_x: str, by_y: str, dx: float, dy: float, notes: str = ""
) -> Callable[[ArrayLike, ArrayLike], Tensor]:
    """Make the function of a broadcasting op of two arrays, its docstring from a template."""
    function = of_two(op)
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = _BINARY_DOC.format(
        name=op.name,
        summary=summary,
        by_x=by_x,
        by_y=by_y,
        dx=dx,
        dy=dy,
        notes=f"  {notes}" if notes else "",
    )
    return function


add = _binary(elementwise.add, "Add", "1", "1", 1.0, 1.0)
subtract = _binary(elementwise.subtract, "Subtract", "1", "-1", 1.0, -1.0)
multiply = _binary(elementwise.multiply, "Multiply", "y", "x", 2.0, 3.0)
divide = _binary(elementwise.divide, "Divide", "1/y", "-x/y**2", 0.5, -0.75)
power = _binary(
    elementwise.power,
    "Raise `x` to the power `y`",
    "y x**(y-1)",
    "x**y log(x)",
    6.0,
    9.8875,
    "Where `y` is 0 the first is 0, also at `x = 0`; where `x` is 0 the second is 0 for `y >= 0`.",
)
maximum = _binary(
    elementwise.maximum,
    "Take the larger of two values",
    "1 where x > y",
    "1 where y > x",
    1.0,
    0.0,
    "Equal arrays get a half each, and `x` equal to a Python number gets 0.",
)
minimum = _binary(
    elementwise.minimum,
    "Take the smaller of two values",
    "1 where x < y",
    "1 where y < x",
    0.0,
    1.0,
    "Equal arrays get a half each, and `x` equal to a Python number gets 0.",
)
logaddexp = _binary(
    elementwise.logaddexp,
    "Return `log(exp(x) + exp(y))`, which cannot overflow",
    "exp(x)/(exp(x)+exp(y))",
    "exp(y)/(exp(x)+exp(y))",
    0.731059,
    0.268941,
)
hypot = _binary(
    elementwise.hypot,
    "Return `sqrt(x**2 + y**2)`, which cannot overflow",
    "x/hypot(x, y)",
    "y/hypot(x, y)",
    0.832050,
    0.554700,
    "Both are 0 at (0, 0).",
)
arctan2 = _binary(
    elementwise.arctan2,
    "Angle of the point whose coordinates are `y` and then `x`, as `numpy.arctan2`",
    "y/(x**2+y**2)",
    "-x/(x**2+y**2)",
    0.153846,
    -0.230769,
    "Both are 0 at (0, 0).",
)

negative = _unary(elementwise.negative, "Change the sign", "-1", 0.5, -1.0)
exp = _unary(elementwise.exp, "Exponential", "exp(x)", 0.5, 1.648721)
expm1 = _unary(elementwise.expm1, "`exp(x) - 1`, accurate near 0", "exp(x)", 0.5, 1.648721)
log = _unary(elementwise.log, "Natural logarithm", "1/x", 0.5, 2.0)
log1p = _unary(elementwise.log1p, "`log(1 + x)`, accurate near 0", "1/(1+x)", 0.5, 0.666667)
exp2 = _unary(elementwise.exp2, "`2**x`", "2**x log(2)", 0.5, 0.980258)
log2 = _unary(elementwise.log2, "Logarithm to base 2", "1/(x log(2))", 0.5, 2.885390)
log10 = _unary(elementwise.log10, "Logarithm to base 10", "1/(x log(10))", 0.5, 0.868589)
sqrt = _unary(elementwise.sqrt, "Square root", "1/(2 sqrt(x))", 0.25, 1.0, "It is inf at 0.")
cbrt = _unary(elementwise.cbrt, "Cube root", "1/(3 x**(2/3))", 1.0, 0.333333, "It is inf at 0.")
reciprocal = _unary(elementwise.reciprocal, "`1/x`", "-1/x**2", 0.5, -4.0)
square = _unary(elementwise.square, "Square", "2x", 0.5, 1.0)
abs = _unary(elementwise.absolute, "Absolute value", "sign(x)", -0.5, -1.0, "It is 0 at 0.")
sign = _unary(elementwise.sign, "Sign: -1, 0 or 1", "0", 0.5, 0.0)
sin = _unary(elementwise.sin, "Sine", "cos(x)", 0.5, 0.877583)
cos = _unary(elementwise.cos, "Cosine", "-sin(x)", 0.5, -0.479426)
tan = _unary(elementwise.tan, "Tangent", "1 + tan(x)**2", 0.5, 1.298446)
arcsin = _unary(elementwise.arcsin, "Inverse sine", "1/sqrt(1-x**2)", 0.5, 1.154701)
arccos = _unary(elementwise.arccos, "Inverse cosine", "-1/sqrt(1-x**2)", 0.5, -1.154701)
arctan = _unary(elementwise.arctan, "Inverse tangent", "1/(1+x**2)", 0.5, 0.8)
sinh = _unary(elementwise.sinh, "Hyperbolic sine", "cosh(x)", 0.5, 1.127626)
cosh = _unary(elementwise.cosh, "Hyperbolic cosine", "sinh(x)", 0.5, 0.521095)
tanh = _unary(elementwise.tanh, "Hyperbolic tangent", "1 - tanh(x)**2", 0.5, 0.786448)
arcsinh = _unary(elementwise.arcsinh, "Inverse hyperbolic sine", "1/sqrt(1+x**2)", 0.5, 0.894427)
arccosh = _unary(elementwise.arccosh, "Inverse hyperbolic cosine", "1/sqrt(x**2-1)", 1.5, 0.894427)
arctanh = _unary(elementwise.arctanh, "Inverse hyperbolic tangent", "1/(1-x**2)", 0.5, 1.333333)
floor = _unary(rounding.floor, "Largest whole number up to `x`", "0", 0.5, 0.0)
ceil = _unary(rounding.ceil, "Smallest whole number from `x` on", "0", 0.5, 0.0)

sigmoid = _unary(activations.sigmoid, "Logistic function `1/(1+exp(-x))`", "s(1-s)", 0.5, 0.235004)
relu = _unary(activations.relu, "`max(x, 0)`", "1 where x > 0", 0.5, 1.0, "It is 0 at 0.")
silu = _unary(activations.silu, "`x sigmoid(x)`", "s + x s(1-s)", 0.5, 0.739961)
softplus = _unary(
    activations.softplus, "`log(1+exp(x))`, finite for any finite x", "sigmoid(x)", 0.5, 0.622459
)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Tensor:
    """Return `x` where it is positive and `negative_slope * x` elsewhere.

    Parameters
    ----------
    x
        Of any shape.
    negative_slope
        The slope for `x <= 0`, a constant.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.leaky_relu([-1.0, 2.0]).tolist()
    [-0.01, 2.0]
    """
    return as_tensor(x).leaky_relu(negative_slope)  # type: ignore[no-any-return]


def gelu(x: ArrayLike, approximate: str = "none") -> Tensor:
    """Return `x Φ(x)`, with Φ the standard normal distribution function.

    Hendrycks and Gimpel, "Gaussian error linear units" (2016).

    Parameters
    ----------
    x
        Of any shape.
    approximate
        "none" for Φ itself, "tanh" for the paper's approximation of it, which is faster.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If `approximate` is neither.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> round(float(tg.gelu(1.0)), 6)
    0.841345
    """
    return as_tensor(x).gelu(approximate)  # type: ignore[no-any-return]


def clip(
    a: ArrayLike,
    a_min: ArrayLike = None,
    a_max: ArrayLike = None,
    *,
    min: ArrayLike = None,
    max: ArrayLike = None,
) -> Tensor:
    """Limit values to an interval, as `numpy.clip`.

    Parameters
    ----------
    a, a_min, a_max
        Of shapes that broadcast together; None for no bound on that side.
    min, max
        Other names for `a_min` and `a_max`.

    Returns
    -------
    Tensor
        The derivative by `a` is 1 from bound to bound, both included, and 0 outside.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([-1.0, 0.0, 0.5, 2.0])
    >>> tg.clip(x, 0, 1).sum().backward()
    >>> x.grad
    array([0., 1., 1., 0.])
    """
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise ValueError("clip takes a bound as a_min or as min, a_max or max, not as both")
    return as_tensor(a).clip(min if a_min is None else a_min, max if a_max is None else a_max)


implements(np.clip)(clip)
