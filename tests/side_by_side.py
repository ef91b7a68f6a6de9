"""The same story told twice, eagerly and compiled: what it shows on the way is equal to the bit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest

import tensorgrad as tg

Story: TypeAlias = Callable[[Callable[..., Any]], Iterator[Any]]
"""Compiles its functions with what it is given, and yields what can be seen on the way."""


class Counted:
    """`tg.compile`, which counts how often Python runs the functions."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile a function."""

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.runs += 1
            return function(*args, **kwargs)

        return tg.compile(counted)


def told_twice(story: Story, runs: int | None = None) -> None:
    """Compare both ways; `runs` is how often Python runs the compiled functions of the story."""
    compiled = Counted()
    expected = [seen(shown) for shown in story(lambda function: function)]
    got = [seen(shown) for shown in story(compiled)]
    assert len(got) == len(expected) > 0
    for i, (one, other) in enumerate(zip(got, expected, strict=True)):
        assert one == other, f"what is shown at {i}"
    assert runs in (None, compiled.runs)


def seen(shown: Any) -> Any:
    """Return what can be seen of a value, to be compared; arrays by their bits."""
    if isinstance(shown, tg.Tensor):
        grad = seen(shown.grad) if shown.is_leaf and shown.requires_grad else None
        has_grad = shown.has_grad if shown.is_leaf else None
        return type(shown), seen(shown.data), shown.requires_grad, has_grad, grad
    if isinstance(shown, np.ndarray):
        return "array", shown.dtype, shown.shape, shown.tobytes()
    if isinstance(shown, np.generic):
        return type(shown), shown.tobytes()
    if isinstance(shown, (tuple, list)):
        return type(shown), [seen(item) for item in shown]
    if isinstance(shown, dict):
        return {key: seen(item) for key, item in shown.items()}
    if isinstance(shown, (tg.nn.Module, tg.optim.Optimizer)):
        return seen(shown.state_dict())
    if isinstance(shown, np.random.Generator):
        return seen(shown.bit_generator.state)
    return type(shown), shown


class Stories:
    """The stories of a file, as parameters of a test."""

    def __init__(self) -> None:
        self.params: list[Any] = []

    def __call__(self, runs: int | None = None) -> Callable[[Story], Story]:
        """Add a story; `runs` as for `told_twice`."""

        def added(story: Story) -> Story:
            name = getattr(story, "__name__", "").replace("_", " ")
            self.params.append(pytest.param(story, runs, id=name))
            return story

        return added


def four_arrays() -> SimpleNamespace:
    """Return an object with two arrays and two numbers without axes."""
    return SimpleNamespace(
        a=np.array([1.0, 2.0, 3.0]),
        b=np.array([4.0, 5.0, 6.0]),
        m=np.array(0.5),
        n=np.array(2.0),
    )


def batches(count: int, rows: int = 5, seed: int = 0) -> list[tuple[Any, Any]]:
    """Draw batches of three features and of labels."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(rows, 3)).astype(np.float32), rng.integers(0, 2, rows))
        for _ in range(count)
    ]


def net(rng: int = 0) -> tg.nn.MLP:
    """Return a small network for them."""
    return tg.nn.MLP(3, [4, 2], output_activation=None, rng=rng)
