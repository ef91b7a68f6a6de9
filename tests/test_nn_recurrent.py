"""RNN, LSTM, GRU and Embedding, against loops in NumPy."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F

KINDS: dict[str, type[nn.RNN | nn.LSTM | nn.GRU]] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
EACH = pytest.mark.parametrize("kind", KINDS)


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def step(kind: str, x: Any, state: Any, w: dict[str, Any]) -> Any:
    """Return the next state of one sequence, by the equations; of an LSTM the pair (h, c)."""
    h = state[0]
    a, b = w["weight_ih"] @ x + w["bias_ih"], w["weight_hh"] @ h + w["bias_hh"]
    if kind == "RNN":
        return (np.tanh(a + b),)
    if kind == "GRU":
        (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
        z = logistic(az + bz)
        return ((1 - z) * np.tanh(an + logistic(ar + br) * bn) + z * h,)
    i, f, g, o = np.split(a + b, 4)
    c = logistic(f) * state[1] + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def by_hand(kind: str, model: Any, x: Any, start: Any) -> tuple[Any, Any]:
    """Run layers over one sequence (time, features); return the output and the last states."""
    weights = model.state_dict()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    rows = itertools.count()
    last = []
    for layer in range(model.num_layers):
        ways = []
        for back in range(1 + model.bidirectional):
            ending = f"_l{layer}" + "_reverse" * back
            w = {n: weights.get(n + ending, np.zeros(1)) for n in names}
            row = next(rows)
            state, out = tuple(s[row] for s in start), []
            for features in x[::-1] if back else x:
                state = step(kind, features, state, w)
                out.append(state[0])
            ways.append(np.stack(out[::-1] if back else out))
            last.append(state)
        x = np.concatenate(ways, axis=-1)
    return x, [np.stack(part) for part in zip(*last, strict=True)]


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "layers": {"num_layers": 3},
    "both ways": {"num_layers": 2, "bidirectional": True},
    "batch first, no bias": {"batch_first": True, "bias": False},
}


@pytest.mark.parametrize("options", OPTIONS)
@EACH
def test_a_layer_is_a_loop_over_time(kind: str, options: str, rng: np.random.Generator) -> None:
    model: Any = KINDS[kind](3, 4, **OPTIONS[options], dtype=np.float64, rng=1)
    count = model.num_layers * (1 + model.bidirectional)
    x, start = rng.normal(size=(5, 2, 3)), rng.normal(size=(2, count, 2, 4))
    given: Any = tuple(start) if kind == "LSTM" else start[0]
    out, last = model(x.swapaxes(0, 1) if model.batch_first else x, given)
    out = out.data.swapaxes(0, 1) if model.batch_first else out.data
    for n in range(2):
        expected, ends = by_hand(kind, model, x[:, n], start[:, :, n])
        np.testing.assert_allclose(out[:, n], expected, rtol=1e-12)
        for end, got in zip(ends, last if kind == "LSTM" else [last], strict=True):
            np.testing.assert_allclose(got.data[:, n], end, rtol=1e-12)
        alone, _ = model(x[:, n], [s[:, n] for s in start] if kind == "LSTM" else start[0, :, n])
        np.testing.assert_allclose(alone.data, expected, rtol=1e-12)


@EACH
def test_no_state_is_a_state_of_zeros(kind: str, rng: np.random.Generator) -> None:
    model, x = KINDS[kind](3, 4, rng=0), rng.normal(size=(5, 2, 3))
    zeros: Any = np.zeros((1, 2, 4))
    out, _ = model(x, (zeros, zeros) if kind == "LSTM" else zeros)
    np.testing.assert_array_equal(out.data, model(x)[0].data)


@EACH
def test_a_sequence_may_be_read_in_two_parts(kind: str, rng: np.random.Generator) -> None:
    model, x = KINDS[kind](3, 4, num_layers=2, rng=0), rng.normal(size=(6, 2, 3))
    whole, end = model(x)
    first, state = model(x[:4])
    second, last = model(x[4:], state)
    np.testing.assert_allclose(np.concatenate([first, second]).data, whole.data, rtol=1e-6)  # type: ignore[attr-defined]
    for one, other in zip(last, end, strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-6)


@EACH
def test_gradients_of_all_parameters_and_states(kind: str, rng: np.random.Generator) -> None:
    """Against central differences, through two layers and both directions."""
    model = KINDS[kind](2, 2, num_layers=2, bidirectional=True, dtype=np.float64, rng=1)
    parameters, many = dict(model.named_parameters()), len(model.states)
    weights = rng.normal(size=(3, 1, 4))

    def loss(x: Any, *given: Any) -> Any:
        vars(model).update(zip(parameters, given[many:], strict=True))
        out, last = model(x, given[:2] if many == 2 else given[0])
        ends = last if many == 2 else [last]
        return (out * weights).sum() + sum((end * end).sum() for end in ends)

    states = rng.normal(size=(many, 4, 1, 2))
    start = [p.data for p in parameters.values()]
    tg.check_grads(loss, rng.normal(size=(3, 1, 2)), *states, *start, order=1)


def test_dropout_lies_between_the_layers(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 2, 3))
    model = nn.GRU(3, 4, num_layers=2, dropout=0.5, rng=0)
    lower, upper = nn.GRU(3, 4), nn.GRU(4, 4)
    for part, ending in ((lower, "_l0"), (upper, "_l1")):
        for name, parameter in part.named_parameters():
            parameter.data = getattr(model, name.replace("_l0", ending)).data
    expected = np.random.default_rng()
    expected.bit_generator.state = model.rng.bit_generator.state  # type: ignore[union-attr]
    hidden = F.dropout(lower(x)[0], 0.5, rng=expected)
    np.testing.assert_array_equal(model(x)[0].data, upper(hidden)[0].data)
    assert (model(x)[0].data != model(x)[0].data).any()
    np.testing.assert_array_equal(model.eval()(x)[0].data, upper(lower(x)[0])[0].data)


@EACH
def test_names_shapes_and_start_are_pytorchs(kind: str) -> None:
    gates = KINDS[kind].gates
    model = KINDS[kind](30, 25, num_layers=2, bidirectional=True, rng=0)
    expected = {}
    for layer, width in ((0, 30), (1, 50)):
        for way in ("", "_reverse"):
            ending = f"_l{layer}{way}"
            expected |= {
                f"weight_ih{ending}": (gates * 25, width), f"weight_hh{ending}": (gates * 25, 25),
                f"bias_ih{ending}": (gates * 25,), f"bias_hh{ending}": (gates * 25,),
            }  # fmt: skip
    assert {name: a.shape for name, a in model.state_dict().items()} == expected
    assert list(model.state_dict()) == list(expected)
    largest = max(abs(p.data).max() for p in model.parameters())
    assert 0.99 / 5 < largest <= 1 / 5


@EACH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_input_and_states_are_cast(kind: str, dtype: Any) -> None:
    """Cases 65, 68."""
    model: Any = KINDS[kind](2, 3, dtype=dtype, rng=0)
    state: Any = np.ones((1, 1, 3))
    x = tg.Tensor(np.ones((2, 1, 2)))
    out, last = model(x, (state, state) if kind == "LSTM" else state)
    out.sum().backward()
    assert out.dtype == last[0].dtype == model.weight_hh_l0.grad.dtype == dtype
    assert x.grad.dtype == np.float64
    assert model(np.ones((2, 1, 2), int))[0].dtype == dtype


@EACH
def test_an_empty_batch_and_a_single_step(kind: str) -> None:
    model = KINDS[kind](2, 3, bidirectional=True, rng=0)
    out, _ = model(np.ones((4, 0, 2)))
    out.sum().backward()
    assert out.shape == (4, 0, 6)
    assert not model.weight_hh_l0.grad.any()  # type: ignore[attr-defined]
    assert model(np.ones((1, 2)))[0].shape == (1, 6)


@EACH
@pytest.mark.parametrize(
    ("x", "hx", "error", "text"),
    [
        (np.ones((4, 2, 5)), None, ValueError, r"\(4, 2, 5\); expected \(time, batch, 3\)"),
        (np.ones(3), None, ValueError, "expected"),
        (np.ones((0, 2, 3)), None, ValueError, "without steps"),
        (np.ones((4, 2, 3), complex), None, TypeError, "complex"),
        (np.ones((4, 2, 3)), np.ones((1, 1, 4)), ValueError, r"h_0 has shape \(1, 1, 4\)"),
        (np.ones((4, 3)), np.ones((1, 1, 4)), ValueError, r"expected \(1, 4\)"),
    ],
)
def test_bad_input_is_refused(kind: str, x: Any, hx: Any, error: Any, text: str) -> None:
    model = KINDS[kind](3, 4)
    with pytest.raises(error, match=text):
        model(x, (hx, hx) if kind == "LSTM" and hx is not None else hx)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"the pair \(h_0, c_0\)"):
        nn.LSTM(3, 4)(np.ones((4, 2, 3)), tg.zeros(1, 2, 4))
    state = np.zeros((1, 2, 4))
    with pytest.raises(TypeError, match=r"c_0 is a NoneType; expected an array \(1, 2, 4\)"):
        nn.LSTM(3, 4)(np.ones((4, 2, 3)), (state, None))
    with pytest.raises(TypeError, match=r"h_0 is a tuple; expected an array \(1, 2, 4\)"):
        nn.GRU(3, 4)(np.ones((4, 2, 3)), (state, state))
    with pytest.raises(ValueError, match="nonlinearity is 'sigmoid'"):
        nn.RNN(3, 4, nonlinearity="sigmoid")
    with pytest.raises(ValueError, match="hidden_size is 0"):
        nn.GRU(3, 0)
    with pytest.raises(ValueError, match=r"dropout is 1\.5; expected a number >= 0 and <= 1"):
        nn.GRU(3, 4, dropout=1.5)


@EACH
def test_layouts_and_nan_and_two_threads(kind: str, rng: np.random.Generator) -> None:
    """Cases 88, 96: any layout is as good, a NaN stays in its sequence, threads agree."""
    model, x = KINDS[kind](3, 4, rng=0), rng.normal(size=(5, 2, 3)).astype(np.float32)
    expected = model(x)[0].data
    for given in (np.asfortranarray(x), np.repeat(x, 2, 2)[..., ::2], x[::-1].copy()[::-1]):
        given.flags.writeable = False
        np.testing.assert_allclose(model(given)[0].data, expected, rtol=1e-5)
    broken = x.copy()
    broken[2, 0] = np.nan
    out = model(broken)[0].data
    np.testing.assert_array_equal(np.isnan(out).all(axis=2), np.arange(5)[:, None] >= [2, 9])
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(model(x)[0].data)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all((other == expected).all() for other in found)


def test_large_numbers_saturate_without_a_warning() -> None:
    """Case 28."""
    out, _ = nn.LSTM(1, 2, rng=0)(np.array([[1e30], [-1e30], [0.0]], np.float32))
    out.sum().backward()
    assert np.isfinite(out.data).all()


# --- Embedding ------------------------------------------------------------------------------------


def test_embedding_looks_up_and_adds_gradients() -> None:
    """Case 55."""
    layer = nn.Embedding(4, 3, dtype=np.float64, rng=0)
    indices = np.array([[2, 0], [2, 2]], np.uint8)
    out = layer(indices)
    np.testing.assert_array_equal(out.data, layer.weight.data[indices])
    g = np.arange(12.0).reshape(2, 2, 3)
    out.backward(g)
    expected = np.zeros((4, 3))
    np.add.at(expected, indices, g)
    np.testing.assert_array_equal(layer.weight.grad, expected)
    assert layer(3).shape == (3,)
    assert layer(np.zeros((0, 2), int)).shape == (0, 2, 3)


@pytest.mark.parametrize("padding", [1, -3])
def test_the_padding_row_is_zero_and_learns_nothing(padding: int) -> None:
    layer = nn.Embedding(4, 3, padding_idx=padding, rng=0)
    assert layer.padding_idx == 1
    assert not layer.weight.data[1].any()
    layer.weight.data[1] = 7.0
    out = layer([1, 2, 1])
    assert out.data[0].tolist() == [7.0] * 3
    out.sum().backward()
    assert layer.weight.grad[:, 0].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("indices", "error", "text"),
    [
        ([0, 4], IndexError, "an index is 4, but there are 4 rows"),
        ([[-1]], IndexError, "an index is -1"),
        ([1.0], TypeError, "float64; expected integers"),
        ([True], TypeError, "bool; expected integers"),
        (np.array([2**63], np.uint64), IndexError, "9223372036854775808"),
    ],
)
def test_what_is_no_row_is_refused(indices: Any, error: Any, text: str) -> None:
    """Case 56: -1 would silently be the last row."""
    with pytest.raises(error, match=text):
        nn.Embedding(4, 3)(indices)


def test_a_padding_row_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="padding_idx is 4; expected -4 to 3"):
        nn.Embedding(4, 3, padding_idx=4)
    with pytest.raises(ValueError, match=r"weight has shape \(3,\)"):
        F.embedding([0], np.ones(3))
