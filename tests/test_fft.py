"""Fourier transforms: what the table of op cases does not ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.numpy_api.table import SUPPORT, Support
from tensorgrad.testing import check_grads

ALONG = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
OVER = ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
SHIFTS = ("fftshift", "ifftshift")
OF_COMPLEX = [name for name in (*ALONG, *OVER) if name not in ("rfft", "ihfft", "rfft2", "rfftn")]
NORMS = (None, "backward", "ortho", "forward")


def drawn(*shape: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def dot(x: Any, y: Any) -> float:
    """Return the real inner product, of which the gradient is the adjoint."""
    return float(np.real(np.sum(np.conj(x) * y)))


def test_every_function_is_here() -> None:
    for name in (*ALONG, *OVER, *SHIFTS):
        assert SUPPORT[getattr(np.fft, name)] is Support.DIFFERENTIABLE
    for name in ("fftfreq", "rfftfreq"):
        assert SUPPORT[getattr(np.fft, name)] is Support.NO_GRADIENT


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("name", ALONG)
def test_the_gradient_is_the_adjoint(name: str, n: int, norm: Any) -> None:
    """`<w, F x> = <F* w, x>`, to rounding, for every n, cropping and padding odd and even x."""
    transform = getattr(np.fft, name)
    for length in (5, 6):
        x = drawn(2, length) if name in OF_COMPLEX else drawn(2, length).real
        out = transform(x, n, -1, norm)
        w = drawn(*out.shape, seed=1) if out.dtype.kind == "c" else drawn(*out.shape).real
        leaf = Tensor(x)
        result = transform(leaf, n=n, norm=norm)
        np.testing.assert_array_equal(result.data, out)
        grad = tg.gradients(result, leaf, w)
        assert grad.dtype == x.dtype
        # Along two directions, since a single one sees a single number.
        for v in (x, drawn(2, length, seed=2) if x.dtype.kind == "c" else np.cos(x)):
            assert dot(grad, v) == pytest.approx(dot(w, transform(v, n, -1, norm)), abs=1e-12)


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_complex_input_to_second_order(name: str) -> None:
    transform = getattr(np.fft, name)
    check_grads(lambda z: np.abs(transform(z)) ** 3, drawn(3, 4))
    check_grads(lambda z: transform(z * z), drawn(2, 3))


@pytest.mark.parametrize("name", ["irfft", "hfft"])
@pytest.mark.parametrize("n", [5, 6])
def test_what_a_hermitian_array_cannot_hold_has_no_gradient(name: str, n: int) -> None:
    """Imaginary parts of the mean, and of the highest frequency of an even n, are not read."""
    z = Tensor(drawn(n // 2 + 1))
    getattr(np.fft, name)(z, n).backward(np.arange(1.0, n + 1))
    assert z.grad[0].imag == 0
    assert (z.grad[-1].imag == 0) == (n % 2 == 0)
    assert z.grad[1].imag != 0


@pytest.mark.parametrize(("real", "pair"), [("float32", "complex64"), ("float64", "complex128")])
@pytest.mark.parametrize("name", [*ALONG, *OVER, *SHIFTS])
def test_single_precision_stays_single(name: str, real: str, pair: str) -> None:
    transform = getattr(np.fft, name)
    for x in (drawn(3, 4).real.astype(real), drawn(3, 4).astype(pair)):
        if x.dtype.kind == "c" and name not in (*OF_COMPLEX, *SHIFTS):
            continue
        leaf = Tensor(x)
        out = transform(leaf)
        assert out.dtype == transform(x).dtype
        out.backward(np.ones(out.shape))
        assert leaf.grad.dtype == x.dtype


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fft", {"n": 0}),
        ("fft", {"n": -3}),
        ("fft", {"n": 2.5}),
        ("fft", {"axis": 2}),
        ("fft", {"norm": "orthogonal"}),
        ("hfft", {"norm": "orthogonal"}),
        ("irfft", {"n": 0}),
        ("fftn", {"s": (2,), "axes": (0, 1)}),
        ("fftn", {"axes": (0, 5)}),
        ("fftn", {"axes": 0}),
        ("fftn", {"s": 3}),
        ("rfftn", {"axes": ()}),
        ("rfft2", {"s": (0, 2)}),
        ("fftshift", {"axes": 4}),
    ],
    ids=str,
)
def test_errors_are_numpys(name: str, options: dict[str, Any]) -> None:
    function, x = getattr(np.fft, name), drawn(3, 4).real

    def error(x: Any) -> Exception:
        with pytest.raises((IndexError, TypeError, ValueError)) as caught:
            function(x, **options)
        return caught.value

    theirs, ours = error(x), error(Tensor(x))
    assert (type(ours), str(ours)) == (type(theirs), str(theirs))


def test_a_sole_element_has_no_hermitian_whole() -> None:
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        np.fft.irfft(Tensor([1.0]))


def test_s_without_axes_warns_as_numpy_does() -> None:
    x = Tensor(drawn(2, 3, 4).real)
    with pytest.warns(DeprecationWarning, match="axes"):
        out = np.fft.irfftn(x, s=(3, 5))
    out.backward(np.ones(out.shape))
    with pytest.warns(DeprecationWarning, match="axes"):
        expected = np.fft.irfftn(x.data, s=(3, 5))
    np.testing.assert_array_equal(out.data, expected)
    assert dot(x.grad, x.data) == pytest.approx(np.sum(expected), abs=1e-12)


@pytest.mark.parametrize("name", ["fftn", "rfftn", "irfftn"])
@pytest.mark.parametrize("axes", [(0, 0), (1, 0, 1), (-1, 1), (0, 1, -2)], ids=str)
@pytest.mark.parametrize("s", [None, (5, 2, 4)], ids=str)
def test_repeated_axes(name: str, axes: tuple[int, ...], s: Any) -> None:
    """NumPy transforms an axis as often as it is named, each time of the size that it then has."""
    given = {"axes": axes, "s": s and s[: len(axes)]}
    check_grads(lambda x: getattr(np.fft, name)(x, **given), drawn(3, 4).real)


def test_over_no_axes() -> None:
    x = Tensor([1.0, 2.0])
    out = np.fft.fftn(x, axes=())
    assert (out.tolist(), out.dtype) == ([1, 2], np.float64)
    assert not np.may_share_memory(out.data, x.data)
    out.backward(np.array([3.0, 4.0]))
    assert x.grad.tolist() == [3, 4]


def test_where_the_result_goes() -> None:
    """`out=` a tensor is filled; an array would lose the graph."""
    x = Tensor([1.0, -2.0, 0.5])
    out = tg.zeros(3, dtype=complex)
    assert np.fft.fft(x, out=out) is out
    np.abs(out[1]).backward()
    other = Tensor(x.data)
    np.abs(np.fft.fft(other)[1]).backward()
    np.testing.assert_array_equal(x.grad, other.grad)
    with pytest.raises(TypeError, match="would lose the graph"):
        np.fft.fft(x, out=np.zeros(3, complex))


def test_integers_and_constants_do_not_record() -> None:
    for x in ([1, 2, 3], [True, False]):
        out = np.fft.fft(tg.tensor(x))
        np.testing.assert_array_equal(out.data, np.fft.fft(x))
        assert not out.requires_grad


def test_frequencies() -> None:
    """They are constants, and the spacing may be a tensor."""
    x = Tensor(drawn(6).real)
    slope = np.fft.ifft(2j * np.pi * np.fft.fftfreq(6) * np.fft.fft(x)).real
    np.testing.assert_array_equal(
        slope.data, np.fft.ifft(2j * np.pi * np.fft.fftfreq(6) * np.fft.fft(x.data)).real
    )
    check_grads(lambda d: np.fft.rfftfreq(5, d) * d * d, 0.5)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: np.fft.irfft(np.fft.rfft(x, 9) * np.fft.rfft(y, 9), 9),
        lambda x, y: np.fft.ifft2(np.fft.fft2(x) * np.conj(np.fft.fft2(y))).real,
        lambda x, y: np.fft.fftshift(np.abs(np.fft.fft(x)), axes=-1) * np.fft.ifftshift(y),
        lambda x, y: np.log(np.square(np.abs(np.fft.rfft(x * np.hanning(5) + y))) + 1),
    ],
    ids=["convolution", "correlation", "shifted spectrum", "log periodogram"],
)
def test_what_people_write(f: Callable[..., Any]) -> None:
    check_grads(f, drawn(2, 5).real, drawn(2, 5, seed=4).real)


def test_a_convolution_by_transforms_is_one() -> None:
    """Values and gradients are those of the sum itself."""
    x, y = Tensor(drawn(5).real), Tensor(drawn(4, seed=4).real)
    out = np.fft.irfft(np.fft.rfft(x, 8) * np.fft.rfft(y, 8), 8)
    np.testing.assert_allclose(out.data, np.convolve(x.data, y.data), rtol=1e-13)
    w = np.arange(8.0)
    out.backward(w)
    np.testing.assert_allclose(x.grad, np.correlate(w, y.data, "valid"), rtol=1e-12)
    np.testing.assert_allclose(y.grad, np.correlate(w, x.data, "valid"), rtol=1e-12)
