"""The ufuncs of NumPy on tensors: edge values, options, methods, operators.

What holds for every operation is in `test_ops.py`, by the rows of `op_cases_ufuncs.py`.
"""

from __future__ import annotations

import itertools
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.numpy_api.table import NUMPY_TABLE, SUPPORT, Support
from tensorgrad.numpy_api.ufuncs import OPS

nan, inf = math.nan, math.inf
UFUNCS = sorted(
    {f for f in vars(np).values() if isinstance(f, np.ufunc)}, key=operator.attrgetter("__name__")
)
EACH_UFUNC = pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
BINARY = [f for f in OPS if f.nin == 2 and f is not np.ldexp]


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a call gives, or the class of what it raises."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever NumPy raises
        return next(kind for kind in type(error).__mro__ if not kind.__name__.startswith("_"))
    return result


def assert_same(got: Any, expected: Any) -> None:
    """Compare outcomes: the class of an error, or values, dtypes and shapes."""
    if isinstance(expected, type):
        assert got is expected or issubclass(got, expected) or issubclass(expected, got)
        return
    if isinstance(expected, tuple):
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
        return
    data = got.data if isinstance(got, Tensor) else got
    assert np.asarray(data).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(data, expected)


def gradients(f: Callable[..., Any], *points: Any) -> list[Any]:
    """Return the gradients of sum(f) at numbers or lists of them."""
    tensors = [Tensor(np.array(p, dtype=float)) for p in points]
    with np.errstate(all="ignore"):
        f(*tensors).sum().backward()
    return [t.grad.tolist() for t in tensors]


# --- which ufuncs there are -----------------------------------------------------------------------


@EACH_UFUNC
def test_every_ufunc_is_in_a_class(ufunc: Any) -> None:
    """Rule 9."""
    if ufunc.signature is None:  # the others are products
        assert ufunc in NUMPY_TABLE
        assert SUPPORT[ufunc]


@EACH_UFUNC
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i8", "?", "F", "D"])
def test_values_dtypes_and_errors_are_numpys(ufunc: Any, dtype: str) -> None:
    """Rule 8: on arrays, on single numbers, and with Python numbers beside them."""
    if ufunc.signature is not None:
        return
    rng = np.random.default_rng(3)
    x, y = (rng.uniform(0.5, 3.0, 3).astype(dtype) for _ in range(2))
    for a, b in [(x, y), (x[0], y[1]), (x, 2), (2, y), (x, 0.5), (0.5, y[:0])]:
        inputs = (a, b)[: ufunc.nin]
        if all(isinstance(v, (int, float)) for v in inputs):
            continue
        tensors = [tg.as_tensor(v) if isinstance(v, np.ndarray | np.generic) else v for v in inputs]
        assert_same(outcome(ufunc, *tensors), outcome(ufunc, *inputs))


@EACH_UFUNC
def test_what_has_no_gradient_gives_arrays(ufunc: Any) -> None:
    if SUPPORT.get(ufunc) is not Support.NO_GRADIENT:
        return
    x = tg.tensor([1, 2, 3])
    got = outcome(ufunc, *(x, x)[: ufunc.nin])
    assert type(got) in (np.ndarray, type)
    assert_same(got, outcome(ufunc, *(x.data, x.data)[: ufunc.nin]))


