"""Threads: two halves of a computation at the same time.

Floor: compiler, lowest; imports the standard library alone.  NumPy's kernels and generated loops
let go of the interpreter, so one helper thread is all that two processors need.
"""

from __future__ import annotations

import contextvars
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

# Two threads win from 60 us of work on: handing over takes 5 us, waking up 20 us.  Adam as a loop
# over 7 arrays of 60 000, 118 000 and 250 000 elements takes 57, 113, 230 us in one thread, 51, 86,
# 156 us in two; np.tanh of 131 000 and 262 000 takes 51, 99 us and 52, 86 us.
ARITHMETIC = 600_000
"""Elements that a loop reads and writes, in all its arrays."""
TRANSCENDENTAL = 150_000
"""Elements of an array, for a function of NumPy that is slow."""


def both(function: Callable[..., Any], first: tuple[Any, ...], second: tuple[Any, ...]) -> None:
    """Call `function(*first)` here and `function(*second)` on the helper thread; await both.

    Where the helper is busy, slow to wake or cannot be started, this thread does it all.
    """
    helper = _helper  # a new one after a fork
    if sys.is_finalizing() or not helper.free.acquire(blocking=False):
        function(*first)
        function(*second)
        return
    task = _Task(function, second)
    try:
        try:
            helper.give(task)
            function(*first)
        except BaseException:
            # The helper must not write into arrays that the caller has back.
            if not task.claim():
                task.wait()
            raise
        if task.claim():
            function(*second)
        else:
            task.wait()
    finally:
        helper.free.release()
    if task.error is not None:
        raise task.error


class _Task:
    """A call that one thread, whichever claims it first, will make."""

    __slots__ = ("_call", "_finished", "_unclaimed", "error", "finished")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        # In the caller's context, which holds np.errstate.
        self._call = (contextvars.copy_context().run, function, arguments)
        self._unclaimed = threading.Lock()
        self._finished = threading.Lock()
        self._finished.acquire()
        self.finished = False
        self.error: BaseException | None = None

    def claim(self) -> bool:
        """Return True to the first that asks."""
        return self._unclaimed.acquire(blocking=False)

    def run(self) -> None:
        """Make the call, and keep what it raises."""
        run, function, arguments = self._call
        try:
            run(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            self.error = error
        self.finished = True
        self._finished.release()

    def wait(self) -> None:
        """Wait until the call is over; Ctrl-C is raised after that."""
        interrupt: BaseException | None = None
        # The flag is what counts: Ctrl-C may come when the lock has just been acquired.
        while not self.finished:
            try:
                self._finished.acquire()
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt


class _Helper:
    """A daemon thread, started when it is first needed."""

    def __init__(self) -> None:
        self.free = threading.Lock()
        self._tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def give(self, task: _Task) -> None:
        """Let the thread claim a task."""
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name="tensorgrad", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no threads here, or the interpreter shuts down
                return
            self._thread = thread
        self._tasks.put(task)

    def _serve(self) -> None:
        while True:
            task = self._tasks.get()
            if task.claim():
                task.run()
            del task  # keeps arrays alive


_helper = _Helper()


def _forget() -> None:
    """Start anew in a forked process, which has neither the thread nor who would release locks."""
    global _helper
    _helper = _Helper()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
