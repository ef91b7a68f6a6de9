"""IDX files, the format of MNIST and its relatives, read as files from strangers.

Floor `data`; may import `_typing` and `files`.  A file is two zero bytes, a dtype code, the number
of dimensions, each dimension as a big-endian 32-bit integer, then the elements, big-endian, in C
order.  What the header promises is compared with what the file can hold before memory is claimed,
and then must be met to the byte.  A new dtype code is one row of `_DTYPES`.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array, Shape
from ..files.checks import DEFLATE, MAX_RANK, FormatError, check_shape, take_bytes
from .split import Split, pixels

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"


def load_idx(path: str | os.PathLike[str]) -> Array:
    """Read an IDX file, gzipped or not, into an array.

    Compression is recognised by the first bytes, not by the name.  A plain file takes memory in
    proportion to its size; a gzipped one can truly hold up to 1032 times its size, and a file that
    merely claims more than it holds is refused.

    Parameters
    ----------
    path
        A regular file.  Nothing else is read, and nothing is written.

    Returns
    -------
    ndarray
        uint8, int8, int16, int32, float32 or float64 in native byte order, of the shape that the
        header names; writable.

    Raises
    ------
    FormatError
        Where the file is no IDX file, is damaged, or is longer or shorter than its header says.
    OSError
        Where it cannot be opened or read (FileNotFoundError and its relatives).

    References
    ----------
    The format is described on the home page of MNIST, by Y. LeCun, C. Cortes and C. J. C. Burges.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tensorgrad.data import load_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3]) + bytes([7, 2, 1]))
    ...     load_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.peek(2)[:2] != _GZIP_MAGIC:
                return _read(file, size, exact=True)
            with gzip.GzipFile(fileobj=file) as unzipped:
                return _read(unzipped, DEFLATE * size, exact=False)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FormatError(
            f"{os.fspath(path)!r}: the gzip stream is damaged ({error}); fetch the file again"
        ) from error
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)!r}: {error}") from error


def _read(stream: io.BufferedIOBase, limit: int, exact: bool) -> Array:
    """Read header and elements of a stream that holds `limit` bytes, or that many at most."""
    dtype, shape = _read_header(stream)
    header = 4 + 4 * len(shape)
    size = math.prod(shape) * dtype.itemsize
    promise = f"its header asks for {header} + {size} bytes ({dtype.name}, shape {shape})"
    if header + size > limit or (exact and header + size < limit):
        bound = "" if exact else "at most "
        raise FormatError(f"the file holds {bound}{limit} bytes, but {promise}")
    elements = take_bytes(stream, size)
    if len(elements) < size:
        raise FormatError(f"the file ends after {header} + {len(elements)} bytes, but {promise}")
    # The read past the end also makes gzip compare its checksum.
    if stream.read(1):
        raise FormatError(f"the file goes on after its elements, but {promise}")
    array = np.ndarray(shape, dtype, elements)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: io.BufferedIOBase) -> tuple[np.dtype[Any], Shape]:
    """Read dtype and shape, and refuse what NumPy could not hold."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        codes = ", ".join(f"{code:02x}" for code in _DTYPES)
        raise FormatError(
            f"starts with the bytes '{magic.hex(' ')}'; expected an IDX file: "
            f"'00 00', a dtype code ({codes}) and the number of dimensions"
        )
    dtype, rank = _DTYPES[magic[2]], magic[3]
    if not 1 <= rank <= MAX_RANK:
        raise FormatError(f"has {rank} dimensions; expected 1 to {MAX_RANK}")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise FormatError(f"ends in the header; expected {rank} dimensions of 4 bytes each")
    shape: Shape = struct.unpack(f">{rank}i", sizes)
    if min(shape) < 0:
        raise FormatError(f"has shape {shape}; expected dimensions from 0 to 2**31 - 1")
    check_shape("it", shape, dtype)
    return dtype, shape


def load_mnist_idx(
    folder: str | os.PathLike[str], as_float: bool = True, classes: int = 10
) -> Split:
    """Read the four IDX files of MNIST, Fashion-MNIST or a data set laid out like them.

    The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, each with `.gz` or without; where both are there, without.

    Parameters
    ----------
    folder
        Where the files lie.
    as_float
        True: `x` is (n, height * width) float32 in 0..1.  False: (n, height, width) uint8.
    classes
        The number of classes; every label must be below it.

    Returns
    -------
    Split
        `x_train, y_train, x_test, y_test`; the labels are int64.

    Raises
    ------
    FileNotFoundError
        Naming every file that is missing.
    FormatError, ValueError
        Where a file is damaged (see `load_idx`), images and labels differ in number, the two parts
        differ in image size, or a label is out of range.

    Examples
    --------
    >>> from tensorgrad.data import load_mnist_idx
    >>> load_mnist_idx("fashion-mnist")
    Traceback (most recent call last):
    FileNotFoundError: 'fashion-mnist' lacks train-images-idx3-ubyte[.gz], ...
    """
    names = [
        f"{part}-{kind}-ubyte"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    ]
    paths = [_find(Path(folder), name) for name in names]
    missing = [f"{name}[.gz]" for name, path in zip(names, paths, strict=True) if path is None]
    if missing:
        raise FileNotFoundError(f"{os.fspath(folder)!r} lacks {', '.join(missing)}")
    train, y_train, test, y_test = (load_idx(path) for path in paths if path is not None)
    for part, images, labels in (("train", train, y_train), ("t10k", test, y_test)):
        _check_part(f"{os.fspath(folder)!r}: {part}", images, labels, classes)
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"{os.fspath(folder)!r}: train images are {train.shape[1:]} and t10k images "
            f"{test.shape[1:]}; expected one size"
        )
    return Split(
        pixels(train, as_float),
        y_train.astype(np.int64),
        pixels(test, as_float),
        y_test.astype(np.int64),
    )


def _find(folder: Path, name: str) -> Path | None:
    """Return the plain file, else the gzipped one, else None."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _check_part(where: str, images: Array, labels: Array, classes: int) -> None:
    """Raise unless these are uint8 images with one label each, all below `classes`."""
    for kind, array, rank in (("images", images, 3), ("labels", labels, 1)):
        if array.ndim != rank or array.dtype != np.uint8:
            raise ValueError(
                f"{where} {kind} are {array.dtype} of shape {array.shape}; "
                f"expected uint8 of {rank} dimension(s)"
            )
    if len(images) != len(labels):
        raise ValueError(f"{where} has {len(images)} images but {len(labels)} labels")
    if labels.size and labels.max() >= classes:
        index = int(labels.argmax())
        raise ValueError(
            f"{where} label {index} is {labels[index]}; expected 0 to {classes - 1} "
            f"(classes={classes})"
        )
