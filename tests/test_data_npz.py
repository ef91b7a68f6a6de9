"""NPZ files and folders of .npy files: what they hold, and what strangers may have put there."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import DataLoader, NpyFolder, load_npz
from tensorgrad.io import FormatError

ARRAYS: dict[str, Any] = {
    "float": np.array([[0.0, -0.0, np.nan], [np.inf, 5e-324, 1.5]]),
    "big-endian": np.arange(6, dtype=">f4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "text": np.array(["naïve", "", "日本"]),
    "bytes": np.array([b"ab", b"c"]),
    "0-d": np.array(3.5, np.float32),
    "empty": np.empty((0, 5), np.uint8),
    "half": np.arange(4, dtype=np.float16)[::-1],
}


def npy(header: str, elements: bytes, version: bytes = b"\x01\x00") -> bytes:
    """Return a .npy file, made by hand."""
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + version + size + header.encode("latin-1") + elements


def described(dtype: str, shape: str, order: str = "False") -> str:
    """Return a header as NumPy writes it."""
    return f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def stored(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


GOOD = npy(described("<u1", "(2, 3)").replace("<", "|"), bytes(range(6)))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saved_is_loaded(save: Callable[..., None], tmp_path: Path) -> None:
    """Case 116, for data."""
    save(tmp_path / "a.npz", **ARRAYS)
    found = load_npz(tmp_path / "a.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].dtype.isnative
        assert found[name].shape == array.shape
        assert (
            found[name].tobytes()
            == found[name].dtype.type(0).tobytes()[:0] + array.astype(found[name].dtype).tobytes()
        )
        assert found[name].flags.writeable


def test_a_header_of_version_2_and_a_zip_of_64_bits_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = npy(described("<i2", "(2,)"), b"\1\0\2\0", b"\x02\x00")
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 50)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    file = zipped([("a.npy", content), ("b.npy", GOOD)])
    assert b"PK\6\7" in file
    found = load_npz(stored(tmp_path / "a", file))
    assert found["a"].tolist() == [1, 2]
    assert found["b"].shape == (2, 3)


def test_names_are_keys_and_nothing_else(tmp_path: Path) -> None:
    """Section 3, point 8."""
    names = ["a b", "é", "one/two", "__metadata__"]
    path = stored(tmp_path / "a.npz", zipped([(f"{name}.npy", GOOD) for name in names]))
    assert list(load_npz(path)) == names
    for name in ("../evil", "/etc/evil", "C:\\evil", "a//b", "", "a\nb", "a" * 1001):
        stored(path, zipped([("good.npy", GOOD), (f"{name}.npy", GOOD)]))
        with pytest.raises(FormatError, match="an array is called"):
            load_npz(path)
    assert list(tmp_path.iterdir()) == [path]


def pickled() -> bytes:
    """Return an array of objects, which would run code if it were loaded."""
    file = io.BytesIO()
    np.save(file, np.array([print], dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with the bytes ''"),
        (b"PK\3\4 and so on", "starts with the bytes"),
        (GOOD[:6] + b"\x03\0" + GOOD[8:], "starts with the bytes"),
        (pickled(), r"its header is .*'\|O'"),
        (npy(described("<f4", "(2,)"), b"1234567"), "holds 7 bytes of elements, .* asks for 8"),
        (npy(described("<f4", "(2,)"), b"123456789"), "holds 9 bytes of elements"),
        (npy(described("<f4", "(1000000000000,)"), b"1234"), "asks for 4000000000000"),
        (npy(described("<f4", f"({2**62}, {2**62}, 0)"), b""), "more than an array can address"),
        (npy(described("<f4", f"({'1, ' * 33})"), b"1234"), "has 33 dimensions"),
        (npy(described("|S0", "(1000000000,)"), b""), "take no bytes"),
        (npy(described("|V0", "(1000000000,)"), b""), "its header is"),
        (npy(described("<f3", "(1,)"), b"123"), "unknown dtype '<f3'"),
        (npy(described("<f4", "(-1,)"), b""), "its header is"),
        (npy(described("<f4", "(1.0,)"), b"1234"), "its header is"),
        (npy(described("<f4", "(1,)", "1"), b"1234"), "its header is"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", b""), "header"),
        (npy("__import__('os')", b""), "its header is"),
        (npy("(" * 5000, b""), "its header is"),
        (npy(" " * 20000, b""), "claims 20000 bytes"),
        (npy(described("|b1", "(2,)"), b"\1\2"), "no valid bool"),
        (npy(described("<U1", "(1,)"), b"\xff\xff\xff\xff"), "no valid str"),
    ],
)  # fmt: skip
def test_a_strange_array_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """Section 3, points 1, 6 and 7."""
    path = stored(tmp_path / "strange.npz", zipped([("good.npy", GOOD), ("bad.npy", content)]))
    with pytest.raises(FormatError, match=message) as caught:
        load_npz(path)
    assert str(path) in str(caught.value)
    assert "bad.npy" in str(caught.value)


def shared_bytes() -> bytes:
    """Return a zip file of which four members are one and the same bytes."""
    file = bytearray(zipped([("a.npy", GOOD), *((f"{i}.npy", GOOD) for i in range(3))]))
    directory = file.index(b"PK\1\2")
    entry = directory
    for _ in range(4):
        size = 46 + int.from_bytes(file[entry + 28 : entry + 30], "little")
        file[entry + 42 : entry + 46] = bytes(4)
        entry += size
    members = file[: len(GOOD) + 35]
    file[-6:-2] = struct.pack("<L", len(members))
    return bytes(members + file[directory:])


def changed(at: int, value: int) -> bytes:
    """Return a zip file with another byte in the directory and, where there is one, the member."""
    file = bytearray(zipped([("a.npy", GOOD)], zipfile.ZIP_DEFLATED))
    directory = file.index(b"PK\1\2")
    file[directory + at] = value
    if at in (8, 10):  # flags and method
        file[at - 2] = value
    return bytes(file)


def link() -> bytes:
    """Return a zip file whose member would be unpacked as a symbolic link."""
    info = zipfile.ZipInfo("a.npy")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, GOOD)
    return file.getvalue()


def widened(before: bytes, between: bytes) -> bytes:
    """Return a zip file with bytes that no member accounts for, though all places are right."""
    file = zipped([("a.npy", GOOD)])
    directory = file.index(b"PK\1\2")
    end = bytearray(file[directory:])
    end[42:46] = struct.pack("<L", len(before))
    end[-6:-2] = struct.pack("<L", len(before) + directory + len(between))
    return before + file[:directory] + between + bytes(end)


def deflated(mode: int, behind: bytes) -> bytes:
    """Return a zip file with a member that was deflated by hand, and bytes behind it."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflate.compress(GOOD) + deflate.flush(mode) + behind
    file = bytearray(zipped([("a.npy", packed)]))
    directory = file.index(b"PK\1\2")
    file[8], file[directory + 10] = zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED
    file[directory + 16 : directory + 20] = struct.pack("<L", zlib.crc32(GOOD))
    file[directory + 24 : directory + 28] = struct.pack("<L", len(GOOD))
    return bytes(file)


