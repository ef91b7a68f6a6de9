"""Solve a differential equation with a network: u'' = -u, u(0) = 0, u'(0) = 1.

    python examples/physics_residual.py

The loss is the residual of the equation at some points, so that the gradient by the weights goes
through the second derivative by the input.  Takes 3 s; prints how far the network is from the
solution, sin(t), and saves nothing.
"""

import argparse

import numpy as np

import tensorgrad as tg
from tensorgrad import nn, optim


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="10 or more")
    parser.add_argument("--quick", action="store_true", help="300 steps")
    args = parser.parse_args()

    network = nn.MLP(1, [16, 16, 1], output_activation=None, dtype=np.float64, rng=0)

    def u(t):
        """A curve that starts at 0 with slope 1, whatever the network says."""
        return t + t**2 * network(np.expand_dims(t, -1))

    acceleration = tg.elementwise_grad(tg.elementwise_grad(u))
    t = np.linspace(0.0, np.pi, 40)
    optimizer = optim.Adam(network.parameters(), lr=0.01)
    steps = 300 if args.quick else args.steps
    # Small steps at the end, so that the loss comes to rest.
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps + 1):
        loss = np.mean((acceleration(t) + u(t)) ** 2)
        if step % (steps // 10) == 0:
            error = np.max(np.abs(u(t).data - np.sin(t)))
            print(f"step {step:4}  residual {loss.item():.2e}  distance from sin(t) {error:.2e}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


if __name__ == "__main__":
    main()
