"""Gradients of NumPy's functions: what the backward pass costs, against NumPy's own forward.

One process, forward and backward in turn, the least time of each.  A function that returns a view
is charged the copy that an array of its own would cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tensorgrad as tg

from .driver import Settings, progress
from .table import Report, Table, number, verdict

TARGET = 4.0
MILLISECONDS = 1e3


@dataclass(frozen=True)
class Row:
    """A function of arrays of floats, all with as many elements, and of one of indices."""

    name: str
    function: Callable[..., Any]
    inputs: int = 1


def _rows(names: str, inputs: int = 1, **options: Any) -> list[Row]:
    """Make the rows of functions that take nothing but arrays, and of options common to all."""
    shown = "".join(f", {key}={value}" for key, value in options.items())
    return [Row(f"{name}{shown}", _without_index(name, options), inputs) for name in names.split()]


def _without_index(name: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a function of NumPy that is shown the arrays alone."""
    function = getattr(np, name)
    return lambda *arrays: function(*arrays[:-1], **options)


ELEMENTWISE = [
    *_rows("negative reciprocal square sqrt cbrt absolute sign floor rint exp exp2 expm1 log log2"),
    *_rows("log10 log1p sin cos tan arctan arcsinh sinh cosh tanh deg2rad sinc nan_to_num"),
    *_rows("add subtract multiply divide power float_power maximum minimum fmax fmin", 2),
    *_rows("remainder fmod hypot arctan2 logaddexp logaddexp2 copysign", 2),
    Row("clip", lambda x, _i: np.clip(x, 0.7, 1.3)),
    Row("where", lambda x, y, _i: np.where(x > y, x, y), 2),
    Row("interp", lambda x, _i: np.interp(x, [0.0, 1.0, 2.0], [1.0, 3.0, 2.0])),
]
SHAPES = [
    *_rows("reshape", shape=-1),
    *_rows("transpose ravel flip fliplr rot90 tril triu copy"),
    *_rows("roll", shift=1001),
    *_rows("repeat", repeats=2),
    *_rows("tile", reps=2),
    *_rows("pad", pad_width=3),
    *_rows("pad", pad_width=3, mode="reflect"),
    *_rows("delete", obj=5, axis=0),
    *_rows("insert", obj=5, values=1.0, axis=0),
    Row("broadcast_to", lambda x, _i: np.broadcast_to(x, (2, *x.shape))),
    Row("concatenate", lambda x, y, _i: np.concatenate([x, y]), 2),
    Row("stack", lambda x, y, _i: np.stack([x, y]), 2),
    Row("split and concatenate", lambda x, _i: np.concatenate(np.split(x, 10))),
]
INDEXING = [
    Row("x[10:-10, ::2]", lambda x, _i: x[10:-10, ::2]),
    Row("x[:, ::-1]", lambda x, _i: x[:, ::-1]),
    Row("x[x > 1]", lambda x, _i: x[x > 1]),
    Row("x[i], rows", lambda x, i: x[i % len(x)]),
    Row("x.ravel()[i]", lambda x, i: np.ravel(x)[np.resize(i, x.size)]),
    Row("take", lambda x, i: np.take(x, i % len(x), axis=0)),
    Row("take_along_axis", lambda x, i: np.take_along_axis(x, np.resize(i, x.shape) % len(x), 0)),
    Row("compress", lambda x, i: np.compress(i % 2, x, axis=0)),
    Row("diff", lambda x, _i: np.diff(x)),
    Row("gradient", lambda x, _i: np.gradient(x, axis=0)),
    Row("trapezoid", lambda x, _i: np.trapezoid(x)),
    Row("select", lambda x, y, _i: np.select([x > 1, y > 1], [x, y]), 2),
]
REDUCTIONS = [
    *_rows("sum mean prod max min ptp var std nansum nanmean nanmax nanvar median average"),
    *_rows("sum mean prod max min ptp var std nansum nanmean nanmax nanvar median", axis=0),
    *_rows("sum mean prod max min var std cumsum cumprod sort median", axis=1),
    *_rows("quantile", q=0.3),
    *_rows("cumsum cumprod", axis=0),
]
ROWS = {
    "elementwise": ELEMENTWISE,
    "shapes": SHAPES,
    "indexing": INDEXING,
    "reductions": REDUCTIONS,
}


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the table of this group, and what went wrong."""
    lines = []
    faults = []
    for kind in rows:
        progress(f"gradients: {kind}")
        for row in ROWS[kind]:
            try:
                lines.append(_line(kind, row, settings))
            except Exception as error:  # noqa: BLE001 - a fault of one row is shown with the others
                faults.append(f"gradients, {row.name}: {error}")
    heading = ("", "function", "NumPy", "backward", "ratio", "target", "")
    size = f"{settings.elements:,} float64"
    title = f"Gradients of NumPy's functions, {size} elements, milliseconds"
    return Report([Table("gradients", title, heading, lines, words=(0, 1, 6))], faults)


def _line(kind: str, row: Row, settings: Settings) -> tuple[str, ...]:
    """Time NumPy's forward and the backward pass in turn, and compare the least of each."""
    side = max(2, int(settings.elements**0.5))
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 1.5, (side, side)) for _ in range(row.inputs)]
    index = rng.integers(0, side, side)
    tensors = [tg.Tensor(array) for array in arrays]
    out = row.function(*tensors, index)
    seed = np.ones(out.shape)
    forward, backward = [], []
    for _ in range(settings.rounds):
        start = time.perf_counter()
        result = row.function(*arrays, index)
        if result.base is not None:
            result.copy()
        middle = time.perf_counter()
        tg.gradients(out, tensors, seed, allow_unused=True)
        backward.append(time.perf_counter() - middle)
        forward.append(middle - start)
    ratio = min(backward) / min(forward)
    figures = (number(min(forward) * MILLISECONDS), number(min(backward) * MILLISECONDS))
    return (kind, f"`{row.name}`", *figures, number(ratio), f"{TARGET:g}", verdict(ratio, TARGET))
