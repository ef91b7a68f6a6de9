"""Functions of calculus on samples: differences, integrals, interpolation, phase; sinc and i0.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain
from ..ops import calculus, special
from ..tensor import Tensor, apply, as_tensor
from .joining import concatenate
from .selection import where
from .table import implements, no_gradient, refuses

# --- differences and integrals --------------------------------------------------------------------


@implements(np.diff)
def diff(
    a: ArrayLike, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Tensor:
    """Subtract from each element the one before it along an axis, n times."""
    if n == 0:
        return as_tensor(a)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    tensor = as_tensor(a)
    if not tensor.ndim:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    one = (*tensor.shape[:axis], 1, *tensor.shape[axis + 1 :])
    pieces = [
        piece if piece.ndim else piece.broadcast_to(one)
        for piece in (as_tensor(p) for p in (prepend, tensor, append) if p is not np._NoValue)
    ]
    joined = concatenate(pieces, axis) if len(pieces) > 1 else tensor
    return apply(calculus.diff, joined, n=n, axis=axis)


@implements(np.ediff1d)
def ediff1d(ary: ArrayLike, to_end: ArrayLike = None, to_begin: ArrayLike = None) -> Tensor:
    """Subtract neighbours in the flattened array, between what is given for the two ends."""
    tensor = as_tensor(ary).ravel()
    pieces = [diff(tensor)]
    for name, given, place in (("to_end", to_end, 1), ("to_begin", to_begin, 0)):
        if given is None:
            continue
        piece = as_tensor(given)
        if not np.can_cast(piece.dtype, tensor.dtype, casting="same_kind"):
            raise TypeError(
                f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule."
            )
        pieces.insert(place, piece.ravel().astype(tensor.dtype))
    return concatenate(pieces) if len(pieces) > 1 else pieces[0]


@implements(np.gradient)
def gradient(f: ArrayLike, *varargs: ArrayLike, axis: Any = None, edge_order: int = 1) -> Any:
    """Approximate derivatives by central differences; spacings may be tensors that record."""
    tensor = as_tensor(f)
    axes = tuple(range(tensor.ndim))
    if axis is not None:
        axes = np.lib.array_utils.normalize_axis_tuple(axis, tensor.ndim)
    spacings: tuple[Any, ...] = varargs or (1.0,)
    if len(spacings) == 1 and not np.ndim(spacings[0]):
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    found = tuple(
        apply(calculus.gradient, tensor, spacing, axis=along, edge_order=edge_order)
        for along, spacing in zip(axes, spacings, strict=True)
    )
    return found[0] if len(found) == 1 else found


@implements(np.trapezoid)
def trapezoid(y: ArrayLike, x: ArrayLike = None, dx: ArrayLike = 1.0, axis: int = -1) -> Tensor:
    """Integrate by the trapezoidal rule."""
    values = as_tensor(y)
    axis = np.lib.array_utils.normalize_axis_index(axis, values.ndim)
    width: Any = dx
    if x is not None:
        places = as_tensor(x)
        width = diff(places, axis=-1 if places.ndim == 1 else axis)
        if places.ndim == 1:
            width = width.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    before = (slice(None),) * axis
    upper, lower = values[(*before, slice(1, None))], values[(*before, slice(None, -1))]
    area: Tensor = (width * (upper + lower) / 2.0).sum(axis)
    return area


# --- interpolation and phase ----------------------------------------------------------------------


@implements(np.interp)
def interp(
    x: ArrayLike,
    xp: ArrayLike,
    fp: ArrayLike,
    left: ArrayLike = None,
    right: ArrayLike = None,
    period: float | None = None,
) -> Tensor:
    """Interpolate linearly between samples.

    At a sample the derivative by `x` is that of least size among its two sides.
    """
    if isinstance(period, Tensor):
        if period.requires_grad:
            raise TypeError(
                "np.interp has no gradient by period: give it as a number, or scale x and xp by it"
            )
        period = period.item()
    x, xp = as_tensor(x), as_tensor(xp)
    found = apply(calculus.interp, x, xp, fp, period=period)
    if period is None and left is not None:
        found = where(x < xp[0], left, found)
    if period is None and right is not None:
        found = where(x > xp[-1], right, found)
    return found


@implements(np.unwrap)
def unwrap(
    p: ArrayLike, discont: ArrayLike = None, axis: int = -1, *, period: ArrayLike = 2 * np.pi
) -> Tensor:
    """Add multiples of the period along an axis, so that no jump exceeds half of it."""
    threshold = () if discont is None else (plain(discont),)
    return apply(calculus.unwrap, p, period, *threshold, axis=axis)


# --- special functions and windows ----------------------------------------------------------------


@implements(np.sinc)
def sinc(x: ArrayLike) -> Tensor:
    """`sin(πx) / (πx)`, which is 1 at 0."""
    return apply(special.sinc, x)


@implements(np.i0)
def i0(x: ArrayLike) -> Tensor:
    """Evaluate the modified Bessel function of the first kind of order 0."""
    return apply(special.i0, x)


# They take a number of points, and NumPy does not ask a tensor; it refuses to become an array.
no_gradient(np.bartlett, np.blackman, np.hamming, np.hanning)
refuses("compute np.i0(beta * np.sqrt(1 - t**2)) / np.i0(beta) with t from -1 to 1", np.kaiser)
