"""Tables: the same aligned text in a terminal and, as Markdown, on a page."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """Rows under a heading; `key` tells its place on a page, `notes` are lines below it.

    The columns in `words` hold words, which stand to the left; figures stand to the right.
    """

    key: str
    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    words: Sequence[int] = (0,)

    def __str__(self) -> str:
        lines = [self.heading, *self.rows]
        widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(self.heading))]
        edges = [(":", "") if i in self.words else ("", ":") for i in range(len(widths))]
        rule = [a + "-" * (w - 1) + b for w, (a, b) in zip(widths, edges, strict=True)]
        cells = [
            [c.ljust(w) if edge[0] else c.rjust(w) for c, w, edge in zip(*row, strict=True)]
            for row in ((line, widths, edges) for line in lines)
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


def compared(
    name: str, times: Sequence[float], others: Sequence[float], target: float
) -> list[str]:
    """Write a row of seconds, as microseconds; the ratio is that within a round, the median."""
    ratio = statistics.median(y / x for x, y in zip(times, others, strict=True))
    least = [number(min(found) * 1e6) for found in (times, others)]
    return [name, *least, number(ratio), number(target), verdict(ratio, target)]
