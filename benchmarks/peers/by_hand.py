"""NumPy written by hand, the floor: what remains when nothing records.

Buffers are made once, parameters and gradients lie side by side in one array each, elementwise
chains and Adam run in blocks that fit a cache, and transposed operands are left to the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..workloads import Array, Workload, batches_of, weights_of
from .shared import FORWARD, Case, adam_update, operands, over

BLOCK = 65_536


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload."""
    found = Workload.from_fields(workload)
    return over(batches_of(found), Network(found).step)


class Layer:
    """A linear layer and its activation, with the buffers of both directions."""

    def __init__(
        self, parameters: tuple[Array, Array], gradients: tuple[Array, Array], rows: int, kind: str
    ) -> None:
        self.weight, self.bias = weight, bias = parameters
        self.g_weight, self.g_bias = gradients
        self.weight_t = weight.T
        nout = bias.size
        self.kind = kind
        self.x = weight
        self.out, self.d, work = np.empty((3, rows, nout), weight.dtype)
        self.d_t = self.d.T
        mask = np.empty((rows, nout), np.bool_)
        step = max(1, BLOCK // nout)
        cuts = [slice(start, start + step) for start in range(0, rows, step)]
        self.blocks = [(self.out[cut], self.d[cut], work[cut], mask[cut]) for cut in cuts]

    def forward(self, x: Array) -> Array:
        """Return the activations, in a buffer."""
        self.x = x
        np.matmul(x, self.weight_t, out=self.out)
        for out, _, _, _ in self.blocks:
            np.add(out, self.bias, out=out)
            if self.kind == "relu":
                np.maximum(out, 0, out=out)
            elif self.kind == "tanh":
                np.tanh(out, out=out)
        return self.out

    def backward(self, below: Layer | None) -> None:
        """Turn `d`, the cotangent of the activations, into gradients and the `d` of `below`."""
        for out, d, work, mask in self.blocks:
            if self.kind == "relu":
                np.greater(out, 0, out=mask)
                np.multiply(d, mask, out=d)
            elif self.kind == "tanh":
                np.multiply(out, out, out=work)
                np.subtract(1, work, out=work)
                np.multiply(d, work, out=d)
        np.matmul(self.d_t, self.x, out=self.g_weight)
        np.add.reduce(self.d, 0, out=self.g_bias)
        if below is not None:
            np.matmul(self.d, self.weight, out=below.d)


class Network:
    """A chain of layers with its loss and its optimiser."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        size, rows = workload.parameters, workload.batch
        self.p, self.g, self.m, self.v = np.zeros((4, size), workload.dtype)
        work = np.empty(min(BLOCK, size), workload.dtype)
        self.blocks = [
            (self.p[cut], self.g[cut], self.m[cut], self.v[cut], work[: self.p[cut].size])
            for cut in (slice(at, at + BLOCK) for at in range(0, size, BLOCK))
        ]
        self.t = 0
        self.layers: list[Layer] = []
        end = 0
        for weight, bias in weights_of(workload):
            start, middle, end = end, end + weight.size, end + weight.size + bias.size
            self.p[start:middle], self.p[middle:end] = weight.ravel(), bias
            parameters, gradients = (
                (flat[start:middle].reshape(weight.shape), flat[middle:end])
                for flat in (self.p, self.g)
            )
            self.layers.append(Layer(parameters, gradients, rows, workload.activation))
        if workload.classifies:
            self.layers[-1].kind = "none"
        self.backwards = list(zip(self.layers, [None, *self.layers], strict=False))[::-1]
        self.column = np.empty((rows, 1), workload.dtype)
        self.index = np.arange(rows)

    def step(self, x: Array, y: Array) -> Any:
        """Run forward, backward and the optimiser; return the loss."""
        for layer in self.layers:
            x = layer.forward(x)
        loss = self._cross_entropy(y) if self.workload.classifies else self._squares(y)
        for layer, below in self.backwards:
            layer.backward(below)
        self._update()
        return loss

    def _squares(self, y: Array) -> Any:
        """Return the sum or the mean of the squared errors, and leave its gradient in `d`."""
        d = self.layers[-1].d[:, 0]
        np.subtract(self.layers[-1].out[:, 0], y, out=d)
        scale = 1 / y.size if self.workload.loss == "mean of squares" else 1.0
        loss = np.dot(d, d) * scale
        np.multiply(d, 2 * scale, out=d)
        return loss

    def _cross_entropy(self, y: Array) -> Any:
        """Return the mean cross entropy of the logits, and leave its gradient in `d`."""
        logits, d, column = self.layers[-1].out, self.layers[-1].d, self.column
        np.maximum.reduce(logits, 1, out=column, keepdims=True)
        np.subtract(logits, column, out=d)
        picked = np.add.reduce(d[self.index, y])
        np.exp(d, out=d)
        np.add.reduce(d, 1, out=column, keepdims=True)
        loss = (np.add.reduce(np.log(column), None) - picked) / y.size
        np.multiply(column, y.size, out=column)
        np.divide(d, column, out=d)
        d[self.index, y] -= 1 / y.size
        return loss

    def _update(self) -> None:
        """Update the parameters, block by block."""
        self.t += 1
        for p, g, m, v, work in self.blocks:
            if self.workload.optimizer == "adam":
                adam_update(p, g, m, v, work, self.workload.lr, self.t)
            else:
                np.multiply(g, self.workload.lr, out=work)
                np.subtract(p, work, out=p)


def forward(op: str) -> Case:
    """Apply one function of NumPy to small arrays; an array has no method `tanh`."""
    return FORWARD["np.tanh(x)" if op == "x.tanh()" else op](*operands())
