"""custom_vjp and finite_differences: ops of a user's own."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.viz import draw_dot

X = np.array([0.5, -1.5, 2.0])


@tg.custom_vjp
def softsign(x: Any, *, scale: float = 1.0) -> Any:
    """Squash."""
    return np.divide(x, scale + np.abs(x))


softsign.defvjp(lambda g, _out, x, *, scale=1.0: g * scale / np.square(scale + np.abs(x)))


@tg.custom_vjp
def blend(x: Any, y: Any, labels: Any) -> Any:
    return x * y[labels]


blend.defvjp(
    lambda g, _out, _x, y, labels: g * y[labels],
    lambda g, _out, x, _y, labels: np.stack([np.sum(g * x * (labels == i)) for i in range(2)]),
    None,
)
LABELS = np.array([0, 1, 1])


# --- custom_vjp -----------------------------------------------------------------------------------


def test_value_gradient_and_parameters() -> None:
    x = Tensor(X)
    out = softsign(x, scale=2.0)
    np.testing.assert_array_equal(out.data, X / (2.0 + np.abs(X)))
    np.testing.assert_allclose(tg.gradients(out.sum(), x), 2.0 / (2.0 + np.abs(X)) ** 2)
    assert out.grad_fn == "softsign"
    assert softsign.__doc__ == "Squash."
    assert softsign.__name__ == "softsign"
    assert repr(softsign) == "<custom_vjp softsign>"


def test_arrays_give_arrays() -> None:
    assert type(softsign(X)) is np.ndarray


def test_any_order() -> None:
    """Case 85: a rule of NumPy functions records itself."""
    tg.check_grads(softsign, X, order=3)
    tg.check_grads(lambda x, y: blend(x, y, LABELS), X, [2.0, -1.0], order=2)
    np.testing.assert_allclose(
        np.diag(tg.hessian(lambda x: softsign(x).sum())(X)),
        -2 * np.sign(X) / (1 + np.abs(X)) ** 3,
    )


def test_a_rule_may_call_the_function_itself() -> None:
    @tg.custom_vjp
    def exponential(x: Any) -> Any:
        return np.exp(x)

    exponential.defvjp(lambda g, _out, x: g * exponential(x))
    third = tg.grad(tg.grad(tg.grad(exponential)))(0.3)
    np.testing.assert_allclose(third, math.exp(0.3))


def test_what_is_not_read_is_not_kept() -> None:
    seen = []
    double = tg.custom_vjp(lambda x: x * 2.0)
    double.defvjp(lambda g, _out, _x: seen.append(_x) or 2.0 * g)  # type: ignore[func-returns-value]
    tg.grad(lambda x: double(x).sum())(X)
    assert not isinstance(seen[0], np.ndarray)
    assert seen[0].shape == (3,)


def test_a_number_is_an_array() -> None:
    root = tg.custom_vjp(lambda x: math.sqrt(x))
    root.defvjp(lambda g, out, _x: 0.5 * g / out)
    assert tg.grad(root)(4.0) == 0.25


def test_through_other_transforms() -> None:
    np.testing.assert_allclose(tg.jacobian(softsign)(X), np.diag(1 / (1 + np.abs(X)) ** 2))
    np.testing.assert_allclose(tg.jvp(softsign, (X,), (X,))[1], X / (1 + np.abs(X)) ** 2)
    np.testing.assert_allclose(
        tg.grad(lambda x: tg.checkpoint(softsign)(x).sum())(X), 1 / (1 + np.abs(X)) ** 2
    )


def returning(value: Any) -> Any:
    """Return an op whose rule returns that."""
    made = tg.custom_vjp(lambda x: x * 2.0)
    made.name = "mine"
    return made.defvjp(lambda _g, _out, _x: value)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.ones(2), ValueError, r"rule of mine returned a gradient of shape \(2,\).*\(3,\)"),
        (np.ones(()), ValueError, r"rule of mine.*shape \(\)"),
        (np.ones((1, 3)), ValueError, "rule of mine"),
        (None, TypeError, "rule of mine returned NoneType"),
        ([1.0, 2.0, 3.0], TypeError, "rule of mine returned list"),
        ((X, X), TypeError, "rule of mine returned tuple"),
        (np.array([1, 2, 3]), TypeError, "rule of mine returned an array of dtype int64"),
        (np.array([True, False, True]), TypeError, "rule of mine.*bool"),
        (np.array(["a", "b", "c"]), TypeError, "rule of mine.*U1"),
    ],
)
def test_a_wrong_rule_is_named(value: Any, error: type[Exception], message: str) -> None:
    """Case 86; and the engine goes on to work."""
    with pytest.raises(error, match=message):
        tg.grad(lambda x: returning(value)(x).sum())(X)
    assert tg.grad(lambda x: x * x)(1.0) == 2.0


def test_a_gradient_has_its_inputs_dtype() -> None:
    """Rule 9."""
    gradient = tg.grad(lambda x: returning(np.ones(3))(x).sum())(X.astype(np.float32))
    assert gradient.dtype == np.float32


def test_a_wrong_result_is_named() -> None:
    for value, message in [
        ((X, X), "returned tuple"),
        ([1.0], "returned list"),
        (None, "returned NoneType"),
        (Tensor(X), "returned a Tensor"),
    ]:
        bad = tg.custom_vjp(_constant(value)).defvjp(lambda g, _out, _x: g)
        with pytest.raises(TypeError, match=f"constant {message}"):
            bad(Tensor(X))


def _constant(value: Any) -> Callable[..., Any]:
    def constant(_x: Any) -> Any:
        return value

    return constant


def test_rules_are_counted() -> None:
    """Case 86."""
    f = tg.custom_vjp(lambda x, y: x * y)
    rule = lambda g, _out, _x, y: g * y  # noqa: E731
    for rules in [(), (rule,), (rule, None, None)]:
        with pytest.raises(TypeError, match=f"takes 2 positional.*given {len(rules)} rules"):
            f.defvjp(*rules)
    with pytest.raises(TypeError, match=r"rule 1 of .*takes 3 positional arguments; expected 4"):
        f.defvjp(rule, lambda g, _out, x: g * x)
    many = tg.custom_vjp(lambda *xs: sum(xs))
    many.defvjp(*[lambda g, _out, *_xs: g] * 2)
    assert tg.grad(lambda x: many(x, 2 * x).sum())(X).tolist() == [3.0, 3.0, 3.0]
    with pytest.raises(TypeError, match="3 positional arguments and has rules for 2"):
        many(Tensor(X), X, X)


def test_wrong_calls() -> None:
    with pytest.raises(TypeError, match="has no rules yet"):
        tg.custom_vjp(np.sin)(Tensor(X))
    np.testing.assert_array_equal(tg.custom_vjp(np.sin)(X), np.sin(X))
    with pytest.raises(TypeError, match="tensor scale by keyword"):
        softsign(X, scale=Tensor(2.0))
    with pytest.raises(TypeError, match="custom_vjp takes the function itself"):
        tg.custom_vjp(3.0)  # type: ignore[arg-type]


def test_an_error_in_a_rule_is_handed_on() -> None:
    def rule(_g: Any, _out: Any, _x: Any) -> Any:
        raise KeyError("mine")

    bad = tg.custom_vjp(lambda x: x * 1.0).defvjp(rule)
    with pytest.raises(KeyError, match="mine"):
        tg.grad(lambda x: bad(x).sum())(X)


# --- finite_differences ---------------------------------------------------------------------------

erf = tg.finite_differences(np.vectorize(math.erf, otypes=[float]), name="erf")


def density(x: Any) -> Any:
    return 2 / math.sqrt(math.pi) * np.exp(-np.square(x))


def test_black_box() -> None:
    x = Tensor(X)
    out = erf(x)
    np.testing.assert_array_equal(out.data, [math.erf(v) for v in X])
    np.testing.assert_allclose(tg.gradients(out.sum(), x), density(X), rtol=1e-9)
    assert tg.grad(lambda x: np.square(erf(x)))(0.5) == pytest.approx(
        2 * math.erf(0.5) * density(0.5), rel=1e-9
    )


def test_several_inputs_of_several_shapes() -> None:
    def solve(matrix: Any, right: Any) -> Any:
        assert type(matrix) is np.ndarray
        assert type(right) is np.ndarray
        return np.linalg.solve(matrix, right)

    black_box = tg.finite_differences(solve)
    rng = np.random.default_rng(0)
    matrix, right, w = rng.standard_normal((3, 3)) + 4 * np.eye(3), X, rng.standard_normal(3)
    by_matrix, by_right = tg.grad(lambda m, r: black_box(m, r) @ w, (0, 1))(matrix, right)
    adjoint = np.linalg.solve(matrix.T, w)
    np.testing.assert_allclose(by_right, adjoint, rtol=1e-8)
    np.testing.assert_allclose(
        by_matrix, -np.outer(adjoint, np.linalg.solve(matrix, right)), rtol=1e-8
    )
    np.testing.assert_allclose(
        tg.grad(lambda r: black_box(matrix, r) @ w)(right), adjoint, rtol=1e-8
    )


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
def test_any_shape(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.5)
    black_box = tg.finite_differences(lambda x: np.sum(x**3))
    np.testing.assert_allclose(tg.grad(black_box)(x), 3 * x**2, rtol=1e-8)


def test_single_precision() -> None:
    x = X.astype(np.float32)
    gradient = tg.grad(lambda x: tg.finite_differences(np.tanh)(x).sum())(x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 1 - np.tanh(x) ** 2, rtol=2e-3, atol=1e-4)


def test_the_inputs_are_safe() -> None:
    """The function may write into what it is given."""

    def f(x: Any) -> Any:
        x *= 2.0
        return x

    x = X.copy()
    np.testing.assert_allclose(tg.grad(lambda x: tg.finite_differences(f)(x).sum())(x), 2.0)
    np.testing.assert_array_equal(x, X)


def test_jvp_and_jacobian() -> None:
    np.testing.assert_allclose(tg.jvp(erf, (X,), (X,))[1], X * density(X), rtol=1e-9)
    np.testing.assert_allclose(tg.jacobian(erf)(X), np.diag(density(X)), rtol=1e-9, atol=1e-12)


def test_the_second_derivative_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"second derivative of erf.*custom_vjp"):
        tg.hessian(lambda x: erf(x).sum())(X)
    with pytest.raises(NotImplementedError, match="second derivative of erf"):
        tg.hvp(lambda x: erf(x).sum(), X, X)
    # By what it is not a function of, it is known.
    slope = tg.grad(tg.grad(lambda a: tg.grad(lambda x: a**2 * erf(x))(0.5)))(3.0)
    np.testing.assert_allclose(slope, 2 * density(0.5), rtol=1e-9)


def test_the_name_says_so() -> None:
    def flow(x: Any) -> Any:
        return x * 2

    out = tg.finite_differences(flow)(Tensor(X))
    assert out.grad_fn == "flow (finite differences)"
    assert "flow (finite differences)" in draw_dot(out).source
    assert erf(Tensor(X)).grad_fn == "erf"


def test_the_step() -> None:
    coarse = tg.finite_differences(lambda x: x**3, step=0.1)
    np.testing.assert_allclose(tg.grad(coarse)(0.5), 0.75 + 0.01)
    np.testing.assert_allclose(tg.grad(coarse)(10.0), 300.0 + 1.0)
    for step in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="step is"):
            tg.finite_differences(np.sin, step=step)


@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        (lambda x: Tensor(x), X, "returned a Tensor"),
        (lambda x: x * 1j, X, "returned dtype complex128"),
        (lambda x: np.argmax(x), X, "returned dtype int64"),
        (lambda x: np.abs(x), X * 1j, "was given dtype complex128"),
    ],
)
def test_wrong_functions(f: Callable[..., Any], x: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        tg.finite_differences(f)(Tensor(x))


def test_a_tensor_that_does_not_record() -> None:
    assert not erf(tg.as_tensor(X)).requires_grad
    np.testing.assert_array_equal(erf(X), erf(tg.as_tensor(X)).data)


def test_tensors_with_them_are_pickled_as_leaves() -> None:
    """Case 97: the graph is not."""
    with pytest.raises(TypeError, match="result of erf"):
        pickle.dumps(erf(Tensor(X)))
