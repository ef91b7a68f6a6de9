"""What a compiled function finds, is given and gives: each story is told eagerly as well.

A story yields what can be seen on the way; `@story(runs)` says how often Python runs its compiled
functions.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import Stories, Story, batches, net, told_twice
from tensorgrad import nn, optim

story = Stories()
GLOBAL = np.arange(3.0)


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


@pytest.mark.parametrize(("story", "runs"), story.params)
def test_the_story_is_the_same(story: Story, runs: int | None) -> None:
    told_twice(story, runs)