# --- edge values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "points", "expected"),
    [
        pytest.param(np.float_power, [0, 0], [0, 0], id="case 4, float_power"),
        pytest.param(np.power, [-2, 3], [12, nan], id="case 5"),
        pytest.param(lambda y: np.power(0, y), [[0, 2]], [[0, 0]], id="case 6"),
        pytest.param(np.cbrt, [0], [inf], id="case 8"),
        pytest.param(np.fabs, [[0, -0.0, -2]], [[0, 0, -1]], id="case 9, fabs"),
        pytest.param(np.copysign, [[0, -3, 3], [-1, -1, -1]], [[0, 1, -1], [0, 0, 0]],
                     id="case 9, copysign"),
        pytest.param(np.maximum, [[1, nan], [1, 1]], [[0.5, 1], [0.5, 1]], id="case 12"),
        pytest.param(np.arctan2, [0, 0], [0, 0], id="case 24, arctan2"),
        pytest.param(np.hypot, [0, 0], [0, 0], id="case 24, hypot"),
        pytest.param(np.logaddexp, [-inf, 0], [0, 1], id="case 25"),
        pytest.param(np.logaddexp, [1000, 1000], [0.5, 0.5], id="case 25, equal"),
        pytest.param(np.logaddexp, [-inf, -inf], [0, 0], id="case 25, -inf"),
        pytest.param(np.logaddexp2, [1000, 1000], [0.5, 0.5], id="case 25, base 2"),
        pytest.param(np.logaddexp2, [-inf, -inf], [0, 0], id="case 25, base 2, -inf"),
        pytest.param(np.logaddexp.reduce, [[-inf, -inf]], [[0, 0]], id="case 26"),
        pytest.param(np.logaddexp.reduce, [[-inf, 0]], [[0, 1]], id="case 26, one"),
        pytest.param(np.arcsin, [1], [inf], id="case 34, arcsin"),
        pytest.param(np.arccos, [1], [-inf], id="case 34, arccos"),
        pytest.param(np.arccosh, [1], [inf], id="case 34, arccosh"),
        pytest.param(np.arctanh, [1], [inf], id="case 34, arctanh"),
        pytest.param(np.remainder, [[5.5, -5.5], [2, 2]], [[1, 1], [-2, 3]], id="case 35"),
        pytest.param(np.fmod, [[5.5, -5.5], [2, 2]], [[1, 1], [-2, 2]], id="case 35, fmod"),
        pytest.param(lambda x, y: np.divmod(x, y)[0], [5.5, 2], [0, 0], id="case 35, divmod"),
        pytest.param(lambda x: sum(np.modf(x)), [[1.5, -2]], [[1, 1]], id="case 35, modf"),
        pytest.param(np.heaviside, [[0, 1, -1], [0.5] * 3], [[0, 0, 0], [1, 0, 0]],
                     id="case 35, heaviside"),
        pytest.param(np.fmax, [[nan, 1, 2, 0, nan], [1, nan, 2, 1, nan]],
                     [[0, 1, 0.5, 0, 0.5], [1, 0, 0.5, 1, 0.5]], id="case 36, fmax"),
        pytest.param(np.fmin, [[nan, 1, 2, 0, nan], [1, nan, 2, 1, nan]],
                     [[0, 1, 0.5, 1, 0.5], [1, 0, 0.5, 0, 0.5]], id="case 36, fmin"),
        pytest.param(lambda x: np.fmax(x, 0.0), [[0, nan, 1]], [[0, 0, 1]],
                     id="case 36, number"),
        pytest.param(np.fmax.reduce, [[nan, 3, 3, 1]], [[0, 0.5, 0.5, 0]], id="case 36, reduce"),
        pytest.param(lambda x: np.frexp(x)[0], [[3, 0]], [[0.25, 1]], id="frexp"),
    ],
)  # fmt: skip
def test_gradient_at_an_edge(f: Any, points: list[Any], expected: list[Any]) -> None:
    for got, right in zip(gradients(f, *points), expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12)


def test_second_derivative_of_logaddexp_where_both_are_equal() -> None:
    """Case 25: exactly a half is the value there, and no constant."""
    x, y = Tensor(3.0), Tensor(3.0)
    slope = tg.gradients(np.logaddexp(x, y), x, create_graph=True)
    assert slope == 0.5
    assert tg.gradients(slope, x) == pytest.approx(0.25)


def test_float16_squares_do_not_overflow() -> None:
    for f, expected in [(np.arcsinh, 1 / 300), (lambda x: np.arctan2(x, 1.0), 1 / 90001)]:
        x = Tensor(np.float16(300))
        f(x).backward()
        assert x.grad == pytest.approx(expected, rel=2e-2)
    x, y = Tensor(np.float16(3)), Tensor(np.array(300, np.float16))
    np.arctan2(x, y).backward()
    assert x.grad == pytest.approx(300 / (300**2 + 9), rel=2e-3)


