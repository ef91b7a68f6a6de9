"""The first call of a compiled step: what recording, planning and compiling cost, once."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict

from .driver import PeerError, Process, Settings, progress
from .registry import PEERS
from .table import Report, Table, number, verdict
from .workloads import WORKLOADS

# The name of a row, the peer, the most seconds that it may take.  A folder for the cache is empty
# in the second row, and in the third the one that the second has filled.
CALLS = (
    ("NumPy alone", "compiled-numpy", 1.0),
    ("with numba, nothing cached", "compiled", 6.0),
    ("with numba, from the disk cache of another process", "compiled", 1.5),
)
ROWS = ("first-call",)


def measured(settings: Settings, rows: Sequence[str]) -> Report:  # noqa: ARG001 - there is one row
    """Return the table of this group, and what went wrong."""
    progress("first-call: mnist")
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in CALLS}
    faults: dict[str, str] = {}
    for _ in range(settings.repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name, key, _ in CALLS:
                if settings.asks_for(PEERS[key]):
                    try:
                        seconds[name].append(first_call(key, folder))
                    except PeerError as error:
                        faults[f"first call, {name}"] = str(error).splitlines()[-1]
    lines = [line(name, seconds[name], target) for name, _, target in CALLS]
    title = f"First call of the compiled mnist step: seconds, median of {settings.repeats} times"
    heading = ("", "seconds", "target", "")
    note = "A process of its own each time; the import of numba is part of it, that of NumPy not."
    table = Table("first-call", title, heading, lines, [note], words=(0, 3))
    return Report([table], [f"{where}: {why}" for where, why in faults.items()])


def first_call(key: str, folder: str) -> float:
    """Return the seconds of the first call in a new process that keeps its cache in a folder."""
    mnist = next(workload for workload in WORKLOADS if workload.name == "mnist")
    with Process(PEERS[key], {"TENSORGRAD_CACHE_DIR": folder}) as process:
        process.ready()
        process.load("training", {"workload": asdict(mnist)})
        return process.time(1, warm=0)


def line(name: str, seconds: Sequence[float], target: float) -> list[str]:
    """Write one row; a dash where nothing was measured."""
    if not seconds:
        return [name, "-", number(target), "not measured"]
    typical = statistics.median(seconds)
    return [name, number(typical), number(target), verdict(typical, target)]
