"""`tensorgrad.data.shakespeare`: the text is the one that its licence was looked up for."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tensorgrad.data import shakespeare

FOLDER = Path(__file__).parents[1] / "tensorgrad" / "data"


def test_the_text_is_the_file_whose_source_is_recorded() -> None:
    """Its checksum stands in hamlet.md, beside the source and the licence."""
    record = (FOLDER / "hamlet.md").read_text("utf-8")
    assert hashlib.sha256((FOLDER / "hamlet.txt").read_bytes()).hexdigest() in record
    assert "public domain" in record


def test_it_is_the_play_and_nothing_else() -> None:
    text = shakespeare()
    assert len(text) == 173_942
    assert text.startswith("HAMLET, PRINCE OF DENMARK\n")
    assert "\nTo be, or not to be,--that is the question:--\n" in text
    assert text.endswith("ordnance is shot off.]")
    assert "Gutenberg" not in text
