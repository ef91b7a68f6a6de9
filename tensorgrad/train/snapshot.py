"""Snapshot: the state of a model and all that goes with it, to be put back to the bit.

Floor: train.  May import everything below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..interrupts import uninterrupted
from ..nn.module import Module
from ..random import as_generator
from ..tensor import Tensor


@contextmanager
def put_back(*parts: Any) -> Iterator[None]:
    """Put all back as it was when the block ends, also by an error or Ctrl-C.

    Parameters
    ----------
    *parts
        Modules, with all their attributes; tensors; generators; objects with `state_dict` and
        `load_state_dict`; lists, tuples and dicts of these.  Anything else is left alone.  The
        default generator is always put back.
    """
    restore = _restorer(parts)
    try:
        yield
    finally:
        restore()


@contextmanager
def kept_on_error(*parts: Any) -> Iterator[None]:
    """Put all back as it was, as `put_back` does, where the block ends by an error or Ctrl-C."""
    restore = _restorer(parts)
    try:
        yield
    except BaseException:
        restore()
        raise


def _restorer(parts: Sequence[Any]) -> Callable[[], None]:
    """Take everything in, and return what puts it back."""
    undoes = [undo for part in _below([*parts, as_generator(None)]) for undo in _undo(part)]

    def restore() -> None:
        with uninterrupted():
            for undo in undoes:
                undo()

    return restore


def _below(parts: list[Any]) -> list[Any]:
    """List the parts and what is in modules and containers among them, each once."""
    # The values keep the objects alive, so that an id stays one object's.
    found: dict[int, Any] = {}
    stack = parts[::-1]
    while stack:
        part = stack.pop()
        if id(part) in found:
            continue
        found[id(part)] = part
        if isinstance(part, Module):
            stack += vars(part).values()
        elif isinstance(part, dict):
            stack += part.values()
        elif isinstance(part, (list, tuple)):
            stack += part
    return list(found.values())


def _undo(part: Any) -> Iterator[Callable[[], object]]:
    """Yield what puts one thing back: what it refers to first, and then the numbers in it."""
    if isinstance(part, Module):
        yield from _undo(vars(part))
    elif isinstance(part, dict):
        items = dict(part)
        yield part.clear
        yield lambda: part.update(items)
    elif isinstance(part, list):
        copy = list(part)
        yield lambda: part.__setitem__(slice(None), copy)
    elif isinstance(part, Tensor):
        if part.is_leaf:
            data, grad = np.array(part.data), np.array(part.grad) if part.has_grad else None
            yield lambda: setattr(part, "data", data)
            yield part.zero_grad if grad is None else lambda: setattr(part, "grad", grad)
    elif isinstance(part, np.ndarray):
        if part.flags.writeable:
            numbers = part.copy()
            yield lambda: np.copyto(part, numbers)
    elif isinstance(part, np.random.Generator):
        state = part.bit_generator.state
        yield lambda: setattr(part.bit_generator, "state", state)
    elif hasattr(part, "state_dict") and hasattr(part, "load_state_dict"):
        kept = part.state_dict()
        yield lambda: part.load_state_dict(kept)
