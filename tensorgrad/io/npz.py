"""The layout of NumPy's .npz: a zip archive, not compressed, of .npy files.

Floor: io, above `checks`.  The metadata are a member of the archive that is JSON.

`numpy.load` reads what is written here.  The other way round the archive is read by own code:
NumPy claims the memory that a header asks for before it looks at the file's size, evaluates that
header, and expands compressed members without a bound; zipfile takes a directory of any length,
overlapping members, and data before, between and after them.

References
----------
"APPNOTE.TXT - .ZIP File Format Specification", PKWARE, version 6.3.10, sections 4.3 to 4.5;
NumPy's documentation of `numpy.lib.format`, version 1.0.
"""

from __future__ import annotations

import json
import math
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from .._typing import Array
from .checks import (
    MAX_TEXT,
    METADATA,
    Entry,
    FormatError,
    Header,
    check_name,
    check_shape,
    parse_json,
    raw_bytes,
    read_at,
    text_by_name,
)

_METADATA: Final = f"{METADATA}.json"

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
# In front of _END for large archives; 20 bytes between point to it.
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE: Final = 20
_TOO_LARGE: Final = 0xFFFFFFFF
_UTF8: Final = 0x800  # the flag of a name that is not ASCII

_MAGIC: Final = b"\x93NUMPY\x01\x00"
# What NumPy writes, in its order: there is nothing to evaluate.
_NPY: Final = re.compile(
    rb"\{'descr': '([<>|])([biufc])(\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,20}, )*(?:\d{1,20},?)?)\), \} *\n"
)


class _Member(NamedTuple):
    """A member of the archive: its name, where its bytes are, and their CRC-32."""

    name: str
    start: int
    size: int
    crc: int


