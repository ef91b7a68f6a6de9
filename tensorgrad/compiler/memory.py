"""Memory: which array lives where, so that a step allocates as little as possible.

Floor: compiler, above `commit`.  Results that die make room for later ones; elementwise operations
write where they read; what is only joined is computed in its place of the joined array.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .commit import Ordered
from .program import Array, Home, Instruction, Kind, Program, Storage


@dataclass
class Memory:
    """Where the arrays of a program live.

    What is in none of these tables is allocated by NumPy at each call.
    """

    pools: list[int] = field(default_factory=list)
    """The bytes of each piece of memory."""
    pool_of: dict[Storage, int] = field(default_factory=dict)
    part_of: dict[Storage, tuple[Array, int]] = field(default_factory=dict)
    """Of what is a part of a joined array: that one, and where it starts there."""
    stored_in: dict[Storage, Array] = field(default_factory=dict)
    """Of what is computed where it is stored."""

    def location(self, array: Array) -> object:
        """Return the same for arrays of fixed memory that start at the same place."""
        storage = array.storage
        if storage in self.stored_in:
            return self.stored_in[storage]
        if storage in self.part_of:
            return self.part_of[storage]
        return self.pool_of.get(storage, array)

    def fixed(self, array: Array) -> bool:
        """Tell whether an array is at the same place at each call."""
        storage = array.storage
        if storage.home in (Home.CAPTURED, Home.CONSTANT):
            return bool(array.shape)
        return storage in self.pool_of or storage in self.part_of or storage in self.stored_in

    def looked_at(self, instruction: Instruction) -> bool:
        """Tell whether all that is made are views of memory that is the same at each call."""
        if instruction.kind not in (Kind.VIEW, Kind.CALL):
            return False
        storages = {array.storage for array in instruction.inputs}
        return bool(instruction.outputs) and all(
            out.storage in storages and (self.fixed(out) or out.storage.home is Home.CAPTURED)
            for out in instruction.outputs
        )


def laid_out(program: Program, order: Ordered) -> Memory:
    """Find a place for all that the instructions of a program make."""
    memory = Memory()
    instructions = order.instructions
    roots = roots_of(instructions)
    for value, target in order.in_place.items():
        memory.stored_in[value.storage] = target
    returned = {array.storage for array in program.results}
    planned = {
        storage
        for storage, (root, maker) in roots.items()
        if (maker.kind.takes_out or maker.kind is Kind.CHAIN)
        and root.shape
        and storage not in returned
        and storage not in memory.stored_in
    }
    _join(instructions, roots, planned, memory)
    lives = lives_of(instructions, program, memory)
    _share(instructions, roots, planned, lives, memory)
    return memory


_Roots = dict[Storage, tuple[Array, Instruction]]


def roots_of(instructions: list[Instruction]) -> _Roots:
    """Return, of all memory that is made, the array that was made first, and by whom."""
    found: _Roots = {}
    for instruction in instructions:
        for out in instruction.outputs:
            if out.storage.home is Home.MADE and out.storage not in found:
                found[out.storage] = out, instruction
    return found


def _join(
    instructions: list[Instruction], roots: _Roots, planned: set[Storage], memory: Memory
) -> None:
    """Let the parts of a joined array be computed in their place."""
    for instruction in instructions:
        if instruction.kind is not Kind.JOIN or instruction.out.storage not in planned:
            continue
        start = 0
        for part in instruction.args[0]:
            root = roots.get(part.storage, (None, None))[0]
            if (
                root is not None
                and part.storage in planned
                and not part.storage.written
                and part.storage not in memory.part_of
                and root.dtype == instruction.out.dtype
                and root.contiguous
                and part.contiguous
                and root.size == part.size
                and roots[part.storage][1].kind is not Kind.JOIN
            ):
                memory.part_of[part.storage] = instruction.out, start
                planned.discard(part.storage)
            start += part.size


def lives_of(
    instructions: list[Instruction], program: Program, memory: Memory
) -> dict[Storage, tuple[int, int]]:
    """Return the numbers of the first and the last instruction that need each piece of memory."""
    lives: dict[Storage, tuple[int, int]] = {}

    def touch(array: Array, at: int) -> None:
        storage = array.storage
        if storage in memory.part_of:
            storage = memory.part_of[storage][0].storage
        first, last = lives.get(storage, (at, at))
        lives[storage] = min(first, at), max(last, at)

    for at, instruction in enumerate(instructions):
        for array in (*instruction.inputs, *instruction.outputs):
            touch(array, at)
    for array in program.ends:
        touch(array, len(instructions))
    # Gradients stay readable until the next call.
    for array in program.kept:
        touch(array, -1)
    return lives


def _share(
    instructions: list[Instruction],
    roots: _Roots,
    planned: set[Storage],
    lives: dict[Storage, tuple[int, int]],
    memory: Memory,
) -> None:
    """Give each array a piece of memory that is free when it is made."""
    free: dict[int, list[int]] = {}
    starts: dict[int, list[Storage]] = {}
    ends: dict[int, list[Storage]] = {}
    for storage in planned:
        first, last = lives[storage]
        starts.setdefault(max(first, 0), []).append(storage)
        if first >= 0:
            ends.setdefault(last, []).append(storage)
    order = {storage: n for n, storage in enumerate(roots)}

    def release(storage: Storage) -> None:
        if storage in memory.pool_of:
            free.setdefault(roots[storage][0].nbytes, []).append(memory.pool_of[storage])

    for at, instruction in enumerate(instructions):
        dying = sorted(ends.get(at, []), key=order.__getitem__)
        new = sorted(starts.get(at, []), key=order.__getitem__)
        for storage in new:
            root = roots[storage][0]
            old = _taken_over(instruction, root, dying, roots, memory)
            if old is not None:
                dying.remove(old)
                memory.pool_of[storage] = memory.pool_of[old]
            elif lives[storage][0] >= 0 and free.get(root.nbytes):
                memory.pool_of[storage] = free[root.nbytes].pop()
            else:
                memory.pool_of[storage] = len(memory.pools)
                memory.pools.append(root.nbytes)
        for storage in dying:
            release(storage)


def _taken_over(
    instruction: Instruction,
    root: Array,
    dying: list[Storage],
    roots: _Roots,
    memory: Memory,
) -> Storage | None:
    """Return memory of an operand that an elementwise operation may write its result to."""
    if instruction.kind not in (Kind.ELEMENTWISE, Kind.CHAIN) or root not in instruction.outputs:
        return None
    for array in instruction.inputs:
        storage = array.storage
        if storage not in dying or storage not in memory.pool_of:
            continue
        whole = roots[storage][0]
        same = (array.shape, array.strides) == (root.shape, root.strides)
        others = [a for a in instruction.inputs if a.storage is storage and a is not array]
        if same and array is whole and array.dtype == root.dtype and not others:
            return storage
    return None


def peak_of(roots: _Roots, lives: dict[Storage, tuple[int, int]]) -> int:
    """Return how many bytes are needed at the worst moment."""
    changes: dict[int, int] = {}
    for storage, (root, _) in roots.items():
        first, last = lives[storage]
        changes[max(first, 0)] = changes.get(max(first, 0), 0) + root.nbytes
        changes[last + 1] = changes.get(last + 1, 0) - root.nbytes
    peak = now = 0
    for at in sorted(changes):
        now += changes[at]
        peak = max(peak, now)
    return peak
