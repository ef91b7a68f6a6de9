"""tensorgrad, eager, through its public names."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import tensorgrad as tg
from tensorgrad import backprop

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import EXPRESSION, FORWARD, PRODUCTS, Case, expression, operands, over, product, vectors


def multiply() -> Case:
    """Multiply small matrices, and differentiate the products."""
    x, w = (tg.Tensor(a) for a in operands())

    def run(n: int) -> Any:
        for _ in range(n // PRODUCTS):
            x.zero_grad()
            w.zero_grad()
            product(x, w, PRODUCTS).sum().backward()
        return w.grad.sum()

    return run


def chain() -> Case:
    """Differentiate one long product of small vectors."""
    x, w = (tg.Tensor(a) for a in vectors())

    def run(n: int) -> Any:
        x.zero_grad()
        w.zero_grad()
        product(x, w, n).sum().backward()
        return w.grad.sum()

    return run


def scalars() -> Case:
    """Differentiate a scalar expression."""

    def run(n: int) -> Any:
        for _ in range(n // EXPRESSION):
            x, y = tg.Value(0.3), tg.Value(-0.7)
            expression(x, y).backward()
        return x.grad

    return run


def forward(op: str, recording: bool = True) -> Case:
    """Apply one operation to small tensors."""
    loop = FORWARD[op](*(tg.Tensor(a) for a in operands()))

    def run(n: int) -> Any:
        with contextlib.nullcontext() if recording else tg.no_grad():
            return loop(n)

    return run
