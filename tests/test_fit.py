"""Training by `fit`, `evaluate`, `accuracy`: results, data of all kinds, and what goes wrong."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.data import batches, make_moons
from tensorgrad.train import DivergenceError, History, accuracy, evaluate, fit

ROOT = Path(__file__).parents[1]


def line(n=20):
    """Return points on a line, float32, with the slope 3 and the offset 1."""
    x = np.linspace(-1, 1, n, dtype=np.float32)[:, None]
    return x, 3 * x + 1


def linear():
    return nn.Linear(1, 1, rng=0)


def train(model=None, data=None, **options):
    """Call `fit` silently, with defaults for what a test does not care about."""
    model = linear() if model is None else model
    data = line() if data is None else data
    if "optimizer" not in options:
        options["optimizer"] = optim.SGD(model.parameters(), lr=0.1)
    options = {"loss": nn.mse_loss, "epochs": 1, "batch_size": 5, "rng": 0, "verbose": 0} | options
    return fit(model, data, **options)


# ------------------------------------------------------------------ results


def test_fit_is_the_loop_one_would_write():
    """To the bit, the order of the samples included."""
    x, y = line(23)
    model, by_hand = linear(), linear()
    history = train(model, (x, y), epochs=3)
    optimizer, rng, losses = optim.SGD(by_hand.parameters(), lr=0.1), np.random.default_rng(0), []
    for _ in range(3):
        order = rng.permutation(23)
        for start in range(0, 23, 5):
            rows = order[start : start + 5]
            optimizer.zero_grad()
            loss = nn.mse_loss(by_hand(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert history.steps == losses
    for name, array in by_hand.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)


@pytest.mark.parametrize(
    ("optimizer", "loss"),
    [
        (lambda p: optim.SGD(p, lr=0.3, momentum=0.9), nn.binary_cross_entropy_with_logits),
        (lambda p: optim.Adam(p, lr=0.02), nn.binary_cross_entropy_with_logits),
        (lambda p: optim.AdamW(p, lr=0.02), lambda x, y: nn.hinge_loss(x, 2 * y - 1)),
    ],
)
def test_two_moons_are_told_apart(optimizer, loss):
    model = nn.MLP(2, [16, 16, 1], output_activation=None, rng=1)
    data, test = make_moons(1000, noise=0.1, rng=2), make_moons(500, noise=0.1, rng=3)
    fit(model, data, loss=loss, optimizer=optimizer(model.parameters()), epochs=12, batch_size=50,
        rng=0, verbose=0)  # fmt: skip
    assert evaluate(model, test, metrics="accuracy")["accuracy"] > 0.98


def test_the_mean_over_an_epoch_is_weighted_by_the_lengths_of_batches():
    """Case 103: the last batch is partial; without learning the mean is that of all samples."""
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    metrics = {"error": lambda p, y: np.abs(p - y).mean()}
    x, y = line(23)
    history = train(model, (x, y), optimizer=optimizer, metrics=metrics, epochs=2)
    assert len(history.steps) == 2 * 5
    expected = [float(nn.mse_loss(model(x), y)), float(np.abs(model(x).data - y).mean())]
    np.testing.assert_allclose([history["loss"][1], history["error"][1]], expected, rtol=1e-6)
    assert np.mean(history.steps[:5]) != pytest.approx(expected[0], rel=1e-4)


def test_validation_follows_every_epoch_and_equals_evaluate():
    model = linear()
    history = train(model, validation=line(7), metrics=[worst], epochs=2)
    assert list(history) == ["loss", "worst", "val_loss", "val_worst"]
    found = evaluate(model, line(7), loss=nn.mse_loss, metrics=[worst], batch_size=5)
    assert history["val_loss"][-1] == pytest.approx(found["loss"], rel=1e-6)
    assert len(history.seconds) == 2
    assert all(seconds > 0 for seconds in history.seconds)


def worst(prediction, target):
    """Return the greatest error; it is given arrays."""
    assert type(prediction) is type(target) is np.ndarray
    return np.abs(prediction - target).max()


def test_any_callable_is_a_model():
    w = tg.Tensor(np.zeros((1, 1)))
    train(lambda x: x @ w, line(), optimizer=optim.SGD([w], lr=0.5), epochs=20)
    np.testing.assert_allclose(w.data, [[3.0]], atol=0.8)


def test_no_gradient_is_left_behind():
    model = linear()
    train(model)
    assert not any(p.has_grad for p in model.parameters())


def test_frozen_parameters_stay():
    model = linear()
    model.bias.requires_grad = False
    before = model.bias.data.copy()
    train(model)
    np.testing.assert_array_equal(model.bias.data, before)
    assert (model.weight.data != linear().weight.data).all()


# ------------------------------------------------------------------ reproducibility

HUNDRED_STEPS = """
import hashlib, sys
from tensorgrad import nn, optim
from tensorgrad.data import make_moons
from tensorgrad.train import fit
model = nn.Sequential(
    nn.Linear(2, 16, rng=0), nn.Tanh(), nn.Dropout(0.1, rng=1), nn.Linear(16, 2, rng=2)
)
optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
history = fit(model, make_moons(1000, rng=3), loss=nn.cross_entropy, optimizer=optimizer,
              epochs=10, batch_size=100, metrics="accuracy", rng=4, verbose=0)
