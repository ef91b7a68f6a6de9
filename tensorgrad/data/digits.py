"""The 10,000 handwritten digits that ship with the package.

Floor `data`; may import `_typing`.  Where they come from, under which licence, and how the file was
made: `mnist_10k.md`, beside this file.
"""

from __future__ import annotations

import io
import pkgutil

import numpy as np

from .split import Split, pixels

_TRAIN = 8_000


def digits(as_float: bool = True) -> Split:
    """Load 10,000 digits of MNIST: 8,000 for training, 2,000 for testing.

    The samples are in one fixed random order, not stratified: both parts hold about, but not
    exactly, the same share of each digit.

    Parameters
    ----------
    as_float
        True: `x` is (n, 784) float32, 0 for paper to 1 for ink, row by row.
        False: `x` is (n, 28, 28) uint8, 0 to 255, as the file stores it.

    Returns
    -------
    Split
        `x_train, y_train, x_test, y_test`, fresh arrays at each call; the labels are int64.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from tensorgrad.data import digits
    >>> data = digits()
    >>> data.x_train.shape, data.x_test.shape, data.x_train.dtype
    ((8000, 784), (2000, 784), dtype('float32'))
    >>> data.y_train[:5]
    array([3, 8, 1, 0, 4])
    >>> digits(as_float=False).x_test.shape
    (2000, 28, 28)
    """
    # Read by the import system, so that a package inside a zip file works as well.
    file = pkgutil.get_data(__package__, "mnist_10k.npz")
    assert file is not None  # the file belongs to the package
    with np.load(io.BytesIO(file), allow_pickle=False) as members:
        images, labels = members["images"], members["labels"].astype(np.int64)
    x = pixels(images, as_float)
    return Split(x[:_TRAIN], labels[:_TRAIN], x[_TRAIN:], labels[_TRAIN:])
