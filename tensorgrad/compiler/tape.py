"""Tape: writes down what is done with traced arrays.

Floor: compiler, above `program`.  `traced` shows the tape every call of NumPy; the tape makes
instructions of them.  What is written in place becomes a new value where that is possible, so that
most of a program has no order but that of its data.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CompileError
from .program import SETITEM, Array, Home, Instruction, Kind, Method, Place, Storage

if TYPE_CHECKING:
    from .traced import Traced

COPY = Method("copy")
ASTYPE = Method("astype")
MEMORY = np.ndarray


class Tape:
    """The instructions of one recording."""

    def __init__(
        self, wrap: Callable[[Tape, Any, Array], Traced], place: Callable[[], Place]
    ) -> None:
        self.instructions: list[Instruction] = []
        self.captured: list[Array] = []
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
        self._private: dict[Storage, Traced] = {}
        self._count: dict[Storage, int] = {}
        """How many arrays look at a storage."""
        self._standing: dict[Storage, list[Traced]] = {}
        """Arrays that stand for another one's memory, since it was written over all of theirs."""

    # --- what comes in ----------------------------------------------------------------------------

    def argument(self, value: Any, label: str) -> Traced:
        """Take an array that the caller gives."""
        return self._outside(value, Storage(Home.ARGUMENT, value), label)

    def capture(self, value: Any, label: str = "") -> Traced:
        """Take an array that somebody else holds: the same one each time."""
        if id(value) in self._known:
            return self._known[id(value)]
        owner = value
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        storage = self._storages.setdefault(id(owner), Storage(Home.CAPTURED, owner))
        traced = self._outside(value, storage, label or self.labels.get(id(value), ""))
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

    def _made(self, value: Any, storage: Storage, label: str = "") -> Traced:
        """Wrap a value that looks at a storage."""
        return self._wrapped(value, Array(value, storage, label))

    def _wrapped(self, value: Any, array: Array) -> Traced:
        """Wrap a value that has its place in the program."""
        storage = array.storage
        traced = self._wrap(self, value, array)
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
        symbols = {key: self.read(item) for key, item in traced.items()}
        single = isinstance(found, (np.ndarray, np.generic))
        shared = {id(r): s for r in results_in(found) if (s := _base(r, traced, symbols))}
        if shared and single:
            base = shared[id(found)]
            if _same(found, next(x.value for k, x in traced.items() if symbols[k] is base)):
                return self._wrapped(found, base)
            kind = Kind.VIEW

        def made(value: Any) -> Traced:
            base = shared.get(id(value))
            return self._made(value, Storage(Home.MADE) if base is None else base.storage)

        out = _mapped(found, made)
        self.instructions.append(
            Instruction(
                kind,
                function,
                lowered(args, lambda x: symbols[id(x)]),
                lowered(params, lambda x: symbols[id(x)]),
                _mapped_traced(out),
                self._place(),
            )
        )
        return out

    def lifted(self, item: Any) -> Traced:
        """Return an operand as a traced array."""
        return self.capture(item) if isinstance(item, np.ndarray) else item  # type: ignore[no-any-return]

    def expect(self, traced: Traced) -> None:
        """Write down that what follows holds for this value only."""
        seen = traced.value
        seen = seen.copy() if isinstance(seen, np.ndarray) else seen
        self.instructions.append(
            Instruction(Kind.EXPECT, equal, (self.read(traced), seen), place=self._place())
        )

    def expect_no_nan(self, traced: Traced, function: Callable[..., bool]) -> None:
        """Write down that there is no NaN in an array, as `function` tells."""
        self.instructions.append(
            Instruction(Kind.EXPECT, function, (self.read(traced),), place=self._place())
        )

    def draw(self, generator: Any, method: str, args: Any, params: dict[str, Any]) -> Traced:
        """Draw random numbers, and write down that they are drawn anew each time."""
        value = getattr(generator, method)(*args, **params)
        traced = self._made(value, Storage(Home.MADE))
        self.instructions.append(
            Instruction(
                Kind.DRAW, Draw(generator, method), args, dict(params), traced.array, self._place()
            )
        )
        return traced

    # --- reading and writing ----------------------------------------------------------------------

    def read(self, traced: Traced) -> Array:
        """Return what an array is now, after what was written to it."""
        array = traced.array
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
        whole = key is Ellipsis or (isinstance(key, tuple) and all(k is Ellipsis for k in key))
        exact = self._exact(target, value) if whole else None
        if exact is None or not self._becomes(target, exact):
            self.write_by(SETITEM, target, (key, value), {})
            return
        self.own(target)
        target.value[...] = exact.value

    def write_by(
        self, function: Callable[..., Any], target: Traced, args: Any, params: dict[str, Any]
    ) -> None:
        """Write down a call that writes into its first argument, in place."""
        storage = target.array.storage
        if storage.home in (Home.ARGUMENT, Home.CAPTURED) and storage not in self._private:
            self._copied(storage)
        self.own(target)
        array = self.read(target)
        self._apart(array.storage)
        array.storage.written = True
        given = {id(item): self.lifted(item) for item in traced_in((args, params))}
        read = {key: self.read(item) for key, item in given.items()}
        function(
            target.value,
            *lowered(args, lambda x: given[id(x)].value),
            **lowered(params, lambda x: given[id(x)].value),
        )
        self.instructions.append(
            Instruction(
                Kind.WRITE,
                function,
                (array, *lowered(args, lambda x: read[id(x)])),
                lowered(params, lambda x: read[id(x)]),
                place=self._place(),
            )
        )

    def own(self, target: Traced) -> None:
        """Make sure that writing to the value writes to nobody else's memory."""
        storage = target.array.storage
        if storage.home not in (Home.ARGUMENT, Home.CAPTURED):
            return
        memory = self._memory[storage]
        if memory is not storage.owner:
            return
        private = np.array(memory, order="K")  # type: ignore[call-overload]
        self._memory[storage] = private
        for reference in self._looking[storage]:
            traced = reference()
            if traced is not None and isinstance(traced.value, np.ndarray):
                traced.value = _as_view(private, traced.value, _address(memory))

    def stores(self) -> list[tuple[Array, Array]]:
        """Return the arrays from outside that were written to, and what is in them at the end."""
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
            target.array = new
            self._standing.setdefault(new.storage, []).append(target)
            return True
        stored = self._stored.setdefault(storage, {})
        if array not in stored and any(self._overlaps(t, target) for t in stored):
            return False
        stored[array] = new
        self._alive.append(target)
        return True

    def _apart(self, storage: Storage) -> None:
        """Give a copy to what stands for a storage, before it is written to."""
        for target in self._standing.pop(storage, []):
            if target.array.storage is storage:
                target.array = self._copy_of(target.array, target.value)
        for stored in self._stored.values():
            for array, new in stored.items():
                if new.storage is storage:
                    stored[array] = self._copy_of(new, next(iter(self._holders(array))).value)

    def _copy_of(self, array: Array, value: Any) -> Array:
        """Write down a copy of an array."""
        copied = Array(value, Storage(Home.MADE), array.label)
        self.instructions.append(
            Instruction(Kind.ELEMENTWISE, COPY, (array, "K"), out=copied, place=self._place())
        )
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
        if not (owner.value.flags.c_contiguous or owner.value.flags.f_contiguous):
            raise CompileError(
                "a compiled function writes to a part of an array whose elements do not lie side "
                "by side: give a copy of it"
            )
        stored = self._stored.pop(storage, {})
        flat = self.call(Kind.CALL, COPY, (self.call(Kind.CALL, np.ravel, (owner, "K"), {}),), {})
        self._private[storage] = flat
        flat.array.storage.written = True
        for target, value in stored.items():
            view = self._view_at(flat, target, _offset(target, storage))
            self.instructions.append(
                Instruction(Kind.WRITE, SETITEM, (view, Ellipsis, value), place=self._place())
            )
        return flat

    def _view_of(self, private: Traced, traced: Traced) -> Array:
        """Return what an array is within the copy of its memory."""
        memory = self._memory[traced.array.storage]
        if isinstance(traced.value, np.generic):
            return traced.array
        return self._view_at(private, traced.array, _address(traced.value) - _address(memory))

    def _view_at(self, private: Traced, like: Array, offset: int) -> Array:
        view = Array(like, private.array.storage, like.label)
        args = (like.shape, like.dtype, private.array, offset, like.strides)
        self.instructions.append(Instruction(Kind.VIEW, MEMORY, args, out=view, place=self._place()))
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

    def _inside(self, targets: list[Array], traced: Traced) -> Array | None:
        """Return an array as a part of the one value that was written over it, if it is one."""
        array = traced.array
        holder = next(iter(self._holders(targets[0])), None)
        if len(targets) > 1 or holder is None or not (array.contiguous and targets[0].contiguous):
            return None
        start, rest = divmod(_address(traced.value) - _address(holder.value), array.dtype.itemsize)
        if array.dtype != holder.dtype or rest or start < 0 or start + array.size > holder.size:
            return None
        flat = holder.reshape(-1)
        part: Traced = flat[start : start + array.size].reshape(array.shape)
        return part.array


