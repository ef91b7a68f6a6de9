"""Discover: what a function can reach - tensors, arrays, modules, generators - and where it hangs.

Floor: compiler.  It knows modules and optimisers by what they offer, since their floors are above.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..handle import NUMBER_KINDS, Handle
from ..hooks import hooks
from .errors import CompileError

_LIMIT = 100_000
_CLOSED = ("builtins", "numpy", __name__.rpartition(".")[0])
"""Modules whose objects are not looked into: NumPy's, and what the compiler itself has made."""
_OWN = __name__.partition(".")[0]
_LIBRARIES = tuple(
    str(Path(path).parent) + "/" for path in (str(Path(__file__).parent), np.__file__)
)
_ATOMS = (str, bytes, type, types.ModuleType, np.dtype, np.generic, np.random.BitGenerator)
_NUMBERS = (bool, int, float, complex, str, np.generic, type(None))


@dataclass(frozen=True, eq=False)
class Spot:
    """A place that refers to something that has to stay the same.

    `read` is one of "attribute" (`key` of `holder`), "item" (of a dict or a list), "cell" (of a
    closure), "items" (all of a list or a tuple) and "values" (all of a dict).
    """

    read: str
    holder: Any
    key: Any
    found: Any

    def current(self) -> Any:
        """Return what is there now; None where nothing is."""
        holder, key = self.holder, self.key
        if self.read == "attribute":
            return getattr(holder, key, None)
        if self.read == "cell":
            with contextlib.suppress(ValueError):  # `del` has emptied it
                return holder.cell_contents
            return None
        if self.read == "items":
            return holder
        if self.read == "values":
            return list(holder.values())
        if isinstance(holder, dict):
            return holder.get(key)
        return holder[key] if key < len(holder) else None

    def put(self, value: Any) -> None:
        """Let it refer to something else."""
        if self.read == "attribute":
            # Also where the class forbids it: the same array is put back after the recording.
            kind = type if isinstance(self.holder, type) else object
            kind.__setattr__(self.holder, self.key, value)
        elif self.read == "cell":
            self.holder.cell_contents = value
        elif isinstance(self.holder, list):
            self.holder[self.key : self.key + 1] = [value]  # at the end of one that was shortened
        else:
            self.holder[self.key] = value

    def written(self, holder: str) -> str:
        """Write it as Python, given the name of the holder."""
        if self.read == "attribute":
            return f"{holder}.{self.key}"
        return f"{holder}.cell_contents" if self.read == "cell" else f"{holder}[{self.key!r}]"


@dataclass
class Reach:
    """What was found."""

    tensors: list[tuple[Handle, str]] = field(default_factory=list)
    holders: list[tuple[Handle, Any]] = field(default_factory=list)
    """What holds each tensor, once for each place."""
    arrays: list[tuple[Spot, str]] = field(default_factory=list)
    numbers: list[Spot] = field(default_factory=list)
    """Where numbers or None are, in place of which the function may put an array."""
    settled: set[int] = field(default_factory=set)
    """Containers that nobody changes, as their owner's class says by `settled`: not watched."""
    generators: list[np.random.Generator] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    """Where modules, tensors and functions hang, and the numbers of modules and optimisers."""


def discover(function: Callable[..., Any], arguments: Any) -> Reach:
    """Walk from a function and its arguments through all that it refers to."""
    reach = Reach()
    seen: dict[int, Any] = {}
    parts: set[int] = set()
    """What is a module, or below one: its numbers are watched."""
    settled = reach.settled
    names: dict[int, str] = {}
    stack: list[tuple[Any, str, Spot | None]] = [(function, "", None), (arguments, "", None)]
    while stack and len(seen) < _LIMIT:
        item, label, spot = stack.pop()
        if isinstance(item, (*_ATOMS, *_NUMBERS)):
            if isinstance(item, _NUMBERS) and spot and not isinstance(spot.holder, tuple):
                reach.numbers.append(spot)
            continue
        if isinstance(item, np.ndarray):
            if spot is not None and item.dtype.kind in NUMBER_KINDS:
                reach.arrays.append((spot, label))
            continue
        if isinstance(item, Handle):
            reach.holders.append((item, None if spot is None else spot.holder))
        if (
            spot is not None
            and spot.read in ("cell", "item")
            and not _grows(item)
            and id(spot.holder) not in settled
        ):
            reach.spots.append(spot)
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if hasattr(type(item), "named_parameters"):
            names = _names_in(item) | names
        if isinstance(item, Handle):
            reach.tensors.append((item, label))
            leaf = item._leaf()
            stack += [(hook.function, "", None) for hook in hooks.of(leaf)] if leaf else []
        elif isinstance(item, np.random.Generator):
            reach.generators.append(item)
        else:
            below = [*_below(item, label)]
            stack += below[::-1]
            if id(item) in settled or getattr(type(item), "settled", False):
                settled.update(id(part) for part, _, _ in below if _grows(part))
            elif hasattr(type(item), "named_parameters") or id(item) in parts:
                parts.update(id(part) for part, _, where in below if _is_part(part, where))
                reach.spots += _numbers(item)
            else:
                reach.spots += _watched(item)
    reach.spots.append(Spot("attribute", hooks, "leaves", hooks.leaves))
    reach.tensors = [(tensor, names.get(id(tensor), label)) for tensor, label in reach.tensors]
    reach.arrays = [(spot, names.get(id(spot.found), label)) for spot, label in reach.arrays]
    return reach


