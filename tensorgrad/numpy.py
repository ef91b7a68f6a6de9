"""NumPy under another name, for programs that were written with `import autograd.numpy as np`.

Floor: above `numpy_api`.  Tensors go through NumPy's own functions, so `import numpy as np` does as
well.  Two names differ, since NumPy has no protocol for them: `array` and `asarray` also stack
nested lists in which some numbers are Tensors.

Examples
--------
>>> import tensorgrad as tg
>>> import tensorgrad.numpy as np
>>> tg.grad(lambda x: np.sum(np.array([x, np.sin(x)])))(0.0)
np.float64(2.0)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._typing import ArrayLike, DTypeLike
from .tensor import Tensor

__all__ = ["array", "asarray"]


def array(object: ArrayLike, dtype: DTypeLike = None, **options: Any) -> Any:
    """Make an array, as `numpy.array`; of lists that hold Tensors, a Tensor.

    Parameters
    ----------
    object
        Numbers, arrays, Tensors, and nested lists and tuples of them.
    dtype
        The dtype of the elements.
    **options
        Those of `numpy.array`, where there are no Tensors.

    Returns
    -------
    ndarray or Tensor
        A copy.  A Tensor, which stays in its graph, if there is one in `object`.

    Raises
    ------
    TypeError
        If there are Tensors and an option that is not for them.
    ValueError
        If the lists are not rectangular.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> import tensorgrad.numpy as np
    >>> x = tg.Tensor(2.0)
    >>> np.array([[x, 0.0], [1.0, x * x]]).tolist()
    [[2.0, 0.0], [1.0, 4.0]]
    """
    if not _holds_tensor(object):
        return np.array(object, dtype=dtype, **options)
    if options:
        raise TypeError(f"array of Tensors has no option {', '.join(options)}")
    result = object.copy() if isinstance(object, Tensor) else _stacked(object)
    return result if dtype is None else result.astype(dtype)


def asarray(a: ArrayLike, dtype: DTypeLike = None, **options: Any) -> Any:
    """Make an array where there is none, as `numpy.asarray`; a Tensor comes back as it is.

    Parameters
    ----------
    a, dtype, **options
        As for `array`.

    Returns
    -------
    ndarray or Tensor
        As for `array`, but without a copy where none is needed.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> import tensorgrad.numpy as np
    >>> x = tg.Tensor([1.0, 2.0])
    >>> np.asarray(x) is x
    True
    """
    if isinstance(a, Tensor) and not options:
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    return array(a, dtype, **options) if _holds_tensor(a) else np.asarray(a, dtype, **options)


def _holds_tensor(data: Any) -> bool:
    """Tell whether nested lists hold a Tensor."""
    if isinstance(data, (list, tuple)):
        return any(_holds_tensor(item) for item in data)
    return isinstance(data, Tensor)


def _stacked(data: Any) -> Any:
    """Stack nested lists, some of whose leaves are Tensors."""
    if not isinstance(data, (list, tuple)):
        return data
    if not _holds_tensor(data):
        return np.array(data)
    return np.stack([_stacked(item) for item in data])


def __getattr__(name: str) -> Any:
    """Everything else is NumPy's."""
    return getattr(np, name)


def __dir__() -> list[str]:
    """List NumPy's names."""
    return dir(np)
