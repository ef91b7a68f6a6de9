"""Rounding, remainders and the parts of a number: constant or linear in pieces.

Floor: `ops`.  Where a function is constant in pieces its gradient is an array of zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op


def _constant(g: Any, *_read: Any, **_params: Any) -> Any:
    """0: the function is constant in pieces."""
    return np.zeros_like(g)


# --- whole numbers --------------------------------------------------------------------------------

floor = op(np.floor, _constant, elementwise=True)
ceil = op(np.ceil, _constant, elementwise=True)
trunc = op(np.trunc, _constant, elementwise=True)
rint = op(np.rint, _constant, elementwise=True)
round = op(lambda x, *, decimals: np.round(x, decimals), _constant, name="round", elementwise=True)

# --- division with a remainder --------------------------------------------------------------------
# x = y n + r with a whole number n, which is constant in pieces.

floor_divide = op(np.floor_divide, _constant, _constant, symbol="//", elementwise=True)
remainder = op(
    np.remainder,
    lambda g, _out, _x, _y: g,
    lambda g, _out, x, y: -(g * np.floor_divide(x, y)),
    symbol="%",
    elementwise=True,
)
# The quotient itself may round up to a whole number; without the remainder it is one.
fmod = op(
    np.fmod,
    lambda g, _out, _x, _y: g,
    lambda g, out, x, y: -(g * np.rint((x - out) / y)),
    elementwise=True,
)

# --- parts of a number ----------------------------------------------------------------------------

fraction = op(lambda x: np.modf(x)[0], lambda g, _out, _x: g, name="modf", elementwise=True)
whole = op(lambda x: np.modf(x)[1], _constant, name="modf", elementwise=True)
mantissa = op(
    lambda x: np.frexp(x)[0],
    lambda g, _out, x: np.ldexp(g, -np.frexp(x)[1]),
    name="frexp",
    elementwise=True,
)
ldexp = op(np.ldexp, lambda g, _out, _x, exponent: np.ldexp(g, exponent), elementwise=True)
spacing = op(np.spacing, _constant, elementwise=True)
nextafter = op(np.nextafter, lambda g, _out, _x, _y: g, _constant, elementwise=True)

# --- signs ----------------------------------------------------------------------------------------

copysign = op(
    np.copysign,
    lambda g, out, x, _y: g * np.sign(x) * np.sign(out),
    _constant,
    elementwise=True,
    selects=True,
)
heaviside = op(
    np.heaviside, _constant, lambda g, _out, x, _y: g * (x == 0), elementwise=True, selects=True
)
