"""Program: what a recording leaves, a flat list of calls of NumPy.

Floor: compiler, below its other modules.  `record` makes a program, each of `passes` turns one into
another, `check` says whether it is sound, `emit` writes it as Python.
"""

from __future__ import annotations

import copy
import enum
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._typing import Shape
from ..handle import Handle


class Home(enum.Enum):
    """Where the memory of an array comes from."""

    ARGUMENT = "argument"
    """The caller gives it, another one at each call."""
    CAPTURED = "captured"
    """Held by somebody else, and read at each call: parameters, state, arrays."""
    CONSTANT = "constant"
    """The same numbers at each call."""
    MADE = "made"
    """By an instruction."""


class Storage:
    """Memory that one or several arrays look at."""

    __slots__ = ("home", "owner", "written")

    def __init__(self, home: Home, owner: Any = None) -> None:
        self.home = home
        self.owner = owner
        """Of captured and constant memory, the ndarray that has it."""
        self.written = False
        """Whether an instruction writes to it in place: then the order of all that touches it is
        as it was recorded, and nothing is fused or shared."""


class Array:
    """A value of a program: computed once, by one instruction, or there from the start."""

    __slots__ = ("dtype", "label", "number", "shape", "storage", "strides", "value")

    def __init__(self, like: Any, storage: Storage, label: str = "", value: Any = None) -> None:
        self.shape: Shape = like.shape
        self.dtype: np.dtype[Any] = like.dtype
        self.strides: tuple[int, ...] = like.strides
        self.number = isinstance(like, np.generic)
        """Whether it is a NumPy scalar; an array of no axes is none."""
        self.storage = storage
        self.label = label
        self.value = value
        """The array itself, of captured and constant ones."""

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.size * self.dtype.itemsize

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie one after the other, in C order."""
        return self.strides == contiguous_strides(self.shape, self.dtype) or not self.size

    @property
    def constant(self) -> bool:
        """Whether the numbers are the same at each call."""
        return self.storage.home is Home.CONSTANT and not self.storage.written

    def __repr__(self) -> str:
        """Show what it is."""
        return f"<{self.storage.home.value} {self.dtype}{list(self.shape)} {self.label}>"


def contiguous_strides(shape: Shape, dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return the strides of an array in C order."""
    strides, step = [], dtype.itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


class Kind(enum.Enum):
    """What an instruction does, as far as the passes care."""

    ELEMENTWISE = "elementwise"
    """A ufunc of one result, on arrays that broadcast."""
    REDUCTION = "reduction"
    """`ufunc.reduce`."""
    PRODUCT = "product"
    """A ufunc over whole axes, such as matmul."""
    JOIN = "join"
    """np.concatenate of vectors."""
    VIEW = "view"
    """The result looks at the memory of the first argument."""
    CALL = "call"
    """Anything else that computes new arrays."""
    WRITE = "write"
    """Writes into its first argument; no result."""
    EXPECT = "expect"
    """Compares with what the recording saw; where it differs the call is run eagerly."""
    DRAW = "draw"
    """Draws random numbers: kept, and in order."""
    CHAIN = "chain"
    """Several elementwise instructions to be run together; made by the fusion."""

    @property
    def pure(self) -> bool:
        """Whether only the results matter, and equal arguments give equal results."""
        return self not in (Kind.WRITE, Kind.EXPECT, Kind.DRAW)

    @property
    def takes_out(self) -> bool:
        """Whether the result can be written into given memory."""
        return self in (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.PRODUCT, Kind.JOIN)


class Phase(enum.IntEnum):
    """The part of a step that an instruction belongs to."""

    FORWARD = 0
    BACKWARD = 1
    UPDATE = 2


@dataclass(frozen=True)
class Place:
    """Where an instruction was recorded."""

    phase: Phase = Phase.FORWARD
    file: str = ""
    line: int = 0
    text: str = ""
    """The line of the user's code."""
    errstate: tuple[tuple[str, str], ...] | None = None
    """What NumPy does about floating-point errors here, None for what the caller has set."""
    given: tuple[Any, ...] = field(default=(), compare=False)
    """Numbers and arrays that the user's line hands to the library."""


