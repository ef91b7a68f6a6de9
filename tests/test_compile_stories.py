"""What a compiled function sees of the world and leaves behind: each story is told eagerly as well.

A story yields what can be seen on the way; `runs` is how often Python runs its compiled functions.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import pickle
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import Story, told_twice
from tensorgrad import nn, optim

STORIES: list[Any] = []
GLOBAL = np.arange(3.0)


def story(runs: int | None = None) -> Callable[[Story], Story]:
    """Add a story to the table."""

    def added(function: Story) -> Story:
        STORIES.append(pytest.param(function, runs, id=function.__name__.replace("_", " ").strip()))
        return function

    return added


def batches(count: int, rows: int = 5, seed: int = 0) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(rows, 3)).astype(np.float32), rng.integers(0, 2, rows))
        for _ in range(count)
    ]


def net(rng: int = 0) -> nn.MLP:
    return nn.MLP(3, [4, 2], output_activation=None, rng=rng)


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


# --- what is reached ------------------------------------------------------------------------------


@story(2)
def globals_and_closures(compiled: Any) -> Iterator[Any]:
    here = np.ones(3)
    f = compiled(lambda x: x * GLOBAL + here)
    module = sys.modules[__name__]
    for change in (
        lambda: None,
        lambda: GLOBAL.__setitem__(0, 5.0),
        lambda: setattr(module, "GLOBAL", np.full(3, 9.0)),
        lambda: setattr(module, "GLOBAL", np.full(3, 9.0, np.float32)),
        lambda: setattr(module, "GLOBAL", np.arange(3.0)),
    ):
        change()
        yield f(np.ones(3))
    here[1] = 7.0
    yield f(np.ones(3))
    here = np.full(3, 0.5)
    yield f(np.ones(3))


@story(2)
def attributes_of_modules_of_python(compiled: Any) -> Iterator[Any]:
    settings = types.ModuleType("settings")
    settings.weight, settings.model = np.ones(3), nn.Linear(3, 2, rng=0)
    f = compiled(lambda x: settings.model(x * settings.weight))
    for change in (
        lambda: settings.weight.__setitem__(0, 5.0),
        lambda: setattr(settings, "weight", np.full(3, 9.0)),
        lambda: setattr(settings, "model", nn.Linear(3, 2, rng=1)),
    ):
        yield f(np.ones(3))
        change()
    yield f(np.ones(3))


class Plain:
    """An object that is no module."""

    shared = np.ones(3)

    def __init__(self) -> None:
        self.weight = np.ones(3)

    @property
    def doubled(self) -> Any:
        return self.weight * 2 * self.shared

    def helper(self, x: Any) -> Any:
        return x * self.doubled * GLOBAL


@story(2)
def attributes_of_objects_and_classes(compiled: Any) -> Iterator[Any]:
    held = Plain()
    f = compiled(lambda x: held.helper(x) + Plain.shared)
    for change in (
        lambda: held.weight.__setitem__(0, 5.0),
        lambda: setattr(held, "weight", np.full(3, 2.0)),
        lambda: setattr(Plain, "shared", np.full(3, 4.0)),
        lambda: setattr(sys.modules[__name__], "GLOBAL", np.full(3, 3.0)),
        lambda: setattr(sys.modules[__name__], "GLOBAL", np.arange(3.0)),
        lambda: setattr(Plain, "shared", np.ones(3)),
    ):
        yield f(np.ones(3))
        change()
    held = Plain()
    yield f(np.ones(3))


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    weight: Any


@story(2)
def slots_tuples_defaults_and_partials(compiled: Any) -> Iterator[Any]:
    w = [np.full(2, float(i)) for i in range(5)]
    frozen, pair = Frozen(w[0]), (w[1], [w[2]])

    def function(first: Any, x: Any, default: Any = w[4]) -> Any:
        return frozen.weight + pair[0] * pair[1][0] + first * x - default

    f = compiled(functools.partial(function, w[3]))
    for array in w:
        yield f(np.ones(2))
        array += 1.5
    pair[1][0] = np.full(2, 9.0)
    yield f(np.ones(2))


@story(3)
def lists_of_parameters_that_grow(compiled: Any) -> Iterator[Any]:
    weights = [tg.Tensor(np.full(3, float(i))) for i in range(2)]

    @compiled
    def step(x: Any) -> Any:
        loss = sum(((w * x) ** 2).sum() for w in weights)
        for w in weights:
            w.zero_grad()
        loss.backward()
        return loss

    yield step(np.ones(3)), weights
    weights.append(tg.Tensor(np.ones(3)))
    yield step(np.ones(3)), weights
    weights[0] = tg.Tensor(np.full(3, 4.0))
    yield step(np.ones(3)), weights


@story(4)
def layers_put_in_place_of_others(compiled: Any) -> Iterator[Any]:
    model = net()
    f = compiled(lambda x: model(x))
    for i, (x, _) in enumerate(batches(4)):
        yield f(x)
        model.layers[0] = nn.Linear(3, 4, rng=i + 5)


class Settings:
    """Numbers below a module."""

    def __init__(self) -> None:
        self.power = 2


class Scaled(nn.Module):
    """A module with numbers in all places."""

    def __init__(self) -> None:
        self.weight = tg.Tensor([1.0, 2.0])
        self.scale, self._hidden, self.on, self.name = 2.0, 1.0, True, "a"
        self.factors, self.table, self.settings = [1.0, 2.0], {"a": 1.0}, Settings()

    def __call__(self, x: Any) -> Any:
        y = self.weight * x * self.scale * self._hidden if self.on else x
        y = y * self.factors[1] * self.table["a"] + len(self.name)
        return y**self.settings.power


@story(8)
def numbers_of_modules(compiled: Any) -> Iterator[Any]:
    model = Scaled()
    f = compiled(lambda x: model(x))
    for change in (
        lambda: setattr(model, "scale", 3.0),
        lambda: setattr(model, "_hidden", 0.5),
        lambda: setattr(model, "on", False),
        lambda: setattr(model, "name", "abc"),
        lambda: model.factors.__setitem__(1, 5.0),
        lambda: model.table.__setitem__("a", 7.0),
        lambda: setattr(model.settings, "power", 3),
        lambda: setattr(model, "name", "ABC"[:3].lower()),  # equal to what is there
    ):
        yield f(np.ones(2)), f(np.ones(2))
        change()
    yield f(np.ones(2))


@story(4)
def equal_numbers_that_are_not_the_same(compiled: Any) -> Iterator[Any]:
    model = Scaled()
    model.scale = 0.0
    f = compiled(lambda x: model.scale * x)
    for scale in (0.0, -0.0, 0, np.float64(0.0), -0.0):
        model.scale = scale
        yield f(np.ones(2, np.float32)), str(f(-np.ones(2, np.float32)))


@story(4)
def train_and_eval(compiled: Any) -> Iterator[Any]:
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Dropout(0.5, rng=1))
    f = compiled(lambda x: model(x))
    for i, (x, _) in enumerate(batches(6)):
        model.train(i % 2 == 0)
        if i == 4:
            model.layers[1].p = 0.25
        yield f(x), f(x)


class Running(nn.Module):
    """A module with running statistics, rebound or changed in place."""

    def __init__(self, rebinds: bool) -> None:
        self.rebinds = rebinds
        self.mean = np.zeros(3, np.float32)

    def __call__(self, x: Any) -> Any:
        new = 0.9 * self.mean + np.float32(0.1) * x.mean(0)
        if self.rebinds:
            self.mean = new
        else:
            self.mean[...] = new
        return x - self.mean


@pytest.mark.parametrize("rebinds", [True, False])
def test_running_statistics(rebinds: bool) -> None:
    def story(compiled: Any) -> Iterator[Any]:
        model = Running(rebinds)
        f = compiled(lambda x: model(x))
        held = []
        for i, (x, _) in enumerate(batches(8)):
            if i == 3:
                model.mean[1] = 2.0
            if i == 5:
                model.mean = np.ones(3, np.float32)
            yield f(x), model.mean
            held.append(model.mean)
            yield held if rebinds else ()

    told_twice(story, runs=1)


# --- arguments and results ------------------------------------------------------------------------


@story(5)
def keywords_and_defaults(compiled: Any) -> Iterator[Any]:
    @compiled
    def f(x: Any, k: float = 2.0, *, b: Any = None) -> Any:
        return x * k if b is None else x * k + b

    for i in range(3):
        x = np.full(3, float(i))
        yield f(x), f(x, k=3.0), f(x=x), f(x, b=x), f(x, 3.0)


@story(1)
def nested_arguments_and_results(compiled: Any) -> Iterator[Any]:
    f = compiled(lambda d: {"a": [d["x"] * 2, (d["y"][0] + 1,)], "none": None, "text": "t", "k": 3})
    for i in range(3):
        yield f({"x": np.ones(2) * i, "y": (np.float64(i), None, "q")})


@story(11)
def numbers_as_arguments(compiled: Any) -> Iterator[Any]:
    f = compiled(lambda x, k: x * k)
    for k in (
        2.0,
        2,
        True,
        2.0,
        0.0,
        -0.0,
        float("nan"),
        float("nan"),
        np.float32(2),
        np.float64(2),
    ):
        yield f(np.array([-1.0, 1.0], np.float32), k)
    yield f(np.float32(2), np.array(3.0)), f(np.array(1.5), np.float64(2)), f(3.0, np.ones(2))


@story(13)
def layouts_and_dtypes(compiled: Any) -> Iterator[Any]:
    f = compiled(lambda a: (a * 2).sum(0))
    for i in range(2):
        a = np.arange(12.0).reshape(3, 4) + i
        fixed = a.copy()
        fixed.flags.writeable = False
        for b in (a, a.T, a[::2], a[:, ::-1], a[:0], np.asfortranarray(a), fixed):
            yield f(b)
        for dtype in ("f4", "i8", "u1", "?", "c16", ">f8", "f2"):
            yield f(a.astype(dtype))


@story(1)
def batches_without_samples(compiled: Any) -> Iterator[Any]:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @compiled
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        yield step(np.ones((0, 3), np.float32)), model


class Switch:
    """An argument that cannot be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, k: float) -> None:
        self.k = k
        self.weight = np.full(2, k)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Switch) and self.k == other.k


