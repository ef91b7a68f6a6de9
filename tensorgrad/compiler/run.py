"""Run: `compile`, and the function that it gives.

Floor: compiler, the top.
"""

from __future__ import annotations

import builtins
import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload

import numpy as np

from ..graph import Leaf, _modes, watchers
from ..handle import Handle
from ..op import op
from ..recording import made, recorded
from ..tensor import ABOVE
from ..trees import flatten, rebuild
from .code import MISSED
from .discover import Spot
from .emit import emit
from .errors import CompileError, NotNowError
from .guard import OTHER, Guard
from .plan import Plan, planned
from .program import Kind
from .record import record
from .recording import Recording
from .report import MemoryTable, PlanTable, memory_table, plan_table
from .values import address, root_of

P = ParamSpec("P")
R = TypeVar("R")

_ENTRIES = 16
"""How many recordings a function keeps."""
_MISSES = 100
"""After how many calls that were run eagerly there is a warning."""
# A recording puts other arrays into the tensors that it can reach, so there is one at a time.
_recording = threading.RLock()


def _no_graph(*_args: Any, **_params: Any) -> Any:
    raise RuntimeError(
        "backward() through the result of a compiled function, whose graph is not kept: call "
        "backward() inside the function, or call the function without compile"
    )


_nothing = (Leaf(np.zeros(())),)
_OF_A_RESULT = (op(_no_graph, joint=_no_graph, name="compiled"), _nothing, _nothing)
"""The op of a tensor that is returned, whose graph is not kept, its parents and its inputs."""


