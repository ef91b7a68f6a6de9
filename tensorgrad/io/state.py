"""State as it is stored: its arrays by name, and the rest as JSON.

Floor: io, above `checks`; may import `files` and `handle`.  In JSON, numbers, text, booleans,
None and lists stand for themselves, and an object with one key for what JSON lacks:
`{"dict": {...}}`, `{"array": name}`, `{"float": "7ff8000000000000"}` (the bits of a NaN or an
infinity).
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import numpy as np

from .._typing import Array
from ..files.checks import FormatError
from ..handle import Handle, to_array
from .checks import check_array_name

_MAX_DEPTH: Final = 50


def pack(state: dict[str, Any] | list[Any]) -> tuple[dict[str, Array], Any]:
    """Return the arrays of a state by dotted name, and what JSON takes, which refers to them.

    Raises
    ------
    TypeError, ValueError
        If something in it cannot be stored; the message says where it is.
    """
    if not isinstance(state, (dict, list)):
        raise TypeError(
            f"state is a {type(state).__name__}; expected a dict or a list, such as "
            "model.state_dict()"
        )
    arrays: dict[str, Array] = {}
    return arrays, _packed(state, (), arrays)


def _packed(item: Any, path: tuple[Any, ...], arrays: dict[str, Array]) -> Any:
    """Return what stands for an item in JSON, after putting its arrays into `arrays`."""
    if len(path) > _MAX_DEPTH:
        raise ValueError(f"{_place(path[:3])}... is nested more than {_MAX_DEPTH} deep")
    if isinstance(item, dict):
        wrong = next((key for key in item if not isinstance(key, str)), None)
        if wrong is not None:
            raise TypeError(f"{_place(path)} has the key {wrong!r}; expected text: use str(key)")
        return {"dict": {key: _packed(part, (*path, key), arrays) for key, part in item.items()}}
    if isinstance(item, list):
        return [_packed(part, (*path, i), arrays) for i, part in enumerate(item)]
    if isinstance(item, (Handle, np.ndarray, np.generic)) and not isinstance(item, str):
        return {"array": _named(item, path, arrays)}
    if isinstance(item, float) and not math.isfinite(item):
        return {"float": struct.pack(">d", item).hex()}
    if item is None or isinstance(item, (bool, int, float, str)):
        return item
    raise TypeError(
        f"{_place(path)} is a {type(item).__name__}; expected arrays, numbers, text, booleans and "
        "None, in dicts and lists" + ": use list(...)" * isinstance(item, tuple)
    )


def _named(item: Any, path: tuple[Any, ...], arrays: dict[str, Array]) -> str:
    """Put an array under its name, and return that."""
    name = ".".join(map(str, path))
    try:
        check_array_name(name)
    except FormatError as error:
        raise ValueError(f"{_place(path)} cannot be stored under its name: {error}") from None
    if name in arrays:
        raise ValueError(f"{_place(path)} would be the second array called {name!r}: rename a key")
    data = item.data if isinstance(item, Handle) else item
    arrays[name] = np.asarray(to_array(data, _place(path)))
    return name


def _place(path: tuple[Any, ...]) -> str:
    """Return the code that gives an item: `state['layers'][0]`."""
    return "state" + "".join(f"[{key!r}]" for key in path)


def unpack(found: Any, arrays: dict[str, Array]) -> Any:
    """Return the state that `pack` was given; takes its arrays out of `arrays`."""
    state = _unpacked(found, arrays, 0)
    if arrays:
        raise FormatError(f"the array {next(iter(arrays))[:80]!r} has no place in the state")
    return state


def _unpacked(found: Any, arrays: dict[str, Array], depth: int) -> Any:
    """Return the item that some JSON stands for."""
    if depth > _MAX_DEPTH + 1:
        raise FormatError(f"the state is nested more than {_MAX_DEPTH} deep")
    if isinstance(found, list):
        return [_unpacked(part, arrays, depth + 1) for part in found]
    if not isinstance(found, dict):
        return found
    kind, value = next(iter(found.items()), ("", None))
    if len(found) == 1 and kind == "dict" and isinstance(value, dict):
        return {key: _unpacked(part, arrays, depth + 1) for key, part in value.items()}
    if len(found) == 1 and kind == "array" and isinstance(value, str) and value in arrays:
        return arrays.pop(value)
    if len(found) == 1 and kind == "float" and isinstance(value, str):
        try:
            return struct.unpack(">d", bytes.fromhex(value))[0]
        except (ValueError, struct.error):
            pass
    raise FormatError(f"the state holds {str(found)[:80]}, which stands for nothing")
