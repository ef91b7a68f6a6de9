"""Complex tensors: the convention, every op on complex numbers, and what is refused (case 72)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import CASES
from tensorgrad import Tensor, Value, nn, optim, viz
from tensorgrad.testing import check_grads

Z = np.array([0.5 + 1.0j, -1.5 + 0.25j, 2.0 - 0.75j])
X = np.array([0.3, -0.8, 1.2])
REAL = {"sigmoid", "silu", "softplus", "unwrap"}
"""Rows whose formula takes complex numbers, and whose function does not."""
PARTED = ("cholesky", "correlate", "eig", "hermitian", "qr", "svd", "unique values")
"""In rows that need Hermitian input, conjugate it, or order it by its hash; not for this test."""
ROWS = [case for case in CASES if case.order and not any(word in case.name for word in PARTED)]
HOLOMORPHIC = [case for case in ROWS if case.holomorphic and case.name not in REAL]
OTHER_ROWS = [case for case in ROWS if not case.holomorphic]


def drawn(case: Case) -> list[Any]:
    """Draw complex inputs: near the real ones of the row, or all around 0 for elementwise ops."""
    rng = np.random.default_rng(7)
    inputs = []
    for real in case.draw():
        if case.elementwise:
            radius, angle = rng.uniform(0.6, 1.4, real.shape), rng.uniform(-3.0, 3.0, real.shape)
            inputs.append(np.asarray(radius * np.exp(1j * angle)))
        else:
            imaginary = rng.uniform(0.1, 0.9, real.shape) * rng.choice([-1, 1], real.shape)
            apart = rng.uniform(-0.01, 0.01, real.shape)  # equal real parts would be a kink
            inputs.append(np.asarray(real + apart + 1j * imaginary))
    return inputs


def check_along_two_directions(case: Case, arrays: list[Any]) -> None:
    """Check gradients, and the Hessian within a random plane: a wrong one has no reason to fit."""
    rng = np.random.default_rng(8)
    planes = [rng.standard_normal((2, *a.shape, 2)).view(complex)[..., 0] for a in arrays]

    def f(t: Any) -> Any:
        moved = [a + t[0] * v + t[1] * w for a, (v, w) in zip(arrays, planes, strict=True)]
        return case.function(*moved, *case.data)

    # What is wrong is wrong by far, and differences are rough where a function is steep.
    check_grads(f, np.zeros(2), order=case.order, rtol=1e-5, atol=1e-5)


# --- every op -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", HOLOMORPHIC, ids=lambda case: case.name)
def test_holomorphic_ops_on_complex_numbers(case: Case) -> None:
    """Values are NumPy's; derivatives are right along both parts, to the second order."""
    arrays = drawn(case)
    out = case.function(*[Tensor(array) for array in arrays], *case.data)
    expected = np.asarray(case.reference(*arrays, *case.data))
    assert (out.dtype, out.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(out.data, expected, rtol=1e-12, atol=1e-15)
    check_along_two_directions(case, arrays)


@pytest.mark.parametrize("case", HOLOMORPHIC, ids=lambda case: case.name)
def test_holomorphic_ops_keep_complex64(case: Case) -> None:
    """Rule 9: the gradient has the dtype of its tensor."""
    xs = [Tensor(array.astype(np.complex64)) for array in drawn(case)]
    out = case.function(*xs, *case.data)
    seed = np.ones(out.shape, out.dtype)
    for x, grad in zip(xs, tg.gradients(out, xs, seed, allow_unused=True), strict=True):
        assert (grad.shape, grad.dtype) == (x.shape, np.complex64)


@pytest.mark.parametrize("case", OTHER_ROWS, ids=lambda case: case.name)
def test_other_ops_are_right_on_complex_numbers_or_refuse_them(case: Case) -> None:
    """Never silently wrong, be it by a conjugate, by an order, or by a part that is dropped."""
    arrays = drawn(case)
    try:
        out = case.function(*[Tensor(array) for array in arrays], *case.data)
    except (TypeError, np.exceptions.ComplexWarning):
        return
    if case.exact:  # or the reference is a formula for real numbers
        expected = np.asarray(case.reference(*arrays, *case.data))
        assert (out.dtype, out.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(out.data, expected, rtol=1e-12, atol=1e-15)
    check_along_two_directions(case, arrays)


OTHERS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sign": np.sign,
    "real": np.real,
    "imag": np.imag,
    "conj": np.conj,
    "angle": np.angle,
    "angle in degrees": lambda z: np.angle(z, deg=True),
    "real_if_close": np.real_if_close,
    "var": lambda z: np.var(z, axis=-1, ddof=1),
    "std": lambda z: np.std(z, axis=0),
    "irfft": lambda z: np.fft.irfft(z, 5),
    "hfft": lambda z: np.fft.hfft(z, axis=0),
    "irfft2": np.fft.irfft2,
    "power spectrum": lambda z: np.square(np.abs(np.fft.fft2(z))),
    "phase": lambda z: np.angle(np.fft.fft(z)) * np.abs(z),
    "squared modulus": lambda z: (z * np.conj(z)).real,
    "to real and back": lambda z: z.real.astype(complex) * z,
    # NumPy orders complex numbers by their real parts, and then by their imaginary ones.
    "max": lambda z: np.max(z, axis=0),
    "min": np.min,
    "maximum": lambda z: np.maximum(z, 0.1 - 1j),
    "minimum": lambda z: np.minimum(z, z[::-1, ::-1]),
    "clip": lambda z: np.clip(z, -0.5, 0.5),
    "clip above": lambda z: np.clip(z, None, 0.1j),
    "correlate": lambda z: np.correlate(z[0], z[1, :2], "full"),
    "where": lambda z: np.where(np.real(z) > 0, z, np.abs(z)),
}


@pytest.mark.parametrize("f", OTHERS.values(), ids=OTHERS.keys())
def test_other_ops_on_complex_numbers(f: Callable[..., Any]) -> None:
    rng = np.random.default_rng(3)
    z = rng.standard_normal((3, 4)) + 1j * rng.standard_normal((3, 4))
    expected = np.asarray(f(z))
    out = f(Tensor(z))
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out.data, expected)
    check_grads(f, z)
    check_grads(lambda x, y: f(x + 1j * y), z.real, z.imag)  # real inputs of complex steps


