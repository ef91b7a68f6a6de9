"""Transforms in each other, closures, threads, higher orders; jacobian and hessian."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor

X = np.array([0.5, -1.5, 2.0])


def is_plain(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


# --- nesting, closures, types ---------------------------------------------------------------------


def test_perturbations_are_not_confused() -> None:
    """Siskind and Pearlmutter (2005): d/dx (x d/dy (x + y)) is 1 at y = 1, and not 2."""
    nested = tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))
    assert nested(3.0) == 1.0
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y)(x))(3.0) == 6.0
    assert tg.grad(lambda x: tg.grad(lambda y: x * y * y)(x))(3.0) == 12.0
    assert tg.grad(lambda x: x * tg.grad(lambda x: x * x)(x))(3.0) == 12.0
    assert tg.grad(lambda x: tg.grad(lambda _y: x)(2.0) + x)(3.0) == 1.0


def test_an_inner_transform_that_is_done_leaves_nothing_behind() -> None:
    """Its inputs are in the graph of its result, and are constants there."""
    slope = tg.grad(lambda a: tg.grad(lambda x: a * x**2)(0.5))
    assert type(slope(3.0)) is np.float64
    assert slope(3.0) == 1.0
    assert type(tg.grad(slope)(3.0)) is np.float64
    assert isinstance(slope(Tensor(3.0)), Tensor)
    middle = tg.grad(lambda a: tg.grad(lambda b: b**2 * tg.grad(lambda x: a * x**2)(0.5))(2.0))
    assert type(middle(3.0)) is np.float64
    assert middle(3.0) == 4.0


def test_an_inner_gradient_by_the_same_tensor() -> None:
    """The tensor itself, closed over, is a constant of the inner transform."""
    x = Tensor(3.0)
    inner = tg.grad(lambda y: x * y)(x)
    assert isinstance(inner, Tensor)
    assert float(inner) == 3.0
    assert float(tg.gradients(inner, x)) == 1.0


def test_jacobian_in_a_gradient() -> None:
    matrix = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])

    def f(x: Any) -> Any:
        return np.sum(tg.jacobian(lambda y: matrix @ (x * y**2))(x) ** 2)

    def by_hand(x: Any) -> Any:
        return np.sum((matrix * (x * 2 * x)) ** 2)

    np.testing.assert_allclose(tg.grad(f)(X), tg.grad(by_hand)(X))
    assert is_plain(tg.grad(f)(X))


def test_a_recording_argument_gives_tensors() -> None:
    x = Tensor(X)
    value, gradient = tg.value_and_grad(lambda x: np.sum(x**3))(x)
    assert isinstance(value, Tensor)
    assert isinstance(gradient, Tensor)
    np.testing.assert_array_equal(tg.gradients(value, x), 3 * X**2)
    np.testing.assert_array_equal(tg.gradients(gradient.sum(), x), 6 * X)
    for transform in (tg.jacobian, tg.hessian):
        assert isinstance(transform(lambda x: np.sum(x**3))(x), Tensor)
    number = tg.grad(lambda x: x * x)(tg.Value(3.0))
    assert isinstance(number, Tensor)
    assert float(number) == 6.0


def test_a_closed_over_tensor_gives_tensors() -> None:
    a = Tensor(2.0)
    gradient = tg.grad(lambda x: np.sum(a * x * x))(X)
    assert isinstance(gradient, Tensor)
    np.testing.assert_allclose(tg.gradients(gradient.sum(), a), 2 * X.sum())
    gradient = tg.grad(lambda x: np.sum(a.detach() * x * x))(X)
    assert type(gradient) is np.ndarray
    gradient = tg.grad(lambda x: np.sum(tg.stop_gradient({"a": a})["a"] * x * x))(X)
    assert type(gradient) is np.ndarray


def test_a_constant_tensor_gives_arrays() -> None:
    x = tg.as_tensor(X)
    value, gradient = tg.value_and_grad(lambda x: np.sum(x**2))(x)
    assert is_plain(value)
    assert is_plain(gradient)


def test_without_recording_around_it() -> None:
    """A transform records what it needs; its result has no graph then."""
    x = Tensor(X)
    with tg.no_grad():
        value, gradient = tg.value_and_grad(lambda x: np.sum(x**3))(x)
        hessian = tg.hessian(lambda x: np.sum(x**3))(x)
        out, tangent = tg.jvp(np.sin, (x,), (Tensor(X),))
        product = tg.hvp(lambda x: np.sum(x**3), x, Tensor(X))
        _, pull = tg.vjp(np.sin, x)
        pulled = pull(Tensor(X))
        assert not tg.is_grad_enabled()
    assert all(map(is_plain, (value, gradient, hessian, out, tangent, product, *pulled)))
    np.testing.assert_array_equal(gradient, 3 * X**2)
    np.testing.assert_array_equal(np.diag(hessian), 6 * X)
    np.testing.assert_allclose(product, 6 * X * X)


def test_no_grad_inside_is_a_constant() -> None:
    def f(x: Any) -> Any:
        with tg.no_grad():
            y = x * x
        return np.sum(x * y)

    np.testing.assert_array_equal(tg.grad(f)(X), X**2)


def test_an_error_leaves_the_mode_as_it_was() -> None:
    """Case 87."""

    def f(_x: Any) -> Any:
        raise KeyError("mine")

    with tg.no_grad():
        with pytest.raises(KeyError):
            tg.grad(f)(X)
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    assert tg.grad(lambda x: x * x)(2.0) == 4.0


def test_threads_are_independent() -> None:
    """Case 88."""
    barrier = threading.Barrier(4)
    results: dict[int, float] = {}

    def work(k: int) -> None:
        def f(x: Any) -> Any:
            barrier.wait()
            slope = tg.grad(lambda y: x**k * y)(x)
            barrier.wait()
            return slope

        results[k] = float(tg.grad(f)(2.0))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: k * 2.0 ** (k - 1) for k in range(1, 5)}


def test_a_thread_inside_is_inside() -> None:
    """What another thread computes from an input is differentiated all the same."""

    def f(x: Any) -> Any:
        found = []
        thread = threading.Thread(target=lambda: found.append(tg.grad(lambda y: x * y * y)(2.0)))
        thread.start()
        thread.join()
        return found[0]

    assert tg.grad(f)(3.0) == 4.0


# --- orders ---------------------------------------------------------------------------------------


def test_the_sixth_derivative() -> None:
    """Case 85, of exp(sin(x)): by Faa di Bruno's formula."""
    f: Callable[..., Any] = lambda x: np.exp(np.sin(x))  # noqa: E731
    for _ in range(6):
        f = tg.grad(f)
    x = 0.7
    s, c = math.sin(x), math.cos(x)
    # The complete Bell polynomial B6 of the derivatives of sin.
    d1, d2, d3, d4, d5, d6 = c, -s, -c, s, c, -s
    bell = (
        d6 + 6 * d1 * d5 + 15 * d2 * d4 + 15 * d1**2 * d4 + 10 * d3**2 + 60 * d1 * d2 * d3
        + 20 * d1**3 * d3 + 15 * d2**3 + 45 * d1**2 * d2**2 + 15 * d1**4 * d2 + d1**6
    )  # fmt: skip
    np.testing.assert_allclose(f(x), math.exp(s) * bell, rtol=1e-12)


