"""Functions that move the elements of one array: reshape, transpose, flip, roll, windows.

Floor: `numpy_api`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike, Axis, DTypeLike
from ..arguments import plain
from ..ops import shape as shape_ops
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient, refuses


def reshape(
    a: ArrayLike, /, shape: int | Sequence[int], order: str = "C", *, copy: bool | None = None
) -> Tensor:
    """Give the elements another shape, as `numpy.reshape`.

    Parameters
    ----------
    a
        Of any shape.
    shape
        The new one, of the same size; one entry may be -1.
    order
        In which order the elements are read and placed: "C", the last axis fastest; "F", the first
        axis fastest; "A", "F" for data that lie so in memory.
    copy
        Whether to copy the data: None does where it must, False raises then.

    Returns
    -------
    Tensor
        The same elements.

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
    tensor = as_tensor(a)
    if order == "C" and copy is None:
        return tensor.reshape(shape)
    if order == "A":
        order = "F" if tensor.data.flags.fnc else "C"
    options = {"copy": False} if copy is False else {}
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    result = apply(shape_ops.reshape, tensor, shape=shape, order=order, **options)
    return result.clone() if copy else result


def ravel(a: ArrayLike, order: str = "C") -> Tensor:
    """Return the elements along one axis, as `numpy.ravel`.

    Parameters
    ----------
    a
        Of any shape.
    order
        As in `reshape`; "K" is the order in memory.

    Returns
    -------
    Tensor
        With one axis.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.ravel([[1.0], [2.0]]).tolist()
    [1.0, 2.0]
    """
    tensor = as_tensor(a)
    if order != "K":
        return reshape(tensor, -1, order)
    return tensor.transpose(_memory_order(tensor.data)).ravel()


def _memory_order(array: Any) -> list[int]:
    """Sort the axes by their steps in memory, the longest first, as NumPy's iterator does.

    An axis without a step, since it has one element or was broadcast, stays where it is.
    """
    steps = [abs(s) if n > 1 else 0 for n, s in zip(array.shape, array.strides, strict=True)]
    fastest_first: list[int] = []
    for axis in reversed(range(array.ndim)):
        place = len(fastest_first)
        for i in reversed(range(place)):
            other = fastest_first[i]
            if steps[axis] and steps[other]:
                if steps[other] <= steps[axis]:
                    break
                place = i
        fastest_first.insert(place, axis)
    return fastest_first[::-1]


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
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return tuple(order)


@implements(np.rollaxis)
def rollaxis(a: ArrayLike, axis: int, start: int = 0) -> Tensor:
    """Move an axis back until it stands before another one."""
    tensor = as_tensor(a)
    ndim = tensor.ndim
    axis = np.lib.array_utils.normalize_axis_index(axis, ndim)
    place = start + ndim if start < 0 else start
    if not 0 <= place <= ndim:
        raise np.exceptions.AxisError(
            f"'start' arg requires {-ndim} <= start < {ndim + 1}, but {place} was passed in"
        )
    return moveaxis(tensor, axis, place - 1 if axis < place else place)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: ArrayLike, /) -> Tensor:
    """Exchange the last two axes."""
    return apply(shape_ops.matrix_transpose, x)


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


def _at_least(op: Any, ndim: int, arrays: tuple[ArrayLike, ...]) -> Any:
    """Give one array, or each of several, as many axes."""
    tensors = [as_tensor(a) for a in arrays]
    found = tuple(apply(op, tensor) if tensor.ndim < ndim else tensor for tensor in tensors)
    return found[0] if len(found) == 1 else found


@implements(np.atleast_1d)
def atleast_1d(*arys: ArrayLike) -> Any:
    """Give each array one axis at least."""
    return _at_least(shape_ops.atleast_1d, 1, arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: ArrayLike) -> Any:
    """Give each array two axes at least."""
    return _at_least(shape_ops.atleast_2d, 2, arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: ArrayLike) -> Any:
    """Give each array three axes at least."""
    return _at_least(shape_ops.atleast_3d, 3, arys)


def broadcast_to(array: ArrayLike, shape: int | Sequence[int], subok: bool = False) -> Tensor:
    """Repeat along new and size-1 axes without copying, as `numpy.broadcast_to`.

    The gradient is summed over what was repeated.

    Parameters
    ----------
    array
        What to repeat.
    shape
        The shape to reach.
    subok
        Taken for NumPy's sake; the result is a Tensor.

    Returns
    -------
    Tensor
        Of that shape, on the memory of `array`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.broadcast_to([1.0, 2.0], (3, 2)).shape
    (3, 2)
    """
    del subok
    return as_tensor(array).broadcast_to(shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: ArrayLike, subok: bool = False) -> tuple[Tensor, ...]:
    """Give all arrays the one shape that they broadcast to."""
    del subok
    tensors = [as_tensor(arg) for arg in args]
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    return tuple(t if t.shape == shape else t.broadcast_to(shape) for t in tensors)


def flip(m: ArrayLike, axis: Axis = None) -> Tensor:
    """Reverse the order along axes, as `numpy.flip`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.flip([1.0, 2.0]).tolist()
    [2.0, 1.0]
    """
    return apply(shape_ops.flip, m, axis=axis)


