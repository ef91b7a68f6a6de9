"""NumPy written by hand, the floor: what remains when nothing records.

Samples are columns, so that a bias is added and classes are summed along memory.  Buffers are made
once, parameters and gradients lie side by side in one array each, elementwise chains and Adam run
in blocks that fit a cache, transposed operands are left to the product, and each call that needs
nothing of the batch is bound to its buffers before the first step.  `np.dot` costs half a
microsecond less than `np.matmul`, and an array of no dimensions less than a Python number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import FORWARD, Adam, Case, operands, over

BLOCK = 65_536
Call: TypeAlias = Callable[[], Any]


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload."""
    found = Workload.from_fields(workload)
    return over(batches_of(found), Network(found).step)


class Layer:
    """A linear layer and its activation: the buffers of both directions, and calls on them."""

    def __init__(
        self, parameters: tuple[Array, Array], gradients: tuple[Array, Array], columns: int
    ) -> None:
        self.weight, self.bias = weight, bias = parameters
        self.g_weight, self.g_bias = gradients
        self.out, self.d, self.work = np.empty((3, bias.size, columns), weight.dtype)
        self.mask = np.empty(self.out.shape, np.bool_)
        self.ones = np.ones(columns, weight.dtype)
        step = max(1, BLOCK // columns)
        self.cuts = [slice(start, start + step) for start in range(0, bias.size, step)]

    def activate(self, kind: str) -> list[Call]:
        """Return the calls that turn the product in `out` into activations."""
        calls: list[Call] = []
        for cut in self.cuts:
            out = self.out[cut]
            calls.append(partial(np.add, out, self.bias[cut, None], out))
            if kind == "relu":
                calls.append(partial(np.maximum, out, np.zeros((), out.dtype), out=out))
            elif kind == "tanh":
                calls.append(partial(np.tanh, out, out))
        return calls

    def differentiate(self, kind: str) -> list[Call]:
        """Return the calls that turn `d`, the cotangent of the activations, into the product's."""
        calls: list[Call] = []
        for cut in self.cuts:
            out, d, work, mask = self.out[cut], self.d[cut], self.work[cut], self.mask[cut]
            if kind == "relu":
                calls.append(partial(np.greater, out, np.zeros((), out.dtype), mask))
                calls.append(partial(np.multiply, d, mask, d))
            elif kind == "tanh":
                calls.append(partial(np.multiply, out, out, work))
                calls.append(partial(np.multiply, d, work, work))
                calls.append(partial(np.subtract, d, work, d))
        return [*calls, partial(np.dot, self.d, self.ones, self.g_bias)]


class Network:
    """A chain of layers with its loss and its optimiser."""

    def __init__(self, workload: Workload) -> None:
        size, columns = workload.parameters, workload.batch
        self.p, self.g = np.zeros((2, size), workload.dtype)
        self.layers: list[Layer] = []
        end = 0
        for weight, bias in weights_of(workload):
            start, middle, end = end, end + weight.size, end + weight.size + bias.size
            self.p[start:middle], self.p[middle:end] = weight.ravel(), bias
            parameters, gradients = (
                (flat[start:middle].reshape(weight.shape), flat[middle:end])
                for flat in (self.p, self.g)
            )
            self.layers.append(Layer(parameters, gradients, columns))
        self.loss = (CrossEntropy if workload.classifies else Squares)(workload, self.layers[-1])
        self.forward, self.backward = self._calls(workload)
        cuts = [slice(start, start + BLOCK) for start in range(0, size, BLOCK)]
        self.gradients = [self.g[cut] for cut in cuts]
        optimizer = Adam if workload.optimizer == "adam" else Descent
        self.optimizer = optimizer([self.p[cut] for cut in cuts], workload.lr)

    def _calls(self, workload: Workload) -> tuple[list[Call], list[Call]]:
        """Bind the calls of both directions, but for the products with the batch."""
        kinds: list[str] = [workload.activation] * len(self.layers)
        if workload.classifies:
            kinds[-1] = "none"
        forward = self.layers[0].activate(kinds[0])
        backward = self.layers[0].differentiate(kinds[0])
        for below, layer, kind in zip(self.layers, self.layers[1:], kinds[1:], strict=False):
            product = partial(np.dot, layer.weight, below.out, layer.out)
            forward += [product, *layer.activate(kind)]
            gradients = (
                partial(np.dot, layer.d, below.out.T, layer.g_weight),
                partial(np.dot, layer.weight.T, layer.d, below.d),
            )
            backward[:0] = [*layer.differentiate(kind), *gradients]
        return forward, backward

    def step(self, x: Array, y: Array) -> Any:
        """Run forward, backward and the optimiser; return the loss."""
        first = self.layers[0]
        np.dot(first.weight, x.T, first.out)
        for call in self.forward:
            call()
        loss = self.loss(y)
        for call in self.backward:
            call()
        np.dot(first.d, x, first.g_weight)
        self.optimizer.step(self.gradients)
        return loss


class Squares:
    """The sum or the mean of the squared errors; its gradient goes into `d`."""

    def __init__(self, workload: Workload, layer: Layer) -> None:
        self.out, self.d = layer.out[0], layer.d[0]
        self.scale = 1 / workload.batch if workload.loss == "mean of squares" else 1.0
        self.slope = np.array(2 * self.scale, workload.dtype)

    def __call__(self, y: Array) -> Any:
        d = self.d
        np.subtract(self.out, y, d)
        loss = np.dot(d, d) * self.scale
        np.multiply(d, self.slope, d)
        return loss


class CrossEntropy:
    """The mean cross entropy of logits; its gradient goes into `d`."""

    def __init__(self, workload: Workload, layer: Layer) -> None:
        self.logits, self.d, self.flat = layer.out, layer.d, layer.d.reshape(-1)
        self.row, self.logs = np.empty((2, workload.batch), workload.dtype)
        self.share = np.array(1 / workload.batch, workload.dtype)
        self.columns, self.size = np.arange(workload.batch), np.array(workload.batch)
        self.index = np.empty_like(self.columns)

    def __call__(self, y: Array) -> Any:
        logits, d, flat, row, logs, index = (
            self.logits, self.d, self.flat, self.row, self.logs, self.index
        )  # fmt: skip
        np.multiply(y, self.size, index)
        np.add(index, self.columns, index)
        np.maximum.reduce(logits, 0, out=row)
        np.subtract(logits, row, d)
        picked = flat[index]
        np.exp(d, d)
        np.add.reduce(d, 0, out=row)
        np.log(row, logs)
        np.subtract(logs, picked, logs)
        np.divide(self.share, row, row)
        np.multiply(d, row, d)
        flat[index] -= self.share
        return np.add.reduce(logs) * self.share


class Descent:
    """Gradient descent on arrays, in place."""

    def __init__(self, parameters: list[Array], lr: float) -> None:
        self.parameters = parameters
        self.work = [np.empty_like(p) for p in parameters]
        self.lr = np.array(lr, parameters[0].dtype)

    def step(self, gradients: list[Array]) -> None:
        """Update every parameter by its gradient."""
        for p, g, work in zip(self.parameters, gradients, self.work, strict=True):
            np.multiply(g, self.lr, work)
            np.subtract(p, work, p)


def forward(op: str) -> Case:
    """Apply one function of NumPy to small arrays; an array has no method `tanh`."""
    return FORWARD["np.tanh(x)" if op == "x.tanh()" else op](*operands())
