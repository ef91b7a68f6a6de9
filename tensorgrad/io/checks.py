"""What both formats check before a byte of data is read, and how the data are read then.

Floor: io; imports `_typing` alone.
"""

from __future__ import annotations

import json
import math
import zlib
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

import numpy as np

from .._typing import Array, Shape

METADATA: Final = "__metadata__"
"""The name of the metadata in both formats."""
MAX_TEXT: Final = 4_000_000
"""Bytes of a header or a directory, which is some 13,000 arrays with names of 20 letters.  To parse
them takes up to nine times as much memory."""
_MAX_TOKENS: Final = 400_000
_MAX_NAME: Final = 1000
_MAX_RANK: Final = 32


class FormatError(ValueError):
    """A file is damaged, hostile, or not in a format that is read here.

    Nothing was changed.  It is the only error that the contents of a file can cause; a file that
    is missing or cannot be read is an OSError.
    """


class Entry(NamedTuple):
    """An array that a file says it holds, and where; checked, so that it can be read."""

    name: str
    dtype: np.dtype[Any]
    shape: Shape
    start: int
    fortran: bool = False
    crc: int | None = None
    """CRC-32 of the elements, and of `before` in front of them."""
    before: bytes = b""

    @property
    def nbytes(self) -> int:
        """The bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


class Header(NamedTuple):
    """What a file says it holds: text by name, and the arrays."""

    metadata: dict[str, str]
    entries: list[Entry]


def check_name(name: str) -> None:
    """Raise a FormatError unless this can be the name of an array.

    No name is ever made into a path here, but an archive may be unpacked by other programs.
    """
    wrong_parts = {"", ".", ".."}.intersection(name.split("/"))
    if len(name) > _MAX_NAME or not name.isprintable() or "\\" in name or wrong_parts:
        raise FormatError(
            f"an array is called {name[:80]!r}; expected 1 to {_MAX_NAME} printable characters, no "
            "backslash, and between slashes neither nothing nor '.' nor '..'"
        )
    if name == METADATA:
        raise FormatError(f"an array is called {name!r}, where the metadata are kept")


def check_shape(name: str, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Raise a FormatError unless NumPy can hold such an array, whatever the file's size."""
    if len(shape) > _MAX_RANK:
        raise FormatError(f"{name!r} has {len(shape)} dimensions; expected {_MAX_RANK} at most")
    # NumPy counts an axis of length 0 as one here.
    if math.prod(max(d, 1) for d in shape) * dtype.itemsize >= 2**63:
        raise FormatError(f"{name!r} has shape {shape}, which is more than an array can address")


def parse_json(text: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Refused are: what is no object, duplicate keys (Python's parser keeps the last), NaN and
    Infinity (no JSON), numbers too large for a float or of thousands of digits, nesting that
    exhausts the stack, and more text or more values than fit into 50 MB.
    """
    if len(text) > MAX_TEXT:
        raise FormatError(f"{what} takes {len(text)} bytes; expected {MAX_TEXT} at most")
    if not (text.startswith(b"{") and text.rstrip(b" ").endswith(b"}")):
        raise FormatError(f"{what} is no JSON object")
    # Every value follows one of these, and takes at most 100 bytes beside its text.
    if sum(text.count(mark) for mark in (b"[", b"{", b",", b":")) > _MAX_TOKENS:
        raise FormatError(f"{what} has more than {_MAX_TOKENS} values")
    try:
        found: dict[str, Any] = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} is no JSON that is read here: {str(error)[:200]}") from error
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of pairs, if no key comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    """Return a number; 1e400 would be infinity."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large for a float")
    return number


def text_by_name(found: Any, what: str) -> dict[str, str]:
    """Return a dict of text to text, if it is one."""
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise FormatError(f"{what} is not text by name")
    return found


def read_at(file: BinaryIO, start: int, size: int) -> bytes:
    """Return `size` bytes from `start` on, which the caller knows to be there."""
    file.seek(start)
    found = file.read(size)
    if len(found) < size:
        raise FormatError("the file became shorter while it was read")
    return found


def read_array(file: BinaryIO, entry: Entry) -> Array:
    """Return the array of an entry, in native byte order, writable."""
    elements = np.empty(math.prod(entry.shape), entry.dtype)
    raw = elements.view(np.uint8).data
    file.seek(entry.start)
    if file.readinto(raw) < len(raw):  # type: ignore[attr-defined]
        raise FormatError("the file became shorter while it was read")
    if entry.crc is not None and zlib.crc32(raw, zlib.crc32(entry.before)) != entry.crc:
        raise FormatError(f"{entry.name!r} is damaged: its CRC-32 differs")
    if entry.dtype == np.bool_ and np.any(elements.view(np.uint8) > 1):
        raise FormatError(f"{entry.name!r} holds bytes that are neither True nor False")
    array = elements.reshape(entry.shape, order="F" if entry.fortran else "C")
    return array.astype(entry.dtype.newbyteorder("="), copy=False)


def raw_bytes(array: Array) -> memoryview:
    """Return the elements as they are stored: in C order, little-endian."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(np.uint8).data
