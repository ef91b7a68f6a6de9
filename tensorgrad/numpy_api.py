"""The functions of tensorgrad, and which NumPy callable each of them stands for.

Floor: above `creation`.  A function takes Tensors, arrays and numbers and returns a Tensor; NumPy's
own function of that name, called on a Tensor, comes here through `NUMPY_TABLE`.  To add one:
define it, and give it a row in the table at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._typing import ArrayLike, Axis
from .arguments import plain
from .creation import full_like, ones_like, zeros_like
from .op import Op
from .ops import elementwise, linalg
from .ops import shape as shape_ops
from .recording import unary_method
from .tensor import NUMPY_TABLE, Tensor, apply, as_tensor

_UNARY_DOC = """{summary}.

Parameters
----------
x
    Of any shape; floats keep their dtype.

Returns
-------
Tensor
    Of the shape of `x`.  The derivative is `{derivative}`.{notes}

Examples
--------
>>> import tensorgrad as tg
>>> x = tg.Tensor([{at}])
>>> tg.{name}(x).sum().backward()
>>> bool(abs(x.grad[0] - {slope}) < 1e-4)
True
"""


def _unary(
    op: Op, summary: str, derivative: str, at: float, slope: float, notes: str = ""
) -> Callable[[ArrayLike], Tensor]:
    """Make the function of an elementwise op, its docstring from a template."""
    method = unary_method(op)

    def function(x: ArrayLike) -> Tensor:
        return method(x) if isinstance(x, Tensor) else apply(op, x)

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = _UNARY_DOC.format(
        name=op.name,
        summary=summary,
        derivative=derivative,
        at=at,
        slope=slope,
        notes=f"  {notes}" if notes else "",
    )
    return function


_BINARY_DOC = """{summary}.

Parameters
----------
x, y
    Of shapes that broadcast together.  Python numbers do not widen the dtype (NEP 50).

Returns
-------
Tensor
    Of the common shape.  The derivatives are `{by_x}` by `x` and `{by_y}` by `y`.{notes}

