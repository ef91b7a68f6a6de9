"""One table of op cases; `test_ops.py` runs every test of an operation from it.

To add a row: a name, the function on Tensors and how to draw its inputs.  The function may be
written so that it runs on ndarrays too; then it is its own reference.  Otherwise give `reference`:
NumPy's function, or an independent formula for what NumPy has not.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import op_cases_activations
import op_cases_calculus
import op_cases_convolution
import op_cases_fft
import op_cases_indexing
import op_cases_linalg
import op_cases_order
import op_cases_sequence
import op_cases_shapes
import op_cases_standardise
import op_cases_statistics
import op_cases_ufuncs
import tensorgrad as tg
from case import Case, Sample, apart, inside, normal, positive, row
from tensorgrad.ops import fused


def tensor(name: str) -> Callable[..., Any]:
    """Return the method of that name, to be called as a function."""
    return operator.methodcaller(name)


# --- elementwise ----------------------------------------------------------------------------------

UNARY = [
    ("negative", normal, True, (operator.neg,)),
    ("exp", normal, True, (tensor("exp"),)),
    ("expm1", normal, True, (tensor("expm1"),)),
    ("log", positive, True, (tensor("log"),)),
    ("log1p", positive, True, (tensor("log1p"),)),
    ("sqrt", positive, True, (tensor("sqrt"), lambda x: x**0.5)),
    ("square", normal, True, (tensor("square"), lambda x: x**2, lambda x: x**2.0)),
    ("abs", apart, False, (tensor("abs"), abs)),
    ("sign", apart, False, (tensor("sign"),)),
    ("sin", normal, True, (tensor("sin"),)),
    ("cos", normal, True, (tensor("cos"),)),
    ("tan", inside, True, (tensor("tan"),)),
    ("arcsin", inside, True, (tensor("arcsin"),)),
    ("arccos", inside, True, (tensor("arccos"),)),
    ("arctan", normal, True, (tensor("arctan"),)),
    ("sinh", normal, True, (tensor("sinh"),)),
    ("cosh", normal, True, (tensor("cosh"),)),
    ("tanh", normal, True, (tensor("tanh"),)),
]
BINARY = [
    ("add", normal, normal, True, operator.add),
    ("subtract", normal, normal, True, operator.sub),
    ("multiply", normal, normal, True, operator.mul),
    ("divide", normal, positive, True, operator.truediv),
    ("power", positive, normal, True, operator.pow),
    ("maximum", apart, normal, False, None),
    ("minimum", apart, normal, False, None),
]
# Case 40 and 41: every way of broadcasting, with an empty axis as well.
BROADCAST: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 3), (2, 3)),
    ((3, 1), (1, 4)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((3,), (2, 3)),
    ((1,), (3,)),
    ((4, 1), (4, 0)),
    ((), ()),
]


def _elementwise() -> list[Case]:
    rows = [
        row(name, getattr(tg, name), sample(2, 3), reference=getattr(np, name), also=also,
            holomorphic=holomorphic, elementwise=True)
        for name, sample, holomorphic, also in UNARY
    ]  # fmt: skip
    for name, left, right, holomorphic, spelled in BINARY:
        for x, y in BROADCAST:
            rows.append(
                row(f"{name} {x} {y}", getattr(tg, name), left(*x), right(*y),
                    reference=getattr(np, name), also=(spelled,) if spelled else (),
                    holomorphic=holomorphic)
            )  # fmt: skip
    numbers: list[tuple[str, Callable[..., Any]]] = [
        ("x + 2.0", lambda x: x + 2.0), ("2 + x", lambda x: 2 + x),
        ("x - 2", lambda x: x - 2), ("2.0 - x", lambda x: 2.0 - x),
        ("x * 2.0", lambda x: x * 2.0), ("3 * x", lambda x: 3 * x),
        ("x / 2.0", lambda x: x / 2.0), ("2.0 / x", lambda x: 2.0 / x),
        ("x ** 3", lambda x: x**3), ("x ** -1", lambda x: x**-1), ("x ** 1.5", lambda x: x**1.5),
        ("x ** 0", lambda x: x**0), ("x ** 1", lambda x: x**1), ("2.0 ** x", lambda x: 2.0**x),
        ("x + x", lambda x: x + x), ("x ** x", lambda x: x**x),
    ]  # fmt: skip
    rows += [row(n, f, positive(2, 3), holomorphic=True, elementwise=True) for n, f in numbers]
    rows += [
        row("maximum number", lambda x: np.maximum(x, 0.0), apart(2, 3), elementwise=True),
        row("number maximum", lambda x: np.maximum(0.2, x), apart(2, 3), elementwise=True),
        row("minimum number", lambda x: np.minimum(x, 0.0), apart(2, 3), elementwise=True),
        row("clip", lambda x: tg.clip(x, -0.1, 0.1), apart(2, 3),
            reference=lambda x: np.clip(x, -0.1, 0.1), also=(lambda x: x.clip(-0.1, 0.1),),
            elementwise=True),
        row("clip below", lambda x: np.clip(x, 0.1, None), apart(2, 3), elementwise=True),
        row("clip above", lambda x: np.clip(x, None, 0.1), apart(2, 3), elementwise=True),
        row("clip by arrays", np.clip, apart(2, 3),
            Sample(lambda rng, s: rng.uniform(-0.3, 0, s), (3,)),
            Sample(lambda rng, s: rng.uniform(0, 0.3, s), (2, 1))),
        row("where", lambda x, y, c: tg.where(c, x, y), normal(2, 3), normal(3),
            reference=lambda x, y, c: np.where(c, x, y), holomorphic=True,
            data=(np.array([[True, False, True], [False, False, True]]),)),
        row("where number", lambda x: np.where(x > 0, x, 0.0), apart(2, 3), elementwise=True),
        row("astype", lambda x: x.astype(np.float64), normal(2, 3), holomorphic=False),
        row("astype narrow", lambda x: x.astype(np.float16), normal(2, 3), order=0),
    ]  # fmt: skip
    return rows


# --- reductions -----------------------------------------------------------------------------------

# Case 45: (shape, axis, keepdims).
REDUCED: list[tuple[tuple[int, ...], Any, bool]] = [
    ((), None, False),
    ((3,), None, False),
    ((3,), 0, True),
    ((2, 3), None, True),
    ((2, 3), 0, False),
    ((2, 3, 2), -2, True),
    ((2, 3, 2), (0, -1), False),
    ((2, 3, 2), (2, 1), True),
    ((2, 3), (), False),
    ((1, 3), 0, False),
]


def _reductions() -> list[Case]:
    rows = []
    for name, (shape, axis, keep) in itertools.product(
        ("sum", "mean", "max", "min", "var", "std", "prod"), REDUCED
    ):
        given = {"axis": axis, "keepdims": keep}
        # The deviation of a single number is 0 everywhere, and has no slope to compare.
        alone = name == "std" and (shape == () or axis == () or shape == (1, 3))
        rows.append(
            row(f"{name} {shape} {axis} {keep}",
                lambda x, n=name, k=given: getattr(tg, n)(x, **k), apart(*shape),
                reference=lambda x, n=name, k=given: getattr(np, n)(x, **k),
                also=(lambda x, n=name, k=given: getattr(x, n)(**k),),
                holomorphic=name in ("sum", "mean", "prod"), order=1 if alone else 2)
        )  # fmt: skip
    rows += [
        row(f"{name} ddof", lambda x, n=name: getattr(tg, n)(x, 1, ddof=1), normal(2, 4),
            reference=lambda x, n=name: getattr(np, n)(x, axis=1, ddof=1),
            also=(lambda x, n=name: getattr(x, n)(axis=1, ddof=1),))
        for name in ("var", "std")
    ]  # fmt: skip
    empty = [("sum", (0,), None), ("sum", (2, 0), 1), ("prod", (2, 0), -1), ("max", (0, 3), 1),
             ("mean", (0, 3), 1), ("var", (0, 3), 1), ("std", (0, 3), 1)]  # fmt: skip
    rows += [
        row(f"{name} {shape} {axis}", lambda x, n=name, a=axis: getattr(np, n)(x, axis=a),
            normal(*shape))
        for name, shape, axis in empty
    ]  # fmt: skip
    for shape, axis, keep in REDUCED:
        rows.append(
            row(f"logsumexp {shape} {axis} {keep}",
                lambda x, a=axis, k=keep: tg.logsumexp(x, a, keepdims=k),
                normal(*shape),
                reference=lambda x, a=axis, k=keep: np.log(np.sum(np.exp(x), axis=a, keepdims=k)),
                also=(lambda x, a=axis, k=keep: x.logsumexp(a, keepdims=k),),
                exact=False, holomorphic=True)
        )  # fmt: skip
    for shape, axis in [((3,), -1), ((2, 3), 0), ((2, 3), None), ((2, 3, 2), (0, -1)), ((), None)]:
        rows += [
            row(f"softmax {shape} {axis}", lambda x, a=axis: tg.softmax(x, a), normal(*shape),
                reference=lambda x, a=axis: np.exp(x) / np.sum(np.exp(x), axis=a, keepdims=True),
                also=(lambda x, a=axis: x.softmax(a),), exact=False, holomorphic=True),
            row(f"log_softmax {shape} {axis}", lambda x, a=axis: tg.log_softmax(x, a),
                normal(*shape),
                reference=lambda x, a=axis: x - np.log(np.sum(np.exp(x), axis=a, keepdims=True)),
                also=(lambda x, a=axis: x.log_softmax(a),), exact=False, holomorphic=True),
        ]  # fmt: skip
    return rows


# --- shape ----------------------------------------------------------------------------------------


def _same(name: str, function: Callable[..., Any], *inputs: Sample, **options: Any) -> Case:
    """Make a row with NumPy's names on both sides, of a function that takes complex numbers."""
    return row(name, function, *inputs, holomorphic=True, **options)


