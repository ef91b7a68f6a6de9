"""Losses of classes: cross entropy of labels and of probabilities, likelihood, divergence.

Floor: nn.  A new loss checks its arguments with `_common`, computes one loss per label or element
and ends with `reduced`; beside it stands its module.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..._typing import ArrayLike
from ...checks import as_fraction
from ...handle import to_array
from ...numpy_api import exp, log, log_softmax, where
from ...numpy_api.indexing import take_along_axis
from ...ops import fused
from ...tensor import Tensor, apply, as_tensor
from ._common import (
    Loss,
    aligned,
    check_mean,
    check_reduction,
    check_values,
    check_weights,
    constant,
    first,
    floats,
    reduced,
)


def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    reduction: str = "mean",
    *,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy of class labels, `mean(logsumexp(logits) - logits[label])`.

    It takes logits, not probabilities: no softmax before it.  Finite for any finite logits.

    Parameters
    ----------
    logits
        Of floats, of shape (..., classes); the last axis holds the classes.
    target
        Labels: integers from 0 to classes - 1, of shape (...).  Or floats of the shape of `logits`,
        the probabilities of the classes, whose sum is 1: `-sum(target log_softmax(logits))`.
    reduction
        "mean" or "sum" for one number, "none" for one per row.
    weight
        One number per class, not negative: the loss of a row is multiplied by that of its label,
        and the mean of labels is divided by the sum of their weights, as in PyTorch.
    ignore_index
        A label that marks rows to leave out, of any value: their loss and gradient are exactly 0,
        whatever their logits, and the mean is over the others.  By default there is none, whereas
        PyTorch leaves out -100.
    label_smoothing
        The share e of the target that all classes get alike, `(1 - e) target + e / classes`, from 0
        to below 1: Szegedy and others, "Rethinking the Inception architecture" (2016).

    Returns
    -------
    Tensor
        Of shape (), or (...) for "none".

    Raises
    ------
    IndexError
        If a label is no class.
    TypeError
        If the labels are no integers, or the logits no floats.
    ValueError
        If the shapes do not fit, a target is no probability, an option is out of range, or the
        mean is over nothing: an empty batch, or rows that are all left out.

    Examples
    --------
    >>> round(float(cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])), 4)
    0.6931
    >>> cross_entropy([[0.0, 0.0], [9.0, 9.0]], [1, -1], "none", ignore_index=-1).round(4).tolist()
    [0.6931, 0.0]
    """
    check_reduction(reduction)
    logits = floats("cross_entropy", "logits", logits)
    # Probabilities may record, and keep their graph.
    records = isinstance(target, Tensor) and target.requires_grad
    given = target if records else to_array(target, "labels")
    probabilities = given.dtype.kind == "f" and given.shape == logits.shape != ()
    if not (probabilities or label_smoothing) and weight is None and ignore_index is None:
        _check_labels("cross_entropy", "logits", logits, given)
        check_mean(reduction, given.size, "cross_entropy")
        return apply(fused.softmax_cross_entropy, logits, given, reduction=reduction)
    e = as_fraction("label_smoothing", label_smoothing)
    if not probabilities:
        return _of_labels(logits, given, reduction, weight, ignore_index, e)
    if ignore_index is not None:
        raise ValueError(
            "cross_entropy: ignore_index is for labels, and the target holds probabilities: leave "
            "rows out before, or multiply the losses of reduction='none' by a mask"
        )
    return _of_probabilities(logits, as_tensor(given), reduction, weight, e)


def _of_labels(
    logits: Tensor,
    target: ArrayLike,
    reduction: str,
    weight: ArrayLike | None,
    ignore_index: int | None,
    e: float,
) -> Tensor:
    """Return `(1 - e) w[label] nll + e / classes sum(w surprise)`, reduced."""
    labels, kept = _labels("cross_entropy", "logits", logits, target, ignore_index)
    weights = _class_weights("cross_entropy", weight, logits)
    row_weights = weights[labels] * kept
    losses = row_weights * apply(fused.softmax_cross_entropy, logits, labels)
    if e:
        spread = -(weights * log_softmax(logits)).sum(axis=-1)
        losses = (1 - e) * losses + (e / logits.shape[-1]) * spread
    losses = where(kept, losses, 0.0)
    return _mean_by_weight(losses, row_weights, reduction, "cross_entropy")


