"""Losses of vectors: how alike two are, and whether like ones lie nearer than unlike ones.

Floor: nn.  A new loss checks its arguments with `_common`, computes one loss per vector and ends
with `reduced`; beside it stands its module.
"""

from __future__ import annotations

import numpy as np

from ..._typing import ArrayLike
from ...checks import as_number
from ...numpy_api import maximum, minimum, relu
from ...numpy_api.norms import norm
from ...tensor import Tensor
from ..module import Module
from ._common import Loss, aligned, check_reduction, reduced


def cosine_similarity(x1: ArrayLike, x2: ArrayLike, axis: int = -1, *, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between vectors, `x1 · x2 / (max(|x1|, eps) max(|x2|, eps))`.

    Parameters
    ----------
    x1
        Of floats, of at least one axis.
    x2
        Of the same shape; cast to the dtype of `x1`.
    axis
        Along which the vectors lie; PyTorch's default is the axis 1.
    eps
        The least length that is divided by, above 0; a vector of zeros has similarity 0.

    Returns
    -------
    Tensor
        From -1 to 1, of the shape of `x1` without the axis.

    Raises
    ------
    TypeError
        If `x1` does not hold floats.
    ValueError
        If the shapes differ, or `eps` is not above 0.
    numpy.exceptions.AxisError
        If there is no such axis.

    Examples
    --------
    >>> cosine_similarity([[1.0, 0.0], [1.0, 1.0]], [[0.0, 2.0], [3.0, 3.0]]).round(6).tolist()
    [0.0, 1.0]
    """
    eps = as_number("eps", eps, above=0)
    x1, x2 = aligned("cosine_similarity", "x1", x1, x2, "x2")
    axis = np.lib.array_utils.normalize_axis_index(axis, x1.ndim)
    # Each by its own length: the product of two lengths underflows sooner.
    return (_normalised(x1, axis, eps) * _normalised(x2, axis, eps)).sum(axis=axis)


def _normalised(x: Tensor, axis: int, eps: float) -> Tensor:
    """Divide vectors by their lengths, but by no less than eps."""
    return x / maximum(norm(x, axis=axis, keepdims=True), eps)


class CosineSimilarity(Module):
    """`cosine_similarity` as a module.

    Parameters
    ----------
    axis
        Along which the vectors lie.
    eps
        The least length that is divided by, above 0.

    Examples
    --------
    >>> float(CosineSimilarity()([3.0, 4.0], [4.0, 3.0]))
    0.96
    """

    def __init__(self, axis: int = -1, *, eps: float = 1e-8) -> None:
        self.axis = axis
        self.eps = as_number("eps", eps, above=0)

    def forward(self, x1: ArrayLike, x2: ArrayLike) -> Tensor:
        """Apply `cosine_similarity`."""
        return cosine_similarity(x1, x2, self.axis, eps=self.eps)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"axis={self.axis}"


def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    reduction: str = "mean",
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> Tensor:
    """Ask of like vectors to be nearer than unlike ones, `max(0, d(a, p) - d(a, n) + margin)`.

    Balntas and others, "Learning local feature descriptors with triplets and shallow convolutional
    neural networks" (2016).

    Parameters
    ----------
    anchor
        Of floats, of shape (..., features).
    positive, negative
        Of the same shape: what is like the anchor, and what is not.
    reduction
        "mean" or "sum" for one number, "none" for one per triplet.
    margin
        By how much the like one is to be nearer, above 0.
    p
        The norm of a distance, finite and above 0.
    eps
        What is added to each difference, as in PyTorch: it keeps equal vectors apart, where the
        norm has no derivative.
    swap
        Whether d(p, n) takes the place of d(a, n) where it is smaller.

    Returns
    -------
    Tensor
        Of shape (), or (...) for "none".

    Raises
    ------
    TypeError
        If `anchor` does not hold floats.
    ValueError
        If the shapes differ, there is no axis of features, a number is out of range, `reduction` is
        unknown, or the mean is over nothing.

    Examples
    --------
    >>> round(float(triplet_margin_loss([[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 4.5]])), 4)
    1.5
    """
    name = "triplet_margin_loss"
    check_reduction(reduction)
    margin, p = as_number("margin", margin, above=0), as_number("p", p, above=0)
    eps = as_number("eps", eps)
    given, positive = aligned(name, "anchor", anchor, positive, "positive")
    _, negative = aligned(name, "anchor", given, negative, "negative")
    if not given.ndim:
        raise ValueError(f"{name}: anchor has shape (); expected (..., features)")
    near, far = _distance(given, positive, p, eps), _distance(given, negative, p, eps)
    if swap:
        far = minimum(far, _distance(positive, negative, p, eps))
    return reduced(relu(near - far + margin), reduction, name)


def _distance(x: Tensor, y: Tensor, p: float, eps: float) -> Tensor:
    """Return the norms of the differences along the last axis."""
    return norm(x - y + eps, p, -1)


class TripletMarginLoss(Loss):
    """`triplet_margin_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    margin, p, eps, swap
        As for `triplet_margin_loss`.

    Examples
    --------
    >>> round(float(TripletMarginLoss()([[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 4.5]])), 4)
    1.5
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
    ) -> None:
        super().__init__(reduction)
        self.margin = as_number("margin", margin, above=0)
        self.p = as_number("p", p, above=0)
        self.eps = as_number("eps", eps)
        self.swap = swap

    def forward(self, anchor: ArrayLike, positive: ArrayLike, negative: ArrayLike) -> Tensor:
        """Apply `triplet_margin_loss`."""
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.reduction,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
        )
