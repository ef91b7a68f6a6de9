"""Training: `fit`, the record it leaves, checkpoints, metrics, evaluation, learning rates.

Floor: above everything but the package's own list of names.  Nobody needs it who writes a loop.
"""

from .callbacks import Best, EarlyStopping, LivePlot, ModelCheckpoint
from .checkpoint import load_checkpoint, save_checkpoint
from .class_weights import balanced_class_weights
from .fit import fit
from .history import Diagnostics, History
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
from .run import DivergenceError, Run

__all__ = [
    "Best",
    "Diagnostics",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "LRSweep",
    "LivePlot",
    "ModelCheckpoint",
    "Pooled",
    "Progress",
    "Run",
    "accuracy",
    "balanced_class_weights",
    "confusion_matrix",
    "evaluate",
    "find_lr",
    "fit",
    "load_checkpoint",
    "predict",
    "r2",
    "save_checkpoint",
    "top_k_accuracy",
]
