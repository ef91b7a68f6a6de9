"""The arguments of convolution and pooling: sizes in one or more dimensions, checked.

Floor: nn.  May import `ops` and the floors below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from .._typing import Shape
from ..checks import as_count
from ..ops.windows import Window

Sizes: TypeAlias = int | Sequence[int]
"""One number for all dimensions, or one for each."""


def sizes(value: Sizes, ndim: int, name: str, least: int = 1) -> tuple[int, ...]:
    """Return a number for each dimension.

    Raises
    ------
    TypeError
        If what is given is no integer and no sequence of integers.
    ValueError
        If there are more or fewer numbers than dimensions, or one is less than `least`.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (as_count(name, value, least),) * ndim
    if len(value) != ndim:
        raise ValueError(f"{name} is {value!r}; expected one integer or {ndim}")
    return tuple(as_count(f"{name}[{i}]", n, least) for i, n in enumerate(value))


def window_over(
    shape: Shape,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: Sequence[tuple[int, int]],
    dilation: tuple[int, ...],
    layer: str,
) -> Window:
    """Return the windows over the last axes of an array of some shape.

    Raises
    ------
    ValueError
        If not one window fits, padding included.
    """
    window = Window(shape[-len(kernel) :], kernel, stride, tuple(padding), dilation)
    if min(window.count) < 1:
        padded = tuple(
            size + sum(pads) for size, pads in zip(window.size, window.padding, strict=True)
        )
        raise ValueError(
            f"{layer} got an input of shape {shape}, with padding {padded}; expected at least the "
            f"{window.extent} that the kernel covers: use a smaller kernel or more padding"
        )
    return window
