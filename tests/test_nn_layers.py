"""Layers and activations, against NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F

# --- Linear ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3), (0, 3)], ids=str)
def test_linear_is_a_product_and_a_sum(
    shape: tuple[int, ...], bias: bool, rng: np.random.Generator
) -> None:
    layer = nn.Linear(3, 2, bias, dtype=np.float64, rng=1)
    x, g = tg.Tensor(rng.normal(size=shape)), rng.normal(size=(*shape[:-1], 2))
    out = layer(x)
    w = layer.weight.data
    b = layer.bias.data if layer.bias is not None else np.zeros(2)
    np.testing.assert_allclose(out.data, x.data @ w.T + b, rtol=1e-12)
    out.backward(g)
    np.testing.assert_allclose(x.grad, g @ w, rtol=1e-12)
    rows, cotangents = x.data.reshape(-1, 3), g.reshape(-1, 2)
    np.testing.assert_allclose(layer.weight.grad, cotangents.T @ rows, rtol=1e-12)
    if layer.bias is not None:
        np.testing.assert_allclose(layer.bias.grad, cotangents.sum(0), rtol=1e-12)


def test_linear_has_pytorchs_layout_and_start() -> None:
    layer = nn.Linear(400, 300, rng=0)
    assert layer.weight.shape == (300, 400)
    assert layer.bias is not None
    assert layer.bias.shape == (300,)
    for parameter in layer.parameters():
        largest = abs(parameter.data).max()
        assert 0.98 / math.sqrt(400) < largest <= 1 / math.sqrt(400)
        assert abs(parameter.data.mean()) < 0.005
    assert nn.Linear(2, 2, bias=False).bias is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_linear_casts_input_to_the_dtype_of_its_parameters(dtype: Any, given: Any) -> None:
    layer = nn.Linear(3, 2, dtype=dtype, rng=0)
    out = layer(np.ones((4, 3), given))
    out.sum().backward()
    assert out.dtype == dtype
    assert layer.weight.grad.dtype == dtype


def test_the_gradient_of_a_cast_input_has_the_inputs_dtype() -> None:
    """Case 68."""
    layer, x = nn.Linear(2, 1, rng=0), tg.Tensor([[1.0, 2.0]])
    layer(x).sum().backward()
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, layer.weight.data)


def test_linear_takes_the_default_dtype() -> None:
    tg.set_default_dtype(np.float64)
    try:
        assert nn.Linear(2, 2).weight.dtype == np.float64
        assert nn.MLP(2, [2]).layers[0].weight.dtype == np.float64
    finally:
        tg.set_default_dtype(np.float32)
    assert nn.Linear(2, 2).weight.dtype == np.float32


def test_the_same_seed_gives_the_same_parameters() -> None:
    """Case 106; and the dtype does not change the draw."""
    first, second = nn.MLP(3, [4, 1], rng=5), nn.MLP(3, [4, 1], rng=5)
    double = nn.MLP(3, [4, 1], rng=5, dtype=np.float64)
    for a, b, c in zip(first.parameters(), second.parameters(), double.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        np.testing.assert_array_equal(a.data, c.data.astype(np.float32))
    tg.manual_seed(3)
    third = nn.Linear(2, 2).weight.data
    tg.manual_seed(3)
    np.testing.assert_array_equal(nn.Linear(2, 2).weight.data, third)


def test_numpys_global_state_is_left_alone() -> None:
    """Case 103."""
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - it is what must not change
    nn.Sequential(nn.MLP(3, [4, 2]), nn.Dropout())(np.ones((2, 3)))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("shape", [(), (2,), (5, 4), (3, 5, 1)], ids=str)
def test_linear_refuses_another_number_of_features(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"in_features=3, out_features=2\) got an") as error:
        layer(np.ones(shape))
    assert f"of shape {shape}; expected (..., 3)" in str(error.value)


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "message"),
    [
        ((0, 2), {}, ValueError, "in_features is 0"),
        ((2, -1), {}, ValueError, "out_features is -1"),
        ((2.5, 2), {}, TypeError, r"in_features is 2\.5; expected an integer >= 1"),
        ((2, [3]), {}, TypeError, r"out_features is \[3\]"),
        ((2, 2), {"dtype": int}, TypeError, "dtype of parameters is int64; expected a floating"),
        ((2, 2), {"rng": "seed"}, TypeError, "rng is 'seed'"),
    ],
)
def test_linear_checks_its_arguments(
    args: Any, kwargs: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        nn.Linear(*args, **kwargs)


def test_the_function_linear_checks_its_weights() -> None:
    assert F.linear(np.ones((2, 3)), np.ones((1, 3), int)).tolist() == [[3.0], [3.0]]
    assert F.linear([0.5, 0.5], np.array([[1, 2]])).tolist() == [1.5]
    with pytest.raises(ValueError, match=r"weight has shape \(3,\); expected \(out, in\)"):
        F.linear(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"bias has shape \(3,\); expected \(1,\)"):
        F.linear(np.ones(3), np.ones((1, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"linear got an input of shape \(2,\)"):
        F.linear(np.ones(2), np.ones((1, 3)))


# --- Sequential, Flatten --------------------------------------------------------------------------


def test_sequential_applies_its_layers_in_order() -> None:
    model = nn.Sequential(lambda x: x + 1, tg.square, nn.ReLU())
    assert model(np.array([1.0, -3.0])).tolist() == [4.0, 4.0]
    assert nn.Sequential()(5) == 5


def test_sequential_is_a_sequence() -> None:
    layers = [nn.Linear(2, 3), tg.tanh, nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    assert len(model) == 3
    assert list(model) == layers
    assert model[-1] is layers[2]
    assert list(model[1:]) == layers[1:]
    assert type(model[1:]) is nn.Sequential
    with pytest.raises(IndexError):
        model[3]


def test_sequential_names_parameters_as_pytorch_does() -> None:
    model = nn.Sequential(nn.Linear(2, 3), tg.tanh, nn.Sequential(nn.Linear(3, 1)))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.0.weight", "2.0.bias"]
    model.temperature = tg.Tensor(1.0)
    assert list(model.state_dict())[-1] == "temperature"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.ReLU(), 3], r"layer 1 is 3; expected a Module or a function"),
        ([[nn.ReLU()]], r"layer 0 is \[ReLU\(\)\]; .* one by one"),
        ([nn.ReLU], r"layer 0 is the class ReLU; expected an instance: ReLU\(\)"),
    ],
)
def test_sequential_refuses_what_cannot_be_applied(layers: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("args", "shape", "expected"),
    [
        ((), (5, 2, 3), (5, 6)),
        ((), (5, 2), (5, 2)),
        ((), (0, 2, 3), (0, 6)),
        ((0,), (2, 3), (6,)),
        ((0,), (4,), (4,)),
        ((1, 2), (2, 3, 4, 5), (2, 12, 5)),
        ((-2,), (2, 3, 4), (2, 12)),
    ],
)
def test_flatten(args: tuple[int, ...], shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    x = tg.Tensor(np.arange(math.prod(shape), dtype=float).reshape(shape))
    out = nn.Flatten(*args)(x)
    np.testing.assert_array_equal(out.data, x.data.reshape(expected))
    out.backward(out.data)
    np.testing.assert_array_equal(x.grad, x.data)


FLAT = [((), (3,)), ((), ()), ((2, 1), (1, 2, 3)), ((-3,), (2,))]


@pytest.mark.parametrize(("args", "shape"), FLAT)
def test_flatten_refuses_axes_that_are_not_there(args: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Flatten\(start_dim=.*\) got an input of shape"):
        nn.Flatten(*args)(np.zeros(shape))


# --- Dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_zeroes_a_share_and_scales_the_rest(p: float, dtype: Any) -> None:
    """The share is within 5 standard deviations of p: it fails by chance once in 10**6 seeds."""
    n = 100_000
    x = tg.Tensor(np.ones(n, dtype))
    out = nn.Dropout(p, rng=0)(x)
    dropped = out.data == 0
    assert abs(dropped.mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    assert out.dtype == dtype
    np.testing.assert_allclose(out.data[~dropped], 1 / (1 - p), rtol=1e-6)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, out.data)


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_dropout_draws_independently_at_each_call_and_place(p: float) -> None:
    layer, x = nn.Dropout(p, rng=0), np.ones((200, 500))
    first, second = layer(x).data == 0, layer(x).data == 0
    n, both = first.size, p * p
    for a, b in [(first, second), (first[1:], first[:-1]), (first[:, 1:], first[:, :-1])]:
        assert abs((a & b).mean() - both) < 6 * math.sqrt(both * (1 - both) / n)


def test_dropout_repeats_from_a_seed_and_follows_the_default_generator() -> None:
    x = np.ones(64)
    np.testing.assert_array_equal(nn.Dropout(rng=1)(x).data, nn.Dropout(rng=1)(x).data)
    np.testing.assert_array_equal(F.dropout(x, rng=1).data, nn.Dropout(rng=1)(x).data)
    layer = nn.Dropout()
    tg.manual_seed(0)
    first = layer(x).data
    tg.manual_seed(0)
    np.testing.assert_array_equal(layer(x).data, first)


def test_dropout_of_everything_gives_zeros_and_zero_gradients() -> None:
    """Case 38."""
    x = tg.Tensor([1.0, -2.0, 3.0])
    out = nn.Dropout(1)(x)
    out.sum().backward()
    assert out.tolist() == [0.0, 0.0, 0.0]
    assert x.has_grad
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_dropout_is_off_in_evaluation_and_at_zero() -> None:
    """Case 102."""
    x = tg.Tensor([1.0, 2.0])
    generator = np.random.default_rng(0)
    layer = nn.Dropout(0.9, rng=generator).eval()
    before = generator.bit_generator.state
    assert layer(x) is x
    assert nn.Dropout(0.0, rng=generator)(x) is x
    assert generator.bit_generator.state == before
    assert sorted(set(layer.train()(np.ones(100)).data.round(6).tolist())) == [0.0, 10.0]


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf])
def test_dropout_refuses_what_is_no_probability(p: float) -> None:
    """Case 38."""
    with pytest.raises(ValueError, match=f"p is {p}; expected a number >= 0 and <= 1"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match=f"p is {p}"):
        F.dropout([1.0], p, training=False)


def test_dropout_refuses_integers() -> None:
    with pytest.raises(TypeError, match="dropout got int64; expected floats"):
        nn.Dropout()(np.ones(3, int))


# --- activations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "function", "value", "slope"),
    [
        (nn.ReLU(), F.relu, lambda x: x * (x > 0), lambda x: x > 0),
        (nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x),
         lambda x: np.where(x > 0, 1, 0.2)),
        (nn.Tanh(), F.tanh, np.tanh, lambda x: 1 / np.cosh(x) ** 2),
        (nn.Sigmoid(), F.sigmoid, lambda x: 1 / (1 + np.exp(-x)),
         lambda x: 1 / (2 + np.exp(x) + np.exp(-x))),
        (nn.SiLU(), F.silu, lambda x: x / (1 + np.exp(-x)),
         lambda x: (1 + np.exp(-x) * (1 + x)) / (1 + np.exp(-x)) ** 2),
        (nn.Softplus(), F.softplus, lambda x: np.log(1 + np.exp(x)),
         lambda x: 1 / (1 + np.exp(-x))),
        (nn.GELU(), F.gelu, lambda x: x * np.vectorize(_phi)(x),
         lambda x: np.vectorize(_phi)(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
        (nn.GELU("tanh"), lambda x: F.gelu(x, "tanh"),
         lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), None),
    ],
    ids=["relu", "leaky_relu", "tanh", "sigmoid", "silu", "softplus", "gelu", "gelu_tanh"],
)  # fmt: skip
def test_activations(
    module: nn.Module, function: Any, value: Any, slope: Any, rng: np.random.Generator
) -> None:
    x = tg.Tensor(rng.normal(size=(3, 4)))
    out = module(x)
    np.testing.assert_allclose(out.data, value(x.data), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(out.data, function(x).data)
    if slope is not None:
        out.sum().backward()
        np.testing.assert_allclose(x.grad, slope(x.data), rtol=1e-12, atol=1e-14)
    assert module(np.ones(2, np.float32)).dtype == np.float32


def _phi(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


@pytest.mark.parametrize("axis", [-1, 0])
def test_softmax_takes_an_axis(axis: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3))
    expected = np.exp(x) / np.exp(x).sum(axis, keepdims=True)
    np.testing.assert_allclose(nn.Softmax(axis)(x).data, expected, rtol=1e-12)
    np.testing.assert_allclose(F.softmax(x, axis).data, expected, rtol=1e-12)
    np.testing.assert_allclose(F.log_softmax(x, axis).data, np.log(expected), rtol=1e-12)


def test_gelu_checks_its_argument_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="approximate is 'erf'; expected 'none' or 'tanh'"):
        nn.GELU("erf")
