"""Sections A and B of docs/semantics.md: values at the edges, shapes and broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor

nan, inf = np.nan, np.inf


def grad(f: Callable[..., Tensor], *points: Any) -> Any:
    """Return the gradients of sum(f) at the points, NumPy's warnings of the forward aside."""
    tensors = [Tensor(np.array(p, dtype=float)) for p in points]
    with np.errstate(all="ignore"):
        f(*tensors).sum().backward()
    grads = [t.grad for t in tensors]
    return grads[0] if len(grads) == 1 else grads


def nth(f: Callable[[Tensor], Tensor], point: float, order: int) -> float:
    """Return the derivative of an order at a point."""
    x = Tensor(float(point))
    y = f(x)
    for _ in range(order):
        y = tg.gradients(y, x, create_graph=True, allow_unused=True)
    return float(y)


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        pytest.param(lambda x: x**0, [0, -1, 2], [0, 0, 0], id="case 1"),
        pytest.param(lambda x: np.power(x, 0), [0, -1, 2], [0, 0, 0], id="case 1, ufunc"),
        pytest.param(lambda x: x**1, [0, -3], [1, 1], id="case 2, 1"),
        pytest.param(lambda x: x**2, [0, -3], [0, -6], id="case 2, 2"),
        pytest.param(lambda x: x**3, [0, -3], [0, 27], id="case 2, 3"),
        pytest.param(lambda x: x**0.5, [0.0], [inf], id="case 3, 0.5"),
        pytest.param(lambda x: np.power(x, 0.5), [0.0], [inf], id="case 3, 0.5, ufunc"),
        pytest.param(lambda x: x**-1.0, [0.0], [-inf], id="case 3, -1"),
        pytest.param(lambda x: 0.0**x, [0, 2], [0, 0], id="case 6"),
        pytest.param(lambda x: 2.0**x, [0], [np.log(2)], id="case 6, 2**0"),
        pytest.param(np.sqrt, [0.0], [inf], id="case 8, sqrt"),
        pytest.param(np.log, [0.0], [inf], id="case 8, log"),
        pytest.param(np.abs, [0.0, -0.0, -2.0], [0, 0, -1], id="case 9, abs"),
        pytest.param(np.sign, [0.0, 2.0], [0, 0], id="case 9, sign"),
        pytest.param(tg.relu, [0.0, -1, 1], [0, 0, 1], id="case 13, relu"),
        pytest.param(lambda x: np.maximum(x, 0.0), [0.0, -1, 1], [0, 0, 1], id="case 13"),
        pytest.param(lambda x: np.maximum(0, x), [0.0, -1, 1], [0, 0, 1], id="case 13, reflected"),
        pytest.param(lambda x: np.maximum(x, np.zeros(2)), [0.0, 1], [0.5, 1], id="case 13, array"),
        pytest.param(np.max, [3, 3, 1], [0.5, 0.5, 0], id="case 14"),
        pytest.param(np.min, [1, 3, 1], [0.5, 0, 0.5], id="case 14, min"),
        pytest.param(
            lambda x: np.max(x, axis=1), [[1, 1], [2, 3]], [[0.5, 0.5], [0, 1]], id="case 14, axis"
        ),
        pytest.param(np.max, [nan, 3, 1], [1, 0, 0], id="case 16"),
        pytest.param(lambda x: np.clip(x, 0, 1), [0, 1, -1, 2, 0.5], [1, 1, 0, 0, 1], id="case 19"),
        pytest.param(lambda x: np.clip(x, 1, 0), [-1, 0, 0.5, 1, 2], [0] * 5, id="case 20"),
        pytest.param(
            lambda x: np.where(x > 0, np.log(x), 0), [0.0, 2.0], [0, 0.5], id="case 21, log"
        ),
        pytest.param(
            lambda x: np.where(x > 0, np.sqrt(x), 0), [0.0, 4.0], [0, 0.25], id="case 21, sqrt"
        ),
        pytest.param(np.log1p, [1e-20], [1], id="case 23, log1p"),
        pytest.param(np.expm1, [1e-20, 800], [1, inf], id="case 23, expm1"),
        pytest.param(tg.logsumexp, [-inf, -inf], [0, 0], id="case 26"),
        pytest.param(tg.logsumexp, [-inf, 0], [0, 1], id="case 26, one"),
        pytest.param(tg.logsumexp, [1000, 1000], [0.5, 0.5], id="case 26, large"),
        pytest.param(np.prod, [0, 2, 3], [6, 0, 0], id="case 30"),
        pytest.param(np.prod, [0, 0, 3], [0, 0, 0], id="case 30, two zeros"),
        pytest.param(
            lambda x: np.prod(x, axis=(0, 1)),
            [[0, 2], [3, 4]],
            [[24, 0], [0, 0]],
            id="case 30, axes",
        ),
        pytest.param(np.var, [0.1, 0.1, 0.1, 0.1], [0] * 4, id="case 32, var"),
        pytest.param(np.std, [2.0, 2.0, 2.0], [0] * 3, id="case 32, std"),
        pytest.param(np.std, [0.1, 0.1, 0.1], [0] * 3, id="case 32, std of a rounded mean"),
        pytest.param(lambda x: x ** np.array([True, False]), [2.0, 2.0], [1, 0], id="x**bool"),
        pytest.param(lambda x: np.sum(x, axis=0), 2.0, 1, id="axis 0 of 0-d"),
        pytest.param(lambda x: np.prod(x, axis=-1), 2.0, 1, id="axis -1 of 0-d"),
        pytest.param(lambda x: np.var(x, ddof=1), [1, 2, 4], [-4 / 3, -1 / 3, 5 / 3], id="case 33"),
        pytest.param(np.arcsin, [1.0], [inf], id="case 34"),
    ],
)
def test_gradient_at_an_edge(f: Any, x: Any, expected: Any) -> None:
    np.testing.assert_allclose(grad(f, x), expected, rtol=1e-12, atol=0)


