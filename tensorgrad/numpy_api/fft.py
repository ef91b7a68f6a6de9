"""Discrete Fourier transforms: `numpy.fft`.

Floor: `numpy_api`.  NumPy checks the arguments, in the forwards of the ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .._typing import ArrayLike
from ..op import Op
from ..ops import fft as fft_ops
from ..tensor import Tensor, apply
from .table import implements, no_gradient

Axes: TypeAlias = int | Sequence[int] | None


def _tuple(sizes: Axes) -> Any:
    """Return a sequence as a tuple, as static parameters are, and anything else as it is."""
    return tuple(sizes) if np.iterable(sizes) else sizes


def _register_along(numpy_function: Any, op: Op) -> None:
    """Let an op stand for a transform along one axis."""

    @implements(numpy_function)
    def transform(
        a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None
    ) -> Tensor:
        return apply(op, a, n=n, axis=axis, norm=norm)

    transform.__doc__ = f"Apply `numpy.fft.{op.name}`."


def _register_over(numpy_function: Any, op: Op, usual_axes: tuple[int, int] | None) -> None:
    """Let an op stand for a transform over several axes."""

    @implements(numpy_function)
    def transform(
        a: ArrayLike, s: Axes = None, axes: Axes = usual_axes, norm: str | None = None
    ) -> Tensor:
        return apply(op, a, s=_tuple(s), axes=_tuple(axes), norm=norm)

    transform.__doc__ = f"Apply `numpy.fft.{numpy_function.__name__}`."


def _register_shift(numpy_function: Any, op: Op) -> None:
    """Let an op stand for a shift."""

    @implements(numpy_function)
    def shift(x: ArrayLike, axes: Axes = None) -> Tensor:
        return apply(op, x, axes=_tuple(axes))

    shift.__doc__ = f"Apply `numpy.fft.{op.name}`."


_register_along(np.fft.fft, fft_ops.fft)
_register_along(np.fft.ifft, fft_ops.ifft)
_register_along(np.fft.rfft, fft_ops.rfft)
_register_along(np.fft.irfft, fft_ops.irfft)
_register_along(np.fft.hfft, fft_ops.hfft)
_register_along(np.fft.ihfft, fft_ops.ihfft)
_register_over(np.fft.fft2, fft_ops.fftn, (-2, -1))
_register_over(np.fft.ifft2, fft_ops.ifftn, (-2, -1))
_register_over(np.fft.rfft2, fft_ops.rfftn, (-2, -1))
_register_over(np.fft.irfft2, fft_ops.irfftn, (-2, -1))
_register_over(np.fft.fftn, fft_ops.fftn, None)
_register_over(np.fft.ifftn, fft_ops.ifftn, None)
_register_over(np.fft.rfftn, fft_ops.rfftn, None)
_register_over(np.fft.irfftn, fft_ops.irfftn, None)
_register_shift(np.fft.fftshift, fft_ops.fftshift)
_register_shift(np.fft.ifftshift, fft_ops.ifftshift)
no_gradient(np.fft.fftfreq, np.fft.rfftfreq)
