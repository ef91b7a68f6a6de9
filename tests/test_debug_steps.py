"""backward_steps: what each step shows, and that a pass seen step by step is the usual one."""

from __future__ import annotations

import gc
import inspect
import weakref
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import ONE_OF_EACH
from tensorgrad import Tensor, Value
from tensorgrad.debug import BackwardStep
from tensorgrad.op import op
from tensorgrad.tensor import apply


def cotangent(out: Any) -> Any:
    return np.random.default_rng(1).uniform(0.5, 1.5, out.shape).astype(out.dtype)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=lambda case: case.name)
def test_the_leaves_get_the_bits_of_backward(case: Case) -> None:
    xs = [Tensor(array) for array in case.draw(dtype="float32")]
    out = case.function(*xs, *case.data)
    seed = cotangent(out)
    out.backward(seed)
    expected = [x.grad.copy() for x in xs]
    for x in xs:
        x.zero_grad()
    for step in out.backward_steps(seed):
        for x, g in zip(step.inputs, step.gradients, strict=True):
            assert g is None or (g.shape, g.dtype) == (x.shape, x.dtype)
    for x, grad in zip(xs, expected, strict=True):
        assert x.grad.tobytes() == grad.tobytes()


def test_rows_read_and_assigned_have_the_bits_of_backward() -> None:
    """Rules that write in place: what is shown does not change afterwards, nor do the bits."""
    x = Tensor(np.random.default_rng(0).standard_normal((5, 3)))
    table = x * 1.5
    total = table.sum() * 0.1
    for i in (3, 0, 3, 1):
        total = total + (table[i] * table[[i, 0, 0]]).sum()
        table[i] = x[i] * 0.3
        total = total + (table * 0.7).sum()
    total.backward()
    expected = x.grad.tobytes()
    x.zero_grad()
    steps, copies = [], []
    for step in total.backward_steps():
        steps.append(step)
        copies.append([step.gradient.copy(), *(np.copy(g) for g in step.gradients)])
    assert x.grad.tobytes() == expected
    total.backward()
    for step, copied in zip(steps, copies, strict=True):
        for one, other in zip((step.gradient, *step.gradients), copied, strict=True):
            assert np.array_equal(one, other) or one is None
    overwritten = [step for step in steps if step.op == "assign"]
    assert len(overwritten) == 4
    for step in overwritten:
        assert step.gradient.any(axis=1).all()
        assert step.gradients[0].any(axis=1).sum() == 4  # type: ignore[union-attr]


def test_a_step_shows_what_went_in_and_out() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    product = a * b
    product.label = "e"
    out = product + 10
    first, second = out.backward_steps()
    assert isinstance(first, BackwardStep)
    assert (first.op, second.op) == ("add", "multiply")
    assert first.output is out
    assert first.inputs == (product, 10)
    assert second.inputs[0] is a
    assert (second.gradient, *second.gradients) == (1, -3, 2)
    assert first.gradients == (1, None)
    assert first.line is None
    assert first.audit == ()
    assert str(first).split() == [
        "4", "add(e", "=", "-6,", "10)", "1", "->", "e:", "1",
    ]  # fmt: skip
    assert str(second).split() == [
        "e", "=", "-6", "multiply(a", "=", "2,", "b", "=", "-3)", "1", "->", "a:", "-3,", "b:", "2",
    ]  # fmt: skip


def test_arrays_are_shown_by_their_shapes() -> None:
    w = Tensor(np.ones((2, 3)), label="w")
    steps = list((w * np.ones(3) * 2).sum().backward_steps())
    assert "sum((2, 3))" in str(steps[0])
    assert "(2, 3) -> w: (2, 3)" in str(steps[2])
    constant = next(iter((w + np.ones(3)).backward_steps(np.ones((2, 3)))))
    assert constant.inputs == (w, None)
    assert "add(w = (2, 3), ?)" in str(constant)


def test_results_that_nobody_holds_are_computed_again_when_read() -> None:
    x = Tensor([1.0, 2.0])
    steps = list(((x + 1) + x).backward_steps([1.0, 1.0]))
    inner = steps[0].inputs[0]
    assert inner.data.tolist() == [2, 3]


def test_the_line_is_known_where_anomalies_are_detected() -> None:
    x = Tensor([1.0])
    with tg.detect_anomaly():
        y = (x * 2).sum()
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    steps = list(y.backward_steps())
    assert {step.line for step in steps} == {f"{__file__}:{line}"}
    assert str(steps[0]).endswith(f"{__file__}:{line}")


def test_breaking_off_changes_nothing() -> None:
    x = Tensor(2.0)
    y = x * x
    z = y * 3
    z.backward()
    before = (x.grad.copy(), y.grad.copy(), z.grad.copy())
    for step in (z * 5).backward_steps():
        if step.op == "multiply":
            break
    steps = (z * 5).backward_steps()
    next(steps)
    del steps
    assert (x.grad, y.grad, z.grad) == before
    list((z * 5).backward_steps())
    assert (x.grad, y.grad, z.grad) == (72, 15, 5)


