"""Training: the loop `fit`, the record it leaves, metrics, evaluation, a range of learning rates.

Floor: above everything but the package's own list of names.  Nobody needs it who writes a loop.
"""

from .fit import DivergenceError, fit
from .history import History
from .lr_finder import LRSweep, find_lr
from .metrics import (
    Pooled,
    accuracy,
    confusion_matrix,
    evaluate,
    predict,
    r2,
    top_k_accuracy,
)
from .progress import Progress

__all__ = [
    "DivergenceError",
    "History",
    "LRSweep",
    "Pooled",
    "Progress",
    "accuracy",
    "confusion_matrix",
    "evaluate",
    "find_lr",
    "fit",
    "predict",
    "r2",
    "top_k_accuracy",
]
