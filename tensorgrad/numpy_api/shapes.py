"""Functions that move elements of one array: reshape, transpose, flip, pad.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike, Axis
from ..ops import shape as shape_ops
from ..tensor import Tensor, apply, as_tensor
from .table import implements


def reshape(a: ArrayLike, shape: int | Sequence[int]) -> Tensor:
    """Give the elements another shape, as `numpy.reshape`.

    Parameters
    ----------
    a
        Of any shape.
    shape
        The new one, of the same size; one entry may be -1.

    Returns
    -------
    Tensor
        The elements in C order.

    Raises
    ------
    ValueError
        If the sizes differ.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.reshape([1.0, 2.0, 3.0, 4.0], (2, -1)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return as_tensor(a).reshape(shape)


def ravel(a: ArrayLike) -> Tensor:
    """Return the elements along one axis, as `numpy.ravel`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.ravel([[1.0], [2.0]]).tolist()
    [1.0, 2.0]
    """
    return as_tensor(a).ravel()


def transpose(a: ArrayLike, axes: Sequence[int] | None = None) -> Tensor:
    """Permute the axes, or reverse them all, as `numpy.transpose`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.transpose([[1.0, 2.0]]).tolist()
    [[1.0], [2.0]]
    """
    return as_tensor(a).transpose(axes)


def swapaxes(a: ArrayLike, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes, as `numpy.swapaxes`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.swapaxes([[1.0, 2.0]], 0, 1).shape
    (2, 1)
    """
    return as_tensor(a).swapaxes(axis1, axis2)


def moveaxis(a: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move axes to new places, as `numpy.moveaxis`.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> tg.moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    tensor = as_tensor(a)
    return tensor.transpose(_moved(tensor.ndim, source, destination))


def _moved(ndim: int, source: Any, destination: Any) -> tuple[int, ...]:
    """Return the permutation that `moveaxis` makes, with NumPy's errors."""
    sources = np.lib.array_utils.normalize_axis_tuple(source, ndim, "source")
    destinations = np.lib.array_utils.normalize_axis_tuple(destination, ndim, "destination")
    if len(sources) != len(destinations):
        raise ValueError("source and destination must have the same number of axes")
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return tuple(order)


def expand_dims(a: ArrayLike, axis: int | tuple[int, ...]) -> Tensor:
    """Insert axes of size 1, as `numpy.expand_dims`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.expand_dims([1.0, 2.0], 0).shape
    (1, 2)
    """
    return as_tensor(a).expand_dims(axis)


def squeeze(a: ArrayLike, axis: Axis = None) -> Tensor:
    """Remove axes of size 1, as `numpy.squeeze`.

    Raises
    ------
    ValueError
        If an axis named has another size.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.squeeze([[1.0, 2.0]]).shape
    (2,)
    """
    return as_tensor(a).squeeze(axis)


def broadcast_to(array: ArrayLike, shape: int | Sequence[int]) -> Tensor:
    """Repeat along new and size-1 axes without copying, as `numpy.broadcast_to`.

    The gradient is summed over what was repeated.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.broadcast_to([1.0, 2.0], (3, 2)).shape
    (3, 2)
    """
    return as_tensor(array).broadcast_to(shape)


def flip(m: ArrayLike, axis: Axis = None) -> Tensor:
    """Reverse the order along axes, as `numpy.flip`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.flip([1.0, 2.0]).tolist()
    [2.0, 1.0]
    """
    return apply(shape_ops.flip, m, axis=axis)


def pad(
    array: ArrayLike,
    pad_width: Any,
    mode: str = "constant",
    constant_values: float = 0,
) -> Tensor:
    """Add a border of a constant, as `numpy.pad`.

    Parameters
    ----------
    array
        What to pad.
    pad_width
        How much before and after, per axis, in any of NumPy's short forms.
    mode
        Only "constant".
    constant_values
        The number in the border.

    Returns
    -------
    Tensor
        The gradient is that of the part without its border.

    Raises
    ------
    NotImplementedError
        If another mode is asked for.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.pad([1.0], (1, 2)).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    if mode != "constant":
        raise NotImplementedError(f"pad mode {mode!r} has no gradient here; use mode='constant'")
    tensor = as_tensor(array)
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError(f"pad_width is {pad_width!r}; expected integers")
    widths = np.broadcast_to(widths, (tensor.ndim, 2))
    pairs = tuple((int(before), int(after)) for before, after in widths)
    return apply(shape_ops.pad, tensor, pad_width=pairs, constant_values=constant_values)


implements(np.reshape)(reshape)
implements(np.ravel)(ravel)
implements(np.transpose)(transpose)
implements(np.swapaxes)(swapaxes)
implements(np.moveaxis)(moveaxis)
implements(np.expand_dims)(expand_dims)
implements(np.squeeze)(squeeze)
implements(np.broadcast_to)(broadcast_to)
implements(np.flip)(flip)
implements(np.pad)(pad)
implements(np.copy)(Tensor.clone)
