"""Dead units: what an optimiser remembers of them fades, and must not become slow."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .driver import PeerError, Process, Settings, progress
from .registry import PEERS
from .table import Report, Table, compared
from .workloads import WORKLOADS

ROWS = ("denormals",)
# The name of a row, the class, and its options.
OPTIMISERS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("SGD with momentum", "SGD", {"lr": 0.01, "momentum": 0.9}),
    ("Adam", "Adam", {}),
    ("RMSprop with momentum", "RMSprop", {"lr": 1e-3, "momentum": 0.9}),
    ("Adadelta", "Adadelta", {}),
    ("NAdam", "NAdam", {}),
    ("Lion", "Lion", {"betas": (0.9, 0.9)}),
)
# Rounds differ by as much on a machine that does something else besides.
TARGET = 1.1


def measured(settings: Settings, rows: Sequence[str]) -> Report:  # noqa: ARG001 - there is one row
    """Return the table of this group, and what went wrong."""
    lines, faults = [], []
    with contextlib.ExitStack() as stack:
        asked = settings.asks_for(PEERS["tensorgrad"])
        pair = [stack.enter_context(Process(PEERS["tensorgrad"])) for _ in range(2 * asked)]
        for process in pair:
            process.ready()
        for name, kind, options in OPTIMISERS if asked else ():
            progress(f"denormals: {name}")
            try:
                lines.append(compared(name, *timed(pair, kind, options, settings), TARGET))
            except PeerError as error:
                faults.append(f"denormals, {name}: {str(error).splitlines()[-1]}")
    title = (
        f"Training step of the digits network after {settings.fading:,} steps, in nearly all of "
        "which half of the first layer was dead: microseconds"
    )
    heading = ("", "all units alive", "half of them dead", "ratio", "target", "")
    return Report([Table("denormals", title, heading, lines, words=(0, 5))], faults)


def timed(
    pair: Sequence[Process], kind: str, options: Mapping[str, Any], settings: Settings
) -> tuple[list[float], list[float]]:
    """Train two networks, one with dead units; return the seconds of their steps, in turn."""
    digits = asdict(next(workload for workload in WORKLOADS if workload.name == "digits"))
    for process, dead in zip(pair, (False, True), strict=True):
        case = {"workload": digits, "kind": kind, "numbers": dict(options), "dead": dead}
        process.load("fading", case)
        process.value(settings.fading)
    steps = max(settings.least, int(settings.seconds / pair[0].time(settings.least, 0)))
    rounds = [[process.time(steps, 0) for process in pair] for _ in range(settings.rounds)]
    alive, half_dead = zip(*rounds, strict=True)
    return list(alive), list(half_dead)
