"""What `fit` does in and between steps: accumulation, clipping, schedules, callbacks, stopping."""

from __future__ import annotations

import sys
import types
from itertools import pairwise

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.optim import lr_scheduler
from tensorgrad.train import (
    DivergenceError,
    EarlyStopping,
    LivePlot,
    ModelCheckpoint,
    fit,
    load_checkpoint,
)
from tensorgrad.train.callbacks import Best

WAYS = pytest.mark.parametrize("compile", [False, True], ids=["eager", "compiled"])


def data(n=23, dtype=np.float64):
    """Draw samples of two features and two classes."""
    rng = np.random.default_rng(8)
    return rng.normal(size=(n, 2)).astype(dtype), rng.integers(0, 2, n)


def network(dtype=np.float64):
    return nn.Sequential(
        nn.Linear(2, 5, rng=0, dtype=dtype), tg.relu, nn.Linear(5, 2, rng=1, dtype=dtype)
    )


def train(model=None, given=None, **options):
    """Call `fit` silently, with defaults for what a test does not care about."""
    model = network() if model is None else model
    if "optimizer" not in options:
        options["optimizer"] = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    options = {"loss": nn.cross_entropy, "epochs": 2, "batch_size": 4, "rng": 0} | options
    return fit(model, data() if given is None else given, verbose=0, **options)


def weights(model):
    return np.concatenate([array.ravel() for array in model.state_dict().values()])


# ------------------------------------------------------------------ accumulation


@WAYS
@pytest.mark.parametrize("diagnostics", [0, 1, 2])
def test_accumulated_batches_are_one_of_so_many_times_the_size(compile, diagnostics):
    """Also the last step of an epoch, which has batches of 4, 4 and 3 here."""
    several, one = network(), network()
    history = train(several, accumulate=3, compile=compile, diagnostics=diagnostics, epochs=4)
    expected = train(one, batch_size=12, epochs=4)
    np.testing.assert_allclose(weights(several), weights(one), rtol=1e-12)
    np.testing.assert_allclose(history.steps, expected.steps, rtol=1e-12)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-12)
    assert len(history.steps) == 8


@WAYS
def test_a_last_step_of_one_batch(compile):
    """5 batches in steps of 2."""
    several, one = network(), network()
    train(several, data(20), accumulate=2, compile=compile, epochs=4)
    train(one, data(20), batch_size=8, epochs=4)
    np.testing.assert_allclose(weights(several), weights(one), rtol=1e-12)


def test_batches_of_different_lengths_count_by_their_samples():
    x, y = data(12)
    cuts = [0, 1, 6, 7, 12]
    several, one = network(), network()
    train(several, [(x[a:b], y[a:b]) for a, b in pairwise(cuts)], accumulate=2)
    train(one, [(x[:6], y[:6]), (x[6:], y[6:])])
    np.testing.assert_allclose(weights(several), weights(one), rtol=1e-12)


@WAYS
def test_a_loss_that_is_no_number_within_a_group_stops_before_the_step(compile):
    x, y = data(12)
    bad = np.where(np.arange(12) == 9, np.nan, 1.0)[:, None] * x
    model, reference = network(), network()
    given = [(bad[i : i + 4], y[i : i + 4]) for i in (0, 4, 0, 8)]
    with pytest.raises(tg.train.DivergenceError, match="step 4 of epoch 1") as caught:
        train(model, given, accumulate=2, compile=compile)
    train(reference, given[:2], accumulate=2, epochs=1)
    assert len(caught.value.history.steps) == 1
    np.testing.assert_array_equal(weights(model), weights(reference))


