"""Layers, activations and losses as functions, under PyTorch's names.

Floor: nn.  Only names: a new function is written where its kind lives and offered here.

Examples
--------
>>> from tensorgrad.nn import functional as F
>>> F.relu([-1.0, 2.0]).tolist()
[0.0, 2.0]
"""

from ..numpy_api import (
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from .attention import scaled_dot_product_attention
from .embedding import embedding
from .layers import dropout, linear
from .losses import binary_cross_entropy_with_logits, cross_entropy, hinge_loss, mse_loss

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "gelu",
    "hinge_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "scaled_dot_product_attention",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
