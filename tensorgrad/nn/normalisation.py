"""Normalisation: batch, layer, group and RMS norm, as functions and as layers.

Floor: nn.  May import `layers` and `module`.  A new one says to `ops.standardise` which axes have a
mean and which a weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .._typing import ArrayLike, DTypeLike, Shape
from ..checks import as_count
from ..creation import get_default_dtype
from ..op import Op
from ..ops import standardise as ops
from ..tensor import Tensor, apply, as_tensor
from .layers import floating
from .module import Module

# --- functions ------------------------------------------------------------------------------------


def batch_norm(
    x: ArrayLike,
    running_mean: Any,
    running_var: Any,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: ArrayLike = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return `(x - mean) / sqrt(var + eps) * weight + bias`, with mean and variance per channel.

    In training those of the batch, otherwise the running ones.  Ioffe and Szegedy, "Batch
    normalization: accelerating deep network training by reducing internal covariate shift" (2015).

    Parameters
    ----------
    x
        Of floats, of shape (batch, channels, ...).
    running_mean, running_var
        Arrays of shape (channels,), or None for no running statistics.  In training they are moved
        towards the batch's mean and unbiased variance, in place and outside the graph.
    weight, bias
        Of shape (channels,), or None.
    training
        Whether to take the statistics of the batch.
    momentum
        How far running statistics move: `(1 - momentum) * running + momentum * batch`.
    eps
        What keeps the root from 0.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold floats.
    ValueError
        If the shapes do not fit; in training, if there are fewer than two values per channel;
        otherwise, if there are no running statistics.

    Examples
    --------
    >>> batch_norm([[1.0, 4.0], [3.0, 8.0]], None, None, training=True, eps=0.0).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """
    given = _floats(x, "batch_norm")
    if given.ndim < 2:
        raise ValueError(f"batch_norm got an input of shape {given.shape}; expected (batch, ...)")
    channels = given.shape[1]
    for array, name in zip(
        (running_mean, running_var, weight, bias),
        ("running_mean", "running_var", "weight", "bias"),
        strict=True,
    ):
        _check_shape(array, name, (channels,))
    if (running_mean is None) != (running_var is None):
        raise ValueError("give running_mean and running_var, or neither")
    if not training:
        return _by_running(given, running_mean, running_var, weight, bias, eps)
    count = given.size // max(1, channels)
    if count < 2:
        raise ValueError(
            f"batch_norm in training got an input of shape {given.shape}: the variance of fewer "
            "than two values per channel is unknown: give a larger batch, or call eval() first"
        )
    moments: list[Any] = []
    # Without axes behind the channels there is none: einsum has no fast loop along a length of 1.
    rest = given.shape[2:]
    view = (*given.shape[:2], math.prod(rest)) if rest else given.shape
    axes = "ncs" if rest else "nc"
    out = _standardised(given, weight, bias, view, axes, "c", "c", eps=eps, moments=moments)
    if running_mean is not None:
        _, mean, rounded_off, var = moments
        unbiased = var * (count / (count - 1))
        running_mean[...] = (1.0 - momentum) * running_mean + momentum * (mean + rounded_off)
        running_var[...] = (1.0 - momentum) * running_var + momentum * unbiased
    return out


