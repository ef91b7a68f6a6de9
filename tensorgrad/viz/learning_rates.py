"""The picture of a sweep over learning rates.

Floor: viz.  Imports NumPy and the types; matplotlib inside the function that draws.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .._typing import ArrayLike
from .plots import COLOURS, check_path, finish

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_learning_rates(
    lrs: ArrayLike,
    losses: ArrayLike,
    smoothed: ArrayLike,
    suggestion: float,
    *,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw the loss over learning rates that rise: single losses pale, their average bold.

    Parameters
    ----------
    lrs
        The learning rates, of shape (n,), above 0.
    losses, smoothed
        The losses and their moving average, of shape (n,).
    suggestion
        The learning rate to mark.
    path
        Where to save the picture as well: `.png`, `.svg` or `.pdf`.

    Returns
    -------
    matplotlib.figure.Figure
        One axes.  It shows the average in full; single losses far above it are cut off.

    Raises
    ------
    ValueError
        If the suffix of `path` is not one of the three.

    Examples
    --------
    >>> figure = plot_learning_rates([1e-3, 1e-2, 1e-1], [2.0, 1.0, 3.0], [2.0, 1.5, 2.2], 1e-3)
    >>> figure.axes[0].get_xscale()
    'log'
    """
    check_path(path)
    from matplotlib.figure import Figure

    rates, average = np.asarray(lrs, dtype=float), np.asarray(smoothed, dtype=float)
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot(xlabel="learning rate", ylabel="loss", xscale="log")
    axes.grid(alpha=0.3)
    axes.plot(rates, losses, color=COLOURS[0], alpha=0.3, linewidth=0.8, label="by step")
    axes.plot(rates, average, color=COLOURS[0], linewidth=2.2, label="smoothed")
    axes.axvline(
        suggestion, color=COLOURS[1], linestyle="--", label=f"suggestion: {suggestion:.2g}"
    )
    low, high = min(average.min(), np.min(losses)), average.max()
    pad = 0.06 * (high - low) or 0.5
    axes.set_ylim(low - pad, high + pad)
    axes.legend(framealpha=0.8)
    return finish(figure, path)