class Compiled(Generic[P, R]):
    """A function that is recorded at its first call, and then runs as straight-line NumPy.

    Made by `tensorgrad.compile`.
    """

    def __init__(self, function: Callable[P, R], threads: int) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._threads = threads
        self._entries: list[_Entry] = []
        self._latest: tuple[tuple[Any, ...], _Entry | None] = ((), None)
        """The recording that ran last, and the modes of recording at that time."""
        self._recorded = 0
        self._missed = 0

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        modes, entry = self._latest
        found: Any = OTHER
        if not kwargs and _modes.get() == modes:
            found = entry.fast(args)  # type: ignore[union-attr]
        if found is OTHER:
            if watchers():  # anomalies are looked for, or another function is recorded
                return self._function(*args, **kwargs)
            found = self._found(args, kwargs)
        return self._eagerly(args, kwargs) if found is MISSED else found

    def _found(self, args: Any, kwargs: Any) -> Any:
        """Run a recording that fits: one whose quick test says so, or else after a closer look."""
        modes = _modes.get()
        mode = modes[-1] is not False
        entries = [entry for entry in self._entries if entry.records is mode]
        for quick in (False,) if kwargs else (True, False):
            for entry in entries:
                found = entry.fast(args) if quick else entry.call(args, kwargs)
                if found is not OTHER:
                    self._latest = modes, entry
                    return found
        return self._record(args, kwargs, modes)

    def _eagerly(self, args: Any, kwargs: Any) -> R:
        """Run a call that turned out not to be like the recording; warn where that goes on."""
        self._missed += 1
        if self._missed == _MISSES:
            warnings.warn(
                f"{getattr(self, '__name__', 'a compiled function')} has been run eagerly "
                f"{_MISSES} times, because of what its data were, which is slow: `plan.guards` of "
                "it lists what is compared at each call",
                stacklevel=3,
            )
        return self._function(*args, **kwargs)

    def _record(self, args: Any, kwargs: Any, modes: tuple[Any, ...]) -> Any:
        """Make a recording and run it."""
        mode = modes[-1] is not False
        try:
            with _recording:
                recording = record(self._function, args, kwargs, mode)
                entry = _Entry(recording, args, kwargs, mode, self._threads)
        except NotNowError:
            return MISSED
        self._latest = modes, entry
        self._entries.insert(0, entry)
        del self._entries[_ENTRIES:]
        self._recorded += 1
        if self._recorded == 2 * _ENTRIES:
            warnings.warn(
                f"{getattr(self, '__name__', 'a compiled function')} has been recorded "
                f"{self._recorded} times, each time for other shapes, numbers or objects, which is "
                "slow: give numbers that change as arrays, and batches of one size",
                stacklevel=4,
            )
        found = entry.call(args, kwargs)
        return MISSED if found is OTHER else found

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind like a function, so that methods can be compiled."""
        return self if instance is None else functools.partial(self, instance)

    @property
    def source(self) -> str:
        """The code that ran last, as Python."""
        return self._last().source

    @property
    def plan(self) -> PlanTable:
        """What ran last, as a table: operations, memory, guards, and what is baked in.

        Print it; iterating gives its rows.

        Examples
        --------
        >>> import numpy as np
        >>> import tensorgrad as tg
        >>> f = tg.compile(lambda x: x * 2 + 1)
        >>> _ = f(np.ones(3))
        >>> [row.operation for row in f.plan]
        ['multiply', 'add']
        """
        entry = self._last()
        return plan_table(entry.recording, entry.plan)

    @property
    def memory(self) -> MemoryTable:
        """The bytes that what ran last takes, and what the same results take eagerly.

        Examples
        --------
        >>> import numpy as np
        >>> import tensorgrad as tg
        >>> f = tg.compile(lambda x: x * 2 + 1)
        >>> _ = f(np.ones(3))
        >>> f.memory.planned, f.memory.fresh, f.memory.eager
        (24, 24, 48)
        """
        entry = self._last()
        return memory_table(entry.recording, entry.plan)

    def draw(self, format: str = "svg", rankdir: str = "TB", max_nodes: int = 300) -> Any:
        """Draw the plan, as `tensorgrad.viz.draw_plan` does.

        Examples
        --------
        >>> import numpy as np
        >>> import tensorgrad as tg
        >>> f = tg.compile(lambda x: x * 2 + 1)
        >>> _ = f(np.ones(3))
        >>> drawing = f.draw()  # a notebook shows it; drawing.render(outfile="f.svg") saves it
        """
        return ABOVE["draw_plan"](self.plan, format, rankdir, max_nodes)

    def _last(self) -> _Entry:
        entry = self._latest[1]
        if entry is None:
            raise RuntimeError("there is no recording yet: call the function first")
        return entry


class _Entry:
    """One recording: the calls that it is good for, and the code that runs them."""

    def __init__(
        self, recording: Recording, args: Any, kwargs: Any, records: bool, threads: int
    ) -> None:
        self.records = records
        self.recording = recording
        self.plan: Plan = planned(recording, threads)
        code = emit(recording, self.plan)
        self.source = "\n\n".join([*code.kernels, code.source])
        self._code = code
        self._signature = _signature(args, kwargs)
        self._lock = threading.RLock()
        exec(builtins.compile(code.source, "<compiled>", "exec"), code.bound)
        self._found = {id(tensor) for tensor, _ in recording.tensors}
        self._written = {target.storage for target, _ in self.plan.program.stores}
        arguments = recording.program.arguments
        count = len(arguments) - len(recording.fetched)
        self._fetched = list(zip(recording.fetched, arguments[count:], strict=True))
        shared = [array for spot, array in self._fetched if not _is_private(spot)]
        given = [*arguments[:count], *shared]
        self._overwritten = [i for i, a in enumerate(given) if a.storage in self._written]
        # What the quick test does not see: whose memory an array is that is written to, or put in
        # place of another one.
        self._given = None if kwargs or shared or self._overwritten else args
        used = {array.storage for array in self.plan.program.captured}
        # Other names for the same memory as well, and who has one object, since that may change.
        self._origins = [
            (array, spot)
            for array, spots in recording.origins.items()
            for spot in spots
            if array.storage in used or len(spots) > 1
        ]
        captured = self.plan.program.captured
        self._held = [a.value for a in captured if a not in recording.origins]
        self._bind([array.value for array, _ in self._origins])

    def _bind(self, now: list[Any]) -> None:
        """Make buffers and resolve views for the captured arrays of now; write the guard."""
        self._now = now
        places = zip(self._origins, now, strict=True)
        found = {array: data for (array, _), data in places}
        self._captured = captured = [found.get(a, a.value) for a in self.plan.program.captured]
        step, kept = self._code.bound["prepare"](*captured)
        if any(i.kind is Kind.DRAW for i in self.plan.order.instructions):
            step = _restoring(step, self.recording.generators)
        guard = Guard()
        watched = {id(s.holder) for s in self.recording.spots if s.read in ("items", "values")}
        for spot in self.recording.spots:
            if not (spot.read == "item" and id(spot.holder) in watched):
                guard.spot(spot)
        for (_, origin), data in zip(self._origins, now, strict=True):
            if id(origin.holder) not in watched:
                guard.array(origin, data)
        for tensor, node in self.recording.tensors:
            guard.tensor(tensor, node)
        for i, leaf in enumerate(self._code.leaves):
            guard.readable(kept[i], leaf)
        del kept  # references are counted from here on
        self._step = step
        pairs = zip(self.plan.program.captured, captured, strict=True)
        self._targets = [root_of(data) for array, data in pairs if array.storage in self._written]
        self.fast, self._free = guard.written(
            step, self._lock, self._given, self._fetched, self._result(), self._targets
        )

    def call(self, args: Any, kwargs: Any) -> Any:
        """Run the code if the call is like the recording; elsewise return OTHER."""
        if _signature(args, kwargs) != self._signature:
            return OTHER
        if not all(_unchanged(spot) for spot in self.recording.spots):
            return OTHER
        if any(tensor._node is not node for tensor, node in self.recording.tensors):
            return OTHER
        leaves = [leaf for _, leaf in flatten((args, kwargs), "")]
        once = {id(leaf): leaf for leaf in leaves if isinstance(leaf, Handle)}
        tensors = list(once.values())
        if not self._found.isdisjoint(once):
            return OTHER
        if any(tensors[i] is not tensor for i, tensor in self.recording.shared):
            return OTHER
        arrays = [
            once.pop(id(leaf))._data if isinstance(leaf, Handle) else leaf
            for leaf in leaves
            if isinstance(leaf, (np.ndarray, np.generic)) or id(leaf) in once
        ]
        with self._lock:
            current = [spot.current() for _, spot in self._origins]
            if any(a is not b for a, b in zip(current, self._now, strict=True)):
                if not _alike([*current, *self._held], [*self._now, *self._held]):
                    return OTHER
                self._bind(current)
            elif not self._free():
                self._bind(current)
            nodes = [x._node for x in tensors if x._node is not None]
            now = dict(zip(self.recording.given, nodes, strict=True))
            fetched = [
                getattr(now[slot.holder], slot.key) if _is_given(slot, now) else slot.current()
                for slot in self.recording.fetched
            ]
            if not self._fits(fetched):
                return OTHER
            pairs = zip(self.recording.fetched, fetched, strict=True)
            if self._overlaps([*arrays, *(x for spot, x in pairs if not _is_private(spot))]):
                return MISSED
            moved = [tensors[i] for i, _ in self.recording.moved]
            found = self._step(*arrays, *fetched, *nodes, *moved)
            return found if found is MISSED else self._wrapped(found, tensors)

    def _overlaps(self, arrays: list[Any]) -> bool:
        """Tell whether arguments look at memory that is written to in another name."""
        if any(np.may_share_memory(x, target) for x in arrays for target in self._targets):
            return True
        for i in self._overwritten:
            others = [*arrays[:i], *arrays[i + 1 :], *self._captured]
            if any(np.may_share_memory(arrays[i], other) for other in others):
                return True
        return False

    def _fits(self, fetched: list[Any]) -> bool:
        """Tell whether what is looked up is like what was there, and apart from what is held."""
        roots = {id(root_of(array)) for array in self._captured}
        for data, (spot, array) in zip(fetched, self._fetched, strict=True):
            if not isinstance(data, (np.ndarray, np.generic)):
                return False
            if (data.shape, data.dtype, data.strides) != (array.shape, array.dtype, array.strides):
                return False
            if not _is_private(spot):
                root = id(root_of(data))
                if root in roots:
                    return False
                roots.add(root)
        return True

    def _wrapped(self, found: tuple[Any, ...], tensors: Sequence[Any] = ()) -> Any:
        """Give results the classes that they have eagerly."""
        values = iter(found)
        leaves = []
        for result in self.recording.results:
            if result.given is not None:
                leaves.append(tensors[result.given])
            elif result.array is None:
                leaves.append(result.value)
            elif result.kind is None:
                leaves.append(next(values))
            elif result.records:
                leaves.append(recorded(result.kind, *_OF_A_RESULT, next(values), False))
            else:
                leaves.append(made(result.kind, next(values)))
        return rebuild(self.recording.tree, iter(leaves))

    def _result(self) -> tuple[str, dict[str, Any]]:
        """Write what turns `found` into the results, and say what the names in it stand for."""
        results, tree = self.recording.results, self.recording.tree
        one = len(results) == 1 and not isinstance(tree, (tuple, list, dict))
        if one and results[0].records and results[0].given is None:  # a loss: without calls between
            names = dict(zip(("op", "parents", "inputs"), _OF_A_RESULT, strict=True))
            text = "recorded(kind_of_result, op, parents, inputs, found[0], False)"
            return text, names | {"recorded": recorded, "kind_of_result": results[0].kind}
        return "wrapped(found)", {"wrapped": self._wrapped}


def _restoring(step: Callable[..., Any], generators: list[np.random.Generator]) -> Any:
    """Take random draws back when a call turns out to be none for the code, or fails."""

    def restoring(*arrays: Any) -> Any:
        states = [generator.bit_generator.state for generator in generators]
        found = MISSED
        try:
            found = step(*arrays)
        except KeyboardInterrupt:
            found = None  # Ctrl-C may have waited until the update was done: the draws count
            raise
        finally:
            if found is MISSED:
                for generator, state in zip(generators, states, strict=True):
                    generator.bit_generator.state = state
        return found

    return restoring


def _unchanged(spot: Spot) -> bool:
    """Tell whether a place refers to what was found there, or to an equal number."""
    now = spot.current()
    if spot.read in ("items", "values"):
        return _same(list(now), spot.found)
    return _same(now, spot.found)


def _same(a: Any, b: Any) -> bool:
    """Tell whether a place holds the same object, or an equal number of the same type and sign."""
    if a is b or type(a) is not type(b):
        return a is b
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, (str, bytes, int, float, complex, np.generic)) and repr(a) == repr(b)


def _alike(new: list[Any], old: list[Any]) -> bool:
    """Tell whether arrays can stand for others in the same code, views of one memory included."""
    moved: dict[int, tuple[int, int]] = {}
    """Of each memory, which other one stands for it, and where that begins."""
    for a, b in zip(new, old, strict=True):
        if not isinstance(a, np.ndarray):
            return False
        if (a.shape, a.dtype, a.strides) != (b.shape, b.dtype, b.strides):
            return False
        there = id(root_of(a)), address(a) - address(b)
        if moved.setdefault(id(root_of(b)), there) != there:
            return False
    return len({root for root, _ in moved.values()}) == len(moved)


def _is_private(spot: Spot) -> bool:
    """Tell whether the array in a place is nobody else's: the data and gradients of tensors."""
    return isinstance(spot.holder, (Leaf, Handle))


