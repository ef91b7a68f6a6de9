"""Functions that pick elements out of arrays and write them in.

Floor: `numpy_api`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain
from ..tensor import Tensor, as_tensor
from .table import implements


@implements(np.take_along_axis)
def take_along_axis(arr: ArrayLike, indices: Any, axis: int | None = -1) -> Tensor:
    """Pick along one axis: an index array there, ranges on the other axes."""
    tensor = as_tensor(arr)
    if axis is None:
        tensor, axis = tensor.ravel(), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, tensor.ndim)
    indices = plain(indices)
    if indices.ndim != tensor.ndim or indices.dtype.kind not in "iu":
        raise ValueError(
            f"indices have {indices.ndim} axes and dtype {indices.dtype}; expected integers with "
            f"the {tensor.ndim} axes of the array"
        )
    full = np.ix_(*(np.arange(n) for n in tensor.shape))
    return tensor[(*full[:axis], indices, *full[axis + 1 :])]
