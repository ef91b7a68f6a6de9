"""Data larger than memory: what a pass over a memory-mapped file of 10 GB keeps in memory.

`python -m benchmarks.streaming MODE FILE` makes one pass and prints what it took, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.data import DataLoader

from .driver import ROOT, Settings, environment, progress
from .table import Report, Table, number, verdict

FEATURES, BATCH = 784, 256
LIMIT = 300e6
MODES = {
    "streaming-in-order": "DataLoader, in order",
    "streaming-shuffled": "DataLoader, shuffled",
    "streaming-prefetch": "DataLoader, shuffled, prefetch=2",
    "streaming-slices": "slices of the map by hand, in order",
    "streaming-rows": "rows of the map by hand, shuffled",
}
BY_HAND = ("streaming-slices", "streaming-rows")
ROWS = tuple(MODES)


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the table of this group, and what went wrong."""
    lines, faults = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = hole(Path(folder, "samples"), settings.stream)
        for name in rows:
            progress(f"streaming: {name}")
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.streaming", name, str(path)],
                cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                faults.append(f"{name}: {done.stderr.strip().splitlines()[-1]}")
            else:
                lines.append(line(name, json.loads(done.stdout)))
    title = (
        f"One pass over {settings.stream / 1e9:g} GB of memory-mapped float32 samples of "
        f"{FEATURES}, in batches of {BATCH}: memory above that before the pass"
    )
    heading = ("", "resident at most, MB", "of it not the file's", "GB a second", "target, MB", "")
    note = (
        "The file is a hole, which takes no disk, and was read once before: what fits is in the "
        "system's cache."
    )
    return Report([Table("streaming", title, heading, lines, [note], words=(0, 5))], faults)


def line(name: str, found: dict[str, float]) -> list[str]:
    """Write one row."""
    resident, own = found["VmRSS"] / 1e6, found["RssAnon"] / 1e6
    speed = found["bytes"] / found["seconds"] / 1e9
    judged = "" if name in BY_HAND else verdict(found["VmRSS"], LIMIT)
    target = number(LIMIT / 1e6) if judged else "-"
    return [MODES[name], number(resident), number(own), number(speed), target, judged]


def resident() -> dict[str, int]:
    """Return the resident memory of this process in bytes: all of it, its own, that of files."""
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return {key: int(status[key].split()[0]) * 1024 for key in ("VmRSS", "RssAnon", "RssFile")}


def batches(x: Any, mode: str) -> Iterator[Any]:
    """Return the batches of one pass."""
    if mode == "streaming-slices":
        return (x[i : i + BATCH] for i in range(0, len(x), BATCH))
    if mode == "streaming-rows":
        order = np.random.default_rng(0).permutation(len(x))
        return (x[order[i : i + BATCH]] for i in range(0, len(x), BATCH))
    ahead = 2 if mode == "streaming-prefetch" else 0
    shuffle = mode != "streaming-in-order"
    return iter(DataLoader(x, BATCH, shuffle, generator=0, prefetch=ahead))


def hole(path: Path, size: int) -> Path:
    """Make a file of about so many bytes that takes no disk, and read it once."""
    with path.open("wb") as file:
        file.truncate(size // (4 * FEATURES) * 4 * FEATURES)
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return path


def pass_over(mode: str, path: Path) -> dict[str, float]:
    """Make a pass over a file, and return the peaks of its memory."""
    x = np.memmap(path, np.float32, "r").reshape(-1, FEATURES)
    before, peak = resident(), resident()
    start, total = time.perf_counter(), 0.0
    for i, batch in enumerate(batches(x, mode)):
        total += float(batch.sum())
        if i % 8 == 0:
            peak = {key: max(peak[key], now) for key, now in resident().items()}
    seconds = time.perf_counter() - start
    assert total == 0
    return {"bytes": x.nbytes, "seconds": seconds} | {k: peak[k] - before[k] for k in peak}


if __name__ == "__main__":
    print(json.dumps(pass_over(sys.argv[1], Path(sys.argv[2]))))
