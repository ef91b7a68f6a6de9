"""Writes tables into a page, each between the two comments that name it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .table import Table

PICTURE = Path("images/growth.png")


def write(path: Path, tables: Sequence[Table]) -> None:
    """Replace the tables of a page; what else it says stays.

    Parameters
    ----------
    path
        The page.  `<!-- table NAME -->` and `<!-- end NAME -->` stand around the place of a table.
    tables
        What to write; the page must have a place for each.

    Raises
    ------
    ValueError
        If it has not; the page is then as it was.
    """
    text = path.read_text("utf-8")
    for table in tables:
        start, end = f"<!-- table {table.key} -->", f"<!-- end {table.key} -->"
        place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if not place.search(text):
            raise ValueError(f"{path} has no place for the table {table.key}: add {start} {end}")
        drawn = f"{start}\n{table}\n{end}"
        text = place.sub(lambda _found, drawn=drawn: drawn, text)
    path.write_text(text, "utf-8")
