"""Averages: the running means that optimisers keep.

Floor: optim.
"""

from __future__ import annotations

from .._typing import Array


def average(old: Array, new: Array, share: float) -> Array:
    """Return a running mean: `share` of the old one, the rest of the new value."""
    return share * old + (1 - share) * new
