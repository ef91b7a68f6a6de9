"""The networks whose training steps are timed: sizes, weights, batches.

Knows NumPy alone, so that every peer starts from the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Batch: TypeAlias = tuple[Array, Array]

# The constants of Adam, the same for all.
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Workload:
    """A network of linear layers, its data and its optimiser."""

    name: str
    nin: int
    nouts: tuple[int, ...]
    activation: Literal["tanh", "relu"]
    batch: int
    loss: Literal["sum of squares", "mean of squares", "cross entropy"]
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 1e-3
    dtype: str = "float32"
    batches: int = 16

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Workload:
        """Make a workload from its fields as JSON has them."""
        return cls(**{**fields, "nouts": tuple(fields["nouts"])})

    @property
    def classifies(self) -> bool:
        """Whether the last layer gives logits; if not it has the activation too."""
        return self.loss == "cross entropy"

    @property
    def widths(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer."""
        return list(zip((self.nin, *self.nouts), self.nouts, strict=False))

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return sum(nin * nout + nout for nin, nout in self.widths)


WORKLOADS = (
    Workload("seed", 3, (4, 4, 1), "tanh", 4, "sum of squares", "sgd", lr=0.05, dtype="float64"),
    Workload("moons", 2, (16, 16, 1), "tanh", 100, "mean of squares"),
    Workload("digits", 64, (128, 64, 10), "relu", 64, "cross entropy"),
    Workload("mnist", 784, (512, 256, 10), "relu", 128, "cross entropy"),
    Workload("wide", 784, (1024, 1024, 10), "relu", 1024, "cross entropy"),
    Workload("wide-tanh", 784, (1024, 1024, 10), "tanh", 1024, "cross entropy"),
)


def weights_of(workload: Workload) -> Iterator[Batch]:
    """Yield weight, of shape (out, in), and bias of each layer."""
    rng = np.random.default_rng(1)
    for nin, nout in workload.widths:
        bound = 1 / math.sqrt(nin)
        weight = rng.uniform(-bound, bound, (nout, nin)).astype(workload.dtype)
        yield weight, rng.uniform(-bound, bound, nout).astype(workload.dtype)


def batches_of(workload: Workload) -> list[Batch]:
    """Return the batches that are taken in turn: different ones, so that no loss collapses."""
    rng = np.random.default_rng(2)
    make = _noise if workload.classifies else _moons
    if workload.name == "seed":
        make = _four_samples
    return [make(workload, rng) for _ in range(workload.batches)]


def _four_samples(workload: Workload, rng: np.random.Generator) -> Batch:
    """The samples that micrograd's lesson trains on, in some order."""
    x = np.array([[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]])
    y = np.array([1.0, -1.0, -1.0, 1.0])
    order = rng.permutation(4)
    return x[order].astype(workload.dtype), y[order].astype(workload.dtype)


def _moons(workload: Workload, rng: np.random.Generator) -> Batch:
    """Two half circles that reach into each other."""
    y = rng.choice([-1.0, 1.0], workload.batch)
    angle = rng.uniform(0, np.pi, workload.batch)
    x = np.stack([y * np.cos(angle) + 0.5 * (y < 0), y * np.sin(angle) + 0.25 * (y < 0)], 1)
    x += rng.normal(0, 0.1, x.shape)
    return x.astype(workload.dtype), y.astype(workload.dtype)


def _noise(workload: Workload, rng: np.random.Generator) -> Batch:
    """Noise with labels at random: dense products take the same time whatever they multiply."""
    x = rng.standard_normal((workload.batch, workload.nin), dtype=np.dtype(workload.dtype).type)
    return x, rng.integers(0, workload.nouts[-1], workload.batch)
