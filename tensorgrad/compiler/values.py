"""Values: nested arguments and results of NumPy's calls, and the memory that they look at.

Floor: compiler, below `tape`.  An array of a recording is known by its `tape`, `value` and `array`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

Traced: TypeAlias = Any
"""A `traced.Traced`, whose file is above this one."""


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


def mapped(found: Any, change: Callable[[Any], Any]) -> Any:
    """Return what a call returned, with something else in place of arrays."""
    if isinstance(found, (np.ndarray, np.generic)):
        return change(found)
    if isinstance(found, (tuple, list)):
        items = [mapped(item, change) for item in found]
        return type(found)(*items) if hasattr(found, "_fields") else type(found)(items)
    return found


def mapped_traced(out: Any) -> Any:
    """Return the symbols of what a call returned; a named tuple is a tuple."""
    if hasattr(out, "tape"):
        return out.array
    return tuple(mapped_traced(item) for item in out) if isinstance(out, (tuple, list)) else out


def base_of(result: Any, items: Iterable[Traced]) -> Traced | None:
    """Return the argument whose memory a result looks at, if there is one."""
    if not isinstance(result, np.ndarray):
        return None
    for item in items:
        if isinstance(item.value, np.ndarray) and (
            result is item.value
            or (result.base is not None and np.may_share_memory(result, item.value))
        ):
            return item
    return None


def root_of(value: Any) -> Any:
    """Return the array that has the memory of another one."""
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value


def same_view(found: Any, value: Any) -> bool:
    """Tell whether a view shows the same elements in the same way."""
    return (
        isinstance(found, np.ndarray)
        and address(found) == address(value)
        and (found.shape, found.strides, found.dtype) == (value.shape, value.strides, value.dtype)
    )


def is_there(target: Traced, key: Any, value: Any) -> bool:
    """Tell whether a view is put back where it is: the end of `x[i] += y`, for a slice i."""
    return (
        hasattr(value, "tape")
        and value.array.storage is target.array.storage
        and not list(traced_in(key))
        and same_view(target.value[key], value.value)
    )


def address(array: Any) -> int:
    """Return where an array starts."""
    return int(array.__array_interface__["data"][0])


def as_view(private: Any, like: Any, start: int) -> Any:
    """Return the view of a copy that another array is of the original."""
    flat = np.ravel(private, "K")
    return np.ndarray(like.shape, like.dtype, flat, address(like) - start, like.strides)


class Copied:
    """A function whose result is copied."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = str(getattr(function, "name", "view")).strip("_")

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Call it."""
        return self.function(*args, **params).copy()


class Draw:
    """A method of a generator, as a function."""

    def __init__(self, generator: Any, method: str) -> None:
        self.generator = generator
        self.method = method

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Draw."""
        return getattr(self.generator, self.method)(*args, **params)


def spread(value: Any, shape: Any) -> Any:
    """Return an array full of one number."""
    return np.broadcast_to(value, shape).copy()


def equal(value: Any, seen: Any) -> bool:
    """Tell whether a value is what the recording saw; a NaN is a NaN."""
    if isinstance(seen, np.ndarray):
        return bool(np.array_equal(value, seen, equal_nan=seen.dtype.kind in "fc"))
    return bool(value == seen or (value != value and seen != seen))
