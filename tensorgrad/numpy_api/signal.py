"""Convolution and correlation of sequences.

Floor: `numpy_api`.
"""

from __future__ import annotations

import numpy as np

from .._typing import ArrayLike
from ..ops import signal
from ..tensor import Tensor, apply, as_tensor
from .table import implements


@implements(np.convolve)
def convolve(a: ArrayLike, v: ArrayLike, mode: str = "full") -> Tensor:
    """Convolve two sequences."""
    sequences = (as_tensor(s) for s in (a, v))
    long = (s if s.ndim else s.reshape(1) for s in sequences)
    return apply(signal.convolve, *long, mode=mode)


@implements(np.correlate)
def correlate(a: ArrayLike, v: ArrayLike, mode: str = "valid") -> Tensor:
    """Correlate two sequences, the second one conjugated."""
    return apply(signal.correlate, a, v, mode=mode)
