"""Losses of numbers: squared, absolute and robust errors, and a Gaussian with its variance.

Floor: nn.  A new loss checks its arguments with `_common`, computes one loss per element and ends
with `reduced`; beside it stands its module.
"""

from __future__ import annotations

import math

import numpy as np

from ..._typing import ArrayLike
from ...checks import as_number
from ...numpy_api import abs as absolute
from ...numpy_api import clip, log, square
from ...ops import fused
from ...tensor import Tensor, apply
from ._common import (
    Loss,
    aligned,
    check_mean,
    check_reduction,
    check_values,
    reduced,
)


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
    check_reduction(reduction)
    prediction, target = aligned("mse_loss", "prediction", prediction, target)
    check_mean(reduction, target.size, "mse_loss")
    return apply(fused.squared_error, prediction, target, reduction=reduction)


class MSELoss(Loss):
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


def l1_loss(prediction: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """Mean absolute error, `mean(abs(prediction - target))`; its gradient is 0 where they agree.

    Parameters
    ----------
    prediction, target, reduction
        As for `mse_loss`.

    Returns
    -------
    Tensor
        Of shape (), or that of `prediction` for "none".

    Raises
    ------
    TypeError, ValueError
        As `mse_loss` does.

    Examples
    --------
    >>> float(l1_loss([1.0, 2.0], [1.0, 5.0]))
    1.5
    """
    check_reduction(reduction)
    prediction, target = aligned("l1_loss", "prediction", prediction, target)
    return reduced(absolute(prediction - target), reduction, "l1_loss")


class L1Loss(Loss):
    """`l1_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".

    Examples
    --------
    >>> float(L1Loss()([1.0, 2.0], [1.0, 5.0]))
    1.5
    """

    def forward(self, prediction: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `l1_loss`."""
        return l1_loss(prediction, target, self.reduction)


def huber_loss(
    prediction: ArrayLike, target: ArrayLike, reduction: str = "mean", *, delta: float = 1.0
) -> Tensor:
    """Squared error of small differences, absolute error of large ones.

    `d**2 / 2` for a difference d of at most delta, else `delta (abs(d) - delta / 2)`, so that no
    sample has a gradient above delta: Huber, "Robust estimation of a location parameter" (1964).

    Parameters
    ----------
    prediction, target, reduction
        As for `mse_loss`.
    delta
        Where the two meet, above 0.

    Returns
    -------
    Tensor
        Of shape (), or that of `prediction` for "none".

    Raises
    ------
    TypeError, ValueError
        As `mse_loss` does, or if `delta` is no finite number above 0.

    Examples
    --------
    >>> huber_loss([0.5, 3.0], [0.0, 0.0], "none").tolist()
    [0.125, 2.5]
    """
    check_reduction(reduction)
    delta = as_number("delta", delta, above=0)
    prediction, target = aligned("huber_loss", "prediction", prediction, target)
    return reduced(_huber(prediction - target, delta), reduction, "huber_loss")


def _huber(difference: Tensor, delta: float) -> Tensor:
    """Return `c (d - c / 2)` for the difference d and c, which is d cut to [-delta, delta].

    That is both branches at once, and a square that overflows is never taken.
    """
    cut = clip(difference, -delta, delta)
    return cut * (difference - 0.5 * cut)


class HuberLoss(Loss):
    """`huber_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    delta
        Where squared and absolute error meet, above 0.

    Examples
    --------
    >>> float(HuberLoss(delta=2.0)([3.0], [0.0]))
    4.0
    """

    def __init__(self, reduction: str = "mean", *, delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = as_number("delta", delta, above=0)

    def forward(self, prediction: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `huber_loss`."""
        return huber_loss(prediction, target, self.reduction, delta=self.delta)


def smooth_l1_loss(
    prediction: ArrayLike, target: ArrayLike, reduction: str = "mean", *, beta: float = 1.0
) -> Tensor:
    """Absolute error, rounded off around 0: `huber_loss` with delta = beta, divided by beta.

    Girshick, "Fast R-CNN" (2015).

    Parameters
    ----------
    prediction, target, reduction
        As for `mse_loss`.
    beta
        Up to which difference it is rounded off; with 0 it is `l1_loss`.

    Returns
    -------
    Tensor
        Of shape (), or that of `prediction` for "none".

    Raises
    ------
    TypeError, ValueError
        As `mse_loss` does, or if `beta` is no finite number from 0 on.

    Examples
    --------
    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], "none", beta=2.0).tolist()
    [0.0625, 2.0]
    """
    check_reduction(reduction)
    beta = as_number("beta", beta)
    prediction, target = aligned("smooth_l1_loss", "prediction", prediction, target)
    difference = prediction - target
    losses = _huber(difference, beta) / beta if beta else absolute(difference)
    return reduced(losses, reduction, "smooth_l1_loss")


class SmoothL1Loss(Loss):
    """`smooth_l1_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    beta
        Up to which difference the absolute error is rounded off.

    Examples
    --------
    >>> float(SmoothL1Loss(beta=2.0)([3.0], [0.0]))
    2.0
    """

    def __init__(self, reduction: str = "mean", *, beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = as_number("beta", beta)

    def forward(self, prediction: ArrayLike, target: ArrayLike) -> Tensor:
        """Apply `smooth_l1_loss`."""
        return smooth_l1_loss(prediction, target, self.reduction, beta=self.beta)


def gaussian_nll_loss(
    prediction: ArrayLike,
    target: ArrayLike,
    var: ArrayLike,
    reduction: str = "mean",
    *,
    full: bool = False,
    eps: float = 1e-6,
) -> Tensor:
    """Negative log-likelihood of normal distributions, `mean(log(var) + (y - mean)**2 / var) / 2`.

    Nix and Weigend, "Estimating the mean and variance of the target probability distribution"
    (1994).

    Parameters
    ----------
    prediction
        The means, of floats, of any shape.
    target
        What was observed, of the same shape.
    var
        The variances, of the same shape, not negative: `exp` or `softplus` of what a network says.
    reduction
        "mean" or "sum" for one number, "none" for one per element.
    full
        Whether to add the constant `log(2 pi) / 2`.
    eps
        The least variance that is computed with, above 0.  A smaller one is raised to it and has
        the gradient of it, as in PyTorch, so that it can grow again.

    Returns
    -------
    Tensor
        Of shape (), or that of `prediction` for "none".

    Raises
    ------
    TypeError
        If `prediction` does not hold floats.
    ValueError
        If the shapes differ, a variance is negative, `eps` is not above 0, `reduction` is unknown,
        or the mean is over nothing.

    Examples
    --------
    >>> float(gaussian_nll_loss([1.0], [3.0], [1.0]))
    2.0
    """
    name = "gaussian_nll_loss"
    check_reduction(reduction)
    eps = as_number("eps", eps, above=0)
    means, target = aligned(name, "prediction", prediction, target)
    _, var = aligned(name, "prediction", means, var, "var")
    check_values(name, "var", var.data, ~(var.data < 0), "a variance, not negative: use softplus")
    var = var + np.maximum(eps - var.data, 0.0)
    losses = 0.5 * (log(var) + square(target - means) / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction, name)


class GaussianNLLLoss(Loss):
    """`gaussian_nll_loss` as a module.

    Parameters
    ----------
    reduction
        "mean", "sum" or "none".
    full
        Whether to add the constant `log(2 pi) / 2`.
    eps
        The least variance that is computed with, above 0.

    Examples
    --------
    >>> float(GaussianNLLLoss()([1.0], [3.0], [1.0]))
    2.0
    """

    def __init__(self, reduction: str = "mean", *, full: bool = False, eps: float = 1e-6) -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = as_number("eps", eps, above=0)

    def forward(self, prediction: ArrayLike, target: ArrayLike, var: ArrayLike) -> Tensor:
        """Apply `gaussian_nll_loss`."""
        return gaussian_nll_loss(
            prediction, target, var, self.reduction, full=self.full, eps=self.eps
        )
