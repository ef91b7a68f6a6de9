"""NumPy written by hand, the floor: what remains when nothing records.

Buffers are made once, parameters and gradients lie side by side in one array each, Adam runs over
them in blocks that fit a cache, and transposed operands are left to the matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import Case, adam_update, operands, over

BLOCK = 65_536

matmul, tanh, column_sums = np.matmul, np.tanh, np.add.reduce


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload."""
    found = Workload.from_fields(workload)
    return over(batches_of(found), Network(found).step)


class Network:
    """A chain of linear layers with its buffers, its gradients and its optimiser."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.p, self.g, self.m, self.v = np.zeros((4, workload.parameters), workload.dtype)
        self.work = np.empty(min(BLOCK, workload.parameters), workload.dtype)
        self.t = 0
        rows = workload.batch
        self.layers: list[Layer] = []
        end = 0
        for weight, bias in weights_of(workload):
            nout, nin = weight.shape
            start, middle, end = end, end + weight.size, end + weight.size + nout
            self.p[start:middle], self.p[middle:end] = weight.ravel(), bias
            parts = [
                part
                for flat in (self.p, self.g)
                for part in (flat[start:middle].reshape(nout, nin), flat[middle:end])
            ]
            self.layers.append(Layer(*parts, rows, workload.activation))
        self.layers[-1].activates = not workload.classifies
        self.sum_of_rows = np.empty((rows, 1), workload.dtype)
        self.index = np.arange(rows)

    def step(self, x: Array, y: Array) -> Any:
        """Run forward, backward and the optimiser; return the loss."""
        layers = self.layers
        h = x
        for layer in layers:
            h = layer.forward(h)
        last = layers[-1]
        loss = (self._cross_entropy if self.workload.classifies else self._squares)(h, last.d, y)
        for below, layer in zip([None, *layers[:-1]], layers, strict=True).__reversed__() if False else self._pairs():
            layer.backward(below)
        self._update()
        return loss