def _shapes() -> list[Case]:
    x, cube = normal(2, 3), normal(2, 3, 4)
    return [
        _same("reshape", lambda x: tg.reshape(x, (3, -1)), x, also=(lambda x: x.reshape(3, 2),),
              reference=lambda x: np.reshape(x, (3, -1))),
        _same("reshape to 0-d", lambda x: np.reshape(x, ()), normal(1)),
        _same("reshape empty", lambda x: np.reshape(x, (4, 0)), normal(0, 2)),
        _same("ravel", tg.ravel, cube, reference=np.ravel, also=(tensor("flatten"),)),
        _same("transpose", tg.transpose, cube, reference=np.transpose, also=(lambda x: x.T,)),
        _same("transpose axes", lambda x: np.transpose(x, (2, 0, 1)), cube,
              also=(lambda x: x.transpose(2, 0, 1),)),
        _same("transpose negative axes", lambda x: np.transpose(x, (-1, 0, -2)), cube),
        _same("swapaxes", lambda x: tg.swapaxes(x, -1, 0), cube,
              reference=lambda x: np.swapaxes(x, -1, 0)),
        _same("mT", lambda x: x.mT, cube),
        _same("moveaxis", lambda x: tg.moveaxis(x, (0, 1), (-1, 0)), cube,
              reference=lambda x: np.moveaxis(x, (0, 1), (-1, 0))),
        _same("expand_dims", lambda x: tg.expand_dims(x, -1), x,
              reference=lambda x: np.expand_dims(x, -1), also=(lambda x: x.unsqueeze(-1),)),
        _same("expand_dims two", lambda x: np.expand_dims(x, (0, 2)), x),
        _same("squeeze", tg.squeeze, normal(1, 3, 1), reference=np.squeeze),
        _same("squeeze axis", lambda x: np.squeeze(x, -1), normal(1, 3, 1)),
        _same("squeeze axes", lambda x: np.squeeze(x, (0, 2)), normal(1, 3, 1)),
        _same("broadcast_to", lambda x: tg.broadcast_to(x, (4, 2, 3)), normal(2, 1),
              reference=lambda x: np.broadcast_to(x, (4, 2, 3))),
        _same("broadcast_to from 0-d", lambda x: np.broadcast_to(x, (2, 2)), normal()),
        _same("broadcast_to empty", lambda x: np.broadcast_to(x, (0, 3)), normal(1, 3)),
        _same("flip", tg.flip, x, reference=np.flip),
        _same("flip axis", lambda x: np.flip(x, -1), x),
        _same("flip axes", lambda x: np.flip(x, (0, 2)), cube),
        _same("copy", np.copy, x, also=(tensor("clone"), tensor("copy"))),
        _same("concatenate", lambda x, y: tg.concatenate([x, y]), x, normal(1, 3),
              reference=lambda x, y: np.concatenate([x, y])),
        _same("concatenate last", lambda x, y: np.concatenate([x, y, x], axis=-1), x, normal(2, 1)),
        _same("concatenate flat", lambda x, y: np.concatenate([x, y], axis=None), x, normal()),
        _same("concatenate constant", lambda x, c: np.concatenate([c, x]), normal(2),
              data=(np.array([1.0, 2.0]).astype(np.float16),)),
        _same("concatenate empty", lambda x, y: np.concatenate([x, y]), normal(0, 2), normal(2, 2)),
        _same("stack", lambda x, y: tg.stack([x, y, x]), x, x,
              reference=lambda x, y: np.stack([x, y, x])),
        _same("stack last", lambda x, y: np.stack([x, y], axis=-1), x, x),
        _same("stack inner", lambda x, y: np.stack([x, y], axis=1), x, x),
        _same("stack 0-d", lambda x, y: np.stack([x, y]), normal(), normal()),
        _same("split", lambda x: tg.concatenate(tg.split(x, 3, -1)[::-1]), x,
              reference=lambda x: np.concatenate(np.split(x, 3, -1)[::-1])),
        _same("split uneven", lambda x: np.concatenate(np.split(x, [1, 1, 4])[::-1]), normal(6)),
        _same("pad", lambda x: tg.pad(x, 1), x, reference=lambda x: np.pad(x, 1)),
        _same("pad axes", lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3.0), x),
        _same("pad one pair", lambda x: np.pad(x, (1, 2)), x),
    ]  # fmt: skip


