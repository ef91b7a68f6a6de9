"""Batches made ahead, in a thread.

Floor `data`; imports nothing of the project.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, TypeAlias

_Queue: TypeAlias = "SimpleQueue[tuple[Any, BaseException | None]]"


def prefetched(items: Iterator[Any], depth: int) -> Iterator[Any]:
    """Yield the items in order, while a thread makes up to `depth` of those that follow.

    The thread starts with the first item that is asked for.  It ends with the last one, with an
    exception, which is raised here in the item's place, or when this generator is closed, as a
    loop does that is left early: then it finishes the item at hand, and is awaited.
    """
    ready: _Queue = SimpleQueue()
    room, stopped = threading.Semaphore(depth), threading.Event()
    # A daemon: a program that ends with a pass half done does not wait for the rest of it.
    thread = threading.Thread(
        target=_make, args=(items, ready, room, stopped), name="tensorgrad-prefetch", daemon=True
    )
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield item
            del item  # the caller may have let go of it
    finally:
        error = None  # it knows this frame by its traceback
        stopped.set()
        room.release()
        # The garbage collector may close the generator in any thread.
        if thread is not threading.current_thread():
            thread.join()


def _make(
    items: Iterator[Any], ready: _Queue, room: threading.Semaphore, stopped: threading.Event
) -> None:
    """Make items as long as there is room for them, and somebody who wants them."""
    while True:
        room.acquire()
        if stopped.is_set():
            return
        try:
            ready.put((next(items), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
            ready.put((None, error))
            return
