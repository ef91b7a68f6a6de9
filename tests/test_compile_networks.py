"""Networks trained by a compiled step: 50 steps are equal to eager to the bit, state included."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn, optim, scalar
from tensorgrad.data import make_moons

STEPS = 50
DTYPES = ("float32", "float64")


def batch(step: int, rows: int, columns: int, dtype: str) -> tuple[Any, np.random.Generator]:
    """Draw the inputs of a step, and give the generator for what goes with them."""
    rng = np.random.default_rng(step)
    return rng.normal(size=(rows, columns)).astype(dtype), rng


def labels(rng: np.random.Generator, rows: int) -> Any:
    return rng.integers(0, 3, rows)


def numbers(rng: np.random.Generator, rows: int) -> Any:
    return rng.normal(size=(rows, 3))


def yes_or_no(rng: np.random.Generator, rows: int) -> Any:
    return rng.integers(0, 2, (rows, 3)).astype(float)


def signs(rng: np.random.Generator, rows: int) -> Any:
    return 2 * yes_or_no(rng, rows) - 1


LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "mse": (nn.mse_loss, numbers),
    "cross entropy": (nn.cross_entropy, labels),
    "binary cross entropy": (nn.binary_cross_entropy_with_logits, yes_or_no),
    "hinge": (nn.hinge_loss, signs),
}
OPTIMISERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "SGD with decay": lambda params: optim.SGD(params, lr=0.1, weight_decay=0.01),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "Nesterov": lambda params: optim.SGD(
        params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3
    ),
    "Adam": lambda params: optim.Adam(params, lr=0.01),
    "AdamW": lambda params: optim.AdamW(params, lr=0.01, weight_decay=0.1),
    "RMSprop": lambda params: optim.RMSprop(params, momentum=0.5, centered=True, eps=1e-3),
    "Adagrad": lambda params: optim.Adagrad(params, lr=0.1, lr_decay=0.1),
    "Adadelta": lambda params: optim.Adadelta(params, weight_decay=0.01),
    "Adamax": lambda params: optim.Adamax(params, lr=0.01),
    "NAdam": lambda params: optim.NAdam(params, lr=0.01, momentum_decay=0.1),
    "RAdam": lambda params: optim.RAdam(params, lr=0.01),
    "Lion": lambda params: optim.Lion(params, lr=0.001, weight_decay=0.1),
    "groups": lambda params: optim.Adam(
        [{"params": params[:3], "lr": 0.1}, {"params": params[3:], "betas": (0.5, 0.9)}], lr=0.01
    ),
}
ACTIVATIONS = (
    "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh", None, np.sin,
)  # fmt: skip


def mlp(activation: Any = "tanh", dtype: str = "float32", rng: int = 0) -> nn.MLP:
    return nn.MLP(4, [8, 5, 3], activation, output_activation=None, dtype=dtype, rng=rng)


def with_dropout(dtype: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(4, 8, dtype=dtype, rng=0),
        nn.Dropout(0.3, rng=1),
        np.tanh,
        nn.Linear(8, 3, dtype=dtype, rng=2),
    )


def trained(
    make_model: Callable[[], Any],
    dtype: str,
    loss: str = "cross entropy",
    optimiser: str = "Adam",
    rows: tuple[int, ...] = (7,),
) -> Callable[..., Iterator[Any]]:
    """Tell how a model is trained, batch after batch of these sizes."""
    compute, draw = LOSSES[loss]

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = make_model()
        optimizer = OPTIMISERS[optimiser](model.parameters())

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = compute(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(STEPS):
            count = rows[i % len(rows)]
            x, rng = batch(i, count, 4, dtype)
            yield step(x, draw(rng, count))
        yield model, optimizer, list(model.parameters())

    return story


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation: Any, dtype: str) -> None:
    told_twice(trained(lambda: mlp(activation, dtype), dtype), runs=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_optimisers(optimiser: str, dtype: str) -> None:
    told_twice(trained(lambda: mlp("relu", dtype), dtype, optimiser=optimiser), runs=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, dtype: str) -> None:
    told_twice(trained(lambda: mlp("tanh", dtype), dtype, loss, "momentum"), runs=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout(dtype: str) -> None:
    told_twice(trained(lambda: with_dropout(dtype), dtype), runs=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_smaller_last_batch(dtype: str) -> None:
    told_twice(trained(lambda: mlp("relu", dtype), dtype, rows=(7, 7, 7, 2)), runs=2)


def test_one_sample_and_none() -> None:
    told_twice(trained(mlp, "float32", "mse", rows=(1,)), runs=1)


def test_parameters_of_two_dtypes() -> None:
    def model() -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, 8, rng=0), nn.Linear(8, 3, dtype="float64", rng=1))

    told_twice(trained(model, "float32"), runs=1)


@pytest.mark.parametrize("shared", ["tied", "frozen"])
def test_tied_and_frozen_weights(shared: str) -> None:
    def model() -> nn.Sequential:
        first, second = nn.Linear(4, 4, rng=0), nn.Linear(4, 4, rng=1)
        if shared == "tied":
            second.weight = first.weight
        else:
            first.weight.requires_grad = False
        return nn.Sequential(first, np.tanh, second, np.tanh, nn.Linear(4, 3, rng=2))

    told_twice(trained(model, "float32"))


def test_checkpoints() -> None:
    def model() -> nn.Sequential:
        first = nn.Linear(4, 8, rng=0)
        hidden = tg.checkpoint(lambda x: np.tanh(first(x)))
        found = nn.Sequential(hidden, nn.Linear(8, 3, rng=1))
        found.first = first
        return found

    told_twice(trained(model, "float32"))


def test_layers_in_a_list_and_a_penalty() -> None:
    """The loop of a tutorial: no modules, no optimiser, a penalty on the weights."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        rng = np.random.default_rng(0)
        weights = [tg.Tensor(rng.normal(size=(4, 4))) for _ in range(3)]
        biases = [tg.Tensor(np.zeros(4)) for _ in range(3)]

        @compiled
        def step(x: Any, y: Any) -> Any:
            for w, b in zip(weights, biases, strict=True):
                x = np.tanh(x @ w + b)
            loss = ((x - y) ** 2).mean() + 1e-3 * sum((w**2).sum() for w in weights)
            for p in weights + biases:
                p.zero_grad()
            loss.backward()
            for p in weights + biases:
                p.data -= 0.1 * p.grad
            return loss

        for i in range(STEPS):
            x, rng = batch(i, 6, 4, "float64")
            yield step(x, rng.normal(size=(6, 4)))
        yield weights, biases

    told_twice(story, runs=1)


