"""Operations on the diagonals and triangles of matrices.

Floor: `ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Shape
from ..op import Op, op


def _place(d: Any, *, shape: Shape, offset: int, axis1: int, axis2: int) -> Any:
    """Return zeros with the last axis of `d` on a diagonal: the adjoint of `diagonal`."""
    axis1, axis2 = axis1 % len(shape), axis2 % len(shape)
    others = [n for axis, n in enumerate(shape) if axis not in (axis1, axis2)]
    rows, columns = shape[axis1], shape[axis2]
    out = np.zeros_like(d, shape=(*others, rows * columns))
    start = offset if offset >= 0 else -offset * columns
    stop = start + d.shape[-1] * (columns + 1)
    if d.shape[-1]:
        out[..., start : stop - columns : columns + 1] = d
    out = np.reshape(out, (*others, rows, columns))
    return np.moveaxis(out, (-2, -1), (axis1, axis2))


diagonal = op(
    np.diagonal,
    lambda g, _out, _x, **params: place_diagonal(g, shape=_x.shape, **params),
    view=True,
)
place_diagonal: Op = op(
    _place,
    lambda g, _out, _x, *, offset, axis1, axis2, **_: np.diagonal(g, offset, axis1, axis2),
    name="place_diagonal",
)


def _trace_rule(
    g: Any, _out: Any, _x: Any, *, offset: int, axis1: int, axis2: int, **_: Any
) -> Any:
    """Each element of the diagonal gets the cotangent of its sum."""
    rows, columns = _x.shape[axis1], _x.shape[axis2]
    n = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    spread = np.broadcast_to(np.expand_dims(g, -1), (*g.shape, n))
    return place_diagonal(spread, shape=_x.shape, offset=offset, axis1=axis1, axis2=axis2)


trace = op(np.trace, _trace_rule)
tril = op(np.tril, lambda g, _out, _x, *, k: np.tril(g, k), elementwise=True, selects=True)
triu = op(np.triu, lambda g, _out, _x, *, k: np.triu(g, k), elementwise=True, selects=True)
