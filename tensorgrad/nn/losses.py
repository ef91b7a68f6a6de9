"""Losses, as functions and as modules.

Floor: nn.  May import `numpy_api` and the floors below it.  A new one checks shapes with
`_aligned`, before it computes, and ends with `_reduced`.

Shapes are never broadcast: (n,) against (n, 1) would give (n, n) numbers and a wrong mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..handle import to_array
from ..numpy_api import relu, softplus
from ..ops import fused
from ..tensor import Tensor, apply, as_tensor
from .module import Module

_REDUCTIONS = ("mean", "sum", "none")


def mse_loss(prediction: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """Mean squared error, `mean((prediction - target)**2)`.

    Parameters
    ----------
    prediction
        Of floats, of any shape.
    target
        Of the same shape; cast to the dtype of `prediction`.
    reduction
        "mean" or "sum" for one number, "none" for one per element.

    Returns
    -------
    Tensor
        Of shape (), or that of `prediction` for "none".

    Raises
    ------
    TypeError
        If `prediction` does not hold floats.
    ValueError
        If the shapes differ, `reduction` is unknown, or the mean is over nothing.

    Examples
    --------
    >>> float(mse_loss([1.0, 2.0], [1.0, 4.0]))
    2.0
    """
    _check_reduction(reduction)
    prediction, target = _aligned("mse_loss", "prediction", prediction, target)
    _check_mean(reduction, target.size, "mse_loss")
    return apply(fused.squared_error, prediction, target, reduction=reduction)


def cross_entropy(logits: ArrayLike, labels: ArrayLike, reduction: str = "mean") -> Tensor:
    """Cross entropy of class labels, `mean(logsumexp(logits) - logits[label])`.

    It takes logits, not probabilities: no softmax before it.  Finite for any finite logits.

    Parameters
    ----------
    logits
        Of floats, of shape (..., classes); the last axis holds the classes.
    labels
        Integers from 0 to classes - 1, of shape (...).
    reduction
        "mean" or "sum" for one number, "none" for one per label.

    Returns
    -------
    Tensor
        Of shape (), or that of `labels` for "none".

    Raises
    ------
    IndexError
        If a label is no class.
    TypeError
        If the labels are no integers, or the logits no floats.
    ValueError
        If the shapes do not fit, `reduction` is unknown, or the mean is over nothing.

    Examples
    --------
    >>> round(float(cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])), 4)
    0.6931
    """
    _check_reduction(reduction)
    logits = _floats("cross_entropy", "logits", logits)
    classes = to_array(labels, "labels")
    _check_labels(logits, classes)
    _check_mean(reduction, classes.size, "cross_entropy")
    return apply(fused.softmax_cross_entropy, logits, classes, reduction=reduction)


def binary_cross_entropy_with_logits(
    logits: ArrayLike, target: ArrayLike, reduction: str = "mean"
) -> Tensor:
    """Cross entropy of yes-or-no targets, `mean(softplus(x) - x y)` for logits x and targets y.

    It takes logits, not probabilities: no sigmoid before it.  Finite for any finite logits, and
    accurate also where the loss is tiny.

    Parameters
    ----------
    logits
        Of floats, of any shape.
    target
        Of the same shape, from 0 to 1; cast to the dtype of `logits`.
    reduction
        "mean" or "sum" for one number, "none" for one per element.

    Returns
    -------
    Tensor
        Of shape (), or that of `logits` for "none".

    Raises
    ------
    TypeError
        If `logits` does not hold floats.
    ValueError
        If the shapes differ, a target is outside [0, 1], `reduction` is unknown, or the mean is
        over nothing.

    Examples
    --------
    >>> round(float(binary_cross_entropy_with_logits([0.0, 1000.0], [1.0, 1.0])), 4)
    0.3466
    """
    name = "binary_cross_entropy_with_logits"
    _check_reduction(reduction)
    logits, target = _aligned(name, "logits", logits, target)
    given = target.data
    good = (given >= 0) & (given <= 1)
    _check_values(name, given, good, "numbers from 0 to 1: use (y + 1) / 2 for -1/1")
    # softplus(x) - x y = softplus(-x) + x (1 - y), and the difference would cancel for a sure and
    # right prediction: each element takes the form in which the second term then vanishes.
    yes = (given > 0.5).astype(logits.dtype)
    losses = softplus(logits * (1 - 2 * yes)) + logits * (yes - target)
    return _reduced(losses, reduction, name)


def hinge_loss(scores: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """Max-margin loss, `mean(max(0, 1 - y s))` for scores s and targets y.

    Cortes and Vapnik, "Support-vector networks" (1995).

    Parameters
    ----------
    scores
        Of floats, of any shape.
    target
        Of the same shape, each -1 or 1; cast to the dtype of `scores`.
    reduction
        "mean" or "sum" for one number, "none" for one per element.

    Returns
    -------
    Tensor
        Of shape (), or that of `scores` for "none".

    Raises
    ------
    TypeError
        If `scores` does not hold floats.
    ValueError
        If the shapes differ, a target is neither -1 nor 1, `reduction` is unknown, or the mean is
        over nothing.

    Examples
    --------
    >>> float(hinge_loss([0.5, -2.0], [1, -1]))
    0.25
    """
    _check_reduction(reduction)
    scores, target = _aligned("hinge_loss", "scores", scores, target)
    good = np.abs(target.data) == 1
    _check_values("hinge_loss", target.data, good, "-1 or 1: use 2 * y - 1 for 0/1")
    return _reduced(relu(1 - scores * target), reduction, "hinge_loss")


# --- checks ---------------------------------------------------------------------------------------


def _check_reduction(reduction: str) -> None:
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}; expected 'mean', 'sum' or 'none'")


def _floats(loss: str, name: str, value: ArrayLike) -> Tensor:
    """Return the model's output as a Tensor, if it holds floats."""
    tensor = as_tensor(value)
    if tensor.dtype.kind != "f":
        raise TypeError(
            f"{loss}: {name} has dtype {tensor.dtype}; expected floats. The model's output is the "
            "first argument"
        )
    return tensor


