"""A file that takes the place of another all at once, or not at all.

Floor: io; may import `interrupts`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..interrupts import uninterrupted


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a new file to write and read; at the end of the block it takes the place of `path`.

    It is a temporary file in the same folder, since only a rename within a file system happens at
    once.  It is flushed to the disk before the rename, and the folder after it, so that also after
    a power failure there is the old file or the new one.  An error in the block removes it, and
    leaves the old file as it was.  Ctrl-C waits until the block and the rename are through.  A
    process that is killed leaves its temporary file, `.tensorgrad-*.tmp`, behind.

    Raises
    ------
    OSError
        If the folder or the disk does not let us (`PermissionError`, `FileNotFoundError`), if
        `path` is a folder, a symbolic link or another special file, or if it is write-protected.
    """
    target = Path(path)
    folder = target.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    mode = _mode_for(target)
    with uninterrupted():
        # Created anew and for its owner alone (O_EXCL, 0600).
        number, name = tempfile.mkstemp(".tmp", ".tensorgrad-", folder)
        temporary = Path(name)
        try:
            with os.fdopen(number, "w+b") as file:
                yield file
                file.flush()
                temporary.chmod(mode)
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _flush_folder(folder)


def _mode_for(target: Path) -> int:
    """Return the permissions that the new file gets: the old file's, else what is usual."""
    try:
        found = target.lstat().st_mode
    except FileNotFoundError:
        # The mask can only be read by setting it: for a moment, to the strictest.
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask
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
