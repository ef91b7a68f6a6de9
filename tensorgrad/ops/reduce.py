"""Reductions over axes.

Floor: `ops`.  All take `axis` (int, tuple, None, negative) and `keepdims` as static parameters, and
those that NumPy gives it `dtype`.  After the array may come `where`, a mask or True, and one more:
`initial`, or for var and std the `mean`; a plain call passes neither.  `groups=over_axis` tells the
engine which elements depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from .._typing import Axis
from ..op import Op, conjugate, op, unbroadcast
from .pick import put_extremum, put_range


def over_axis(*, axis: Axis, **_params: Any) -> Axis:
    """Return the axes that a reduction joins."""
    return axis


def restored(g: Any, axis: Axis, keepdims: bool) -> Any:
    """Give back to `g` the axes that the reduction removed, with size 1."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def full(g: Any, ndim: int, axis: Axis, keepdims: bool) -> Any:
    """As `restored`, where all axes were removed as well."""
    return np.reshape(g, (1,) * ndim) if axis is None else restored(g, axis, keepdims)


def _method(name: str, *options: str) -> Callable[..., Any]:
    """Make a forward of a method of arrays, which starts a microsecond before NumPy's function."""

    def forward(x: Any, *given: Any, **params: Any) -> Any:
        if given:
            params |= dict(zip(options, given, strict=False))
        return getattr(x, name)(**params)

    return forward


def _fold(ufunc: np.ufunc, *options: str) -> Callable[..., Any]:
    """Make a forward of `ufunc.reduce`, two calls before the method of arrays comes to it."""
    reduce: Callable[..., Any] = ufunc.reduce

    def forward(
        x: Any, *given: Any, axis: Axis, keepdims: bool, dtype: Any = None, **params: Any
    ) -> Any:
        if given:
            params |= dict(zip(options, given, strict=False))
        return reduce(x, axis, dtype, None, keepdims, **params)

    return forward


def _masked(gx: Any, options: tuple[Any, ...]) -> Any:
    """Put 0 where the mask left an element out."""
    return np.where(options[0], gx, 0.0) if options and options[0] is not True else gx


# --- sum and mean ---------------------------------------------------------------------------------


def _sum_rule(
    g: Any, _out: Any, _x: Any, *options: Any, axis: Axis, keepdims: bool, **_: Any
) -> Any:
    """Every element gets the cotangent of its sum."""
    return np.broadcast_to(_masked(restored(g, axis, keepdims), options), _x.shape)


def _sum_initial_rule(g: Any, _out: Any, _x: Any, _where: Any, _initial: Any, **_: Any) -> Any:
    """It is in every sum."""
    return np.reshape(np.sum(g), _initial.shape)


