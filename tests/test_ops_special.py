"""What is particular to single operations: singular points, accuracy, what the graph keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.ops import activations, fused


def named(table: list[Any]) -> list[Any]:
    """Turn the first entry of each row into the name of its test."""
    return [pytest.param(*rest, id=name) for name, *rest in table]


# --- what the graph keeps -------------------------------------------------------------------------

x23, y23 = np.full((2, 3), 0.5), np.full((2, 3), 1.5)


@pytest.mark.parametrize(
    ("f", "kept", "keeps_out"),
    [
        (lambda x, y: x + y, (False, False), False),
        (lambda x, y: x * y, (True, True), False),
        (lambda x, y: x * y.detach(), (False, True), False),
        (lambda x, y: x.detach() / y, (False, True), True),
        (lambda x, y: x / y.detach(), (False, True), False),
        (lambda x, _: tg.exp(x), (False,), True),
        (lambda x, _: tg.relu(x), (False,), True),
        (lambda x, _: tg.log(x), (True,), False),
        (lambda x, _: tg.reshape(x, 6), (False,), False),
        (lambda x, _: x[:, 1:], (False,), False),
        (lambda x, _: tg.mean(x, 0), (False,), False),
        (lambda x, _: tg.softmax(x), (False,), True),
        (lambda x, y: tg.matmul(x, y.T.detach()), (False, True), False),
        (lambda x, y: tg.concatenate([x, y]), (False, False), False),
        (lambda x, y: tg.where(x23 > 1, x, y), (True, False, False), False),
    ],
)
def test_only_what_a_rule_reads_is_kept(
    f: Callable[..., Tensor], kept: tuple[bool, ...], keeps_out: bool
) -> None:
    node = f(Tensor(x23), Tensor(y23))._node
    assert node is not None
    assert tuple(isinstance(value, np.ndarray) for value in node.inputs) == kept
    assert (node.out is not None) == keeps_out


# --- the strong zero ------------------------------------------------------------------------------

# Elementwise: (function, a point where its derivative is inf or NaN).
SINGULAR: list[tuple[str, Callable[..., Any], float]] = [
    ("sqrt", tg.sqrt, 0.0),
    ("sqrt outside", tg.sqrt, -1.0),
    ("log", tg.log, 0.0),
    ("log outside", tg.log, -1.0),
    ("log of inf", lambda x: tg.log(x) - x, np.inf),
    ("log1p", tg.log1p, -1.0),
    ("x ** -1", lambda x: x**-1, 0.0),
    ("x ** 0.5", lambda x: x**0.5, 0.0),
    ("x ** 1.5", lambda x: x**1.5, -1.0),
    ("x ** x", lambda x: x**x, -1.0),
    ("1 / x", lambda x: 1 / x, 0.0),
    ("x / x", lambda x: x * 3 / x, 0.0),
    ("arcsin", tg.arcsin, 1.0),
    ("arccos", tg.arccos, 1.0),
    ("exp of inf", lambda x: tg.exp(x) / tg.exp(x), np.inf),
    ("exp of 1000", lambda x: tg.exp(x) * 2, 1000.0),
    ("tanh of nan", tg.tanh, np.nan),
    ("sin of inf", tg.sin, np.inf),
    ("tan of inf", tg.tan, np.inf),
    ("gelu of inf", tg.gelu, -np.inf),
    ("silu of inf", tg.silu, -np.inf),
    ("sqrt of the square", lambda x: tg.sqrt(x * x), 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("f", "point"), named(SINGULAR))
def test_where_shields_a_singular_point(f: Callable[..., Any], point: float) -> None:
    """Rule 7, case 21: of the first and second order; the other element is as without it."""
    regular = 0.5

    def orders(guarded: Callable[[Tensor], Tensor], points: list[float]) -> list[Any]:
        x = Tensor(points)
        with np.errstate(all="ignore"):
            slope = tg.gradients(guarded(x), x, np.ones(len(points)), create_graph=True)
            curvature = tg.gradients(slope, x, np.ones(len(points)))
        return [slope.data, curvature]

    expected = orders(f, [regular])
    for got in [
        orders(lambda x: tg.where(np.array([False, True]), f(x), 0.0), [point, regular]),
        orders(lambda x: tg.where(np.array([True, False]), 0.0, f(x)), [point, regular]),
    ]:
        for one, alone in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, [0.0, alone[0]], rtol=1e-12)


ROWS: list[tuple[str, Callable[..., Any], list[float]]] = [
    ("sum of sqrt", lambda x: tg.sqrt(x).sum(axis=1), [0.0, -1.0, 1.0]),
    ("mean of log", lambda x: tg.log(x).mean(axis=1), [0.0, -1.0, 1.0]),
    ("max", lambda x: x.max(axis=1), [np.nan, np.inf, 1.0]),
    ("var", lambda x: x.var(axis=1), [np.inf, 1.0, 2.0]),
    ("std", lambda x: x.std(axis=1), [np.inf, 1.0, 2.0]),
    ("std of nan", lambda x: x.std(axis=1), [np.nan, 1.0, 2.0]),
    ("root of var", lambda x: tg.sqrt(x.var(axis=1)), [1.0, 1.0, 1.0]),
    ("norm", lambda x: tg.sqrt(tg.square(x).sum(axis=1)), [0.0, 0.0, 0.0]),
    ("prod", lambda x: x.prod(axis=1), [0.0, np.inf, np.nan]),
    ("logsumexp", lambda x: x.logsumexp(axis=1), [np.inf, 0.0, np.nan]),
    ("logsumexp of -inf", lambda x: x.logsumexp(axis=1), [-np.inf] * 3),
    ("softmax", lambda x: x.softmax(axis=1)[:, 0], [-np.inf] * 3),
    ("log_softmax", lambda x: x.log_softmax(axis=1)[:, 0], [-np.inf] * 3),
    ("log_softmax of inf", lambda x: x.log_softmax(axis=1)[:, 0], [np.inf, 0.0, 1.0]),
    ("cross entropy", lambda x: fused.softmax_cross_entropy(x, np.array([0, 0])), [-np.inf] * 3),
]  # fmt: skip


@pytest.mark.parametrize(("f", "bad"), named(ROWS))
def test_where_shields_a_row(f: Callable[..., Any], bad: list[float]) -> None:
    """Rule 7, cases 26, 27: reductions and what normalises; of the first and second order."""
    good, mask = [0.3, 0.5, 0.7], np.array([False, True])
    x, alone = Tensor([bad, good]), Tensor([good, good])
    with np.errstate(all="ignore"):
        got = tg.gradients(tg.where(mask, f(x), 0.0), x, np.ones(2), create_graph=True)
        expected = tg.gradients(f(alone), alone, np.ones(2), create_graph=True)
        np.testing.assert_allclose(got.data, [[0.0] * 3, expected.data[1]], rtol=1e-12)
        v = np.array([[1.0, -2.0, 0.5]] * 2)
        curvature = tg.gradients(got, x, v, allow_unused=True)
        expected = tg.gradients(expected, alone, v, allow_unused=True)
    np.testing.assert_allclose(curvature, [[0.0] * 3, expected[1]], rtol=1e-9, atol=1e-12)


def test_a_zero_cotangent_keeps_its_own_derivative() -> None:
    """Rule 7: repairing by `where(g == 0, 0, ...)` would lose these."""
    x = Tensor(1.0)
    slope = tg.gradients(tg.log(x) ** 2, x, create_graph=True)
    assert tg.gradients(slope, x) == 2.0
    a = np.array([1.0, -2.0, 3.0])
    w = Tensor(2.0)
    slope = tg.gradients(tg.square(a * w - 2 * a).sum(), w, create_graph=True)
    assert slope.data == 0.0
    assert tg.gradients(slope, w) == 2 * np.square(a).sum()
    # A jvp as the vjp of a vjp, at u = 0.
    x, u = Tensor([1.0, 4.0]), Tensor([0.0, 0.0])
    pulled = tg.gradients(tg.sqrt(x), x, u, create_graph=True)
    np.testing.assert_allclose(tg.gradients(pulled, u, np.array([3.0, 8.0])), [1.5, 2.0])


def test_a_shield_of_the_second_order() -> None:
    """Case 21: where(x > 0, log(x), 0) and its like, at 0."""
    x = Tensor([0.0, 2.0])
    with np.errstate(all="ignore"):
        for f, slope, curvature in [(tg.log, 0.5, -0.25), (tg.sqrt, 8**-0.5, -(2.0**-3.5))]:
            got = tg.gradients(tg.where(x > 0, f(x), 0.0), x, np.ones(2), create_graph=True)
            np.testing.assert_allclose(got.data, [0.0, slope])
            np.testing.assert_allclose(tg.gradients(got, x, np.ones(2)), [0.0, curvature])


TAKING: list[tuple[str, Callable[..., Any]]] = [
    ("relu", tg.relu),
    ("clip", lambda x: tg.clip(x, 0.0, 9.0)),
    ("maximum of a number", lambda x: tg.maximum(x, 0.0)),
    ("maximum of an array", lambda x: tg.maximum(x, np.zeros(2))),
    ("where", lambda x: tg.where(x > 0, x, 0.0)),
]


@pytest.mark.parametrize("f", named(TAKING))
def test_an_infinite_cotangent_stops_where_nothing_was_taken(f: Callable[..., Any]) -> None:
    """Rules 1, 7: sqrt(relu(x)) is the constant 0 below 0, and its gradient there is 0."""
    x = Tensor([-1.0, 4.0])
    tg.sqrt(f(x)).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_an_infinite_cotangent_goes_to_the_extremum_alone() -> None:
    """Rule 4, cases 12, 14: sqrt(max) where the maximum is 0."""
    x, y = Tensor([0.0, -1.0]), Tensor([-1.0, 0.0])
    tg.sqrt(tg.max(x)).backward()
    assert x.grad.tolist() == [np.inf, 0.0]
    x.zero_grad()
    tg.sqrt(tg.maximum(x, y)).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([np.inf, 0.0], [0.0, np.inf])


# --- accuracy -------------------------------------------------------------------------------------


def longdoubles(points: Any) -> Any:
    return np.asarray(points, dtype=np.longdouble)


# The last entry is where to start: 1 + tanh loses digits further out.
FORMULAS: list[tuple[str, Callable[..., Any], Callable[..., Any], float]] = [
    ("sigmoid", tg.sigmoid, lambda x: 1 / (1 + np.exp(-x)), -30.0),
    ("softplus", tg.softplus, lambda x: np.log1p(np.exp(x)), -30.0),
    ("silu", tg.silu, lambda x: x / (1 + np.exp(-x)), -30.0),
    ("gelu tanh", lambda x: tg.gelu(x, "tanh"), lambda x: x / (1 + np.exp(
        -2 * np.sqrt(longdoubles(2) / np.pi) * (x + longdoubles("0.044715") * x**3))), -3.0),
]  # fmt: skip


@pytest.mark.parametrize(("f", "formula", "least"), named(FORMULAS))
def test_activations_to_the_last_digits(
    f: Callable[..., Any], formula: Callable[..., Any], least: float
) -> None:
    """Against the formula in longdouble, and its slope there by Richardson's differences."""
    x = Tensor(np.linspace(least, 30.0, 241))
    y = f(x)
    y.sum().backward()
    exact, h = longdoubles(x.data), longdoubles(2.0**-10)
    np.testing.assert_allclose(y.data, formula(exact), rtol=1e-14)
    # Where a longdouble is no longer than a double the differences are rougher.
    atol = 64 * float(np.finfo(np.longdouble).eps / h)
    narrow, wide = ((formula(exact + k) - formula(exact - k)) / (2 * k) for k in (h, 2 * h))
    np.testing.assert_allclose(x.grad, (4 * narrow - wide) / 3, rtol=3e-11, atol=atol)


