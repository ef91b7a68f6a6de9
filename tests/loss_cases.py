"""One table of losses with their options: what NumPy says of each, for the tests that use it.

`inputs` record and are drawn anew; `data` are constants.  `formula` gives one loss per row or
element, and `share` what each counts for in a mean: 1 unless weights say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.nn import functional as F

Array = Any


@dataclass(frozen=True)
class LossCase:
    """A loss with options; `theirs` are PyTorch's options, where they differ."""

    name: str
    inputs: Callable[[np.random.Generator], list[Array]]
    formula: Callable[..., Array]
    data: tuple[Array, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)
    share: Callable[..., Array] = lambda losses: np.ones_like(losses)
    reductions: tuple[str, ...] = ("mean", "sum", "none")

    @property
    def function(self) -> str:
        """The name that both frameworks have."""
        return self.name.split()[0]

    def __call__(self, *inputs: Any, reduction: str = "mean") -> Any:
        """Apply the loss."""
        return getattr(F, self.function)(*inputs, *self.data, reduction=reduction, **self.options)

    def draw(self, dtype: Any = np.float64) -> list[Array]:
        """Draw the inputs."""
        return [array.astype(dtype) for array in self.inputs(np.random.default_rng(0))]

    def expected(self, inputs: list[Array], reduction: str) -> Array:
        """Return what NumPy says."""
        losses = self.formula(*inputs, *self.data)
        if reduction == "none":
            return losses
        if reduction == "batchmean":
            return losses.sum() / len(losses)
        return losses.sum() / (self.share(losses).sum() if reduction == "mean" else 1)


def normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], list[Array]]:
    return lambda rng: [rng.normal(size=shape) for shape in shapes]


def uniform(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], list[Array]]:
    return lambda rng: [rng.uniform(0.05, 0.95, shape) for shape in shapes]


def log_softmax(x: Array) -> Array:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def picked(x: Array, labels: Array) -> Array:
    return np.take_along_axis(x, labels[..., None], -1)[..., 0]


LABELS = np.array([0, 2, 1, 1, 3])
SOME = np.array([0, 2, -1, 1, -1])
KEPT = (SOME >= 0).astype(float)
WEIGHT = np.array([0.5, 2.0, 1.0, 0.0])
DRAWN = np.random.default_rng(1)
SOFT = DRAWN.dirichlet(np.ones(4), 5)
MAYBE = DRAWN.random((5, 3))
TARGET = DRAWN.normal(size=(5, 3))
COLUMN = np.array([0.25, 3.0, 1.0])


def smoothed(x: Array, labels: Array, weight: Array, kept: Array, e: float) -> Array:
    """Return the loss by the distribution that it compares with, written out."""
    target = (1 - e) * np.eye(4)[labels] * weight[labels][:, None] + e / 4 * weight
    return -kept * (target * log_softmax(x)).sum(-1)


def huber(d: Array, delta: float) -> Array:
    small = np.abs(d) <= delta
    return np.where(small, d**2 / 2, delta * (np.abs(d) - delta / 2))


def distance(x: Array, y: Array, p: float, eps: float = 1e-6) -> Array:
    return (np.abs(x - y + eps) ** p).sum(-1) ** (1 / p)


