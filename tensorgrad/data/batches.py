"""Mini-batches of arrays that may be larger than memory.

Floor `data`; may import `_typing` and `random`.  Batches come from indexing and nothing else, so
whatever NumPy can index row by row (a memory map, a view, a read-only array) is a data set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np

from .._typing import Array, SeedLike
from ..random import as_generator
from ._checks import as_count

Arrays = TypeVar("Arrays", Array, tuple[Array, ...])


class Batches(Generic[Arrays]):
    """What `batches` returns: iterate over it as often as you like; `len` counts the batches."""

    def __init__(
        self,
        arrays: Arrays,
        batch_size: int,
        shuffle: bool,
        rng: np.random.Generator,
        drop_last: bool,
    ) -> None:
        """Keep the arguments, which `batches` has checked."""
        self.arrays: Arrays = arrays
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.rng = rng
        self.drop_last = drop_last

    def _samples(self) -> int:
        """Return the number of samples that one pass visits at most."""
        return len(self.arrays[0] if isinstance(self.arrays, tuple) else self.arrays)

    def __len__(self) -> int:
        """Return the number of batches in one pass."""
        full, rest = divmod(self._samples(), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Arrays]:
        """Start a pass; with `shuffle`, draw a new order for it."""
        order = self.rng.permutation(self._samples()) if self.shuffle else None
        return (self._batch(i * self.batch_size, order) for i in range(len(self)))

    def _batch(self, start: int, order: Array | None) -> Any:
        """Return the batch that begins at position `start` of the order."""
        rows: Any = slice(start, start + self.batch_size)
        if order is not None:
            rows = order[rows]
        if isinstance(self.arrays, tuple):
            return tuple(array[rows] for array in self.arrays)
        return self.arrays[rows]


def batches(
    arrays: Arrays,
    batch_size: int,
    shuffle: bool = False,
    rng: SeedLike | None = None,
    drop_last: bool = False,
) -> Batches[Arrays]:
    """Iterate over arrays in batches, without copying the whole.

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
    Batches
        Yields an ndarray where `arrays` is one, else a tuple.  No samples, no batches.

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
    parts: tuple[Any, ...] = arrays if isinstance(arrays, tuple) else (arrays,)
    for part in parts:
        if not isinstance(part, np.ndarray):
            raise TypeError(
                f"arrays holds a {type(part).__name__}; expected an ndarray or a tuple of ndarrays "
                "(np.asarray makes one of a list, .data one of a Tensor)"
            )
    shapes = [part.shape for part in parts]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"arrays have shapes {shapes}; expected at least one array, and the same number of "
            "samples along the first axis of each"
        )
    size = as_count("batch_size", batch_size, 1)
    return Batches(arrays, size, shuffle, as_generator(rng), drop_last)
