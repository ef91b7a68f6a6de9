"""Runners: which operations become chains, and what runs them.

Floor: compiler, above `passes`, `blocks` and `loops`.
"""

from __future__ import annotations

from typing import Any, Final

from .arrangement import arranged
from .passes.fuse import ChainOf, fused
from .program import Instruction, Kind, Program


def with_chains(program: Program, threads: int) -> tuple[Program, dict[Instruction, Any]]:
    """Fuse."""
    return program, {}
