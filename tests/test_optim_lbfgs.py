"""LBFGS: minima that are known, PyTorch's steps, resuming, compiled closures, errors on the way."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad.optim import LBFGS
from tensorgrad.optim.line_search import Point, strong_wolfe

WOLFE = {"line_search_fn": "strong_wolfe"}


def rosenbrock(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def quartic(w):
    return ((w * w - 1) ** 2).sum() * 0.1 + (w * w).sum() * 0.05 + (w[0] * w[1] - w[2]) ** 2


STARTS = {rosenbrock: [-1.5, 2.0], quartic: [-1.5, 2.0, 0.3, 0.7]}


def closure_of(optimizer, loss_of, params, calls=None):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(*params)
        loss.backward()
        if calls is not None:
            calls.append(1)
        return loss

    return closure


@pytest.mark.parametrize("loss_of", [rosenbrock, quartic])
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.5, "max_iter": 5},
        WOLFE,
        WOLFE | {"history_size": 2, "max_iter": 4},
        WOLFE | {"max_iter": 1, "lr": 3.0},
        WOLFE | {"max_eval": 7, "tolerance_grad": 1e-3, "tolerance_change": 1e-4},
    ],
    ids=str,
)
def test_steps_equal_pytorch(loss_of, options):
    """And the closure is called equally often."""
    torch = pytest.importorskip("torch")
    ours = tg.Tensor(STARTS[loss_of])
    theirs = torch.tensor(STARTS[loss_of], dtype=torch.float64, requires_grad=True)
    calls, other_calls = [], []
    optimizer, other = LBFGS([ours], **options), torch.optim.LBFGS([theirs], **options)
    for _ in range(6):
        loss = optimizer.step(closure_of(optimizer, loss_of, [ours], calls))
        expected = other.step(closure_of(other, loss_of, [theirs], other_calls))
        assert float(loss) == pytest.approx(expected.item(), rel=1e-6, abs=1e-9)
        assert len(calls) == len(other_calls)
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_minimum_is_found(dtype):
    w = tg.Tensor(np.array([-1.5, 2.0], dtype))
    optimizer = LBFGS([w], max_iter=100, **WOLFE)
    assert float(optimizer.step(closure_of(optimizer, rosenbrock, [w]))) == 12.5
    np.testing.assert_allclose(w.data, [1.0, 1.0], atol=1e-4)
    assert w.dtype == dtype


def test_a_quadratic_is_minimised_as_newton_would():
    """In as many iterations as there are parameters, of several shapes, and one more."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(7, 7))
    a = a @ a.T + np.eye(7)
    p, q, frozen = tg.Tensor(np.ones((2, 3))), tg.Value(1.0), tg.Tensor([1.0], requires_grad=False)
    optimizer = LBFGS([p, q, frozen], max_iter=100, tolerance_grad=1e-6, **WOLFE)

    def loss_of(p, q, _):
        x = np.concatenate([p.reshape(-1), q.reshape(1)]) - 3.0
        return x @ a @ x / 2

    calls = []
    optimizer.step(closure_of(optimizer, loss_of, optimizer.params, calls))
    np.testing.assert_allclose(p.data, 3.0, atol=1e-5)
    assert float(q) == pytest.approx(3.0, abs=1e-5)
    assert frozen.data[0] == 1.0
    assert len(calls) < 25


def test_the_history_is_bounded():
    w = tg.Tensor([-1.5, 2.0])
    optimizer = LBFGS([w], history_size=3, **WOLFE)
    optimizer.step(closure_of(optimizer, rosenbrock, [w]))
    assert optimizer.state["s"].shape == (3, 2)
    assert optimizer.state["stored"] > 3


