"""What `fit` notes of its steps: gradients, updates, dead units; circumstances; the picture."""

from __future__ import annotations

import platform

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.random import state_of
from tensorgrad.train import Diagnostics, History, fit
from tensorgrad.train.diagnostics import is_due

NAN = float("nan")


def network():
    """Return a network of which two of four hidden units are dead, whatever the data below 1."""
    model = nn.Sequential(
        nn.Linear(2, 4, rng=0, dtype="float64"), tg.relu, nn.Linear(4, 2, rng=1, dtype="float64")
    )
    model[0].bias.data = np.array([-9.0, 5.0, 5.0, -9.0])
    return model


def data(n=12):
    rng = np.random.default_rng(8)
    return rng.uniform(-1, 1, (n, 2)), rng.integers(0, 2, n)


def train(model, given=None, **options):
    """Call `fit` silently, with defaults for what a test does not care about."""
    given = data() if given is None else given
    if "optimizer" not in options:
        options["optimizer"] = optim.SGD(model.parameters(), lr=0.1)
    options = {"loss": nn.cross_entropy, "epochs": 1, "batch_size": 4, "rng": 0} | options
    return fit(model, given, verbose=0, **options)


# ------------------------------------------------------------------ what is seen


def test_the_numbers_of_a_step_are_those_of_numpy():
    model, (x, y) = network(), data(4)
    before = model.state_dict()
    history = train(model, [(x, y)], diagnostics=1)
    reference = network()
    nn.cross_entropy(reference(x), y).backward()
    gradients = {name: p.grad for name, p in reference.named_parameters()}
    (seen,) = history.diagnostics
    total = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    assert seen.step == 0
    np.testing.assert_allclose(seen.gradient_norm, total, rtol=1e-12)
    expected = {
        name: 0.1 * np.linalg.norm(g) / np.linalg.norm(before[name])
        for name, g in gradients.items()
    }
    assert seen.update_ratios.keys() == expected.keys()
    for name, ratio in expected.items():
        np.testing.assert_allclose(seen.update_ratios[name], ratio, rtol=1e-9)
    assert seen.dead_units == {"relu 1": 0.5}


def test_the_gradient_is_seen_before_it_is_clipped():
    norms = [
        train(network(), diagnostics=1, clip_norm=limit).diagnostics[0].gradient_norm
        for limit in (None, 1e-3)
    ]
    assert norms[0] == norms[1] > 1e-2


def test_the_gradient_of_accumulated_batches_is_their_mean():
    x, y = data()
    several = train(network(), [(x[:6], y[:6]), (x[6:], y[6:])], accumulate=2, diagnostics=1)
    one = train(network(), [(x, y)], diagnostics=1)
    for seen, expected in zip(several.diagnostics[0], one.diagnostics[0], strict=True):
        if isinstance(seen, dict):
            np.testing.assert_allclose(list(seen.values()), list(expected.values()), rtol=1e-9)
        else:
            np.testing.assert_allclose(seen, expected, rtol=1e-9)


@pytest.mark.parametrize(("size", "ratio"), [(1e-25, 0.0), (1e-3, 1e-4), (1e25, 1e24)])
def test_squares_of_float32_neither_vanish_nor_overflow(size, ratio):
    w = tg.Tensor(np.full(2, 1.0, np.float32))
    history = train(
        lambda x: x @ w, [(np.full((1, 2), size, np.float32), np.zeros(1))],
        loss=lambda p, _y: p.sum(), optimizer=optim.SGD([w], lr=0.1), diagnostics=1,
    )  # fmt: skip
    assert history.diagnostics[0].gradient_norm == pytest.approx(np.sqrt(2) * size, rel=1e-6)
    assert history.diagnostics[0].update_ratios == {"params[0]": pytest.approx(ratio, rel=1e-3)}


def test_weights_of_zeros_and_frozen_ones_have_no_ratio():
    model = network()
    model[0].weight.data = np.zeros((4, 2))
    model[2].requires_grad_(False)
    (seen,) = train(model, data(4), diagnostics=1).diagnostics
    assert [name for name, ratio in seen.update_ratios.items() if np.isnan(ratio)] == [
        "0.weight", "2.weight", "2.bias",
    ]  # fmt: skip


