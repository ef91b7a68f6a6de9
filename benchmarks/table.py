"""Tables: the same aligned text in a terminal and, as Markdown, on a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """Rows under a heading; `key` tells its place on a page, `notes` are lines below it."""

    key: str
    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)

    def __str__(self) -> str:
        lines = [self.heading, *self.rows]
        widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(self.heading))]
        # Names to the left, figures to the right.
        rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
        cells = [
            [cell.ljust(widths[0]) if not i else cell.rjust(widths[i]) for i, cell in enumerate(line)]
            for line in lines
        ]
        drawn = ["| " + " | ".join(line) + " |" for line in (cells[0], rule, *cells[1:])]
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([f"**{self.title}**", "", *drawn, *notes])


@dataclass(frozen=True)
class Report:
    """What a group measured: tables, what went wrong, and how to draw a picture of it."""

    tables: Sequence[Table]
    faults: Sequence[str]
    draw: Callable[[Path], None] | None = None


def number(x: float) -> str:
    """Write a figure with three digits that count, or all of them before the point.

    Examples
    --------
    >>> number(1234.5), number(0.01234), number(2)
    ('1,234', '0.0123', '2.00')
    """
    if not x or not math.isfinite(x):
        return f"{x:g}"
    digits = 2 - math.floor(math.log10(abs(x)))
    return f"{x:,.{max(0, digits)}f}"


def verdict(figure: float, target: float) -> str:
    """Say whether a ratio is within its target."""
    return "pass" if figure <= target else "falls short"
