"""Report: what a compiled function does, as tables: `step.plan` and `step.memory`.

Floor: compiler, above `plan`.  What an operation looks like is decided in `_Reader`; `viz` draws
the rows.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from .blocks import Blocks
from .chain import Literal
from .loops import reason
from .memory import Memory, lives_of, peak_of, roots_of
from .passes.dead import without_dead
from .passes.fuse import ChainOf
from .plan import Plan
from .program import (
    GETITEM,
    Array,
    Home,
    Instruction,
    Kind,
    Phase,
    Place,
    Storage,
    numbers_in,
)
from .recording import Recording
from .runners import _in_place, halved
from .values import Draw, equal

_WIDTH: Final = 60
"""Of the widest column: what is longer pushes the rest of its row aside."""


@dataclass(frozen=True)
class Row:
    """One operation of a plan."""

    number: int
    phase: str
    """`"forward"`, `"backward"` or `"update"`."""
    operation: str
    inputs: tuple[str, ...]
    """`"#3"` is the result of row 3."""
    output: str
    """Labels, dtypes and shapes of the results; `""` where there is none."""
    lives: str
    """The memory of the result: a buffer, that of an operand, a parameter, new memory."""
    runs: str
    """What does the work."""
    line: str
    """The line of the user's code, `file:line: text`."""
    sources: tuple[int | str, ...]
    """What the arrays among the inputs come from: the number of a row, or a label."""
    lines: tuple[str, ...] = ()
    """The operations of a chain."""
    returned: bool = False
    """Whether the caller gets a result of it."""


@dataclass(frozen=True)
class Note:
    """Something to know about a plan, and the line of the user's code that it comes from."""

    text: str
    line: str


