"""Calculus on samples, special functions and polynomials: what is particular to each."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.ops import special
from tensorgrad.testing import check_grads


def slopes(function: Callable[[Any], Any], at: float, count: int) -> list[float]:
    """Return derivatives of an order from 1 on, at one point."""
    x = Tensor(at)
    value, found = function(x), []
    for _ in range(count):
        value = tg.gradients(value, x, create_graph=True)
        found.append(value.item())
    return found


# --- sinc and i0 ----------------------------------------------------------------------------------


def test_sinc_at_zero() -> None:
    """Case 34: `sum((-1)**k (πx)**2k / (2k+1)!)`, term by term."""
    expected = [0.0, -(math.pi**2) / 3, 0.0, math.pi**4 / 5, 0.0]
    np.testing.assert_allclose(slopes(np.sinc, 0.0, 5), expected, rtol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_sinc_is_accurate_everywhere(order: int) -> None:
    """Against `integral of (πt)**n cos(πtx + nπ/2)` over t from 0 to 1, by Gauss and Legendre."""
    x = np.concatenate([[0.0, 1e-300, 1e-8, 1e-3], np.linspace(-6, 6, 301)])
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = math.pi * (nodes + 1) / 2
    values = t**order * np.cos(np.multiply.outer(x, t) + order * math.pi / 2)
    expected = values @ weights / 2
    got = special.sinc_derivative(x, order=order)
    np.testing.assert_allclose(got, expected, rtol=0, atol=4e-15 * math.pi**order)


def test_i0_at_zero() -> None:
    """`sum((x/2)**2k / k!**2)`, term by term."""
    np.testing.assert_allclose(slopes(np.i0, 0.0, 4), [0.0, 0.5, 0.0, 0.375], rtol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_bessel_functions_are_accurate_everywhere(order: int) -> None:
    """Against `mean of exp(x cos t) cos(nt)` over a period, which converges exponentially."""
    x = np.concatenate([np.linspace(0.5, 60, 120), [-1.0, -19.9, -20.1]])
    t = np.linspace(0, 2 * math.pi, 256, endpoint=False)
    scaled = np.exp(np.multiply.outer(x, np.cos(t)) - np.abs(x)[:, None])
    expected = np.mean(scaled * np.cos(order * t), axis=1)
    got = special.bessel_quotient(x, order=order) * x**order * np.exp(-np.abs(x))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=2e-16)


def test_i0_refuses_complex_numbers_as_numpy() -> None:
    with pytest.raises(TypeError, match="not supported for complex"):
        np.i0(Tensor([1j]))


# --- interpolation --------------------------------------------------------------------------------

XP, FP = np.array([0.0, 1.0, 2.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 1.0, -1.0])
SLOPES = np.diff(FP) / np.diff(XP)


def test_interp_at_the_knots() -> None:
    """Rules 2 and 3: of least size between the slopes; at the ends that of the inside, as clip."""
    x = Tensor(XP)
    got = tg.gradients(np.interp(x, XP, FP), x, np.ones(5))
    np.testing.assert_array_equal(got, [2.0, 0.0, -0.5, -0.5, -2.0])


@pytest.mark.parametrize("seed", range(5))
def test_interp_next_to_the_knots(seed: int) -> None:
    """A rounded search must not take the segment behind."""
    rng = np.random.default_rng(seed)
    xp, fp = np.sort(rng.random(200)), rng.standard_normal(200)
    inside = np.diff(fp) / np.diff(xp)
    for toward, expected in [(-9.0, [0.0, *inside]), (9.0, [*inside, 0.0])]:
        x = Tensor(np.nextafter(xp, toward))
        np.testing.assert_array_equal(tg.gradients(np.interp(x, xp, fp), x, np.ones(200)), expected)


def test_interp_outside() -> None:
    """The ends are held; NaN depends on nothing but itself."""
    x, fp = Tensor([-1.0, 9.0, np.nan, 0.5]), Tensor(FP)
    by_x, by_fp = tg.gradients(np.interp(x, XP, fp), [x, fp], [1.0, 10.0, 100.0, 1000.0])
    np.testing.assert_array_equal(by_x, [0.0, 0.0, 0.0, 2000.0])
    np.testing.assert_array_equal(by_fp, [501.0, 500.0, 0.0, 0.0, 10.0])


def test_interp_left_and_right_have_gradients() -> None:
    left, right, fp = Tensor(7.0), Tensor(8.0), Tensor(FP)
    out = np.interp([-1.0, 0.0, 5.0, 9.0], XP, fp, left, right)
    np.testing.assert_array_equal(out.data, np.interp([-1.0, 0.0, 5.0, 9.0], XP, FP, 7.0, 8.0))
    found = tg.gradients(out, [left, right, fp], [1.0, 10.0, 100.0, 1000.0])
    assert (found[0], found[1]) == (1.0, 1000.0)
    np.testing.assert_array_equal(found[2], [10.0, 0.0, 0.0, 0.0, 100.0])


def test_interp_between_equal_knots() -> None:
    """A jump has no slope, and no share in what is beside it."""
    x, xp, fp = Tensor([0.5, 1.0, 1.5]), Tensor([0.0, 1.0, 1.0, 2.0]), Tensor([0.0, 1.0, 5.0, 6.0])
    found = tg.gradients(np.interp(x, xp, fp), [x, xp, fp], np.ones(3))
    np.testing.assert_array_equal(found[0], [1.0, 0.0, 1.0])
    np.testing.assert_array_equal(found[2], [0.5, 0.5, 1.5, 0.5])
    assert np.isfinite(found[1]).all()


def test_interp_complex_values() -> None:
    """Case 72: real places get real gradients."""
    values = np.array([1j, 2.0, 1 - 1j])
    x, fp = Tensor([0.5, 1.25]), Tensor(values)
    out = np.interp(x, [0.0, 1.0, 2.0], fp)
    np.testing.assert_array_equal(out.data, np.interp(x.data, [0.0, 1.0, 2.0], values))
    by_x, by_fp = tg.gradients(out, [x, fp], [1 + 1j, 1j])
    np.testing.assert_allclose(by_x, [2.0 - 1.0, -1.0])
    np.testing.assert_allclose(by_fp, [0.5 + 0.5j, 0.5 + 0.5j + 0.75j, 0.25j])


def test_interp_has_no_gradient_by_its_period() -> None:
    x = Tensor([0.5, 7.0])
    with pytest.raises(TypeError, match="period"):
        np.interp(x, XP, FP, period=Tensor(6.0))
    expected = np.interp(x.data, XP, FP, period=6.0)
    np.testing.assert_array_equal(
        np.interp(x, XP, FP, period=tg.as_tensor(np.float64(6.0))).data, expected
    )


# --- differences ----------------------------------------------------------------------------------


def test_gradient_at_regular_places_is_that_by_a_step() -> None:
    """NumPy takes another formula there, and so the same derivative comes from it."""
    f = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    for edge_order in (1, 2):
        for places in (0.5 * np.arange(5), np.arange(5, dtype=np.uint8)[::-1]):
            x = Tensor(f)
            out = np.gradient(x, places, edge_order=edge_order)
            np.testing.assert_array_equal(out.data, np.gradient(f, places, edge_order=edge_order))
            step = float(places[1]) - float(places[0])
            same = np.gradient(x, step, edge_order=edge_order)
            g = np.array([1.0, -2.0, 3.0, 0.5, 1.0])
            np.testing.assert_allclose(
                tg.gradients(out, x, g), tg.gradients(same, x, g), rtol=1e-14
            )


def test_gradient_of_integers_by_a_step() -> None:
    step = Tensor(0.5)
    out = np.gradient(np.array([1, 4, 9]), step)
    assert out.data.tolist() == [6.0, 8.0, 10.0]
    assert tg.gradients(out.sum(), step) == -48.0


def test_unwrap_has_the_gradient_of_what_it_adds() -> None:
    p, period = Tensor([0.0, 4.0, 8.5, 2.0]), Tensor(3.0)
    by_p, by_period = tg.gradients(np.unwrap(p, period=period).sum(), [p, period])
    np.testing.assert_array_equal(by_p, np.ones(4))
    assert by_period == np.round((np.unwrap(p.data, period=3.0) - p.data) / 3.0).sum()


def test_trapezoid_is_exact_for_lines() -> None:
    x = Tensor([0.0, 0.5, 2.0, 3.0])
    area = np.trapezoid(2.0 * x, x)
    assert area.item() == 9.0
    np.testing.assert_array_equal(tg.gradients(area, x), [0.0, 0.0, 0.0, 6.0])


ERRORS: list[Callable[[Any], Any]] = [
    lambda x: np.diff(x, -1), lambda x: np.diff(x, axis=3), lambda x: np.diff(x[0]),
    lambda x: np.diff(x, prepend=np.ones((2, 2))), lambda x: np.ediff1d(x, to_end=[1j]),
    lambda x: np.gradient(x[:1]), lambda x: np.gradient(x, 1, 2), lambda x: np.gradient(x[:2],
        edge_order=2), lambda x: np.gradient(x, edge_order=3), lambda x: np.gradient(x, [1.0, 2.0]),
    lambda x: np.gradient(x, [[1.0, 2.0, 3.0]]), lambda x: np.gradient(x, axis=1),
    lambda x: np.gradient(x, axis=(0, 0)), lambda x: np.interp(x, x, x, period=0),
    lambda x: np.interp(x, x, x[:2]), lambda x: np.interp(x, x[:0], x[:0]),
    lambda x: np.interp(x, x.reshape(1, 3), x), lambda x: np.convolve(x, []),
    lambda x: np.convolve(x[:0], x), lambda x: np.convolve(x, x.reshape(1, 3)),
    lambda x: np.convolve(x, x, "other"), lambda x: np.correlate(x, []),
    lambda x: np.correlate(x, x[0]), lambda x: np.trapezoid(x, np.arange(5.0)),
    lambda x: np.polyint(x, -1), lambda x: np.polyint(x, 3, [1.0, 2.0]),
    lambda x: np.polyder(x, -1), lambda x: np.roots(x.reshape(1, 3)),
    lambda x: np.poly(x.reshape(1, 3)), lambda x: np.polyfit(x, x, -1),
    lambda x: np.polyfit(x, x[:2], 1), lambda x: np.polyfit(x.reshape(1, 3), x, 1),
    lambda x: np.polyfit(x[:0], x[:0], 1), lambda x: np.polyfit(x, x.reshape(3, 1, 1), 1),
    lambda x: np.polyfit(x, x, 1, w=x[:2]), lambda x: np.polyfit(x, x, 1, w=x.reshape(3, 1)),
    lambda x: np.polyfit(x, x, 2, cov=True),
]  # fmt: skip


@pytest.mark.parametrize("call", ERRORS, ids=range(len(ERRORS)))
def test_errors_are_numpys(call: Callable[[Any], Any]) -> None:
    """Rule 8."""
    x = np.array([1.0, 2.0, 4.0])
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever NumPy raises
        call(x)
    with pytest.raises(expected.type) as got:
        call(Tensor(x))
    assert str(got.value) == str(expected.value)


# --- convolution ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(600, 600), (600, 3), (3, 600), (600, 590)], ids=str)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_the_gradient_of_a_convolution_costs_what_the_convolution_costs(
    sizes: tuple[int, int], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factor, not a power: each output is as many products as the shorter sequence is long."""
    products = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(x: Any, y: Any, *args: Any) -> Any:
            nonlocal products
            out = function(x, y, *args)
            overlap = min(len(x), len(y))
            kind = args[0] if args else "full"
            products += overlap * (max(len(x), len(y)) if kind != "valid" else out.size)
            return out

        return call

    x, y = (Tensor(np.ones(n)) for n in sizes)
    out = np.convolve(x, y, mode)
    monkeypatch.setattr(np, "convolve", counted(np.convolve))
    np.convolve(x.data, y.data, mode)
    forward, products = products, 0
    tg.gradients(out, [x, y], np.ones(out.shape))
    assert 0 < products <= 4 * forward


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [np.convolve, np.correlate])
@pytest.mark.parametrize("sizes", [(5, 3), (2, 5), (4, 6)], ids=str)
def test_convolution_of_complex_numbers(
    function: Callable[..., Any], mode: str, sizes: tuple[int, int]
) -> None:
    """Case 72: `dL/dx + i dL/dy` of a real loss, against differences in both directions."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(n) + 1j * rng.standard_normal(n) for n in sizes]

    def split(*parts: Any) -> Any:
        x, y = (parts[i] + 1j * parts[i + 1] for i in (0, 2))
        return np.abs(function(x, y, mode))

    check_grads(split, *(part for a in arrays for part in (a.real, a.imag)), order=2)
    x, y = (Tensor(a) for a in arrays)
    np.testing.assert_array_equal(function(x, y, mode).data, function(*arrays, mode))
    grad = tg.gradients(np.abs(function(x, y, mode)).sum(), y)
    moved = np.zeros(sizes[1], complex)
    for i in range(sizes[1]):
        for unit in (1.0, 1j):
            step = np.zeros(sizes[1], complex)
            step[i] = 1e-6 * unit
            ahead, behind = (
                np.abs(function(arrays[0], arrays[1] + s, mode)).sum() for s in (step, -step)
            )
            moved[i] += unit * (ahead - behind) / 2e-6
    np.testing.assert_allclose(grad, moved, rtol=1e-6, atol=1e-7)


# --- polynomials ----------------------------------------------------------------------------------


def test_a_polynomial_of_tensors() -> None:
    """`poly1d` holds a tensor, and computes with what is handed to us."""
    p = Tensor([1.0, -3.0, 2.0])
    poly = np.poly1d(p)
    x = Tensor(3.0)
    by_p, by_x = tg.gradients(poly(x), [p, x])
    np.testing.assert_array_equal(by_p, [9.0, 3.0, 1.0])
    assert by_x == 3.0
    product = (poly * poly).coeffs
    np.testing.assert_array_equal(product.data, np.polymul(p.data, p.data))
    assert product.requires_grad
    np.testing.assert_array_equal(poly.deriv().coeffs.data, [2.0, -3.0])
    np.testing.assert_array_equal(np.poly1d([1.0, 2.0])(x).data, 5.0)


def test_polyval_of_no_coefficients_is_zero() -> None:
    x = Tensor([1.0, 2.0])
    np.testing.assert_array_equal(np.polyval(Tensor([]), x).data, [0.0, 0.0])
    assert np.polyval([Tensor(2.0), 1.0], x).data.tolist() == [3.0, 5.0]
    with pytest.raises(TypeError, match="poly1d"):
        np.polyval(x, np.poly1d([1.0, 2.0]))


def test_polymul_and_polydiv_strip_zeros() -> None:
    p, zero = np.array([0.0, 0.0, 1.0, 2.0]), np.zeros(3)
    for one, other in [(p, p), (p, zero), (zero, zero)]:
        x = Tensor(one)
        out = np.polymul(x, other)
        np.testing.assert_array_equal(out.data, np.polymul(one, other))
        assert tg.gradients(out.sum(), x).shape == one.shape
    u, v = Tensor([1.0, 3.0, 2.0]), Tensor([1.0, 1.0])
    for got, expected in zip(np.polydiv(u, v), np.polydiv(u.data, v.data), strict=True):
        np.testing.assert_array_equal(got.data, expected)


def test_roots_by_the_implicit_function_theorem() -> None:
    """x**2 + bx + c: `dr/db = -r / (2r + b)` and `dr/dc = -1 / (2r + b)`."""
    p = Tensor([1.0, -3.0, 2.0])
    r = np.roots(p)
    np.testing.assert_allclose(r.data, [2.0, 1.0])
    np.testing.assert_allclose(tg.gradients(r[0], p), [-4.0, -2.0, -1.0])
    # A pair of conjugates: its product is c, and its sum is -b.
    p = Tensor([1.0, 2.0, 5.0])
    r = np.roots(p)
    assert r.dtype == np.complex128
    np.testing.assert_allclose(tg.gradients(np.real(np.prod(r)), p), [-5.0, 0.0, 1.0], atol=1e-14)
    np.testing.assert_allclose(tg.gradients(np.real(np.sum(r)), p), [2.0, -1.0, 0.0], atol=1e-14)


def test_a_double_root_has_no_derivative() -> None:
    """Rule 5: it moves as a square root; inf or NaN, no number."""
    p = Tensor([1.0, 0.0, 0.0])
    assert not np.isfinite(tg.gradients(np.roots(p).sum(), p)).any()


def test_poly_of_conjugates_is_real_as_numpys() -> None:
    pair, other = np.array([1 + 2j, 1 - 2j]), np.array([1 + 2j, 1j])
    for zeros in (pair, other, np.array([1, 2]), np.array([1.0, 2.0], np.float16)):
        got, expected = np.poly(tg.as_tensor(zeros)), np.poly(zeros)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got.data, expected)
    z = Tensor(pair)
    np.testing.assert_allclose(tg.gradients(np.poly(z)[2], z), [1 + 2j, 1 - 2j])
    assert np.poly(Tensor([])) == 1.0


def test_polyfit_warns_as_numpy() -> None:
    x = Tensor([1.0, 1.0, 1.0])
    with pytest.warns(np.exceptions.RankWarning, match="poorly conditioned"):
        np.polyfit(x, [1.0, 2.0, 3.0], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.polyfit(x, [1.0, 2.0, 3.0], 1, full=True)[2] == 1


# --- what NumPy does not hand to us ---------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.kaiser(5, t[0]),
        lambda t: np.bartlett(t[0]),
        lambda t: np.hanning(t[0]),
        lambda t: np.vectorize(math.sin)(t),
        lambda t: np.frompyfunc(math.sin, 1, 1)(t),
        lambda t: np.matrix(t),
        lambda t: np.asmatrix(t),
        lambda t: np.bmat([[t, t]]),
        lambda t: np.polynomial.Polynomial(t),
        lambda t: np.polynomial.Polynomial([1.0, 2.0])(t),
    ],
    ids=["kaiser", "bartlett", "hanning", "vectorize", "frompyfunc", "matrix", "asmatrix", "bmat",
         "Polynomial", "Polynomial()"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_graph_is_never_lost(call: Callable[[Any], Any]) -> None:
    """Rule 9: refused aloud, where NumPy would make an array of the tensor."""
    with pytest.raises(TypeError, match="graph"):
        call(Tensor([1.0, 2.0, 3.0]))


def test_a_kaiser_window_by_its_formula() -> None:
    """The advice that stands in the contract."""
    beta, t = Tensor(8.6), np.linspace(-1, 1, 7)
    window = np.i0(beta * np.sqrt(1 - t**2)) / np.i0(beta)
    np.testing.assert_allclose(window.data, np.kaiser(7, 8.6), rtol=1e-13)
    check_grads(lambda b: np.i0(b * np.sqrt(1 - t**2)) / np.i0(b), 8.6)