def test_case_3_power_of_a_negative_base_is_nan() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan((Tensor(-1.0) ** 0.5).data)


@pytest.mark.parametrize(
    ("x", "y", "dx", "dy"),
    [
        pytest.param(0.0, 0.0, 0, 0, id="case 4"),
        pytest.param(0.0, 2.0, 0, 0, id="case 4, 0**2"),
        pytest.param(-2.0, 3.0, 12, nan, id="case 5"),
    ],
)
def test_power_of_two_tensors(x: float, y: float, dx: float, dy: float) -> None:
    assert np.array_equal(grad(lambda a, b: a**b, x, y), [dx, dy], equal_nan=True)


@pytest.mark.parametrize(
    ("f", "x", "order", "expected"),
    [
        pytest.param(lambda x: x**2, 0, 2, 2, id="case 7, x**2"),
        pytest.param(lambda x: np.power(x, 2), 0, 2, 2, id="case 7, power(x, 2)"),
        pytest.param(lambda x: x**3, 0, 2, 0, id="case 7, x**3"),
        pytest.param(lambda x: x**2, 0, 3, 0, id="case 7, third"),
        pytest.param(lambda x: np.power(x, 2), 0, 3, 0, id="case 7, third of power(x, 2)"),
        pytest.param(tg.relu, 0, 2, 0, id="case 39, relu"),
        pytest.param(np.abs, 0, 2, 0, id="case 39, abs"),
        pytest.param(lambda x: np.log(x) ** 2, 1, 2, 2, id="rule 7, log(x)**2 at 1"),
        pytest.param(tg.sigmoid, 0, 2, 0, id="sigmoid at 0"),
        pytest.param(tg.softplus, 0, 2, 0.25, id="softplus at 0"),
    ],
)
def test_higher_derivative_at_an_edge(f: Any, x: float, order: int, expected: float) -> None:
    assert nth(f, x, order) == pytest.approx(expected, abs=1e-15)


