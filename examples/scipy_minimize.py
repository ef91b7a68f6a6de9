"""Give SciPy's optimisers exact derivatives: the gradient for BFGS, Hessian products for Newton-CG.

    python examples/scipy_minimize.py

Needs SciPy (`pip install scipy`).  Takes a second; prints how often each optimiser asked for the
function, and how near it came, and saves nothing.
"""

import argparse
import sys

import numpy as np

import tensorgrad as tg

try:
    from scipy.optimize import minimize
except ImportError:
    sys.exit("this example needs SciPy: pip install scipy")


def rosenbrock(x):
    """A curved valley, whose floor falls slowly to (1, ..., 1)."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=50, help="the number of unknowns")
    parser.add_argument("--quick", action="store_true", help="10 unknowns")
    args = parser.parse_args()

    start = np.full(10 if args.quick else args.size, 0.5)
    exact = tg.value_and_grad(rosenbrock)  # the value and the gradient, from one run
    found = {
        "BFGS, finite differences": minimize(rosenbrock, start, method="BFGS"),
        "BFGS, gradient": minimize(exact, start, jac=True, method="BFGS"),
        "Newton-CG, Hessian products": minimize(
            exact,
            start,
            jac=True,
            hessp=lambda x, v: tg.hvp(rosenbrock, x, v),
            method="Newton-CG",
            options={"xtol": 1e-10},
        ),
    }
    for name, result in found.items():
        distance = np.max(np.abs(result.x - 1))
        print(f"{name:28} {result.nfev:5} evaluations, {distance:.1e} from the minimum")


if __name__ == "__main__":
    main()