Examples
--------
>>> import tensorgrad as tg
>>> x, y = tg.Tensor(3.0), tg.Tensor(2.0)
>>> tg.{name}(x, y).backward()
>>> bool(abs(x.grad - {dx}) < 1e-4), bool(abs(y.grad - {dy}) < 1e-4)
(True, True)
"""


def _binary(
    op: Op, summary: str, by_x: str, by_y: str, dx: float, dy: float, notes: str = ""
) -> Callable[[ArrayLike, ArrayLike], Tensor]:
    """Make the function of a broadcasting op of two arrays, its docstring from a template."""

    def function(x: ArrayLike, y: ArrayLike) -> Tensor:
        return apply(op, x, y)

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = _BINARY_DOC.format(
        name=op.name,
        summary=summary,
        by_x=by_x,
        by_y=by_y,
        dx=dx,
        dy=dy,
        notes=f"  {notes}" if notes else "",
    )
    return function


# --- elementwise ----------------------------------------------------------------------------------

add = _binary(elementwise.add, "Add", "1", "1", 1.0, 1.0)
subtract = _binary(elementwise.subtract, "Subtract", "1", "-1", 1.0, -1.0)
multiply = _binary(elementwise.multiply, "Multiply", "y", "x", 2.0, 3.0)
divide = _binary(elementwise.divide, "Divide", "1/y", "-x/y**2", 0.5, -0.75)
power = _binary(
    elementwise.power,
    "Raise `x` to the power `y`",
    "y x**(y-1)",
    "x**y log(x)",
    6.0,
    9.8875,
    "Where `y` is 0 the first is 0, also at `x = 0`; where `x` is 0 the second is 0 for `y >= 0`.",
)
maximum = _binary(
    elementwise.maximum,
    "Take the larger of two values",
    "1 where x > y",
    "1 where y > x",
    1.0,
    0.0,
    "Equal arrays get a half each, and `x` equal to a Python number gets 0.",
)
minimum = _binary(
    elementwise.minimum,
    "Take the smaller of two values",
    "1 where x < y",
    "1 where y < x",
    0.0,
    1.0,
    "Equal arrays get a half each, and `x` equal to a Python number gets 0.",
)

negative = _unary(elementwise.negative, "Change the sign", "-1", 0.5, -1.0)
exp = _unary(elementwise.exp, "Exponential", "exp(x)", 0.5, 1.648721)
expm1 = _unary(elementwise.expm1, "`exp(x) - 1`, accurate near 0", "exp(x)", 0.5, 1.648721)
log = _unary(elementwise.log, "Natural logarithm", "1/x", 0.5, 2.0)
log1p = _unary(elementwise.log1p, "`log(1 + x)`, accurate near 0", "1/(1+x)", 0.5, 0.666667)
sqrt = _unary(elementwise.sqrt, "Square root", "1/(2 sqrt(x))", 0.25, 1.0, "It is inf at 0.")
square = _unary(elementwise.square, "Square", "2x", 0.5, 1.0)
abs = _unary(elementwise.absolute, "Absolute value", "sign(x)", -0.5, -1.0, "It is 0 at 0.")
sign = _unary(elementwise.sign, "Sign: -1, 0 or 1", "0", 0.5, 0.0)
sin = _unary(elementwise.sin, "Sine", "cos(x)", 0.5, 0.877583)
cos = _unary(elementwise.cos, "Cosine", "-sin(x)", 0.5, -0.479426)
tan = _unary(elementwise.tan, "Tangent", "1 + tan(x)**2", 0.5, 1.298446)
arcsin = _unary(elementwise.arcsin, "Inverse sine", "1/sqrt(1-x**2)", 0.5, 1.154701)
arccos = _unary(elementwise.arccos, "Inverse cosine", "-1/sqrt(1-x**2)", 0.5, -1.154701)
arctan = _unary(elementwise.arctan, "Inverse tangent", "1/(1+x**2)", 0.5, 0.8)
sinh = _unary(elementwise.sinh, "Hyperbolic sine", "cosh(x)", 0.5, 1.127626)
cosh = _unary(elementwise.cosh, "Hyperbolic cosine", "sinh(x)", 0.5, 0.521095)
tanh = _unary(elementwise.tanh, "Hyperbolic tangent", "1 - tanh(x)**2", 0.5, 0.786448)
sigmoid = _unary(elementwise.sigmoid, "Logistic function `1/(1+exp(-x))`", "s(1-s)", 0.5, 0.235004)
relu = _unary(elementwise.relu, "`max(x, 0)`", "1 where x > 0", 0.5, 1.0, "It is 0 at 0.")
silu = _unary(elementwise.silu, "`x sigmoid(x)`", "s + x s(1-s)", 0.5, 0.739961)
softplus = _unary(
    elementwise.softplus, "`log(1+exp(x))`, finite for any finite x", "sigmoid(x)", 0.5, 0.622459
)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Tensor:
    """Return `x` where it is positive and `negative_slope * x` elsewhere.

    Parameters
    ----------
    x
        Of any shape.
    negative_slope
        The slope for `x <= 0`, a constant.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.leaky_relu([-1.0, 2.0]).tolist()
    [-0.01, 2.0]
    """
    return as_tensor(x).leaky_relu(negative_slope)


def gelu(x: ArrayLike, approximate: str = "none") -> Tensor:
    """Return `x Φ(x)`, with Φ the standard normal distribution function.

    Hendrycks and Gimpel, "Gaussian error linear units" (2016).

    Parameters
    ----------
    x
        Of any shape.
    approximate
        "none" for Φ itself, "tanh" for the paper's approximation of it, which is faster.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If `approximate` is neither.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> round(float(tg.gelu(1.0)), 6)
    0.841345
    """
    return as_tensor(x).gelu(approximate)


def clip(
    a: ArrayLike,
    a_min: ArrayLike = None,
    a_max: ArrayLike = None,
    *,
    min: ArrayLike = None,
    max: ArrayLike = None,
) -> Tensor:
    """Limit values to an interval, as `numpy.clip`.

    Parameters
    ----------
    a, a_min, a_max
        Of shapes that broadcast together; None for no bound on that side.
    min, max
        Other names for `a_min` and `a_max`.

    Returns
    -------
    Tensor
        The derivative by `a` is 1 from bound to bound, both included, and 0 outside.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([-1.0, 0.0, 0.5, 2.0])
    >>> tg.clip(x, 0, 1).sum().backward()
    >>> x.grad
    array([0., 1., 1., 0.])
    """
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise ValueError("clip takes a bound as a_min or as min, a_max or max, not as both")
    return as_tensor(a).clip(min if a_min is None else a_min, max if a_max is None else a_max)


def where(condition: ArrayLike, x: ArrayLike, y: ArrayLike) -> Tensor:
    """Choose `x` where the condition holds and `y` elsewhere, as `numpy.where`.

    Parameters
    ----------
    condition
        Of booleans; it has no gradient.
    x, y
        What to choose from; all three broadcast together.

    Returns
    -------
    Tensor
        What was not chosen gets gradient 0, also where its own derivative is inf or NaN.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> x = tg.Tensor([0.0, 1.0])
    >>> with np.errstate(divide="ignore"):
    ...     tg.where(x > 0, tg.log(x), 0.0).sum().backward()
    >>> x.grad
    array([0., 1.])
    """
    if isinstance(condition, Tensor):
        condition = condition.data
    return apply(elementwise.where, condition, x, y)


# --- reductions -----------------------------------------------------------------------------------


def sum(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Sum over axes, as `numpy.sum`.

    Parameters
    ----------
    a
        Of any shape.
    axis
        An int, several, or None for all; negative ones count from the end.
    keepdims
        Whether the axes stay, with size 1.

    Returns
    -------
    Tensor
        Each element's derivative is 1.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()
    [4.0, 6.0]
    """
    return as_tensor(a).sum(axis, keepdims=keepdims)


