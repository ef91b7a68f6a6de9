"""Arrangement: the arrays of a chain as vectors, or as matrices with rows and columns.

Floor: compiler, above `chain`.  `blocks` and `loops` run over one axis or two, whatever the shapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import Array, Shape
from .chain import Chain

FULL, ROW, COLUMN, SINGLE, SCALAR = "full", "row", "column", "single", "scalar"
"""An input has all elements, one for each column, one for each row, one in an array, or is a
NumPy scalar."""


@dataclass(frozen=True)
class Arrangement:
    """How the arrays of a chain are looked at."""

    shape: Shape
    """Of full arrays: (elements,), or (rows, columns)."""
    kinds: tuple[str, ...]
    """Of each input: FULL, ROW, COLUMN, SINGLE or SCALAR."""

    def shape_of(self, kind: str) -> Shape:
        """Return the shape that an input of a kind is reshaped to."""
        rows = (self.shape[0], 1)
        shapes = {FULL: self.shape, ROW: self.shape[-1:], COLUMN: rows, SINGLE: (1,), SCALAR: ()}
        return shapes[kind]

    def part(self, kind: str, array: Any, start: int, stop: int) -> Any:
        """Return the part of an arranged array that goes with some of the first axis."""
        return array[start:stop] if kind in (FULL, COLUMN) else array


def arranged(chain: Chain) -> Arrangement | None:
    """Return how to look at a chain's arrays, None where two axes do not do.

    Examples
    --------
    >>> from tensorgrad.compiler.chain import Chain, Line, Operand
    >>> x = Operand((20, 3, 4), np.dtype("f4"))
    >>> bias = Operand((4,), np.dtype("f4"))
    >>> line = Line("add", (0, 1), np.dtype("f4"))
    >>> arranged(Chain((20, 3, 4), (x, bias), (line,), (2,)))
    Arrangement(shape=(60, 4), kinds=('full', 'row'))
    """
    shape = chain.shape
    if not shape:
        return None
    for axis in (len(shape), *range(1, len(shape))):
        kinds = [_kind(operand.shape, shape, axis) for operand in chain.inputs]
        if None not in kinds:
            sizes = (math.prod(shape[:axis]), math.prod(shape[axis:]))
            return Arrangement(
                sizes if axis < len(shape) else sizes[:1], tuple(k for k in kinds if k)
            )
    return None


def _kind(given: Shape, shape: Shape, axis: int) -> str | None:
    """Tell what an operand is if the axes before `axis` are rows and the others columns."""
    if not given:
        return SCALAR
    given = (1,) * (len(shape) - len(given)) + given
    if given == shape:
        return FULL
    if math.prod(given) == 1:
        return SINGLE
    if given[axis:] == shape[axis:] and math.prod(given[:axis]) == 1:
        return ROW
    if given[:axis] == shape[:axis] and math.prod(given[axis:]) == 1:
        return COLUMN
    return None


def views(
    chain: Chain,
    arrangement: Arrangement,
    in_place: Mapping[int, int],
    arrays: Sequence[Array],
    outputs: Sequence[Array],
) -> tuple[list[Array], list[Array]]:
    """Return the arrays of a chain as it is arranged; raise ValueError where they do not fit."""
    expected = [(o, k) for o, k in zip(chain.inputs, arrangement.kinds, strict=True) if k != SCALAR]
    if len(arrays) != len(expected) or len(outputs) != len(chain.outputs):
        raise ValueError(
            f"{len(arrays)} arrays and {len(outputs)} outputs were given, expected "
            f"{len(expected)} and {len(chain.outputs)}: scalars are given at each call"
        )
    inputs = [
        _view(array, operand.shape, operand.dtype, arrangement.shape_of(kind))
        for array, (operand, kind) in zip(arrays, expected, strict=True)
    ]
    results = [
        _view(array, chain.shape, chain.dtype_of(value), arrangement.shape)
        for array, value in zip(outputs, chain.outputs, strict=True)
    ]
    positions = [i for i, kind in enumerate(arrangement.kinds) if kind != SCALAR]
    for position, result in enumerate(results):
        if not result.flags.writeable:
            raise ValueError(f"output {position} is read-only: give an array to write into")
        for number, array in zip(positions, inputs, strict=True):
            same = in_place.get(position) == number
            if same and (array.ctypes.data, array.shape) != (result.ctypes.data, result.shape):
                raise ValueError(f"output {position} is not input {number}, as in_place has it")
            if not same and np.may_share_memory(array, result):
                raise ValueError(
                    f"output {position} shares memory with input {number}, which in_place does "
                    "not say: give it memory of its own"
                )
    return inputs, results


def _view(array: Array, shape: Shape, dtype: np.dtype[Any], new: Shape) -> Array:
    """Return an array in another shape, without copying."""
    if (
        array.shape != shape
        or array.dtype != dtype
        or not (array.flags.c_contiguous and array.flags.aligned)
    ):
        raise ValueError(
            f"got {array.dtype}{list(array.shape)} with strides {array.strides}, expected "
            f"{dtype}{list(shape)} in C order, aligned"
        )
    return array.reshape(new)
