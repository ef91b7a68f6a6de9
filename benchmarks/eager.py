"""Training steps, eager: forward, backward and the optimiser, beside the eager mode of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from .driver import Outcome, Process, Race, Settings, processes, progress, run
from .registry import PEERS, available
from .table import Report, Table, number, verdict
from .workloads import WORKLOADS, Workload

PEER_KEYS = (
    "tensorgrad", "torch", "torch-fused", "mygrad", "autograd", "micrograd", "by-hand"
)  # fmt: skip
# The floor is no eager mode: it is shown, and not what the target compares with.
FLOOR = "by-hand"
TARGETS = {"seed": 1.0, "moons": 1.0, "digits": 1.0, "mnist": 1.0, "wide": 1.15, "wide-tanh": 1.15}
ROWS = tuple(TARGETS)


def race_of(workload: Workload, settings: Settings) -> Race:
    """Return the race of a training step.

    Rounding differs between frameworks, and Adam's division makes more of it in the steps that
    follow: in float32 the losses agree to three digits.
    """
    tolerance = 1e-9 if workload.dtype == "float64" else 2e-3
    options = {"workload": asdict(workload)}
    return Race("training", options, check=settings.check, tolerance=tolerance)


def entered(workload: Workload, started: Mapping[str, Process]) -> dict[str, Process]:
    """Return who runs a workload: micrograd only the one of its size."""
    return {k: p for k, p in started.items() if k != "micrograd" or workload.name == "seed"}


def measure(settings: Settings, rows: Sequence[str]) -> dict[str, Outcome]:
    """Time the training steps of the rows asked for."""
    outcomes = {}
    with processes(available(PEER_KEYS), settings) as started:
        for workload in WORKLOADS:
            if workload.name in rows:
                progress(f"eager: {workload.name}")
                race = race_of(workload, settings)
                outcomes[workload.name] = run(race, entered(workload, started), settings)
    return outcomes


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the tables of this group, and what went wrong."""
    outcomes = measure(settings, rows)
    faults = [f"{r}, {k}: {why}" for r, o in outcomes.items() for k, why in o.faults.items()]
    keys = [key for key in PEER_KEYS if any(key in o.times for o in outcomes.values())]
    tables = [_times(outcomes, keys, settings)]
    if "tensorgrad" in keys and len(keys) > 1:
        tables.append(_ratios(outcomes, keys[1:]))
    return Report(tables, faults)


def _times(outcomes: Mapping[str, Outcome], keys: Sequence[str], settings: Settings) -> Table:
    """Tabulate the times."""
    rows = [[name, *(_time(outcome, key) for key in keys)] for name, outcome in outcomes.items()]
    title = (
        "Training step, eager: microseconds, minimum and (median) "
        f"of {settings.rounds} interleaved rounds"
    )
    return Table("eager", title, ["", *(PEERS[key].title for key in keys)], rows)


def _time(outcome: Outcome, key: str) -> str:
    """Write the times of one peer; a dash where it did not run."""
    if key not in outcome.times:
        return "-"
    return f"{number(outcome.best(key) * 1e6)} ({number(outcome.median(key) * 1e6)})"


def _ratios(outcomes: Mapping[str, Outcome], keys: Sequence[str]) -> Table:
    """Tabulate tensorgrad's time over that of each peer, and compare the worst with the target."""
    rows = []
    for name, outcome in outcomes.items():
        if "tensorgrad" not in outcome.times:
            rows.append([name, *("-" for _ in keys), "-", "-", "not measured"])
            continue
        ratios = {k: outcome.ratio("tensorgrad", k) for k in keys if k in outcome.times}
        cells = [number(ratios[key]) if key in ratios else "-" for key in keys]
        rivals = {key: ratio for key, ratio in ratios.items() if key != FLOOR}
        fastest = max(rivals, key=lambda key: rivals[key], default=None)
        judged = verdict(rivals[fastest], TARGETS[name]) if fastest else "no peer"
        against = PEERS[fastest].title if fastest else "-"
        rows.append([name, *cells, against, number(TARGETS[name]), judged])
    return Table(
        "eager-ratios",
        "tensorgrad's time over the peer's, within a round: median of the rounds",
        ["", *(PEERS[key].title for key in keys), "fastest peer", "target", ""],
        rows,
        ["The target is against the fastest eager mode; NumPy by hand is the floor for all."],
        words=(0, len(keys) + 1, len(keys) + 3),
    )
