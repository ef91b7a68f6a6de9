"""Ctrl-C waits: a block that runs to its end before KeyboardInterrupt is raised.

Floor: optim; imports nothing of the project.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Generator[None]:
    """Hold Ctrl-C back until the block has ended, then let it act.

    Python delivers it to the main thread alone, so elsewhere there is nothing to do.  The handler
    that was there before, whoever set it, gets the signal afterwards.
    """
    handler = signal.getsignal(signal.SIGINT)
    # None, SIG_DFL and SIG_IGN do not interrupt Python code.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    pending: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *received: pending.append(received))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if pending:
            handler(*pending[0])
