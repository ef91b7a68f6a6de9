"""TransformerEncoderLayer: attention, then two linear maps, each with a way around it.

Floor: nn.  May import the files of its own floor that it is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._typing import ArrayLike, DTypeLike, SeedLike
from ..numpy_api import gelu, relu
from ..random import as_generator
from ..tensor import Tensor, as_tensor
from .attention import MultiheadAttention
from .layers import Dropout, Linear
from .module import Module
from .normalisation import LayerNorm

_ACTIVATIONS: dict[str, Callable[[Any], Tensor]] = {"relu": relu, "gelu": gelu}


class TransformerEncoderLayer(Module):
    """One layer of a transformer: each position looks at the others, then is mapped by itself.

        x = norm1(x + attention(x)); x = norm2(x + linear2(activation(linear1(x))))

    or, with `norm_first`, `x + attention(norm1(x))` and so on.  Vaswani et al., "Attention is all
    you need" (2017).  A decoder without an encoder, such as a language model, is this layer with
    `is_causal`.

    Parameters
    ----------
    d_model
        The number of features of input and output.
    nhead
        The number of heads of the attention; divides `d_model`.
    dim_feedforward
        The number of features between the two linear maps.
    dropout
        The probability of a zero, of attention weights, between the linear maps and after each of
        the two parts.
    activation
        "relu", "gelu" or a function.
    layer_norm_eps
        The `eps` of the two `LayerNorm`.
    batch_first
        Whether the axes are (batch, time, features) and not, as PyTorch has it, (time, batch,
        features).
    norm_first
        Whether the norms come before the parts and not after: it trains more easily.
    bias
        Whether the linear maps and the norms have biases.
    dtype
        Of the parameters; None for the default dtype.
    rng
        The generator that initial values and dropout are drawn from.

    Attributes
    ----------
    self_attn : MultiheadAttention
    linear1, linear2 : Linear
    norm1, norm2 : LayerNorm
    dropout, dropout1, dropout2 : Dropout

    Raises
    ------
    TypeError, ValueError
        If a size or a probability is none, or `activation` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> layer = TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(np.ones((3, 5, 8)), is_causal=True).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        if not callable(activation) and activation not in _ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}; expected 'relu', 'gelu' or a function")
        drawing = None if rng is None else as_generator(rng)  # one generator for all parts
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, rng=drawing
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype, rng=drawing)
        self.dropout = Dropout(dropout, rng=drawing)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype, rng=drawing)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout, rng=drawing)
        self.dropout2 = Dropout(dropout, rng=drawing)
        self.norm_first = norm_first
        self.activation = activation if callable(activation) else _ACTIVATIONS[activation]

    def forward(
        self,
        src: ArrayLike,
        src_mask: ArrayLike | None = None,
        src_key_padding_mask: ArrayLike | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Apply the layer.

        Parameters
        ----------
        src
            Of shape (time, batch, d_model), with `batch_first` (batch, time, d_model), or (time,
            d_model).
        src_mask, src_key_padding_mask, is_causal
            The `attn_mask`, the `key_padding_mask` and the `is_causal` of `MultiheadAttention`:
            True is what may not be looked at.

        Returns
        -------
        Tensor
            Of the shape of `src`.

        Raises
        ------
        TypeError, ValueError
            As there.
        """
        x = as_tensor(src)
        masks = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            x = x + self._attention(self.norm1(x), *masks)
            return x + self._feed_forward(self.norm2(x))
        x = self.norm1(x + self._attention(x, *masks))
        return self.norm2(x + self._feed_forward(x))  # type: ignore[no-any-return]

    def _attention(self, x: Tensor, mask: Any, padding: Any, is_causal: bool) -> Tensor:
        out, _ = self.self_attn(
            x, x, x, padding, need_weights=False, attn_mask=mask, is_causal=is_causal
        )
        return self.dropout1(out)  # type: ignore[no-any-return]

    def _feed_forward(self, x: Tensor) -> Tensor:
        inner = self.dropout(self.activation(self.linear1(x)))
        return self.dropout2(self.linear2(inner))  # type: ignore[no-any-return]