def test_raw_loop() -> None:
    """As examples/raw_loop.py."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        x, y = make_moons(40, noise=0.1, rng=0)
        model = nn.MLP(2, [16, 16, 1], rng=1)

        @compiled
        def step() -> Any:
            loss = nn.hinge_loss(model(x), 2 * y - 1)
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= 0.3 * p.grad
            return loss

        for _ in range(STEPS):
            yield step()
        yield list(model.parameters())

    told_twice(story, runs=1)


def test_moons() -> None:
    """As examples/moons.py."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        x, y = make_moons(500, noise=0.15, rng=0)
        model = nn.MLP(2, [16, 16, 1], output_activation=None, rng=2)
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.binary_cross_entropy_with_logits(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(STEPS):
            yield step(x[10 * i : 10 * i + 10], y[10 * i : 10 * i + 10])
        yield model, optimizer

    told_twice(story, runs=1)


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_newton() -> None:
    """As examples/newton.py: the derivatives compiled, the loop over values in Python."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        value_and_grad = compiled(tg.value_and_grad(rosenbrock))
        hessian = compiled(tg.hessian(rosenbrock))
        x = np.full(4, -1.2)
        for _ in range(8):
            value, gradient = value_and_grad(x)
            curvature = hessian(x)
            yield value, gradient, curvature
            shift = max(0.0, 1e-3 - np.linalg.eigvalsh(curvature)[0])
            x = x - np.linalg.solve(curvature + shift * np.eye(x.size), gradient)

    told_twice(story, runs=2)


def test_physics_residual() -> None:
    """As examples/physics_residual.py: gradients of second derivatives."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        network = nn.MLP(1, [8, 8, 1], output_activation=None, dtype=np.float64, rng=0)

        def u(t: Any) -> Any:
            return t + t**2 * network(np.expand_dims(t, -1))

        acceleration = tg.elementwise_grad(tg.elementwise_grad(u))
        t = np.linspace(0.0, np.pi, 10)
        optimizer = optim.Adam(network.parameters(), lr=0.01)

        @compiled
        def step() -> Any:
            loss = np.mean((acceleration(t) + u(t)) ** 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        for _ in range(STEPS):
            yield step()
        yield network, optimizer

    told_twice(story, runs=1)


def test_the_network_of_single_numbers() -> None:
    """As examples/scalar_vs_tensor.py, one Value per weight."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = scalar.MLP(2, [3, 1], rng=0)

        @compiled
        def step(x: Any, y: Any) -> Any:
            loss = sum((model(row) - target) ** 2 for row, target in zip(x, y, strict=True))
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= 0.05 * p.grad
            return loss

        for i in range(STEPS):
            x, rng = batch(i, 2, 2, "float64")
            yield step(x, rng.normal(size=2))
            yield [(p.data, p.grad) for p in model.parameters()]

    told_twice(story, runs=1)


def test_schedules_and_warm_restarts() -> None:
    """The rate, the betas and the weights change between steps."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = mlp("relu")
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        start = model.state_dict(), optimizer.state_dict()

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(STEPS):
            optimizer.lr = 0.01 * (1 + math.cos(i / 10))
            if i == 20:
                model.load_state_dict(start[0])
                optimizer.load_state_dict(start[1])
            if i == 30:
                optimizer.betas = (0.8, 0.99)
            x, rng = batch(i, 7, 4, "float32")
            yield step(x, labels(rng, 7))
        yield model, optimizer

    told_twice(story)


def test_gradients_added_up_over_batches() -> None:
    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = mlp("tanh")
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @compiled
        def add(x: Any, y: Any) -> Any:
            loss = nn.cross_entropy(model(x), y) / 4
            loss.backward()
            return loss

        @compiled
        def update() -> None:
            optimizer.step()
            optimizer.zero_grad()

        for i in range(STEPS):
            x, rng = batch(i, 7, 4, "float32")
            yield add(x, labels(rng, 7))
            if i % 4 == 3:
                update()
                yield model, optimizer, list(model.parameters())

    # Gradients are set in one recording, and added to in the other.
    told_twice(story, runs=3)