class Draw:
    """A method of a generator, as a function."""

    def __init__(self, generator: Any, method: str) -> None:
        self.generator = generator
        self.method = method

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Draw."""
        return getattr(self.generator, self.method)(*args, **params)


def equal(value: Any, seen: Any) -> bool:
    """Tell whether a value is what the recording saw; a NaN is a NaN."""
    if isinstance(seen, np.ndarray):
        return bool(np.array_equal(value, seen, equal_nan=seen.dtype.kind in "fc"))
    return bool(value == seen or (value != value and seen != seen))


def traced_in(tree: Any) -> Iterable[Any]:
    """Yield the arrays in nested arguments, traced or not."""
    if hasattr(tree, "tape") or (isinstance(tree, np.ndarray) and tree.dtype.kind != "O"):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from traced_in(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from traced_in(item)
    elif isinstance(tree, slice):
        yield from traced_in((tree.start, tree.stop, tree.step))


def lowered(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested arguments with something else in place of the arrays."""
    if hasattr(tree, "tape") or (isinstance(tree, np.ndarray) and tree.dtype.kind != "O"):
        return change(tree)
    if isinstance(tree, (tuple, list)):
        items = [lowered(item, change) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, dict):
        return {key: lowered(item, change) for key, item in tree.items()}
    return tree


