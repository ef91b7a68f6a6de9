"""Training: the loop `fit`, the record it leaves, accuracy and evaluation.

Floor: above everything but the package's own list of names.  Nobody needs it who writes a loop.
"""

from .fit import DivergenceError, fit
from .history import History
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
    "Pooled",
    "Progress",
    "accuracy",
    "confusion_matrix",
    "evaluate",
    "fit",
    "predict",
    "r2",
    "top_k_accuracy",
]
