"""The methods of ufuncs on tensors: reduce, accumulate, reduceat, outer, at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from test_ufuncs import BINARY, assert_same, outcome


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": -1, "keepdims": True},
        {"axis": None},
        {"axis": (0, 1)},
        {"axis": ()},
        {"axis": 5},
        {"initial": 1.5},
        {"where": np.array([True, False, True])},
        {"where": np.array([True, False, True]), "initial": 2.0, "axis": 1},
        {"dtype": np.float32},
        {"axis": (0, 1), "initial": 1.5, "keepdims": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (3,), ()], ids=str)
def test_reduce_is_numpys(ufunc: Any, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Values, shapes, dtypes and errors."""
    x = np.random.default_rng(0).uniform(1.0, 2.0, shape)
    expected = outcome(ufunc.reduce, x, **options)
    got = outcome(ufunc.reduce, Tensor(x), **options)
    if ufunc in (np.power, np.arctan2) and not isinstance(expected, type):
        # NumPy 2.4 forgets what it has folded, on AVX512: only the form is compared.
        assert (got.shape, got.dtype) == (np.shape(expected), expected.dtype)
        return
    assert_same(got, expected)


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
def test_other_methods_are_numpys(ufunc: Any) -> None:
    x = np.random.default_rng(0).uniform(1.0, 2.0, (4, 3))
    t = Tensor(x)
    indices = np.array([0, 2, 1])
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("accumulate", (), {}),
        ("accumulate", (-1,), {"dtype": np.float32}),
        ("accumulate", (2,), {}),
        ("outer", (x[0],), {}),
        ("outer", (2.0,), {"dtype": np.float32}),
    ]
    if ufunc not in (np.power, np.arctan2):
        calls += [
            ("reduceat", (indices,), {}),
            ("reduceat", (indices,), {"axis": 1, "dtype": np.float32}),
            ("reduceat", ([0, 9],), {}),
            ("reduceat", ([],), {}),
        ]
    for method, args, options in calls:
        expected = outcome(getattr(ufunc, method), x, *args, **options)
        assert_same(outcome(getattr(ufunc, method), t, *args, **options), expected)
    assert_same(outcome(ufunc.accumulate, Tensor(1.0)), outcome(ufunc.accumulate, np.array(1.0)))


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("key", [np.array([1, 1, 0, -3, 1]), np.array([True, True, False]),
                                 np.s_[1:], 2, (np.array([0, 0]), np.array([1, 1])), 7, ()],
                         ids=str)  # fmt: skip
def test_at_is_numpys(ufunc: Any, key: Any) -> None:
    """Cases 55, 56: in turn, once for each time that the index names an element."""
    rng = np.random.default_rng(0)
    x = rng.uniform(1.0, 1.5, (3, 2))
    try:
        v = rng.uniform(1.0, 1.5, x[key].shape)
    except IndexError:
        v = np.ones(2)
    for operand in (v, 1.25):
        expected, got = x.copy(), Tensor(x) * 1
        error = outcome(ufunc.at, expected, key, operand)
        assert_same(outcome(ufunc.at, got, key, operand) or type(None), error or type(None))
        np.testing.assert_allclose(got.data, expected, rtol=1e-15)


def test_at_where_it_cannot_record() -> None:
    """Case 62."""
    x, v = Tensor([1.0, 2.0]), Tensor([3.0])
    with pytest.raises(RuntimeError, match="leaf that records"):
        np.multiply.at(x, [0], v)
    with pytest.raises(TypeError, match="lose the graph"):
        np.add.at(np.zeros(2), [0], v)
    with tg.no_grad():
        np.multiply.at(x, [0, 0], v)
    assert x.tolist() == [9, 2]
    counts = tg.tensor([0, 0])
    np.add.at(counts, [1, 1], 1)
    assert counts.tolist() == [0, 2]
    with pytest.raises(TypeError, match="lose its gradient"):
        np.multiply.at(counts, [0], v)


def test_at_leaves_other_handles_alone() -> None:
    """Case 61."""
    x = Tensor([1.0, 2.0])
    y = x * 1
    z = y * y
    np.multiply.at(y, [0, 0], 3.0)
    (z + y).sum().backward()
    assert z.tolist() == [1, 4]
    assert y.tolist() == [9, 2]
    assert x.grad.tolist() == [11, 5]


def test_methods_outside_the_table() -> None:
    x = Tensor([1.0, 2.0])
    assert np.logical_and.reduce(x)
    assert np.greater.outer(x, x).tolist() == [[False, False], [True, False]]
    assert np.logical_or.accumulate(tg.tensor([False, True])).tolist() == [False, True]
    with pytest.raises(ValueError, match="reduce only supported for binary functions"):
        np.exp.reduce(x)
    with pytest.raises(ValueError, match="single value"):
        np.divmod.reduce(x)
    ufunc = np.frompyfunc(lambda a: a, 1, 1)
    with pytest.raises(TypeError, match="not differentiable"):
        ufunc(x)
