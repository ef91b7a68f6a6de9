"""Operations that move elements and compute nothing: reshape, transpose, join, pad.

Floor: `ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op, unbroadcast


def _inverse(axes: tuple[int, ...] | None, ndim: int) -> list[int] | None:
    """Return the permutation that undoes `axes`."""
    if axes is None:
        return None
    positive = [axis % ndim for axis in axes]
    return sorted(range(ndim), key=positive.__getitem__)


reshape = op(
    lambda x, *, shape: np.reshape(x, shape),
    lambda g, _out, _x, **_: np.reshape(g, _x.shape),
    name="reshape",
    view=True,
)
transpose = op(
    lambda x, *, axes: np.transpose(x, axes),
    lambda g, _out, _x, *, axes: np.transpose(g, _inverse(axes, _x.ndim)),
    name="transpose",
    view=True,
)
swapaxes = op(
    lambda x, *, axis1, axis2: np.swapaxes(x, axis1, axis2),
    lambda g, _out, _x, *, axis1, axis2: np.swapaxes(g, axis1, axis2),
    name="swapaxes",
    view=True,
)
expand_dims = op(
    lambda x, *, axis: np.expand_dims(x, axis),
    lambda g, _out, _x, **_: np.reshape(g, _x.shape),
    name="expand_dims",
    view=True,
)
squeeze = op(
    lambda x, *, axis: np.squeeze(x, axis),
    lambda g, _out, _x, **_: np.reshape(g, _x.shape),
    name="squeeze",
    view=True,
)
broadcast_to = op(
    lambda x, *, shape: np.broadcast_to(x, shape),
    lambda g, _out, _x, **_: unbroadcast(g, _x.shape),
    name="broadcast_to",
    view=True,
)
flip = op(
    lambda x, *, axis: np.flip(x, axis),
    lambda g, _out, _x, *, axis: np.flip(g, axis),
    name="flip",
    view=True,
)
copy = op(lambda x: x.copy(), lambda g, _out, _x: g, name="copy")


def _along(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Return the index of `start:stop` along a non-negative axis."""
    return (*(slice(None),) * axis, slice(start, stop))


def _concatenate_rule(
    g: Any, _out: Any, *_xs: Any, axis: int, sizes: tuple[int, ...], **_: Any
) -> tuple[Any, ...]:
    """Cut `g` where the inputs met."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(g[_along(axis % g.ndim, start, start + size)])
        start += size
    return tuple(pieces)


def _stack_rule(
    g: Any, _out: Any, *_xs: Any, needs: tuple[bool, ...], axis: int
) -> tuple[Any, ...]:
    """Take `g` apart along the new axis."""
    before = (slice(None),) * (axis % g.ndim)
    return tuple(g[(*before, i)] for i in range(len(needs)))


# `sizes`, the inputs' lengths along the axis, is what the rule needs to know of them.
concatenate = op(
    lambda *xs, axis, **_: np.concatenate(xs, axis=axis),
    joint=_concatenate_rule,
    name="concatenate",
)
stack = op(lambda *xs, axis: np.stack(xs, axis=axis), joint=_stack_rule, name="stack")


def _pad(x: Any, *, pad_width: tuple[tuple[int, int], ...], constant_values: Any) -> Any:
    return np.pad(x, pad_width, constant_values=constant_values)


def _pad_rule(
    g: Any, _out: Any, _x: Any, *, pad_width: tuple[tuple[int, int], ...], **_: Any
) -> Any:
    """Cut the padding off."""
    return g[
        tuple(
            slice(before, before + size)
            for (before, _), size in zip(pad_width, _x.shape, strict=True)
        )
    ]


pad = op(_pad, _pad_rule, name="pad")
