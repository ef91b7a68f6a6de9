"""Products of arrays: matmul, dot, outer, einsum.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..ops import linalg
from ..tensor import Tensor, apply, as_tensor
from .table import implements


def matmul(x: ArrayLike, y: ArrayLike) -> Tensor:
    """Matrix product of any shapes that NumPy's `@` takes, as `numpy.matmul`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.matmul([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    return apply(linalg.matmul, x, y)


def dot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Sum over the last axis of `a` and the last but one of `b`, as `numpy.dot`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.dot([[1.0, 2.0]], [3.0, 4.0]).tolist()
    [11.0]
    """
    return as_tensor(a).dot(b)


def outer(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Multiply each element of `a` with each of `b`, both flattened, as `numpy.outer`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.outer([1.0, 2.0], [3.0, 4.0]).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    return apply(linalg.outer, as_tensor(a), as_tensor(b))


def einsum(*operands: Any, optimize: Any = False) -> Tensor:
    """Sum products named by subscripts, as `numpy.einsum`.

    Parameters
    ----------
    *operands
        A subscripts string and the arrays, or arrays and lists of axis numbers in turn.  Repeated
        subscripts, ellipses and an implicit result are understood.
    optimize
        Handed to NumPy, for the gradient as well.

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
    subscripts = linalg.explicit_subscripts(operands[0], [t.ndim for t in tensors])
    return apply(linalg.einsum, *tensors, subscripts=subscripts, optimize=optimize)


def _named_subscripts(operands: Sequence[Any]) -> tuple[Any, ...]:
    """Turn `einsum(x, [0, 1], y, [1], [0])` into the form with a string."""

    def named(axes: Sequence[Any]) -> str:
        for axis in axes:
            if axis is not Ellipsis and not 0 <= axis < len(linalg.LETTERS):
                raise ValueError(f"einsum axis {axis}; expected 0 to {len(linalg.LETTERS) - 1}")
        return "".join("..." if a is Ellipsis else linalg.LETTERS[a] for a in axes)

    terms = ",".join(named(axes) for axes in operands[1::2])
    result = f"->{named(operands[-1])}" if len(operands) % 2 else ""
    return (terms + result, *operands[0 : len(operands) - len(operands) % 2 : 2])


implements(np.matmul)(matmul)
implements(np.dot)(dot)
implements(np.outer)(outer)
implements(np.einsum)(einsum)
