"""What the readers of binary files share: one error, limits, and bytes that arrive.

Floor `files`; may import `_typing`.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import numpy as np

from .._typing import Shape

MAX_TEXT: Final = 4_000_000
"""Bytes of a header or a directory, which is some 13,000 arrays with names of 20 letters.  To parse
them takes up to nine times as much memory."""
MAX_RANK: Final = 32
"""The most dimensions of an array in a file."""
DEFLATE: Final = 1032
"""A deflate stream never grows by more: a match of 258 bytes takes 2 bits at the least."""
CHUNK: Final = 1 << 20
"""A piece at a time, so that memory grows with what arrives and not with what is promised."""
_MAX_NAME: Final = 1000


class FormatError(ValueError):
    """A file is damaged, hostile, or not in a format that is read here.

    Nothing was changed.  It is the only error that the contents of a file can cause; a file that
    is missing or cannot be read is an OSError.
    """


class Stream(Protocol):
    """What bytes are read from: a file, or what unpacks one."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes at most, and none at the end."""


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, if it has an end and does not keep us waiting for it."""
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder is refused by `open`
        raise FormatError(f"{os.fspath(path)!r} is a device, a pipe or a socket, and no file")
    return Path(path).open("rb")


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


def check_shape(what: str, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Raise a FormatError unless NumPy can hold such an array, whatever the file's size."""
    if len(shape) > MAX_RANK:
        raise FormatError(f"{what} has {len(shape)} dimensions; expected {MAX_RANK} at most")
    # NumPy counts an axis of length 0 as one here.
    if math.prod(max(d, 1) for d in shape) * dtype.itemsize >= 2**63:
        raise FormatError(f"{what} has shape {shape}, which is more than an array can address")


def take_bytes(stream: Stream, size: int) -> bytearray:
    """Return the next `size` bytes, or as many as there are."""
    taken = bytearray()
    while len(taken) < size and (piece := stream.read(min(size - len(taken), CHUNK))):
        taken += piece
    return taken


def read_at(file: BinaryIO, start: int, size: int) -> bytes:
    """Return `size` bytes from `start` on, which the caller knows to be there."""
    file.seek(start)
    found = file.read(size)
    if len(found) < size:
        raise FormatError("the file became shorter while it was read")
    return found
