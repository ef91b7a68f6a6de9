"""`import tensorgrad.numpy as np`, and programs written for autograd."""

from __future__ import annotations

from typing import Any

import numpy  # noqa: ICN001 - `np` is what is tested
import pytest

import tensorgrad as tg
import tensorgrad.numpy as np
from tensorgrad import Tensor, grad


def test_names_are_numpys() -> None:
    assert np.sin is numpy.sin
    assert np.linalg is numpy.linalg
    assert np.fft.fft is numpy.fft.fft
    assert np.random.default_rng is numpy.random.default_rng
    assert np.pi == numpy.pi
    assert tg.numpy is np
    assert "linspace" in dir(np)
    with pytest.raises(AttributeError, match="no attribute 'sinn'"):
        _ = np.sinn
    from tensorgrad.numpy import cos

    assert cos is numpy.cos


def test_no_name_hides_numpys() -> None:
    public = [name for name in vars(np) if hasattr(numpy, name) and not name.startswith("__")]
    assert sorted(public) == ["array", "asarray"]


def test_array_stacks_tensors() -> None:
    x = Tensor([1.0, 2.0])
    stacked = np.array([x, [3.0, 4], x * x])
    assert isinstance(stacked, Tensor)
    numpy.testing.assert_array_equal(stacked.data, [[1, 2], [3, 4], [1, 4]])
    numpy.testing.assert_array_equal(tg.gradients(stacked.sum(), x), [3.0, 5.0])
    nested = np.array([[[x[0], 0.0]], (([1, x[1]]),)])
    assert nested.shape == (2, 1, 2)
    assert np.array([x[0], 1], dtype=np.float32).dtype == np.float32


def test_array_of_a_tensor_is_a_copy() -> None:
    x = Tensor([1.0, 2.0])
    y = np.array(x)
    y[0] = 5.0
    assert x.tolist() == [1.0, 2.0]
    assert np.asarray(x) is x
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    assert np.asarray([x, x]).shape == (2, 2)


def test_without_tensors_they_are_numpys() -> None:
    assert type(np.array([1, 2])) is numpy.ndarray
    assert np.array([1.0], ndmin=2).shape == (1, 1)
    a = numpy.ones(2)
    assert np.asarray(a) is a
    assert np.asarray([1], order="F").dtype.kind == "i"


def test_errors() -> None:
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match="no option ndmin"):
        np.array([x], ndmin=2)
    with pytest.raises(ValueError, match="same shape"):
        np.array([x, [1.0]])


def test_a_program_of_autograds_readme() -> None:
    def tanh(x: Any) -> Any:
        return (1.0 - np.exp(-2 * x)) / (1.0 + np.exp(-2 * x))

    slope = grad(tanh)
    assert slope(1.0) == pytest.approx((tanh(1.0001) - tanh(0.9999)) / 0.0002, rel=1e-6)
    from_elements = tg.elementwise_grad(tg.elementwise_grad(tanh))(np.linspace(-2, 2, 5))
    expected = -2 * np.tanh(np.linspace(-2, 2, 5)) * (1 - np.tanh(np.linspace(-2, 2, 5)) ** 2)
    numpy.testing.assert_allclose(from_elements, expected, atol=1e-15)


def test_logistic_regression_as_autograd_has_it() -> None:
    inputs = np.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30]])
    targets = np.array([True, True, False])

    def loss(weights: Any) -> Any:
        predictions = 0.5 * (np.tanh(np.dot(inputs, weights) / 2.0) + 1)
        label_probabilities = predictions * targets + (1 - predictions) * (1 - targets)
        return -np.sum(np.log(label_probabilities))

    weights = np.array([0.0, 0.0, 0.0])
    before = loss(weights)
    for _ in range(100):
        weights -= grad(loss)(weights) * 0.01
    assert loss(weights) < before
