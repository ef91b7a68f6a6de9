"""Pictures of a training run and of what a model decides, by matplotlib.

Floor: viz.  Imports NumPy and the types; matplotlib inside the functions that draw, because it
takes three times as long to import as NumPy.  Nothing here knows Tensor or the engine: a history
is a mapping of names to lists, a model is a callable.  Figures are made without pyplot, so that no
display or backend is needed and nothing is shown or kept behind the caller's back.
"""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import Array, ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), "Color universal design": told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
_MARKERS = "osD^vPX"
_TRAINING, _VALIDATION = COLOURS[:2]
_SUFFIXES = (".png", ".svg", ".pdf")
_DPI = 150
_BATCH = 65_536
_MAX_POINTS = 2_000
_MAX_COLUMNS = 3


def plot_history(
    history: Mapping[str, Sequence[float]],
    *,
    path: str | os.PathLike[str] | None = None,
    log_y: bool = False,
    smooth: float | None = None,
) -> Figure:
    r"""Draw the loss of a training run, and beside it every metric.

    The training loss is drawn for every step, pale, and smoothed, bold; validation is dashed,
    with a point at the end of each epoch.  A metric and its validation share a panel.  Steps whose
    loss is NaN or infinite are crosses at the foot of the panel; epochs without a value are
    passed over.

    Parameters
    ----------
    history
        A `History`, or any mapping of names to one number per epoch, in which `val_loss` belongs
        to `loss`.  The losses of single steps are read from its attributes `steps` and
        `epoch_ends`, where it has them.
    path
        Where to save the picture as well: `.png`, `.svg` or `.pdf`.
    log_y
        Draw the loss on a logarithmic axis, on which values that are not positive are gaps.
    smooth
        The weight :math:`d` of the past in the smoothed loss, from 0 (no smoothing) to below 1:
        :math:`m_t = d\, m_{t-1} + (1 - d)\, l_t`, divided by :math:`1 - d^t` so that it starts at
        the first loss.  By default one that averages over about a 50th of the run,
        and no smoothing up to 30 steps.

    Returns
    -------
    matplotlib.figure.Figure
        The loss is its first axes, then one for each metric.

    Raises
    ------
    ValueError
        When `smooth` lies outside [0, 1), the suffix of `path` is not one of the three, or
        `log_y` is asked for and no loss is positive.

    Examples
    --------
    >>> figure = plot_history({"loss": [0.9, 0.4], "val_loss": [0.8, 0.5], "accuracy": [0.6, 0.9]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'accuracy']
    """
    if smooth is not None and not 0 <= smooth < 1:
        raise ValueError(f"smooth must lie in [0, 1), where 0 does not smooth, not {smooth}")
    check_path(path)
    steps = np.asarray(getattr(history, "steps", ()), dtype=float)
    ends = list(getattr(history, "epoch_ends", ()))
    losses = [*steps, *history.get("loss", ()), *history.get("val_loss", ())]
    log_y = log_y and _has_positive(losses)
    names = dict.fromkeys(name.removeprefix("val_") for name in history)
    panels = ["loss", *(name for name in names if name != "loss")]
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(len(panels), _MAX_COLUMNS)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(max(6.4, 4.4 * columns), 3.8 * rows), layout="constrained")
    for place, name in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.set_ylabel(_wrapped(name), parse_math=False)
        axes.set_xlabel(_x_label(ends, len(steps)))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))
        axes.grid(alpha=0.3)
        if name == "loss" and len(steps):
            _draw_steps(axes, _step_places(ends, len(steps)), steps, smooth)
        else:
            _draw_epochs(axes, history.get(name, ()), "training")
        _draw_epochs(axes, history.get(f"val_{name}", ()), "validation")
        _frame(axes, 0.0 if len(steps) else 1.0)
    if log_y:
        figure.axes[0].set_yscale("log", nonpositive="mask")
        plain_ticks(figure.axes[0])
    return finish(figure, path)


