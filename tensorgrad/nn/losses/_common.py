"""What all losses share: the checks before they compute, the reduction after, the module's frame.

Floor: nn.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..._typing import Array, ArrayLike
from ...checks import one_of
from ...handle import to_array
from ...tensor import Tensor, as_tensor
from ..module import Module

_REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str, *others: str) -> None:
    """Raise unless this is a reduction, or one of the others that the loss has."""
    one_of("reduction", reduction, *_REDUCTIONS, *others)


def floats(loss: str, name: str, value: ArrayLike) -> Tensor:
    """Return the model's output as a Tensor, if it holds floats."""
    tensor = as_tensor(value)
    if tensor.dtype.kind != "f":
        raise TypeError(
            f"{loss}: {name} has dtype {tensor.dtype}; expected floats. The model's output is the "
            "first argument"
        )
    return tensor


def aligned(
    loss: str, name: str, value: ArrayLike, target: ArrayLike, other: str = "target"
) -> tuple[Tensor, Tensor]:
    """Return output and target, if they have one shape; the target in the output's dtype."""
    output, target = floats(loss, name, value), as_tensor(target)
    if output.shape != target.shape:
        fix = "give one target per output"
        if output.size == target.size:
            fix = f"use {other}.reshape({output.shape}) or {name}.reshape({target.shape})"
        raise ValueError(
            f"{loss}: {name} has shape {output.shape} and {other} {target.shape}; "
            f"expected equal shapes, since nothing is broadcast: {fix}"
        )
    # A float64 target would widen the loss and all that follows.
    return output, target if target.dtype == output.dtype else target.astype(output.dtype)


def check_values(loss: str, name: str, values: Any, good: Any, expected: str) -> None:
    """Raise a ValueError that names the first bad value."""
    if not np.all(good):
        position, value = first(~np.asarray(good), values)
        raise ValueError(f"{loss}: {name}{position} is {value}; expected {expected}")


def check_weights(loss: str, name: str, values: Any) -> None:
    """Raise a ValueError that names the first bad weight."""
    check_values(loss, name, values, (values >= 0) & (values < math.inf), "a finite number >= 0")


def first(bad: Any, values: Any) -> tuple[str, Any]:
    """Return the first bad place, as text, and what stands there."""
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"[{', '.join(map(str, place))}]" if place else "", values[place]


def factor(loss: str, name: str, value: ArrayLike, output: Tensor) -> Tensor:
    """Return a weight in the output's dtype, if it has the output's shape or repeats along it.

    Unlike broadcasting it never enlarges the output: (n,) against (n, 1) is refused.
    """
    weight = as_tensor(value)
    try:
        fits = np.broadcast_shapes(weight.shape, output.shape) == output.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{loss}: {name} has shape {weight.shape}, which does not repeat along the output's "
            f"{output.shape}: give one number for each of its elements, or for each of its columns"
        )
    check_weights(loss, name, weight.data)
    return weight if weight.dtype == output.dtype else weight.astype(output.dtype)


def reduced(losses: Tensor, reduction: str, loss: str) -> Tensor:
    """Average or add the losses, or leave them."""
    if reduction == "none":
        return losses
    check_mean(reduction, losses.size, loss)
    return losses.sum() if reduction == "sum" else losses.mean()


def check_mean(reduction: str, count: int, loss: str) -> None:
    """Raise if the mean is over nothing."""
    if reduction == "mean" and not count:
        raise ValueError(
            f"{loss}: the mean over an empty batch is undefined: leave the batch out, or use "
            "reduction='sum'"
        )


def constant(name: str, value: ArrayLike | None) -> Array | None:
    """Return a copy of a weight that a loss module keeps: an array, and no parameter of a model."""
    return None if value is None else np.array(to_array(value, name))


class Loss(Module):
    """A loss with its options: the attributes, of which the first is the reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        check_reduction(reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the options; of arrays the shape."""
        shown = [
            f"{name}={value!r}" if np.ndim(value) == 0 else f"{name}: {np.shape(value)}"
            for name, value in vars(self).items()
            if value is not None and name != "training"
        ]
        return ", ".join(text for text in shown if text != "reduction='mean'")
