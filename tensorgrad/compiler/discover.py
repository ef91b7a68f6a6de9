"""Discover: what a function can reach - tensors, arrays, modules, generators - and where it hangs.

Floor: compiler.  It knows modules and optimisers by what they offer, since their floors are above.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..handle import Handle

_LIMIT = 100_000
_CLOSED = ("builtins", "numpy", __name__.rpartition(".")[0])
"""Modules whose objects are not looked into: NumPy's, and what the compiler itself has made."""
_LIBRARIES = tuple(str(Path(path).parent) + "/" for path in (str(Path(__file__).parent), np.__file__))
_ATOMS = (str, bytes, type, types.ModuleType, np.dtype, np.generic, np.random.BitGenerator)
_NUMBERS = (bool, int, float, complex, str, type(None))


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
            return holder.cell_contents
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
            setattr(self.holder, self.key, value)
        elif self.read == "cell":
            self.holder.cell_contents = value
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
    arrays: list[tuple[Spot, str]] = field(default_factory=list)
    generators: list[np.random.Generator] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    """Where modules, tensors and functions hang, and the numbers of modules and optimisers."""


def discover(function: Callable[..., Any], arguments: Any) -> Reach:
    """Walk from a function and its arguments through all that it refers to."""
    reach = Reach()
    seen: dict[int, Any] = {}
    names: dict[int, str] = {}
    stack: list[tuple[Any, str, Spot | None]] = [(function, "", None), (arguments, "", None)]
    while stack and len(seen) < _LIMIT:
        item, label, spot = stack.pop()
        if isinstance(item, (*_ATOMS, *_NUMBERS)):
            continue
        if isinstance(item, np.ndarray):
            if spot is not None:
                reach.arrays.append((spot, label))
            continue
        if spot is not None and spot.read in ("cell", "item") and not _grows(item):
            reach.spots.append(spot)
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if hasattr(type(item), "named_parameters"):
            names = _parameter_names(item) | names
        if isinstance(item, Handle):
            reach.tensors.append((item, label))
        elif isinstance(item, np.random.Generator):
            reach.generators.append(item)
        else:
            stack += [*_below(item, label)][::-1]
            reach.spots += _watched(item)
    reach.tensors = [(tensor, names.get(id(tensor), label)) for tensor, label in reach.tensors]
    return reach


def _grows(item: Any) -> bool:
    """Tell whether an object is a container, which is watched by itself."""
    return isinstance(item, (dict, list))


def _watched(item: Any) -> list[Spot]:
    """Return what of an object has to stay the same: all of a module and of an optimiser."""
    if isinstance(item, (list, tuple)):
        return [Spot("items", item, None, list(item))] if _holds_parts(item) else []
    if isinstance(item, dict):
        return [Spot("values", item, None, list(item.values()))] if _holds_parts(item.values()) else []
    kind = type(item)
    if isinstance(item, type) or not hasattr(item, "__dict__"):
        return []
    found = []
    if hasattr(kind, "named_parameters") or hasattr(kind, "load_state_dict"):
        values = vars(item)
        public = [key for key in values if not key.startswith("_")]
        if len(public) == len(values):
            found.append(Spot("values", values, None, list(values.values())))
        else:
            found += [Spot("item", values, key, values[key]) for key in public]
    if hasattr(kind, "named_parameters") and "training" not in vars(item):
        found.append(Spot("attribute", item, "training", item.training))
    return found


def _holds_parts(items: Iterable[Any]) -> bool:
    """Tell whether a container holds what a function computes with."""
    return any(
        isinstance(item, (Handle, np.ndarray)) or hasattr(type(item), "named_parameters")
        for item in items
    )


def _parameter_names(module: Any) -> dict[int, str]:
    """Return what a module calls its parameters."""
    with contextlib.suppress(TypeError, ValueError):  # a module that has two of one name
        return {id(parameter): name for name, parameter in module.named_parameters()}
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
    elif hasattr(item, "__dict__") and not type(item).__module__.startswith(_CLOSED):
        for key, value in vars(item).items():
            yield value, _joined(label, key), Spot("item", vars(item), key, value)
        for name in ("forward", "__call__", "step"):
            method = getattr(type(item), name, None)
            if isinstance(method, types.FunctionType):
                yield method, "", None


def _of_function(item: Any) -> Iterator[_Entry]:
    """Yield what a function refers to: its object, defaults, outer variables and globals."""
    if isinstance(item, types.MethodType):
        yield item.__self__, "", None
        item = item.__func__
    for value in (item.__defaults__ or ()) + tuple((item.__kwdefaults__ or {}).values()):
        yield value, "", None
    for name, cell in zip(item.__code__.co_freevars, item.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
        yield value, _variable(name, value), Spot("cell", cell, name, value)
    if item.__code__.co_filename.startswith(_LIBRARIES):
        return  # the globals of libraries are no user's data
    for name in _names(item.__code__):
        if name in item.__globals__:
            value = item.__globals__[name]
            yield value, _variable(name, value), Spot("item", item.__globals__, name, value)


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
