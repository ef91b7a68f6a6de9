"""Plan: the passes in their order, with a check after each.

Floor: compiler, above `passes`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .commit import Ordered, ordered
from .memory import Memory, laid_out
from .passes.common import without_repeats
from .passes.constants import with_constants
from .passes.dead import without_dead
from .program import Program

PASSES = (with_constants, without_repeats, without_dead)


@dataclass(frozen=True)
class Plan:
    """A program, in its final order and with a place for each array."""

    program: Program
    order: Ordered
    memory: Memory


def planned(program: Program) -> Plan:
    """Run the passes."""
    for change in PASSES:
        program = change(program)
    order = ordered(program)
    return Plan(program, order, laid_out(program, order))
