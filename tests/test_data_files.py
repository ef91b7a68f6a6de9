"""`tensorgrad.data` reading files: the digits of the package, IDX files, files from strangers."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.data import Split, digits, load_idx, load_mnist_idx

PACKAGE = Path(__file__).parents[1] / "tensorgrad"

# Code, struct format, NumPy name, values that tell byte order and sign apart.
DTYPES = [
    (0x08, "B", "uint8", [0, 1, 127, 128, 254, 255]),
    (0x09, "b", "int8", [0, 1, 127, -128, -2, -1]),
    (0x0B, "h", "int16", [0, 1, 256, -32768, 32767, -2]),
    (0x0C, "i", "int32", [0, 1, 65536, -(2**31), 2**31 - 1, -2]),
    (0x0D, "f", "float32", [0.0, 1.5, -2.25, 3e38, float("inf"), float("nan")]),
    (0x0E, "d", "float64", [0.0, 0.1, -2.25, 1e300, float("-inf"), float("nan")]),
]


def idx(code: int, shape: tuple[int, ...], payload: bytes) -> bytes:
    """Return an IDX file, made with struct alone."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + payload


def stored(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path


def zipped(content: bytes, level: int = 9) -> bytes:
    """Compress without the time of day, so that the names of the tests are always the same."""
    return gzip.compress(content, level, mtime=0)


GOOD = idx(0x08, (3, 5), bytes(range(15)))


# ---------------------------------------------------------------------------------------- digits


def test_digits_have_the_promised_arrays() -> None:
    data = digits()
    assert isinstance(data, Split)
    assert [a.shape for a in data] == [(8000, 784), (8000,), (2000, 784), (2000,)]
    assert [a.dtype.name for a in data] == ["float32", "int64", "float32", "int64"]
    assert data.x_train.min() == 0
    assert data.x_train.max() == 1
    assert set(data.y_train.tolist()) == set(data.y_test.tolist()) == set(range(10))


def test_digits_as_bytes_are_the_same_pictures() -> None:
    floats, raw = digits(), digits(as_float=False)
    assert [a.shape for a in raw] == [(8000, 28, 28), (8000,), (2000, 28, 28), (2000,)]
    assert [a.dtype.name for a in raw] == ["uint8", "int64", "uint8", "int64"]
    for part in ("x_train", "x_test"):
        exact = getattr(raw, part).reshape(-1, 784).astype(np.float64) / 255
        np.testing.assert_array_equal(getattr(floats, part), exact.astype(np.float32))
    np.testing.assert_array_equal(floats.y_test, raw.y_test)


def test_digits_are_labelled_right() -> None:
    x_train, y_train, x_test, y_test = digits()
    means = np.stack([x_train[y_train == k].mean(axis=0) for k in range(10)])
    nearest = ((x_test[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    # The nearest mean finds four in five digits; shuffled labels would leave one in ten.
    assert (nearest == y_test).mean() > 0.78


def test_digits_do_not_leak_from_training_to_test() -> None:
    raw = digits(as_float=False)
    seen = {image.tobytes() for image in raw.x_train}
    assert not seen.intersection(image.tobytes() for image in raw.x_test)


def test_digits_are_fresh_at_each_call() -> None:
    first = digits()
    first.x_train[:] = -1
    first.y_train[:] = -1
    assert digits().x_train.min() == 0
    assert digits().y_train.min() == 0


def test_the_record_of_the_digits_is_true() -> None:
    record = (PACKAGE / "data/mnist_10k.md").read_text("utf-8")
    file = PACKAGE / "data/mnist_10k.npz"
    assert hashlib.sha256(file.read_bytes()).hexdigest() in record
    with np.load(file, allow_pickle=False) as members:
        assert sorted(members.files) == ["images", "labels"]
        for name in members.files:
            assert hashlib.sha256(members[name].tobytes()).hexdigest() in record
        labels = members["labels"]
    counts = [np.bincount(part).tolist() for part in (labels[:8000], labels[8000:])]
    for name, row in zip(("training", "test"), counts, strict=True):
        assert f"| {name} | {' | '.join(map(str, row))} |" in record


def test_digits_load_from_a_zipped_package_and_need_no_higher_floor(tmp_path: Path) -> None:
    archive = tmp_path / "package.zip"
    rooms = ("_typing.py", "checks.py", "random.py", "files/*.py", "data/*.*")
    files = [path for pattern in rooms for path in sorted(PACKAGE.glob(pattern))]
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("tensorgrad/__init__.py", "")
        for file in files:
            target.write(file, file.relative_to(PACKAGE.parent))
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "import tensorgrad.data as d; print(d.__file__, d.digits().x_test.shape)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(archive) in done.stdout
    assert "(2000, 784)" in done.stdout


# -------------------------------------------------------------------------------------- load_idx


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzip"])
@pytest.mark.parametrize(("code", "letter", "name", "values"), DTYPES, ids=lambda v: str(v))
def test_every_dtype_is_read(
    code: int,
    letter: str,
    name: str,
    values: list[float],
    pack: Callable[[bytes], bytes],
    tmp_path: Path,
) -> None:
    content = idx(code, (2, 3), struct.pack(f">6{letter}", *values))
    array = load_idx(stored(tmp_path / "file", pack(content)))
    assert array.dtype.name == name
    assert array.dtype.isnative
    assert array.shape == (2, 3)
    assert array.flags.writeable
    assert struct.pack(f"=6{letter}", *values) == array.tobytes()


@pytest.mark.parametrize(
    "shape", [(6,), (1, 2, 3), (1,) * 31 + (6,), (0,), (0, 28, 28), (3, 0), (0, 2**31 - 1)], ids=str
)
@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzip"])
def test_every_shape_is_read(
    shape: tuple[int, ...], pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    payload = b"" if 0 in shape else bytes(range(6))
    array = load_idx(stored(tmp_path / "file", pack(idx(0x08, shape, payload))))
    assert array.shape == shape
    assert array.tobytes() == payload


def test_compression_is_seen_by_content_not_by_name(tmp_path: Path) -> None:
    plain = stored(tmp_path / "plain.gz", GOOD)
    path = stored(tmp_path / "zipped", zipped(GOOD))
    expected = np.arange(15, dtype=np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(load_idx(plain), expected)
    np.testing.assert_array_equal(load_idx(str(path)), expected)


def test_more_than_one_read_and_more_than_one_gzip_member(tmp_path: Path) -> None:
    payload = np.random.default_rng(0).integers(0, 256, 3_000_001, np.uint8).tobytes()
    content = idx(0x08, (len(payload),), payload)
    members = zipped(content[:1000], 1) + zipped(content[1000:], 1)
    assert load_idx(stored(tmp_path / "plain", content)).tobytes() == payload
    assert load_idx(stored(tmp_path / "zipped", members)).tobytes() == payload


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with the bytes ''"),
        (b"\x89PNG\r\n\x1a\n", "starts with the bytes '89 50 4e 47'"),
        (b"\0\0\0\0" * 4, "starts with the bytes"),
        (idx(0x0A, (2,), b"ab"), "a dtype code"),
        (idx(0x08, (), b"a"), "has 0 dimensions"),
        (idx(0x08, (1,) * 33, b"a"), "has 33 dimensions"),
        (idx(0x08, (1,) * 255, b"a"), "has 255 dimensions"),
        (b"\0\0\x08\x02" + b"\0\0\0\x01", "ends in the header"),
        (idx(0x08, (2**32 - 1,), b"a"), r"has shape \(-1,\)"),
        (idx(0x08, (0, 2**31), b""), r"has shape \(0, -2147483648\)"),
        (idx(0x08, (2**31 - 1,), b"a"), "holds 9 bytes, but its header asks for 8 [+] 2147483647"),
        (idx(0x0E, (2**31 - 1,) * 3, b"a"), "more than an array can address"),
        (idx(0x08, (0,) + (2**31 - 1,) * 3, b""), "more than an array can address"),
        (GOOD[:-1], "holds 26 bytes, but its header asks for 12 [+] 15 bytes"),
        (GOOD + b"\0", "holds 28 bytes, but its header asks for 12 [+] 15 bytes"),
        (zipped(b""), "starts with the bytes ''"),
        (zipped(GOOD[:-1]), r"ends after 12 [+] 14 bytes, .*asks for 12 [+] 15 bytes"),
        (zipped(GOOD + b"\0"), "goes on after its elements"),
        (zipped(GOOD) + zipped(b"\0"), "goes on after its elements"),
        (zipped(GOOD) + b"junk", "gzip stream is damaged"),
        (zipped(GOOD)[:-1], "gzip stream is damaged"),
        (b"\x1f\x8b", "gzip stream is damaged"),
        (zipped(idx(0x08, (2**31 - 1,), b"a")), "holds at most"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name(content: bytes, message: str, tmp_path: Path) -> None:
    """Section 3, point 12."""
    path = stored(tmp_path / "strange-file", content)
    with pytest.raises(ValueError, match=message) as caught:
        load_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("code", [0x08, 0x0B, 0x0E])
@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzip"])
def test_a_file_cut_anywhere_is_refused(
    code: int, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Case 112, for data."""
    content = pack(idx(code, (2, 3), bytes(6 * {0x08: 1, 0x0B: 2, 0x0E: 8}[code])))
    path = tmp_path / "cut"
    load_idx(stored(path, content))
    for length in range(len(content)):
        with pytest.raises(ValueError, match="cut"):
            load_idx(stored(path, content[:length]))


@pytest.mark.parametrize(("code", "letter", "name", "values"), DTYPES, ids=lambda v: str(v))
def test_a_flipped_bit_of_the_header_is_refused(
    code: int, letter: str, name: str, values: list[float], tmp_path: Path
) -> None:
    """Case 113, for data: a header without checksum hides only a dtype of the same size."""
    content = idx(code, (2, 3), struct.pack(f">6{letter}", *values))
    survivors = set()
    for bit in range(8 * 12):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            array = load_idx(stored(tmp_path / "flipped", bytes(flipped)))
        except ValueError:
            continue
        assert array.shape == (2, 3)
        assert array.astype(array.dtype.newbyteorder(">")).tobytes() == content[12:]
        survivors.add(array.dtype.name)
    same_size = {"uint8": {"int8"}, "int8": {"uint8"}, "int32": {"float32"}, "float32": {"int32"}}
    assert survivors == same_size.get(name, set())


def test_a_flipped_bit_of_a_gzip_file_is_harmless_or_refused(tmp_path: Path) -> None:
    """Case 113, for data: gzip has a checksum."""
    content = zipped(GOOD)
    path, refused = tmp_path / "flipped", 0
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            array = load_idx(stored(path, bytes(flipped)))
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(array, np.arange(15).reshape(3, 5))
    # Time stamp, system and compression level take 6 bytes of the 10 that precede the data.
    assert refused >= 8 * (len(content) - 10)


@pytest.mark.parametrize(
    "content",
    [
        idx(0x08, (2**31 - 1, 2**31 - 1), b"a"),
        zipped(idx(0x0E, (2**27 - 1,), b"a")),
        zipped(idx(0x08, (200_000_000,), np.random.default_rng(0).bytes(200_000))),
        zipped(idx(0x08, (10,), bytes(100_000_000)), 9),
        zipped(bytes(100_000_000), 9),
    ],
    ids=[
        "huge claim",
        "huge claim, gzip",
        "large claim, gzip",
        "bomb behind a small claim",
        "bomb without header",
    ],
)
def test_a_false_claim_takes_no_memory(content: bytes, tmp_path: Path) -> None:
    """Case 117, for data."""
    path = stored(tmp_path / "bomb", content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="bomb"):
            load_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_what_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        load_idx(tmp_path)


# -------------------------------------------------------------------------------- load_mnist_idx

LABELS = bytes([3, 0, 9, 1])


def mnist_folder(folder: Path, suffix: str = "") -> Path:
    """Write a data set of 4 training and 2 test images of 2 by 3 pixels."""
    pack = zipped if suffix else bytes
    for part, n in (("train", 4), ("t10k", 2)):
        images = bytes(range(6 * n))
        stored(folder / f"{part}-images-idx3-ubyte{suffix}", pack(idx(8, (n, 2, 3), images)))
        stored(folder / f"{part}-labels-idx1-ubyte{suffix}", pack(idx(8, (n,), LABELS[:n])))
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_mnist_is_read(suffix: str, tmp_path: Path) -> None:
    raw = load_mnist_idx(mnist_folder(tmp_path, suffix), as_float=False)
    np.testing.assert_array_equal(raw.x_train, np.arange(24).reshape(4, 2, 3))
    np.testing.assert_array_equal(raw.x_test, np.arange(12).reshape(2, 2, 3))
    assert raw.x_train.dtype == np.uint8
    floats = load_mnist_idx(str(tmp_path))
    np.testing.assert_array_equal(floats.x_train[3], np.arange(18, 24, dtype=np.float32) / 255)
    assert floats.x_test.dtype == np.float32
    assert (floats.y_train.tolist(), floats.y_test.tolist()) == ([3, 0, 9, 1], [3, 0])
    assert floats.y_train.dtype == np.int64


def test_the_plain_file_comes_before_the_gzipped_one(tmp_path: Path) -> None:
    mnist_folder(tmp_path)
    stored(tmp_path / "t10k-labels-idx1-ubyte.gz", b"unused")
    assert load_mnist_idx(tmp_path).y_test.tolist() == [3, 0]


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    mnist_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist_idx(tmp_path)
    named = re.findall(r"\w+-\w+-idx\d-ubyte", str(caught.value))
    assert named == ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"]
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-labels-idx1", idx(8, (3,), LABELS[:3]), "train has 4 images but 3 labels"),
        ("t10k-labels-idx1", idx(8, (2,), b"\x09\x0a"), "t10k label 1 is 10; expected 0 to 9"),
        ("t10k-labels-idx1", idx(9, (2,), b"\xff\x00"), "t10k labels are int8"),
        ("t10k-labels-idx1", idx(8, (2, 1), b"\x01\x00"), r"labels are uint8 of shape \(2, 1\)"),
        ("t10k-labels-idx1", idx(0xD, (2,), struct.pack(">2f", 1, float("nan"))), "float32"),
        ("train-images-idx3", idx(8, (4, 6), bytes(24)), r"images are uint8 of shape \(4, 6\)"),
        ("train-images-idx3", idx(8, (4, 3, 2), bytes(24)), "expected one size"),
        ("train-images-idx3", b"\0\0\x08\x03", "train-images-idx3-ubyte.*ends in the header"),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    """Section 3, point 12: labels are checked before anything is indexed with them."""
    mnist_folder(tmp_path)
    stored(tmp_path / f"{name}-ubyte", content)
    with pytest.raises(ValueError, match=message):
        load_mnist_idx(tmp_path)


def test_the_number_of_classes_is_the_callers(tmp_path: Path) -> None:
    mnist_folder(tmp_path)
    assert load_mnist_idx(tmp_path, classes=26).y_train.max() == 9
    with pytest.raises(ValueError, match="train label 2 is 9; expected 0 to 8"):
        load_mnist_idx(tmp_path, classes=9)


def test_an_empty_data_set_has_rows_of_the_right_width(tmp_path: Path) -> None:
    """Case 103."""
    mnist_folder(tmp_path)
    stored(tmp_path / "t10k-images-idx3-ubyte", idx(8, (0, 2, 3), b""))
    stored(tmp_path / "t10k-labels-idx1-ubyte", idx(8, (0,), b""))
    data = load_mnist_idx(tmp_path)
    assert data.x_test.shape == (0, 6)
    assert data.y_test.shape == (0,)
