"""Data larger than memory: a pass keeps little of a file in memory, and changes nothing in it."""

from __future__ import annotations

import mmap
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import DataLoader, TensorDataset, batches, rows

ON_LINUX = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell what is resident"
)

PASS = """
import sys
import numpy as np
from pathlib import Path
from tensorgrad.data import DataLoader

def resident():
    rows = dict(r.split(":", 1) for r in Path("/proc/self/status").read_text().splitlines())
    return np.array([int(rows[key].split()[0]) // 1024 for key in ("RssAnon", "RssFile")])

path, options = sys.argv[1], eval(sys.argv[2])
x = np.memmap(path, np.float32, "r").reshape(-1, 16384)
before = peak = resident()
for i, batch in enumerate(DataLoader(x, 16, generator=0, **options)):
    assert batch.shape[1] == 16384 and not batch[:, 0].any()
    batch.sum()
    peak = np.maximum(peak, resident())
print(i + 1, *(peak - before))
"""


@ON_LINUX
@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"shuffle": True, "prefetch": 2}])
def test_a_pass_over_a_large_file_stays_small(options: dict[str, Any], tmp_path: Path) -> None:
    # 160 MiB that take no disk: a hole.  A batch is 1 MiB.  Read before, it lies in large pages.
    path = tmp_path / "hole"
    with path.open("wb") as file:
        file.truncate(160 << 20)
    path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", PASS, str(path), repr(options)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, own, of_file = map(int, done.stdout.split())
    assert count == 160
    assert own < 16
    assert of_file < 100


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let go of pages after every batch of a map, however small; return the calls made."""
    calls: list[int] = []

    class Spy(mmap.mmap):
        def madvise(self, *arguments: int) -> None:
            calls.append(arguments[0])
            super().madvise(*arguments)

    monkeypatch.setattr(mmap, "mmap", Spy)
    monkeypatch.setattr(rows, "_LIMIT", 0)
    return calls


LETS_GO = hasattr(mmap, "MADV_DONTNEED")


@pytest.mark.skipif(not LETS_GO, reason="the system cannot be told")
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_letting_go_of_pages_loses_nothing(mode: Any, released: list[int], tmp_path: Path) -> None:
    """What was written through the map is there afterwards, in a private map as well."""
    expected = np.arange(40_000.0).reshape(400, 100)
    expected.tofile(tmp_path / "x")
    x = np.memmap(tmp_path / "x", np.float64, mode, shape=(400, 100))
    if mode != "r":
        x[7] = expected[7] = -1
    for shuffle in (False, True):
        found = list(batches((x, np.arange(400)), 30, shuffle=shuffle, rng=0))
        for batch, index in found:
            np.testing.assert_array_equal(batch, expected[index])
    assert (len(released) > 20) == (mode != "c")


@pytest.mark.skipif(not LETS_GO, reason="the system cannot be told")
def test_views_of_a_map_are_found(released: list[int], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(4, 3))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    for view in (x, x[1:], x.T, np.asarray(x)[::2], x.reshape(2, 6)):
        released.clear()
        assert len(list(DataLoader(view, 1))) == len(view)
        assert len(released) == len(view) - 1
    released.clear()
    list(DataLoader(np.array(x), 1))
    assert released == []


@pytest.mark.parametrize("layout", ["C", "fortran", "unaligned", "reversed", "big-endian"])
def test_no_layout_is_copied_as_a_whole(layout: str) -> None:
    """Case 96: NumPy's `take` would copy most of them."""
    x = np.arange(250_000.0).reshape(500, 500)
    if layout == "unaligned":
        x = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(500, 500)
    made = {"fortran": np.asfortranarray(x), "reversed": x[::-1], "big-endian": x.astype(">f8")}
    given = made.get(layout, x)
    data, rows = TensorDataset(given), np.array([5, 499, 5])
    tracemalloc.start()
    try:
        (batch,) = data.take(rows)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(batch, given[[5, 499, 5]])