@dataclass(frozen=True, repr=False)
class PlanTable:
    """What a compiled function does at each call: the rows of a table, in order.

    Printed it is the table; iterating gives the rows.
    """

    rows: tuple[Row, ...]
    guards: tuple[Note, ...]
    """What each call checks on its way: where it differs, that call is run eagerly."""
    baked: tuple[Note, ...]
    """Numbers and arrays that are the same at each call.

    Those that a line of the user's own code hands to the library and that enter an operation or an
    index as they are.  Not listed: what the library adds itself, and what it makes another number
    of first.
    """
    captured: tuple[str, ...]
    """The arrays that are read anew at each call, by name."""
    draws: tuple[Note, ...]
    """The draws of random numbers."""
    buffers: int
    threads: int

    def __len__(self) -> int:
        """Return the number of operations."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        """Return a row."""
        return self.rows[index]

    def __repr__(self) -> str:
        """Write the table."""
        lines = [
            f"{_counted(len(self.rows), 'operation')}, {_counted(self.buffers, 'buffer')}, at most "
            f"{_counted(self.threads, 'thread')}"
        ]
        operation = max((len(row.operation) for row in self.rows), default=0)
        values = min(max((len(_values(row)) for row in self.rows), default=0), _WIDTH)
        lives = min(max((len(row.lives) for row in self.rows), default=0), _WIDTH // 2)
        phase = line = ""
        for row in self.rows:
            if row.phase != phase:
                lines += ["", row.phase]
                phase, line = row.phase, ""
            if row.line != line:
                lines.append(f"  {row.line or 'the library'}")
                line = row.line
            lines.append(
                f"  {row.number:4}  {row.operation:{operation}}  {_values(row):{values}}  "
                f"{row.lives:{lives}}  {row.runs}".rstrip()
            )
            lines += [f"{'':{operation + 10}}{text}" for text in row.lines]
        lines += _section("checked at each call; where it differs, the call is eager", self.guards)
        lines += _section("baked in: the same at each call", self.baked)
        lines += _section("random numbers, drawn at each call", self.draws)
        if self.captured:
            lines += ["", "read at each call", *(f"  {text}" for text in self.captured)]
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class MemoryTable:
    """The memory that a compiled function takes, in bytes."""

    planned: int
    """Of all buffers, which are made once."""
    buffers: int
    scratch: int
    """For the blocks of chains that run as blocks of NumPy, for one thread."""
    fresh: int
    """Made anew at each call, at the worst moment: results, and what NumPy makes itself."""
    eager: int
    """The same results, each in memory of its own until nothing needs it, at the worst moment."""
    captured: int
    """Of what was there already: parameters, state, arrays."""

    def __repr__(self) -> str:
        """Write the table."""
        here = self.planned + self.scratch + self.fresh
        rows = [
            (self.planned, f"planned, in {_counted(self.buffers, 'buffer')} made once"),
            (self.scratch, "scratch memory of blocks"),
            (self.fresh, "new at each call, at the worst moment"),
            (here, "together"),
            (self.eager, "the same results eagerly, at the worst moment"),
            (self.captured, "captured: parameters, state, arrays"),
        ]
        return "\n".join(f"{_bytes(size):>9}  {text}" for size, text in rows)


def plan_table(recording: Recording, plan: Plan) -> PlanTable:
    """Write down what a plan does."""
    return _Reader(recording, plan).table()


def memory_table(recording: Recording, plan: Plan) -> MemoryTable:
    """Add up the memory of a plan."""
    memory, instructions = plan.memory, plan.order.instructions
    roots = roots_of(instructions)
    fresh = {
        storage: found
        for storage, found in roots.items()
        if not memory.fixed(found[0]) and found[0].shape
    }
    owners = {id(a.storage.owner): a.storage.owner.nbytes for a in plan.program.captured}
    # Fusion leaves out what chains make on their way, so the recording itself is looked at.
    program = without_dead(recording.program)
    everything = lives_of(program.instructions, program, Memory())
    return MemoryTable(
        planned=sum(memory.pools),
        buffers=len(memory.pools),
        scratch=sum(r.nbytes for r in plan.runners.values() if isinstance(r, Blocks)),
        fresh=peak_of(fresh, lives_of(instructions, plan.program, memory)),
        eager=peak_of(roots_of(program.instructions), everything),
        captured=sum(owners.values()),
    )


class _Reader:
    """Writes the rows of a plan."""

    def __init__(self, recording: Recording, plan: Plan) -> None:
        self.recording = recording
        self.plan = plan
        self.program, self.memory = plan.program, plan.memory
        self.rows = [i for i in plan.order.instructions if i.kind is not Kind.EXPECT]
        self.numbers = {out: n for n, i in enumerate(self.rows, 1) for out in i.outputs}
        returned = self.program.results[: recording.returned]
        self.returned = {array.storage for array in returned}
        self.makers = self.program.makers()
        self.written: dict[Storage, int] = {}
        """The row that wrote last to what is written in place."""

    def table(self) -> PlanTable:
        """Write all of it."""
        rows = []
        for number, instruction in enumerate(self.rows, 1):
            rows.append(self._row(number, instruction))
            if instruction.kind is Kind.WRITE:
                self.written[instruction.args[0].storage] = number
        for target, value in self.plan.order.copied:
            rows.append(self._store(len(rows) + 1, target, value))
        return PlanTable(
            rows=tuple(rows),
            guards=tuple(self._guards()),
            baked=tuple(self._baked()),
            captured=tuple(
                self._outside(array)
                for array in self.program.captured
                if array in self.recording.origins
            ),
            draws=tuple(
                Note(f"#{n} {_operation(i)}({self._arguments(i)})", _line(i.place))
                for n, i in enumerate(self.rows, 1)
                if i.kind is Kind.DRAW
            ),
            buffers=len(self.memory.pools),
            threads=self.plan.threads,
        )

    # --- rows -------------------------------------------------------------------------------------

    def _row(self, number: int, instruction: Instruction) -> Row:
        outputs = instruction.outputs
        lives = dict.fromkeys(self.lives(out, instruction) for out in outputs)
        return Row(
            number=number,
            phase=instruction.place.phase.name.lower(),
            operation=_operation(instruction),
            inputs=tuple(self._inputs(instruction)),
            output=", ".join(f"{out.label} {_kind(out)}".strip() for out in outputs),
            lives="; ".join(lives) or f"writes to {self._name(instruction.inputs[0])}",
            runs=self._runs(instruction),
            line=_line(instruction.place),
            sources=tuple(dict.fromkeys(self._source(a) for a in instruction.inputs)),
            lines=self._lines(instruction),
            returned=any(out.storage in self.returned for out in outputs),
        )

    def _store(self, number: int, target: Array, value: Array) -> Row:
        """Write what is copied to memory from outside at the end."""
        maker = self.makers.get(value)
        place = Place(Phase.UPDATE) if maker is None else maker.place
        return Row(
            number, place.phase.name.lower(), "copy", (self._operand(value),), "",
            f"in {self._outside(target)}", "NumPy", _line(place), (self._source(value),),
        )  # fmt: skip

    def _inputs(self, instruction: Instruction) -> Iterator[str]:
        """Yield the arguments as text."""
        if instruction.function == GETITEM:
            array, key = instruction.args
            keys = key if isinstance(key, tuple) else (key,)
            yield f"{self._operand(array)}[{', '.join(map(self._text, keys))}]"
            return
        for argument in instruction.args:
            yield self._text(argument)
        for key, value in instruction.params.items():
            yield f"{key}={self._text(value)}"

    def _arguments(self, instruction: Instruction) -> str:
        return ", ".join(self._inputs(instruction))

    def _text(self, thing: Any) -> str:
        """Write an argument."""
        if isinstance(thing, Array):
            return self._operand(thing)
        if isinstance(thing, (tuple, list)):
            items = ", ".join(map(self._text, thing))
            if isinstance(thing, list):
                return f"[{items}]"
            return f"({items},)" if len(thing) == 1 else f"({items})"
        if isinstance(thing, slice):
            parts = [thing.start, thing.stop] + [thing.step] * (thing.step is not None)
            return ":".join("" if part is None else self._text(part) for part in parts)
        if thing is Ellipsis:
            return "..."
        if isinstance(thing, np.ndarray):
            return _kind(thing)
        if isinstance(thing, (np.dtype, type)):
            return np.dtype(thing).name if isinstance(thing, np.dtype) else thing.__name__
        plain = thing.item() if isinstance(thing, np.generic) else thing
        atoms = (bool, int, float, complex, str, type(None))
        return repr(plain) if isinstance(plain, atoms) else type(plain).__name__

    def _operand(self, array: Array) -> str:
        """Write an array that is read: one from outside with its dtype and shape."""
        if array in self.numbers:
            return self._name(array)
        value = array.value
        if array.storage.home is Home.CONSTANT and value is not None and not array.shape:
            return self._text(value[()])
        return self._outside(array)

    def _name(self, array: Array) -> str:
        number = self.numbers.get(array)
        if number is None:
            return _label(array)
        outputs = self.rows[number - 1].outputs
        return f"#{number}" + (f".{outputs.index(array)}" if len(outputs) > 1 else "")

    def _outside(self, array: Array) -> str:
        return f"{_label(array)} {_kind(array)}"

    def _source(self, array: Array) -> int | str:
        if array.storage in self.written:
            return self.written[array.storage]
        return self.numbers[array] if array in self.numbers else self._operand(array)

    def _lines(self, instruction: Instruction) -> tuple[str, ...]:
        """Write the operations of a chain, with `a`, `b`, ... for what they make on their way."""
        if not isinstance(instruction.function, ChainOf):
            return ()
        chain = instruction.function.chain
        count = len(chain.inputs)
        names = [self._name(a) if a.shape else self._operand(a) for a in instruction.inputs]
        names += [f"t{n}" for n in range(1, len(chain.lines) + 1)]
        lines = []
        for n, line in enumerate(chain.lines):
            given = [repr(o.value) if isinstance(o, Literal) else names[o] for o in line.operands]
            cast = f", {line.dtype.name}" if line.function == "astype" else ""
            stored = " (stored)" if count + n in chain.outputs else ""
            lines.append(f"{names[count + n]} = {line.function}({', '.join(given)}{cast}){stored}")
        return tuple(lines)

    # --- where and how ----------------------------------------------------------------------------

    def lives(self, array: Array, instruction: Instruction) -> str:
        """Tell where a result lives."""
        storage, memory = array.storage, self.memory
        if instruction.kind is Kind.VIEW:
            return f"view of {self._name(instruction.inputs[0])}"
        if storage in memory.stored_in:
            return f"in {_label(memory.stored_in[storage])}"
        if storage in memory.part_of:
            return f"part of {self._name(memory.part_of[storage][0])}"
        if storage in memory.pool_of:
            pool = memory.pool_of[storage]
            shared = any(memory.pool_of.get(a.storage) == pool for a in instruction.inputs)
            return f"buffer {pool}" + (", in place" if shared else "")
        new = "new memory" if array.shape else "a number"
        return f"{new}, returned" if storage in self.returned else new

    def _runs(self, instruction: Instruction) -> str:
        """Tell what does the work."""
        if instruction.kind is Kind.CHAIN:
            return self._chain_runs(instruction)
        if instruction.kind is Kind.VIEW and self.memory.fixed(instruction.out):
            return "once"
        if instruction.kind is Kind.ELEMENTWISE and self.memory.fixed(instruction.out):
            shared = halved(instruction, self.memory, self.plan.threads)
            return "NumPy, two threads" if shared else "NumPy"
        return "NumPy"

    def _chain_runs(self, instruction: Instruction) -> str:
        runner, chain = self.plan.runners[instruction], instruction.function.chain  # type: ignore[attr-defined]
        if isinstance(runner, Blocks):
            why = reason(chain, _in_place(instruction, self.memory))
            installed = importlib.util.find_spec("numba") is not None
            return f"blocks: {why}" if installed and why else "blocks"
        shared = runner.halved(self.plan.threads)
        return "generated loop, two threads" if shared else "generated loop"

    # --- notes ------------------------------------------------------------------------------------

    def _guards(self) -> Iterator[Note]:
        """Yield what a call checks."""
        for instruction in self.plan.order.instructions:
            if instruction.kind is Kind.EXPECT:
                array = instruction.args[0]
                text = f"no NaN in {self._described(array)}"
                if instruction.function is equal:
                    text = f"{self._described(array)} is {self._text(instruction.args[1])}"
                yield Note(text, _line(instruction.place))
            elif instruction.kind is Kind.CALL:
                for out in instruction.outputs:
                    yield Note(f"{self._described(out)} is {_kind(out)}", _line(instruction.place))

    def _described(self, array: Array) -> str:
        """Write the name of an array, and what made it."""
        maker = self.makers.get(array)
        return self._name(array) + (f" ({_operation(maker)})" if maker is not None else "")

    def _baked(self) -> Iterator[Note]:
        """Yield the numbers and arrays that a line of the user's gave to be used as they are."""
        found: dict[Note, None] = {}
        foreign = {
            array: array.value
            for array in self.recording.program.captured
            if array not in self.recording.origins
        }
        for instruction in without_dead(self.recording.program).instructions:
            place = instruction.place
            if not place.file:
                continue
            for number in numbers_in(_operands(instruction)):
                if any(_same(number, other) for other in place.given):
                    found[Note(self._text(number), _line(place))] = None
            for array in instruction.inputs:
                if array in foreign and any(foreign[array] is other for other in place.given):
                    text = f"array {_kind(array)}"
                    found[Note(f"{text} {array.label}".rstrip(), _line(place))] = None
        return iter(found)