def plot_decision_boundary(
    model: Callable[[Any], Any],
    x: ArrayLike,
    y: ArrayLike,
    *,
    path: str | os.PathLike[str] | None = None,
    resolution: int = 200,
    margin: float = 0.1,
    threshold: float = 0.0,
) -> Figure:
    """Draw which class a model of two features chooses where, and the samples over it.

    Put a model that drops out or normalises batches into evaluation mode first.  Of more than
    2,000 samples every k-th of each class is drawn, in the order given, and k is the same for all
    classes; the extent comes from all.

    Parameters
    ----------
    model
        Takes a floating array (n, 2) and returns an array or tensor.  Floating (n,) or (n, 1):
        one score per point, the second class above `threshold`; scores that are all 0 or 1 are
        parted at 0.5.  Floating (n, classes): the class with the greatest score.  Integers or
        booleans (n,) or (n, 1): the labels themselves.  Where a score is NaN the picture is white.
    x
        Samples, shape (n, 2).
    y
        Labels, shape (n,) or (n, 1): two different values for a model with one score, such as -1
        and 1 or 0 and 1; integers 0 to classes - 1 for a model with a score per class.
    path
        Where to save the picture as well: `.png`, `.svg` or `.pdf`.
    resolution
        The number of points in each direction at which the model is asked, at least 2.
    margin
        The space around the samples, as a fraction of their extent.
    threshold
        The score between the two classes: 0.5 for a model that returns a probability.

    Returns
    -------
    matplotlib.figure.Figure
        One axes: an image of the class indices, the boundary, and a scatter per class.

    Raises
    ------
    ValueError
        When the shapes, the labels or the model's result do not fit together.

    Examples
    --------
    >>> x = [[0.0, 0.0], [1.0, 1.0], [2.0, 0.5]]
    >>> figure = plot_decision_boundary(lambda p: p[:, 0] - 0.5, x, [-1, 1, 1])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['-1', '1']
    """
    samples, targets = _check_samples(x, y)
    if resolution < 2:
        raise ValueError(f"resolution must be at least 2 points each way, not {resolution}")
    if margin < 0:
        raise ValueError(f"margin must not be negative, not {margin}")
    check_path(path)
    first, second = (
        _interval(samples[:, axis], margin, resolution) for axis in range(samples.shape[1])
    )
    grid = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    out = _evaluate(model, grid)
    labels, scores = _scores(out, targets, threshold)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.add_subplot(xlabel="x[:, 0]", ylabel="x[:, 1]")
    shape = (resolution, resolution)
    colours = _class_colours(len(labels))
    _draw_regions(axes, first, second, scores.reshape(*shape, len(labels)), colours)
    _draw_samples(axes, samples, targets, labels, colours)
    axes.set_xlim(float(first[0]), float(first[-1]))
    axes.set_ylim(float(second[0]), float(second[-1]))
    # Beside the picture: inside, it would cover samples in one corner or another.
    figure.legend(title="class", loc="outside right upper", frameon=False)
    return finish(figure, path)


def check_path(path: str | os.PathLike[str] | None) -> None:
    """Raise before any work when the picture's format is not known."""
    if path is not None and Path(path).suffix.lower() not in _SUFFIXES:
        raise ValueError(f"a picture is saved as {', '.join(_SUFFIXES)}, not as {str(path)!r}")


def finish(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Save the figure where asked, and let a notebook display it."""
    if path is not None:
        figure.savefig(path, dpi=_DPI)
    # A notebook knows how to show a bare Figure only after pyplot was imported; this it asks for.
    vars(figure)["_repr_png_"] = partial(_png, figure)
    return figure


def plain_ticks(axes: Axes) -> None:
    """Write 0.2, 0.5, 1, 2 on a logarithmic axis of under two decades, where powers are too few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_ylim()
    if high < 100 * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))


