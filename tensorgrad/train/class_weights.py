"""Class weights: how much a sample of each class has to count, so that rare classes are learned.

Floor: train.  The loss takes the weights, and `fit` knows nothing of them.
"""

from __future__ import annotations

import numpy as np

from .._typing import Array, ArrayLike
from ..checks import as_count
from .metrics.measuring import as_array


def balanced_class_weights(labels: ArrayLike, classes: int | None = None) -> Array:
    """Compute weights with which all classes count alike: w_c = n / (classes · n_c).

    n is the number of samples, n_c that of class c: scikit-learn's
    `compute_class_weight("balanced")`.  The mean weight of a sample is 1.

    Parameters
    ----------
    labels
        The classes of the training samples, integers from 0, in any shape.
    classes
        How many classes the model tells apart; None: one more than the greatest label.

    Returns
    -------
    ndarray
        Of the shape (classes,), float64: what `nn.CrossEntropyLoss(weight=...)` takes.

    Raises
    ------
    TypeError
        If the labels are no integers.
    ValueError
        If there are none, one is out of range, or a class has no sample: no weight balances it.

    Examples
    --------
    >>> balanced_class_weights([0, 0, 0, 1])
    array([0.66666667, 2.        ])
    """
    given = as_array(labels)
    if not given.size:
        raise ValueError("labels holds no samples")
    if given.dtype.kind not in "iu":
        raise TypeError(
            f"labels are of {given.dtype}; expected the integers of classes, from 0: of one-hot "
            "rows take labels.argmax(axis=1), of names np.unique(names, return_inverse=True)[1]"
        )
    found, counts = np.unique(given, return_counts=True)
    least, greatest = int(found[0]), int(found[-1])
    number = greatest + 1 if classes is None else as_count("classes", classes)
    if least < 0 or greatest >= number:
        wrong = least if least < 0 else greatest
        raise ValueError(f"a label is {wrong}; expected 0 to {number - 1}")
    if len(found) < number:
        gap = np.flatnonzero(found != np.arange(len(found)))
        missing = int(gap[0]) if gap.size else len(found)
        raise ValueError(
            f"class {missing} of {number} has no sample, so that its weight would be infinite: "
            "count the classes from 0 without a gap, or give the loss weights of your own"
        )
    weights: Array = given.size / (number * counts)
    return weights
