"""A training that is left and taken up again, here or in a new process, and what it leaves.

    python tests/resumed.py MODEL FOLDER

goes on from the checkpoints in FOLDER/False, eagerly, and FOLDER/True, compiled, and prints two
digests.  A model is a row of MODELS.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.optim.lr_scheduler import StepLR
from tensorgrad.random import as_generator, state_of
from tensorgrad.train import EarlyStopping, History, ModelCheckpoint, fit

STEPS_PER_EPOCH = 5
EPOCHS = 3


def points(rng: np.random.Generator, *shape: int) -> tuple[Any, Any]:
    """Draw 43 samples of three classes: four batches of ten, and one of three."""
    return rng.normal(size=(43, *shape)).astype(np.float32), rng.integers(0, 3, 43)


def mlp(rng: np.random.Generator) -> tuple[Any, Any]:
    """Two dropouts: one draws from the generator that shuffles, one from the default one."""
    model = nn.Sequential(
        nn.Linear(4, 8, rng=rng), tg.relu, nn.Dropout(0.3, rng=rng), nn.Linear(8, 3, rng=rng),
        nn.Dropout(0.1),
    )  # fmt: skip
    return model, points(rng, 4)


def cnn(rng: np.random.Generator) -> tuple[Any, Any]:
    """Two convolutions with batch normalisation, and a dropout."""
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=rng), nn.BatchNorm2d(4), tg.relu, nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, rng=rng), nn.BatchNorm2d(6), tg.relu, nn.Flatten(),
        nn.Dropout(0.3, rng=rng), nn.Linear(6, 3, rng=rng),
    )  # fmt: skip
    return model, points(rng, 1, 6, 6)


class Reader(nn.Module):
    """Reads a sequence with an LSTM of two layers, and answers from its last state."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.lstm = nn.LSTM(4, 5, num_layers=2, batch_first=True, dropout=0.3, rng=rng)
        self.head = nn.Linear(5, 3, rng=rng)

    def forward(self, x: Any) -> Any:
        """Map (batch, time, 4) to (batch, 3)."""
        return self.head(self.lstm(x)[0][:, -1])


def lstm(rng: np.random.Generator) -> tuple[Any, Any]:
    """A recurrent network, with a dropout between its layers."""
    return Reader(rng), points(rng, 3, 4)


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm}
"""Each makes a model and its data."""


def train(
    name: str,
    compile: bool,
    folder: Path,
    *callbacks: Any,
    resume: bool = False,
    **options: Any,
) -> str:
    """Train a model of the table, saving after every step; return a digest of what is left."""
    rng = np.random.default_rng(3)
    model, data = MODELS[name](rng)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    schedule = StepLR(optimizer, 4, gamma=0.5)
    stopping = EarlyStopping(patience=50, restore_best=False)
    history = fit(
        model, data, loss=nn.cross_entropy, optimizer=optimizer, epochs=EPOCHS, batch_size=10,
        validation=data, schedule=schedule, callbacks=[stopping, *callbacks],
        checkpoint=ModelCheckpoint(folder, every=1), resume=resume, rng=rng, verbose=0,
        diagnostics=3, compile=compile, **{"metrics": "accuracy"} | options,
    )  # fmt: skip
    generators = [state_of(rng), state_of(as_generator(None))]
    parts = (model, optimizer, schedule, stopping)
    return digest([part.state_dict() for part in parts], generators, record(history))


def record(history: History) -> dict[str, Any]:
    """Return all that a history holds but times and circumstances."""
    state = history.state_dict()
    del state["runs"], state["epochs"]["seconds"]
    return state


def digest(*states: Any) -> str:
    """Return a checksum of states, of the bits of each number in them."""
    found = hashlib.sha256()
    pending: list[Any] = list(states)
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += [value for pair in item.items() for value in pair]
        elif isinstance(item, (list, tuple)):
            pending += item
        elif isinstance(item, np.ndarray):
            found.update(f"{item.dtype}{item.shape}".encode() + item.tobytes())
        else:
            found.update(repr(item).encode())
    return found.hexdigest()


class StopAt:
    """Stops a training after so many steps; it is a callback without a state."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, event: str, run: Any) -> None:
        if event == "step_end" and len(run.history.steps) == self.steps:
            run.stop("by the test")


if __name__ == "__main__":
    for compiled in (False, True):
        found = train(sys.argv[1], compiled, Path(sys.argv[2], str(compiled)), resume=True)
        sys.stdout.write(f"{found}\n")
