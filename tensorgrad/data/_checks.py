"""The checks of arguments that `batches` and `synthetic` share.

Floor `data`; imports nothing of the project.
"""

from __future__ import annotations

import math
import operator
from typing import Any


def as_count(name: str, value: Any, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`, or raise naming the argument."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer >= {minimum}") from None
    if count < minimum:
        raise ValueError(f"{name} is {count}; expected an integer >= {minimum}")
    return count


def as_scale(name: str, value: Any) -> float:
    """Return `value` as a finite float that is not negative, or raise naming the argument."""
    scale = float(value)
    if not 0 <= scale < math.inf:
        raise ValueError(f"{name} is {value!r}; expected a finite number >= 0")
    return scale
