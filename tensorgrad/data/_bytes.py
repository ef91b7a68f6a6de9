"""What the readers of binary files share: limits, and bytes that arrive.

Floor `data`; may import `_typing`.
"""

from __future__ import annotations

import io
import math
from typing import IO, Any

import numpy as np

from .._typing import Shape

DEFLATE = 1032
"""A deflate stream never grows by more: a match of 258 bytes takes 2 bits at the least."""
MAX_RANK = 32
"""The most dimensions of an array in a file."""
# A piece at a time, so that memory grows with what arrives and not with what is promised.
_CHUNK = 1 << 20


def take_bytes(stream: io.BufferedIOBase | IO[bytes], size: int) -> bytearray:
    """Return the next `size` bytes, or as many as there are."""
    taken = bytearray()
    while len(taken) < size and (piece := stream.read(min(size - len(taken), _CHUNK))):
        taken += piece
    return taken


def addressable(shape: Shape, dtype: np.dtype[Any]) -> bool:
    """Tell whether NumPy can make such an array, memory aside."""
    # NumPy refuses (2**31 - 1, 2**31 - 1, 2**31 - 1, 0) too, though it has no elements.
    return math.prod(max(d, 1) for d in shape) * dtype.itemsize < 2**63