assert len(history.steps) == 100
print(hashlib.sha256(b"".join(a.tobytes() for a in model.state_dict().values())).hexdigest())
"""


def test_a_hundred_steps_in_two_processes_give_the_same_bits():
    """Case 106."""
    digests = set()
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", HUNDRED_STEPS], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == hashlib.sha256().digest_size * 2


def test_numpys_global_state_is_not_touched():
    """Case 103."""
    before = np.random.get_state()  # noqa: NPY002 - the state that must stay
    train(validation=line(), epochs=2)
    after = np.random.get_state()  # noqa: NPY002
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


def test_without_rng_the_default_generator_shuffles():
    runs = []
    for _ in range(2):
        tg.manual_seed(5)
        runs.append(train(rng=None).steps)
    assert runs[0] == runs[1] != train(rng=6).steps


# ------------------------------------------------------------------ data


def test_a_batch_larger_than_the_data_is_all_of_it():
    """Case 103."""
    assert len(train(batch_size=1000, epochs=2).steps) == 2


def test_batches_of_ones_own_are_passed_in_their_order():
    x, y = line(4)
    given = [(x[:3], y[:3]), [x[3:], y[3:]]]
    seen = []
    model = linear()

    def watched(x):
        seen.append(x)
        return model(x)

    # A recorded step would not call the Python function again.
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    history = train(watched, given, optimizer=optimizer, epochs=2, compile=False)
    assert [len(x) for x in seen] == [3, 1, 3, 1]
    assert history["loss"][0] == pytest.approx(float(nn.mse_loss(model(x), y)), rel=1e-6)


@pytest.mark.parametrize("form", ["memory map", "tensors", "batches", "generator", "float64"])
def test_data_in_other_forms_gives_the_same_model(form, tmp_path):
    x, y = line()
    data = (x, y)
    if form == "memory map":
        np.save(tmp_path / "x.npy", x)
        data = (np.load(tmp_path / "x.npy", mmap_mode="r"), y)
    elif form == "tensors":
        data = (tg.Tensor(x), tg.tensor(y))
    elif form == "batches":
        data = batches(data, 5, shuffle=True, rng=0)
    elif form == "generator":
        data = (batch for batch in batches(data, 5, shuffle=True, rng=0))
    elif form == "float64":
        data = (x.astype(float), y.astype(float))
    model, reference = linear(), linear()
    train(model, data)
    train(reference)
    np.testing.assert_allclose(model.weight.data, reference.weight.data, rtol=1e-6)


X, Y = line(6)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((X, Y[:5]), ValueError, r"\(6, 1\).*\(5, 1\)"),
        ((X[:0], Y[:0]), ValueError, "data holds no samples"),
        ([], ValueError, "data holds no samples"),
        (iter([]), ValueError, "gave no batch"),
        (X, TypeError, "data is a ndarray; expected a tuple"),
        (tg.Tensor(X), TypeError, "data is a Tensor"),
        (7, TypeError, "data is a int"),
        ({"x": X}, TypeError, "data is a dict"),
        ((X, Y, Y), TypeError, r"a batch is a ndarray, and not a pair"),
        ([X, Y], TypeError, r"a whole data set is a tuple of two arrays"),
        (([[1.0]], [[2.0]]), TypeError, "not a pair"),
        ([(X[:0], Y[:0])], TypeError, "at least one sample"),
        ([(X, 1.0)], TypeError, "not a pair"),
    ],
)
def test_wrong_data_changes_nothing(data, error, message):
    """Case 103."""
    model = linear()
    with pytest.raises(error, match=message):
        train(model, data)
    np.testing.assert_array_equal(model.weight.data, linear().weight.data)


def test_a_generator_cannot_serve_two_epochs():
    with pytest.raises(ValueError, match="gives its batches once, and there are 2 epochs"):
        train(data=iter([line()]), epochs=2)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ((X, Y[:5]), "number of samples"),
        ((X[:0], Y[:0]), "validation holds no samples"),
        ((X, Y[:, 0]), "shape"),
        ((np.ones((6, 2)), Y), "2"),
        ([(X, Y[:, 0])], "shape"),
    ],
)
def test_wrong_validation_is_found_before_the_first_step(validation, message):
    model = linear()
    with pytest.raises(ValueError, match=message):
        train(model, validation=validation)
    np.testing.assert_array_equal(model.weight.data, linear().weight.data)


# ------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs is -1"),
        ({"epochs": 1.5}, TypeError, "epochs is 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"verbose": 3}, ValueError, "verbose is 3; expected 0, 1 or 2"),
        ({"loss": "mse"}, TypeError, r"loss is 'mse'; expected a function"),
        ({"loss": lambda _p, _y: 0.0}, TypeError, "returned a float; expected a Tensor"),
        ({"loss": lambda p, y: (p - y) ** 2}, ValueError, r"shape \(5, 1\).*take the mean"),
        ({"loss": lambda _p, _y: tg.tensor(1.0)}, RuntimeError, "without a graph"),
        ({"optimizer": optim.Adam}, TypeError, "expected an object such as optim.Adam"),
        ({"metrics": "f1"}, TypeError, r"'f1'; expected 'accuracy', .* or a function"),
        ({"metrics": [lambda _p, _y: 0.0]}, ValueError, "has no name: give it one"),
        ({"metrics": {"loss": worst}}, ValueError, "called 'loss', which is taken"),
        ({"metrics": {"val_x": worst}}, ValueError, "called 'val_x'"),
        ({"metrics": [worst, worst]}, ValueError, "called 'worst'"),
        ({"metrics": {"x": 3}}, TypeError, "a metric is 3"),
        ({"metrics": "accuracy"}, ValueError, "prediction has shape"),
        ({"metrics": {"a": lambda p, _y: p}}, TypeError, r"'a' returned shape \(5, 1\); expected"),
        ({"metrics": {"a": lambda _p, _y: np.ones(1)}}, TypeError, r"'a' returned shape \(1,\)"),
        ({"metrics": {"a": lambda _p, _y: None}}, TypeError, "'a' returned None; expected one"),
        ({"callbacks": None}, TypeError, "callbacks is None; expected a function"),
        ({"callbacks": 3}, TypeError, "callbacks is 3; expected a function"),
        ({"checkpoint": 3}, TypeError, "checkpoint is 3; expected a folder"),
        ({"resume": 1}, TypeError, "resume is 1; expected True, False or the path"),
        ({"clip_norm": "1"}, TypeError, "clip_norm is '1'; expected a number > 0"),
        ({"rng": "seed"}, TypeError, "rng is 'seed'"),
    ],
)
def test_wrong_arguments_change_nothing(options, error, message):
    model = linear()
    with pytest.raises(error, match=message):
        train(model, **options)
    np.testing.assert_array_equal(model.weight.data, linear().weight.data)


def test_an_optimizer_of_another_model_is_refused():
    with pytest.raises(ValueError, match="none of the model's parameters"):
        train(optimizer=optim.SGD(linear().parameters(), lr=0.1))


def test_an_optimizer_that_needs_a_closure_is_refused_with_the_loop_to_write():
    """Which is run here as it stands in the message."""
    model, loss, (x, y) = linear(), nn.mse_loss, line()
    optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    with pytest.raises(TypeError, match=r"optimizer is an LBFGS, .* this does it once") as caught:
        train(model, optimizer=optimizer)
    np.testing.assert_array_equal(model.weight.data, linear().weight.data)
    loop = textwrap.dedent(str(caught.value).partition("\n\n")[2])
    exec(loop, {"model": model, "loss": loss, "x": x, "y": y, "optimizer": optimizer, "steps": 3})
    assert loss(model(x), y).item() < 1e-8


def test_no_epoch_is_an_empty_history():
    model = linear()
    assert train(model, epochs=0).epochs == 0
    np.testing.assert_array_equal(model.weight.data, linear().weight.data)


# ------------------------------------------------------------------ modes


class Spy(nn.Module):
    """A linear model that notes in which mode, and whether recording, it is called."""

    def __init__(self):
        self.inner = linear()
        self.other = nn.Dropout(0.5, rng=0)
        self.calls = []

    def forward(self, x):
        self.calls.append((self.training, self.inner.training, tg.is_grad_enabled()))
        return self.inner(x)


def test_training_and_evaluation_have_their_modes_and_leave_the_one_before():
    """Case 102."""
    model = Spy()
    model.eval()
    model.inner.train()
    train(model, validation=line(), batch_size=20)
    assert model.calls[-2:] == [(True, True, True), (False, False, False)]
    assert [m.training for m in model.modules()] == [False, True, False]
    evaluate(model, line(), loss=nn.mse_loss)
    assert model.calls[-1] == (False, False, False)
    assert [m.training for m in model.modules()] == [False, True, False]
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_modes_are_put_back_after_errors(error):
    """Case 102."""
    model = Spy()
    model.other.eval()

    def broken(_prediction, _target):
        raise error

    with pytest.raises(error):
        evaluate(model, line(), loss=broken)
    with pytest.raises(ZeroDivisionError):
        train(model, loss=lambda _p, _y: 1 / 0)
    assert [m.training for m in model.modules()] == [True, True, False]
    assert tg.is_grad_enabled()


# ------------------------------------------------------------------ divergence, Ctrl-C


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_the_training_before_the_step(value):
    x, y = line()
    given = [(x, y), (x, y * value)]
    model, reference = linear(), linear()
    message = f"the loss is {value} at step 2 of epoch 1.*learning rate .it is 0.1"
    with pytest.raises(DivergenceError, match=message) as caught:
        train(model, given, epochs=3)
    assert len(caught.value.history.steps) == 1
    assert isinstance(caught.value, FloatingPointError)
    train(reference, given[:1])
    np.testing.assert_array_equal(model.weight.data, reference.weight.data)


def test_a_learning_rate_that_is_too_high_is_told():
    model = linear()
    optimizer = optim.SGD(model.parameters(), lr=10.0)
    message = r"step \d+ of epoch \d+.*lower the learning rate .it is 10\)"
    with np.errstate(over="ignore"), pytest.raises(DivergenceError, match=message) as caught:
        train(model, epochs=500, optimizer=optimizer)
    assert caught.value.history.steps[-1] > 1e20


class InterruptAt:
    """A loss that is interrupted at one of its calls."""

    def __init__(self, call):
        self.calls, self.at = 0, call

    def __call__(self, prediction, target):
        self.calls += 1
        if self.calls == self.at:
            signal.raise_signal(signal.SIGINT)
        return nn.mse_loss(prediction, target)


def test_ctrl_c_ends_the_training_and_keeps_the_history(capsys):
    model, reference = linear(), linear()
    history = train(model, epochs=5, loss=InterruptAt(7), verbose=2, compile=False)
    assert (history.epochs, len(history.steps)) == (1, 6)
    assert re.search(
        r"epoch 1/5  loss .*\nstopped by Ctrl-C in epoch 2/5\n", capsys.readouterr().out
    )
    assert not any(p.has_grad for p in model.parameters())
    assert model.training
    shuffled = batches(line(), 5, shuffle=True, rng=0)
    train(reference, [*shuffled, *shuffled][:6])
    np.testing.assert_array_equal(model.weight.data, reference.weight.data)


class SlowSGD(optim.SGD):
    """Is interrupted while it updates."""

    def update(self, param, grad, state, lr):
        signal.raise_signal(signal.SIGINT)
        return super().update(param, grad, state, lr)


def test_ctrl_c_within_a_step_waits_for_its_end():
    model, reference = linear(), linear()
    history = train(model, optimizer=SlowSGD(model.parameters(), lr=0.1))
    assert (history.epochs, len(history.steps)) == (0, 1)
    train(reference, [next(iter(batches(line(), 5, True, 0)))])
    for name, array in reference.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)


# ------------------------------------------------------------------ what is shown


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_a_line_per_epoch_where_nobody_watches(verbose, capsys):
    train(validation=line(), epochs=2, verbose=verbose)
    lines = capsys.readouterr().out.splitlines()
    pattern = r"epoch [12]/2  loss \d\.\d{4}  val_loss \d\.\d{4}  \d+\.\d s"
    assert len(lines) == (2 if verbose else 0)
    assert all(re.fullmatch(pattern, text) for text in lines)


# ------------------------------------------------------------------ accuracy, evaluate


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ([[1, 2, 0], [5, 4, 3], [0, 0, 1], [1, 0, 0]], [1, 0, 2, 2], 0.75),
        (np.eye(4).reshape(2, 2, 4), [[0, 1], [2, 0]], 0.75),
        ([-1.0, 0.5, 2.0, -0.1], [0, 1, 0, 1], 0.5),
        ([-1.0, 0.5, 2.0, -0.1], [-1, 1, 1, -1], 1.0),
        ([-1.0, 0.5], [False, True], 1.0),
        ([0.0], [0], 1.0),
        ([1.0, 1.0], [1, 1], 1.0),
    ],
)
def test_accuracy(prediction, target, expected):
    assert accuracy(np.array(prediction), np.array(target)) == expected
    assert accuracy(tg.Tensor(np.array(prediction, float)), target) == expected


def test_the_threshold_of_probabilities():
    assert accuracy([0.3, 0.6], [0, 1], threshold=0.5) == 1.0


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 1)), r"\(3, 2\) and target \(3, 1\)"),
        (np.zeros((3, 2)), np.zeros((3, 2)), "one-hot rows"),
        (np.zeros((3, 2)), np.zeros(2), "expected"),
        (np.zeros(3), np.zeros(4), "expected"),
        (np.zeros((3, 1)), np.zeros(3), r"prediction\[\.\.\., 0\]"),
        (np.zeros(3), np.array([0, 1, 2]), r"0 and 1, or -1 and 1; it holds \[0, 1, 2\]"),
        (np.zeros(3), np.array([-1, 0, 1]), r"it holds \[-1, 0, 1\]"),
        (np.zeros((0, 3)), np.zeros(0), "nothing to be right about"),
    ],
)
def test_accuracy_of_shapes_that_do_not_fit(prediction, target, message):
    with pytest.raises(ValueError, match=message):
        accuracy(prediction, target)


def test_evaluate_needs_something_to_compute():
    with pytest.raises(ValueError, match="give loss=, metrics= or both"):
        evaluate(linear(), line())


def test_evaluate_changes_nothing_and_returns_floats():
    model = linear()
    found = evaluate(model, line(23), loss=nn.mse_loss, metrics={"worst": worst}, batch_size=5)
    assert [type(value) for value in found.values()] == [float, float]
    assert not any(p.has_grad for p in model.parameters())
    whole = evaluate(model, line(23), loss=nn.mse_loss, batch_size=100)
    assert found["loss"] == pytest.approx(whole["loss"], rel=1e-6)


def test_a_history_is_returned():
    assert isinstance(train(), History)