def _png(figure: Figure) -> bytes:
    """Return the figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _wrapped(name: str) -> str:
    """Break a long name, at underscores too, into at most two lines: the height of a panel."""
    width = 32
    lines = [line.replace("_ ", "_") for line in textwrap.wrap(name.replace("_", "_ "), width)]
    if len(lines) > 2:
        lines[1] = lines[1][: width - 1] + "…"
    return "\n".join(lines[:2])


def _x_label(ends: Sequence[int], steps: int) -> str:
    """Name the horizontal axis and its unit."""
    if steps and not ends:
        return "step"
    sizes = {int(size) for size in np.diff(ends, prepend=0)}
    if steps and len(sizes) == 1:
        size = sizes.pop()
        return f"epoch ({size:,} step{'s' if size > 1 else ''} each)"
    return "epoch"


def _step_places(ends: Sequence[int], steps: int) -> Array:
    """Place every step on the axis of epochs: the last step of epoch k at k.

    An unfinished epoch is taken to be as long as the one before.  Without epochs the steps
    themselves are the axis.
    """
    if not ends:
        return np.arange(1.0, steps + 1)
    knots = [0, *ends]
    places = [float(place) for place in range(len(knots))]
    if steps > knots[-1]:
        places.append(places[-1] + (steps - knots[-1]) / (knots[-1] - knots[-2] or steps))
        knots.append(steps)
    return np.interp(np.arange(1, steps + 1), knots, places)


def _draw_steps(axes: Axes, places: Array, losses: Array, smooth: float | None) -> None:
    """Draw the loss of every step, its moving average, and crosses where it is not finite."""
    finite = np.isfinite(losses)
    losses = np.where(finite, losses, np.nan)
    if smooth is None:
        smooth = 1 - 1 / max(5, len(losses) / 50) if len(losses) > 30 else 0
    marker = "o" if len(losses) <= 30 else ""
    if smooth == 0:
        line = _outline(places, losses)
        axes.plot(*line, marker=marker, markersize=4, color=_TRAINING, label="training")
    else:
        raw = _outline(places, losses)
        axes.plot(
            *raw,
            color=_TRAINING,
            alpha=0.3,
            linewidth=0.8,
            label="training, by step",
        )
        average = _outline(places, _moving_average(losses, smooth))
        axes.plot(*average, color=_TRAINING, linewidth=2.2, label="training, smoothed")
    if not finite.all():
        lost = places[~finite]
        lost = lost[:: -(-len(lost) // 40)]
        axes.plot(
            lost,
            np.full(len(lost), 0.02),
            "x",
            color="black",
            transform=axes.get_xaxis_transform(),
            label="NaN or infinite",
        )


def _moving_average(values: Array, weight: float) -> Array:
    """Average exponentially, bias-corrected, passing over NaN (which stays in the result)."""
    result = np.full(len(values), np.nan)
    total = norm = 0.0
    for place, value in enumerate(values.tolist()):
        if not math.isnan(value):
            total = weight * total + (1 - weight) * value
            norm = weight * norm + (1 - weight)
            result[place] = total / norm
    return result


def _outline(x: Array, y: Array, buckets: int = 2_000) -> tuple[Array, Array]:
    """Thin a dense curve to the least and the greatest value of each run of points.

    A million points take seconds to draw and megabytes to save, and look the same.
    """
    if len(y) <= 2 * buckets:
        return x, y
    starts = np.linspace(0, len(y), buckets, endpoint=False).astype(int)
    extremes = (np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts))
    return np.repeat(x[starts], 2), np.stack(extremes, axis=1).ravel()


def _draw_epochs(axes: Axes, values: Sequence[float], kind: str) -> None:
    """Draw one value per epoch as a line with points, passing over epochs without one."""
    heights = np.asarray(values, dtype=float)
    finite = np.isfinite(heights)
    if not finite.any():
        return
    validation = kind == "validation"
    axes.plot(
        np.arange(1, len(heights) + 1)[finite],
        heights[finite],
        linestyle="--" if validation else "-",
        marker="o" if len(heights) <= 60 else "",
        markersize=4 if validation else 6,  # both seen where they coincide
        linewidth=1.8,
        color=_VALIDATION if validation else _TRAINING,
        label=kind,
    )


def _frame(axes: Axes, left: float) -> None:
    """Give the panel its horizontal extent and its legend, or say that it is empty."""
    if not axes.lines:
        axes.text(0.5, 0.5, "nothing recorded", ha="center", va="center", transform=axes.transAxes)
        return
    right = max(float(np.asarray(line.get_xdata(), dtype=float).max()) for line in axes.lines)
    pad = 0.03 * (right - left) or 0.5
    axes.set_xlim(left - pad, right + pad)
    # Above the panel: inside, it would cover one curve or another.
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False,
        fontsize="small", columnspacing=1.2, handlelength=1.6, borderaxespad=0.2,
    )  # fmt: skip


def _has_positive(losses: Sequence[float]) -> bool:
    """Tell whether a logarithmic axis can show a loss; raise when all that is finite is not."""
    values = np.asarray(losses, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) and not (values > 0).any():
        raise ValueError("log_y needs positive losses, and none is: leave log_y=False")
    return len(values) > 0


def _check_samples(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return samples (n, 2), floating, and labels (n,), or raise with the fix."""
    samples, targets = _as_array(x), _as_array(y)
    if samples.ndim != 2 or samples.shape[1] != 2:
        raise ValueError(
            f"x must have shape (n, 2), two features per sample, not {samples.shape}: "
            "choose two columns, and let the model fill in the others"
        )
    if targets.shape == (len(samples), 1):
        targets = targets[:, 0]
    if targets.shape != (len(samples),):
        raise ValueError(
            f"y must have shape ({len(samples)},), one label per sample of x, "
            f"not {targets.shape}: one-hot rows become labels by y.argmax(axis=1)"
        )
    if not len(samples):
        raise ValueError("x holds no sample: give at least one")
    if samples.dtype.kind != "f":
        samples = samples.astype(float)
    if not np.isfinite(samples).all():
        raise ValueError("x contains NaN or infinity: drop those samples, in x and in y")
    return samples, targets