def test_small_integers_beside_a_tensor_do_not_overflow() -> None:
    """Case 66: they take part in the rules as what NumPy makes of them."""
    hundred = np.array([100], np.int8)
    for f, slope in [
        (lambda x: np.arctan2(x, hundred), 100 / 10001),
        (lambda x: np.power(hundred, x), 100 * math.log(100)),
        (lambda x: np.hypot(x, hundred), 1 / math.sqrt(10001)),
        (lambda x: np.power(x, np.array([0], np.uint8)), 0.0),
        (lambda x: np.power(x, np.array([True])), 1.0),
    ]:
        x = Tensor(np.ones(1, np.float32))
        f(x).sum().backward()
        assert x.grad.dtype == np.float32
        np.testing.assert_allclose(x.grad, slope, rtol=1e-5)


@pytest.mark.parametrize("f", [np.arcsin, np.arccos, np.arcsinh, np.arccosh, np.arctanh, np.log,
                               np.sqrt, lambda z: np.power(z, 0.3)])  # fmt: skip
def test_complex_derivatives_on_both_sides_of_a_branch_cut(f: Any) -> None:
    """The derivative belongs to the value that NumPy gives, also for -0.0 as imaginary part."""
    for sign, zero in itertools.product((-2.0, 2.0), (0.0, -0.0)):
        for turn in (complex, lambda a, b: complex(b, a)):  # along either axis
            x = Tensor(np.array(turn(sign, zero)))
            f(x).backward(np.array(1.0 + 0j))
            high, low = (np.array(turn(sign + step, zero)) for step in (1e-6, -1e-6))
            expected = (f(high) - f(low)) / (high - low)
            np.testing.assert_allclose(x.grad.conj(), expected, rtol=1e-6)


# --- where, out, dtype ----------------------------------------------------------------------------


def test_where_computes_nothing_elsewhere() -> None:
    """No warning from what the mask leaves out, and a warning from what it does not."""
    x = Tensor([-1.0, 0.0, 4.0])
    y = np.log(x, where=np.array([False, False, True]))
    assert y.tolist() == [0.0, 0.0, math.log(4)]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0.25]
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.log(x, where=np.array([False, True, True]))
    assert np.log(x, where=[False, False, True]).tolist() == y.tolist()
    assert np.log(x, where=tg.tensor([False, False, True])).tolist() == y.tolist()
    assert np.log(x, where=False).tolist() == [0, 0, 0]
    assert np.log(Tensor(2.0), where=np.array([True, False])).tolist() == [math.log(2), 0]


def test_where_leaves_what_was_there() -> None:
    """Case 61: the gradient of the old value goes to the old value."""
    mask = np.array([True, False])
    x, a = Tensor([1.0, 2.0]), Tensor([3.0, 5.0])
    old = a * 1
    out = old * a
    result = np.multiply(x, 10, out=out, where=mask)
    assert result is out
    assert out.tolist() == [10, 25]
    out.sum().backward()
    assert x.grad.tolist() == [10, 0]
    assert a.grad.tolist() == [0, 10]


def test_where_on_what_has_no_gradient_and_on_two_results() -> None:
    x = Tensor([1.5, -2.5])
    mask = np.array([True, False])
    assert np.isfinite(x, where=mask).tolist() == [True, False]
    kept = x * 1
    np.signbit(x, where=mask, out=kept)
    assert kept.tolist() == [0, -2.5]
    kept.sum().backward()
    assert x.grad.tolist() == [0, 1]
    quotient, rest = np.divmod(x, np.array([1.0, 0.0]), where=mask)
    assert (quotient.tolist(), rest.tolist()) == ([1, 0], [0.5, 0])