def zeros(count: int) -> bytes:
    """Return a zip file of zeros, 40 MB each."""
    member = npy(described("<f8", "(5000000,)"), bytes(40_000_000))
    return zipped([(f"{i}.npy", member) for i in range(count)], zipfile.ZIP_DEFLATED)


def twice() -> bytes:
    """Return a zip file with two members of one name."""
    return zipped([("a.npy", GOOD), ("b.npy", GOOD)]).replace(b"b.npy", b"a.npy")


ONE = zipped([("a.npy", GOOD)])
STRANGE = "encrypted, written to a stream, or compressed in another way"
# Zip files that no program for data has written.
HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("holds 0 bytes", lambda: b""),
    "no zip": ("does not end as", lambda: bytes(1000)),
    "a comment": ("does not end as", lambda: ONE[:-2] + b"\1\0x"),
    "no member": ("holds nothing", lambda: zipped([])),
    "another member": ("holds 'a.txt'", lambda: zipped([("a.txt", b"text")])),
    "a folder": ("is called 'a.npy/'", lambda: zipped([("a.npy/", b"")])),
    "twice the same name": ("two members 'a.npy'", twice),
    "bomb": ("give max_expansion=", lambda: zeros(1)),
    "bomb of several": ("give max_expansion=", lambda: zeros(3)),
    "another compression": (STRANGE, lambda: zipped([("a.npy", GOOD)], zipfile.ZIP_LZMA)),
    "encrypted": (STRANGE, lambda: changed(8, 1)),
    "written to a stream": (STRANGE, lambda: changed(8, 8)),
    "a link": ("no plain file", link),
    "members that share bytes": ("not where the one before it ends", shared_bytes),
    "bytes before": ("not where the one before it ends", lambda: widened(b"MZ program", b"")),
    "bytes between": ("more than its directory accounts for", lambda: widened(b"", b"hidden")),
    "bytes after": ("does not end as", lambda: ONE + b"hidden"),
    "another checksum": ("its CRC-32 differs", lambda: changed(16, changed(16, 0)[0])),
    "a size that deflate cannot reach": ("claims 167[0-9]* bytes, kept", lambda: changed(27, 1)),
    "a smaller size": ("asks for 6", lambda: changed(24, 75)),
    "stored, though deflated": ("claims 76 bytes, kept in 7", lambda: changed(10, 0)),
    "bytes behind the end of deflate": (
        "shorter or longer than",
        lambda: deflated(zlib.Z_FINISH, b"hidden"),
    ),
    "deflate without an end": (
        "compressed bytes do not end",
        lambda: deflated(zlib.Z_SYNC_FLUSH, b""),
    ),
    "deflate that is none": (
        "is damaged: Error -3",
        lambda: deflated(zlib.Z_FINISH, b"").replace(b"\x9b", b"\xff", 1),
    ),
    "a huge directory": (
        "starts with the bytes",
        lambda: zipped([(f"{i}.npy", b"") for i in range(20_000)]),
    ),
    "a lie about members": (
        "directory of the archive is damaged",
        lambda: ONE.replace(b"\1\0\1\0", b"\2\0\2\0"),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_is_refused_without_taking_memory(name: str, tmp_path: Path) -> None:
    """Case 117, for data; section 3, point 7."""
    message, make = HOSTILE[name]
    path = stored(tmp_path / "a.npz", make())
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=rf"a\.npz.*{message}"):
            load_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


