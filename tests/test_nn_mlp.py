"""MLP, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

# --- MLP ------------------------------------------------------------------------------------------


def test_an_mlp_is_its_formula_and_its_gradient_that_of_the_chain_rule(
    rng: np.random.Generator,
) -> None:
    model = nn.MLP(3, [4, 2], dtype=np.float64, rng=0)
    x = rng.normal(size=(5, 3))
    (w1, b1), (w2, b2) = ((layer.weight.data, layer.bias.data) for layer in model.layers)
    h = np.tanh(x @ w1.T + b1)
    y = np.tanh(h @ w2.T + b2)
    out = model(x)
    np.testing.assert_allclose(out.data, y, rtol=1e-12)
    (out**2).sum().backward()
    d2 = 2 * y * (1 - y**2)
    d1 = (d2 @ w2) * (1 - h**2)
    expected = [d1.T @ x, d1.sum(0), d2.T @ h, d2.sum(0)]
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-10, atol=1e-14)


def test_an_mlp_with_one_output_gives_one_number_per_sample() -> None:
    model = nn.MLP(3, [4, 1], rng=0)
    assert model([2.0, 3.0, -1.0]).shape == ()
    assert model(np.ones((5, 3))).shape == (5,)
    assert model(np.ones((2, 5, 3))).shape == (2, 5)
    assert model(np.ones((0, 3))).shape == (0,)
    assert nn.MLP(3, [4, 2])(np.ones((5, 3))).shape == (5, 2)
    assert nn.mse_loss(model(np.ones((5, 3))), np.zeros(5)).shape == ()


def test_an_mlp_trains_on_the_four_points_of_micrograds_example() -> None:
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    model = nn.MLP(3, [4, 4, 1], rng=0)
    for _ in range(100):
        loss = nn.mse_loss(model(xs), ys, reduction="sum")
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data += -0.1 * p.grad
    assert float(loss) < 0.02
    assert np.sign(model(xs).data).tolist() == ys


@pytest.mark.parametrize("activation", ["relu", tg.relu, nn.ReLU(), lambda x: x.relu()])
def test_an_mlp_takes_activations_by_name_or_as_callables(activation: Any) -> None:
    model = nn.MLP(2, [3, 2], activation, None, rng=0)
    first, last = model.layers
    x = np.ones((4, 2), np.float32)
    expected = np.maximum(x @ first.weight.data.T + first.bias.data, 0) @ last.weight.data.T
    np.testing.assert_allclose(model(x).data, expected + last.bias.data, rtol=1e-5)


def test_an_mlp_without_activations_is_linear() -> None:
    model = nn.MLP(2, [3, 2], None, None, dtype=np.float64, rng=0)
    a, b = np.array([1.0, 2.0]), np.array([-3.0, 0.5])
    middle = model((a + b) / 2).data
    np.testing.assert_allclose(middle, (model(a).data + model(b).data) / 2, rtol=1e-12)


def test_an_activation_with_parameters_is_trained() -> None:
    class Slope(nn.Module):
        def __init__(self) -> None:
            self.slope = tg.Tensor(0.5)

        def forward(self, x: Any) -> Any:
            return tg.maximum(x, 0) + self.slope * tg.minimum(x, 0)

    model = nn.MLP(2, [3, 3, 1], activation=Slope(), rng=0)
    names = [name for name, _ in model.named_parameters()]
    assert names.count("activation.slope") == 1
    assert "activation=Slope" in repr(model).splitlines()[0]


def test_an_mlps_text() -> None:
    model = nn.MLP(3, (4, 1), tg.relu, None)
    assert repr(model).splitlines() == [
        "MLP(3, [4, 1], activation=relu, output_activation=None), 21 parameters",
        "  layers.0: Linear(in_features=3, out_features=4), 16 parameters",
        "  layers.1: Linear(in_features=4, out_features=1), 5 parameters",
    ]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((3, []), ValueError, "nouts is empty"),
        ((3, 4), TypeError, r"nouts is 4; expected a list of widths, such as \[4, 4, 1\]"),
        ((3, "44"), TypeError, "nouts is '44'"),
        ((3, [4, 0]), ValueError, r"nouts\[1\] is 0; expected an integer >= 1"),
        ((3, [4.0]), TypeError, r"nouts\[0\] is 4\.0; expected an integer >= 1"),
        ((0, [4]), ValueError, "nin is 0"),
        ((3, [4], "swish"), ValueError, r"activation is 'swish'; expected one of 'gelu', .*'tanh'"),
        ((3, [4], "tanh", 5), TypeError, "output_activation is 5; expected a name, a callable or"),
    ],
)
def test_an_mlp_checks_its_arguments(args: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nn.MLP(*args)


def test_an_mlp_names_the_layer_that_input_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"in_features=3, .*=4\) got .* \(2,\); expected"):
        nn.MLP(3, [4, 1])([1.0, 2.0])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", nn.LeakyReLU()])
def test_signals_and_gradients_keep_their_size_through_a_deep_mlp(activation: Any) -> None:
    """Ten layers: with weights in ±1/sqrt(fan_in) the gradient would shrink 300 times or more."""
    model = nn.MLP(100, [100] * 10, activation, None, rng=0)
    x = tg.Tensor(np.random.default_rng(0).normal(size=(200, 100)))
    out = model(x)
    out.backward(np.random.default_rng(1).normal(size=out.shape))
    assert 0.1 < out.data.std() < 3
    assert 0.1 < x.grad.std() < 3
