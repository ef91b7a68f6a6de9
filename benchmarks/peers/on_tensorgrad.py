"""tensorgrad, eager and compiled, through its public names."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import Any

import tensorgrad as tg
from tensorgrad import backprop, nn, optim

from .. import lenet as images
from ..workloads import BETA1, BETA2, EPS, Array, Workload, batches_of, weights_of
from .shared import (
    EXPRESSION,
    FORWARD,
    PRODUCTS,
    Case,
    expression,
    operands,
    over,
    product,
    vectors,
)


def training(workload: dict[str, Any], compiled: bool = False) -> Case:
    """Train the network of a workload; the step is compiled by its first call."""
    found = Workload.from_fields(workload)
    model = network(found)
    parameters = model.parameters()
    optimizer: Any
    if found.optimizer == "adam":
        optimizer = optim.Adam(parameters, lr=found.lr, betas=(BETA1, BETA2), eps=EPS)
    else:
        optimizer = optim.SGD(parameters, lr=found.lr)
    reduction = "sum" if found.loss == "sum of squares" else "mean"
    loss_of = nn.cross_entropy if found.classifies else nn.mse_loss

    def step(x: Array, y: Array) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model(x), y, reduction=reduction)
        loss.backward()
        optimizer.step()
        return loss

    return over(batches_of(found), tg.compile(step) if compiled else step)


def network(workload: Workload) -> nn.MLP:
    """Build the network with the weights that everybody starts from."""
    output = None if workload.classifies else workload.activation
    nouts = list(workload.nouts)
    model = nn.MLP(workload.nin, nouts, workload.activation, output, dtype=workload.dtype)
    for layer, (weight, bias) in zip(model.layers, weights_of(workload), strict=True):
        assert layer.bias is not None
        layer.weight.data, layer.bias.data = weight, bias
    return model


def fading(workload: dict[str, Any], kind: str, numbers: dict[str, Any], dead: bool) -> Case:
    """Train with some optimiser; half of the first layer dies after a hundred steps, if asked."""
    found = Workload.from_fields(workload)
    model = network(found)
    optimizer = getattr(optim, kind)(model.parameters(), **numbers)
    taken = 0

    def step(x: Array, y: Array) -> Any:
        nonlocal taken
        taken += 1
        bias = model.layers[0].bias
        if dead and taken == 100 and bias is not None:
            bias.data[: bias.size // 2] = -1e6  # below what an input can lift above 0
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return over(batches_of(found), step)


def fitting(workload: dict[str, Any], watched: bool) -> Case:
    """Train by `fit`, with its diagnostics or without; the number is the seconds of a step."""
    found = Workload.from_fields(workload)
    data = batches_of(found)
    options = {} if watched else {"diagnostics": 0}
    warm = 50  # so that the first is recorded, and all samples but that of step 0 are timed

    def run(n: int) -> float:
        model, ends = network(found), []

        def note(event: str, _: Any) -> None:
            if event == "step_end":
                ends.append(time.perf_counter())

        tg.fit(
            model, itertools.islice(itertools.cycle(data), warm + n), loss=nn.cross_entropy,
            optimizer=optim.Adam(model.parameters(), lr=found.lr), epochs=1, callbacks=note,
            verbose=0, **options,
        )  # fmt: skip
        return (ends[-1] - ends[warm - 1]) / n

    return run


def lenet(compiled: bool = False) -> Case:
    """Train the convolutional network; the step is compiled by its first call."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    model.load_state_dict(images.state())
    optimizer = optim.Adam(model.parameters(), lr=images.LR, betas=(BETA1, BETA2), eps=EPS)

    def step(x: Array, y: Array) -> Any:
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return over(images.batches(), tg.compile(step) if compiled else step)


def nan_check(workload: dict[str, Any]) -> Case:
    """Train, and return the share of the time in which gradients are searched for NaN."""
    train = training(workload)
    check = backprop._has_nan
    spent = 0.0

    def timed(g: Any) -> bool:
        nonlocal spent
        start = time.perf_counter()
        found = check(g)
        spent += time.perf_counter() - start
        return found

    def run(n: int) -> float:
        nonlocal spent
        backprop._has_nan = timed
        spent, start = 0.0, time.perf_counter()
        train(n)
        total = time.perf_counter() - start
        backprop._has_nan = check
        return spent / total

    return run


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
