"""The methods of ufuncs: `reduce`, `accumulate`, `reduceat`, `outer`, `at`.

Floor: `numpy_api`.  What NumPy has under a name of its own, such as `np.sum`, goes there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .._typing import ArrayLike, Axis, Index
from ..arguments import plain, split_index, without_graph
from ..op import Op
from ..ops import index, scan, ufunc_methods
from ..tensor import UFUNC_METHODS, Tensor, apply, as_tensor
from .table import SUPPORT, Support, stored
from .ufuncs import OPS, call

_UNSET: Final = np._NoValue

_REDUCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}
_REDUCTION_OPS: Final[dict[Any, tuple[Op, float]]] = {
    np.logaddexp: (ufunc_methods.logaddexp_reduce, -math.inf),
    np.logaddexp2: (ufunc_methods.logaddexp2_reduce, -math.inf),
    np.hypot: (ufunc_methods.hypot_reduce, 0.0),
    np.fmax: (ufunc_methods.fmax_reduce, math.nan),
    np.fmin: (ufunc_methods.fmin_reduce, math.nan),
}
"""The reductions with a rule of their own, and what changes no result of the ufunc."""

_SCANS: Final[dict[Any, Op]] = {
    np.add: scan.cumsum,
    np.multiply: scan.cumprod,
    np.maximum: scan.cumulative_max,
    np.minimum: scan.cumulative_min,
}


def reduce(
    ufunc: Any,
    array: ArrayLike,
    axis: Axis = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = _UNSET,
    where: Any = True,
) -> Any:
    """Fold along axes, by default the first: `f(f(x[0], x[1]), x[2])`, and so on."""
    options = {} if initial is _UNSET else {"initial": initial}
    if where is not True:
        options["where"] = plain(where)
    if ufunc not in OPS:
        options |= {"axis": axis, "dtype": dtype, "keepdims": keepdims}
        return _given(_outside(ufunc, "reduce", array, **options), out, ufunc)
    x = as_tensor(array)
    if ufunc in (np.add, np.multiply):
        options["dtype"] = dtype
    else:
        x = _cast(ufunc, x, dtype)
    if ufunc in _REDUCTIONS:
        result = _REDUCTIONS[ufunc](x, axis=axis, keepdims=keepdims, **options)
        return _given(result, out, ufunc)
    if options or ufunc not in _REDUCTION_OPS:
        with np.errstate(all="ignore"):  # for NumPy's errors
            plain_options = {key: plain(value) for key, value in options.items()}
            ufunc.reduce(x._data, axis=axis, keepdims=keepdims, **plain_options)
    if not options and ufunc in _REDUCTION_OPS:
        result = apply(_REDUCTION_OPS[ufunc][0], x, axis=axis, keepdims=keepdims)
    else:
        result = _fold(ufunc, x, axis, keepdims, initial, where)
    return _given(result, out, ufunc)


def _fold(ufunc: Any, x: Tensor, axis: Axis, keepdims: bool, initial: Any, where: Any) -> Any:
    """Fold along axes that are brought together to the end, from `initial` on if it is given."""
    axes = _axes(axis, x.ndim)
    lanes, mask = _lanes(x, axes), None
    if where is not True:
        mask = _lanes(np.broadcast_to(plain(where), x.shape), axes)
        if ufunc in _REDUCTION_OPS:
            lanes, mask = np.where(mask, lanes, _REDUCTION_OPS[ufunc][1]), None
    if initial is not _UNSET and initial is not None:
        first = np.broadcast_to(as_tensor(initial).astype(x.dtype), (*lanes.shape[:-1], 1))
        lanes = np.concatenate([first, lanes], axis=-1)
    if mask is not None:
        result = lanes[..., 0]
        options = {"ufunc": ufunc, "inner": OPS[ufunc], "casting": "same_kind"}
        for k in range(mask.shape[-1]):
            step = result, mask[..., k], result, lanes[..., k + 1]
            result = apply(ufunc_methods.masked, *step, **options)
    elif ufunc in _REDUCTION_OPS:
        result = apply(_REDUCTION_OPS[ufunc][0], lanes, axis=-1, keepdims=False)
    else:
        result = accumulate(ufunc, lanes, axis=-1)[..., -1]
    return np.expand_dims(result, axes) if keepdims else result


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes to reduce; of a 0-d array NumPy lets the first one be named."""
    if axis is None or not ndim:
        return tuple(range(ndim))
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axis, ndim)))


def _lanes(x: Any, axes: tuple[int, ...]) -> Any:
    """Bring the axes to the end and make them one."""
    moved = np.moveaxis(x, axes, range(-len(axes), 0)) if axes else x
    count = math.prod(x.shape[a] for a in axes)
    return np.reshape(moved, (*moved.shape[: x.ndim - len(axes)], count))


