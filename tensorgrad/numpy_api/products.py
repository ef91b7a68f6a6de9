"""Products of arrays: matmul, dot, outer, tensordot, einsum and their like.

Floor: `numpy_api`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .._typing import ArrayLike, Shape
from ..arguments import plain
from ..ops import products
from ..tensor import Tensor, apply, as_tensor
from .elementwise import multiply
from .shapes import moveaxis
from .table import implements, no_gradient


@implements(np.matmul)
def matmul(x: ArrayLike, y: ArrayLike) -> Tensor:
    """Matrix product of any shapes that NumPy's `@` takes, as `numpy.matmul`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.matmul([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    return apply(products.matmul, x, y)


@implements(np.dot)
def dot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Sum over the last axis of `a` and the last but one of `b`, as `numpy.dot`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.dot([[1.0, 2.0]], [3.0, 4.0]).tolist()
    [11.0]
    """
    return as_tensor(a).dot(b)


@implements(np.outer)
def outer(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Multiply each element of `a` with each of `b`, both flattened, as `numpy.outer`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.outer([1.0, 2.0], [3.0, 4.0]).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    return apply(products.outer, as_tensor(a), as_tensor(b))


@implements(np.linalg.matmul)
def linalg_matmul(x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Multiply matrices."""
    return apply(products.matmul, x1, x2)


