"""Check: whether a program is sound, after each pass and in its final order and memory.

Floor: compiler, above `memory`.  A broken program computes wrong numbers without a word, so each
rule is checked at each recording: it costs little beside the recording itself.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .commit import SAFE, Ordered
from .memory import Memory
from .passes.fuse import ChainOf
from .program import Array, Home, Instruction, Kind, Program, Storage
from .tape import ASTYPE, COPY

_ORDERED = (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.PRODUCT, Kind.JOIN, Kind.DRAW, Kind.CHAIN)
"""What makes results with memory of their own."""
Life = tuple[int, int]
"""The numbers of the first and the last instruction that touch something."""


class PlanError(AssertionError):
    """A pass has made a program that is not sound: a mistake of the compiler, not of its user."""


def numbered(program: Program) -> Program:
    """Give the instructions the numbers of their recorded order, which is checked later."""
    for number, instruction in enumerate(program.instructions):
        instruction.number = number
    return program


def check(program: Program, order: Ordered | None = None, memory: Memory | None = None) -> None:
    """Check a program, and if they are given its final order and its memory as well.

    Raises
    ------
    PlanError
        If a rule is broken; the message names the instruction.
    """
    instructions = program.instructions if order is None else order.instructions
    _check_arrays(program, instructions)
    _check_written(instructions)
    for instruction in instructions:
        if instruction.kind is Kind.ELEMENTWISE:
            _check_elementwise(instruction)
        elif instruction.kind is Kind.CHAIN:
            _check_chain(instruction)
        elif instruction.kind is Kind.VIEW:
            _check_view(instruction)
    if order is not None:
        _check_commit(program, order)
    if order is not None and memory is not None:
        _check_parts(instructions, memory)
        _check_pools(program, instructions, memory)


def _fail(instruction: Instruction | None, text: str) -> NoReturn:
    """Raise, and name the instruction."""
    if instruction is None:
        raise PlanError(text)
    function = instruction.function
    name = getattr(function, "__name__", getattr(function, "name", type(function).__name__))
    where = (
        f" of {instruction.place.file}:{instruction.place.line}" if instruction.place.file else ""
    )
    raise PlanError(f"{instruction.kind.value} {name}{where}: {text}")


# --- arrays ---------------------------------------------------------------------------------------


def _check_arrays(program: Program, instructions: list[Instruction]) -> None:
    """See that what is read is there, and each array made once, in memory of its own."""
    known = {*program.arguments, *program.captured}
    owned: set[Storage] = set()
    for instruction in instructions:
        for array in instruction.inputs:
            _check_there(array, known, instruction)
        for array in instruction.outputs:
            if array in known:
                _fail(instruction, f"{array} is made a second time")
            if instruction.kind in _ORDERED:
                if array.storage.home is not Home.MADE or array.storage in owned:
                    _fail(instruction, f"{array} has no memory of its own")
                owned.add(array.storage)
            known.add(array)
    for array in (*program.ends, *(target for target, _ in program.stores)):
        _check_there(array, known, None)


def _check_there(array: Array, known: set[Array], instruction: Instruction | None) -> None:
    """See that an array is given, constant, or made earlier."""
    constant = array.storage.home is Home.CONSTANT and array.value is not None
    if not constant and array not in known:
        _fail(instruction, f"{array} is read and was not made")


def _check_elementwise(instruction: Instruction) -> None:
    """See that a result has the shape and the dtype that NumPy gives it."""
    function, args, out = instruction.function, instruction.args, instruction.out
    if isinstance(function, np.ufunc):
        shape = np.broadcast_shapes(*(a.shape for a in args if hasattr(a, "shape")))
        types = tuple(_type(arg) for arg in args)
        dtype = out.dtype
        if not instruction.params:
            dtype = function.resolve_dtypes((*types, None))[-1]
    elif function in (ASTYPE, COPY):
        shape, dtype = args[0].shape, args[1] if function == ASTYPE else args[0].dtype
    else:
        return
    if (out.shape, out.dtype) != (shape, np.dtype(dtype)):
        _fail(instruction, f"{out} should be {np.dtype(dtype)}{list(shape)}")


def _type(arg: Any) -> Any:
    """Return what of an operand decides the dtype of a result: Python's numbers are weak."""
    if hasattr(arg, "dtype"):
        return arg.dtype
    return np.dtype(bool) if isinstance(arg, bool) else type(arg)


def _check_chain(instruction: Instruction) -> None:
    """See that the arrays of a chain are those that it was made for."""
    assert isinstance(instruction.function, ChainOf)
    chain = instruction.function.chain
    given = [(a.shape, a.dtype) for a in instruction.args]
    made = [(a.shape, a.dtype) for a in instruction.outputs]
    if given != [(operand.shape, operand.dtype) for operand in chain.inputs]:
        _fail(instruction, f"it is given {given}")
    if made != [(chain.shape, chain.dtype_of(value)) for value in chain.outputs]:
        _fail(instruction, f"it makes {made}")


def _check_view(instruction: Instruction) -> None:
    """See that a view lies in the memory of what it is a view of."""
    for out in instruction.outputs:
        bases = [array for array in instruction.inputs if array.storage is out.storage]
        if not bases:
            _fail(instruction, f"{out} looks at the memory of none of its arguments")
        if out.size and all(_span(out) > _span(base) for base in bases):
            _fail(instruction, f"{out} is larger than {bases[0]}")


