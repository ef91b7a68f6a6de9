"""From one neuron to a trained network, one Value for every number.

    python examples/seed_notebook.py

Takes a second; prints what it computes, and saves two pictures into out/seed_notebook: the graph
of a neuron, and the graph of the loss of a whole network.  The same as a notebook:
examples/seed_notebook.ipynb.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tensorgrad as tg
from tensorgrad import Value
from tensorgrad.scalar import MLP
from tensorgrad.viz import RenderError, save_graph, trace

XS = [
    [2.0, 3.0, -1.0],
    [3.0, -1.0, 0.5],
    [0.5, 1.0, 1.0],
    [1.0, 1.0, -1.0],
]
YS = [1.0, -1.0, -1.0, 1.0]


def neuron() -> Value:
    """Compute a neuron of two inputs step by step, and the gradients of its output."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x1w1.label = "x1w1"
    x2w2 = x2 * w2
    x2w2.label = "x2w2"
    x1w1x2w2 = x1w1 + x2w2
    x1w1x2w2.label = "x1w1x2w2"
    n = x1w1x2w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    o.backward()
    print(f"o = {o.data:.4f}")
    for value in (x1, w1, x2, w2, b):
        print(f"do/d{value.label} = {value.grad:.4f}")
    return o


def train(model: MLP, epochs: int, step: float = 0.1) -> Value:
    """Descend along the gradients of the sum of squares; return the last loss."""
    for k in range(epochs):
        ypred = [model(x) for x in XS]
        loss = sum((yout - ygt) ** 2 for ygt, yout in zip(YS, ypred, strict=True))
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data += -step * p.grad
        if k % 10 == 0 or k == epochs - 1:
            print(f"step {k:3d}  loss {loss.data:.6f}")
    return loss


def save(root: Value, path: Path) -> None:
    """Save the picture of a graph; without a renderer say what to install, and go on."""
    try:
        print(f"saved {save_graph(root, path)}")
    except RenderError as error:
        print(error)


def main() -> None:
    parser = argparse.ArgumentParser(description="From one neuron to a trained network.")
    parser.add_argument("--quick", action="store_true", help="train for 20 steps, not 100")
    parser.add_argument("--out", type=Path, default=Path("out/seed_notebook"), metavar="DIR")
    args = parser.parse_args()

    print("A neuron")
    save(neuron(), args.out / "neuron.svg")

    tg.manual_seed(1)
    model = MLP(3, [4, 4, 1])
    print(f"\n{model} has {len(model.parameters())} parameters")
    loss = train(model, 20 if args.quick else 100)
    for x, y in zip(XS, YS, strict=True):
        print(f"{x} -> {model(x).data:+.3f}, wanted {y:+.0f}")
    nodes, edges = trace(loss)
    print(f"\nThe graph of the loss has {len(nodes)} values and {len(edges)} edges")
    save(loss, args.out / "loss.svg")


if __name__ == "__main__":
    main()