@story(4)
def objects_as_arguments(compiled: Any) -> Iterator[Any]:
    f = compiled(lambda x, switch, model: model(x) * switch.weight)
    models, switches = [nn.Linear(2, 2, rng=i) for i in range(2)], [Switch(2.0), Switch(3.0)]
    for i in range(4):
        yield f(np.ones(2), switches[i % 2], models[i // 2])
    switches[0].weight[0] = 9.0
    yield f(np.ones(2), switches[0], models[0])
    switches[0].weight = np.zeros(2)
    yield f(np.ones(2), switches[0], models[0])


@story(4)
def tensors_as_arguments(compiled: Any) -> Iterator[Any]:
    captured = tg.Tensor([5.0, 6.0])

    @compiled
    def f(a: Any, b: Any) -> Any:
        (a * b * captured).sum().backward()
        return a, b.grad * 1.0

    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    for pair in ((a, b), (b, a), (a, a), (a, a), (b, b), (a, captured), (b, captured), (b, a)):
        found = f(*pair)
        yield found[0] is pair[0], found, a, b, captured


@story()
def memory_under_two_names(compiled: Any) -> Iterator[Any]:
    """A call whose arguments look at memory that is written to is run eagerly."""
    w = np.zeros(3)

    @compiled
    def f(a: Any, b: Any) -> Any:
        a[0] = 7.0
        w[1:] += 1.0
        return b * 1.0

    a, b = np.zeros(3), np.zeros(3)
    for pair in ((a, b), (b, b), (a[1:], a), (a, w), (w, b), (a, w[::-1]), (a, b)):
        yield f(*pair), a, b, w


@story(2)
def arguments_that_are_written_to(compiled: Any) -> Iterator[Any]:
    @compiled
    def f(x: Any, tree: Any) -> Any:
        x *= 2
        x[0] = 1.0
        tree["y"][0] = x.sum()
        return x

    tree = {"y": np.zeros(2)}
    for size in (3, 3, 2, 3):
        x = np.arange(1.0, 1.0 + size)
        yield f(x, tree), x, tree


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
    outer = compiled(lambda x: inner(x) + inner(x + 1))
    for x, _ in batches(1):
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


@pytest.mark.parametrize(("story", "runs"), STORIES)
def test_the_story_is_the_same(story: Story, runs: int | None) -> None:
    told_twice(story, runs)