# --- products -------------------------------------------------------------------------------------

# Cases 42 and 46.
MATMUL: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((2,), (2, 2, 1)),
    ((2, 2, 3), (3,)), ((1, 1, 2), (2, 2, 1)), ((2, 1, 2, 3), (2, 3, 1)), ((2, 3), (2, 3, 1)),
    ((3, 0), (0, 4)), ((0, 2), (2, 3)), ((2, 3), (3, 0)), ((2, 0), (0,)),
]  # fmt: skip
DOT: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 2)),
    ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((), (2, 3)), ((2, 3), ()),
    ((3, 0), (0, 4)), ((0, 2), (2, 3)), ((2, 3), (3, 0)), ((2, 0), (0,)),
]  # fmt: skip
OUTER: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2,), (3,)), ((2, 2), (3,)), ((), (3,)), ((2,), (3, 1)), ((0,), (3,)),
]  # fmt: skip
# Cases 47 to 49.
EINSUM: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ii", ((3, 3),)), ("ii->i", ((3, 3),)), ("iij->ij", ((2, 2, 3),)), ("iii->i", ((2, 2, 2),)),
    ("iijj->ij", ((2, 2, 3, 3),)), ("ij->", ((2, 3),)), ("ij->j", ((2, 3),)), ("ba", ((2, 3),)),
    ("ij->ji", ((2, 3),)), ("ij...->...i", ((2, 3, 2),)), ("->", ((),)),
    ("nd,nn->d", ((3, 2), (3, 3))), ("ij,ij->", ((2, 3), (2, 3))), ("ij,jk", ((2, 3), (3, 2))),
    ("i,i", ((2,), (1,))), ("ij,jk->ik", ((2, 1), (3, 2))), ("ij,k->i", ((2, 3), (2,))),
    ("i,j->ij", ((2,), (3,))), ("i,->i", ((2,), ())), (" i j , j k -> k i ", ((2, 3), (3, 2))),
    ("...ij,...jk->...ik", ((2, 1, 2, 3), (2, 3, 2))), ("...i,...i", ((2, 3), (3,))),
    ("ab,bc,cd->ad", ((2, 3), (3, 2), (2, 2))), ("i,i,i->", ((3,), (3,), (3,))),
    ("ij,jk->ik", ((2, 0), (0, 3))),
]  # fmt: skip


