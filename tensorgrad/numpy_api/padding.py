"""Padding.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..handle import differentiable
from ..ops import padding
from ..tensor import Tensor, apply, as_tensor
from .joining import joined
from .table import implements


def pad(array: ArrayLike, pad_width: Any, mode: str = "constant", **kwargs: Any) -> Tensor:
    """Add a border, as `numpy.pad`.

    Parameters
    ----------
    array
        What to pad.
    pad_width
        How much before and after, per axis, in any of NumPy's short forms.
    mode
        What the border is made of: "constant", "edge", "linear_ramp", "maximum", "mean", "median",
        "minimum", "reflect", "symmetric", "wrap" or "empty".
    **kwargs
        What the mode takes: `constant_values`, `end_values`, `stat_length` or `reflect_type`.
        The first two may be tensors, or hold some, and have gradients then.

    Returns
    -------
    Tensor
        Each element's gradient is that of its own place and of the borders made of it.

    Raises
    ------
    NotImplementedError
        If `mode` is a function, which would write into the array.
    ValueError
        If NumPy has no such mode, or the mode no such option.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.pad([1.0], (1, 2)).tolist()
    [0.0, 1.0, 0.0, 0.0]
    >>> tg.pad([1.0, 2.0], 1, mode="edge").tolist()
    [1.0, 1.0, 2.0, 2.0]
    """
    if callable(mode):
        raise NotImplementedError(
            "np.pad with a function for mode has no gradient: the function writes into the array; "
            "build the border with np.concatenate"
        )
    tensor = as_tensor(array)
    widths = _widths(pad_width, tensor.ndim)
    option = {"constant": "constant_values", "linear_ramp": "end_values"}.get(mode)
    if option is not None and not kwargs.keys() - {option}:
        values = joined(kwargs.get(option, 0))
        if isinstance(values, Tensor) and values.requires_grad and not differentiable(tensor.dtype):
            raise TypeError(
                f"padding an array of dtype {tensor.dtype} with a recording tensor would lose its "
                f"gradient: give {option} detached, or make the array one of floats"
            )
        return apply(padding.PADS[mode], tensor, values, pad_width=widths)
    if "stat_length" in kwargs:
        kwargs["stat_length"] = _lengths(kwargs["stat_length"], tensor.ndim)
    elif mode in ("maximum", "mean", "median", "minimum"):
        kwargs["stat_length"] = None
    # A mode or an option that NumPy has not is left to its own error, in the forward.
    op = padding.pad_empty if option else padding.PADS.get(mode, padding.pad_empty)
    return apply(op, tensor, pad_width=widths, mode=mode, **kwargs)


def _widths(pad_width: Any, ndim: int) -> Any:
    """Return the widths before and after each axis, as Python's integers."""
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis] = (width, width) if isinstance(width, int) else width
        pad_width = pairs
    widths = np.asarray(pad_width)
    if widths.dtype.kind != "i":
        raise TypeError("`pad_width` must be of integral type.")
    return _pairs(widths, ndim)


def _pairs(numbers: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """Give each axis a pair, by NumPy's short forms."""
    if numbers.size == 2 and numbers.shape != (2, 1):
        numbers = numbers.reshape(2)
    pairs = np.broadcast_to(numbers.reshape(()) if numbers.size == 1 else numbers, (ndim, 2))
    return tuple((int(before), int(after)) for before, after in pairs)


def _lengths(stat_length: Any, ndim: int) -> Any:
    """Return the lengths that a statistic is taken of, or None for all."""
    return None if stat_length is None else _pairs(np.round(stat_length), ndim)


implements(np.pad)(pad)
