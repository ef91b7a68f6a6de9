"""micrograd: one Value per number, so only what is tiny."""

from __future__ import annotations

import importlib
import math
from typing import Any

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import EXPRESSION, Case, expression, over

Value: Any = importlib.import_module("micrograd.engine").Value


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, which the package lacks, in the way of its own operations."""
    out = Value(math.tanh(x.data), (x,), "tanh")

    def backward() -> None:
        x.grad += (1 - out.data**2) * out.grad

    out._backward = backward
    return out


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload by gradient descent."""
    found = Workload.from_fields(workload)
    layers = [
        [([Value(w) for w in row], Value(b)) for row, b in zip(*part, strict=True)]
        for part in ((w.tolist(), b.tolist()) for w, b in weights_of(found))
    ]
    parameters = [p for layer in layers for row, b in layer for p in (*row, b)]

    def predicted(sample: list[Any]) -> Any:
        for layer in layers:
            sample = [
                tanh(sum((w * x for w, x in zip(row, sample, strict=True)), b)) for row, b in layer
            ]
        return sample[0]

    def step(x: Array, y: Array) -> Any:
        pairs = zip(x.tolist(), y.tolist(), strict=True)
        loss = sum((predicted(sample) - target) ** 2 for sample, target in pairs)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= found.lr * p.grad
        return loss.data

    return over(batches_of(found), step)


def scalars() -> Case:
    """Differentiate a scalar expression."""

    def run(n: int) -> Any:
        for _ in range(n // EXPRESSION):
            x, y = Value(0.3), Value(-0.7)
            expression(x, y).backward()
        return x.grad

    return run
