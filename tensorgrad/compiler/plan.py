"""Plan: the passes in their order, with a check after each.

Floor: compiler, above `passes`.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
from dataclasses import dataclass
from typing import Any

from .check import check, numbered
from .commit import Ordered, ordered
from .memory import Memory, laid_out
from .passes.checks import with_joined_checks
from .passes.common import without_repeats
from .passes.constants import with_constants
from .passes.dead import without_dead
from .program import Instruction, Program
from .recording import Recording
from .runners import runners_of, with_chains

PASSES = (with_constants, without_repeats, without_dead, with_joined_checks)


@dataclass(frozen=True)
class Plan:
    """A program, in its final order and with a place for each array."""

    program: Program
    order: Ordered
    memory: Memory
    runners: dict[Instruction, Any]
    """What runs each chain."""
    threads: int


def planned(recording: Recording, threads: int, loops: bool = True) -> Plan:
    """Run the passes over the program of a recording; with generated loops, where `loops`."""
    loops = loops and importlib.util.find_spec("numba") is not None
    first = program = numbered(recording.program)
    check(program)
    for change in (*PASSES, functools.partial(with_chains, threads=threads, loops=loops)):
        program = change(program)
        check(program)
    program = _without_unused(program)
    recording.final = {
        old: new
        for before, after in ((first.kept, program.kept), (first.results, program.results))
        for old, new in zip(before, after, strict=True)
    }
    order = ordered(program)
    memory = laid_out(program, order)
    check(program, order, memory)
    return Plan(program, order, memory, runners_of(order.instructions, memory, loops), threads)


def _without_unused(program: Program) -> Program:
    """Leave out the captured arrays that nothing reads or writes any more."""
    used = {array for instruction in program.instructions for array in instruction.inputs}
    used |= {*program.ends, *(target for target, _ in program.stores)}
    changed = copy.copy(program)
    changed.captured = [array for array in program.captured if array in used]
    return changed
