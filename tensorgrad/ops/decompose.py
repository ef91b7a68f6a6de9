"""Decompositions of matrices: cholesky, qr, eigh, eig, svd.

Floor: `ops`.  All work on stacks of matrices, in the last two axes.  A decomposition of several
parts gives them in one array, which a function ending in `_parts` takes apart.

The formulas of the literature hold for cotangents as people see them, so that the rules conjugate
what comes in and what goes out.  Where NumPy takes a matrix to be Hermitian it reads one triangle;
the gradient is that among Hermitian matrices, and itself Hermitian.

Vectors of equal eigenvalues or singular values are any basis of the space that they span, and have
no derivative: what depends on them is inf or NaN, and what depends on the values alone is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import conjugate, op
from . import diagonal
from .systems import adjoint, inverse_or_nan, on_diagonal, turned


def _quotient(numerator: Any, denominator: Any, *pulls: Any) -> Any:
    """Divide; a denominator of 0 gives 0 where all `pulls` are 0, and inf or NaN elsewhere.

    A numerator may be 0 because what goes into it cancels, and then 0 would be wrong: the identity
    written as `v w v*` has numerators of 0 at a multiple eigenvalue, and the derivative 1.
    """
    idle = denominator == 0
    for pull in pulls:
        idle = idle & (pull == 0)
    return numerator / (denominator + idle)


def _unit(values: Any) -> Any:
    """Return a boolean matrix, true on the diagonal, for each row of values."""
    return on_diagonal(np.ones_like(values)) != 0


def _row(values: Any) -> Any:
    """Let values multiply the columns of matrices."""
    return np.expand_dims(values, -2)


def _column(values: Any) -> Any:
    """Let values multiply the rows of matrices."""
    return np.expand_dims(values, -1)


def _inner(v: Any, g: Any) -> Any:
    """Return `v* g` of each vector with its cotangent."""
    return np.sum(conjugate(v) * g, axis=-2, keepdims=True)


def _phased(g: Any, v: Any, length: Any, first: bool) -> Any:
    """Return the cotangent of complex vectors of any phase, from that of LAPACK's.

    There the first element is real, or the last one.  `dv = dz - i v Im(dz_1) / v_1`, and `length`
    is `v* g`, over all vectors that turn together.  Where it is not real, nothing is known of the
    phase, and the cotangent stays.
    """
    if v.dtype.kind != "c":
        return g
    pivot = v[..., :1, :] if first else v[..., -1:, :]
    known = (np.imag(pivot) == 0) & (pivot != 0)
    turn = 1j * (known * np.imag(length) / np.where(known, np.real(pivot), 1.0))
    if first:
        return np.concatenate([g[..., :1, :] - turn, g[..., 1:, :]], axis=-2)
    return np.concatenate([g[..., :-1, :], g[..., -1:, :] - turn], axis=-2)


def _skew(x: Any) -> Any:
    """Return `x - x*`."""
    return x - adjoint(x)


# --- triangles ------------------------------------------------------------------------------------


def _cholesky_rule(g: Any, out: Any, _x: Any, *, upper: bool) -> Any:
    """`l⁻* (h + h*) / 2 l⁻¹`, with h the lower triangle of `l* g` and half of its diagonal.

    Murray, "Differentiation of the Cholesky decomposition" (2016).
    """
    g, factor = (turned(g), adjoint(out)) if upper else (conjugate(g), out)
    h = np.matmul(adjoint(factor), g)
    h = 0.5 * (diagonal.tril(h, k=0) + diagonal.tril(h, k=-1))
    inverse = inverse_or_nan(factor)
    inner = np.matmul(0.5 * (h + adjoint(h)), inverse)
    return conjugate(np.matmul(adjoint(inverse), inner))


cholesky = op(
    lambda x, *, upper: np.linalg.cholesky(x, upper=upper), _cholesky_rule, name="cholesky"
)


def _completed(vectors: Any, g: Any, k: int) -> tuple[Any, Any]:
    """Keep the first k columns of a unitary matrix, and give their cotangent.

    The other columns are any basis of what is left of the space, and move as little as possible:
    `dv = -u du* v`.
    """
    if vectors.shape[-1] == k:
        return vectors, g
    u, v = vectors[..., :k], vectors[..., k:]
    pulled = np.matmul(v, adjoint(np.matmul(adjoint(u), g[..., k:])))
    return u, g[..., :k] - pulled


def _triangular(gq: Any, gr: Any, q: Any, r: Any, x: Any) -> Any:
    """Return the cotangent of `x = q r` from those of q, of min(m, n) columns, and of r.

    `(g_q + q (t + t*)) r⁻*`, t the upper triangle of `g_r r* - q* g_q` with half of its diagonal.
    The columns of a wide x beyond the square part are `q` times those of r.
    """
    k = q.shape[-1]
    wide = x.shape[-1] > k
    rest = None
    if wide:
        rest = np.matmul(q, gr[..., k:])
        gq = gq + np.matmul(x[..., k:], adjoint(gr[..., k:]))
        r, gr = r[..., :k], gr[..., :k]
    t = np.matmul(gr, adjoint(r)) - np.matmul(adjoint(q), gq)
    t = 0.5 * (diagonal.triu(t, k=0) + diagonal.triu(t, k=1))
    square = np.matmul(gq + np.matmul(q, t + adjoint(t)), adjoint(inverse_or_nan(r)))
    return np.concatenate([square, rest], axis=-1) if wide else square


def qr_parts(packed: Any, m: int, n: int, k: int) -> tuple[Any, Any]:
    """Take q, of k columns, and r apart; they stand side by side, flat."""
    rows = packed.shape[:-1]
    q = np.reshape(packed[..., : m * k], (*rows, m, k))
    return q, np.reshape(packed[..., m * k :], (*rows, k, n))


def _flat(*parts: Any) -> Any:
    """Put matrices into one array, flat, side by side."""
    return np.concatenate(
        [np.reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1])) for x in parts], axis=-1
    )


def _qr_rule(g: Any, out: Any, x: Any, *, mode: str) -> Any:
    """For full rank; a complex r has a real diagonal, as LAPACK makes it."""
    m, n = x.shape[-2:]
    small = min(m, n)
    k = m if mode == "complete" else small
    q, r = qr_parts(out, m, n, k)
    gq, gr = qr_parts(conjugate(g), m, n, k)
    q, gq = _completed(q, gq, small)
    return conjugate(_triangular(gq, gr[..., :small, :], q, r[..., :small, :], x))


def _r_rule(g: Any, _out: Any, x: Any) -> Any:
    """As for q and r, with a q that nobody looked at."""
    q, r = np.linalg.qr(x)
    return conjugate(_triangular(np.zeros_like(q), conjugate(g), q, r, x))


qr = op(lambda x, *, mode: _flat(*np.linalg.qr(x, mode)), _qr_rule, name="qr")
qr_r = op(lambda x: np.linalg.qr(x, "r"), _r_rule, name="qr")

# --- eigenvalues ----------------------------------------------------------------------------------


def eigh_parts(packed: Any) -> tuple[Any, Any]:
    """Take eigenvalues, in the first row, and eigenvectors apart."""
    return np.real(packed[..., 0, :]), packed[..., 1:, :]


def _with_row(values: Any, vectors: Any) -> Any:
    """Put eigenvalues above their eigenvectors."""
    return np.concatenate([_row(values), vectors], axis=-2)


def _spectral(gw: Any, gv: Any, w: Any, v: Any, uplo: str = "L") -> Any:
    """`v (g_w + (m - m*) / 2 / (w_j - w_i)) v*`, with `m = v* g_v`."""
    gv = _phased(gv, v, _inner(v, gv), first=uplo in "Ll")
    m = np.matmul(adjoint(v), gv)
    gaps = _row(w) - _column(w)
    unit = _unit(w)
    pull = _quotient(0.5 * _skew(m), gaps + unit, m, adjoint(m))
    inner = ~unit * pull + on_diagonal(gw)
    return np.matmul(v, np.matmul(inner, adjoint(v)))


def _eigh_rule(g: Any, out: Any, _x: Any, *, uplo: str) -> Any:
    """The derivative of eigenvalues and eigenvectors."""
    w, v = eigh_parts(out)
    gw, gv = eigh_parts(conjugate(g))
    return conjugate(_spectral(gw, gv, w, v, uplo))


def _eigvalsh_rule(g: Any, _out: Any, x: Any, *, uplo: Any) -> Any:
    """`v g v*`."""
    v = np.linalg.eigh(x, uplo)[1]
    return conjugate(np.matmul(v * _row(g), adjoint(v)))


eigh = op(
    lambda x, *, uplo: _with_row(*np.linalg.eigh(x, uplo)),
    _eigh_rule,
    name="eigh",
)
eigvalsh = op(lambda x, *, uplo: np.linalg.eigvalsh(x, uplo), _eigvalsh_rule, name="eigvalsh")


def eig_parts(packed: Any) -> tuple[Any, Any]:
    """Take eigenvalues, in the first row, and eigenvectors apart."""
    return packed[..., 0, :], packed[..., 1:, :]


def _eig(x: Any, *values: Any) -> Any:
    """Return eigenvalues and eigenvectors; in the order of `values`, if those are given."""
    w, v = np.linalg.eig(x)
    if values and np.max(np.abs(w - values[0]), initial=0.0) > _tolerance(w):
        order = _matching(w, values[0])
        w = np.take_along_axis(w, order, axis=-1)
        v = np.take_along_axis(v, _row(order), axis=-1)
    return _with_row(w, v)


def _tolerance(w: Any) -> Any:
    """Return by how much the same eigenvalue may differ when it is computed twice."""
    return 1e3 * float(np.finfo(w.dtype).eps) * np.max(np.abs(w), initial=0.0)


def _matching(w: Any, values: Any) -> Any:
    """Return, for each of `values`, the nearest of w that is not yet taken."""
    distance = np.abs(_column(values) - _row(w))
    order = np.zeros_like(distance[..., 0], dtype=np.intp)
    for i in range(w.shape[-1]):
        nearest = np.argmin(distance[..., i, :], axis=-1)
        order[..., i] = nearest
        taken = np.expand_dims(nearest, (-1, -2))
        np.put_along_axis(distance, np.broadcast_to(taken, (*distance.shape[:-1], 1)), np.inf, -1)
    return order


def _gauged(gv: Any, v: Any) -> Any:
    """Return the cotangent of eigenvectors of any length and phase, from those of LAPACK.

    Those are of length 1, `dv = dz - v Re(v* dz)`; and of complex ones the largest element is real,
    so that a multiple of `i v` is taken away as well.
    """
    length = _inner(v, gv)
    if v.dtype.kind != "c":
        return gv - v * length
    real = np.where(np.imag(v) == 0, np.real(v), 0.0)
    size = np.abs(real)
    held = size == np.max(size, axis=-2, keepdims=True, initial=0.0)  # of nothing as well
    ties = np.sum(held, axis=-2, keepdims=True, dtype=real.dtype)
    share = held / np.where(held, real, 1.0) / ties
    return gv - v * np.real(length) - 1j * (share * np.imag(length))


def _general(gw: Any, gz: Any, w: Any, v: Any) -> Any:
    """`v⁻* (g_w + m / conj(w_j - w_i)) v*`, with m what is off the diagonal of `v* g_z`."""
    m = np.matmul(adjoint(v), gz)
    unit = _unit(w)
    gaps = conjugate(_row(w) - _column(w)) + unit
    inner = ~unit * _quotient(m, gaps, m) + on_diagonal(gw)
    return np.matmul(adjoint(inverse_or_nan(v)), np.matmul(inner, adjoint(v)))


def _eig_rule(g: Any, out: Any, _x: Any, *_values: Any) -> Any:
    """The derivative of eigenvalues and eigenvectors."""
    w, v = eig_parts(out)
    gw, gv = eig_parts(conjugate(g))
    return conjugate(_general(gw, _gauged(gv, v), w, v))


def _eigvals_rule(g: Any, out: Any, x: Any) -> Any:
    """`v⁻* g v*`; the eigenvectors come in another order at times than the eigenvalues did."""
    _, v = eig_parts(eig(x, out))
    inner = _column(conjugate(g)) * adjoint(v)
    return conjugate(np.matmul(adjoint(inverse_or_nan(v)), inner))


eig = op(_eig, _eig_rule, name="eig")
eigvals = op(np.linalg.eigvals, _eigvals_rule)

# --- singular values ------------------------------------------------------------------------------


def svd_parts(packed: Any, m: int, n: int, full: bool) -> tuple[Any, Any, Any]:
    """Take u, s and v* apart; they stand side by side, flat."""
    rows, k = packed.shape[:-1], min(m, n)
    left, right = (m, n) if full else (k, k)
    u = np.reshape(packed[..., : m * left], (*rows, m, left))
    s = np.real(packed[..., m * left : m * left + k])
    vh = np.reshape(packed[..., m * left + k :], (*rows, right, n))
    return u, s, vh


def _svd(x: Any, *, full: bool, hermitian: bool) -> Any:
    u, s, vh = np.linalg.svd(x, full_matrices=full, hermitian=hermitian)
    return _flat(u, _row(s), vh)


def _svd_rule(g: Any, out: Any, x: Any, *, full: bool, hermitian: bool) -> Any:
    """With `a = u* g_u`, `b = v* g_v`, `a s - s a*` and its like over `s_j² - s_i²`.

    Townsend, "Differentiating the singular value decomposition" (2016).
    """
    m, n = x.shape[-2:]
    u, s, vh = svd_parts(out, m, n, full)
    gu, gs, gvh = svd_parts(conjugate(g), m, n, full)
    v, gv = adjoint(vh), adjoint(gvh)
    if hermitian:  # v is u times the signs of the eigenvalues
        signs = np.sign(np.real(np.sum(conjugate(u) * v, axis=-2)))
        return conjugate(_spectral(gs * signs * (s != 0), gu + gv * _row(signs), s * signs, u))
    k = min(m, n)
    u, gu = _completed(u, gu, k)
    v, gv = _completed(v, gv, k)
    length = _inner(u, gu) + _inner(v, gv)
    if m < n:
        gu = _phased(gu, u, length, first=True)
    else:
        gv = _phased(gv, v, length, first=True)
    a, b = np.matmul(adjoint(u), gu), np.matmul(adjoint(v), gv)
    unit = _unit(s)
    gaps = (_row(s) - _column(s)) * (_row(s) + _column(s)) + unit
    pull = _skew(a) * _row(s) + _column(s) * _skew(b)
    inner = ~unit * _quotient(pull, gaps, a, adjoint(a), b, adjoint(b)) + on_diagonal(gs * (s != 0))
    if g.dtype.kind == "c":
        phase = 0.5j * np.imag(diagonal.diagonal(a - b, offset=0, axis1=-2, axis2=-1))
        inner = inner + on_diagonal(_quotient(phase, s, phase))
    found = np.matmul(u, np.matmul(inner, adjoint(v)))
    if m > k:
        outside = gu - np.matmul(u, a)
        found = found + np.matmul(_quotient(outside, _row(s), outside), adjoint(v))
    if n > k:
        outside = gv - np.matmul(v, b)
        found = found + np.matmul(u, adjoint(_quotient(outside, _row(s), outside)))
    return conjugate(found)


def _values_rule(g: Any, out: Any, x: Any, hermitian: bool) -> Any:
    """`u g v*`; of a singular value 0, which has a kink there, the least subgradient is 0."""
    u, _, vh = np.linalg.svd(x, full_matrices=False, hermitian=hermitian)
    return conjugate(np.matmul(u * _row(g * (out != 0)), vh))


svd = op(_svd, _svd_rule, name="svd")
svdvals = op(
    lambda x, *, hermitian: np.linalg.svd(x, compute_uv=False, hermitian=hermitian),
    lambda g, out, x, *, hermitian: _values_rule(g, out, x, hermitian),
    name="svdvals",
)
# Singular values that another decomposition has found.
svdvals_found = op(
    lambda _x, s: np.copy(s),
    lambda g, _out, x, s: _values_rule(g, s, x, False),
    name="svdvals",
)