def test_real_arguments_of_complex_powers() -> None:
    """The logarithm of a negative number is complex where the power is."""
    check_grads(lambda x, y: x**y, [-1.5, 2.0], [1.5 - 0.5j, 0.3j])
    check_grads(lambda y: (-2.0) ** y, [1.5 - 0.5j])
    check_grads(lambda x, y: np.power(x, y), [-1.5 + 1j, 2j], [1.5, -0.7])


@pytest.mark.parametrize("exponent", [-2, -1, 0, 1, 2, 3, -1.0, 0.5, 2.0, 1.5, 1j])
def test_powers_have_the_bits_of_numpys(exponent: Any) -> None:
    """Rule 8: for some exponents NumPy's operator calls another ufunc."""
    z = np.random.default_rng(0).standard_normal((2, 500)).view(complex)
    np.testing.assert_array_equal((Tensor(z) ** exponent).data, z**exponent)
    check_grads(lambda z: z**exponent, [0.6 + 1j, -1.5 - 0.3j])


def test_logarithms_of_sums_stay_on_their_branch() -> None:
    """The sum has another angle than its largest term, across the negative axis."""
    z = np.array([0.3 + 3.0j, 0.2 - 2.5j])
    total = np.log(np.sum(np.exp(z)))
    assert total.imag < 0
    np.testing.assert_allclose(tg.logsumexp(z).data, total, rtol=1e-14)
    np.testing.assert_allclose(tg.log_softmax(z).data, z - total, rtol=1e-14)
    np.testing.assert_allclose(tg.logsumexp(z + 900).data, total + 900, rtol=1e-14)
    check_grads(tg.logsumexp, z)


# --- the convention -------------------------------------------------------------------------------


def test_case_72_the_gradient_of_abs_points_away_from_zero() -> None:
    z = Tensor(3 + 4j)
    abs(z).backward()
    assert z.grad == 0.6 + 0.8j
    assert (z.grad.dtype, z.grad.shape) == (np.complex128, ())
    zero = Tensor([0j, 1 + 0j])
    np.abs(zero).sum().backward()
    assert zero.grad.tolist() == [0, 1]
    np.testing.assert_array_equal(tg.gradients(np.angle(zero), zero, np.ones(2)), [0, 1j])
    assert tg.gradients(np.sign(zero), zero, np.array([1.0, 1j])).tolist() == [0, 1j]