@pytest.mark.parametrize(
    "options",
    [{"accumulate": 3}, {"clip_norm": 0.1}, {"clip_value": 0.01}, {"diagnostics": 2},
     {"accumulate": 2, "clip_norm": 0.1, "clip_value": 0.1, "diagnostics": 3}],
    ids=repr,
)  # fmt: skip
def test_eager_and_compiled_give_the_same_bits(options):
    runs = []
    for compile in (False, True):
        model = network(np.float32)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, 10)
        history = train(
            model, data(dtype=np.float32), optimizer=optimizer, schedule=schedule,
            compile=compile, metrics="accuracy", epochs=3, **options,
        )  # fmt: skip
        seen = [history.steps, history["accuracy"], history.diagnostics, history.learning_rates]
        runs.append((weights(model).tobytes(), repr(seen)))
    assert runs[0] == runs[1]


# ------------------------------------------------------------------ clipping


def one_step(**options):
    """Return the gradients of a step, and how SGD without momentum changed the weights."""
    model = network()
    x, y = data(4)
    before = weights(model)
    nn.cross_entropy(model(x), y).backward()
    gradient = np.concatenate([parameter.grad.ravel() for parameter in model.parameters()])
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    optimizer.zero_grad()
    train(model, [(x, y)], optimizer=optimizer, epochs=1, **options)
    return gradient, before - weights(model)


@pytest.mark.parametrize("limit", [0.01, 1e9])
def test_clipping_by_the_norm(limit):
    gradient, change = one_step(clip_norm=limit)
    norm = np.linalg.norm(gradient)
    np.testing.assert_allclose(change, gradient * min(1, limit / norm), rtol=1e-3)
    assert np.linalg.norm(change) <= max(limit, norm)


def test_clipping_by_the_value():
    gradient, change = one_step(clip_value=0.02)
    np.testing.assert_allclose(change, np.clip(gradient, -0.02, 0.02), rtol=1e-12)
    assert (np.abs(gradient) > 0.02).any()


@pytest.mark.parametrize("name", ["clip_norm", "clip_value"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_limits_are_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}; expected a number > 0"):
        train(**{name: value})


# ------------------------------------------------------------------ schedules


@WAYS
def test_a_schedule_goes_on_after_every_step(compile):
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.4)
    schedule = lr_scheduler.StepLR(optimizer, 5, gamma=0.5)
    history = train(model, optimizer=optimizer, schedule=schedule, compile=compile)
    assert history.learning_rates == [0.4] * 5 + [0.2] * 5 + [0.1] * 2
    assert optimizer.lr == 0.1


def test_the_plateau_is_looked_for_in_the_validation_of_each_epoch():
    losses = iter([5.0, 5.0, 5.0, 5.0])
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.4)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    seen = []
    schedule_step = schedule.step
    schedule.step = lambda value: (seen.append(value), schedule_step(next(losses)))
    history = train(
        model, data(8), optimizer=optimizer, schedule=schedule, validation=data(5), epochs=4
    )
    assert seen == history["val_loss"]
    assert history.learning_rates == [0.4] * 6 + [0.2] * 2


@pytest.mark.parametrize(
    ("schedule", "error", "message"),
    [
        (0.1, TypeError, "schedule is 0.1; expected an object with a method step"),
        (lr_scheduler.StepLR, TypeError, "expected an object"),
        (
            lr_scheduler.StepLR(optim.SGD(network().parameters(), lr=1.0), 3),
            ValueError,
            "another optimizer",
        ),
    ],
)
def test_wrong_schedules(schedule, error, message):
    with pytest.raises(error, match=message):
        train(schedule=schedule)


# ------------------------------------------------------------------ callbacks


def test_events_come_in_order():
    events = []
    train(given=data(8), callbacks=lambda event, run: events.append((event, run.epoch)))
    assert events == [
        ("train_begin", 1),
        ("step_end", 1), ("step_end", 1), ("epoch_end", 1),
        ("step_end", 2), ("step_end", 2), ("epoch_end", 2),
        ("train_end", 2),
    ]  # fmt: skip


