"""Discrete Fourier transforms.

Floor: `ops`.  Every transform is linear, and its rule is the transpose: that of fft is fft itself,
and those of the transforms between real and Hermitian arrays are each other, up to a factor of two.
`norm` is the same for a transform and its transpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

from .._typing import Shape
from ..op import op, zeros

Norm: TypeAlias = Literal["backward", "ortho", "forward"] | None
Transpose: TypeAlias = Callable[..., Any]
Step: TypeAlias = tuple[Transpose, Any, int]
"""A transform along one axis of several: its transpose, its n, its axis."""


def _before(axis: int) -> tuple[slice, ...]:
    """Return the index that takes all of the axes before a non-negative one."""
    return (slice(None),) * axis


def _fitted(g: Any, length: int, axis: int) -> Any:
    """Crop or pad with zeros: the transpose of what a transform of n does to its input first."""
    axis %= g.ndim
    size = g.shape[axis]
    if size >= length:
        return g[(*_before(axis), slice(0, length))] if size > length else g
    rest = (*g.shape[:axis], length - size, *g.shape[axis + 1 :])
    return np.concatenate([g, zeros(rest, g.dtype, g)], axis=axis)


def _inner_times(factor: float, g: Any, n: int, axis: int) -> Any:
    """Multiply what stands in half of a Hermitian array for two elements of the whole.

    Those are all but element 0 and, for an even n, the last one.
    """
    axis %= g.ndim
    before, stop = _before(axis), (n + 1) // 2
    parts = [
        g[(*before, slice(0, 1))],
        factor * g[(*before, slice(1, stop))],
        g[(*before, slice(stop, None))],
    ]
    return np.concatenate(parts, axis=axis)


# The transposes take g, the length of the input along the axis, n, the axis and the norm.


def _fft(g: Any, length: int, _n: int, axis: int, norm: Norm) -> Any:
    """fft: its matrix is symmetric."""
    return _fitted(np.fft.fft(g, axis=axis, norm=norm), length, axis)


def _ifft(g: Any, length: int, _n: int, axis: int, norm: Norm) -> Any:
    """ifft, likewise."""
    return _fitted(np.fft.ifft(g, axis=axis, norm=norm), length, axis)


def _rfft(g: Any, length: int, n: int, axis: int, norm: Norm) -> Any:
    """`Re sum_k g_k w**(jk)` over the half that there is: hfft, which counts the inner twice."""
    return _fitted(np.fft.hfft(_inner_times(0.5, g, n, axis), n, axis, norm), length, axis)


def _irfft(g: Any, length: int, n: int, axis: int, norm: Norm) -> Any:
    """ihfft, with the inner elements twice."""
    return _fitted(_inner_times(2.0, np.fft.ihfft(g, n, axis, norm), n, axis), length, axis)


def _hfft(g: Any, length: int, n: int, axis: int, norm: Norm) -> Any:
    """rfft, with the inner elements twice."""
    return _fitted(_inner_times(2.0, np.fft.rfft(g, n, axis, norm), n, axis), length, axis)


def _ihfft(g: Any, length: int, n: int, axis: int, norm: Norm) -> Any:
    """irfft, which counts the inner elements twice."""
    return _fitted(np.fft.irfft(_inner_times(0.5, g, n, axis), n, axis, norm), length, axis)


def _along(transpose: Transpose, half: bool = False) -> Callable[..., Any]:
    """Make the rule of a transform along one axis; its n is 2 (length - 1) if the input is half."""

    def rule(g: Any, _out: Any, _x: Any, *, n: int | None, axis: int, norm: Norm) -> Any:
        length = _x.shape[axis]
        if n is None:
            n = 2 * (length - 1) if half else length
        return transpose(g, length, n, axis, norm)

    rule.__doc__ = transpose.__doc__
    return rule


def _over(steps: Callable[..., list[Step]], half: bool = False) -> Callable[..., Any]:
    """Make the rule of a transform over several axes: the transposes of its steps, backwards.

    `half` is as in `_along`, for the last axis.
    """

    def rule(g: Any, _out: Any, _x: Any, *, s: Any, axes: Any, norm: Norm) -> Any:
        shape = list(_x.shape)
        done = []
        for transpose, n, axis in steps(*_completed(_x.shape, s, axes, half)):
            length = shape[axis]
            if n is None:
                n = 2 * (length - 1) if transpose is _irfft else length
            done.append((transpose, length, n, axis))
            shape[axis] = n // 2 + 1 if transpose is _rfft else n
        for transpose, length, n, axis in reversed(done):
            g = transpose(g, length, n, axis, norm)
        return g

    return rule


def _completed(shape: Shape, s: Any, axes: Any, half: bool) -> tuple[list[Any], list[int]]:
    """Return `s` and `axes` as NumPy completes them; None stands for what one axis alone gets."""
    if axes is None:
        axes = range(-len(shape if s is None else s), 0)
    own = [shape[axis] for axis in axes]
    if s is None:
        return [*own[:-1], None] if half else own, list(axes)
    return [m if n == -1 else n for n, m in zip(s, own, strict=True)], list(axes)


def _fftn_steps(s: list[Any], axes: list[int]) -> list[Step]:
    """The last axis comes first."""
    return [(_fft, n, axis) for n, axis in zip(s[::-1], axes[::-1], strict=True)]


def _ifftn_steps(s: list[Any], axes: list[int]) -> list[Step]:
    """Likewise."""
    return [(_ifft, n, axis) for n, axis in zip(s[::-1], axes[::-1], strict=True)]


def _rfftn_steps(s: list[Any], axes: list[int]) -> list[Step]:
    """The last axis comes first, and is the one whose half is kept."""
    return [(_rfft, s[-1], axes[-1]), *_fftn_steps(s[:-1], axes[:-1])]


def _irfftn_steps(s: list[Any], axes: list[int]) -> list[Step]:
    """The last axis comes last, and is the one of which a half is given."""
    others = zip(s[:-1], axes[:-1], strict=True)
    return [*((_ifft, n, axis) for n, axis in others), (_irfft, s[-1], axes[-1])]


def _own(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Let a transform return memory of its own; over no axes at all NumPy's returns its input."""

    def transform(x: Any, **params: Any) -> Any:
        out = forward(x, **params)
        return np.copy(out) if out is x else out

    return transform


fft = op(np.fft.fft, _along(_fft))
ifft = op(np.fft.ifft, _along(_ifft))
rfft = op(np.fft.rfft, _along(_rfft))
irfft = op(np.fft.irfft, _along(_irfft, half=True))
hfft = op(np.fft.hfft, _along(_hfft, half=True))
ihfft = op(np.fft.ihfft, _along(_ihfft))
fftn = op(_own(np.fft.fftn), _over(_fftn_steps), name="fftn")
ifftn = op(_own(np.fft.ifftn), _over(_ifftn_steps), name="ifftn")
rfftn = op(np.fft.rfftn, _over(_rfftn_steps))
irfftn = op(np.fft.irfftn, _over(_irfftn_steps, half=True))
fftshift = op(np.fft.fftshift, lambda g, _out, _x, *, axes: np.fft.ifftshift(g, axes))
ifftshift = op(np.fft.ifftshift, lambda g, _out, _x, *, axes: np.fft.fftshift(g, axes))
