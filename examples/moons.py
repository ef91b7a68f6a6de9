"""Tell two moons apart: a million points, a small network, and a picture of the line it draws.

    python examples/moons.py

Takes about 5 s; saves the curves of the training and the picture into out/moons.
"""

import argparse
import os
from pathlib import Path

# Products this small gain nothing from a second thread; NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tensorgrad import nn, optim
from tensorgrad.data import make_moons
from tensorgrad.train import fit
from tensorgrad.viz import plot_decision_boundary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path("out/moons"), help="for the pictures")
    parser.add_argument("--quick", action="store_true", help="10,000 points")
    args = parser.parse_args()

    x, y = make_moons(10_000 if args.quick else args.points, noise=0.15, rng=0)
    test = make_moons(10_000, noise=0.15, rng=1)
    model = nn.MLP(2, [16, 16, 1], output_activation=None, rng=2)
    history = fit(
        model,
        (x, y),
        loss=nn.binary_cross_entropy_with_logits,
        optimizer=optim.Adam(model.parameters(), lr=0.01),
        epochs=3,
        batch_size=500,
        validation=test,
        metrics="accuracy",
        rng=3,
    )
    print(f"test accuracy {history['val_accuracy'][-1]:.2%} on {len(test[0]):,} points")

    args.out.mkdir(parents=True, exist_ok=True)
    history.plot(args.out / "history.png", log_y=True)
    plot_decision_boundary(model, x, y, path=args.out / "boundary.png")
    print(f"the curves and the boundary are in {args.out}")


if __name__ == "__main__":
    main()
