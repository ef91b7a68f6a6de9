"""Small convolutional networks: 50 compiled steps are equal to eager to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn, optim
from tensorgrad.ops import convolution as ops

STEPS = 50


def images(dtype: Any) -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, dtype=dtype, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, padding="valid", groups=2, dtype=dtype, rng=rng), np.tanh,
        nn.AvgPool2d(2, 1, padding=1), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.25, rng=1), nn.Linear(24, 3, dtype=dtype, rng=rng),
    )  # fmt: skip


def sequences(dtype: Any) -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, padding="same", dilation=2, dtype=dtype, rng=rng), nn.ReLU(),
        nn.Conv1d(4, 3, 12, dtype=dtype, rng=rng), nn.Flatten(),
    )  # fmt: skip


def trained(
    make: Callable[[Any], Any], shape: tuple[int, ...], dtype: Any, rows: tuple[int, ...] = (5,)
) -> Callable[..., Iterator[Any]]:
    """Tell how a network is trained, batch after batch of these sizes."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = make(dtype)
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        rng = np.random.default_rng(0)
        for i in range(STEPS):
            count = rows[i % len(rows)]
            x = rng.normal(size=(count, *shape)).astype(dtype)
            yield step(x, rng.integers(0, 3, count))
        yield model, optimizer, list(model.parameters())

    return story


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("make", "shape"), [(images, (2, 10, 9)), (sequences, (2, 12))])
def test_networks(make: Any, shape: tuple[int, ...], dtype: str) -> None:
    told_twice(trained(make, shape, dtype), runs=1)


def test_a_smaller_last_batch() -> None:
    told_twice(trained(images, (2, 10, 9), "float32", rows=(5, 5, 2)), runs=2)


def test_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that are made in several strips, as those of large images are."""
    monkeypatch.setattr(ops, "STRIP", 500)
    ops._strips.cache_clear()
    told_twice(trained(images, (2, 10, 9), "float32"), runs=1)
    ops._strips.cache_clear()


def test_evaluation_of_single_images() -> None:
    model = images("float32").eval()
    compiled = tg.compile(model)
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=(1, 2, 10, 9)).astype(np.float32)
        np.testing.assert_array_equal(compiled(x).data, model(x).data)
