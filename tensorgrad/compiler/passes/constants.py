"""Constants: what is the same at each call is computed once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program import Array, Home, Instruction, Kind, Program, Storage, replaced


def with_constants(program: Program) -> Program:
    """Run the instructions whose arguments are all constant, and keep the results."""
    known: dict[Array, Array] = {}
    kept: list[Instruction] = []
    leaving = program.leaving | {value.storage for _, value in program.stores}
    for instruction in program.instructions:
        instruction = instruction.with_inputs(lambda array: known.get(array, array))
        if _foldable(instruction):
            value = instruction.function(
                *replaced(instruction.args, _value), **replaced(instruction.params, _value)
            )
            assert isinstance(instruction.out, Array)
            known[instruction.out] = _constant(value)
            continue
        instruction = _with_numbers(instruction)
        same = _times_one(instruction)
        if same is None or instruction.out.storage in leaving:
            kept.append(instruction)
        else:
            known[instruction.out] = same
    return program.replaced(known, kept)


def _times_one(instruction: Instruction) -> Array | None:
    """Return what a product with exactly 1 is equal to; of complex numbers, nothing is for sure."""
    if instruction.function is not np.multiply or instruction.params or len(instruction.args) != 2:
        return None
    if instruction.out.dtype.kind == "c":  # (inf + 1j) * 1 is inf + nanj
        return None
    for one, other in (instruction.args, instruction.args[::-1]):
        number = one.value if isinstance(one, Array) and one.constant and not one.shape else one
        if isinstance(number, Array) or not isinstance(other, Array) or number != 1:
            continue
        out = instruction.out
        if (out.shape, out.dtype) == (other.shape, other.dtype) and not out.storage.written:
            return None if other.storage.written else other
    return None


def _foldable(instruction: Instruction) -> bool:
    """Tell whether an instruction computes one array, of constants alone."""
    return (
        instruction.kind.pure
        and instruction.kind is not Kind.CHAIN
        and isinstance(instruction.out, Array)
        and not instruction.out.storage.written
        and all(array.constant for array in instruction.inputs)
    )


def _constant(value: Any) -> Array:
    """Return a value as a constant of a program."""
    return Array(value, Storage(Home.CONSTANT, value), value=value)


def _value(array: Array) -> Any:
    return array.value


def _with_numbers(instruction: Instruction) -> Instruction:
    """Put one number in place of a constant array that repeats it, in elementwise operations."""
    out = instruction.out
    if instruction.kind is not Kind.ELEMENTWISE or len(instruction.inputs) < 2:
        return instruction

    def number(array: Array) -> Any:
        if not array.constant or not array.shape or not _repeats(array.value):
            return array
        others = [a.shape for a in instruction.inputs if a is not array]
        if np.broadcast_shapes(*others) != out.shape:
            return array
        return _constant(array.value[(0,) * len(array.shape)])

    return instruction.with_inputs(number)


def _repeats(value: Any) -> bool:
    """Tell whether all elements of an array are the same number, to the bit."""
    if not value.size or value.dtype.kind == "O":
        return False
    if not any(value.strides):
        return True
    first = value[(0,) * value.ndim].tobytes()
    return bool(value.tobytes() == first * value.size)
