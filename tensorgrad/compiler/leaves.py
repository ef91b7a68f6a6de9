"""Leaves: what a recording reads of the leaves of a graph, and what it leaves there.

Floor: compiler, above `tape`, below `record`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import Leaf, Node
from ..handle import Handle
from .discover import Spot
from .program import Kind
from .tape import Tape
from .traced import Traced


class LeafState:
    """A leaf as it was before the recording, and what was read of that."""

    def __init__(self, leaf: Leaf, tensor: Handle, label: str) -> None:
        self.tensor = tensor
        self.label = label
        self.out, self.time, self.grad, self.reached = leaf.out, leaf.time, leaf.grad, leaf.reached
        self.kind = type(leaf)
        self.traced: Traced | None = None
        self.read: set[str] = set()
        """What was read before it was set."""
        self.set: set[str] = set()

    def spots(self, leaf: Leaf) -> list[Spot]:
        """Return what has to be the same at each call."""
        found = []
        if "reached" in self.read:
            found.append(Spot("attribute", leaf, "reached", self.reached))
        if "grad" in self.read and self.grad is None:
            found.append(Spot("attribute", leaf, "grad", None))
        return found

    def changes(self, leaf: Leaf, tape: Tape) -> list[tuple[Spot, Any]]:
        """Return what is to be set at the end of a call."""
        found: list[tuple[Spot, Any]] = []
        if "grad" in self.set and leaf.grad is not self.traced:
            grad = leaf.grad
            found.append(
                (
                    Spot("attribute", leaf, "grad", None),
                    tape.read(grad) if isinstance(grad, Traced) else grad,
                )
            )
        if "reached" in self.set:
            found.append((Spot("attribute", leaf, "reached", None), leaf.reached))
        return found

    def restore(self, leaf: Leaf) -> None:
        """Put everything back."""
        watched.pop(leaf, None)
        leaf.__class__ = self.kind
        leaf.out, leaf.time, leaf.grad, leaf.reached = self.out, self.time, self.grad, self.reached


watched: dict[Leaf, LeafState] = {}


def _observed(name: str, slot: Any) -> property:
    """Make an attribute that notes whether it is read before it is set."""

    def read(leaf: Leaf) -> Any:
        state = watched[leaf]
        if name not in state.set:
            state.read.add(name)
        return slot.__get__(leaf)

    def write(leaf: Leaf, value: Any) -> None:
        watched[leaf].set.add(name)
        if isinstance(value, Traced) and isinstance(value.value, np.generic):
            # Whoever reads a gradient finds an array.
            value = value.tape.call(Kind.ELEMENTWISE, np.array, (value,), {})
        slot.__set__(leaf, value)

    return property(read, write)


class WatchedLeaf(Leaf):
    """A leaf during a recording: a call depends on what is read of it, and leaves what is set."""

    __slots__ = ()
    reached = _observed("reached", Leaf.reached)  # type: ignore[misc]
    grad = _observed("grad", Node.grad)  # type: ignore[misc]
