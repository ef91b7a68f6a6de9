"""Fused operations: one op with a rule of its own where a composition would be slower.

Floor: `ops`.  The tests compare each with its composition.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import op
from .normalise import softmax


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    """`x weightᵀ + bias`; the bias is added in place, which saves a pass over new memory."""
    out = x @ weight.T
    if out.shape and out.dtype == bias.dtype:
        out += bias
        return out
    return out + bias


def _rows(x: Any) -> Any:
    """Lay the leading axes of `x` side by side."""
    return x if x.ndim == 2 else np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


linear = op(
    _linear,
    lambda g, _out, _x, weight, _bias: g @ weight,
    # (out, in) as it is: gᵀ x needs no transposed copy of the result.
    lambda g, _out, x, _weight, _bias: _rows(g).T @ _rows(x),
    lambda g, _out, _x, _weight, _bias: _rows(g).sum(axis=0),
    name="linear",
)


def _nll(logits: Any, labels: Any) -> Any:
    """`logsumexp(logits) - logits[label]` per row, finite for any finite logits (case 29)."""
    shifted = logits - np.real(logits).max(axis=-1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=-1))
    return total - _picked(shifted, labels)


def _picked(logits: Any, labels: Any) -> Any:
    """Take from each row the entry of its label."""
    return np.take_along_axis(logits, np.expand_dims(labels, -1), axis=-1)[..., 0]


def _nll_rule(g: Any, _out: Any, logits: Any, labels: Any) -> Any:
    """`g (softmax - one_hot)`."""
    classes = np.arange(logits.shape[-1], like=labels)
    one_hot = np.expand_dims(labels, -1) == classes
    return np.expand_dims(g, -1) * (softmax(logits, axis=-1) - one_hot)


softmax_cross_entropy = op(
    _nll, _nll_rule, None, name="softmax_cross_entropy", groups=lambda **_: -1
)