def accumulate(
    ufunc: Any, array: ArrayLike, axis: Any = 0, dtype: Any = None, out: Any = None
) -> Any:
    """Return all results on the way of `reduce`."""
    x = as_tensor(array)
    if ufunc not in OPS or not x.shape or axis is None:
        return _given(_outside(ufunc, "accumulate", array, axis=axis, dtype=dtype), out, ufunc)
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    if ufunc in (np.add, np.multiply):
        kind = {} if dtype is None else {"dtype": dtype}
        result = apply(_SCANS[ufunc], x, axis=axis, **kind)
        return _given(result, out, ufunc)
    x = _cast(ufunc, x, dtype)
    if ufunc in _SCANS:
        result = apply(_SCANS[ufunc], x, axis=axis)
    else:
        result = apply(ufunc_methods.accumulate, x, ufunc=ufunc, inner=OPS[ufunc], axis=axis)
    return _given(result, out, ufunc)


def reduceat(
    ufunc: Any,
    array: ArrayLike,
    indices: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Fold the stretches from each index up to the next."""
    x, indices = as_tensor(array), plain(indices)
    if ufunc not in OPS or not x.shape or axis is None:
        result = _outside(ufunc, "reduceat", array, indices, axis=axis, dtype=dtype)
        return _given(result, out, ufunc)
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    indices = np.asarray(indices) if np.size(indices) else np.zeros(0, np.intp)
    x = _cast(ufunc, x, dtype)
    if ufunc is np.add:
        result = apply(scan.add_reduceat, x, indices, axis=axis, size=x.shape[axis])
    else:
        options = {"ufunc": ufunc, "inner": OPS[ufunc], "axis": axis}
        result = apply(ufunc_methods.reduceat, x, indices, **options)
    return _given(result, out, ufunc)


def outer(ufunc: Any, a: ArrayLike, b: ArrayLike, **options: Any) -> Any:
    """Apply to all pairs of an element of `a` and an element of `b`."""
    if ufunc.nin != 2 or ufunc.signature:
        return _outside(ufunc, "outer", a, b, **options)
    first, second = as_tensor(a), as_tensor(b)
    return call(ufunc, first.reshape(first.shape + (1,) * second.ndim), second, **options)


def at(ufunc: Any, a: Any, indices: Index, *operands: ArrayLike) -> None:
    """Operate in place at an index, once for each time that it names an element."""
    if not isinstance(a, Tensor) or ufunc not in OPS or len(operands) != ufunc.nin - 1:
        without_graph(f"np.{ufunc.__name__}.at", ufunc.at, (a, indices, *operands), {})
        return
    template, arrays = split_index(indices)
    values = [x if isinstance(x, Tensor) else _like(x, a.dtype) for x in operands]
    if ufunc in (np.add, np.subtract) and a.dtype.kind in "fc":
        value = values[0] if ufunc is np.add else np.negative(values[0])
        a._write(index.add_at, [value], arrays, template=template)
        return
    options = {"ufunc": ufunc, "inner": OPS[ufunc], "template": template}
    a._write(ufunc_methods.at, values, arrays, **options)


def _like(value: ArrayLike, dtype: Any) -> Any:
    """Return an operand as an array; a Python number takes the dtype of the tensor."""
    if type(value) in (int, float, complex) and np.result_type(value, dtype) == dtype:
        return np.asarray(value, dtype)
    return np.asarray(value)


def _cast(ufunc: Any, x: Tensor, dtype: Any) -> Tensor:
    """Cast what a ufunc of two arguments is to fold, if it folds arrays of this dtype."""
    if dtype is None:
        return x
    kinds, asked = (x.dtype, x.dtype, None), (None, None, np.dtype(dtype))
    return x.astype(ufunc.resolve_dtypes(kinds, signature=asked, casting="unsafe")[0])


def _outside(ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Let NumPy run on the data: results of integers or booleans, and NumPy's own errors."""
    name = f"np.{ufunc.__name__}.{method}"
    if SUPPORT.get(ufunc) is Support.NO_GRADIENT:
        return getattr(ufunc, method)(*plain(args), **plain(kwargs))
    return without_graph(name, getattr(ufunc, method), args, kwargs)


def _given(result: Any, out: Any, ufunc: Any) -> Any:
    """Hand out a result, by way of `out=` if that was given."""
    if isinstance(out, tuple):
        (out,) = out
    return result if out is None else stored(result, out, ufunc.__name__)


for _method in (reduce, accumulate, reduceat, outer, at):
    UFUNC_METHODS[_method.__name__] = _method
