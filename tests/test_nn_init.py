"""Initialisers: moments, bounds, fans, orthogonality; the same draws from the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import init

SHAPE = (60, 20, 5, 5)  # a convolution: fan_in 500, fan_out 1500
DRAWS: list[tuple[Callable[..., Any], dict[str, Any], float, float]] = [
    # What is drawn, its standard deviation, and its bound.
    (init.uniform_, {"a": -0.5, "b": 0.5}, 1 / math.sqrt(12), 0.5),
    (init.normal_, {"std": 0.3}, 0.3, math.inf),
    (init.xavier_uniform_, {"gain": 2.0}, 2 * math.sqrt(2 / 2000), 2 * math.sqrt(6 / 2000)),
    (init.xavier_normal_, {}, math.sqrt(2 / 2000), math.inf),
    (init.kaiming_uniform_, {}, math.sqrt(2 / 500), math.sqrt(6 / 500)),
    (init.kaiming_uniform_, {"mode": "fan_out"}, math.sqrt(2 / 1500), math.sqrt(6 / 1500)),
    (init.kaiming_normal_, {"a": 1.0}, math.sqrt(1 / 500), math.inf),
    (init.kaiming_normal_, {"nonlinearity": "tanh"}, 5 / 3 / math.sqrt(500), math.inf),
    # The variance of a normal variable within two deviations: 1 - 4 φ(2) / (2 Φ(2) - 1).
    (init.trunc_normal_, {}, 0.87962566, 2.0),
    (init.trunc_normal_, {"std": 0.1, "a": -0.2, "b": 0.2}, 0.087962566, 0.2),
]


def weight(*shape: int, dtype: Any = np.float64) -> tg.Tensor:
    return tg.Tensor(np.full(shape, np.nan), dtype=dtype)


@pytest.mark.parametrize(("initialise", "options", "std", "bound"), DRAWS)
def test_draws_have_the_moments_and_bounds_that_they_should(
    initialise: Callable[..., Any], options: dict[str, Any], std: float, bound: float
) -> None:
    """Of 30,000 numbers: within five standard errors, at a seed that is fixed."""
    tensor = weight(*SHAPE)
    assert initialise(tensor, **options, rng=0) is tensor
    count = tensor.size
    assert abs(tensor.data.mean()) < 5 * std / math.sqrt(count)
    assert tensor.data.std() == pytest.approx(std, rel=5 / math.sqrt(count))
    assert np.abs(tensor.data).max() <= bound
    if bound < math.inf:
        assert np.abs(tensor.data).max() > 0.99 * bound


@pytest.mark.parametrize(("initialise", "options", "std", "bound"), DRAWS[:5] + DRAWS[-1:])
def test_the_same_seed_gives_the_same_draw_in_any_dtype(
    initialise: Callable[..., Any], options: dict[str, Any], std: float, bound: float
) -> None:
    """Case 106."""
    del std, bound
    double = initialise(weight(6, 5), **options, rng=3)
    single = initialise(weight(6, 5, dtype=np.float32), **options, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(single.data, double.data.astype(np.float32))
    assert single.dtype == np.float32
    tg.manual_seed(3)
    np.testing.assert_array_equal(initialise(weight(6, 5), **options).data, double.data)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0.0, 1.0, -2.0, 2.0),
        (0.0, 1.0, 0.5, math.inf),
        (1.0, 2.0, -math.inf, 0.0),
        (0.0, 1.0, -1e-3, 1e-3),
        (0.0, 1.0, 5.0, 100.0),
        (0.0, 1.0, -9.0, -8.0),
        (3.0, 0.1, -100.0, 100.0),
        (0.0, 1e-3, 1.0, 2.0),
    ],
)
def test_a_truncated_normal_follows_its_distribution(
    mean: float, std: float, a: float, b: float
) -> None:
    """Also where the interval is far out, or narrow: Kolmogorov's distance to the integral."""
    tensor = init.trunc_normal_(weight(4000), mean, std, a, b, rng=0)
    x = np.sort((tensor.data - mean) / std)
    low, high = (a - mean) / std, (b - mean) / std
    assert low <= x[0]
    assert x[-1] <= high
    peak = min(max(0.0, low), high)
    reach = math.sqrt(peak * peak + 60)
    grid = np.linspace(max(low, -reach), min(high, reach), 400_001)
    density = np.exp(0.5 * (peak - grid) * (peak + grid))
    integral = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    expected = np.interp(x, grid, integral / integral[-1])
    assert np.abs(expected - (np.arange(x.size) + 0.5) / x.size).max() < 1.95 / math.sqrt(x.size)


