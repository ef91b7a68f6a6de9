"""Convolution and pooling as loops over the windows, in any number of dimensions: the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np


def windows(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Iterator[tuple[tuple[int, ...], list[tuple[tuple[int, ...], tuple[int, ...]]]]]:
    """Yield each window, and of its places those inside the array: place and element."""
    counts = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    for window in itertools.product(*map(range, counts)):
        inside = []
        for place in itertools.product(*map(range, kernel)):
            element = tuple(
                o * s + k * d - p
                for o, s, k, d, p in zip(window, stride, place, dilation, padding, strict=True)
            )
            if all(0 <= e < n for e, n in zip(element, size, strict=True)):
                inside.append((place, element))
        yield window, inside


def convolved(x: Any, weight: Any, how: Sequence[Sequence[int]], groups: int = 1) -> Any:
    """Convolve (batch, channels, *size) with (out, channels / groups, *kernel)."""
    inputs, outputs = weight.shape[1], weight.shape[0] // groups
    found = {}
    for window, inside in windows(x.shape[2:], weight.shape[2:], *how):
        total = np.zeros((len(x), weight.shape[0]), np.result_type(x, weight))
        for out in range(weight.shape[0]):
            first = out // outputs * inputs
            for place, element in inside:
                part = x[(slice(None), slice(first, first + inputs), *element)]
                total[:, out] += part @ weight[(out, slice(None), *place)]
        found[window] = total
    return _filled(found)


def pooled(x: Any, reduce: Callable[..., Any], how: Sequence[Sequence[int]]) -> Any:
    """Reduce the elements of each window of the last axes of `x`; `how` begins with the kernel."""
    return _filled(
        {
            window: reduce(np.stack([x[(..., *element)] for _, element in inside]), axis=0)
            for window, inside in windows(x.shape[-len(how[0]) :], *how)
        }
    )


def _filled(found: dict[tuple[int, ...], Any]) -> Any:
    """Lay out what was found for each window along new last axes."""
    one = next(iter(found.values()))
    result = np.empty((*one.shape, *(i + 1 for i in max(found))), one.dtype)
    for window, value in found.items():
        result[(..., *window)] = value
    return result
