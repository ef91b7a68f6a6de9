"""Buffers: the arrays of a program in the code that is written, and those that are made once.

Floor: compiler, above `memory` and `names`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .memory import Memory
from .names import Names
from .program import Array, Home


class Buffers:
    """Names arrays, and writes the lines that make those of fixed memory."""

    def __init__(self, names: Names, memory: Memory, line: Callable[[str], None]) -> None:
        self.names = names
        self.memory = memory
        self.prepared: list[str] = []
        """Lines that run once, before the first step."""
        self.made: set[Array] = set()
        self._line = line
        self._pools: dict[int, str] = {}
        self._alike: dict[Any, str] = {}
        self._cells: dict[Array, str] = {}
        self._numbers: set[Array] = set()

    def read(self, array: Array) -> str:
        """Return the name of an array that is about to be read."""
        if array.storage.home is Home.CONSTANT:
            return self._constant(array)
        return self._number(array) if self._is_given_number(array) else self.names.of(array)

    @staticmethod
    def _is_given_number(array: Array) -> bool:
        """Tell whether an array is a number from outside, and no view of one."""
        home = array.storage.home
        held = home is Home.CAPTURED and array.value is not None
        return not array.shape and (held or home is Home.ARGUMENT)

    def place(self, array: Array) -> str:
        """Return the name of an array itself, also of one that is a number to those who read it."""
        given = array.storage.home in (Home.ARGUMENT, Home.CAPTURED)
        return self.names.of(array) if given else self.read(array)

    def scalar(self, array: Array) -> str:
        """Return an expression for a number as a NumPy scalar, also where it is an array."""
        made = array.storage.home in (Home.MADE, Home.CAPTURED) and not array.number
        view = made and not self._is_given_number(array)
        return f"{self.read(array)}[()]" if view else self.read(array)

    def _constant(self, array: Array) -> str:
        if array.shape:
            return self.names.bind(array.value, array.label or "constant")
        value = array.value[()]
        return (
            self.names.bind(array.value, "number") if value is None else self._scalar(array, value)
        )

    def _scalar(self, array: Array, value: Any) -> str:
        """Bind a constant as a NumPy scalar."""
        name = self.names.of(array, "number")
        self.names.bound[name] = value
        return name

    def _number(self, array: Array) -> str:
        """Read a number that is given or captured once, at its first use: loops take no array."""
        name = f"{self.names.of(array)}_now"
        if array not in self._numbers:
            self._numbers.add(array)
            self._line(f"{name} = {self.names.of(array)}[()]")
        return name

    def cell(self, array: Array) -> str:
        """Return the name of a number as an array, which ufuncs take in half the time."""
        if array.storage.written:
            return self.read(array)
        if array not in self._cells:
            if array.storage.home is Home.CONSTANT and array.value is not None:
                self._cells[array] = self.names.bind(
                    np.asarray(array.value), array.label or "number"
                )
            else:
                name = self._cells[array] = self.names.new(f"{self.names.of(array)}_cell")
                self.prepare(f"{name} = np.empty((), np.{array.dtype.name})")
                self._line(f"{name}[()] = {self.read(array)}")
        return self._cells[array]

    def buffer(self, array: Array, suggestion: str) -> str:
        """Make an array of fixed memory, once, and return its name."""
        name = self.names.of(array, suggestion)
        if array in self.made:
            return name
        self.made.add(array)
        storage = array.storage
        if storage in self.memory.stored_in:
            self.names.same(array, self.memory.stored_in[storage])
            return self.names.of(array)
        shape, dtype = array.shape, f"np.{array.dtype.name}"
        if storage in self.memory.part_of:
            joined, start = self.memory.part_of[storage]
            whole = self.buffer(joined, "joined")
            part = f"{whole}[{start}:{start + array.size}]"
            self.prepare(f"{name} = {part}" + (f".reshape({shape})" if len(shape) != 1 else ""))
            return name
        number = self.memory.pool_of[storage]
        alike = number, shape, array.dtype, array.strides
        if alike in self._alike:
            # The same object, in which NumPy sees at once that it may write where it reads: 0.2 us
            # less for each operation in place than of two arrays over the same memory.
            self.prepare(f"{name} = {self._alike[alike]}")
            return name
        self._alike[alike] = name
        pool = self._pools.setdefault(number, "")
        if not pool and array.contiguous:
            self._pools[number] = name
            self.prepare(f"{name} = np.empty({shape}, {dtype})")
            return name
        if not pool:
            pool = self._pools[number] = self.names.new("memory")
            self.prepare(f"{pool} = np.empty({array.nbytes}, np.uint8)")
        strides = "" if array.contiguous else f", 0, {array.strides}"
        self.prepare(f"{name} = np.ndarray({shape}, {dtype}, {pool}{strides})")
        return name

    def prepare(self, text: str) -> None:
        """Write a line that runs once."""
        self.prepared.append(f"    {text}")
