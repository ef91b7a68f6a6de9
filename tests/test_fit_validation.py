"""The validation of `fit` is tried on a batch first, of which nothing may be left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad import nn, optim
from tensorgrad.data import DataLoader, Dataset
from tensorgrad.train import fit


def line():
    """Return 20 points on a line, float32."""
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    return x, 3 * x + 1


def train(validation, epochs=1):
    """Return the losses of the validation; none without an epoch."""
    model = nn.Linear(1, 1, rng=0)
    history = fit(
        model, line(), loss=nn.mse_loss, optimizer=optim.SGD(model.parameters(), lr=0.1), rng=0,
        epochs=epochs, batch_size=5, validation=validation, verbose=0,
    )  # fmt: skip
    return history["val_loss"] if epochs else []


def test_a_validation_that_comes_once_is_all_there_for_the_epoch():
    x, y = line()
    given = [(x[:10], y[:10]), (x[10:], y[10:])]
    once = DataLoader(iter(given), None)
    assert train(once) == train(given)


def test_a_validation_that_was_looked_into_is_whole_in_every_epoch():
    x, y = line()
    looked_into = DataLoader((x, y), 5)
    next(iter(looked_into))
    assert train(looked_into, epochs=2) == train((x, y), epochs=2)


def test_a_sequence_of_batches_need_not_know_slices():
    class Halves(Sequence):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if not 0 <= index < 2:
                raise IndexError(index)
            return tuple(part[10 * index : 10 * index + 10] for part in line())

    assert train(Halves()) == train([*Halves()])


def test_the_trial_of_the_validation_draws_nothing():
    class Noisy(Dataset):
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return self.rng.random(1, np.float32), np.ones(1, np.float32)

    data = Noisy()
    train(DataLoader(data, 2, shuffle=True, generator=0, prefetch=1), epochs=0)
    assert data.rng.random() == np.random.default_rng(0).random()
