"""Case 109: n steps equal k steps, a checkpoint, a new process, n - k steps, to the bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from resumed import EPOCHS, MODELS, STEPS_PER_EPOCH, StopAt, digest, train
from tensorgrad import nn, optim
from tensorgrad.data import DataLoader, Dataset
from tensorgrad.train import History, ModelCheckpoint, Pooled, load_checkpoint, save_checkpoint

ROOT = Path(__file__).parents[1]
WAYS = pytest.mark.parametrize("compile", [False, True], ids=["eager", "compiled"])
ALL = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def seeded():
    """Seed the default generator, and put it back."""
    default = tg.manual_seed(11)
    yield
    default.bit_generator.state = np.random.default_rng().bit_generator.state


@pytest.fixture
def whole(tmp_path):
    """Train without a break; return the digest."""

    def run(name: str, compile: bool, **options: Any) -> str:
        tg.manual_seed(11)
        return train(name, compile, tmp_path / f"whole {compile}", **options)

    return run


def in_parts(name: str, compile: bool, folder: Path, *stops: int, **options: Any) -> str:
    """Train with breaks after so many steps, everything made anew after each."""
    tg.manual_seed(11)
    for i, stop in enumerate(stops):
        train(name, compile, folder, StopAt(stop), resume=i > 0, **options)
        tg.manual_seed(99 + i)  # a new process has another default generator
    return train(name, compile, folder, resume=True, **options)


@ALL
def test_a_new_process_goes_on_to_the_bit(name, whole, tmp_path):
    """In the middle of an epoch, with the default generator elsewhere; eager and compiled."""
    for compile in (False, True):
        tg.manual_seed(11)
        train(name, compile, tmp_path / str(compile), StopAt(STEPS_PER_EPOCH + 2))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/resumed.py"), name, str(tmp_path)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    expected = whole(name, True)
    assert done.stdout.split() == [expected, expected]
    assert whole(name, False) == expected


@pytest.mark.parametrize(
    "stops",
    [
        (1,),
        (STEPS_PER_EPOCH - 1,),
        (STEPS_PER_EPOCH,),
        (STEPS_PER_EPOCH + 1, 2 * STEPS_PER_EPOCH),
        (EPOCHS * STEPS_PER_EPOCH,),
    ],
    ids=["first step", "before the last batch", "after the last batch", "twice", "at the end"],
)
def test_wherever_it_was_left(stops, whole, tmp_path):
    assert in_parts("mlp", True, tmp_path / "left", *stops) == whole("mlp", True)


def test_a_training_goes_on_the_other_way(whole, tmp_path):
    """Eagerly what was compiled."""
    tg.manual_seed(11)
    train("mlp", True, tmp_path / "left", StopAt(7))
    assert train("mlp", False, tmp_path / "left", resume=True) == whole("mlp", True)


def test_other_metrics_within_an_epoch_are_refused(tmp_path):
    """Their mean would lack the batches before the break."""
    train("mlp", False, tmp_path, StopAt(2))
    with pytest.raises(ValueError, match=r"epoch: within an epoch .*'accuracy', 'loss'"):
        train("mlp", False, tmp_path, resume=True, metrics=[])


def test_a_metric_over_all_batches_goes_on(whole, tmp_path):
    options = {"metrics": {"r2": Pooled(lambda p, y: np.array([p.sum(), len(y)]), sum_by_count)}}
    assert in_parts("mlp", True, tmp_path / "left", 7, **options) == whole("mlp", True, **options)


def sum_by_count(total):
    return total[0] / total[1]


def test_a_shuffled_validation_goes_on(tmp_path):
    """Its order changes the last bits of a mean."""
    x = np.random.default_rng(0).normal(size=(101, 2)).astype(np.float32)

    def train(folder, epochs, **options):
        model = nn.Linear(2, 2, rng=0)
        loader = DataLoader((x, (x[:, 0] > 0).astype(int)), 4, shuffle=True, generator=5)
        history = tg.fit(
            model, (x, (x[:, 0] > 0).astype(int)), loss=nn.cross_entropy, rng=1, verbose=0,
            optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=epochs, validation=loader,
            checkpoint=ModelCheckpoint(tmp_path / folder, every=1), resume=True, **options,
        )  # fmt: skip
        return history["val_loss"]

    train("left", 3, callbacks=StopAt(3))
    assert train("left", 3) == train("whole", 3)


@WAYS
def test_within_accumulated_and_clipped_steps(compile, whole, tmp_path):
    options = {"accumulate": 2, "clip_norm": 0.2}
    assert in_parts("mlp", compile, tmp_path / "left", 4, **options) == whole(
        "mlp", compile, **options
    )


@WAYS
@pytest.mark.parametrize("left_at", [1, 2, 3, 5, 6])
def test_after_a_last_step_of_fewer_batches(compile, left_at, tmp_path):
    """The third step of an epoch has one batch, and what was saved then is past the data."""

    class KilledError(Exception):
        """What ends a process, as far as the checkpoint is concerned."""

    def kill(event, run):
        if event == "step_end" and len(run.history.steps) == left_at:
            run.save(tmp_path / "left.npz")
            raise KilledError

    def train(epochs, callbacks=(), **options):
        rng = np.random.default_rng(3)
        model, data = MODELS["mlp"](rng)
        history = tg.fit(
            model, data, loss=nn.cross_entropy, optimizer=optim.Adam(model.parameters()),
            epochs=epochs, batch_size=10, accumulate=2, validation=data, rng=rng, verbose=0,
            callbacks=callbacks, compile=compile, **options,
        )  # fmt: skip
        return history.steps, history["loss"], history["val_loss"], digest([model.state_dict()])

    tg.manual_seed(11)
    expected = train(2)
    assert len(expected[0]) == 6
    tg.manual_seed(11)
    with pytest.raises(KilledError):
        train(2, kill)
    tg.manual_seed(5)
    assert train(2, resume=tmp_path / "left.npz") == expected


@pytest.mark.parametrize("moment", ["step_end", "epoch_end"])
def test_after_ctrl_c_the_last_checkpoint_is_whole(moment, whole, tmp_path):
    """Whatever was done after it is done again."""

    def interrupt(event, run):
        if event == moment and len(run.history.steps) == STEPS_PER_EPOCH:
            signal.raise_signal(signal.SIGINT)

    tg.manual_seed(11)
    train("mlp", True, tmp_path / "left", interrupt)
    left = [path.name for path in (tmp_path / "left").iterdir()]
    assert "last.npz" in left
    assert not [name for name in left if name.endswith(".tmp")]
    assert train("mlp", True, tmp_path / "left", resume=True) == whole("mlp", True)


@pytest.mark.parametrize("interrupted", [False, True])
def test_nothing_is_saved_at_the_end(interrupted, tmp_path):
    """Where a batch may be lost, a group be open, or the best weights be back."""
    seen = []

    def save(event, run):
        if event == "step_end" and interrupted:
            raise KeyboardInterrupt
        if event == "train_end":
            seen.append(run)
            run.save(tmp_path / "end.npz")

    with pytest.raises(RuntimeError, match='save was called at "train_end"'):
        train("mlp", False, tmp_path / "folder", save)
    with pytest.raises(RuntimeError, match="save was called outside of a callback"):
        seen[0].save(tmp_path / "end.npz")
    assert not (tmp_path / "end.npz").exists()


class Jittered(Dataset):
    """Samples with noise, from a generator of its own."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return np.float32([index]) + self.rng.normal(size=1).astype(np.float32), np.float32([1.0])


