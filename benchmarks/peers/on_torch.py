"""PyTorch, eager and compiled."""

from __future__ import annotations

import importlib
from typing import Any

from .. import lenet as images
from ..workloads import BETA1, BETA2, EPS, Array, Workload, batches_of, weights_of
from .shared import PRODUCTS, Case, operands, over, product, vectors

torch: Any = importlib.import_module("torch")


def training(workload: dict[str, Any], fused: bool | None = None, compiled: bool = False) -> Case:
    """Train the network of a workload with the optimiser of `torch.optim`.

    `torch.compile` takes forward, backward and the loss; the fused optimiser is one kernel already.
    """
    found = Workload.from_fields(workload)
    model = network(found)
    if found.optimizer == "adam":
        betas = (BETA1, BETA2)
        optimizer = torch.optim.Adam(model.parameters(), found.lr, betas, EPS, fused=fused)
    else:
        optimizer = torch.optim.SGD(model.parameters(), found.lr, fused=fused)
    if found.classifies:
        loss_of = torch.nn.CrossEntropyLoss()
    else:
        loss_of = torch.nn.MSELoss(reduction=found.loss.partition(" ")[0])

    def forward(x: Any, y: Any) -> Any:
        return loss_of(model(x), y)

    if compiled:
        torch.compiler.reset()  # of the network before, which counts against a limit
        forward = torch.compile(forward)

    def step(x: Array, y: Array) -> Any:
        optimizer.zero_grad()
        loss = forward(torch.from_numpy(x), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        return loss

    return over(batches_of(found), step)


def network(workload: Workload) -> Any:
    """Build the network with the weights that everybody starts from."""
    activation = torch.nn.Tanh if workload.activation == "tanh" else torch.nn.ReLU
    parts: list[Any] = []
    for weight, bias in weights_of(workload):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight = torch.nn.Parameter(torch.from_numpy(weight))
        linear.bias = torch.nn.Parameter(torch.from_numpy(bias))
        parts += [linear, activation()]
    parts[-1:] = [] if workload.classifies else [activation(), torch.nn.Flatten(0)]
    return torch.nn.Sequential(*parts)


def lenet() -> Case:
    """Train the convolutional network."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    model.load_state_dict({k: torch.from_numpy(v) for k, v in images.state().items()})
    optimizer = torch.optim.Adam(model.parameters(), images.LR, (BETA1, BETA2), EPS)

    def step(x: Array, y: Array) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        return loss

    return over(images.batches(), step)


def multiply() -> Case:
    """Multiply small matrices, and differentiate the products."""
    x, w = (torch.from_numpy(a).requires_grad_() for a in operands())

    def run(n: int) -> Any:
        for _ in range(n // PRODUCTS):
            x.grad = w.grad = None
            product(x, w, PRODUCTS).sum().backward()
        return w.grad.sum()

    return run


def chain() -> Case:
    """Differentiate one long product of small vectors."""
    x, w = (torch.from_numpy(a).requires_grad_() for a in vectors())

    def run(n: int) -> Any:
        x.grad = w.grad = None
        product(x, w, n).sum().backward()
        return w.grad.sum()

    return run