def test_the_sixth_derivative_of_a_rational_function() -> None:
    f: Callable[..., Any] = lambda x: 1.0 / (1.0 - x)  # noqa: E731
    for _ in range(6):
        f = tg.elementwise_grad(f)
    x = np.array([0.0, 0.5])
    np.testing.assert_allclose(f(x), 720.0 / (1 - x) ** 7, rtol=1e-12)


def test_rule_7_at_second_order() -> None:
    """A zero residual has a Hessian, and log(x)**2 a curvature where log(x) is 0."""
    assert tg.grad(tg.grad(lambda x: np.log(x) ** 2))(1.0) == 2.0
    a, x = np.array([2.0, 3.0]), np.array([0.5, 4.0])
    hessian = tg.hessian(lambda x: np.sum((a * x - a * np.array([0.5, 4.0])) ** 2))(x)
    np.testing.assert_array_equal(hessian, np.diag(2 * a**2))
    by_a = tg.grad(tg.grad(lambda x: (2.0 * x - 3.0) ** 2))(1.5)
    assert by_a == 8.0


def test_derivatives_of_a_constant() -> None:
    """Case 85: zeros, not an exception."""
    for order in range(1, 4):
        f: Callable[..., Any] = lambda x: 3.0 * x  # noqa: E731
        for _ in range(order + 1):
            f = tg.grad(f)
        assert f(2.0) == 0.0
    np.testing.assert_array_equal(tg.hessian(lambda x: x.sum())(X), np.zeros((3, 3)))
    np.testing.assert_array_equal(tg.hvp(lambda x: x.sum(), X, X), np.zeros(3))


