"""State: the arrays of a module by name, copied out and checked before they are put back.

Floor: nn, below `module`.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._typing import Array, ArrayLike
from ..handle import to_array
from ..interrupts import uninterrupted
from ..tensor import Tensor


class Buffer:
    """A place for an array that is saved and not trained: an attribute of a module."""

    def __init__(self, owner: Any, name: str) -> None:
        self.owner = owner
        self.name = name

    @property
    def data(self) -> Any:
        """The array that is there now; assigning puts a copy there."""
        value = getattr(self.owner, self.name)
        if isinstance(value, Tensor) and value.requires_grad:
            raise TypeError(
                f"the buffer {self.name!r} of {type(self.owner).__name__} is a recording tensor, "
                "which would keep the graphs of all passes before: assign x.data, or compute it "
                "under no_grad()"
            )
        return value

    @data.setter
    def data(self, value: Any) -> None:
        setattr(self.owner, self.name, np.array(value))


Slot: TypeAlias = Tensor | Buffer
"""What one name in a state stands for."""


class LoadResult(NamedTuple):
    """What `load_state_dict(strict=False)` left out."""

    missing_keys: list[str]
    """Parameters and buffers that the state has not; they are as before."""
    unexpected_keys: list[str]
    """Names in the state that the module has not."""


def identity(slot: Slot) -> Any:
    """Return what tells a parameter or a buffer from others, whatever it is called."""
    return (id(slot.owner), slot.name) if isinstance(slot, Buffer) else id(slot)


def load(
    slots: Mapping[str, Slot],
    lookup: Callable[[str], Slot | None],
    state: Mapping[str, ArrayLike],
    strict: bool,
    title: str,
) -> LoadResult:
    """Set all slots to copies of saved arrays, or raise before anything has changed.

    Parameters
    ----------
    slots
        By their first names.
    lookup
        Finds a slot by any name that leads to it.
    state
        The arrays by name.
    strict
        Whether a name that is missing or unexpected is a fault.
    title
        What to call the module.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state is {type(state).__name__}; expected a dict of names and arrays")
    names, unexpected = _names(slots, lookup, state)
    arrays: dict[str, Any] = {}
    faults = []
    for first, slot in slots.items():
        if strict and first not in names:
            faults.append(f"{first}: missing")
        for name in names.get(first, ()):
            try:
                array = _fitting(state[name], slot)
                if first in arrays and arrays[first].tobytes() != array.tobytes():
                    raise ValueError(f"other values than {names[first][0]}, with which it is tied")
                arrays[first] = array
            except (TypeError, ValueError) as error:
                faults.append(f"{name}: {error}")
    if strict:
        faults += [f"{name}: unexpected" for name in unexpected]
    if faults:
        raise ValueError(
            f"the state does not fit this {title}, and nothing was changed:\n  "
            + "\n  ".join(faults)
        )
    with uninterrupted():
        for first, array in arrays.items():
            slots[first].data = array
    return LoadResult([first for first in slots if first not in names], unexpected)


def _names(
    slots: Mapping[str, Slot], lookup: Callable[[str], Slot | None], state: Mapping[str, Any]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return which names of a state stand for each slot, and which for none.

    A state of PyTorch has an array for each of the names of what is shared.
    """
    firsts = {identity(slot): first for first, slot in slots.items()}
    names: dict[str, list[str]] = {}
    unexpected = []
    for name in state:
        slot = slots[name] if name in slots else lookup(name)
        first = None if slot is None else firsts.get(identity(slot))
        if first is None:
            unexpected.append(name)
        else:
            names.setdefault(first, []).append(name)
    return names, unexpected


def _fitting(value: ArrayLike, slot: Slot) -> Array:
    """Return a saved value as an array, if it has the slot's shape and dtype."""
    array: Array = to_array(value, "the value")
    expected: Any = np.asarray(slot.data) if isinstance(slot, Buffer) else slot
    if array.shape != expected.shape:
        raise ValueError(f"shape {array.shape}, expected {expected.shape}")
    if array.dtype != expected.dtype:
        raise ValueError(f"dtype {array.dtype}, expected {expected.dtype}: use astype")
    return array
