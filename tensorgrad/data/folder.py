"""A folder of .npy files as one data set, of any size.

Floor `data`; may import `_typing` and `files`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array
from ..files.checks import FormatError
from ..files.npy import Layout, read_layout, sound
from .dataset import Dataset


class NpyFolder(Dataset):
    """The .npy files of a folder, in the order of their names: a sample each, or many.

    The headers are read and checked at once, the elements when they are asked for.  A file is
    memory-mapped while rows are copied from it and no longer, so that neither memory nor open files
    pile up, however many there are.

    Parameters
    ----------
    folder
        Where the files lie; other files and folders in it are left alone.
    shards
        False: a file is a sample.  True: it holds many, along its first axis.

    Attributes
    ----------
    paths : list of Path
        The files.

    Raises
    ------
    FormatError
        Where a file is damaged or holds objects.  Also later, where one was cut meanwhile.
    ValueError
        Where there is no .npy file, or two differ in the dtype or the shape of their samples.
    OSError
        Where one cannot be opened or read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from tensorgrad.data import DataLoader, NpyFolder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(3):
    ...         np.save(pathlib.Path(folder, f"{i}.npy"), np.full((4, 2), i))
    ...     data = NpyFolder(folder, shards=True)
    ...     first = next(iter(DataLoader(data, batch_size=5)))
    >>> len(data), first[:, 0]
    (12, array([0, 0, 0, 0, 1]))
    """

    def __init__(self, folder: str | os.PathLike[str], *, shards: bool = False) -> None:
        self.paths = sorted(
            path for path in Path(folder).iterdir() if path.suffix == ".npy" and path.is_file()
        )
        if not self.paths:
            raise ValueError(f"{os.fspath(folder)!r} has no .npy file")
        self._layouts = [_as_rows(_layout_of(path), path, shards) for path in self.paths]
        first = self._layouts[0]
        for path, layout in zip(self.paths, self._layouts, strict=True):
            if (layout.dtype, layout.shape[1:]) != (first.dtype, first.shape[1:]):
                raise ValueError(
                    f"{os.fspath(path)!r} has samples of {layout.dtype}, shape {layout.shape[1:]}; "
                    f"those of {self.paths[0].name} are {first.dtype}, shape {first.shape[1:]}"
                )
        self._starts = np.cumsum([0] + [layout.shape[0] for layout in self._layouts])

    def __len__(self) -> int:
        """Return the number of samples."""
        return int(self._starts[-1])

    def __getitem__(self, index: Any) -> Array:
        """Return a copy of a sample."""
        sample: Array = self.take(np.array([range(len(self))[index]]))[0]
        return sample

    def take(self, rows: slice | Array) -> Array:
        """Return a copy of the samples of a slice or of an array of numbers."""
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"the numbers of samples go from 0 to {len(self) - 1}")
        files = np.searchsorted(self._starts, numbers, side="right") - 1
        first = self._layouts[0]
        batch = np.empty((len(numbers), *first.shape[1:]), first.dtype)
        for file in np.unique(files):
            here = files == file
            batch[here] = self._mapped(file)[numbers[here] - self._starts[file]]
        return sound(batch)

    def _mapped(self, file: int) -> Array:
        """Map the elements of a file."""
        path, (dtype, shape, order, start) = self.paths[file], self._layouts[file]
        if 0 in shape:  # which cannot be mapped
            return np.empty(shape, dtype)
        try:
            return np.memmap(path, dtype, "r", start, shape, order)
        except ValueError as error:
            raise FormatError(f"{os.fspath(path)!r} is shorter than it was: {error}") from error


def _layout_of(path: Path) -> Layout:
    """Read the header of a file."""
    try:
        with path.open("rb") as file:
            return read_layout(file, os.fstat(file.fileno()).st_size)
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)!r}: {error}") from None


def _as_rows(layout: Layout, path: Path, shards: bool) -> Layout:
    """Return the layout of a file with its samples along the first axis."""
    if not shards:
        return layout._replace(shape=(1, *layout.shape))
    if not layout.shape:
        raise ValueError(f"{os.fspath(path)!r} holds a single number; expected many samples")
    return layout
