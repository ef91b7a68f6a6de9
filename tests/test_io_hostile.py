"""Files from strangers that claim what is not true: each is refused, at once and in little memory.

What a loader of weights must refuse, points 2 to 8 of docs/semantics.md, and its case 117.
"""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from io_files import archive, field, layout, npy, refused, zip64
from tensorgrad.io import FormatError, load, load_metadata

E8 = bytes(8)
PLAIN = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'

BAD_LAYOUTS = {
    # Point 2: lengths, before anything is claimed.
    "too short": (b"\1\0\0", "holds 3 bytes"),
    "length over the file": (layout(PLAIN, E8, 2**63), "claims a header of 9223372036854775808"),
    "length over the limit": (layout(b"{}" + b" " * 4_000_001), "claims a header of 4000003"),
    "length by one": (layout(PLAIN, b"", len(PLAIN) + 1), "claims a header"),
    "not UTF-8": (layout(b'{"\xff":1}'), "no JSON that is read"),
    "leading space": (layout(b" " + PLAIN, E8), "no JSON object"),
    "other trailing space": (layout(PLAIN + b"\n", E8), "no JSON object"),
    "byte order mark": (layout(b"\xef\xbb\xbf" + PLAIN, E8), "no JSON object"),
    "a list": (layout(b"[]"), "no JSON object"),
    "empty header": (layout(b""), "no JSON object"),
    # Point 3: what Python's parser lets through.
    "duplicate key": (layout(PLAIN[:-1] + b"," + PLAIN[1:], E8), "a key comes twice"),
    "duplicate field": (layout(PLAIN.replace(b'"shape"', b'"dtype":"F32","shape"'), E8), "twice"),
    "NaN": (layout(b'{"a":NaN}'), "NaN is no JSON"),
    "Infinity": (layout(b'{"a":-Infinity}'), "-Infinity is no JSON"),
    "deep nesting": (layout(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "no JSON that is"),
    "a number of 5,000 digits": (layout(b'{"a":' + b"9" * 5000 + b"}"), "no JSON that is read"),
    "1e400": (layout(PLAIN.replace(b"[2]", b"[1e400]"), E8), "1e400 is too large"),
    "lone surrogate": (layout(PLAIN.replace(b'"a"', b'"\\ud800"'), E8), "is called"),
    "a bool as a size": (layout({"a": field("U8", [True], [0, 1])}, b"a"), "no list of whole"),
    "a float as a size": (layout({"a": field("F32", [2.0])}, E8), "no list of whole numbers"),
    "a negative size": (layout({"a": field("F32", [-2])}, E8), "no list of whole numbers"),
    "a size of 2**63": (layout({"a": field("F32", [2**63, 0], [0, 0])}), "no list of whole"),
    "text as a shape": (layout({"a": field("F32", "22")}, E8), "no list of whole numbers"),
    "no fields": (layout({"a": 1}), "other fields"),
    "a field too many": (layout({"a": field(more=1)}, E8), "other fields"),
    "a field too few": (layout({"a": {"dtype": "F32", "shape": [2]}}, E8), "other fields"),
    "unknown dtype": (layout({"a": field("F31")}, E8), "has dtype 'F31'"),
    "dtype in small letters": (layout({"a": field("f32")}, E8), "has dtype 'f32'"),
    "a list as dtype": (layout({"a": field(["F32"])}, E8), "has dtype"),
    "rank 33": (layout({"a": field("U8", [1] * 33, [0, 1])}, b"a"), "has 33 dimensions"),
    "one offset": (layout({"a": field(offsets=[8])}, E8), "data_offsets are"),
    "three offsets": (layout({"a": field(offsets=[0, 8, 8])}, E8), "data_offsets are"),
    "no offsets": (layout({"a": field(offsets=[])}, E8), "data_offsets are"),
    # Point 4: sizes and ranges, in exact integers.
    "size and shape differ": (layout({"a": field(shape=[3])}, E8), "takes 12 bytes"),
    "a product that wraps": (layout({"a": field("F64", [2**61 + 1], [0, 8])}, E8), "more than an"),
    "3.6 TiB": (layout({"a": field("F64", [10**6, 495_000], [0, 396 * 10**10])}), "accounts for"),
    "an empty array of 2**62": (layout({"a": field("F32", [2**62, 0], [0, 0])}), "more than an"),
    "reversed offsets": (layout({"a": field(offsets=[8, 0])}, E8), "data_offsets are"),
    "overlap": (layout({"a": field(), "b": field()}, E8), "'b' starts at"),
    "hole": (layout({"a": field(offsets=[4, 12])}, E8 + b"aaaa"), "starts at"),
    "hole in the middle": (
        layout({"a": field(), "b": field(offsets=[9, 17])}, bytes(17)),
        "'b' starts at",
    ),
    "end before the file's": (layout({"a": field()}, E8 + b"PK"), "accounts for"),
    "end after the file's": (layout({"a": field(offsets=[0, 8])}, b""), "accounts for"),
    "metadata of numbers": (layout({"__metadata__": {"a": 1}}), "is not text by name"),
    "metadata of lists": (layout({"__metadata__": ["a"]}), "is not text by name"),
    # Point 5, 8: names are data, but other programs may make paths of them.
    **{
        f"name {name[:12]!r}": (layout({name: field()}, E8), "an array is called")
        for name in [
            "",
            "/etc/x",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            ".",
            "a\\b",
            "a\0b",
            "a\nb",
            "a" * 1001,
        ]
    },
    # Values that no array of this dtype has.
    "a boolean of 2": (layout({"a": field("BOOL", [2], [0, 2])}, b"\1\2"), "no valid bool"),
}


@pytest.mark.parametrize("name", BAD_LAYOUTS)
def test_a_bad_safetensors_file_is_refused(name: str, tmp_path: Path) -> None:
    """Points 2 to 5."""
    content, message = BAD_LAYOUTS[name]
    refused(tmp_path / "strange.safetensors", content, message)


def test_what_the_format_allows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    header = {
        "b": field("F32", [2], [4, 12]),
        "a": field("I16", [2, 1], [0, 4]),
        "none": field("F64", [0, 2**40], [12, 12]),
        "dir/one": field("U8", [], [12, 13]),
        "__metadata__": {"format": "pt", "note": "\ud800"},
    }
    path.write_bytes(
        layout(json.dumps(header).encode() + b"   ", struct.pack("<2h2fB", 1, -2, 3, 4, 5))
    )
    found = load(path)
    assert {name: array.tolist() for name, array in found.items()} == {
        "b": [3.0, 4.0], "a": [[1], [-2]], "none": [], "dir/one": 5,
    }  # fmt: skip
    assert list(found) == ["b", "a", "none", "dir/one"]
    assert load_metadata(path) == {"format": "pt", "note": "\ud800"}


# --------------------------------------------------------------------------------------------- npz


def symlink() -> zipfile.ZipInfo:
    """Return a member that would be unpacked as a symbolic link."""
    info = zipfile.ZipInfo("a.npy")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


ONE = archive(("a.npy", npy()))
DIRECTORY = ONE.index(b"PK\1\2")


def named(names: dict[bytes, int], offset: int = 0) -> bytes:
    """Return ONE with another directory: these names, so many times."""
    entry = ONE[DIRECTORY : ONE.index(b"PK\5\6")]
    entries = b"".join(entry.replace(b"a.npy", name) * count for name, count in names.items())
    return ONE[:DIRECTORY] + entries + zip64(len(entries), DIRECTORY + offset, sum(names.values()))


def with_comment() -> bytes:
    """Return an archive with a comment, where a second archive could hide."""
    file = io.BytesIO(ONE)
    with zipfile.ZipFile(file, "a") as target:
        target.comment = b"PK"
    return file.getvalue()


BIG = "(495000, 1000000)"
BAD_ARCHIVES = {
    "no archive": (b"PK" * 40, "does not end as a zip archive"),
    "compressed": (archive(("a.npy", npy()), method=zipfile.ZIP_DEFLATED), "compressed"),
    "bomb": (archive(("a.npy", bytes(10**7)), method=zipfile.ZIP_DEFLATED), "compressed"),
    "duplicate": (
        archive(("a.npy", npy()), ("b.npy", npy())).replace(b"b.npy", b"a.npy"),
        "two members 'a.npy'",
    ),
    "overlap": (named({b"a.npy": 1, b"b.npy": 1}), "not where the one before it ends"),
    "symlink": (archive((symlink(), b"/etc/passwd")), "no plain file"),
    "comment": (with_comment(), "does not end as a zip archive"),
    "foreign member": (archive(("a.py", b"1")), "has a member 'a.py'"),
    "pickle": (archive(("data.pkl", b"cos\nsystem\n")), "has a member 'data.pkl'"),
    "metadata twice": (
        archive(("__metadata__.json", b'{"a":"b"}'), ("__metabata__.json", b"{}")).replace(
            b"_metabata_", b"_metadata_"
        ),
        "two members '__metadata__.json'",
    ),
    "metadata as an array": (archive(("__metadata__.npy", npy())), "where the metadata are kept"),
    "metadata no JSON": (archive(("__metadata__.json", b"{1}")), "no JSON that is read"),
    "path above": (archive(("../evil.npy", npy())), "is called '../evil'"),
    "absolute path": (archive(("/evil.npy", npy())), "is called '/evil'"),
    "backslash": (archive(("a\\evil.npy", npy())), "is called"),
    "folder": (archive(("a/", b"")), "is called 'a/'"),
    # Point 6: .npy headers.
    "object": (archive(("a.npy", npy("'|O'"))), "its header is"),
    "structured": (archive(("a.npy", npy("[('x', '<f4'), ('y', '<f4')]"))), "its header is"),
    "void of size 0": (archive(("a.npy", npy("'|V0'", "(1000000000,)", b""))), "its header is"),
    "text": (archive(("a.npy", npy("'<U1'"))), "holds text"),
    "date": (archive(("a.npy", npy("'<M8[s]'", "(1,)"))), "its header is"),
    "unknown width": (archive(("a.npy", npy("'<f5'"))), "unknown dtype '<f5'"),
    "expression": (archive(("a.npy", npy(shape="(1+1,)"))), "its header is"),
    "negative": (archive(("a.npy", npy(shape="(-2,)"))), "its header is"),
    "extra key": (archive(("a.npy", npy(order="False, 'x': 1"))), "its header is"),
    "long header": (archive(("a.npy", npy(shape="(" + "1, " * 9000 + ")"))), "header claims 27"),
    "rank 33": (archive(("a.npy", npy(shape=f"({'1, ' * 33})"))), "has 33 dimensions"),
    "3.6 TiB": (archive(("a.npy", npy("'<f8'", BIG))), "asks for 3960000000000"),
    "product that wraps": (archive(("a.npy", npy("'<f8'", f"({2**61 + 1},)"))), "more than an"),
    "empty of 2**62": (archive(("a.npy", npy(shape=f"({2**62}, 0)", data=b""))), "more than an"),
    "trailing byte": (archive(("a.npy", npy() + b"\0")), "but its header asks for"),
    "cut array": (archive(("a.npy", npy()[:-1])), "but its header asks for"),
    "cut header": (archive(("a.npy", npy()[:20])), "its header claims"),
    "no header": (archive(("a.npy", b"")), "expected a .npy file"),
    "version 3": (archive(("a.npy", b"\x93NUMPY\3\0" + npy()[8:])), "expected a .npy file"),
    "boolean of 2": (archive(("a.npy", npy("'|b1'", "(2,)", b"\1\2"))), "no valid bool"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_a_bad_npz_file_is_refused(name: str, tmp_path: Path) -> None:
    """Points 1, 6 and 7."""
    content, message = BAD_ARCHIVES[name]
    refused(tmp_path / "strange.npz", content, message)


def test_encryption_and_streaming_are_refused(tmp_path: Path) -> None:
    for flag in (1, 8, 64):
        changed = bytearray(ONE)
        changed[6] |= flag
        changed[DIRECTORY + 8] |= flag
        refused(tmp_path / "strange.npz", bytes(changed), "encrypted, written to a stream")


def test_a_directory_that_contradicts_a_member_is_refused(tmp_path: Path) -> None:
    for at in (DIRECTORY + 20, DIRECTORY + 24, DIRECTORY + 42):  # the two sizes and the offset
        changed = bytearray(ONE)
        changed[at] ^= 1
        refused(tmp_path / "strange.npz", bytes(changed))
    refused(tmp_path / "strange.npz", ONE.replace(b"a.npy", b"b.npy", 1), "has another name")


def test_a_flipped_bit_in_a_file_of_numpy_is_found(tmp_path: Path) -> None:
    path = tmp_path / "numpy.npz"
    np.savez(path, a=np.arange(3.0))
    content = bytearray(path.read_bytes())
    content[content.index(struct.pack("<d", 2.0)) + 7] ^= 1
    refused(path, bytes(content), "'a' is damaged: its CRC-32 differs")


# ------------------------------------------------------------------------------- time and memory


def many(mark: bytes, count: int) -> bytes:
    """Return a header of many values."""
    return layout(b'{"a":[' + b",".join([mark] * count) + b"]}")


HUNGRY: dict[str, tuple[str, Callable[[], bytes]]] = {
    "many lists": (".safetensors", lambda: many(b"[]", 1_300_000)),
    "fewer lists": (".safetensors", lambda: many(b"[]", 199_000)),
    "many objects": (".safetensors", lambda: many(b"{}", 199_000)),
    "many numbers": (".safetensors", lambda: many(b"12345", 390_000)),
    "many texts": (".safetensors", lambda: many(b'"abcdef"', 390_000)),
    "long text": (
        ".safetensors",
        lambda: layout(b'{"\xf0\x9f\x98\x80' + b"a" * 3_900_000 + b'":1}'),
    ),
    "many escapes": (".safetensors", lambda: layout(b'{"' + b"\\u1234" * 600_000 + b'":1}')),
    "many tensors": (
        ".safetensors",
        lambda: layout({f"t{i}": field("U8", [0], [0, 0]) for i in range(40_000)}, b"end"),
    ),
    "huge header": (".safetensors", lambda: layout(b"{" + b" " * 10**7, b"", 10**7 + 1)),
    "huge tensor": (".safetensors", lambda: layout({"a": field("U8", [2**40], [0, 2**40])})),
    "huge claim": (".npz", lambda: archive(("a.npy", npy("'<f8'", BIG)))),
    "one member, often": (".npz", lambda: named({b"a.npy": 78_000})),
    "longer directory": (".npz", lambda: named({b"a.npy": 80_000})),
    "directory of a terabyte": (".npz", lambda: zip64(2**40, 0, 1)),
    "directory of negative length": (".npz", lambda: zip64(2**64 - 98, 0, 1)),
    "directory before the start": (".npz", lambda: zip64(8, 2**64 - 8, 1)),
    "as many members as a count can say": (".npz", lambda: zip64(0, 0, 2**64 - 1)),
}


@pytest.mark.parametrize("name", HUNGRY)
def test_a_hostile_file_takes_little_memory(name: str, tmp_path: Path) -> None:
    """Case 117: under 50 MB."""
    suffix, make = HUNGRY[name]
    path = tmp_path / f"strange{suffix}"
    path.write_bytes(make())
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
