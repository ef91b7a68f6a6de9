"""Training steps, eager: forward, backward and the optimiser, beside the eager mode of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .driver import Outcome, Settings
from .registry import PEERS
from .steps import FLOOR, cells_of, faults_of, measure, ratios, timed, times_table
from .table import Report, Table, number, verdict

PEER_KEYS = (
    "tensorgrad", "torch", "torch-fused", "mygrad", "autograd", "micrograd", "by-hand"
)  # fmt: skip
TARGETS = {"seed": 1.0, "moons": 1.0, "digits": 1.0, "mnist": 1.0, "wide": 1.15, "wide-tanh": 1.15}
ROWS = tuple(TARGETS)


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the tables of this group, and what went wrong."""
    outcomes = measure("eager", PEER_KEYS, settings, rows)
    keys = timed(outcomes, PEER_KEYS)
    tables = [times_table("eager", outcomes, keys, settings)]
    if "tensorgrad" in keys and len(keys) > 1:
        tables.append(_ratios(outcomes, keys[1:]))
    return Report(tables, faults_of(outcomes))


def _ratios(outcomes: Mapping[str, Outcome], keys: Sequence[str]) -> Table:
    """Tabulate tensorgrad's time over that of each peer, and compare the worst with the target."""
    rows = []
    for name, outcome in outcomes.items():
        found = ratios(outcome, "tensorgrad", keys)
        # The floor is no eager mode: it is shown, and not what the target compares with.
        rivals = {key: ratio for key, ratio in found.items() if key != FLOOR}
        fastest = max(rivals, key=lambda key: rivals[key], default=None)
        judged = verdict(rivals[fastest], TARGETS[name]) if fastest else "not compared"
        against = PEERS[fastest].title if fastest else "-"
        rows.append([name, *cells_of(found, keys), against, number(TARGETS[name]), judged])
    return Table(
        "eager-ratios",
        "tensorgrad's time over the peer's, within a round: median of the rounds",
        ["", *(PEERS[key].title for key in keys), "fastest peer", "target", ""],
        rows,
        ["The target is against the fastest eager mode; NumPy by hand is the floor for all."],
        words=(0, len(keys) + 1, len(keys) + 3),
    )
