"""The seed's network, one Value for every weight: Neuron, Layer, MLP.

Floor: beside `viz`; imports `tensor` and `random`.  For learning and for drawing: each number is a
node of the graph, which is why a network of arrays (`nn`) computes the same hundreds of times
faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ._typing import SeedLike
from .checks import as_count
from .random import as_generator
from .tensor import Tensor, Value


class Module:
    """What has parameters."""

    def parameters(self) -> list[Value]:
        """Return the weights, in the order in which they were drawn."""
        return []

    def zero_grad(self) -> None:
        """Forget the gradients: they read as zeros."""
        for parameter in self.parameters():
            parameter.zero_grad()


class Neuron(Module):
    r"""One neuron, :math:`\tanh(b + \sum_i w_i x_i)`.

    Parameters
    ----------
    nin
        The number of inputs.
    rng
        Draws the weights `w` and then the bias `b`, uniformly from [-1, 1].

    Raises
    ------
    ValueError
        If `nin` is not positive.

    Examples
    --------
    >>> neuron = Neuron(2, rng=0)
    >>> out = neuron([1.0, -2.0])
    >>> out.backward()
    >>> bool(neuron.w[1].grad == -2.0 * neuron.b.grad)
    True
    """

    def __init__(self, nin: int, rng: SeedLike = None) -> None:
        rng = as_generator(rng)
        self.w = [Value(rng.uniform(-1, 1)) for _ in range(as_count("nin", nin))]
        self.b = Value(rng.uniform(-1, 1))

    def __call__(self, x: Sequence[Any]) -> Value:
        """Compute the output.

        Parameters
        ----------
        x
            One number for each input: Values, Python numbers, or a one-dimensional array.

        Raises
        ------
        ValueError
            If there are more or fewer, or one is an array.
        """
        if len(x) != len(self.w):
            raise ValueError(f"{len(x)} inputs were given to a neuron of {len(self.w)}")
        activation: Tensor = self.b
        for w, given in zip(self.w, x, strict=True):
            activation = activation + w * given
        if activation.shape:
            raise ValueError(
                "a neuron takes one number for each input, and one of these is an array: call it "
                "once for each sample"
            )
        return activation.tanh()  # type: ignore[return-value]

    def parameters(self) -> list[Value]:
        """Return the weights and then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        """Show the call that makes one like it."""
        return f"Neuron({len(self.w)})"


class Layer(Module):
    """Neurons that share their inputs.

    Parameters
    ----------
    nin, nout
        The number of inputs, and of neurons.
    rng
        As in `Neuron`.

    Raises
    ------
    ValueError
        If one of them is not positive.
    """

    def __init__(self, nin: int, nout: int, rng: SeedLike = None) -> None:
        rng = as_generator(rng)
        self.neurons = [Neuron(nin, rng) for _ in range(as_count("nout", nout))]

    def __call__(self, x: Sequence[Any]) -> Value | list[Value]:
        """Return the output of each neuron, and not in a list if there is one neuron."""
        outs = [neuron(x) for neuron in self.neurons]
        return outs[0] if len(outs) == 1 else outs

    def parameters(self) -> list[Value]:
        """Return the parameters of the neurons, one after the other."""
        return [parameter for neuron in self.neurons for parameter in neuron.parameters()]

    def __repr__(self) -> str:
        """Show the call that makes one like it."""
        return f"Layer({len(self.neurons[0].w)}, {len(self.neurons)})"


class MLP(Module):
    """A multilayer perceptron, with tanh on every layer.

    Parameters
    ----------
    nin
        The number of inputs.
    nouts
        The number of neurons of each layer.
    rng
        As in `Neuron`.

    Raises
    ------
    ValueError
        If one of the numbers is not positive.

    Examples
    --------
    >>> model = MLP(3, [4, 4, 1], rng=0)
    >>> len(model.parameters())
    41
    >>> bool(-1 < model([2.0, 3.0, -1.0]).data < 1)
    True
    """

    def __init__(self, nin: int, nouts: Sequence[int], rng: SeedLike = None) -> None:
        rng = as_generator(rng)
        widths = [nin, *nouts]
        self.layers = [Layer(n, m, rng) for n, m in pairwise(widths)]

    def __call__(self, x: Sequence[Any]) -> Any:
        """Return the outputs for one sample: a list of Values, or the Value if there is one."""
        out: Any = x
        for layer in self.layers:
            out = layer([out] if isinstance(out, Value) else out)
        return out

    def parameters(self) -> list[Value]:
        """Return the parameters of the layers, one after the other."""
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def __repr__(self) -> str:
        """Show the call that makes one like it."""
        widths = [len(layer.neurons) for layer in self.layers]
        return f"MLP({len(self.layers[0].neurons[0].w) if self.layers else 0}, {widths})"
