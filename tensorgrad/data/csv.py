"""CSV files of numbers, whole or in blocks.

Floor `data`; may import `_typing` and `files`.  A file is text from strangers: nothing is
evaluated, a line has a bounded length, and what is no number is an error that names line and
column.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from .._typing import Array, DTypeLike
from ..checks import as_count
from ..files.checks import FormatError

_MAX_LINE = 1 << 20
_BLOCK = 4096


class Table(NamedTuple):
    """The columns of a CSV file.

    Attributes
    ----------
    values
        (rows, columns).
    names
        What the header calls the columns; empty where there is none.
    """

    values: Array
    names: tuple[str, ...]


def load_csv(
    path: str | os.PathLike[str],
    *,
    header: bool = True,
    delimiter: str = ",",
    columns: Sequence[str | int] | None = None,
    empty: str = "error",
    dtype: DTypeLike = np.float64,
) -> Table:
    r"""Read the numbers of a CSV file.

    Parameters
    ----------
    path
        A regular file, UTF-8 with or without a byte order mark; lines may end in any way.
    header, delimiter, columns, empty, dtype
        As of `CsvBlocks`.

    Returns
    -------
    Table
        `values` (rows, columns), and `names`.

    Raises
    ------
    TypeError, ValueError
        Where an argument is not as described.
    FormatError
        Where a line is not as expected; the message names it.
    OSError
        Where the file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tensorgrad.data import load_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "flowers.csv")
    ...     _ = path.write_text("width,length,name\n1.5,2,rose\n3,,lily\n")
    ...     table = load_csv(path, columns=["length", "width"], empty="nan")
    >>> table.names, table.values
    (('length', 'width'), array([[2. , 1.5],
           [nan, 3. ]]))
    """
    blocks = CsvBlocks(
        path, header=header, delimiter=delimiter, columns=columns, empty=empty, dtype=dtype
    )
    none = np.empty((0, len(blocks.columns)), blocks.dtype)
    return Table(np.concatenate([none, *blocks]), blocks.names)


class CsvBlocks:
    r"""The rows of a CSV file in blocks, read anew in each pass, in memory for one block.

    Parameters
    ----------
    path
        A regular file, UTF-8 with or without a byte order mark; lines may end in any way, and
        fields be in double quotes.  Blank lines are left out.
    rows
        How many rows to a block, at least 1; the last one holds what is left.
    header
        Whether the first line names the columns.
    delimiter
        What separates fields, one character.
    columns
        Which columns, in which order: names, or numbers from 0.  By default all; the fields of the
        others may hold anything.
    empty
        "error", or "nan": what a field without a character is.
    dtype
        Of the blocks: a floating type, or an integer type, which takes whole numbers only.

    Attributes
    ----------
    names : tuple of str
        What the header calls the columns read; empty where there is none.
    columns : tuple of int
        Their numbers.

    Raises
    ------
    TypeError, ValueError
        Where an argument is not as described, or the header lacks a column.
    FormatError
        In a pass: where a line has more or fewer fields than the first, a field is no number or out
        of the range of the dtype, or a line has more than 1,048,575 characters; the message names
        line and column.
    OSError
        Where the file cannot be opened or read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tensorgrad.data import CsvBlocks, DataLoader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "points.csv")
    ...     _ = path.write_text("x,y\n1,2\n3,4\n5,6\n")
    ...     blocks = CsvBlocks(path, rows=2)
    ...     ahead = list(DataLoader(blocks, batch_size=None, prefetch=1))
    >>> [block.tolist() for block in ahead]
    [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rows: int = _BLOCK,
        *,
        header: bool = True,
        delimiter: str = ",",
        columns: Sequence[str | int] | None = None,
        empty: str = "error",
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.path, self.rows, self.header = Path(path), as_count("rows", rows), header
        self.delimiter, self.empty, self.dtype = delimiter, empty, np.dtype(dtype)
        if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError(f"delimiter is {delimiter!r}; expected one character, no quote")
        if self.dtype.kind not in "fiu":
            raise TypeError(f"dtype is {self.dtype}; expected a floating or an integer type")
        if empty not in ("error", "nan") or (empty == "nan" and self.dtype.kind != "f"):
            raise ValueError(f'empty is {empty!r}; expected "error", or "nan" of a floating dtype')
        self._convert = int if self.dtype.kind in "iu" else float
        bounds: Any = np.finfo(self.dtype) if self._convert is float else np.iinfo(self.dtype)
        self._low, self._high = self._convert(bounds.min), self._convert(bounds.max)
        with self._open() as file:
            _, first = next(self._lines(file), (0, []))
        self._width = len(first)
        self.columns = self._chosen(columns, first)
        self.names = tuple(first[i].strip() for i in self.columns) if header else ()

    def __iter__(self) -> Iterator[Array]:
        """Yield the blocks, (rows, columns) each."""
        with self._open() as file:
            lines = self._lines(file)
            if self.header:
                next(lines, None)
            while block := [self._numbers(*line) for line in islice(lines, self.rows)]:
                yield np.array(block, self.dtype)

    def _open(self) -> TextIO:
        """Open the file; a byte order mark is no part of the text."""
        # What is not UTF-8 is no number either, and harmless in columns that are not read.
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _lines(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Yield the fields of each line that is not blank, and its number."""
        reader = csv.reader(
            self._bounded(file),
            delimiter=self.delimiter,
            skipinitialspace=self.delimiter != " ",
            strict=True,
        )
        try:
            for fields in reader:
                if fields not in ([], [""]):
                    yield reader.line_num, fields
        except csv.Error as error:
            raise self._fault(reader.line_num, str(error)) from error

    def _bounded(self, file: TextIO) -> Iterator[str]:
        """Yield lines, but none that does not seem to end."""
        number = 1
        while line := file.readline(_MAX_LINE):
            if len(line) == _MAX_LINE:
                raise self._fault(number, f"it has more than {_MAX_LINE - 1:,} characters")
            yield line
            number += 1

    def _chosen(self, columns: Sequence[str | int] | None, first: list[str]) -> tuple[int, ...]:
        """Return the numbers of the columns to read, from the first line."""
        if not first:
            raise FormatError(f"{os.fspath(self.path)!r} holds no line")
        if self.header and all(_is_number(field) for field in first):
            raise self._fault(1, "the header holds numbers alone: give header=False")
        if columns is None:
            return tuple(range(len(first)))
        if isinstance(columns, str) or not len(columns):
            raise TypeError(f"columns is {columns!r}; expected a list of names or numbers")
        names = [field.strip() for field in first] if self.header else []
        chosen = []
        for column in columns:
            if isinstance(column, str) and names.count(column) == 1:
                chosen.append(names.index(column))
            elif isinstance(column, int) and 0 <= column < len(first):
                chosen.append(column)
            else:
                known = f"one of {names[:20]}, or " if names else ""
                raise ValueError(
                    f"columns has {column!r}; expected {known}a number from 0 to {len(first) - 1}"
                )
        return tuple(chosen)

    def _numbers(self, line: int, fields: list[str]) -> list[float]:
        """Return the numbers of a line."""
        if len(fields) != self._width:
            raise self._fault(line, f"{len(fields)} fields; the first line has {self._width}")
        return [self._number(line, column, fields[column]) for column in self.columns]

    def _number(self, line: int, column: int, text: str) -> float:
        """Return the number that a field holds."""
        # Python reads 1_000 as well, and digits of any script.
        if text.isascii() and "_" not in text:
            try:
                number = self._convert(text)
            except ValueError:
                if self.empty == "nan" and not text.strip():
                    return math.nan
            else:
                if self._low <= number <= self._high:
                    return number
                if text.strip(" +-").lower() in ("nan", "inf", "infinity"):
                    return number
                raise self._fault(
                    line, f"{text[:40]!r} is out of the range of {self.dtype}", column
                )
        kind = "a whole number" if self._convert is int else "a number"
        hint = ' (empty="nan" allows for empty fields)' if not text.strip() else ""
        raise self._fault(line, f"{text[:40]!r} is not {kind}{hint}", column)

    def _fault(self, line: int, what: str, column: int | None = None) -> FormatError:
        """Return an error that says where it is."""
        where = f"line {line}" if column is None else f"line {line}, column {column + 1}"
        return FormatError(f"{os.fspath(self.path)!r}, {where}: {what}")


def _is_number(text: str) -> bool:
    """Tell whether a field of a header is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
