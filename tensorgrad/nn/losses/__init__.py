"""Losses, as functions and as modules, by what they compare: classes, yes and no, numbers, vectors.

Floor: nn.  May import `numpy_api` and the floors below it.  Names follow PyTorch; the class axis is
the last.  Shapes are never broadcast: (n,) against (n, 1) would give (n, n) numbers and a wrong
mean.
"""

from .binary import (
    BCELoss,
    BCEWithLogitsLoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    hinge_loss,
)
from .classification import (
    CrossEntropyLoss,
    KLDivLoss,
    NLLLoss,
    cross_entropy,
    kl_div,
    nll_loss,
)
from .embedding import (
    CosineSimilarity,
    TripletMarginLoss,
    cosine_similarity,
    triplet_margin_loss,
)
from .regression import (
    GaussianNLLLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    SmoothL1Loss,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
    "TripletMarginLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_similarity",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
    "triplet_margin_loss",
]