def mean(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Average over axes, as `numpy.mean`; for the parameters see `sum`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 2.0])
    >>> tg.mean(x).backward()
    >>> x.grad
    array([0.5, 0.5])
    """
    return as_tensor(a).mean(axis, keepdims=keepdims)


def max(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Return the largest values, as `numpy.max`; for the parameters see `sum`.

    Equal maxima share the gradient; a NaN is the maximum wherever it stands.

    Raises
    ------
    ValueError
        If there is nothing to take the maximum of.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([3.0, 3.0, 1.0])
    >>> tg.max(x).backward()
    >>> x.grad
    array([0.5, 0.5, 0. ])
    """
    return as_tensor(a).max(axis, keepdims=keepdims)


def min(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Return the smallest values, as `numpy.min`; like `max` otherwise.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.min([3.0, 1.0]))
    1.0
    """
    return as_tensor(a).min(axis, keepdims=keepdims)


def var(a: ArrayLike, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the variance over axes, as `numpy.var`; for the other parameters see `sum`.

    Parameters
    ----------
    a, axis, keepdims
        As for `sum`.
    ddof
        The divisor is n - ddof.

    Returns
    -------
    Tensor
        The derivative is `2 (a - mean) / (n - ddof)`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.var([1.0, 3.0], ddof=1))
    2.0
    """
    return as_tensor(a).var(axis, ddof=ddof, keepdims=keepdims)


def std(a: ArrayLike, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the standard deviation over axes, as `numpy.std`; for the parameters see `var`.

    Where all elements are equal the derivative is 0.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.std([1.0, 3.0]))
    1.0
    """
    return as_tensor(a).std(axis, ddof=ddof, keepdims=keepdims)


def prod(a: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Multiply over axes, as `numpy.prod`; for the parameters see `sum`.

    The derivative, the product of all the others, is right also where elements are zero.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([0.0, 2.0, 3.0])
    >>> tg.prod(x).backward()
    >>> x.grad
    array([6., 0., 0.])
    """
    return as_tensor(a).prod(axis, keepdims=keepdims)