def test_data_that_draw_random_numbers_go_on(tmp_path):
    def train(folder, epochs, *callbacks):
        model = nn.Linear(1, 1, rng=0)
        history = tg.fit(
            model, DataLoader(Jittered(2), 2, shuffle=True, generator=5), loss=nn.mse_loss,
            optimizer=optim.SGD(model.parameters(), lr=0.01), epochs=epochs, callbacks=callbacks,
            validation=DataLoader(Jittered(3), 2), verbose=0, resume=True,
            checkpoint=ModelCheckpoint(tmp_path / folder, every=1),
        )  # fmt: skip
        return history.steps, history["val_loss"]

    train("left", 3, StopAt(6))
    assert train("left", 3) == train("whole", 3)


def test_more_epochs_follow_a_training_that_had_ended(tmp_path):
    lengths = []
    for epochs in (2, 3):
        model = nn.Linear(2, 3, rng=0)
        data = np.ones((6, 2), np.float32), np.array([0, 1, 2, 0, 1, 2])
        history = tg.fit(
            model, data, loss=nn.cross_entropy, optimizer=optim.SGD(model.parameters(), lr=0.1),
            epochs=epochs, batch_size=3, checkpoint=tmp_path, resume=True, rng=0, verbose=0,
        )  # fmt: skip
        lengths.append((history.epochs, len(history.steps), len(history.runs)))
    assert lengths == [(2, 4, 1), (3, 6, 2)]
    assert [run["first_step"] for run in history.runs] == [0, 4]


# ------------------------------------------------------------------ a loop of one's own


def loop(path: Path, compile: bool, steps: int, resume: bool) -> str:
    """Train by hand up to a step, and save; return a digest of what is left."""
    rng = np.random.default_rng(1)
    model, (x, y) = MODELS["mlp"](rng)
    parts = {
        "model": model,
        "optimizer": optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        "data": DataLoader((x, y), 10, shuffle=True, generator=rng),
        "history": History(),
    }
    done = load_checkpoint(path, **parts)["steps"] if resume else 0

    def step(x, y):
        parts["optimizer"].zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        parts["optimizer"].step()
        return loss

    step = tg.compile(step) if compile else step
    while done < steps:
        for batch in parts["data"]:
            parts["history"].record_step(step(*batch))
            done += 1
            if done == steps:
                break
    save_checkpoint(path, **parts, steps=done)
    return digest([part.state_dict() for part in parts.values()], rng.bit_generator.state)


@WAYS
@pytest.mark.parametrize("left_at", [1, 5, 7])
def test_a_loop_of_ones_own_goes_on_to_the_bit(compile, left_at, tmp_path):
    expected = loop(tmp_path / "whole.npz", compile, 12, resume=False)
    tg.manual_seed(11)
    loop(tmp_path / "left.npz", compile, left_at, resume=False)
    tg.manual_seed(5)
    assert loop(tmp_path / "left.npz", compile, 12, resume=True) == expected
