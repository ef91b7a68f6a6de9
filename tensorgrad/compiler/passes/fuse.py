"""Fusion: elementwise operations over one shape become chains, to be run together."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from ..arrangement import arranged
from ..chain import Chain, Line, Literal, Operand
from ..program import Array, Home, Instruction, Kind, Program, Storage
from ..tape import ASTYPE, COPY

Usable = Callable[[Instruction], bool]
Worth = Callable[[Chain], bool]


def fused(program: Program, usable: Usable, worth: Worth) -> Program:
    """Gather the instructions that are `usable` into chains, where a chain is `worth` it.

    A chain stands where its last instruction stood, or before the first instruction that needs what
    it computes.
    """
    return _Fusion(program, usable, worth).run()


class _Group:
    """Instructions over one shape that have not been written yet."""

    def __init__(self) -> None:
        self.members: list[Instruction] = []
        self.made: set[Array] = set()

    def add(self, instruction: Instruction) -> None:
        self.members.append(instruction)
        self.made.add(instruction.out)


class _Fusion:
    """The open groups, and what has been written so far."""

    def __init__(self, program: Program, usable: Usable, worth: Worth) -> None:
        self.program = program
        self.usable = usable
        self.worth = worth
        self.fixed = _fixed(program)
        self.open: dict[Hashable, _Group] = {}
        self.found: list[Instruction] = []
        self.readers: dict[Array, set[int]] = {}
        for instruction in program.instructions:
            for array in instruction.inputs:
                self.readers.setdefault(array, set()).add(id(instruction))
        self.ends = set(program.ends)

    def run(self) -> Program:
        """Go through the instructions once."""
        for instruction in self.program.instructions:
            own = self._key(instruction)
            needs = set(instruction.inputs)
            storages = {array.storage for array in needs}
            for key, group in list(self.open.items()):
                if key != own and any(a in needs or a.storage in storages for a in group.made):
                    self._close(key)
            if own is None:
                self.found.append(instruction)
            else:
                self.open.setdefault(own, _Group()).add(instruction)
        for key in list(self.open):
            self._close(key)
        return self.program.with_instructions(self.found)

    def _key(self, instruction: Instruction) -> Hashable:
        """Return what the instructions of one chain have in common, None for what is in none."""
        out = instruction.out
        if instruction.kind is not Kind.ELEMENTWISE or instruction.params or not out.shape:
            return None
        arrays = [a for a in (*instruction.inputs, out) if a.shape]
        if not all(a.storage in self.fixed and a.contiguous for a in arrays):
            return None
        if not self.usable(instruction):
            return None
        return out.shape, instruction.place.errstate is None

    def _close(self, key: Hashable) -> None:
        """Write a group, as a chain or as it was."""
        members = self.open.pop(key).members
        chain = self._chain(members)
        if arranged(chain.function.chain) is None or not self.worth(chain.function.chain):  # type: ignore[attr-defined]
            self.found += members
        else:
            self.found.append(chain)

    def _chain(self, members: list[Instruction]) -> Instruction:
        """Make one instruction of several."""
        own = {id(i) for i in members}
        made = {i.out: n for n, i in enumerate(members)}
        read = (array for instruction in members for array in instruction.inputs)
        inputs = list(dict.fromkeys(array for array in read if array not in made))
        numbers = {a: n for n, a in enumerate(inputs)} | {
            a: len(inputs) + n for a, n in made.items()
        }
        outputs = [a for a in made if a in self.ends or not self.readers.get(a, set()) <= own]
        chain = Chain(
            members[0].out.shape,
            tuple(Operand(a.shape, a.dtype) for a in inputs),
            tuple(_line(instruction, numbers) for instruction in members),
            tuple(numbers[a] for a in outputs),
        )
        place = members[-1].place
        return Instruction(Kind.CHAIN, ChainOf(chain), tuple(inputs), {}, tuple(outputs), place)


class ChainOf:
    """A chain, as the function of an instruction: run by what `runners` finds for it."""

    def __call__(self, *_args: Any, **_params: Any) -> Any:
        """Refuse: a chain is bound to its arrays first."""
        raise NotImplementedError

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.__name__ = "_".join(dict.fromkeys(line.function for line in chain.lines))


def _line(instruction: Instruction, numbers: dict[Array, int]) -> Line:
    """Return an instruction as a line of a chain."""
    function, args = instruction.function, instruction.args
    if function in (ASTYPE, COPY):
        return Line("astype", (numbers[args[0]],), instruction.out.dtype)
    assert isinstance(function, np.ufunc)
    operands = tuple(numbers[a] if isinstance(a, Array) else Literal(a) for a in args)
    return Line(function.__name__, operands, instruction.out.dtype)


def _fixed(program: Program) -> set[Storage]:
    """Return the memory that is at the same place at each call."""
    found: set[Storage] = set()
    returned = {array.storage for array in program.results}
    for instruction in program.instructions:
        for array in instruction.inputs:
            if array.storage.home in (Home.CAPTURED, Home.CONSTANT):
                found.add(array.storage)
        for array in instruction.outputs:
            if instruction.kind.takes_out and array.shape and array.storage not in returned:
                found.add(array.storage)
    return {storage for storage in found if not storage.written}