def test_what_deflate_has_in_hand_is_read_to_the_end(tmp_path: Path) -> None:
    assert load_npz(stored(tmp_path / "a", deflated(zlib.Z_FINISH, b"")))["a"].shape == (2, 3)
    for size in (1, 257, 258, 259, 1 << 20, (1 << 20) + 1, 3_000_001):
        np.savez_compressed(tmp_path / "a.npz", a=np.full(size, 7, np.uint8), b=np.eye(2))
        found = load_npz(tmp_path / "a.npz")
        assert (found["a"] == 7).all()
        assert found["a"].shape == (size,)


def test_who_expects_zeros_says_so(tmp_path: Path) -> None:
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, x=np.zeros(3_000_000))
    with pytest.raises(ValueError, match=r"give max_expansion=10[0-9][0-9]"):
        load_npz(path)
    assert not load_npz(path, max_expansion=1032)["x"].any()
    # A mask of zeros beside real numbers is no bomb, and neither is a small one alone.
    np.savez_compressed(path, x=np.random.default_rng(0).random(10_000), mask=np.zeros(1_000_000))
    assert load_npz(path)["mask"].shape == (1_000_000,)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_cut_anywhere_is_refused(method: int, tmp_path: Path) -> None:
    """Case 112, for data."""
    content = zipped([("a.npy", GOOD)], method)
    load_npz(stored(tmp_path / "whole", content))
    for length in range(len(content)):
        with pytest.raises(FormatError, match="cut"):
            load_npz(stored(tmp_path / "cut", content[:length]))


def test_mutated_files_give_the_same_arrays_or_the_one_error(tmp_path: Path) -> None:
    """Section 3, point 14, and case 113 for data."""
    rng = np.random.default_rng(0)
    good = {"a": np.arange(6, dtype=np.uint8).reshape(2, 3), "b": np.eye(2)}
    same = 0
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **good)
        content = file.getvalue()
        for _ in range(200):
            mutated = bytearray(content)
            place = int(rng.integers(len(mutated)))
            match rng.integers(4):
                case 0:
                    mutated[place] ^= 1 << int(rng.integers(8))
                case 1:
                    mutated[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f" * 4])
                case 2:
                    mutated[place:place] = mutated[: int(rng.integers(60))]
                case _:
                    del mutated[place : place + int(rng.integers(1, 9))]
            try:
                found = load_npz(stored(tmp_path / "mutated", bytes(mutated)))
            except FormatError:
                continue
            same += 1
            # Names and the arrays themselves are covered by checksums and a second copy.
            assert sorted(found) == ["a", "b"]
            for name, array in good.items():
                np.testing.assert_array_equal(found[name], array, strict=True)
    assert same > 10


def test_what_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError):
        NpyFolder(tmp_path / "missing")


