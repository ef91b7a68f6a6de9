"""MyGrad; with its guard of memory off, as its documentation advises for speed."""

from __future__ import annotations

import importlib
from typing import Any

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import PRODUCTS, Adam, Case, operands, over, product, vectors

mg: Any = importlib.import_module("mygrad")
relu: Any = importlib.import_module("mygrad.nnet.activations").relu
softmax_crossentropy: Any = importlib.import_module("mygrad.nnet.losses").softmax_crossentropy

mg.turn_memory_guarding_off()


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload; the framework has no Adam, so it is the one on arrays."""
    found = Workload.from_fields(workload)
    # (in, out), as a transposed view costs an operation here.
    parameters = [mg.tensor(part) for w, b in weights_of(found) for part in (w.T.copy(), b)]
    arrays = [p.data for p in parameters]
    adam = Adam(arrays, found.lr)
    activation = mg.tanh if found.activation == "tanh" else relu

    def loss_of(x: Array, y: Array) -> Any:
        h: Any = x
        for i in range(0, len(parameters), 2):
            h = mg.matmul(h, parameters[i]) + parameters[i + 1]
            if i + 2 < len(parameters) or not found.classifies:
                h = activation(h)
        if found.classifies:
            return softmax_crossentropy(h, y)
        total = mg.sum(mg.square(h[:, 0] - y))
        return total / len(y) if found.loss == "mean of squares" else total

    def step(x: Array, y: Array) -> Any:
        loss = loss_of(x, y)
        loss.backward()
        if found.optimizer == "adam":
            adam.step([p.grad for p in parameters])
        else:
            for array, p in zip(arrays, parameters, strict=True):
                array -= found.lr * p.grad
        return loss

    return over(batches_of(found), step)


def multiply() -> Case:
    """Multiply small matrices, and differentiate the products."""
    x, w = (mg.tensor(a) for a in operands())

    def run(n: int) -> Any:
        for _ in range(n // PRODUCTS):
            mg.sum(product(x, w, PRODUCTS)).backward()
        return w.grad.sum()

    return run


def chain() -> Case:
    """Differentiate one long product of small vectors."""
    x, w = (mg.tensor(a) for a in vectors())

    def run(n: int) -> Any:
        mg.sum(product(x, w, n)).backward()
        return w.grad.sum()

    return run
