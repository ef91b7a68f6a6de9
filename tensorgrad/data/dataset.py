"""Data sets: samples by number, whole batches at a time where that is cheaper.

Floor `data`; may import `_typing` and `random`.  A new kind of data set derives from `Dataset`; a
new kind of object that is taken for one is a branch of `as_dataset`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from types import MethodType
from typing import Any

import numpy as np

from .._typing import Array, ArrayLike
from ..random import generators_in
from .collate import default_collate
from .rows import Rows


class Dataset:
    """Samples by number: derive from it, and define `__len__` and `__getitem__`.

    Where many samples at once are cheaper than one after the other, define `take` as well.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...
    ...     def __getitem__(self, index):
    ...         return index, float(index**2)
    >>> for number, square in DataLoader(Squares(), batch_size=3):
    ...     print(number, square)
    [0 1 2] [0. 1. 4.]
    [3 4] [ 9. 16.]
    """

    def __len__(self) -> int:
        """Return the number of samples."""
        raise NotImplementedError(f"{type(self).__name__} has no __len__ method: define one")

    def __getitem__(self, index: Any) -> Any:
        """Return the sample of this number, from 0."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__ method: define one")

    def take(self, rows: slice | Array) -> Any:
        """Return the samples of a slice, or of an array of numbers, as one batch."""
        return default_collate(self.samples(rows))

    def samples(self, rows: slice | Array) -> list[Any]:
        """Return the samples of a slice, or of an array of numbers, in a list."""
        numbers = range(len(self))[rows] if isinstance(rows, slice) else rows.tolist()
        return [self[i] for i in numbers]


class TensorDataset(Dataset):
    """Arrays side by side: sample i is row i of each.

    Parameters
    ----------
    arrays
        ndarrays of equal first length; memory maps too, from which no more is read than the rows
        asked for, and whose pages do not pile up in memory.

    Attributes
    ----------
    arrays : tuple of ndarray
        The arrays themselves; nothing is copied.

    Raises
    ------
    TypeError
        Where something other than an ndarray is given.
    ValueError
        Where the arrays differ in length, there is none, or one has no dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import TensorDataset
    >>> data = TensorDataset(np.arange(6.0).reshape(3, 2), np.array([7, 8, 9]))
    >>> len(data), data[1]
    (3, (array([2., 3.]), np.int64(8)))
    >>> data.take(np.array([2, 0]))
    (array([[4., 5.],
           [0., 1.]]), array([9, 7]))
    """

    def __init__(self, *arrays: Array) -> None:
        for array in arrays:
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    f"arrays holds a {type(array).__name__}; expected an ndarray or a tuple of "
                    "ndarrays (np.asarray makes one of a list, .data one of a Tensor)"
                )
        shapes = [array.shape for array in arrays]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                f"arrays have shapes {shapes}; expected at least one array, and the same number of "
                "samples along the first axis of each"
            )
        self.arrays = arrays
        self._rows = [Rows(array) for array in arrays]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        """Return a row of each array; by a slice or an array of numbers, these rows."""
        return tuple([array[index] for array in self.arrays])

    def take(self, rows: slice | Array) -> Any:
        """Return rows of each array: views of a slice, copies of numbers."""
        return tuple([array.take(rows) for array in self._rows])


class _OneArray(TensorDataset):
    """A single array, whose samples and batches are not in tuples."""

    def __getitem__(self, index: Any) -> Any:
        """Return a row, or rows."""
        return super().__getitem__(index)[0]

    def take(self, rows: slice | Array) -> Any:
        """Return rows."""
        return super().take(rows)[0]


class Subset(Dataset):
    """Some of the samples of a data set, in an order of their own.

    Parameters
    ----------
    dataset
        What `DataLoader` takes, apart from iterables.
    indices
        (n,) integers from 0; a sample may come twice.

    Attributes
    ----------
    dataset : Dataset
    indices : ndarray

    Raises
    ------
    TypeError, IndexError
        Where `indices` are no integers, or out of range.

    Examples
    --------
    >>> from tensorgrad.data import Subset
    >>> part = Subset(["a", "b", "c"], [2, 0])
    >>> len(part), part[0]
    (2, 'c')
    """

    def __init__(self, dataset: Any, indices: ArrayLike) -> None:
        self.dataset = as_dataset(dataset)
        self.indices = np.array(indices)
        if self.indices.shape == (0,):
            self.indices = self.indices.astype(np.int64)
        if self.indices.ndim != 1 or self.indices.dtype.kind not in "iu":
            raise TypeError(
                f"indices are {self.indices.dtype} of shape {self.indices.shape}; expected "
                "integers in one dimension (np.flatnonzero makes them of a mask)"
            )
        size = len(self.dataset)
        wrong = self.indices[(self.indices < 0) | (self.indices >= size)]
        if wrong.size:
            raise IndexError(f"indices hold {wrong[0]}; expected 0 to {size - 1}")

    def __len__(self) -> int:
        """Return the number of samples in this part."""
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        """Return the sample of this number within the part."""
        return self.dataset[int(self.indices[index])]

    def take(self, rows: slice | Array) -> Any:
        """Return samples of the part as one batch."""
        return self.dataset.take(self.indices[rows])


