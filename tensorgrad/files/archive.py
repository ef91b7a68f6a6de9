"""The directory and the members of a zip file, with nothing in it unaccounted for.

Floor `files`; may import `_typing`.  The members are regular files, stored or deflated, one after
the other from the first byte on, then the directory, then the end.  Python's zipfile takes a
directory of any length, overlapping members, and data before, between and after them.

References
----------
"APPNOTE.TXT - .ZIP File Format Specification", PKWARE, version 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from .checks import CHUNK, DEFLATE, MAX_TEXT, FormatError, check_name, read_at

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
# In front of _END for large archives; 20 bytes between point to it.
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE: Final = 20
_TOO_LARGE: Final = 0xFFFFFFFF
# Flags that change nothing: how hard deflate tried, and that a name is not ASCII.
_HARMLESS: Final = 0x806


class Member(NamedTuple):
    """A member: where its bytes are, how many there and when unpacked, and the CRC-32 of those."""

    name: str
    start: int
    packed: int
    size: int
    crc: int
    deflated: bool


def members(file: BinaryIO, size: int) -> Iterator[Member]:
    """Yield the members of a file of `size` bytes, each under another name.

    Raises
    ------
    FormatError
        Where something is encrypted, linked, overlapping, doubled, called like a path out of a
        folder, or not accounted for.
    """
    start, length, count = _end(file, size)
    directory = read_at(file, start, length)
    names: set[str] = set()
    end = at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size or directory[at : at + 4] != b"PK\1\2":
            raise FormatError("the directory of the archive is damaged")
        fields = _CENTRAL.unpack_from(directory, at)
        n_name, n_extra, n_comment = fields[10:13]
        at += _CENTRAL.size
        raw, extra = directory[at : at + n_name], directory[at + n_name : at + n_name + n_extra]
        at += n_name + n_extra + n_comment
        name = _name(raw)
        if name in names:
            raise FormatError(f"has two members {name[:80]!r}")
        names.add(name)
        member, offset = _described(name, fields, extra)
        what = f"the member {name[:80]!r}"
        if offset != end or end + _LOCAL.size > start:
            raise FormatError(f"{what} is not where the one before it ends")
        local = _LOCAL.unpack(read_at(file, end, _LOCAL.size))
        first = end + _LOCAL.size + local[9] + local[10]
        end = first + member.packed
        if end > start or local[0] != b"PK\3\4" or local[2:4] != fields[3:5]:
            raise FormatError(f"{what} contradicts the directory of the archive")
        if read_at(file, offset + _LOCAL.size, local[9]) != raw:
            raise FormatError(f"{what} has another name in the directory")
        yield member._replace(start=first)
    if end != start or at != length:
        raise FormatError("the archive holds more than its directory accounts for")


def _name(raw: bytes) -> str:
    """Return the name of a member, if an array or what belongs to it can have it."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"a member has the name {raw[:80]!r}, which is no UTF-8") from None
    check_name(name.removesuffix(".npy"))
    return name


def _described(name: str, fields: tuple[Any, ...], extra: bytes) -> tuple[Member, int]:
    """Return a member as the directory describes it, and its offset, if it is a plain file."""
    flags, method, crc, packed, size, offset = *fields[3:5], *fields[7:10], fields[16]
    what = f"the member {name[:80]!r}"
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or flags & ~_HARMLESS:
        raise FormatError(
            f"{what} is encrypted, written to a stream, or compressed in another way than by "
            "deflate; expected it as numpy.savez writes it to a file"
        )
    if stat.S_IFMT(fields[15] >> 16) not in (0, stat.S_IFREG):
        raise FormatError(f"{what} is no plain file")
    wide = [value == _TOO_LARGE for value in (size, packed, offset)]
    if any(wide):  # then 64 bits for each of these follow
        form = struct.Struct(f"<2H{sum(wide)}Q")
        if len(extra) != form.size or form.unpack(extra)[:2] != (1, form.size - 4):
            raise FormatError(f"{what} has no size")
        numbers = iter(form.unpack(extra)[2:])
        size, packed, offset = (
            next(numbers) if is_wide else value
            for is_wide, value in zip(wide, (size, packed, offset), strict=True)
        )
    deflated = method == zipfile.ZIP_DEFLATED
    if size > packed * DEFLATE or (size != packed and not deflated):
        raise FormatError(f"{what} claims {size} bytes, kept in {packed}")
    return Member(name, 0, packed, size, crc, deflated), offset


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


class Unpacked:
    """The bytes of a member, as a stream that unpacks them a piece at a time."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        file.seek(member.start)
        self._file, self._member = file, member
        self._packed, self._left, self._crc = member.packed, member.size, 0
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.deflated else None

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes at most, and none at the end."""
        if self._inflate is None:
            piece = self._take(size)
        else:
            piece, packed = b"", b"?"
            # After its end deflate would be given the bytes that follow over and over.
            while not piece and packed and size and not self._inflate.eof:
                packed = self._inflate.unconsumed_tail or self._take(CHUNK)
                # Without new bytes there may still be old ones, which did not fit in before.
                try:
                    piece = self._inflate.decompress(packed, size)
                except zlib.error as error:
                    raise FormatError(f"is damaged: {error}") from error
        self._left -= len(piece)
        self._crc = zlib.crc32(piece, self._crc)
        return piece

    def _take(self, size: int) -> bytes:
        """Return the next bytes of the file, of this member alone."""
        taken = self._file.read(min(size, self._packed))
        self._packed -= len(taken)
        return taken

    def check_end(self) -> None:
        """Raise a FormatError unless all was read, and was what the directory describes."""
        over = self.read(1)  # also the mark where deflate ends
        if over or self._left or self._packed or (self._inflate and self._inflate.unused_data):
            raise FormatError("it is shorter or longer than the directory says")
        if self._inflate and not self._inflate.eof:
            raise FormatError("its compressed bytes do not end")
        if self._crc != self._member.crc:
            raise FormatError("is damaged: its CRC-32 differs")
