"""Newton's method on Rosenbrock's valley: the gradient and the Hessian of one line of NumPy.

    python examples/newton.py

Starts far away, where the valley bends and plain Newton steps would go astray, and ends with the
number of right digits doubling in each step.  Takes a second; prints the steps, saves nothing.
"""

import argparse

import numpy as np

import tensorgrad as tg


def rosenbrock(x):
    """A curved valley, whose floor falls slowly to (1, ..., 1)."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def newton(f, x, steps=100, tolerance=1e-10):
    """Go where the quadratic model of `f` has its minimum, halving steps that go up."""
    value_and_grad, hessian = tg.value_and_grad(f), tg.hessian(f)
    for step in range(steps):
        value, gradient = value_and_grad(x)
        size = np.linalg.norm(gradient)
        print(f"step {step:2}  f {value:10.3e}  gradient {size:10.3e}")
        if size < tolerance:
            break
        curvature = hessian(x)
        # Where the valley bends the wrong way, a multiple of the identity makes the model convex.
        lowest = np.linalg.eigvalsh(curvature)[0]
        shift = max(0.0, 1e-3 - lowest)
        move = -np.linalg.solve(curvature + shift * np.eye(x.size), gradient)
        while f(x + move) > value:
            move /= 2
        x = x + move
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=10, help="the number of unknowns")
    parser.add_argument("--quick", action="store_true", help="3 unknowns")
    args = parser.parse_args()

    start = np.full(3 if args.quick else args.size, -1.2)
    x = newton(rosenbrock, start)
    print(f"largest distance from the minimum: {np.max(np.abs(x - 1)):.1e}")


if __name__ == "__main__":
    main()
