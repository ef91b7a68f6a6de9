"""The layout of NumPy's .npz: a zip archive, not compressed, of .npy files.

Floor: io, above `checks`; may import `files`.  The metadata are a member of the archive that is
JSON.

`numpy.load` reads what is written here.  The other way round the archive is read by own code:
NumPy claims the memory that a header asks for before it looks at the file's size, evaluates that
header, and expands compressed members without a bound.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import BinaryIO, Final

from .._typing import Array
from ..files.archive import Member, members
from ..files.checks import MAX_TEXT, FormatError, read_at
from ..files.npy import header, read_layout
from .checks import METADATA, Entry, Header, check_array_name, parse_json, raw_bytes, text_by_name

_METADATA: Final = f"{METADATA}.json"


def write(file: BinaryIO, arrays: dict[str, Array], metadata: dict[str, str]) -> None:
    """Write a file; every array in C order and little-endian."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, _METADATA, json.dumps(metadata).encode())
        for name, array in arrays.items():
            before = header(array.dtype.newbyteorder("<"), array.shape)
            _add(archive, f"{name}.npy", before, raw_bytes(array))


def _add(archive: zipfile.ZipFile, name: str, *parts: bytes | memoryview) -> None:
    """Write a member."""
    info = zipfile.ZipInfo(name)  # without a time, so that equal states are equal files
    info.file_size = sum(map(len, parts))  # makes room for 64 bits where they are needed
    with archive.open(info, "w") as member:
        for part in parts:
            member.write(part)


def read_header(file: BinaryIO, size: int) -> Header:
    """Return what a file of `size` bytes holds, with every claim checked against its size."""
    metadata: dict[str, str] = {}
    entries: list[Entry] = []
    for member in members(file, size):
        name = member.name.removesuffix(".npy")
        if member.deflated:
            raise FormatError(
                f"the member {member.name[:80]!r} is compressed; expected it stored, as "
                "numpy.savez does"
            )
        if member.name == _METADATA:
            metadata = _metadata(file, member)
        elif name == member.name:
            raise FormatError(f"has a member {name[:80]!r}; expected .npy files and {_METADATA}")
        else:
            check_array_name(name)
            entries.append(_entry(file, name, member))
    return Header(metadata, entries)


def _metadata(file: BinaryIO, member: Member) -> dict[str, str]:
    """Return the metadata in a member."""
    if member.size > MAX_TEXT:
        raise FormatError(f"{_METADATA} takes {member.size} bytes; expected {MAX_TEXT} at most")
    text = read_at(file, member.start, member.size)
    if zlib.crc32(text) != member.crc:
        raise FormatError(f"{_METADATA} is damaged: its CRC-32 differs")
    return text_by_name(parse_json(text, _METADATA), _METADATA)


def _entry(file: BinaryIO, name: str, member: Member) -> Entry:
    """Return the entry of a .npy file, if its header accounts for all its bytes."""
    file.seek(member.start)
    try:
        dtype, shape, order, start = read_layout(file, member.size)
    except FormatError as error:
        raise FormatError(f"{name!r}: {error}") from None
    if dtype.kind in "SU":
        raise FormatError(f"{name!r} holds text; expected numbers")
    before = read_at(file, member.start, start)
    return Entry(name, dtype, shape, member.start + start, order == "F", member.crc, before)
