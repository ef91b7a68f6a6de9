"""Linear algebra and products: what the table of op cases cannot say."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.numpy_api.table import SUPPORT, Support
from tensorgrad.ops import decompose, systems
from tensorgrad.testing import check_grads

linalg = np.linalg
STEPS = np.diag([0.0, 5.0, 11.0])


def gradient(f: Callable[..., Any], *arrays: Any) -> Any:
    """Return the gradient of `f`, summed, by its first input."""
    tensors = [Tensor(array) for array in arrays]
    return tg.gradients(np.real(np.sum(f(*tensors))), tensors[:1])[0]


def drawn(*shape: int) -> Any:
    """Draw complex numbers."""
    rng = np.random.default_rng(5)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def hermitian(x: Any) -> Any:
    return x + np.conj(np.swapaxes(x, -1, -2))


def flat(parts: Any) -> Any:
    return np.concatenate([np.ravel(part) for part in parts])


# --- results and errors ---------------------------------------------------------------------------

PARTS: list[Callable[[Any], Any]] = [
    linalg.eig, linalg.eigh, linalg.qr, linalg.slogdet, linalg.svd,
    lambda a: linalg.lstsq(a, a[:, 0]),
]  # fmt: skip


@pytest.mark.parametrize("f", PARTS)
def test_several_results_come_as_numpys_tuples(f: Callable[[Any], Any]) -> None:
    a = STEPS + 1.0
    expected, got = f(a), f(Tensor(a))
    assert type(got) is type(expected)
    assert getattr(got, "_fields", None) == getattr(expected, "_fields", None)
    for one, other in zip(got, expected, strict=True):
        value = one.data if isinstance(one, Tensor) else one
        np.testing.assert_array_equal(value, other)
        assert (value.dtype, np.shape(value)) == (other.dtype, np.shape(other))


def test_every_callable_of_linalg_is_in_a_class() -> None:
    """Also the names that are other objects than their namesakes: np.linalg.outer."""
    functions = {name: f for name, f in vars(linalg).items() if callable(f) and name[0] != "_"}
    assert [name for name, f in functions.items() if f not in SUPPORT] == []
    refused = [name for name, f in functions.items() if not SUPPORT[f]]
    assert refused == []
    for f in (linalg.matrix_rank, np.einsum_path):
        assert SUPPORT[f] is Support.NO_GRADIENT


def test_the_rank_is_an_integer() -> None:
    a = Tensor(np.ones((3, 2)))
    assert linalg.matrix_rank(a) == 1
    x, residuals, rank, _ = linalg.lstsq(a, np.ones(3))
    assert (type(rank), rank) == (np.int32, 1)
    assert residuals.shape == (0,)
    np.testing.assert_allclose(x.data, [0.5, 0.5])
    assert np.einsum_path("ij,jk", a, np.ones((2, 2)))[0] == ["einsum_path", (0, 1)]


BAD: list[tuple[Callable[[Any], Any], Any]] = [
    (linalg.inv, np.ones((2, 2))),
    (linalg.inv, np.ones((2, 3))),
    (linalg.inv, np.ones(2)),
    (linalg.det, np.ones((2, 3))),
    (linalg.cholesky, -np.eye(2)),
    (linalg.eigh, np.ones((2, 3))),
    (lambda a: linalg.eigh(a, "x"), np.eye(2)),
    (lambda a: linalg.solve(a, np.ones(2)), np.ones((2, 2))),
    (lambda a: linalg.solve(a, np.ones(3)), np.eye(2)),
    (lambda a: linalg.matrix_power(a, -1), np.ones((2, 2))),
    (lambda a: linalg.matrix_power(a, 2), np.ones((2, 3))),
    (lambda a: linalg.matrix_power(a, 1.5), np.eye(2)),
    (lambda a: linalg.qr(a, "x"), np.eye(2)),
    (lambda a: linalg.pinv(a, 0.1, rtol=0.1), np.eye(2)),
    (lambda a: linalg.tensorinv(a, 0), np.ones((2, 2))),
    (lambda a: linalg.tensorsolve(a, np.ones(3)), np.ones((2, 2))),
    (linalg.cond, np.ones((2, 0))),
    (lambda a: linalg.cond(a, 1), np.ones((2, 3))),
    (lambda a: linalg.norm(a, "nuc"), np.ones(3)),
    (lambda a: linalg.norm(a, 3), np.ones((2, 2))),
    (lambda a: linalg.norm(a, 1), np.ones((2, 2, 2))),
    (lambda a: linalg.norm(a, 1, (0, 0)), np.ones((2, 2))),
    (lambda a: linalg.norm(a, -np.inf), np.ones(0)),
    (lambda a: linalg.norm(a, 1, 7), np.ones(2)),
    (lambda a: linalg.norm(a, 1, [0]), np.ones(2)),
    (lambda a: linalg.outer(a, a), np.ones((2, 2))),
    (lambda a: linalg.cross(a, a), np.ones((2, 2))),
    (lambda a: linalg.multi_dot([a]), np.ones((2, 2))),
    (lambda a: linalg.multi_dot([a, np.ones(2), a]), np.ones((2, 2))),
    (lambda a: linalg.multi_dot([a, a, np.ones(3)]), np.ones((2, 2))),
    (lambda a: np.matmul(a, a), np.ones(())),
    (lambda a: np.vdot(a, np.ones(3)), np.ones(2)),
    (lambda a: np.tensordot(a, a, 3), np.ones((2, 2))),
    (lambda a: np.tensordot(a, a, ([0], [0, 1])), np.ones((2, 2))),
    (lambda a: np.einsum("ii->ii", a), np.ones((2, 2))),
    (lambda a: np.einsum("ij->k", a), np.ones((2, 2))),
    (lambda a: np.einsum("ij,jk", a), np.ones((2, 2))),
    (lambda a: np.einsum(a, [0, 99]), np.ones((2, 2))),
    (lambda a: np.einsum("ij,ij", a, a, dtype=np.float32, casting="safe"), np.ones((2, 2))),
]


@pytest.mark.parametrize(("f", "array"), BAD)
def test_errors_are_numpys(f: Callable[[Any], Any], array: Any) -> None:
    """Rule 8, cases 46 and 49."""
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whichever NumPy raises
        f(array)
    with pytest.raises(expected.type):
        f(Tensor(array))


@pytest.mark.parametrize(
    "f", [linalg.inv, linalg.det, linalg.eigh, linalg.svd, linalg.qr, linalg.cond, linalg.pinv]
)
def test_half_precision_is_refused(f: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="float16 is unsupported in linalg"):
        f(Tensor(np.eye(2), dtype=np.float16))


def test_integers_give_floats_without_a_graph() -> None:
    a = tg.as_tensor([[2, 1], [1, 1]])
    for f in (linalg.inv, linalg.det, linalg.norm, linalg.cond, linalg.eigvalsh):
        np.testing.assert_array_equal(f(a).data, f(a.data))
        assert not f(a).requires_grad
    np.testing.assert_array_equal(linalg.matrix_power(a, 3).data, linalg.matrix_power(a.data, 3))


def test_raw_factors_have_no_derivative() -> None:
    a = np.eye(2) + 1
    with pytest.raises(TypeError, match="mode='raw' is not differentiable"):
        linalg.qr(Tensor(a), "raw")
    np.testing.assert_array_equal(linalg.qr(tg.as_tensor(a), "raw")[0], linalg.qr(a, "raw")[0])


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="this NumPy refuses them"
)
def test_vectors_of_the_plane_are_deprecated() -> None:
    """As in NumPy; the gradient is right all the same."""
    rng = np.random.default_rng(0)
    for x, y in [((2, 3), (2,)), ((2,), (4, 3)), ((4, 2), (2,)), ((2,), (2,))]:
        with pytest.warns(DeprecationWarning, match="2-dimensional vectors"):
            check_grads(np.cross, rng.standard_normal(x), rng.standard_normal(y))


def test_out_is_served() -> None:
    x, out = Tensor([[1.0, 2.0]]), tg.zeros((1,), dtype=np.float64)
    y = np.array([3.0, 4.0])
    for f in (
        lambda: np.dot(x, y, out=out),
        lambda: np.einsum("ij,j", x, y, out=out),
        lambda: np.matvec(x, y, out=out),
        lambda: linalg.multi_dot([x, y], out=out),
    ):
        assert f() is out
        np.testing.assert_array_equal(out.data, [11.0])
        assert gradient_of(out, x) == [[3.0, 4.0]]


def gradient_of(out: Tensor, x: Tensor) -> Any:
    return tg.gradients(out.sum(), [x])[0].tolist()


def test_a_view_of_a_leaf_is_seen_to_change() -> None:
    """Case 62b: the diagonal that einsum gives is a view."""
    x = Tensor(np.eye(2))
    y = np.einsum("ii->i", x)
    z = (y * y).sum()
    x.data -= 1.0
    with pytest.raises(RuntimeError, match="changed since"):
        z.backward()


# --- where matrices are singular ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "cofactors"),
    [
        ([[1.0, 2.0], [2.0, 4.0]], [[4.0, -2.0], [-2.0, 1.0]]),
        ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[0.0, 3.0], [0.0, 0.0]], [[0.0, 0.0], [-3.0, 0.0]]),
        ([[1.0, 1j], [1j, -1.0]], [[-1.0, -1j], [-1j, 1.0]]),
    ],
)
def test_the_determinant_of_a_singular_matrix(a: Any, cofactors: Any) -> None:
    """Rule 1: it is a polynomial, and has a derivative everywhere."""
    found = tg.gradients(linalg.det(t := Tensor(a)), [t], np.ones((), t.dtype))[0]
    np.testing.assert_allclose(found, np.conj(cofactors), atol=1e-14)
    stacked = np.stack([np.eye(2), a])
    np.testing.assert_allclose(gradient(linalg.det, stacked)[0], np.eye(2))
    np.testing.assert_allclose(gradient(linalg.det, stacked)[1], np.conj(cofactors), atol=1e-14)


def test_the_logarithm_of_no_determinant_has_no_gradient() -> None:
    """Rule 5; and a backward pass never raises."""
    stacked = np.stack([2 * np.eye(2), np.ones((2, 2))])
    found = gradient(lambda a: linalg.slogdet(a)[1][0], stacked)
    np.testing.assert_array_equal(found[0], 0.5 * np.eye(2))
    assert np.isnan(gradient(lambda a: linalg.slogdet(a)[1], stacked)[1]).all()


def test_the_rule_of_solve_does_not_raise() -> None:
    """Rounding can make the transpose singular alone; the other matrices keep their gradients."""
    stacked = np.stack([2 * np.eye(2), np.ones((2, 2))])
    found = systems.solve_or_nan(stacked, np.ones((2, 1)))
    np.testing.assert_array_equal(found[0], [[0.5], [0.5]])
    assert np.isnan(found[1]).all()
    with pytest.raises(linalg.LinAlgError):
        systems.solve_or_nan(np.ones((2, 3)), np.ones((2, 1)))


def test_singular_matrices_have_an_infinite_condition() -> None:
    for p, a in itertools.product((None, 1, "fro"), (np.zeros((2, 2)), np.ones((2, 2)))):
        number = linalg.cond(Tensor(a), p)
        np.testing.assert_array_equal(number.data, linalg.cond(a, p))
    assert np.isnan(gradient(lambda a: linalg.cond(a, 1), np.ones((2, 2)))).all()
    assert np.isnan(linalg.cond(Tensor([[np.nan, 1.0], [0.0, 1.0]]), 1).data)


@pytest.mark.parametrize(
    "f", [linalg.inv, linalg.det, linalg.eigvals, linalg.eigvalsh, linalg.svdvals, linalg.pinv]
)
@pytest.mark.parametrize("shape", [(0, 2, 2), (0, 0), (2, 0, 0)])
def test_matrices_of_nothing(f: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    assert gradient(f, np.zeros(shape)).shape == shape
    assert gradient(lambda a: flat(linalg.eigh(a)), np.zeros(shape)).shape == shape
    assert gradient(lambda a: flat(linalg.eig(a)), np.zeros(shape)).shape == shape


# --- where values coincide ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        lambda a: linalg.eigh(a)[0],
        linalg.eigvalsh,
        lambda a: linalg.eig(a)[0],
        linalg.eigvals,
        lambda a: linalg.svd(a)[1],
        lambda a: linalg.svd(a, hermitian=True)[1],
        linalg.svdvals,
    ],
)
def test_functions_of_equal_values_have_a_gradient(values: Callable[[Any], Any]) -> None:
    squares = gradient(lambda a: np.square(values(a)), 3 * np.eye(3))
    np.testing.assert_allclose(squares, 6 * np.eye(3), atol=1e-12)


def test_vectors_of_equal_values_have_none() -> None:
    """Rule 5: a square written with the eigenvectors of the identity cannot be told from others."""

    def projection(a: Any, k: int) -> Any:
        v = linalg.eigh(a).eigenvectors[:, k:]
        return np.matmul(v, v.T)

    def square(a: Any) -> Any:
        w, v = linalg.eigh(a)
        return np.matmul(v * np.square(w), v.T)

    assert np.isnan(gradient(square, np.eye(2))).all()
    # The vector of a simple eigenvalue has one, whatever the others do.
    double = np.diag([1.0, 1.0, 4.0])
    np.testing.assert_allclose(
        gradient(lambda a: projection(a, 2)[0, 2], double)[0], [0, 0, 1 / 6], atol=1e-12
    )


def test_eigenvalues_meet_their_vectors_in_any_order() -> None:
    """LAPACK finds them in two ways, and in two orders, in large matrices."""
    x = np.random.default_rng(2).standard_normal((3, 5, 5))
    values = linalg.eigvals(x)[:, [3, 0, 4, 1, 2]]
    w, v = decompose.eig_parts(decompose.eig(x, values))
    np.testing.assert_allclose(w, values)
    np.testing.assert_allclose(np.matmul(x, v), v * w[:, None, :])
    ordered = decompose.eig(np.eye(3), np.ones(3))
    np.testing.assert_array_equal(decompose.eig_parts(ordered)[1], np.eye(3))


# --- norms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [None, 1, 2, 3, 1.5, 0.5, np.inf, -np.inf])
def test_the_norm_of_zeros_has_gradient_0(p: Any) -> None:
    """Case 10: the least subgradient."""
    np.testing.assert_array_equal(gradient(lambda x: linalg.norm(x, p), np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("p", ["fro", "nuc", 1, 2, np.inf])
def test_the_norm_of_a_zero_matrix_has_gradient_0(p: Any) -> None:
    found = gradient(lambda x: linalg.norm(x, p), np.zeros((2, 3)))
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


def test_norms_at_their_kinks() -> None:
    """Case 11: zeros give nothing to the sum, and the largest share."""
    assert gradient(lambda x: linalg.norm(x, 1), np.array([0.0, 2.0])).tolist() == [0.0, 1.0]
    largest = gradient(lambda x: linalg.norm(x, np.inf), np.array([2.0, -2.0, 1.0]))
    assert largest.tolist() == [0.5, -0.5, 0.0]
    np.testing.assert_allclose(gradient(lambda x: linalg.norm(x, 2), np.eye(2)), 0.5 * np.eye(2))


def test_the_second_derivative_of_a_norm_at_0() -> None:
    """Case 39."""
    x = Tensor([0.0, 0.0])
    (slope,) = tg.gradients(linalg.norm(x), [x], create_graph=True)
    assert slope.data.tolist() == [0.0, 0.0]
    assert np.isnan(tg.gradients(slope[0], [x])[0]).all()


def test_a_row_that_nobody_asked_for_poisons_nothing() -> None:
    """Rule 7."""
    x = np.array([[np.inf, 1.0], [3.0, 4.0]])
    found = gradient(lambda x: np.where([False, True], linalg.norm(x, axis=1), 0.0), x)
    assert found.tolist() == [[0.0, 0.0], [0.6, 0.8]]


# --- complex numbers ------------------------------------------------------------------------------

COMPLEX: dict[str, Callable[..., Any]] = {
    "slogdet": lambda a: flat(linalg.slogdet(a)),
    "cholesky": lambda a: linalg.cholesky(np.matmul(a, np.conj(a.T)) + np.eye(3)),
    "cholesky upper": lambda a: linalg.cholesky(np.matmul(a, np.conj(a.T)) + STEPS, upper=True),
    "qr": lambda a: flat(linalg.qr(a + STEPS)),
    "qr r": lambda a: linalg.qr(a[:2], "r"),
    "eigh": lambda a: flat(linalg.eigh(hermitian(a) + STEPS)),
    "eigh upper": lambda a: flat(linalg.eigh(hermitian(a) + STEPS, "U")),
    "eigvalsh": lambda a: linalg.eigvalsh(hermitian(a) + STEPS),
    "eig": lambda a: flat(linalg.eig(a + STEPS)),
    "eigvals": lambda a: linalg.eigvals(a + STEPS),
    "svd": lambda a: flat(linalg.svd(a + STEPS)),
    "svd tall": lambda a: flat(linalg.svd((a + STEPS)[:, :2], full_matrices=False)),
    "svd hermitian": lambda a: flat(linalg.svd(hermitian(a) + STEPS, hermitian=True)),
    "svdvals": linalg.svdvals,
    "pinv": lambda a: linalg.pinv(a[:, :2]),
    "pinv hermitian": lambda a: linalg.pinv(hermitian(a) + STEPS, hermitian=True),
    "lstsq": lambda a: flat(linalg.lstsq(a[:, :2], a[:, 2])[i] for i in (0, 1, 3)),
    "vdot": lambda a: np.vdot(a, a[0] * a),
    "vecdot": lambda a: np.vecdot(a, a[0] * a),
    "vecmat": lambda a: np.vecmat(a[0], a),
    **{f"norm {p}": lambda a, p=p: linalg.norm(a, p, axis=1) for p in (1, 2, 3, np.inf)},
    **{f"matrix norm {p}": lambda a, p=p: linalg.norm(a, p) for p in ("fro", "nuc", 1, 2, -2)},
    **{f"cond {p}": lambda a, p=p: linalg.cond(a + STEPS, p) for p in (None, 1)},
}


@pytest.mark.parametrize("f", COMPLEX.values(), ids=COMPLEX.keys())
def test_complex_matrices(f: Callable[[Any], Any]) -> None:
    """With the phases that LAPACK gives to vectors."""
    a = drawn(3, 3)
    np.testing.assert_array_equal(f(Tensor(a)).data, f(a))
    check_grads(f, a, rtol=1e-6, atol=1e-5)
    single = Tensor(a.astype(np.complex64))
    out = f(single)
    (found,) = tg.gradients(out, [single], np.ones(out.shape, out.dtype))
    assert found.dtype == np.complex64


def test_what_does_not_depend_on_a_phase_has_the_gradient_of_any() -> None:
    """LAPACK's phases of wide matrices are not known; nor its bases of the rest of a space."""

    def projections(a: Any) -> Any:
        u, s, vh = linalg.svd(a)
        rest = np.matmul(np.conj(vh[2:].T), vh[2:])
        return flat([s, u[0] * vh[:2, 0], u * np.conj(u[:1]), rest])

    check_grads(projections, drawn(2, 5))


def test_the_gradient_of_a_hermitian_matrix_is_hermitian() -> None:
    """NumPy reads one triangle; PyTorch has the same gradient."""
    a = hermitian(drawn(3, 3)) + STEPS + 8 * np.eye(3)
    functions: list[Callable[[Any], Any]] = [
        lambda a: linalg.eigvalsh(a)[:1],
        lambda a: np.abs(linalg.eigh(a)[1][0]),
        lambda a: np.abs(linalg.cholesky(a)[1:]),
        lambda a: np.abs(linalg.pinv(a, hermitian=True))[0],
        lambda a: linalg.svd(a, compute_uv=False, hermitian=True)[:1],
    ]
    for f in functions:
        for matrix in (a, a.real.copy()):
            found = gradient(f, matrix)
            np.testing.assert_allclose(found, np.conj(found.T), atol=1e-12)
            assert np.abs(found[0, 1]) > 1e-6
