"""Functions that normalise over axes: logsumexp, softmax and its logarithm.

Floor: `ops`.  All take `axis` (int, tuple, None, negative) as a static parameter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Axis
from ..op import op
from .reduce import over_axis, restored


def _logsumexp(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """Shift by the maximum, so that exp cannot overflow; by 0 where that is infinite.

    Of complex numbers by a real one, which leaves the logarithm on its branch.
    """
    largest = np.max(np.real(x), axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):  # log(0) is the answer where all are -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return out if keepdims else np.squeeze(out, axis)


def _logsumexp_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    """The softmax; where all are -inf, exp(-inf - 0) = 0 (case 26)."""
    total = restored(np.where(out == -np.inf, 0.0, out), axis, keepdims)
    return restored(g, axis, keepdims) * np.exp(x - total)


def _softmax(x: Any, *, axis: Axis) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _softmax_rule(g: Any, out: Any, _x: Any, *, axis: Axis) -> Any:
    """`s (g - sum(g s))`."""
    return out * (g - np.sum(g * out, axis=axis, keepdims=True))


def _log_softmax(x: Any, *, axis: Axis) -> Any:
    shifted = x - np.max(np.real(x), axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_rule(g: Any, out: Any, _x: Any, *, axis: Axis) -> Any:
    """`g - exp(out) sum(g)`."""
    return g - np.exp(out) * np.sum(g, axis=axis, keepdims=True)


logsumexp = op(_logsumexp, _logsumexp_rule, name="logsumexp", groups=over_axis)
softmax = op(_softmax, _softmax_rule, name="softmax", groups=over_axis)
log_softmax = op(_log_softmax, _log_softmax_rule, name="log_softmax", groups=over_axis)
