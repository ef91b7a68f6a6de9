"""Embedding: a table of vectors, looked up by number.

Floor: nn.  May import `numpy_api` and the floors below it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import ArrayLike, DTypeLike, SeedLike
from ..checks import as_count
from ..handle import to_array
from ..numpy_api import where
from ..random import as_generator
from ..tensor import Tensor, as_tensor
from .layers import floating
from .module import Module


def embedding(indices: ArrayLike, weight: ArrayLike, padding_idx: int | None = None) -> Tensor:
    """Look up rows of a table: `weight[indices]`.

    The gradients of a row that is named more than once add up.

    Parameters
    ----------
    indices
        Integers from 0 to rows - 1, of shape (...).
    weight
        Of shape (rows, columns).
    padding_idx
        The number of a row that gets no gradient; negative ones count from the end.

    Returns
    -------
    Tensor
        Of shape (..., columns).

    Raises
    ------
    IndexError
        If an index is no row.  Negative ones are none: they would name rows from the end.
    TypeError
        If the indices are no integers.
    ValueError
        If `weight` has not two axes, or `padding_idx` is no row.

    Examples
    --------
    >>> embedding([[1, 0]], [[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[[3.0, 4.0], [1.0, 2.0]]]
    """
    table, chosen = as_tensor(weight), to_array(indices, "indices")
    if table.ndim != 2:
        raise ValueError(f"weight has shape {table.shape}; expected (rows, columns)")
    padding_idx = _padding(padding_idx, len(table))
    _check_indices(chosen, len(table))
    out = table[chosen]
    if padding_idx is None:
        return out
    learned: Tensor = where(np.expand_dims(chosen != padding_idx, -1), out, out.detach())
    return learned


def _padding(padding_idx: int | None, rows: int) -> int | None:
    """Return the number of the padding row, counted from the start."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx is {padding_idx}; expected {-rows} to {rows - 1}, or None")
    return padding_idx % rows


def _check_indices(indices: Any, rows: int) -> None:
    """Raise unless all of these are numbers of rows."""
    if indices.dtype.kind not in "iu":
        raise TypeError(
            f"the indices of an embedding have dtype {indices.dtype}; expected integers: use "
            "indices.astype(int)"
        )
    # As an unsigned number -1 is larger than any row, so that one look covers both bounds.
    if indices.size and indices.view(f"u{indices.itemsize}").max() >= rows:
        bad = indices[(indices < 0) | (indices >= rows)][0]
        raise IndexError(f"an index is {bad}, but there are {rows} rows: expected 0 to {rows - 1}")


class Embedding(Module):
    """A vector to learn for each of a number of things, such as the letters of a text.

    At first they are drawn from the standard normal distribution, as in PyTorch.

    Parameters
    ----------
    num_embeddings
        How many things there are.
    embedding_dim
        The length of a vector.
    padding_idx
        The number of a thing whose vector is zero at first and gets no gradient: for the ends of
        sequences that are shorter than others of their batch.
    dtype
        Of the vectors; None for the default dtype.
    rng
        The generator that the initial values are drawn from.

    Attributes
    ----------
    weight : Tensor
        Of shape (num_embeddings, embedding_dim).

    Raises
    ------
    TypeError, ValueError
        If a length is no positive integer, `padding_idx` is no row, or `dtype` is not floating.

    Examples
    --------
    >>> layer = Embedding(5, 3, padding_idx=0, rng=0)
    >>> layer([[4, 0]]).shape
    (1, 2, 3)
    >>> layer([0]).tolist()
    [[0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: DTypeLike = None,
        rng: SeedLike = None,
    ) -> None:
        self.num_embeddings = as_count("num_embeddings", num_embeddings)
        self.embedding_dim = as_count("embedding_dim", embedding_dim)
        self.padding_idx = _padding(padding_idx, self.num_embeddings)
        dtype = floating(dtype)
        drawn = as_generator(rng).standard_normal((self.num_embeddings, self.embedding_dim))
        if self.padding_idx is not None:
            drawn[self.padding_idx] = 0
        self.weight = Tensor(drawn, dtype=dtype, label="weight")

    def forward(self, indices: ArrayLike) -> Tensor:
        """Apply `embedding`: (...) to (..., embedding_dim)."""
        return embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the size of the table."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
