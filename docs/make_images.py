"""Make the pictures of the documentation: `python docs/make_images.py [folder]`.

They go to docs/images, or to the folder given.  Needs the extra `draw`, or Graphviz.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.viz.plots import COLOURS

IMAGES = Path(__file__).parent / "images"


def loss_curve(folder: Path) -> None:
    """Draw the training that README.md shows."""
    tg.manual_seed(0)
    data = tg.data.digits()
    model = tg.nn.MLP(784, [128, 10], activation="relu", output_activation=None)
    history = tg.fit(
        model,
        (data.x_train, data.y_train),
        loss=tg.nn.cross_entropy,
        optimizer=tg.optim.Adam(model.parameters(), lr=0.002),
        epochs=8,
        validation=(data.x_test, data.y_test),
        verbose=0,
    )
    history.plot(folder / "loss_curve.png")


def diagnostics(folder: Path) -> None:
    """Draw what docs/training.md says of the steps of a training."""
    tg.manual_seed(0)
    data = tg.data.digits()
    model = tg.nn.MLP(784, [64, 64, 10], activation="relu", output_activation=None)
    adam = tg.optim.Adam(model.parameters(), lr=0.003)
    tg.fit(
        model,
        (data.x_train, data.y_train),
        loss=tg.nn.cross_entropy,
        optimizer=adam,
        epochs=4,
        schedule=tg.optim.lr_scheduler.CosineAnnealingLR(adam, 500),
        diagnostics=5,
        verbose=0,
    ).plot("diagnostics", folder / "diagnostics.png")


def spirals(folder: Path) -> None:
    """Draw the decisions of the network of docs/quickstart.md."""
    tg.manual_seed(0)
    x, y = tg.data.make_spirals(300, rng=0)
    model = tg.nn.MLP(2, [32, 32, 3], output_activation=None)
    adam = tg.optim.Adam(model.parameters(), lr=0.01)
    tg.fit(model, (x, y), loss=tg.nn.cross_entropy, optimizer=adam, epochs=100, verbose=0)
    tg.viz.plot_decision_boundary(model, x, y, path=folder / "spirals.png")


def neuron(folder: Path) -> None:
    """Draw the neuron that README.md shows."""
    x1, w1 = tg.Value(2.0, label="x1"), tg.Value(-3.0, label="w1")
    x2, w2 = tg.Value(0.0, label="x2"), tg.Value(1.0, label="w2")
    b = tg.Value(6.8813735870195432, label="b")
    o = (x1 * w1 + x2 * w2 + b).tanh()
    o.label = "o"
    o.backward()
    tg.viz.save_graph(o, folder / "neuron.svg")


def engine_graph(folder: Path) -> None:
    """Draw the graph that docs/engine.md goes through."""
    x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    w = tg.Tensor([0.5, -0.25], label="w")
    b = tg.Tensor(0.1, label="b")
    loss = np.tanh(x @ w + b).sum()
    loss.label = "loss"
    loss.backward()
    tg.viz.save_graph(loss, folder / "engine_graph.svg")


def schedules(folder: Path) -> None:
    """Draw the schedules that docs/optimisers.md lists."""
    from matplotlib.figure import Figure

    module: Any = tg.optim.lr_scheduler
    sgd = tg.optim.SGD([tg.Tensor([0.0])], lr=1.0)
    warm_up = module.LinearLR(sgd, start_factor=0.1, total_iters=20)
    panels = [
        {
            "StepLR(step_size=25, gamma=0.5)": module.StepLR(sgd, 25, 0.5),
            "MultiStepLR([40, 80], gamma=0.3)": module.MultiStepLR(sgd, [40, 80], 0.3),
            "ExponentialLR(gamma=0.97)": module.ExponentialLR(sgd, 0.97),
        },
        {
            "CosineAnnealingLR(T_max=100)": module.CosineAnnealingLR(sgd, 100),
            "CosineAnnealingWarmRestarts(T_0=20, T_mult=2)": module.CosineAnnealingWarmRestarts(
                sgd, 20, 2
            ),
        },
        {
            "OneCycleLR(max_lr=1, total_steps=101)": module.OneCycleLR(sgd, 1.0, 101),
            "LinearLR, then CosineAnnealingLR, by SequentialLR": module.SequentialLR(
                sgd, [warm_up, module.CosineAnnealingLR(sgd, 80)], [20]
            ),
        },
    ]
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    axes: Any = figure.subplots(1, len(panels), sharey=True)
    for axis, panel in zip(axes, panels, strict=True):
        lines = zip(panel.items(), ("-", "--", ":"), COLOURS, strict=False)
        for (name, schedule), style, colour in lines:
            rates = [schedule.lr_at(t)[0] for t in range(101)]
            drawn = "steps-post" if "StepLR" in name else "default"
            axis.plot(rates, style, color=colour, drawstyle=drawn, label=name)
        axis.set_xlabel("step")
        axis.grid(True, alpha=0.3)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    axes[0].set_ylabel("learning rate")
    figure.savefig(folder / "schedules.png", dpi=110)


def learning_rates(folder: Path) -> None:
    """Draw the sweep of docs/training.md."""
    tg.manual_seed(0)
    data = tg.data.digits()
    model = tg.nn.MLP(784, [32, 10], activation="relu", output_activation=None)
    adam = tg.optim.Adam(model.parameters())
    training = (data.x_train, data.y_train)
    sweep = tg.find_lr(model, training, loss=tg.nn.cross_entropy, optimizer=adam, rng=0)
    sweep.plot(folder / "learning_rates.png")


def uncertainty(folder: Path) -> None:
    """Draw the picture of examples/regression_uncertainty.py."""
    example = runpy.run_path(str(IMAGES.parents[1] / "examples" / "regression_uncertainty.py"))
    data = example["measure"](1000, np.random.default_rng(0))
    example["draw"](folder / "uncertainty.png", data, example["train"](data, epochs=400))


PICTURES = {
    "loss_curve.png": loss_curve,
    "learning_rates.png": learning_rates,
    "diagnostics.png": diagnostics,
    "spirals.png": spirals,
    "neuron.svg": neuron,
    "engine_graph.svg": engine_graph,
    "schedules.png": schedules,
    "uncertainty.png": uncertainty,
}


def main(folder: Path = IMAGES) -> None:
    """Make every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in PICTURES.values():
        make(folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
