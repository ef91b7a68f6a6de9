"""Linear algebra: `numpy.linalg`, but for its products.

Floor: `numpy_api`.  The forwards of the ops are NumPy's functions, and raise its errors.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain, without_graph
from ..ops import decompose, systems
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient

_ONE: Final = np.eye(1)
SlogdetResult: Final[Any] = type(np.linalg.slogdet(_ONE))
QRResult: Final[Any] = type(np.linalg.qr(_ONE))
EigResult: Final[Any] = type(np.linalg.eig(_ONE))
EighResult: Final[Any] = type(np.linalg.eigh(_ONE))
SVDResult: Final[Any] = type(np.linalg.svd(_ONE))

no_gradient(np.linalg.matrix_rank)

# --- inverse, determinant, power ------------------------------------------------------------------


@implements(np.linalg.inv)
def inv(a: ArrayLike) -> Tensor:
    """Invert matrices."""
    return apply(systems.inv, as_tensor(a))


@implements(np.linalg.det)
def det(a: ArrayLike) -> Tensor:
    """Compute determinants; of a singular matrix too the gradient is that of its cofactors."""
    return apply(systems.det, as_tensor(a))


@implements(np.linalg.slogdet)
def slogdet(a: ArrayLike) -> Any:
    """Compute signs and logarithms of determinants; of a singular matrix the gradient is NaN."""
    packed = apply(systems.slogdet, as_tensor(a))
    return SlogdetResult(packed[..., 0], np.real(packed[..., 1]))


@implements(np.linalg.matrix_power)
def matrix_power(a: ArrayLike, n: int) -> Tensor:
    """Multiply a square matrix n times with itself, or its inverse for a negative n."""
    tensor = as_tensor(a)
    if tensor.ndim < 2 or tensor.shape[-1] != tensor.shape[-2]:
        n = 0  # where NumPy raises its error
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError("exponent must be an integer") from None
    if n == 0:
        return apply(systems.zeroth_power, tensor)
    base = inv(tensor) if n < 0 else tensor.clone()
    n = abs(n)
    if n == 3:
        return base @ base @ base
    result: Tensor | None = None
    while True:
        if n & 1:
            result = base if result is None else result @ base
        n >>= 1
        if not n and result is not None:
            return result
        base = base @ base


# --- linear systems -------------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Solve `a x = b`."""
    return apply(systems.solve, as_tensor(a), as_tensor(b))


@implements(np.linalg.tensorinv)
def tensorinv(a: ArrayLike, ind: int = 2) -> Tensor:
    """Invert what `tensordot` over `ind` axes does."""
    tensor = as_tensor(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows, columns = tensor.shape[:ind], tensor.shape[ind:]
    return inv(tensor.reshape(math.prod(columns), -1)).reshape(columns + rows)


@implements(np.linalg.tensorsolve)
def tensorsolve(a: ArrayLike, b: ArrayLike, axes: Sequence[int] | None = None) -> Tensor:
    """Solve `tensordot(a, x, x.ndim) = b`."""
    a, b = as_tensor(a), as_tensor(b)
    if axes is not None:
        order = list(range(a.ndim))
        for axis in axes:
            order.remove(axis)
            order.insert(a.ndim, axis)
        a = a.transpose(order)
    shape = a.shape[-(a.ndim - b.ndim) :]
    size = math.prod(shape)
    if a.size != size**2:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy the requirement "
            f"prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim]); a.shape={a.shape}, {b.ndim=}"
        )
    return solve(a.reshape(size, size), b.ravel()).reshape(shape)


@implements(np.linalg.pinv)
def pinv(
    a: ArrayLike, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue
) -> Tensor:
    """Compute pseudo-inverses; their derivative is for a rank that does not change."""
    tensor = as_tensor(a)
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    if rcond is None:
        rcond = max(tensor.shape[-2:]) * np.finfo(tensor.dtype).eps
    return apply(systems.pinv, tensor, rcond, hermitian=bool(hermitian))


