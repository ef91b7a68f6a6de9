"""Cache: the files that compiled loops leave for the next process.

Floor: compiler, lowest; imports the standard library alone.  What lies there is run, so a folder
that anybody else could have written to is not used.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path

VARIABLE = "TENSORGRAD_CACHE_DIR"


def stored(name: str, text: str, versions: str) -> Path | None:
    """Return a file with a text, in a folder for these versions; None where that is not safe."""
    folder = _folder(versions)
    if folder is None:
        return None
    path = folder / name
    try:
        if not path.exists() or path.read_bytes() != text.encode():
            _write(path, text.encode())
    except OSError:  # full, read-only
        return None
    return path


def discard(path: Path) -> None:
    """Remove what was stored beside a file, which could not be used."""
    with contextlib.suppress(OSError):
        for found in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            found.unlink()


def location() -> Path:
    """Return the folder that holds the cache: the user's, or what TENSORGRAD_CACHE_DIR names."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tensorgrad"


def _folder(versions: str) -> Path | None:
    """Return the folder for some versions, made if need be, None if others can write to it."""
    try:
        folder = location().absolute() / versions
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder if _only_ours(folder) else None
    except (OSError, RuntimeError):  # Path.home() knows no home
        return None


def _only_ours(folder: Path) -> bool:
    """Tell whether nobody else can write into a folder, or put another in its place."""
    if sys.platform == "win32":
        return True  # the user's folder is the user's by its access list
    found = folder.lstat()
    user = os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        return False
    for parent in folder.resolve().parents:
        found = parent.stat()
        shared = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        if shared or found.st_uid not in (0, user):
            return False
    return True


def _write(path: Path, data: bytes) -> None:
    """Write a file at once, so that no other process sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
