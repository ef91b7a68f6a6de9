"""The header of NumPy's own files, read as one from strangers.

Floor `data`; may import `_typing`.  A header is Python text; it is matched with a pattern, never
evaluated.  What it claims must be what the file holds, to the byte, before memory is claimed.
"""

from __future__ import annotations

import io
import math
import os
import re
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from .._typing import Array, Shape
from ._bytes import MAX_RANK, addressable

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000
# The keys are sorted, by NumPy as by other writers: the format asks for it.
_HEADER = re.compile(
    rb"\{\s*'descr':\s*'([<>|=][biufcSU]\d{1,9})',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(((?:\d{1,19},\s*)*(?:\d{1,19})?)\),?\s*\}\s*\n?"
)


class Layout(NamedTuple):
    """How the elements of an array lie in a file."""

    dtype: np.dtype[Any]
    shape: Shape
    order: Literal["C", "F"]
    start: int


def read_layout(stream: io.BufferedIOBase | IO[bytes], size: int) -> Layout:
    """Read the header of a file of `size` bytes, which header and elements have to fill.

    Raises
    ------
    ValueError
        Where this is no .npy file of numbers or text, or claims another size than it has.
    """
    lead = stream.read(8)
    version = tuple(lead[6:])
    if lead[:6] != _MAGIC or version not in ((1, 0), (2, 0)):
        raise ValueError(f"starts with the bytes '{lead.hex(' ')}'; expected a .npy file")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(stream.read(width), "little")
    start = 8 + width + length
    if length > _MAX_HEADER or start > size:
        raise ValueError(f"its header claims {length} bytes of a file of {size}")
    header = stream.read(length)
    found = _HEADER.fullmatch(header)
    if found is None:
        shown = header[:80].decode("latin-1")
        raise ValueError(f"its header is {shown!r}; expected numbers or text, and a shape")
    try:
        dtype = np.dtype(found[1].decode())
    except TypeError:
        raise ValueError(f"its header has the unknown dtype {found[1].decode()!r}") from None
    shape = tuple(int(d) for d in found[3].split(b",") if d.strip())
    if len(shape) > MAX_RANK or not addressable(shape, dtype) or not dtype.itemsize:
        raise ValueError(f"its header claims {dtype.str!r} of shape {shape}: no array is like that")
    held, promised = size - start, math.prod(shape) * dtype.itemsize
    if held != promised:
        raise ValueError(
            f"it holds {held} bytes of elements, but its header asks for {promised} "
            f"({dtype.str}, shape {shape})"
        )
    return Layout(dtype, shape, "F" if found[2] == b"True" else "C", start)


def layout_of(path: Path) -> Layout:
    """Read the header of a .npy file.

    Raises
    ------
    ValueError
        As `read_layout` does, with the name of the file.
    OSError
        Where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return read_layout(file, os.fstat(file.fileno()).st_size)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r}: {error}") from error


def sound(array: Array) -> Array:
    """Return an array in the byte order of this machine, if its bytes mean something.

    Raises
    ------
    ValueError
        Where a boolean is neither 0 nor 1, or a character is none of Unicode's: NumPy would compute
        nonsense, or fail later.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind in "bU" and array.size:
        unit, most = (np.uint8, 1) if array.dtype.kind == "b" else (np.uint32, 0x10FFFF)
        if np.frombuffer(array.tobytes(), unit).max() > most:
            raise ValueError(f"its elements are no valid {array.dtype.name}")
    return array
