"""Run: `compile`, and the function that it gives.

Floor: compiler, the top.
"""

from __future__ import annotations

import functools
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from ..graph import Watcher, _modes
from ..handle import Handle
from ..op import op
from ..recording import made, recorded
from ..trees import flatten, rebuild
from .discover import Spot
from .emit import MISSED, emit
from .errors import NotNowError
from .plan import Plan, planned
from .record import Recording, record

P = ParamSpec("P")
R = TypeVar("R")

_ENTRIES = 16
"""How many recordings a function keeps."""
OTHER = object()
"""What an entry returns when the call is none of its own."""
_recording = threading.RLock()


def _no_graph(*_args: Any, **_params: Any) -> Any:
    raise RuntimeError(
        "backward() through the result of a compiled function: its graph is not recorded; call "
        "backward() inside the function, or call the function without compile"
    )


_compiled = op(_no_graph, joint=_no_graph, name="compiled")


class Compiled(Generic[P, R]):
    """A function that is recorded at its first call, and then run as straight-line NumPy."""

    def __init__(self, function: Callable[P, R]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._entries: list[_Entry] = []
        self._recorded = 0

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        mode = _modes.get()[-1]
        if isinstance(mode, Watcher):
            return self.function(*args, **kwargs)
        for entry in self._entries:
            if entry.records is mode:
                found = entry.call(args, kwargs)
                if found is not OTHER:
                    return self.function(*args, **kwargs) if found is MISSED else found  # type: ignore[no-any-return]
        return self._recorded_call(args, kwargs, bool(mode))

    def _recorded_call(self, args: Any, kwargs: Any, mode: bool) -> Any:
        try:
            with _recording:
                entry = _Entry(record(self.function, args, kwargs, mode), args, kwargs, mode)
        except NotNowError:
            return self.function(*args, **kwargs)
        self._entries.insert(0, entry)
        self._recorded += 1
        del self._entries[_ENTRIES:]
        if self._recorded == 2 * _ENTRIES:
            warnings.warn(
                f"{self.__name__} has been recorded {self._recorded} times, for other shapes, numbers "
                "or objects each time, which is slow: pass numbers that change as arrays, and "
                "pad batches to one size",
                stacklevel=3,
            )
        found = entry.call(args, kwargs)
        return self.function(*args, **kwargs) if found in (MISSED, OTHER) else found

    @property
    def source(self) -> str:
        """The code of the recording used last."""
        return self._entries[0].source


class _Entry:
    """One recording: when it holds, and the code that runs it."""

    def __init__(self, recording: Recording, args: Any, kwargs: Any, records: bool) -> None:
        self.records = records
        self.recording = recording
        self.plan: Plan = planned(recording.program)
        recording.final = dict(
            zip(recording.program.kept, self.plan.program.kept, strict=True)
        ) | dict(zip(recording.program.results, self.plan.program.results, strict=True))
        code = emit(recording, self.plan.program, self.plan.order, self.plan.memory)
        self.source = code.source
        self._bound = code.bound
        exec(compile(code.source, f"<compiled {id(self)}>", "exec"), code.bound)
        self._lock = threading.RLock()
        self.signature = _signature(args, kwargs)
        self._fetched = recording.fetched
        self._draws = any(i.kind.value == "draw" for i in self.plan.program.instructions)
        self._bind([array.value for array in self.plan.program.captured])

    def _bind(self, captured: list[Any]) -> None:
        """Make buffers, and resolve views, for these captured arrays."""
        self._captured = captured
        self._step, self._kept = self._bound["prepare"](*captured)
        self._counts = [sys.getrefcount(array) for array in self._kept]
        recording = self.recording
        self._tensors = [(t, t._data, t._node) for _, t, _ in recording.leaves]

    def _holds(self) -> bool:
        """Tell whether all that the recording depends on is as it was."""
        for spot in self.recording.spots:
            if not _unchanged(spot):
                return False
        return True

    def call(self, args: Any, kwargs: Any) -> Any:
        """Run the code, if the call is like the recording."""
        if _signature(args, kwargs) != self.signature or not self._holds():
            return OTHER
        with self._lock:
            current = [self._origin(array) for array in self.plan.program.captured]
            held = any(
                sys.getrefcount(array) > count + 1
                for array, count in zip(self._kept, self._counts, strict=True)
            )
            if held or any(a is not b for a, b in zip(current, self._captured, strict=True)):
                if not _alike(current, self._captured):
                    return OTHER
                self._bind(current)
            arrays = [
                leaf._data if isinstance(leaf, Handle) else leaf
                for _, leaf in flatten((args, kwargs), "")
                if isinstance(leaf, (Handle, np.ndarray, np.generic))
            ]
            fetched = [getattr(slot.holder, slot.name) for slot in self._fetched]
            states = [g.bit_generator.state for g in self.recording.generators] if self._draws else []
            found = self._step(*arrays, *fetched)
            if found is MISSED:
                for generator, state in zip(self.recording.generators, states, strict=False):
                    generator.bit_generator.state = state
                return MISSED
            return self._wrapped(found)

    def _origin(self, array: Any) -> Any:
        origin = self.recording.origins.get(array)
        return array.value if origin is None else origin()

    def _wrapped(self, found: tuple[Any, ...]) -> Any:
        """Give results the classes that they have eagerly."""
        values = iter(found)
        leaves = []
        for result in self.recording.results:
            if result.array is None:
                leaves.append(result.value)
                continue
            value = next(values)
            if result.kind is None:
                leaves.append(value)
            elif result.records:
                leaves.append(recorded(result.kind, _compiled, (), (), value, False))
            else:
                leaves.append(made(result.kind, value))
        return rebuild(self.recording.tree, iter(leaves))


def _unchanged(spot: Spot) -> bool:
    """Tell whether a place refers to what was found there."""
    now = spot.current()
    if spot.read in ("items", "values"):
        try:
            return bool(list(now) == spot.found)
        except ValueError:  # an array in place of another one has no truth value
            return False
    return now is spot.found or (type(now) is type(spot.found) and now == spot.found)


def _alike(new: list[Any], old: list[Any]) -> bool:
    """Tell whether arrays can stand for others in the same code."""
    return all(
        isinstance(a, np.ndarray)
        and (a.shape, a.dtype, a.strides) == (b.shape, b.dtype, b.strides)
        for a, b in zip(new, old, strict=True)
    )


def _signature(args: Any, kwargs: Any) -> Any:
    """Return what calls have in common that run the same code."""
    found: list[Any] = []
    for name, leaf in flatten((args, kwargs), ""):
        data = leaf._data if isinstance(leaf, Handle) else leaf
        if isinstance(data, (np.ndarray, np.generic)):
            kind = (type(leaf), leaf._node is None) if isinstance(leaf, Handle) else type(leaf)
            found.append((name, kind, data.shape, data.dtype, data.strides))
        else:
            found.append((name, type(leaf), leaf))
    return found


def compile_function(function: Callable[P, R]) -> Compiled[P, R]:
    """Compile."""
    return Compiled(function)
