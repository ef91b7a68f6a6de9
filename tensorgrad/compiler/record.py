"""Record: runs a function once, eagerly, on traced arrays; what it does is a program.

Floor: compiler, above `traced` and `discover`.  Nothing that the function can reach is changed: the
tensors, gradients, states and generators are as before when the recording ends.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import linecache
import random
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import backprop
from ..graph import Leaf, Node, Watcher, _modes, clock
from ..handle import NUMBER_KINDS, Handle
from ..random import as_generator
from ..trees import flatten, rebuild
from .discover import Reach, Spot, check_numbers, containers, discover
from .errors import CompileError, NotNowError
from .leaves import LeafState, WatchedLeaf, watched
from .program import Array, Home, Kind, Phase, Place, Program, numbers_in
from .recording import Recording, Result
from .tape import Tape
from .traced import _OURS, Traced

_OWN_DRAW = (
    "a compiled function draws random numbers from a generator by itself, which would be the same "
    "numbers at each call: draw outside and pass them in, or use tg.rand, tg.randn or nn.Dropout "
    "with rng="
)
_PASS = backprop._Pass.plain.__code__
_OPTIMISERS = str(Path(__file__).parents[1] / "optim") + "/"


def record(function: Callable[..., Any], args: Any, kwargs: Any, records: bool) -> Recording:
    """Run a function on traced arrays, and return the program.

    Raises
    ------
    CompileError
        If it looks at a value, or draws random numbers behind our back.
    """
    reach = discover(function, (args, kwargs))
    recorder = Recorder(reach)
    recorder.generators = list({id(g): g for g in (*reach.generators, as_generator(None))}.values())
    recorder.start_draws()
    recorder.take_tensors(args, kwargs)
    states = [g.bit_generator.state for g in recorder.generators]
    everybodys = np.random.get_state(), random.getstate()  # noqa: NPY002 - only looked at
    token = _modes.set((*_modes.get(), recorder) if records else (*_modes.get(), recorder, False))
    try:
        with recorder.swapped():
            given = recorder.given((args, kwargs))
            before = flatten(given, "")
            try:
                found = function(*given[0], **given[1])
            except (TypeError, ValueError) as error:  # NumPy's, about an array that we refused
                if isinstance(error.__cause__, CompileError):
                    raise error.__cause__ from None
                raise
            recorder.check_draws()
            if not _same((np.random.get_state(), random.getstate()), everybodys):  # noqa: NPY002
                raise CompileError(_OWN_DRAW)
            if [(name, id(x)) for name, x in before] != [(n, id(x)) for n, x in flatten(given, "")]:
                raise CompileError(
                    "a compiled function puts something else into a list or a dict that it is "
                    "given: write to the array in it, d['x'][...] = ..., or return the new one"
                )
            recording = recorder.recording(found)
        check_numbers(reach.spots)
        return recording
    finally:
        recorder.tape.close()
        _modes.reset(token)
        for generator, state in zip(recorder.generators, states, strict=True):
            generator.bit_generator.state = state
        np.random.set_state(everybodys[0])  # noqa: NPY002
        random.setstate(everybodys[1])


def _shape_of(tree: Any) -> Any:
    """Return nested results without their leaves."""
    return rebuild(tree, iter([0] * len(flatten(tree, ""))))


class Recorder(Watcher):
    """Swaps traced arrays in, follows the recording, and reads off what was left behind."""

    careful = False

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.generators: list[np.random.Generator] = []
        self.drawn: dict[int, Any] = {}
        self.tape = Tape(Traced, self.place)
        self.places: WeakKeyDictionary[Node, Place] = WeakKeyDictionary()
        self.errstate = np.geterr()
        self.leaves: dict[Leaf, LeafState] = {}
        self.handles: list[tuple[Handle, Any, Traced]] = []
        self.nodes: list[tuple[Handle, Node | None, Leaf | None]] = []
        """The tensors, their nodes, and those that they had before they were frozen."""
        self.fetched: list[Spot] = []
        self.inputs: list[Array] = []
        self.looked_up: list[Array] = []
        """What is found in the places of `fetched`; in a program behind what the caller gives."""
        self.given_list: list[Handle] = []
        self.containers: set[int] = set()
        """What holds the arguments, by ids."""
        self.start = clock.tick()
        self.swaps: list[tuple[Spot, Traced]] = []
        self.given_tensors: set[int] = set()

    # --- what goes in -----------------------------------------------------------------------------

    def given(self, arguments: Any) -> Any:
        """Return the caller's arguments with traced arrays in place of arrays."""
        leaves = flatten(arguments, "")
        return rebuild(arguments, (self._argument(value, name) for name, value in leaves))

    def take_tensors(self, args: Any, kwargs: Any) -> None:
        """Note which tensors the caller gives, each once."""
        leaves = [item for _, item in flatten((args, kwargs), "")]
        given = {id(item): item for item in leaves if isinstance(item, Handle)}
        self.given_list = list(given.values())
        self.given_tensors = set(given)
        self.containers = containers((args, kwargs)) | set(map(id, (args, kwargs)))

    def _argument(self, value: Any, name: str) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            if value.dtype.kind not in NUMBER_KINDS:
                raise CompileError(
                    f"argument{name} is an array of {value.dtype}; expected numbers: a compiled "
                    "function computes with nothing else"
                )
            traced = self.tape.argument(value, f"argument{name}")
            self.inputs.append(traced.array)
            return traced
        if isinstance(value, Handle) and value._data.array not in self.inputs:
            self.inputs.append(value._data.array)
        return value

    @contextlib.contextmanager
    def swapped(self) -> Generator[None]:
        """Put traced arrays where the function will find them, and take them out again."""
        try:
            for tensor, label in self.reach.tensors:
                self._enter(tensor, label)
            for spot, label in self.reach.arrays:
                self.tape.labels.setdefault(id(spot.found), label)
                if isinstance(spot.holder, tuple) or id(spot.holder) in self.containers:
                    self.tape.watch(spot.found, label)
                    continue
                traced = self.tape.capture(spot.found, label)
                spot.put(traced)
                self.swaps.append((spot, traced))
            yield
        finally:
            for spot in [*self._filled(), *(spot for spot, _ in self.swaps)]:
                spot.put(spot.found)
            for tensor, data, _ in self.handles:
                tensor._data = data
            for tensor, node, frozen in self.nodes:
                tensor._node = node
                if frozen is not None:
                    tensor._frozen = frozen
                elif hasattr(tensor, "_frozen"):
                    del tensor._frozen
            for leaf, state in self.leaves.items():
                state.restore(leaf)

    def _enter(self, tensor: Handle, label: str) -> None:
        """Give a tensor a traced array, and its leaf as well."""
        data, node = tensor._data, tensor._node
        if node is not None and not isinstance(node, Leaf):
            raise CompileError(
                f"a compiled function reaches a result of {node.op and node.op.name} that has a "
                "graph outside: give x.detach(), or compute it inside"
            )
        if id(tensor) in self.given_tensors:
            traced = self.tape.argument(data, label)
        elif isinstance(data, np.ndarray):
            traced = self.tape.capture(data, label)
        else:
            traced = self.tape.argument(data, label)
            self._look_up(Spot("attribute", tensor, "_data", None), traced)
        self.handles.append((tensor, data, traced))
        self.nodes.append((tensor, node, getattr(tensor, "_frozen", None)))
        tensor._data = traced
        leaf = tensor._leaf()
        if leaf is not None and leaf not in self.leaves:
            self.leaves[leaf] = LeafState(leaf, tensor, label)
            leaf.out = traced
            if leaf.grad is not None:  # another array at each call
                leaf.grad = self.leaves[leaf].traced = self.tape.argument(
                    leaf.grad, f"{label}.grad"
                )
            leaf.__class__ = WatchedLeaf
            watched[leaf] = self.leaves[leaf]

    # --- what happens -----------------------------------------------------------------------------

    def record(self, node: Node, inputs: Sequence[Any], out: Any) -> None:  # noqa: ARG002
        """Remember where a node was recorded; refuse a tensor that nobody had found."""
        self.places[node] = self.place()
        for parent in node.parents:
            if not isinstance(parent, Leaf) or parent.time >= self.start:
                continue  # the function has made it by itself
            if parent not in self.leaves:
                handle = None if parent.handle is None else parent.handle()
                if handle is not None and not isinstance(parent.out, Traced):
                    raise CompileError(
                        f"a compiled function uses a tensor of shape {parent.shape} that is not "
                        "reachable from it by closures, globals, arguments or attributes: pass it "
                        "as an argument"
                    )

    def draw(self, generator: Any, method: str, args: Any, params: dict[str, Any]) -> Any:
        """Draw, and remember the state afterwards."""
        if not any(g is generator for g in self.generators):
            return None  # made by the function itself: drawn once, like all that it computes alone
        self._check_draw(generator)
        traced = self.tape.draw(generator, method, args, params)
        self.drawn[id(generator)] = generator.bit_generator.state
        return traced

    def _check_draw(self, generator: Any) -> None:
        expected = self.drawn.get(id(generator))
        if expected is not None and not _same(generator.bit_generator.state, expected):
            raise CompileError(_OWN_DRAW)

    def check_draws(self) -> None:
        """Raise if a generator has moved without a draw that was recorded."""
        for generator in self.generators:
            self._check_draw(generator)

    def start_draws(self) -> None:
        """Remember where the generators stand."""
        self.drawn = {id(g): g.bit_generator.state for g in self.generators}

    def place(self) -> Place:
        """Return where the user's code is, and in which part of a step."""
        phase, user = Phase.FORWARD, None
        frame: FrameType | None = sys._getframe(2)
        called = frame
        while frame is not None:
            code = frame.f_code
            if code is _PASS:
                phase = Phase.BACKWARD
                known = (
                    self.places.get(frame.f_locals["node"]) if "node" in frame.f_locals else None
                )
                if known is not None:
                    return Place(phase, known.file, known.line, known.text, self._errors())
            elif phase is Phase.FORWARD and code.co_filename.startswith(_OPTIMISERS):
                phase = Phase.UPDATE
            if user is None and not code.co_filename.startswith(_OURS):
                user = frame
                break
            called, frame = frame, frame.f_back
        if user is None:
            return Place(phase, errstate=self._errors())
        file, line = user.f_code.co_filename, user.f_lineno
        text = linecache.getline(file, line).strip()
        return Place(phase, file, line, text, self._errors(), _given_to(called))

    def _errors(self) -> tuple[tuple[str, str], ...] | None:
        now: dict[str, Any] = dict(np.geterr())
        return None if now == self.errstate else tuple(sorted(now.items()))

    # --- what comes out ---------------------------------------------------------------------------

    def recording(self, found: Any) -> Recording:
        """Read off the program and what ties it to the world."""
        owned = {id(tensor) for tensor, _, _ in self.handles}
        results = [self._result(value, owned) for _, value in flatten(found, "")]
        sets: list[tuple[Spot, Any]] = []
        ticked = []
        spots = list(self.reach.spots)
        for leaf, state in self.leaves.items():
            if state.traced is not None and "grad" in state.read:
                self._look_up(Spot("attribute", leaf, "grad", None), state.traced)
            if id(state.tensor) not in self.given_tensors:
                spots += state.spots(leaf)
            sets += state.changes(leaf, self.tape)
            if leaf.time != state.time:
                ticked.append(leaf)
        self._check_nodes()
        grads = [(slot.holder, value) for slot, value in sets if isinstance(value, Array)]
        # A buffer that is read as the last gradient cannot take the next one.
        read = {id(spot.holder) for spot in self.fetched}
        kept = [value for leaf, value in grads if id(leaf) not in read]
        rebound = [value for leaf, value in grads if id(leaf) in read]
        moved = [(t, traced) for t, _, traced in self.handles if t._data is not traced]
        placed = [*self._given_others(moved), *self._put_in_place()]
        sets += placed
        rebound += [array for _, array in placed]
        spots += self._filled()
        others = {id(tensor) for tensor, _ in moved}
        stores = self.tape.stores()
        program = Program(
            self.tape.instructions,
            self.inputs + self.looked_up,
            [a for a in self.tape.captured if a.storage.home is Home.CAPTURED],
            stores,
            [r.array for r in results if r.array is not None] + rebound,
            kept,
        )
        return Recording(
            program, self.fetched, _shape_of(found), results,
            [(leaf, s.tensor, s.label) for leaf, s in self.leaves.items()],
            [leaf for leaf in (t._node for t in self.given_list) if isinstance(leaf, Leaf)],
            self._shared(),
            [(i, t) for i, t in enumerate(self.given_list) if id(t) in others],
            [(t, t._node) for t, _, _ in self.handles if id(t) not in self.given_tensors],
            sets, ticked, self._origins(), spots, self.generators,
            len(program.results) - len(rebound),
        )  # fmt: skip

    def _given_others(self, moved: list[tuple[Handle, Traced]]) -> list[tuple[Spot, Array]]:
        """Return the arrays that tensors have been given in place of theirs, and where."""
        placed = []
        for tensor, traced in moved:
            spot = Spot("attribute", tensor, "_data", None)
            placed.append((spot, self.tape.read(tensor._data)))
            if traced.array.value is not None:
                self._fetch(spot, traced)
        return placed

    def _put_in_place(self) -> list[tuple[Spot, Array]]:
        """Return what the function has put in place of arrays, numbers or None, and where."""
        placed = [(spot, self._left(spot.current())) for spot in self._filled()]
        for spot, traced in self.swaps:
            now = spot.current()
            if isinstance(now, Traced) and now is not traced:
                placed.append((spot, self._left(now)))
                self._fetch(spot, traced)
            elif now is not traced:
                raise CompileError(
                    f"a compiled function puts a {type(now).__name__} in place of an array "
                    f"({spot.key}): write to the array with x[...] = ..., or return the new one"
                )
        return placed

    def _filled(self) -> list[Spot]:
        """List the places where None or a number was and an array is: a state, made at first."""
        return [spot for spot in self.reach.numbers if isinstance(spot.current(), Traced)]

    def _check_nodes(self) -> None:
        """Raise if a tensor records at the end that did not at the start, or the other way."""
        for tensor, node, _ in self.nodes:
            if tensor._node is not node:
                raise CompileError(
                    f"a compiled function changes whether a tensor of shape {tensor.shape} "
                    "records, which it would do when it is recorded and not at each call: set "
                    "requires_grad outside, or compute with x.detach() or a new tensor"
                )

    def _read(self, traced: Traced) -> Array:
        """Return what an array is now; a 0-d one that a number was written to stays an array."""
        array = self.tape.read(traced)
        if array.number and isinstance(traced.value, np.ndarray):
            traced = self.tape.call(Kind.ELEMENTWISE, np.array, (traced,), {})
            array = traced.array
        return array

    def _left(self, traced: Traced) -> Array:
        """Return what is put in place of an array; one from outside is not copied."""
        array: Array = traced.array
        self.tape.touched.add(array)
        if array.storage.home not in (Home.ARGUMENT, Home.CAPTURED):
            return self._read(traced)
        if array not in self.inputs and not any(array is other.array for _, other in self.swaps):
            raise CompileError(
                "a compiled function puts a view of an array from outside in place of another "
                "array: give a copy of it, x[...].copy()"
            )
        return array

    def _fetch(self, spot: Spot, traced: Traced) -> None:
        """Look a captured array up at each call, since each call puts another one there."""
        storage = traced.array.storage
        names = [array for array, _ in self._places()]
        for known in (names, self.tape.captured):
            if sum(array.storage is storage for array in known) > 1:
                raise NotNowError  # other names for the memory, which the next call finds apart
        traced.array.storage.home = Home.ARGUMENT
        traced.array.value = None
        self._look_up(spot, traced)

    def _look_up(self, spot: Spot, traced: Traced) -> None:
        self.fetched.append(spot)
        self.looked_up.append(traced.array)

    def _places(self) -> Iterator[tuple[Array, Spot]]:
        """Yield every array that was found, and where."""
        yield from ((traced.array, spot) for spot, traced in self.swaps)
        for tensor, _, traced in self.handles:
            yield traced.array, Spot("attribute", tensor, "_data", None)

    def _origins(self) -> dict[Array, list[Spot]]:
        """Return where each captured array was found."""
        origins: dict[Array, list[Spot]] = {}
        for array, spot in self._places():
            if array.value is not None:
                origins.setdefault(array, []).append(spot)
        # In these an array is never replaced, or they are watched as a whole.
        watched = {id(s.holder) for s in self.reach.spots if s.read in ("items", "values")}
        for array, spots in [*origins.items()]:
            free = [s for s in spots if id(s.holder) not in self.reach.settled | watched]
            origins[array] = free or spots[:1]
            if array not in self.tape.touched and len(free) < 2:
                del origins[array]
        return origins

    def _shared(self) -> list[tuple[int, Handle]]:
        """Return the tensors that are given, and found in another way as well."""
        places = [(id(t), id(holder)) for t, holder in self.reach.holders]
        found = {tensor for tensor, holder in places if holder not in self.containers}
        return [(i, tensor) for i, tensor in enumerate(self.given_list) if id(tensor) in found]

    def _result(self, value: Any, owned: set[int]) -> Result:
        if id(value) in self.given_tensors:
            numbers = [i for i, tensor in enumerate(self.given_list) if tensor is value]
            return Result(None, None, given=numbers[0])
        if isinstance(value, (Traced, np.ndarray)):
            return Result(self._read(self.tape.lifted(value)), None)
        if (
            isinstance(value, Handle)
            and id(value) not in owned
            and isinstance(value._data, (Traced, np.ndarray))
        ):
            records = value._node is not None
            return Result(self.tape.read(self.tape.lifted(value._data)), None, type(value), records)
        if id(value) not in owned and self._hides(value, owned):
            raise CompileError(
                f"a compiled function returns a {type(value).__name__} with arrays in it: return "
                "them in tuples, lists and dicts"
            )
        return Result(None, value)

    def _hides(self, value: Any, owned: set[int]) -> bool:
        """Tell whether an object that is no tuple, list or dict holds what was computed."""
        if isinstance(value, Iterator):
            return True
        known = owned | {id(traced) for _, traced in self.swaps}
        parts = gc.get_referents(value)
        parts += [item for part in parts if isinstance(part, dict) for item in part.values()]
        return any(
            id(getattr(part, "_data", part)) not in known and id(part) not in known
            for part in parts
            if isinstance(part, Traced) or isinstance(getattr(part, "_data", None), Traced)
        )


def _given_to(frame: FrameType | None) -> tuple[Any, ...]:
    """Return the numbers and plain arrays among the arguments of a call."""
    if frame is None:
        return ()
    code, values = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return tuple(numbers_in([values.get(name) for name in code.co_varnames[:count]]))


def _same(a: Any, b: Any) -> bool:
    """Compare the states of a generator."""
    if isinstance(a, dict):
        return all(_same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return all(map(_same, a, b))
    return bool(np.array_equal(a, b))