def logsumexp(x: ArrayLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Return `log(sum(exp(x)))`, which cannot overflow; for the parameters see `sum`.

    The derivative is `softmax(x)`, and 0 where all are -inf.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> round(float(tg.logsumexp([1000.0, 1000.0])), 4)
    1000.6931
    """
    return as_tensor(x).logsumexp(axis, keepdims=keepdims)


def softmax(x: ArrayLike, axis: Axis = -1) -> Tensor:
    """Return `exp(x) / sum(exp(x))` along an axis.

    Parameters
    ----------
    x
        Of any shape.
    axis
        The axes over which the result sums to 1.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    return as_tensor(x).softmax(axis)


def log_softmax(x: ArrayLike, axis: Axis = -1) -> Tensor:
    """Return the logarithm of `softmax`, finite for any finite `x`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.log_softmax([0.0, 1000.0]).tolist()
    [-1000.0, 0.0]
    """
    return as_tensor(x).log_softmax(axis)


# --- shape ----------------------------------------------------------------------------------------


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


# --- products -------------------------------------------------------------------------------------


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


# --- NumPy's names --------------------------------------------------------------------------------


def _take_along_axis(arr: ArrayLike, indices: Any, axis: int | None = -1) -> Tensor:
    """Pick along one axis: an index array there, ranges on the other axes."""
    tensor = as_tensor(arr)
    if axis is None:
        tensor, axis = tensor.ravel(), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    indices = plain(indices)
    if indices.ndim != tensor.ndim or indices.dtype.kind not in "iu":
        raise ValueError(
            f"indices have {indices.ndim} axes and dtype {indices.dtype}; expected integers with "
            f"the {tensor.ndim} axes of the array"
        )
    full = np.ix_(*(np.arange(n) for n in tensor.shape))
    return tensor[(*full[:axis], indices, *full[axis + 1 :])]


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function whose result is integers or booleans on the arrays: it has no gradient."""

    def on_arrays(*args: Any, **kwargs: Any) -> Any:
        return function(*plain(args), **plain(kwargs))

    return on_arrays


def _constant(create: Callable[..., Any]) -> Callable[..., Tensor]:
    """Wrap what a creation function of NumPy makes."""

    def function(*args: Any, **kwargs: Any) -> Tensor:
        return as_tensor(create(*args, **kwargs))

    return function


NUMPY_TABLE.update(
    {
        # ufuncs
        np.add: add,
        np.subtract: subtract,
        np.multiply: multiply,
        np.divide: divide,
        np.power: power,
        np.maximum: maximum,
        np.minimum: minimum,
        np.matmul: matmul,
        np.negative: negative,
        np.exp: exp,
        np.expm1: expm1,
        np.log: log,
        np.log1p: log1p,
        np.sqrt: sqrt,
        np.square: square,
        np.absolute: abs,
        np.sign: sign,
        np.sin: sin,
        np.cos: cos,
        np.tan: tan,
        np.arcsin: arcsin,
        np.arccos: arccos,
        np.arctan: arctan,
        np.sinh: sinh,
        np.cosh: cosh,
        np.tanh: tanh,
        # functions
        np.clip: clip,
        np.where: where,
        np.sum: sum,
        np.mean: mean,
        np.max: max,
        np.min: min,
        np.var: var,
        np.std: std,
        np.prod: prod,
        np.reshape: reshape,
        np.ravel: ravel,
        np.transpose: transpose,
        np.swapaxes: swapaxes,
        np.moveaxis: moveaxis,
        np.expand_dims: expand_dims,
        np.squeeze: squeeze,
        np.broadcast_to: broadcast_to,
        np.flip: flip,
        np.concatenate: concatenate,
        np.stack: stack,
        np.split: split,
        np.pad: pad,
        np.dot: dot,
        np.outer: outer,
        np.einsum: einsum,
        np.copy: Tensor.clone,
        np.take_along_axis: _take_along_axis,
        # what rules create constants with, `like=` a tensor
        np.zeros: _constant(np.zeros),
        np.ones: _constant(np.ones),
        np.eye: _constant(np.eye),
        np.arange: _constant(np.arange),
        np.zeros_like: zeros_like,
        np.ones_like: ones_like,
        np.full_like: full_like,
    }
)
NUMPY_TABLE.update(
    {
        function: _plain(function)
        for function in (
            np.equal,
            np.not_equal,
            np.less,
            np.less_equal,
            np.greater,
            np.greater_equal,
            np.isnan,
            np.isinf,
            np.isfinite,
            np.signbit,
            np.logical_and,
            np.logical_or,
            np.logical_not,
            np.shape,
            np.ndim,
            np.size,
            np.argmax,
            np.argmin,
            np.argsort,
            np.nonzero,
            np.count_nonzero,
            np.all,
            np.any,
            np.isclose,
            np.allclose,
            np.array_equal,
        )
    }
)