@pytest.mark.parametrize("way", ["state", copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize("options", [WOLFE | {"max_iter": 3, "history_size": 4}, {"lr": 0.01}])
def test_saved_and_continued_equals_not_interrupted(way, options):
    """Case 109."""
    w = tg.Tensor([-1.5, 2.0])
    optimizer = LBFGS([w], **options)
    for _ in range(3):
        optimizer.step(closure_of(optimizer, rosenbrock, [w]))
    if way == "state":
        v = tg.Tensor(w.data)
        other = LBFGS([v], **options)
        other.load_state_dict(optimizer.state_dict())
    else:
        w.zero_grad()
        v, other = way((w, optimizer))
    for _ in range(3):
        optimizer.step(closure_of(optimizer, rosenbrock, [w]))
        other.step(closure_of(other, rosenbrock, [v]))
        np.testing.assert_array_equal(w.data, v.data)


@pytest.mark.parametrize("options", [WOLFE, {"lr": 0.01}], ids=str)
def test_an_error_in_the_closure_leaves_the_parameters_as_they_were(options):
    w = tg.Tensor([-1.5, 2.0])
    optimizer = LBFGS([w], **options)
    calls = []

    def failing():
        if len(calls) == 3:
            raise KeyboardInterrupt
        return closure_of(optimizer, rosenbrock, [w], calls)()

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(failing)
    at = w.data.copy()
    assert np.isfinite(at).all()
    start = tg.Tensor(at)
    calls.append(1)
    optimizer.step(failing)
    assert float(rosenbrock(w).detach()) < float(rosenbrock(start).detach())


def test_a_loss_that_is_no_number_ends():
    w = tg.Tensor([1.0])
    optimizer = LBFGS([w], **WOLFE)
    with np.errstate(all="ignore"):
        optimizer.step(closure_of(optimizer, lambda w: np.log(-w).sum() * np.nan, [w]))
        optimizer.step(closure_of(optimizer, lambda w: np.log(w).sum(), [w]))
    assert w.shape == (1,)


def test_a_compiled_closure_has_the_bits_of_an_eager_one():
    """Case 111."""

    def story(compiled):
        model = tg.nn.MLP(2, [5, 2], output_activation=None, dtype="float64", rng=0)
        optimizer = LBFGS(model.parameters(), max_iter=5, **WOLFE)
        x, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2

        @compiled
        def closure():
            optimizer.zero_grad()
            loss = tg.nn.cross_entropy(model(x), y)
            loss.backward()
            return loss

        for _ in range(10):
            yield optimizer.step(closure), model, optimizer.state_dict()

    told_twice(story, runs=1)


def test_a_step_inside_a_compiled_function_is_refused():
    w = tg.Tensor([-1.5, 2.0])
    optimizer = LBFGS([w])
    step = tg.compile(lambda: optimizer.step(closure_of(optimizer, rosenbrock, [w])))
    with pytest.raises(tg.CompileError, match="and compile the closure"):
        step()
    assert w.data.tolist() == [-1.5, 2.0]


def one():
    return tg.Tensor([1.0])


@pytest.mark.parametrize(
    ("params", "options", "error", "message"),
    [
        ([{"params": [one()]}, {"params": [one()]}], {}, ValueError, "one group"),
        ([one(), tg.Tensor(np.ones(1, "f4"))], {}, ValueError, "float32, float64; LBFGS needs one"),
        ([one()], {"line_search_fn": "wolfe"}, ValueError, "expected None or 'strong_wolfe'"),
        ([one()], {"history_size": 0}, ValueError, "history_size is 0"),
        ([one()], {"max_iter": 0}, ValueError, "max_iter is 0"),
        ([one()], {"lr": -1}, ValueError, "lr is -1"),
    ],
)
def test_wrong_arguments_are_refused(params, options, error, message):
    with pytest.raises(error, match=message):
        LBFGS(params, **options)


def test_what_a_step_needs():
    optimizer = LBFGS([one()])
    with pytest.raises(TypeError, match=r"give step\(\) a function"):
        optimizer.step()
    with pytest.raises(TypeError, match="returned a NoneType; expected the loss"):
        optimizer.step(lambda: None)
    with pytest.raises(RuntimeError, match="has computed no gradient"):
        optimizer.step(lambda: tg.Tensor(1.0))


# ------------------------------------------------------------------ the line search

CURVES = {
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "far away": (lambda t: (t - 300) ** 2, lambda t: 2 * (t - 300)),
    "wall": (lambda t: -t + np.exp(8 * (t - 1)), lambda t: -1 + 8 * np.exp(8 * (t - 1))),
    "waves": (
        lambda t: (t - 5) ** 2 / 9 + np.sin(4 * t) / 5,
        lambda t: 2 * (t - 5) / 9 + np.cos(4 * t) * 0.8,
    ),
}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("first", [0.01, 1.0, 50.0])
def test_a_line_search_ends_where_the_conditions_hold(curve, first):
    value, slope = CURVES[curve]

    def at(t):
        with np.errstate(over="ignore"):
            return Point(t, float(value(t)), float(slope(t)), np.zeros(1))

    start = at(0.0)
    point, count = strong_wolfe(at, start, first, reach=1.0, most=25)
    assert point.loss <= start.loss + 1e-4 * point.distance * start.slope
    assert abs(point.slope) <= 0.9 * abs(start.slope)
    assert 1 <= count <= 26


def test_a_line_search_that_may_not_look_again_takes_the_better_point():
    parabola = CURVES["parabola"]

    def at(t):
        return Point(t, float(parabola[0](t)), float(parabola[1](t)), np.zeros(1))

    assert strong_wolfe(at, at(0.0), 4.0, reach=1.0, most=0) == (at(4.0), 1)
    assert strong_wolfe(at, at(0.0), 7.0, reach=1.0, most=0) == (at(0.0), 1)
