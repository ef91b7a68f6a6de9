"""Windows that move over the last axes of an array: what convolution and pooling are made of.

Floor: `ops`.  A `Window` says where the windows stand, in any number of dimensions.  What reads or
writes all windows walks over the positions in one, and takes from the whole array what stands there
in all of them: few and large pieces, where a walk over the windows would have many small ones.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .._typing import Shape
from ..op import zeros
from .pick import pair


@dataclass(frozen=True)
class Window:
    """Windows over axes of the lengths `size`: one number for each axis, for padding two.

    Along an axis the window number `o` covers the elements `o stride + k dilation - before` for
    `0 <= k < kernel`; those outside the array are padding.

    Examples
    --------
    >>> window = Window((5,), (3,), (2,), ((1, 0),), (1,))
    >>> window.count
    (2,)
    >>> window.positions[0]
    ((0,), (slice(1, 2, 2),), (slice(1, 2, None),))
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @functools.cached_property
    def extent(self) -> tuple[int, ...]:
        """How far a window reaches along each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @functools.cached_property
    def count(self) -> tuple[int, ...]:
        """How many windows there are along each axis; none or less if the array is too small."""
        return tuple(
            (size + sum(pads) - extent) // stride + 1
            for size, pads, extent, stride in zip(
                self.size, self.padding, self.extent, self.stride, strict=True
            )
        )

    @functools.cached_property
    def positions(self) -> tuple[tuple[Shape, tuple[slice, ...], tuple[slice, ...]], ...]:
        """Each position in a window, `k`, with the elements there, and which windows they are in.

        Only of elements of the array: a position that is padding in all windows is left out.
        """
        lines = [list(self._along(axis)) for axis in range(len(self.size))]
        return tuple(tuple(zip(*found, strict=True)) for found in itertools.product(*lines))

    def _along(self, axis: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield the same for one axis."""
        size, stride, before = self.size[axis], self.stride[axis], self.padding[axis][0]
        for k in range(self.kernel[axis]):
            shift = k * self.dilation[axis] - before
            first = max(0, -(shift // stride))
            stop = min(self.count[axis], (size - 1 - shift) // stride + 1)
            if first < stop:
                start = first * stride + shift
                last = (stop - 1) * stride + shift
                yield k, slice(start, last + 1, stride), slice(first, stop)

    def strip(self, start: int, stop: int) -> Window:
        """Return the windows from `start` to `stop` along the first axis: less or no padding."""
        stride, (before, _) = self.stride[0], self.padding[0]
        after = (stop - 1) * stride + self.extent[0] - before - self.size[0]
        padding = ((before - start * stride, after), *self.padding[1:])
        return Window(self.size, self.kernel, self.stride, padding, self.dilation)


# --- sums -----------------------------------------------------------------------------------------


def _sum_windows(x: Any, *, window: Window) -> Any:
    """Add up the elements of each window, of the last axes of `x`."""
    found = zeros((*x.shape[: -len(window.size)], *window.count), x.dtype, x)
    for _, where, place in window.positions:
        found[(..., *place)] += x[(..., *where)]
    return found


def _spread(g: Any, *, window: Window) -> Any:
    """Give each element the sum of `g` over the windows that it is in: the transpose."""
    x = zeros((*g.shape[: -len(window.size)], *window.size), g.dtype, g)
    for _, where, place in window.positions:
        x[(..., *where)] += g[(..., *place)]
    return x


sum_windows, spread = pair("sum over windows", _sum_windows, _spread)
