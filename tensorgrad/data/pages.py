"""Memory maps that are read from end to end without filling the memory.

Floor `data`; may import `_typing`.  What a program has read through a map stays in its resident
memory until the system runs short, so a pass over 10 GB can come to hold 10 GB.  Telling the system
that the pages may go changes nothing but that: the next read finds them in the system's cache of
the file, or on the disk.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable

import numpy as np

from .._typing import Array

_LIMIT = 64 << 20
"""How many bytes may be mapped before they are let go; a smaller file never is."""
_AROUND = 64 << 10
"""How much Linux maps around one address that is read."""


class Pages:
    """The pages of memory maps that have been read since they were last let go."""

    def __init__(self, arrays: Iterable[Array]) -> None:
        """Find the maps behind the arrays; anything else needs no care."""
        self._maps = [m for m in map(_mapping, arrays) if m is not None and len(m) > _LIMIT]
        self._read = 0

    def reads(self, arrays: Iterable[Array], rows: slice | Array) -> None:
        """Count what reading these rows will map, after letting go of what was read before."""
        if not self._maps:
            return
        if self._read > _LIMIT:
            for found in self._maps:
                found.madvise(mmap.MADV_DONTNEED)
            self._read = 0
        for array in arrays:
            n = max(len(array), 1)
            if isinstance(rows, slice):
                self._read += len(range(n)[rows]) * (array.nbytes // n)
            else:
                self._read += len(rows) * (array.nbytes // n + _AROUND)


def _mapping(array: Array) -> mmap.mmap | None:
    """Return the map that an array reads from, where its pages can be let go without loss."""
    # Pages of a private map ("c", copy on write) hold what was written, and nothing else does.
    shared = False
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            shared = base.mode != "c"
        base = base.base
    can = hasattr(mmap, "MADV_DONTNEED")  # not on Windows
    return base if shared and can and isinstance(base, mmap.mmap) else None
