"""The range of learning rates: what is found, its picture, and that nothing is left changed."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import seen
from tensorgrad import nn, optim
from tensorgrad.data import batches, make_moons
from tensorgrad.train import LRSweep, find_lr, fit
from tensorgrad.train.snapshot import put_back

DATA = make_moons(300, noise=0.1, rng=0)


class Noisy(nn.Module):
    """A network with dropout, a running mean, counters and a list of what it saw."""

    def __init__(self) -> None:
        self.net = nn.MLP(2, [8, 1], output_activation=None, rng=0)
        self.drop = nn.Dropout(0.1, rng=1)
        self.mean = np.zeros(2)
        self.count = 0
        self.seen: list[int] = []

    def forward(self, x: Any) -> Any:
        self.mean *= 0.9
        self.mean = self.mean + 0.1 * np.mean(x, axis=0)
        self.count += 1
        self.seen.append(len(x))
        return self.net(self.drop(x - self.mean))


def state(model: Any, optimizer: Any, *more: Any) -> Any:
    """Return everything that can be seen, by its bits."""
    parts = [[vars(module) for module in model.modules()], optimizer.state_dict(), list(more)]
    tensors = model.parameters()
    generators = [tg.random.as_generator(None), model.drop.rng]
    plain = [
        {name: value for name, value in part.items() if isinstance(value, (int, list, np.ndarray))}
        for part in parts[0]
    ]
    return seen([plain, *parts[1:], tensors, generators])


def noisy() -> tuple[Noisy, optim.Optimizer]:
    """Return a network in the midst of a training."""
    model = Noisy()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    fit(model, DATA, loss=nn.binary_cross_entropy_with_logits, optimizer=optimizer, epochs=1,
        rng=0, verbose=0, compile=False)  # fmt: skip
    model.net.eval()
    return model, optimizer


def sweep(model: Any, optimizer: Any, **options: Any) -> LRSweep:
    options = {"loss": nn.binary_cross_entropy_with_logits, "steps": 40} | options
    return find_lr(model, options.pop("data", DATA), optimizer=optimizer, **options)


# --- what is found --------------------------------------------------------------------------------


def test_the_ramp_and_the_losses_are_those_of_a_loop() -> None:
    model, reference = (nn.MLP(2, [4, 1], output_activation=None, rng=0) for _ in range(2))
    found = sweep(
        model,
        optim.SGD(model.parameters(), lr=0.5),
        start=1e-4,
        end=1.0,
        steps=9,
        smooth=0.5,
        rng=3,
    )
    optimizer = optim.SGD(reference.parameters(), lr=0.5)
    rng, expected = np.random.default_rng(3), []
    order = [i for _ in range(2) for i in np.array_split(rng.permutation(300), range(64, 300, 64))]
    for lr, rows in zip(10.0 ** np.linspace(-4, 0, 9), order, strict=False):
        optimizer.lr = lr
        optimizer.zero_grad()
        loss = nn.binary_cross_entropy_with_logits(reference(DATA[0][rows]), DATA[1][rows])
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(found.lrs, 10.0 ** np.linspace(-4, 0, 9), rtol=1e-12)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    weights = 0.5 ** np.arange(9)[::-1]
    assert found.smoothed[-1] == pytest.approx(np.average(found.losses, weights=weights))


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [(lambda p: optim.SGD(p, lr=1.0), 0.02, 2.0), (lambda p: optim.Adam(p, lr=1.0), 0.002, 0.3)],
)
def test_the_suggestion_trains(make: Any, low: float, high: float) -> None:
    model = nn.MLP(2, [16, 1], output_activation=None, rng=1)
    optimizer = make(model.parameters())
    found = sweep(model, optimizer, steps=100, rng=0)
    assert low < found.suggestion < high
    optimizer.lr = found.suggestion
    history = fit(model, DATA, loss=nn.binary_cross_entropy_with_logits, optimizer=optimizer,
                  epochs=10, rng=0, verbose=0)  # fmt: skip
    assert history["loss"][-1] < 0.6 * history.steps[0]


def test_the_sweep_ends_where_the_loss_diverges() -> None:
    x = np.linspace(-1, 1, 64)[:, None]
    model = nn.Linear(1, 1, rng=0, dtype=np.float64)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    found = sweep(model, optimizer, data=(x, 3 * x), loss=nn.mse_loss, end=1e6, rng=0)
    assert 10 < len(found.lrs) < 40
    assert np.isfinite(found.losses).all()
    below = sweep(model, optimizer, data=(x, 3 * x - 9), loss=lambda p, y: nn.mse_loss(p, y) - 50)
    assert (below.smoothed < 0).any()
    assert below.suggestion > 1e-4


def test_an_overflow_ends_the_sweep_without_a_warning() -> None:
    model = nn.Linear(2, 1, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    found = sweep(
        model, optimizer, loss=lambda p, _: (p**4).mean(), end=1e30, diverge=1e300, steps=30
    )
    assert np.isfinite(found.losses).all()
    assert len(found.lrs) < 30


def test_an_iterator_gives_what_it_has_and_batches_are_passed_again() -> None:
    model = nn.MLP(2, [4, 1], output_activation=None, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    assert len(sweep(model, optimizer, data=iter(batches(DATA, 100))).lrs) == 3
    assert len(sweep(model, optimizer, data=batches(DATA, 100), end=0.1).lrs) == 40


# --- nothing is left changed ----------------------------------------------------------------------


def test_everything_is_put_back_to_the_bit() -> None:
    """Cases 102 and 109."""
    model, optimizer = noisy()
    model(np.ones((2, 2), np.float32)).sum().backward()
    rng = np.random.default_rng(5)
    before = state(model, optimizer, rng)
    arrays = [model.mean, model.seen]
    sweep(model, optimizer, rng=rng)
    assert state(model, optimizer, rng) == before
    assert [model.mean, model.seen][0] is arrays[0]
    assert model.seen is arrays[1]
    assert not model.net.training
    assert model.training


def test_the_default_generator_and_that_of_batches_are_put_back() -> None:
    """Case 109."""
    model, optimizer = noisy()
    given = batches(DATA, 32, shuffle=True, rng=np.random.default_rng(4))
    model.drop.rng = None  # it draws from the default one
    before = state(model, optimizer, given.generator)
    sweep(model, optimizer)
    sweep(model, optimizer, data=given, rng=0)
    assert state(model, optimizer, given.generator) == before


class FailsAt:
    """A loss that fails at one of its calls."""

    def __init__(self, call: int, error: Any) -> None:
        self.calls, self.at, self.error = 0, call, error

    def __call__(self, prediction: Any, target: Any) -> Any:
        self.calls += 1
        if self.calls == self.at:
            if self.error is KeyboardInterrupt:
                signal.raise_signal(signal.SIGINT)
            raise self.error
        return nn.binary_cross_entropy_with_logits(prediction, target)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("call", [1, 7])
def test_everything_is_put_back_after_an_error_or_ctrl_c(error: Any, call: int) -> None:
    model, optimizer = noisy()
    before = state(model, optimizer)
    with pytest.raises(error):
        sweep(model, optimizer, loss=FailsAt(call, error))
    assert state(model, optimizer) == before


def test_training_goes_on_as_if_there_had_been_no_sweep() -> None:
    """Case 109."""
    results = []
    for swept in (False, True):
        model, optimizer = noisy()
        if swept:
            sweep(model, optimizer)
        history = fit(model, DATA, loss=nn.binary_cross_entropy_with_logits, optimizer=optimizer,
                      epochs=2, rng=1, verbose=0, compile=False)  # fmt: skip
        results.append((history.steps, state(model, optimizer)))
    assert results[0] == results[1]


def test_a_function_as_a_model_and_a_loss_with_parameters_are_put_back() -> None:
    weight, scale = tg.Tensor([1.0, 2.0]), tg.Tensor(3.0)

    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = scale

        def forward(self, p: Any, _: Any) -> Any:
            return ((p * self.scale) ** 2).mean()

    optimizer = optim.SGD([weight, scale], lr=0.1)
    found = find_lr(lambda x: x @ weight, DATA, loss=Scaled(), optimizer=optimizer, steps=30)
    assert len(found.lrs) > 3
    assert weight.tolist() == [1.0, 2.0]
    assert float(scale) == 3.0
    assert not weight.has_grad
    assert optimizer.lr == 0.1


class Loader:
    """Batches that know where they are."""

    def __init__(self) -> None:
        self.position = 0
        self.loaded: list[Any] = []

    def __iter__(self) -> Any:
        for x, y in batches(DATA, 50):
            self.position += 1
            yield x, y

    def state_dict(self) -> Any:
        return {"position": self.position}

    def load_state_dict(self, given: Any) -> None:
        self.position = given["position"]


def test_the_position_in_the_data_is_put_back() -> None:
    model, optimizer = noisy()
    loader = Loader()
    loader.position = 5
    sweep(model, optimizer, data=loader)
    assert loader.position == 5


def test_what_stands_in_containers_is_put_back_and_read_only_arrays_are_left_alone() -> None:
    fixed = np.ones(2)
    fixed.flags.writeable = False
    model = nn.Module()
    model.parts = {"list": [np.zeros(2), fixed], "tuple": (np.zeros(1), model)}
    with put_back(model):
        model.parts["list"][0] += 1
        model.parts["tuple"][0][:] = 5
        model.parts["more"] = 1
        model.new = 3
        del model.parts["list"][1]
    assert list(vars(model)) == ["parts"]
    assert list(model.parts) == ["list", "tuple"]
    assert model.parts["list"][0].tolist() == [0, 0]
    assert model.parts["list"][1] is fixed
    assert model.parts["tuple"][0].tolist() == [0]


# --- arguments, picture ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"start": 0}, ValueError, "the rates go from 0 to 10.0; expected 0 < start < end"),
        ({"start": 2, "end": 1}, ValueError, "the rates go from 2 to 1"),
        ({"end": np.inf}, ValueError, "to inf"),
        ({"steps": 1}, ValueError, "steps is 1"),
        ({"smooth": 1.0}, ValueError, "smooth is 1.0"),
        ({"diverge": 1}, ValueError, "diverge is 1"),
        ({"optimizer": optim.SGD}, TypeError, "expected an object such as optim.Adam"),
        ({"optimizer": optim.LBFGS(nn.Linear(1, 1).parameters())}, TypeError, "Write the loop"),
        ({"loss": "mse"}, TypeError, "loss is 'mse'"),
        ({"loss": lambda _p, _y: 1.0}, TypeError, "returned a float; expected a Tensor"),
        ({"loss": lambda p, _y: p}, ValueError, r"returned shape \(64,\); expected one"),
        ({"loss": lambda p, _y: p.mean() * np.nan}, ValueError, "nan before the first step"),
        ({"data": (DATA[0], DATA[1][:5])}, ValueError, "number of samples"),
        ({"data": []}, ValueError, "no samples"),
        ({"rng": "seed"}, TypeError, "rng is 'seed'"),
    ],
)
def test_wrong_arguments_change_nothing(options: Any, error: Any, message: str) -> None:
    """Case 103."""
    model, optimizer = noisy()
    before = state(model, optimizer)
    with pytest.raises(error, match=message):
        sweep(model, options.pop("optimizer", optimizer), **options)
    assert state(model, optimizer) == before


def test_the_picture_has_both_curves_and_the_suggestion(tmp_path: Any) -> None:
    model, optimizer = noisy()
    found = sweep(model, optimizer)
    axes = found.plot(tmp_path / "lr.png").axes[0]
    assert (tmp_path / "lr.png").read_bytes().startswith(b"\x89PNG")
    raw, smoothed, mark = axes.lines
    np.testing.assert_array_equal(raw.get_ydata(), found.losses)
    np.testing.assert_array_equal(smoothed.get_ydata(), found.smoothed)
    assert list(mark.get_xdata()) == [found.suggestion] * 2
    assert axes.get_ylim()[0] < found.losses.min()
    with pytest.raises(ValueError, match="a picture is saved as"):
        found.plot("lr.txt")
