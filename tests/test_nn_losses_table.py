"""Every loss with its options: values by NumPy, derivatives by differences, dtypes, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from loss_cases import CASES, LossCase
from side_by_side import told_twice
from tensorgrad import nn
from tensorgrad.testing import check_grads

EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@EACH
def test_values_are_those_of_the_formula(case: LossCase) -> None:
    inputs = case.draw()
    for reduction in case.reductions:
        got = case(*inputs, reduction=reduction)
        np.testing.assert_allclose(got.data, case.expected(inputs, reduction), rtol=1e-10)


@EACH
def test_derivatives_are_right_to_the_second_order(case: LossCase) -> None:
    """Case 85."""
    for reduction in case.reductions:
        check_grads(lambda *xs, r=reduction: case(*xs, reduction=r), *case.draw())


@EACH
@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-3), ("float32", 1e-5)])
def test_the_dtype_is_that_of_the_inputs(case: LossCase, dtype: str, tolerance: float) -> None:
    """Case 66: float64 targets, weights and options widen nothing."""
    inputs = [tg.Tensor(array) for array in case.draw(dtype)]
    for reduction in case.reductions:
        out = case(*inputs, reduction=reduction)
        assert out.dtype == dtype
        exact = case.expected([x.data.astype(float) for x in inputs], reduction)
        np.testing.assert_allclose(out.data, exact, rtol=tolerance, atol=tolerance)
        out.sum().backward()
        assert [x.grad.dtype for x in inputs] == [dtype] * len(inputs)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_compiled_loss_has_the_same_bits(case: LossCase, dtype: str) -> None:
    """Case 111."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        inputs = [tg.Tensor(array) for array in case.draw(dtype)]

        @compiled
        def step(scale: Any) -> Any:
            for x in inputs:
                x.zero_grad()
            loss = case(*(x * scale for x in inputs))
            loss.backward()
            return loss

        for number in range(3):
            yield step(np.asarray(1.0 - 0.05 * number, dtype)), inputs

    told_twice(story, runs=1)


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5, 1.0]], ids=["", "weight"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_compiled_loss_sees_the_labels_of_each_call(weight: Any, smoothing: float) -> None:
    """Cases 103 and 111: other rows are left out each time, and one of them holds NaN."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        scale = tg.Tensor(np.ones(4, np.float32))

        @compiled
        def step(x: Any, labels: Any) -> Any:
            scale.zero_grad()
            losses = nn.cross_entropy(
                x + scale, labels, weight=weight, ignore_index=-1, label_smoothing=smoothing
            )
            losses.backward()
            return losses

        rng = np.random.default_rng(0)
        for number in range(4):
            x, labels = rng.normal(size=(6, 4)).astype(np.float32), rng.integers(-1, 4, 6)
            labels[number] = -1
            if number == 3:
                x[number] = np.nan
            with np.errstate(invalid="ignore"):
                yield step(x, labels), scale
        for wrong, error in [(np.full(6, -1), ValueError), (np.full(6, 4), IndexError)]:
            with pytest.raises(error):
                step(x, wrong)

    told_twice(story)


def test_labels_that_change_are_not_recorded_again() -> None:
    runs = 0

    @tg.compile
    def step(logits: Any, labels: Any) -> Any:
        nonlocal runs
        runs += 1
        weight = [1.0, 2.0, 0.5, 1.0]
        return nn.cross_entropy(logits, labels, weight=weight, ignore_index=-1)

    for label in (0, 1, 3):
        step(np.zeros((2, 4)), np.array([label, -1]))
    assert runs == 1
