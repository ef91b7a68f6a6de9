"""The check of compiled programs: a sound one passes, and each kind of mistake is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tensorgrad.compiler.check import PlanError, check, numbered
from tensorgrad.compiler.commit import Ordered, ordered
from tensorgrad.compiler.memory import Memory, laid_out
from tensorgrad.compiler.program import SETITEM, Array, Home, Instruction, Kind, Program, Storage


def array(home: Home = Home.MADE, shape: tuple[int, ...] = (4,), dtype: str = "f8") -> Array:
    """Make an array of a program, in memory of its own."""
    return Array(np.empty(shape, dtype), Storage(home))


class Sound:
    """A program without a mistake, whose parts are at hand: `state += x + (x * x).reshape(...)`."""

    def __init__(self) -> None:
        self.x, self.state = array(Home.ARGUMENT), array(Home.CAPTURED)
        self.square, self.negative, self.sum = array(), array(), array()
        self.table = Array(np.empty((2, 2)), self.square.storage)
        self.total, self.new, self.both = array(shape=()), array(), array(shape=(8,))
        self.buffer = array()
        self.buffer.storage.written = True
        x, square = self.x, self.square
        self.instructions = {
            "square": Instruction(Kind.ELEMENTWISE, np.multiply, (x, x), out=square),
            "view": Instruction(Kind.VIEW, np.reshape, (square, (2, 2)), out=self.table),
            "negative": Instruction(Kind.ELEMENTWISE, np.negative, (x,), out=self.negative),
            "sum": Instruction(Kind.ELEMENTWISE, np.add, (square, self.negative), out=self.sum),
            "total": Instruction(
                Kind.REDUCTION, np.add.reduce, (self.table,), {"axis": None}, self.total
            ),
            "buffer": Instruction(Kind.CALL, np.copy, (x,), out=self.buffer),
            "first": Instruction(Kind.WRITE, SETITEM, (self.buffer, 0, self.total)),
            "second": Instruction(Kind.WRITE, SETITEM, (self.buffer, 0, 1.0)),
            "join": Instruction(
                Kind.JOIN, np.concatenate, ([self.sum, self.buffer],), out=self.both
            ),
            "new": Instruction(Kind.ELEMENTWISE, np.add, (self.state, self.sum), out=self.new),
        }
        self.stores = [(self.state, self.new)]

    def program(self, *names: str) -> Program:
        """Return the program, its instructions in another order if that is said."""
        instructions = [self.instructions[name] for name in names or self.instructions]
        results = [self.total, self.both]
        return Program(instructions, [self.x], [self.state], self.stores, results, [])

    def planned(self) -> tuple[Program, Ordered, Memory]:
        program = self.program()
        order = ordered(program)
        return program, order, laid_out(program, order)


def test_a_sound_program_passes() -> None:
    sound = Sound()
    check(numbered(sound.program()))
    check(*sound.planned())
    assert sound.planned()[1].in_place == {sound.new: sound.state}


def missing(sound: Sound) -> Program:
    return sound.program(*(name for name in sound.instructions if name != "square"))


def too_early(sound: Sound) -> Program:
    names = list(sound.instructions)
    return sound.program("sum", *(name for name in names if name != "sum"))


def twice(sound: Sound) -> Program:
    return sound.program("square", *sound.instructions)


def foreign_memory(sound: Sound) -> Program:
    sound.negative.storage = sound.square.storage
    return sound.program()


def result_missing(sound: Sound) -> Program:
    program = sound.program()
    program.results.append(array())
    return program


def wrong_shape(sound: Sound) -> Program:
    sound.sum.shape = (2, 4)
    return sound.program()


def wrong_dtype(sound: Sound) -> Program:
    sound.instructions["square"].args = (sound.x, np.float64(2.0))
    sound.x.dtype = np.dtype("f4")
    sound.square.dtype = np.dtype("f4")
    return sound.program()


def view_elsewhere(sound: Sound) -> Program:
    sound.table.storage = Storage(Home.MADE)
    return sound.program()


def view_too_large(sound: Sound) -> Program:
    sound.table.shape = (3, 2)
    return sound.program()


def writes_swapped(sound: Sound) -> Program:
    numbered(sound.program())
    instructions = sound.instructions
    instructions["first"], instructions["second"] = instructions["second"], instructions["first"]
    return sound.program()


def read_before_written(sound: Sound) -> Program:
    numbered(sound.program())
    names = [name for name in sound.instructions if name != "second"]
    return sound.program(*names, "second")


def writes_outside(sound: Sound) -> Program:
    sound.instructions["first"].args = (sound.state, 0, 1.0)
    return sound.program()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (missing, "view reshape: .* was not made"),
        (too_early, "elementwise add: .* was not made"),
        (twice, "elementwise multiply: .* a second time"),
        (foreign_memory, "elementwise negative: .* no memory of its own"),
        (result_missing, "was not made"),
        (wrong_shape, r"elementwise add: .* should be float64\[4\]"),
        (wrong_dtype, r"elementwise multiply: .* should be float64\[4\]"),
        (view_elsewhere, "view reshape: .* none of its arguments"),
        (view_too_large, "view reshape: .* larger than"),
        (writes_swapped, "write __setitem__: .* changed places"),
        (read_before_written, "write __setitem__: .* changed places"),
        (writes_outside, "write __setitem__: it writes to"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_broken_program_is_found(broken: Callable[[Sound], Program], message: str) -> None:
    program = broken(Sound())
    with pytest.raises(PlanError, match=message):
        check(program)


def forgotten_store(_: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    return replace(order, in_place={}), memory


def stored_early(sound: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    new = sound.instructions["new"]
    return replace(order, before=[*order.before, new], commit=[]), memory


def read_after_store(sound: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    late = Instruction(Kind.ELEMENTWISE, np.negative, (sound.state,), out=array())
    return replace(order, commit=[*order.commit, late]), memory


def may_fail(sound: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    late = Instruction(Kind.CALL, np.linalg.inv, (sound.table,), out=array(shape=(2, 2)))
    return replace(order, commit=[*order.commit, late]), memory


def shared(sound: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    pools = memory.pool_of
    pools[sound.negative.storage] = pools[sound.square.storage]
    return order, memory


def taken_over_by_a_reduction(
    sound: Sound, order: Ordered, memory: Memory
) -> tuple[Ordered, Memory]:
    memory.pool_of[sound.total.storage] = memory.pool_of[sound.square.storage]
    return order, memory


def too_small(sound: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    memory.pools[memory.pool_of[sound.square.storage]] = 8
    return order, memory


def part_misplaced(sound: Sound, order: Ordered, memory: Memory) -> tuple[Ordered, Memory]:
    memory.part_of[sound.sum.storage] = sound.both, 4
    return order, memory


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (forgotten_store, "not all is stored"),
        (stored_early, "elementwise add: it stores something before"),
        (read_after_store, "elementwise negative: .* read after"),
        (may_fail, "call inv: it may fail"),
        (shared, "elementwise negative: .* is still needed"),
        (taken_over_by_a_reduction, "reduction reduce: .* is still needed"),
        (too_small, "does not fit into 8 bytes"),
        (part_misplaced, "join concatenate: a part lies at 4"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_broken_plan_is_found(broken: Callable[..., Any], message: str) -> None:
    sound = Sound()
    program, order, memory = sound.planned()
    order, memory = broken(sound, order, memory)
    with pytest.raises(PlanError, match=message):
        check(program, order, memory)
