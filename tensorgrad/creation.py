"""Making tensors: from numbers, filled, in sequence, random.

Floor: above `tensor`.  What these functions make does not record, so that it can be filled:
`out = zeros((n, 3)); out[i] = row`.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ._typing import ArrayLike, DTypeLike, SeedLike, ShapeLike
from .arguments import plain, records, varargs
from .graph import draw
from .handle import differentiable
from .ops import spacing
from .random import as_generator
from .tensor import Tensor, apply, as_tensor

_default_dtype: list[np.dtype[Any]] = [np.dtype(np.float32)]


def set_default_dtype(dtype: DTypeLike) -> None:
    """Set the dtype of parameters, and of random tensors, that are made without one.

    Parameters
    ----------
    dtype
        A floating dtype; float32 at first.

    Raises
    ------
    TypeError
        If it is not floating.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.set_default_dtype("float64"); tg.randn(2).dtype
    dtype('float64')
    >>> tg.set_default_dtype("float32")
    """
    found = np.dtype(dtype)
    if found.kind != "f":
        raise TypeError(f"the default dtype must be floating, not {found}")
    _default_dtype[0] = found


def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype of parameters that are made without one.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.get_default_dtype()
    dtype('float32')
    """
    return _default_dtype[0]


def tensor(data: ArrayLike, dtype: DTypeLike = None) -> Tensor:
    """Return `data` as a Tensor that does not record, on a copy.

    Parameters
    ----------
    data
        Numbers of any shape.
    dtype
        The type of the elements; None keeps that of `data`.

    Returns
    -------
    Tensor
        A constant.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.tensor([1.0, 2.0]).requires_grad
    False
    """
    return Tensor(data, requires_grad=False, dtype=dtype)


def from_dlpack(x: Any, *, copy: bool | None = None) -> Tensor:
    """Return an array of another library as a Tensor that does not record, on the same memory.

    Any array on the CPU that speaks DLPack: of PyTorch, JAX, CuPy (on the host), NumPy.  The other
    way round the other library's `from_dlpack` takes a tensor that does not record.  PyTorch 2.13
    writes to read-only memory that it is given, and ends the process at negative strides, as those
    of a flipped array: give it a copy of these.

    Parameters
    ----------
    x
        Has `__dlpack__` and `__dlpack_device__`.
    copy
        True: always copy.  False: raise where a copy is needed.  None: copy where needed.

    Returns
    -------
    Tensor
        A constant.  Where the other library changes its array in place, the tensor changes too;
        the other way round `t[0] = 1` makes a new value, and the other array stays as it was.

    Raises
    ------
    TypeError
        If `x` does not speak DLPack, or is a tensor that records.
    BufferError, RuntimeError
        NumPy's or the other library's own: if `x` is not on the CPU, of a dtype that NumPy lacks,
        such as bfloat16, or needs a gradient there.

    References
    ----------
    DLPack, https://dmlc.github.io/dlpack, and the Python array API standard, `from_dlpack`.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> a = np.array([1.0, 2.0])
    >>> t = tg.from_dlpack(a)
    >>> a[0] = 5.0
    >>> t.tolist(), t.requires_grad
    ([5.0, 2.0], False)
    """
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"x is a {type(x).__name__}; expected an array that speaks DLPack")
    return as_tensor(np.from_dlpack(x, copy=copy))


def zeros(*shape: ShapeLike, dtype: DTypeLike = float) -> Tensor:
    """Return zeros; the shape as a tuple or as several ints.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.zeros(2).tolist()
    [0.0, 0.0]
    """
    return as_tensor(np.zeros(varargs(shape), dtype))


def ones(*shape: ShapeLike, dtype: DTypeLike = float) -> Tensor:
    """Return ones; the shape as a tuple or as several ints.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.ones(1, 2).tolist()
    [[1.0, 1.0]]
    """
    return as_tensor(np.ones(varargs(shape), dtype))


def full(shape: ShapeLike, fill_value: ArrayLike, dtype: DTypeLike = None) -> Tensor:
    """Return copies of one number, or of an array that broadcasts.

    Parameters
    ----------
    shape
        That of the result.
    fill_value
        What to repeat.  A tensor that records gets the sum of the gradient.
    dtype
        The type of the elements; None keeps that of `fill_value`.

    Returns
    -------
    Tensor
        A constant, unless `fill_value` records.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.full(2, 7.0).tolist()
    [7.0, 7.0]
    """
    if not records(fill_value):
        return as_tensor(np.full(varargs((shape,)), plain(fill_value), dtype))
    value = as_tensor(fill_value)
    value = value if dtype is None else value.astype(dtype)
    return value.broadcast_to(varargs((shape,))).clone()


