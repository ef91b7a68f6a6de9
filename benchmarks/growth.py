"""Growth: the cost of a sample as the batch grows, and of a parameter as the network grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .driver import Outcome, Race, Settings, processes, progress, run
from .registry import PEERS, available
from .table import Report, Table, number, verdict
from .workloads import Workload

PEER_KEYS = ("tensorgrad", "torch", "by-hand")
WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
# How much a larger size may cost more than the cheapest below it and still be called flat: the
# data leave the caches one after the other.
FLAT = 1.25


@dataclass(frozen=True)
class Curve:
    """The cost of one unit (a sample, a parameter) at each size, in nanoseconds, by peer."""

    key: str
    unit: str
    size: str
    sizes: Sequence[int]
    costs: Mapping[str, Sequence[float]]

    @property
    def rise(self) -> float:
        """The most that tensorgrad's cost rises above the lowest at a smaller size."""
        costs = self.costs["tensorgrad"]
        return max(cost / min(costs[: i + 1]) for i, cost in enumerate(costs))

    def table(self) -> Table:
        """Tabulate the costs."""
        rows = [
            [f"{size:,}", *(number(costs[i]) for costs in self.costs.values())]
            for i, size in enumerate(self.sizes)
        ]
        title = f"Growth: nanoseconds per {self.unit} and step, by {self.size}"
        notes = []
        if "tensorgrad" in self.costs:
            judged = verdict(self.rise, FLAT)
            notes = [
                f"Falls, then flat: tensorgrad's cost rises at most to {number(self.rise)} times "
                f"the lowest before (target {FLAT}): {judged}."
            ]
        heading = [self.size, *(PEERS[key].title for key in self.costs)]
        return Table(self.key, title, heading, rows, notes)


def by_batch(batch: int) -> Workload:
    """Return the network of `digits` with another batch; fewer batches where they are large."""
    batches = max(1, min(16, 131_072 // batch))
    return Workload("growth", 64, (128, 64, 10), "relu", batch, "cross entropy", batches=batches)


def by_width(width: int) -> Workload:
    """Return a network on 784 inputs with two hidden layers of a width."""
    return Workload("growth", 784, (width, width, 10), "relu", 128, "cross entropy")


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the tables of this group, the picture, and what went wrong."""
    settings = replace(
        settings, rounds=min(5, settings.rounds), seconds=min(0.1, settings.seconds), check=3
    )
    widths = WIDTHS if settings.growth[-1] > WIDTHS[-1] else (4, 64)
    faults: list[str] = []
    curves = []
    with processes(available(PEER_KEYS), settings) as started:
        for row in rows:
            workloads = [by_batch(n) for n in settings.growth]
            if row == "growth-network":
                workloads = [by_width(n) for n in widths]
            outcomes = []
            for workload in workloads:
                progress(f"{row}: {workload.batch} samples, {workload.parameters} parameters")
                race = Race("training", {"workload": asdict(workload)}, check=3, tolerance=2e-3)
                outcomes.append(run(race, started, settings))
                faults += [f"{row}, {k}: {why}" for k, why in outcomes[-1].faults.items()]
            curves.append(_curve(row, workloads, outcomes))
    return Report([c.table() for c in curves], faults, lambda path: draw(curves, path))


def _curve(row: str, workloads: Sequence[Workload], outcomes: Sequence[Outcome]) -> Curve:
    """Turn the times of the steps into costs of one unit."""
    by_sample = row == "growth-batch"
    sizes = [w.batch if by_sample else w.parameters for w in workloads]
    keys = [key for key in PEER_KEYS if all(key in outcome.times for outcome in outcomes)]
    costs = {
        key: [o.best(key) * 1e9 / size for o, size in zip(outcomes, sizes, strict=True)]
        for key in keys
    }
    names = ("sample", "batch") if by_sample else ("parameter", "parameters")
    return Curve(row, *names, sizes, costs)


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Plot the curves, one panel each, on logarithmic axes."""
    from matplotlib.figure import Figure

    from tensorgrad.viz.plots import COLOURS

    figure = Figure(figsize=(4.5 * len(curves), 3.6), layout="constrained")
    panels: Any = figure.subplots(1, len(curves), squeeze=False)[0]
    for panel, curve in zip(panels, curves, strict=True):
        lines = zip(curve.costs.items(), ("-o", "--s", ":^"), COLOURS, strict=False)
        for (key, costs), style, colour in lines:
            panel.loglog(
                curve.sizes, costs, style, color=colour, markersize=4, label=PEERS[key].title
            )
        panel.set_xlabel(curve.size)
        panel.set_ylabel(f"ns per {curve.unit} and step")
        panel.grid(True, alpha=0.3)
        panel.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


ROWS = ("growth-batch", "growth-network")
