"""What both formats check before a byte of data is read, and how the data are read then.

Floor: io; may import `files`, whose checks `data` shares.
"""

from __future__ import annotations

import json
import math
import zlib
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

import numpy as np

from .._typing import Array, Shape
from ..files.checks import MAX_TEXT, FormatError, check_name
from ..files.npy import sound

METADATA: Final = "__metadata__"
"""The name of the metadata in both formats."""
_MAX_TOKENS: Final = 400_000


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


def check_array_name(name: str) -> None:
    """Raise a FormatError unless this can be the name of an array here."""
    check_name(name)
    if name == METADATA:
        raise FormatError(f"an array is called {name!r}, where the metadata are kept")


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


def read_array(file: BinaryIO, entry: Entry) -> Array:
    """Return the array of an entry, in native byte order, writable."""
    elements = np.empty(math.prod(entry.shape), entry.dtype)
    raw = elements.view(np.uint8).data
    file.seek(entry.start)
    if file.readinto(raw) < len(raw):  # type: ignore[attr-defined]
        raise FormatError("the file became shorter while it was read")
    if entry.crc is not None and zlib.crc32(raw, zlib.crc32(entry.before)) != entry.crc:
        raise FormatError(f"{entry.name!r} is damaged: its CRC-32 differs")
    try:
        return sound(elements).reshape(entry.shape, order="F" if entry.fortran else "C")
    except FormatError as error:
        raise FormatError(f"{entry.name!r}: {error}") from None


def raw_bytes(array: Array) -> memoryview:
    """Return the elements as they are stored: in C order, little-endian."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(np.uint8).data