def _by_running(x: Tensor, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Tensor:
    """Normalise by running statistics, which are constants."""
    if mean is None:
        raise ValueError("batch_norm has no running statistics: give training=True")
    shape = (-1, *(1,) * (x.ndim - 2))
    wide = np.promote_types(x.dtype, np.float32)  # as in training, where float16 adds up in it
    scale = (1.0 / np.sqrt(var + eps)).astype(wide)
    if weight is not None:
        scale = scale * weight
    out: Tensor = (x - mean.astype(wide).reshape(shape)) * scale.reshape(shape)
    if bias is not None:
        out = out + as_tensor(bias).reshape(shape)
    return out if out.dtype == x.dtype else out.astype(x.dtype)


def layer_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return `(x - mean) / sqrt(var + eps) * weight + bias`, over the last axes.

    Ba, Kiros and Hinton, "Layer normalization" (2016).

    Parameters
    ----------
    x
        Of floats, of shape (..., *normalized_shape).
    normalized_shape
        The lengths of the last axes, over which mean and variance are taken.
    weight, bias
        Of shape `normalized_shape`, or None.
    eps
        What keeps the root from 0.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold floats.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> layer_norm([[1.0, 3.0], [4.0, 8.0]], 2, eps=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    given, shape = _rows("layer_norm", x, normalized_shape, weight, bias)
    view = (math.prod(given.shape[: given.ndim - len(shape)]), math.prod(shape))
    return _standardised(given, weight, bias, view, "rn", "r", "n", eps=eps, moments=[])


def group_norm(
    x: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return `(x - mean) / sqrt(var + eps) * weight + bias`, over groups of channels.

    Wu and He, "Group normalization" (2018).

    Parameters
    ----------
    x
        Of floats, of shape (batch, channels, ...).
    num_groups
        The number of groups, which divides that of the channels.
    weight, bias
        Of shape (channels,), or None.
    eps
        What keeps the root from 0.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold floats.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> group_norm([[1.0, 3.0, 4.0, 8.0]], 2, eps=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    given, groups = _floats(x, "group_norm"), as_count("num_groups", num_groups)
    if given.ndim < 2 or given.shape[1] % groups:
        raise ValueError(
            f"group_norm got an input of shape {given.shape}; expected (batch, channels, ...) with "
            f"a number of channels that {groups} divides"
        )
    batch, channels, *rest = given.shape
    _check_shape(weight, "weight", (channels,))
    _check_shape(bias, "bias", (channels,))
    view = (batch, groups, channels // groups, math.prod(rest))
    return _standardised(given, weight, bias, view, "ngcs", "ng", "gc", eps=eps, moments=[])


def rms_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    eps: float | None = None,
) -> Tensor:
    """Return `x / sqrt(mean(x**2) + eps) * weight`, over the last axes.

    Zhang and Sennrich, "Root mean square layer normalization" (2019).

    Parameters
    ----------
    x
        Of floats, of shape (..., *normalized_shape).
    normalized_shape
        The lengths of the last axes, over which the mean is taken.
    weight
        Of shape `normalized_shape`, or None.
    eps
        What keeps the root from 0; None for the distance of 1 to the next number of the dtype.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold floats.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> rms_norm([[3.0, 3.0]], 2, eps=0.0).tolist()
    [[1.0, 1.0]]
    """
    given, shape = _rows("rms_norm", x, normalized_shape, weight)
    if eps is None:
        eps = float(np.finfo(given.dtype).eps)
    matrix = given.reshape((math.prod(given.shape[: given.ndim - len(shape)]), math.prod(shape)))
    factors = () if weight is None else (as_tensor(weight).reshape(-1),)
    return _applied(ops.rms_norm, matrix, *factors, eps=eps).reshape(given.shape)


def _standardised(
    x: Tensor,
    weight: ArrayLike | None,
    bias: ArrayLike | None,
    view: Shape,
    axes: str,
    kept: str,
    per: str,
    **params: Any,
) -> Tensor:
    """Apply the op; a bias alone is added behind it."""
    factors = [factor for factor in (weight, bias) if factor is not None]
    if weight is not None:
        return _applied(
            ops.standardise, x, *factors, view=view, axes=axes, kept=kept, per=per, **params
        )
    out = _applied(ops.standardise, x, view=view, axes=axes, kept=kept, per=kept, **params)
    if bias is None:
        return out
    lengths = tuple(n if letter in per else 1 for letter, n in zip(axes, view, strict=True))
    return (out.reshape(view) + as_tensor(bias).reshape(lengths)).reshape(x.shape)


def _applied(op: Op, x: Tensor, *factors: ArrayLike, **params: Any) -> Tensor:
    """Apply an op; to float16 in single precision, because its sums overflow at 65504."""
    if x.dtype == np.float16:
        return _applied(op, x.astype(np.float32), *factors, **params).astype(np.float16)
    return apply(op, x, *factors, **params)


# --- checks ---------------------------------------------------------------------------------------


def _floats(x: ArrayLike, name: str) -> Tensor:
    """Return the input as a Tensor, if it holds floats."""
    tensor = as_tensor(x)
    if tensor.dtype.kind != "f":
        raise TypeError(f"{name} got {tensor.dtype}; expected floats: use x.astype(float)")
    return tensor


def _rows(
    name: str, x: ArrayLike, normalized_shape: int | Sequence[int], *factors: ArrayLike | None
) -> tuple[Tensor, Shape]:
    """Return the input and the lengths of its last axes, if they are those of the factors."""
    given, shape = _floats(x, name), _lengths(normalized_shape)
    if given.shape[max(0, given.ndim - len(shape)) :] != shape:
        wanted = ", ".join(map(str, ("...", *shape)))
        raise ValueError(f"{name} got an input of shape {given.shape}; expected ({wanted})")
    for factor, what in zip(factors, ("weight", "bias"), strict=False):
        _check_shape(factor, what, shape)
    return given, shape


def _lengths(shape: int | Sequence[int]) -> Shape:
    """Return `normalized_shape` as a tuple."""
    lengths = shape if isinstance(shape, Sequence) else (shape,)
    found = tuple(as_count("normalized_shape", n) for n in lengths)
    if not found:
        raise ValueError("normalized_shape is empty; expected the length of at least one axis")
    return found


def _check_shape(array: Any, name: str, expected: Shape) -> None:
    if array is None:
        return
    # NumPy would ask the protocol of a Tensor, which takes 4 us.
    found = array.shape if hasattr(array, "shape") else np.shape(array)
    if found != expected:
        raise ValueError(f"{name} has shape {found}; expected {expected}")


# --- layers ---------------------------------------------------------------------------------------


class _Normalisation(Module):
    """What has a weight of ones and a bias of zeros at first, or neither."""

    weight: Tensor | None
    bias: Tensor | None

    def _start(self, shape: Shape, weight: bool, bias: bool, dtype: DTypeLike) -> None:
        dtype = floating(dtype)
        self.weight = Tensor(np.ones(shape), dtype=dtype, label="weight") if weight else None
        self.bias = Tensor(np.zeros(shape), dtype=dtype, label="bias") if bias else None

    def _cast(self, x: ArrayLike, like: Any = None) -> Tensor:
        """Cast to the dtype of the weight, or of `like`; without both keep that of floats."""
        given = as_tensor(x)
        like = self.weight if like is None else like
        if given.dtype.kind == "c" or (like is None and given.dtype.kind == "f"):
            return given
        dtype = get_default_dtype() if like is None else like.dtype
        return given if given.dtype == dtype else given.astype(dtype)


class _BatchNorm(_Normalisation):
    """Batch norm of inputs with some numbers of axes."""

    _shapes: ClassVar[Mapping[int, str]]
    """What an input looks like, by its number of axes."""
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DTypeLike = None,
    ) -> None:
        self.num_features = as_count("num_features", num_features)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        shape = (self.num_features,)
        self._start(shape, affine, affine, dtype)
        tracked, dtype = track_running_stats, floating(dtype)
        self.register_buffer("running_mean", np.zeros(shape, dtype) if tracked else None)
        self.register_buffer("running_var", np.ones(shape, dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", 0 if tracked else None)

    def reset_running_stats(self) -> None:
        """Let the running statistics start again from mean 0 and variance 1."""
        if self.track_running_stats:
            self.running_mean[...], self.running_var[...] = 0.0, 1.0
            self.num_batches_tracked[...] = 0

    def forward(self, x: ArrayLike) -> Tensor:
        """Normalise, in training by the batch, which moves the running statistics.

        Raises
        ------
        TypeError
            If `x` does not hold real numbers.
        ValueError
            If `x` has another shape; in training, if there are fewer than two values per channel.
        """
        given = self._cast(x, self.running_mean)
        if given.ndim not in self._shapes or given.shape[1] != self.num_features:
            shapes = " or ".join(self._shapes.values())
            raise ValueError(
                f"{self._title()} got an input of shape {given.shape}; expected {shapes} with "
                f"{self.num_features} channels"
            )
        momentum: Any = self.momentum
        training = self.training or self.running_mean is None
        moved = self.training and self.running_mean is not None
        if moved and momentum is None:  # the mean of all batches so far
            momentum = 1.0 / (self.num_batches_tracked + 1)
        mean, var = (self.running_mean, self.running_var) if moved or not training else (None, None)
        out = batch_norm(given, mean, var, self.weight, self.bias, training, momentum, self.eps)
        if moved:
            self.num_batches_tracked += 1
        return out

    def extra_repr(self) -> str:
        """Return the number of channels, and what is unusual."""
        usual = {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
        given = {name: getattr(self, name) for name in usual}
        shown = [f"{name}={given[name]}" for name in usual if given[name] != usual[name]]
        return ", ".join([str(self.num_features), *shown])


class BatchNorm1d(_BatchNorm):
    """`batch_norm` of inputs of shape (batch, channels) or (batch, channels, length).

    Parameters
    ----------
    num_features
        The number of channels.
    eps
        What keeps the root from 0.
    momentum
        How far the running statistics move towards those of each batch of training; None for the
        mean of all batches.
    affine
        Whether there are a weight and a bias.
    track_running_stats
        Whether there are running statistics, by which evaluation mode normalises; if not, it takes
        those of the batch as well.
    dtype
        Of parameters and statistics; None for the default dtype.  Input is cast to it.

    Attributes
    ----------
    weight, bias : Tensor or None
        Of shape (num_features,).
    running_mean, running_var, num_batches_tracked : ndarray or None
        Buffers, of shapes (num_features,), (num_features,) and ().  The variance is the unbiased
        one, over n - 1 values.

    Raises
    ------
    TypeError, ValueError
        If `num_features` is no positive integer, or `dtype` is not floating.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNorm1d(2)
    >>> layer(np.array([[1.0, 10.0], [3.0, 30.0]])).data.round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    >>> layer.running_mean
    array([0.2, 2. ], dtype=float32)
    """

    _shapes: ClassVar[Mapping[int, str]] = {2: "(batch, channels)", 3: "(batch, channels, length)"}


class BatchNorm2d(_BatchNorm):
    """`batch_norm` of inputs of shape (batch, channels, height, width).

    Parameters, attributes and errors are those of `BatchNorm1d`.

    Examples
    --------
    >>> import numpy as np
    >>> BatchNorm2d(3)(np.zeros((4, 3, 5, 5))).shape
    (4, 3, 5, 5)
    """

    _shapes: ClassVar[Mapping[int, str]] = {4: "(batch, channels, height, width)"}


class LayerNorm(_Normalisation):
    """`layer_norm` over the last axes.

    Parameters
    ----------
    normalized_shape
        The lengths of the last axes.
    eps
        What keeps the root from 0.
    elementwise_affine
        Whether there is a weight.
    bias
        Whether there is a bias as well.
    dtype
        Of the parameters; None for the default dtype.  Input is cast to it.

    Attributes
    ----------
    weight, bias : Tensor or None
        Of shape `normalized_shape`.

    Raises
    ------
    TypeError, ValueError
        If a length is no positive integer, or `dtype` is not floating.

    Examples
    --------
    >>> LayerNorm(2, eps=0.0)([[1.0, 3.0]]).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
    ) -> None:
        self.normalized_shape = _lengths(normalized_shape)
        self.eps = eps
        self._start(self.normalized_shape, elementwise_affine, elementwise_affine and bias, dtype)

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `layer_norm`."""
        return layer_norm(self._cast(x), self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the lengths."""
        return str(self.normalized_shape)


class GroupNorm(_Normalisation):
    """`group_norm` of inputs of shape (batch, channels, ...).

    Parameters
    ----------
    num_groups, num_channels
        Numbers of groups and of channels; the first divides the second.
    eps
        What keeps the root from 0.
    affine
        Whether there are a weight and a bias.
    dtype
        Of the parameters; None for the default dtype.  Input is cast to it.

    Attributes
    ----------
    weight, bias : Tensor or None
        Of shape (num_channels,).

    Raises
    ------
    TypeError, ValueError
        If a number is no positive integer, the groups are not equal, or `dtype` is not floating.

    Examples
    --------
    >>> GroupNorm(1, 2, eps=0.0)([[1.0, 3.0]]).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        dtype: DTypeLike = None,
    ) -> None:
        self.num_groups = as_count("num_groups", num_groups)
        self.num_channels = as_count("num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"num_channels is {num_channels}; expected a multiple of num_groups, {num_groups}"
            )
        self.eps = eps
        self._start((self.num_channels,), affine, affine, dtype)

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `group_norm`.

        Raises
        ------
        ValueError
            If `x` has another number of channels.
        """
        given = self._cast(x)
        if given.shape[1:2] != (self.num_channels,):
            raise ValueError(
                f"{self._title()} got an input of shape {given.shape}; expected (batch, "
                f"{self.num_channels}, ...)"
            )
        return group_norm(given, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the numbers of groups and channels."""
        return f"{self.num_groups}, {self.num_channels}"


class RMSNorm(_Normalisation):
    """`rms_norm` over the last axes.

    Parameters
    ----------
    normalized_shape
        The lengths of the last axes.
    eps
        What keeps the root from 0; None for the distance of 1 to the next number of the dtype.
    elementwise_affine
        Whether there is a weight.
    dtype
        Of the weight; None for the default dtype.  Input is cast to it.

    Attributes
    ----------
    weight : Tensor or None
        Of shape `normalized_shape`.

    Raises
    ------
    TypeError, ValueError
        If a length is no positive integer, or `dtype` is not floating.

    Examples
    --------
    >>> RMSNorm(2)([[3.0, 3.0]]).tolist()
    [[1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: DTypeLike = None,
    ) -> None:
        self.normalized_shape = _lengths(normalized_shape)
        self.eps = eps
        self._start(self.normalized_shape, elementwise_affine, False, dtype)

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `rms_norm`."""
        return rms_norm(self._cast(x), self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the lengths."""
        return str(self.normalized_shape)
