"""The convolutional network whose training step is timed: weights and batches.

Knows NumPy alone, so that every peer starts from the same numbers.  LeNet-5 as it is taught today:
LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from .workloads import Array, Batch

BATCH: Final = 64
LR: Final = 1e-3
# Of the convolutions and linear layers in order, which PyTorch calls by their places in a row.
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "0": (6, 1, 5, 5),
    "3": (16, 6, 5, 5),
    "7": (120, 400),
    "9": (84, 120),
    "11": (10, 84),
}


def state() -> dict[str, Array]:
    """Return the parameters under the names that they have in a state dict."""
    rng = np.random.default_rng(1)
    found: dict[str, Array] = {}
    for place, shape in SHAPES.items():
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        found[f"{place}.weight"] = rng.uniform(-bound, bound, shape).astype(np.float32)
        found[f"{place}.bias"] = rng.uniform(-bound, bound, shape[0]).astype(np.float32)
    return found


def batches(count: int = 16) -> list[Batch]:
    """Return batches that are taken in turn: noise with labels at random."""
    rng = np.random.default_rng(2)
    return [
        (rng.standard_normal((BATCH, 1, 28, 28), np.float32), rng.integers(0, 10, BATCH))
        for _ in range(count)
    ]
