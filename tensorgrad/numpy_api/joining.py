"""Functions that join arrays and take them apart.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._typing import ArrayLike
from ..ops import shape as shape_ops
from ..tensor import Tensor, apply, as_tensor
from .table import implements


def concatenate(arrays: Sequence[ArrayLike], axis: int | None = 0) -> Tensor:
    """Join along an existing axis, as `numpy.concatenate`.

    Parameters
    ----------
    arrays
        At least one, of equal shapes but for the axis; Tensors and arrays may be mixed.
    axis
        Where to join; None joins the flattened arrays.

    Returns
    -------
    Tensor
        Each input's gradient is its own piece.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.concatenate([tg.Tensor([1.0]), [2.0, 3.0]]).tolist()
    [1.0, 2.0, 3.0]
    """
    tensors = [as_tensor(a) for a in arrays]
    if axis is None:
        tensors, axis = [t.ravel() for t in tensors], 0
    # A wrong axis is left to NumPy's own error, in the forward.
    sizes = tuple(t.shape[axis] if -t.ndim <= axis < t.ndim else 0 for t in tensors)
    return apply(shape_ops.concatenate, *tensors, axis=axis, sizes=sizes)


def stack(arrays: Sequence[ArrayLike], axis: int = 0) -> Tensor:
    """Join arrays of one shape along a new axis, as `numpy.stack`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.stack([tg.Tensor(1.0), tg.Tensor(2.0)]).tolist()
    [1.0, 2.0]
    """
    return apply(shape_ops.stack, *arrays, axis=axis)


def split(ary: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut into pieces along an axis, as `numpy.split`.

    Parameters
    ----------
    ary
        What to cut.
    indices_or_sections
        How many equal pieces, or where to cut.
    axis
        Along which axis.

    Returns
    -------
    list of Tensor
        The pieces.

    Raises
    ------
    ValueError
        If equal pieces are asked for and the length does not divide.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> [piece.tolist() for piece in tg.split([1.0, 2.0, 3.0], [1])]
    [[1.0], [2.0, 3.0]]
    """
    tensor = as_tensor(ary)
    # NumPy cuts the positions, with its own rules and errors; the pieces are slices.
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    positions = np.arange(tensor.shape[axis])
    before = (slice(None),) * axis
    pieces = []
    for piece in np.split(positions, indices_or_sections):
        start = int(piece[0]) if piece.size else 0
        pieces.append(tensor[(*before, slice(start, start + piece.size))])
    return pieces


implements(np.concatenate)(concatenate)
implements(np.stack)(stack)
implements(np.split)(split)