def bce_logits(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the parts of yes and of no."""
    return -y * -np.log1p(np.exp(-x)), -(1 - y) * -np.log1p(np.exp(x))


ROWS = normal((5, 4))
CE, NLL = "cross_entropy", "nll_loss"
BCE, LOGITS = "binary_cross_entropy", "binary_cross_entropy_with_logits"

CASES = [
    LossCase(CE, ROWS, lambda x, y: -picked(log_softmax(x), y), (LABELS,)),
    LossCase(f"{CE} weight", ROWS, lambda x, y: -WEIGHT[y] * picked(log_softmax(x), y), (LABELS,),
             {"weight": WEIGHT}, share=lambda _: WEIGHT[LABELS]),
    LossCase(f"{CE} ignore", ROWS, lambda x, y: -KEPT * picked(log_softmax(x), abs(y)), (SOME,),
             {"ignore_index": -1}, share=lambda _: KEPT),
    LossCase(f"{CE} smoothing", ROWS, lambda x, y: smoothed(x, y, np.ones(4), 1, 0.2), (LABELS,),
             {"label_smoothing": 0.2}),
    LossCase(f"{CE} all", ROWS, lambda x, y: smoothed(x, abs(y), WEIGHT, KEPT, 0.1), (SOME,),
             {"weight": WEIGHT, "ignore_index": -1, "label_smoothing": 0.1},
             share=lambda _: WEIGHT[abs(SOME)] * KEPT),
    LossCase(f"{CE} probabilities", ROWS, lambda x, y: -(y * log_softmax(x)).sum(-1), (SOFT,)),
    LossCase(f"{CE} probabilities all", ROWS,
             lambda x, y: -(WEIGHT * (0.7 * y + 0.3 / 4) * log_softmax(x)).sum(-1), (SOFT,),
             {"weight": WEIGHT, "label_smoothing": 0.3}),
    LossCase(NLL, ROWS, lambda x, y: -picked(x, y), (LABELS,)),
    LossCase(f"{NLL} all", ROWS, lambda x, y: -KEPT * WEIGHT[abs(y)] * picked(x, abs(y)), (SOME,),
             {"weight": WEIGHT, "ignore_index": -1}, share=lambda _: WEIGHT[abs(SOME)] * KEPT),
    LossCase("kl_div", ROWS, lambda x, y: y * (np.log(y) - x), (SOFT,),
             reductions=("mean", "sum", "none", "batchmean")),
    LossCase("kl_div log", lambda rng: [rng.normal(size=(5, 4)), np.log(SOFT)],
             lambda x, y: np.exp(y) * (y - x), options={"log_target": True},
             reductions=("mean", "sum", "none", "batchmean")),
    LossCase("kl_div target", lambda rng: [rng.normal(size=(5, 4)), rng.dirichlet(np.ones(4), 5)],
             lambda x, y: y * (np.log(y) - x)),
    LossCase(BCE, uniform((5, 3), (5, 3)), lambda p, y: -y * np.log(p) - (1 - y) * np.log(1 - p)),
    LossCase(f"{BCE} weight", uniform((5, 3)),
             lambda p, y: COLUMN * (-y * np.log(p) - (1 - y) * np.log(1 - p)), (MAYBE,),
             {"weight": COLUMN}),
    LossCase(LOGITS, normal((5, 3)), lambda x, y: sum(bce_logits(x, y)), (MAYBE,)),
    LossCase(f"{LOGITS} weight", normal((5, 3)), lambda x, y: COLUMN * sum(bce_logits(x, y)),
             (MAYBE,), {"weight": COLUMN}),
    LossCase(f"{LOGITS} both", normal((5, 3)),
             lambda x, y: COLUMN * np.tensordot([2.0, 1.0], bce_logits(x, y), 1), (MAYBE,),
             {"weight": COLUMN, "pos_weight": np.array(2.0)}),
    LossCase("mse_loss", normal((5, 3), (5, 3)), lambda x, y: (x - y) ** 2),
    LossCase("l1_loss", normal((5, 3), (5, 3)), lambda x, y: np.abs(x - y)),
    LossCase("smooth_l1_loss", normal((5, 3)), lambda x, y: huber(x - y, 1.0), (TARGET,)),
    LossCase("smooth_l1_loss beta", normal((5, 3), (5, 3)),
             lambda x, y: huber(x - y, 0.7) / 0.7, options={"beta": 0.7}),
    LossCase("smooth_l1_loss zero", normal((5, 3)), lambda x, y: np.abs(x - y), (TARGET,),
             {"beta": 0.0}),
    LossCase("huber_loss", normal((5, 3), (5, 3)), lambda x, y: huber(x - y, 1.0)),
    LossCase("huber_loss delta", normal((5, 3)), lambda x, y: huber(x - y, 0.4), (TARGET,),
             {"delta": 0.4}),
    LossCase("gaussian_nll_loss", uniform((5, 3), (5, 3), (5, 3)),
             lambda m, y, v: (np.log(v) + (y - m) ** 2 / v) / 2),
    LossCase("gaussian_nll_loss full", uniform((5, 3), (5, 3), (5, 3)),
             lambda m, y, v: (np.log(2 * np.pi * v) + (y - m) ** 2 / v) / 2,
             options={"full": True}),
    LossCase("triplet_margin_loss", normal((5, 3), (5, 3), (5, 3)),
             lambda a, p, n: np.maximum(0, distance(a, p, 2) - distance(a, n, 2) + 1)),
    LossCase("triplet_margin_loss all", normal((5, 3), (5, 3), (5, 3)),
             lambda a, p, n: np.maximum(0, distance(a, p, 3) + 0.5 - np.minimum(
                 distance(a, n, 3), distance(p, n, 3))),
             options={"margin": 0.5, "p": 3.0, "swap": True}),
]  # fmt: skip
