"""The ufuncs of NumPy: what stands for each, and their options `out`, `where`, `dtype`, `axes`.

Floor: `numpy_api`.  Their methods (`reduce`, `at`, ...) are in `ufunc_methods`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain, without_graph
from ..op import Op
from ..ops import complex_numbers, elementwise, rounding, ufunc_methods
from ..tensor import NUMPY_TABLE, UFUNC_METHODS, Tensor, apply, as_tensor
from .elementwise import of_one, of_two
from .table import Support, implements, no_gradient, stored

_ELEMENTWISE = """
    absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt cos cosh deg2rad degrees
    divide exp exp2 expm1 fabs float_power fmax fmin hypot log log10 log1p log2 logaddexp logaddexp2
    maximum minimum multiply negative positive power rad2deg radians reciprocal sign sin sinh sqrt
    square subtract tan tanh
"""
_ROUNDING = """
    ceil copysign floor floor_divide fmod heaviside ldexp nextafter remainder rint spacing trunc
"""
_ZERO = (np.ceil, np.floor, np.floor_divide, np.rint, np.sign, np.spacing, np.trunc)

OPS: Final[dict[Any, Op]] = {
    **{getattr(np, name): getattr(elementwise, name) for name in _ELEMENTWISE.split()},
    **{getattr(np, name): getattr(rounding, name) for name in _ROUNDING.split()},
    np.conjugate: complex_numbers.conj,
}
"""The op of each ufunc that has a derivative and one result."""

for _ufunc, _op in OPS.items():
    _support = Support.ZERO_GRADIENT if _ufunc in _ZERO else Support.DIFFERENTIABLE
    implements(_ufunc, support=_support)(of_one(_op) if _ufunc.nin == 1 else of_two(_op))

no_gradient(
    np.bitwise_and,
    np.bitwise_count,
    np.bitwise_or,
    np.bitwise_xor,
    np.equal,
    np.gcd,
    np.greater,
    np.greater_equal,
    np.invert,
    np.isfinite,
    np.isinf,
    np.isnan,
    np.isnat,
    np.lcm,
    np.left_shift,
    np.less,
    np.less_equal,
    np.logical_and,
    np.logical_not,
    np.logical_or,
    np.logical_xor,
    np.not_equal,
    np.right_shift,
    np.signbit,
)

# --- two results ----------------------------------------------------------------------------------


@implements(np.divmod)
def divmod(x: ArrayLike, y: ArrayLike) -> tuple[Tensor, Tensor]:
    """Quotient, rounded down, and remainder."""
    return apply(rounding.floor_divide, x, y), apply(rounding.remainder, x, y)


@implements(np.modf)
def modf(x: ArrayLike) -> tuple[Tensor, Tensor]:
    """Fraction and whole part."""
    return apply(rounding.fraction, x), apply(rounding.whole, x)


@implements(np.frexp)
def frexp(x: ArrayLike) -> tuple[Tensor, Any]:
    """Mantissa and exponent, which is an array of integers outside the graph."""
    return apply(rounding.mantissa, x), np.frexp(plain(x))[1]


# --- rounding that is no ufunc --------------------------------------------------------------------


@implements(np.round, np.around, support=Support.ZERO_GRADIENT)
def round(a: ArrayLike, decimals: int = 0) -> Tensor:
    """Round to a number of decimals, halves to the even digit."""
    return apply(rounding.round, a, decimals=decimals)


@implements(np.fix, support=Support.ZERO_GRADIENT)
def fix(x: ArrayLike) -> Tensor:
    """Round towards 0."""
    return apply(rounding.trunc, x)


# --- options --------------------------------------------------------------------------------------


def call(ufunc: Any, *inputs: Any, **options: Any) -> Any:
    """Call a ufunc with options, or one that is not in the table."""
    if ufunc not in NUMPY_TABLE:
        return without_graph(f"np.{ufunc.__name__}", ufunc, inputs, options)
    return _with_options(ufunc, inputs, **options)


def _with_options(
    ufunc: Any,
    inputs: tuple[Any, ...],
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: Any = "same_kind",
    signature: Any = None,
    order: str = "K",
    subok: bool = True,
    **core: Any,
) -> Any:
    """Cast, compute, and write into `out`.

    `core` holds `axis`, `axes` and `keepdims`, for those that work on whole rows or matrices.
    """
    del order, subok  # they change no value
    outs = out if isinstance(out, tuple) else (out,) * ufunc.nout
    if ufunc is np.divmod and signature is None:
        options = {"where": where, "dtype": dtype, "casting": casting}
        parts = zip((np.floor_divide, np.remainder), outs, strict=True)
        return tuple(call(part, *inputs, out=own, **options) for part, own in parts)
    function = NUMPY_TABLE[ufunc]
    if core:
        function = _along(ufunc, function, **core)
    operands, result_dtype = _cast(ufunc, inputs, dtype, casting, signature)
    where = plain(where)
    if where is not True and ufunc in OPS:
        old = outs[0]
        if old is None:
            shape = np.broadcast_shapes(np.shape(where), *map(np.shape, operands))
            old = np.zeros(shape, result_dtype)
        options = {"ufunc": ufunc, "inner": OPS[ufunc], "casting": casting}
        results: Any = apply(ufunc_methods.masked, old, where, *operands, **options)
    else:
        results = function(*operands)
    if ufunc.nout == 1:
        results = (results,)
    if where is not True and ufunc not in OPS:
        results = [
            np.where(where, result, np.zeros((), result.dtype) if old is None else old)
            for result, old in zip(results, outs, strict=True)
        ]
    given = [
        result if old is None else _written(result, old, casting, ufunc)
        for result, old in zip(results, outs, strict=True)
    ]
    return given[0] if ufunc.nout == 1 else tuple(given)


def _written(result: Any, out: Any, casting: Any, ufunc: Any) -> Any:
    """Write a result into what was given as `out=`, and return that."""
    if result.dtype != out.dtype:
        result = as_tensor(result).astype(out.dtype, casting=casting)
    return stored(result, out, ufunc.__name__)


def _cast(
    ufunc: Any, inputs: tuple[Any, ...], dtype: Any, casting: Any, signature: Any
) -> tuple[list[Any], Any]:
    """Cast the inputs as NumPy does for `dtype=`; return them, and the dtype of the result."""
    numbers = (int, float, complex)  # weak: they take the dtype of the others
    tensors = [x if type(x) in numbers else as_tensor(x) for x in inputs]
    kinds = [type(x) if type(x) in numbers else x.dtype for x in tensors]
    given: dict[str, Any] = {}
    if dtype is not None:
        signature = (None,) * ufunc.nin + (dtype,) * ufunc.nout
    if isinstance(signature, str):
        signature = tuple(signature.replace("->", ""))
    if signature is not None:
        kinds_asked = (None if kind is None else np.dtype(kind) for kind in signature)
        given["signature"] = tuple(kinds_asked)
    resolved = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout), casting=casting, **given)
    cast = [
        x if type(x) in numbers or x.dtype == kind else x.astype(kind)
        for x, kind in zip(tensors, resolved, strict=False)
    ]
    return cast, resolved[-1]


def _along(
    ufunc: Any,
    function: Any,
    axis: int | None = None,
    axes: Any = None,
    keepdims: bool = False,
) -> Any:
    """Make the function of a ufunc on vectors or matrices that lie along other axes than the last.

    `axes` lists the axes of each input and of the result; `axis` is the same one for all.
    """
    if axes is None:
        if ufunc.signature != "(n),(n)->()":  # NumPy's error: only vectors have one axis
            ufunc(*[np.zeros((1, 1))] * ufunc.nin, axis=axis, keepdims=keepdims)
        own = -1 if axis is None else axis
        axes = [own] * ufunc.nin + ([own] if keepdims else [])
    entries = [entry if isinstance(entry, tuple) else (entry,) for entry in axes]
    if len(entries) == ufunc.nin:
        entries.append(())

    def moved(*inputs: Any) -> Any:
        tensors: list[Any] = [as_tensor(x) for x in inputs]
        last = [
            np.moveaxis(x, entry, range(-len(entry), 0))
            for x, entry in zip(tensors, entries, strict=False)
        ]
        result = function(*last)
        if keepdims:
            result = np.expand_dims(result, -1)
        return np.moveaxis(result, range(-len(entries[-1]), 0), entries[-1])

    return moved


UFUNC_METHODS["__call__"] = call