def results_in(found: Any) -> Iterable[Any]:
    """Yield the arrays and NumPy scalars that a call returned."""
    if isinstance(found, (np.ndarray, np.generic)):
        yield found
    elif isinstance(found, (tuple, list)):
        for item in found:
            yield from results_in(item)


def _mapped(found: Any, change: Callable[[Any], Any]) -> Any:
    """Return what a call returned, with something else in place of arrays."""
    if isinstance(found, (np.ndarray, np.generic)):
        return change(found)
    if isinstance(found, (tuple, list)):
        items = [_mapped(item, change) for item in found]
        return type(found)(*items) if hasattr(found, "_fields") else type(found)(items)
    return found


def _mapped_traced(out: Any) -> Any:
    """Return the symbols of what a call returned; a named tuple is a tuple."""
    if hasattr(out, "tape"):
        return out.array
    return tuple(_mapped_traced(item) for item in out) if isinstance(out, (tuple, list)) else out


def _base(result: Any, traced: dict[int, Traced], symbols: dict[int, Array]) -> Array | None:
    """Return the argument whose memory a result looks at, if there is one."""
    if not isinstance(result, np.ndarray):
        return None
    for key, item in traced.items():
        if isinstance(item.value, np.ndarray) and (
            result is item.value
            or (result.base is not None and np.may_share_memory(result, item.value))
        ):
            return symbols[key]
    return None


def _same(found: Any, value: Any) -> bool:
    """Tell whether a view shows the same elements in the same way."""
    return (
        isinstance(found, np.ndarray)
        and _address(found) == _address(value)
        and (found.shape, found.strides, found.dtype) == (value.shape, value.strides, value.dtype)
    )


def _address(array: Any) -> int:
    """Return where an array starts."""
    return int(array.__array_interface__["data"][0])


def _offset(array: Array, storage: Storage) -> int:
    """Return where a captured array starts in its memory."""
    return 0 if array.value is None else _address(array.value) - _address(storage.owner)


def _as_view(private: Any, like: Any, start: int) -> Any:
    """Return the view of a copy that another array is of the original."""
    flat = np.ravel(private, "K")
    return np.ndarray(like.shape, like.dtype, flat, _address(like) - start, like.strides)
