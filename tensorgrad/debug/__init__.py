"""What helps to find a mistake: anomalies, the steps of a backward pass, an audit of the rules.

Floor: above `tensor`, below `nn`.  `Tensor.backward_steps` comes here through the table that
`tensor` keeps for it.
"""

from .anomaly import AnomalyError, detect_anomaly
from .steps import BackwardStep

__all__ = ["AnomalyError", "BackwardStep", "detect_anomaly"]
