"""The mode detect_anomaly: numbers that leave the graph, nesting, threads, memory."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import AnomalyError, Tensor, Value, detect_anomaly, nn
from tensorgrad.debug.origin import origin_of, records
from tensorgrad.graph import topological_order, watchers
from tensorgrad.op import op
from tensorgrad.ops import fused
from tensorgrad.tensor import apply

INF = np.inf


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Leave the floating-point errors to the mode: NumPy would warn first."""
    with np.errstate(all="ignore"):
        yield


def error_of(f: Callable[..., Any], *args: Any) -> str:
    """Return the message of the anomaly in a call."""
    with detect_anomaly(), pytest.raises(AnomalyError) as caught:
        f(*args)
    return str(caught.value)


class Net(nn.Module):
    """A model whose second layer divides by its weights."""

    def __init__(self) -> None:
        self.layers = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU())
        self.parts = {"scale": [Tensor(np.ones(3, np.float32))]}

    def forward(self, x: Any) -> Any:
        return self.tail(self.layers(x))

    def tail(self, h: Any) -> Any:
        return h / self.parts["scale"][0]


# --- values that leave the graph ------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        float,
        int,
        complex,
        math.sin,
        math.floor,
        lambda t: t.item(),
        lambda t: np.zeros(3, int).__setitem__(0, t),
        lambda t: np.full((), 1j).__setitem__((), t),
    ],
)
def test_case_93_numbers_that_leave_the_graph(f: Callable[..., Any]) -> None:
    t = Tensor(2.0, label="t")
    for x in (t, t * 3, Value(1.0)):
        assert ".detach()" in error_of(f, x) or f is complex
    with detect_anomaly():
        f(t.detach())
        with tg.no_grad():
            f(t)
    f(t)


def test_case_93_assignment_into_an_array() -> None:
    """NumPy puts an error of its own in front, whose cause says what is wrong."""
    with detect_anomaly(), pytest.raises(ValueError, match="setting") as caught:
        np.zeros(3)[0] = Tensor(2.0)
    assert isinstance(caught.value.__cause__, AnomalyError)
    assert ".detach()" in str(caught.value.__cause__)


def test_looking_is_allowed() -> None:
    t = Tensor(2.0) * 1
    with detect_anomaly():
        assert bool(t)
        assert t > 1
        assert max([t, Tensor(1.0)]) is t
        assert f"{t:.2f}" == "2.00"
        assert "2." in repr(t) + str(t)
        assert t.tolist() == t.data == t.numpy() == 2
        assert 2.0 in t


# --- the mode -------------------------------------------------------------------------------------


def test_nesting_and_exceptions() -> None:
    x = Tensor([0.0])
    with detect_anomaly():
        with detect_anomaly():
            assert len(watchers()) == 1
        with pytest.raises(ZeroDivisionError), detect_anomaly(), tg.no_grad():
            _ = 1 / 0
        error_of(np.log, x)
    assert watchers() == []
    np.log(x)


def test_inside_no_grad_nothing_is_recorded() -> None:
    x = Tensor([0.0])
    with tg.no_grad():
        with detect_anomaly():
            assert not tg.is_grad_enabled()
            assert not np.log(x).requires_grad
            with tg.enable_grad():
                assert "log" in error_of(np.log, x)
            assert not tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    with detect_anomaly(), tg.no_grad():
        np.log(x)
        with tg.enable_grad(), pytest.raises(AnomalyError):
            np.log(x)
        with detect_anomaly():
            assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    assert watchers() == []


def test_as_a_decorator() -> None:
    x = Tensor([0.0])

    @detect_anomaly()
    def f() -> Any:
        return np.log(x)

    @detect_anomaly()
    def steps() -> Iterator[Any]:
        yield bool(watchers())
        yield np.log(x)

    @detect_anomaly()
    async def later() -> Any:
        await asyncio.sleep(0)
        return np.log(x)

    with pytest.raises(AnomalyError):
        f()
    with pytest.raises(AnomalyError):
        asyncio.run(later())
    running = steps()
    assert next(running)
    assert not watchers()
    with pytest.raises(AnomalyError):
        next(running)
    with pytest.raises(TypeError, match="no argument"):
        detect_anomaly(f)


