"""Train without `fit` and without an optimiser: gradient descent is one line.

    python examples/raw_loop.py

The data are two moons, the loss is the hinge loss of micrograd's demo.  Takes a second; prints the
loss and the share of points on the right side, saves nothing.
"""

import argparse

from tensorgrad import nn
from tensorgrad.data import make_moons
from tensorgrad.train import accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 steps")
    args = parser.parse_args()

    x, y = make_moons(200, noise=0.1, rng=0)
    model = nn.MLP(2, [16, 16, 1], rng=1)
    for step in range(20 if args.quick else 500):
        prediction = model(x)
        loss = nn.hinge_loss(prediction, 2 * y - 1)

        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.3 * p.grad

        if step % 50 == 0:
            print(f"step {step:3}  loss {loss:.4f}  accuracy {accuracy(prediction, y):.1%}")
    print(f"accuracy {accuracy(model(x), y):.1%}")


if __name__ == "__main__":
    main()
