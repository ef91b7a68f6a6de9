"""Training with compiled functions while the world changes: each story is told eagerly as well.

A story yields what can be seen on the way; `@story(runs)` says how often Python runs its compiled
functions.
"""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import Stories, Story, batches, net, told_twice
from tensorgrad import nn, optim

story = Stories()


def step_of(compiled: Any, model: Any, optimizer: Any) -> Any:
    @compiled
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def training(
    compiled: Any,
    change: Callable[[int, Any, Any], None],
    make: Callable[[Any], Any] = lambda params: optim.Adam(params, lr=0.1),
    count: int = 9,
) -> Iterator[Any]:
    """Train a network that somebody changes between the steps."""
    model = net()
    optimizer = make(model.parameters())
    step = step_of(compiled, model, optimizer)
    for i, (x, y) in enumerate(batches(count)):
        change(i, model, optimizer)
        yield step(x, y)
        yield model, optimizer, list(model.parameters())


# --- parameters and optimisers --------------------------------------------------------------------


@story(1)
def the_learning_rate(compiled: Any) -> Iterator[Any]:
    yield from training(compiled, lambda i, _, o: setattr(o, "lr", 0.1 / (i + 1)))


@story(3)
def numbers_of_optimisers(compiled: Any) -> Iterator[Any]:
    def change(i: int, _: Any, optimizer: Any) -> None:
        if i in (3, 6):
            setattr(optimizer, *{3: ("betas", (0.5, 0.9)), 6: ("eps", 1e-3)}[i])

    yield from training(compiled, change)


@story(4)
def momentum_decay_and_nesterov(compiled: Any) -> Iterator[Any]:
    def change(i: int, _: Any, optimizer: Any) -> None:
        new = {2: ("momentum", 0.5), 4: ("weight_decay", 0.1), 6: ("nesterov", True)}.get(i)
        if new:
            setattr(optimizer, *new)

    yield from training(compiled, change, lambda p: optim.SGD(p, lr=0.1, momentum=0.9))


@story(5)
def freezing_and_unfreezing(compiled: Any) -> Iterator[Any]:
    def change(i: int, model: Any, _: Any) -> None:
        if i in (3, 6):
            model.parameters()[0].requires_grad = i == 6

    yield from training(compiled, change)


@story(2)
def other_arrays_for_parameters(compiled: Any) -> Iterator[Any]:
    def change(i: int, model: Any, _: Any) -> None:
        for p in model.parameters() if i in (3, 4, 6) else ():
            p.data = p.data * 0.5

    yield from training(compiled, change)


@story(1)
def parameters_changed_in_place(compiled: Any) -> Iterator[Any]:
    def change(i: int, model: Any, _: Any) -> None:
        model.parameters()[i % 4].data[...] += 0.25

    yield from training(compiled, change)


@story(2)
def loading_a_state(compiled: Any) -> Iterator[Any]:
    saved: list[Any] = []

    def change(i: int, model: Any, optimizer: Any) -> None:
        if i == 2:
            saved[:] = [model.state_dict(), optimizer.state_dict()]
        if i == 6:
            model.load_state_dict(saved[0])
            optimizer.load_state_dict(saved[1])

    yield from training(compiled, change)


@story(2)
def gradients_assigned_from_outside(compiled: Any) -> Iterator[Any]:
    model = net()

    @compiled
    def add(x: Any, y: Any) -> None:
        nn.cross_entropy(model(x), y).backward()

    for i, (x, y) in enumerate(batches(6)):
        add(x, y)
        for p in model.parameters() if i % 2 else ():
            p.grad = p.grad * 2
        if i == 4:
            model.zero_grad()
        yield list(model.parameters())


@story(1)
def eager_steps_in_between(compiled: Any) -> Iterator[Any]:
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    steps = step_of(compiled, model, optimizer), step_of(lambda f: f, model, optimizer)
    for i, (x, y) in enumerate(batches(9)):
        yield steps[i % 3 == 1](x, y), model, optimizer


@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_models_and_optimisers(way: Callable[[Any], Any]) -> None:
    def story(compiled: Any) -> Iterator[Any]:
        model = net()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = step_of(compiled, model, optimizer)
        for x, y in batches(3):
            yield step(x, y)
        other, others = way((model, optimizer))
        copied = step_of(compiled, other, others)
        for x, y in batches(4, seed=1):
            yield step(x, y), copied(x, y), model, other, optimizer, others

    told_twice(story)


@story(2)
def two_functions_over_one_model(compiled: Any) -> Iterator[Any]:
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    step, predict = step_of(compiled, model, optimizer), compiled(lambda x: model(x))
    for x, y in batches(5):
        yield step(x, y), predict(x), model


@story(1)
def two_optimisers_over_one_parameter(compiled: Any) -> Iterator[Any]:
    model = net()
    first = optim.Adam(model.parameters(), lr=0.1)
    second = optim.SGD(model.parameters()[:1], lr=0.01, momentum=0.5)

    @compiled
    def step(x: Any, y: Any) -> Any:
        first.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        first.step()
        second.step()
        return loss

    for x, y in batches(5):
        yield step(x, y), model, first, second


@story(1)
def results_and_gradients_survive(compiled: Any) -> Iterator[Any]:
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @compiled
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        out = model(x)
        loss = nn.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        return {
            "loss": loss,
            "out": [out, (out.data,)],
            "grads": [p.grad for p in optimizer.params],
        }

    held: list[Any] = []
    for i, (x, y) in enumerate(batches(8)):
        held.append(step(x, y))
        if i % 3:
            held.append([p.grad for p in model.parameters()])
        if i % 3 == 2:
            held.append([p.grad[:1] for p in model.parameters()])
        yield held


