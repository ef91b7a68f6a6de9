"""Complex numbers: parts, conjugate, angle.

Floor: `numpy_api`.
"""

from __future__ import annotations

import numpy as np

from .._typing import ArrayLike
from ..ops import complex_numbers
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient


@implements(np.real)
def real(val: ArrayLike) -> Tensor:
    """Real part; of real numbers the tensor itself, as NumPy has it."""
    tensor = as_tensor(val)
    return apply(complex_numbers.real, tensor) if tensor.dtype.kind == "c" else tensor


@implements(np.imag)
def imag(val: ArrayLike) -> Tensor:
    """Imaginary part."""
    return apply(complex_numbers.imag, val)


@implements(np.conj)
def conj(x: ArrayLike) -> Tensor:
    """Complex conjugate."""
    return apply(complex_numbers.conj, x)


@implements(np.angle)
def angle(z: ArrayLike, deg: bool = False) -> Tensor:
    """Angle from the positive real axis, in radians or degrees; its derivative is 0 at 0."""
    return apply(complex_numbers.angle, z, deg=deg)


@implements(np.real_if_close)
def real_if_close(a: ArrayLike, tol: float = 100) -> Tensor:
    """Real part where all imaginary parts are small, else the numbers themselves."""
    return apply(complex_numbers.real_if_close, a, tol=tol)


no_gradient(np.iscomplex, np.iscomplexobj, np.isreal, np.isrealobj)