class Picture(nn.Module):
    """Makes a relu over pictures whose second channel is dead, and one over rows that lives."""

    def __init__(self):
        self.scale = tg.Tensor(np.array([1.0, -1.0]).reshape(1, 2, 1, 1))

    def forward(self, x):
        hidden = np.maximum(x * self.scale, 0)
        assert tg.relu(self.scale[0, :, 0, 0]).shape == (2,)  # no batch: not counted
        return tg.relu(hidden.reshape(len(x), -1) + 1.0).sum(axis=1)


def test_a_unit_of_a_picture_is_a_channel():
    x = np.random.default_rng(0).uniform(0.1, 1, (3, 1, 4, 4))
    x[:, :, 0, 0] = 0  # a corner that is always empty
    (seen,) = train(Picture(), [(x, np.ones(3))], loss=nn.mse_loss, diagnostics=1).diagnostics
    assert seen.dead_units == {"relu 1": 0.5, "relu 2": 0.0}


def test_a_unit_is_dead_if_no_batch_of_the_step_wakes_it():
    def model(x):
        return tg.relu(x * w)

    w = tg.Tensor(np.ones(2))
    given = [
        (np.array([[1.0, -1.0]]), np.ones((1, 2))),
        (np.array([[-1.0, -1.0]]), np.ones((1, 2))),
    ]
    options = {"loss": nn.mse_loss, "optimizer": optim.SGD([w], lr=0.1), "diagnostics": 1}
    (seen,) = train(model, given, accumulate=2, **options).diagnostics
    assert seen.dead_units == {"relu 1": 0.5}


def test_the_relus_of_a_loss_are_not_units():
    model = nn.Linear(2, 1, rng=0)
    x, _ = data(4)
    loss = lambda p, y: tg.relu(1 - p[:, 0] * y).mean()  # noqa: E731
    (seen,) = train(model, [(x, np.ones(4))], loss=loss, diagnostics=1).diagnostics
    assert seen.dead_units == {}


# ------------------------------------------------------------------ when, and at no price


@pytest.mark.parametrize(
    ("every", "steps", "expected"),
    [
        (0, range(100), []),
        (1, range(5), [0, 1, 2, 3, 4]),
        (3, range(10), [0, 3, 6, 9]),
        (1, range(98, 107), [98, 99, 100, 102, 104, 106]),
        (1, range(400, 420), [400, 408, 416]),
    ],
)
def test_which_steps_are_looked_at(every, steps, expected):
    assert [step for step in steps if is_due(step, every)] == expected


def test_long_runs_are_looked_at_ever_more_seldom():
    """Between doublings there are 50 samples, but for the first 100."""
    assert sum(is_due(step, 5) for step in range(500 * 2**6)) == 100 + 6 * 50


@pytest.mark.parametrize("compile", [False, True])
def test_looking_changes_nothing(compile):
    """Neither weights nor any generator: what is looked at is the step itself."""
    found = []
    for diagnostics in (0, 1, 2):
        rng = np.random.default_rng(2)
        model = nn.Sequential(
            nn.Linear(2, 8, rng=rng), tg.relu, nn.Dropout(0.5, rng=rng), nn.Linear(8, 2, rng=rng)
        )
        history = train(model, rng=rng, epochs=4, diagnostics=diagnostics, compile=compile)
        arrays = [array.tobytes() for array in model.state_dict().values()]
        found.append((arrays, history.steps, state_of(rng)))
    assert found[0] == found[1] == found[2]


def test_every_module_is_called_once_for_each_batch():
    calls = []

    def model(x):
        calls.append(len(x))
        return inner(x)

    inner = network()
    train(model, optimizer=optim.SGD(inner.parameters(), lr=0.1), compile=False, diagnostics=1)
    assert calls == [4, 4, 4]


def test_a_count_is_needed():
    with pytest.raises(ValueError, match="diagnostics is -1"):
        train(network(), diagnostics=-1)


# ------------------------------------------------------------------ circumstances


