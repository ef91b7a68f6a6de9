"""The layout of safetensors: the length of a JSON header, the header, the elements.

Floor: io, above `checks`; may import `files`.  A new dtype is a row of `_DTYPES`.

Own code, and not the library of that name: it is as short as the calls and the checks around
them would be, it needs nothing installed, and it is stricter where the format's description is
(duplicate keys, unknown fields, overlaps, names that look like paths), with one type of error.
The tests compare it with the library both ways.

References
----------
"Format", in the README of https://github.com/huggingface/safetensors (version 0.8).
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Final

import numpy as np

from .._typing import Array
from ..files.checks import MAX_TEXT, FormatError, check_shape, read_at
from .checks import METADATA, Entry, Header, check_array_name, parse_json, raw_bytes, text_by_name

_DTYPES: Final = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("<u1"),
    "I8": np.dtype("<i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
}
_CODES: Final = {dtype: code for code, dtype in _DTYPES.items()}


def write(file: BinaryIO, arrays: dict[str, Array], metadata: dict[str, str]) -> None:
    """Write a file.

    Raises
    ------
    TypeError
        If the format has no code for a dtype: complex128, longdouble.
    """
    # The largest elements first, so that each array starts at a multiple of their size, which
    # programs that map the file into memory need.
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    offsets, end = {}, 0
    for name in order:
        offsets[name] = [end, end + arrays[name].nbytes]
        end += arrays[name].nbytes
    fields: dict[str, Any] = {METADATA: metadata}
    for name, array in arrays.items():
        code = _CODES.get(array.dtype.newbyteorder("<"))
        if code is None:
            raise TypeError(
                f"{name!r} has dtype {array.dtype}, which the format safetensors does not have: "
                "save to a file that ends in .npz"
            )
        fields[name] = {"dtype": code, "shape": array.shape, "data_offsets": offsets[name]}
    header = json.dumps(fields, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    file.write(len(header).to_bytes(8, "little") + header)
    for name in order:
        file.write(raw_bytes(arrays[name]))


def read_header(file: BinaryIO, size: int) -> Header:
    """Return what a file of `size` bytes holds, with every claim checked against its size."""
    if size < 8:
        raise FormatError(f"holds {size} bytes; expected at least the 8 of the header's length")
    length = int.from_bytes(read_at(file, 0, 8), "little")
    if length > min(size - 8, MAX_TEXT):
        raise FormatError(
            f"claims a header of {length} bytes; expected {min(size - 8, MAX_TEXT)} at most"
        )
    fields = parse_json(read_at(file, 8, length), "the header")
    metadata = text_by_name(fields.pop(METADATA, {}), f"{METADATA} in the header")
    entries = [_entry(name, field, 8 + length) for name, field in fields.items()]
    end = 8 + length
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.nbytes)):
        if entry.start != end:
            raise FormatError(f"{entry.name!r} starts at {entry.start}; expected {end}")
        end += entry.nbytes
    if end != size:
        raise FormatError(f"holds {size} bytes, but its header accounts for {end}")
    return Header(metadata, entries)


def _entry(name: str, field: Any, buffer: int) -> Entry:
    """Return the entry of a tensor, if each part of its field is what the format says."""
    check_array_name(name)
    if not isinstance(field, dict) or field.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{name!r} has other fields than dtype, shape and data_offsets")
    code, shape, offsets = field["dtype"], field["shape"], field["data_offsets"]
    dtype = _DTYPES.get(code) if isinstance(code, str) else None
    if dtype is None:
        raise FormatError(f"{name!r} has dtype {str(code)[:80]!r}; expected one of {[*_DTYPES]}")
    for what, numbers in (("shape", shape), ("data_offsets", offsets)):
        # A bool is an int, for Python alone.
        if not isinstance(numbers, list) or not all(
            type(number) is int and 0 <= number < 2**63 for number in numbers
        ):
            raise FormatError(f"{name!r}: {what} is no list of whole numbers below 2**63")
    check_shape(repr(name), tuple(shape), dtype)
    entry = Entry(name, dtype, tuple(shape), buffer + offsets[0] if offsets else 0)
    if len(offsets) != 2 or offsets[1] - offsets[0] != entry.nbytes:
        raise FormatError(
            f"{name!r} takes {entry.nbytes} bytes (shape {shape}, {code}), but its data_offsets "
            f"are {str(offsets)[:80]}"
        )
    return entry
