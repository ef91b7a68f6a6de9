"""The options and the methods of ufuncs: `out=`, `where=`, `dtype=`; `reduce`, `at` and the others.

Floor: `numpy_api`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .._typing import ArrayLike, Index
from ..arguments import split_index, without_graph
from ..ops import index
from ..tensor import UFUNC_METHODS, Tensor


def call(ufunc: Any, *inputs: Any, **kwargs: Any) -> Any:
    """Call a ufunc with options, or one that is not in the table."""
    return _without_graph(ufunc, "__call__", inputs, kwargs)


def at(ufunc: Any, a: Any, indices: Index, *operands: ArrayLike) -> None:
    """Operate in place at an index, once for each time that it names an element."""
    if ufunc is not np.add or not isinstance(a, Tensor):
        _without_graph(ufunc, "at", (a, indices, *operands), {})
        return
    template, arrays = split_index(indices)
    a._write(index.add_at, template, arrays, *operands)


def _without_graph(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    options = "".join(f", {key}=" for key in kwargs)
    return without_graph(name + options, getattr(ufunc, method), inputs, kwargs)


UFUNC_METHODS["__call__"] = call
UFUNC_METHODS["at"] = at
for _name in ("reduce", "accumulate", "reduceat", "outer"):
    UFUNC_METHODS[_name] = functools.partial(
        lambda name, ufunc, *inputs, **kwargs: _without_graph(ufunc, name, inputs, kwargs), _name
    )