def test_steepest_descent_descends() -> None:
    z = Tensor([3 + 4j, -1j])
    for _ in range(50):
        z.zero_grad()
        np.square(np.abs(z - (1 - 2j))).sum().backward()
        z.data -= 0.2 * z.grad
    np.testing.assert_allclose(z.data, 1 - 2j, atol=1e-9)


def mixed(z: Any, x: Any) -> Any:
    """Return a real number that depends on everything."""
    spectrum = np.abs(np.fft.fft(z * np.exp(1j * x))).sum()
    angles = (np.angle(z) * x).sum() + np.imag(np.sign(z) * x).sum()
    return spectrum + angles + np.real(z * z * np.conj(z + x)).sum()


def test_real_and_complex_together_as_pytorch_has_it() -> None:
    """Constants computed with PyTorch 2.13."""
    z, x = Tensor(Z), Tensor(X)
    loss = mixed(z, x)
    assert loss.item() == pytest.approx(13.70150744037087, rel=1e-14)
    loss.backward()
    np.testing.assert_allclose(
        z.grad,
        [
            2.025353329491198 + 1.4785359464744856j,
            7.686914723961735 - 0.8807351058628883j,
            19.637337458588192 - 1.550333742346265j,
        ],
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        x.grad, [1.3813264738900637, 6.516726802218707, 1.4094714843067948], rtol=1e-13
    )
    assert x.grad.dtype == np.float64
    by_z, by_x = tg.gradients(mixed(z, x), [z, x], create_graph=True)
    along = np.array([1j, 1, 1 - 1j]), np.array([1.0, 0.0, -1.0])
    slope = np.real(by_z * np.conj(along[0])).sum() + (by_x * along[1]).sum()
    second = tg.gradients(slope, [z, x])
    np.testing.assert_allclose(
        second[0],
        [
            0.9064138076447192 - 1.5372163111900898j,
            -9.415366997215656 + 2.148166491740361j,
            13.520012336198922 - 5.958048780541789j,
        ],
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        second[1], [-0.6113721871109464, -6.286395730528819, 4.444681284147003], rtol=1e-13
    )


def test_the_logarithm_of_a_power_spectrum_as_pytorch_has_it() -> None:
    """Constants computed with PyTorch 2.13."""
    x = Tensor([1.0, -2.0, 0.5, 3.0, 0.25])
    loss = np.log(np.square(np.abs(np.fft.rfft(x)))).sum()
    slope = tg.gradients(loss, x, create_graph=True)
    np.testing.assert_allclose(
        slope.data,
        [
            0.9970943211595329,
            -0.050433569505920595,
            0.7171677548103463,
            1.4728439563449214,
            0.49969117355475645,
        ],
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        tg.gradients(slope, x, np.array([1.0, 0, 0, 0, 2.0])),
        [
            -0.3627795790045345,
            -0.9862344038863086,
            -0.9017087124202441,
            -0.9913660645326166,
            -0.7248533889166279,
        ],
        rtol=1e-12,
    )


def test_higher_orders() -> None:
    check_grads(mixed, Z, X, order=3, rtol=1e-6)


def test_the_seed_is_a_gradient_too() -> None:
    """A seed w starts from the real part of `sum(conj(w) out)`."""
    z, w = Tensor(Z), np.array([1.0, 1j, 2 - 1j])
    (z * z).backward(w)
    np.testing.assert_allclose(z.grad, w * np.conj(2 * Z), rtol=1e-15)
    other = Tensor(Z)
    np.real(np.conj(w) * other * other).sum().backward()
    np.testing.assert_allclose(z.grad, other.grad, rtol=1e-15)
    # A real seed is fine.
    np.testing.assert_array_equal(tg.gradients(z * 1j, z, np.ones(3)), np.full(3, -1j))


def test_gradients_of_interior_tensors() -> None:
    z = Tensor(Z)
    inner = z * 2j
    inner.label = "inner"
    one = inner[0]
    (np.square(np.abs(inner)).sum() + one.real).backward()
    np.testing.assert_allclose(inner.grad, 2 * inner.data + [1, 0, 0], rtol=1e-15)
    assert one.grad == 1
    np.testing.assert_allclose(z.grad, -2j * inner.grad, rtol=1e-15)
    w = z * 2j
    by_inner = tg.gradients(np.square(np.abs(w)).sum(), w)
    np.testing.assert_allclose(by_inner, 2 * w.data, rtol=1e-15)


