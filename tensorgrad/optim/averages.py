"""Averages: what optimisers remember of past gradients, and let fade.

Floor: optim.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .._typing import Array

_LARGE: Final = {np.dtype(np.float32): 2.0**-87, np.dtype(np.float64): 2.0**-848}
"""Far below what matters beside ε, far above denormal numbers: 6e-27 and 5e-256."""
_LEAST: Final = {np.dtype(np.float32): 2.0**-120, np.dtype(np.float64): 2.0**-1000}
"""Not much above denormal numbers, so that a share of it is none: 8e-37 and 9e-302."""


def moments(param: Array) -> dict[str, Array]:
    """Return a step count, and averages of the gradient and of its square, all 0."""
    zeros = np.zeros_like(param, order="C")
    return {"step": np.zeros(()), "m": zeros, "v": zeros.copy()}


def average(old: Array, new: Array, share: float) -> Array:
    """Return a running mean: `share` of the old one, the rest of the new value."""
    return settled(share * old + (1 - share) * new)


def settled(x: Array) -> Array:
    """Round numbers next to zero to zero: those below 4e-34, in float64 below 6e-272.

    The memory of a unit that is dead, whose gradient is 0, shrinks by a factor at each step until
    its numbers are denormal, and these it does not leave: nine tenths of the smallest four are
    rounded to themselves.  Processors are slower on them: Adam on 100,000 took half as long again
    (AMD EPYC).  Numbers below 6e-27 (5e-256) become multiples of 8e-34 (1e-271) on the way, a
    change that no parameter above 1e-26 notices.
    """
    large = _LARGE.get(x.dtype)
    return x if large is None else (x + large) - large


def kept_normal(x: Array) -> Array:
    """Raise what is never negative by 8e-37, in float64 by 9e-302: a pass less than `settled`."""
    least = _LEAST.get(x.dtype)
    return x if least is None else x + least
