"""Metrics: functions of two arrays, prediction and target, that say how good a model is.

Floor: train.  May import the floors below it.  A new one that is a mean over samples is a function;
one that is not gets a `Pooled` in `WHOLE` as well.  To give it a name, add it to `NAMED`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..._typing import Array, ArrayLike
from ...checks import as_count
from .measuring import Metric, Pooled, as_array


def accuracy(prediction: ArrayLike, target: ArrayLike, *, threshold: float = 0.0) -> float:
    """Return the share of samples that a classifier gets right.

    Parameters
    ----------
    prediction
        Scores of shape (..., classes), of which the greatest wins; or, for two classes, one score
        per sample, of the shape of `target`: the class is positive above `threshold`.
    target
        Class labels of shape (...): integers from 0; for two classes 0 and 1, or -1 and 1.
    threshold
        For two classes: 0 for logits, tanh and margins; 0.5 for probabilities.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no sample, or two classes have other labels.

    Examples
    --------
    >>> accuracy([[0.1, 2.0], [3.0, -1.0], [0.0, 0.5]], [1, 0, 0]), accuracy([-0.3, 4.0], [-1, 1])
    (0.6666666666666666, 1.0)
    """
    chosen, labels, _ = _decided(prediction, target, threshold)
    return float(np.mean(chosen == labels))


def top_k_accuracy(prediction: ArrayLike, target: ArrayLike, *, k: int = 5) -> float:
    """Return the share of samples whose class is among the k with the greatest scores.

    Of equal scores the first ones come first, as for `accuracy`, which is the case k = 1.  A score
    of NaN is no hit.

    Parameters
    ----------
    prediction
        Scores of shape (..., classes).
    target
        Class labels of shape (...): integers from 0.
    k
        From 1 to the number of classes.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no sample, a label is no class, or `k` is out of range.

    Examples
    --------
    >>> top_k_accuracy([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], k=2)
    0.5
    """
    scores, labels = as_array(prediction), as_array(target)
    if scores.shape[:-1] != labels.shape or scores.ndim != labels.ndim + 1:
        raise ValueError(
            f"prediction has shape {scores.shape} and target {labels.shape}; expected (n, classes) "
            "and (n,)"
        )
    _check_samples(labels)
    classes = scores.shape[-1]
    if as_count("k", k) > classes:
        raise ValueError(f"k is {k} and there are {classes} classes")
    places = _class_numbers(labels, classes)[..., None]
    own = np.take_along_axis(scores, places, -1)
    # Not "greater": a comparison with NaN is False, and NaN counts as the greatest.
    ahead = ~(scores <= own) | ((scores == own) & (np.arange(classes) < places))
    return float(np.mean(ahead.sum(-1) < k))


def confusion_matrix(prediction: ArrayLike, target: ArrayLike, *, threshold: float = 0.0) -> Array:
    """Count how often which class was taken for which.

    Parameters
    ----------
    prediction, target, threshold
        As for `accuracy`.

    Returns
    -------
    ndarray
        Integers, of shape (classes, classes): in row i and column j the number of samples of class
        i that were taken for class j.  For two classes the positive one comes second.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no sample, or a label is no class.

    Examples
    --------
    >>> confusion_matrix([[0.1, 2.0], [3.0, -1.0], [0.0, 0.5]], [1, 0, 0])
    array([[1, 1],
           [0, 1]])
    """
    chosen, labels, classes = _decided(prediction, target, threshold)
    pairs = classes * _class_numbers(labels, classes) + chosen
    return np.bincount(pairs.reshape(-1), minlength=classes**2).reshape(classes, classes)


def r2(prediction: ArrayLike, target: ArrayLike) -> float:
    """Return the share of the variance that a regression explains.

    `1 - sum((y - p)**2) / sum((y - mean(y))**2)` for predictions p and targets y.

    Parameters
    ----------
    prediction
        Numbers, of shape (n, ...).
    target
        Of the same shape.

    Returns
    -------
    float
        At most 1; 0 for a model that says the mean, and negative for a worse one.  Of several
        outputs the mean of their shares.  NaN where all targets of an output are equal.

    Raises
    ------
    ValueError
        If the shapes differ, or there is no sample.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.5], [1.0, 2.0, 3.0])
    0.875
    """
    return _explained(_moments(prediction, target))


def _moments(prediction: ArrayLike, target: ArrayLike) -> Array:
    """Return of each output: samples, mean, sum of squares about the mean, of squared errors."""
    outputs, targets = as_array(prediction), as_array(target)
    if outputs.shape != targets.shape or not targets.ndim:
        raise ValueError(
            f"prediction has shape {outputs.shape} and target {targets.shape}; expected equal "
            "shapes (n, ...), since nothing is broadcast"
        )
    _check_samples(targets)
    targets = targets.astype(np.float64)
    mean = targets.mean(axis=0)
    about_mean = np.square(targets - mean).sum(axis=0)
    errors = np.square(targets - outputs).sum(axis=0)
    return np.stack([np.full_like(mean, len(targets)), mean, about_mean, errors])


def _joined_moments(one: Array, other: Array) -> Array:
    """Return the moments of two batches together.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979): a sum of squares less a square of the mean would lose all digits of targets
    that lie far from 0.
    """
    count, step = one[0] + other[0], other[1] - one[1]
    between = np.square(step) * one[0] * other[0] / count
    mean = one[1] + step * other[0] / count
    return np.stack([count, mean, one[2] + other[2] + between, one[3] + other[3]])


def _explained(moments: Array) -> float:
    """Return R² from the moments."""
    about_mean = np.where(moments[2] > 0, moments[2], np.nan)
    return float(np.mean(1 - moments[3] / about_mean))


# --- checks ---------------------------------------------------------------------------------------


def _decided(prediction: Any, target: Any, threshold: float) -> tuple[Array, Array, int]:
    """Return the classes that were chosen, the labels, and the number of classes."""
    scores, labels = as_array(prediction), as_array(target)
    _check_samples(labels)
    if scores.ndim == labels.ndim + 1 and scores.shape[:-1] == labels.shape:
        if scores.shape[-1] == 1:
            raise ValueError(
                f"prediction has shape {scores.shape}, a single class; for two classes give one "
                "score per sample: prediction[..., 0]"
            )
        return scores.argmax(-1), labels, scores.shape[-1]
    if scores.shape != labels.shape or labels.ndim > 1:
        raise ValueError(
            f"prediction has shape {scores.shape} and target {labels.shape}; expected (n, classes) "
            "and (n,), or (n,) and (n,) for two classes (labels from one-hot rows: argmax(-1))"
        )
    if not (np.isin(labels, (0, 1)).all() or np.isin(labels, (-1, 1)).all()):
        raise ValueError(
            "with one score per sample, target holds 0 and 1, or -1 and 1; it holds "
            f"{np.unique(labels)[:5].tolist()}"
        )
    return (scores > threshold).astype(np.intp), (labels > 0).astype(np.intp), 2


def _check_samples(labels: Array) -> None:
    """Raise if there is no sample."""
    if not labels.size:
        raise ValueError(f"target has shape {labels.shape}: there is nothing to be right about")


def _class_numbers(labels: Array, classes: int) -> Array:
    """Return the labels as integers, if each is the number of a class."""
    good = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
    if not good.all():
        raise ValueError(
            f"target holds {labels[~good].reshape(-1)[0]}; expected the numbers of {classes} "
            f"classes, 0 to {classes - 1}"
        )
    return labels.astype(np.intp)


NAMED: Final[dict[str, Metric]] = {
    "accuracy": accuracy,
    "top_k_accuracy": top_k_accuracy,
    "r2": r2,
    "confusion_matrix": confusion_matrix,
}
"""What `metrics=` knows by name."""

WHOLE: Final[dict[Metric, Pooled]] = {
    r2: Pooled(_moments, _explained, join=_joined_moments),
    confusion_matrix: Pooled(confusion_matrix, lambda counts: counts, number=False),
}
"""How those that are no means over batches are computed from batches."""
