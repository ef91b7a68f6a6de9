"""Spellings of calls: the fastest one, with the bits of what was recorded."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.compiler.plan import planned
from tensorgrad.compiler.record import record


def matrices(m: int, k: int, n: int, dtype: Any) -> tuple[Any, Any]:
    """Return two matrices with zeros of both signs."""
    rng = np.random.default_rng(m + 10 * k + 100 * n)
    x, y = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    x[rng.random(x.shape) < 0.3], y[rng.random(y.shape) < 0.3] = -0.0, 0.0
    return x, y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_products_have_the_bits_of_matmul(dtype: str) -> None:
    sizes = (1, 2, 5, 16)
    for (m, k, n), turned in itertools.product(itertools.product(sizes, repeat=3), (False, True)):
        x, y = matrices(m, k, n, dtype)
        if turned:
            x, y = x.T.copy().T, y.T.copy().T
        # Twice one, so that the product is no result: results are new at each call.
        product = tg.compile(lambda x, y: 1.0 * (x @ y))
        for _ in range(2):
            assert product(x, y).tobytes() == (1.0 * (x @ y)).tobytes(), (m, k, n, turned)
        assert (".dot(" in product.source) == (max(m, k, n) > 1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.ones((4, 6))[:, ::2], np.ones((3, 4))),
        (np.ones((2, 3, 4)), np.ones((4, 5))),
        (np.ones(3), np.ones((3, 4))),
        (np.ones((4, 3), np.float16), np.ones((3, 4), np.float16)),
        (np.ones((4, 3), int), np.ones((3, 4), int)),
        (np.ones((4, 3), np.float32), np.ones((3, 4))),
        (np.ones((4, 0)), np.ones((0, 4))),
        (np.ones((200, 3)), np.ones((3, 200))),
    ],
    ids=["strided", "stack", "vector", "half", "integers", "mixed", "empty", "large"],
)
def test_other_products_stay_what_they_are(x: Any, y: Any) -> None:
    product = tg.compile(lambda x, y: 1 * (x @ y))
    assert product(x, y).tobytes() == (1 * (x @ y)).tobytes()
    assert ".dot(" not in product.source


def test_what_is_computed_in_place_goes_through_one_object() -> None:
    captured = np.ones((8, 9))
    step = tg.compile(lambda x: np.tanh(np.tanh(np.tanh(captured))) @ x)
    step(np.ones(9))
    assert step.source.count("np.empty(") == 1
    assert "np.ndarray(" not in step.source


def test_an_update_computes_what_it_stores_one_after_the_other() -> None:
    parameter = tg.Tensor(np.ones(1000))
    optimizer = optim.Adam([parameter])
    parameter.grad = np.full(1000, 0.5)
    optimizer.step()
    plan = planned(record(optimizer.step, (), {}, records=True), threads=1, loops=False)
    assert len(plan.memory.pools) == 2
    assert [value.shape for value, _ in plan.order.in_place.items()] == [(1000,)] * 3 + [(1,)] * 2


def test_numbers_that_change_are_read_at_each_call() -> None:
    scale = np.array(2.0, np.float32)
    step = tg.compile(lambda x: (x * (scale.sum() + 1.0).astype(np.float32)).sum())
    x = np.arange(4, dtype=np.float32)
    for factor in (2.0, 3.0, -0.5):
        scale[...] = factor
        assert step(x) == (x * np.float32(factor + 1.0)).sum()


def test_an_array_without_axes_is_given_to_a_loop_as_a_number() -> None:
    shift = np.linspace(-1.0, 1.0, 3000).reshape(50, 60)

    def clipped(x: Any) -> Any:
        return (np.maximum(shift, x) * 2.0 + x) @ np.ones(60)

    compiled = tg.compile(clipped)
    for value in (0.25, -0.5):
        x = np.array(value)
        assert compiled(x).tobytes() == clipped(x).tobytes()
