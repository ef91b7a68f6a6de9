"""Guard: the test before each call that it is like the recording, written as Python.

Floor: compiler, beside `emit`.  It has to be fast, and may say no too often: then the slow way
looks more closely.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..handle import Handle
from .code import MISSED
from .discover import Spot
from .names import Names
from .program import Array

_OWN = (
    "args enter found free inputs kind_of_result lock ndarray op parents recorded refs targets "
    "wrapped x"
)
"""The names that the text of the guard has for itself."""
OTHER = object()
"""What is returned when the call is not like the recording."""


class Guard:
    """Collects tests, and writes a function that runs a step when all of them hold."""

    def __init__(self) -> None:
        self._names = Names()
        for name in _OWN.split():
            self._names.new(name)
        self._tests: list[str] = []
        self._free: list[str] = []
        self._counted: list[str] = []
        self._names.bound |= {"OTHER": OTHER, "ndarray": np.ndarray, "refs": sys.getrefcount}

    def _name(self, thing: Any, hint: str) -> str:
        return self._names.bind(thing, hint)

    def spot(self, spot: Spot) -> None:
        """Test that a place still refers to what was found."""
        if isinstance(spot.holder, tuple):
            return  # it cannot change
        known = dict(zip(spot.holder, spot.found, strict=True)) if spot.read == "values" else None
        found = self._name(spot.found if known is None else known, "found")
        holder = self._name(spot.holder, "a_holder")
        text = {
            "attribute": f"{holder}.{spot.key} is {found}",
            "cell": f"{holder}.cell_contents is {found}",
            "items": f"{holder} == {found}",
            "values": f"{holder} == {found}",
            "item": f"{holder}[{spot.key!r}] is {found}",
        }[spot.read]
        if spot.read == "item" and isinstance(spot.holder, dict):
            text = f"{holder}[{self._names.value(spot.key, str)}] is {found}"
        self._tests.append(text)
        if spot.read in ("items", "values"):
            self._tests += self._exact(spot, holder)

    def _exact(self, spot: Spot, holder: str) -> list[str]:
        """Test numbers by identity: 2 == 2.0, and 0.0 == -0.0."""
        keys = spot.holder if spot.read == "values" else range(len(spot.found))
        kinds = (int, float, complex, tuple, np.generic)
        return [
            f"{holder}[{self._names.value(key, str)}] is {self._name(value, 'number')}"
            for key, value in zip(keys, spot.found, strict=True)
            if isinstance(value, kinds) and type(value) is not bool
        ]

    def array(self, spot: Spot, data: Any) -> None:
        """Test that a captured array is still where it was found."""
        holder = self._name(spot.holder, "a_holder")
        self._tests.append(f"{spot.written(holder)} is {self._name(data, 'data')}")

    def tensor(self, tensor: Handle, node: Any) -> None:
        """Test that a tensor records, or not, as before."""
        self._tests.append(f"{self._name(tensor, 'tensor')}._node is {self._name(node, 'node')}")

    def readable(self, array: Any, leaf: Any) -> None:
        """Test that nobody but a leaf holds an array that is about to be overwritten."""
        name = self._name(array, "kept")
        held = "" if leaf is None else f" - ({self._name(leaf, 'leaf')}.grad is {name})"
        self._free.append(f"refs({name}){held} <= count_{name}")
        self._counted.append(name)

    def written(
        self,
        step: Any,
        lock: Any,
        given: tuple[Any, ...] | None,
        fetched: list[tuple[Spot, Array]],
        result: tuple[str, dict[str, Any]],
        targets: Sequence[Any],
    ) -> tuple[Any, Any]:
        """Write `enter(args)`, which runs the step, and `free()`, which tests the readable arrays.

        `result` is the text that makes the results of what the step has found, and its names.
        `given` are the arguments of the recording; None, or with others than arrays and numbers
        among them, no call is entered in this fast way; nor where they look at the memory of
        `targets`.  Nobody but the step may hold the readable arrays now.
        """
        bound = self._names.bound
        bound |= {f"count_{name}": sys.getrefcount(bound[name]) for name in self._counted}
        bound["targets"] = frozenset(map(id, targets))
        tests = self._arguments(given, targets)
        names = [f"x{i}" for i in range(len(given or ()))]
        arrays = [n for n, x in zip(names, given or (), strict=True) if hasattr(x, "dtype")]
        looked_up = [slot.written(self._name(slot.holder, "a_holder")) for slot, _ in fetched]
        arrays += looked_up
        text, names_in_it = result
        self._names.bound |= {"step": step, "lock": lock, "MISSED": MISSED} | names_in_it
        lines = ["def enter(args):"]
        if tests is None:
            lines += ["    return OTHER"]
        else:
            layouts = [
                f"{place}.strides == {array.strides}"
                for place, (_, array) in zip(looked_up, fetched, strict=True)
            ]
            every = dict.fromkeys(tests + self._tests + self._free + layouts)
            condition = "\n            and ".join(every) or "True"
            lines += [f"    if len(args) != {len(names)}:", "        return OTHER"]
            lines += [f"    {', '.join(names)}, = args"] if names else []
            lines += [
                "    with lock:",
                "        try:",
                f"            if not ({condition}):",
                "                return OTHER",
                "        except (AttributeError, ValueError, KeyError, IndexError):",
                "            return OTHER",
                f"        found = step({', '.join(arrays)})",
                f"    return found if found is MISSED else {text}",
            ]
        lines += ["", "def free():", f"    return {' and '.join(self._free) or 'True'}"]
        exec("\n".join(lines), self._names.bound)
        return self._names.bound["enter"], self._names.bound["free"]

    def _arguments(self, given: tuple[Any, ...] | None, targets: Sequence[Any]) -> list[str] | None:
        """Test the arguments; None where there are others than arrays and numbers."""
        if given is None:
            return None
        tests = []
        for i, argument in enumerate(given):
            if type(argument) is np.ndarray or isinstance(argument, np.generic):
                kind, dtype = (
                    self._name(type(argument), "kind"),
                    self._name(argument.dtype, "dtype"),
                )
                tests.append(f"type(x{i}) is {kind} and x{i}.dtype is {dtype}")
                tests.append(
                    f"x{i}.shape == {argument.shape} and x{i}.strides == {argument.strides}"
                )
                if targets and type(argument) is np.ndarray:
                    tests.append(f"id(x{i}) not in targets and id(x{i}.base) not in targets")
            elif argument is None or type(argument) in (bool, int, float, str):
                kind, same = self._name(type(argument), "kind"), self._name(argument, "number")
                tests.append(f"type(x{i}) is {kind} and x{i} == {same}")
                if argument == 0 and type(argument) is float:
                    tests.append(f"repr(x{i}) == {repr(argument)!r}")
            else:
                return None
        return tests
