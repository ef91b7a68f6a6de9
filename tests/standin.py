"""An array type that speaks NumPy's protocols and nothing else, as CuPy's does.

It refuses what those would refuse: to become an ndarray unasked, and to meet one.  A rule that runs
on it runs on any such type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class StandIn(NDArrayOperatorsMixin):
    """An array in a box.  All that comes out is boxed, single numbers as 0-d arrays."""

    def __init__(self, array: Any) -> None:
        self.array = np.array(array)

    def __array__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError("a StandIn does not turn into an ndarray by itself: something converts it")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(foreign(x) for x in inputs):
            return NotImplemented
        return boxed(getattr(ufunc, method)(*unboxed(inputs), **unboxed(kwargs)))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(kind, StandIn | np.ndarray) for kind in types):
            return NotImplemented
        return boxed(func(*unboxed(args), **unboxed(kwargs)))

    def __getattr__(self, name: str) -> Any:
        if name not in {"shape", "dtype", "ndim", "size", "T"} | METHODS:
            raise AttributeError(f"a StandIn has no {name!r}: not every array type has")
        found = getattr(self.array, name)
        if name in METHODS:
            return lambda *args, **kwargs: boxed(found(*unboxed(args), **unboxed(kwargs)))
        return boxed(found)

    def __getitem__(self, index: Any) -> Any:
        return boxed(self.array[unboxed(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[unboxed(index)] = unboxed(value)

    def __len__(self) -> int:
        return len(self.array)

    def __bool__(self) -> bool:
        return bool(self.array)

    def __repr__(self) -> str:
        return f"StandIn({self.array!r})"


METHODS = {"all", "any", "astype", "copy", "max", "mean", "min", "prod", "ravel", "reshape"}
METHODS |= {"std", "sum", "var"}


def foreign(x: Any) -> bool:
    """Tell whether another type wants its say: a Tensor."""
    return hasattr(x, "__array_ufunc__") and not isinstance(x, StandIn | np.ndarray | np.generic)


def unboxed(data: Any) -> Any:
    """Take the arrays out of nested arguments; an array without a box is an error."""
    if isinstance(data, StandIn):
        return data.array
    if isinstance(data, np.ndarray) and data.ndim:
        raise TypeError(f"a StandIn met an ndarray of shape {data.shape}")
    if isinstance(data, list | tuple):
        return type(data)(unboxed(item) for item in data)
    if isinstance(data, dict):
        return {key: unboxed(item) for key, item in data.items()}
    return data


def boxed(result: Any) -> Any:
    """Put the arrays of a result into boxes."""
    if isinstance(result, np.ndarray | np.generic):
        return StandIn(result)
    if isinstance(result, list | tuple):
        make = getattr(type(result), "_make", type(result))  # a named tuple has its own way
        return make(boxed(item) for item in result)
    return result
