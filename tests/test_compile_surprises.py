"""The page docs/compile.md: each surprise of compiled functions has its test here, in its order.

A surprise is a compiled function that does something else than the function; what cannot be as it
is eagerly is refused with a message that says what to do.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import gc
import math
import pickle
import random
import signal
import sys
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import CompileError, Tensor, nn, optim
from tensorgrad.graph import Clock

FACTOR = 2.0


def net() -> nn.MLP:
    return nn.MLP(3, [4, 2], output_activation=None, rng=0)


# --- numbers of Python are baked in ---------------------------------------------------------------


def test_python_numbers_are_baked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    scale, table = 3.0, {"a": 4.0}

    @tg.compile
    def f(x: Any) -> Any:
        return x * FACTOR * scale * table["a"]

    f(np.ones(1))
    monkeypatch.setitem(globals(), "FACTOR", 9.0)
    table["a"] = 9.0
    scale = 9.0
    np.testing.assert_array_equal(f(np.ones(1)), [24.0])
    listed = [str(number) for number in f.plan.baked]
    for number in ("2.0", "3.0", "4.0"):
        assert any(number in line for line in listed)


def test_as_arrays_they_are_seen() -> None:
    scale = np.array(3.0)
    f = tg.compile(lambda x: x * scale)
    f(np.ones(1))
    scale[...] = 9.0
    np.testing.assert_array_equal(f(np.ones(1)), [9.0])


def test_as_arguments_they_are_seen_and_recorded_each() -> None:
    runs = []

    @tg.compile
    def f(x: Any, scale: float) -> Any:
        runs.append(scale)
        return x * scale

    assert [f(np.ones(1), k)[0] for k in (1.0, 2.0, 1.0, 2.0)] == [1.0, 2.0, 1.0, 2.0]
    assert runs == [1.0, 2.0]


def test_clocks_and_fresh_generators_are_baked_in() -> None:
    f = tg.compile(lambda x: x + time.perf_counter_ns() + np.random.default_rng().random())
    assert f(np.zeros(1)) == f(np.zeros(1))


# --- isinstance -----------------------------------------------------------------------------------


def test_an_array_is_no_ndarray_while_a_function_is_recorded() -> None:
    f = tg.compile(lambda x: "array" if isinstance(x, np.ndarray) else "something else")
    assert f(np.ones(1)) == "something else"
    g = tg.compile(lambda x: "array" if hasattr(x, "shape") else "something else")
    assert g(np.ones(1)) == "array"


# --- side effects ---------------------------------------------------------------------------------


def test_side_effects_happen_once() -> None:
    seen: list[Any] = []

    @tg.compile
    def f(x: Any) -> Any:
        y = x * 2
        seen.append(y)
        return y

    for _ in range(3):
        f(np.ones(2))
    assert len(seen) == 1
    with pytest.raises(CompileError, match="belongs to the recording"):
        seen[0] + 1


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(x=d["x"] * 2),
        lambda d: d["list"].append(d["x"]),
        lambda d: d.update(new=1),
        lambda d: d.pop("x"),
    ],
    ids=["another value", "one more", "a new key", "one less"],
)
def test_lists_and_dicts_that_are_given_stay_as_they_are(change: Callable[[Any], Any]) -> None:
    f = tg.compile(lambda d: change(d))
    given = {"x": np.ones(2), "list": [np.ones(2)]}
    with pytest.raises(CompileError, match="puts something else into a list or a dict"):
        f(given)
    assert list(given) == ["x", "list"]
    assert len(given["list"]) == 1


def test_a_module_must_not_count_its_calls_in_a_number() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            self.calls, self.count = 0, np.array(0)

        def forward(self, x: Any) -> Any:
            self.count += 1
            if self.training:
                self.calls += 1
            return x * 2

    model = Counting()
    f = tg.compile(lambda x: model(x))
    message = r"changes 'calls' .* from 0 to 1.*self.calls = np.array"
    with pytest.raises(CompileError, match=message):
        f(np.ones(2))
    assert model.calls == 0
    model.eval()
    for _ in range(3):
        f(np.ones(2))
    assert model.count == 3


# --- values steer no Python -----------------------------------------------------------------------

LOOKS: dict[str, Callable[[Any], Any]] = {
    "if": lambda x: 1 if x.sum() > 0 else 2,
    "if of a tensor": lambda x: 1 if Tensor(x).sum() > 0 else 2,
    "and": lambda x: (x > 0).all() and 1,
    "all": lambda x: all(x > 0),
    "in": lambda x: 3.0 in x,
    "max": lambda x: max(x[0], x[1]),
    "sorted": lambda x: sorted(x),
    "float": lambda x: float(x[0]),
    "float of a tensor": lambda x: float(Tensor(x)[0]),
    "int": lambda x: int(x[0]),
    "complex": lambda x: complex(x[0]),
    "item": lambda x: x[0].item(),
    "item of a tensor": lambda x: Tensor(x)[0].item(),
    "tolist": lambda x: x.tolist(),
    "tobytes": lambda x: x.tobytes(),
    "math": lambda x: math.sin(x[0]),
    "range": lambda x: list(range(x.astype(int)[0])),
    "index": lambda x: [1, 2, 3][x.astype(int)[0]],
    "zeros": lambda x: np.zeros(int(x[0])),
    "print": lambda x: print(x),  # noqa: T201
    "print of a tensor": lambda x: print(Tensor(x)),  # noqa: T201
    "format": lambda x: f"{x[0]:.3f}",
    "format of a tensor": lambda x: f"{Tensor(x)[0]:.3f}",
    "percent": lambda x: "%.3f" % x[0],  # noqa: UP031
    "str": lambda x: str(x),
    "repr of a tensor": lambda x: repr(Tensor(x)),
    "asarray": lambda x: np.asarray(x),
    "array of a list": lambda x: np.array([x[0], x[1]]),
    "float64": lambda x: np.float64(x[0]),
    "allclose": lambda x: np.allclose(x, x),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_looking_at_a_value_names_the_line_and_the_way_out(look: Callable[[Any], Any]) -> None:
    before = np.array([1.0, 2.0])
    f = tg.compile(look)
    for _ in range(2):
        with pytest.raises(CompileError, match="looks at a value") as caught:
            f(before)
        line = look.__code__.co_firstlineno
        assert str(caught.value).startswith(f"{__file__}:{line}: ")
        for way in ("Return it", "np.where", "without compile"):
            assert way in str(caught.value)


def test_shapes_and_dtypes_may_steer() -> None:
    f = tg.compile(lambda x: x.sum() if x.ndim == 2 and x.dtype == np.float64 else len(x) * x)
    np.testing.assert_array_equal(f(np.ones((2, 2))), 4.0)
    np.testing.assert_array_equal(f(np.ones(2)), [2.0, 2.0])
    np.testing.assert_array_equal(f(np.ones((2, 1), np.float32)), [[2.0], [2.0]])


def test_copies_are_recorded() -> None:
    f = tg.compile(lambda x: (copy.deepcopy(x) * 2, copy.copy(Tensor(x)) * 3))
    for x in (np.ones(2), np.arange(2.0)):
        array, tensor = f(x)
        np.testing.assert_array_equal(array, 2 * x)
        np.testing.assert_array_equal(tensor.data, 3 * x)


def test_nothing_is_pickled_meanwhile() -> None:
    with pytest.raises(CompileError, match="cannot be pickled"):
        tg.compile(lambda x: pickle.dumps(x))(np.ones(2))


# --- random numbers -------------------------------------------------------------------------------

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: RNG.normal(size=2),
        lambda: np.random.rand(2),  # noqa: NPY002
        lambda: random.random(),
        lambda: tg.rand(2) * tg.manual_seed(3).random(),
    ],
    ids=["a generator", "numpy.random", "random", "the default generator"],
)
def test_draws_of_the_functions_own_are_refused(draw: Callable[[], Any]) -> None:
    states = [
        lambda: RNG.bit_generator.state,
        lambda: np.random.get_state()[1].tobytes(),  # noqa: NPY002
        random.getstate,
        lambda: tg.random.as_generator(None).bit_generator.state,
    ]
    before = [state() for state in states]
    with pytest.raises(CompileError, match=r"draws random numbers.*draw outside"):
        tg.compile(lambda x: x + draw())(np.ones(2))
    assert [state() for state in states] == before


# --- results --------------------------------------------------------------------------------------


def test_a_result_has_no_graph() -> None:
    w = Tensor([1.0, 2.0])
    f = tg.compile(lambda x: (w * x).sum())
    with pytest.raises(RuntimeError, match=r"graph is not kept: call backward\(\) inside"):
        f(np.ones(2)).backward()


def test_a_tensor_made_inside_comes_back_without_its_gradient() -> None:
    @tg.compile
    def f(x: Any) -> Any:
        t = Tensor(x)
        (t * t).sum().backward()
        return t, t.grad

    t, grad = f(np.arange(3.0))
    np.testing.assert_array_equal(grad, [0.0, 2.0, 4.0])
    assert not t.is_leaf
    with pytest.raises(ValueError, match="is not kept"):
        t.grad  # noqa: B018


def test_a_captured_array_comes_back_as_a_copy() -> None:
    w, x = np.ones(3), np.zeros(3)
    f = tg.compile(lambda x: (w, x))
    found = f(x)
    found[0][0] = 7.0
    np.testing.assert_array_equal(w, np.ones(3))
    assert found[1] is x


@dataclasses.dataclass
class Output:
    """What a function returns."""

    loss: Any


@pytest.mark.parametrize(
    "wrap",
    [
        Output,
        lambda y: {y},
        lambda y: collections.deque([y]),
        lambda y: (v for v in [y]),
        lambda y: Output({"a": Tensor(y)}),
    ],
    ids=["dataclass", "set", "deque", "generator", "nested"],
)
def test_results_are_tuples_lists_and_dicts(wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(CompileError, match="return them in tuples, lists and dicts"):
        tg.compile(lambda x: wrap(x * 2))(np.ones(2))


def test_what_was_there_before_can_be_returned() -> None:
    model = net()
    f = tg.compile(lambda x: (model, model.layers[0].weight, model(x)))
    for _ in range(2):
        found = f(np.ones(3))
        assert found[0] is model
        assert found[1] is model.layers[0].weight


# --- calls that are not recorded ------------------------------------------------------------------


def test_what_is_not_like_the_recording_runs_eagerly() -> None:
    runs = []

    @tg.compile
    def f(x: Any) -> Any:
        runs.append(1)
        return x[x > 0]

    for x in (np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([-1.0, 5.0])):
        np.testing.assert_array_equal(f(x), x[x > 0])
    assert len(runs) == 2


def test_one_warning_where_a_function_keeps_running_eagerly() -> None:
    f = tg.compile(lambda x: x[x > 0])
    f(np.ones(3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(300):
            f(np.array([1.0, -1.0, 2.0]))
    assert len(caught) == 1
    assert "has been run eagerly 100 times" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_one_warning_where_a_function_keeps_recording() -> None:
    f = tg.compile(lambda x: x * 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for size in range(100):
            f(np.ones(size))
    assert len(caught) == 1
    assert "batches of one size" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert len(f._entries) <= 16


def test_a_graph_from_outside_is_refused() -> None:
    t = Tensor([1.0, 2.0]) * 2
    for f in (tg.compile(lambda x: x * t), tg.compile(lambda x: x.sum())):
        with pytest.raises(CompileError, match=r"graph.*outside: give x.detach\(\)"):
            f(t)
    u = t.detach()
    np.testing.assert_array_equal(tg.compile(lambda: u * 1.0)().data, [2.0, 4.0])


# --- Ctrl-C and errors ----------------------------------------------------------------------------


def training_step() -> tuple[Any, Any, Any]:
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @tg.compile
    def step(x: Any, y: Any, noise: Any = None) -> Any:
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x + tg.randn(3, rng=noise)), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


X, Y = np.ones((2, 3), np.float32), np.array([0, 1])


def test_ctrl_c_waits_for_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    tick = Clock.tick

    def interrupted(clock: Clock) -> int:
        signal.raise_signal(signal.SIGINT)
        return tick(clock)

    found = []
    for ways in (False, True):
        tg.manual_seed(0)
        model, optimizer, step = training_step()
        step(X, Y)
        with monkeypatch.context() as patch:
            if ways:
                patch.setattr(Clock, "tick", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    step(X, Y)
            else:
                step(X, Y)
        states = [*model.state_dict().values(), *optimizer.state_dict().values()]
        found.append([array.tobytes() for array in states])
    assert found[0] == found[1]


class Failing(np.random.Generator):
    """A generator that cannot be asked for ever."""

    left = 2

    def standard_normal(self, *args: Any, **params: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().standard_normal(*args, **params)

    normal = standard_normal


def test_ctrl_c_before_the_update_leaves_all_as_it_was() -> None:
    model, optimizer, step = training_step()
    noise = Failing(np.random.PCG64(0))
    step(X, Y, noise)
    arrays = [*model.state_dict().values(), *optimizer.state_dict().values()]
    with pytest.raises(KeyboardInterrupt):
        step(X, Y, noise)
    now = [*model.state_dict().values(), *optimizer.state_dict().values()]
    assert [a.tobytes() for a in now] == [a.tobytes() for a in arrays]


def test_an_error_while_recording_leaves_all_as_it_was() -> None:
    model = net()
    w, data = np.zeros(3), model.layers[0].weight.data

    @tg.compile
    def f(x: Any) -> None:
        w[0] = 1.0
        model(x).sum().backward()
        for p in model.parameters():
            p.data -= p.grad
        tg.rand(3)
        raise KeyError("the user's")

    state = tg.manual_seed(3).bit_generator.state
    before = data.copy()
    for _ in range(2):
        with pytest.raises(KeyError, match="the user's"):
            f(np.ones(3))
        np.testing.assert_array_equal(w, np.zeros(3))
        assert model.layers[0].weight.data is data
        np.testing.assert_array_equal(data, before)
        assert not model.layers[0].weight.has_grad
        assert tg.random.as_generator(None).bit_generator.state == state


# --- what it costs --------------------------------------------------------------------------------


def test_ten_thousand_calls_keep_nothing() -> None:
    _, _, step = training_step()
    for _ in range(100):
        step(X, Y)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        step(X, Y)
    gc.collect()
    assert sys.getallocatedblocks() - before < 300


def test_nothing_of_a_function_stays_when_it_goes() -> None:
    model, _, step = training_step()
    step(X, Y)
    watched = weakref.ref(model)
    del model, step, _
    gc.collect()
    assert watched() is None


def test_a_slice_by_a_computed_number_is_a_look_at_it() -> None:
    def before_the_largest(x: Any) -> Any:
        return x[: np.argmax(x)]

    with pytest.raises(CompileError, match="an index or a count looks at a value"):
        tg.compile(before_the_largest)(np.array([1.0, 3.0, 2.0]))


def test_rounding_is_a_look_at_a_value() -> None:
    with pytest.raises(CompileError, match=r"round\(\) looks at a value"):
        tg.compile(lambda x: x * round(x[0]))(np.ones(2))


def test_an_argument_that_is_written_to_lies_side_by_side() -> None:
    def write(x: Any) -> Any:
        x[0] = 3.0
        return x * 2

    x = np.arange(6.0)
    with pytest.raises(CompileError, match="do not lie side by side: give a copy"):
        tg.compile(write)(x[::2])
    assert x.tolist() == [0, 1, 2, 3, 4, 5]


def test_an_argument_of_text_is_refused() -> None:
    with pytest.raises(CompileError, match="is an array of <U1; expected numbers"):
        tg.compile(lambda x: x)(np.array(["a", "b"]))


def test_other_arrays_in_the_state_of_an_optimizer_are_taken() -> None:
    losses = []
    for wrap in (lambda step: step, tg.compile):
        w = tg.Tensor([1.0, 2.0])
        optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

        def step(w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = wrap(step)
        found = [float(run()) for _ in range(3)]
        optimizer.state[0]["velocity"] = np.array([5.0, -5.0])
        losses.append(found + [float(run()) for _ in range(3)])
    assert losses[0] == losses[1]


def test_source_and_plan_are_of_what_ran_last() -> None:
    f = tg.compile(lambda x: x * 2 + 1)
    f(np.ones(3))
    first = f.source
    f(np.ones((2, 2)))
    assert f.source != first
    assert "[2, 2]" in str(f.plan)
    f(np.ones(3))
    assert f.source == first
    assert "[2, 2]" not in str(f.plan)
