"""How good a model is: metrics, and a loss and metrics over a data set.

Floor: train.  May import `nn`, `data` and the floors below them.  A metric is a function of two
arrays, prediction and target, that returns a number (`scores`); how batches make one number is
`measuring`'s matter, what `metrics=` takes `choosing`'s, and how a data set is passed
`evaluation`'s.
"""

from .choosing import Metrics as Metrics
from .choosing import as_metrics
from .evaluation import Loss as Loss
from .evaluation import Model as Model
from .evaluation import as_batches, as_loss, evaluate, mode, pairs, predict
from .measuring import Averages, Pooled, measured
from .measuring import Metric as Metric
from .scores import accuracy, confusion_matrix, r2, top_k_accuracy

__all__ = [
    "Averages",
    "Pooled",
    "accuracy",
    "as_batches",
    "as_loss",
    "as_metrics",
    "confusion_matrix",
    "evaluate",
    "measured",
    "mode",
    "pairs",
    "predict",
    "r2",
    "top_k_accuracy",
]
