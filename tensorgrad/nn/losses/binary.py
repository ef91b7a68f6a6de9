"""Losses of yes and no: cross entropy of probabilities and of logits, and the margin.

Floor: nn.  A new loss checks its arguments with `_common`, computes one loss per element and ends
with `reduced`; beside it stands its module.
"""

from __future__ import annotations

import numpy as np

from ..._typing import ArrayLike
from ...numpy_api import clip, log, log1p, relu, softplus, where
from ...tensor import Tensor
from ._common import (
    Loss,
    aligned,
    check_reduction,
    check_values,
    constant,
    factor,
    reduced,
)


def binary_cross_entropy(
    prediction: ArrayLike,
    target: ArrayLike,
    reduction: str = "mean",
    *,
    weight: ArrayLike | None = None,
) -> Tensor:
    """Cross entropy of yes-or-no targets, `mean(-y log(p) - (1 - y) log(1 - p))`.

    Of probabilities; of logits `binary_cross_entropy_with_logits` is more accurate and faster.  The
    logarithms are cut at -100, as in PyTorch, so that the loss is finite; where they are, the
    gradient is 0.

    Parameters
    ----------
    prediction
        Probabilities, of floats, of any shape.  NaN is let through, so that the loss shows it.
    target
        Of the same shape, from 0 to 1; cast to the dtype of `prediction`.
    reduction
        "mean" or "sum" for one number, "none" for one per element.
    weight
        What each loss is multiplied by: of the shape of `prediction`, or one that repeats along it.

    Returns
    -------
    Tensor
        Of shape (), or that of `prediction` for "none".

    Raises
    ------
    TypeError
        If `prediction` does not hold floats.
    ValueError
        If the shapes differ, a prediction or a target is outside [0, 1], the weight does not fit,
        `reduction` is unknown, or the mean is over nothing.

    Examples
    --------
    >>> binary_cross_entropy([0.5, 0.0], [1.0, 1.0], "none").round(4).tolist()
    [0.6931, 100.0]
    """
    name = "binary_cross_entropy"
    check_reduction(reduction)
    p, y = aligned(name, "prediction", prediction, target)
    _check_shares(name, y)
    good = ~((p.data < 0) | (p.data > 1))
    expected = "probabilities from 0 to 1: apply sigmoid, or use binary_cross_entropy_with_logits"
    check_values(name, "prediction", p.data, good, expected)
    # Where the probability is 0 the logarithm is not taken, which would warn.
    zero, one = p.data == 0, p.data == 1
    yes = where(zero, -100.0, clip(log(where(zero, 1.0, p)), -100.0, None))
    no = where(one, -100.0, clip(log1p(where(one, 0.0, -p)), -100.0, None))
    losses = -(y * yes) - (1 - y) * no
    if weight is not None:
        losses = losses * factor(name, "weight", weight, p)
    return reduced(losses, reduction, name)


class BCELoss(Loss):
    """`binary_cross_entropy` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    weight
        As for `binary_cross_entropy`.  It is a constant, and no parameter of the module.

    Examples
    --------
    >>> round(float(BCELoss()([0.5], [1.0])), 4)
    0.6931
    """

    def __init__(self, reduction: str = "mean", *, weight: ArrayLike | None = None) -> None:
        super().__init__(reduction)
        self.weight = constant("weight", weight)

    def forward(self, prediction: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `binary_cross_entropy`."""
        return binary_cross_entropy(prediction, target, self.reduction, weight=self.weight)


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    target: ArrayLike,
    reduction: str = "mean",
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
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
    weight
        What each loss is multiplied by: of the shape of `logits`, or one that repeats along it.
    pos_weight
        What the part of yes is multiplied by, of such a shape too: with w it is
        `w y softplus(-x) + (1 - y) softplus(x)`.  The number of no's divided by that of yes's makes
        both count alike.

    Returns
    -------
    Tensor
        Of shape (), or that of `logits` for "none".

    Raises
    ------
    TypeError
        If `logits` does not hold floats.
    ValueError
        If the shapes differ, a target is outside [0, 1], a weight does not fit, `reduction` is
        unknown, or the mean is over nothing.

    Examples
    --------
    >>> round(float(binary_cross_entropy_with_logits([0.0, 1000.0], [1.0, 1.0])), 4)
    0.3466
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(reduction)
    x, y = aligned(name, "logits", logits, target)
    _check_shares(name, y)
    if pos_weight is None:
        # softplus(x) - x y = softplus(-x) + x (1 - y), and the difference would cancel for a sure
        # and right prediction: each element takes the form in which the second term then vanishes.
        yes = (y.data > 0.5).astype(x.dtype)
        losses = softplus(x * (1 - 2 * yes)) + x * (yes - y)
    else:
        losses = factor(name, "pos_weight", pos_weight, x) * y * softplus(-x) + (1 - y) * softplus(
            x
        )
    if weight is not None:
        losses = losses * factor(name, "weight", weight, x)
    return reduced(losses, reduction, name)


def _check_shares(loss: str, target: Tensor) -> None:
    """Raise unless the targets are numbers from 0 to 1."""
    given = target.data
    good = (given >= 0) & (given <= 1)
    check_values(loss, "target", given, good, "numbers from 0 to 1: use (y + 1) / 2 for -1/1")


class BCEWithLogitsLoss(Loss):
    """`binary_cross_entropy_with_logits` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    weight, pos_weight
        As for `binary_cross_entropy_with_logits`.  They are constants, and no parameters of the
        module.

    Examples
    --------
    >>> round(float(BCEWithLogitsLoss()([0.0], [1])), 4)
    0.6931
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        weight: ArrayLike | None = None,
        pos_weight: ArrayLike | None = None,
    ) -> None:
        super().__init__(reduction)
        self.weight = constant("weight", weight)
        self.pos_weight = constant("pos_weight", pos_weight)

    def forward(self, logits: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `binary_cross_entropy_with_logits`."""
        return binary_cross_entropy_with_logits(
            logits, target, self.reduction, weight=self.weight, pos_weight=self.pos_weight
        )


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
    check_reduction(reduction)
    scores, target = aligned("hinge_loss", "scores", scores, target)
    good = np.abs(target.data) == 1
    check_values("hinge_loss", "target", target.data, good, "-1 or 1: use 2 * y - 1 for 0/1")
    return reduced(relu(1 - scores * target), reduction, "hinge_loss")
