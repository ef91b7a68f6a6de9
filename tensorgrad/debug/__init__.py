"""What helps to find a mistake: anomalies, the steps of a backward pass, an audit of the rules.

Floor: above `tensor`, below `nn`.  `Tensor.backward_steps` comes here through `tensor.ABOVE`.
"""

from .anomaly import AnomalyError, detect_anomaly
from .steps import BackwardStep, backward_steps

__all__ = ["AnomalyError", "BackwardStep", "backward_steps", "detect_anomaly"]
