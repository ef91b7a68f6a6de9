"""What compiled functions leave in arrays outside, where they are read and stored in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import four_arrays, told_twice
from tensorgrad import nn, optim


def kept_before_it_changes(s: Any, x: Any) -> None:
    s.b[...] = s.a
    s.a[...] = s.a * 2 + x


def changed_places(s: Any, x: Any) -> None:  # noqa: ARG001 - every story has an argument
    s.a[...], s.b[...] = s.b.copy(), s.a.copy()


def a_product_with_one(s: Any, x: Any) -> None:
    s.a[...], s.b[...] = s.b + x, s.a * 1


def one_value_in_two_places(s: Any, x: Any) -> None:
    y = x * 2
    s.a[...] = y
    s.b[...] = y


def a_view_turned_round(s: Any, x: Any) -> None:
    s.a[...] = s.b[::-1]
    s.b[...] = s.b + x


def a_number(s: Any, x: Any) -> Any:
    s.m[...] = s.n
    s.n[...] = s.n + x.sum()
    return s.n * x


def a_number_written_between(s: Any, x: Any) -> Any:
    first = s.n * x
    s.n[...] = 0.25
    second = s.n * x
    s.a[...] = s.a * s.n
    return first, second


def a_number_of_its_own(s: Any, x: Any) -> Any:  # noqa: ARG001
    n = (x[:1] * 1.0).reshape(())
    before = x * n
    np.add.at(n, (), 1.0)
    return before + x * n


def a_number_from_a_call(s: Any, x: Any) -> Any:  # noqa: ARG001
    n = np.full_like(x, x[0] * 2.0, shape=())
    np.add.at(n, (), x[0])
    return x * n


@pytest.mark.parametrize(
    "function",
    [
        kept_before_it_changes, changed_places, a_product_with_one, one_value_in_two_places,
        a_view_turned_round, a_number, a_number_written_between, a_number_of_its_own,
        a_number_from_a_call,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_what_is_stored_is_what_was_there(function: Callable[[Any, Any], Any]) -> None:
    def story(compiled: Any) -> Iterator[Any]:
        state = four_arrays()
        step = compiled(lambda x: function(state, x))
        for i in range(3):
            yield step(np.arange(3.0) + i), *(array.copy() for array in vars(state).values())

    told_twice(story, runs=1)


def test_running_statistics_their_averages_and_old_weights() -> None:
    """One value is stored in two places, and a parameter is copied before its update."""

    def story(compiled: Any) -> Iterator[Any]:
        model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4))
        optimizer, ema = optim.SGD(model.parameters(), lr=0.1), optim.EMA(model, 0.9)
        old = np.zeros((4, 3), np.float32)

        @compiled
        def step(x: Any) -> tg.Tensor:
            optimizer.zero_grad()
            loss = np.square(model(x)).sum()
            loss.backward()
            old[...] = model[0].weight.data
            optimizer.step()
            ema.update()
            return loss

        for i in range(4):
            x = np.random.default_rng(i).normal(size=(5, 3)).astype(np.float32)
            yield step(x), old.copy(), *model.state_dict().values(), *ema.state_dict().values()

    told_twice(story, runs=1)


def sums_of_another_dtype(out: Any, x: Any) -> None:
    np.sum(x, axis=0, out=out[0])
    np.mean(x, axis=0, out=out[1])
    x.mean(axis=0, out=out[2])
    np.add.reduce(x, axis=0, out=out[3])
    np.cumsum(x[0], out=out[4])


def powers_backwards(out: Any, x: Any) -> None:
    turned = np.flip(np.abs(x[0]))
    turned **= turned
    out[0] = turned
    np.power(np.abs(x[1]), turned, out=out[1, ::-1])


def where_only(out: Any, x: Any) -> None:
    np.add(x[:5], 1.0, out=out, where=x[:5] > 0.0)
    np.exp(x[:3].T, out=out.T[:, :3], where=x[:3].T < 0.0)


@pytest.mark.parametrize(
    "function",
    [sums_of_another_dtype, powers_backwards, where_only],
    ids=lambda function: function.__name__,
)
def test_the_bits_depend_on_where_a_result_goes(function: Callable[[Any, Any], None]) -> None:
    def story(compiled: Any) -> Iterator[Any]:
        out = np.zeros((5, 33))
        step = compiled(lambda x: function(out, x))
        for i in range(3):
            x = np.random.default_rng(i).normal(size=(100, 33)).astype(np.float32)
            step(x)
            yield out.copy()

    told_twice(story, runs=1)


def test_a_product_into_every_second_column() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        out = np.zeros((20, 40), np.float32)
        step = compiled(lambda x: np.matmul(x, x.T, out=out[:, ::2]) * 2.0)
        for i in range(2):
            yield (
                step(np.random.default_rng(i).normal(size=(20, 30)).astype(np.float32)),
                out.copy(),
            )

    told_twice(story, runs=1)


def a_sum_of_floats(n: Any, x: Any) -> None:
    n += x


def a_copy_of_floats(n: Any, x: Any) -> None:
    np.copyto(n, x)


def a_product_of_floats(n: Any, x: Any) -> None:
    np.multiply(x, x, out=n)


@pytest.mark.parametrize(
    "function",
    [a_sum_of_floats, a_copy_of_floats, a_product_of_floats],
    ids=lambda function: function.__name__,
)
def test_floats_are_not_written_to_integers(function: Callable[[Any, Any], None]) -> None:
    n = np.arange(3)
    with pytest.raises(TypeError, match="same_kind"):
        tg.compile(lambda x: function(n, x))(np.ones(3))
    assert n.tolist() == [0, 1, 2]


def test_a_tensor_takes_what_arrays_give() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        t = tg.Tensor(np.zeros(3), requires_grad=False)

        def step(x: Any) -> Any:
            np.add(x, 1.0, out=t, where=x > 1.0)
            return np.multiply(x, 2.0, out=tg.zeros(3, dtype=np.float64))

        run = compiled(step)
        for i in range(3):
            yield run(np.arange(3.0) + i), t.data.copy()

    told_twice(story)


def test_a_number_written_over_is_an_array_still() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        n = np.array(3.0)

        def step() -> Any:
            m = n
            m *= 3.0
            return m, n[()], n * 1.0

        run = compiled(step)
        for _ in range(2):
            yield run()

    told_twice(story, runs=1)


def test_tensors_are_written_to_arrays() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        a, t = np.zeros(3), tg.Tensor(np.arange(3.0), requires_grad=False)

        def step(x: Any) -> Any:
            b = np.zeros_like(x)
            a[...] = t
            a[0] = t[1]
            b[1:] = t[:2]
            return a + 1.0, b

        run = compiled(step)
        for i in range(3):
            t.data = t.data + i
            yield run(np.ones(3))

    told_twice(story, runs=1)


def test_a_number_of_a_graph_is_not_written_to_an_array() -> None:
    a, w = np.zeros(3), tg.Tensor(2.0)

    @tg.compile
    def step() -> None:
        a[0] = w * 2.0

    with pytest.raises(tg.CompileError, match=r"write x\.data"):
        step()
    assert a.tolist() == [0.0, 0.0, 0.0]


def test_a_number_is_chosen_by_a_mask() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        n = np.array(-1.0)

        def step(x: Any) -> Any:
            np.maximum(n, x.sum(), out=n, where=x.sum() > 2.0)
            return x.max(axis=None, keepdims=True), x.max()

        run = compiled(step)
        for i in range(3):
            yield run(np.arange(3.0) * i), n.copy()

    told_twice(story, runs=1)


def test_draws_before_an_error_are_taken_back() -> None:
    rng = np.random.default_rng(0)

    @tg.compile
    def step(x: Any, i: Any) -> Any:
        return tg.rand(2, rng=rng).data + x[i]

    step(np.ones(3), np.array([0, 1]))
    before = rng.bit_generator.state
    with pytest.raises(IndexError, match="out of bounds"):
        step(np.ones(3), np.array([0, 9]))
    assert rng.bit_generator.state == before
