"""NPZ files: several arrays in one zip file, read as files from strangers.

Floor `data`; may import `_typing`.  The names of the members are keys of a dict and nothing else;
no file is made.  The sizes that the directory claims are compared with the size of the file before
anything is unpacked.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from .._typing import Array
from ._bytes import DEFLATE, take_bytes
from ._checks import as_scale
from .npy import read_layout, sound

# The directory of some 10,000 arrays.  zipfile makes objects of ten times its size.
_MAX_DIRECTORY = 1 << 20
# So small a total is no bomb, whatever it was packed into.
_HARMLESS = 16 << 20
# Of the records that end a zip file: the last one, its locator and itself where it has 64 bits.
_END, _LOCATOR, _END64 = 22, 20, 56


def load_npz(path: str | os.PathLike[str], *, max_expansion: float = 100.0) -> dict[str, Array]:
    """Read the arrays of an NPZ file, as `numpy.savez` and `numpy.savez_compressed` write them.

    Nothing is unpickled: a file that holds Python objects is refused.

    Parameters
    ----------
    path
        A regular file.
    max_expansion
        How many times the size of the file its arrays may have together, where they are compressed;
        16 MiB are allowed in any case.

    Returns
    -------
    dict of str to ndarray
        Numbers, booleans or text, in native byte order; writable.

    Raises
    ------
    ValueError
        Where the file is no NPZ file, is damaged, holds something else, or would unpack to more.
    OSError
        Where it cannot be opened.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from tensorgrad.data import load_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "points.npz")
    ...     np.savez(path, x=np.eye(2), y=np.array([0, 1]))
    ...     arrays = load_npz(path)
    >>> arrays["y"]
    array([0, 1])
    """
    max_expansion = as_scale("max_expansion", max_expansion)
    with Path(path).open("rb") as file:
        try:
            size = os.fstat(file.fileno()).st_size
            count = _check_directory(file, size)
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if len(members) != count or not count:
                    raise ValueError(f"it lists {len(members)} members of {count}")
                _check_sizes(members, size, max_expansion)
                return {m.filename.removesuffix(".npy"): _read(archive, m) for m in members}
        # zipfile raises any of these for a file that is damaged, or uses what it does not know;
        # OSError where it is told to look before the beginning.
        except (
            zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError,
            OverflowError, RuntimeError, ValueError,
        ) as error:  # fmt: skip
            raise ValueError(f"{os.fspath(path)!r}: {error}") from error


def _check_directory(file: IO[bytes], size: int) -> int:
    """Raise unless the file ends as a zip file does, with a small directory; count its entries."""
    file.seek(max(0, size - _END - _LOCATOR - _END64))
    tail = file.read()
    end = tail[-_END:]
    if end[:4] != b"PK\5\6" or end[-2:] != b"\0\0" or len(end) < _END:
        raise ValueError("expected an NPZ file, which is a zip file without a comment")
    count, directory = struct.unpack("<HI", end[10:16])
    if tail[-_END - _LOCATOR :].startswith(b"PK\6\7"):
        if not tail.startswith(b"PK\6\6"):
            raise ValueError("the end of the zip file is damaged")
        count, directory = struct.unpack("<QQ", tail[32:48])
    if directory > _MAX_DIRECTORY:
        raise ValueError(f"its directory claims {directory} bytes; expected {_MAX_DIRECTORY}")
    return int(count)


def _check_sizes(members: list[zipfile.ZipInfo], size: int, max_expansion: float) -> None:
    """Raise unless the members are different arrays, whose sizes the file can hold."""
    names: set[str] = set()
    for member in members:
        name, packed, unpacked = member.filename, member.compress_size, member.file_size
        if not name.endswith(".npy") or name in names:
            raise ValueError(f"it holds {name!r}; expected one .npy member of each name")
        names.add(name)
        most = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE}.get(member.compress_type)
        if most is None:
            raise ValueError(f"{name!r} is compressed in another way than by deflate")
        if unpacked > most * packed:
            raise ValueError(f"{name!r} claims {unpacked} bytes, packed into {packed}")
    # Members that share bytes would pass one by one.
    if (packed := sum(member.compress_size for member in members)) > size:
        raise ValueError(f"its members claim {packed} bytes of a file of {size}")
    total, limit = sum(m.file_size for m in members), max(_HARMLESS, max_expansion * size)
    if total > limit and total > size:
        raise ValueError(
            f"its arrays have {total} bytes, {total / size:.0f} times those of the file: if that "
            f"is right, give max_expansion={-(-total // size)}"
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """Read one array."""
    try:
        with archive.open(member) as stream:
            layout = read_layout(stream, member.file_size)
            elements = take_bytes(stream, member.file_size - layout.start)
            # The read past the end also makes zipfile compare the checksum.
            if layout.start + len(elements) < member.file_size or stream.read(1):
                raise ValueError("it is shorter or longer than the directory says")
        return sound(np.ndarray(layout.shape, layout.dtype, elements, order=layout.order))
    except ValueError as error:
        raise ValueError(f"{member.filename!r}: {error}") from error
