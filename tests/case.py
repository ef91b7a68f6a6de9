"""What a row of the table in `op_cases.py` is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sample:
    """How to draw one input."""

    draw: Callable[[np.random.Generator, tuple[int, ...]], Any]
    shape: tuple[int, ...]

    def __call__(self, rng: np.random.Generator) -> Any:
        return np.asarray(self.draw(rng, self.shape), dtype=np.float64)


@dataclass(frozen=True)
class Case:
    """One row of the table.

    `function(*inputs, *data)` takes Tensors, and `data` as it is: labels, masks, index arrays.
    `reference` gives the same from ndarrays; `exact` to the bit; `dispatches` says that it can be
    called with Tensors as well, and then it is a second spelling or an independent composition.
    `also` holds more spellings.  `holomorphic`: the reference takes complex numbers, so that the
    complex step judges the gradient.  `order` is up to which derivatives are compared, and
    `stands_in` up to which the rules run on another array type.  `dtypes` are those that NumPy's
    function takes.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[Sample, ...]
    reference: Callable[..., Any]
    also: tuple[Callable[..., Any], ...] = ()
    data: tuple[Any, ...] = ()
    exact: bool = True
    dispatches: bool = True
    holomorphic: bool = False
    elementwise: bool = False
    order: int = 2
    stands_in: int = 2
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")

    def draw(self, seed: int = 0, dtype: Any = np.float64) -> list[Any]:
        """Draw the inputs."""
        rng = np.random.default_rng(seed)
        return [sample(rng).astype(dtype) for sample in self.inputs]

    def reshaped(self, *shapes: tuple[int, ...]) -> Case:
        """Return the case with inputs of other shapes."""
        samples = zip(self.inputs, shapes, strict=True)
        return replace(self, inputs=tuple(replace(s, shape=shape) for s, shape in samples))


def _apart(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Draw numbers that differ from each other, and from all multiples of 0.1, by at least 0.04."""
    steps = rng.permutation(max(1, math.prod(shape)))[: math.prod(shape)]
    return (0.1 * (steps - steps.size // 2) + rng.uniform(0.045, 0.055)).reshape(shape)


def normal(*shape: int) -> Sample:
    return Sample(lambda rng, s: rng.standard_normal(s), shape)


def positive(*shape: int) -> Sample:
    return Sample(lambda rng, s: rng.uniform(0.5, 2.0, s), shape)


def inside(*shape: int) -> Sample:
    """Draw between -1 and 1."""
    return Sample(lambda rng, s: rng.uniform(-0.9, 0.9, s), shape)


def apart(*shape: int) -> Sample:
    """Draw away from ties and from 0, where functions have kinks."""
    return Sample(_apart, shape)


def row(
    name: str,
    function: Callable[..., Any],
    *inputs: Sample,
    reference: Callable[..., Any] | None = None,
    **options: Any,
) -> Case:
    """Make a row, its own reference unless one is given."""
    return Case(name, function, inputs, reference or function, **options)
