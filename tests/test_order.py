"""What is particular to products, scans and what puts elements in order."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.ops import order, pick, scan
from tensorgrad.ops import reduce as reductions
from tensorgrad.testing import check_grads
from test_statistics import NAN, gradient

# --- products without a division ------------------------------------------------------------------


def test_products_of_any_order_at_zeros() -> None:
    """Cases 30, 31: nothing is divided, so that zeros need no special case."""
    x = np.array([2.0, 0.0, 3.0, 0.0, -1.0])
    check_grads(np.prod, x, order=3)
    check_grads(np.cumprod, x, order=3)
    check_grads(lambda x: np.prod(x, axis=0), np.stack([x, x[::-1]]), order=2)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 33])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), (1, 0)])
def test_products_of_others(n: int, axis: Any) -> None:
    x = np.random.default_rng(0).standard_normal((n, 3))
    x[::2, 1] = 0.0
    expected = np.empty_like(x)
    for i in np.ndindex(x.shape):
        rest = x.copy()
        rest[i] = 1.0
        expected[i] = np.broadcast_to(np.prod(rest, axis=axis, keepdims=True), x.shape)[i]
    np.testing.assert_allclose(gradient(lambda x: np.prod(x, axis=axis), x), expected, atol=1e-15)


@pytest.mark.parametrize("n", [2, 9, 70])
def test_products_of_all_but_two(n: int) -> None:
    """The second derivative in a direction, with a zero among the elements."""
    rng = np.random.default_rng(0)
    values, direction = rng.uniform(0.5, 1.5, n), rng.standard_normal(n)
    values[n // 2] = 0.0
    x = Tensor(values)
    slope = tg.gradients(np.prod(x), x, create_graph=True)
    got = tg.gradients(np.sum(slope * direction), x)
    but_two = [[np.prod(np.delete(values, [i, j])) for i in range(n)] for j in range(n)]
    expected = (but_two * (1 - np.eye(n))) @ direction
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_a_product_that_vanishes_by_rounding() -> None:
    """The product has no digits left, but the product of the others has."""
    np.testing.assert_allclose(gradient(np.prod, [1e-200, 1e-120]), [1e-120, 1e-200], rtol=1e-12)
    np.testing.assert_allclose(gradient(np.prod, [1e-200, 1e-200]), [1e-200, 1e-200], rtol=1e-12)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(gradient(np.prod, [1e200, 1e200]), [1e200, 1e200], rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 31, 32, 33, 34, 64, 65, 66, 67, 200])
@pytest.mark.parametrize("width", [(), (1,), (3,), (50,)])
@pytest.mark.parametrize("backwards", [False, True])
def test_recurrence(n: int, width: tuple[int, ...], backwards: bool) -> None:
    rng = np.random.default_rng(0)
    link, b = rng.uniform(-1, 1, (max(n - 1, 0), *width)), rng.standard_normal((n, *width))
    expected = np.copy(b)
    for i in range(1, n):
        if backwards:
            expected[-i - 1] += link[-i] * expected[-i]
        else:
            expected[i] += link[i - 1] * expected[i - 1]
    got = scan.recurrence(link, b, axis=0, backwards=backwards)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    got = scan.recurrence(link.T, b.T, axis=-1, backwards=backwards)
    np.testing.assert_allclose(got.T, expected, rtol=1e-10, atol=1e-12)


def test_what_overflows_later_does_not_spoil_what_came_before() -> None:
    """Rule 7: the head of a cumulative product whose tail is inf."""
    x = np.full(2000, 4.0)
    with np.errstate(over="ignore"):
        grad = gradient(lambda x: np.cumprod(x)[:3], x)
    np.testing.assert_allclose(grad[:3], [21.0, 20.0, 16.0])
    assert not grad[3:500].any()


# --- order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_orders_are_numpys(seed: int) -> None:
    """Case 18: many equal elements, NaN and both zeros, along any axis."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(0, 7, rng.integers(1, 4)))
    axis = int(rng.integers(len(shape)))
    x = rng.integers(0, 4, shape).astype(float)
    x[rng.random(shape) < 0.1] = NAN
    x[rng.random(shape) < 0.1] = -0.0
    stable = order.stable_order(x, np.sort(x, axis), axis)
    np.testing.assert_array_equal(stable, np.argsort(x, axis, kind="stable"))
    if shape[axis]:
        kth = int(rng.integers(shape[axis]))
        parted = np.partition(x, kth, axis)
        found = order._partition_order(x, parted, kth, axis)
        np.testing.assert_array_equal(np.take_along_axis(x, found, axis), parted)
        np.testing.assert_array_equal(np.sort(found, axis), np.argsort(np.zeros(shape), axis))


