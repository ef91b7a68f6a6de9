"""vjp, jvp and hvp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import ONE_OF_EACH
from tensorgrad import Tensor, nn

X = np.array([0.5, -1.5, 2.0])
V = np.array([1.0, 10.0, -2.0])


def inner(a: Any, b: Any) -> float:
    """Return the real inner product of two results."""
    return float(np.sum(np.conj(a) * b).real)


# --- vjp ------------------------------------------------------------------------------------------


def test_vjp() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    out, pull = tg.vjp(lambda m, x: m @ x, matrix, X)
    assert type(out) is np.ndarray
    np.testing.assert_array_equal(out, matrix @ X)
    u = np.array([1.0, -1.0])
    by_matrix, by_x = pull(u)
    np.testing.assert_array_equal(by_matrix, np.outer(u, X))
    np.testing.assert_array_equal(by_x, matrix.T @ u)
    np.testing.assert_array_equal(pull([2, -2])[1], 2 * by_x)


def test_vjp_is_safe_from_what_is_written_meanwhile() -> None:
    """Case 63: to the arguments, to the value, and to what it gave before."""
    x = X.copy()
    out, pull = tg.vjp(lambda x: np.exp(x) * x, x)
    (first,) = pull(V)
    expected = first.copy()
    x[:] = 0.0
    out[:] = 0.0
    first[:] = 0.0
    np.testing.assert_array_equal(pull(V)[0], expected)
    leaf = Tensor(X)
    _, pull = tg.vjp(np.square, leaf)
    leaf.data = np.zeros(3)
    with pytest.raises(RuntimeError, match="changed since"):
        pull(V)


def test_vjp_of_nested_results() -> None:
    out, pull = tg.vjp(lambda t: {"s": t["x"].sum(), "l": [t["x"] * 2, 1.0]}, {"x": X})
    assert type(out["s"]) is np.float64
    assert out["l"][1] == 1.0
    (gradient,) = pull({"s": 3.0, "l": (V, 5.0)})
    np.testing.assert_array_equal(gradient["x"], 3.0 + 2 * V)


def test_vjp_of_results_of_two_dtypes() -> None:
    x = X.astype(np.float32)
    _, pull = tg.vjp(lambda x: (x, x.astype(np.float64)), x)
    (gradient,) = pull((V, V))
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, 2 * V)


def test_vjp_by_a_recording_cotangent() -> None:
    u = Tensor(V)
    _, pull = tg.vjp(np.sin, X)
    (gradient,) = pull(u)
    np.testing.assert_allclose(tg.gradients(gradient.sum(), u), np.cos(X))
    assert type(pull(V)[0]) is np.ndarray


def test_vjp_of_a_module() -> None:
    model = nn.Linear(2, 3, rng=0)
    out, pull = tg.vjp(lambda m: m(np.ones(2, np.float32)), model)
    (gradient,) = pull(np.ones(3))
    assert type(out) is np.ndarray
    np.testing.assert_array_equal(gradient["bias"], np.ones(3))
    np.testing.assert_array_equal(gradient["weight"], np.ones((3, 2)))


# --- jvp ------------------------------------------------------------------------------------------


def test_jvp() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    out, tangent = tg.jvp(lambda m, x: m @ x, (matrix, X), (np.ones((2, 3)), V))
    np.testing.assert_array_equal(out, matrix @ X)
    np.testing.assert_allclose(tangent, matrix @ V + np.sum(X))
    assert type(tangent) is np.ndarray
    out, tangent = tg.jvp(lambda x: x**3, (2.0,), (1.0,))
    assert (out, tangent) == (8.0, 12.0)
    assert type(tangent) is np.float64


def test_jvp_of_nested_arguments_and_results() -> None:
    out, tangent = tg.jvp(
        lambda t: (t["x"] * t["y"], [t["x"].sum(), 1.0]),
        ({"x": X, "y": 2.0},),
        ({"x": V, "y": 1.0},),
    )
    np.testing.assert_allclose(out[0], 2 * X)
    np.testing.assert_allclose(tangent[0], 2 * V + X)
    np.testing.assert_allclose(tangent[1][0], V.sum())
    assert tangent[1][1] == 0.0


def test_jvp_by_a_module() -> None:
    model = nn.Linear(2, 1, rng=0)
    x = np.array([3.0, 4.0], np.float32)
    direction = {"weight": np.array([[1.0, 0.0]]), "bias": np.array([10.0])}
    _, tangent = tg.jvp(lambda m: m(x), (model,), (direction,))
    np.testing.assert_allclose(tangent, [13.0])


def test_jvp_where_the_slope_is_infinite() -> None:
    """Rule 7 must not touch what is linear in the cotangent; case 8."""
    _, tangent = tg.jvp(np.sqrt, (np.array([0.0, 4.0]),), (np.ones(2),))
    np.testing.assert_array_equal(tangent, [np.inf, 0.25])
    _, tangent = tg.jvp(lambda x: np.sum((x - X) ** 2), (X,), (V,))
    assert tangent == 0.0


def test_jvp_of_what_does_not_depend() -> None:
    out, tangent = tg.jvp(lambda _x: np.ones(2), (X,), (V,))
    np.testing.assert_array_equal(out, np.ones(2))
    np.testing.assert_array_equal(tangent, np.zeros(2))


def test_jvp_is_differentiable() -> None:
    x = Tensor(X)
    _, tangent = tg.jvp(lambda x: x**3, (x,), (V,))
    np.testing.assert_allclose(tg.gradients(tangent.sum(), x), 6 * X * V)
    v = Tensor(V)
    _, tangent = tg.jvp(lambda x: x**3, (X,), (v,))
    np.testing.assert_allclose(tg.gradients(tangent.sum(), v), 3 * X**2)
    nested = tg.grad(lambda x: tg.jvp(np.sin, (x,), (x,))[1].sum())(X)
    np.testing.assert_allclose(nested, np.cos(X) - X * np.sin(X))
    assert type(nested) is np.ndarray
    second = tg.jvp(lambda x: tg.jvp(np.sin, (x,), (np.ones(3),))[1], (X,), (np.ones(3),))[1]
    np.testing.assert_allclose(second, -np.sin(X))


HOLOMORPHIC = [case for case in ONE_OF_EACH if case.order >= 2]


@pytest.mark.parametrize("case", HOLOMORPHIC, ids=lambda case: case.name)
def test_jvp_and_vjp_are_adjoint(case: Case) -> None:
    """`<u, J v> = <J^T u, v>` for every op, and `J v` from the double reverse pass itself."""
    rng = np.random.default_rng(2)
    xs = case.draw()
    out, pull = tg.vjp(lambda *xs: case.function(*xs, *case.data), *xs)
    vs = [drawn(rng, x) for x in xs]
    u = drawn(rng, out)
    _, tangent = tg.jvp(lambda *xs: case.function(*xs, *case.data), xs, vs)
    assert np.shape(tangent) == np.shape(out)
    left = inner(u, tangent)
    right = sum(inner(gradient, v) for gradient, v in zip(pull(u), vs, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)


def drawn(rng: np.random.Generator, like: Any) -> Any:
    """Draw an array of a shape and dtype."""
    array = rng.standard_normal(np.shape(like))
    if np.iscomplexobj(like):
        array = array + 1j * rng.standard_normal(np.shape(like))
    return np.asarray(array).astype(np.asarray(like).dtype)


# --- hvp ------------------------------------------------------------------------------------------

W = np.random.default_rng(3).standard_normal((3, 4))
LABELS = np.array([1, 0, 1, 3])


def _linalg(x: Any) -> Any:
    matrix = x @ x.T + 4 * np.eye(2)
    return np.sum(np.linalg.inv(matrix)) + np.linalg.slogdet(matrix)[1] + np.linalg.norm(x)


def _fft(x: Any) -> Any:
    return np.sum(np.abs(np.fft.rfft(x)) ** 3) + np.sum(np.fft.ifft(np.fft.fft(x) ** 2).real ** 2)


FUNCTIONS: list[tuple[str, Callable[[Any], Any]]] = [
    ("softmax", lambda x: np.sum(tg.softmax(x) ** 3)),
    ("cross entropy", lambda x: nn.cross_entropy(x @ W, LABELS[:2])),
    ("cross entropy and linear", lambda x: nn.cross_entropy(np.tanh(x @ W), LABELS[:2])),
    ("indexing", lambda x: np.sum(x[[0, 0, 1], [1, 1, 2]] ** 3 * x[0, ::-1])),
    ("assignment", lambda x: _assigned(x).sum()),
    ("reductions", lambda x: np.std(x) * np.prod(x) + np.max(x) ** 3 + np.mean(x, axis=0)[0] ** 2),
    ("linalg", _linalg),
    ("fft", _fft),
    ("einsum", lambda x: np.einsum("ij,jk,ik->", x, W, np.sin(x) @ W)),
    ("checkpoint", lambda x: np.sum(tg.checkpoint(lambda x: np.tanh(x) @ W)(x) ** 3)),
]


def _assigned(x: Any) -> Any:
    y = x**3
    y[0] = y[1] * x[0]
    y[1, 1:] *= x[0, 1:]
    return y


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in FUNCTIONS])
def test_hvp(f: Callable[[Any], Any]) -> None:
    """Case 85: the Hessian times a vector, the Hessian itself, and differences of the gradient."""
    rng = np.random.default_rng(5)
    x, v = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    product = tg.hvp(f, x, v)
    assert type(product) is np.ndarray
    h = 1e-6
    differences = (tg.grad(f)(x + h * v) - tg.grad(f)(x - h * v)) / (2 * h)
    np.testing.assert_allclose(product, differences, rtol=1e-6, atol=1e-7)
    hessian = tg.hessian(f)(x)
    np.testing.assert_allclose(np.tensordot(hessian, v, 2), product, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(hessian, np.transpose(hessian, (2, 3, 0, 1)), rtol=1e-9, atol=1e-11)
    _, tangent = tg.jvp(tg.grad(f), (x,), (v,))
    np.testing.assert_allclose(tangent, product, rtol=1e-10, atol=1e-11)


def test_hvp_of_nested_arguments() -> None:
    product = tg.hvp(lambda t: np.sum(t[0] ** 2 * t[1]["y"]), (X, {"y": 3.0}), (V, {"y": 1.0}))
    assert type(product) is tuple
    np.testing.assert_allclose(product[0], 6 * V + 2 * X)
    np.testing.assert_allclose(product[1]["y"], 2 * X @ V)


def test_hvp_of_a_module() -> None:
    model = nn.Linear(2, 1, bias=False, rng=0)
    x = np.array([[1.0, 2.0]], np.float32)
    product = tg.hvp(lambda m: (m(x) ** 2).sum(), model, {"weight": np.array([[1.0, 0.0]])})
    np.testing.assert_allclose(product["weight"], [[2.0, 4.0]])


def test_hvp_at_a_recording_tensor() -> None:
    x = Tensor(X)
    product = tg.hvp(lambda x: np.sum(x**4), x, V)
    assert isinstance(product, Tensor)
    np.testing.assert_allclose(tg.gradients(product.sum(), x), 24 * X * V)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.vjp(np.sin, X)[1](1.0), ValueError, r"cotangent has shape \(\); expected"),
        (lambda: tg.vjp(np.sin, X)[1](X[:1]), ValueError, r"shape \(1,\); expected exactly \(3,\)"),
        (lambda: tg.vjp(np.sin, X)[1](X * 1j), TypeError, "complex128; expected float64"),
        (lambda: tg.vjp(lambda x: (x, x), X)[1](X), TypeError, "a ndarray; expected a tuple of 2"),
        (lambda: tg.vjp(lambda x: {"a": x}, X)[1]({"b": X}), TypeError, r"keys \['b'\]; expected"),
        (lambda: tg.vjp(lambda x: {"a": x}, X)[1](X), TypeError, "has ndarray; expected a dict"),
        (lambda: tg.vjp(lambda _x: [], X), TypeError, r"returned \[\]"),
        (lambda: tg.vjp(lambda x: [x, "s"], X), TypeError, r"\[1\] is a str"),
        (lambda: tg.vjp(3.0), TypeError, "the function itself"),
        (lambda: tg.vjp(np.sin, np.arange(3)), TypeError, "int64"),
        (lambda: tg.jvp(np.sin, X, V), TypeError, "tuples of primals"),
        (lambda: tg.jvp(np.sin, (X,), (V[:2],)), ValueError, r"tangents\[0\] has shape \(2,\)"),
        (lambda: tg.jvp(np.sin, (X,), (V, V)), TypeError, "tangents is a tuple of 2; expected"),
        (lambda: tg.hvp(np.sin, X, V), ValueError, "single number"),
        (lambda: tg.hvp(np.sum, X, 1.0), ValueError, r"v has shape \(\)"),
        (lambda: tg.hvp(np.sum, X, "v"), TypeError, "v has dtype"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# --- autograd's names -----------------------------------------------------------------------------


def test_make_vjp_and_make_jvp() -> None:
    pull, out = tg.make_vjp(lambda x, y: x * y, 1)(X, 2 * X)
    np.testing.assert_array_equal(out, 2 * X * X)
    np.testing.assert_array_equal(pull(V), X * V)
    out, tangent = tg.make_jvp(lambda x, y: x * y)(X, 2 * X)(V)
    np.testing.assert_array_equal(out, 2 * X * X)
    np.testing.assert_array_equal(tangent, 2 * X * V)
    with pytest.raises(TypeError, match="one argnum"):
        tg.make_vjp(np.sin, (0, 1))  # type: ignore[arg-type]