def test_power_at_zero() -> None:
    """Case 7."""
    assert tg.grad(tg.grad(lambda x: x**2))(0.0) == 2.0
    assert tg.grad(tg.grad(lambda x: x**3))(0.0) == 0.0
    assert tg.grad(tg.grad(tg.grad(lambda x: x**2)))(0.0) == 0.0


# --- elementwise_grad, jacobian, hessian ----------------------------------------------------------


def test_elementwise_grad() -> None:
    np.testing.assert_allclose(tg.elementwise_grad(np.tanh)(X), 1 - np.tanh(X) ** 2)
    second = tg.elementwise_grad(lambda x, y: x * y, 1)(X, 2 * X)
    np.testing.assert_array_equal(second, X)
    assert tg.elementwise_grad(np.sin)(0.0) == 1.0
    with pytest.raises(ValueError, match=r"shape \(\) for an argument of shape \(3,\).*jacobian"):
        tg.elementwise_grad(np.sum)(X)


def test_jacobian_of_an_array() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(tg.jacobian(lambda x: matrix @ x)(X), matrix)
    np.testing.assert_array_equal(tg.jacobian(lambda x: x * 2)(1.5), 2.0)
    assert type(tg.jacobian(lambda x: x * 2)(1.5)) is np.float64
    assert tg.jacobian(lambda x: np.outer(x, x))(X).shape == (3, 3, 3)
    np.testing.assert_array_equal(tg.jacobian(np.sum)(X), np.ones(3))
    np.testing.assert_array_equal(tg.jacobian(lambda _x: np.ones(2))(X), np.zeros((2, 3)))


def test_jacobian_of_nested_arguments_and_results() -> None:
    def f(t: Any, y: Any) -> Any:
        return {"a": t["x"] * y, "b": [t["x"].sum(), 1.0]}

    found = tg.jacobian(f, (0, 1))({"x": X}, 2.0)
    np.testing.assert_array_equal(found["a"][0]["x"], 2 * np.eye(3))
    np.testing.assert_array_equal(found["a"][1], X)
    np.testing.assert_array_equal(found["b"][0][0]["x"], np.ones(3))
    assert found["b"][0][1] == 0.0
    np.testing.assert_array_equal(found["b"][1][0]["x"], np.zeros(3))


def test_jacobian_of_results_of_two_dtypes() -> None:
    found = tg.jacobian(lambda x: (x.astype(np.float32), x * 2))(X)
    np.testing.assert_array_equal(found[0], np.eye(3))
    np.testing.assert_array_equal(found[1], 2 * np.eye(3))


def test_hessian_of_several_arguments() -> None:
    found = tg.hessian(lambda x, y: np.sum(x**2 * y), (0, 1))(X, 3.0)
    np.testing.assert_array_equal(found[0][0], 6 * np.eye(3))
    np.testing.assert_array_equal(found[0][1], 2 * X)
    np.testing.assert_array_equal(found[1][0], 2 * X)
    assert found[1][1] == 0.0


def test_hessian_of_rosenbrock() -> None:
    def f(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
    expected = np.diag(-400 * x[:-1], 1) + np.diag(-400 * x[:-1], -1)
    diagonal = np.full(5, 200.0)
    diagonal[0] = 1200 * x[0] ** 2 - 400 * x[1] + 2
    diagonal[-1] = 200.0
    diagonal[1:-1] = 202 + 1200 * x[1:-1] ** 2 - 400 * x[2:]
    np.testing.assert_allclose(tg.hessian(f)(x), expected + np.diag(diagonal), rtol=1e-13)


def test_argnum_everywhere() -> None:
    for transform in (tg.grad, tg.value_and_grad, tg.elementwise_grad, tg.jacobian, tg.hessian):
        transform(lambda x, y: x * y**2, argnum=1)(2.0, 3.0)
