"""Files made by hand, for the tests of what `tensorgrad.io` reads and refuses."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.io import FormatError, load


def bits(item: Any) -> Any:
    """Return what can be compared: types, shapes, and the bits of arrays and floats."""
    if isinstance(item, np.ndarray):
        return item.dtype, item.shape, item.tobytes()
    if isinstance(item, dict):
        return [(key, bits(part)) for key, part in item.items()]
    if isinstance(item, list):
        return [bits(part) for part in item]
    return type(item), struct.pack("d", item) if isinstance(item, float) else item


def refused(path: Path, content: bytes, match: str | None = None) -> None:
    """Check that a file with this content is refused, by name, and that nothing else appears."""
    path.write_bytes(content)
    before = sorted(path.parent.iterdir())
    with pytest.raises(FormatError, match=match) as caught:
        load(path)
    assert path.name in str(caught.value)
    assert len(str(caught.value)) < 1500
    assert sorted(path.parent.iterdir()) == before


def layout(header: bytes | dict[str, Any], data: bytes = b"", length: int | None = None) -> bytes:
    """Return a file in the layout of safetensors, made by hand."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def field(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8), **more: Any) -> Any:
    """Return the entry of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


def npy(
    descr: str = "'<f4'", shape: str = "(2,)", data: bytes = bytes(8), order: str = "False"
) -> bytes:
    """Return a .npy file, made by hand."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def archive(*members: tuple[Any, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive of these members, made by zipfile."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as target:
        for name, content in members:
            target.writestr(name, content)
    return file.getvalue()


def zip64(length: int, start: int, count: int) -> bytes:
    """Return the end of a large archive."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + length & 2**64 - 1, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return record + locator + end
