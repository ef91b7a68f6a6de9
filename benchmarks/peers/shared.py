"""What several peers use: loops over batches and over small operations, Adam on arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..workloads import BETA1, BETA2, EPS, Array, Batch

Case: TypeAlias = Callable[[int], Any]

# Operations in one expression, so that starting a backward pass does not count.
PRODUCTS = 100


def over(batches: Sequence[Batch], step: Callable[[Array, Array], Any]) -> Case:
    """Return a case that takes the batches in turn, and ends with the loss of the last step."""
    turns = itertools.cycle(batches)

    def run(n: int) -> Any:
        loss: Any = 0.0
        for x, y in itertools.islice(turns, n):
            loss = step(x, y)
        return loss

    return run


def operands(size: int = 32) -> tuple[Array, Array]:
    """Return two small matrices of float32 with elements close to 1."""
    rng = np.random.default_rng(3)
    x, w = rng.uniform(0.99, 1.01, (2, size, size)).astype(np.float32)
    return x, w


def vectors() -> tuple[Array, Array]:
    """Return two vectors of 10 elements, so close to 1 that a long product stays finite."""
    x, w = 1 + np.random.default_rng(4).uniform(-1e-6, 1e-6, (2, 10))
    return x, w


def product(x: Any, w: Any, length: int) -> Any:
    """Multiply `x` by `w` again and again."""
    for _ in range(length):
        x = x * w
    return x


# Loops over one operation, whoever the operands belong to: a call in between would hide a part of
# what is compared.


def _adds(x: Any, w: Any) -> Case:
    def run(n: int) -> Any:
        for _ in range(n):
            out = x + w
        return out.sum()

    return run


def _multiplies(x: Any, w: Any) -> Case:
    def run(n: int) -> Any:
        for _ in range(n):
            out = x * w
        return out.sum()

    return run


def _matmuls(x: Any, w: Any) -> Case:
    def run(n: int) -> Any:
        for _ in range(n):
            out = x @ w
        return out.sum()

    return run


def _sums(x: Any, _w: Any) -> Case:
    def run(n: int) -> Any:
        for _ in range(n):
            out = x.sum()
        return out

    return run


def _tanhs(x: Any, _w: Any) -> Case:
    def run(n: int) -> Any:
        for _ in range(n):
            out = x.tanh()
        return out.sum()

    return run


def _numpy_tanhs(x: Any, _w: Any) -> Case:
    def run(n: int) -> Any:
        for _ in range(n):
            out = np.tanh(x)
        return out.sum()

    return run


FORWARD = {
    "x + y": _adds,
    "x * y": _multiplies,
    "x @ y": _matmuls,
    "x.sum()": _sums,
    "x.tanh()": _tanhs,
    "np.tanh(x)": _numpy_tanhs,
}

EXPRESSION = 13 * 10


def expression(x: Any, y: Any) -> Any:
    """Return a scalar expression of `EXPRESSION` operations, with numbers on either side."""
    for _ in range(10):
        u = 0.5 * x + y * 0.25
        v = (u * x + 1.0) ** 2
        w = (0.2 * v + u + -0.1).relu()
        x, y = 1.0 + 0.1 * w, u * 0.5
    return x


class Adam:
    """Adam on arrays, in place, for frameworks that bring no optimiser."""

    def __init__(self, parameters: Sequence[Array], lr: float) -> None:
        self.lr = lr
        self.parameters = parameters
        self.moments = [(np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in parameters]
        self.t = 0

    def step(self, gradients: Sequence[Array]) -> None:
        """Update every parameter by its gradient."""
        self.t += 1
        for p, g, (m, v, work) in zip(self.parameters, gradients, self.moments, strict=True):
            adam_update(p, g, m, v, work, self.lr, self.t)


def adam_update(p: Array, g: Array, m: Array, v: Array, work: Array, lr: float, t: int) -> None:
    """Update one array: 13 calls of NumPy, none of which allocates.

    Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1.
    """
    np.multiply(m, BETA1, out=m)
    np.multiply(g, 1 - BETA1, out=work)
    np.add(m, work, out=m)
    np.multiply(v, BETA2, out=v)
    np.multiply(g, g, out=work)
    np.multiply(work, 1 - BETA2, out=work)
    np.add(v, work, out=v)
    np.sqrt(v, out=work)
    np.multiply(work, (1 - BETA2**t) ** -0.5, out=work)
    np.add(work, EPS, out=work)
    np.divide(m, work, out=work)
    np.multiply(work, lr / (1 - BETA1**t), out=work)
    np.subtract(p, work, out=p)
