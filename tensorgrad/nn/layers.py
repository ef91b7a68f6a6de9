"""Layers: linear maps, dropout, flattening.

Floor: nn.  May import `creation`, `numpy_api` and the floors below them.  A new layer is a Module
that checks its input's shape before it computes, and casts it to the dtype of its parameters.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._typing import Array, ArrayLike, DTypeLike, SeedLike
from ..checks import as_count, as_number
from ..creation import get_default_dtype
from ..graph import draw
from ..ops import fused
from ..random import as_generator
from ..tensor import Tensor, apply, as_tensor
from .module import Module


def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor:
    """Return `x weightᵀ + bias`.

    Parameters
    ----------
    x
        Of shape (..., in); cast to the dtype of `weight`.
    weight
        Of shape (out, in).
    bias
        Of shape (out,), or None.

    Returns
    -------
    Tensor
        Of shape (..., out).

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> linear([1.0, 2.0], [[3.0, 4.0]], [5.0]).tolist()
    [16.0]
    """
    weight = as_tensor(weight)
    if weight.ndim != 2:
        raise ValueError(f"weight has shape {weight.shape}; expected (out, in)")
    if bias is not None:
        bias = as_tensor(bias)
        if bias.shape != weight.shape[:1]:
            raise ValueError(f"bias has shape {bias.shape}; expected {weight.shape[:1]}")
    return _linear(x, weight, bias, "linear")


def _linear(x: ArrayLike, weight: Tensor, bias: Tensor | None, layer: str | Module) -> Tensor:
    """Check and cast `x`, then compute."""
    given = as_tensor(x)
    expected = weight.shape[1]
    if not given.shape or given.shape[-1] != expected:
        name = layer._title() if isinstance(layer, Module) else layer
        raise ValueError(
            f"{name} got an input of shape {given.shape}; expected (..., {expected}): the last "
            "dimension holds the features of one sample"
        )
    # A constant weight of integers must not round the input, nor a real one make it real.
    if given.dtype != weight.dtype and weight.dtype.kind == "f" and given.dtype.kind != "c":
        given = given.astype(weight.dtype)
    return given @ weight.T if bias is None else apply(fused.linear, given, weight, bias)


def dropout(x: ArrayLike, p: float = 0.5, training: bool = True, *, rng: SeedLike = None) -> Tensor:
    """Set each element to zero with probability `p`, and scale the others by `1 / (1 - p)`.

    The expected value stays `x`.  Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov,
    "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Parameters
    ----------
    x
        Of floats, of any shape.
    p
        A probability; 1 gives zeros.
    training
        Whether to do it at all; if not, `x` comes back.
    rng
        The generator to draw from.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold floats.
    ValueError
        If `p` is outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> sorted(set(dropout(np.ones(100), 0.5, rng=0).tolist()))
    [0.0, 2.0]
    """
    p = as_number("p", p, most=1)
    given = as_tensor(x)
    if given.dtype.kind != "f":
        raise TypeError(f"dropout got {given.dtype}; expected floats: use x.astype(float)")
    if not training or p == 0:
        return given
    if p == 1:
        return given * np.zeros_like(given.data)
    keep = _keep(given.shape, p, as_generator(rng))
    # The mask is scaled first, so that forward and backward take one product each, not two.
    mask: Array = np.multiply(keep, 1.0 / (1.0 - p), dtype=given.dtype)
    return given * mask


def _keep(shape: tuple[int, ...], p: float, rng: np.random.Generator) -> Any:
    """Draw a mask that is False with probability `p`."""
    if (256 * p).is_integer():  # exact in bytes, which cost a third of floats: p = 0.5, 0.25, ...
        return draw(rng, "integers", 0, 256, shape, dtype=np.uint8) >= int(256 * p)
    return draw(rng, "random", shape, dtype=np.float32) >= p


def floating(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype that parameters get, the default one for None."""
    found = get_default_dtype() if dtype is None else np.dtype(dtype)
    if found.kind != "f":
        raise TypeError(f"the dtype of parameters is {found}; expected a floating one")
    return found