def _products() -> list[Case]:
    rows = []
    for name, shapes in [("matmul", MATMUL), ("dot", DOT), ("outer", OUTER)]:
        also = {"matmul": (operator.matmul,), "dot": (lambda x, y: x.dot(y),), "outer": ()}[name]
        rows += [
            row(f"{name} {x} {y}", getattr(tg, name), normal(*x), normal(*y), also=also,
                reference=getattr(np, name), holomorphic=True)
            for x, y in shapes
        ]  # fmt: skip
    # One order on other arrays: `like=` a Tensor does not say what is inside it.
    rows += [
        row(f"einsum {subscripts} {' '.join(map(str, shapes))}",
            lambda *xs, s=subscripts: tg.einsum(s, *xs), *(normal(*shape) for shape in shapes),
            reference=lambda *xs, s=subscripts: np.einsum(s, *xs), holomorphic=True, stands_in=1)
        for subscripts, shapes in EINSUM
    ]  # fmt: skip
    rows += [
        _same("einsum of one tensor twice", lambda x: np.einsum("ij,ij->", x, x), normal(2, 3)),
        _same("einsum sublists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]),
              normal(2, 3), normal(3, 2)),
        _same("einsum optimised", lambda x, y, z: np.einsum("ij,jk,kl", x, y, z, optimize=True),
              normal(2, 3), normal(3, 4), normal(4, 2)),
    ]  # fmt: skip
    rows += [
        row(f"linear {shape}", fused.linear, normal(*shape), normal(2, shape[-1]), normal(2),
            reference=lambda x, w, b: np.matmul(x, np.transpose(w)) + b, holomorphic=True)
        for shape in ((3,), (4, 3), (2, 2, 3), (0, 3), (2, 2, 0))
    ]  # fmt: skip
    labels = np.array([2, 0, 1, 2])
    for shape, given in [((3,), labels[0]), ((4, 3), labels), ((2, 2, 3), labels.reshape(2, 2))]:
        rows.append(
            row(f"softmax_cross_entropy {shape}", fused.softmax_cross_entropy, normal(*shape),
                reference=lambda x, c: np.log(np.sum(np.exp(x), axis=-1)) - np.sum(
                    np.where(np.expand_dims(c, -1) == np.arange(3, like=c), x, 0.0), axis=-1),
                data=(np.asarray(given),), exact=False, holomorphic=True)
        )  # fmt: skip
    for reduction in ("none", "mean", "sum"):
        reduced = {"none": np.copy, "mean": np.mean, "sum": np.sum}[reduction]
        rows += [
            row(f"softmax_cross_entropy {reduction}",
                lambda x, c, r=reduction: fused.softmax_cross_entropy(x, c, reduction=r),
                normal(4, 3), data=(labels,), exact=False, holomorphic=True,
                reference=lambda x, c, f=reduced: f(np.log(np.sum(np.exp(x), axis=-1))
                                                    - np.take_along_axis(x, c[:, None], -1)[:, 0])),
            row(f"squared_error {reduction}",
                lambda x, y, r=reduction: fused.squared_error(x, y, reduction=r),
                normal(4, 3), normal(4, 3), holomorphic=True,
                reference=lambda x, y, f=reduced: f(np.square(x - y))),
        ]  # fmt: skip
    return rows


