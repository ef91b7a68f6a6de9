"""Sequences between two ends, and powers: linspace, geomspace, vander.

Floor: `ops`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._typing import Shape
from ..op import op, unbroadcast


def way(g: Any, start: float, stop: float, num: int, endpoint: bool) -> Any:
    """Return `num` numbers on the way from one end to the other, of the array type of `g`."""
    first, last = (np.full_like(g, end, dtype=np.float64, shape=()) for end in (start, stop))
    found = np.linspace(first, last, num, endpoint)
    return found if found.dtype == g.dtype else found.astype(g.dtype)


def _weighted(weights: Any, g: Any, shape: Shape) -> Any:
    """Sum `g` over its first axis with weights, and over what was broadcast."""
    total = np.matmul(weights, np.reshape(g, (g.shape[0], math.prod(g.shape[1:]))))
    return unbroadcast(np.reshape(total, g.shape[1:]), shape)


def _linspace_start(
    g: Any, _out: Any, _start: Any, _stop: Any, *, num: int, endpoint: bool, axis: int, **_: Any
) -> Any:
    """The start counts in full at first, and ever less."""
    return _weighted(way(g, 1.0, 0.0, num, endpoint), np.moveaxis(g, axis, 0), _start.shape)


def _linspace_stop(
    g: Any, _out: Any, _start: Any, _stop: Any, *, num: int, endpoint: bool, axis: int, **_: Any
) -> Any:
    """The stop counts ever more."""
    return _weighted(way(g, 0.0, 1.0, num, endpoint), np.moveaxis(g, axis, 0), _stop.shape)


def _step(start: Any, stop: Any, *, num: int, endpoint: bool) -> Any:
    """Return the step that `linspace` returns beside the numbers."""
    divisor = num - 1 if endpoint else num
    return np.linspace(start, stop, divisor, endpoint=False, retstep=True)[1]


linspace = op(np.linspace, _linspace_start, _linspace_stop)
linspace_step = op(
    _step,
    lambda g, _out, _start, _stop, *, num, endpoint: unbroadcast(
        -g / float(num - endpoint), _start.shape
    ),
    lambda g, _out, _start, _stop, *, num, endpoint: unbroadcast(
        g / float(num - endpoint), _stop.shape
    ),
    name="linspace_step",
)


def _geomspace_start(
    g: Any, out: Any, start: Any, _stop: Any, *, num: int, endpoint: bool, axis: int, **_: Any
) -> Any:
    """`out (1 - way) / start`."""
    share = np.moveaxis(g * out, axis, 0)
    weights = way(share, 1.0, 0.0, num, endpoint)
    return _weighted(weights, share / start, np.shape(start))


def _geomspace_stop(
    g: Any, out: Any, _start: Any, stop: Any, *, num: int, endpoint: bool, axis: int, **_: Any
) -> Any:
    """`out way / stop`."""
    share = np.moveaxis(g * out, axis, 0)
    weights = way(share, 0.0, 1.0, num, endpoint)
    return _weighted(weights, share / stop, np.shape(stop))


geomspace = op(np.geomspace, _geomspace_start, _geomspace_stop)


def _vander_rule(g: Any, out: Any, _x: Any, *, N: int, increasing: bool) -> Any:
    """`k x**(k-1)`, whose power is the column before."""
    if not increasing:
        g, out = np.flip(g, 1), np.flip(out, 1)
    powers = np.arange(1, max(N, 1), like=g).astype(g.dtype)
    return np.sum(g[:, 1:] * out[:, : N - 1] * powers, axis=1)


vander = op(np.vander, _vander_rule)
