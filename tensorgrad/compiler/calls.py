"""Calls: which of several spellings of a call, all with the same bits, is the fastest.

Floor: compiler, above `program`, below `emit`.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

from .program import Array, Home, Instruction, contiguous_strides

_SMALL_PRODUCT: Final = 16_384
"""Up to so many bytes a product is faster as np.dot than as np.matmul."""
_FULL: Final = 65_536
"""Up to so many elements a number is made an array of them, where NumPy is faster with it."""


def wants_an_array(instruction: Instruction) -> bool:
    """Tell whether NumPy is faster with an array of equal numbers than with one number.

    `maximum` and `minimum` use the processor's vectors for two arrays alone: relu of 8,192 numbers
    takes 1.3 us instead of 3.4.
    """
    out = instruction.out
    return (
        instruction.function in (np.maximum, np.minimum)
        and out.contiguous
        and out.size <= _FULL
        and all(a.shape == out.shape and a.contiguous for a in instruction.inputs)
        and _same_extrema()
    )


@functools.cache
def _same_extrema() -> bool:
    """Tell whether both ways have the same bits, also of zeros and NaN."""
    special = np.tile([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0], 12)
    return all(
        function(x, number).tobytes() == function(x, np.full_like(x, number)).tobytes()
        for x in (special.astype(np.float32), special)
        for number in (0.0, -0.0, 1.0)
        for function in (np.maximum, np.minimum)
    )


def casts_a_float(instruction: Instruction) -> bool:
    """Tell whether a cast is one of a NumPy scalar to a float."""
    x = instruction.args[0]
    scalar = x.number or x.storage.home is Home.CAPTURED
    return scalar and x.dtype.kind == "f" and instruction.out.dtype.kind == "f"


def small_product(instruction: Instruction) -> bool:
    """Tell whether a product is one of small matrices, which `dot` multiplies as matmul does.

    Of single numbers it is not: there -0.0 is another result.
    """
    matrices = [*instruction.args, instruction.out]
    return (
        instruction.function is np.matmul
        and all(isinstance(a, Array) and len(a.shape) == 2 and _in_order(a) for a in matrices)
        and len({a.dtype for a in matrices}) == 1
        and matrices[0].dtype.kind == "f"
        and matrices[0].dtype.itemsize >= 4  # others are no matter of BLAS
        and max(max(a.shape) for a in matrices) > 1
        and min(min(a.shape) for a in matrices) > 0
        and instruction.out.contiguous
        and instruction.out.nbytes <= _SMALL_PRODUCT
    )


def _in_order(matrix: Array) -> bool:
    """Tell whether rows or columns lie one after the other."""
    turned = contiguous_strides(matrix.shape[::-1], matrix.dtype)[::-1]
    return matrix.contiguous or matrix.strides == turned


def by_position(function: Any, params: dict[str, Any]) -> bool:
    """Tell whether the result may stand after the inputs, which saves a twentieth of a small step.

    `maximum` and `minimum` ask for `out=`, since they were often called with three inputs.
    """
    ufunc = getattr(function, "__self__", function)
    if not isinstance(ufunc, np.ufunc) or "dtype" in params:
        return False
    return function not in (np.maximum, np.minimum)
