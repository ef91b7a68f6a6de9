"""Mini-batches of arrays that may be larger than memory.

Floor `data`; may import `_typing`.  The mechanism is `loader`'s.
"""

from __future__ import annotations

from .._typing import Array, SeedLike
from ..checks import as_count
from .dataset import TensorDataset
from .loader import DataLoader

Batches = DataLoader
"""What `batches` returns."""


def batches(
    arrays: Array | tuple[Array, ...],
    batch_size: int,
    shuffle: bool = False,
    rng: SeedLike = None,
    drop_last: bool = False,
) -> DataLoader:
    """Iterate over arrays in batches, without copying the whole.

    The short form of `DataLoader` for arrays.

    Parameters
    ----------
    arrays
        An ndarray or `numpy.memmap`, or a tuple of them with equal first lengths.
    batch_size
        Samples per batch, at least 1.
    shuffle
        False: in order, and a batch is a view (writing to it writes to `arrays`).
        True: every pass has a new order, and a batch is a copy; of a memory map nothing but the
        rows of the batch is read.
    rng
        Generator, seed, or None for the default generator; drawn from once per shuffled pass.
    drop_last
        Leave out the last batch where it is smaller than the others; also where it is the only one.

    Returns
    -------
    DataLoader
        Yields an ndarray where `arrays` is one, else a tuple.  No samples, no batches.  Its
        `state_dict` is the exact position.

    Raises
    ------
    TypeError
        Where `arrays` holds something other than ndarrays.
    ValueError
        Where the arrays differ in length, there is none, one has no dimension, or `batch_size` is
        below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import batches
    >>> x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    >>> [labels.tolist() for _, labels in batches((x, y), 2)]
    [[0, 1], [2, 3], [4]]
    >>> len(batches(x, 2, shuffle=True, rng=0, drop_last=True))
    2
    """
    TensorDataset(*(arrays if isinstance(arrays, tuple) else (arrays,)))  # arrays, and nothing else
    size = as_count("batch_size", batch_size)
    return DataLoader(arrays, size, shuffle, drop_last=drop_last, generator=rng)