def test_rule_7_hessian_at_a_zero_residual() -> None:
    a, x = np.array([2.0, 3.0]), Tensor([1.0, 2.0])
    slope = tg.gradients(((a * x - a * x.data) ** 2).sum(), x, create_graph=True)
    rows = [tg.gradients(slope[i], x) for i in range(2)]
    np.testing.assert_array_equal(rows, np.diag(2 * a**2))


def test_rule_7_second_order_of_a_branch_not_taken() -> None:
    x = Tensor([0.0, 2.0])
    with np.errstate(divide="ignore"):
        y = np.where(x > 0, np.log(x), 0.0).sum()
    slope = tg.gradients(y, x, create_graph=True)
    np.testing.assert_array_equal(tg.gradients(slope.sum(), x), [0, -0.25])


def test_rule_7_leaves_nan_cotangents_alone() -> None:
    x = Tensor([0.0, 1.0])
    y = np.sqrt(x)
    y.backward([nan, 0.0])
    np.testing.assert_array_equal(x.grad, [nan, 0.0])


def test_rule_7_in_a_reduction() -> None:
    x = Tensor([[0.0, 0.0], [1.0, 2.0]])
    with np.errstate(all="ignore"):
        rows = np.prod(x**0.5, axis=1)
    rows.backward([0.0, 1.0])
    np.testing.assert_allclose(x.grad[0], [0, 0])
    np.testing.assert_allclose(x.grad[1], [0.5 * 2**0.5, 0.25 * 2**0.5])


def test_case_12_ties_share() -> None:
    for f in (np.maximum, np.minimum):
        np.testing.assert_array_equal(grad(f, [1.0, 2.0], [1.0, 3.0])[0][0], 0.5)
        np.testing.assert_array_equal(grad(f, [1.0], [1.0]), [[0.5], [0.5]])


def test_case_13_relu_of_nan_is_nan() -> None:
    assert np.isnan(tg.relu(nan).data)
    assert np.isnan(tg.relu([nan]).data).all()


def test_case_15_ties_in_float16_are_counted_exactly() -> None:
    x = Tensor(np.ones(70_000, np.float16))
    x.max().backward()
    np.testing.assert_array_equal(x.grad, np.float16(1 / 70_000))


def test_case_16_value_is_nan() -> None:
    assert np.isnan(np.max(Tensor([nan, 3.0, 1.0])).data)


def test_case_20_value_is_the_upper_bound() -> None:
    assert np.clip(Tensor(0.5), 1, 0).item() == 0


def test_case_22_where_selects() -> None:
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    np.where(np.array([False, True]), x, y).backward([nan, 1.0])
    np.testing.assert_array_equal(x.grad, [0, 1])
    np.testing.assert_array_equal(y.grad, [nan, 0])
    assert np.where(True, x, nan).tolist() == [1, 2]


def test_case_23_values() -> None:
    assert np.log1p(Tensor(1e-20)).item() == 1e-20
    assert np.expm1(Tensor(1e-20)).item() == 1e-20


def test_case_26_values() -> None:
    assert tg.logsumexp([-inf, -inf]).item() == -inf
    assert tg.logsumexp([inf, 0.0]).item() == inf
    assert tg.logsumexp([1000.0, 1000.0]).item() == pytest.approx(1000 + np.log(2))


def test_case_27_softmax_with_minus_infinity() -> None:
    x = Tensor([-inf, 0.0, 0.0])
    y = tg.softmax(x)
    np.testing.assert_array_equal(y.data, [0, 0.5, 0.5])
    y.backward([1.0, 2.0, 3.0])
    assert np.isfinite(x.grad).all()
    with np.errstate(invalid="ignore"):
        rows = tg.softmax([[-inf, -inf], [0.0, 0.0]])
    np.testing.assert_array_equal(rows.data, [[nan, nan], [0.5, 0.5]])


@pytest.mark.parametrize("f", [tg.sigmoid, tg.softplus, tg.tanh, tg.silu, tg.gelu, tg.relu])
def test_case_28_large_arguments_are_finite_and_silent(f: Any) -> None:
    x = Tensor([-1000.0, 1000.0, -30.0, 30.0])
    with np.errstate(all="raise", under="ignore"):
        y = f(x)
        y.sum().backward()
    assert np.isfinite(y.data).all()
    assert np.isfinite(x.grad).all()


