"""Special functions: sinc and the modified Bessel function i0, with derivatives of any order.

Floor: `ops`.  Each is the first of a family that is closed under differentiation; a later member
is evaluated from a series or an expansion of its own, since the textbook's quotients lose all
digits near 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import Op, op

# --- sinc -----------------------------------------------------------------------------------------

_SINE_SHIFTED = (np.sin, np.cos, lambda y: -np.sin(y), lambda y: -np.cos(y))
"""The derivatives of the sine, `sin(y + n π/2)`."""


def _sinc_series(y: Any, order: int) -> Any:
    """The power series of the n-th derivative of `sin(y)/y`, for `abs(y) <= n`.

    `sum((-1)**k y**(2k-n) / ((2k-n)! (2k+1)))` over `2k >= n`, by Horner's rule.
    """
    first = (order + 1) // 2
    squared, total = np.square(y), 0.0 * y
    for k in range(first + 8 + 2 * order, first - 1, -1):
        term = (-1.0) ** k / (math.factorial(2 * k - order) * (2 * k + 1))
        total = total * squared + term
    return total * y if order % 2 else total


def _sinc_recurrence(y: Any, order: int) -> Any:
    """The n-th derivative of `sin(y)/y` for `abs(y) > n`, where the recurrence is stable.

    `y F_n + n F_(n-1) = sin(y + n π/2)`, which is Leibniz's rule on `y F = sin(y)`.
    """
    slope = np.sin(y) / y
    for n in range(1, order + 1):
        slope = (_SINE_SHIFTED[n % 4](y) - n * slope) / y
    return slope


def _sinc_derivative(x: Any, *, order: int) -> Any:
    """The derivative of `sinc` of an order from 1 on."""
    y = math.pi * x
    found = np.piecewise(
        y,
        [np.abs(y) <= order],
        [lambda y: _sinc_series(y, order), lambda y: _sinc_recurrence(y, order)],
    )
    return math.pi**order * found


sinc_derivative: Op = op(
    _sinc_derivative,
    lambda g, _out, x, *, order: g * sinc_derivative(x, order=order + 1),
    name="sinc_derivative",
    elementwise=True,
)
sinc = op(np.sinc, lambda g, _out, x: g * sinc_derivative(x, order=1), elementwise=True)

# --- the modified Bessel function -----------------------------------------------------------------
# With q_n(x) = I_n(x) / x**n, which is even and smooth, I_0 = q_0 and q_n' = x q_(n+1): NIST
# Digital Library of Mathematical Functions, 10.29.4.

_BESSEL_SWITCH = 20.0


def _bessel_series(x: Any, order: int) -> Any:
    """`sum((x**2/4)**k / (k! (n+k)!)) / 2**n` (DLMF 10.25.2): all terms are positive."""
    z, total = 0.25 * np.square(x), 1.0 + 0.0 * x
    for k in range(48, 0, -1):
        total = total * z * (1.0 / (k * (k + order))) + 1.0
    return total * (1.0 / (2**order * math.factorial(order)))


def _bessel_expansion(x: Any, order: int) -> Any:
    """`exp(x) / sqrt(2πx) sum((-1)**k a_k(n) / x**k) / x**n` (DLMF 10.40.1), for large x."""
    x = np.abs(x)
    total = 1.0 + 0.0 * x
    for k in range(30, 0, -1):
        total = 1.0 - total * ((4 * order**2 - (2 * k - 1) ** 2) / (8.0 * k)) / x
    # The exponential in two factors, so that it overflows no sooner than the quotient.
    half = np.exp(0.5 * x)
    return half * (total / np.sqrt(2.0 * math.pi * x) / np.power(x, order)) * half


def _bessel_quotient(x: Any, *, order: int) -> Any:
    """`I_n(x) / x**n`, for an order n from 1 on."""
    return np.piecewise(
        x,
        [np.abs(x) <= _BESSEL_SWITCH],
        [lambda x: _bessel_series(x, order), lambda x: _bessel_expansion(x, order)],
    )


bessel_quotient: Op = op(
    _bessel_quotient,
    lambda g, _out, x, *, order: g * (x * bessel_quotient(x, order=order + 1)),
    name="bessel_quotient",
    elementwise=True,
)
i0 = op(np.i0, lambda g, _out, x: g * (x * bessel_quotient(x, order=1)), elementwise=True)
