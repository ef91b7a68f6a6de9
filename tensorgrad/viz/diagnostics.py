"""Pictures of what a training does to a network: learning rate, gradients, updates, dead units.

Floor: viz.  Draws with matplotlib, which is imported inside; knows the attributes of a history and
nothing of the engine.  A new panel is a function that fills its axes, and a row of `_PANELS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import check_path, finish, plain_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_LEGEND = 24
_STYLES = ("-", "--", "-.", ":")
_USUAL_RATIO = 1e-3


def plot_diagnostics(history: Any, *, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw what the steps of a training did to the network: four panels over the steps.

    The learning rate.  The norm of all gradients together.  For each parameter how much a step
    changes it, `|after - before| / |before|`, with a line at 1e-3, about which most networks train
    well: curves far above it are about to diverge, curves far below it stand still.  For each relu
    the share of its units that gave 0 for every sample of a batch: they get no gradient, and those
    that stay there are dead.

    Parameters
    ----------
    history
        A `History` of `fit`, or anything with its attributes `learning_rates` and `diagnostics`.
    path
        Where to save the picture as well: `.png`, `.svg` or `.pdf`.

    Returns
    -------
    matplotlib.figure.Figure
        Its axes: learning rate, gradient norm, update ratios, dead units.

    Raises
    ------
    ValueError
        If the suffix of `path` is not one of the three.
    """
    check_path(path)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12.0, 6.8), layout="constrained")
    for place, (title, draw) in enumerate(_PANELS, start=1):
        axes = figure.add_subplot(2, 2, place, title=title, xlabel="step")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))
        axes.grid(alpha=0.3)
        draw(axes, history)
        if not axes.lines:
            where = axes.transAxes
            axes.text(0.5, 0.5, "nothing recorded", ha="center", va="center", transform=where)
    return finish(figure, path)


def _draw_learning_rate(axes: Axes, history: Any) -> None:
    """Draw the learning rate of every step."""
    rates = np.asarray(history.learning_rates, dtype=float)
    if np.isfinite(rates).any():
        axes.plot(rates, color=_shades(1)[0])
        axes.set_ylim(bottom=0)


def _draw_gradient_norm(axes: Axes, history: Any) -> None:
    """Draw the norm of the gradients on a logarithmic axis."""
    norms = np.array([seen.gradient_norm for seen in history.diagnostics], dtype=float)
    _draw_lines(axes, _steps(history), {"": norms})
    _log_axis(axes)


def _draw_update_ratios(axes: Axes, history: Any) -> None:
    """Draw the update of each parameter on a logarithmic axis, and where it usually is."""
    _draw_lines(axes, _steps(history), _by_name([d.update_ratios for d in history.diagnostics]))
    if axes.lines:
        axes.axhline(_USUAL_RATIO, color="black", linestyle=":", linewidth=1.2)
        place = (0.99, _USUAL_RATIO)
        axes.annotate(
            "usual", place, xytext=(0, 3), textcoords="offset points",
            xycoords=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize="small",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip
    _log_axis(axes)


def _draw_dead_units(axes: Axes, history: Any) -> None:
    """Draw the share of dead units of each relu in per cent."""
    shares = _by_name([seen.dead_units for seen in history.diagnostics])
    _draw_lines(axes, _steps(history), {name: 100 * share for name, share in shares.items()})
    axes.set_ylim(-3, 103)
    axes.set_ylabel("% of the units")


_PANELS: Sequence[tuple[str, Callable[[Axes, Any], None]]] = (
    ("learning rate", _draw_learning_rate),
    ("norm of the gradients", _draw_gradient_norm),
    ("update / weight, of each parameter", _draw_update_ratios),
    ("dead units, of each relu", _draw_dead_units),
)


def _steps(history: Any) -> Any:
    """Return the numbers of the steps that were looked at."""
    return np.array([seen.step for seen in history.diagnostics], dtype=float)


def _by_name(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return one array for each name, NaN where a row lacks it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def _draw_lines(axes: Axes, steps: Any, curves: dict[str, Any]) -> None:
    """Draw a curve for each name, from dark to light in the order of the layers."""
    curves = {name: curve for name, curve in curves.items() if np.isfinite(curve).any()}
    marker = "o" if len(steps) <= 30 else ""
    for i, (name, colour) in enumerate(zip(curves, _shades(len(curves)), strict=True)):
        # Dashed in turn, so that of curves on top of each other all are seen.
        style, curve = _STYLES[i % len(_STYLES)], curves[name]
        label = name if np.nanmax(curve) > 0 or not name else f"{name} (always 0)"
        axes.plot(steps, curve, style, marker=marker, markersize=3, color=colour, label=label)
    if any(curves) and len(curves) <= _MAX_LEGEND:
        # Beside the panel: inside, it would cover curves.
        axes.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
            fontsize="small", ncols=1 + (len(curves) > 14),
        )  # fmt: skip


def _shades(count: int) -> list[Any]:
    """Return one colour for each curve: viridis, whose order is seen with every colour vision."""
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0.0, 0.88, max(count, 1))))[:count]


def _log_axis(axes: Axes) -> None:
    """Make the vertical axis logarithmic, over a decade at least, if something is positive."""
    heights = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    shown = np.concatenate([h[np.isfinite(h) & (h > 0)] for h in heights] or [np.zeros(0)])
    if shown.size:
        axes.set_yscale("log", nonpositive="mask")
        middle = np.sqrt(shown.min() * shown.max())
        low, high = min(shown.min() / 1.5, middle / 3.3), max(shown.max() * 1.5, middle * 3.3)
        axes.set_ylim(low, high)
        plain_ticks(axes)
