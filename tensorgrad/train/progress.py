"""What a person sees while a model trains: a bar per epoch in a terminal, a line per epoch.

Floor: train.  Imports `format_number` of its neighbour and the standard library; tqdm, where it
is installed, draws the bar in notebooks.

`verbose` means the same everywhere: 0 silent; 1 a bar where someone watches (a terminal, a
notebook with tqdm) and a line per epoch; 2 the lines alone.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat, TextIO

from .history import format_number

_SECONDS_BETWEEN_DRAWINGS = 0.1
_BAR_WIDTH = 24


class Progress:
    """A progress bar for the steps of one epoch, which is gone when the epoch ends.

    Parameters
    ----------
    total
        The number of steps, or None where it is not known.
    description
        What stands before the bar, such as `epoch 3/10`.
    verbose
        1 draws the bar where `stream` is a terminal or a notebook; 0 and 2 draw nothing.
    stream
        Where to draw; by default `sys.stdout` as it is now, None under a program without one.
    clock
        A function that returns seconds.

    Examples
    --------
    >>> with Progress(total=3, description="epoch 1/2") as bar:  # draws in a terminal only
    ...     for loss in (0.9, 0.5, 0.4):
    ...         bar.update(loss)
    >>> bar.done
    3
    """

    def __init__(
        self,
        total: int | None,
        description: str = "",
        *,
        verbose: int = 1,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.description = description
        self.done = 0
        self._stream = sys.stdout if stream is None else stream
        self._clock = clock
        self._start = clock()
        self._next = self._start
        self._length = 0
        self._tqdm = _notebook_bar(total, description) if verbose == 1 and stream is None else None
        self._live = self._tqdm is not None or (verbose == 1 and _is_terminal(self._stream))
        self._marks = "█░" if _can_write(self._stream, "█░") else "#."

    def update(self, loss: SupportsFloat | None = None, steps: int = 1) -> None:
        """Count finished steps and redraw, at most ten times a second.

        Parameters
        ----------
        loss
            The latest loss; read only when the bar is drawn.
        steps
            How many steps were finished since the last call.
        """
        self.done += steps
        if not self._live:
            return
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN_DRAWINGS
        text = "" if loss is None else f"loss {format_number(float(loss))}"
        if self._tqdm is not None:
            self._tqdm.set_postfix_str(text, refresh=False)
            self._tqdm.update(self.done - self._tqdm.n)
            return
        line = self._line(now - self._start, text)[: shutil.get_terminal_size().columns - 1]
        write(f"\r{line:<{self._length}}", self._stream)
        self._length = len(line)

    def close(self) -> None:
        """Remove the bar, so that the next line stands in its place."""
        if self._tqdm is not None:
            self._tqdm.close()
        elif self._length:
            write(f"\r{'':<{self._length}}\r", self._stream)
        self._live, self._length = False, 0

    def __enter__(self) -> Progress:
        """Return the bar itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the bar, also when training was interrupted."""
        self.close()

    def _line(self, elapsed: float, loss: str) -> str:
        """Compose the bar: description, bar, count, loss, time left."""
        parts = [self.description]
        if self.total:
            filled = min(_BAR_WIDTH, _BAR_WIDTH * self.done // self.total)
            parts.append(self._marks[0] * filled + self._marks[1] * (_BAR_WIDTH - filled))
        width = len(str(self.total))
        parts.append(f"{self.done:>{width}}/{self.total}" if self.total else f"{self.done} steps")
        parts.append(loss)
        if self.total and self.done:
            left = max(0, round(elapsed / self.done * (self.total - self.done)))
            parts.append(f"ETA {left // 60}:{left % 60:02d}")
        return "  ".join(filter(None, parts))


def epoch_line(
    epoch: int, epochs: int, values: Mapping[str, float], seconds: float | None = None
) -> str:
    """Format the result of one epoch as a line without its end.

    Parameters
    ----------
    epoch
        The number of the epoch, from 1.
    epochs
        How many epochs there will be.
    values
        Losses and metrics by name, in the order of the line.
    seconds
        How long the epoch took.

    Returns
    -------
    str
        The line.

    Examples
    --------
    >>> epoch_line(3, 10, {"loss": 0.1234, "val_accuracy": 0.9612}, 1.2)
    'epoch  3/10  loss 0.1234  val_accuracy 0.9612  1.2 s'
    """
    parts = [f"epoch {epoch:>{len(str(epochs))}}/{epochs}"]
    parts += [f"{name} {format_number(value)}" for name, value in values.items()]
    if seconds is not None:
        parts.append(f"{seconds:.1f} s")
    return "  ".join(parts)


def write(text: str, stream: TextIO | None = None) -> None:
    """Write text and flush; a missing, closed or broken stream never stops a training run.

    Parameters
    ----------
    text
        What to write, line ends included; characters that the stream cannot encode are escaped.
    stream
        Where to write; by default `sys.stdout` as it is now.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # a program without a console has no sys.stdout
        return
    if not _can_write(stream, text):
        text = text.encode("ascii", "backslashreplace").decode()
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        return


def _is_terminal(stream: TextIO | None) -> bool:
    """Tell whether the stream is an open terminal."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def _can_write(stream: TextIO | None, text: str) -> bool:
    """Tell whether the stream's encoding, ASCII where it has none, holds this text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _notebook_bar(total: int | None, description: str) -> Any:
    """Return tqdm's notebook bar, or None outside a notebook or without tqdm."""
    if "ipykernel" not in sys.modules:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=total, desc=description, leave=False)
