"""Optimisers: what turns gradients into better parameters.

Floor: beside `nn`, of which it knows nothing.  To add one: derive from `Optimizer`, declare each
number as an `Option`, and write `init` and `update` with the equation and its source in the
docstring.
"""

from . import lr_scheduler
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .ema import EMA
from .groups import Option
from .lbfgs import LBFGS
from .lion import Lion
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = [
    "EMA",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "Option",
    "RAdam",
    "RMSprop",
    "lr_scheduler",
]
