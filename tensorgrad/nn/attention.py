"""Attention: `scaled_dot_product_attention`, and the layer with several heads.

Floor: nn.  May import `numpy_api` and the floors below it.

Both follow PyTorch, where a mask of booleans means the one thing in the function and the other in
the layer: in `scaled_dot_product_attention` True is what may be looked at, in `MultiheadAttention`
True is what may not.  A mask of floats is added to the scores in both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._typing import ArrayLike, DTypeLike, SeedLike
from ..checks import as_count, as_number
from ..handle import to_array
from ..numpy_api import softmax, where
from ..random import as_generator
from ..tensor import Tensor, as_tensor
from . import init
from .layers import Linear, dropout, floating, linear
from .module import Module


def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    *,
    rng: SeedLike = None,
) -> Tensor:
    """Return `softmax(query keyᵀ / sqrt(E) + mask) value`.

    Vaswani et al., "Attention is all you need" (2017).

    Parameters
    ----------
    query, key, value
        Of floats, of shapes (..., L, E), (..., S, E) and (..., S, V); leading axes are broadcast.
    attn_mask
        Of a shape that broadcasts to (..., L, S).  Booleans: True where a query may look at a key.
        Floats: added to the scores, -inf where it may not.
    dropout_p
        The probability with which a weight is set to zero, training or not.
    is_causal
        Whether a query may look at keys up to its own position only.
    scale
        In place of 1 / sqrt(E).
    rng
        The generator that dropout draws from.

    Returns
    -------
    Tensor
        Of shape (..., L, V).  A query that may look at nothing gets zeros.

    Raises
    ------
    TypeError
        If a mask holds neither booleans nor floats.
    ValueError
        If shapes do not fit, `dropout_p` is no probability, or there are both a mask and
        `is_causal`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.eye(2)
    >>> scaled_dot_product_attention(x, x, x, is_causal=True)[0].tolist()
    [1.0, 0.0]
    """
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    shapes = f"query {q.shape}, key {k.shape}, value {v.shape}"
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"attention got {shapes}; expected (..., L, E), (..., S, E), (..., S, V)")
    if attn_mask is not None and is_causal:
        raise ValueError("attention got attn_mask and is_causal: put the causal part into the mask")
    blocked, added = None, None
    if attn_mask is not None:
        blocked, added = _split(attn_mask, "attn_mask", blocked_is=False)
    weights = _weights(q, k, blocked, added, is_causal, scale)
    return dropout(weights, as_number("dropout_p", dropout_p, most=1), rng=rng) @ v


def _weights(
    query: Tensor,
    key: Tensor,
    blocked: Any,
    added: Tensor | None,
    is_causal: bool,
    scale: float | None = None,
) -> Tensor:
    """Return the weights of the keys, for each query; zeros for one that may look at nothing."""
    scale = 1.0 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    scores = (query * scale) @ key.mT
    if not scores.size:  # over no keys there is no softmax, and the sum of no values is zero
        return scores
    if added is not None:  # a float64 mask would widen all that follows
        scores = scores + added.astype(scores.dtype)
    if is_causal:
        later = np.logical_not(np.tri(*scores.shape[-2:], dtype=np.bool_))
        if blocked is None:  # what is left is at least the first key
            return softmax(where(later, -np.inf, scores))
        blocked = blocked | later
    if blocked is None:
        return softmax(scores)
    # Rows without a key are left as they are until the softmax is done: there it would give NaN.
    alone = blocked.all(axis=-1, keepdims=True)
    weights: Tensor = softmax(where(blocked & ~alone, -np.inf, scores)) * ~alone
    return weights


def _split(mask: ArrayLike, name: str, blocked_is: bool) -> tuple[Any, Tensor | None]:
    """Return where a mask blocks, and what it adds to the scores elsewhere, None for nothing.

    `blocked_is` is the boolean that stands for blocked.
    """
    given = as_tensor(mask)
    if given.dtype == np.bool_:
        found = to_array(mask, name)
        return (found if blocked_is else ~found), None
    if given.dtype.kind != "f":
        raise TypeError(f"{name} has dtype {given.dtype}; expected booleans or floats")
    blocked = given.data == -np.inf
    return blocked, where(blocked, 0.0, given)


class MultiheadAttention(Module):
    """Attention of several heads, each on a part of the features, between two linear maps.

    Parameters
    ----------
    embed_dim
        The number of features of queries and of the output; a multiple of `num_heads`.
    num_heads
        Into how many parts they are split.
    dropout
        The probability with which a weight is set to zero while training.
    bias
        Whether the linear maps have biases.
    kdim, vdim
        The numbers of features of keys and values; None for `embed_dim`.
    batch_first
        Whether the axes are (batch, time, features) and not, as PyTorch has it, (time, batch,
        features).
    dtype
        Of the parameters; None for the default dtype.
    rng
        The generator that initial values and dropout are drawn from.

    Attributes
    ----------
    in_proj_weight : Tensor
        Of shape (3 * embed_dim, embed_dim): the maps of queries, keys and values.  In its place
        there are `q_proj_weight`, `k_proj_weight` and `v_proj_weight` where `kdim` or `vdim` is
        another number than `embed_dim`.
    in_proj_bias : Tensor or None
        Of shape (3 * embed_dim,).
    out_proj : Linear
        The map of what the heads give.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, `embed_dim` is no multiple of `num_heads`, or `dropout` no
        probability.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MultiheadAttention(4, 2, batch_first=True)
    >>> x = np.ones((3, 5, 4))
    >>> output, weights = layer(x, x, x)
    >>> output.shape, weights.shape
    ((3, 5, 4), (3, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        self.embed_dim = as_count("embed_dim", embed_dim)
        self.num_heads = as_count("num_heads", num_heads)
        if self.embed_dim % self.num_heads:
            raise ValueError(f"embed_dim is {embed_dim}; expected a multiple of {num_heads} heads")
        self.dropout = as_number("dropout", dropout, most=1)
        self.batch_first = batch_first
        self.kdim = self.embed_dim if kdim is None else as_count("kdim", kdim)
        self.vdim = self.embed_dim if vdim is None else as_count("vdim", vdim)
        self.rng = None if rng is None else as_generator(rng)
        dtype, size = floating(dtype), self.embed_dim
        shapes = {"in_proj_weight": (3 * size, size)}
        if (self.kdim, self.vdim) != (size, size):
            widths = {"q": size, "k": self.kdim, "v": self.vdim}
            shapes = {f"{name}_proj_weight": (size, width) for name, width in widths.items()}
        for name, shape in shapes.items():
            weight = Tensor(np.zeros(shape), dtype=dtype, label=name)
            setattr(self, name, init.xavier_uniform_(weight, rng=self.rng))
        self.in_proj_bias: Tensor | None = None
        if bias:
            self.in_proj_bias = Tensor(np.zeros(3 * size), dtype=dtype, label="in_proj_bias")
        self.out_proj = Linear(size, size, bias, dtype=dtype, rng=self.rng)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: ArrayLike,
        key: ArrayLike,
        value: ArrayLike,
        key_padding_mask: ArrayLike | None = None,
        need_weights: bool = True,
        attn_mask: ArrayLike | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let each query look at the keys.

        Parameters
        ----------
        query, key, value
            Of shapes (L, batch, embed_dim), (S, batch, kdim) and (S, batch, vdim); with
            `batch_first` the batch comes first; without a batch (L, embed_dim) and so on.
        key_padding_mask
            Of shape (batch, S), or (S,): True for a key that no query may look at, or floats to be
            added to the scores.
        need_weights
            Whether the weights are returned.
        attn_mask
            Of shape (L, S) or (batch * num_heads, L, S): True where a query may not look at a key,
            or floats to be added to the scores.
        average_attn_weights
            Whether the weights are averaged over the heads.
        is_causal
            Whether a query may look at keys up to its own position only.  PyTorch takes this for a
            hint and asks for the mask as well; here it is enough.

        Returns
        -------
        output : Tensor
            As `query`.  A query that may look at nothing gets the bias of `out_proj`.
        weights : Tensor or None
            Of shape (batch, L, S), or (batch, num_heads, L, S) if not averaged; after dropout.

        Raises
        ------
        TypeError
            If a mask holds neither booleans nor floats.
        ValueError
            If shapes do not fit.
        """
        inputs = self._inputs(query, key, value)
        single = as_tensor(query).ndim == 2
        q, k, v = self._projected(*inputs)
        blocked, added = self._masks(q, k, key_padding_mask, attn_mask, single)
        weights = _weights(q, k, blocked, added, is_causal)
        weights = dropout(weights, self.dropout, self.training, rng=self.rng)
        batch, _, length, _ = q.shape
        heads = (weights @ v).swapaxes(1, 2).reshape((batch, length, self.embed_dim))
        out = self.out_proj(heads)
        if single:
            out = out[0]
        elif not self.batch_first:
            out = out.swapaxes(0, 1)
        if not need_weights:
            return out, None
        weights = weights.mean(axis=1) if average_attn_weights else weights
        return out, weights[0] if single else weights

    def _inputs(self, query: ArrayLike, key: ArrayLike, value: ArrayLike) -> list[Tensor]:
        """Return each as (batch, time, features); what is one object stays one."""
        found: dict[int, Tensor] = {}
        for given, width in ((query, self.embed_dim), (key, self.kdim), (value, self.vdim)):
            x = as_tensor(given)
            if x.ndim not in (2, 3) or x.shape[-1] != width:
                axes = "batch, time" if self.batch_first else "time, batch"
                raise ValueError(
                    f"{self._title()} got an input of shape {x.shape}; expected ({axes}, {width}), "
                    f"or (time, {width}) without a batch"
                )
            if x.ndim == 2:
                x = x.unsqueeze(0)
            elif not self.batch_first:
                x = x.swapaxes(0, 1)
            found.setdefault(id(given), x)
        q, k, v = (found[id(given)] for given in (query, key, value))
        if not q.shape[0] == k.shape[0] == v.shape[0] or k.shape[1] != v.shape[1]:
            shapes = ", ".join(str(as_tensor(x).shape) for x in (query, key, value))
            raise ValueError(
                f"{self._title()} got query, key and value of shapes {shapes}; expected one number "
                "of sequences, and as many values as keys"
            )
        return [q, k, v]

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Map queries, keys and values; return each as (batch, heads, time, features)."""
        size, bias = self.embed_dim, self.in_proj_bias
        if query is key is value and hasattr(self, "in_proj_weight"):
            together = linear(query, self.in_proj_weight, bias)
            found = [together[..., k * size : (k + 1) * size] for k in range(3)]
        else:
            weights = self._weights_apart()
            biases = [None if bias is None else bias[k * size : (k + 1) * size] for k in range(3)]
            found = [
                linear(x, w, b)
                for x, w, b in zip((query, key, value), weights, biases, strict=True)
            ]
        split = (self.num_heads, size // self.num_heads)
        return [x.reshape((*x.shape[:2], *split)).swapaxes(1, 2) for x in found]

    def _weights_apart(self) -> list[Any]:
        """Return the weights of the maps of queries, keys and values."""
        size = self.embed_dim
        if hasattr(self, "in_proj_weight"):
            return [self.in_proj_weight[k * size : (k + 1) * size] for k in range(3)]
        return [getattr(self, f"{name}_proj_weight") for name in "qkv"]

    def _masks(
        self,
        query: Tensor,
        key: Tensor,
        key_padding_mask: ArrayLike | None,
        attn_mask: ArrayLike | None,
        single: bool,
    ) -> tuple[Any, Tensor | None]:
        """Return what the masks block and add, for scores of (batch, heads, L, S)."""
        batch, heads, length, _ = query.shape
        keys = key.shape[-2]
        blocked, added = None, None
        if attn_mask is not None:
            mask = as_tensor(attn_mask)
            if mask.shape == (batch * heads, length, keys):
                mask = mask.reshape((batch, heads, length, keys))
            elif mask.shape != (length, keys):
                raise ValueError(
                    f"attn_mask has shape {mask.shape}; expected {(length, keys)} or "
                    f"{(batch * heads, length, keys)}"
                )
            blocked, added = _split(mask, "attn_mask", blocked_is=True)
        if key_padding_mask is not None:
            mask, expected = as_tensor(key_padding_mask), (keys,) if single else (batch, keys)
            if mask.shape != expected:
                raise ValueError(f"key_padding_mask has shape {mask.shape}; expected {expected}")
            mask = mask.reshape((batch, 1, 1, keys))
            blocks, more = _split(mask, "key_padding_mask", blocked_is=True)
            blocked = blocks if blocked is None else blocked | blocks
            if more is not None:
                added = more if added is None else added + more
        return blocked, added

    def multiply_adds(self, inputs: tuple[Any, ...], output: Any) -> int:
        """Count the maps into the heads, and twice each query with each key.

        Keys that are given by keyword count as the queries.
        """
        size, queries = self.embed_dim, output[0].shape
        keys = np.shape(inputs[1]) if len(inputs) > 1 else queries
        steps = keys[1] if self.batch_first and len(keys) == 3 else keys[0]
        maps = math.prod(queries) * size + math.prod(keys[:-1]) * size * (self.kdim + self.vdim)
        return int(maps + 2 * math.prod(queries) * steps)

    def extra_repr(self) -> str:
        """Return the sizes."""
        others = "" if self.kdim == self.vdim == self.embed_dim else f", {self.kdim}, {self.vdim}"
        first = ", batch_first=True" if self.batch_first else ""
        return f"{self.embed_dim}, {self.num_heads}{others}, dropout={self.dropout}{first}"
