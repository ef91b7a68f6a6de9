"""Training steps, compiled: with numba and on NumPy alone, beside the fastest that others have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .driver import Outcome, Settings
from .registry import PEERS
from .steps import FLOOR, cells_of, faults_of, measure, ratios, timed, times_table
from .table import Report, Table, number, verdict

RIVALS = ("by-hand", "jax", "torch", "torch-fused", "torch-compile")
PEER_KEYS = ("compiled", "compiled-numpy", *RIVALS)
# The most that the time with numba may be of anybody else's.  On the wide rows matrix products are
# almost all of it, the same for all: a difference under 3 % is noise there.
FASTEST = {"seed": 1.0, "moons": 1.0, "digits": 1.0, "mnist": 1.0, "wide": 1.03, "wide-tanh": 1.03}
# The same on NumPy alone, of the time of the floor.
ON_NUMPY = 1.05
ROWS = tuple(FASTEST)


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the tables of this group, and what went wrong."""
    outcomes = measure("compiled", PEER_KEYS, settings, rows)
    keys = timed(outcomes, PEER_KEYS)
    tables = [times_table("compiled", outcomes, keys, settings)]
    rivals = [key for key in RIVALS if key in keys]
    tables += [
        ratios_table(outcomes, own, rivals)
        for own in ("compiled", "compiled-numpy")
        if own in keys and rivals
    ]
    return Report(tables, faults_of(outcomes))


def ratios_table(outcomes: Mapping[str, Outcome], own: str, keys: Sequence[str]) -> Table:
    """Tabulate the time of a compiled step over that of each peer, and compare with the target."""
    rows = []
    for name, outcome in outcomes.items():
        found = ratios(outcome, own, keys)
        target = FASTEST[name] if own == "compiled" else ON_NUMPY
        judged = found if own == "compiled" else {k: r for k, r in found.items() if k == FLOOR}
        against = max(judged, key=lambda key: judged[key], default=None)
        told = verdict(judged[against], target) if against else "not compared"
        title = PEERS[against].title if against else "-"
        rows.append([name, *cells_of(found, keys), title, number(target), told])
    what = "the fastest of all" if own == "compiled" else "NumPy by hand"
    return Table(
        f"{own}-ratios",
        f"Time of {PEERS[own].title} over the peer's, within a round: median of the rounds",
        ["", *(PEERS[key].title for key in keys), "against", "target", ""],
        rows,
        [f"The target is against {what}."],
        words=(0, len(keys) + 1, len(keys) + 3),
    )
