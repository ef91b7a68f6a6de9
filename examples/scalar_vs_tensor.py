"""The same network twice, as single numbers and as arrays: the same losses, at another speed.

    python examples/scalar_vs_tensor.py

Both start from the same weights, in float64.  First 100 steps on four samples, where the losses
have to agree to 1e-12; then the time of a step (forward, backward, update) at three batch sizes.
Takes 2 s; prints the losses and the times, saves nothing.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable

import numpy as np

from tensorgrad import Tensor
from tensorgrad.scalar import MLP

Array = np.ndarray
XS = np.array([[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]])
YS = np.array([1.0, -1.0, -1.0, 1.0])


def scalar_step(model: MLP, xs: list[list[float]], ys: list[float], step: float) -> float:
    """Take a step of gradient descent with a Value for each number; return the loss before it."""
    loss = sum((model(x) - y) ** 2 for x, y in zip(xs, ys, strict=True))
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= step * p.grad
    return float(loss)


def array_step(layers: list[tuple[Tensor, Tensor]], xs: Array, ys: Array, step: float) -> float:
    """Take the same step with two matrices for each layer."""
    h = xs
    for weight, bias in layers:
        h = (h @ weight + bias).tanh()
    loss = ((h.ravel() - ys) ** 2).sum()
    parameters = [p for layer in layers for p in layer]
    for p in parameters:
        p.zero_grad()
    loss.backward()
    for p in parameters:
        p.data -= step * p.grad
    return float(loss)


def as_arrays(model: MLP) -> list[tuple[Tensor, Tensor]]:
    """Copy the weights of a scalar network into a matrix and a vector for each layer."""
    return [
        (
            Tensor(np.array([[w.data for w in neuron.w] for neuron in layer.neurons]).T),
            Tensor(np.array([neuron.b.data for neuron in layer.neurons])),
        )
        for layer in model.layers
    ]


def compare_losses(steps: int) -> float:
    """Train both and return the largest difference between their losses."""
    model = MLP(3, [4, 4, 1], rng=0)
    layers = as_arrays(model)
    worst = 0.0
    for k in range(steps):
        one = scalar_step(model, XS.tolist(), YS.tolist(), 0.1)
        other = array_step(layers, XS, YS, 0.1)
        worst = max(worst, abs(one - other))
        if k % 20 == 0 or k == steps - 1:
            print(f"step {k:3d}   scalars {one:.15f}   arrays {other:.15f}")
    return worst


def fastest(step: Callable[[], float], repeats: int) -> float:
    """Return the shortest time of a step, in seconds, without Python's garbage collector.

    Graphs are freed by reference counting, and the collector finds nothing in them.  With it, a
    scalar step at batch 1,000 takes three times as long, since it visits every live node again and
    again; the ratio would then say more of the collector than of the arithmetic.
    """
    times = []
    gc.disable()
    try:
        for _ in range(repeats):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return min(times)


def compare_speed(batch: int, repeats: int) -> None:
    """Time a step of both on a batch of random samples, and print the ratio."""
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(batch, 3))
    ys = np.sign(xs[:, 0] * xs[:, 1])
    model = MLP(3, [4, 4, 1], rng=0)
    layers = as_arrays(model)
    rows, targets = xs.tolist(), ys.tolist()
    step = 0.1 / batch
    # At least three, so that no row rests on a cold step.
    scalars = fastest(
        lambda: scalar_step(model, rows, targets, step), max(3, min(repeats, 1000 // batch))
    )
    arrays = fastest(lambda: array_step(layers, xs, ys, step), 10 * repeats)
    print(
        f"batch {batch:5,}   scalars {scalars * 1e6:9,.0f} us   arrays {arrays * 1e6:5,.0f} us   "
        f"{scalars / arrays:7,.1f} times faster"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="The same network as scalars and as arrays.")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    repeats = 3 if parser.parse_args().quick else 20
    worst = compare_losses(100)
    print(f"the losses differ by at most {worst:.1e}\n")
    if worst > 1e-12:
        raise SystemExit("the two networks do not agree")
    for batch in (4, 100, 1000):
        compare_speed(batch, repeats)


if __name__ == "__main__":
    main()
