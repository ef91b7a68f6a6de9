"""Parts of a data set for training and for testing, and the step from bytes to floats.

Floor `data`; may import `_typing` and `random`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array, ArrayLike, SeedLike
from ..checks import as_count
from ..random import as_generator
from .dataset import Subset, as_dataset


class Split(NamedTuple):
    """A labelled data set in two parts; unpacks as `x_train, y_train, x_test, y_test`.

    Attributes
    ----------
    x_train, x_test
        One row per sample; of digits (n, features) float32 in 0..1, or (n, height, width) uint8.
    y_train, y_test
        What belongs to each sample; of digits (n,) int64 class labels, from 0.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def train_test_split(
    x: Array,
    y: Array,
    *,
    test_size: float = 0.25,
    stratify: ArrayLike | None = None,
    rng: SeedLike = None,
) -> Split:
    """Divide arrays at random into a part for training and one for testing; both are copies.

    What is larger than memory is divided by `random_split`, which copies nothing.

    Parameters
    ----------
    x, y
        Arrays of equal first length.
    test_size
        The share of the samples for testing, between 0 and 1, rounded up; or an int, their number.
    stratify
        (n,) class labels, usually `y`: of each class the same share is for testing, to within one
        sample.
    rng
        Generator, seed, or None for the default generator.

    Returns
    -------
    Split
        `x_train, y_train, x_test, y_test`, in shuffled order.

    Raises
    ------
    TypeError, ValueError
        Where the arrays do not fit together, or one part would be empty.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import train_test_split
    >>> x, y = np.arange(40.0).reshape(20, 2), np.repeat([0, 1], [16, 4])
    >>> x_train, y_train, x_test, y_test = train_test_split(x, y, test_size=0.25, stratify=y, rng=0)
    >>> np.bincount(y_train), np.bincount(y_test)
    (array([12,  3]), array([4, 1]))
    """
    data = as_dataset((x, y))
    n, rng = len(data), as_generator(rng)
    if isinstance(test_size, (float, np.floating)):
        count = math.ceil(n * test_size) if 0 < test_size < 1 else -1
    else:
        count = as_count("test_size", test_size)
    if not 0 < count < n:
        raise ValueError(
            f"test_size is {test_size} of {n} samples; expected a share between 0 and 1, or a "
            "number, that leaves samples for both parts"
        )
    order = rng.permutation(n)
    if stratify is not None:
        order = _stratified(order, np.asarray(stratify), count)
    test, train = order[:count], order[count:]
    return Split(x[train], y[train], x[test], y[test])


def _stratified(order: Array, labels: Array, count: int) -> Array:
    """Put `count` samples first in which the classes have their shares; else keep the order."""
    if labels.shape != order.shape:
        raise ValueError(f"stratify has shape {labels.shape}; expected {order.shape}, a class each")
    _, classes, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    # Largest remainders: whole shares, then one more where the most was cut off.
    share = sizes * (count / len(order))
    chosen = np.floor(share).astype(np.int64)
    chosen[np.argsort(chosen - share, kind="stable")[: count - chosen.sum()]] += 1
    # The place of each sample within its class.
    by_class = np.argsort(classes, kind="stable")
    place = np.empty_like(by_class)
    place[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[np.argsort(place >= chosen[classes], kind="stable")]


def random_split(
    dataset: Any, lengths: Sequence[float], generator: SeedLike = None
) -> list[Subset]:
    """Divide a data set at random into parts that share its samples; nothing is copied.

    Parameters
    ----------
    dataset
        What `DataLoader` takes, apart from iterables.
    lengths
        The numbers of samples, whose sum is that of the data set; or shares, whose sum is 1: each
        is rounded down, and the samples left over go to the parts in turn.
    generator
        Generator, seed, or None for the default generator.

    Returns
    -------
    list of Subset

    Raises
    ------
    TypeError, ValueError
        Where the lengths are neither.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import DataLoader, random_split
    >>> x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    >>> train, test = random_split((x, y), [0.8, 0.2], generator=0)
    >>> len(train), len(test), len(list(DataLoader(train, batch_size=3, shuffle=True)))
    (8, 2, 3)
    """
    data = as_dataset(dataset)
    if any(isinstance(length, (float, np.floating)) for length in lengths):
        counts = _shares(lengths, len(data))
    else:
        counts = [as_count(f"lengths[{i}]", n, 0) for i, n in enumerate(lengths)]
    if not counts or sum(counts) != len(data):
        raise ValueError(
            f"lengths are {list(lengths)}; expected numbers with the sum {len(data)}, which is "
            "that of the samples, or shares with the sum 1"
        )
    order = as_generator(generator).permutation(len(data))
    return [Subset(data, part) for part in np.split(order, np.cumsum(counts)[:-1])]


def _shares(lengths: Sequence[float], n: int) -> list[int]:
    """Turn shares into numbers of samples; none where they are no shares."""
    if not all(0 <= share <= 1 for share in lengths) or not math.isclose(sum(lengths), 1):
        return []
    counts = [math.floor(n * share) for share in lengths]
    for i in range(n - sum(counts)):
        counts[i % len(counts)] += 1
    return counts


def pixels(images: Array, as_float: bool) -> Array:
    """Return uint8 images as they are, or as rows of float32 with 255 at exactly 1."""
    if not as_float:
        return images
    n, height, width = images.shape
    return np.divide(images.reshape(n, height * width), np.float32(255), dtype=np.float32)
