"""Writes tables and the picture into a page, each between the two comments that name it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .table import Table

PICTURE = Path("images/growth.png")
_ALT = "Cost per sample and per parameter, on logarithmic axes: it falls, then it is flat."


def write(path: Path, tables: Sequence[Table], picture: bool = False) -> None:
    """Replace the tables of a page; what else it says stays.

    Parameters
    ----------
    path
        The page.  `<!-- table NAME -->` and `<!-- end NAME -->` stand around the place of a table.
    tables
        What to write; the page must have a place for each.
    picture
        Whether to show `PICTURE` between `<!-- picture -->` and `<!-- end picture -->`.

    Raises
    ------
    ValueError
        If a place is missing; the page is then as it was.
    """
    text = path.read_text("utf-8")
    if picture:
        shown = f"![{_ALT}]({PICTURE.as_posix()})"
        text = _filled(text, "<!-- picture -->", "<!-- end picture -->", shown)
    for table in tables:
        start, end = f"<!-- table {table.key} -->", f"<!-- end {table.key} -->"
        text = _filled(text, start, end, str(table))
    path.write_text(text, "utf-8")


def _filled(text: str, start: str, end: str, content: str) -> str:
    """Put new content between two comments."""
    place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not place.search(text):
        raise ValueError(f"the page has no place for this: add {start} and {end}")
    return place.sub(lambda _: f"{start}\n{content}\n{end}", text)
