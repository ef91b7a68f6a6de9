"""Pooling: the largest element, or the mean, of each window that moves over an image.

Floor: nn.  May import `ops`, `creation` and the floors below them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..numpy_api import stack
from ..ops.pooling import max_pool
from ..ops.windows import Window, sum_windows
from ..tensor import Tensor, apply, as_tensor
from ._windows import Sizes, sizes, window_over
from .module import Module


def max_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    *,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the largest element of each window.

    Equal largest elements share the gradient, as they do in `max`; PyTorch gives all of it to the
    first.  NaN is the largest of all, and padding never is.

    Parameters
    ----------
    x
        Of floats, of shape (..., height, width).
    kernel_size
        The size of a window: one number, or one for each axis.
    stride
        How far it moves; None for its size.
    padding
        How many places around the image windows may reach over, at most half a window.
    dilation
        The distance of the places in a window.
    ceil_mode
        Whether a last window that reaches over the end counts.

    Returns
    -------
    Tensor
        Of shape (..., count, count).

    Raises
    ------
    TypeError
        If `x` holds no floats, or a size is no integer.
    ValueError
        If `x` has fewer than two axes, a window is larger than the padded image, the padding is
        more than half a window, or a size is too small.

    Examples
    --------
    >>> max_pool2d([[1.0, 2.0, 0.0, 1.0], [4.0, 3.0, 5.0, 1.0]], 2).tolist()
    [[4.0, 5.0]]
    """
    return _max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, "max_pool2d")