def check_numbers(spots: Iterable[Spot]) -> None:
    """Raise if the function has changed a number that it depends on; put it back before."""
    for spot in spots:
        if not isinstance(spot.holder, (dict, list)):
            continue
        every = spot.read in ("items", "values")
        now, old = (spot.current(), spot.found) if every else ([spot.current()], [spot.found])
        keys = {"values": spot.holder, "items": range(len(now))}.get(spot.read, [spot.key])
        for key, new, number in zip(keys, now, old, strict=False):
            if type(new) is type(number) in (int, float, complex) and repr(new) != repr(number):
                spot.holder[key] = number
                raise CompileError(
                    f"a compiled function changes {key!r} of a module from {number!r} to {new!r}, "
                    "which it would do when it is recorded and not at each call: make it an array, "
                    f"as in self.{key} = np.array({number!r}), or change it outside"
                )


def containers(tree: Any) -> set[int]:
    """Return the ids of the tuples, lists and dicts of a tree."""
    if not isinstance(tree, (tuple, list, dict)):
        return set()
    parts = tree.values() if isinstance(tree, dict) else tree
    return {id(tree)}.union(*map(containers, parts))


def _grows(item: Any) -> bool:
    """Tell whether an object is a container, which is watched by itself."""
    return isinstance(item, (dict, list))


def _is_part(item: Any, spot: Spot | None) -> bool:
    """Tell whether something belongs to the module that refers to it, as its settings do."""
    own = isinstance(item, (dict, list, tuple)) or type(item).__module__.partition(".")[0] != _OWN
    return spot is not None and own


def _numbers(item: Any) -> list[Spot]:
    """Return what of a module, or of what is below it, has to stay the same."""
    if isinstance(item, (list, tuple)):
        return [Spot("items", item, None, list(item))] if isinstance(item, list) else []
    values = item if isinstance(item, dict) else getattr(item, "__dict__", {})
    found = _all_or_each(values, _NUMBERS)
    if not hasattr(type(item), "named_parameters"):
        return found
    every = [spot.read for spot in found] == ["values"]
    if "training" not in values:
        # Once for a class, where the modules' own attributes are watched all.
        holder = type(item) if every and isinstance(type(item).training, bool) else item
        found.append(Spot("attribute", holder, "training", item.training))
    if not every and hasattr(item, "_hooks"):  # else the first hook is another attribute
        found.append(Spot("attribute", item, "_hooks", item._hooks))
    return found


def _all_or_each(values: Any, private: tuple[type, ...] = ()) -> list[Spot]:
    """Return the values of a dict; without arrays, and private ones of some types only."""
    seen = [key for key, value in values.items() if not isinstance(value, np.ndarray)]
    keys = [key for key in seen if isinstance(values[key], private) or not str(key).startswith("_")]
    if keys and len(keys) == len(values):  # one test is faster than many
        return [Spot("values", values, None, list(values.values()))]
    return [Spot("item", values, key, values[key]) for key in keys]


def _watched(item: Any) -> list[Spot]:
    """Return what of an object has to stay the same: all of an optimiser that is public."""
    if isinstance(item, (list, tuple)):
        return [Spot("items", item, None, list(item))] if _holds_parts(item) else []
    if isinstance(item, dict):
        return (
            [Spot("values", item, None, list(item.values()))] if _holds_parts(item.values()) else []
        )
    kind = type(item)
    if isinstance(item, type) or not hasattr(item, "__dict__"):
        return []
    return _all_or_each(vars(item)) if hasattr(kind, "load_state_dict") else []


def _holds_parts(items: Iterable[Any]) -> bool:
    """Tell whether a container holds what a function computes with."""
    return any(
        isinstance(item, (Handle, np.ndarray)) or hasattr(type(item), "named_parameters")
        for item in items
    )


