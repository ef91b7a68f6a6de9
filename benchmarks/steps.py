"""Training steps of the workloads: timed for the peers of a group, and tabulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from .driver import Outcome, Process, Race, Settings, processes, progress, run
from .registry import PEERS, available
from .table import Table, number
from .workloads import WORKLOADS, Workload

FLOOR = "by-hand"


def race_of(workload: Workload, settings: Settings) -> Race:
    """Return the race of a training step.

    Rounding differs between frameworks, and in the steps that follow Adam's division makes more of
    it, and the units that it turns on or off in a network of relu more still.
    """
    tolerance = 5e-3 if workload.activation == "relu" else 1e-4
    if workload.dtype == "float64":
        tolerance = 1e-9
    options = {"workload": asdict(workload)}
    return Race("training", options, check=settings.check, tolerance=tolerance)


def entered(workload: Workload, started: Mapping[str, Process]) -> dict[str, Process]:
    """Return who runs a workload: micrograd only the one of its size."""
    return {k: p for k, p in started.items() if k != "micrograd" or workload.name == "seed"}


def measure(
    group: str, keys: Sequence[str], settings: Settings, rows: Sequence[str]
) -> dict[str, Outcome]:
    """Time the training steps of the rows asked for."""
    outcomes = {}
    with processes(available(keys), settings) as started:
        for workload in WORKLOADS:
            if workload.name in rows:
                progress(f"{group}: {workload.name}")
                race = race_of(workload, settings)
                outcomes[workload.name] = run(race, entered(workload, started), settings)
    return outcomes


def faults_of(outcomes: Mapping[str, Outcome]) -> list[str]:
    """Say who was not timed in which row, and why."""
    return [f"{row}, {key}: {why}" for row, o in outcomes.items() for key, why in o.faults.items()]


def timed(outcomes: Mapping[str, Outcome], keys: Sequence[str]) -> list[str]:
    """Return those of the peers that were timed in some row."""
    return [key for key in keys if any(key in outcome.times for outcome in outcomes.values())]


def times_table(
    group: str, outcomes: Mapping[str, Outcome], keys: Sequence[str], settings: Settings
) -> Table:
    """Tabulate the times."""
    rows = [[name, *(_time(outcome, key) for key in keys)] for name, outcome in outcomes.items()]
    title = (
        f"Training step, {group}: microseconds, minimum and (median) "
        f"of {settings.rounds} interleaved rounds"
    )
    return Table(group, title, ["", *(PEERS[key].title for key in keys)], rows)


def _time(outcome: Outcome, key: str) -> str:
    """Write the times of one peer; a dash where it did not run."""
    if key not in outcome.times:
        return "-"
    return f"{number(outcome.best(key) * 1e6)} ({number(outcome.median(key) * 1e6)})"


def ratios(outcome: Outcome, own: str, keys: Sequence[str]) -> dict[str, float]:
    """Return the time of `own` over that of each of the peers timed with it."""
    if own not in outcome.times:
        return {}
    return {key: outcome.ratio(own, key) for key in keys if key in outcome.times and key != own}


def cells_of(found: Mapping[str, float], keys: Sequence[str]) -> list[str]:
    """Write the ratios to some peers; a dash where there is none."""
    return [number(found[key]) if key in found else "-" for key in keys]
