"""Samples into a batch.

Floor `data`; may import `_typing`.  A new kind of sample is a branch of `default_collate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def default_collate(samples: Sequence[Any]) -> Any:
    """Put samples of one form together along a new first axis.

    Parameters
    ----------
    samples
        At least one; all of them arrays of one shape, numbers, strings, or tuples, lists and dicts
        of these.

    Returns
    -------
    Any
        Of arrays and numbers an ndarray; of tuples, lists and dicts one whose parts are batches;
        of strings a list.

    Raises
    ------
    TypeError
        If a sample is something else.
    ValueError
        If there is none, or if their shapes, lengths or keys differ.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import default_collate
    >>> default_collate([(np.array([1.0, 2.0]), 0), (np.array([3.0, 4.0]), 1)])
    (array([[1., 2.],
           [3., 4.]]), array([0, 1]))
    """
    if not samples:
        raise ValueError("there is no sample to make a batch of")
    first = samples[0]
    if isinstance(first, (str, bytes)):
        return list(samples)
    if isinstance(first, (np.ndarray, np.generic, bool, int, float, complex)):
        return _stacked(samples)
    if isinstance(first, Mapping):
        _same([list(sample) for sample in samples], "keys")
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        _same([len(sample) for sample in samples], "lengths")
        parts = [default_collate(part) for part in zip(*samples, strict=True)]
        # A namedtuple takes its fields one by one.
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    raise TypeError(
        f"a sample holds a {type(first).__name__}; expected arrays, numbers, strings, or tuples, "
        "lists and dicts of these (.data of a Tensor): give a collate_fn that makes the batch"
    )


def _stacked(samples: Sequence[Any]) -> Any:
    """Return arrays or numbers as one array."""
    arrays = [np.asarray(sample) for sample in samples]
    _same([array.shape for array in arrays], "shapes")
    if any(array.dtype.hasobject for array in arrays):
        raise TypeError("a sample holds Python objects; give a collate_fn that makes the batch")
    # The numbers themselves, so that NumPy finds their common dtype; stack would be slower.
    return np.stack(arrays) if arrays[0].ndim else np.array(samples)


def _same(found: Sequence[Any], what: str) -> None:
    """Raise unless all samples of a batch agree."""
    other = next((value for value in found if value != found[0]), None)
    if other is not None:
        raise ValueError(
            f"the samples of a batch have the {what} {found[0]} and {other}; expected one and the "
            "same, or a collate_fn that makes them so"
        )