def _as_array(value: Any) -> Array:
    """Return the array that a tensor holds in `.data`, or what NumPy makes of the value."""
    # The `.data` of an ndarray is a memoryview without a dtype, hence the order.
    if not isinstance(value, np.ndarray) and isinstance(
        data := getattr(value, "data", None), (np.ndarray, np.generic)
    ):
        value = data
    return np.asarray(value)


def _interval(values: Array, margin: float, count: int) -> Array:
    """Return evenly spaced places over the values and a margin, in the values' dtype."""
    low, high = float(values.min()), float(values.max())
    pad = margin * (high - low) if high > low else 1.0
    return np.linspace(low - pad, high + pad, count, dtype=values.dtype)


def _evaluate(model: Callable[[Any], Any], grid: Array) -> Array:
    """Ask the model about every point, in batches that bound the memory it takes."""
    parts = []
    for start in range(0, len(grid), _BATCH):
        batch = grid[start : start + _BATCH]
        part = _as_array(model(batch))
        if part.shape == (len(batch), 1):
            part = part[:, 0]
        if part.ndim not in (1, 2) or len(part) != len(batch):
            raise ValueError(
                f"the model must return one score, or one row of scores, for each of the "
                f"{len(batch)} points it is given: shape (n,), (n, 1) or (n, classes), "
                f"not {part.shape}"
            )
        parts.append(part)
    return np.concatenate(parts)


def _scores(out: Array, targets: Array, threshold: float) -> tuple[Array, Array]:
    """Return the labels, in order, and a score for each at every point, (points, labels)."""
    if out.ndim == 1 and out.dtype.kind in "biu":
        labels = np.unique(np.concatenate([out, targets]))
        return labels, (out[:, None] == labels).astype(float)
    if out.ndim == 1:
        labels = _two_labels(targets)
        if np.isin(out, (0.0, 1.0)).all():  # classes 0 and 1, which a line at 0 does not part
            threshold = 0.5
        return labels, np.stack([threshold - out, out - threshold], axis=1)
    labels = np.arange(out.shape[1])
    strange = np.setdiff1d(targets, labels)
    if len(strange):
        raise ValueError(
            f"the model gives scores for the labels 0 to {len(labels) - 1}, and y also holds "
            f"{strange[:5].tolist()}: number the labels from 0"
        )
    return labels, out


def _two_labels(targets: Array) -> Array:
    """Return the label below the boundary and the label above it."""
    labels = np.unique(targets)
    if len(labels) == 1 and labels[0] in (-1, 0, 1):
        labels = np.array([min(labels[0], 0), 1])
    if len(labels) != 2:
        raise ValueError(
            f"the model gives one score per point, which tells two labels apart, and y holds "
            f"{len(labels)}: let it return (n, classes) scores, or give two labels, such as 0 and 1"
        )
    return labels


def _class_colours(count: int) -> list[Any]:
    """Return one colour per class; more than seven are taken from a colour map."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    from matplotlib import colormaps

    return list(colormaps["turbo"](np.linspace(0.05, 0.95, count)))


def _draw_regions(
    axes: Axes, first: Array, second: Array, scores: Array, colours: Sequence[Any]
) -> None:
    """Fill the region of each class, pale, and draw the lines between them."""
    from matplotlib.colors import ListedColormap

    known = ~np.isnan(scores).any(axis=-1)
    winners = np.ma.masked_where(~known, scores.argmax(axis=-1))
    half = [(line[1] - line[0]) / 2 for line in (first, second)]
    axes.imshow(
        winners,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        alpha=0.3,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        # Each pixel is centred on the point at which the model was asked.
        extent=(first[0] - half[0], first[-1] + half[0], second[0] - half[1], second[-1] + half[1]),
    )
    for winner in range(1 if len(colours) == 2 else 0, len(colours)):
        others = np.delete(scores, winner, axis=-1).max(axis=-1)
        with np.errstate(invalid="ignore"):  # infinity less infinity: no line there
            lead = scores[..., winner] - others
        finite = lead[np.isfinite(lead)]
        if len(finite) and finite.min() < 0 < finite.max():
            axes.contour(first, second, lead, levels=[0.0], colors="black", linewidths=1.0)


def _draw_samples(
    axes: Axes, samples: Array, targets: Array, labels: Array, colours: Sequence[Any]
) -> None:
    """Scatter the samples by class, thinned evenly."""
    stride = -(-len(samples) // _MAX_POINTS)
    for place, (label, colour) in enumerate(zip(labels, colours, strict=True)):
        # Thinned within each class: where labels alternate, the stride would skip a class.
        chosen = samples[targets == label][::stride]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=24,
            color=colour,
            marker=_MARKERS[place % len(_MARKERS)],
            edgecolors="black",
            linewidths=0.4,
            label=str(label),
        )