def test_case_88_the_mode_is_per_thread() -> None:
    seen: list[Any] = []
    with detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append((watchers(), np.log(Tensor([1.0])))))
        thread.start()
        thread.join()
    assert seen[0][0] == []


def test_threads_with_graphs_of_their_own() -> None:
    x = Tensor(np.arange(1.0, 4.0))

    def work() -> None:
        with detect_anomaly():
            for _ in range(20):
                (np.log(x) * x).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(x.grad, 80 * (np.log(x.data) + 1))


def test_case_76_a_deep_graph() -> None:
    x = Value(1.0)
    with detect_anomaly():
        y = x
        for _ in range(100_000):
            y = y + 1e-9
        y.backward()
    assert x.grad == 1
    assert len(records) >= 100_000
    dead = weakref.ref(y._node)
    gc.disable()
    try:
        del y
        assert dead() is None
    finally:
        gc.enable()


def test_case_83_the_book_keeping_dies_with_the_graph() -> None:
    net = Net()
    gc.collect()
    before = len(records)
    gc.disable()
    try:
        with detect_anomaly():
            out = net(np.ones((2, 2), np.float32))
            net.kept = out  # type: ignore[attr-defined]
            out.sum().backward()
            dead = weakref.ref(out._node)
            assert len(records) > before
        del out, net.kept
        assert dead() is None
        assert len(records) == before
    finally:
        gc.enable()


def test_a_model_that_is_gone_is_no_error() -> None:
    net = Net()
    with detect_anomaly():
        out = net(np.ones((2, 2), np.float32))
    origin = origin_of(out._node)
    assert origin is not None
    assert origin.path == "Net"
    del net
    assert origin.path == ""


def test_the_line_is_the_users_under_operators_and_methods() -> None:
    x = Tensor([1.0, 2.0])
    with detect_anomaly():
        outs = [x + x, -x, x.exp(), np.exp(x), x.sum(), x[0], tg.softmax(x), np.einsum("i,i", x, x)]
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    for out in outs:
        for node in topological_order(out._node):
            origin = origin_of(node)
            assert origin is not None
            assert origin.place == f"{__file__}:{line}"


def test_fit_trains_under_it() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.intp)
    losses = []
    for mode in (tg.enable_grad, detect_anomaly):
        model = nn.Sequential(
            nn.Linear(2, 8, rng=0), nn.Dropout(0.1, rng=0), nn.Linear(8, 2, rng=1)
        )
        with mode():
            history = tg.fit(
                model, (x, y), loss=nn.functional.cross_entropy,
                optimizer=tg.optim.SGD(model.parameters(), lr=0.1),
                epochs=2, batch_size=8, verbose=False, rng=0,
            )  # fmt: skip
        losses.append(history.steps)
    assert losses[0] == losses[1]


def test_an_exception_in_a_rule_leaves_the_mode_usable() -> None:
    broken = op(np.copy, lambda g, _out, _x: g[1:], name="broken")
    with detect_anomaly():
        out = apply(broken, Tensor([1.0, 2.0]))
        with pytest.raises(ValueError, match="the rule of broken returned a gradient of shape"):
            out.backward([1.0, 1.0])
        nothing = op(np.copy, lambda _g, _out, _x: None, name="nothing", elementwise=True)
        with pytest.raises(TypeError, match="the rule of nothing returned NoneType"):
            apply(nothing, Tensor([1.0])).sum().backward()
        (Tensor([1.0]) * 2).sum().backward()


def test_joint_rules_are_checked() -> None:
    x = Tensor(np.ones((2, 3)))
    with detect_anomaly():
        out = apply(fused.softmax_cross_entropy, x, np.array([0, 1]))
        out.sum().backward()
        assert "softmax_cross_entropy" in error_of(out.backward, [1.0, INF])
