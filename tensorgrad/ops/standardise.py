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

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import Shape
from ..op import op


def _lengths(view: Shape, axes: str, kept: str) -> Shape:
    """Return the lengths of the kept axes."""
    return tuple([n for letter, n in zip(axes, view, strict=True) if letter in kept])


def _spread(a: Any, view: Shape, axes: str, kept: str) -> Any:
    """Give an array that has the kept axes the others as well, of length 1."""
    return a.reshape([n if letter in kept else 1 for letter, n in zip(axes, view, strict=True)])


def _total(axes: str, kept: str, a: Any, b: Any = None, its: str = "") -> Any:
    """Add up `a`, or `a * b`, over the axes that are not kept; `b` has all axes, or `its`.

    For a matrix and a vector BLAS takes less than half of the time of einsum.
    """
    if axes == kept:
        return a if b is None else a * b
    if b is None:
        return np.einsum(f"{axes}->{kept}", a)
    if len(axes) == 2 and len(its) == 1 and its != kept:
        return a @ b if its == axes[1] else b @ a
    return np.einsum(f"{axes},{its or axes}->{kept}", a, b)


def _mean(axes: str, kept: str, *arrays: Any) -> Any:
    """Return the mean over the axes that are not kept, of an array or of the products of two."""
    total = _total(axes, kept, *arrays)
    return total * (total.size / max(1, arrays[0].size))


def _centred(
    x: Any, view: Shape, axes: str, kept: str, known: Sequence[Any] = ()
) -> tuple[Any, Sequence[Any]]:
    """Return the deviations from the mean as a new array, and the moments, if they are not known.

    The mean is taken out twice: what the first one lost by rounding, where it is large compared to
    the deviations, is in the second.  The moments are these two and the variance.
    """
    x = x.reshape(view)
    mean = known[0] if known else _mean(axes, kept, x)
    y = x - _spread(mean, view, axes, kept)
    rest = known[1] if known else _mean(axes, kept, y)
    y -= _spread(rest, view, axes, kept)
    return y, known or (mean, rest, _mean(axes, kept, y, y))


def _factor(scale: Any, weight: Any, view: Shape, axes: str, kept: str, per: str) -> Any:
    """Return `scale * weight`, with all axes."""
    scale = _spread(scale, view, axes, kept)
    return scale if weight is None else scale * _spread(weight, view, axes, per)


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
    moments: list[Any],
) -> Any:
    """`(x - mean) / sqrt(var + eps) * weight + bias`.

    The list `moments` gets `x` and those of `_centred`, for the rule and for running statistics.
    """
    y, found = _centred(x, view, axes, kept)
    moments[:] = (x, *found)
    y *= _factor(1.0 / np.sqrt(found[2] + eps), weight, view, axes, kept, per)
    if bias is not None:
        y += _spread(bias, view, axes, per)
    return y.reshape(x.shape)


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
    moments: list[Any],
) -> tuple[Any, ...]:
    """With y centred, s the scale and h = g weight: `s h - s**3 mean(h y) y - s mean(h)`.

    By the weight it is `sum(g y s)`, by the bias `sum(g)`.  All of these sums are made of those of
    g and of g y for each index of `kept` and `per` together.
    """
    # They are of one array; those of another, or of a Tensor, which depend on it, are taken anew.
    known = moments[1:] if moments[0] is x else ()
    y, (*_, var) = _centred(x, view, axes, kept, known)
    scale = 1.0 / np.sqrt(var + eps)
    g = g.reshape(view)
    both = "".join([letter for letter in axes if letter in kept + per])
    of_g, of_gy = _total(axes, both, g), _total(axes, both, g, y)
    gx = by_weight = by_bias = None
    if weight is not None:
        by_weight = _total(both, per, of_gy, scale, kept).reshape(weight.shape)
        by_bias = _total(both, per, of_g).reshape(weight.shape)
    if needs[0]:
        if weight is not None:
            flat = weight.reshape(_lengths(view, axes, per))
            of_g, of_gy = (_total(both, kept, a, flat, per) for a in (of_g, of_gy))
        gx = g * _factor(scale, weight, view, axes, kept, per)
        share = scale * (scale.size / max(1, x.size))
        y *= _spread(of_gy * share * scale * scale, view, axes, kept)
        y += _spread(of_g * share, view, axes, kept)
        gx -= y
        gx = gx.reshape(x.shape)
    return (gx, by_weight, by_bias)[: len(needs)]


standardise = op(_standardise, joint=_standardise_rule, name="standardise")


def _rms_norm(x: Any, weight: Any = None, *, eps: float) -> Any:
    """`x / sqrt(mean(x**2) + eps) * weight`, for each row of a matrix."""
    scale = 1.0 / np.sqrt(_mean("rn", "r", x, x) + eps)
    return x * _factor(scale, weight, x.shape, "rn", "r", "n")


def _rms_norm_rule(
    g: Any, _out: Any, x: Any, weight: Any = None, *, needs: tuple[bool, ...], eps: float
) -> tuple[Any, ...]:
    """With s the scale and h = g weight: `s h - s**3 mean(h x) x`; by the weight `sum(g x s)`."""
    scale = 1.0 / np.sqrt(_mean("rn", "r", x, x) + eps)
    of_gx = g * x
    by_weight = None if weight is None else scale @ of_gx
    total = of_gx.sum(axis=1) if weight is None else of_gx @ weight
    gx = g * _factor(scale, weight, x.shape, "rn", "r", "n")
    gx -= x * (total * (1.0 / x.shape[1]) * scale * scale * scale).reshape((-1, 1))
    return (gx, by_weight)[: len(needs)]


rms_norm = op(_rms_norm, joint=_rms_norm_rule, name="rms_norm")
