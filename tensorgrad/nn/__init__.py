"""Networks: modules, layers, activations, losses and initial values.

Floor: nn.  May import the floors up to `transforms`; the names of this package, and nothing else.

Examples
--------
>>> import numpy as np
>>> from tensorgrad import nn
>>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
>>> loss = nn.cross_entropy(model(np.ones((5, 2))), [0, 1, 2, 1, 0])
>>> loss.backward()
>>> [p.grad.shape for p in model.parameters()]
[(8, 2), (8,), (3, 8), (3,)]
"""

from . import functional, init, utils
from .activations import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .containers import ModuleDict, ModuleList, Sequential
from .layers import Dropout, Flatten, Identity, Linear
from .losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    MSELoss,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    mse_loss,
)
from .mlp import MLP
from .module import Module
from .normalisation import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, RMSNorm
from .summaries import summary

__all__ = [
    "GELU",
    "MLP",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GroupNorm",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "functional",
    "hinge_loss",
    "init",
    "mse_loss",
    "summary",
    "utils",
]
