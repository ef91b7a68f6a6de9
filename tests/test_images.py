"""The pictures of the documentation are what their code draws."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import tensorgrad as tg

DOCS = Path(__file__).parents[1] / "docs"
SCRIPT: dict[str, Any] = runpy.run_path(str(DOCS / "make_images.py"))
PNG = b"\x89PNG\r\n\x1a\n"


def words(path: Path) -> list[str]:
    """Return what is written in a drawing: the same for every program that lays it out."""
    texts = ET.parse(path).iter("{http://www.w3.org/2000/svg}text")
    # Some programs write hard spaces, some soft ones.
    return sorted(filter(None, (" ".join("".join(text.itertext()).split()) for text in texts)))


def test_every_picture_is_there() -> None:
    assert set(SCRIPT["PICTURES"]) <= {path.name for path in (DOCS / "images").iterdir()}


@pytest.mark.parametrize("name", SCRIPT["PICTURES"])
def test_a_picture_is_what_its_code_draws(name: str, tmp_path: Path) -> None:
    try:
        SCRIPT["PICTURES"][name](tmp_path)
    except tg.viz.RenderError as error:
        pytest.skip(str(error))
    committed, drawn = DOCS / "images" / name, tmp_path / name
    if name.endswith(".svg"):
        assert words(drawn) == words(committed) != []
    else:
        assert drawn.read_bytes()[:8] == committed.read_bytes()[:8] == PNG
