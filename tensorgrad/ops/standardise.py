"""Standardising: mean 0 and variance 1 for batch, layer and group norm; and RMS norm.

Floor: `ops`.  The tests compare each with its composition.

What is normalised with what is said as `numpy.einsum` says it.  `x`, reshaped to `view`, has the
axes named by the letters of `axes`; there is a mean and a variance for each index of `kept`, and a
weight and a bias for each of `per`: "ncs", "c" and "c" are a batch norm of channels, "rn", "r" and
"n" a layer norm of rows.  Without a weight `per` is `kept`.

For float32 of shape (64, 32, 14, 14) einsum adds up in a third of the time of `sum(axis=(0, 2))`,
and products in less than half of the time of a product and a sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Shape
from ..op import op


def _total(axes: str, kept: str, *arrays: Any) -> Any:
    """Add up an array, or the products of two, over the axes that are not kept."""
    return np.einsum(f"{','.join([axes] * len(arrays))}->{kept}", *arrays)


def _spread(a: Any, axes: str, kept: str, view: Shape) -> Any:
    """Give an array that has the kept axes the others as well, of length 1."""
    return np.reshape(
        a, tuple(size if letter in kept else 1 for letter, size in zip(axes, view, strict=True))
    )


def _centred(x: Any, view: Shape, axes: str, kept: str) -> tuple[Any, Any, Any]:
    """Return the deviations from the mean as a new array, the mean, and the variance.

    The mean is taken out twice: what the first one lost by rounding, where it is large compared to
    the deviations, is in the second.
    """
    x = np.reshape(x, view)
    means = _total(axes, kept, x)
    share = means.size / max(1, x.size)
    mean = means * share
    y = x - _spread(mean, axes, kept, view)
    rest = _total(axes, kept, y) * share
    y -= _spread(rest, axes, kept, view)
    return y, mean + rest, _total(axes, kept, y, y) * share


def _standardise(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    view: Shape,
    axes: str,
    kept: str,
    per: str,
    eps: float,
    moments: list[Any] | None = None,
) -> Any:
    """`(x - mean) / sqrt(var + eps) * weight + bias`.

    A list given as `moments` gets mean and variance: who keeps running ones would have to compute
    them again, which takes half of the time of the rest.
    """
    y, mean, var = _centred(x, view, axes, kept)
    if moments is not None:
        moments.append((mean, var))
    scale = 1.0 / np.sqrt(var + eps)
    if weight is not None and per == kept:
        scale = scale * weight
    y *= _spread(scale, axes, kept, view)
    if weight is not None and per != kept:
        y *= _spread(weight, axes, per, view)
    if bias is not None:
        y += _spread(bias, axes, per, view)
    return np.reshape(y, x.shape)


def _standardise_rule(
    g: Any,
    _out: Any,
    x: Any,
    weight: Any = None,
    _bias: Any = None,
    *,
    needs: tuple[bool, ...],
    view: Shape,
    axes: str,
    kept: str,
    per: str,
    eps: float,
    moments: list[Any] | None = None,  # noqa: ARG001 - for the forward alone
) -> tuple[Any, ...]:
    """With z standardised and h = g weight: `(h - mean(h) - z mean(h z)) / sqrt(var + eps)`.

    By the weight it is `sum(g z)`, by the bias `sum(g)`.
    """
    z, _, var = _centred(x, view, axes, kept)
    share = var.size / max(1, x.size)
    scale = 1.0 / np.sqrt(var + eps)
    z *= _spread(scale, axes, kept, view)
    g = np.reshape(g, view)
    by_weight, by_bias = _total(axes, per, g, z), _total(axes, per, g)
    gx = None
    if needs[0] and per == kept:  # the weight is a factor of all sums
        scale = scale if weight is None else scale * weight
        gx = g * _spread(scale, axes, kept, view)
        z *= _spread(scale * by_weight * share, axes, kept, view)
        z += _spread(scale * by_bias * share, axes, kept, view)
        gx -= z
    elif needs[0]:
        gx = g * _spread(weight, axes, per, view)
        mean = _total(axes, kept, gx) * share
        z *= _spread(_total(axes, kept, gx, z) * share, axes, kept, view)
        z += _spread(mean, axes, kept, view)
        gx -= z
        gx *= _spread(scale, axes, kept, view)
    if weight is not None:
        by_weight, by_bias = np.reshape(by_weight, weight.shape), np.reshape(by_bias, weight.shape)
    return (gx if gx is None else np.reshape(gx, x.shape), by_weight, by_bias)[: len(needs)]


standardise = op(_standardise, joint=_standardise_rule, name="standardise")


def _rms_norm(x: Any, weight: Any = None, *, eps: float) -> Any:
    """`x / sqrt(mean(x**2) + eps) * weight`, for each row of a matrix."""
    scale = 1.0 / np.sqrt(_total("rn", "r", x, x) * (1.0 / x.shape[1]) + eps)
    y = x * np.reshape(scale, (-1, 1))
    if weight is not None:
        y *= weight
    return y


def _rms_norm_rule(
    g: Any, _out: Any, x: Any, weight: Any = None, *, needs: tuple[bool, ...], eps: float
) -> tuple[Any, ...]:
    """With z normalised, s the scale and h = g weight: `s (h - z mean(h z))`; `sum(g z)`."""
    share = 1.0 / x.shape[1]
    scale = np.reshape(1.0 / np.sqrt(_total("rn", "r", x, x) * share + eps), (-1, 1))
    z = x * scale
    by_weight = _total("rn", "n", g, z) if needs[1:] else None
    h = g if weight is None else g * weight
    z *= np.reshape(_total("rn", "r", h, z) * share, (-1, 1))
    gx = h - z
    gx *= scale
    return (gx, by_weight)[: len(needs)]


rms_norm = op(_rms_norm, joint=_rms_norm_rule, name="rms_norm")
