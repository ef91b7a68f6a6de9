"""Training: the loop `fit`, the record it leaves, accuracy and evaluation.

Floor: above everything but the package's own list of names.  Nobody needs it who writes a loop.
"""

from .fit import DivergenceError, fit
from .history import History
from .metrics import accuracy, evaluate
from .progress import Progress

__all__ = ["DivergenceError", "History", "Progress", "accuracy", "evaluate", "fit"]