def _span(array: Array) -> int:
    """Return over how many bytes the elements lie."""
    steps = zip(array.shape, array.strides, strict=True)
    return sum((n - 1) * abs(stride) for n, stride in steps) + array.dtype.itemsize


# --- order ----------------------------------------------------------------------------------------


def _check_written(instructions: list[Instruction]) -> None:
    """See that what reads written memory has kept its place among the writes, and these theirs."""
    last_read: dict[Storage, int] = {}
    last_written: dict[Storage, int] = {}
    for instruction in instructions:
        if instruction.kind is Kind.WRITE:
            storage = instruction.args[0].storage
            if storage.home is not Home.MADE or not storage.written:
                _fail(instruction, f"it writes to {instruction.args[0]}")
        touched = {a.storage for a in (*instruction.inputs, *instruction.outputs)}
        for storage in touched:
            if not storage.written or instruction.number < 0:
                continue
            writes = instruction.kind is Kind.WRITE and instruction.args[0].storage is storage
            for last in (last_read, last_written) if writes else (last_written,):
                if last.get(storage, -1) > instruction.number:
                    _fail(instruction, "it has changed places with another one that writes")
            (last_written if writes else last_read)[storage] = instruction.number


def _check_commit(program: Program, order: Ordered) -> None:
    """See that what changes the outside comes last, and overwrites nothing that is read."""
    if order.in_place:
        for instruction in order.commit:
            if instruction.kind not in SAFE:
                _fail(instruction, "it may fail after something outside was changed")
    stores = [(id(target), id(value)) for value, target in order.in_place.items()]
    stores += [(id(target), id(value)) for target, value in order.copied]
    if sorted(stores) != sorted((id(target), id(value)) for target, value in program.stores):
        _fail(None, "not all is stored that was recorded, or something else")
    overwritten: set[Storage] = set()
    for instruction in order.instructions:
        targets = [order.in_place[out] for out in instruction.outputs if out in order.in_place]
        own = {target.storage for target in targets}
        for array in instruction.inputs:
            late = array.storage in overwritten
            if late or (array.storage in own and array not in targets):
                _fail(instruction, f"{array} is read after something was stored there")
        if targets and instruction not in order.commit:
            _fail(instruction, "it stores something before all has gone well")
        overwritten |= own
    for target, value in order.copied:
        if value.storage in overwritten:
            _fail(None, f"{value} is copied after something was stored there")
        overwritten.add(target.storage)


# --- memory ---------------------------------------------------------------------------------------


def _check_parts(instructions: list[Instruction], memory: Memory) -> None:
    """See that what is computed within a joined array lies where the join has it."""
    for instruction in instructions:
        if instruction.kind is not Kind.JOIN:
            continue
        start = 0
        places: dict[Storage, list[int]] = {}
        for part in instruction.args[0]:
            places.setdefault(part.storage, []).append(start)
            start += part.size
        for storage, starts in places.items():
            joined, at = memory.part_of.get(storage, (None, 0))
            if joined is instruction.out and at not in starts:
                _fail(instruction, f"a part lies at {at} and not at {starts}")


def _check_pools(program: Program, instructions: list[Instruction], memory: Memory) -> None:
    """See that arrays that are needed at the same time do not share a piece of memory."""
    lives = _lives(program, instructions, memory)
    sharing: dict[int, list[Storage]] = {}
    for storage, pool in memory.pool_of.items():
        sharing.setdefault(pool, []).append(storage)
    roots = {out.storage: out for i in reversed(instructions) for out in i.outputs}
    for pool, storages in sharing.items():
        storages.sort(key=lambda storage: lives[storage])
        for storage in storages:
            if roots[storage].nbytes > memory.pools[pool]:
                _fail(None, f"{roots[storage]} does not fit into {memory.pools[pool]} bytes")
        last, old = -2, storages[0]
        for new in storages:
            first, end = lives[new]
            over = first == last and _takes_over(instructions[first], roots[old], roots[new])
            if first <= last and not over:
                at = instructions[max(first, 0)]
                _fail(at, f"{roots[new]} is made where {roots[old]} is still needed")
            if end >= last:
                last, old = end, new


def _takes_over(instruction: Instruction, old: Array, new: Array) -> bool:
    """Tell whether an operation may write its result over an operand, element by element."""
    if instruction.kind not in (Kind.ELEMENTWISE, Kind.CHAIN) or new not in instruction.outputs:
        return False
    read = [array for array in instruction.inputs if array.storage is old.storage]
    alike = (old.shape, old.strides, old.dtype) == (new.shape, new.strides, new.dtype)
    return alike and all(array is old for array in read)


def _lives(
    program: Program, instructions: list[Instruction], memory: Memory
) -> dict[Storage, Life]:
    """Return when each storage is needed; a part is needed with the whole."""
    lives: dict[Storage, Life] = {}

    def touch(storage: Storage, at: int) -> None:
        while storage in memory.part_of:
            storage = memory.part_of[storage][0].storage
        first, last = lives.get(storage, (at, at))
        lives[storage] = min(first, at), max(last, at)

    for at, instruction in enumerate(instructions):
        for array in (*instruction.inputs, *instruction.outputs):
            touch(array.storage, at)
    for array in program.ends:
        touch(array.storage, len(instructions))
    for array in program.kept:
        touch(array.storage, -1)
    return lives