def test_passes_add_up_and_share_no_memory() -> None:
    """Cases 78 and 81."""
    z, x = Tensor(Z), Tensor(X)
    out = z + x
    seed = np.full(3, 1 + 2j)
    out.backward(seed)
    out.backward(seed)
    assert z.grad.tolist() == [2 + 4j] * 3
    assert x.grad.tolist() == [2.0] * 3
    assert x.grad.flags.writeable
    assert x.grad.flags.owndata
    assert not any(np.may_share_memory(grad, seed) for grad in (z.grad, x.grad))


def test_real_and_complex_broadcast() -> None:
    check_grads(lambda x, z: x * z + z / x - x, [[0.5], [2.0]], Z)
    check_grads(lambda x, z: np.matmul(x, z) @ np.conj(z), np.outer([1, 2.5], X), np.outer(Z, Z))
    x, z = Tensor(np.float32(2.0)), Tensor(np.complex64(1 + 1j))
    out = x * z
    assert out.dtype == np.complex64
    out.backward(np.array(1 - 1j))
    assert (x.grad.dtype, x.grad) == (np.float32, 0.0)
    assert (z.grad.dtype, z.grad) == (np.complex64, 2 - 2j)


def test_in_place() -> None:
    def filled(x: Any, z: Any) -> Any:
        out = np.zeros_like(z)
        out = out.copy()
        out[0] = x[0]
        out[1:] = z[1:] * x[1:]
        np.add.at(out, np.array([0, 0]), z[:2])
        out *= 2j
        return out

    check_grads(filled, X, Z)
    real = Tensor(X) * 1.0
    with pytest.raises(TypeError, match="complex"):
        real[0] = 1j
    with pytest.raises(TypeError, match="complex"):
        real += Tensor(Z)


def test_a_zero_cotangent_contributes_zero() -> None:
    """Rule 7, and case 21."""
    z = Tensor([0j, 1 + 1j])
    with np.errstate(all="ignore"):
        out = np.where(z != 0, np.log(z) + np.abs(z) / z, 0.0)
        out.real.sum().backward()
    assert z.grad[0] == 0
    assert np.isfinite(z.grad).all()
    many = Tensor(np.zeros(5000, complex))
    with np.errstate(all="ignore"):
        np.where(np.arange(5000) < 0, np.sqrt(many), 1j).imag.sum().backward()
    assert not many.grad.any()


# --- dtypes ---------------------------------------------------------------------------------------


def test_what_records() -> None:
    assert Tensor(1j).requires_grad
    assert not Tensor(1j, requires_grad=False).requires_grad
    assert not tg.zeros(2, dtype=complex).requires_grad
    assert Tensor([1, 2], dtype=np.complex64).dtype == np.complex64
    assert (Tensor(2.0) * 1j).dtype == np.complex128
    assert (1j + Tensor(np.float32([2.0]))).dtype == np.complex64
    assert Tensor([1j]).grad.tolist() == [0]


def test_casts() -> None:
    x, z = Tensor(X), Tensor(Z)
    (x.astype(complex) * Z).backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, Z.real)
    with pytest.warns(np.exceptions.ComplexWarning):
        real = z.astype(float)
    assert real.dtype == np.float64
    real.backward(X)
    np.testing.assert_array_equal(z.grad, X + 0j)


def test_parts() -> None:
    z, x = Tensor(Z), Tensor(X)
    np.testing.assert_array_equal(z.real.data, Z.real)
    np.testing.assert_array_equal(z.imag.data, Z.imag)
    np.testing.assert_array_equal(z.conjugate().data, Z.conj())
    assert x.real is x
    assert np.real(x) is x
    assert x.imag.data.tolist() == [0, 0, 0]
    x.imag.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    for part in ("real", "imag"):
        with pytest.raises(AttributeError, match=f"{part}.*no setter"):
            setattr(z, part, X)
    # A part is a view, and writing to the leaf makes it stale.
    leaf = Tensor(Z)
    product = leaf.real * leaf.imag
    leaf.data = Z * 2
    with pytest.raises(RuntimeError, match="have changed since"):
        product.sum().backward()