def test_out_is_returned_and_takes_the_graph() -> None:
    x = Tensor([1.0, 2.0])
    out = tg.zeros(2, dtype=np.float64)
    for given in (out, (out,)):
        assert np.exp(x, out=given) is out
        np.testing.assert_array_equal(out.data, np.exp([1.0, 2.0]))
    assert np.exp(x, out) is out
    wide = tg.zeros((3, 2), dtype=np.float64)
    assert np.multiply(x, 3, wide) is wide
    wide.sum().backward()
    assert x.grad.tolist() == [9, 9]
    fraction = tg.zeros(2, dtype=np.float64)
    first, second = np.modf(x * 1.5, out=(fraction, None))
    assert first is fraction
    assert (first.tolist(), second.tolist()) == ([0.5, 0], [1, 3])
    assert np.exp(x, out=None).requires_grad


def test_out_is_checked() -> None:
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match="lose the graph"):
        np.exp(x, out=np.zeros(2))
    a = np.zeros(2)
    assert np.exp(x.detach(), out=a) is a
    assert a.tolist() == np.exp([1.0, 2.0]).tolist()
    with pytest.raises(ValueError, match="broadcast"):
        np.exp(x, out=tg.zeros(3, dtype=np.float64))
    with pytest.raises(TypeError, match="Cannot cast"):
        np.exp(x, out=tg.zeros(2, dtype=np.int64))
    out = tg.zeros(2, dtype=np.int64)
    assert np.exp(x.detach(), out=out, casting="unsafe").tolist() == [2, 7]
    with pytest.raises(TypeError, match="Cannot cast"):
        np.exp(x, out=tg.zeros(2, dtype=np.float32), casting="safe")
    with pytest.raises(RuntimeError, match="leaf that records"):
        np.exp(x, out=x)
    with pytest.raises(TypeError):
        np.exp(x, wrong=1)


def test_dtype_and_casting_as_numpy_has_them() -> None:
    x = np.array([1.1, 2.2])
    t = Tensor(x)
    for options in [
        {"dtype": np.float32},
        {"dtype": np.float32, "casting": "safe"},
        {"dtype": np.complex128},
        {"dtype": int},
        {"casting": "no"},
        {"signature": "ff->f"},
        {"signature": (None, None, np.float32)},
        {"order": "F", "subok": False},
    ]:
        got = outcome(np.add, t, 0.1, **options)
        assert_same(got, outcome(np.add, x, 0.1, **options))
        if isinstance(got, Tensor):
            assert got.requires_grad


@pytest.mark.skipif(np.matmul not in NUMPY_TABLE, reason="matmul is not there")
def test_axes_of_products() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 4, 2)), rng.normal(size=(4, 5, 2))
    got = np.matmul(Tensor(x), y, axes=[(0, 1), (0, 1), (2, 0)])
    np.testing.assert_allclose(got.data, np.matmul(x, y, axes=[(0, 1), (0, 1), (2, 0)]))
    for options in [{"axis": 0}, {"keepdims": True}]:
        assert_same(outcome(np.matmul, Tensor(x), y, **options), TypeError)
    if np.vecdot in NUMPY_TABLE:
        for options in [{"axis": 0}, {"keepdims": True}, {"axis": 1, "keepdims": True},
                        {"axes": [0, -1]}, {"axes": [0, 0, ()]}]:  # fmt: skip
            a, b = (x, x) if options.get("axes") != [0, -1] else (x, np.moveaxis(x, 0, -1))
            got, expected = np.vecdot(Tensor(a), b, **options), np.vecdot(a, b, **options)
            assert got.shape == expected.shape
            np.testing.assert_allclose(got.data, expected)


# --- operators and methods of arrays --------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x // 0.7,
        lambda x: x % 0.7,
        lambda x: 2 // x,
        lambda x: 2 % x,
        lambda x: divmod(x, 0.7),
        lambda x: divmod(3, x),
        operator.pos,
        abs,
    ],
)
def test_operators_as_numpy_has_them(f: Any) -> None:
    x = np.array([1.5, -2.5, 0.5], np.float32)
    assert_same(f(Tensor(x)), f(x))


