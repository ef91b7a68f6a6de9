"""Names: what things are called in the code that is written.

Floor: compiler, above `program`.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .program import Array

_SYMBOLS: Final[dict[Any, str]] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.less: "<",
    np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==",
    np.not_equal: "!=",
}  # fmt: skip
"""Operators, which on NumPy's scalars have the bits of the ufunc at a sixth of its time."""


class Names:
    """Gives each array and each object a name of its own, and writes expressions."""

    def __init__(self) -> None:
        self.bound: dict[str, Any] = {"np": np}
        """What the code refers to beside NumPy."""
        self._taken = {"np", "step", "prepare", "MISSED", *keyword.kwlist, *dir(builtins)}
        self._arrays: dict[Array, str] = {}
        self._objects: dict[int, str] = {}

    def of(self, array: Array, hint: str = "") -> str:
        """Return the name of an array."""
        if array not in self._arrays:
            self._arrays[array] = self._new(array.label or hint or "x")
        return self._arrays[array]

    def same(self, array: Array, other: Array) -> None:
        """Give an array the name of another one."""
        self._arrays[array] = self.of(other)

    def bind(self, thing: Any, hint: str) -> str:
        """Return the name under which the code finds an object."""
        if id(thing) not in self._objects:
            name = self._objects[id(thing)] = self._new(hint)
            self.bound[name] = thing
        return self._objects[id(thing)]

    def new(self, hint: str) -> str:
        """Return a name that nothing has."""
        return self._new(hint)

    def _new(self, hint: str) -> str:
        base = re.sub(r"\W+", "_", hint).strip("_") or "x"
        base = f"x_{base}" if base[0].isdigit() or re.fullmatch(r"x\d+", base) else base
        name, n = base, 1
        while name in self._taken:
            n += 1
            name = f"{base}_{n}"
        self._taken.add(name)
        return name

    def value(self, thing: Any, array: Callable[[Array], str]) -> str:
        """Write an argument as Python."""
        if isinstance(thing, Array):
            return array(thing)
        if isinstance(thing, (tuple, list)) and type(thing) in (tuple, list):
            items = ", ".join(self.value(item, array) for item in thing)
            if isinstance(thing, list):
                return f"[{items}]"
            return f"({items},)" if len(thing) == 1 else f"({items})"
        if thing is None or thing is Ellipsis or type(thing) in (bool, int, str):
            return "..." if thing is Ellipsis else repr(thing)
        if type(thing) is float and math.isfinite(thing):
            return repr(thing)
        if isinstance(thing, slice):
            return self._slice(thing, array)
        if isinstance(thing, np.dtype) and thing.isbuiltin == 1 and hasattr(np, thing.name):
            return f"np.{thing.name}"
        return self.bind(thing, f"constant_{type(thing).__name__}")

    def _slice(self, thing: slice, array: Callable[[Array], str]) -> str:
        parts = (thing.start, thing.stop, thing.step)
        return f"slice({', '.join(self.value(part, array) for part in parts)})"

    def key(self, thing: Any, array: Callable[[Array], str]) -> str:
        """Write what stands between brackets."""
        if isinstance(thing, tuple) and len(thing) > 1:
            return ", ".join(self.key(item, array) for item in thing)
        if isinstance(thing, slice) and not any(
            isinstance(p, Array) for p in (thing.start, thing.stop)
        ):
            start, stop, step = (
                "" if p is None else repr(p) for p in (thing.start, thing.stop, thing.step)
            )
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return self.value(thing, array)

    def function(self, function: Any) -> str:
        """Write a function of NumPy by its path, another one by a name."""
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ufunc) and getattr(owner, function.__name__, None) == function:
            return f"{self.function(owner)}.{function.__name__}"
        name = getattr(function, "__name__", type(function).__name__)
        for path in (np, np.linalg, np.fft):
            if getattr(path, name, None) is function:
                prefix = "np" if path is np else f"np.{path.__name__.rpartition('.')[2]}"
                return f"{prefix}.{name}"
        return self.bind(function, name.strip("_<>"))


def symbol(function: Any) -> str | None:
    """Return the operator of a ufunc, if it has one."""
    return _SYMBOLS.get(function) if isinstance(function, np.ufunc) else None


def hint(function: Any) -> str:
    """Return what the result of a function is called."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        known = {"add": "sum", "maximum": "max", "minimum": "min"}
        return known.get(owner.__name__, owner.__name__)
    name = str(getattr(function, "name", None) or getattr(function, "__name__", "x"))
    return {"__getitem__": "item"}.get(name, name)
