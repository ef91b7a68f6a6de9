"""NPZ files: several arrays in one zip file, read as files from strangers.

Floor `data`; may import `_typing` and `files`.  Unlike `io`, which reads weights, this reads text
and compressed members too.  The sizes that the directory claims are compared with the size of the
file before anything is unpacked.
"""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np

from .._typing import Array
from ..checks import as_number
from ..files.archive import Member, Unpacked, members
from ..files.checks import FormatError, opened, take_bytes
from ..files.npy import read_layout, sound

# So small a total is no bomb, whatever it was packed into.
_HARMLESS = 16 << 20


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
    FormatError
        Where the file is no NPZ file, is damaged or hostile, holds something else, or would unpack
        to more.
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
    max_expansion = as_number("max_expansion", max_expansion)
    with opened(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            found = list(members(file, size))
            _check(found, size, max_expansion)
            return {member.name.removesuffix(".npy"): _read(file, member) for member in found}
        except FormatError as error:
            raise FormatError(f"{os.fspath(path)!r}: {error}") from error


def _check(found: list[Member], size: int, max_expansion: float) -> None:
    """Raise unless the members are arrays, and not many times as large as the file."""
    other = next((member.name for member in found if not member.name.endswith(".npy")), None)
    if other is not None or not found:
        what = "nothing" if other is None else repr(other[:80])
        raise FormatError(f"it holds {what}; expected .npy members")
    total, limit = sum(member.size for member in found), max(_HARMLESS, max_expansion * size)
    if total > limit and total > size:
        raise FormatError(
            f"its arrays have {total} bytes, {total / size:.0f} times those of the file: if that "
            f"is right, give max_expansion={-(-total // size)}"
        )


def _read(file: BinaryIO, member: Member) -> Array:
    """Read one array."""
    try:
        stream = Unpacked(file, member)
        layout = read_layout(stream, member.size)
        elements = take_bytes(stream, member.size - layout.start)
        stream.check_end()
        return sound(np.ndarray(layout.shape, layout.dtype, elements, order=layout.order))
    except FormatError as error:
        raise FormatError(f"{member.name[:80]!r}: {error}") from error
