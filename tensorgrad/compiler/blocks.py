"""Blocks: a chain as NumPy's functions, over parts that stay in the processor's cache.

Floor: compiler, above `arrangement` and `arithmetic`.  It runs every ufunc, and is what
runs where a loop cannot be compiled.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .._typing import Array
from .arithmetic import dtype_of_numbers
from .arrangement import FULL, SCALAR, arranged, views
from .chain import Chain, Line, Literal

# An update of 535 818 parameters by ten functions, in blocks of 16k, 32k, 64k, 128k: 1.86, 1.63,
# 1.60, 1.89 ms.
BLOCK: Final = 65_536
"""Elements of a block."""

_Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Step:
    """One call of NumPy: operands and target are named as in `Blocks.source`."""

    function: str
    operands: tuple[str | Literal, ...]
    target: str
    numbers: np.dtype[Any] | None = None
    """The dtype of the literals, None to leave it to NumPy."""


class Blocks:
    """A chain that runs as NumPy's functions, block by block.

    Call it with the inputs and then the outputs, or bind it to arrays that stay where they are.
    `in_place` gives, for the position of an output, the number of the input whose memory it takes.
    """

    def __init__(
        self, chain: Chain, in_place: Mapping[int, int] | None = None, block: int = BLOCK
    ) -> None:
        arrangement = arranged(chain)
        if arrangement is None:
            raise ValueError(
                f"the operands {[o.shape for o in chain.inputs]} broadcast to {chain.shape} over "
                "more than two axes: call NumPy's functions one by one"
            )
        self._chain = chain
        self._arrangement = arrangement
        self._in_place = dict(in_place or {})
        self._steps, self._scratch = _Memory(chain, self._in_place).steps()
        self._length = max(1, block // max(1, math.prod(arrangement.shape[1:])))

    @property
    def source(self) -> str:
        """The calls for one block, as Python."""
        names = ", ".join(
            [f"x{n}" for n in range(len(self._chain.inputs))]
            + [f"y{k}" for k in range(len(self._chain.outputs)) if k not in self._in_place]
        )
        count = -(-self._arrangement.shape[0] // self._length)
        plural = "s" if count > 1 else ""
        lines = [f"def block({names}):  # {count} block{plural}"]
        return "\n".join(lines + [f"    {_text(step)}" for step in self._steps]) + "\n"

    @property
    def nbytes(self) -> int:
        """The bytes of memory for intermediate results, for one thread."""
        size = self._length * math.prod(self._arrangement.shape[1:])
        return sum(size * dtype.itemsize for dtype in self._scratch.values())

    def __call__(self, *arguments: Any) -> None:
        """Run over all inputs, scalars included, and outputs."""
        count = len(self._chain.inputs)
        inputs = list(zip(arguments[:count], self._arrangement.kinds, strict=True))
        arrays = [x for x, kind in inputs if kind != SCALAR]
        self.bind(arrays, arguments[count:])(*(x for x, kind in inputs if kind == SCALAR))

    def bind(self, arrays: Sequence[Array], outputs: Sequence[Array]) -> Callable[..., None]:
        """Return the chain over these arrays, to be called with the scalars, in order.

        One thread does it all.  A second one would wait for those of the matrix product, which spin
        for a while: Adam of 536,000 numbers right after products took 1.10 ms in two halves and
        0.99 in one go.
        """
        inputs, results = views(self._chain, self._arrangement, self._in_place, arrays, outputs)
        operands = list(zip(self._chain.inputs, self._arrangement.kinds, strict=True))
        cells = [np.empty((), operand.dtype) for operand, kind in operands if kind == SCALAR]
        arranged_arrays, numbers = iter(inputs), iter(cells)
        names = {
            f"x{n}": (kind, next(numbers if kind == SCALAR else arranged_arrays))
            for n, (_, kind) in enumerate(operands)
        }
        names |= {f"y{k}": (FULL, result) for k, result in enumerate(results)}
        return functools.partial(_run, self._calls(names), cells)

    def _calls(self, names: dict[str, tuple[str, Any]]) -> list[_Call]:
        """Return the calls, block by block."""
        rows, *rest = self._arrangement.shape
        length = min(self._length, rows)
        scratch = {name: np.empty((length, *rest), t) for name, t in self._scratch.items()}
        calls = []
        for lower in range(0, rows, self._length):
            upper = min(lower + self._length, rows)
            part = functools.partial(self._arrangement.part, start=lower, stop=upper)
            arrays = {name: part(kind, array=array) for name, (kind, array) in names.items()}
            arrays |= {name: array[: upper - lower] for name, array in scratch.items()}
            calls += [_call(step, arrays) for step in self._steps]
        return calls


class _Memory:
    """Where each value of a chain is computed."""

    def __init__(self, chain: Chain, in_place: dict[int, int]) -> None:
        self.chain = chain
        self.count = len(chain.inputs)
        self.in_place = in_place
        self.homes = {n: f"x{n}" for n in range(self.count)}
        self.scratch: dict[str, np.dtype[Any]] = {}
        self.free: list[str] = []
        self.targets = [
            f"x{in_place[k]}" if k in in_place else f"y{k}" for k in range(len(chain.outputs))
        ]
        end = len(chain.lines)
        self.last = dict.fromkeys(range(self.count), -1)
        for index, line in enumerate(chain.lines):
            self.last |= dict.fromkeys((o for o in line.operands if isinstance(o, int)), index)
            self.last.setdefault(self.count + index, index)
        self.last |= dict.fromkeys(chain.outputs, end)
        self.on_the_way = self._on_the_way()

    def _on_the_way(self) -> dict[int, str]:
        """Find what can be computed where an output will be: in one piece of memory less.

        Adam of 536,000 numbers takes 0.86 ms instead of 1.02.
        """
        found: dict[int, str] = {}
        for position, value in enumerate(self.chain.outputs):
            old = self.in_place.get(position)
            while old is not None and value >= self.count:
                value = self._before(value, self.count + self.last[old])
                if value < 0 or value in found:
                    break
                found[value] = self.targets[position]
        return found

    def _before(self, value: int, since: int) -> int:
        """Return an operand of a line that was computed since a line and dies here; -1 if none."""
        line = self.chain.lines[value - self.count]
        for operand in line.operands:
            if (
                isinstance(operand, int)
                and operand >= max(self.count, since)
                and self.last[operand] == value - self.count
                and self.chain.dtype_of(operand) == line.dtype
                and "where" not in (line.function, self.chain.lines[operand - self.count].function)
            ):
                return operand
        return -1

    def steps(self) -> tuple[list[Step], dict[str, np.dtype[Any]]]:
        """Return the calls, and the scratch memory that they need."""
        steps = []
        for value in dict.fromkeys(self.chain.outputs):
            if value < self.count:  # before anything is written in place
                kept = self._new(self.chain.dtype_of(value))
                steps.append(Step("astype", (self.homes[value],), kept))
                self.homes[value] = kept
        for index, line in enumerate(self.chain.lines):
            target = self._target(index, line)
            steps.append(self._step(line, target))
            self._release(index, line, target)
            self.homes[self.count + index] = target
        for target, value in zip(self.targets, self.chain.outputs, strict=True):
            if self.homes[value] != target:
                steps.append(Step("astype", (self.homes[value],), target))
        return steps, self.scratch

    def _step(self, line: Line, target: str) -> Step:
        terms = [
            o if isinstance(o, Literal) else ("", self.chain.dtype_of(o)) for o in line.operands
        ]
        return Step(
            line.function,
            tuple(o if isinstance(o, Literal) else self.homes[o] for o in line.operands),
            target,
            dtype_of_numbers(line.function, terms, line.dtype),
        )

    def _target(self, index: int, line: Line) -> str:
        """Return where a line's result goes: an output, a dying operand, or scratch memory."""
        # np.where is two copies here; the first must not write over what the second reads.
        unsafe = {self.homes[o] for o in line.operands[:2] if isinstance(o, int)}
        unsafe = unsafe if line.function == "where" else set()
        value = self.count + index
        for position, output in enumerate(self.chain.outputs):
            if output == value:
                target = self.targets[position]
                old = self.in_place.get(position)
                if target not in unsafe and (old is None or self.last[old] <= index):
                    return target
        if value in self.on_the_way:
            return self.on_the_way[value]
        for name in [*self._dying(index, line), *self.free]:
            if name not in unsafe and self.scratch[name] == line.dtype:
                if name in self.free:
                    self.free.remove(name)
                return name
        return self._new(line.dtype)

    def _dying(self, index: int, line: Line) -> list[str]:
        """Return the scratch memory that nothing reads after a line."""
        values = dict.fromkeys(o for o in line.operands if isinstance(o, int))
        homes = [self.homes[v] for v in values if self.last[v] == index]
        return [name for name in homes if name in self.scratch]

    def _release(self, index: int, line: Line, target: str) -> None:
        self.free += [name for name in self._dying(index, line) if name != target]
        if self.last[self.count + index] == index and target in self.scratch:
            self.free.append(target)  # a result that nothing reads

    def _new(self, dtype: np.dtype[Any]) -> str:
        name = f"s{len(self.scratch)}"
        self.scratch[name] = dtype
        return name


