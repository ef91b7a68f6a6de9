"""Damaged files: whatever happened to one, `load` gives equal data or raises `FormatError`.

Cases 112 and 113 of docs/semantics.md, and points 1, 9, 11 and 14 of what a loader must refuse.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from io_files import bits, layout, refused
from tensorgrad.io import FormatError, load, load_safetensors, save

SUFFIXES = [".npz", ".safetensors"]
STATE = {"w": np.array([[1.5, -0.0]], np.float32), "deep": [np.array([True]), 7, float("nan"), "é"]}


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the path of a valid file."""
    path: Path = tmp_path / f"file{request.param}"
    save(path, STATE, metadata={"author": "a"})
    return path


def refuses(path: Path) -> bool:
    """Tell whether a file is refused; if not, it must mean the same as the valid one."""
    try:
        found = load(path)
    except FormatError:
        return True
    assert bits(found) == bits(STATE)
    return False


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    """Case 112."""
    content = path.read_bytes()
    assert bits(load(path)) == bits(STATE)
    for length in reversed(range(len(content))):
        os.truncate(path, length)
        assert refuses(path)


def test_a_flipped_bit_is_harmless_or_refused(path: Path) -> None:
    """Case 113, for headers and data alike."""
    content = path.read_bytes()
    refusals = 0
    with path.open("r+b", buffering=0) as file:
        for at, byte in enumerate(content):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), at)
                refusals += refuses(path)
            os.pwrite(file.fileno(), bytes([byte]), at)
    # A time stamp, a version or an attribute in a zip archive means nothing here.
    assert refusals > (0.9 if path.suffix == ".npz" else 0.99) * 8 * len(content)


def test_bytes_that_follow_or_precede_are_refused(path: Path) -> None:
    """Points 2, 6 and 7: the file is accounted for to the last byte."""
    content = path.read_bytes()
    refused(path, content + b"\0")
    refused(path, content + content)
    refused(path, b"\0" + content)
    refused(path, b"", "holds 0 bytes")


# ------------------------------------------------------------------------- the record of a state


