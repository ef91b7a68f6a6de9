"""Activation functions as modules, and by name.

Floor: nn.  May import `numpy_api` and the floors below it.  A new one is an op in `ops`, its
function in `numpy_api`, and here a class and a row of ACTIVATIONS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .._typing import ArrayLike, Axis
from ..checks import one_of
from ..numpy_api import gelu, leaky_relu, relu, sigmoid, silu, softmax, softplus, tanh
from ..tensor import Tensor
from .module import Module

ACTIVATIONS: Final[dict[str, Callable[[ArrayLike], Tensor]]] = {
    "gelu": gelu,
    "leaky_relu": leaky_relu,
    "relu": relu,
    "sigmoid": sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "tanh": tanh,
}
"""What `MLP` knows by name."""


class ReLU(Module):
    """`max(x, 0)`.

    Examples
    --------
    >>> ReLU()([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.relu`."""
        return relu(x)


class LeakyReLU(Module):
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Parameters
    ----------
    negative_slope
        A constant.

    Examples
    --------
    >>> LeakyReLU(0.5)([-1.0, 2.0]).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.leaky_relu`."""
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the slope."""
        return str(self.negative_slope)


class GELU(Module):
    """`x Φ(x)`, with Φ the standard normal distribution function.

    Parameters
    ----------
    approximate
        "none", or "tanh" for an approximation that is faster.

    Raises
    ------
    ValueError
        If `approximate` is neither.

    Examples
    --------
    >>> round(float(GELU()(1.0)), 4)
    0.8413
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = one_of("approximate", approximate, "none", "tanh")

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.gelu`."""
        return gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """Return the approximation, if it is one."""
        return "" if self.approximate == "none" else repr(self.approximate)


class SiLU(Module):
    """`x sigmoid(x)`.

    Examples
    --------
    >>> round(float(SiLU()(1.0)), 4)
    0.7311
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.silu`."""
        return silu(x)


class Tanh(Module):
    """The hyperbolic tangent.

    Examples
    --------
    >>> float(Tanh()(0.0))
    0.0
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.tanh`."""
        return tanh(x)


class Sigmoid(Module):
    """`1 / (1 + exp(-x))`.

    Examples
    --------
    >>> float(Sigmoid()(0.0))
    0.5
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.sigmoid`."""
        return sigmoid(x)


class Softmax(Module):
    """`exp(x) / sum(exp(x))` along an axis.

    Before `CrossEntropyLoss` it is left out: that takes logits.

    Parameters
    ----------
    axis
        The axes over which the result sums to 1.

    Examples
    --------
    >>> Softmax()([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """

    def __init__(self, axis: Axis = -1) -> None:
        self.axis = axis

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.softmax`."""
        return softmax(x, self.axis)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"axis={self.axis}"


class Softplus(Module):
    """`log(1 + exp(x))`.

    Examples
    --------
    >>> round(float(Softplus()(0.0)), 4)
    0.6931
    """

    def forward(self, x: ArrayLike) -> Tensor:
        """Apply `tensorgrad.softplus`."""
        return softplus(x)
