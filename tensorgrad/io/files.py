"""Saving and loading: what people call.

Floor: io, above the formats.  A format is a row of `FORMATS`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final

import numpy as np

from .._typing import Array, ArrayLike
from ..files.checks import FormatError, opened
from ..handle import Handle
from . import npz, safetensors
from .atomic import replacing
from .checks import Header, read_array
from .record import Record, check_array, metadata_with_record, split_record
from .state import pack, unpack

FORMATS: Final[dict[str, ModuleType]] = {".npz": npz, ".safetensors": safetensors}
"""By the end of the file's name; each has `write` and `read_header`."""


def save(
    path: str | os.PathLike[str],
    state: dict[str, Any] | list[Any],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save arrays and whatever belongs to them, all at once or not at all.

    The file is written beside `path` under another name, flushed to the disk, read back as far as
    its headers go, and renamed.  Whatever happens meanwhile - an error, a full disk, Ctrl-C, a
    power failure - `path` is the old file or the new one, whole.  Ctrl-C waits for the end.

    Parameters
    ----------
    path
        Ends in `.npz` or `.safetensors`; both hold the same.  A symbolic link, a folder and a
        write-protected file are refused.
    state
        Dicts (with text as keys) and lists, nested as you like, of arrays, tensors, Python numbers,
        text, booleans and None.  NumPy scalars count as 0-d arrays.  The arrays are called by their
        keys, joined with dots: a flat `state_dict()` gives a file of arrays with just its names.
        safetensors has neither complex128 nor longdouble.
    metadata
        Text by name, for people and other programs; see `load_metadata`.

    Raises
    ------
    TypeError, ValueError
        If something in `state` or `metadata` cannot be stored, or the name ends otherwise.
    OSError
        If the file cannot be written.  In every case the old file is as it was, but where only the
        last step fails, to flush the folder: then the new file is in its place.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from tensorgrad import io, nn
    >>> model = nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "run.npz")
    ...     io.save(path, {"model": model.state_dict(), "epoch": 7, "losses": [0.5, 0.25]})
    ...     state = io.load(path)
    >>> _ = model.load_state_dict(state["model"])
    >>> state["epoch"], state["losses"]
    (7, [0.5, 0.25])
    """
    form = _format(path)
    arrays, structure = pack(state)
    entries = metadata_with_record(arrays, structure, metadata)
    with replacing(path) as file:
        form.write(file, arrays, entries)
        # What could not be loaded again, as with too many arrays, does not replace anything.
        split_record(form.read_header(file, file.seek(0, os.SEEK_END)).metadata)


def load(path: str | os.PathLike[str], *, check_finite: bool = False) -> Any:
    """Load what `save` has saved, or the arrays in a file of another program.

    The file may come from a stranger: nothing in it is run, nothing but it is read, nothing is
    written, and memory grows with its size alone, since every claim in it is checked first.  A
    checksum finds damage.  It does not tell who made the file.

    Parameters
    ----------
    path
        Ends in `.npz` or `.safetensors`, and was written by `save`, by `numpy.savez` (numbers,
        not compressed), or in the format safetensors.
    check_finite
        Whether to refuse NaN and infinities in the arrays.

    Returns
    -------
    dict or list
        What was saved, with ndarrays in C order for its arrays; for a file of another program its
        arrays by name.

    Raises
    ------
    FormatError
        If the file is damaged, hostile, of a later version, or not in one of these formats.
    OSError
        If it cannot be read.
    ValueError
        If its name ends otherwise.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tensorgrad import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "broken.npz")
    ...     _ = path.write_bytes(b"PK")
    ...     io.load(path)
    Traceback (most recent call last):
    tensorgrad.files.checks.FormatError: '...broken.npz': holds 2 bytes, which is no zip archive
    """
    arrays, record = _read(path, check_finite)
    if record is None:
        return arrays
    with _naming(path):
        return unpack(record.state, arrays)


def save_safetensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, ArrayLike],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save arrays by name in the format safetensors, which PyTorch, JAX and others read.

    Parameters
    ----------
    path
        Ends in `.safetensors`.
    tensors
        Arrays or tensors by name, such as `model.state_dict()`.
    metadata
        Text by name.

    Raises
    ------
    TypeError, ValueError, OSError
        As `save` does; also if one of `tensors` is no array.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tensorgrad import io, nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     io.save_safetensors(path, nn.Linear(3, 2).state_dict(), metadata={"format": "pt"})
    ...     sorted(io.load_safetensors(path)), io.load_metadata(path)
    (['bias', 'weight'], {'format': 'pt'})
    """
    _require_safetensors(path)
    for name, array in tensors.items():
        if not isinstance(array, (Handle, np.ndarray, np.generic)):
            raise TypeError(
                f"{name!r} is a {type(array).__name__}; expected an array: `save` takes other "
                "values too"
            )
    save(path, dict(tensors), metadata=metadata)


def load_safetensors(
    path: str | os.PathLike[str], *, check_finite: bool = False
) -> dict[str, Array]:
    """Load the arrays in a file in the format safetensors, by name.

    Parameters
    ----------
    path
        Ends in `.safetensors`.
    check_finite
        Whether to refuse NaN and infinities.

    Returns
    -------
    dict of str to ndarray
        All arrays of the file; also where `save` has put them into nested dicts.

    Raises
    ------
    FormatError, OSError, ValueError
        As `load` does.
    """
    _require_safetensors(path)
    return _read(path, check_finite)[0]


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Load the text that a file holds beside its arrays, without reading them.

    Parameters
    ----------
    path
        As for `load`.

    Returns
    -------
    dict of str to str
        What `save` was given as `metadata`.

    Raises
    ------
    FormatError, OSError, ValueError
        As `load` does.
    """
    form = _format(path)
    with opened(path) as file, _naming(path):
        return split_record(_header(form, file).metadata)[0]


def _read(
    path: str | os.PathLike[str], check_finite: bool
) -> tuple[dict[str, Array], Record | None]:
    """Return the arrays of a file, checked, and its record."""
    form = _format(path)
    with opened(path) as file, _naming(path):
        header = _header(form, file)
        record = split_record(header.metadata)[1]
        names = {entry.name for entry in header.entries}
        if record is not None and record.checksums.keys() != names:
            raise FormatError("the record has checksums of other arrays than the file holds")
        arrays = {}
        for entry in header.entries:
            array = arrays[entry.name] = read_array(file, entry)
            if record is not None:
                check_array(entry.name, array, record)
            if check_finite and not np.isfinite(array).all():
                raise FormatError(f"{entry.name!r} holds NaN or infinity (check_finite=True)")
    return arrays, record


def _header(form: ModuleType, file: BinaryIO) -> Header:
    """Return what an open file claims."""
    header: Header = form.read_header(file, os.fstat(file.fileno()).st_size)
    return header


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the file into the FormatErrors of a block."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)!r}: {error}") from error


def _format(path: str | os.PathLike[str]) -> ModuleType:
    """Return the format that the name of a file asks for."""
    form = FORMATS.get(Path(path).suffix)
    if form is None:
        known = " or ".join(FORMATS)
        raise ValueError(f"the file is called {os.fspath(path)!r}; expected a name in {known}")
    return form


def _require_safetensors(path: str | os.PathLike[str]) -> None:
    """Raise unless the name says which format it is."""
    if _format(path) is not safetensors:
        raise ValueError(f"the file is called {os.fspath(path)!r}; expected a name in .safetensors")