@story(1)
def raw_updates_in_place_and_not(compiled: Any) -> Iterator[Any]:
    model = net()

    @compiled
    def step(x: Any, y: Any) -> Any:
        loss = nn.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        for i, p in enumerate(model.parameters()):
            if i % 2:
                p.data -= 0.3 * p.grad
            else:
                p.data = p.data - 0.3 * p.grad
        return loss

    for x, y in batches(6):
        yield step(x, y), list(model.parameters())


@story()
def gradients_that_are_constant(compiled: Any) -> Iterator[Any]:
    w, unused = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0])

    @compiled
    def step(x: Any) -> Any:
        w.zero_grad()
        (w.sum() + x.sum()).backward()
        return unused.grad

    for i in range(4):
        yield step(np.ones(2) * i), w, unused
        w.grad[0] = 99.0


# --- calls ----------------------------------------------------------------------------------------


@story(2)
def with_and_without_grad(compiled: Any) -> Iterator[Any]:
    model = net()
    f = compiled(lambda x: model(x))
    for x, _ in batches(4):
        yield f(x)
        with tg.no_grad():
            yield f(x)


@story()
def anomaly_detection(compiled: Any) -> Iterator[Any]:
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    step = step_of(compiled, model, optimizer)
    for i, (x, y) in enumerate(batches(4)):
        if i % 2:
            with tg.detect_anomaly():
                yield step(x, y)
        else:
            yield step(x, y)
        yield model, optimizer


@story(4)
def one_compiled_function_in_another(compiled: Any) -> Iterator[Any]:
    model = net()
    inner = compiled(lambda x: model(x) * 2)

    @compiled
    def outer(x: Any) -> Any:
        with tg.no_grad():
            first = inner(x)
        return first + inner(x + 1)

    for x, _ in batches(3):
        yield inner(x), outer(x)


@story(4)
def methods(compiled: Any) -> Iterator[Any]:
    class Counter:
        def __init__(self, k: float) -> None:
            self.total = np.full(3, k)

        @compiled
        def add(self, x: Any, scale: float = 1.0) -> Any:
            self.total += x * scale
            return self.total * 2

    one, two = Counter(1.0), Counter(2.0)
    for x in (np.ones(3), np.arange(3.0), np.zeros(3)):
        yield one.add(x), two.add(x), one.add(x, scale=3.0), two.add(x, 0.5)
        yield one.total, two.total


@story(3)
def random_draws(compiled: Any) -> Iterator[Any]:
    rng, layer, other = np.random.default_rng(3), nn.Dropout(0.5), nn.Dropout(0.5, rng=4)
    f = compiled(lambda x: layer(x) + tg.randn(8))
    g = compiled(lambda x: other(x) * tg.rand(8, rng=rng))
    for i in range(6):
        if i % 2:
            tg.manual_seed(i)
        else:
            tg.manual_seed(0).random(3)
        yield f(np.ones(8)), g(np.ones(8)), rng.random(), rng
        if i == 3:
            other.rng = np.random.default_rng(9)
    yield tg.manual_seed(0)


@story()
def a_gradient_with_nan(compiled: Any) -> Iterator[Any]:
    w = tg.Tensor([4.0, 9.0])
    optimizer = optim.SGD([w], lr=0.1)

    @compiled
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (np.sqrt(w * x) * 0 + w * x).sum()  # at 0 the strong zero
        loss.backward()
        optimizer.step()
        return loss

    with np.errstate(all="ignore"):
        for x in (np.ones(2), np.zeros(2), np.ones(2) * 2, np.array([np.nan, 1.0])):
            yield step(x), w


@story()
def errors_leave_all_as_it_was(compiled: Any) -> Iterator[Any]:
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    step = step_of(compiled, model, optimizer)
    for i, (x, y) in enumerate(batches(7)):
        faults = {1: (x, y + 5), 3: (x, y - 9), 4: (x[:, :2], y), 5: (x, y[:3])}
        try:
            yield step(*faults.get(i, (x, y)))
        except (IndexError, ValueError) as error:
            yield str(error)
        yield model, optimizer, list(model.parameters())


@story(2)
def errors_of_floating_point(compiled: Any) -> Iterator[Any]:
    w = tg.Tensor([1.0, 2.0])

    @compiled
    def step(x: Any) -> Any:
        loss = np.log(w * x).sum()
        w.zero_grad()
        loss.backward()
        w.data -= w.grad
        return loss

    yield step(np.ones(2))
    w.data = np.ones(2)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError) as caught:
        step(np.zeros(2))
    yield str(caught.value), w
    with pytest.warns(RuntimeWarning) as warned:
        step(np.zeros(2))
    yield str(warned[0].message), w


@story(3)
def functions_in_threads(compiled: Any) -> Iterator[Any]:
    models = [net(i) for i in range(3)]
    optimizers = [optim.Adam(model.parameters(), lr=0.1) for model in models]
    steps = [step_of(compiled, *pair) for pair in zip(models, optimizers, strict=True)]

    def work(step: Any) -> None:
        for x, y in batches(30):
            step(x, y)

    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield models, optimizers


@story()
def one_function_in_threads(compiled: Any) -> Iterator[Any]:
    w = np.linspace(0.0, 1.0, 400).reshape(20, 20)
    f = compiled(lambda x: (np.tanh(w @ x), (w * x).sum()))
    found: dict[int, Any] = {}

    def work(i: int) -> None:
        found[i] = [f(np.full((20, 20), 0.01 * i)) for _ in range(30)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield found[0], found[1], found[2]


@pytest.mark.parametrize(("story", "runs"), story.params)
def test_the_story_is_the_same(story: Story, runs: int | None) -> None:
    told_twice(story, runs)
