"""Checks: numbers and choices that people give, or a clear error that names the argument.

Floor: beside `random`; imports nothing of the project.  Each returns the value as it is kept, and
raises a TypeError for another kind of thing, a ValueError for what is out of range.
"""

from __future__ import annotations

import math
import operator
from typing import Any, TypeVar

import numpy as np

_Choice = TypeVar("_Choice", bound=str | None)


def as_count(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number of at least `least`; True and 2.0 are none."""
    found: int | None
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected an integer >= {least}")
    if found < least:
        raise ValueError(f"{name} is {value!r}; expected an integer >= {least}")
    return found


def as_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    below: float = math.inf,
    most: float | None = None,
) -> float:
    """Return a number from 0 to `below`, itself excluded; NaN is none.

    Parameters
    ----------
    above
        The lower bound in place of 0, itself excluded.
    most
        The upper bound in place of `below`, itself included, also where it is infinity.
    """
    try:
        found = None if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError):
        found = None
    except OverflowError:  # an integer that no float holds: out of any range, as NaN is
        found = math.nan
    if (
        found is not None
        and (found >= 0 if above is None else found > above)
        and (found < below if most is None else found <= most)
    ):
        return found
    kind = "a finite number" if most is None and below == math.inf else "a number"
    bounds = ">= 0" if above is None else f"> {above:g}"
    upper, sign = (below, "<") if most is None else (most, "<=")
    bounds += f" and {sign} {upper:g}" if upper < math.inf else ""
    error = TypeError if found is None else ValueError
    raise error(f"{name} is {value!r}; expected {kind} {bounds}")


def as_fraction(name: str, value: Any) -> float:
    """Return a number from 0 to 1, 1 excluded."""
    return as_number(name, value, below=1)


def as_fractions(name: str, value: Any) -> tuple[float, float]:
    """Return two numbers from 0 to 1, 1 excluded."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{name} is {value!r}; expected two numbers, such as (0.9, 0.999)")
    return as_fraction(f"{name}[0]", value[0]), as_fraction(f"{name}[1]", value[1])


def as_flag(name: str, value: Any) -> bool:
    """Return True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected True or False")
    return bool(value)


def one_of(name: str, value: _Choice, *known: str | None) -> _Choice:
    """Return one of the known names, or None if it is among them; a ValueError for all else."""
    if not (value is None or isinstance(value, str)) or value not in known:
        *others, last = map(repr, known)
        raise ValueError(f"{name} is {value!r}; expected {', '.join(others)} or {last}")
    return value
