"""Checks: what is a count, a number, a flag, one of some names; and that all say so alike."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.checks import (
    as_count,
    as_flag,
    as_fraction,
    as_fractions,
    as_number,
    one_of,
)


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3), tg.Tensor(3)])
def test_a_count_is_any_integer(value: Any) -> None:
    found = as_count("n", value)
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize(
    "value", [True, np.True_, np.array(True), tg.Tensor(True), 2.0, "2", None, [2], np.array([2])]
)
def test_what_is_no_count(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^n is " + re.escape(repr(value))) as caught:
        as_count("n", value)
    assert str(caught.value).endswith("; expected an integer >= 1")


def test_a_count_has_a_least() -> None:
    assert as_count("n", 0, 0) == 0
    with pytest.raises(ValueError, match=r"^n is 0; expected an integer >= 1$"):
        as_count("n", 0)
    with pytest.raises(ValueError, match=r"^n is 1; expected an integer >= 2$"):
        as_count("n", 1, 2)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5), tg.Tensor(0.5)])
def test_a_number_is_any_real_number(value: Any) -> None:
    found = as_number("x", value)
    assert found == 0.5
    assert type(found) is float


@pytest.mark.parametrize("value", ["fast", "0.5", b"1", None, 1j, [0.5], tg.Tensor(1j)])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^x is .*; expected a finite number >= 0$"):
        as_number("x", value)


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "expected"),
    [
        ({}, [0, 1e300], [-1e-300, math.inf], "a finite number >= 0"),
        ({"above": 0}, [1e-300, 1e300], [0, -1, math.inf], "a finite number > 0"),
        ({"below": 1}, [0, 0.999], [1, -0.1], "a number >= 0 and < 1"),
        ({"most": 1}, [0, 1], [1.001, -0.1], "a number >= 0 and <= 1"),
        ({"above": 1, "most": math.inf}, [1.5, math.inf], [1, -math.inf], "a number > 1"),
    ],
)
def test_a_number_has_bounds(
    bounds: dict[str, float], good: list[float], bad: list[float], expected: str
) -> None:
    assert [as_number("x", value, **bounds) for value in good] == good
    for value in [*bad, math.nan, 10**400]:  # the last is more than any float
        with pytest.raises(ValueError, match=f"^x is {value!r}; expected {expected}$"):
            as_number("x", value, **bounds)


def test_fractions_are_two_numbers_below_1() -> None:
    assert as_fraction("x", 0) == 0.0
    assert as_fractions("betas", [0, 0.5]) == (0.0, 0.5)
    with pytest.raises(ValueError, match=r"^betas\[1\] is 1; expected a number >= 0 and < 1$"):
        as_fractions("betas", (0.9, 1))
    with pytest.raises(TypeError, match=r"^betas is 0.9; expected two numbers"):
        as_fractions("betas", 0.9)


def test_a_flag_is_true_or_false() -> None:
    assert as_flag("x", np.True_) is True
    for value in (1, None, "yes"):
        with pytest.raises(TypeError, match=f"^x is {value!r}; expected True or False$"):
            as_flag("x", value)


def test_a_choice_is_one_of_the_names() -> None:
    assert one_of("mode", "min", "min", "max") == "min"
    assert one_of("mode", None, "min", None) is None
    for value in ("mean", None, 1, ["min"], np.array(["min", "max"])):
        with pytest.raises(ValueError, match=r"^mode is .*; expected 'min', 'max' or 'none'$"):
            one_of("mode", value, "min", "max", "none")  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("in_features", lambda n: tg.nn.Linear(n, 2)),
        ("num_heads", lambda n: tg.nn.MultiheadAttention(2, n)),
        ("kernel_size", lambda n: tg.nn.Conv2d(1, 1, n)),
        ("batch_size", lambda n: tg.data.DataLoader(np.ones((3, 1)), n)),
        ("ns_steps", lambda n: tg.optim.Muon([tg.Tensor([[1.0]])], ns_steps=n)),
        ("k", lambda n: tg.train.top_k_accuracy(np.ones((1, 3)), np.array([0]), k=n)),
        ("nin", tg.scalar.Neuron),
    ],
)
def test_all_say_alike_what_a_count_is(name: str, make: Callable[[Any], object]) -> None:
    for value, error in ((True, TypeError), (1.5, TypeError), (0, ValueError)):
        with pytest.raises(error, match=f"^{name} is {value}; expected an integer >= 1$"):
            make(value)
    make(np.int64(1))
