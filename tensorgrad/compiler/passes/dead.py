"""Dead code: what nobody reads is not computed."""

from __future__ import annotations

from ..program import Array, Instruction, Kind, Program, Storage


def without_dead(program: Program) -> Program:
    """Leave out the instructions whose results are not used."""
    needed: set[Array] = set(program.ends)
    needed |= {target for target, _ in program.stores}
    # A write counts where somebody reads the memory; so all its arrays live and die together.
    alive: set[Storage] = {array.storage for array in needed if array.storage.written}
    kept: list[Instruction] = []
    for instruction in reversed(program.instructions):
        if instruction.kind is Kind.WRITE:
            useful = instruction.args[0].storage in alive
        elif instruction.kind.pure:
            useful = any(out in needed or out.storage in alive for out in instruction.outputs)
        else:
            useful = True
        if useful:
            needed.update(instruction.inputs)
            alive |= {array.storage for array in instruction.inputs if array.storage.written}
            kept.append(instruction)
    return program.with_instructions(kept[::-1])
