"""MLP: the multi-layer perceptron, with micrograd's signature.

Floor: nn.  May import `layers` and `activations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._typing import ArrayLike, DTypeLike, SeedLike
from ..random import as_generator
from ..tensor import Tensor
from . import init
from .activations import ACTIVATIONS
from .layers import Linear, floating, positive
from .module import Module

Activation = str | Callable[[Any], Any] | None


class MLP(Module):
    """Linear layers with an activation after each.

    Parameters
    ----------
    nin
        The number of inputs.
    nouts
        The number of units of each layer; the last entry is the number of outputs.
    activation
        What follows every layer but the last: a name ("gelu", "leaky_relu", "relu", "sigmoid",
        "silu", "softmax", "softplus", "tanh"), a callable or a Module, or None.
    output_activation
        The same for the last layer.  None for logits and for regression.
    dtype
        Of the parameters; None for the default dtype.
    rng
        The generator that the initial values are drawn from.

    Attributes
    ----------
    layers : list of Linear
        One per entry of `nouts`.

    Raises
    ------
    TypeError, ValueError
        If a width is no positive integer, there is none, or an activation is unknown.

    Notes
    -----
    PLACEHOLDER

    Examples
    --------
    >>> import numpy as np
    >>> model = MLP(3, [4, 4, 1])
    >>> model([2.0, 3.0, -1.0]).shape, model(np.ones((5, 3))).shape
    ((), (5,))
    >>> MLP(784, [64, 10], activation="relu", output_activation=None)
    MLP(784, [64, 10], activation='relu', output_activation=None), 50,890 parameters
      layers.0: Linear(in_features=784, out_features=64), 50,240 parameters
      layers.1: Linear(in_features=64, out_features=10), 650 parameters
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: Activation = "tanh",
        output_activation: Activation = "tanh",
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        widths = [positive(nin, "nin"), *_widths(nouts)]
        self.activation = _known(activation, "activation")
        self.output_activation = _known(output_activation, "output_activation")
        dtype, rng = floating(dtype), as_generator(rng)
        self.layers = [
            Linear(fan_in, fan_out, dtype=dtype, rng=rng)
            for fan_in, fan_out in zip(widths, widths[1:], strict=False)
        ]

    def forward(self, x: ArrayLike) -> Tensor:
        """Map (..., nin) to (..., nouts[-1]), or to (...) if `nouts[-1]` is 1.

        Raises
        ------
        ValueError
            If the last dimension of `x` is not `nin`.
        """
        *hidden, last = self.layers
        for layer in hidden:
            x = _activate(self.activation, layer(x))
        out = _activate(self.output_activation, last(x))
        return out.squeeze(-1) if last.out_features == 1 else out

    def extra_repr(self) -> str:
        """Return the arguments."""
        widths = [layer.out_features for layer in self.layers]
        shown = f"{self.layers[0].in_features}, {widths}"
        for name in ("activation", "output_activation"):
            value = getattr(self, name)
            text = getattr(value, "__name__", None) if callable(value) else repr(value)
            shown += f", {name}={text or type(value).__name__}"
        return shown


def _activate(activation: Activation, x: Tensor) -> Any:
    """Apply an activation given by name, as a callable, or not at all."""
    if activation is None:
        return x
    return (ACTIVATIONS[activation] if isinstance(activation, str) else activation)(x)


def _known(activation: Activation, name: str) -> Activation:
    """Return an activation, if it is one."""
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        known = ", ".join(repr(key) for key in ACTIVATIONS)
        raise ValueError(f"{name} is {activation!r}; expected one of {known}, a callable or None")
    if activation is not None and not isinstance(activation, str) and not callable(activation):
        raise TypeError(f"{name} is {activation!r}; expected a name, a callable or None")
    return activation


def _widths(nouts: Sequence[int]) -> list[int]:
    """Return the widths of the layers as ints."""
    if isinstance(nouts, str) or not hasattr(nouts, "__iter__"):
        raise TypeError(f"nouts is {nouts!r}; expected a list of widths, such as [4, 4, 1]")
    widths = [positive(width, f"nouts[{i}]") for i, width in enumerate(nouts)]
    if not widths:
        raise ValueError("nouts is empty; expected the width of at least one layer")
    return widths