def test_questions() -> None:
    z, x = Tensor(Z), Tensor(X)
    assert np.iscomplexobj(z)
    assert not np.iscomplexobj(x)
    assert np.isrealobj(x)
    for f in (np.iscomplex, np.isreal):
        assert type(f(z)) is np.ndarray
        np.testing.assert_array_equal(f(z), f(Z))
    assert np.real_if_close(Tensor([1 + 1e-16j])).dtype == np.float64
    assert np.real_if_close(z).dtype == np.complex128
    assert np.angle(Tensor([-1.0, 1.0])).tolist() == [np.pi, 0.0]


def test_values_stay_real() -> None:
    v = Value(2.0)
    out = v * 1j
    assert type(out) is Tensor
    back = abs(out) + out.imag
    back.backward()
    assert v.grad == 2
    assert type(v.real) is type(v.conj()) is Value
    with pytest.raises(TypeError, match="one real number"):
        Value(1j)


def test_numbers_in_and_out() -> None:
    z = Tensor(1 + 2j, label="z")
    assert repr(z) == "Tensor(1.+2.j, dtype=complex128, label='z')"
    assert f"{z:.1f}" == "1.0+2.0j"
    assert complex(z) == z.item() == z.tolist() == 1 + 2j
    with pytest.raises(TypeError, match="complex"):
        float(z)
    for copied in (pickle.loads(pickle.dumps(z)), copy.deepcopy(z)):
        assert (copied.item(), copied.dtype, copied.requires_grad) == (1 + 2j, z.dtype, True)
    z.grad = 1j
    assert z.grad == 1j


def test_drawing() -> None:
    z = Tensor(Z, label="z")
    loss = abs(z[0] * 2j) + np.abs(z).sum()
    loss.backward()
    assert "data -2.0000+1.0000j" in viz.draw_dot(loss).source


# --- what is refused ------------------------------------------------------------------------------


def test_backward_of_a_complex_number_needs_a_seed() -> None:
    z = Tensor(Z)
    with pytest.raises(ValueError, match=r"complex number needs gradient=.*abs\(x\) or x.real"):
        z.sum().backward()
    with pytest.raises(ValueError, match="complex number needs gradient="):
        tg.gradients(z.sum(), z)
    z.sum().backward(np.array(1j))
    assert z.grad.tolist() == [1j] * 3


def test_a_complex_seed_of_a_real_result() -> None:
    x = Tensor(X)
    with pytest.raises(TypeError, match="gradient is complex, and the result is float64"):
        (x * 2).backward(Z)
    for seed in (Z, Tensor(Z)):
        with pytest.raises(TypeError, match="gradient is complex, and the result is float64"):
            tg.gradients(x * 2, x, seed, create_graph=True)


@pytest.mark.parametrize("name", sorted(REAL - {"unwrap"} | {"gelu"}))
def test_real_activations(name: str) -> None:
    with pytest.raises(TypeError, match=r"is for real numbers, not complex128"):
        getattr(tg, name)(Tensor(Z))


@pytest.mark.parametrize(
    "f", [np.fft.rfft, np.fft.ihfft, np.floor, np.arctan2], ids=lambda f: f.__name__
)
def test_what_numpy_refuses(f: Callable[..., Any]) -> None:
    arguments = (Z, X) if f is np.arctan2 else (Z,)
    with pytest.raises(TypeError) as theirs:
        f(*arguments)
    with pytest.raises(TypeError) as ours:
        f(Tensor(Z), *arguments[1:])
    assert str(ours.value) == str(theirs.value) or "not differentiable" in str(ours.value)


def test_parameters_are_real() -> None:
    class Wave(nn.Module):
        def __init__(self) -> None:
            self.amplitude = Tensor(Z)

    with pytest.raises(TypeError, match="amplitude is complex, and parameters are real"):
        Wave().parameters()
    constant = Wave()
    constant.amplitude.requires_grad = False
    assert constant.parameters() == []
    for optimiser in (optim.SGD, optim.Adam):
        with pytest.raises(TypeError, match="complex128 at 0; expected floats"):
            optimiser([Tensor(Z)], lr=0.1)
    layer = nn.Linear(3, 2)
    out = layer(Tensor(Z))
    assert out.dtype == np.complex128
    np.testing.assert_allclose(out.data, Z @ layer.weight.data.T + layer.bias.data)