def test_case_33_one_element_without_freedom_is_nan() -> None:
    x = Tensor([1.0])
    with pytest.warns(RuntimeWarning):
        y = np.std(x, ddof=1)
    assert np.isnan(y.data)
    y.backward()
    assert x.grad.shape == (1,)


# --- B. shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 1), (1, 4)), ((), (2, 3)), ((3,), (2, 3)), ((1,), (3,)), ((2, 1, 3), (4, 1))],
)
@pytest.mark.parametrize("f", [np.add, np.subtract, np.multiply, np.divide, np.maximum])
def test_case_40_gradients_have_the_inputs_shapes(f: Any, a: Any, b: Any) -> None:
    x, y = Tensor(np.full(a, 2.0)), Tensor(np.full(b, 3.0))
    out = f(x, y)
    out.sum().backward()
    assert (x.grad.shape, y.grad.shape) == (a, b)
    n = out.size
    np.testing.assert_allclose(x.grad.sum(), n * {"add": 1, "subtract": 1, "multiply": 3,
                               "divide": 1 / 3, "maximum": 0}[f.__name__])  # fmt: skip


def test_case_41_empty_broadcast() -> None:
    x, y = Tensor(np.ones((4, 1))), Tensor(np.ones((4, 0)))
    (x + y).sum().backward()
    np.testing.assert_array_equal(x.grad, np.zeros((4, 1)))
    assert y.grad.shape == (4, 0)


def test_case_42_empty_product() -> None:
    x, y = Tensor(np.ones((3, 0))), Tensor(np.ones((0, 4)))
    z = x @ y
    np.testing.assert_array_equal(z.data, np.zeros((3, 4)))
    z.sum().backward()
    assert (x.grad.shape, y.grad.shape) == ((3, 0), (0, 4))


def test_case_43_empty_reductions() -> None:
    empty = Tensor(np.zeros(0))
    assert empty.sum().item() == 0
    with pytest.warns(RuntimeWarning):
        assert np.isnan(empty.mean().data)
    with pytest.raises(ValueError, match="zero-size"):
        empty.max()
    assert Tensor(np.zeros((0, 3))).max(axis=1).shape == (0,)
    empty.sum().backward()
    assert empty.grad.shape == (0,)


def test_case_44_full_reductions_stay_tensors() -> None:
    x = Tensor([1.0, 2.0])
    for y in (x.sum(), x @ x, np.dot(x, x), np.mean(x), x.max()):
        assert isinstance(y, Tensor)
        assert y.shape == ()
        assert y.requires_grad
        assert isinstance(y.data, np.ndarray)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "std", "prod", "var", "min", "logsumexp"])
def test_case_45_axes(name: str, rng: np.random.Generator) -> None:
    x = Tensor(rng.random((2, 3, 4)))
    f = getattr(tg, name)
    for axis in (-1, (0, -1), 1, (1,), None):
        for keepdims in (False, True):
            y = f(x, axis=axis, keepdims=keepdims)
            assert y.shape == np.sum(x.data, axis=axis, keepdims=keepdims).shape
            x.zero_grad()
            y.sum().backward()
            assert x.grad.shape == x.shape
    with pytest.raises(ValueError, match="duplicate"):
        f(x, axis=(0, 0))
    with pytest.raises(np.exceptions.AxisError):
        f(x, axis=3)


def test_case_45_no_axes_is_the_identity() -> None:
    x = Tensor([1.0, 2.0])
    y = x.sum(axis=())
    assert y.tolist() == [1, 2]
    y.backward([3.0, 4.0])
    assert x.grad.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2,), (2,)),
        ((2,), (2, 3)),
        ((3, 2), (2,)),
        ((2,), (2, 2, 1)),
        ((1, 1, 2), (2, 2, 1)),
        ((5, 3, 2), (2,)),
        ((4, 1, 3, 2), (5, 2, 3)),
    ],
)
def test_case_46_matmul_of_every_shape(a: Any, b: Any, rng: np.random.Generator) -> None:
    tg.check_grads(np.matmul, rng.random(a), rng.random(b))