def _of_probabilities(
    logits: Tensor, target: Tensor, reduction: str, weight: ArrayLike | None, e: float
) -> Tensor:
    """Return `sum(w ((1 - e) target + e / classes) surprise)`, reduced."""
    values = target.data
    good = (values >= 0) & (values <= 1)
    check_values("cross_entropy", "target", values, good, "probabilities from 0 to 1")
    # Or the numbers 0 and 1 of many samples would pass for the probabilities of one.
    sums = values.sum(axis=-1)
    expected = "1: for several classes at once there is binary_cross_entropy_with_logits"
    check_values("cross_entropy", "the sum of target", sums, np.abs(sums - 1) <= 0.01, expected)
    weights = _class_weights("cross_entropy", weight, logits)
    shares = weights * ((1 - e) * target.astype(logits.dtype) + e / logits.shape[-1])
    # Selected first: 0 times the infinite logarithm of a class that is ruled out is no 0.
    losses = -(shares * where(shares == 0, 0.0, log_softmax(logits))).sum(axis=-1)
    return reduced(losses, reduction, "cross_entropy")


class CrossEntropyLoss(Loss):
    """`cross_entropy` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    weight, ignore_index, label_smoothing
        As for `cross_entropy`.  The weight is a constant, and no parameter of the module.

    Examples
    --------
    >>> round(float(CrossEntropyLoss()([[0.0, 0.0]], [1])), 4)
    0.6931
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.weight = constant("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = as_fraction("label_smoothing", label_smoothing)

    def forward(self, logits: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `cross_entropy`."""
        return cross_entropy(
            logits,
            target,
            self.reduction,
            weight=self.weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )


