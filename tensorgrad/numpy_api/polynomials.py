"""Polynomials by their coefficients, of the highest power first, as `numpy.poly1d` has them.

Floor: `numpy_api`.  Compositions, as NumPy's own are.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..ops import polynomial
from ..tensor import Tensor, apply, as_tensor
from .joining import concatenate, stack
from .signal import convolve
from .table import implements


def _coefficients(p: ArrayLike) -> Tensor:
    """Return coefficients, of which single ones may be tensors, as a tensor of one axis."""
    if isinstance(p, (list, tuple)) and any(isinstance(item, Tensor) for item in p):
        return stack(p)
    tensor = as_tensor(p)
    return tensor if tensor.ndim else tensor.reshape(1)


def _stripped(p: ArrayLike, atol: float = 0.0) -> Tensor:
    """Return coefficients without leading zeros."""
    return apply(polynomial.stripped, _coefficients(p), atol=atol)


# --- values and arithmetic ------------------------------------------------------------------------


@implements(np.polyval)
def polyval(p: ArrayLike, x: ArrayLike) -> Tensor:
    """Evaluate a polynomial by Horner's rule."""
    if isinstance(x, np.poly1d):
        raise TypeError("np.polyval at a poly1d takes no tensor as coefficients: give p.coeffs")
    y: Tensor = np.zeros_like(as_tensor(x))  # type: ignore[assignment]
    for coefficient in _coefficients(p):
        y = y * x + coefficient
    return y


def _aligned(a1: ArrayLike, a2: ArrayLike) -> tuple[Tensor, Tensor]:
    """Put zeros before the shorter one."""
    p, q = _coefficients(a1), _coefficients(a2)
    missing = len(q) - len(p)
    if missing > 0:
        p = concatenate([np.zeros(missing, p.dtype), p])
    elif missing < 0:
        q = concatenate([np.zeros(-missing, q.dtype), q])
    return p, q


@implements(np.polyadd)
def polyadd(a1: ArrayLike, a2: ArrayLike) -> Tensor:
    """Add two polynomials."""
    p, q = _aligned(a1, a2)
    return p + q


@implements(np.polysub)
def polysub(a1: ArrayLike, a2: ArrayLike) -> Tensor:
    """Subtract two polynomials."""
    p, q = _aligned(a1, a2)
    return p - q


@implements(np.polymul)
def polymul(a1: ArrayLike, a2: ArrayLike) -> Tensor:
    """Multiply two polynomials."""
    return convolve(_stripped(a1), _stripped(a2))


@implements(np.polydiv)
def polydiv(u: ArrayLike, v: ArrayLike) -> tuple[Tensor, Tensor]:
    """Divide two polynomials: the quotient and the remainder."""
    u, v = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    dtype = np.result_type(u.dtype, v.dtype)
    degree = len(u) - len(v)
    scale = 1.0 / v[0]
    quotient = as_tensor(np.zeros(max(degree + 1, 1), dtype))
    rest = u.astype(dtype).clone()
    for k in range(degree + 1):
        quotient[k] = scale * rest[k]
        rest[k : k + len(v)] -= quotient[k] * v
    return quotient, _stripped(rest, atol=1e-8)


# --- calculus -------------------------------------------------------------------------------------


@implements(np.polyder)
def polyder(p: ArrayLike, m: int = 1) -> Tensor:
    """Differentiate a polynomial m times."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    result: Tensor = as_tensor(p)
    for _ in range(m):
        result = result[:-1] * np.arange(len(result) - 1, 0, -1)
    return result


@implements(np.polyint)
def polyint(p: ArrayLike, m: int = 1, k: ArrayLike = None) -> Tensor:
    """Integrate a polynomial m times, with the constants `k`."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = _coefficients(np.zeros(m) if k is None else k)
    if len(constants) == 1 and m > 1:
        constants = constants[0] * np.ones(m)
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    result: Tensor = as_tensor(p)
    for i in range(m):
        terms = result / np.arange(len(result), 0, -1)
        result = concatenate([terms, constants[i : i + 1]])
    return result


# --- roots and fits -------------------------------------------------------------------------------


@implements(np.roots)
def roots(p: ArrayLike) -> Tensor:
    """Find the roots.  Where two are equal, they have no derivative: inf or NaN."""
    return apply(polynomial.roots, _coefficients(p))


@implements(np.poly)
def poly(seq_of_zeros: ArrayLike) -> Any:
    """Multiply out the polynomial that has these zeros, or the eigenvalues of a matrix."""
    zeros: Any = _coefficients(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim == 1:
        zeros = zeros.astype(np.dtype(np.mintypecode(zeros.dtype.char)))
    else:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if not len(zeros):
        return 1.0
    coefficients = as_tensor(np.ones(1, zeros.dtype))
    for zero in zeros:
        coefficients = convolve(coefficients, stack([np.ones((), zeros.dtype), -zero]))
    if zeros.dtype.kind != "c":
        return coefficients
    return apply(polynomial.real_if_paired, coefficients, zeros)


@implements(np.polyfit)
def polyfit(
    x: ArrayLike,
    y: ArrayLike,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: ArrayLike = None,
    cov: bool | str = False,
) -> Any:
    """Fit a polynomial by least squares; the gradient goes to points, values and weights."""
    order = int(deg) + 1
    x, y = as_tensor(x) + 0.0, as_tensor(y) + 0.0
    _check_samples(x, y, deg)
    if rcond is None:
        rcond = len(x) * np.finfo(x.dtype).eps
    left, right = np.vander(x, order), y
    if w is not None:
        weights = as_tensor(w) + 0.0
        if weights.ndim != 1:
            raise TypeError("expected a 1-d array for weights")
        if weights.shape[0] != y.shape[0]:
            raise TypeError("expected w and y to have the same length")
        left = (left * weights[:, None]).astype(left.dtype)
        right = (right * (weights[:, None] if y.ndim == 2 else weights)).astype(y.dtype)
    scale = np.sqrt((left * left).sum(axis=0))
    left = left / scale
    c, residuals, rank, singular_values = np.linalg.lstsq(left, right, rcond)
    c = (c.T / scale).T
    if rank != order and not full:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=4)
    if full:
        return c, residuals, rank, singular_values, rcond
    if not cov:
        return c
    base = np.linalg.inv(np.dot(left.T, left)) / np.outer(scale, scale)
    if cov != "unscaled":
        if len(x) <= order:
            raise ValueError(
                "the number of data points must exceed order to scale the covariance matrix"
            )
        factor = residuals / (len(x) - order)
        return c, (base if y.ndim == 1 else base[:, :, None]) * factor
    return c, base if y.ndim == 1 else base[:, :, None]


def _check_samples(x: Tensor, y: Tensor, deg: int) -> None:
    """Raise NumPy's errors for the arguments of `polyfit`."""
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if x.size == 0:
        raise TypeError("expected non-empty vector for x")
    if y.ndim < 1 or y.ndim > 2:
        raise TypeError("expected 1D or 2D array for y")
    if x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
