"""Ctrl-C waits: a block that runs to its end before KeyboardInterrupt is raised.

Lowest floor: imports nothing of the project.
"""

from __future__ import annotations

# What the functions of `signal` call: those look handlers up in an enumeration first, which took
# 16 of the 45 us of a step of Adam on a small network (Python 3.11).
import _signal  # type: ignore[import-not-found]
from collections.abc import Callable
from types import FrameType
from typing import Any


class uninterrupted:  # noqa: N801 - lower case: it reads as a statement
    """Hold Ctrl-C back until the block has ended, then let it act.

    Python delivers it to the main thread alone, so elsewhere there is nothing to do.  The handler
    that was there before, whoever set it, gets the signal afterwards.
    """

    __slots__ = ("_handler", "_pending")

    _handler: Callable[..., Any] | None
    _pending: list[tuple[int, FrameType | None]]

    def __enter__(self) -> None:
        """Put a handler in place that waits."""
        handler = _signal.getsignal(_signal.SIGINT)
        self._handler, self._pending = None, []
        if not callable(handler):  # None, SIG_DFL and SIG_IGN do not interrupt Python code
            return
        try:
            _signal.signal(_signal.SIGINT, self._hold_back)
        except ValueError:  # not the main thread; to ask took another 0.3 us
            return
        self._handler = handler

    def _hold_back(self, number: int, frame: FrameType | None) -> None:
        """Stand in for the handler while the block runs."""
        self._pending.append((number, frame))

    def __exit__(self, *_exception: object) -> None:
        """Put the handler back that was there, and let it act."""
        if self._handler is None:
            return
        _signal.signal(_signal.SIGINT, self._handler)
        if self._pending:
            self._handler(*self._pending[0])