def _aligned(loss: str, name: str, value: ArrayLike, target: ArrayLike) -> tuple[Tensor, Tensor]:
    """Return output and target, if they have one shape; the target in the output's dtype."""
    output, target = _floats(loss, name, value), as_tensor(target)
    if output.shape != target.shape:
        fix = "give one target per output"
        if output.size == target.size:
            fix = f"use target.reshape({output.shape}) or {name}.reshape({target.shape})"
        raise ValueError(
            f"{loss}: {name} has shape {output.shape} and target {target.shape}; "
            f"expected equal shapes, since nothing is broadcast: {fix}"
        )
    # A float64 target would widen the loss and all that follows.
    return output, target if target.dtype == output.dtype else target.astype(output.dtype)


def _check_values(loss: str, target: Any, good: Any, expected: str) -> None:
    """Raise a ValueError that names the first bad target."""
    if not np.all(good):
        position, value = _first(~np.asarray(good), target)
        raise ValueError(f"{loss}: target{position} is {value}; expected {expected}")


def _check_labels(logits: Tensor, labels: Any) -> None:
    """Raise unless `labels` holds a class for each row of `logits`."""
    if labels.dtype.kind not in "iu":
        fix = "labels.astype(int)"
        if labels.shape == logits.shape:
            fix = "labels.argmax(axis=-1) for one-hot rows"
        elif labels.dtype.kind == "f" and np.isnan(labels).any():
            fix = "remove the NaN, then labels.astype(int)"
        raise TypeError(
            f"cross_entropy: labels have dtype {labels.dtype}; expected integers, the number of a "
            f"class: {fix}"
        )
    if not logits.shape or not logits.shape[-1]:
        raise ValueError(f"cross_entropy: logits has shape {logits.shape}; expected (..., classes)")
    if labels.shape != logits.shape[:-1]:
        fix = "one integer per row of logits"
        if labels.shape == logits.shape:
            fix = "labels.argmax(axis=-1) for one-hot rows"
        elif labels.size * logits.shape[-1] == logits.size:
            fix = f"labels.reshape({logits.shape[:-1]})"
        raise ValueError(
            f"cross_entropy: logits has shape {logits.shape}, so labels should have "
            f"{logits.shape[:-1]}, not {labels.shape}: {fix}"
        )
    last = logits.shape[-1] - 1
    # As an unsigned number -1 is larger than any class, so that one look covers both bounds.
    if labels.size and labels.view(f"u{labels.itemsize}").max() > last:
        position, value = _first((labels < 0) | (labels > last), labels)
        raise IndexError(
            f"cross_entropy: labels{position} is {value}, but there are {last + 1} classes: "
            f"expected 0 to {last}"
        )


def _first(bad: Any, values: Any) -> tuple[str, Any]:
    """Return the first bad place, as text, and what stands there."""
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"[{', '.join(map(str, place))}]" if place else "", values[place]


def _reduced(losses: Tensor, reduction: str, loss: str) -> Tensor:
    """Average or add the losses, or leave them."""
    if reduction == "none":
        return losses
    _check_mean(reduction, losses.size, loss)
    return losses.sum() if reduction == "sum" else losses.mean()


def _check_mean(reduction: str, count: int, loss: str) -> None:
    if reduction == "mean" and not count:
        raise ValueError(
            f"{loss}: the mean over an empty batch is undefined: leave the batch out, or use "
            "reduction='sum'"
        )


# --- modules --------------------------------------------------------------------------------------


class _Loss(Module):
    """A loss with its reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        _check_reduction(reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the reduction, if it is not the mean."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class MSELoss(_Loss):
    """`mse_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".

    Examples
    --------
    >>> float(MSELoss()([1.0, 2.0], [1.0, 4.0]))
    2.0
    """

    def forward(self, prediction: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `mse_loss`."""
        return mse_loss(prediction, target, self.reduction)


class CrossEntropyLoss(_Loss):
    """`cross_entropy` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".

    Examples
    --------
    >>> round(float(CrossEntropyLoss()([[0.0, 0.0]], [1])), 4)
    0.6931
    """

    def forward(self, logits: ArrayLike, labels: ArrayLike) -> Tensor:
        """Apply `cross_entropy`."""
        return cross_entropy(logits, labels, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`binary_cross_entropy_with_logits` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".

    Examples
    --------
    >>> round(float(BCEWithLogitsLoss()([0.0], [1])), 4)
    0.6931
    """

    def forward(self, logits: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `binary_cross_entropy_with_logits`."""
        return binary_cross_entropy_with_logits(logits, target, self.reduction)