def _is_given(slot: Spot, now: dict[Leaf, Any]) -> bool:
    """Tell whether a place belongs to a tensor that the caller gives."""
    return isinstance(slot.holder, Leaf) and slot.holder in now


def _leaf_state(tensor: Handle) -> Any:
    """Return what of a given tensor decides what a function does."""
    node = tensor._node
    if node is None:
        return type(tensor)
    if not isinstance(node, Leaf):
        raise CompileError(
            f"a compiled function was given a result of {node.op and node.op.name}, whose graph is "
            "outside: give x.detach(), or compute it inside"
        )
    return type(tensor), node.reached, node.grad is None


def _signature(args: Any, kwargs: Any) -> Any:
    """Return what calls have in common that run the same code."""
    found: list[Any] = []
    order: dict[int, int] = {}
    """Of each tensor, when it came first: f(t, t) is another call than f(t, u)."""
    for name, leaf in flatten((args, kwargs), ""):
        data = leaf._data if isinstance(leaf, Handle) else leaf
        if isinstance(data, (np.ndarray, np.generic)):
            kind: Any = type(leaf)
            if isinstance(leaf, Handle):
                kind = _leaf_state(leaf), order.setdefault(id(leaf), len(order))
            found.append((name, kind, data.shape, data.dtype, data.strides))
        else:  # 0.0 and -0.0 are two numbers, and NaN is one
            exact = repr(leaf) if type(leaf) in (float, complex) else leaf
            found.append((name, type(leaf), exact))
    return found


