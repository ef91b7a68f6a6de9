"""`python -m benchmarks`: runs the groups, prints their tables, writes them into a page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from . import (
    compiled,
    convolution,
    denormals,
    diagnostics,
    eager,
    engine,
    first_call,
    gradients,
    growth,
    page,
    streaming,
)
from .driver import FULL, QUICK, Settings
from .machine import machine
from .registry import PEERS

GROUPS: Mapping[str, ModuleType] = {
    "eager": eager,
    "compiled": compiled,
    "first-call": first_call,
    "convolution": convolution,
    "engine": engine,
    "gradients": gradients,
    "growth": growth,
    "streaming": streaming,
    "denormals": denormals,
    "diagnostics": diagnostics,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the number of peers that failed or computed something else."""
    given = _parser().parse_args(arguments)
    rows = _chosen(given.only)
    settings = replace(QUICK if given.quick else FULL, peers=tuple(given.peer))
    if given.rounds:
        settings = replace(settings, rounds=given.rounds)
    if given.write:
        _check_whole(given, rows)
    tables = [machine(_in_words(given.quick, settings))]
    faults: list[str] = []
    picture = False
    print(f"{tables[0]}\n", flush=True)
    for name, group in GROUPS.items():
        if not rows[name]:
            continue
        report = group.measured(settings, rows[name])
        print("\n\n".join(map(str, report.tables)), end="\n\n", flush=True)
        if given.write and report.draw:
            report.draw(given.write.parent / page.PICTURE)
            picture = True
        tables += report.tables
        faults += report.faults
    _print_absent()
    for fault in faults:
        print(f"not timed: {fault}", file=sys.stderr)
    if given.write:
        page.write(given.write, tables, picture)
    return min(len(faults), 1)


def _parser() -> argparse.ArgumentParser:
    # A row may be in several groups: all of them run.
    names = list(dict.fromkeys([*GROUPS, *(row for g in GROUPS.values() for row in g.ROWS)]))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that all runs")
    parser.add_argument(
        "--only", action="append", default=[], choices=names, metavar="NAME",
        help=f"a group or a row, may be repeated: {', '.join(names)}",
    )  # fmt: skip
    parser.add_argument(
        "--peer", action="append", default=[], choices=list(PEERS), metavar="NAME",
        help=f"only this one, may be repeated: {', '.join(PEERS)}",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help=f"rounds per row, {FULL.rounds} if not given")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="a page to write the tables into"
    )
    return parser


def _chosen(only: Sequence[str]) -> dict[str, list[str]]:
    """Return the rows of each group that are asked for."""
    return {
        name: [row for row in group.ROWS if not only or name in only or row in only]
        for name, group in GROUPS.items()
    }


def _check_whole(given: argparse.Namespace, rows: Mapping[str, Sequence[str]]) -> None:
    """Refuse to write a page from a part of the rows or peers, or from a few rounds."""
    part = [name for name, chosen in rows.items() if 0 < len(chosen) < len(GROUPS[name].ROWS)]
    if part or given.peer or given.quick or (given.rounds and given.rounds < 7):
        raise SystemExit(
            "--write needs whole groups, all peers and at least 7 rounds: "
            "leave out --quick, --peer and single rows"
        )
    if not given.write.exists():
        raise SystemExit(f"--write {given.write}: no such page")


def _in_words(quick: bool, settings: Settings) -> str:
    """Describe how much is measured."""
    return f"{'quick, ' if quick else ''}{settings.rounds} rounds"


def _print_absent() -> None:
    """Name the peers that are not installed."""
    absent = [peer.title for peer in PEERS.values() if not peer.installed]
    if absent:
        print(f"Not installed: {', '.join(absent)}.")


if __name__ == "__main__":
    sys.exit(main())
