"""The training and test parts of a labelled data set, and the step from bytes to floats.

Floor `data`; may import `_typing`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._typing import Array


class Split(NamedTuple):
    """A labelled data set in two parts; unpacks as `x_train, y_train, x_test, y_test`.

    Attributes
    ----------
    x_train, x_test
        One row per sample: (n, features) float32 in 0..1, or (n, height, width) uint8 images.
    y_train, y_test
        (n,) int64 class labels, from 0.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def pixels(images: Array, as_float: bool) -> Array:
    """Return uint8 images as they are, or as rows of float32 with 255 at exactly 1."""
    if not as_float:
        return images
    n, height, width = images.shape
    return np.divide(images.reshape(n, height * width), np.float32(255), dtype=np.float32)