# ------------------------------------------------------------------------------------- NpyFolder


def shards(folder: Path) -> np.ndarray[Any, Any]:
    """Write files of 3, 0, 4 and 1 samples in different layouts, and return all samples."""
    x = np.arange(8 * 6, dtype=np.float32).reshape(8, 2, 3)
    np.save(folder / "0.npy", x[:3])
    np.save(folder / "1.npy", x[:0])
    np.save(folder / "2.npy", np.asfortranarray(x[3:7]))
    np.save(folder / "3.npy", x[7:])
    (folder / "readme.txt").write_text("not an array")
    (folder / "a.npy").mkdir()
    return x


def test_shards_are_one_array(tmp_path: Path) -> None:
    x = shards(tmp_path)
    data = NpyFolder(tmp_path, shards=True)
    assert len(data) == 8
    assert [path.name for path in data.paths] == ["0.npy", "1.npy", "2.npy", "3.npy"]
    np.testing.assert_array_equal(data[4], x[4], strict=True)
    np.testing.assert_array_equal(data[-1], x[7], strict=True)
    np.testing.assert_array_equal(data.take(slice(1, None, 2)), x[1::2], strict=True)
    rows = np.array([7, 0, 3, 3, 6, 2])
    np.testing.assert_array_equal(data.take(rows), x[rows], strict=True)
    assert data.take(rows[:0]).shape == (0, 2, 3)
    for shuffle in (False, True):
        found = DataLoader((data, np.arange(8)), 3, shuffle=shuffle, generator=0)
        for (batch, index), want in zip(found, DataLoader(x, 3, shuffle, generator=0), strict=True):
            np.testing.assert_array_equal(batch, want, strict=True)
            np.testing.assert_array_equal(batch, x[index])
    for wrong in (np.array([8]), np.array([-1])):
        with pytest.raises(IndexError, match="0 to 7"):
            data.take(wrong)
    with pytest.raises(IndexError):
        data[8]


def test_a_file_may_be_a_sample(tmp_path: Path) -> None:
    for i in range(12):
        np.save(tmp_path / f"{i:02}.npy", np.full((2, 3), i, ">i4", order="CF"[i % 2]))
    data = NpyFolder(tmp_path)
    assert len(data) == 12
    assert data[5].dtype.isnative
    np.testing.assert_array_equal(data[5], np.full((2, 3), 5, np.int32), strict=True)
    assert [batch[:, 0, 0].tolist() for batch in DataLoader(data, 5)] == [
        [0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no array", "starts with the bytes"),
        (pickled(), "its header is"),
        (GOOD[:-1], "holds 5 bytes of elements"),
        (GOOD + b"x", "holds 7 bytes of elements"),
        (npy(described("<f4", "(1000000000000,)"), b"1234"), "asks for 4000000000000"),
        (npy(described("|u1", "()"), b"1"), "a single number"),
        (npy(described("|u1", "(2, 2)"), b"1234"), r"shape \(2,\); those of 0.npy .* \(3,\)"),
        (npy(described("|i1", "(1, 3)"), b"123"), "samples of int8"),
    ],
)
def test_a_strange_file_of_a_folder_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    stored(tmp_path / "0.npy", GOOD)
    stored(tmp_path / "1.npy", content)
    with pytest.raises(ValueError, match=message) as caught:
        NpyFolder(tmp_path, shards=True)
    assert "1.npy" in str(caught.value)


def test_a_folder_without_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no \.npy file"):
        NpyFolder(tmp_path)


def test_a_file_that_was_cut_meanwhile_is_an_error_and_no_crash(tmp_path: Path) -> None:
    """Section 3, point 11."""
    stored(tmp_path / "0.npy", GOOD)
    data = NpyFolder(tmp_path, shards=True)
    stored(tmp_path / "0.npy", GOOD[:-3])
    with pytest.raises(ValueError, match=r"0\.npy' is shorter than it was"):
        data[1]


def test_many_files_do_not_stay_open(tmp_path: Path) -> None:
    for i in range(60):
        stored(tmp_path / f"{i}.npy", GOOD)
    code = (
        "import resource, sys; from tensorgrad.data import NpyFolder\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        f"print(NpyFolder({str(tmp_path)!r}).take(slice(None)).sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == f"{60 * 15}\n", done.stderr
