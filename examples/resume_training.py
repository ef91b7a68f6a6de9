"""Lose a training half-way, take it up again, and end with the same network, to the bit.

    python examples/resume_training.py

The same training runs three times: without a break; in a process that dies in the middle of an
epoch, as if somebody had pulled the plug; and in a new process, which goes on from the last
checkpoint.  The weights, and every loss on the way, are those of the training without a break:
besides the weights a checkpoint holds the optimiser, the schedule, the position in the data, the
history, and all generators, those of the dropouts included.

Takes about 6 s; prints whether all is the same, and saves the curves into out/resume_training.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Products this small gain little from a second thread.  NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from tensorgrad import nn, optim
from tensorgrad.data import digits
from tensorgrad.optim.lr_scheduler import CosineAnnealingLR
from tensorgrad.train import ModelCheckpoint, fit

EVERY = 10  # steps between two checkpoints


def train(folder, quick, dies_at=None, verbose=0):
    """Train, going on from the checkpoint in the folder if there is one."""
    data = digits()
    count, epochs = (1000, 2) if quick else (8000, 6)
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Linear(784, 128, rng=rng), nn.ReLU(), nn.Dropout(0.3, rng=rng),
        nn.Linear(128, 10, rng=rng),
    )  # fmt: skip
    optimizer = optim.AdamW(model.parameters(), lr=2e-3)

    def pull_the_plug(event, run):
        if event == "step_end" and len(run.history.steps) == dies_at:
            os._exit(1)  # nothing is flushed, closed or saved

    history = fit(
        model,
        (data.x_train[:count], data.y_train[:count]),
        loss=nn.cross_entropy,
        optimizer=optimizer,
        schedule=CosineAnnealingLR(optimizer, epochs * -(-count // 64)),
        epochs=epochs,
        validation=(data.x_test[:count], data.y_test[:count]),
        metrics="accuracy",
        callbacks=pull_the_plug,
        checkpoint=ModelCheckpoint(folder, every=EVERY),
        resume=True,
        rng=rng,
        verbose=verbose,
    )
    return model, history


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/resume_training"))
    parser.add_argument("--quick", action="store_true", help="1,000 images, 2 epochs")
    parser.add_argument("--train-in", type=Path, help="only train, in this folder")
    parser.add_argument("--dies-at", type=int, help="and die at this step")
    args = parser.parse_args()
    if args.train_in:
        train(args.train_in, args.quick, args.dies_at, verbose=2)
        return

    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        print("without a break:", flush=True)
        whole, expected = train(Path(folder, "whole"), args.quick, verbose=2)

        left = Path(folder, "left")
        step = len(expected.steps) * 5 // 8 + 3
        command = [sys.executable, __file__, "--train-in", left, *["--quick"] * args.quick]
        print(f"the same in another process, which dies at step {step}:", flush=True)
        subprocess.run([*command, "--dies-at", str(step)], check=False)
        print("and in a new one, which goes on:", flush=True)
        subprocess.run(command, check=True)
        resumed, history = train(left, args.quick)  # nothing is left to do: this reads the result

    seam = history.runs[1]["first_step"]
    print(f"it went on from the checkpoint of step {seam}")
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    print("the same weights, to the bit:", all(np.array_equal(a, b) for a, b in pairs))
    print("the same loss at every step: ", history.steps == expected.steps)

    figure = history.plot(log_y=True)
    axes = figure.axes[0]
    place = seam * history.epochs / len(history.steps)
    axes.axvline(place, color="black", linestyle=":")
    where = axes.get_xaxis_transform()
    axes.text(place, 0.98, " died, and resumed", va="top", transform=where)
    figure.savefig(args.out / "history.png", dpi=150)
    print(f"the curves are in {args.out}")


if __name__ == "__main__":
    main()
