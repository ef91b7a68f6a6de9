"""Code: what `emit` writes, and the mark of a call that is not like the recording.

Floor: compiler, lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MISSED = object()
"""What `step` returns when the call is not like the recording: nothing has been changed then."""


@dataclass
class Code:
    """What was written."""

    source: str
    bound: dict[str, Any]
    """What the names in it stand for."""
    leaves: list[Any]
    """Of each array that `prepare` returns beside `step`, whose gradient it is, or None."""
    kernels: list[str]
    """The text of the loops that it calls."""
