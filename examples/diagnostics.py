"""A network that does not learn: find out why, and mend it, with the diagnostics of its training.

    python examples/diagnostics.py

Four hidden layers of relu are to recognise digits, and the loss stays at log 10, as if the network
were guessing.  The loss does not say why.  What the steps do to the network does, and `fit` has
kept it in `history.diagnostics`:

1. All units are dead: they give 0 whatever they see, and get no gradient.  The biases are far
   below 0, which the small weights cannot make good.  Start the biases at 0.
2. Now the units live, but a step changes the weights by a millionth of their size, where about a
   thousandth is usual: each layer makes the signal smaller.  Draw the weights as wide as He and
   others (2015) say, `nn.init.kaiming_normal_`, which keeps its size.
3. Now it learns.

Takes about 5 s; prints what was found, and saves the three pictures into out/diagnostics.
"""

import argparse
import os
from itertools import pairwise
from pathlib import Path

# Products this small gain little from a second thread.  NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from tensorgrad import nn, optim
from tensorgrad.data import digits
from tensorgrad.train import fit

WIDTHS = [784, 100, 100, 100, 100, 10]


def network(init_weight, bias):
    """Make a network whose weights and biases start as told."""
    rng = np.random.default_rng(0)
    layers = []
    for nin, nout in pairwise(WIDTHS):
        layer = nn.Linear(nin, nout, rng=rng)
        init_weight(layer.weight, rng=rng)
        nn.init.constant_(layer.bias, bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def narrow(weight, rng):
    nn.init.normal_(weight, std=0.01, rng=rng)


def he(weight, rng):
    nn.init.kaiming_normal_(weight, nonlinearity="relu", rng=rng)


def findings(history):
    """Say in words what the diagnostics show."""
    seen = history.diagnostics[len(history.diagnostics) // 2 :]
    dead = {name: np.median([s.dead_units[name] for s in seen]) for name in seen[0].dead_units}
    weights = [name for name in seen[0].update_ratios if name.endswith("weight")]
    ratio = np.median([s.update_ratios[name] for s in seen for name in weights])
    if max(dead.values()) > 0.99:
        names = ", ".join(name for name, share in dead.items() if share > 0.99)
        return f"all units of {names} are dead: what comes to them is below 0 for every sample"
    if ratio < 1e-5:
        return f"a step changes the weights by {ratio:.0e} of their size, where 1e-3 is usual"
    return f"most units live, and a step changes the weights by {ratio:.0e} of their size"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/diagnostics"), help="for the results")
    parser.add_argument("--quick", action="store_true", help="1,500 images")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    x, y, x_test, y_test = (part[:1500] for part in digits()) if args.quick else digits()
    tries = {
        "1 dead": network(narrow, bias=-1.0),
        "2 still": network(narrow, bias=0.0),
        "3 mended": network(he, bias=0.0),
    }
    for name, model in tries.items():
        history = fit(
            model,
            (x, y),
            loss=nn.cross_entropy,
            optimizer=optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
            epochs=4,
            validation=(x_test, y_test),
            metrics="accuracy",
            diagnostics=5,
            rng=0,
            verbose=0,
        )
        print(f"{name:<9} loss {history['loss'][-1]:.3f}, "
              f"test accuracy {history['val_accuracy'][-1]:.1%}: {findings(history)}")  # fmt: skip
        picture = args.out / f"{name.replace(' ', '_')}.png"
        figure = history.plot("diagnostics")
        figure.suptitle(f"{name}: loss {history['loss'][-1]:.3f} after {history.epochs} epochs")
        figure.savefig(picture, dpi=100)
    print(f"the pictures are in {args.out}")


if __name__ == "__main__":
    main()