def write(file: BinaryIO, arrays: dict[str, Array], metadata: dict[str, str]) -> None:
    """Write a file; every array in C order and little-endian."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, _METADATA, json.dumps(metadata).encode())
        for name, array in arrays.items():
            descr = array.dtype.newbyteorder("<").str
            text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {array.shape}, }}"
            # As NumPy: the elements start at a multiple of 64, for those who map the file.
            text += " " * (-(len(_MAGIC) + 3 + len(text)) % 64) + "\n"
            before = _MAGIC + struct.pack("<H", len(text)) + text.encode()
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
    entries: dict[str, Entry] = {}
    for member in _members(file, size):
        name = member.name.removesuffix(".npy")
        if member.name == _METADATA and not metadata:
            metadata = _metadata(file, member)
        elif name == member.name:
            raise FormatError(f"has a member {name[:80]!r}; expected .npy files and {_METADATA}")
        elif name in entries:
            raise FormatError(f"has two members {member.name[:80]!r}")
        else:
            check_name(name)
            entries[name] = _entry(file, name, member)
    return Header(metadata, [*entries.values()])


def _metadata(file: BinaryIO, member: _Member) -> dict[str, str]:
    """Return the metadata in a member."""
    if member.size > MAX_TEXT:
        raise FormatError(f"{_METADATA} takes {member.size} bytes; expected {MAX_TEXT} at most")
    text = read_at(file, member.start, member.size)
    if zlib.crc32(text) != member.crc:
        raise FormatError(f"{_METADATA} is damaged: its CRC-32 differs")
    return text_by_name(parse_json(text, _METADATA), _METADATA)


def _entry(file: BinaryIO, name: str, member: _Member) -> Entry:
    """Return the entry of a .npy file, if its header accounts for all its bytes."""
    fixed = len(_MAGIC) + 2
    start = read_at(file, member.start, min(fixed, member.size))
    length = int.from_bytes(start[-2:], "little")
    if len(start) < fixed or not start.startswith(_MAGIC) or fixed + length > member.size:
        raise FormatError(f"{name!r} is no .npy file of version 1.0")
    before = start + read_at(file, member.start + fixed, length)
    fields = _NPY.fullmatch(before, fixed)
    if fields is None:
        raise FormatError(f"{name!r} is no .npy file of numbers: {before[fixed : fixed + 80]!r}")
    order, kind, width, fortran, shape = (group.decode() for group in fields.groups())
    try:
        dtype = np.dtype(order + kind + width)
    except TypeError:
        raise FormatError(f"{name!r} has dtype {kind + width!r}, unknown here") from None
    dimensions = tuple(int(d) for d in shape.split(",") if d.strip())
    check_shape(name, dimensions, dtype)
    promise = fixed + length + math.prod(dimensions) * dtype.itemsize
    if promise != member.size:
        raise FormatError(f"{name!r} holds {member.size} bytes, but its header asks for {promise}")
    first = member.start + fixed + length
    return Entry(name, dtype, dimensions, first, fortran == "True", member.crc, before)


def _members(file: BinaryIO, size: int) -> Iterator[_Member]:
    """Yield the members, if they are stored one after the other, from the first byte on."""
    start, length, count = _end(file, size)
    directory = read_at(file, start, length)
    end = at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size or directory[at : at + 4] != b"PK\1\2":
            raise FormatError("the directory of the archive is damaged")
        fields = _CENTRAL.unpack_from(directory, at)
        crc, n_name, n_extra, n_comment = fields[7], *fields[10:13]
        at += _CENTRAL.size
        name, extra = directory[at : at + n_name], directory[at + n_name : at + n_name + n_extra]
        at += n_name + n_extra + n_comment
        what = repr(name[:80].decode("utf-8", "replace"))
        held, offset = _sizes(fields, extra, what)
        if offset != end or end + _LOCAL.size > start:
            raise FormatError(f"the member {what} is not where the one before it ends")
        local = _LOCAL.unpack(read_at(file, end, _LOCAL.size))
        first = end + _LOCAL.size + local[9] + local[10]
        end = first + held
        if end > start or local[0] != b"PK\3\4" or local[2:4] != fields[3:5]:
            raise FormatError(f"the member {what} contradicts the directory of the archive")
        if read_at(file, offset + _LOCAL.size, local[9]) != name:
            raise FormatError(f"the member {what} has another name in the directory")
        try:
            yield _Member(name.decode("utf-8"), first, held, crc)
        except UnicodeDecodeError:
            raise FormatError(f"the member {what} has a name that is no UTF-8") from None
    if end != start or at != length:
        raise FormatError("the archive holds more than its directory accounts for")


def _sizes(fields: tuple[Any, ...], extra: bytes, what: str) -> tuple[int, int]:
    """Return a member's size and its offset, if it is a plain file that is merely stored."""
    flags, method, packed, held, offset = *fields[3:5], *fields[8:10], fields[16]
    if method != zipfile.ZIP_STORED or flags & ~_UTF8:
        raise FormatError(
            f"the member {what} is compressed or encrypted; expected it stored, as numpy.savez does"
        )
    if stat.S_IFMT(fields[15] >> 16) not in (0, stat.S_IFREG):
        raise FormatError(f"the member {what} is no plain file")
    wide = [value == _TOO_LARGE for value in (held, packed, offset)]
    if any(wide):  # then 64 bits for each of these follow
        form = struct.Struct(f"<2H{sum(wide)}Q")
        if len(extra) != form.size or form.unpack(extra)[:2] != (1, form.size - 4):
            raise FormatError(f"the member {what} has no size")
        numbers = iter(form.unpack(extra)[2:])
        held, packed, offset = (
            next(numbers) if is_wide else value
            for is_wide, value in zip(wide, (held, packed, offset), strict=True)
        )
    if held != packed:
        raise FormatError(f"the member {what} is stored, but has two sizes")
    return held, offset


def _end(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return where the directory starts, its length, and the number of its members."""
    if size < _END.size:
        raise FormatError(f"holds {size} bytes, which is no zip archive")
    end = _END.unpack(read_at(file, size - _END.size, _END.size))
    disks, here, count, length, start, comment = end[1:3], *end[3:8]
    trailer = _END.size
    if end[0] != b"PK\5\6" or any(disks) or here != count or comment:
        raise FormatError(
            "does not end as a zip archive does: it was cut off, or something follows"
        )
    large = _END64.size + _LOCATOR_SIZE
    # From 2 GiB on zipfile writes both also where _END has room.
    if size >= trailer + large and read_at(file, size - trailer - _LOCATOR_SIZE, 4) == b"PK\6\7":
        trailer += large
        end64 = _END64.unpack(read_at(file, size - trailer, _END64.size))
        here, count, length, start = end64[6:]
        if end64[0] != b"PK\6\6" or here != count:
            raise FormatError("the end of the archive's directory is damaged")
    if start + length + trailer != size or length > MAX_TEXT:
        raise FormatError(
            f"claims a directory of {length} bytes at {start}; expected one of {MAX_TEXT} at most "
            f"that ends where the file of {size} bytes does"
        )
    return start, length, count
