"""Averages of weights: the recurrence written out, PyTorch's, swapped in, resumed, compiled."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import batches, net, told_twice
from tensorgrad import nn
from tensorgrad.optim import EMA, SGD


class Counting(nn.Module):
    """A layer with a buffer, as batch norm has them."""

    def __init__(self):
        self.linear = nn.Linear(3, 2, rng=0)
        self.mean = np.zeros(2)

    def named_buffers(self):
        return [("mean", self.mean)]

    def forward(self, x):
        return self.linear(x)


def trained(model, ema, count, seed=0):
    """Train, and return what the averages are to be: written out."""
    optimizer = SGD(model.parameters(), lr=0.5)
    expected = {name: p.data.astype(float) for name, p in model.named_parameters()}
    for x, y in batches(count, seed=seed):
        optimizer.zero_grad()
        nn.cross_entropy(model(x), y).backward()
        optimizer.step()
        ema.update()
        for name, p in model.named_parameters():
            expected[name] = ema.decay * expected[name] + (1 - ema.decay) * p.data
    return expected


@pytest.mark.parametrize("decay", [0.0, 0.75, 0.999])
def test_the_averages_are_those_of_the_recurrence(decay):
    model = net()
    ema = EMA(model, decay)
    expected = trained(model, ema, 20)
    for name, array in ema.state_dict().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-7)
        assert array.dtype == np.float32


def test_the_averages_equal_pytorchs():
    torch = pytest.importorskip("torch")
    swa = torch.optim.swa_utils
    p = tg.Tensor([[1.0, -2.0]])
    theirs = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    theirs.weight.data = torch.tensor(p.data)
    ema = EMA([p], 0.9)
    other = swa.AveragedModel(theirs, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))
    other.update_parameters(theirs)  # the first time it copies
    for k in range(20):
        p.data = p.data * np.cos(k)
        theirs.weight.data = torch.tensor(p.data)
        ema.update()
        other.update_parameters(theirs)
    expected = other.module.weight.detach().numpy()
    np.testing.assert_allclose(ema.state_dict()["0"], expected, rtol=1e-12)


def test_the_averages_are_swapped_in_and_out():
    model = net()
    ema = EMA(model, 0.5)
    trained(model, ema, 5)
    averages, weights = ema.state_dict(), model.state_dict()
    arrays = [p.data for p in model.parameters()]
    with ema.swapped():
        inside = model.state_dict()
    for found, expected in ((inside, averages), (model.state_dict(), weights)):
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
    assert all(p.data is array for p, array in zip(model.parameters(), arrays, strict=True))
    model.load_state_dict(averages)  # under the names of the module


def test_an_error_inside_swaps_them_out():
    model = net()
    ema = EMA(model, 0.5)
    trained(model, ema, 2)
    weights = model.state_dict()
    with pytest.raises(KeyError), ema.swapped():
        raise KeyError
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, weights[name])


def test_buffers_are_copied_and_swapped():
    model = Counting()
    ema = EMA(model, 0.5)
    model.mean[...] = [1.0, 2.0]
    ema.update()
    model.mean[...] = [3.0, 4.0]
    assert ema.state_dict()["mean"].tolist() == [1.0, 2.0]
    with ema.swapped():
        assert model.mean.tolist() == [1.0, 2.0]
    assert model.mean.tolist() == [3.0, 4.0]


class Smoothed(nn.Module):
    """A layer whose buffers are assigned, so that one of no axes becomes a NumPy number."""

    def __init__(self):
        self.weight = tg.Tensor([1.0, 2.0])
        self.register_buffer("mean", 0.0)
        self.register_buffer("last", np.zeros(2))

    def forward(self, x):
        self.mean = self.mean * 0.5 + x.sum()
        self.last = self.last + x
        return self.weight * x


def test_buffers_that_are_numbers_are_swapped():
    model = nn.Sequential(Smoothed())
    ema = EMA(model, 0.5)
    model(np.array([3.0, 5.0]))
    ema.update()
    model(np.ones(2))
    model[0].weight.data = [3.0, 6.0]
    with ema.swapped():
        assert (float(model[0].mean), model[0].last.tolist()) == (8.0, [3.0, 5.0])
        assert model[0].weight.data.tolist() == [1.0, 2.0]
    assert (float(model[0].mean), model[0].last.tolist()) == (6.0, [4.0, 6.0])
    assert model[0].weight.data.tolist() == [3.0, 6.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda layer: setattr(layer, "last", np.zeros(3)), r"'0\.last' has shape \(3,\) .* had"),
        (lambda layer: setattr(layer, "mean", 1), r"'0\.mean' has shape \(\) and dtype int64"),
        (lambda layer: layer.register_buffer("late", [1]), r"'0\.late' has .*, and was not there"),
    ],
)
def test_a_buffer_that_became_another_changes_nothing(change, message):
    model = nn.Sequential(Smoothed())
    ema = EMA(model, 0.5)
    model[0].weight.data = [3.0, 6.0]
    change(model[0])
    with pytest.raises(ValueError, match=message):
        ema.update()
    with pytest.raises(ValueError, match=message), ema.swapped():
        pass
    assert model[0].weight.data.tolist() == [3.0, 6.0]
    assert ema.state_dict()["0.weight"].tolist() == [1.0, 2.0]


def test_parameters_of_all_kinds():
    value, number = tg.Value(2.0), tg.Tensor(4.0)
    empty, frozen = tg.Tensor(np.zeros((0, 2))), tg.Tensor([1.0], requires_grad=False)
    ema = EMA(iter([value, number, empty, frozen]), 0.5)
    value.data, number.data = 4.0, 8.0
    ema.update()
    with ema.swapped():
        assert (float(value), float(number), frozen.data.tolist()) == (3.0, 6.0, [1.0])
        assert isinstance(value.data, np.float64)
    assert (float(value), float(number), frozen.data.tolist()) == (4.0, 8.0, [1.0])


def test_a_graph_from_before_is_not_run_on_the_averages():
    """Case 62b: to swap is to write."""
    p = tg.Tensor([1.0, 2.0])
    ema = EMA([p])
    loss = (p * p).sum()
    with ema.swapped(), pytest.raises(RuntimeError, match="changed"):
        loss.backward()


def test_saved_and_continued_equals_not_interrupted():
    """Case 109."""
    model = net()
    ema = EMA(model, 0.75)
    trained(model, ema, 5)
    other = net()
    other.load_state_dict(model.state_dict())
    resumed = EMA(other, 0.75)
    resumed.load_state_dict(ema.state_dict())
    trained(model, ema, 5, seed=1)
    trained(other, resumed, 5, seed=1)
    for name, array in ema.state_dict().items():
        np.testing.assert_array_equal(array, resumed.state_dict()[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layers.0.bias"), "layers.0.bias: missing"),
        (lambda s: s.update(more=np.ones(1)), "more: unexpected"),
        (lambda s: s.update({"layers.0.bias": np.ones(4)}), "bias: float64 .*expected float32"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    """Case 101."""
    ema = EMA(net())
    before = ema.state_dict()
    wrong = {name: array + 1 for name, array in before.items()}
    change(wrong)
    with pytest.raises(ValueError, match=message):
        ema.load_state_dict(wrong)
    for name, array in ema.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_nothing_else_is_done_inside():
    ema = EMA(net())
    with ema.swapped():
        for what in (ema.update, ema.state_dict, lambda: ema.load_state_dict({})):
            with pytest.raises(RuntimeError, match=r"inside swapped\(\)"):
                what()
        with pytest.raises(RuntimeError, match=r"swapped\(\) inside"), ema.swapped():
            pass
    ema.update()


@pytest.mark.parametrize(
    ("model", "decay", "error", "message"),
    [
        ([], 0.9, ValueError, "empty"),
        ([np.ones(2)], 0.9, TypeError, "expected a Tensor"),
        (3, 0.9, TypeError, "params is a int"),
        ([tg.Tensor([1.0])], 1.0, ValueError, "decay is 1.0"),
        ([tg.Tensor([1.0])], "slow", TypeError, "expected a number"),
    ],
)
def test_wrong_arguments_are_refused(model, decay, error, message):
    with pytest.raises(error, match=message):
        EMA(model, decay)


def test_it_is_a_part_of_compiled_steps():
    """Case 111: and what was compiled before sees the averages while they are in place."""

    def story(compiled):
        model = Counting()
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        ema = EMA(model, 0.9)
        predict = compiled(model)

        @compiled
        def step(x, y):
            optimizer.zero_grad()
            loss = nn.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            ema.update()
            return loss

        for x, y in batches(20):
            yield step(x, y), model, ema.state_dict(), predict(x)
            with ema.swapped():
                yield predict(x), model

    told_twice(story, runs=2)
