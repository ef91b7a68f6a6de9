"""Recurrent layers: RNN, LSTM and GRU.

Floor: nn.  May import `numpy_api` and the floors below it.  A new one derives from `Recurrent` and
says how many gates a step has, which states it carries along, and how it goes through a sequence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .._typing import ArrayLike, DTypeLike, SeedLike, Shape
from ..checks import as_count, as_number, one_of
from ..numpy_api import concatenate, stack
from ..ops import recurrent
from ..random import as_generator
from ..tensor import Tensor, apply, as_tensor
from .layers import dropout, floating, linear
from .module import Module


class Recurrent(Module):
    """What RNN, LSTM and GRU have in common: layers, directions, shapes.

    At first all parameters are uniform over ±1/sqrt(hidden_size), as in PyTorch.

    Parameters
    ----------
    input_size
        The number of features of the input at a step.
    hidden_size
        The number of features of a state.
    num_layers
        How many layers there are, each on the states of the one before.
    bias
        Whether there are biases.
    batch_first
        Whether the axes of input and output are (batch, time, features) and not, as PyTorch has it,
        (time, batch, features).
    dropout
        The probability of a zero, of what goes from one layer to the next.
    bidirectional
        Whether each layer also goes from the end to the start, with parameters of its own.  The
        states of both directions lie side by side.
    dtype
        Of the parameters; None for the default dtype.  Input is cast to it.
    rng
        The generator that initial values and dropout are drawn from.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Tensor
        Of shapes (gates * hidden_size, input_size), (gates * hidden_size, hidden_size) and
        (gates * hidden_size,).  Those of the second layer end in `_l1`, and those of the way back
        in `_l0_reverse`; the input of later layers is the output of the one before.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, `dropout` no probability, or `dtype` not floating.
    """

    gates: ClassVar[int]
    """How many blocks of `hidden_size` rows a weight has."""
    states: ClassVar[tuple[str, ...]] = ("h_0",)
    """What a step hands to the next."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        self.input_size = as_count("input_size", input_size)
        self.hidden_size = as_count("hidden_size", hidden_size)
        self.num_layers = as_count("num_layers", num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = as_number("dropout", dropout, most=1)
        self.bidirectional = bidirectional
        self.rng = None if rng is None else as_generator(rng)
        dtype, drawing = floating(dtype), as_generator(self.rng)
        bound, rows = 1.0 / math.sqrt(self.hidden_size), self.gates * self.hidden_size
        for layer in range(self.num_layers):
            width = self.hidden_size * self._directions if layer else self.input_size
            shapes: dict[str, Shape] = {
                "weight_ih": (rows, width),
                "weight_hh": (rows, self.hidden_size),
            }
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            for ending in self._endings(layer):
                for kind, shape in shapes.items():
                    drawn = drawing.uniform(-bound, bound, shape)
                    setattr(self, kind + ending, Tensor(drawn, dtype=dtype, label=kind + ending))

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _endings(self, layer: int) -> tuple[str, ...]:
        """Return the ends of the names of a layer's parameters, one for each direction."""
        return (f"_l{layer}", f"_l{layer}_reverse")[: self._directions]

    def forward(self, x: ArrayLike, hx: Any = None) -> tuple[Tensor, Any]:
        """Go through sequences.

        Parameters
        ----------
        x
            Of shape (time, batch, input_size), or (batch, time, input_size) if `batch_first`, or
            (time, input_size) for a single sequence.
        hx
            What the layers start from: h_0, of an LSTM the pair (h_0, c_0), each of shape
            (num_layers * directions, batch, hidden_size), or (num_layers * directions,
            hidden_size) for a single sequence.  None for zeros.

        Returns
        -------
        output : Tensor
            The states h of the last layer at each step: as `x`, with directions * hidden_size
            features.
        h_n : Tensor, or a pair of Tensors
            What all layers end with, of the shape of `hx`: to go on from.

        Raises
        ------
        TypeError
            If `x` or a state is complex, or `hx` is not what it should be.
        ValueError
            If a shape does not fit, or there is no step.
        """
        given, single = self._input(x)
        states = self._initial(hx, given.shape[1], single)
        ends: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            if layer:
                given = dropout(given, self.dropout, self.training, rng=self.rng)
            ways = []
            for direction, ending in enumerate(self._endings(layer)):
                start = [state[layer * self._directions + direction] for state in states]
                way, last = self._way(given, start, ending)
                ways.append(way)
                for end, state in zip(ends, last, strict=True):
                    end.append(state)
            given = ways[0] if len(ways) == 1 else concatenate(ways, axis=-1)
        finals: list[Any] = [stack(end) for end in ends]
        if single:
            given, finals = given[:, 0], [final[:, 0] for final in finals]
        elif self.batch_first:
            given = given.swapaxes(0, 1)
        return given, finals[0] if len(finals) == 1 else tuple(finals)

    def _input(self, x: ArrayLike) -> tuple[Tensor, bool]:
        """Return the input as (time, batch, features), and whether it is a single sequence."""
        given = as_tensor(x)
        if given.ndim not in (2, 3) or given.shape[-1] != self.input_size:
            axes = "batch, time" if self.batch_first else "time, batch"
            raise ValueError(
                f"{self._title()} got an input of shape {given.shape}; expected "
                f"({axes}, {self.input_size}), or (time, {self.input_size}) for a single sequence"
            )
        single = given.ndim == 2
        if single:
            given = given.unsqueeze(1)
        elif self.batch_first:
            given = given.swapaxes(0, 1)
        if not given.shape[0]:
            raise ValueError(f"{self._title()} got a sequence without steps; expected one or more")
        return self._cast(given, "input"), single

    def _initial(self, hx: Any, batch: int, single: bool) -> list[Any]:
        """Return the first states, each of shape (num_layers * directions, batch, hidden_size)."""
        count, names = self.num_layers * self._directions, self.states
        if hx is None:
            zeros = np.zeros((count, batch, self.hidden_size), self._dtype)
            return [zeros] * len(names)
        parts = [hx] if len(names) == 1 else hx
        if not isinstance(parts, Sequence) or len(parts) != len(names):
            kind = type(hx).__name__
            raise TypeError(f"hx is a {kind}; expected the pair ({', '.join(names)}), or None")
        expected = (count, self.hidden_size) if single else (count, batch, self.hidden_size)
        found = []
        for name, given in zip(names, parts, strict=True):
            if given is None or (len(names) == 1 and isinstance(given, tuple)):
                raise TypeError(f"{name} is a {type(given).__name__}; expected an array {expected}")
            part = as_tensor(given)
            if part.shape != expected:
                raise ValueError(
                    f"{name} has shape {part.shape}; expected {expected}: a state for each layer "
                    "and direction"
                )
            found.append(self._cast(part.unsqueeze(1) if single else part, name))
        return found

    @property
    def _dtype(self) -> np.dtype[Any]:
        found: np.dtype[Any] = self.weight_ih_l0.dtype  # type: ignore[attr-defined]
        return found

    def _cast(self, x: Tensor, name: str) -> Tensor:
        """Cast to the dtype of the parameters."""
        if x.dtype.kind == "c":
            raise TypeError(f"{self._title()} got {x.dtype} as {name}; expected real numbers")
        return x if x.dtype == self._dtype else x.astype(self._dtype)

    def _way(self, x: Tensor, start: list[Any], ending: str) -> tuple[Tensor, list[Tensor]]:
        """Go through the sequences in one direction; return all states h, and the last states."""
        weights = [getattr(self, kind + ending) for kind in ("weight_ih", "weight_hh")]
        biases = [getattr(self, kind + ending, None) for kind in ("bias_ih", "bias_hh")]
        back = ending.endswith("reverse")
        out, last = self._through(x[::-1] if back else x, start, *weights, *biases)
        return out[::-1] if back else out, last

    def _through(
        self,
        x: Tensor,
        start: list[Any],
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Do what `_way` does, from the first step to the last."""
        raise NotImplementedError

    def multiply_adds(self, inputs: tuple[Any, ...], output: Any) -> int:  # noqa: ARG002
        """Count all weights for each step of each sequence."""
        steps: int = output[0].size // output[0].shape[-1]
        return steps * sum(p.size for p in self.parameters() if p.ndim == 2)

    def extra_repr(self) -> str:
        """Return the sizes, and what is not as usual."""
        usual: dict[str, Any] = {"num_layers": 1, "bias": True, "batch_first": False}
        usual |= {"dropout": 0.0, "bidirectional": False}
        changed = [f"{k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) != v]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Add two biases that are there or not."""
    return None if one is None or other is None else one + other


class RNN(Recurrent):
    """The recurrent network of Elman, "Finding structure in time" (1990).

        h = tanh(W_ih x + b_ih + W_hh h + b_hh)

    For parameters, attributes and errors see `Recurrent`.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        See there.
    nonlinearity
        "tanh" or "relu".
    bias, batch_first, dropout, bidirectional, dtype, rng
        See there.

    Examples
    --------
    >>> import numpy as np
    >>> output, h_n = RNN(3, 4, num_layers=2)(np.zeros((5, 2, 3)))
    >>> output.shape, h_n.shape
    ((5, 2, 4), (2, 2, 4))
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        self.nonlinearity = one_of("nonlinearity", nonlinearity, "tanh", "relu")
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            dtype=dtype, rng=rng,
        )  # fmt: skip

    def _through(
        self,
        x: Tensor,
        start: list[Any],
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
    ) -> tuple[Tensor, list[Tensor]]:
        inputs = linear(x, weight_ih, _sum(bias_ih, bias_hh))
        h = apply(recurrent.rnn, inputs, *start, weight_hh, nonlinearity=self.nonlinearity)
        return h, [h[-1]]

    def extra_repr(self) -> str:
        """Return the sizes, and what is not as usual."""
        relu = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}"
        return super().extra_repr() + relu


class LSTM(Recurrent):
    """Long short-term memory: Hochreiter and Schmidhuber (1997).

        i, f, o = sigmoid(W_ih x + b_ih + W_hh h + b_hh), each with rows of its own
        g = tanh(W_ih x + b_ih + W_hh h + b_hh)
        c = f c + i g
        h = o tanh(c)

    The rows of the weights are those of i, f, g and o, in this order.  For parameters, attributes
    and errors see `Recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = LSTM(3, 4, batch_first=True)
    >>> output, (h_n, c_n) = layer(np.zeros((2, 5, 3)))
    >>> output.shape, h_n.shape, c_n.shape
    ((2, 5, 4), (1, 2, 4), (1, 2, 4))
    >>> output, state = layer(np.zeros((2, 5, 3)), (h_n, c_n))
    """

    gates = 4
    states = ("h_0", "c_0")

    def _through(
        self,
        x: Tensor,
        start: list[Any],
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
    ) -> tuple[Tensor, list[Tensor]]:
        inputs = linear(x, weight_ih, _sum(bias_ih, bias_hh))
        out = apply(recurrent.lstm, inputs, *start, weight_hh)
        return out[:, 1], [out[-1, 1], out[-1, 0]]


class GRU(Recurrent):
    """Gated recurrent unit: Cho et al. (2014).

        r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh), each with rows of its own
        n = tanh(W_ih x + b_ih + r (W_hh h + b_hh))
        h = (1 - z) n + z h

    The rows of the weights are those of r, z and n, in this order.  For parameters, attributes and
    errors see `Recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> output, h_n = GRU(3, 4, bidirectional=True)(np.zeros((5, 2, 3)))
    >>> output.shape, h_n.shape
    ((5, 2, 8), (2, 2, 4))
    """

    gates = 3

    def _through(
        self,
        x: Tensor,
        start: list[Any],
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
    ) -> tuple[Tensor, list[Tensor]]:
        inputs = linear(x, weight_ih, bias_ih)
        bias: Any = np.zeros(len(weight_hh), weight_hh.dtype) if bias_hh is None else bias_hh
        h = apply(recurrent.gru, inputs, *start, weight_hh, bias)
        return h, [h[-1]]