def test_the_normal_distribution_to_the_last_digits() -> None:
    """gelu and its slope against math.erfc, into the far tail."""
    x = Tensor(np.linspace(-12.0, 12.0, 481))
    y = tg.gelu(x)
    y.sum().backward()
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in x.data])
    np.testing.assert_allclose(activations.normal_cdf(x).data, cdf, rtol=1e-13)
    np.testing.assert_allclose(y.data, x.data * cdf, rtol=1e-13)
    density = np.exp(-0.5 * x.data * x.data) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(x.grad, cdf + x.data * density, rtol=1e-12, atol=1e-40)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_picks_from_log_softmax(dtype: str, rng: np.random.Generator) -> None:
    labels = rng.integers(0, 7, (4, 5))
    x = Tensor((10 * rng.standard_normal((4, 5, 7))).astype(dtype))
    picked = -np.take_along_axis(tg.log_softmax(x), labels[..., None], axis=-1)[..., 0]
    got = fused.softmax_cross_entropy(x, labels)
    np.testing.assert_allclose(got.data, picked.data, rtol=1e-5 if dtype == "float32" else 1e-13)
    seed = rng.standard_normal((4, 5)).astype(dtype)
    np.testing.assert_allclose(
        tg.gradients(got, x, seed), tg.gradients(picked, x, seed), atol=16 * np.finfo(dtype).eps
    )


