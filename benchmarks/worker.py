"""The process of one peer: reads commands on standard input, one JSON object a line, and answers.

- `{"load": case, "options": {...}}` builds a case of the peer's module;
- `{"value": n}` does its work n times, and answers with the number that comes out;
- `{"time": n, "warm": k}` does it k times without a clock, then n times with it: seconds;
- `{"memory": n, "load": ..., "options": ...}` builds a case and does its work n times: the bytes of
  memory that the process had before, and at its peak.

A case is `run(n)`, which returns what `float` takes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Case: TypeAlias = Callable[[int], Any]
STATUS = Path("/proc/self/status")


class Worker:
    """Holds the case that was loaded last."""

    def __init__(self, module: str) -> None:
        self.module = importlib.import_module(f"benchmarks.peers.{module}")
        self.case: Case | None = None

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what a command says."""
        if "memory" in command:
            return self.memory(command)
        if "load" in command:
            self.load(command)
            return {}
        assert self.case is not None
        if "value" in command:
            return {"value": float(self.case(command["value"]))}
        gc.collect()
        if command["warm"]:
            self.case(command["warm"])
        start = time.perf_counter()
        self.case(command["time"])
        return {"seconds": time.perf_counter() - start}

    def load(self, command: dict[str, Any]) -> None:
        """Build a case, once the one before has gone."""
        self.case = None
        gc.collect()
        self.case = getattr(self.module, command["load"])(**command["options"])

    def memory(self, command: dict[str, Any]) -> dict[str, Any]:
        """Build and run a case, and watch the memory of the process."""
        self.case = None
        gc.collect()
        # What was freed, glibc keeps for later: it would look as if it cost nothing.
        with contextlib.suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)
        before, _ = memory_used()
        with contextlib.suppress(OSError):  # lets the high-water mark start afresh, on Linux
            Path("/proc/self/clear_refs").write_text("5")
        self.load(command)
        assert self.case is not None
        self.case(command["memory"])
        return {"before": before, "peak": memory_used()[1]}


def memory_used() -> tuple[int, int]:
    """Return the bytes of memory that the process has now, and had at most."""
    if not STATUS.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        return peak, peak
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    now, peak = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return now, peak


def hide(package: str) -> None:
    """Make the import of a package fail, as if it were not installed."""
    sys.modules[package] = None  # type: ignore[assignment]  # what the import system documents


def main() -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")  # of other frameworks, about NumPy's newest release
    # What a framework prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module, hidden = sys.argv[1:]
    if hidden:
        hide(hidden)
    worker = Worker(module)
    print("{}", file=answers)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception:  # noqa: BLE001 - whatever a peer raises belongs into its column
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
