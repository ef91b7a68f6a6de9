"""Inverses, determinants and linear systems: inv, solve, det, slogdet, pinv, lstsq.

Floor: `ops`.  All work on stacks of matrices, in the last two axes.  A rule never raises: where a
matrix has no inverse, what depends on it is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import conjugate, op, unbroadcast
from .diagonal import place_diagonal


def turned(x: Any) -> Any:
    """Return the transposes of matrices."""
    return np.swapaxes(x, -1, -2)


def adjoint(x: Any) -> Any:
    """Return the conjugate transposes of matrices."""
    return conjugate(turned(x))


def on_diagonal(d: Any) -> Any:
    """Return square matrices with the last axis of `d` on their diagonals."""
    shape = (*d.shape, d.shape[-1])
    return place_diagonal(d, shape=shape, offset=0, axis1=-2, axis2=-1)


# --- inverse and determinant ----------------------------------------------------------------------


def _inverse_rule(g: Any, out: Any, _x: Any) -> Any:
    """`-x⁻ᵀ g x⁻ᵀ`."""
    return -np.matmul(turned(out), np.matmul(g, turned(out)))


def _inverse_or_nan(x: Any) -> Any:
    """Return the inverses; NaN for a matrix that has none."""
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise
    if x.ndim > 2:
        return np.stack([_inverse_or_nan(matrix) for matrix in x])
    return np.full_like(x, np.nan, dtype=np.linalg.inv(np.zeros_like(x, shape=(0, 0))).dtype)


inv = op(np.linalg.inv, _inverse_rule)
inverse_or_nan = op(_inverse_or_nan, _inverse_rule, name="inv")
zeroth_power = op(
    lambda x: np.linalg.matrix_power(x, 0),
    lambda g, _out, _x: np.zeros_like(g),
    name="matrix_power",
)


def _cofactors(x: Any) -> Any:
    """Return the matrix of cofactors, `det(x) x⁻ᵀ`, which every square matrix has.

    Where there is no inverse, x is `u s v` by its singular values, and the cofactors of s are the
    products of the others.
    """
    try:
        return np.expand_dims(np.linalg.det(x), (-2, -1)) * turned(np.linalg.inv(x))
    except np.linalg.LinAlgError:
        if x.ndim > 2:
            return np.stack([_cofactors(matrix) for matrix in x])
    u, s, v = np.linalg.svd(x)
    others = np.prod(np.where(on_diagonal(np.ones_like(s, dtype=bool)), 1.0, s), axis=-1)
    scale = np.linalg.det(u) * np.linalg.det(v) * others
    return np.matmul(conjugate(u) * scale, conjugate(v)).astype(x.dtype)


def _cofactors_rule(g: Any, out: Any, x: Any) -> Any:
    """`sum(g c) x⁻ᵀ - c gᵀ x⁻ᵀ`."""
    inverse = turned(inverse_or_nan(x))
    total = np.sum(g * out, axis=(-2, -1), keepdims=True)
    return total * inverse - np.matmul(out, np.matmul(turned(g), inverse))


def _slogdet(x: Any) -> Any:
    """Return the sign and the logarithm along a last axis of two."""
    sign, logarithm = np.linalg.slogdet(x)
    return np.stack([sign, logarithm], axis=-1)


def _slogdet_rule(g: Any, out: Any, x: Any) -> Any:
    """`d log det = tr(x⁻¹ dx)`: its real part moves the logarithm, its imaginary part the sign."""
    scale = g[..., 1]
    if out.dtype.kind == "c":
        scale = np.real(scale) + np.imag(g[..., 0] * out[..., 0]) * 1j
    return np.expand_dims(scale, (-2, -1)) * turned(inverse_or_nan(x))


cofactors = op(_cofactors, _cofactors_rule, name="cofactors")
det = op(np.linalg.det, lambda g, _out, x: np.expand_dims(g, (-2, -1)) * cofactors(x))
slogdet = op(_slogdet, _slogdet_rule, name="slogdet")

# --- linear systems -------------------------------------------------------------------------------


def _solve_or_nan(a: Any, b: Any) -> Any:
    """Solve for matrices b; NaN where that is not possible.

    Rounding can make the transpose of a matrix singular, and not the matrix itself.
    """
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if a.shape[-1] != a.shape[-2]:
            raise
    rows = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if rows:
        a, b = (np.broadcast_to(x, (*rows, *x.shape[-2:])) for x in (a, b))
        return np.stack([_solve_or_nan(x, y) for x, y in zip(a, b, strict=True)])
    return np.full_like(b, np.nan, dtype=np.result_type(a, b))


def _solve_rule(g: Any, out: Any, a: Any, _b: Any, *, needs: tuple[bool, ...]) -> tuple[Any, Any]:
    """By b it is `a⁻ᵀ g`, and by a `-a⁻ᵀ g outᵀ`."""
    vector = out.ndim < a.ndim
    if vector:
        g, out = np.expand_dims(g, -1), np.expand_dims(out, -1)
    gb = solve_or_nan(turned(a), g)
    ga = unbroadcast(-np.matmul(gb, turned(out)), a.shape) if needs[0] else None
    return ga, unbroadcast(gb[..., 0] if vector else gb, _b.shape) if needs[1] else None


solve = op(np.linalg.solve, joint=_solve_rule)
solve_or_nan = op(_solve_or_nan, joint=_solve_rule, name="solve")

# --- least squares --------------------------------------------------------------------------------
# For a rank that does not change.  Golub and Pereyra, "The differentiation of pseudo-inverses and
# nonlinear least squares problems whose variables separate", SIAM J. Numer. Anal. 10 (1973).


def _pinv_rule(g: Any, out: Any, x: Any, _rcond: Any, *, hermitian: bool) -> Any:
    """Of `dp = -p dx p + p p* dx* (1 - x p) + (1 - p x) dx* p* p`, with p the result.

    Products are taken in the order that makes the small matrices.
    """
    p, h = out, turned(g)  # h is adjoint to the cotangent as people see it
    if x.shape[-2] >= x.shape[-1]:
        k = np.matmul(p, h)
        kp = np.matmul(k, p)
        by_columns = np.matmul(h - np.matmul(x, k), np.matmul(p, adjoint(p)))
        by_rows = np.matmul(adjoint(p), k - np.matmul(kp, x))
        found = by_columns + by_rows - adjoint(kp)
    else:
        k = np.matmul(h, p)
        by_columns = np.matmul(k - np.matmul(np.matmul(x, p), k), adjoint(p))
        by_rows = np.matmul(np.matmul(adjoint(p), p), h - np.matmul(k, x))
        found = by_columns + by_rows - adjoint(np.matmul(p, k))
    return conjugate(0.5 * (found + adjoint(found)) if hermitian else found)


pinv = op(
    lambda x, rcond, *, hermitian: np.linalg.pinv(x, rcond, hermitian),
    _pinv_rule,
    name="pinv",
)


def _lstsq(a: Any, b: Any, *, rcond: float | None) -> Any:
    """Return the solution, the residuals, the singular values and the rank, one after another."""
    x, residuals, rank, s = np.linalg.lstsq(a, b, rcond)
    parts = [np.reshape(x, (x.size,)), residuals, s]
    return np.concatenate([*parts, np.full_like(s, rank, shape=(1,))])


def _lstsq_rule(
    g: Any, out: Any, a: Any, b: Any, *, needs: tuple[bool, ...], rcond: float | None
) -> tuple[Any, Any]:
    """`dx = p (db - da x) + p p* da* r + (1 - p a) da* p* x`, with p = pinv(a) and r = b - a x.

    A residual is `sum |r|²`.  The singular values are the work of `svdvals_found`.
    """
    m, n = a.shape
    vectors = 1 if b.ndim == 1 else b.shape[1]
    size, rest = n * vectors, min(m, n) + 1
    g = conjugate(g)
    gx, x = (np.reshape(part[:size], (n, vectors)) for part in (g, out))
    if rcond is None or rcond < 0:
        rcond = float(np.finfo(np.float64).eps) * (max(m, n) if rcond is None else 1)
    p = np.linalg.pinv(a, rcond)
    r = np.reshape(b, (m, vectors)) - np.matmul(a, x)
    gb = np.matmul(adjoint(p), gx)
    pulled = gb
    if out.shape[0] > size + rest:
        gb = gb + 2.0 * r * np.real(g[size : size + vectors])
    ga = None
    if needs[0]:
        by_rows = gx - np.matmul(p, np.matmul(a, gx))
        ga = (
            np.matmul(r, adjoint(np.matmul(p, pulled)))
            + np.matmul(np.matmul(adjoint(p), x), adjoint(by_rows))
            - np.matmul(gb, adjoint(x))
        )
        ga = conjugate(ga)
    return ga, conjugate(np.reshape(gb, b.shape))


lstsq = op(_lstsq, joint=_lstsq_rule, name="lstsq")
