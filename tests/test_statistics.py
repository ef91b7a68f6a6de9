"""What is particular to reductions, statistics and histograms; `test_order.py` has the rest."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.ops import quantile
from tensorgrad.testing import check_grads

NAN, INF = np.nan, np.inf


def gradient(f: Callable[..., Any], x: Any, weights: Any = None) -> Any:
    """Return the gradient of `sum(f(x) * weights)`."""
    x = Tensor(x)
    out = f(x)
    weights = np.ones(out.shape) if weights is None else np.asarray(weights, out.dtype)
    with np.errstate(all="ignore"):
        (grad,) = tg.gradients(out, [x], weights)
    return grad


# --- where nothing is smooth ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "weights", "expected"),
    [
        (np.max, [3.0, 3, 1], None, [0.5, 0.5, 0]),
        (np.max, [NAN, 3, 1], None, [1, 0, 0]),
        (np.nanmax, [NAN, 3, 3], None, [0, 0.5, 0.5]),
        (lambda x: np.max(x, initial=3.0), [3.0, 1], None, [0, 0]),
        (lambda x: np.max(x, where=[True, False, True], initial=-9), [3.0, 3, 1], None, [1, 0, 0]),
        (lambda x: np.max(x, axis=0), [[2.0, 1], [2.0, 3]], None, [[0.5, 0], [0.5, 1]]),
        (np.ptp, [1.0, 1, 4], None, [-0.5, -0.5, 1]),
        (np.median, [1.0, 2, 3, 4], None, [0, 0.5, 0.5, 0]),
        (np.median, [3.0, 1, 2], None, [0, 0, 1]),
        (np.median, [1.0, NAN, 3], None, [0, 1, 0]),
        (np.nanmedian, [NAN, 2.0, 3, 4], None, [0, 0, 1, 0]),
        (lambda x: np.nanquantile(x, 0.25, axis=1), [[1.0, NAN, 3], [5, 4, NAN]], [1, 1],
         [[0.75, 0, 0.25], [0.25, 0.75, 0]]),
        (np.sort, [2.0, 2, 1], [1, 2, 3], [2, 3, 1]),
        (np.sort, [NAN, 2.0, NAN, 1], [1, 2, 3, 4], [3, 2, 4, 1]),
        (np.sort, [0.0, -0.0, -1], [1, 2, 3], [2, 3, 1]),
        (lambda x: np.sort(x, axis=0), [[1.0, 0], [1, 0], [0, 0]], [[1, 2], [3, 4], [5, 6]],
         [[3, 2], [5, 4], [1, 6]]),
        (np.unique, [5.0, 3, 5, 3], [1, 2], [2, 1, 0, 0]),
        (np.prod, [0.0, 2, 3], None, [6, 0, 0]),
        (np.prod, [0.0, 0, 3], None, [0, 0, 0]),
        (lambda x: np.prod(x, axis=1), [[0.0, 2], [3, 4]], None, [[2, 0], [4, 3]]),
        (lambda x: np.prod(x, axis=(0, 2)), [[[0.0, 2], [1, 2]], [[3, 4], [0, 0]]], None,
         [[[24, 0], [0, 0]], [[0, 0], [0, 0]]]),
        (np.cumprod, [2.0, 0, 3, 0], None, [1, 8, 0, 0]),
        (np.cumsum, 2.0, None, 1.0),
        (np.cumprod, 2.0, None, 1.0),
        (np.var, [1.5, 1.5, 1.5], None, [0, 0, 0]),
        (np.std, [1.1, 1.1, 1.1], None, [0, 0, 0]),
        (lambda x: np.var(x, ddof=1), [1.0, 2, 4], None, [-4 / 3, -1 / 3, 5 / 3]),
        (lambda x: np.std(x, where=[True, True, False]), [2.0, 2, NAN], None, [0, 0, 0]),
        (np.nanmean, [NAN, 1, 3], None, [0, 0.5, 0.5]),
        (np.nansum, [NAN, 1, 3], None, [0, 1, 1]),
        (np.nanprod, [NAN, 2, 3], None, [0, 3, 2]),
        (np.nanvar, [NAN, 1, 3], None, [0, -1, 1]),
        (np.nancumsum, [NAN, 1.0], [1, 2], [0, 2]),
        (lambda x: np.sum(x, where=[True, False]), [1.0, INF], None, [1, 0]),
        (lambda x: np.mean(x, where=[True, False]), [1.0, NAN], None, [1, 0]),
        (lambda x: np.prod(x, where=[True, True, False]), [2.0, 3, NAN], None, [3, 2, 0]),
    ],
)  # fmt: skip
def test_edges(f: Callable[..., Any], x: Any, weights: Any, expected: Any) -> None:
    """Cases 14 to 18, 30 to 33, 50 and 69; NaN that is left out has gradient 0."""
    np.testing.assert_allclose(gradient(f, x, weights), expected, rtol=1e-12, atol=1e-12)


def test_case_15_many_equal_halves() -> None:
    for f in (np.max, lambda x: np.maximum.accumulate(x)[-1]):
        grad = gradient(f, np.ones(70_000, np.float16))
        assert grad.dtype == np.float16
        np.testing.assert_allclose(grad, 1 / 70_000, rtol=1e-2)


def test_case_17_equal_elements_share() -> None:
    grad = gradient(np.median, [2.0, 2.0, 2.0, 2.0])
    assert (grad >= 0).all()
    assert grad.sum() == 1.0


def test_case_33_one_element_without_freedom() -> None:
    x = Tensor([3.0])
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"), np.errstate(all="ignore"):
        out = np.std(x, ddof=1)
    out.backward()
    assert np.isnan(out.data)
    assert np.isnan(x.grad).all()


def test_case_43_empty() -> None:
    assert np.sum(Tensor([])).item() == 0.0
    with pytest.raises(ValueError, match="zero-size"):
        np.max(Tensor([]))
    for f in (np.mean, np.var, np.std, np.median):
        x = Tensor([])
        with pytest.warns(RuntimeWarning), np.errstate(all="ignore"):
            out = f(x)
        out.backward()  # and does not warn
        assert np.isnan(out.data)
        assert x.grad.shape == (0,)


def test_a_row_of_nan_has_no_gradient_and_no_second_warning() -> None:
    x = Tensor([[NAN, NAN], [1.0, 3.0]])
    for f in (np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin, np.nanmedian):
        with pytest.warns(RuntimeWarning):
            out = f(x, axis=1)
        (grad,) = tg.gradients(out, [x], np.array([1.0, 1.0]))
        assert not grad[0].any(), f
        assert np.isfinite(grad).all(), f


# --- quantiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*quantile._CONTINUOUS, *quantile._IN_STEPS])
def test_places_are_numpys(method: str) -> None:
    """The place of a quantile is the quantile of the places."""
    for n, dtype in itertools.product(range(1, 13), ("float32", "float64")):
        q = np.linspace(0, 1, 49).astype(dtype)
        expected = np.quantile(np.arange(n, dtype=dtype), q, method=method)
        place, _ = quantile._place(np.array(n), q, method)
        np.testing.assert_allclose(place, expected, atol=1e-5)


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0])
def test_the_slope_by_q_at_an_element(q: float) -> None:
    """It is the one to the right, and at the end the one to the left."""
    t = Tensor(q)
    np.quantile(np.array([1.0, 2.0, 4.0]), t).backward()
    assert t.grad == (2.0 if q == 0.0 else 4.0)


def test_quantiles_refuse_what_numpy_refuses() -> None:
    x = Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"Quantiles must be in the range \[0, 1\]"):
        np.quantile(x, 1.5)
    with pytest.raises(ValueError, match=r"Percentiles must be in the range \[0, 100\]"):
        np.percentile(x, 101)
    with pytest.raises(ValueError, match="supports weights"):
        np.quantile(x, 0.5, weights=[1.0, 1.0])
    with pytest.raises(ValueError, match="is not a valid method"):
        np.quantile(x, 0.5, method="no")
    with pytest.raises(np.exceptions.AxisError):
        np.median(x, axis=1)


def test_an_element_without_weight_is_no_quantile() -> None:
    x, w = [2.0, 1.0, 2.0, 3.0], [0.0, 1.0, 1.0, 1.0]
    grad = gradient(lambda x: np.quantile(x, 0.5, weights=w, method="inverted_cdf"), x)
    np.testing.assert_array_equal(grad, [0, 0, 1, 0])


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "nansum", "cumsum", "nancumprod"])
def test_integers_leave_the_graph(name: str) -> None:
    """Case 70."""
    out = getattr(np, name)(Tensor([1.5, 2.5]), dtype=np.int64)
    np.testing.assert_array_equal(out.data, getattr(np, name)(np.array([1.5, 2.5]), dtype=np.int64))
    assert not out.requires_grad


@pytest.mark.parametrize("name", ["sum", "max", "nanmin", "var", "median", "cumsum", "ptp"])
def test_out(name: str) -> None:
    x = Tensor([1.0, 2.0, 4.0])
    out = tg.zeros(3 if name == "cumsum" else (), dtype=np.float64)
    function = getattr(np, name)
    assert function(x, out=out) is out
    np.testing.assert_array_equal(out.data, function(x.data))
    assert out.requires_grad
    with pytest.raises(TypeError, match="lose the graph"):
        function(x, out=np.zeros(out.shape))


def test_options_by_position() -> None:
    """As NumPy orders them, in functions and in methods."""
    x, mask = Tensor([[1.0, 2.0], [3.0, 5.0]]), np.array([[True, False], [True, True]])
    assert np.sum(x, 1, None, None, True, 10.0, mask).tolist() == [[11.0], [18.0]]
    assert x.sum(1, None, None, True, initial=10.0, where=mask).tolist() == [[11.0], [18.0]]
    assert np.max(x, 1, None, True, 4.0).tolist() == [[4.0], [5.0]]
    assert x.max(1, None, True, initial=4.0).tolist() == [[4.0], [5.0]]
    assert np.var(x, 0, None, None, 1).tolist() == x.var(0, None, None, 1).tolist() == [2.0, 4.5]
    assert x.mean(0, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="ddof and correction"):
        np.var(x, ddof=1, correction=1)
    with pytest.raises(ValueError, match="identity"):
        np.max(x, where=mask)
    with pytest.raises(ValueError, match=r"zero-size|identity"):
        np.sum(Tensor([]), initial=None)


def test_a_mask_that_is_a_tensor() -> None:
    x, mask = Tensor([1.0, 2.0]), tg.as_tensor([True, False])
    np.sum(x, where=mask).backward()
    np.testing.assert_array_equal(x.grad, [1, 0])


def test_initial_takes_its_share() -> None:
    x, start = Tensor([1.0, 3.0]), Tensor(3.0)
    np.max(x, initial=start).backward()
    np.testing.assert_array_equal(x.grad, [0, 0.5])
    assert start.grad == 0.5


def test_the_mean_given_is_part_of_the_derivative() -> None:
    x = np.random.default_rng(0).standard_normal((2, 4))
    given = gradient(lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)), x)
    np.testing.assert_allclose(given, gradient(lambda x: np.var(x, axis=1), x), atol=1e-15)
    moved = gradient(lambda x: np.std(x, mean=np.full((1, 1), 5.0)), np.zeros((2, 2)))
    np.testing.assert_allclose(moved, -0.25)


# --- averages and covariances ---------------------------------------------------------------------


def test_average_refuses_what_numpy_refuses() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ZeroDivisionError):
        np.average(x, weights=np.zeros((2, 2)))
    with pytest.raises(TypeError, match="Axis must be specified"):
        np.average(x, weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="consistent"):
        np.average(x, axis=0, weights=[1.0, 2.0, 3.0])
    mean, count = np.average(x, axis=0, returned=True)
    assert mean.tolist() == [2.0, 3.0]
    assert count.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("shape", [(4,), (3, 5)])
def test_corrcoef(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    got = np.corrcoef(Tensor(x))
    np.testing.assert_array_equal(got.data, np.corrcoef(x))
    check_grads(lambda x, y: np.corrcoef(x, y)[0], x, x[..., ::-1] + 0.3 * np.cos(x))


def test_covariances_refuse_what_numpy_refuses() -> None:
    x = Tensor([[1.0, 2.0, 4.0], [3.0, 3.0, 1.0]])
    with pytest.raises(ValueError, match="ddof must be integer"):
        np.cov(x, ddof=1.5)
    with pytest.raises(TypeError, match="fweights must be integer"):
        np.cov(x, fweights=[0.5, 1.0, 1.0])
    with pytest.raises(RuntimeError, match="incompatible numbers"):
        np.cov(x, aweights=[1.0, 1.0])
    with pytest.raises(ValueError, match="more than 2 dimensions"):
        np.cov(Tensor(np.zeros((2, 2, 2))))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"), np.errstate(all="ignore"):
        np.cov(x, ddof=3)
    assert np.cov(Tensor(np.zeros((0, 3)))).shape == (0, 0)


# --- histograms -----------------------------------------------------------------------------------


def test_histograms_are_numpys() -> None:
    x = np.array([0.1, 0.4, 0.4, 0.9, 0.5, 1.0, NAN, -3.0])
    w = np.arange(8.0)
    for bins, given in itertools.product(
        (3, [0.0, 0.4, 0.4, 0.5, 1.0]), ({"range": (0.1, 1.0)}, {"range": (0.4, 0.9)})
    ):
        for weights, density in itertools.product((None, w), (False, True)):
            options = {"bins": bins, "weights": weights, "density": density, **given}
            with np.errstate(all="ignore"):
                expected = np.histogram(x, **options)
                got = np.histogram(Tensor(x), **options)
            for one, other in zip(got, expected, strict=True):
                np.testing.assert_array_equal(getattr(one, "data", one), other)


def test_counts_are_integers_and_weights_are_not() -> None:
    x = Tensor([0.1, 0.4, 0.9])
    count, edges = np.histogram(x, 2)
    assert isinstance(count, np.ndarray)
    assert count.dtype == np.intp
    assert edges.requires_grad
    assert np.bincount([0, 2, 2], Tensor([1.0, 2.0, 3.0])).tolist() == [1.0, 0.0, 5.0]
    np.testing.assert_array_equal(np.bincount(tg.as_tensor([0, 2, 2])), [1, 0, 2])


@pytest.mark.parametrize("bins", [10, [0.0, 0.3, 0.3, 1.0, 2.0]])
def test_weights_get_the_cotangent_of_their_bin(bins: Any) -> None:
    """Also numbers on an edge, outside, and NaN: against one histogram for each of them."""
    x = np.concatenate([np.linspace(0, 1, 11), [-1.0, 1.5, NAN, 0.3, 2.0]])
    g = np.arange(1.0, (bins if isinstance(bins, int) else len(bins) - 1) + 1)
    alone = np.eye(x.size)
    expected = [np.histogram(x, bins, (0, 1), weights=w)[0] @ g for w in alone]
    w = Tensor(np.ones(x.size))
    count, _ = np.histogram(x, bins, (0, 1), weights=w)
    np.testing.assert_array_equal(tg.gradients(count, [w], g)[0], expected)


def test_points_in_the_plane() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.standard_normal((3, 20))
    for density in (False, True):
        expected = np.histogram2d(x, y, (3, [-1.0, 0.0, 1.0]), density=density, weights=w)
        got = np.histogram2d(
            Tensor(x), y, (3, [-1.0, 0.0, 1.0]), density=density, weights=Tensor(w)
        )
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one.data, other)
    for sample in (np.stack([x, y], axis=1), [x, y], x):
        counts, edges = np.histogramdd(sample, 4)
        given = [Tensor(s) for s in sample] if isinstance(sample, list) else Tensor(sample)
        got_counts, got_edges = np.histogramdd(given, 4)
        np.testing.assert_array_equal(got_counts, counts)
        for one, other in zip(got_edges, edges, strict=True):
            np.testing.assert_array_equal(one.data, other)


def test_a_range_that_records_is_refused() -> None:
    with pytest.raises(TypeError, match="range of a histogram records"):
        np.histogram(Tensor([0.5]), range=(Tensor(0.0), 1.0))


# --- the strong zero ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.average(x, axis=1, weights=[1.0, 2.0, 3.0]),
        lambda x: np.var(x, axis=1),
        lambda x: np.std(x, axis=1, ddof=1),
        lambda x: np.prod(x, axis=1),
        lambda x: np.sum(x * x, axis=1, initial=2.0),
        lambda x: np.max(x, axis=1),
        lambda x: np.median(x, axis=1),
        lambda x: np.cumprod(x, axis=1)[:, -1],
        lambda x: np.sort(x, axis=1)[:, 0],
        lambda x: np.nanvar(x, axis=1),
        lambda x: np.ptp(x, axis=1),
    ],
)
@pytest.mark.parametrize("bad", [[INF, 0.0, 1.0], [NAN, 1.0, 2.0], [0.0, -INF, INF]])
def test_a_row_that_is_not_taken(f: Callable[..., Any], bad: list[float]) -> None:
    """Rule 7."""
    good = [0.3, 0.5, 0.9]
    taken = np.array([False, True])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        grad = gradient(lambda x: np.where(taken, f(x), 0.0), [bad, good])
        expected = gradient(f, [good, good])[1]
    np.testing.assert_allclose(grad, [[0.0] * 3, expected])


def test_beside_the_array_nothing_is_reshaped() -> None:
    """A pass with NaN in it meets what else records: weights, means, initial values."""
    x = Tensor([[NAN, 1.0, 2.0], [1.0, 2.0, 4.0]])
    weights, start, mean = Tensor([1.0, 2.0, 3.0]), Tensor(1.0), Tensor([[1.0], [2.0]])
    total = np.sum(x, axis=1, initial=start) + np.average(x, axis=1, weights=weights)
    (total + np.var(x, axis=1, mean=mean)).sum().backward()
    assert start.grad == 2.0
    assert np.isnan(weights.grad).all()
    np.testing.assert_allclose(mean.grad[1], [-2.0 / 3.0])


# --- complex numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        np.sum,
        np.mean,
        np.prod,
        np.var,
        np.std,
        np.median,
        np.sort,
        np.cumsum,
        np.cumprod,
        np.nanmean,
        np.nanvar,
        lambda z: np.cov(z, z[::-1]),
        lambda z: np.average(z, weights=[1.0, 2.0, 0.5]),
        lambda z: np.var(z, where=[True, False, True]),
    ],
)
def test_complex_numbers(f: Callable[..., Any]) -> None:
    """Case 72: the gradient by z = x + iy is dL/dx + i dL/dy."""
    z = np.array([1.0 + 2.0j, -0.5 + 0.3j, 2.0 - 1.0j])

    def loss(z: Any) -> Any:
        out = f(z)
        return np.sum(np.real(out)) + 2.0 * np.sum(np.imag(out))

    t = Tensor(z)
    loss(t).backward()
    expected = np.empty_like(z)
    for i, unit in itertools.product(range(3), (1.0, 1.0j)):
        step = np.zeros_like(z)
        step[i] = 1e-6 * unit
        slope = (loss(z + step) - loss(z - step)) / 2e-6
        expected[i] = slope if unit == 1.0 else expected[i].real + 1j * slope
    np.testing.assert_allclose(t.grad, expected, rtol=1e-7, atol=1e-7)