# --- indexing and assignment ----------------------------------------------------------------------

# Cases 55 to 59: (name, shape, index of the arrays, arrays).
INDEX: list[tuple[str, tuple[int, ...], Callable[..., Any], Sequence[Any]]] = [
    ("int", (3, 2), lambda: 1, ()),
    ("negative int", (3,), lambda: -1, ()),
    ("ints", (3, 2), lambda: (np.int64(1), -1), ()),
    ("slice", (5,), lambda: slice(1, 4), ()),
    ("reversed", (5,), lambda: slice(None, None, -1), ()),
    ("reversed by two", (5, 2), lambda: slice(None, None, -2), ()),
    ("empty slice", (5,), lambda: slice(5, 1), ()),
    ("()", (2, 3), lambda: (), ()),
    ("() of 0-d", (), lambda: (), ()),
    ("ellipsis of 0-d", (), lambda: ..., ()),
    ("None", (3,), lambda: (..., None), ()),
    ("mixed", (2, 2, 3), lambda: (1, ..., slice(None, None, 2)), ()),
    ("True", (2, 3), lambda: True, ()),
    ("False", (2, 3), lambda: False, ()),
    ("repeated", (3,), lambda i: i, [[0, 0, 1]]),
    ("same by alias", (3,), lambda i: i, [[0, -3]]),
    ("nothing", (3, 2), lambda i: i, [np.zeros(0, np.intp)]),
    ("matrix", (3, 2), lambda i: i, [[[0, 2], [2, 2]]]),
    ("bytes", (3,), lambda i: i, [np.array([2, 0, 2], np.uint8)]),
    ("0-d array", (3, 2), lambda i: i, [np.array(1)]),
    ("mask", (2, 3), lambda m: m, [np.arange(6).reshape(2, 3) % 2 == 0]),
    ("mask of rows", (3, 2), lambda m: m, [[True, False, True]]),
    ("mask and int", (3, 2), lambda m: (m, 1), [[True, False, True]]),
    ("masks", (3, 2), lambda m, n: (m, n), [[True, False, True], [True, True]]),
    ("arrays apart", (2, 3, 2, 2), lambda i, j: (slice(None), i, slice(None), j), [[0, 2], [0, 1]]),
    ("arrays broadcast", (3, 2), lambda i, j: (i, j), [[[0], [0]], [1, 1, 0]]),
    ("array and slice", (3, 4), lambda i: (i, slice(1, 3)), [[2, 2]]),
    ("array, None, ellipsis", (2, 2, 3), lambda i: (None, ..., i), [[1, 1]]),
]


