"""The training step of a convolutional network, eager and compiled, beside PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence

from .driver import Outcome, Race, Settings, processes, progress, run
from .registry import PEERS, available
from .steps import faults_of, timed, times_table
from .table import Report, Table, number, verdict

OWN = ("tensorgrad", "compiled", "compiled-numpy")
RIVAL = "torch"
PEER_KEYS = (*OWN, RIVAL)
# The most that a step may take of PyTorch's time, whose convolutions are written by hand for each
# kind of processor.
TARGET = 2.5
ROWS = ("lenet",)


def measured(settings: Settings, rows: Sequence[str]) -> Report:  # noqa: ARG001 - there is one row
    """Return the tables of this group, and what went wrong."""
    progress("convolution: lenet")
    # Rounding turns units of relu on and off, as in `steps.race_of`.
    race = Race("lenet", {}, check=settings.check, tolerance=5e-3)
    with processes(available(PEER_KEYS), settings) as started:
        outcomes = {"lenet": run(race, started, settings)}
    keys = timed(outcomes, PEER_KEYS)
    tables = [times_table("convolution", outcomes, keys, settings)]
    if RIVAL in keys:
        tables.append(ratios_table(outcomes["lenet"]))
    return Report(tables, faults_of(outcomes))


def ratios_table(outcome: Outcome) -> Table:
    """Tabulate tensorgrad's times over PyTorch's, and compare them with the target."""
    rows = []
    for key in OWN:
        if key in outcome.times:
            ratio = outcome.ratio(key, RIVAL)
            rows.append([PEERS[key].title, number(ratio), number(TARGET), verdict(ratio, TARGET)])
    return Table(
        "convolution-ratios",
        f"Time over that of {PEERS[RIVAL].title}, within a round: median of the rounds",
        ["", "ratio", "target", ""],
        rows,
        words=(0, 3),
    )
