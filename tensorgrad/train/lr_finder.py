"""find_lr: a short training with a learning rate that rises, to see which rates are good.

Floor: train.  May import everything below.  The picture is drawn by `viz`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from .._typing import Array, SeedLike
from ..checks import as_count, as_fraction, as_number
from ..optim.optimizer import Optimizer
from ..quiet import quiet
from ..random import as_generator
from ..tensor import Tensor
from ..viz.learning_rates import plot_learning_rates
from .metrics import Loss, Model, as_batches, as_loss, mode, pairs
from .snapshot import put_back
from .step import check_optimizer, checked_loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class LRSweep:
    """What `find_lr` saw.

    Attributes
    ----------
    lrs : ndarray
        The learning rates, rising.
    losses : ndarray
        The loss of a batch before the step with each.
    smoothed : ndarray
        Their moving average.
    suggestion : float
        A tenth of the rate at which the smoothed loss is least.  The first tenth of the steps is
        passed over, in which the average is of too few losses.
    """

    lrs: Array
    losses: Array
    smoothed: Array
    suggestion: float

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the losses over the learning rates, and mark the suggestion.

        Parameters
        ----------
        path
            Where to save the picture as well: `.png`, `.svg` or `.pdf`.

        Returns
        -------
        matplotlib.figure.Figure
            Not shown and not known to pyplot; a notebook displays it when it ends a cell.
        """
        return plot_learning_rates(self.lrs, self.losses, self.smoothed, self.suggestion, path=path)


def find_lr(
    model: Model,
    data: Any,
    *,
    loss: Loss,
    optimizer: Optimizer,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
    batch_size: int = 64,
    smooth: float = 0.9,
    diverge: float = 4.0,
    rng: SeedLike = None,
) -> LRSweep:
    """Train for some steps with a learning rate that rises exponentially, and put all back.

    Smith, "Cyclical learning rates for training neural networks" (2017), section 3.3.  Where the
    loss does not fall yet, rates are too low; where it rises again, too high.  The suggestion is in
    between: a rate to start from, not the best one.

    Afterwards, also after an error or Ctrl-C, the parameters and their gradients, the attributes of
    all modules of the model and of the loss, the optimiser, the position in data that can tell it,
    and the generators among these, `rng` and the default one are as they were, to the bit.  Batches
    that an iterator has given are gone.

    Parameters
    ----------
    model, data, loss, optimizer
        As for `fit`.  Data that end before the steps do are passed again.
    start, end
        The first and the last learning rate, above 0.
    steps
        How many steps the ramp has.
    batch_size
        Samples per batch, where `data` is two arrays.
    smooth
        The weight of the past in the moving average of the loss, from 0 to below 1.
    diverge
        The sweep ends when the smoothed loss is above so many times its least, or not finite.
    rng
        The generator that shuffles.

    Returns
    -------
    LRSweep
        The rates up to where the sweep ended, the losses, a suggestion and a picture.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the loss is not finite from the start.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad import nn, optim
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> model = nn.Linear(1, 1, rng=0)
    >>> sweep = find_lr(model, (x, 3 * x + 1), loss=nn.mse_loss, rng=0,
    ...                 optimizer=optim.SGD(model.parameters(), lr=0.1))
    >>> 0.01 < sweep.suggestion < 1
    True
    """
    ramp = _ramp(start, end, as_count("steps", steps, 2))
    smooth = as_fraction("smooth", smooth)
    diverge = as_number("diverge", diverge, above=1, most=math.inf)
    check_optimizer(optimizer, model)
    loss, generator = as_loss(loss), as_generator(rng)
    batches = as_batches(data, batch_size, shuffle=True, rng=generator)
    lrs: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    total = norm = 0.0
    held = [model, loss, optimizer, optimizer.params, generator, *_position(batches)]
    # At the end of the ramp the network overflows, and that is what is looked for.
    with put_back(*held), mode(model, training=True), quiet():
        for lr, (x, y) in zip(ramp, _again_and_again(batches), strict=False):
            optimizer.lr = lr
            optimizer.zero_grad()
            value = checked_loss(loss(model(x), y))
            number = _number(value, first=not lrs)
            total, norm = smooth * total + (1 - smooth) * number, smooth * norm + (1 - smooth)
            average = total / norm
            if not math.isfinite(average) or _has_diverged(average, smoothed, diverge):
                break
            lrs.append(lr)
            losses.append(number)
            smoothed.append(average)
            value.backward()
            optimizer.step()
    found = np.array(lrs), np.array(losses), np.array(smoothed)
    return LRSweep(*found, suggestion=_suggestion(lrs, smoothed))


def _ramp(start: float, end: float, steps: int) -> list[float]:
    """Return the learning rates, each the same factor above the one before."""
    if not 0 < start < end < math.inf:
        raise ValueError(f"the rates go from {start} to {end}; expected 0 < start < end")
    return [start * (end / start) ** (i / (steps - 1)) for i in range(steps)]


def _again_and_again(batches: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the batches without end; of an iterator those that there are."""
    yield from pairs(batches)
    while not isinstance(batches, Iterator):
        yield from pairs(batches)


def _position(batches: Any) -> list[Any]:
    """Return what batches remember from pass to pass: generators, and where they are."""
    kept = [g for g in getattr(batches, "__dict__", {}).values() if isinstance(g, Generator)]
    return [*kept, batches] if hasattr(batches, "load_state_dict") else kept


def _number(loss: Tensor, *, first: bool) -> float:
    """Return the loss as a number, at first a finite one."""
    number = float(loss.detach())
    if first and not math.isfinite(number):
        raise ValueError(f"the loss is {number} before the first step: look at model and data")
    return number


def _has_diverged(average: float, before: list[float], diverge: float) -> bool:
    """Tell whether the loss is so many times its least, and above that of the start."""
    if not before:
        return False
    least = min(before)
    return average > before[0] and average - least > (diverge - 1) * abs(least)


def _suggestion(lrs: list[float], smoothed: list[float]) -> float:
    """Return a tenth of the rate at which the average is least, once it is one."""
    skipped = len(lrs) // 10
    return lrs[skipped + int(np.argmin(smoothed[skipped:]))] / 10
