"""Emit: writes a program as straight-line Python over NumPy.

Floor: compiler, above `buffers`.  The text has one function, `prepare`, which takes what
is captured, makes the buffers and resolves the views once, and returns `step`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from ..graph import clock
from ..interrupts import uninterrupted
from ..quiet import quiet
from . import threads
from .arithmetic import dtype_of_numbers
from .buffers import Buffers
from .calls import by_position, casts_a_float, small_product, wants_an_array
from .chain import Literal
from .code import MISSED, Code
from .loops import Loop
from .names import Names, hint, symbol
from .plan import Plan
from .program import (
    GETITEM,
    SETITEM,
    Array,
    Home,
    Instruction,
    Kind,
    Method,
    Phase,
    Place,
)
from .recording import Recording
from .runners import halved
from .tape import ASTYPE, COPY
from .traced import Attribute
from .values import Draw, equal, spread


def emit(recording: Recording, plan: Plan, atomic: bool = True) -> Code:
    """Write a program; if `atomic`, Ctrl-C waits until all that it changes outside is changed."""
    writer = _Writer(recording, plan, atomic)
    code = writer.written()
    vars(writer).clear()  # it and its buffers hold each other, and the arrays of the recording
    return code


class _Writer:
    """The state of writing: the lines of both functions, and what is known."""

    def __init__(self, recording: Recording, plan: Plan, atomic: bool) -> None:
        self.recording = recording
        self.atomic = atomic
        self.program, self.order, self.memory = plan.program, plan.order, plan.memory
        self.names = Names()
        self.arrays = Buffers(self.names, plan.memory, self._line)
        self.lines: list[str] = []
        self.indent = 2
        self.names.bound["MISSED"] = MISSED
        self._place: tuple[Any, ...] = ()
        self._errstate: Any = None
        self.runners = plan.runners
        self.threads = plan.threads
        self.kernels: dict[str, None] = {}
        self._committing = False
        self._literals: dict[Any, str] = {}
        sets = [value for _, value in recording.sets if isinstance(value, Array)]
        self._left = {self._renamed(value).storage for value in sets}
        """The memory of what is put somewhere at the end: gradients, arrays in place of others."""

    # --- the whole --------------------------------------------------------------------------------

    def written(self) -> Code:
        """Write both functions."""
        for leaf, _, label in self.recording.leaves:
            self._name_gradients(leaf, label)
        captured = [self.names.of(a) for a in self.program.captured]
        arguments = [self.names.of(a) for a in self.program.arguments]
        self._given: dict[Any, str] = {
            leaf: self.names.new("given_leaf") for leaf in self.recording.given
        }
        self._given |= {t: self.names.new("given_tensor") for _, t in self.recording.moved}
        arguments += self._given.values()
        for instruction in self.order.before:
            self._instruction(instruction)
        self._commit()
        if not (self.order.commit or self.order.copied):
            self._set()
        self._errstate = None
        returned = self.program.results[: self.recording.returned]
        recorded = [r.array for r in self.recording.results if r.array is not None]
        results = [self._returned(a, old) for a, old in zip(returned, recorded, strict=True)]
        self._line(f"return {self._tuple(results)}")
        head = [
            f"def prepare({', '.join(captured)}):",
            *self.arrays.prepared,
            "",
            f"    def step({', '.join(arguments)}):",
        ]
        readable = self._readable()
        kept = [self.names.of(a) for a in readable]
        tail = ["", f"    return step, {self._tuple(kept)}", ""]
        holders = {
            self._renamed(value): slot.holder
            for slot, value in self.recording.sets
            if isinstance(value, Array) and slot.key == "grad"
        }
        leaves = [holders.get(a) for a in readable]
        text = "\n".join([*head, *self.lines, *tail])
        return Code(text, self.names.bound, leaves, list(self.kernels))

    def _readable(self) -> list[Array]:
        """List the arrays of fixed memory that stay readable after a call, and what holds them."""
        made = (a for a in dict.fromkeys(self.program.kept) if a.storage.home is Home.MADE)
        arrays = [a for a in made if self.memory.fixed(a)]
        parts = (self.memory.part_of.get(a.storage) for a in arrays)
        return list(dict.fromkeys([*arrays, *(part[0] for part in parts if part)]))

    def _name_gradients(self, leaf: Any, label: str) -> None:
        for slot, value in self.recording.sets:
            if slot.holder is leaf and slot.key == "grad" and isinstance(value, Array):
                value = self._renamed(value)
                value.label = value.label or f"{label or 'x'}.grad"

    def _renamed(self, array: Array) -> Array:
        """Return what the passes have put in place of an array of the recording."""
        return self.recording.final.get(array, array)

    @staticmethod
    def _tuple(items: Sequence[str]) -> str:
        return f"({', '.join(items)},)" if items else "()"

    def _line(self, text: str) -> None:
        self.lines.append("    " * (self.indent + (self._errstate is not None)) + text)

    def _returned(self, array: Array, recorded: Array) -> str:
        """Write a result; what the next call may write over, or the caller has, is copied."""
        given = array.storage.home is Home.ARGUMENT and recorded.storage is not array.storage
        left = array.storage in self._left
        if array.shape and (given or left or self.memory.fixed(array)):
            return f"{self.arrays.read(array)}.copy()"
        return self._shown(array, recorded)

    def _shown(self, array: Array, recorded: Array) -> str:
        """Write a value for others to see: an array of no axes where there was one."""
        name = self.arrays.read(array)
        return name if array.shape or recorded.number else f"np.array({name})"

    # --- instructions -----------------------------------------------------------------------------

    def _instruction(self, instruction: Instruction) -> None:
        """Write one instruction, under a comment that says where it comes from."""
        if self.memory.looked_at(instruction):
            self._fixed_view(instruction)
            return
        self._at(instruction.place)
        writer = getattr(self, f"_{instruction.kind.value}")
        writer(instruction)

    def _at(self, place: Place) -> None:
        """Begin a new part: its errors are handled as they were, and a comment names its line."""
        if self._committing:
            pass  # the errors of an update do not stop it half-way
        elif place.errstate != self._errstate and (place.file or place.errstate):
            self._errstate = place.errstate
            if place.errstate is not None:
                self.lines.append("    " * self.indent + f"with {self._errors(place.errstate)}:")
        where = (place.phase, place.file, place.line)
        if place.file and where != self._place:
            self._place = where
            phase = "" if place.phase is Phase.FORWARD else f"{place.phase.name.lower()} of "
            self._line(f"# {phase}{PurePath(place.file).name}:{place.line}: {place.text}")

    def _errors(self, errstate: Sequence[tuple[str, str]]) -> str:
        """Write the block in which errors are handled in some way."""
        if {value for _, value in errstate} == {"ignore"}:
            return f"{self.names.bind(quiet, 'quiet')}()"
        return f"np.errstate({', '.join(f'{key}={value!r}' for key, value in errstate)})"

    def _fixed_view(self, instruction: Instruction) -> None:
        """Resolve a view once."""
        for array in instruction.inputs:
            if array.storage.home is Home.MADE and self.memory.fixed(array):
                self.arrays.buffer(array, "x")
        text = self._call_text(instruction, read=self.arrays.place)
        self.arrays.made.update(instruction.outputs)
        self._assign(instruction, text, self.arrays.prepare)

    def _view(self, instruction: Instruction) -> None:
        self._assign(instruction, self._call_text(instruction))

    def _call(self, instruction: Instruction) -> None:
        self._assign(instruction, self._call_text(instruction))
        for out in instruction.outputs:
            name = self.names.of(out)
            dtype = self.names.value(out.dtype, self.arrays.read)
            self._line(f"if {name}.shape != {out.shape} or {name}.dtype != {dtype}:")
            self._line("    return MISSED")

    def _assign(
        self, instruction: Instruction, text: str, line: Callable[[str], None] | None = None
    ) -> None:
        """Write `name = text`, for each of several results."""
        out, line = instruction.out, line or self._line
        if isinstance(out, Array):
            line(f"{self.names.of(out, hint(instruction.function))} = {text}")
            return
        name = self.names.new(hint(instruction.function))
        line(f"{name} = {text}")
        self._unpack(out, name, name, line)

    def _unpack(self, tree: Any, text: str, suggestion: str, line: Callable[[str], None]) -> None:
        for i, item in enumerate(tree):
            if isinstance(item, Array):
                line(f"{self.names.of(item, suggestion)} = {text}[{i}]")
            elif isinstance(item, (tuple, list)):
                self._unpack(item, f"{text}[{i}]", suggestion, line)

    def _call_text(
        self, instruction: Instruction, out: str = "", read: Callable[[Array], str] | None = None
    ) -> str:
        """Write the call itself."""
        function, args = instruction.function, instruction.args
        read = read or self.arrays.read
        if function == GETITEM:
            return f"{read(args[0])}[{self.names.key(args[1], self.arrays.read)}]"
        given = [self.names.value(a, read) for a in args]
        if out and instruction.kind is Kind.ELEMENTWISE:
            given = [self._operand(instruction, a) for a in args]
        params = dict(instruction.params)
        if instruction.kind is Kind.REDUCTION:
            given.append(self.names.value(params.pop("axis"), self.arrays.read))
        if out and by_position(function, params):
            given += ["None", out] if instruction.kind is Kind.REDUCTION else [out]
        elif out:
            params["out"] = out
        given += [
            f"{k}={v if k == 'out' else self.names.value(v, self.arrays.read)}"
            for k, v in params.items()
        ]
        if isinstance(function, Attribute):
            return f"{given[0]}.{function.name}"
        if isinstance(function, Method):
            return f"{given[0]}.{function.name}({', '.join(given[1:])})"
        return f"{self.names.function(function)}({', '.join(given)})"

    def _operand(self, instruction: Instruction, argument: Any) -> str:
        """Write an operand; a number becomes an array, which NumPy need not convert each time."""
        if not isinstance(instruction.function, np.ufunc):
            return self.names.value(argument, self.arrays.read)
        if isinstance(argument, Array):
            return self.arrays.read(argument) if argument.shape else self.arrays.cell(argument)
        if type(argument) not in (int, float):
            return self.names.value(argument, self.arrays.read)
        args = instruction.args
        terms = [("", a.dtype) if isinstance(a, Array) else Literal(a) for a in args]
        dtype = dtype_of_numbers(instruction.function.__name__, terms, instruction.out.dtype)
        if dtype is None:
            return self.names.value(argument, self.arrays.read)
        number = np.asarray(argument, dtype)
        shape = instruction.out.shape if wants_an_array(instruction) else ()
        key = (shape, number.dtype, number.tobytes())
        if key not in self._literals:
            name = self._literals[key] = self.names.new(f"number_{argument}")
            value = self.names.value(argument, self.arrays.read)
            made = f"np.full({shape}, {value}" if shape else f"np.asarray({value}"
            self.arrays.prepare(f"{name} = {made}, np.{number.dtype.name})")
        return self._literals[key]

    def _elementwise(self, instruction: Instruction) -> None:
        out = instruction.out
        if not out.shape:
            self._line(
                f"{self.names.of(out, hint(instruction.function))} = "
                f"{self._expression(instruction)}"
            )
            return
        if not self.memory.fixed(out):
            self._assign(instruction, self._call_text(instruction))
            return
        into = self.arrays.buffer(out, hint(instruction.function))
        if self._in_halves(instruction, into):
            return
        if instruction.function is spread and not instruction.args[0].shape:
            self._line(f"{into}.fill({self.arrays.read(instruction.args[0])})")
            return
        if instruction.function in (ASTYPE, COPY, spread):
            casting = ', casting="unsafe"' if instruction.function == ASTYPE else ""
            self._line(f"np.copyto({into}, {self.arrays.read(instruction.args[0])}{casting})")
            return
        self._line(self._call_text(instruction, into))

    def _in_halves(self, instruction: Instruction, into: str) -> bool:
        """Write a slow operation on a large array as two halves at the same time, if that pays."""
        if not halved(instruction, self.memory, self.threads):
            return False
        x, out = instruction.args[0], instruction.out
        name = self.names.new(f"{into}_halves")
        source, half = self.arrays.read(x), out.size // 2
        parts = [
            f"({source}.reshape(-1)[{cut}], {into}.reshape(-1)[{cut}])"
            for cut in (f":{half}", f"{half}:")
        ]
        self.arrays.prepare(f"{name} = ({', '.join(parts)})")
        both = self.names.bind(threads.both, "both")
        self._line(f"{both}({self.names.function(instruction.function)}, *{name})")
        return True

    def _chain(self, instruction: Instruction) -> None:
        """Bind a chain to its arrays, once, and run it."""
        runner = self.runners[instruction]
        self.kernels.setdefault(runner.source)
        outputs = [
            self.arrays.buffer(out, hint(instruction.function)) for out in instruction.outputs
        ]
        inputs = [self.arrays.read(a) for a in instruction.args if a.shape]
        numbers = [self.arrays.scalar(a) for a in instruction.args if not a.shape]
        phase = instruction.place.phase.name.lower()
        name = self.names.new(f"{phase}_{instruction.function.__name__}"[:40])
        bound = self.names.bind(runner, "chain")
        shared = f", {self.threads}" if isinstance(runner, Loop) else ""
        self.arrays.prepare(
            f"{name} = {bound}.bind({self._tuple(inputs)}, {self._tuple(outputs)}{shared})"
        )
        self._line(f"{name}({', '.join(numbers)})")

    def _expression(self, instruction: Instruction) -> str:
        """Write an operation on single numbers, which is ten times faster with an operator."""
        sign = symbol(instruction.function)
        if instruction.function == ASTYPE and casts_a_float(instruction):
            return self._cast(instruction)
        if sign is None or instruction.params:
            return self._call_text(instruction)
        x, y = (self.names.value(a, self.arrays.read) for a in instruction.args)
        return f"{x} {sign} {y}"

    def _cast(self, instruction: Instruction) -> str:
        """Write the cast of a single number, which takes half the time of `astype`."""
        value = self.arrays.read(instruction.args[0])
        dtype = instruction.out.dtype
        return value if dtype == instruction.args[0].dtype else f"np.{dtype.name}({value})"

    def _reduction(self, instruction: Instruction) -> None:
        self._with_out(instruction)

    def _product(self, instruction: Instruction) -> None:
        out = instruction.out
        if self.memory.fixed(out) and small_product(instruction):
            # The same call of BLAS as matmul makes, which comes to it a microsecond later.  But
            # dot fills `out` with zeros before: an eighth of the time of a product of 512 x 784.
            into = self.arrays.buffer(out, "product")
            x, y = (self.arrays.read(a) for a in instruction.args)
            self._line(f"{x}.dot({y}, {into})")
        else:
            self._with_out(instruction)

    def _with_out(self, instruction: Instruction) -> None:
        out = instruction.out
        if out.shape and self.memory.fixed(out):
            into = self.arrays.buffer(out, hint(instruction.function))
            self._line(self._call_text(instruction, into))
        else:
            self._assign(instruction, self._call_text(instruction))

    def _join(self, instruction: Instruction) -> None:
        out = instruction.out
        if not self.memory.fixed(out):
            self._assign(instruction, self._call_text(instruction))
            return
        into, start = self.arrays.buffer(out, "joined"), 0
        for part in instruction.args[0]:
            if self.memory.part_of.get(part.storage, (None, 0)) != (out, start):
                piece = self.names.new(f"{into}_part")
                self.arrays.prepare(f"{piece} = {into}[{start}:{start + part.size}]")
                self._line(f"np.copyto({piece}, {self.arrays.read(part)})")
            start += part.size

    def _write(self, instruction: Instruction) -> None:
        target, *rest = instruction.args
        if instruction.function == SETITEM:
            key = self.names.key(rest[0], self.arrays.read)
            self._line(
                f"{self.names.of(target)}[{key}] = {self.names.value(rest[1], self.arrays.read)}"
            )
        else:
            self._line(self._call_text(instruction))

    def _draw(self, instruction: Instruction) -> None:
        draw = instruction.function
        assert isinstance(draw, Draw)
        generator = self.names.bind(draw.generator, "generator")
        given = [self.names.value(a, self.arrays.read) for a in instruction.args]
        given += [
            f"{k}={self.names.value(v, self.arrays.read)}" for k, v in instruction.params.items()
        ]
        self._line(
            f"{self.names.of(instruction.out, draw.method)} = "
            f"{generator}.{draw.method}({', '.join(given)})"
        )

    def _expect(self, instruction: Instruction) -> None:
        value, *seen = (self.names.value(a, self.arrays.read) for a in instruction.args)
        if instruction.function is equal:
            plain = instruction.args[1]
            if isinstance(plain, (bool, np.bool_)):
                self._line(f"if {'not ' if plain else ''}{value}:")
            else:
                self._line(f"if not {self.names.bind(equal, 'equal')}({value}, {seen[0]}):")
        else:
            sign = self.names.new("sign")
            # As `backprop` does: both hand a NaN through, and each is faster at its sizes.
            small = instruction.args[0].size < 4096 or instruction.args[0].dtype.kind == "c"
            search = f"np.vdot({value}, {value})" if small else f"np.maximum.reduce({value}, None)"
            self._line(f"{sign} = {search}")
            self._line(f"if {sign} != {sign}:")
        self._line("    return MISSED")

    # --- the end ----------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Write what changes something outside: all of it, or, before it, nothing."""
        if not (self.order.commit or self.order.copied):
            return
        ignored = self._errstate is not None and {v for _, v in self._errstate} == {"ignore"}
        self._errstate = self._errstate if ignored else None
        if self.atomic:
            wait = f"{self.names.bind(uninterrupted, 'uninterrupted')}()"
            silence = "" if ignored else f", {self.names.bind(quiet, 'quiet')}()"
            self._line(f"with {wait}{silence}:")
            self.indent += 1
        self._committing = True
        for instruction in self.order.commit:
            self._instruction(instruction)
        for target, value in self.order.copied:
            if target.shape and not value.shape:
                self._line(f"{self.names.of(target)}.fill({self.arrays.read(value)})")
            elif target.shape:
                self._line(f"np.copyto({self.names.of(target)}, {self.arrays.read(value)})")
            else:
                self._line(f"{self.names.of(target)}[...] = {self.arrays.read(value)}")
        self._set()
        self.indent -= self.atomic

    def _set(self) -> None:
        """Write what happens to tensors and leaves."""
        if self.recording.ticked:
            self._line(f"now = {self.names.bind(clock, 'clock')}.tick()")
        for leaf in self.recording.ticked:
            self._line(f"{self._holder(leaf)}.time = now")
        for slot, value in self.recording.sets:
            text = (
                self._kept(self._renamed(value), value) if isinstance(value, Array) else repr(value)
            )
            self._line(f"{slot.written(self._holder(slot.holder))} = {text}")

    def _kept(self, array: Array, recorded: Array) -> str:
        """Write what is left behind; what belongs to somebody else, or to all calls, is copied."""
        if array is recorded and array.storage.home in (Home.ARGUMENT, Home.CAPTURED):
            return self.arrays.place(array)  # as `self.last = self.now`: the same object
        ours = array.storage.home is Home.MADE or not array.shape
        return self._shown(array, recorded) if ours else f"{self.arrays.read(array)}.copy()"

    def _holder(self, holder: Any) -> str:
        """Return the name of a leaf or a tensor."""
        given = next((name for other, name in self._given.items() if other is holder), None)
        if given is not None:
            return given
        known = (
            (label, leaf is holder)
            for leaf, t, label in self.recording.leaves
            if holder is leaf or holder is t
        )
        label, is_leaf = next(known, ("holder", False))
        return self.names.bind(holder, f"{label}_{'leaf' if is_leaf else 'tensor'}")