def _added(x: Any, value: Any, key: Any) -> Any:
    """Return a copy of `x` with `value` added at an index."""
    x = np.copy(x)
    np.add.at(x, key, value)
    return x


def _assigned(x: Any, value: Any, *arrays: Any, key: Callable[..., Any]) -> Any:
    y = np.copy(x)
    y[key(*arrays)] = value
    return y


def _indexing() -> list[Case]:
    rows = []
    for name, shape, key, arrays in INDEX:
        data = tuple(np.asarray(a) for a in arrays)
        picked = np.zeros(shape)[key(*data)].shape
        rows += [
            _same(f"getitem {name}", lambda x, *a, k=key: x[k(*a)], normal(*shape), data=data),
            _same(f"assign {name}", lambda x, v, *a, k=key: _assigned(x, v, *a, key=k),
                  normal(*shape), normal(*picked), data=data),
        ]  # fmt: skip
    rows += [
        _same("getitem list", lambda x: x[[0, 0, 2], 1:], normal(3, 2), stands_in=0),
        *(_same(f"assign {shape} broadcast", lambda x, v: _assigned(x, v, key=lambda: slice(1, 3)),
                normal(3, 2), normal(*shape)) for shape in [(2,), (1, 2), ()]),
        _same("assign constant", lambda x: _assigned(x, 2.0, key=lambda: 1), normal(3)),
        _same("assign repeated and broadcast", lambda x, v, i: _assigned(x, v, i, key=lambda i: i),
              normal(3, 2), normal(1, 2), data=(np.array([1, 1, 0]),)),
        row("add.at", lambda x, v: _added(x, v, (0,)), normal(2, 3), normal(3),
            reference=lambda x, v: np.stack([x[0] + v, x[1]]), holomorphic=True),
        row("add.at repeated", _added, normal(2), normal(3), exact=False,
            reference=lambda x, v, _i: np.stack([x[0] + v[1], x[1] + v[0] + v[2]]),
            holomorphic=True, data=(np.array([1, 0, 1]),)),
        _same("take_along_axis", lambda x, i: np.take_along_axis(x, i, axis=1), normal(2, 3),
              data=(np.array([[2, 0, 2], [1, 1, 0]]),), stands_in=0),
        _same("take_along_axis broadcast", lambda x, i: np.take_along_axis(x, i, axis=1),
              normal(3, 3), data=(np.array([[2, 0]]),), stands_in=0),
    ]  # fmt: skip
    return rows


TABLES = (
    op_cases_activations,
    op_cases_calculus,
    op_cases_convolution,
    op_cases_fft,
    op_cases_indexing,
    op_cases_linalg,
    op_cases_order,
    op_cases_sequence,
    op_cases_shapes,
    op_cases_standardise,
    op_cases_statistics,
    op_cases_ufuncs,
)
CASES = [
    *_elementwise(),
    *_reductions(),
    *_shapes(),
    *_products(),
    *_indexing(),
    *(case for table in TABLES for case in table.CASES),
]

ONE_OF_EACH = list({case.name.split()[0]: case for case in reversed(CASES)}.values())
"""The first row of each name, for what depends on the engine more than on the operation."""