def test_seed_versions_and_threads_are_noted(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    default = state_of(tg.manual_seed(4))
    (run,) = train(network(), rng=7).runs
    assert (run["first_step"], run["seed"], run["threads"]) == (0, 7, 3)
    assert run["generators"] == {"rng": state_of(np.random.default_rng(7)), "default": default}
    versions = (tg.__version__, np.__version__, platform.python_version())
    assert (run["tensorgrad"], run["numpy"], run["python"]) == versions


def test_a_run_can_be_repeated_from_what_was_noted():
    tg.manual_seed(5)
    first = train(network(), rng=None)
    default = tg.manual_seed(0)
    default.bit_generator.state = first.runs[0]["generators"]["default"]
    assert train(network(), rng=None).steps == first.steps


# ------------------------------------------------------------------ the record


def recorded():
    """Return a history with something in all its parts."""
    history = History()
    for step in range(3):
        history.record_step(1 / (step + 1), 0.1)
    history.end_epoch(seconds=1.5, accuracy=0.5)
    history.record_step(NAN)
    history.end_epoch(val_loss=2.0)
    history.diagnostics += [
        Diagnostics(0, 2.0, {"w": 1e-2, "b": NAN}, {"relu 1": 0.25}),
        Diagnostics(2, 1.0, {"w": 1e-3, "b": 2e-3}, {"relu 1": 0.5}),
    ]
    history.runs.append({"first_step": 0, "seed": 3, "generators": {"rng": {"state": 2**100}}})
    return history


def test_a_state_gives_the_same_history():
    history, other = recorded(), History()
    other.load_state_dict(history.state_dict())
    assert repr(other.state_dict()) == repr(history.state_dict())
    assert repr(other) == repr(history)
    assert repr(other.diagnostics) == repr(history.diagnostics)
    assert str(other.to_dict()) == str(history.to_dict())
    assert other.learning_rates[:3] == [0.1] * 3
    other.runs[0]["seed"] = 4
    assert history.runs[0]["seed"] == 3


def test_a_rate_without_its_step_is_replaced():
    """Ctrl-C may fall between the two."""
    history = History()
    history.record_step(1.0, 0.5)
    history.learning_rates.append(0.4)
    assert history.state_dict()["learning_rates"].tolist() == [0.5]
    history.record_step(0.9, 0.3)
    assert history.learning_rates == [0.5, 0.3]


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("steps"),
        lambda state: state.update(steps=np.zeros((2, 2))),
        lambda state: state.update(learning_rates=np.zeros(1)),
        lambda state: state.update(steps=np.zeros(2), learning_rates=np.zeros(2)),
        lambda state: state["epochs"].update(end=np.array([3])),
        lambda state: state["epochs"].update(end=np.array([4, 3])),
        lambda state: state["epochs"]["values"].update(names=["a"]),
        lambda state: state["diagnostics"].update(step=np.array([0])),
        lambda state: state.update(diagnostics=None),
        lambda state: state.update(runs=3),
    ],
)
def test_a_state_that_is_none_changes_nothing(change):
    """Case 101."""
    history, state = recorded(), recorded().state_dict()
    change(state)
    before = repr(history.state_dict())
    with pytest.raises(ValueError, match="this is no state of a History"):
        history.load_state_dict(state)
    assert repr(history.state_dict()) == before


# ------------------------------------------------------------------ the picture


def test_the_picture_has_a_panel_for_each(tmp_path):
    figure = recorded().plot("diagnostics", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    rate, norm, ratio, dead = figure.axes
    assert rate.lines[0].get_ydata()[:3].tolist() == [0.1] * 3
    assert norm.lines[0].get_ydata().tolist() == [2.0, 1.0]
    assert norm.get_yscale() == ratio.get_yscale() == "log"
    assert [text.get_text() for text in ratio.get_legend().get_texts()] == ["w", "b"]
    assert ratio.lines[0].get_xdata().tolist() == [0, 2]
    assert dead.lines[0].get_ydata().tolist() == [25.0, 50.0]


def test_an_empty_history_has_a_picture():
    texts = [axes.texts[0].get_text() for axes in History().plot("diagnostics").axes]
    assert texts == ["nothing recorded"] * 4


def test_gradients_of_zero_have_a_picture():
    history = History()
    history.diagnostics.append(Diagnostics(0, 0.0, {"w": 0.0}, {}))
    assert history.plot("diagnostics").axes[1].get_yscale() == "linear"


def test_the_first_argument_is_a_path_or_what_to_draw(tmp_path):
    history = recorded()
    history.plot(tmp_path / "a.png")
    history.plot("curves", tmp_path / "b.png")
    assert (tmp_path / "a.png").exists()
    assert (tmp_path / "b.png").exists()
    with pytest.raises(ValueError, match="'curves' or 'diagnostics', not 'losses'"):
        history.plot("losses", tmp_path / "c.png")
    with pytest.raises(ValueError, match=r"\.png"):
        history.plot("losses")