def _operation(instruction: Instruction) -> str:
    """Return what an operation is called."""
    function = instruction.function
    if isinstance(function, ChainOf):
        return f"chain of {len(function.chain.lines)}"
    if isinstance(function, Draw):
        return f"draw {function.method}"
    owner = getattr(function, "__self__", None)
    name = getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__)
    if isinstance(owner, np.ufunc):
        return f"{owner.__name__}.{name}"
    return {"ndarray": "view", "spread": "fill"}.get(str(name), str(name).strip("_"))


def _operands(instruction: Instruction) -> tuple[Any, ...]:
    """Return the arguments that are computed with, or are an index; not shapes and axes."""
    if instruction.kind is Kind.DRAW:
        return ()
    if instruction.kind is Kind.VIEW and instruction.function != GETITEM:
        return ()
    return instruction.args


def _same(number: Any, other: Any) -> bool:
    """Tell whether a number is the one that was given; a NaN is a NaN."""
    if isinstance(number, np.ndarray) or isinstance(other, np.ndarray):
        return number is other
    return type(number) is type(other) and bool(number == other or number != number != other)


def _label(array: Array) -> str:
    """Return what an array from outside is called."""
    if array.storage.home is Home.CONSTANT or not array.label:
        return array.storage.home.value
    for start in ("argument[0]", "argument[1]"):  # positional ones and those by name
        if array.label.startswith(start):
            return "argument" + array.label.removeprefix(start)
    return array.label


def _kind(array: Any) -> str:
    """Write dtype and shape."""
    return f"{array.dtype.name}{[*array.shape] if array.shape else ''}"


def _line(place: Place) -> str:
    """Write the line of the user's code."""
    return f"{PurePath(place.file).name}:{place.line}: {place.text}" if place.file else ""


def _values(row: Row) -> str:
    """Write what goes into an operation and what comes out; the lines of a chain say the first."""
    inputs = "" if row.lines else ", ".join(row.inputs)
    return f"{inputs} -> {row.output}".strip() if row.output else inputs


def _section(title: str, notes: tuple[Note, ...]) -> list[str]:
    """Write notes under a title, those of one line together."""
    texts: dict[str, list[str]] = {}
    for note in notes:
        texts.setdefault(note.line, []).append(note.text)
    joined = [(", ".join(found), line) for line, found in texts.items()]
    width = min(max((len(text) for text, _ in joined), default=0), _WIDTH)
    rows = [f"  {text:{width}}  {line}".rstrip() for text, line in joined]
    return ["", title, *rows] if rows else []


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count != 1 else "")


def _bytes(size: int) -> str:
    """Write a number of bytes with a unit."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1e3:.1f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
