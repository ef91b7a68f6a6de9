"""What it costs `fit` to look at gradients, updates and dead units now and then."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

from .driver import PeerError, Process, Settings, progress
from .registry import PEERS
from .table import Report, Table, compared
from .workloads import WORKLOADS, Workload

ROWS = ("diagnostics",)
NETWORKS = ("digits", "mnist")
TARGET = 1.03
# `fit` looks at one step in so many: a multiple of that many is timed.
SPACING = 200


def measured(settings: Settings, rows: Sequence[str]) -> Report:  # noqa: ARG001 - there is one row
    """Return the table of this group, and what went wrong."""
    lines, faults = [], []
    asked = settings.asks_for(PEERS["tensorgrad"])
    for workload in (w for w in WORKLOADS if asked and w.name in NETWORKS):
        progress(f"diagnostics: {workload.name}")
        try:
            lines.append(compared(workload.name, *timed(workload, settings), TARGET))
        except PeerError as error:
            faults.append(f"diagnostics, {workload.name}: {str(error).splitlines()[-1]}")
    title = (
        f"Step of fit that looks at every {SPACING}th, and of fit that looks at none: "
        f"microseconds, minimum of {settings.rounds} interleaved rounds"
    )
    heading = ("", "diagnostics=0", "by default", "ratio", "target", "")
    return Report([Table("diagnostics", title, heading, lines, words=(0, 5))], faults)


def timed(workload: Workload, settings: Settings) -> tuple[list[float], list[float]]:
    """Train without and with diagnostics, in turn; return the seconds of a step in each round."""
    with contextlib.ExitStack() as stack:
        pair = [stack.enter_context(Process(PEERS["tensorgrad"])) for _ in range(2)]
        for process, watched in zip(pair, (False, True), strict=True):
            process.ready()
            process.load("fitting", {"workload": asdict(workload), "watched": watched})
        unit = SPACING if settings.least > 1 else settings.check  # few in a quick run
        once = pair[0].value(unit)
        steps = unit * max(1, round(8 * settings.seconds / (unit * once)))
        rounds = [[process.value(steps) for process in pair] for _ in range(settings.rounds)]
    without, watched_times = zip(*rounds, strict=True)
    return list(without), list(watched_times)
