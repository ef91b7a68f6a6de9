"""The header of NumPy's own files, read as one from strangers.

Floor `files`; may import `_typing`.  A header is Python text; it is matched with a pattern, never
evaluated.  What it claims must be what the file holds, to the byte, before memory is claimed.

References
----------
NumPy's documentation of `numpy.lib.format`, versions 1.0 and 2.0.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from .._typing import Array, Shape
from .checks import FormatError, Stream, check_shape, take_bytes

_MAGIC: Final = b"\x93NUMPY"
_MAX_HEADER: Final = 10_000
# The keys are sorted, by NumPy as by other writers: the format asks for it.
_HEADER: Final = re.compile(
    rb"\{\s*'descr':\s*'([<>|=][biufcSU]\d{1,9})',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(((?:\d{1,20},\s*)*(?:\d{1,20})?)\),?\s*\}\s*\n?"
)


class Layout(NamedTuple):
    """How the elements of an array lie in a file."""

    dtype: np.dtype[Any]
    shape: Shape
    order: Literal["C", "F"]
    start: int


def header(dtype: np.dtype[Any], shape: Shape) -> bytes:
    """Return what goes before the elements of an array in C order."""
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"
    # As NumPy: the elements start at a multiple of 64, for those who map the file.
    text += " " * (-(len(_MAGIC) + 5 + len(text)) % 64) + "\n"
    return _MAGIC + b"\1\0" + len(text).to_bytes(2, "little") + text.encode()


def read_layout(stream: Stream, size: int) -> Layout:
    """Read the header of a file of `size` bytes, which header and elements have to fill.

    Raises
    ------
    FormatError
        Where this is no .npy file of numbers or text, or claims another size than it has.
    """
    lead = take_bytes(stream, min(8, size))
    version = tuple(lead[6:])
    if lead[:6] != _MAGIC or version not in ((1, 0), (2, 0)):
        raise FormatError(f"starts with the bytes '{lead.hex(' ')}'; expected a .npy file")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(take_bytes(stream, width), "little")
    start = 8 + width + length
    if length > _MAX_HEADER or start > size:
        raise FormatError(f"its header claims {length} bytes of a file of {size}")
    text = take_bytes(stream, length)
    found = _HEADER.fullmatch(text)
    if found is None:
        shown = text[:80].decode("latin-1")
        raise FormatError(f"its header is {shown!r}; expected numbers or text, and a shape")
    try:
        dtype = np.dtype(found[1].decode())
    except TypeError:
        raise FormatError(f"its header has the unknown dtype {found[1].decode()!r}") from None
    shape = tuple(int(d) for d in found[3].split(b",") if d.strip())
    check_shape("it", shape, dtype)
    if not dtype.itemsize:
        raise FormatError("its elements take no bytes; expected numbers or text")
    held, promised = size - start, math.prod(shape) * dtype.itemsize
    if held != promised:
        raise FormatError(
            f"it holds {held} bytes of elements, but its header asks for {promised} "
            f"({dtype.str}, shape {shape})"
        )
    return Layout(dtype, shape, "F" if found[2] == b"True" else "C", start)


def sound(array: Array) -> Array:
    """Return an array in the byte order of this machine, if its bytes mean something.

    Raises
    ------
    FormatError
        Where a boolean is neither 0 nor 1, or a character is none of Unicode's: NumPy would compute
        nonsense, or fail later.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind in "bU" and array.size:
        unit, most = (np.uint8, 1) if array.dtype.kind == "b" else (np.uint32, 0x10FFFF)
        if array.ravel(order="K").view(unit).max() > most:
            raise FormatError(f"its elements are no valid {array.dtype.name}")
    return array