def recorded(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Return a file whose record was changed on purpose, with a checksum that is right."""
    record: dict[str, Any] = {"version": 1, "sha256": {}, "state": {"dict": {}}}
    text = json.dumps(change(record) or record)
    entries = {"tensorgrad": text}
    entries["tensorgrad.sha256"] = hashlib.sha256(
        json.dumps([["tensorgrad", text]]).encode()
    ).hexdigest()
    return layout({"__metadata__": entries})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(version=2), "was written in version 2 .* use a newer one"),
        (lambda r: r.update(version=True), "was written in version True"),
        (lambda r: r.pop("version") and r, "was written in version None"),
        (lambda r: r.update(more=1), "other fields"),
        (lambda r: r.update(sha256=[]), "is not text by name"),
        (lambda r: r.update(sha256={"a": ""}), "checksums of other arrays"),
        (lambda r: r.update(state={"array": "a"}), "stands for nothing"),
        (lambda r: r.update(state={"dict": []}), "stands for nothing"),
        (lambda r: r.update(state={}), "stands for nothing"),
        (lambda r: r.update(state={"dict": {}, "array": "a"}), "stands for nothing"),
        (lambda r: r.update(state={"module": "os"}), "stands for nothing"),
        (lambda r: r.update(state={"float": "1.5"}), "stands for nothing"),
        (lambda r: r.update(state={"float": "00"}), "stands for nothing"),
        (lambda r: r.update(state=json.loads("[" * 60 + "]" * 60)), "nested more than 50 deep"),
        (lambda _: [1], "the record is no JSON object"),
    ],
)
def test_a_record_that_is_none_is_refused(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    """Point 9: a schema, and a version."""
    path = tmp_path / "strange.safetensors"
    path.write_bytes(recorded(lambda _: None))
    assert load(path) == {}
    refused(path, recorded(change), message)


def test_each_array_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "swapped.safetensors"
    save(path, {"a": np.zeros(2, np.float32), "b": np.ones(2, np.float32)})
    content = path.read_bytes()
    refused(
        path, content.replace(b'\\"array\\":\\"a\\"', b'\\"array\\":\\"b\\"'), "SHA-256 differs"
    )
    refused(path, content[:-8] + content[-16:-8], "'b' is damaged: its SHA-256 differs")


def test_infinity_is_data_unless_asked(path: Path) -> None:
    """Point 11."""
    save(path, {"good": np.ones(2), "bad": np.array([1.0, np.inf])})
    assert load(path)["bad"][1] == np.inf
    with pytest.raises(FormatError, match="'bad' holds NaN or infinity"):
        load(path, check_finite=True)
    save(path, {"good": np.ones(2), "n": np.arange(2)})
    assert load(path, check_finite=True)["good"][1] == 1


# ----------------------------------------------------------------------------------------- fuzzing

VALID: dict[str, bytes] = {}


def valid(suffix: str, folder: Path) -> bytes:
    """Return the bytes of a valid file."""
    if suffix not in VALID:
        save(folder / f"valid{suffix}", STATE)
        VALID[suffix] = (folder / f"valid{suffix}").read_bytes()
    return VALID[suffix]


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[str, float, float, int]]:
    """Draw what is done to a file: kind, two places as shares of its length, a number."""
    kind = st.sampled_from(["cut", "flip", "splice", "number", "insert", "delete"])
    share = st.floats(0, 1, exclude_max=True)
    numbers = st.sampled_from([0, 1, 7, 0xFF, 0xFFFF, 0xFFFFFFFF, 2**31, 2**63, 2**64 - 1])
    one = st.tuples(kind, share, share, numbers | st.integers(0, 2**64 - 1))
    return draw(st.lists(one, min_size=1, max_size=4))


def mutated(content: bytes, changes: list[tuple[str, float, float, int]]) -> bytes:
    """Return a file after these changes."""
    for kind, one, other, number in changes:
        at, end = int(one * len(content)), int(other * len(content))
        if kind == "cut":
            content = content[:at]
        elif kind == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (number % 255 + 1)]) + content[at + 1 :]
        elif kind == "splice":
            content = content[:at] + content[end:]
        elif kind == "number":  # a length, an offset or a count of 2, 4 or 8 bytes
            width = (2, 4, 8)[number % 3]
            value = (number & (1 << 8 * width) - 1).to_bytes(width, "little")
            content = content[:at] + value + content[at + width :]
        elif kind == "insert":
            content = content[:at] + number.to_bytes(8, "little") + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + number % 16 :]
    return content


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=mutations())
def test_a_mutated_file_is_equal_or_refused(
    suffix: str, tmp_path: Path, changes: list[tuple[str, float, float, int]]
) -> None:
    """Point 14."""
    content = mutated(valid(suffix, tmp_path), changes)
    mutant = tmp_path / f"mutant{suffix}"
    mutant.write_bytes(content)
    refuses(mutant)
    assert {p.name for p in tmp_path.iterdir()} <= {f"valid{suffix}", f"mutant{suffix}"}


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_noise_is_refused(suffix: str, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        load(path)


# ------------------------------------------------------------------------------------ special files


def test_what_has_no_end_is_not_opened(tmp_path: Path) -> None:
    """A pipe would keep us waiting for a writer."""
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    with pytest.raises(FormatError, match="a device, a pipe or a socket"):
        load(pipe)
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    with pytest.raises(FormatError, match="a device, a pipe or a socket"):
        load(tmp_path / "zero.npz")


def test_what_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(IsADirectoryError):
        load(tmp_path / "folder.npz")


def test_no_module_here_can_unpickle() -> None:
    """Point 1: there is no unsafe path to fall back to."""
    package = Path(__file__).parents[1] / "tensorgrad"
    banned = re.compile(r"^\s*(import|from) (pickle|marshal|shelve)|\b(eval|exec|np\.load)\(", re.M)
    sources = {
        path.relative_to(package): path.read_text("utf-8")
        for folder in ("files", "io")
        for path in (package / folder).glob("*.py")
    }
    assert [name for name, source in sources.items() if banned.search(source)] == []
    assert len(sources) > 8


def test_a_file_that_shrinks_while_it_is_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = path.stat()
    monkeypatch.setattr(os, "fstat", lambda _: found)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError):
        load(path)


def test_the_name_says_the_format(tmp_path: Path) -> None:
    for name in ("model", "model.pkl", "model.npz.bak", ".npz"):
        with pytest.raises(ValueError, match=r"expected a name in \.npz or \.safetensors"):
            load(tmp_path / name)
    with pytest.raises(ValueError, match=r"expected a name in \.safetensors"):
        load_safetensors(tmp_path / "model.npz")