def test_a_leaf_that_changes_between_two_steps_is_found() -> None:
    """Case 62b."""
    x = Tensor([2.0])
    steps = ((x * x) * (x * x)).sum().backward_steps()
    next(steps)
    x.data = [3.0]
    with pytest.raises(RuntimeError, match="changed since"):
        list(steps)
    assert not x.has_grad


def test_arguments_are_checked_at_the_call() -> None:
    """Cases 79, 80."""
    x = Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="needs gradient="):
        x.backward_steps()
    with pytest.raises(ValueError, match="exactly"):
        x.backward_steps([1.0])
    with pytest.raises(RuntimeError, match="without a graph"):
        tg.ones(2).backward_steps([1.0, 1.0])


def test_a_leaf_alone_has_no_steps() -> None:
    x = Tensor(2.0)
    assert list(x.backward_steps()) == []
    assert x.grad == 1


def test_the_strong_zero_is_shown_repaired() -> None:
    """Rule 7."""
    x = Tensor([0.0, 4.0])
    with np.errstate(divide="ignore"):
        y = np.where(x.data > 0, np.sqrt(x), 0.0).sum()
    last = list(y.backward_steps())[-1]
    assert (last.op, last.gradients[0].tolist()) == ("sqrt", [0, 0.25])  # type: ignore[union-attr]


def test_wrong_rules_are_named_as_in_backward() -> None:
    """Case 86; under the strong zero as well, whose work comes before the check."""
    for returned, error in [(None, TypeError), (np.ones(3), ValueError)]:
        wrong = op(np.copy, lambda _g, _out, _x, r=returned: r, name="wrong", elementwise=True)
        out = apply(wrong, Tensor([1.0, 2.0]))
        with pytest.raises(error, match="rule of wrong"):
            list(out.backward_steps([1.0, 0.0]))


def test_an_elementwise_rule_may_have_summed_already() -> None:
    """The strong zero must not spread what it returns."""
    summed = op(
        np.multiply,
        lambda g, _out, x, y: np.sum(g * y / x * x, axis=0, keepdims=True),
        lambda g, _out, x, _y: g * x,
        name="summed",
        elementwise=True,
    )
    x = Tensor([[1.0, 0.0]])
    out = apply(summed, x, np.ones((3, 2)))
    list(out.backward_steps(np.array([[1.0, 0.0]] * 3)))
    np.testing.assert_array_equal(x.grad, [[3, np.nan]])


def test_numbers_beside_a_reduced_array_are_no_part_of_its_groups() -> None:
    """The strong zero goes by the axes of the array."""
    summed = op(
        lambda x, start, *, axis: np.sum(x, axis=axis) + start,
        lambda g, _out, _x, _start, *, axis: np.broadcast_to(np.expand_dims(g, axis), _x.shape),
        lambda g, _out, _x, _start, **_: g,
        name="summed",
        groups=lambda *, axis: axis,
    )
    x, start = Tensor(np.ones((2, 3))), Tensor(1.0)
    list(apply(summed, x, start, axis=(0, 1)).backward_steps())
    assert start.grad == 1
    assert x.grad.tolist() == [[1] * 3] * 2


def test_complex_gradients_are_shown_as_people_see_them() -> None:
    """Case 72."""
    z = Tensor([3.0 + 4.0j])
    steps = list(np.abs(z * (1 + 0j)).sum().backward_steps())
    np.testing.assert_allclose(steps[-1].gradient, [0.6 + 0.8j])
    np.testing.assert_allclose(steps[-1].gradients[0], z.grad)


def test_case_81_what_is_shown_shares_no_memory() -> None:
    x = Tensor(np.ones(3))
    y = (x + 1) * 1
    seed = np.ones(3)
    shown = []
    for step in y.backward_steps(seed):
        for g in (step.gradient, step.gradients[0]):
            assert g is not None
            g[:] = 7
            shown.append(g)
    assert x.grad.tolist() == seed.tolist() == [1, 1, 1]
    assert not any(np.shares_memory(g, x.grad) for g in shown)


def test_labelled_tensors_keep_their_gradient() -> None:
    x = Tensor([1.0, 2.0])
    y = x * 3
    y.label = "y"
    list((y * y).backward_steps([1.0, 1.0]))
    assert y.grad.tolist() == [6, 12]


def test_case_76_a_deep_graph() -> None:
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    assert sum(1 for _ in y.backward_steps()) == 100_000
    assert x.grad == 1


def test_case_83_steps_keep_no_cycle() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Tensor([1.0, 2.0])
        y = np.tanh(x * 2)
        dead = weakref.ref(y._node)
        steps = list(y.backward_steps([1.0, 1.0]))
        del y
        assert dead() is not None
        del steps
        assert dead() is None
    finally:
        gc.enable()


def test_the_callers_floating_point_errors_stay_on() -> None:
    """Case 98: the pass never warns, and what the caller does between two steps may."""
    x = Tensor([0.0])
    with np.errstate(all="raise"):
        for _ in np.sqrt(x).backward_steps([1.0]):
            with pytest.raises(FloatingPointError):
                np.float64(1.0) / np.float64(0.0)
    assert x.grad.tolist() == [np.inf]
