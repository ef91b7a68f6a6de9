"""Tape: writes down what is done with traced arrays.

Floor: compiler, above `program`.  `traced` shows the tape every call of NumPy; the tape makes
instructions of them.  What is written in place becomes a new value where that is possible, so that
most of a program has no order but that of its data.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import byte_bounds

from .errors import CompileError
from .program import SETITEM, Array, Home, Instruction, Kind, Method, Place, Storage
from .values import (
    Copied,
    Draw,
    address,
    as_view,
    base_of,
    equal,
    is_there,
    lowered,
    mapped,
    mapped_traced,
    results_in,
    root_of,
    same_view,
    spread,
    traced_in,
)  # fmt: skip

Traced: TypeAlias = Any
"""A `traced.Traced`, whose file is above this one."""

COPY = Method("copy")
ASTYPE = Method("astype")
MEMORY = np.ndarray


class Tape:
    """The instructions of one recording."""

    def __init__(self, wrap: Callable[..., Traced], place: Callable[[], Place]) -> None:
        self.instructions: list[Instruction] = []
        self.captured: list[Array] = []
        self.touched: set[Array] = set()
        """What the function uses, or puts somewhere: not all that it can reach."""
        self.labels: dict[int, str] = {}
        """What is known to the user by a name, by the id of the array."""
        self._wrap = wrap
        self._place = place
        self._known: dict[int, Traced] = {}
        self._storages: dict[int, Storage] = {}
        self._alive: list[Any] = []  # so that no id is used twice
        self._looking: dict[Storage, list[weakref.ref[Traced]]] = {}
        self._memory: dict[Storage, Any] = {}
        self._stored: dict[Storage, dict[Array, Array]] = {}
        self._starts: dict[Array, int] = {}
        """Where what was written to begins within its memory."""
        self._private: dict[Storage, Traced] = {}
        self._count: dict[Storage, int] = {}
        """How many arrays look at a storage."""
        self._seen: dict[Array, Any] = {}
        """What was in arrays that the function has got by itself, when they were read."""
        self._fixed: list[tuple[Any, Any, str]] = []
        """Arrays that the function gets as they are, what is in them, and their names."""
        self._standing: dict[Storage, dict[int, tuple[Any, Array]]] = {}
        """Values that stand for another one's memory, since it was written over all of theirs: what
        has them, by its id, and their symbol."""
        self._rows: dict[Storage, list[weakref.ref[Traced]]] = {}
        """Copies of views, by their own memory and by that which they would look at."""

    def close(self) -> None:
        """End the recording: let go of its values, which would wait for the cyclic collector."""
        for storage in self._memory:
            if storage.home is Home.ARGUMENT:
                storage.owner = None
        self.__dict__.clear()

    def __getattr__(self, name: str) -> Any:
        raise CompileError(
            "this array belongs to the recording of a compiled function, which has ended: return "
            "it from the function to look at it"
        )

    # --- what comes in ----------------------------------------------------------------------------

    def argument(self, value: Any, label: str) -> Traced:
        """Take an array that the caller gives."""
        return self._outside(value, Storage(Home.ARGUMENT, value), label)

    def capture(self, value: Any, label: str = "") -> Traced:
        """Take an array that somebody else holds: the same one each time."""
        if id(value) in self._known:
            return self._known[id(value)]
        owner = root_of(value)
        storage = self._storages.setdefault(id(owner), Storage(Home.CAPTURED, owner))
        memory = self._memory.get(storage, owner)
        now = value if memory is owner else as_view(memory, value, address(owner))
        traced = self._outside(now, storage, label or self.labels.get(id(value), ""))
        traced.array.value = value
        self.captured.append(traced.array)
        self._known[id(value)] = traced
        self._alive += [value, owner]
        return traced

    def template(self, like: Any) -> Any:
        """Return a constant that has the shape, the dtype and the layout of an array."""
        if not hasattr(like, "tape"):
            return like
        value = np.empty_like(like.value)
        traced = self._made(value, Storage(Home.CONSTANT, value))
        traced.array.value = value
        return traced

    def _outside(self, value: Any, storage: Storage, label: str) -> Traced:
        self._memory.setdefault(storage, storage.owner)
        return self._made(value, storage, label)

    def _made(self, value: Any, storage: Storage, label: str = "", base: Traced = None) -> Traced:
        """Wrap a value that looks at a storage, and maybe at an array."""
        return self._wrapped(value, Array(value, storage, label), base)

    def _wrapped(self, value: Any, array: Array, base: Traced) -> Traced:
        """Wrap a value that has its place in the program."""
        storage = array.storage
        traced = self._wrap(self, value, array, base)
        self._looking.setdefault(storage, []).append(weakref.ref(traced))
        self._count[storage] = self._count.get(storage, 0) + 1
        return traced

    # --- calls ------------------------------------------------------------------------------------

    def call(
        self, kind: Kind, function: Callable[..., Any], args: Any, params: dict[str, Any]
    ) -> Any:
        """Run a function on the values, write it down, and wrap what it returns."""
        given = list(traced_in((args, params)))
        traced = {id(item): self.lifted(item) for item in given}
        found = function(
            *lowered(args, lambda x: traced[id(x)].value),
            **lowered(params, lambda x: traced[id(x)].value),
        )
        if not any(True for _ in results_in(found)):
            return found
        results = list(results_in(found))
        bases = {id(r): x for r in results if (x := base_of(r, traced.values())) is not None}
        looks = len(bases) == len(results)
        if looks and found is results[0]:
            base = bases[id(found)]
            if same_view(found, base.value):
                return base if found is base.value else self._wrapped(found, base.array, base)
            kind = Kind.VIEW
            if any(item is not base for item in traced.values()):
                return self._row(function, args, params, base)
        # A view is one of the memory, whatever will be written to it or has been.
        symbols = {key: x.array if looks else self.read(x) for key, x in traced.items()}

        def made(value: Any) -> Traced:
            base = bases.get(id(value))
            if base is None:
                return self._made(value, Storage(Home.MADE))
            return self._made(value, (base.array if looks else self.read(base)).storage, "", base)

        out = mapped(found, made)
        args = lowered(args, lambda x: symbols[id(x)])
        params = lowered(params, lambda x: symbols[id(x)])
        self._note(kind, function, args, params, mapped_traced(out))
        return out

    def _note(
        self, kind: Kind, function: Any, args: Any, params: Any = None, out: Any = None
    ) -> None:
        """Write an instruction down."""
        found = Instruction(kind, function, args, params or {}, out, self._place())
        self.instructions.append(found)

    def lifted(self, item: Any) -> Traced:
        """Return an operand as a traced array."""
        traced: Traced = self._plain(item) if isinstance(item, np.ndarray) else item
        self.touched.add(traced.array)
        return traced

    def target(self, item: Any) -> Traced:
        """Return what is written to as a traced array."""
        if not hasattr(item, "tape"):
            shape = f" of shape {item.shape}" if hasattr(item, "shape") else ""
            raise CompileError(
                f"a compiled function writes what it computes into a {type(item).__name__}{shape}, "
                "no array of the recording: make it with np.empty_like(x) or "
                "np.zeros(shape, like=x), or give it as an argument"
            )
        return item

    def watch(self, value: Any, label: str) -> None:
        """Make sure that the function does not write to an array that it gets as it is."""
        self._fixed.append((value, value.copy("K"), label))

    def _plain(self, value: Any) -> Traced:
        """Take an array that the function has got by itself, with the numbers that it has now."""
        known = self._known.get(id(value))
        if known is not None:
            seen = self._seen.get(known.array)
            if seen is None or seen.tobytes() == value.tobytes():
                return known
            self._freeze(known.array.storage)
        traced = self.capture(value)
        self._seen[traced.array] = value.copy("K")
        return traced

    def _freeze(self, storage: Storage) -> None:
        """Keep the numbers that were seen in memory that the function has changed by itself."""
        storage.home, storage.owner = Home.CONSTANT, None
        for array in [array for array in self.captured if array.storage is storage]:
            self._known.pop(id(array.value))
            self.captured.remove(array)
            array.value = self._seen.pop(array)
        for key in [key for key, of in self._storages.items() if of is storage]:
            del self._storages[key]

    def _check_plain(self) -> None:
        """See to arrays that were changed behind our back: those from outside must not be."""
        for array, seen in list(self._seen.items()):
            if array in self._seen and seen.tobytes() != array.value.tobytes():
                self._freeze(array.storage)
        for value, seen, label in self._fixed:
            if seen.tobytes() != value.tobytes():
                value[...] = seen
                raise CompileError(
                    f"a compiled function writes to {label or 'an array'}, which is in a tuple: "
                    "put it into a list, or make it an attribute or a variable"
                )

    def expect(self, traced: Traced) -> None:
        """Write down that what follows holds for this value only."""
        seen = traced.value
        seen = seen.copy() if isinstance(seen, np.ndarray) else seen
        self._note(Kind.EXPECT, equal, (self.read(traced), seen))

    def expect_no_nan(self, traced: Traced, function: Callable[..., bool]) -> None:
        """Write down that there is no NaN in an array, as `function` tells."""
        self._note(Kind.EXPECT, function, (self.read(traced),))

    def draw(self, generator: Any, method: str, args: Any, params: dict[str, Any]) -> Traced:
        """Draw random numbers, and write down that they are drawn anew each time."""
        value = getattr(generator, method)(*args, **params)
        traced = self._made(value, Storage(Home.MADE))
        self._note(Kind.DRAW, Draw(generator, method), args, dict(params), traced.array)
        return traced

    # --- reading and writing ----------------------------------------------------------------------

    def read(self, traced: Traced) -> Array:
        """Return what an array is now, after what was written to it."""
        array: Array = traced.array
        storage = array.storage
        if storage in self._private:
            return self._view_of(self._private[storage], traced)
        stored = self._stored.get(storage)
        if not stored:
            return array
        if array in stored:
            return stored[array]
        found = [t for t in stored if self._overlaps(t, traced)]
        if not found:
            return array
        inside = self._inside(found, traced)
        return inside if inside is not None else self._view_of(self._copied(storage), traced)

    def write(self, target: Traced, key: Any, value: Any) -> None:
        """Write `target[key] = value`."""
        self._check_rows(target.array.storage)
        if is_there(target, key, value):
            return
        whole = key is Ellipsis or (isinstance(key, tuple) and all(k is Ellipsis for k in key))
        exact = self._exact(target, value) if whole else None
        if exact is not None:
            self.own(target)  # before the target stands for somebody else's memory
            if self._becomes(target, exact):
                target.value[...] = exact.value
                return
        self.write_by(SETITEM, target, (key, value), {})

    def write_by(
        self, function: Callable[..., Any], target: Traced, args: Any, params: dict[str, Any]
    ) -> None:
        """Write down a call that writes into its first argument, in place."""
        storage = target.array.storage
        self._check_rows(storage)
        if isinstance(target.value, np.generic):
            raise CompileError(
                "a compiled function writes to a NumPy scalar, which keeps its value: give an array"
            )
        if storage.home in (Home.ARGUMENT, Home.CAPTURED) and storage not in self._private:
            self._copied(storage)
        self.own(target)
        self._apart(target)
        array = self.read(target)
        array.storage.written = True
        given = {id(item): self.lifted(item) for item in traced_in((args, params))}
        read = {key: self.read(item) for key, item in given.items()}
        function(
            target.value,
            *lowered(args, lambda x: given[id(x)].value),
            **lowered(params, lambda x: given[id(x)].value),
        )
        given = lowered(args, lambda x: read[id(x)])
        self._note(Kind.WRITE, function, (array, *given), lowered(params, lambda x: read[id(x)]))

    def own(self, target: Traced) -> None:
        """Make sure that writing to the value writes to nobody else's memory."""
        storage = target.array.storage
        self.touched.add(target.array)
        outside = storage.home in (Home.ARGUMENT, Home.CAPTURED)
        memory = self._memory[storage] if outside else None
        if memory is None or memory is not storage.owner:
            return
        if not (memory.flags.c_contiguous or memory.flags.f_contiguous):
            raise CompileError(
                "a compiled function writes to an array whose elements do not lie side by side: "
                "give a copy of it"
            )
        private = np.array(memory, order="K")
        self._memory[storage] = private
        root = root_of(memory)
        for traced in self._alive_in(storage):
            # What only stands for this memory has memory of its own.
            if isinstance(traced.value, np.ndarray) and root_of(traced.value) is root:
                traced.value = as_view(private, traced.value, address(memory))

    def stores(self) -> list[tuple[Array, Array]]:
        """Return the arrays from outside that were written to, and what is in them at the end."""
        self._check_plain()
        found = [pair for stored in self._stored.values() for pair in stored.items()]
        for storage, private in self._private.items():
            owner = self._owner(storage)
            found.append((owner.array, self._view_of(private, owner)))
        return found

    def _exact(self, target: Traced, value: Any) -> Traced | None:
        """Return `value` as an array just like the target, if that takes no more than a cast."""
        if isinstance(value, np.ndarray):
            value = self.capture(value)
        if not hasattr(value, "tape"):
            return None
        if value.shape != target.shape:
            if isinstance(value.value, np.generic) and target.array.contiguous:
                value = self.call(Kind.ELEMENTWISE, spread, (value, target.shape), {})
            else:
                return None
        if value.dtype != target.dtype:
            value = value.astype(target.dtype)
        elif value.array.storage is target.array.storage:
            return None
        return value if value.array.strides == target.array.strides else None

    def _becomes(self, target: Traced, value: Traced) -> bool:
        """Let the target stand for another value from now on, if nobody can tell the difference."""
        array, new = target.array, self.read(value)
        storage = array.storage
        if storage.written or new.storage.written or storage in self._private:
            return False
        if storage.home is Home.MADE:
            if self._count[storage] > 1:
                return False
            root = root_of(target.value)
            if not same_view(target.value, root):
                return False
            target.array = new
            self._standing.setdefault(new.storage, {})[id(root)] = root, new
            self._looking.setdefault(new.storage, []).append(weakref.ref(target))
            return True
        stored = self._stored.setdefault(storage, {})
        array = next((t for t in stored if self._holds(t, target)), array)
        if array not in stored and any(self._overlaps(t, target) for t in stored):
            return False
        if new.storage.home in (Home.ARGUMENT, Home.CAPTURED):
            # Before the first store: what is copied here may be stored to as well.
            new = self._copy_of(new, value.value)
        self._apart(target)
        stored[array] = new
        self._starts[array] = address(target.value) - address(self._memory[storage])
        self._alive.append(target)
        return True

    def _row(self, function: Callable[..., Any], args: Any, params: Any, base: Traced) -> Traced:
        """Copy what a view shows that begins where a computed number says: `x[i]`."""
        row = self.call(Kind.CALL, Copied(function), args, params)
        row.owner = base if base.owner is None else base.owner
        for storage in (row.array.storage, base.array.storage):
            self._rows.setdefault(storage, []).append(weakref.ref(row))
        return row

    def _check_rows(self, storage: Storage) -> None:
        """Raise if a copy in place of a view would miss what is about to be written."""
        if any(row() is not None for row in self._rows.get(storage, ())):
            raise CompileError(
                "a compiled function writes to an array that it has a view of, at a place that is "
                "computed anew at each call: read it as x[i].copy(), write to it as x[i] = values, "
                "or choose i outside, as a Python number"
            )

    def _apart(self, target: Traced) -> None:
        """Before a write, give copies to those that only stand for the memory of the target."""
        storage = target.array.storage
        standing = self._standing.get(storage, {})
        own = id(root_of(target.value))
        for key in [own] if own in standing else list(standing):
            root, array = standing.pop(key)
            copied = self._copy_of(array, root)
            for traced in self._alive_in(storage):
                if isinstance(traced.value, np.ndarray) and root_of(traced.value) is root:
                    self._rebase(traced, root, copied)
        for stored in self._stored.values():
            for array, new in stored.items():
                if new.storage is storage:
                    stored[array] = self._copy_of(new, next(iter(self._holders(array))).value)

    def _rebase(self, traced: Traced, root: Any, copied: Array) -> None:
        """Let an array look at the copy of its memory."""
        whole = same_view(traced.value, root)
        offset = address(traced.value) - address(root)
        traced.array = copied if whole else self._view_at(copied, traced.array, offset)
        self._looking.setdefault(copied.storage, []).append(weakref.ref(traced))
        self._count[copied.storage] = self._count.get(copied.storage, 0) + 1

    def _alive_in(self, storage: Storage) -> list[Traced]:
        """List the arrays that look at a storage."""
        found = (reference() for reference in self._looking.get(storage, ()))
        return [t for t in found if t is not None and t.array.storage is storage]

    def _copy_of(self, array: Array, value: Any) -> Array:
        """Write down a copy of an array."""
        copied = Array(value, Storage(Home.MADE), array.label)
        self._note(Kind.ELEMENTWISE, COPY, (array, "K"), {}, copied)
        return copied

    def _owner(self, storage: Storage) -> Traced:
        """Return the whole of the memory of an array from outside."""
        if storage.home is Home.CAPTURED:
            return self.capture(storage.owner)
        looking = (r() for r in self._looking[storage])
        return next(t for t in looking if t is not None and t.array.value is None)

    def _copied(self, storage: Storage) -> Traced:
        """Copy memory from outside, to write to the copy until all has gone well."""
        owner = self._owner(storage)
        self.own(owner)
        stored = self._stored.pop(storage, {})
        flat = self.call(Kind.CALL, COPY, (self.call(Kind.CALL, np.ravel, (owner, "K"), {}),), {})
        self._private[storage] = flat
        flat.array.storage.written = True
        for target, value in stored.items():
            view = self._view_at(flat.array, target, self._starts[target])
            self._note(Kind.WRITE, SETITEM, (view, Ellipsis, value))
        return flat

    def _view_of(self, private: Traced, traced: Traced) -> Array:
        """Return what an array is within the copy of its memory."""
        memory = self._memory[traced.array.storage]
        if isinstance(traced.value, np.generic):
            return traced.array  # type: ignore[no-any-return]
        return self._view_at(private.array, traced.array, address(traced.value) - address(memory))

    def _view_at(self, memory: Array, like: Array, offset: int) -> Array:
        view = Array(like, memory.storage, like.label)
        args = (like.shape, like.dtype, memory, offset, like.strides)
        self._note(Kind.VIEW, MEMORY, args, {}, view)
        return view

    def _overlaps(self, target: Array, traced: Traced) -> bool:
        """Tell whether an array that was written to and another one share memory."""
        of = next((t for t in self._holders(target)), None)
        return of is None or bool(np.may_share_memory(of.value, traced.value))

    def _holders(self, array: Array) -> Iterable[Traced]:
        for reference in self._looking[array.storage]:
            traced = reference()
            if traced is not None and traced.array is array:
                yield traced

    def _holds(self, target: Array, traced: Traced) -> bool:
        """Tell whether an array that was written to is the same part of its memory."""
        return any(same_view(traced.value, holder.value) for holder in self._holders(target))

    def _inside(self, targets: list[Array], traced: Traced) -> Array | None:
        """Return an array as a part of the one value that was written over it, if it is one."""
        target, storage = targets[0], traced.array.storage
        value = self._stored[storage][target]
        if self._holds(target, traced):
            return value
        if len(targets) > 1 or not target.shape or not target.contiguous:
            return None
        low, high = byte_bounds(traced.value)
        start = address(self._memory[storage]) + self._starts[target]
        if low < start or high > start + target.nbytes:
            return None
        return self._view_at(value, traced.array, address(traced.value) - start)