def test_a_callback_stops_and_says_why(capsys):
    def stop(event, run):
        if event == "step_end" and len(run.history.steps) == 7:
            run.stop("it is late")

    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    history = fit(
        model, data(), loss=nn.cross_entropy, optimizer=optimizer, epochs=5, batch_size=4, rng=0,
        verbose=2, callbacks=[stop],
    )  # fmt: skip
    assert (history.epochs, len(history.steps)) == (1, 7)
    assert capsys.readouterr().out.endswith("stopped it is late\n")


@pytest.mark.parametrize("callback", [EarlyStopping, 3, "early"])
def test_wrong_callbacks(callback):
    with pytest.raises(TypeError, match=r"a callback is .*; expected a function \(event, run\)"):
        train(callbacks=[callback])


def test_an_error_in_a_callback_is_the_users():
    def broken(_event, _run):
        raise ZeroDivisionError

    model = network()
    with pytest.raises(ZeroDivisionError):
        train(model, callbacks=broken)
    assert model.training
    assert not any(parameter.has_grad for parameter in model.parameters())


# ------------------------------------------------------------------ the best


def told(best, *values, name="val_loss"):
    """Return in which epochs a value was the best so far."""
    history, found = {name: []}, []
    for epoch, value in enumerate(values, 1):
        history[name].append(value)
        run = types.SimpleNamespace(history=history, epoch=epoch, names=[name])
        if best.is_new(run):
            found.append(epoch)
    return found


NAN = float("nan")


@pytest.mark.parametrize(
    ("best", "values", "expected"),
    [
        (Best(None), (3.0, 2.0, 2.0, 2.5, 1.0), [1, 2, 5]),
        (Best("val_loss", "max"), (3.0, 2.0, 3.0, 4.0), [1, 4]),
        (Best("val_loss", min_delta=0.5), (3.0, 2.6, 2.5, 2.4, 1.0), [1, 4, 5]),
        (Best("val_loss"), (NAN, 3.0, NAN, 2.0), [2, 4]),
        (Best("val_loss"), (np.inf, np.inf, 1.0), [1, 3]),
    ],
)
def test_what_is_best(best, values, expected):
    assert told(best, *values) == expected
    assert best.epoch == expected[-1]


def test_accuracies_are_to_rise():
    assert told(Best("accuracy"), 0.5, 0.4, 0.6, name="accuracy") == [1, 3]


def test_a_name_that_does_not_tell_needs_a_mode():
    with pytest.raises(ValueError, match="'f1' does not tell whether"):
        EarlyStopping("f1")
    assert EarlyStopping("f1", mode="max").patience == 5
    with pytest.raises(ValueError, match="mode is 'up'"):
        ModelCheckpoint("folder", "loss", mode="up")


def scripted(values):
    """Return a metric that gives these values for the three samples of the validation."""
    given = iter([NAN, *values])  # the first batch is tried before the first epoch
    return {"score": lambda _prediction, target: next(given) if len(target) == 3 else 0.0}


def run_scripted(values, stopping, **options):
    """Train with one batch per epoch; return the model, the history, and weights by epoch."""
    model, seen = network(), []

    def remember(event, run):
        if event == "epoch_end":
            seen.append(weights(run.model))

    history = train(
        model, data(4), metrics=scripted(values), validation=data(3), epochs=len(values),
        callbacks=[remember, stopping], **options,
    )  # fmt: skip
    return model, history, seen


@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping_waits_and_takes_the_best_back(restore):
    stopping = EarlyStopping("val_score", patience=2, mode="max", restore_best=restore)
    model, history, seen = run_scripted([1, 3, 2, 2, 9, 9], stopping)
    assert history.epochs == 4
    assert (stopping.best.value, stopping.best.epoch) == (3, 2)
    np.testing.assert_array_equal(weights(model), seen[1 if restore else 3])


