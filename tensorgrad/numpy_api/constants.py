"""What has no gradient by nature, and what makes constants `like=` a tensor.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..creation import full_like, ones_like, zeros_like
from ..tensor import Tensor, as_tensor
from .table import implements, no_gradient


def _constant(create: Callable[..., Any]) -> Callable[..., Tensor]:
    """Wrap what a creation function of NumPy makes."""

    def function(*args: Any, **kwargs: Any) -> Tensor:
        return as_tensor(create(*args, **kwargs))

    return function


for _create in (np.zeros, np.ones, np.eye, np.arange):
    implements(_create)(_constant(_create))
implements(np.zeros_like)(zeros_like)
implements(np.ones_like)(ones_like)
implements(np.full_like)(full_like)

no_gradient(
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.isnan,
    np.isinf,
    np.isfinite,
    np.signbit,
    np.logical_and,
    np.logical_or,
    np.logical_not,
    np.shape,
    np.ndim,
    np.size,
    np.argmax,
    np.argmin,
    np.argsort,
    np.nonzero,
    np.count_nonzero,
    np.all,
    np.any,
    np.isclose,
    np.allclose,
    np.array_equal,
)
