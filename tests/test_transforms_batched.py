"""The reverse pass for many cotangents at once, compared with one pass for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import CASES
from tensorgrad import Tensor, batched
from tensorgrad.graph import ModeSwitch, Watcher, topological_order
from tensorgrad.op import op
from tensorgrad.recording import made
from tensorgrad.tensor import apply
from tensorgrad.transforms.pullback import lift, lower

REAL = [
    case
    for case in CASES
    if not np.iscomplexobj(case.reference(*case.draw(), *case.data))
    and not any(np.iscomplexobj(x) for x in case.draw())
]


def leaves(case: Case) -> list[Tensor]:
    return [Tensor(array) for array in case.draw()]


def rows(out: Tensor, xs: Sequence[Tensor], records: bool = False) -> list[Any]:
    """Return the Jacobians of `out`, from the pass in batches."""
    nodes = [x._node for x in xs]
    assert out._node is not None
    if records:
        return batched.rows(out._node, nodes, lift, lower, lambda a: made(Tensor, a))  # type: ignore[arg-type]
    return batched.rows(out._node, nodes)  # type: ignore[arg-type]


def loop(out: Tensor, xs: Sequence[Tensor], chosen: Any = slice(None)) -> list[Any]:
    """Return the Jacobians of `out`, from a pass for each of its elements, or of some."""
    seeds = np.eye(out.size, dtype=out.dtype)[chosen]
    found = [tg.gradients(out, xs, seed.reshape(out.shape), allow_unused=True) for seed in seeds]
    return [
        np.array([row[i] for row in found], x.dtype).reshape(len(seeds), *x.shape)
        for i, x in enumerate(xs)
    ]


def assert_rows(out: Tensor, xs: Sequence[Tensor], most: int = 12) -> None:
    """Compare a batch, plain and recorded, with a loop over at most so many rows."""
    chosen = slice(None, None, -(-out.size // most) or 1)
    expected = loop(out, xs, chosen)
    for records in (False, True):
        assert_alike([jacobian[chosen] for jacobian in rows(out, xs, records)], expected)


def assert_alike(got: Sequence[Any], expected: Sequence[Any]) -> None:
    for one, other in zip(got, expected, strict=True):
        one = one.data if isinstance(one, Tensor) else one
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("case", REAL, ids=lambda case: case.name)
def test_a_batch_is_a_loop(case: Case) -> None:
    """For every op, and for the ops of its rules."""
    xs = leaves(case)
    out = case.function(*xs, *case.data)
    if out._node is None:
        return
    assert_rows(out, xs)
    if case.order < 2:
        return
    slopes = tg.gradients(
        out, xs, np.full(out.shape, 0.7, out.dtype), create_graph=True, allow_unused=True
    )
    for slope in slopes:
        if slope.requires_grad:
            assert_rows(slope, xs, most=4)


def test_rows_are_taken_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched, "MAX_ELEMENTS", 8)
    x = Tensor(np.linspace(-1.0, 1.0, 6))
    out = np.tanh(x[:5] * x[1:]) @ np.ones((5, 3))
    assert_rows(out, [x], out.size)


def test_memory_is_that_of_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    walk = batched._Pass.walk

    def spied(self: Any, order: Any, grads: Any, wanted: Any) -> Any:
        seen.extend(g.shape for g in grads.values())
        return walk(self, order, grads, wanted)

    monkeypatch.setattr(batched._Pass, "walk", spied)
    monkeypatch.setattr(batched, "MAX_ELEMENTS", 1000)
    tg.jacobian(np.sin)(np.zeros(100))
    assert seen == [(10, 100)] * 10


def test_hooks_elsewhere_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Tensor([1.0])
    monkeypatch.setattr(batched, "backpropagate", None)
    with other.register_hook(lambda g: g):
        np.testing.assert_array_equal(tg.jacobian(np.square)(np.ones(2)), 2 * np.eye(2))


def test_nan_falls_back_on_the_strong_zero() -> None:
    """Rule 7, case 21: a branch that `where` did not take."""
    x = np.array([0.0, 1.0, 4.0])
    jacobian = tg.jacobian(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(x)
    np.testing.assert_array_equal(jacobian, np.diag([0.0, 0.5, 0.25]))
    hessian = tg.hessian(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)
    np.testing.assert_allclose(hessian, np.diag([0.0, -1 / 4, -1 / 32]))


def test_who_watches_sees_every_pass() -> None:
    """As anomaly detection does."""

    class Eye(Watcher, ModeSwitch):
        passes = 0

        def _mode(self) -> Any:
            return self

        def after_pass(self, _grads: Any) -> None:
            self.passes += 1

    eye = Eye()
    with eye:
        jacobian = tg.jacobian(np.sin)(np.zeros(3))
    np.testing.assert_array_equal(jacobian, np.eye(3))
    assert eye.passes == 3


def test_an_op_without_a_rule_of_its_own_is_called_row_by_row() -> None:
    """Joint rules, rules that accumulate, and inputs without a rule."""
    calls = []

    def rule(g: Any, _out: Any, x: Any) -> Any:
        calls.append(g.shape)
        return np.cumsum(g[::-1])[::-1] * np.ones_like(x)

    running = op(np.cumsum, rule, name="running")
    x = np.array([1.0, 2.0, 3.0])
    jacobian = tg.jacobian(lambda x: apply(running, x * x))(x)
    np.testing.assert_array_equal(jacobian, np.tril(np.ones((3, 3))) * 2 * x)
    assert calls == [(3,)] * 3


def test_a_wrong_rule_is_named() -> None:
    """Case 86."""
    bad = op(lambda x: x * 2, lambda g, _out, _x: g[:1], name="bad")
    with pytest.raises(ValueError, match="rule of bad"):
        tg.jacobian(lambda x: apply(bad, x))(np.ones(3))


@pytest.mark.parametrize("elementwise", [False, True])
def test_a_rule_that_returns_nothing_is_named(elementwise: bool) -> None:
    """Case 86; and no zero gradient."""
    bad = op(lambda x: x * 2, lambda _g, _out, _x: None, name="bad", elementwise=elementwise)
    joint = op(lambda x: x * 2, joint=lambda *_, needs: (None,), name="bad")  # noqa: ARG005
    for wrong in (bad, joint):
        with pytest.raises(TypeError, match="rule of bad returned NoneType"):
            tg.jacobian(lambda x, wrong=wrong: apply(wrong, x))(np.ones(3))


@pytest.mark.parametrize("records", [False, True])
def test_assignments_in_a_loop(records: bool) -> None:
    """Case 61: what was overwritten, and what was read before."""

    def f(x: Any) -> Any:
        y = x * 1.0
        for i in range(1, 4):
            y[i] = y[i - 1] * x[i]
            y[0] = y[i] + y[0]
        return y

    x = Tensor([0.5, -1.5, 2.0, 3.0])
    out = f(x)
    assert_alike(rows(out, [x], records), loop(out, [x]))


def test_a_loop_over_rows_is_linear() -> None:
    """The cotangent of what is read row by row is one array, written in place."""
    made_: list[Any] = []
    real = batched.zeros

    def counted(*args: Any) -> Any:
        made_.append(args)
        return real(*args)

    def f(x: Any) -> Any:
        return sum(np.sin(x[i]) for i in range(50))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched, "zeros", counted)
        tg.jacobian(f)(np.ones((50, 3)))
    assert len(made_) == 1


def test_leaves_that_changed_are_found() -> None:
    """Case 62b."""
    x = Tensor([1.0, 2.0])
    out = x * x
    x.data = np.zeros(2)
    with pytest.raises(RuntimeError, match="changed since"):
        rows(out, [x])


def test_ops_that_take_all_rows_at_once() -> None:
    """None of these goes back to a call for each row: that is what makes a batch fast."""

    def f(x: Any) -> Any:
        y = np.reshape(x.T @ x, (2, 2, 4))
        y = np.swapaxes(np.stack([y, -y]), 0, -1)
        y = np.concatenate([y, np.flip(y, 1)], axis=-1) - y.mean(axis=0, keepdims=True)[..., :1]
        y = tg.softmax(np.squeeze(y)[None], axis=1) * np.max(y) + np.std(y, axis=0).sum()
        y = np.einsum("aij...,j->ia...", y[0], x[0, :2]) + y[0, [0, 1, 1], :, 0][:2, :1, None]
        return np.sin(np.broadcast_to(y, (2, *y.shape))).sum(axis=(0, 1)) ** 2

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched._Pass, "_row_by_row", None)
        found = tg.jacobian(f)(np.linspace(0.0, 1.0, 12).reshape(3, 4))
    x = Tensor(np.linspace(0.0, 1.0, 12).reshape(3, 4))
    out = f(x)
    assert_alike([found.reshape(out.size, 3, 4)], loop(out, [x]))


def test_every_rule_of_a_batch_is_compared() -> None:
    """With the loop, by the table of op cases."""
    met = {
        node.op
        for case in REAL
        if (out := case.function(*leaves(case), *case.data))._node is not None
        for node in topological_order(out._node)
    }
    assert set(batched.ROWS) - met == set()