def _names_in(module: Any) -> dict[int, str]:
    """Return what a module calls its parameters and buffers."""
    with contextlib.suppress(TypeError, ValueError):  # a module that has two of one name
        found = [*module.named_parameters(), *getattr(module, "named_buffers", list)()]
        return {id(item): name for name, item in found}
    return {}


_Entry = tuple[Any, str, "Spot | None"]


def _below(item: Any, label: str) -> Iterator[_Entry]:
    """Yield what an object refers to, each with its label and its place."""
    if isinstance(item, (types.FunctionType, types.MethodType)):
        yield from _of_function(item)
    elif isinstance(item, dict):
        for key, value in item.items():
            yield value, _joined(label, key), Spot("item", item, key, value)
    elif isinstance(item, (list, tuple)):
        for i, value in enumerate(item):
            yield value, _joined(label, i), Spot("item", item, i, value)
    elif hasattr(item, "__wrapped__") and callable(item):
        yield item.__wrapped__, label, None
    elif not type(item).__module__.startswith(_CLOSED):
        for key, value in getattr(item, "__dict__", {}).items():
            yield value, _joined(label, key), Spot("item", vars(item), key, value)
        for kind in type(item).__mro__:
            for key, value in _slots(kind, item):
                yield value, _joined(label, key), Spot("attribute", item, key, value)
            if not kind.__module__.startswith((_OWN, *_CLOSED)):
                yield from _arrays_of(kind, vars(kind))
                yield from ((method, "", None) for method in _methods(kind))
        for name in ("forward", "__call__", "step"):
            method = getattr(type(item), name, None)
            if isinstance(method, types.FunctionType):
                yield method, "", None


def _methods(kind: type) -> Iterator[types.FunctionType]:
    """Yield the functions in a class, those of its properties included."""
    for value in vars(kind).values():
        for method in (value, getattr(value, "__func__", None), getattr(value, "fget", None)):
            if isinstance(method, types.FunctionType):
                yield method


def _of_function(item: Any) -> Iterator[_Entry]:
    """Yield what a function refers to: its object, defaults, outer variables and globals."""
    if isinstance(item, types.MethodType):
        yield item.__self__, "", None
        item = item.__func__
    for value in (item.__defaults__ or ()) + tuple((item.__kwdefaults__ or {}).values()):
        yield value, "", None
    names = dict.fromkeys(_names(item.__code__))
    for name, cell in zip(item.__code__.co_freevars, item.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
        yield value, _variable(name, value), Spot("cell", cell, name, value)
        yield from _of_namespace(value, names)
    if item.__code__.co_filename.startswith(_LIBRARIES):
        return  # the globals of libraries are no user's data
    for name in names:
        if name in item.__globals__:
            value = item.__globals__[name]
            yield value, _variable(name, value), Spot("item", item.__globals__, name, value)
            yield from _of_namespace(value, names)


def _of_namespace(item: Any, names: Iterable[str]) -> Iterator[_Entry]:
    """Yield what a function may use of a module of Python or of a class, by the names in it."""
    if isinstance(item, types.ModuleType) and _is_users(item):
        values = vars(item)
        for name in names:
            if name in values:
                value = values[name]
                yield value, _variable(name, value), Spot("item", values, name, value)
    elif isinstance(item, type) and not item.__module__.startswith((_OWN, *_CLOSED)):
        yield from _arrays_of(item, [name for name in names if name in vars(item)])


def _arrays_of(kind: type, names: Iterable[str]) -> Iterator[_Entry]:
    """Yield the arrays, tensors and generators among the attributes of a class."""
    for name in names:
        value = vars(kind)[name]
        if isinstance(value, (np.ndarray, Handle, np.random.Generator)):
            yield value, name, Spot("attribute", kind, name, value)


def _slots(kind: type, item: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object for which its class has a slot."""
    for name, slot in vars(kind).items():
        # `__dict__` is a slot of SimpleNamespace: what is in it would be found in two places.
        if isinstance(slot, types.MemberDescriptorType) and name != "__dict__":
            with contextlib.suppress(AttributeError):  # a slot that has no value yet
                yield name, slot.__get__(item)


def _is_users(module: types.ModuleType) -> bool:
    """Tell whether a module of Python is the user's own, not a library's."""
    name, file = module.__name__.partition(".")[0], getattr(module, "__file__", None) or ""
    library = "site-packages" in file or file.startswith(_LIBRARIES)
    return not library and name not in sys.stdlib_module_names


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the global names that a function and those inside it use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _variable(name: str, value: Any) -> str:
    """Return the label of a variable: a module's parts are called by their own names."""
    return "" if hasattr(type(value), "named_parameters") else name


def _joined(label: str, key: Any) -> str:
    """Return the label of a part."""
    return f"{label}.{key}" if label else str(key)
