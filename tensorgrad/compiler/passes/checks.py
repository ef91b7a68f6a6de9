"""Checks: gradients that lie side by side are searched for NaN in one go."""

from __future__ import annotations

from ..program import Array, Instruction, Kind, Program
from ..traced import has_nan_of


def with_joined_checks(program: Program) -> Program:
    """Search a joined array for NaN in place of each of its parts."""
    makers = program.makers()
    for join in [i for i in program.instructions if i.kind is Kind.JOIN]:
        views = [makers[part] for part in join.args[0] if part in makers]
        views = [view for view in views if view.kind is Kind.VIEW]
        wholes = {_whole(part, makers) for part in join.args[0]}
        checks = [
            i for i in program.instructions if has_nan_of(i) is not None and i.args[0] in wholes
        ]
        if len(wholes) > 1 and {check.args[0] for check in checks} == wholes:
            program = program.with_instructions(_joined(program, join, views, checks))
    return program


def _whole(part: Array, makers: dict[Array, Instruction]) -> Array | None:
    """Return the array that a part is a reshaped view of, itself if it is none."""
    maker = makers.get(part)
    if maker is None or maker.kind is not Kind.VIEW:
        return part
    base: Array = maker.inputs[0]
    return base if base.size == part.size else None


def _joined(
    program: Program, join: Instruction, views: list[Instruction], checks: list[Instruction]
) -> list[Instruction]:
    """Move the join up to the last of the checks, and check what it makes."""
    moved = {id(i) for i in (join, *views)}
    gone = {id(i) for i in checks}
    found: list[Instruction] = []
    for instruction in program.instructions:
        if instruction is checks[-1]:
            function = instruction.function
            check = Instruction(Kind.EXPECT, function, (join.out,), {}, None, instruction.place)
            found += [*views, join, check]
        elif id(instruction) not in gone and id(instruction) not in moved:
            found.append(instruction)
    return found
