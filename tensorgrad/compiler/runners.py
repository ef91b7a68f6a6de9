"""Runners: which operations become chains, and what runs each of them.

Floor: compiler, above `passes`, `blocks` and `loops`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from .arithmetic import supported
from .arrangement import arranged
from .blocks import Blocks
from .chain import Chain, Literal
from .loops import Loop, compiled_loop
from .memory import Memory
from .passes.fuse import ChainOf, fused
from .program import Array, Instruction, Kind, Program
from .tape import ASTYPE, COPY
from .threads import TRANSCENDENTAL as LARGE

_SMALL: Final = 8192
"""Up to so many elements calls of NumPy are written one by one: in a chain fewer arrays are alive,
which makes a step of 17,000 parameters a twentieth faster, but a call takes a little longer."""
TRANSCENDENTAL: Final = {
    np.arctan, np.cos, np.cosh, np.exp, np.expm1, np.log, np.log1p, np.sin, np.sinh, np.tan,
    np.tanh,
}  # fmt: skip
"""Functions of one array that take so long that two threads pay, one call at a time."""


def with_chains(program: Program, threads: int, loops: bool) -> Program:
    """Fuse what a generated loop can compute; without `loops`, what blocks of NumPy do faster."""
    if loops:
        return fused(program, _loopable, _worth_a_loop)

    def usable(instruction: Instruction) -> bool:
        slow = threads > 1 and instruction.function in TRANSCENDENTAL
        return instruction.out.size > _SMALL and not slow and _plain(instruction)

    return fused(program, usable, lambda chain: len(chain.lines) > 1)


def halved(instruction: Instruction, memory: Memory, count: int) -> bool:
    """Tell whether two threads share an operation outside chains, which pays where it is slow."""
    if instruction.function not in TRANSCENDENTAL:
        return False
    x, out = instruction.args[0], instruction.out
    large = count > 1 and out.size >= LARGE
    return bool(large and memory.fixed(x) and x.contiguous and out.contiguous)


def _plain(instruction: Instruction) -> bool:
    """Tell whether an instruction is a ufunc, a cast or a copy."""
    return isinstance(instruction.function, np.ufunc) or instruction.function in (ASTYPE, COPY)


def _loopable(instruction: Instruction) -> bool:
    """Tell whether a generated loop can compute an instruction, with NumPy's bits."""
    if not _plain(instruction):
        return False
    args = instruction.args
    if instruction.function in (ASTYPE, COPY):
        return supported("astype", [args[0].dtype], instruction.out.dtype)
    operands = [a.dtype if isinstance(a, Array) else Literal(a) for a in args]
    return all(_is_number(a) for a in args) and supported(
        instruction.function.__name__, operands, instruction.out.dtype
    )


def _is_number(argument: Any) -> bool:
    return isinstance(argument, Array) or type(argument) in (bool, int, float)


def _worth_a_loop(chain: Chain) -> bool:
    """Tell whether one call of a loop is faster than those of NumPy that it replaces.

    A call of a loop costs three times what one of NumPy costs.
    """
    return len(chain.lines) > (3 if math.prod(chain.shape) < 2048 else 1)


def runners_of(
    instructions: list[Instruction], memory: Memory, loops: bool
) -> dict[Instruction, Loop | Blocks]:
    """Compile the chains: as loops where that works, as blocks of NumPy where not."""
    found: dict[Instruction, Loop | Blocks] = {}
    for instruction in instructions:
        if instruction.kind is Kind.CHAIN:
            chain = _chain_of(instruction)
            in_place = _in_place(instruction, memory)
            loop = compiled_loop(chain, in_place) if loops else None
            found[instruction] = loop or Blocks(chain, in_place)
    return found


def _chain_of(instruction: Instruction) -> Chain:
    function = instruction.function
    assert isinstance(function, ChainOf)
    assert arranged(function.chain) is not None
    return function.chain


def _in_place(instruction: Instruction, memory: Memory) -> dict[int, int]:
    """Return, of each result that takes the memory of an input, which one that is."""
    places = {}
    for number, array in enumerate(instruction.args):
        if array.shape:
            places[memory.location(array)] = number
    located = [memory.location(out) for out in instruction.outputs]
    return {k: places[place] for k, place in enumerate(located) if place in places}