@pytest.mark.parametrize("gain", [1.0, 2.5])
@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 3, 2, 2), (1, 6), (6, 1)], ids=str)
def test_orthogonal_rows_or_columns(shape: tuple[int, ...], gain: float) -> None:
    tensor = init.orthogonal_(weight(*shape), gain, rng=0)
    matrix = tensor.data.reshape(shape[0], -1)
    fewer = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(fewer @ fewer.T, gain**2 * np.eye(len(fewer)), atol=1e-12)


def test_orthogonal_matrices_are_equally_likely() -> None:
    """Of 2 by 2: the angle of the first column is uniform, and half of them are reflections."""
    rng = np.random.default_rng(0)
    drawn = [init.orthogonal_(weight(2, 2), rng=rng).data for _ in range(2000)]
    angles = np.sort([math.atan2(m[1, 0], m[0, 0]) for m in drawn])
    expected = np.linspace(-math.pi, math.pi, 2000)
    assert np.abs(angles - expected).max() < 2 * math.pi * 1.95 / math.sqrt(2000)
    turns = sum(np.linalg.det(m) > 0 for m in drawn)
    assert abs(turns - 1000) < 5 * math.sqrt(500)


def test_empty_parameters_are_initialised_too() -> None:
    for shape in ((0, 3), (3, 0)):
        assert init.orthogonal_(weight(*shape)).shape == shape
        assert init.trunc_normal_(weight(*shape)).shape == shape


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda t: init.trunc_normal_(t, std=0.0),
            ValueError,
            r"std is 0\.0; expected a finite number > 0",
        ),
        (lambda t: init.trunc_normal_(t, std=math.nan), ValueError, "std is nan"),
        (lambda t: init.trunc_normal_(t, a=1.0, b=1.0), ValueError, "expected a < b"),
        (lambda t: init.trunc_normal_(t, rng="seed"), TypeError, "rng is 'seed'"),
        (lambda t: init.orthogonal_(t[0].detach()), ValueError, "has no fan"),
        (lambda t: init.orthogonal_(t * 1), ValueError, "the result of multiply"),
        (lambda t: init.orthogonal_(t.data), TypeError, "expected a Tensor of floats"),
    ],
)
def test_wrong_arguments_change_nothing(
    call: Callable[[tg.Tensor], Any], error: type[Exception], message: str
) -> None:
    tensor = tg.Tensor(np.ones((3, 4)))
    with pytest.raises(error, match=message):
        call(tensor)
    assert (tensor.data == 1).all()


def test_constants() -> None:
    weight = tg.Tensor([[1.0, 2.0]])
    assert init.zeros_(weight).tolist() == [[0.0, 0.0]]
    assert init.ones_(weight).tolist() == [[1.0, 1.0]]
    assert init.constant_(weight, -2.5).tolist() == [[-2.5, -2.5]]
    assert init.constant_(tg.Value(1.0), 3.0).data == 3.0


def test_initial_values_are_a_write_that_a_recorded_graph_notices() -> None:
    """Case 62b."""
    weight = tg.Tensor([2.0])
    loss = (weight * weight).sum()
    init.ones_(weight)
    assert weight.is_leaf
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


def test_initial_values_go_into_frozen_parameters() -> None:
    weight = tg.Tensor([1.0, 2.0]).requires_grad_(False)
    assert init.uniform_(weight, 5, 6, rng=0).data.min() >= 5
    assert not weight.requires_grad


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.uniform_(tg.Tensor([1.0]), 2, 1), ValueError, "a = 2 to b = 1"),
        (lambda: init.normal_(tg.Tensor([1.0]), 0, -1), ValueError, "std is -1"),
        (lambda: init.zeros_(np.ones(2)), TypeError, "the parameter is ndarray; expected a Tensor"),
        (lambda: init.uniform_(tg.Tensor([1])), TypeError, "the parameter is int64"),
        (lambda: init.ones_(tg.Tensor([1.0]) * 2), ValueError, "result of multiply"),
        (lambda: init.xavier_normal_(tg.Tensor([1.0])), ValueError, r"shape \(1,\) has no fan"),
        (lambda: init.kaiming_normal_(tg.Tensor(1.0)), ValueError, r"shape \(\) has no fan"),
        (lambda: init.kaiming_uniform_(tg.Tensor([[1.0]]), mode="in"), ValueError, "mode is 'in'"),
        (lambda: init.kaiming_uniform_(tg.Tensor([[1.0]]), nonlinearity="selu"), ValueError,
         "nonlinearity is 'selu'; expected 'linear', 'sigmoid', 'tanh'"),
    ],
)  # fmt: skip
def test_initial_values_check_their_arguments(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
