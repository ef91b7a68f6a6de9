"""Text: an operand, an array's statistics, an index, as messages show them.

Floor: `debug`, below `anomaly` and `steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Node
from ..handle import _kept_value
from .origin import origin_of


def floating(value: Any) -> bool:
    """Tell whether a value may hold NaN: a float or a complex number, or an array of them."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, (float, complex)) if dtype is None else dtype.kind in "fc"


def first_index(bad: Any) -> tuple[int, ...]:
    """Return the index of the first True element."""
    if isinstance(bad, (np.ndarray, np.generic)):
        return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
    return next(index for index in np.ndindex(*bad.shape) if bad[index])  # another array type


def at(index: tuple[int, ...]) -> str:
    """Say where, unless there is only one place."""
    return f" at index {index}" if index else ""


def statistics(value: Any) -> str:
    """Describe an array: dtype, shape, the range and mean of its finite elements, what is not."""
    if not hasattr(value, "dtype"):
        return repr(value)
    text = f"{value.dtype} {value.shape}"
    if not isinstance(value, (np.ndarray, np.generic)):
        return text  # another array type
    flat = np.ravel(value)
    finite = flat[np.isfinite(flat)]
    if not value.shape:
        return f"{value.dtype} {flat[0]:.6g}"
    parts = []
    if finite.size:
        kind = "complex128" if value.dtype.kind == "c" else "float64"
        with np.errstate(all="ignore"):
            mean = finite.mean(dtype=kind)
        if value.dtype.kind == "c":
            finite, what = np.abs(finite), " |.|"
        else:
            what = ""
        low, high = finite.min(), finite.max()
        parts.append(f"min{what} {low:.6g}, max{what} {high:.6g}, mean {mean:.6g}")
    nans = int(np.isnan(flat).sum())
    infs = flat.size - finite.size - nans
    parts += [f"{nans} NaN"] * (nans > 0) + [f"{infs} inf"] * (infs > 0)
    return ", ".join([text, *parts])


def operand(node: Node, position: int) -> str:
    """Name an input of a node: its position, what it is, and its name."""
    parent = node.parents[position]
    if parent is None:
        return f"operand {position}, a constant"
    if parent.op is not None:
        label = f" {parent.label!r}" if parent.label else ""
        return f"operand {position}, the result{label} of {parent.op.name}"
    origin = origin_of(node)
    name = (origin.parameter(parent) if origin else "") or parent.label
    return f"operand {position}, the leaf" + (f" {name!r}" if name else "")


def known_inputs(node: Node) -> list[Any]:
    """Return the values of a node's inputs, None where nobody has them any more."""
    return [
        value if parent is None or value is not parent else _kept_value(parent)
        for parent, value in zip(node.parents, node.inputs, strict=True)
    ]


def operands(node: Node, inputs: Sequence[Any]) -> list[str]:
    """Describe each input of a node in a line."""
    return [
        f"{operand(node, position)}: {'not kept' if value is None else statistics(value)}"
        for position, value in enumerate(inputs)
    ]


def message(what: str, node: Node, lines: Sequence[str]) -> str:
    """Return the text of an error about a node: what happened, where, and the figures."""
    origin = origin_of(node)
    if origin is None:
        where = ["recorded outside detect_anomaly(), so that its line is not known"]
    else:
        where = str(origin).split("\n")
    return "\n  ".join([what, *where, *lines])