def _run(calls: Iterable[_Call], cells: list[Array], *scalars: Any) -> None:
    """Make the calls, with these numbers in their cells."""
    for cell, scalar in zip(cells, scalars, strict=True):
        cell[()] = scalar
    for function, operands in calls:
        function(*operands)


def _call(step: Step, arrays: dict[str, Array]) -> _Call:
    """Return a step over the arrays of a block; where its result goes stands last."""
    operands = [arrays[o] if isinstance(o, str) else _number(o, step) for o in step.operands]
    ours: dict[str, Callable[..., None]] = {"astype": _cast, "where": _where}
    function = ours.get(step.function) or getattr(np, step.function)
    out = arrays[step.target]
    if function in (np.maximum, np.minimum):  # they want it by name
        return functools.partial(function, *operands, out=out), ()
    return function, (*operands, out)


def _number(literal: Literal, step: Step) -> Any:
    return literal.value if step.numbers is None else np.asarray(literal.value, step.numbers)


def _cast(x: Array, out: Array) -> None:
    np.copyto(out, x, casting="unsafe")


def _where(condition: Array, x: Array, y: Array, out: Array) -> None:
    np.copyto(out, y)
    np.copyto(out, x, where=condition)


def _text(step: Step) -> str:
    """Write a call."""
    operands = ", ".join(o if isinstance(o, str) else repr(o.value) for o in step.operands)
    if step.function == "astype":
        return f"{step.target}[...] = {operands}"
    if step.function == "where":
        return f"{step.target}[...] = np.where({operands})"
    return f"np.{step.function}({operands}, out={step.target})"
