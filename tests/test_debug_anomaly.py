"""detect_anomaly: what raises, what does not, what the message names, and what it leaves behind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import ONE_OF_EACH
from standin import StandIn
from tensorgrad import AnomalyError, Tensor, Value, detect_anomaly, nn

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


# --- forwards -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "said"),
    [
        (np.log, [1.0, 0.0], "log gave -inf at index (1,) of finite operands"),
        (np.log, [-1.0], "log gave nan at index (0,) of finite operands"),
        (np.log, 0.0, "log gave -inf of finite operands"),
        (np.exp, [[0.0, 1000.0]], "exp gave inf at index (0, 1) of finite operands"),
        (lambda x: x / 0.0, [0.0], "divide gave nan at index (0,) of finite operands"),
        (lambda x: x * x, np.array([300.0], np.float16), "multiply gave inf"),
        (np.sum, np.ones(70_000, np.float16), "sum gave inf of finite operands"),
        (
            lambda x: x + 0,
            np.array([np.nan + 0j]),
            "add gave (nan+0j) at index (0,): ",
        ),
    ],
)
def test_the_first_bad_element_of_a_result_is_shown(f: Any, x: Any, said: str) -> None:
    assert said in error_of(lambda: f(Tensor(x)))


def test_the_message_has_the_line_and_the_operands() -> None:
    x = Tensor([[1.0, 2.0], [0.0, 3.0]], label="x")
    with detect_anomaly(), pytest.raises(AnomalyError) as caught:
        x / np.array([1.0, 0.0])
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    text = str(caught.value).split("\n")
    assert text[0] == "divide gave inf at index (0, 1) of finite operands"
    assert text[1].strip() == (
        f"recorded at {__file__}:{line}, in {inspect.currentframe().f_code.co_name}: "  # type: ignore[union-attr]
        "x / np.array([1.0, 0.0])"
    )
    assert text[2].strip() == ("operand 0, the leaf 'x': float64 (2, 2), min 0, max 3, mean 1.5")
    assert text[3].strip() == "operand 1, a constant: float64 (2,), min 0, max 1, mean 0.5"


class Net(nn.Module):
    """A model whose second layer divides by its weights."""

    def __init__(self) -> None:
        self.layers = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU())
        self.parts = {"scale": [Tensor(np.ones(3, np.float32))]}

    def forward(self, x: Any) -> Any:
        return self.tail(self.layers(x))

    def tail(self, h: Any) -> Any:
        return h / self.parts["scale"][0]


def test_the_message_has_the_module_and_the_parameter() -> None:
    net = Net()
    x = np.ones((4, 2), np.float32)
    net.layers[0].weight.data[0] = np.nan  # type: ignore[attr-defined]
    said = error_of(net, x)
    assert "by layers.0 (Linear) of Net" in said
    assert "operand 1, the leaf 'layers.0.weight', holds NaN already" in said
    net = Net()
    net.parts["scale"][0].data[1] = 0
    said = error_of(net, x)
    assert "by Net" in said
    assert "operand 1, the leaf 'parts.scale.0': float32 (3,), min 0, max 1, mean 0.666667" in said


def test_nan_that_comes_in_is_named() -> None:
    data = np.array([[1.0, np.nan]])
    assert "operand 1, a constant, holds NaN already" in error_of(lambda: Tensor([1.0]) * data)
    x = Tensor(data, label="x")
    assert "operand 0, the leaf 'x', holds NaN already" in error_of(lambda: x + 1)
    y = x * 2
    assert "operand 0, the result of multiply, holds NaN already" in error_of(lambda: y + 1)
    with detect_anomaly():
        assert (np.where(np.isnan(data), 0.0, data) * Tensor([1.0])).sum().data == 1


def test_nan_written_as_a_number_is_meant() -> None:
    x = Tensor([1.0, 2.0, 4.0])
    with detect_anomaly():
        holes = np.where(np.array([True, False, True]), x, np.nan)
        filled = np.where(np.isnan(holes.data), 0.0, holes * 2)
        filled.sum().backward()
        t = tg.zeros(3)
        t[0] = x[0]
        t[1] = np.nan
        t[2] = x[2]
        t[::2].sum().backward()
    assert x.grad.tolist() == [3, 0, 3]
    assert "log gave -inf at index (0,) of operands that held no infinity there" in error_of(
        lambda: np.log(np.where(np.array([False, True]), 1.0, x[:2] * 0) * np.array([1.0, INF]))
    )


def test_infinities_of_constants_are_handed_on() -> None:
    """A mask of -inf, the start of a maximum, bounds: no anomaly, forwards or backwards."""
    logits = Tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    mask = np.array([[0.0, 0.0, -INF], [0.0, -INF, -INF]])
    with detect_anomaly():
        masked = logits + mask
        masked.softmax().sum().backward()
        np.where(mask == 0, masked.log_softmax(), 0.0).sum().backward()
        tg.logsumexp(masked, 1).sum().backward()
        logits.clip(0, None).sum().backward()
        np.maximum(logits, -INF).sum().backward()
        table = tg.full((3,), -INF)
        table[0] = logits[0, 0]
        table[1] = logits[0, 0] + 1
        table[:2].sum().backward()
    assert np.isfinite(logits.grad).all()


def test_infinities_hide_no_others() -> None:
    """An elementwise result is judged element by element; and infinities that cancel are NaN."""
    mask = np.array([0.0, -INF])
    x = Tensor([1e308, 1.0])
    assert "gave inf at index (0,) of finite operands" in error_of(lambda: x * 10 + mask)
    y = Tensor([1.0, 1.0]) + mask
    assert "subtract gave nan at index (1,) of operands that held no NaN there" in error_of(
        lambda: y - y
    )
    assert "multiply gave inf at index (0,)" in error_of(lambda: x * np.array([10.0, INF]))


def test_infinities_of_leaves_are_named() -> None:
    w = Tensor([1.0, INF], label="w")
    said = error_of(lambda: w * 2)
    assert "operand 0, the leaf 'w', holds an infinity already" in said
    assert "diverged" in said
    with detect_anomaly():
        w.detach() * Tensor([1.0, 1.0])
        np.minimum(w, 1.0)


def test_an_error_records_nothing_and_changes_nothing() -> None:
    t = tg.zeros(2)
    t[0] = Tensor(1.0)
    node = t._node
    with detect_anomaly():
        with pytest.raises(AnomalyError, match=r"operand 1, a constant, holds NaN"):
            t[:] = np.array([1.0, np.nan])
        with pytest.raises(AnomalyError, match=r"power gave inf"):
            t **= -1.0
    assert t._node is node
    assert t.tolist() == [1, 0]


def test_other_kinds_of_arrays() -> None:
    """Empty, 0-d, integers among the operands, complex, a Value, Python numbers."""
    with detect_anomaly():
        for x in (Tensor(np.zeros((0, 3))), Tensor(2.0), Value(2.0), Tensor([1 + 1j])):
            y = (x * 3 + 10**400 * 0) * np.ones(x.shape, int)
            np.abs(y).sum().backward()
        Tensor(np.ones(3))[np.array([0, 2])].sum().backward()
    assert "gave inf" in error_of(lambda: Value(1e308) * 10)
    assert "gave (inf+" in error_of(lambda: Tensor([1e308 + 1j]) * 10)


def test_other_array_types() -> None:
    x = tg.as_tensor(StandIn(np.array([1.0, 0.0]))).requires_grad_()
    with detect_anomaly():
        (np.exp(x) * x).sum().backward(StandIn(np.ones(())))
    assert "at index (1,) of finite operands" in error_of(np.log, x)
    assert "the gradient of sqrt" in error_of(np.sqrt(x).backward, StandIn(np.ones(2)))


# --- backwards ------------------------------------------------------------------------------------


def test_the_first_bad_gradient_is_shown() -> None:
    x = Tensor([4.0, 0.0], label="x")
    with detect_anomaly():
        y = np.sqrt(x)
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
        loss = (y * 3).sum()
    text = error_of(loss.backward)
    assert "the gradient of sqrt for operand 0, the leaf 'x', is inf at index (1,)" in text
    assert f"{__file__}:{line}" in text
    assert "y = np.sqrt(x)" in text
    assert "the gradient that arrived: float64 (2,), min 3, max 3, mean 3" in text
    assert not x.has_grad
    loss.backward()  # outside, infinity is the right answer (case 8)
    assert x.grad.tolist() == [0.75, INF]


def test_a_graph_recorded_outside_is_checked_too() -> None:
    x = Tensor(0.0)
    y = np.sqrt(x)
    assert "recorded outside detect_anomaly()" in error_of(y.backward)
    with tg.no_grad():
        assert "sqrt" in error_of(y.backward)


def test_the_strong_zero_is_no_anomaly() -> None:
    """Rule 7, in every order."""
    x = Tensor([0.0, 4.0])
    with detect_anomaly():
        y = np.where(np.array([False, True]), np.sqrt(x), 0.0).sum()
        y.backward()
        [g] = tg.gradients(y, [x], create_graph=True)
        g.sum().backward()
    assert x.grad.tolist() == [0, 0.25 - 1 / 32]


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_are_checked(create_graph: bool) -> None:
    x = Tensor([0.0])
    y = np.sqrt(x).sum()
    said = error_of(lambda: tg.gradients(y, x, create_graph=create_graph))
    assert "the gradient of sqrt for operand 0" in said


def test_second_order_names_what_was_differentiated() -> None:
    x = Tensor([0.0])
    with detect_anomaly():
        y = np.power(x, 1.5)
        first = tg.gradients(y.sum(), x, create_graph=True)
    said = error_of(first.sum().backward)
    assert "while the gradient of power" in said
    assert __file__ in said


def test_a_gradient_that_overflows_in_a_sum_is_found() -> None:
    x = Tensor([1e-5], dtype=np.float32)
    big = np.float32(3e38)
    assert "the gradient of the leaf" in error_of((x * big + x * big).sum().backward)
    y = x * 1
    assert "arrives at multiply" in error_of((y * big + y * big).sum().backward)
    assert "arrives at multiply" in error_of(y.backward, [np.nan])


def test_interior_gradients_wait_for_the_end_of_the_pass() -> None:
    x = Tensor([1.0, 0.0])
    y = np.sqrt(x)
    y.label = "y"
    z = y.sum()
    error_of(z.backward)
    assert z._node.grad is None
    assert y._node.grad is None


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=lambda case: case.name)
def test_every_row_passes_with_the_same_bits(case: Case) -> None:
    """Regular points are no anomaly, and the mode changes no gradient."""
    xs = [Tensor(array) for array in case.draw()]
    out = case.function(*xs, *case.data)
    values = [out, *xs, *(np.asarray(d) for d in case.data)]
    if not all(np.isfinite(value.data).all() for value in values):  # the mean of nothing
        return
    seed = np.ones(out.shape, out.dtype)
    out.backward(seed)
    expected = [x.grad.tobytes() for x in xs]
    for x in xs:
        x.zero_grad()
    with detect_anomaly():
        case.function(*xs, *case.data).backward(seed)
    assert [x.grad.tobytes() for x in xs] == expected


# --- arrays that change ---------------------------------------------------------------------------


def test_case_62b_a_write_through_data_is_found() -> None:
    p = Tensor([1.0, 2.0], label="p")
    with detect_anomaly():
        loss = (p * p).sum()
        p.data[0] = 5.0
    said = error_of(loss.backward)
    assert "multiply recorded an array that has changed since: operand 0, the leaf 'p'" in said
    assert "of shape (2,)" in said
    assert "loss = (p * p).sum()" in said


def test_case_63_a_constant_that_changes_is_found() -> None:
    a, x = np.ones(3), Tensor(np.ones(3))
    with detect_anomaly():
        loss = (x * a).sum()
        other = (x * tg.as_tensor(a)).sum()
        sound = (x + a).sum()
        a[0] = 9
        assert "operand 1, a constant" in error_of(loss.backward)
        assert "operand 1, a constant" in error_of(other.backward)
        sound.backward()  # no rule reads it
    assert not (x.grad - 1).any()


def test_a_result_that_changes_is_found() -> None:
    x = Tensor(np.ones((2, 2)))
    with detect_anomaly():
        y = np.exp(x)
        turned = x.T * np.ones((2, 2))
        y.data[0, 0] = 7
        assert "exp recorded an array that has changed since: its result" in error_of(
            y.sum().backward
        )
        turned.sum().backward()
    indices = np.array([0, 1])
    with detect_anomaly():
        z = x[indices]
        indices[0] = 1
        assert "getitem" in error_of(z.sum().backward)


def test_what_no_rule_reads_may_change() -> None:
    """An optimiser's step between two passes, over a graph that keeps a view of the parameter."""
    w = Tensor([2.0])
    with detect_anomaly():
        loss = w.reshape(()) * 3.0
        loss.backward()
        with tg.no_grad():
            w -= 1.0
        loss.backward()
    assert w.grad.tolist() == [6]


def test_case_62b_still_names_the_leaf_of_an_assignment() -> None:
    p = Tensor([1.0])
    with detect_anomaly():
        loss = (p * p).sum()
        p.data = [3.0]
        with pytest.raises(RuntimeError, match=r"data\s+have changed since"):
            loss.backward()


def test_assignments_that_take_memory_over_are_no_change() -> None:
    x = Tensor(np.arange(1.0, 5.0))
    for mode in (detect_anomaly, tg.enable_grad):
        with mode():
            t = tg.zeros((4, 2))
            for i in range(4):
                t[i] = x[i]
                t[i, 1] *= 2
        with detect_anomaly():
            x.zero_grad()
            (t * t).sum().backward()
        assert x.grad.tolist() == [10, 20, 30, 40]


def test_long_doubles_have_padding() -> None:
    x = Tensor(np.ones((3, 2), np.longdouble)[:, 0])
    with detect_anomaly():
        (x * x[::-1]).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
