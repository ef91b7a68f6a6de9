"""checkpoint: computed again in place of being stored."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, nn
from tensorgrad.graph import topological_order
from tensorgrad.nn.functional import dropout

X = np.array([[0.5, -1.5, 2.0], [0.1, 0.2, -0.3]])


def block(x: Any) -> Any:
    return np.tanh(np.exp(-x * x) * x) + x


def gradients_of(f: Callable[..., Any], *leaves: Tensor) -> list[Any]:
    return tg.gradients((f(*leaves) ** 2).sum(), leaves)


def test_value_and_gradient_are_those_of_the_function() -> None:
    x = Tensor(X)
    out = tg.checkpoint(block)(x)
    np.testing.assert_array_equal(out.data, block(X))
    np.testing.assert_array_equal(
        gradients_of(tg.checkpoint(block), x), gradients_of(block, Tensor(X))
    )
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, tg.grad(lambda x: block(x).sum())(X))


def test_nothing_inside_is_kept() -> None:
    held: list[Any] = []

    def f(x: Any) -> Any:
        y = np.exp(x)
        held.append(weakref.ref(y._node))
        return np.sin(y)

    out = tg.checkpoint(f)(Tensor(X))
    gc.disable()
    try:
        assert held[0]() is None
    finally:
        gc.enable()
    assert [node.op.name for node in topological_order(out._node)] == ["checkpoint"]  # type: ignore[arg-type, union-attr]


def test_it_saves_memory() -> None:
    """A chain of parts keeps one array for each."""

    def peak(f: Callable[..., Any]) -> int:
        x = Tensor(np.full(50_000, 0.1))
        gc.collect()
        tracemalloc.start()
        try:
            out = x
            for _ in range(8):
                out = f(out)
            out.sum().backward()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def part(x: Any) -> Any:
        for _ in range(8):
            x = np.sin(x) * np.exp(-x)
        return x

    assert peak(tg.checkpoint(part)) < 0.3 * peak(part)


def test_a_graph_of_checkpoints_dies_with_its_handle() -> None:
    """Case 83."""
    gc.collect()
    gc.disable()
    try:
        x = Tensor(X)
        out = tg.checkpoint(block)(tg.checkpoint(block)(x))
        node = weakref.ref(out._node)
        out.sum().backward()
        del out
        assert node() is None
    finally:
        gc.enable()


def test_gradients_of_what_is_closed_over() -> None:
    model = nn.MLP(3, [8, 2], rng=0)
    scale = Tensor(2.0)
    inner = scale * 3.0

    def f(x: Any) -> Any:
        return model(x) * inner

    x = X.astype(np.float32)
    leaves = [*model.parameters(), scale]
    expected = tg.gradients((f(x) ** 2).sum(), leaves)
    found = tg.gradients((tg.checkpoint(f)(x) ** 2).sum(), leaves)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    (tg.checkpoint(f)(x) ** 2).sum().backward()
    np.testing.assert_array_equal(scale.grad, expected[-1])


def test_a_module_is_a_function_and_an_argument() -> None:
    model = nn.MLP(3, [8, 2], rng=0)
    x = X.astype(np.float32)
    expected = tg.gradients(model(x).sum(), model.parameters())
    for out in (tg.checkpoint(model)(x), tg.checkpoint(lambda m, x: m(x))(model, x=x)):
        for one, other in zip(tg.gradients(out.sum(), model.parameters()), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_nested_arguments_and_results() -> None:
    def f(t: Any, *, k: Any) -> Any:
        return {"a": t["x"] * k, "b": [t["x"].sum(), "text", t["y"]]}

    x, y, k = Tensor(X), tg.zeros(2), Tensor(3.0)
    out = tg.checkpoint(f)({"x": x, "y": y}, k=k)
    assert out["b"][1] == "text"
    assert out["b"][2] is y
    total = (out["a"] ** 2).sum() * out["b"][0]
    found = tg.gradients(total, [x, k])
    s, q = X.sum(), 9.0 * np.sum(X * X)
    np.testing.assert_allclose(found[0], 18.0 * X * s + q)
    np.testing.assert_allclose(found[1], 6.0 * np.sum(X * X) * s)


def test_results_of_two_dtypes() -> None:
    x = Tensor(X)
    wide, narrow = tg.checkpoint(lambda x: (x * 2, x.astype(np.float32)))(x)
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    found = tg.gradients(wide.sum() + narrow.sum(), x)
    np.testing.assert_array_equal(found, np.full(X.shape, 3.0))


@pytest.mark.parametrize("f", [lambda x: x, lambda x: (x, x), lambda x: x * 0.0, lambda x: x[0, 0]])
def test_small_functions(f: Callable[..., Any]) -> None:
    def total(f: Callable[..., Any], x: Any) -> Any:
        out = f(x)
        return sum((part * X[0, 0]).sum() for part in (out if isinstance(out, tuple) else [out]))

    np.testing.assert_array_equal(
        tg.grad(lambda x: total(tg.checkpoint(f), x))(X), tg.grad(lambda x: total(f, x))(X)
    )


def test_without_anything_that_records() -> None:
    assert type(tg.checkpoint(np.sin)(X)) is np.ndarray
    with tg.no_grad():
        assert not tg.checkpoint(np.sin)(Tensor(X)).requires_grad
    out = tg.checkpoint(lambda x: x.detach())(Tensor(X))
    assert not out.requires_grad


def test_the_same_argument_twice_and_closed_over() -> None:
    """Case 74."""
    x = Tensor(X)
    out = tg.checkpoint(lambda a, b: a * b * x)(x, x)
    np.testing.assert_allclose(tg.gradients(out.sum(), x), 3 * X**2)


def test_higher_order() -> None:
    weight = Tensor([1.0, -2.0, 0.5])

    def f(x: Any) -> Any:
        return np.sum(np.sin(x @ weight) * np.exp(x[:, 0]))

    once = tg.checkpoint(f)
    x = X.copy()
    np.testing.assert_allclose(tg.hessian(once)(x).data, tg.hessian(f)(x).data, rtol=1e-13)
    np.testing.assert_allclose(tg.hvp(once, x, x).data, tg.hvp(f, x, x).data, rtol=1e-13)
    third = tg.grad(tg.grad(tg.grad(tg.checkpoint(lambda x: np.sin(x) * x))))
    np.testing.assert_allclose(third(0.7), -3 * np.sin(0.7) - 0.7 * np.cos(0.7))
    by_weight = tg.gradients(tg.grad(once)(x).sum(), weight)
    np.testing.assert_allclose(by_weight, tg.gradients(tg.grad(f)(x).sum(), weight))
    tg.check_grads(once, X, order=2)


def test_a_checkpoint_in_a_checkpoint() -> None:
    weight = Tensor(2.0)
    inside = tg.checkpoint(lambda x: np.sin(x * weight))
    outside = tg.checkpoint(lambda x: inside(inside(x)) * weight)
    x = Tensor(X)
    found = tg.gradients(outside(x).sum(), [x, weight])
    expected = tg.gradients((np.sin(np.sin(x * weight) * weight) * weight).sum(), [x, weight])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_dropout_draws_the_same_mask() -> None:
    x = Tensor(np.ones(1000))
    tg.manual_seed(3)
    plain = dropout(x * 1.0, 0.5)
    after = tg.rand(1).item()
    tg.manual_seed(3)
    out = tg.checkpoint(lambda x: dropout(x * 1.0, 0.5))(x)
    np.testing.assert_array_equal(out.data, plain.data)
    found = tg.gradients((out * out).sum(), x)
    np.testing.assert_array_equal(found, 2 * out.data * (out.data > 0) * 2)
    assert tg.rand(1).item() == after


def test_a_generator_of_its_own_is_found() -> None:
    x = Tensor(np.ones(1000))
    rng = np.random.default_rng(0)
    out = tg.checkpoint(lambda x: dropout(x, 0.5, rng=rng))(x)
    with pytest.raises(RuntimeError, match="generator of its own"):
        out.sum().backward()


def test_a_leaf_that_changed_is_found() -> None:
    """Case 62b, also by less than any tolerance; an argument as well."""
    weight, x = Tensor([2.0], label="weight"), Tensor([3.0])
    for leaf in (weight, x):
        out = tg.checkpoint(lambda x: np.sin(x * weight))(x)
        leaf.data = leaf.data + 1e-12
        with pytest.raises(RuntimeError, match=r"checkpoint recorded a tensor.*changed since"):
            out.sum().backward()


def test_an_array_that_changed_is_found() -> None:
    data, x = np.ones(3), Tensor([1.0, 2.0, 3.0])
    closed, given = tg.checkpoint(lambda x: x * data)(x), tg.checkpoint(np.multiply)(x, data)
    data += 1.0
    for out in (closed, given):
        with pytest.raises(RuntimeError, match="gave another result"):
            out.sum().backward()


def test_the_variable_of_a_loop_is_found() -> None:
    """A closure sees the last weight when it runs again."""
    weights = [Tensor(np.eye(3) * k) for k in (2.0, 3.0)]
    h = Tensor(X)
    for weight in weights:
        h = tg.checkpoint(lambda h: h @ weight)(h)  # noqa: B023 - what is tested
    with pytest.raises(RuntimeError, match="variable of a loop"):
        h.sum().backward()


def test_assigning_to_an_argument_is_refused() -> None:
    def f(x: Any) -> Any:
        x[0] = 0.0
        return x

    with pytest.raises(RuntimeError, match="f assigns to its argument"):
        tg.checkpoint(f)(Tensor(X) * 1.0)

    def g(x: Any) -> Any:
        y = x.copy()
        y[0] = 0.0
        return y * y

    np.testing.assert_array_equal(
        tg.grad(lambda x: tg.checkpoint(g)(x).sum())(X), [[0, 0, 0], 2 * X[1]]
    )


def test_an_assignment_after_it_is_its_own() -> None:
    """Case 61: what is computed again is what was read then."""
    y = Tensor(X) * 1.0
    out = tg.checkpoint(lambda y: y * y)(y)
    y[0] = 0.0
    np.testing.assert_array_equal(tg.gradients(out.sum(), out), np.ones(X.shape))
    x = Tensor(X)
    y = x * 1.0
    out = tg.checkpoint(lambda y: y * y)(y)
    y[0] = 0.0
    np.testing.assert_array_equal(tg.gradients(out.sum(), x), 2 * X)


def test_nan_is_no_other_result() -> None:
    x = Tensor([np.nan, 1.0, np.inf])
    out = tg.checkpoint(lambda x: x * 2.0)(x)
    np.testing.assert_array_equal(tg.gradients(out.sum(), x), [2.0, 2.0, 2.0])


def test_the_strong_zero_inside() -> None:
    """Rule 7, case 21."""
    x = Tensor([0.0, 4.0])
    out = tg.checkpoint(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(x)
    np.testing.assert_array_equal(tg.gradients(out.sum(), x), [0.0, 0.25])


def test_complex_numbers() -> None:
    """Case 72."""
    z = Tensor(np.array([3.0 + 4.0j]))
    out = tg.checkpoint(lambda z: z * z)(z)
    np.testing.assert_allclose(
        tg.gradients(np.abs(out).sum(), z), tg.gradients(np.abs(z * z).sum(), z)
    )


def test_jacobian_through_it() -> None:
    np.testing.assert_allclose(tg.jacobian(tg.checkpoint(block))(X[0]), tg.jacobian(block)(X[0]))


def test_it_shows_its_value_to_a_drawing() -> None:
    """What nobody held is computed again when somebody looks."""
    x = Tensor(X)
    out = tg.checkpoint(np.sin)(x).sum()
    (found,) = out._prev
    np.testing.assert_array_equal(found.data, np.sin(X))


def test_values_stay_values() -> None:
    a = tg.Value(2.0)
    out = tg.checkpoint(lambda a: a * a)(a)
    assert type(out) is tg.Value
    out.backward()
    assert a.grad == 4.0