@implements(np.linalg.lstsq)
def lstsq(a: ArrayLike, b: ArrayLike, rcond: Any = None) -> tuple[Tensor, Tensor, Any, Tensor]:
    """Solve `a x = b` by least squares; the derivative is for a rank that does not change."""
    a, b = as_tensor(a), as_tensor(b)
    packed = apply(systems.lstsq, a, b, rcond=plain(rcond))
    m, n = a.shape
    size, last = n * math.prod(b.shape[1:]), packed.size - 1
    found = np.real(packed[last - min(m, n) : last])
    return (
        packed[:size].reshape(n, *b.shape[1:]),
        np.real(packed[size : last - min(m, n)]),
        np.real(plain(packed)[last]).astype(np.intc),
        apply(decompose.svdvals_found, a, found),
    )


# --- decompositions -------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: ArrayLike, /, *, upper: bool = False) -> Tensor:
    """Factor positive definite matrices; the gradient is that among Hermitian matrices."""
    return apply(decompose.cholesky, as_tensor(a), upper=bool(upper))


@implements(np.linalg.qr)
def qr(a: ArrayLike, mode: str = "reduced") -> Any:
    """Factor matrices of full rank into a unitary and a triangular one.

    The columns of a complete q beyond those of the reduced one are any basis of the rest of the
    space: the gradient is right for what does not depend on which.
    """
    tensor = as_tensor(a)
    if mode == "r":
        return apply(decompose.qr_r, tensor)
    if mode in ("raw", "e", "economic"):
        name = f"np.linalg.qr with mode={mode!r}"
        return without_graph(name, np.linalg.qr, (tensor, mode), {}, "use mode='reduced'")
    packed = apply(decompose.qr, tensor, mode=mode)
    m, n = tensor.shape[-2:]
    k = m if mode == "complete" else min(m, n)
    return QRResult(*decompose.qr_parts(packed, m, n, k))


@implements(np.linalg.eigh)
def eigh(a: ArrayLike, UPLO: str = "L") -> Any:  # noqa: N803 - NumPy's name
    """Find eigenvalues and eigenvectors of Hermitian matrices, and the gradient among those.

    The phase of a complex eigenvector is any: the gradient holds it.
    """
    packed = apply(decompose.eigh, as_tensor(a), uplo=UPLO)
    return EighResult(*decompose.eigh_parts(packed))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: ArrayLike, UPLO: str = "L") -> Tensor:  # noqa: N803 - NumPy's name
    """Find eigenvalues of Hermitian matrices, and the gradient among those."""
    return apply(decompose.eigvalsh, as_tensor(a), uplo=UPLO)


@implements(np.linalg.eig)
def eig(a: ArrayLike) -> Any:
    """Find eigenvalues and eigenvectors, of length 1 and with a real largest element."""
    packed = apply(decompose.eig, as_tensor(a))
    return EigResult(*decompose.eig_parts(packed))


@implements(np.linalg.eigvals)
def eigvals(a: ArrayLike) -> Tensor:
    """Find eigenvalues."""
    return apply(decompose.eigvals, as_tensor(a))


@implements(np.linalg.svd)
def svd(
    a: ArrayLike, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Find singular values and vectors.

    Vectors beyond the number of singular values, and the phases of complex ones, are any: the
    gradient is right for what does not depend on which.
    """
    tensor = as_tensor(a)
    if not compute_uv:
        return apply(decompose.svdvals, tensor, hermitian=bool(hermitian))
    full = bool(full_matrices)
    packed = apply(decompose.svd, tensor, full=full, hermitian=bool(hermitian))
    m, n = tensor.shape[-2:]
    return SVDResult(*decompose.svd_parts(packed, m, n, full))


@implements(np.linalg.svdvals)
def svdvals(x: ArrayLike, /) -> Tensor:
    """Find singular values."""
    return apply(decompose.svdvals, as_tensor(x), hermitian=False)
