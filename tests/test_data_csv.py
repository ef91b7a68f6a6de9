"""CSV files: numbers, whole or in blocks, and what strangers may have put there."""

from __future__ import annotations

import inspect
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import CsvBlocks, DataLoader, Table, load_csv


def stored(folder: Path, text: str | bytes) -> Path:
    """Write a file and return its path."""
    path = folder / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


VALUES = [[1.0, 2.5, -3.0], [4e-3, 5.0, np.inf]]


@pytest.mark.parametrize(
    "text",
    [
        "a,b,c\n1,2.5,-3\n4e-3,5.,inf\n",
        "a,b,c\r\n1,2.5,-3\r\n4e-3,5.,inf",
        "a,b,c\r1,2.5,-3\r4e-3,5.,inf\r",
        "\ufeffa,b,c\n1,2.5,-3\n4e-3,5.,inf\n",
        '\ufeff"a", "b","c"\n"1","2.5","-3"\n 4e-3 , 5., +Infinity\n',
        "a,b,c\n\n1,2.5,-3\n\n4e-3,5.,inf\n\n\n",
    ],
    ids=["plain", "CRLF", "CR", "BOM", "quotes and spaces", "blank lines"],
)
def test_every_way_of_writing_gives_the_same(text: str, tmp_path: Path) -> None:
    table = load_csv(stored(tmp_path, text))
    assert isinstance(table, Table)
    assert table.names == ("a", "b", "c")
    np.testing.assert_array_equal(table.values, np.array(VALUES), strict=True)


@pytest.mark.parametrize("delimiter", [";", "\t", " ", "|"])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    text = "1,2.5,-3\n4e-3,5.,inf\n".replace(",", delimiter)
    table = load_csv(stored(tmp_path, text), header=False, delimiter=delimiter)
    assert table.names == ()
    np.testing.assert_array_equal(table.values, VALUES)


def test_columns_by_name_or_number_and_the_others_may_hold_anything(tmp_path: Path) -> None:
    path = stored(tmp_path, b'id, length ,name\n7,1.5,"rose, \nred"\n8,,caf\xe9\n')
    table = load_csv(path, columns=["length", "id"], empty="nan")
    assert table.names == ("length", "id")
    np.testing.assert_array_equal(table.values, [[1.5, 7], [np.nan, 8]])
    assert load_csv(path, columns=[0, 0], dtype=int).values.tolist() == [[7, 7], [8, 8]]
    assert load_csv(path, columns=["id"], dtype="uint8").values.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint64"])
