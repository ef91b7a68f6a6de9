"""Rows of the table of op cases: products and linear algebra.

Matrices are drawn around one that keeps them well conditioned; it is of small integers, so that it
leaves the dtype alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from case import Case, Sample, apart, normal, positive, row
from tensorgrad.ops import norms, systems

SOLVABLE = ("float32", "float64")  # NumPy's linear algebra has no float16


def _product(name: str, function: Callable[..., Any], *shapes: Any, **options: Any) -> Case:
    """Make a row of a function that is linear in each input."""
    options = {"holomorphic": True, **options}
    return row(name, function, *(normal(*shape) for shape in shapes), **options)


# --- products -------------------------------------------------------------------------------------


def _vectors() -> list[Case]:
    both = {"holomorphic": False}  # the first operand is conjugated
    return [
        _product("dot of a number", np.dot, (), (2, 3)),
        _product("dot of a vector and a number", np.dot, (3,), ()),
        _product("np.linalg.matmul", np.linalg.matmul, (2, 1, 2, 3), (4, 3, 2)),
        _product("np.linalg.outer", np.linalg.outer, (2,), (3,)),
        *(_product(f"vdot {x} {y}", np.vdot, x, y, **both)
          for x, y in [((3,), (3,)), ((2, 3), (6,)), ((), ()), ((0,), (0,))]),
        *(_product(f"inner {x} {y}", np.inner, x, y)
          for x, y in [((3,), (3,)), ((2, 3), (4, 1, 3)), ((), (2,)), ((2,), ()),
                       ((2, 0), (3, 0))]),
        *(_product(f"vecdot {x} {y}", np.vecdot, x, y, **both)
          for x, y in [((3,), (3,)), ((2, 3), (4, 1, 3)), ((2, 0), (0,))]),
        _product("vecdot first axis", lambda x, y: np.vecdot(x, y, axis=0), (3, 2), (3, 1), **both),
        _product("np.linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y, axis=0), (3, 2), (3, 2),
                 **both),
        *(_product(f"matvec {x} {y}", np.matvec, x, y)
          for x, y in [((2, 3), (3,)), ((2, 3), (4, 3)), ((4, 2, 3), (3,)), ((2, 0), (0,))]),
        *(_product(f"vecmat {x} {y}", np.vecmat, x, y, **both)
          for x, y in [((3,), (3, 2)), ((4, 3), (3, 2)), ((3,), (4, 3, 2)), ((0,), (0, 2))]),
        _product("matmul axes", lambda x, y: np.matmul(x, y, axes=[(0, 1), (2, 0), (0, 2)]),
                 (2, 3, 4), (2, 4, 3)),
        *(_product(f"cross {x} {y}", np.cross, x, y)
          for x, y in [((3,), (3,)), ((2, 3), (4, 1, 3)), ((3,), (2, 3)), ((0, 3), (3,))]),
        _product("cross axes", lambda x, y: np.cross(x, y, 0, 1, 2), (3, 2, 4), (2, 3, 4)),
        _product("cross axis", lambda x, y: np.cross(x, y, axis=0), (3, 2), (3, 1)),
        _product("np.linalg.cross", lambda x, y: np.linalg.cross(x, y, axis=0), (3, 2), (3, 2)),
    ]  # fmt: skip


def _tensor_products() -> list[Case]:
    def tensordot(axes: Any, x: Any, y: Any) -> Case:
        return _product(f"tensordot {axes}", lambda x, y: np.tensordot(x, y, axes), x, y)

    return [
        _product("tensordot", np.tensordot, (2, 3, 4), (3, 4, 2)),
        tensordot(0, (2,), (3, 1)),
        tensordot(1, (2, 3), (3, 4)),
        tensordot((0, 1), (2, 3), (3, 2)),
        tensordot(([1, -1], [2, 0]), (2, 3, 4), (4, 2, 3, 2)),
        tensordot(((0, 2), (1, 0)), (2, 3, 4), (4, 2)),
        tensordot(([], []), (2,), (2,)),
        tensordot(((0,), (0,)), (0, 2), (0, 3)),
        _product("np.linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), (2, 3),
                 (3, 2)),
        *(_product(f"kron {x} {y}", np.kron, x, y)
          for x, y in [((2,), (3,)), ((2, 3), (2, 2)), ((2,), (3, 2)), ((2, 1, 2), (2,)),
                       ((), (2,)), ((2, 2), ()), ((0, 2), (2, 2))]),
        _product("multi_dot of two", lambda *xs: np.linalg.multi_dot(xs), (2, 3), (3,)),
        _product("multi_dot of three", lambda *xs: np.linalg.multi_dot(xs), (2, 3), (3, 4), (4, 2)),
        _product("multi_dot between vectors", lambda *xs: np.linalg.multi_dot(xs), (2,), (2, 3),
                 (3, 4), (4,)),
        _product("multi_dot of a vector", lambda *xs: np.linalg.multi_dot(xs), (3, 2), (2, 5),
                 (5, 1), (1, 4), (4,)),
        _product("einsum options", lambda x, y: np.einsum("ij,jk", x, y, order="F", casting="no",
                                                          optimize="greedy"), (2, 3), (3, 2)),
        row("einsum dtype", lambda x: np.einsum("ij->i", x, dtype=np.float64, casting="unsafe"),
            normal(2, 3), stands_in=1),
        _product("einsum path", lambda x, y, z: np.einsum(
            "ij,jk,kl->il", x, y, z, optimize=["einsum_path", (1, 2), (0, 1)]), (2, 3), (3, 2),
            (2, 2)),
        _product("einsum ellipsis sublists", lambda x, y: np.einsum(
            x, [..., 0, 1], y, [1, 2], [..., 2, 0]), (2, 2, 3), (3, 2)),
    ]  # fmt: skip


# --- linear systems -------------------------------------------------------------------------------


def flat(parts: Any) -> Any:
    """Join the results of a decomposition, so that a row judges all of them."""
    return np.concatenate([np.ravel(part) for part in parts])


def around(centre: Any, function: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any]]:
    """Return the function of `x + centre`, and the data that it takes."""
    centre = np.asarray(centre, dtype=np.int8)
    return (lambda *args: function(args[0] + args[-1], *args[1:-1])), (centre,)


def _matrix(
    name: str, function: Callable[..., Any], centre: Any, *inputs: Sample, **options: Any
) -> Case:
    """Make a row of a function of matrices around `centre`."""
    shifted, data = around(centre, function)
    return row(name, shifted, *inputs, data=data, dtypes=SOLVABLE, **options)


def _hermitian(x: Any) -> Any:
    return x + np.conj(np.swapaxes(x, -1, -2))


def _systems() -> list[Case]:
    linalg, four = np.linalg, 4 * np.eye(3)
    square, stack = normal(3, 3), normal(2, 3, 3)

    def holomorphic(name: str, function: Callable[..., Any], *inputs: Sample) -> Case:
        return _matrix(name, function, four, *inputs, holomorphic=True)

    rows = [
        holomorphic("inv", linalg.inv, square),
        holomorphic("inv stack", linalg.inv, stack),
        holomorphic("det", linalg.det, square),
        holomorphic("det stack", linalg.det, stack),
        holomorphic("solve vector", linalg.solve, square, normal(3)),
        holomorphic("solve matrix", linalg.solve, square, normal(3, 2)),
        holomorphic("solve vector, stack", linalg.solve, stack, normal(3)),
        holomorphic("solve broadcast", linalg.solve, normal(2, 1, 3, 3), normal(4, 3, 2)),
        holomorphic("solve one", linalg.solve, square, normal(2, 3, 1)),
        _matrix("slogdet", lambda a: flat(linalg.slogdet(a)), four, square),
        _matrix("slogdet stack", lambda a: flat(linalg.slogdet(-a)), four, stack),
        *(holomorphic(f"matrix_power {n}", lambda a, n=n: linalg.matrix_power(0.25 * a, n), square)
          for n in (0, 1, 2, 3, 5, -1, -2)),
        _matrix("tensorinv", linalg.tensorinv, 4 * np.eye(6).reshape(2, 3, 6), normal(2, 3, 6)),
        _matrix("tensorinv of one", lambda a: linalg.tensorinv(a, 1),
                4 * np.eye(6).reshape(6, 2, 3), normal(6, 2, 3)),
        _matrix("tensorsolve", linalg.tensorsolve, 4 * np.eye(6).reshape(2, 3, 6),
                normal(2, 3, 6), normal(2, 3)),
        _matrix("tensorsolve axes", lambda a, b: linalg.tensorsolve(a, b, (1,)),
                4 * np.eye(6).reshape(2, 3, 6).transpose(0, 2, 1), normal(2, 6, 3), normal(2, 3)),
        holomorphic("cofactors", systems.cofactors, stack),
        holomorphic("solve_or_nan", systems.solve_or_nan, stack, normal(3, 2)),
        _matrix("pinv hermitian", lambda a: linalg.pinv(_hermitian(a), hermitian=True), four,
                square),
        _matrix("pinv stack", lambda a: linalg.pinv(a, rtol=1e-9), 4 * np.eye(3, 2),
                normal(2, 3, 2)),
        _matrix("pinv of little rank", lambda a, b: linalg.pinv(np.matmul(a, b), 1e-3),
                4 * np.eye(4, 2), normal(4, 2), positive(2, 3)),
        _matrix("lstsq all", lambda a, b: flat(linalg.lstsq(a, b)[i] for i in (0, 1, 3)),
                4 * np.eye(4, 2), normal(4, 2), normal(4, 3)),
        _matrix("lstsq of little rank", lambda a, b, y: linalg.lstsq(np.matmul(a, b), y, 1e-3)[0],
                4 * np.eye(4, 2), normal(4, 2), positive(2, 3), normal(4)),
    ]  # fmt: skip
    for m, n in [(4, 2), (2, 4), (3, 3)]:
        centre, sample = 4 * np.eye(m, n), normal(m, n)
        rows += [
            _matrix(f"pinv {m} {n}", linalg.pinv, centre, sample),
            _matrix(f"lstsq {m} {n}", lambda a, b: linalg.lstsq(a, b)[0], centre, sample,
                    normal(m)),
        ]  # fmt: skip
    return rows


# --- decompositions -------------------------------------------------------------------------------


def _decompositions() -> list[Case]:
    linalg, steps = np.linalg, np.diag([0, 5, 11])
    turn = np.array([[1, -4, 0], [4, 1, 0], [0, 0, 9]])  # has complex eigenvalues
    square, stack = normal(3, 3), normal(2, 3, 3)

    def symmetric(name: str, function: Callable[..., Any], sample: Sample = stack) -> Case:
        return _matrix(name, lambda x: function(_hermitian(x)), steps, sample)

    def positive_definite(name: str, **options: Any) -> Case:
        def factor(x: Any) -> Any:
            return linalg.cholesky(np.matmul(x, np.conj(np.swapaxes(x, -1, -2))), **options)

        return _matrix(name, factor, 4 * np.eye(3), stack)

    rows = [
        positive_definite("cholesky"),
        positive_definite("cholesky upper", upper=True),
        symmetric("eigh", lambda a: flat(linalg.eigh(a))),
        symmetric("eigh upper", lambda a: flat(linalg.eigh(a, "U")), square),
        symmetric("eigh vectors", lambda a: linalg.eigh(a).eigenvectors),
        symmetric("eigvalsh", linalg.eigvalsh),
        symmetric("eigvalsh upper", lambda a: linalg.eigvalsh(a, UPLO="U"), square),
        symmetric("svd hermitian", lambda a: flat(linalg.svd(a, hermitian=True))),
        symmetric("svd hermitian values", lambda a: linalg.svd(a, False, False, True)),
        _matrix("eig", lambda a: flat(linalg.eig(a)), steps, stack),
        _matrix("eig complex", lambda a: flat(linalg.eig(a)), turn, square),
        _matrix("eigvals", linalg.eigvals, steps, stack),
        _matrix("eigvals complex", linalg.eigvals, turn, square),
        _matrix("svd values", lambda a: linalg.svd(a, compute_uv=False), steps, square),
        _matrix("qr complete", lambda a: flat(_spans(*linalg.qr(a, "complete"))),
                3 * np.eye(4, 2), normal(4, 2)),
        _matrix("svd full", lambda a: flat(_spans(*linalg.svd(a))), np.eye(4, 2, -1) * 9,
                normal(4, 2)),
    ]  # fmt: skip
    for m, n in [(4, 2), (2, 4), (3, 3)]:
        centre, sample = np.diag([3, 7, 12, 20])[:m, :n], normal(2, m, n)
        rows += [
            _matrix(f"qr {m} {n}", lambda a: flat(linalg.qr(a)), centre, sample),
            _matrix(f"qr r {m} {n}", lambda a: linalg.qr(a, mode="r"), centre, sample),
            _matrix(f"svd {m} {n}", lambda a: flat(linalg.svd(a, full_matrices=False)), centre,
                    sample),
            _matrix(f"svdvals {m} {n}", linalg.svdvals, centre, sample),
        ]  # fmt: skip
    return rows


def _spans(q: Any, *others: Any) -> tuple[Any, ...]:
    """Take of 4 columns of q the last two for the space that they span, whatever their basis."""
    rest = q[..., 2:]
    return q[..., :2], np.matmul(rest, np.conj(np.swapaxes(rest, -1, -2))), *others


# --- norms ----------------------------------------------------------------------------------------

VECTOR_NORMS = (None, 2, 1, 0, np.inf, -np.inf, 3, 1.5, 0.5, -1, -2.5)
MATRIX_NORMS = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def _norms() -> list[Case]:
    linalg = np.linalg
    rows = [
        row("norm of an array", linalg.norm, normal(2, 2, 3)),
        row("norm of an array, keepdims", lambda x: linalg.norm(x, keepdims=True), normal(2, 2, 3)),
        row("norm of a number", linalg.norm, normal()),
        row("norm of nothing", lambda x: linalg.norm(x, axis=1), normal(2, 0)),
        row("norm of matrices", lambda x: linalg.norm(x, axis=(2, 0)), normal(2, 2, 3)),
        row("vector_norm", linalg.vector_norm, apart(2, 3)),
        row("matrix_norm", linalg.matrix_norm, apart(2, 3, 2)),
        row("vector_norm axis", lambda x: linalg.vector_norm(x, axis=0, keepdims=True),
            apart(2, 3)),
        row("norm 1 of no columns", lambda x: linalg.norm(x, 1), normal(2, 0)),
        row("norm inf of nothing", lambda x: linalg.norm(x, np.inf, 0), normal(0, 2)),
        *(row(f"slope of norm {p}", lambda x, length, p=p: norms.slope(x, length, p=p),
              positive(3), positive(1)) for p in (2, 3)),
    ]  # fmt: skip
    for ord in VECTOR_NORMS:
        rows += [
            row(f"norm {ord}", lambda x, p=ord: linalg.norm(x, p), apart(4)),
            row(f"norm {ord} axis", lambda x, p=ord: linalg.norm(x, p, -2, keepdims=True),
                apart(2, 3, 2)),
            row(f"norm {ord} inner axis", lambda x, p=ord: linalg.norm(x, p, axis=1),
                apart(2, 3, 2)),
        ]  # fmt: skip
    rows += [
        row(f"vector_norm {ord}",
            lambda x, p=ord: linalg.vector_norm(x, axis=(2, 0), keepdims=True, ord=p),
            apart(2, 3, 2))
        for ord in VECTOR_NORMS[1:]
    ]  # fmt: skip
    for ord in MATRIX_NORMS:
        floats = SOLVABLE if ord in ("nuc", 2, -2) else Case.dtypes
        rows += [
            row(f"matrix norm {ord}", lambda x, p=ord: linalg.norm(x, p), apart(3, 2),
                dtypes=floats),
            row(f"matrix norm {ord} axes", lambda x, p=ord: linalg.norm(x, p, (2, 0), True),
                apart(3, 2, 2), dtypes=floats),
            row(f"matrix_norm {ord}", lambda x, p=ord: linalg.matrix_norm(x, ord=p),
                normal(2, 2, 3), dtypes=floats),
        ]  # fmt: skip
    centre = np.diag([3, 5, 9])
    rows += [
        _matrix(f"cond {p}", lambda x, p=p: linalg.cond(x, p), centre, normal(2, 3, 3))
        for p in (None, *MATRIX_NORMS)
    ]
    return [*rows, _matrix("cond tall", linalg.cond, np.diag([3, 5, 9])[:, :2], normal(3, 2))]


CASES = [*_vectors(), *_tensor_products(), *_systems(), *_decompositions(), *_norms()]