def test_case_46_scalars_are_refused() -> None:
    with pytest.raises(ValueError, match="matmul"):
        Tensor(1.0) @ Tensor([1.0])


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("iij->ij", [(3, 3, 2)]),
        ("nd,nn->d", [(3, 2), (3, 3)]),
        ("i,i", [(2,), (1,)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 2), (4, 2, 3)]),
        ("ba", [(2, 3)]),
        ("ij,k->i", [(2, 3), (4,)]),
        ("i...->...", [(2, 3, 4)]),
        ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]),
        ("...", [(2, 3)]),
        ("iii->i", [(2, 2, 2)]),
    ],
)
def test_cases_47_to_49_einsum(subscripts: str, shapes: Any, rng: np.random.Generator) -> None:
    arrays = [rng.random(shape) for shape in shapes]
    expected = np.einsum(subscripts, *arrays)
    np.testing.assert_array_equal(np.einsum(subscripts, *map(Tensor, arrays)).data, expected)
    tg.check_grads(lambda *xs: np.einsum(subscripts, *xs), *arrays)


def test_case_47_the_same_tensor_twice(rng: np.random.Generator) -> None:
    tg.check_grads(lambda x: np.einsum("ij,ij->", x, x), rng.random((2, 3)))


def test_case_49_refusals_and_the_list_form(rng: np.random.Generator) -> None:
    x, y = rng.random((2, 3)), rng.random(3)
    with pytest.raises(ValueError, match="einstein sum"):
        np.einsum("ii->ii", Tensor(np.ones((2, 2))))
    with pytest.raises(ValueError, match="operands"):
        tg.einsum("ij,jk", x)
    with pytest.raises(ValueError, match="fit"):
        tg.einsum("ijk", x)
    with pytest.raises(ValueError, match="ellipsis"):
        tg.einsum("...->", x)
    expected = np.einsum(x, [0, 1], y, [1], [0])
    np.testing.assert_array_equal(np.einsum(Tensor(x), [0, 1], y, [1], [0]).data, expected)
    implicit = np.einsum(Tensor(x), [1, 0])
    np.testing.assert_array_equal(implicit.data, np.einsum(x, [1, 0]))


def test_case_52_joining(rng: np.random.Generator) -> None:
    x, y = rng.random((2, 3)), rng.random((2, 2))
    tg.check_grads(lambda a, b: np.concatenate([a, b, a], axis=-1), x, y)
    tg.check_grads(lambda a, b: np.concatenate([a, b], axis=None), x, y)
    tg.check_grads(lambda a: np.concatenate([a, y], axis=1), x)
    tg.check_grads(lambda a: np.stack([a, a], axis=-1), x)
    tg.check_grads(lambda a: np.concatenate([a, np.zeros((0, 3))]), x)
    pieces = np.split(Tensor(x), [1, 1], axis=1)
    assert [piece.shape for piece in pieces] == [(2, 1), (2, 0), (2, 2)]
    with pytest.raises(ValueError, match="equal division"):
        np.split(Tensor(x), 2, axis=1)


def test_arguments_that_numpy_refuses_or_takes() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="integral"):
        np.pad(x, 1.5)
    with pytest.raises(NotImplementedError, match="function"):
        np.pad(x, 1, mode=lambda *_: None)
    assert np.clip(x, min=2.0).tolist() == [2, 2, 3]
    assert np.clip(x, max=2.0).tolist() == [1, 2, 2]


def test_case_54_shape_errors_are_numpys() -> None:
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match="size"):
        x.squeeze(1)
    with pytest.raises(ValueError, match="reshape"):
        Tensor(np.zeros((0, 3))).reshape(-1, 0)
    with pytest.raises(ValueError, match="axes"):
        x.transpose(0)
    assert np.transpose(x, (-1, 0)).shape == (3, 2)
    y = np.broadcast_to(x, (4, 2, 3))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full((2, 3), 4.0))