def nll_loss(
    log_probabilities: ArrayLike,
    target: ArrayLike,
    reduction: str = "mean",
    *,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """Negative log-likelihood of class labels, `mean(-log_probabilities[label])`.

    Of `log_softmax(logits)` it is `cross_entropy(logits, target)`, which is faster.

    Parameters
    ----------
    log_probabilities
        Of floats, of shape (..., classes); the last axis holds the classes.
    target
        Integers from 0 to classes - 1, of shape (...).
    reduction, weight, ignore_index
        As for `cross_entropy`.

    Returns
    -------
    Tensor
        Of shape (), or (...) for "none".

    Raises
    ------
    IndexError, TypeError, ValueError
        As `cross_entropy` does.

    Examples
    --------
    >>> float(nll_loss([[-0.5, -3.0], [-2.0, -0.25]], [0, 1]))
    0.375
    """
    name = "log_probabilities"
    check_reduction(reduction)
    scores = floats("nll_loss", name, log_probabilities)
    labels, kept = _labels("nll_loss", name, scores, target, ignore_index)
    row_weights = _class_weights("nll_loss", weight, scores)[labels] * kept
    picked = take_along_axis(scores, labels[..., None], -1)[..., 0]
    losses = where(kept, -picked * row_weights, 0.0)
    return _mean_by_weight(losses, row_weights, reduction, "nll_loss")


class NLLLoss(Loss):
    """`nll_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    weight, ignore_index
        As for `cross_entropy`.  The weight is a constant, and no parameter of the module.

    Examples
    --------
    >>> float(NLLLoss()([[-0.5, -3.0], [-2.0, -0.25]], [0, 1]))
    0.375
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        weight: ArrayLike | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction)
        self.weight = constant("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, log_probabilities: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `nll_loss`."""
        return nll_loss(
            log_probabilities,
            target,
            self.reduction,
            weight=self.weight,
            ignore_index=self.ignore_index,
        )


def _labels(
    loss: str, name: str, scores: Tensor, target: ArrayLike, ignore_index: int | None
) -> tuple[Any, Any]:
    """Return the labels, with a class for those to ignore as well, and which are to be kept."""
    labels = to_array(target, "labels")
    if ignore_index is None or labels.dtype.kind not in "iu":
        kept = np.ones_like(labels, dtype=bool)
    else:
        kept = labels != _as_label(ignore_index)
        labels = np.where(kept, labels, 0)
    _check_labels(loss, name, scores, labels)
    return labels, kept


def _as_label(ignore_index: Any) -> int:
    """Return the label to ignore, if it is an integer."""
    try:
        return operator.index(ignore_index)
    except TypeError:
        raise TypeError(f"ignore_index is {ignore_index!r}; expected an integer or None") from None


def _check_labels(loss: str, name: str, logits: Tensor, labels: Any) -> None:
    """Raise unless `labels` holds a class for each row of `logits`."""
    if labels.dtype.kind not in "iu":
        fix = "labels.astype(int)"
        if labels.shape == logits.shape:
            fix = "labels.argmax(axis=-1) for one-hot rows"
        elif labels.dtype.kind == "f" and np.isnan(labels).any():
            fix = "remove the NaN, then labels.astype(int)"
        raise TypeError(
            f"{loss}: labels have dtype {labels.dtype}; expected integers, the number of a "
            f"class: {fix}"
        )
    if not logits.shape or not logits.shape[-1]:
        raise ValueError(f"{loss}: {name} has shape {logits.shape}; expected (..., classes)")
    if labels.shape != logits.shape[:-1]:
        fix = f"one integer per row of {name}"
        if labels.shape == logits.shape:
            fix = "labels.argmax(axis=-1) for one-hot rows"
        elif labels.size * logits.shape[-1] == logits.size:
            fix = f"labels.reshape({logits.shape[:-1]})"
        raise ValueError(
            f"{loss}: {name} has shape {logits.shape}, so labels should have "
            f"{logits.shape[:-1]}, not {labels.shape}: {fix}"
        )
    last = logits.shape[-1] - 1
    # As an unsigned number -1 is larger than any class, so that one look covers both bounds.
    if labels.size and labels.view(f"u{labels.itemsize}").max() > last:
        position, value = first((labels < 0) | (labels > last), labels)
        raise IndexError(
            f"{loss}: labels{position} is {value}, but there are {last + 1} classes: "
            f"expected 0 to {last}"
        )


def _class_weights(loss: str, weight: ArrayLike | None, scores: Tensor) -> Any:
    """Return one weight per class, in the dtype of the scores: 1 unless some are given."""
    shape = scores.shape[-1:]
    ones = np.ones_like(scores.data, shape=shape)
    if weight is None:
        return ones
    weights = weight if isinstance(weight, Tensor) else to_array(weight, "weight")
    if weights.shape != shape:
        raise ValueError(
            f"{loss}: weight has shape {weights.shape} and there are {shape[0]} classes; expected "
            f"{shape}, one number per class"
        )
    check_weights(loss, "weight", weights.data if isinstance(weights, Tensor) else weights)
    # A product, since a recorded step cannot pick by labels from a list that is given anew.
    return ones * weights.astype(scores.dtype)


def _mean_by_weight(losses: Tensor, weights: Any, reduction: str, loss: str) -> Tensor:
    """Average, dividing by the sum of the weights; or add; or leave the losses as they are."""
    if reduction != "mean":
        return reduced(losses, reduction, loss)
    check_mean(reduction, losses.size, loss)
    # Two means, since a sum of float16 overflows at 65,520.
    average = weights.mean()
    if not average > 0:
        raise ValueError(
            f"{loss}: every label is ignored or has the weight 0, and a mean over nothing is "
            "undefined: leave the batch out, or use reduction='sum'"
        )
    mean: Tensor = losses.mean() / average
    return mean


# --- distributions --------------------------------------------------------------------------------


def kl_div(
    log_prediction: ArrayLike,
    target: ArrayLike,
    reduction: str = "mean",
    *,
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence, `target (log(target) - log_prediction)` for each element.

    A target of 0 counts for nothing, whatever the prediction.  The divergence of distributions is
    the sum over their elements: use "batchmean" for its mean, since "mean" divides by the number
    of elements, as in PyTorch.

    Parameters
    ----------
    log_prediction
        Logarithms of probabilities, such as `log_softmax` gives them; of floats, of any shape.
    target
        Probabilities, of the same shape, not negative; cast to the dtype of `log_prediction`.
    reduction
        "batchmean" for the sum divided by the length of the first axis; "mean", "sum" or "none".
    log_target
        Whether `target` holds logarithms too.

    Returns
    -------
    Tensor
        Of shape (), or that of `log_prediction` for "none".

    Raises
    ------
    TypeError
        If `log_prediction` does not hold floats.
    ValueError
        If the shapes differ, a probability is negative or NaN, `reduction` is unknown, or the mean
        is over nothing.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(kl_div(np.log([[0.5, 0.5]]), [[1.0, 0.0]], "batchmean")), 4)
    0.6931
    """
    check_reduction(reduction, "batchmean")
    log_prediction, target = aligned("kl_div", "log_prediction", log_prediction, target)
    if log_target:
        losses = exp(target) * (target - log_prediction)
    else:
        values = target.data
        check_values("kl_div", "target", values, values >= 0, "a probability, not negative")
        some = values > 0
        # Selected on both sides of the product: neither log(0) nor 0 times an infinite logarithm.
        distance = log(where(some, target, 1.0)) - where(some, log_prediction, 0.0)
        losses = target * distance
    if reduction != "batchmean":
        return reduced(losses, reduction, "kl_div")
    if not losses.ndim:
        raise ValueError(
            "kl_div: 'batchmean' divides by the length of the first axis: there is none"
        )
    check_mean("mean", len(losses), "kl_div")
    mean: Tensor = losses.sum() / len(losses)
    return mean


class KLDivLoss(Loss):
    """`kl_div` as a module.

    Parameters
    ----------
    reduction
        "batchmean", "mean", "sum" or "none".
    log_target
        Whether the target holds logarithms too.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(KLDivLoss("batchmean")(np.log([[0.5, 0.5]]), [[1.0, 0.0]])), 4)
    0.6931
    """

    def __init__(self, reduction: str = "mean", *, log_target: bool = False) -> None:
        check_reduction(reduction, "batchmean")
        self.reduction = reduction
        self.log_target = log_target

    def forward(self, log_prediction: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `kl_div`."""
        return kl_div(log_prediction, target, self.reduction, log_target=self.log_target)
