"""Recording: what a recording leaves - a program, and what ties it to the world.

Floor: compiler, above `program` and `discover`.  `record` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import Leaf, Node
from ..handle import Handle
from .discover import Spot
from .program import Array, Program


@dataclass
class Result:
    """One leaf of what the function returned."""

    array: Array | None
    """None for what is the same object at each call."""
    value: Any
    kind: type[Any] | None = None
    """The class of the tensor, None for an array."""
    records: bool = False
    given: int | None = None
    """Of a tensor that the caller gives, the number of it."""


@dataclass
class Recording:
    """A program, and what ties it to the world."""

    program: Program
    fetched: list[Spot] = field(default_factory=list)
    """Where the arguments of the program come from that the caller does not give."""
    tree: Any = None
    results: list[Result] = field(default_factory=list)
    leaves: list[tuple[Leaf, Handle, str]] = field(default_factory=list)
    given: list[Leaf] = field(default_factory=list)
    """The leaves of the tensors that the caller gives, in order: others at each call."""
    shared: list[tuple[int, Handle]] = field(default_factory=list)
    """Of these tensors, those that the function finds in another way as well, by their number."""
    moved: list[tuple[int, Handle]] = field(default_factory=list)
    """Of the tensors that the caller gives, those that have another array at the end."""
    tensors: list[tuple[Handle, Node | None]] = field(default_factory=list)
    """The tensors that were found, not those that the caller gives, and whether they record."""
    sets: list[tuple[Spot, Any]] = field(default_factory=list)
    """What is set at the end: an Array, or a plain value."""
    ticked: list[Leaf] = field(default_factory=list)
    """Leaves whose data were written."""
    origins: dict[Array, list[Spot]] = field(default_factory=dict)
    """Where each captured array was found: one object may be in several places."""
    spots: list[Spot] = field(default_factory=list)
    generators: list[np.random.Generator] = field(default_factory=list)
    returned: int = 0
    """How many of the program's results the caller gets; the others are set."""
    final: dict[Array, Array] = field(default_factory=dict)
    """What the passes have put in place of what is set."""
