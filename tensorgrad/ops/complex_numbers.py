"""Complex numbers: parts, conjugate, angle.

Floor: `ops`.  None of these is holomorphic: the law of rules in the package's docstring says what a
rule sees of complex numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import conjugate, op

real = op(np.real, lambda g, _out, _x: g, view=True, elementwise=True)
# Of a real number the imaginary part is constant.
imag = op(
    np.imag,
    lambda g, _out, _x: g * -1j if _x.dtype.kind == "c" else np.zeros_like(g),
    view=True,
    elementwise=True,
)
conj = op(np.conj, lambda g, _out, _x: conjugate(g), name="conj", elementwise=True)
# Whether the result is real depends on the values; the engine brings g to the input's dtype.
real_if_close = op(
    lambda x, *, tol: np.real_if_close(x, tol),
    lambda g, _out, _x, **_: g,
    name="real_if_close",
    view=True,
    elementwise=True,
)


def _angle_rule(g: Any, _out: Any, x: Any, *, deg: bool) -> Any:
    """`-i / z`, as the angle is the imaginary part of log z; 0 at 0, and for real numbers."""
    if x.dtype.kind != "c":
        return np.zeros_like(g)
    zero = x == 0
    scale = 180.0 / math.pi if deg else 1.0
    return g * (-1j * scale) * ~zero / (x + zero)


angle = op(lambda x, *, deg: np.angle(x, deg), _angle_rule, name="angle", elementwise=True)