def test_what_was_best_in_one_training_does_not_count_in_the_next(tmp_path):
    stopping = EarlyStopping("val_score", patience=2, mode="max")
    saving = ModelCheckpoint(tmp_path, "val_score", mode="max")
    run_scripted([9, 9, 9], stopping, checkpoint=saving)
    (tmp_path / "last.npz").unlink()
    model, history, seen = run_scripted([1, 2, 3], stopping, checkpoint=saving)
    assert history.epochs == stopping.best.epoch == saving.best.epoch == 3
    np.testing.assert_array_equal(weights(model), seen[2])


def test_the_best_is_taken_back_also_after_the_last_epoch():
    model, history, seen = run_scripted([1, 3, 2], EarlyStopping("val_score", mode="max"))
    assert history.epochs == 3
    np.testing.assert_array_equal(weights(model), seen[1])


def test_the_best_is_taken_back_also_after_a_loss_that_is_no_number():
    x, y = data(4)
    model, seen, events = network(), [], []

    def spoil(event, run):
        events.append(event)
        if event == "epoch_end":
            seen.append(weights(run.model))
            run.model[0].weight.data = np.full((5, 2), np.inf)

    with pytest.raises(DivergenceError), np.errstate(invalid="ignore"):
        train(model, (x, y), epochs=5, callbacks=[EarlyStopping("loss"), spoil])
    assert events[-2:] == ["epoch_end", "train_end"]
    np.testing.assert_array_equal(weights(model), seen[0])


def test_the_last_and_the_best_are_saved(tmp_path):
    model, _, seen = run_scripted(
        [1, 3, 2],
        lambda _event, _run: None,
        checkpoint=ModelCheckpoint(tmp_path, "val_score", mode="max"),
    )
    for name, epoch in (("best", 2), ("last", 3)):
        load_checkpoint(tmp_path / f"{name}.npz", model=model)
        np.testing.assert_array_equal(weights(model), seen[epoch - 1])


@pytest.mark.parametrize("what", [{"callbacks": EarlyStopping()}, {"checkpoint": "val_accuracy"}])
def test_a_name_that_nobody_records_is_told_before_the_first_step(what, tmp_path):
    if "checkpoint" in what:
        what = {"checkpoint": ModelCheckpoint(tmp_path, "val_accuracy")}
    model = network()
    with pytest.raises(ValueError, match=r"'val_\w+' is to be looked at.*\['loss', 'accuracy'\]"):
        train(model, metrics="accuracy", **what)
    np.testing.assert_array_equal(weights(model), weights(network()))


def test_weights_of_a_function_cannot_be_taken_back():
    w = tg.Tensor(np.ones((2, 2)))
    with pytest.raises(TypeError, match="give restore_best=False, or a Module"):
        train(lambda x: x @ w, optimizer=optim.SGD([w], lr=0.1), callbacks=EarlyStopping("loss"))
    np.testing.assert_array_equal(w.data, np.ones((2, 2)))


# ------------------------------------------------------------------ live


class Display:
    """Stands in for a notebook."""

    def __init__(self):
        self.shown = []

    def display(self, figure, display_id):
        assert display_id is True
        self.shown.append(("new", figure))
        return self

    def update(self, figure):
        self.shown.append(("update", figure))


def test_live_curves_are_drawn_in_one_place_and_not_too_often(monkeypatch):
    notebook = Display()
    package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    package.version_info = (9, 0)  # matplotlib asks
    module.display = notebook.display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    times = iter(range(1000))
    monkeypatch.setattr("tensorgrad.train.callbacks.time.monotonic", lambda: next(times))
    train(callbacks=LivePlot(seconds=6))
    kinds = [kind for kind, _ in notebook.shown]
    assert kinds[0] == "new"
    assert set(kinds[1:]) == {"update"}
    assert 3 <= len(kinds) < 10
    assert all(figure._repr_png_().startswith(b"\x89PNG") for _, figure in notebook.shown[-1:])


def test_live_needs_ipython(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(ImportError, match="live=True draws in a notebook"):
        train(live=True)
