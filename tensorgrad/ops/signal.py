"""Convolution and correlation of sequences.

Floor: `ops`.  Both are products, so that they are outside the strong zero (semantics, rule 7).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import conjugate, op

# In the rules `x` and `y` are the sequences of a full convolution, `sum(x[i] y[k-i])`, of which the
# result holds a part: all of it, the part without overhang ("valid"), or a part as long as the
# longer one ("same") that starts at `start`.


def _by_left(g: Any, y: Any, size: int, start: int) -> Any:
    """The cotangent of the sequence of length `size` that was convolved with `y`.

    `sum(g[k] y[start+k-i])` over k: no way computes more than the forward did, up to a factor.
    """
    if size >= y.size:
        lag = y.size - 1 - start
        return np.convolve(g, np.flip(y))[lag : lag + size]
    if g.size == y.size - size + 1:
        return np.flip(np.convolve(y, np.flip(g), "valid"))
    around = (start, size + y.size - 1 - start - g.size)
    return np.convolve(np.pad(g, around), np.flip(y), "valid")


def _convolve_start(g: Any, x: Any, y: Any) -> int:
    """Where in the full convolution the result starts."""
    shorter, longer = sorted((x.shape[0], y.shape[0]))
    if g.size == shorter + longer - 1:
        return 0
    if g.size == longer:
        return int((shorter - 1) - shorter // 2)
    return int(shorter - 1)


convolve = op(
    lambda x, y, *, mode: np.convolve(x, y, mode),
    lambda g, _out, _x, y, **_: _by_left(g, y, _x.shape[0], _convolve_start(g, _x, y)),
    lambda g, _out, x, _y, **_: _by_left(g, x, _y.shape[0], _convolve_start(g, x, _y)),
    name="convolve",
)


def _correlate_start(g: Any, x: Any, y: Any) -> int:
    """As for a convolution, but that a longer second sequence takes the other middle."""
    if 1 < x.shape[0] < y.shape[0] == g.size:
        return int(x.shape[0] // 2)
    return _convolve_start(g, x, y)


def _correlate_right(g: Any, _out: Any, x: Any, _y: Any, **_: Any) -> Any:
    """A correlation is a convolution with the conjugate, back to front."""
    return conjugate(np.flip(_by_left(g, x, _y.shape[0], _correlate_start(g, x, _y))))


def _correlate_left(g: Any, _out: Any, _x: Any, y: Any, **_: Any) -> Any:
    """Likewise."""
    return _by_left(g, np.flip(conjugate(y)), _x.shape[0], _correlate_start(g, _x, y))


correlate = op(
    lambda x, y, *, mode: np.correlate(x, y, mode),
    _correlate_left,
    _correlate_right,
    name="correlate",
)
