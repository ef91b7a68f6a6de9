"""backward_steps: a backward pass a step at a time, each of which can be printed.

Floor: `debug`.  `Tensor.backward_steps` comes here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backprop
from .._typing import Array, ArrayLike
from ..arguments import checked_seed
from ..graph import Node
from ..op import conjugate
from ..tensor import Tensor, handle_of
from .audit import Audit
from .origin import origin_of


@dataclass(frozen=True, slots=True, eq=False)
class BackwardStep:
    """One operation of a backward pass, as `Tensor.backward_steps` yields it.

    `print(step)` shows it in a line: the result, the operation with its inputs, the gradient that
    arrived, and what each input is given.

    Attributes
    ----------
    op : str
        The name of the operation.
    output : Tensor
        Its result.
    inputs : tuple
        Its inputs: Tensors where they record, otherwise what the graph has kept, arrays or numbers,
        or None where it has kept nothing.  The data of an input that nobody holds any more are
        computed again, where that is possible, when they are read.
    gradient : ndarray
        The gradient of the result, summed over its uses; a copy, as are the following.
    gradients : tuple of ndarray or None
        What this operation adds to the gradient of each input; None for an input without one.
    line : str or None
        The "file:line" of the code that recorded it, which is known if anomalies were being
        detected there (`tensorgrad.detect_anomaly`).
    audit : tuple of str or None
        With `audit=True`, for each input "checked", or "not checked: " and why; None without.
    """

    op: str
    output: Tensor
    inputs: tuple[Any, ...]
    gradient: Array
    gradients: tuple[Array | None, ...]
    line: str | None
    audit: tuple[str | None, ...]

    def __str__(self) -> str:
        """Show the step in a line."""
        call = f"{self.op}({', '.join(_shown(x) for x in self.inputs)})"
        given = [
            f"{_label(x) or f'operand {position}'}: {_figures(g)}"
            for position, (x, g) in enumerate(zip(self.inputs, self.gradients, strict=True))
            if g is not None
        ]
        text = f"{_shown(self.output):<20} {call:<40} {_figures(self.gradient):>10} -> "
        return text + ", ".join(given) + (f"   {self.line}" if self.line else "")


def _label(x: Any) -> str:
    return x.label if isinstance(x, Tensor) else ""


def _shown(x: Any) -> str:
    """Show an operand: its label, and its number or its shape."""
    label = _label(x)
    try:
        value = x.data if isinstance(x, Tensor) else x
    except ValueError:  # nobody has it any more
        value = None
    text = "?" if value is None else _figures(value)
    return f"{label} = {text}" if label else text


def _figures(value: Any) -> str:
    """Show a number, or the shape of an array."""
    shape = np.shape(value)
    return str(shape) if shape else f"{value[()] if hasattr(value, 'dtype') else value:.4g}"


def backward_steps(
    tensor: Tensor, gradient: ArrayLike | None, audit: bool
) -> Iterator[BackwardStep]:
    """Check the arguments now, and return the steps of a pass; see `Tensor.backward_steps`."""
    node = tensor._graph()
    return _steps(node, checked_seed(node, gradient), type(tensor), Audit() if audit else None)


def _steps(
    root: Node, seed: Any, kind: type[Tensor], audit: Audit | None
) -> Iterator[BackwardStep]:
    """Yield the steps; after the last one, add the gradients of the leaves to their `grad`."""
    steps = backprop.walk(root, seed)
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            backprop.accumulate(stop.value, seed)
            return
        checks = audit.check(step.node, step.g) if audit else ()
        yield _public(step, kind, checks)


def _public(
    step: backprop.Step, kind: type[Tensor], checks: tuple[str | None, ...]
) -> BackwardStep:
    """Show a step as people see it: copies, and complex gradients in their convention."""
    node = step.node
    assert node.op is not None
    gradients: list[Array | None] = [None] * len(node.parents)
    for position, g in step.given:
        gradients[position] = _copied(g)
    origin = origin_of(node)
    return BackwardStep(
        op=node.op.name,
        output=handle_of(node, kind),
        inputs=tuple(
            handle_of(parent, kind) if parent is not None else value
            for parent, value in zip(node.parents, node.inputs, strict=True)
        ),
        gradient=_copied(step.g),
        gradients=tuple(gradients),
        line=origin.place if origin else None,
        audit=checks,
    )


def _copied(g: Any) -> Array:
    """Return a gradient that shares memory with nothing, as an array."""
    copied: Array = np.copy(conjugate(g))
    return copied