@overload
def compile(function: Callable[P, R], *, threads: int = 2) -> Compiled[P, R]: ...


@overload
def compile(*, threads: int = 2) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...


def compile(function: Any = None, *, threads: int = 2) -> Any:
    """Turn a function of arrays and Tensors into straight-line NumPy, with the same results.

    The first call with arguments of some shapes and dtypes records what the function does - the
    forward pass, `backward()`, the optimiser's step - and later calls run that record: without
    Tensors, with buffers made once, elementwise chains together and the parameters of an optimiser
    side by side.  Results, gradients, parameters, optimiser state and random draws equal those of
    the function itself, to the bit.

    Parameters
    ----------
    function
        What to compile; without it a decorator is returned.  Its arguments may be arrays, Tensors
        and nested tuples, lists and dicts of them; other arguments are part of the recording.
        Modules, optimisers, generators and arrays that it refers to are read at each call.
    threads
        How many threads large elementwise operations may use, 1 or 2; matrix products have their
        own.

    Returns
    -------
    Compiled
        A function with the same arguments.  `source` is its code, `plan` a table of its
        instructions, `memory` what its buffers take, and `draw()` a picture.

    Raises
    ------
    CompileError
        At a call, if the function looks at a value that it computes anew each time, as in a Python
        branch, `float()`, `.item()` or print; the message names the line.
    ValueError
        If `threads` is neither 1 nor 2.

    Notes
    -----
    With the extra `fast` (numba) chains of arithmetic become compiled loops, kept on disk between
    processes; without it NumPy does the same work, with the same bits.  Python numbers are part of
    the recording: give those that change as arrays.  See docs/compile.md.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> from tensorgrad import nn, optim
    >>> model = nn.MLP(2, [8, 1], rng=0)
    >>> optimizer = optim.Adam(model.parameters(), lr=0.01)
    >>> @tg.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = nn.mse_loss(model(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> x, y = np.ones((4, 2), np.float32), np.zeros(4, np.float32)
    >>> losses = [float(step(x, y)) for _ in range(50)]
    >>> losses[-1] < losses[0]
    True
    """
    if threads not in (1, 2):
        raise ValueError(f"threads is {threads!r}; expected 1 or 2")
    if function is None:
        return functools.partial(compile, threads=threads)
    if not callable(function):
        raise TypeError(f"compile takes a function, not {function!r}")
    return Compiled(function, threads)