@implements(np.fliplr)
def fliplr(m: ArrayLike) -> Tensor:
    """Reverse the order of the columns."""
    return apply(shape_ops.fliplr, m)


@implements(np.flipud)
def flipud(m: ArrayLike) -> Tensor:
    """Reverse the order of the rows."""
    return apply(shape_ops.flipud, m)


@implements(np.rot90)
def rot90(m: ArrayLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """Turn by 90 degrees, k times, in the plane of two axes."""
    return apply(shape_ops.rot90, m, k=k, axes=tuple(axes))


def _static(numbers: Any) -> Any:
    """Return integers as Python has them: one, or a tuple."""
    found = np.asarray(plain(numbers)).tolist()
    return tuple(found) if isinstance(found, list) else found


@implements(np.roll)
def roll(a: ArrayLike, shift: Any, axis: Any = None) -> Tensor:
    """Move elements along axes; those that fall out come in at the other end."""
    return apply(shape_ops.roll, a, shift=_static(shift), axis=axis)


# --- repetition -----------------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: ArrayLike, repeats: Any, axis: int | None = None) -> Tensor:
    """Repeat each element: all as often, or each as often as an array says."""
    tensor = as_tensor(a)
    if axis is None:
        tensor, axis = tensor.ravel(), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    if isinstance(repeats, (int, np.integer)):
        return apply(shape_ops.repeat, tensor, repeats=int(repeats), axis=axis)
    if not hasattr(repeats, "dtype"):  # NumPy cuts the floats in a list, and refuses an array
        repeats = np.array(plain(repeats), dtype=np.intp)
    return apply(shape_ops.repeat_each, tensor, repeats, axis=axis)


@implements(np.tile)
def tile(A: ArrayLike, reps: Any) -> Tensor:
    """Lay copies of an array side by side, along each axis as many as `reps` says."""
    counts = reps if np.iterable(reps) else (reps,)
    return apply(shape_ops.tile, A, reps=tuple(operator.index(n) for n in counts))


@implements(np.resize)
def resize(a: ArrayLike, new_shape: int | Sequence[int]) -> Tensor:
    """Fill another shape with the elements, over and over again."""
    shape = tuple(new_shape) if np.iterable(new_shape) else (new_shape,)
    return apply(shape_ops.resize, a, new_shape=shape)


# --- windows and slices ---------------------------------------------------------------------------


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: ArrayLike,
    window_shape: int | Sequence[int],
    axis: int | Sequence[int] | None = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> Tensor:
    """Show the windows of an array at all its places, as new axes at the end."""
    del subok, writeable
    widths = _static(window_shape)
    return apply(
        shape_ops.sliding_window_view,
        x,
        window_shape=widths if isinstance(widths, tuple) else (widths,),
        axis=axis,
    )


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: ArrayLike, *args: Any, **kwargs: Any) -> Any:
    """Call a function on each 1-d slice along an axis, and put the results in its place."""
    tensor = as_tensor(arr)
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    turned = moveaxis(tensor, axis, -1)
    around = turned.shape[:-1]
    if 0 in around:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [func1d(turned[index], *args, **kwargs) for index in np.ndindex(*around)]
    first = results[0] if isinstance(results[0], Tensor) else np.asarray(results[0])
    joined = np.stack(results, dtype=first.dtype, casting="unsafe")
    joined = np.reshape(joined, (*around, *first.shape))
    places = tuple(range(axis, axis + len(first.shape)))
    return np.moveaxis(joined, tuple(range(len(around), joined.ndim)), places)


@implements(np.trim_zeros)
def trim_zeros(filt: ArrayLike, trim: str = "fb", axis: Axis = None) -> Tensor:
    """Cut the zeros at both ends, or at one of them, off."""
    return apply(shape_ops.trim_zeros, filt, trim=trim, axis=axis)


@implements(np.copy)
def copy(a: ArrayLike, order: str = "K", subok: bool = False) -> Tensor:
    """Copy the data, laid out as they are or in another order."""
    del subok
    return apply(shape_ops.copy, a, order=order)


@implements(np.astype)
def astype(
    x: ArrayLike, dtype: DTypeLike, /, *, copy: bool = True, device: str | None = None
) -> Tensor:
    """Cast to another dtype."""
    tensor = as_tensor(x)
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')
    return tensor if not copy and tensor.dtype == np.dtype(dtype) else tensor.astype(dtype)


implements(np.reshape)(reshape)
implements(np.ravel)(ravel)
implements(np.transpose)(transpose)
implements(np.swapaxes)(swapaxes)
implements(np.moveaxis)(moveaxis)
implements(np.expand_dims)(expand_dims)
implements(np.squeeze)(squeeze)
implements(np.broadcast_to)(broadcast_to)
implements(np.flip)(flip)
no_gradient(
    np.broadcast_shapes,
    np.isfortran,
    np.may_share_memory,
    np.ndim,
    np.shape,
    np.shares_memory,
    np.size,
)
refuses(
    "use np.lib.stride_tricks.sliding_window_view, or index with an array of integers",
    np.lib.stride_tricks.as_strided,
)