def _per_unit(x: Any, g: Any, options: tuple[Any, ...], axis: Axis, ddof: float = 0) -> Any:
    """Return `1 / (n - ddof)`, NaN where NumPy's own value is NaN; of counts, if there is a mask.

    As a factor: n itself may overflow float16 (case 69).
    """
    if not options or options[0] is True:
        size = math.prod(x.shape)
        n = (size // g.size if size else 1) - ddof
        return 1.0 / n if n > 0 else math.nan
    mask = np.broadcast_to(options[0], x.shape)
    count = np.sum(mask, axis=axis, keepdims=True) - ddof
    return (1.0 / np.where(count > 0, count, math.nan)).astype(g.dtype)


def mean_rule(
    g: Any, _out: Any, _x: Any, *options: Any, axis: Axis, keepdims: bool, **_: Any
) -> Any:
    """As for sum, over n."""
    if not options:
        g = restored(g * _per_unit(_x, g, options, axis), axis, keepdims)
    else:
        g = full(g, len(_x.shape), axis, keepdims) * _per_unit(_x, g, options, axis)
    return np.broadcast_to(_masked(g, options), _x.shape)


# --- max and min ----------------------------------------------------------------------------------


def extremum_rule(
    g: Any, out: Any, x: Any, *options: Any, axis: Axis, keepdims: bool, keep_nan: bool = True
) -> Any:
    """Equal extrema share the cotangent; a NaN is the extremum wherever it stands (case 16).

    Where `initial` is as large, nothing depends on x to one side: the smallest subgradient is 0.
    """
    if len(options) == 2:
        g = np.where(out == options[1], 0.0, g)
    g, out = (full(a, x.ndim, axis, keepdims) for a in (g, out))
    return put_extremum(g, x, out, options[0] if options else True, axis=axis, keep_nan=keep_nan)


def _ptp_rule(g: Any, _out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """That of max less that of min."""
    g = full(g, x.ndim, axis, keepdims)
    largest, least = np.max(x, axis=axis, keepdims=True), np.min(x, axis=axis, keepdims=True)
    return put_range(g, x, largest, least, axis=axis)


# --- var and std ----------------------------------------------------------------------------------


def _deviation(x: Any, options: tuple[Any, ...], axis: Axis) -> Any:
    """Return `x - mean`."""
    if len(options) == 2:
        return x - options[1]
    if not options or options[0] is True:
        return x - np.mean(x, axis=axis, keepdims=True)
    share = np.where(options[0], x * _per_unit(x, x, options, axis), 0.0)
    return x - np.sum(share, axis=axis, keepdims=True)


def var_rule(
    g: Any, _out: Any, x: Any, *options: Any, axis: Axis, keepdims: bool, ddof: float, **_: Any
) -> Any:
    """`2 (x - mean) / (n - ddof)`."""
    g = full(g, x.ndim, axis, keepdims)
    if not x.size:
        return np.broadcast_to(g, x.shape)
    slope = conjugate(_deviation(x, options, axis))
    slope *= g * (2.0 * _per_unit(x, g, options, axis, ddof))
    return _masked(slope, options)


def std_rule(
    g: Any, out: Any, x: Any, *options: Any, axis: Axis, keepdims: bool, ddof: float, **_: Any
) -> Any:
    """`conj(x - mean) / (n - ddof) / std`, and 0 where all are equal (case 32).

    The rounding of the mean of equal numbers may leave a deviation, and a std of the same size.
    """
    g, out = (full(a, x.ndim, axis, keepdims) for a in (g, out))
    if not x.size:
        return np.broadcast_to(g, x.shape)
    factor = g * _per_unit(x, g, options, axis, ddof) / (out + (out == 0))
    if len(options) < 2:
        where = options[0] if options else True
        largest = np.max(x, axis=axis, keepdims=True, initial=-math.inf, where=where)
        least = np.min(x, axis=axis, keepdims=True, initial=math.inf, where=where)
        factor = factor * (largest != least)
    slope = conjugate(_deviation(x, options, axis))
    slope *= factor
    return _masked(slope, options)


def mean_given(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Make the rule for a mean that was given from the rule for x: they differ in sign."""

    def mean_rule(g: Any, out: Any, x: Any, where: Any, mean: Any, **params: Any) -> Any:
        return unbroadcast(-rule(g, out, x, where, mean, **params), mean.shape)

    return mean_rule


# --- prod -----------------------------------------------------------------------------------------


_ROWS: Final = 8  # more are more calls, fewer are more memory


def _multiply(a: Any, at: slice, b: Any) -> None:
    """Multiply in place a slice of numbers, or of dual numbers `p + e q` with `e**2 = 0`."""
    if len(a) == 2:
        a[1, at] = a[0, at] * b[1] + a[1, at] * b[0]
    a[0, at] *= b[0]


def _others(x: Any) -> Any:
    """Return the product of all the other elements along axis 1, by multiplication alone.

    The elements are laid out in rows.  One needs what stands above it, what stands below it, and of
    the products of the columns the others.  That takes three multiplications per element, no
    division, and zeros need no special case.  Axis 0 holds the two parts of dual numbers.
    """
    others = np.zeros_like(x)
    if x.shape[1] < 2:
        others[0] = 1.0
        return others
    width = -(-x.shape[1] // _ROWS)
    rows = [slice(start, start + width) for start in range(0, x.shape[1], width)]
    product = np.copy(x[:, rows[0]])
    others[0, rows[0]] = 1.0
    for row in rows[1:]:
        part = x[:, row]
        columns = slice(part.shape[1])  # the last row may be shorter
        others[:, row] = product[:, columns]
        _multiply(product, columns, part)
    product = _others(product)
    for row in reversed(rows):
        part = x[:, row]
        columns = slice(part.shape[1])
        _multiply(others, row, product[:, columns])
        _multiply(product, columns, part)
    return others


def _others_over(x: Any, axis: Axis) -> Any:
    """As `_others`, over axes that are numbered without axis 0."""
    ndim = x.ndim - 1
    axes = range(ndim) if axis is None else np.atleast_1d(axis)
    reduced = sorted(int(a) % ndim for a in axes)
    order = [*reduced, *(a for a in range(ndim) if a not in reduced)]
    turned = np.transpose(x, [0, *(a + 1 for a in order)])
    count = math.prod(x.shape[a + 1] for a in reduced)
    others = _others(np.reshape(turned, (len(x), count, *turned.shape[1 + len(reduced) :])))
    back = sorted(range(ndim), key=order.__getitem__)
    return np.transpose(np.reshape(others, turned.shape), [0, *(a + 1 for a in back)])


def _prod_slope(g: Any, x: Any, total: Any, *, axis: Axis) -> Any:
    """`g`, equal within a group, times the others: by division, if nothing is lost in the total."""
    if np.all(np.isfinite(total) & (np.abs(total) >= np.finfo(x.dtype).tiny)):
        one = tuple(slice(1 if kept == 1 else None) for kept in total.shape)
        return g[one] * total / x
    return g * _others_over(x[None], axis)[0]


def _slope_by_g(g: Any, _out: Any, _g: Any, x: Any, total: Any, *, axis: Axis) -> Any:
    """The others."""
    return g * prod_slope(np.ones_like(x), x, total, axis=axis)


def _slope_by_x(g: Any, _out: Any, g_before: Any, x: Any, _total: Any, *, axis: Axis) -> Any:
    """The second derivative in the direction g, whose matrix is symmetric."""
    return g_before * _others_over(np.stack([x, g]), axis)[1]


# All but the total, which has no rule since it is no more than a help, are of one shape.
prod_slope = op(_prod_slope, _slope_by_g, _slope_by_x, name="prod slope", groups=over_axis)


def _prod_rule(
    g: Any, out: Any, x: Any, *options: Any, axis: Axis, keepdims: bool, **_: Any
) -> Any:
    """The product of all the other elements, also where some are zero (case 30)."""
    if options:
        x = np.where(options[0], x, 1.0)
        out = np.prod(x, axis=axis, keepdims=keepdims)
    if len(options) == 2:
        g = g * options[1]
    g, out = (full(a, x.ndim, axis, keepdims) for a in (g, out))
    return _masked(prod_slope(np.broadcast_to(g, x.shape), x, out, axis=axis), options)


def _prod_initial_rule(
    g: Any, _out: Any, x: Any, where: Any, _initial: Any, *, axis: Axis, keepdims: bool, **_: Any
) -> Any:
    """The product of the elements, for every result."""
    rest = np.prod(np.where(where, x, 1.0), axis=axis, keepdims=keepdims)
    return np.reshape(np.sum(g * rest), _initial.shape)


# --- the ops --------------------------------------------------------------------------------------


def _folding(name: str, ufunc: np.ufunc, *rules: Any) -> Op:
    """Declare a reduction by a ufunc; its mask has no gradient."""
    return op(_fold(ufunc, "where", "initial"), *rules, name=name, groups=over_axis)


def _averaging(name: str, *rules: Any, options: tuple[str, ...] = ("where", "mean")) -> Op:
    """Declare a reduction that is a method of arrays; its mask has no gradient."""
    return op(_method(name, *options), *rules, name=name, groups=over_axis)


sum = _folding("sum", np.add, _sum_rule, None, _sum_initial_rule)
mean = _averaging("mean", mean_rule)
max = _folding("max", np.maximum, extremum_rule)
min = _folding("min", np.minimum, extremum_rule)
ptp = op(lambda x, **params: np.ptp(x, **params), _ptp_rule, name="ptp", groups=over_axis)
prod = _folding("prod", np.multiply, _prod_rule, None, _prod_initial_rule)
var = _averaging("var", var_rule, None, mean_given(var_rule))
std = _averaging("std", std_rule, None, mean_given(std_rule))
