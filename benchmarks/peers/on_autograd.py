"""HIPS autograd: its gradients, and Adam on arrays."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import PRODUCTS, Adam, Case, operands, over, product, vectors

autograd: Any = importlib.import_module("autograd")
anp: Any = importlib.import_module("autograd.numpy")
getval: Any = importlib.import_module("autograd.tracer").getval


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload."""
    found = Workload.from_fields(workload)
    # (in, out) as the framework's own examples have it.
    parameters = [part for w, b in weights_of(found) for part in (w.T.copy(), b)]
    loss_and_gradients = autograd.value_and_grad(loss_of(found))
    adam = Adam(parameters, found.lr)

    def step(x: Array, y: Array) -> Any:
        loss, gradients = loss_and_gradients(parameters, x, y)
        if found.optimizer == "adam":
            adam.step(gradients)
        else:
            for p, g in zip(parameters, gradients, strict=True):
                p -= found.lr * g
        return loss

    return over(batches_of(found), step)


def loss_of(workload: Workload) -> Callable[[list[Any], Array, Array], Any]:
    """Return the loss as a function of parameters and batch."""
    activation = anp.tanh if workload.activation == "tanh" else lambda h: anp.maximum(h, 0)

    def logits_of(parameters: list[Any], x: Array) -> Any:
        h: Any = x
        for i in range(0, len(parameters), 2):
            h = anp.dot(h, parameters[i]) + parameters[i + 1]
            if i + 2 < len(parameters) or not workload.classifies:
                h = activation(h)
        return h

    def cross_entropy(parameters: list[Any], x: Array, y: Array) -> Any:
        logits = logits_of(parameters, x)
        logits = logits - getval(logits).max(axis=1, keepdims=True)
        picked = logits[anp.arange(len(y)), y]
        return anp.mean(anp.log(anp.sum(anp.exp(logits), axis=1)) - picked)

    def squares(parameters: list[Any], x: Array, y: Array) -> Any:
        errors = logits_of(parameters, x)[:, 0] - y
        total = anp.sum(errors**2)
        return total / len(y) if workload.loss == "mean of squares" else total

    return cross_entropy if workload.classifies else squares


def multiply() -> Case:
    """Multiply small matrices, and differentiate the products."""
    x, w = operands()
    gradient = autograd.grad(lambda both: anp.sum(product(both[0], both[1], PRODUCTS)))

    def run(n: int) -> Any:
        for _ in range(n // PRODUCTS):
            found = gradient((x, w))
        return found[1].sum()

    return run


def chain() -> Case:
    """Differentiate one long product of small vectors."""
    x, w = vectors()

    def run(n: int) -> Any:
        return autograd.grad(lambda both: anp.sum(product(both[0], both[1], n)))((x, w))[1].sum()

    return run