def avg_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode
        As for `max_pool2d`; padding is zeros.
    count_include_pad
        Whether these zeros count.

    Returns
    -------
    Tensor
        Of shape (..., count, count).

    Raises
    ------
    TypeError, ValueError
        As for `max_pool2d`.

    Examples
    --------
    >>> avg_pool2d([[1.0, 2.0, 0.0, 1.0], [4.0, 3.0, 5.0, 2.0]], 2).tolist()
    [[2.5, 2.0]]
    """
    return _avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, "avg_pool2d")


def adaptive_avg_pool2d(x: ArrayLike, output_size: Sizes) -> Tensor:
    """Return the means of windows that are chosen so that the result has a given size.

    Of `size` elements the mean number `i` of `count` takes those from `floor(i size / count)` to
    `ceil((i + 1) size / count)`, so that neighbours overlap where `count` does not divide `size`.

    Parameters
    ----------
    x
        Of floats, of shape (..., height, width).
    output_size
        One number, or one for each axis.

    Returns
    -------
    Tensor
        Of shape (..., *output_size).

    Raises
    ------
    TypeError
        If `x` holds no floats, or a size is no integer.
    ValueError
        If `x` has fewer than two axes or nothing to average, or a size is too small.

    Examples
    --------
    >>> adaptive_avg_pool2d([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]], (1, 2)).tolist()
    [[2.5, 3.5]]
    """
    return _adaptive(x, output_size, "adaptive_avg_pool2d")


def _max_pool(
    x: ArrayLike, kernel: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes,
    ceil_mode: bool, name: str,
) -> Tensor:  # fmt: skip
    """Check, then compute."""
    given = _images(x, name)
    window, _ = _window(given, kernel, stride, padding, dilation, ceil_mode, name)
    return apply(max_pool, given, window=window)


def _avg_pool(
    x: ArrayLike, kernel: Sizes, stride: Sizes | None, padding: Sizes, ceil_mode: bool,
    count_include_pad: bool, name: str,
) -> Tensor:  # fmt: skip
    """Check, then add up and divide."""
    given = _images(x, name)
    window, zeros = _window(given, kernel, stride, padding, 1, ceil_mode, name)
    zeros = zeros if count_include_pad else (0,) * len(zeros)
    rows, columns = (_counts(window, axis, zeros[axis]) for axis in range(2))
    counts = np.outer(rows, columns)
    sums = apply(sum_windows, given, window=window)
    if (counts == counts[0, 0]).all():
        return sums * (1.0 / int(counts[0, 0]))
    return sums * (1.0 / counts).astype(given.dtype)


def _adaptive(x: ArrayLike, output_size: Sizes, name: str) -> Tensor:
    """Check, then average along each axis in turn."""
    given = _images(x, name)
    wanted = sizes(output_size, 2, "output_size")
    if not math.prod(given.shape[-2:]):
        raise ValueError(
            f"{name} got an input of shape {given.shape}, which has nothing to average"
        )
    for axis, count in zip((-2, -1), wanted, strict=True):
        given = _averaged(given, axis % given.ndim, count)
    return given


def _averaged(x: Tensor, axis: int, count: int) -> Tensor:
    """Average windows along an axis, one for each of `count` results."""
    size = x.shape[axis]
    if size % count == 0:
        shape = (*x.shape[:axis], count, size // count, *x.shape[axis + 1 :])
        return x.reshape(shape).mean(axis + 1)
    before = (slice(None),) * axis
    edges = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    means = [x[(*before, slice(start, stop))].mean(axis) for start, stop in edges]
    return stack(means, axis)


def _images(x: ArrayLike, name: str) -> Tensor:
    """Return floats of at least two axes as a Tensor."""
    given = as_tensor(x)
    if given.dtype.kind != "f":
        raise TypeError(f"{name} got {given.dtype}; expected floats: use x.astype(float)")
    if given.ndim < 2:
        raise ValueError(
            f"{name} got an input of shape {given.shape}; expected (..., height, width)"
        )
    return given


def _window(
    x: Tensor, kernel: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes,
    ceil_mode: bool, name: str,
) -> tuple[Window, tuple[int, ...]]:  # fmt: skip
    """Return the windows over images, and the padding on either side."""
    kernel = sizes(kernel, 2, "kernel_size")
    stride = kernel if stride is None else sizes(stride, 2, "stride")
    zeros = sizes(padding, 2, "padding", least=0)
    dilation = sizes(dilation, 2, "dilation")
    pads = tuple((pad, pad) for pad in zeros)
    window = Window(x.shape[-2:], kernel, stride, pads, dilation)
    if any(2 * pad > extent for pad, extent in zip(zeros, window.extent, strict=True)):
        raise ValueError(
            f"{name}: padding is {zeros} and a window covers {window.extent}; expected at most "
            "half of it"
        )
    if ceil_mode:
        pads = tuple((pad, pad + more) for pad, more in zip(zeros, _overhang(window), strict=True))
    return window_over(x.shape, kernel, stride, pads, dilation, name), zeros


def _overhang(window: Window) -> Sequence[int]:
    """Return how far a last window reaches over the end, if it starts before that."""
    found = []
    for size, (pad, _), extent, stride, count in zip(
        window.size, window.padding, window.extent, window.stride, window.count, strict=True
    ):
        start = count * stride  # of one more window, in the padded image
        over = start + extent - (size + 2 * pad)
        found.append(over if over < stride and start < size + pad else 0)
    return found


def _counts(window: Window, axis: int, zeros: int) -> Any:
    """Count the elements of each window along an axis, up to `zeros` of the padding."""
    starts = np.arange(window.count[axis]) * window.stride[axis] - window.padding[axis][0]
    stops = np.minimum(starts + window.kernel[axis], window.size[axis] + zeros)
    return stops - np.maximum(starts, -zeros)


class MaxPool2d(Module):
    """`max_pool2d` as a layer.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, ceil_mode
        As for `max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool2d(2)(np.ones((4, 3, 28, 28))).shape
    (4, 3, 14, 14)
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = sizes(kernel_size, 2, "kernel_size")
        self.stride = self.kernel_size if stride is None else sizes(stride, 2, "stride")
        self.padding = sizes(padding, 2, "padding", least=0)
        self.dilation = sizes(dilation, 2, "dilation")
        self.ceil_mode = ceil_mode

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `max_pool2d`."""
        return _max_pool(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self._title(),
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the sizes, and what is not the usual."""
        ceil = ", ceil_mode=True" if self.ceil_mode else ""
        dilation = f", dilation={self.dilation}" if self.dilation != (1, 1) else ""
        return _told(self) + dilation + ceil


class AvgPool2d(Module):
    """`avg_pool2d` as a layer.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As for `avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool2d(3, stride=2, padding=1)(np.ones((4, 3, 28, 28))).shape
    (4, 3, 14, 14)
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = sizes(kernel_size, 2, "kernel_size")
        self.stride = self.kernel_size if stride is None else sizes(stride, 2, "stride")
        self.padding = sizes(padding, 2, "padding", least=0)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `avg_pool2d`."""
        return _avg_pool(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self._title(),
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the sizes, and what is not the usual."""
        ceil = ", ceil_mode=True" if self.ceil_mode else ""
        without = "" if self.count_include_pad else ", count_include_pad=False"
        return _told(self) + ceil + without


def _told(layer: MaxPool2d | AvgPool2d) -> str:
    """Return the size of a window, with stride and padding where they are not the usual."""
    parts = [f"kernel_size={layer.kernel_size}"]
    if layer.stride != layer.kernel_size:
        parts.append(f"stride={layer.stride}")
    if layer.padding != (0, 0):
        parts.append(f"padding={layer.padding}")
    return ", ".join(parts)


class AdaptiveAvgPool2d(Module):
    """`adaptive_avg_pool2d` as a layer.

    Parameters
    ----------
    output_size
        One number, or one for each axis.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool2d(1)(np.ones((4, 3, 7, 5))).shape
    (4, 3, 1, 1)
    """

    def __init__(self, output_size: Sizes) -> None:
        self.output_size = sizes(output_size, 2, "output_size")

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `adaptive_avg_pool2d`."""
        return _adaptive(x, self.output_size, self._title())

    def extra_repr(self) -> str:
        """Return the size of the result."""
        return f"output_size={self.output_size}"