def test_a_partition_of_many() -> None:
    """Where NumPy's two functions part the elements beside the k-th in two ways."""
    x = np.random.default_rng(0).standard_normal((2, 3000))
    weights = np.random.default_rng(1).standard_normal(x.shape)
    t = Tensor(x)
    parted = np.partition(t, (10, 1500))
    (grad,) = tg.gradients(parted, [t], weights)
    for row in range(2):
        found = dict(zip(parted.data[row], weights[row], strict=True))
        np.testing.assert_array_equal(grad[row], [found[value] for value in x[row]])


def test_unique_values_in_the_order_that_numpy_likes() -> None:
    x = np.random.default_rng(0).integers(0, 50, 500).astype(float)
    t = Tensor(x)
    values = np.unique_values(t)
    np.testing.assert_array_equal(values.data, np.unique_values(x))
    (grad,) = tg.gradients(values, [t], np.asarray(values.data))
    first = np.unique(x, return_index=True)[1]
    expected = np.zeros_like(x)
    expected[first] = x[first]
    np.testing.assert_array_equal(grad, expected)


def test_unique_returns_what_it_is_asked_for() -> None:
    x = np.array([[3.0, 1.0], [3.0, NAN]])
    for options in itertools.product([False, True], repeat=3):
        for axis in (None, 0):
            expected = np.unique(x, *options, axis=axis)
            got = np.unique(Tensor(x), *options, axis=axis)
            assert isinstance(got, tuple) == isinstance(expected, tuple)
            expected = expected if isinstance(expected, tuple) else (expected,)
            got = got if isinstance(got, tuple) else (got,)
            assert isinstance(got[0], Tensor)
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_array_equal(getattr(one, "data", one), other)
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        expected = getattr(np, name)(x)
        got = getattr(np, name)(Tensor(x))
        assert type(got) is type(expected)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(getattr(one, "data", one), other)


@pytest.mark.parametrize("name", ["union1d", "intersect1d", "setdiff1d", "setxor1d"])
@pytest.mark.parametrize("alone", [False, True])
def test_sets(name: str, alone: bool) -> None:
    options = {} if name == "union1d" else {"assume_unique": alone}
    pairs: list[tuple[Any, Any]] = [
        ([5.0, 1, 3], [3.0, 7, 5]),
        ([1.0, 2], []),
        ([], [2.0]),
        ([], []),
    ]
    for x, y in pairs:
        x, y = np.array(x), np.array(y)
        expected = getattr(np, name)(x, y, **options)
        for left, right in [(Tensor(x), y), (x, Tensor(y)), (Tensor(x), Tensor(y))]:
            got = getattr(np, name)(left, right, **options)
            np.testing.assert_array_equal(got.data, expected)
            assert got.dtype == expected.dtype
    indices = np.intersect1d(Tensor([5.0, 1, 3]), [3.0, 7, 5], return_indices=True)
    for one, other in zip(indices[1:], ([2, 0], [0, 2]), strict=True):
        np.testing.assert_array_equal(one, other)


# --- largest and smallest -------------------------------------------------------------------------


def test_running_extremes_share_with_equal_ones_before() -> None:
    x = Tensor([1.0, 3.0, 2.0, 3.0, NAN, 5.0])
    out = scan.cumulative_max(x, axis=0)
    np.testing.assert_array_equal(out.data, [1, 3, 3, 3, NAN, NAN])
    (grad,) = tg.gradients(out, [x], np.array([1.0, 10.0, 100.0, 1000.0, 2.0, 3.0]))
    np.testing.assert_allclose(grad, [1, 610, 0, 500, 5, 0])


def test_few_extrema_are_written_one_by_one() -> None:
    """The two ways to give shares agree."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 40, (6, 500)).astype(float)
    g = rng.standard_normal((6, 1))
    largest = x.max(axis=1, keepdims=True)
    got = pick.put_extremum(g, x, largest, True, axis=1, keep_nan=True)
    hits = x == largest
    np.testing.assert_allclose(got, hits * g / hits.sum(axis=1, keepdims=True))
    sparse = np.where(rng.random(x.shape) < 0.5, x, -1.0)
    sparse[:, 7] = 99.0
    got = pick.put_extremum(g, sparse, np.full((6, 1), 99.0), True, axis=1, keep_nan=True)
    np.testing.assert_array_equal(got[:, 7], g[:, 0])
    assert np.count_nonzero(got) == 6


def test_products_divide_where_they_can() -> None:
    x = np.array([[2.0, 4.0, 8.0]])
    total = np.prod(x, axis=1, keepdims=True)
    got = reductions.prod_slope(np.ones_like(x), x, total, axis=1)
    np.testing.assert_array_equal(got, [[32.0, 16.0, 8.0]])