@dataclass(eq=False)
class Instruction:
    """One call: `function(*args, **params)`, with `Array`s in place of arrays."""

    kind: Kind
    function: Callable[..., Any]
    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    out: Any = None
    """An Array, or a tuple or list of them, or None."""
    place: Place = field(default_factory=Place)
    number: int = -1
    """Its place in the recording; of what a pass has made, -1."""

    @property
    def inputs(self) -> list[Array]:
        """The arrays that it reads, in order; those that it writes to, too."""
        return list(arrays_in((self.args, self.params)))

    @property
    def outputs(self) -> list[Array]:
        """The arrays that it makes."""
        return list(arrays_in(self.out))

    def with_inputs(self, change: Callable[[Array], Any]) -> Instruction:
        """Return the instruction with other inputs."""
        changed = copy.copy(self)
        changed.args = replaced(self.args, change)
        changed.params = replaced(self.params, change)
        return changed


@dataclass
class Program:
    """Instructions in order, what comes in, what comes out and what is left behind."""

    instructions: list[Instruction]
    arguments: list[Array]
    captured: list[Array]
    stores: list[tuple[Array, Array]]
    """Captured arrays, and what is written to them when all went well."""
    results: list[Array]
    """What the caller gets; it shares no memory with the next call's."""
    kept: list[Array]
    """What stays readable until the next call: gradients."""

    def with_instructions(self, instructions: list[Instruction]) -> Program:
        """Return the program with other instructions."""
        changed = copy.copy(self)
        changed.instructions = instructions
        return changed

    def replaced(self, new: dict[Array, Array], instructions: list[Instruction]) -> Program:
        """Return the program with other instructions, reading `new` arrays in place of old ones."""

        def change(array: Array) -> Array:
            while array in new:
                array = new[array]
            return array

        # The views of what is replaced look at other memory now; but not what a replaced view was
        # a view of.
        views = {out for i in self.instructions if i.kind is Kind.VIEW for out in i.outputs}
        pairs = ((old.storage, change(old).storage) for old in new if old not in views)
        moved = {old: storage for old, storage in pairs if old is not storage}
        for instruction in instructions:
            for out in instruction.outputs:
                while out.storage in moved:
                    out.storage = moved[out.storage]
        return Program(
            [i.with_inputs(change) for i in instructions],
            self.arguments,
            self.captured,
            [(target, change(value)) for target, value in self.stores],
            [change(a) for a in self.results],
            [change(a) for a in self.kept],
        )

    @property
    def ends(self) -> list[Array]:
        """The arrays that are needed after the last instruction."""
        return [*self.results, *self.kept, *(value for _, value in self.stores)]

    @property
    def leaving(self) -> set[Storage]:
        """The memory that is seen from outside after a call: no two of them may become one."""
        return {array.storage for array in (*self.results, *self.kept)}

    def makers(self) -> dict[Array, Instruction]:
        """Return the instruction that makes each array."""
        return {out: i for i in self.instructions for out in i.outputs}


class Method:
    """A method of arrays, as a function: `Method("reshape")(x, 3)` is `x.reshape(3)`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, array: Any, *args: Any, **params: Any) -> Any:
        """Call it."""
        return getattr(array, self.name)(*args, **params)

    def __eq__(self, other: object) -> bool:
        """Compare by name."""
        return isinstance(other, Method) and other.name == self.name

    def __hash__(self) -> int:
        """Hash by name."""
        return hash(self.name)

    def __repr__(self) -> str:
        """Show it as it is written."""
        return f".{self.name}"


GETITEM = Method("__getitem__")
SETITEM = Method("__setitem__")


def arrays_in(tree: Any) -> Iterator[Array]:
    """Yield the arrays in nested arguments."""
    if isinstance(tree, Array):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from arrays_in(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from arrays_in(item)


def replaced(tree: Any, change: Callable[[Array], Any]) -> Any:
    """Return nested arguments with other arrays."""
    if isinstance(tree, Array):
        return change(tree)
    if isinstance(tree, (tuple, list)):
        items = [replaced(item, change) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, dict):
        return {key: replaced(item, change) for key, item in tree.items()}
    return tree


def numbers_in(tree: Any) -> Iterator[Any]:
    """Yield the numbers, no truth values, and the plain arrays in nested arguments."""
    if isinstance(tree, Handle):
        tree = getattr(tree, "_data", None)  # of a tensor that is being made, none yet
    if isinstance(tree, slice):
        tree = (tree.start, tree.stop, tree.step)
    if isinstance(tree, (int, float, complex, np.ndarray, np.number)) and type(tree) is not bool:
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from numbers_in(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from numbers_in(item)
