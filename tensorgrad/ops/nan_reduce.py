"""Reductions that leave NaN out: its gradient is 0, and the rest is a reduction under a mask.

Floor: `ops`.  nansum, nanprod and the cumulative ones are compositions on `replace_nan`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import Op, op
from .reduce import extremum_rule, mean_given, mean_rule, over_axis, std_rule, var_rule


def _replace_nan(x: Any, *, value: float) -> Any:
    """Copy as NumPy's own reductions do, in the same order of memory."""
    result = np.copy(x, order="K")
    np.copyto(result, value, where=np.isnan(x))
    return result


replace_nan = op(
    _replace_nan,
    lambda g, _out, x, **_: np.where(np.isnan(x), 0.0, g),
    name="replace nan",
    elementwise=True,
)


def _without_nan(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Make the rule of a reduction that leaves NaN out from the rule under a mask."""

    def nan_rule(g: Any, out: Any, x: Any, *options: Any, **params: Any) -> Any:
        there = ~np.isnan(x)
        where = there if not options or options[0] is True else there & options[0]
        return rule(g, out, x, where, *options[1:], **params)

    return nan_rule


def _nan_reduction(function: Any, *rules: Any, options: tuple[str, ...] = ("where",)) -> Op:
    """Declare a reduction of NumPy's, whose options come as in `reduce`."""

    def forward(x: Any, *given: Any, **params: Any) -> Any:
        return function(x, **params, **dict(zip(options, given, strict=False)))

    return op(forward, *rules, name=function.__name__, groups=over_axis)


_by_mean = (None, _without_nan(mean_given(var_rule))), (None, _without_nan(mean_given(std_rule)))
_extremum = functools.partial(extremum_rule, keep_nan=False)

nanmean = _nan_reduction(np.nanmean, _without_nan(mean_rule))
nanvar = _nan_reduction(np.nanvar, _without_nan(var_rule), *_by_mean[0], options=("where", "mean"))
nanstd = _nan_reduction(np.nanstd, _without_nan(std_rule), *_by_mean[1], options=("where", "mean"))
nanmax = _nan_reduction(np.nanmax, _extremum, options=("where", "initial"))
nanmin = _nan_reduction(np.nanmin, _extremum, options=("where", "initial"))