@implements(np.linalg.outer)
def linalg_outer(x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Multiply each element of one vector with each of another."""
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, but they are "
            f"x1.ndim={x1.ndim!r} and x2.ndim={x2.ndim!r}."
        )
    return apply(products.outer, x1, x2)


# --- vectors --------------------------------------------------------------------------------------


@implements(np.vdot)
def vdot(a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """Sum `conj(a) b` over all elements."""
    return apply(products.vdot, as_tensor(a), as_tensor(b))


@implements(np.inner)
def inner(a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """Sum over the last axes."""
    a, b = as_tensor(a), as_tensor(b)
    return apply(products.inner, a, b) if a.shape and b.shape else multiply(a, b)


@implements(np.vecdot)
def vecdot(x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Sum `conj(x1) x2` over the last axis."""
    return apply(products.vecdot, as_tensor(x1), as_tensor(x2))


@implements(np.linalg.vecdot)
def linalg_vecdot(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Tensor:
    """Sum `conj(x1) x2` over an axis."""
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if axis != -1 and x1.shape and x2.shape:
        x1, x2 = moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)
    return vecdot(x1, x2)


@implements(np.matvec)
def matvec(x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Multiply matrices with vectors."""
    return apply(products.matvec, as_tensor(x1), as_tensor(x2))


@implements(np.vecmat)
def vecmat(x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Multiply conjugate vectors with matrices."""
    return apply(products.vecmat, as_tensor(x1), as_tensor(x2))


@implements(np.cross)
def cross(
    a: ArrayLike,
    b: ArrayLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Tensor:
    """Cross product of vectors that lie along an axis."""
    if axis is not None:
        axisa = axisb = axisc = axis
    return apply(products.cross, as_tensor(a), as_tensor(b), axes=(axisa, axisb, axisc))


@implements(np.linalg.cross)
def linalg_cross(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Tensor:
    """Cross product of vectors of three components."""
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, but they are "
            f"{x1.shape[axis]} and {x2.shape[axis]} dimensional instead."
        )
    return cross(x1, x2, axis=axis)


# --- several axes ---------------------------------------------------------------------------------


@implements(np.tensordot)
def tensordot(a: ArrayLike, b: ArrayLike, axes: Any = 2) -> Tensor:
    """Sum over several axes: the last of `a` and first of `b`, or those listed for each."""
    a, b = as_tensor(a), as_tensor(b)
    axes = plain(axes)
    if np.iterable(axes):
        first, second = (_listed(entry) for entry in axes)
    else:
        count = operator.index(axes)
        first, second = tuple(range(-count, 0)), tuple(range(count))
    return apply(products.tensordot, a, b, axes=(first, second))


def _listed(axes: Any) -> tuple[int, ...]:
    """Return one axis, or several, as a tuple."""
    return tuple(int(axis) for axis in axes) if np.iterable(axes) else (int(axes),)


@implements(np.linalg.tensordot)
def linalg_tensordot(x1: ArrayLike, x2: ArrayLike, /, *, axes: Any = 2) -> Tensor:
    """Sum over several axes."""
    return tensordot(x1, x2, axes)


@implements(np.kron)
def kron(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Multiply each element of `a` with the whole of `b`, side by side."""
    a, b = as_tensor(a), as_tensor(b)
    if not a.shape or not b.shape:
        return multiply(a, b)
    ndim = max(a.ndim, b.ndim)
    a = a.reshape((1,) * (ndim - a.ndim) + a.shape)
    b = b.reshape((1,) * (ndim - b.ndim) + b.shape)
    odd, even = tuple(range(1, 2 * ndim, 2)), tuple(range(0, 2 * ndim, 2))
    product = multiply(a.expand_dims(odd), b.expand_dims(even))
    return product.reshape([n * m for n, m in zip(a.shape, b.shape, strict=True)])


# --- chains ---------------------------------------------------------------------------------------


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[ArrayLike]) -> Tensor:
    """Multiply several matrices, in the order that takes the fewest multiplications."""
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    tensors = [as_tensor(array) for array in arrays]
    first, last = tensors[0], tensors[-1]
    if len(tensors) == 2:
        return first.dot(last)
    if first.ndim == 1:
        tensors[0] = first.expand_dims(0)
    if last.ndim == 1:
        tensors[-1] = last.expand_dims(1)
    for tensor in tensors:
        if tensor.ndim != 2:
            raise np.linalg.LinAlgError(
                f"{tensor.ndim}-dimensional array given. Array must be two-dimensional"
            )
    splits = _best_splits([tensor.shape for tensor in tensors])
    result = _product(tensors, splits, 0, len(tensors) - 1)
    vectors = (first.ndim == 1) + (last.ndim == 1)
    return result.reshape(()) if vectors == 2 else result.ravel() if vectors else result


Splits: TypeAlias = dict[tuple[int, int], int]
"""After which matrix to split the product of matrices i to j."""


def _best_splits(shapes: Sequence[Shape]) -> Splits:
    """Find the order that takes the fewest multiplications: Cormen, chapter 15.2."""
    sizes = [rows for rows, _ in shapes] + [shapes[-1][1]]
    count = len(shapes)
    costs = {(i, i): 0 for i in range(count)}
    splits: Splits = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            choices = [
                (costs[i, k] + costs[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            costs[i, j], splits[i, j] = min(choices)
    return splits


def _product(tensors: Sequence[Tensor], splits: Splits, i: int, j: int) -> Tensor:
    """Multiply matrices i to j."""
    if i == j:
        return tensors[i]
    k = splits[i, j]
    return _product(tensors, splits, i, k).dot(_product(tensors, splits, k + 1, j))


# --- einsum ---------------------------------------------------------------------------------------


@implements(np.einsum)
def einsum(
    *operands: Any,
    optimize: Any = False,
    dtype: Any = None,
    order: str = "K",
    casting: Any = "safe",
) -> Tensor:
    """Sum products named by subscripts, as `numpy.einsum`.

    Parameters
    ----------
    *operands
        A subscripts string and the arrays, or arrays and lists of axis numbers in turn.  Repeated
        subscripts, ellipses and an implicit result are understood.
    optimize
        Handed to NumPy, for the gradient as well.
    dtype, order, casting
        Handed to NumPy.

    Returns
    -------
    Tensor
        The result.

    Raises
    ------
    ValueError
        If subscripts and operands do not fit.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.einsum("ij,j->i", [[1.0, 2.0]], [3.0, 4.0]).tolist()
    [11.0]
    """
    if not operands:
        raise ValueError("einsum needs a subscripts string and operands")
    if not isinstance(operands[0], str):
        operands = _named_subscripts(operands)
    tensors = [as_tensor(operand) for operand in operands[1:]]
    subscripts = products.explicit_subscripts(operands[0], [t.ndim for t in tensors])
    options = {"dtype": dtype, "order": order, "casting": casting}
    usual = {"dtype": None, "order": "K", "casting": "safe"}
    options = {key: value for key, value in options.items() if value != usual[key]}
    chosen = products.einsum_of_one if len(tensors) == 1 else products.einsum
    return apply(chosen, *tensors, subscripts=subscripts, optimize=optimize, **options)


def _named_subscripts(operands: Sequence[Any]) -> tuple[Any, ...]:
    """Turn `einsum(x, [0, 1], y, [1], [0])` into the form with a string."""

    def named(axes: Sequence[Any]) -> str:
        for axis in axes:
            if axis is not Ellipsis and not 0 <= axis < len(products.LETTERS):
                raise ValueError(f"einsum axis {axis}; expected 0 to {len(products.LETTERS) - 1}")
        return "".join("..." if a is Ellipsis else products.LETTERS[a] for a in axes)

    terms = ",".join(named(axes) for axes in operands[1::2])
    result = f"->{named(operands[-1])}" if len(operands) % 2 else ""
    return (terms + result, *operands[0 : len(operands) - len(operands) % 2 : 2])


no_gradient(np.einsum_path)