def test_in_place_operators() -> None:
    """Case 61."""
    for operation, slope in [(operator.ifloordiv, 0), (operator.imod, 1)]:
        x, y = Tensor([5.5, -2.5]), np.array([5.5, -2.5])
        t = x * 1
        kept = t
        t = operation(t, 2.0)
        assert t is kept
        assert t.tolist() == operation(y, 2.0).tolist()
        t.sum().backward()
        assert x.grad.tolist() == [slope, slope]
        with pytest.raises(RuntimeError, match="leaf that records"):
            operation(x, 2.0)


def test_bits_of_integers_and_booleans() -> None:
    i, b = tg.tensor([6, 3]), tg.tensor([True, False])
    for f in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift):
        assert_same(f(i, 2), f(i.data, 2))
        assert_same(f(2, i), f(2, i.data))
        assert_same(f(i, i.data), f(i.data, i.data))
    assert (~b).tolist() == [False, True]
    assert (b & (i > 4)).tolist() == [True, False]
    kept = b
    b |= np.array([True, True])
    assert b is kept
    assert b.tolist() == [True, True]
    with pytest.raises(TypeError):
        _ = Tensor([1.0]) & 1
    with pytest.raises(TypeError):
        _ = ~Tensor([1.0])


def test_rounding_by_python() -> None:
    """One number gives a Python int, as a NumPy float does; with digits the graph stays."""
    t = Tensor(2.567)
    for f in (round, math.floor, math.ceil, math.trunc):
        assert f(t) == f(2.567)
        assert type(f(t)) is int
    assert round(t, 1) == np.float64(2.6)
    assert round(t, 1).requires_grad
    assert round(Tensor([1.25, 2.35]), 1).tolist() == np.round([1.25, 2.35], 1).tolist()
    with pytest.raises(ValueError, match="not one number"):
        round(Tensor([1.0, 2.0]))
    for f in (np.round, np.around):
        assert f(Tensor([12.5]), -1).tolist() == [10]
        assert f(Tensor([1.55]), decimals=1).requires_grad


def test_what_arrays_offer() -> None:
    x = Tensor([[3.0, 1.0], [2.0, 4.0]])
    assert (x.nbytes, x.itemsize, x.strides) == (32, 8, (16, 8))
    assert 3.0 in x
    assert 7.0 not in x
    assert [row.tolist() for row in x] == [[3, 1], [2, 4]]
    assert [float(v) for v in x.flat] == [3, 1, 2, 4]
    assert len(x.flat) == 4
    assert x.flat[2] == 2
    assert x.flat[1:3].tolist() == [1, 2]
    y = x * 1
    y.flat[3] = x[0, 0] * 2
    y.flat[[0, 1]] = 5.0
    assert y.tolist() == [[5, 5], [2, 6]]
    y.sum().backward()
    assert x.grad.tolist() == [[2, 0], [1, 0]]
    z = x * 1
    z.fill(7)
    assert z.tolist() == [[7, 7], [7, 7]]
    with pytest.raises(ValueError, match="reshape"):
        z.fill([1.0, 2.0])
    z.put([0, -1], [1.0, 2.0])
    assert z.tolist() == [[1, 7], [7, 2]]
    with pytest.raises(RuntimeError, match="leaf that records"):
        x.fill(0.0)
    with pytest.raises(RuntimeError, match="leaf that records"):
        x.flat[0] = 1.0


@pytest.mark.skipif(np.sort not in NUMPY_TABLE, reason="sort is not there")
def test_sorting_in_place() -> None:
    """Case 18."""
    x = Tensor([[3.0, 1.0], [2.0, 4.0]])
    y = x * x
    assert y.sort() is None
    assert y.tolist() == [[1, 9], [4, 16]]
    (y * np.array([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [[60, 2], [4, 80]]
    y = x * 1
    y.sort(axis=0)
    assert y.tolist() == [[2, 1], [3, 4]]
    if np.partition in NUMPY_TABLE:
        y = x * 1
        y.partition(1, axis=0)
        assert y.tolist() == [[2, 1], [3, 4]]