class Linear(Module):
    """`y = x weightᵀ + bias`.

    At first weights and biases are uniform over ±1/sqrt(in_features), as in PyTorch.

    Parameters
    ----------
    in_features, out_features
        The lengths of the last dimension of input and output.
    bias
        Whether to add one.
    dtype
        Of the parameters; None for the default dtype.  Input is cast to it.
    rng
        The generator that the initial values are drawn from.

    Attributes
    ----------
    weight : Tensor
        Of shape (out_features, in_features).
    bias : Tensor or None
        Of shape (out_features,).

    Raises
    ------
    TypeError, ValueError
        If a number of features is no positive integer, or `dtype` is not floating.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    >>> layer
    Linear(in_features=3, out_features=2), 8 parameters
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        self.in_features = as_count("in_features", in_features)
        self.out_features = as_count("out_features", out_features)
        dtype, rng = floating(dtype), as_generator(rng)
        bound = 1.0 / math.sqrt(self.in_features)
        shape = (self.out_features, self.in_features)
        self.weight = Tensor(rng.uniform(-bound, bound, shape), dtype=dtype, label="weight")
        self.bias: Tensor | None = None
        if bias:
            drawn = rng.uniform(-bound, bound, self.out_features)
            self.bias = Tensor(drawn, dtype=dtype, label="bias")

    def forward(self, x: ArrayLike) -> Tensor:
        """Map (..., in_features) to (..., out_features).

        Raises
        ------
        ValueError
            If the last dimension is another.
        """
        return _linear(x, self.weight, self.bias, self)

    def multiply_adds(self, inputs: tuple[Any, ...], output: Any) -> int:  # noqa: ARG002
        """Count `in_features` for each number of the result."""
        return int(output.size) * self.in_features

    def extra_repr(self) -> str:
        """Return the numbers of features."""
        without = ", bias=False" if self.bias is None else ""
        return f"in_features={self.in_features}, out_features={self.out_features}{without}"


class Dropout(Module):
    """`dropout` while training, and nothing in evaluation mode.

    Parameters
    ----------
    p
        The probability of a zero.
    rng
        The generator to draw from, at each call anew; a seed makes one that the layer keeps.

    Raises
    ------
    ValueError
        If `p` is outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dropout(0.5, rng=0)
    >>> bool((layer(np.ones(8)) == layer(np.ones(8))).all())
    False
    >>> layer.eval()([1.0, 2.0]).tolist()
    [1.0, 2.0]
    """

    def __init__(self, p: float = 0.5, rng: SeedLike = None) -> None:
        self.p = as_number("p", p, most=1)
        # None stays None: a copy of this layer shall still draw from the default generator.
        self.rng = None if rng is None else as_generator(rng)

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `dropout`."""
        return dropout(x, self.p, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"


class Flatten(Module):
    """Join axes into one, by default all but the first: (batch, 28, 28) becomes (batch, 784).

    Parameters
    ----------
    start_dim, end_dim
        The first and the last axis to join.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((5, 2, 3))).shape
    (5, 6)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: ArrayLike) -> Tensor:
        """Join the axes.

        Raises
        ------
        ValueError
            If `x` has no such axes.
        """
        given = as_tensor(x)
        shape = given.shape
        start = self.start_dim + len(shape) * (self.start_dim < 0)
        end = self.end_dim + len(shape) * (self.end_dim < 0)
        if not 0 <= start <= end < len(shape):
            raise ValueError(
                f"{self._title()} got an input of shape {shape}; expected at least the axes that "
                "it joins"
            )
        # Not -1, which is undefined where the batch is empty.
        joined = math.prod(shape[start : end + 1])
        return given.reshape((*shape[:start], joined, *shape[end + 1 :]))

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """What is given, unchanged; to stand where a layer could.

    Examples
    --------
    >>> Identity()(3.0)
    3.0
    """

    def forward(self, x: Any) -> Any:
        """Return `x` itself."""
        return x