def test_the_ends_of_a_dtype(dtype: str, tmp_path: Path) -> None:
    floating = dtype.startswith("float")
    ends: Any = np.finfo(dtype) if floating else np.iinfo(dtype)
    convert = float if floating else int
    low, high = convert(ends.min), convert(ends.max)
    path = stored(tmp_path, f"a,b\n{low},{high}\n")
    np.testing.assert_array_equal(
        load_csv(path, dtype=dtype).values, np.array([[low, high]], dtype)
    )
    beyond = "1e400" if dtype == "float64" else str(high * 2)
    with pytest.raises(ValueError, match=f"line 2, column 2: '{beyond[:5]}.*out of the range"):
        load_csv(stored(tmp_path, f"a,b\n0,{beyond}\n"), dtype=dtype)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_blocks_are_the_rows_and_start_anew(rows: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(7, 2))
    np.savetxt(tmp_path / "a.csv", values, delimiter=",", header="a,b", comments="", fmt="%.17g")
    blocks = CsvBlocks(tmp_path / "a.csv", rows)
    for _ in range(2):
        found = list(blocks)
        assert [len(block) for block in found] == [min(rows, 7 - i) for i in range(0, 7, rows)]
        np.testing.assert_array_equal(np.concatenate(found), values)
    ahead = DataLoader(blocks, None, prefetch=2)
    next(iter(ahead))
    resumed = DataLoader(CsvBlocks(tmp_path / "a.csv", rows), None)
    resumed.load_state_dict(ahead.state_dict())
    np.testing.assert_array_equal(np.concatenate([found[0], *resumed]), values)
    with pytest.raises(ValueError, match="rows is 0"):
        CsvBlocks(tmp_path / "a.csv", 0)


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    table = load_csv(stored(tmp_path, "a,b\n"), dtype=np.float32)
    assert (table.values.shape, table.values.dtype) == ((0, 2), np.float32)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "holds no line"),
        ("\n\n", {"header": False}, "holds no line"),
        ("1,2\n3,4\n", {}, "line 1: the header holds numbers alone: give header=False"),
        ("a,b\n1,2\n", {"header": False}, "line 1, column 1: 'a' is not a number"),
        ("a,b\n1,2\n3,x\n", {}, "line 3, column 2: 'x' is not a number"),
        ("a,b\n1,2\n\n3,x\n", {}, "line 4, column 2"),
        ('a,b\n1,"2\n"\n3,x\n', {}, "line 4, column 2"),
        ("a,b\n1,2,3\n", {}, "line 2: 3 fields; the first line has 2"),
        ("a,b\n1,2\n3\n", {}, "line 3: 1 fields"),
        ("a,b\n1,\n", {}, "line 2, column 2: '' is not a number .empty=\"nan\""),
        ("a,b\n1, \n", {"dtype": int}, "line 2, column 2: '' is not a whole number"),
        ("a,b\n1,2.0\n", {"dtype": int}, "'2.0' is not a whole number"),
        ("a,b\n1,300\n", {"dtype": "u1"}, "'300' is out of the range of uint8"),
        ("a,b\n1,-1\n", {"dtype": "u1"}, "'-1' is out of the range"),
        ("a,b\n1,1_000\n", {}, "'1_000' is not a number"),
        ("a,b\n1,\uff11\n", {}, "is not a number"),
        ("a,b\n1,0x10\n", {}, "'0x10' is not a number"),
        ("a,b\n1,__import__('os')\n", {}, "is not a number"),
        ("a,b\n1,1e39\n", {"dtype": "f4"}, "'1e39' is out of the range of float32"),
        ("a,b\n1," + "9" * 5000 + "\n", {"dtype": int}, "is not a whole number"),
        ('a,b\n1,"2\n', {}, "line 2: unexpected end of data"),
        ('a,b\n1,"2"3\n', {}, "line 2: "),
        (b"a,b\n1,\xff\n", {}, "line 2, column 2"),
        (b"a,b\n1,2\0\n", {}, "line 2"),
        ("a,b\n1,2\n".encode("utf-16"), {}, "table.csv"),
        ("a,b\n1,2\n", {"columns": ["c"]}, r"columns has 'c'; expected one of \['a', 'b'\], or a"),
        ("a,a\n1,2\n", {"columns": ["a"]}, "columns has 'a'"),
        ("a,b\n1,2\n", {"columns": [2]}, "columns has 2; .* number from 0 to 1"),
        ("a,b\n1,2\n", {"columns": [-1]}, "columns has -1"),
        ("1,2\n", {"columns": ["a"], "header": False}, "columns has 'a'; expected a number"),
        ("a,b\n1,2\n", {"delimiter": ";;"}, "delimiter is ';;'"),
        ("a,b\n1,2\n", {"empty": "zero"}, "empty is 'zero'"),
        ("a,b\n1,2\n", {"empty": "nan", "dtype": int}, "of a floating dtype"),
    ],
)
def test_what_is_no_table_of_numbers_is_named(
    text: str | bytes, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Section 3, point 12."""
    path = stored(tmp_path, text)
    with pytest.raises(ValueError, match=message):
        load_csv(path, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"columns": "ab"}, "columns is 'ab'"), ({"columns": []}, "columns is"),
     ({"dtype": "U3"}, "dtype is <U3"), ({"dtype": complex}, "dtype is complex128")],
)  # fmt: skip
def test_arguments_of_another_kind(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        load_csv(stored(tmp_path, "a,b\n1,2\n"), **options)
    with pytest.raises(FileNotFoundError):
        load_csv(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    "content",
    [b"1," * 10_000_000, b"a,b\n1," + b"2" * 20_000_000, b'a,b\n1,"' + b"\n" * 20_000_000],
    ids=["one long line", "one long field", "a quote that does not end"],
)
def test_a_line_without_end_takes_no_memory(content: bytes, tmp_path: Path) -> None:
    """Case 117, for data."""
    path = stored(tmp_path, content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"more than 1,048,575 characters|field larger than"):
            load_csv(path, header=content.startswith(b"a"))
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_a_long_file_is_read_in_the_memory_of_a_block(tmp_path: Path) -> None:
    path = stored(tmp_path, "a,b\n" + "0.125,17\n" * 20_000)
    blocks = CsvBlocks(path, 100)
    tracemalloc.start()
    try:
        total = sum(float(block.sum()) for block in blocks)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
    assert total == 20_000 * 17.125


def test_load_csv_spells_out_the_arguments_of_blocks() -> None:
    blocks = dict(inspect.signature(CsvBlocks).parameters)
    assert blocks.pop("rows")
    assert dict(inspect.signature(load_csv).parameters) == blocks
