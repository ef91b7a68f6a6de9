"""Normalisation: layers that bring their input to mean 0 and variance 1.

Floor: nn.  May import `numpy_api` and the floors below it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._typing import ArrayLike, DTypeLike
from ..tensor import Tensor, as_tensor
from .layers import floating
from .module import Module


class LayerNorm(Module):
    """`(x - mean) / sqrt(var + eps) * weight + bias` over the last axes of each sample.

    Ba, Kiros and Hinton, "Layer normalization" (2016).

    Parameters
    ----------
    normalized_shape
        The lengths of the last axes, or of the last one.
    eps
        Keeps the division finite.
    elementwise_affine, bias
        Whether there are a weight and a bias.
    dtype
        Of the parameters; None for the default dtype.

    Examples
    --------
    >>> LayerNorm(2)([1.0, 3.0]).data.round(3).tolist()
    [-1.0, 1.0]
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
        several = isinstance(normalized_shape, Sequence)
        self.normalized_shape = tuple(normalized_shape) if several else (normalized_shape,)  # type: ignore[arg-type]
        self.eps = eps
        dtype = floating(dtype)
        shape = self.normalized_shape
        self.weight = Tensor(np.ones(shape), dtype=dtype) if elementwise_affine else None
        self.bias = Tensor(np.zeros(shape), dtype=dtype) if elementwise_affine and bias else None

    def forward(self, x: ArrayLike) -> Tensor:
        """Normalise."""
        x = as_tensor(x)
        axes = tuple(range(-len(self.normalized_shape), 0))
        centred = x - x.mean(axis=axes, keepdims=True)
        out: Tensor = (
            centred / (np.square(centred).mean(axis=axes, keepdims=True) + self.eps).sqrt()
        )
        out = out if self.weight is None else out * self.weight
        return out if self.bias is None else out + self.bias
