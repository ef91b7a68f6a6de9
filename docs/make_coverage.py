"""Write the table of docs/coverage.md: `python docs/make_coverage.py`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tensorgrad.numpy_api.contract import coverage

PAGE = Path(__file__).parent / "coverage.md"

if __name__ == "__main__":
    version = ".".join(np.__version__.split(".")[:2])
    text = PAGE.read_text("utf-8")
    text = re.sub(r"NumPy \d+\.\d+", f"NumPy {version}", text)
    text = text[: text.index("| callable |")] + coverage() + "\n"
    PAGE.write_text(text, "utf-8")
