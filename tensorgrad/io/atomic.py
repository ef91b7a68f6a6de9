"""A file that takes the place of another all at once, or not at all.

Floor: io; may import `interrupts`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..interrupts import uninterrupted


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a new file to write and read; at the end of the block it takes the place of `path`.

    It is a temporary file in the same folder, since only a rename within a file system happens at
    once.  It is flushed to the disk before the rename, and the folder after it, so that also after
    a power failure there is the old file or the new one.  The new one has the old one's
    permissions.  An error up to the rename removes the temporary file, and leaves the old one as it
    was; where only flushing the folder fails, the new file is there, whole, but a power failure may
    bring the old one back.  Ctrl-C waits until the block and the rename are through.  A process
    that is killed leaves its temporary file behind, `.tensorgrad-*.tmp`.

    Raises
    ------
    OSError
        If the folder or the disk does not let us (`PermissionError`, `FileNotFoundError`), if
        `path` is a folder, a symbolic link or another special file, or if it is write-protected;
        also if the folder cannot be flushed, when the new file is in place already.
    """
    target = Path(path)
    folder = target.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    mode = _mode_of(target)
    temporary = folder / f".tensorgrad-{os.urandom(8).hex()}.tmp"

    def opener(name: str, flags: int) -> int:
        # For its owner alone, until it is as private as the file that it replaces.
        return os.open(name, flags, 0o666 if mode is None else 0o600)

    with uninterrupted():
        file = open(temporary, "x+b", opener=opener)  # noqa: SIM115 - closed below
        try:
            with file:
                yield file
                file.flush()
                if mode is not None:
                    temporary.chmod(mode)
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _flush_folder(folder)


def _mode_of(target: Path) -> int | None:
    """Return the permissions of a file that may be replaced, None if there is none."""
    try:
        found = target.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found):
        raise OSError(
            errno.ELOOP, "is a symbolic link: save to what it points to, or remove it", str(target)
        )
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, "is a folder; expected a file", str(target))
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "is a device, a pipe or a socket, no file", str(target))
    # Renaming would overrule the permission of a file that somebody protects.
    if not found & 0o222:
        raise PermissionError(errno.EACCES, "is write-protected: allow it by chmod", str(target))
    return stat.S_IMODE(found)


def _flush_folder(folder: Path) -> None:
    """Write the renaming to the disk, where folders can be opened (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
