"""Predict numbers and how uncertain they are: the noise of the data grows, and the network sees it.

The network says a mean and a variance for each input, and learns both by the likelihood of what was
measured: Nix and Weigend, "Estimating the mean and variance of the target probability distribution"
(1994).

    python examples/regression_uncertainty.py

Takes about 4 s; prints how much of new data lies in the predicted bands, and saves a picture of
them into out/regression_uncertainty.
"""

import argparse
import os
from pathlib import Path

# Products this small gain nothing from a second thread; NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from matplotlib.figure import Figure

import tensorgrad as tg
from tensorgrad import nn, optim


def truth(x):
    """Return the mean and the standard deviation of what is measured at x, from -3 to 3."""
    return np.sin(2 * x) + 0.3 * x, 0.05 + 0.07 * (x + 3)


def measure(n, rng):
    """Draw n measurements."""
    x = rng.uniform(-3, 3, n)
    mean, deviation = truth(x)
    return x[:, None], mean + deviation * rng.normal(size=n)


def mean_and_variance(prediction):
    """Split what the network says: the second number becomes a variance."""
    return prediction[:, 0], tg.softplus(prediction[:, 1])


def negative_log_likelihood(prediction, y):
    mean, variance = mean_and_variance(prediction)
    return nn.gaussian_nll_loss(mean, y, variance)


def train(data, epochs):
    model = nn.MLP(1, [64, 64, 2], output_activation=None, rng=1)
    tg.fit(
        model,
        data,
        loss=negative_log_likelihood,
        optimizer=optim.Adam(model.parameters(), lr=0.003),
        epochs=epochs,
        batch_size=100,
        rng=2,
        verbose=0,
    )
    return model


def predict(model, x):
    """Return means and standard deviations as arrays."""
    mean, variance = mean_and_variance(tg.predict(model, x))
    return mean, np.sqrt(variance.data)


def report(x, y, mean, deviation):
    """Print how much lies within 1.96 standard deviations: learned ones, and one for all."""
    off = np.sqrt(np.mean((deviation - truth(x[:, 0])[1]) ** 2))
    print(f"root mean square error of the learned standard deviation: {off:.3f}")
    error = np.abs(y - mean)
    print("new data within the 95 % band     x < -1   -1 to 1    x > 1")
    for name, width in [("learned", deviation), ("as wide everywhere", np.std(y - mean))]:
        inside = error < 1.96 * width
        parts = [inside[np.digitize(x[:, 0], [-1, 1]) == part].mean() for part in range(3)]
        print(f"{name:30}" + "".join(f"{part:10.1%}" for part in parts))


def draw(path, data, model):
    """Draw the data, the mean, and two standard deviations on both sides of it."""
    x = np.linspace(-3, 3, 400)
    mean, deviation = predict(model, x[:, None])
    figure = Figure(figsize=(8.0, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="x", ylabel="y")
    low, high = mean - 2 * deviation, mean + 2 * deviation
    axes.fill_between(x, low, high, color="#0072B2", alpha=0.2, linewidth=0, label="95 % band")
    axes.plot(*data, ".", color="black", markersize=3, alpha=0.5, label="data")
    axes.plot(x, mean, color="#0072B2", linewidth=2, label="predicted mean")
    true_mean, true_deviation = truth(x)
    for sign, label in [(-2, "true mean and band"), (0, None), (2, None)]:
        curve = true_mean + sign * true_deviation
        axes.plot(x, curve, color="#D55E00", linestyle="--", linewidth=1.2, label=label)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("out/regression_uncertainty"))
    parser.add_argument("--quick", action="store_true", help="50 epochs")
    args = parser.parse_args()

    data = measure(1000, np.random.default_rng(0))
    model = train(data, 50 if args.quick else args.epochs)
    x_new, y_new = measure(20_000, np.random.default_rng(3))
    report(x_new, y_new, *predict(model, x_new))
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "band.png", data, model)
    print(f"the picture is in {args.out}")


if __name__ == "__main__":
    main()
