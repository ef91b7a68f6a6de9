"""Common subexpressions: what was computed already is not computed again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from ..program import Array, Instruction, Kind, Program, replaced


def without_repeats(program: Program) -> Program:
    """Use the first result of equal instructions in place of the later ones."""
    seen: dict[Hashable, Instruction] = {}
    same: dict[Array, Array] = {}
    kept: list[Instruction] = []
    leaving = program.leaving
    for instruction in program.instructions:
        instruction = instruction.with_inputs(lambda array: same.get(array, array))
        key = _key(instruction)
        first = seen.get(key) if key is not None else None
        if first is None:
            if key is not None:
                seen[key] = instruction
            kept.append(instruction)
            continue
        old, new = instruction.out, first.out
        if old.storage in leaving:
            if new.storage in leaving:
                kept.append(instruction)
                continue
            leaving.add(new.storage)
        if old.shape == new.shape:
            same[old] = new
        else:  # of a sum with and without keepdims, one is a view of the other
            old.storage = new.storage
            reshape = Instruction(Kind.VIEW, np.reshape, (new, old.shape), {}, old, first.place)
            kept.append(reshape)
    return program.replaced(same, kept)


def _key(instruction: Instruction) -> Hashable:
    """Return what equal instructions have in common, None for what is computed anew each time."""
    if not instruction.kind.pure or not isinstance(instruction.out, Array):
        return None
    if instruction.out.storage.written or any(a.storage.written for a in instruction.inputs):
        return None
    params = instruction.params
    if instruction.kind is Kind.REDUCTION and instruction.out.shape:
        params = {k: v for k, v in params.items() if k != "keepdims"}
    try:
        given = _frozen(instruction.args), _frozen(params)
        found: Hashable = (instruction.function, *given, instruction.out.number)
        hash(found)
    except TypeError:
        return None
    return found


def _frozen(tree: Any) -> Hashable:
    """Return nested arguments as something that can be a key; 1, 1.0 and True are different."""
    tree = replaced(tree, id)
    if isinstance(tree, (tuple, list)):
        return (type(tree), *map(_frozen, tree))
    if isinstance(tree, dict):
        return tuple((key, _frozen(value)) for key, value in tree.items())
    if isinstance(tree, slice):
        return (slice, tree.start, tree.stop, tree.step)
    if isinstance(tree, (float, complex, np.inexact)):  # 0.0 and -0.0 are two numbers
        return (type(tree), np.asarray(tree).tobytes())
    return (type(tree), tree)
