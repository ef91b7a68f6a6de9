"""Squeeze pictures of digits through 16 numbers, and draw what comes out again.

    python examples/autoencoder.py

An encoder of two convolutions turns the 784 pixels of a digit into 16 numbers, and a decoder turns
these back into a picture.  What the numbers mean is learned: Hinton and Salakhutdinov, "Reducing
the dimensionality of data with neural networks" (2006).  Takes about 25 s; saves digits and
what became of them, digits between two others, and the loss into out/autoencoder.
"""

import argparse
import os
from pathlib import Path

# Products this small gain little from a second thread; NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from matplotlib.figure import Figure

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.data import digits
from tensorgrad.train import fit


def twice_as_large(x):
    """Make four pixels of each."""
    return np.repeat(np.repeat(x, 2, axis=-1), 2, axis=-2)


def small_images(x):
    """Read numbers as 16 channels of 7 x 7 pixels."""
    return x.reshape(-1, 16, 7, 7)


class Autoencoder(nn.Module):
    def __init__(self, code, rng):
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1, rng=rng),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, rng=rng),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(784, code, rng=rng),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 784, rng=rng),
            nn.ReLU(),
            small_images,
            twice_as_large,
            nn.Conv2d(16, 8, 3, padding="same", rng=rng),
            nn.ReLU(),
            twice_as_large,
            nn.Conv2d(8, 1, 3, padding="same", rng=rng),
        )

    def forward(self, x):
        """Return the logits of the pixels: their sigmoid is the picture."""
        return self.decoder(self.encoder(x))


def draw(rows, titles, path):
    """Draw rows of pictures one below the other."""
    figure = Figure(figsize=(len(rows[0]), 1.4 * len(rows)), layout="constrained")
    lines = figure.subplots(len(rows), squeeze=False).flat
    for axes, row, title in zip(lines, rows, titles, strict=True):
        axes.imshow(np.concatenate(list(row), axis=-1)[0], cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(title, loc="left", fontsize=10)
        axes.axis("off")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--code", type=int, default=16, help="how many numbers a digit becomes")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--out", type=Path, default=Path("out/autoencoder"), help="for the pictures"
    )
    parser.add_argument("--quick", action="store_true", help="320 images, 1 epoch")
    args = parser.parse_args()

    x, _, x_test, _ = digits()
    x, x_test = x.reshape(-1, 1, 28, 28), x_test.reshape(-1, 1, 28, 28)
    if args.quick:
        x, x_test = x[:320], x_test[:320]

    rng = np.random.default_rng(0)
    model = Autoencoder(args.code, rng)
    history = fit(
        model,
        (x, x),
        loss=nn.binary_cross_entropy_with_logits,
        optimizer=optim.Adam(model.parameters(), lr=2e-3),
        epochs=1 if args.quick else args.epochs,
        validation=(x_test, x_test),
        rng=rng,
    )

    shown = x_test[:12]
    with tg.no_grad():
        codes = model.encoder(shown).data
        again = tg.sigmoid(model.decoder(codes)).data
        share = np.linspace(0, 1, 12)[:, None]
        between = tg.sigmoid(model.decoder((1 - share) * codes[0] + share * codes[1])).data
    error = np.sqrt(np.mean((again - shown) ** 2))
    print(f"root mean square error of a pixel, from 0 to 1: {error:.3f}")

    args.out.mkdir(parents=True, exist_ok=True)
    draw([shown, again], ["digits", "what comes out"], args.out / "reconstructions.png")
    draw([between], ["from the code of one digit to that of another"], args.out / "between.png")
    history.plot(args.out / "history.png")
    print(f"the digits, those in between and the loss are in {args.out}")


if __name__ == "__main__":
    main()
