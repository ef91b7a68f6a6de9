"""Convolution: sums of the input under a kernel that moves over it.

Floor: nn.  May import `ops`, `creation` and the floors below them.  All dimensions share one
function and one class; a layer for another number of them is a subclass of `_Convolution`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .._typing import ArrayLike, DTypeLike, SeedLike
from ..checks import as_count
from ..ops.convolution import convolution
from ..random import as_generator
from ..tensor import Tensor, apply, as_tensor
from ._windows import Sizes, sizes, window_over
from .layers import floating
from .module import Module


def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve sequences; for the parameters see `conv2d`, with one axis in place of two.

    Parameters
    ----------
    x
        Of shape (batch, channels, length) or (channels, length).
    weight
        Of shape (out, channels / groups, kernel).
    bias
        Of shape (out,), or None.
    stride, padding, dilation, groups
        As for `conv2d`.

    Returns
    -------
    Tensor
        Of shape (batch, out, count) or (out, count).

    Examples
    --------
    >>> conv1d([[1.0, 2.0, 4.0, 8.0]], [[[-1.0, 1.0]]]).tolist()
    [[1.0, 2.0, 4.0]]
    """
    return _convolve(x, weight, bias, stride, padding, dilation, groups, 1)


def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve images: at each place the sum of what is under the kernel, times its weights.

    `out[n, o, p] = bias[o] + sum(x[n, c, p stride + k dilation - padding] weight[o, c, k])`, over
    the channels c and the places k of the kernel, with `x` zero outside.  The kernel is not turned,
    as in all frameworks for networks: mathematics calls this a cross-correlation.

    Parameters
    ----------
    x
        Of shape (batch, channels, height, width), or without the batch; cast to the dtype of
        `weight`.
    weight
        Of shape (out, channels / groups, height, width).
    bias
        Of shape (out,), or None.
    stride
        How far the kernel moves: one number, or one for each axis.
    padding
        How many zeros are put on either side: one number, or one for each axis; "valid" for none;
        "same" for as many as make the result as large as the input, at a stride of 1.  If that is
        an odd number, the end gets one more.
    dilation
        The distance of the places under the kernel: one number, or one for each axis.
    groups
        Into how many parts the channels are split; each has its own part of the outputs.

    Returns
    -------
    Tensor
        Of shape (batch, out, count, count), with
        `count = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1` along each axis.
        In memory the batch is its last axis, which makes the next layer faster.

    Raises
    ------
    TypeError
        If a size is no integer.
    ValueError
        If the shapes do not fit, a size is too small, or the kernel larger than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), padding=1).tolist()
    [[[[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]]]
    """
    return _convolve(x, weight, bias, stride, padding, dilation, groups, 2)


def _convolve(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    ndim: int,
    layer: Module | None = None,
) -> Tensor:
    """Check and cast the input, then compute, in any number of dimensions."""
    name = layer._title() if layer else f"conv{ndim}d"
    weight = as_tensor(weight)
    if weight.ndim != ndim + 2 or not weight.size:
        raise ValueError(
            f"{name}: weight has shape {weight.shape}; expected (out, channels, {_axes(ndim)})"
        )
    outputs, inputs, *_ = weight.shape
    if bias is not None:
        bias = as_tensor(bias)
        if bias.shape != (outputs,):
            raise ValueError(f"{name}: bias has shape {bias.shape}; expected ({outputs},)")
    groups = _groups(groups, outputs)
    given = as_tensor(x)
    if given.ndim not in (ndim + 1, ndim + 2) or given.shape[-ndim - 1] != inputs * groups:
        raise ValueError(
            f"{name} got an input of shape {given.shape}; expected "
            f"(batch, {inputs * groups}, {_axes(ndim)}), or the same without the batch"
        )
    kernel, stride = weight.shape[2:], sizes(stride, ndim, "stride")
    dilation = sizes(dilation, ndim, "dilation")
    pads = _pads(padding, kernel, stride, dilation)
    window = window_over(given.shape, kernel, stride, pads, dilation, name)
    # A constant weight of integers must not round the input, nor a real one make it real.
    if given.dtype != weight.dtype and weight.dtype.kind == "f" and given.dtype.kind != "c":
        given = given.astype(weight.dtype)
    batch = given if given.ndim == ndim + 2 else given.reshape((1, *given.shape))
    out = apply(convolution, batch, weight, window=window, groups=groups)
    if bias is not None:
        out = out + bias.reshape((outputs, *(1,) * ndim))
    return out if batch is given else out.reshape(out.shape[1:])


def _axes(ndim: int) -> str:
    """Name the axes that the kernel moves over."""
    return ("length", "height, width")[ndim - 1]


def _groups(groups: int, *channels: int) -> int:
    """Return the number of groups, if it divides these numbers of channels."""
    found = as_count("groups", groups)
    if any(count % found for count in channels):
        raise ValueError(
            f"groups is {found}; expected a divisor of the number of channels, "
            f"{' and '.join(map(str, channels))}"
        )
    return found


def _pads(
    padding: Sizes | str,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[tuple[int, int]]:
    """Return how many zeros are before and after each axis."""
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(f"padding is 'same' and stride {stride}; expected a stride of 1")
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [(zeros // 2, zeros - zeros // 2) for zeros in total]
    if isinstance(padding, str):
        raise ValueError(f"padding is {padding!r}; expected numbers, 'same' or 'valid'")
    return [(zeros, zeros) for zeros in sizes(padding, len(kernel), "padding", least=0)]


class _Convolution(Module):
    """What the layers share: parameters under PyTorch's names, layouts and first values."""

    _ndim: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        self.in_channels = as_count("in_channels", in_channels)
        self.out_channels = as_count("out_channels", out_channels)
        self.kernel_size = sizes(kernel_size, self._ndim, "kernel_size")
        self.stride = sizes(stride, self._ndim, "stride")
        self.dilation = sizes(dilation, self._ndim, "dilation")
        self.padding = padding
        _pads(padding, self.kernel_size, self.stride, self.dilation)
        self.groups = _groups(groups, self.in_channels, self.out_channels)
        dtype, rng = floating(dtype), as_generator(rng)
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        bound = 1.0 / math.sqrt(math.prod(shape[1:]))
        self.weight = Tensor(rng.uniform(-bound, bound, shape), dtype=dtype, label="weight")
        self.bias: Tensor | None = None
        if bias:
            drawn = rng.uniform(-bound, bound, self.out_channels)
            self.bias = Tensor(drawn, dtype=dtype, label="bias")

    def forward(self, x: ArrayLike) -> Tensor:
        """Convolve a batch, or a single sample.

        Raises
        ------
        ValueError
            If the shape does not fit.
        """
        return _convolve(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups,
            self._ndim, self,
        )  # fmt: skip

    def multiply_adds(self, inputs: tuple[Any, ...], output: Any) -> int:  # noqa: ARG002
        """Count the weights of a window for each number of the result."""
        return int(output.size) * self.weight[0].size

    def extra_repr(self) -> str:
        """Return the channels and the kernel, and what is not the usual."""
        ones = (1,) * self._ndim
        usual = {"stride": ones, "padding": 0, "dilation": ones, "groups": 1}
        told = [
            f"{name}={getattr(self, name)!r}"
            for name, value in usual.items()
            if getattr(self, name) != value
        ]
        told += ["bias=False"] if self.bias is None else []
        kernel = f"kernel_size={self.kernel_size}"
        return ", ".join([str(self.in_channels), str(self.out_channels), kernel, *told])


class Conv1d(_Convolution):
    """`conv1d` with a weight and a bias of its own; for the parameters see `Conv2d`.

    Attributes
    ----------
    weight : Tensor
        Of shape (out_channels, in_channels / groups, kernel).
    bias : Tensor or None
        Of shape (out_channels,).

    Examples
    --------
    >>> import numpy as np
    >>> Conv1d(2, 4, 3, padding="same", rng=0)(np.ones((5, 2, 10))).shape
    (5, 4, 10)
    """

    _ndim = 1


class Conv2d(_Convolution):
    """`conv2d` with a weight and a bias of its own.

    At first they are uniform over ±1/sqrt(fan_in), with `fan_in` the number of weights of an
    output, as in PyTorch.

    Parameters
    ----------
    in_channels, out_channels
        The lengths of the channel axis of input and output.
    kernel_size
        One number, or one for each axis.
    stride, padding, dilation, groups
        As for `conv2d`.
    bias
        Whether to add one.
    dtype
        Of the parameters; None for the default dtype.  Input is cast to it.
    rng
        The generator that the initial values are drawn from.

    Attributes
    ----------
    weight : Tensor
        Of shape (out_channels, in_channels / groups, height, width).
    bias : Tensor or None
        Of shape (out_channels,).

    Raises
    ------
    TypeError, ValueError
        If a size is no integer or too small, `groups` does not divide the channels, or `dtype` is
        not floating.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv2d(3, 8, 5, stride=2, padding=2, rng=0)
    >>> layer(np.ones((4, 3, 28, 28))).shape
    (4, 8, 14, 14)
    >>> layer
    Conv2d(3, 8, kernel_size=(5, 5), stride=(2, 2), padding=2), 608 parameters
    """

    _ndim = 2
