"""Chain: elementwise operations over one shape, to be run together.

Floor: compiler; imports NumPy alone.  `blocks` runs a chain as NumPy, `loops` as a generated loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import Shape


@dataclass(frozen=True)
class Operand:
    """What goes into a chain: an array that broadcasts against the chain's shape."""

    shape: Shape
    """() for a single number, which comes as a NumPy scalar."""
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Line:
    """One operation of a chain.

    An operand is the number of a value, counted through the chain's inputs and then its lines, or a
    `Literal`.
    """

    function: str
    """The name of a NumPy ufunc of one result; or "astype" of one operand, to `dtype`."""
    operands: tuple[int | Literal, ...]
    dtype: np.dtype[Any]
    """Of the result."""


@dataclass(frozen=True)
class Literal:
    """A Python number, which takes the dtype of what it meets, as NumPy has it (NEP 50)."""

    value: bool | int | float


@dataclass(frozen=True)
class Chain:
    """Lines that each compute an array of `shape`; those in `outputs` are stored.

    Hashable: equal chains have the same code.
    """

    shape: Shape
    inputs: tuple[Operand, ...]
    lines: tuple[Line, ...]
    outputs: tuple[int, ...]
    """Numbers of values, as in `Line.operands`."""

    def dtype_of(self, value: int) -> np.dtype[Any]:
        """Return the dtype of a value."""
        count = len(self.inputs)
        return self.inputs[value].dtype if value < count else self.lines[value - count].dtype