class _Together(Dataset):
    """Data sets side by side: sample i is the tuple of their samples i."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = [as_dataset(part) for part in parts]
        lengths = [len(part) for part in self.parts]
        if len(set(lengths)) > 1:
            raise ValueError(f"the data have {lengths} samples; expected as many of each")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.parts[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        """Return a sample of each."""
        return tuple([part[index] for part in self.parts])

    def take(self, rows: slice | Array) -> tuple[Any, ...]:
        """Return a batch of each."""
        return tuple([part.take(rows) for part in self.parts])


class _Wrapped(Dataset):
    """Any object with a length and numbered samples: a list, another library's data set."""

    def __init__(self, samples: Any) -> None:
        self._samples: Sequence[Any] = samples

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._samples)

    def __getitem__(self, index: Any) -> Any:
        """Return a sample."""
        return self._samples[index]


class Stream:
    """Samples one after the other, from something that can be iterated over, or called for that."""

    def __init__(self, source: Any) -> None:
        self._source: Iterable[Any] | Callable[[], Iterable[Any]] = source
        self._used = False

    def count(self) -> int:
        """Return the number of samples, or -1 where only a pass would tell."""
        return len(self._source) if isinstance(self._source, Sized) else -1

    def start(self) -> Iterator[Any]:
        """Start with the first sample again."""
        source = self._source
        if isinstance(source, Iterator):
            if self._used:
                raise ValueError(
                    f"the data are a {type(source).__name__}, which gives its samples once, and "
                    "they are gone: give a function that makes a new one for each pass, such as "
                    "the generator function itself"
                )
            self._used = True
            return source
        return iter(source() if callable(source) else source)


def as_dataset(data: Any) -> Dataset:
    """Return arrays, a sequence of samples, or a data set of any library as a `Dataset`.

    Raises
    ------
    TypeError, ValueError
        Where `data` is something else, or its arrays do not fit together.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, np.ndarray):
        return _OneArray(data)
    if isinstance(data, tuple):
        # A list among them would as likely be a mistake: TensorDataset says what is expected.
        mixed = any(isinstance(part, Dataset) for part in data)
        fit = mixed and all(isinstance(part, (Dataset, np.ndarray)) for part in data)
        return _Together(data) if fit else TensorDataset(*data)
    unfit = isinstance(data, (Mapping, str, bytes, type))
    if unfit or not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise TypeError(
            f"the data are a {type(data).__name__}; expected an array, a tuple of arrays or data "
            "sets, a list of samples, or an object with __len__ and __getitem__"
        )
    return _Wrapped(data)


def as_source(data: Any) -> Dataset | Stream:
    """Return what `as_dataset` takes as a `Dataset`, and what can only be iterated as a `Stream`.

    Raises
    ------
    TypeError, ValueError
        As `as_dataset` does.
    """
    numbered = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not numbered and (isinstance(data, Iterable) or callable(data)):
        return Stream(data)
    return as_dataset(data)


def generators_of(name: str, part: Any) -> Iterator[tuple[str, np.random.Generator]]:
    """Yield the generators that a data set, or a function of samples, has as attributes.

    Those of the data sets in it as well.  Samples are not looked into, nor other objects.
    """

    def attributes(value: Any) -> Iterable[tuple[Any, Any]]:
        if value is not part and not isinstance(value, Dataset):
            return ()
        if isinstance(value, _Together):
            return enumerate(value.parts)
        if isinstance(value, _Wrapped):
            value = value._samples
        elif isinstance(value, Stream):
            value = value._source
        owner = value.__self__ if isinstance(value, MethodType) else value
        return getattr(owner, "__dict__", {}).items()

    return generators_in(name, part, attributes)
