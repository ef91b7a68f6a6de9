"""The types that signatures share.  Lowest floor: imports nothing of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
"""Any ndarray; where a function says so also the NumPy scalar that stands for a 0-d result."""

ArrayLike: TypeAlias = Any
"""What `np.asarray` or `tensorgrad.as_tensor` takes: Tensor, ndarray, number, nested sequence."""

Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = int | tuple[int, ...] | None
Index: TypeAlias = Any
DTypeLike: TypeAlias = Any
SeedLike: TypeAlias = "np.random.Generator | int | None"
"""A generator, the seed of a new one, or None for the default generator.  (As text: NumPy imports
its random module when it is first named, which takes a tenth of its own import.)"""

ShapeLike: TypeAlias = int | Sequence[int]