def eye(n: int, m: int | None = None, dtype: DTypeLike = float) -> Tensor:
    """Return a matrix of n rows with ones on the diagonal.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return as_tensor(np.eye(n, m, dtype=dtype))


def arange(*args: float, dtype: DTypeLike = None) -> Tensor:
    """Return evenly spaced numbers, with `numpy.arange`'s arguments.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.arange(3).tolist()
    [0, 1, 2]
    """
    return as_tensor(np.arange(*args, dtype=dtype))


def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike = None,
    axis: int = 0,
    *,
    device: str | None = None,
) -> Any:
    """Return evenly spaced numbers between two ends, as `numpy.linspace`.

    Parameters
    ----------
    start, stop
        The ends: numbers, or arrays that broadcast.  Where they record, so does the result.
    num
        How many numbers.
    endpoint
        Whether `stop` is the last of them.
    retstep
        Whether to return the step as well.
    dtype
        The type of the elements; None for the floats of the ends.
    axis
        Where the new axis comes in the result, if the ends are arrays.
    device
        Taken for NumPy's sake: None or "cpu".

    Returns
    -------
    Tensor, or a tuple of the Tensor and the step
        Of `num` numbers along `axis`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    >>> stop = tg.Tensor(2.0)
    >>> tg.linspace(0.0, stop, 3).sum().backward()
    >>> stop.grad
    array(1.5)
    """
    ends, num = [start, stop], operator.index(num)
    if dtype is not None and not differentiable(np.dtype(dtype)):
        ends = [end.detach() if isinstance(end, Tensor) else end for end in ends]
    endpoint = bool(endpoint)
    numbers = apply(
        spacing.linspace, *ends, num=num, endpoint=endpoint, dtype=dtype, axis=axis, device=device
    )
    if not retstep:
        return numbers
    if num - endpoint <= 0:
        return numbers, np.nan
    return numbers, apply(spacing.linspace_step, start, stop, num=num, endpoint=endpoint)


def zeros_like(
    a: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: ShapeLike | None = None,
    *,
    device: str | None = None,
) -> Tensor:
    """Return zeros of the shape, the dtype and the layout of `a`, or of those given.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.zeros_like(tg.Tensor([1.0])).tolist()
    [0.0]
    """
    like = as_tensor(a).data
    found = np.zeros_like(like, dtype, order, subok, shape, device=device)  # type: ignore[call-overload]
    return as_tensor(found)


def ones_like(
    a: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: ShapeLike | None = None,
    *,
    device: str | None = None,
) -> Tensor:
    """Return ones of the shape, the dtype and the layout of `a`, or of those given.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.ones_like(tg.Tensor([2.0])).tolist()
    [1.0]
    """
    like = as_tensor(a).data
    found = np.ones_like(like, dtype, order, subok, shape, device=device)  # type: ignore[call-overload]
    return as_tensor(found)


def full_like(
    a: ArrayLike,
    fill_value: ArrayLike,
    dtype: DTypeLike = None,
    order: str = "K",
    subok: bool = True,
    shape: ShapeLike | None = None,
    *,
    device: str | None = None,
) -> Tensor:
    """Return copies of one number, of the shape, the dtype and the layout of `a`; see `full`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.full_like(tg.Tensor([2.0]), 5).tolist()
    [5.0]
    """
    like = as_tensor(a).data
    if not records(fill_value):
        value = plain(fill_value)
        found = np.full_like(like, value, dtype, order, subok, shape, device=device)  # type: ignore[call-overload]
        return as_tensor(found)
    value = as_tensor(fill_value).astype(like.dtype if dtype is None else dtype)
    return value.broadcast_to(like.shape if shape is None else shape).clone()


def rand(*shape: ShapeLike, rng: SeedLike | None = None, dtype: DTypeLike = None) -> Tensor:
    """Draw uniformly from [0, 1).

    Parameters
    ----------
    *shape
        The shape, as a tuple or as several ints.
    rng
        The generator to draw from.
    dtype
        Floating; None for the default dtype.

    Returns
    -------
    Tensor
        A constant.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.rand(2, 3, rng=0).shape
    (2, 3)
    """
    drawn = draw(as_generator(rng), "random", varargs(shape))
    return as_tensor(drawn.astype(dtype or get_default_dtype()))


def randn(*shape: ShapeLike, rng: SeedLike | None = None, dtype: DTypeLike = None) -> Tensor:
    """Draw from the standard normal distribution; for the parameters see `rand`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.randn(4, rng=0).shape
    (4,)
    """
    drawn = draw(as_generator(rng), "standard_normal", varargs(shape))
    return as_tensor(drawn.astype(dtype or get_default_dtype()))