def test_linear_is_matmul_and_add(rng: np.random.Generator) -> None:
    x, w, b = (Tensor(rng.standard_normal(s)) for s in [(4, 5, 3), (2, 3), (2,)])
    seed = rng.standard_normal((4, 5, 2))
    one, other = fused.linear(x, w, b), x @ w.T + b
    np.testing.assert_array_equal(one.data, other.data)
    for g, h in zip(
        tg.gradients(one, [x, w, b], seed), tg.gradients(other, [x, w, b], seed), strict=True
    ):
        np.testing.assert_allclose(g, h, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_last_of_several_values_stays(order: Any) -> None:
    """Case 60, where NumPy writes in the order of memory: the gradient is of what is there."""
    i = np.array([[0, 1], [1, 0]], order=order)
    v = tg.as_tensor(np.array([[1.0, 2.0], [3.0, 4.0]], order=order)).requires_grad_()
    y = tg.zeros(2)
    y[i] = v
    weights = np.array([10.0, 1.0])
    y.backward(weights)
    assert (v.grad * v.data).sum() == (y.data * weights).sum()


# --- PyTorch --------------------------------------------------------------------------------------

TORCH: list[tuple[str, Callable[..., Any], Callable[[Any], Callable[..., Any]], float]] = [
    ("gelu", tg.gelu, lambda F: F.gelu, 1e-12),
    ("gelu tanh", lambda x: tg.gelu(x, "tanh"), lambda F: lambda x: F.gelu(x, approximate="tanh"),
     1e-12),
    ("silu", tg.silu, lambda F: F.silu, 1e-12),
    ("softplus", tg.softplus, lambda F: F.softplus, 1e-8),
    ("sigmoid", tg.sigmoid, lambda F: F.sigmoid, 1e-12),
    ("leaky_relu", tg.leaky_relu, lambda F: F.leaky_relu, 1e-12),
    ("softmax", tg.softmax, lambda F: lambda x: F.softmax(x, -1), 1e-12),
    ("log_softmax", tg.log_softmax, lambda F: lambda x: F.log_softmax(x, -1), 1e-12),
    ("logsumexp", lambda x: tg.logsumexp(x, -1), lambda _: lambda x: x.logsumexp(-1), 1e-12),
    ("cross entropy", lambda x: fused.softmax_cross_entropy(x, np.arange(6) % 4),
     lambda F: lambda x: F.cross_entropy(x, _torch().arange(6) % 4, reduction="none"), 1e-12),
    ("linear", lambda x: fused.linear(x, x, x[0, :1] * np.ones(6)),
     lambda F: lambda x: F.linear(x, x, x[0, :1].expand(6)), 1e-12),
    ("std", lambda x: tg.std(x, 0, ddof=1), lambda _: lambda x: x.std(0), 1e-12),
    ("prod", lambda x: tg.prod(x, 0), lambda _: lambda x: x.prod(0), 1e-12),
    ("einsum", lambda x: tg.einsum("ij,kj,ik->", x, x, x @ x.T),
     lambda _: lambda x: _torch().einsum("ij,kj,ik->", x, x, x @ x.T), 1e-12),
]  # fmt: skip


def _torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize(("f", "theirs", "rtol"), named(TORCH))
def test_like_pytorch(
    f: Callable[..., Any],
    theirs: Callable[[Any], Callable[..., Any]],
    rtol: float,
    rng: np.random.Generator,
) -> None:
    """Values, gradients and a product with the Hessian."""
    torch = _torch()
    points = 3 * rng.standard_normal((6, 4))
    x, u = Tensor(points), torch.tensor(points, requires_grad=True)
    y, z = f(x), theirs(torch.nn.functional)(u)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=rtol)
    seed = rng.standard_normal(y.shape)
    slope = tg.gradients(y, x, seed, create_graph=True)
    (their_slope,) = torch.autograd.grad(z, u, torch.tensor(seed), create_graph=True)
    np.testing.assert_allclose(slope.data, their_slope.detach().numpy(), rtol=rtol, atol=rtol)
    along = rng.standard_normal(points.shape)
    (theirs_twice,) = torch.autograd.grad(their_slope, u, torch.tensor(along))
    twice = tg.gradients(slope, x, along, allow_unused=True)
    np.testing.assert_allclose(twice, theirs_twice.numpy(), rtol=10 * rtol, atol=10 * rtol)
