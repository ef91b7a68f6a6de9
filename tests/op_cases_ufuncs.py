"""Rows of the table of op cases: the ufuncs of NumPy, their options and their methods."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from case import Case, Sample, apart, inside, normal, positive, row

# --- one array ------------------------------------------------------------------------------------


def above_one(*shape: int) -> Sample:
    return Sample(lambda rng, s: rng.uniform(1.2, 3.0, s), shape)


# The ufunc, what it is drawn from, and whether it takes complex numbers.
UNARY: list[tuple[Any, Callable[..., Sample], bool]] = [
    (np.exp2, normal, True),
    (np.log2, positive, True),
    (np.log10, positive, True),
    (np.cbrt, positive, False),
    (np.reciprocal, positive, True),
    (np.positive, normal, True),
    (np.fabs, apart, False),
    (np.arcsinh, normal, True),
    (np.arccosh, above_one, True),
    (np.arctanh, inside, True),
    (np.degrees, normal, False),
    (np.radians, normal, False),
    (np.rad2deg, normal, False),
    (np.deg2rad, normal, False),
    (np.floor, apart, False),
    (np.ceil, apart, False),
    (np.trunc, apart, False),
    (np.rint, apart, False),
    (np.spacing, apart, False),
    (np.fix, apart, False),
    (np.round, apart, False),
    (np.around, apart, False),
]
EXPORTED = ("exp2", "log2", "log10", "cbrt", "reciprocal", "arcsinh", "arccosh", "arctanh")
EXPORTED += ("floor", "ceil", "logaddexp", "hypot", "arctan2")


def _unary() -> list[Case]:
    rows = [
        row(f.__name__, getattr(tg, f.__name__) if f.__name__ in EXPORTED else f, sample(2, 3),
            reference=f, holomorphic=holomorphic, elementwise=True)
        for f, sample, holomorphic in UNARY
    ]  # fmt: skip
    return [
        *rows,
        row("positive operator", operator.pos, normal(2, 3), reference=np.positive),
        row("round decimals", lambda x: np.round(x, 1), apart(2, 3), elementwise=True,
            also=(lambda x: x.round(1), lambda x: round(x, 1))),
        row("round to tens", lambda x: np.round(x * 100, decimals=-1), normal(2, 3)),
        row("modf fraction", lambda x: np.modf(3 * x)[0], apart(2, 3), elementwise=True),
        row("modf whole", lambda x: np.modf(x)[1], apart(2, 3), elementwise=True),
        row("frexp", lambda x: np.frexp(x)[0], apart(2, 3), elementwise=True),
        row("ldexp", np.ldexp, normal(2, 3), data=(np.array([[1], [-2]]),)),
    ]  # fmt: skip


# --- two arrays -----------------------------------------------------------------------------------

BINARY: list[tuple[Any, Callable[..., Sample], Callable[..., Sample]]] = [
    (np.logaddexp, normal, normal),
    (np.logaddexp2, normal, normal),
    (np.hypot, normal, normal),
    (np.arctan2, normal, normal),
    (np.float_power, positive, normal),
    (np.fmax, apart, normal),
    (np.fmin, apart, normal),
    (np.copysign, apart, normal),
    (np.nextafter, normal, positive),
    (np.heaviside, apart, normal),
    (np.fmod, normal, positive),
    (np.remainder, normal, positive),
    (np.floor_divide, normal, positive),
]
BROADCAST: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 3), (2, 3)),
    ((3, 1), (1, 4)),
    ((2, 3), ()),
    ((4, 1), (4, 0)),
    ((), ()),
]


def _binary() -> list[Case]:
    rows = [
        row(f"{f.__name__} {x} {y}", getattr(tg, f.__name__) if f.__name__ in EXPORTED else f,
            left(*x), right(*y), reference=f)
        for f, left, right in BINARY
        for x, y in BROADCAST
    ]  # fmt: skip
    return [
        *rows,
        row("%", operator.mod, normal(2, 3), positive(3), reference=np.remainder),
        row("//", operator.floordiv, normal(2, 3), positive(3), reference=np.floor_divide),
        row("x % number", lambda x: x % 0.7, normal(2, 3), elementwise=True),
        row("number % x", lambda x: 2.0 % x, positive(2, 3), elementwise=True),
        row("number // x", lambda x: 2.0 // x, positive(2, 3), elementwise=True),
        row("divmod", lambda x, y: sum(np.divmod(x, y)), normal(2, 3), positive(3),
            also=(lambda x, y: sum(divmod(x, y)),)),
        row("rdivmod", lambda x: sum(divmod(2.0, x)), positive(2, 3), elementwise=True),
        row("fmax number", lambda x: np.fmax(x, 0.0), apart(2, 3), elementwise=True),
        row("power of integers", lambda y, x: np.power(x, y), normal(2),
            data=(np.array([2, 3], np.int8),), dtypes=("float32", "float64")),
        row("power by integers", np.power, normal(2, 3), data=(np.array([0, 1, 3], np.uint8),)),
    ]  # fmt: skip


# --- options --------------------------------------------------------------------------------------

MASK = np.array([[True, False, True], [False, False, True]])


def _out(x: Any, dtype: Any = None) -> Any:
    """Give zeros to write to."""
    return np.zeros_like(x, dtype=dtype)


def _options() -> list[Case]:
    return [
        row("where option", lambda x, m: np.log(x, where=m, out=_out(x)), positive(2, 3),
            data=(MASK,)),
        row("where option, of two", lambda x, y, m: np.multiply(x, y, where=m, out=_out(x)),
            normal(2, 3), normal(3), data=(MASK,)),
        row("where option, power", lambda x, y, m: np.power(x, y, where=m, out=_out(x)),
            positive(2, 3), normal(2, 1), data=(MASK,)),
        row("where option, over what was there",
            lambda x, y, m: np.exp(x, where=m, out=np.multiply(y, y)),
            normal(2, 3), normal(2, 3), data=(MASK,)),
        row("where option, conjugate", lambda x, m: np.conjugate(x, where=m, out=_out(x)),
            normal(2, 3), data=(MASK,)),
        row("where option, modf", lambda x, m: np.modf(x, where=m, out=(_out(x), _out(x)))[0],
            apart(2, 3), data=(MASK,)),
        row("out", lambda x: np.exp(x, out=_out(x)), normal(2, 3)),
        row("out, broadcast", lambda x, y: np.add(x, y, out=_out(x)), normal(2, 3), normal(3)),
        row("out, the operand", lambda x: _over(np.exp, x), normal(2, 3)),
        row("out, narrower", lambda x: np.exp(x, out=_out(x, np.float32)), normal(2, 3), order=0,
            dtypes=("float32", "float64")),
        row("out, one of two", lambda x: np.modf(x, out=(None, _out(x)))[0], apart(2, 3)),
        row("dtype", lambda x, y: np.multiply(x, y, dtype=np.float64), normal(2, 3), normal(3)),
        row("dtype, narrower", lambda x: np.sin(x, dtype=np.float32), normal(2, 3), order=0,
            dtypes=("float32", "float64")),
        row("dtype and number", lambda x: np.add(x, 0.1, dtype=np.float64), normal(2, 3)),
        row("signature", lambda x: np.exp(x, signature="d->d"), normal(2, 3)),
        row("casting", lambda x: np.exp(x, casting="no"), normal(2, 3)),
        row("matmul axes option", lambda x, y: np.matmul(x, y, axes=[(0, 1), (1, 0), (1, 0)]),
            normal(3, 4), normal(2, 4)),
        row("matmul out", lambda x, y: np.matmul(x, y, out=np.zeros_like(x)), normal(2, 2),
            normal(2, 2)),
    ]  # fmt: skip


def _over(ufunc: Any, x: Any) -> Any:
    """Write the result over a copy of the operand."""
    y = np.copy(x)
    assert ufunc(y, out=y) is y
    return y


# --- methods --------------------------------------------------------------------------------------

REDUCED: list[tuple[tuple[int, ...], Any, bool]] = [
    ((3,), 0, False),
    ((2, 3), 0, False),
    ((2, 3), -1, True),
]
SEVERAL: list[tuple[tuple[int, ...], Any, bool]] = [
    *REDUCED,
    ((2, 3, 2), (0, -1), True),
    ((2, 3), None, False),
    ((), None, False),
]
NEGLIGIBLE = (np.logaddexp, np.logaddexp2, np.hypot, np.fmax, np.fmin)
NAMED = (np.add, np.multiply, np.maximum, np.minimum)
IN_ORDER = (np.subtract, np.divide, np.power, np.float_power, np.arctan2, np.fmod, np.copysign)
STRETCHES = np.array([0, 3, 1, 1])


def _reductions() -> list[Case]:
    rows = [
        row(f"{f.__name__}.reduce {shape} {axis} {keep}",
            lambda x, f=f, a=axis, k=keep: f.reduce(x, axis=a, keepdims=k), above_one(*shape))
        for f in NEGLIGIBLE + NAMED
        for shape, axis, keep in SEVERAL
    ]  # fmt: skip
    # NumPy 2.4 forgets what it has folded in the reduction of power and arctan2, on AVX512.
    rows += [
        row(f"{f.__name__}.reduce {shape} {axis}",
            lambda x, f=f, a=axis: f.reduce(x, axis=a), above_one(*shape),
            reference=lambda x, f=f, a=axis: np.take(f.accumulate(x, axis=a), -1, axis=a))
        for f in IN_ORDER
        for shape, axis, _ in REDUCED
    ]  # fmt: skip
    for f in (*NEGLIGIBLE, np.add, np.multiply, np.subtract, np.divide):
        rows += [
            row(f"{f.__name__}.reduce initial", lambda x, f=f: f.reduce(x, initial=1.5),
                above_one(3, 2), stands_in=0),
            row(f"{f.__name__}.reduce where", lambda x, m, f=f: f.reduce(
                    x, axis=1, initial=1.5, where=m, keepdims=True),
                above_one(2, 3), data=(MASK,), stands_in=0),
        ]  # fmt: skip
    rows += [
        row("add.reduce default", np.add.reduce, normal(3, 2)),
        row("subtract.reduce one", np.subtract.reduce, normal(1, 2)),
        row("divide.reduce dtype", lambda x: np.divide.reduce(x, dtype=np.float64), positive(3)),
        row("logaddexp.reduce empty", np.logaddexp.reduce, normal(0, 2), order=0),
        row("hypot.reduce out", lambda x: np.hypot.reduce(x, out=np.zeros_like(x[0])),
            normal(3, 2)),
    ]  # fmt: skip
    return rows


def _by_stretches(f: Any, x: Any, indices: Any) -> Any:
    stops = [*indices[1:].tolist(), len(x)]
    parts = [x[i : max(i + 1, j)] for i, j in zip(indices.tolist(), stops, strict=True)]
    return np.stack([f.accumulate(part, axis=0)[-1] for part in parts])


def _scans() -> list[Case]:
    rows = [
        row(f"{f.__name__}.accumulate {shape} {axis}",
            lambda x, f=f, a=axis: f.accumulate(x, axis=a), above_one(*shape))
        for f in (*NAMED, *NEGLIGIBLE, *IN_ORDER)
        for shape, axis in [((4,), 0), ((2, 3), -1)]
    ]  # fmt: skip
    rows += [
        row(f"{f.__name__}.reduceat", lambda x, i, f=f: f.reduceat(x, i), above_one(5, 2),
            reference=f.reduceat if f is np.add else lambda x, i, f=f: _by_stretches(f, x, i),
            data=(STRETCHES,), stands_in=0)
        for f in (*NAMED, *NEGLIGIBLE, *IN_ORDER)
    ]  # fmt: skip
    return [
        *rows,
        row("accumulate out", lambda x: np.subtract.accumulate(x, out=np.zeros_like(x)),
            normal(3)),
        row("add.reduceat axis", lambda x, i: np.add.reduceat(x, i, axis=-1), normal(2, 5),
            data=(STRETCHES,), stands_in=0),
        row("subtract.reduceat axis", lambda x, i: np.subtract.reduceat(x, i, 1), normal(2, 5),
            data=(STRETCHES,), stands_in=0),
    ]  # fmt: skip


def _pairs() -> list[Case]:
    return [
        row(f"{f.__name__}.outer", f.outer, apart(3), positive(2, 2))
        for f in (np.add, np.multiply, np.maximum, np.power, np.hypot)
        if f is not np.power
    ] + [
        row("power.outer", np.power.outer, positive(3), normal(2)),
        row("subtract.outer number", lambda x: np.subtract.outer(x, 2.0), normal(2, 2)),
        row("outer dtype", lambda x, y: np.divide.outer(x, y, dtype=np.float64), normal(2),
            positive(3)),
    ]  # fmt: skip


# Case 55, 56: every element that the index repeats is operated on as often.
AT: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("repeated", np.s_[:], (np.array([2, 0, -1, 2]),)),
    ("mask", np.s_[:], (np.array([True, False, True]),)),
]


def _at(f: Any, *, key: Any = None) -> Callable[..., Any]:
    """Return the function of an array, operands and an index that runs `f.at` on a copy."""

    def function(x: Any, *rest: Any) -> Any:
        y = np.copy(x)
        *operands, i = (*rest, key) if key is not None else rest
        f.at(y, i, *operands)
        return y

    return function


def _writes() -> list[Case]:
    repeated, mask = np.array([2, 0, -1, 2, 2]), np.array([True, False, True])
    rows = []
    for f in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.fmin, np.hypot):
        rows += [
            row(f"{f.__name__}.at in turn", _at(f), above_one(3), above_one(5),
                data=(repeated,), exact=f not in (np.add, np.subtract), stands_in=0),
            row(f"{f.__name__}.at rows", _at(f), above_one(3, 2), above_one(5, 1),
                data=(repeated,), exact=f not in (np.add, np.subtract), stands_in=0),
            row(f"{f.__name__}.at mask", _at(f), above_one(3), above_one(2), data=(mask,),
                stands_in=0),
        ]  # fmt: skip
    return [
        *rows,
        row("negative.at", _at(np.negative), normal(3), data=(repeated,), stands_in=0),
        row("square.at", _at(np.square), inside(3), data=(repeated,), stands_in=0),
        row("exp.at slice", _at(np.exp, key=np.s_[1:, ::2]), inside(2, 3), stands_in=0),
        row("multiply.at number", lambda x: _at(np.multiply)(x, 1.5, repeated), normal(3),
            stands_in=0),
        row("multiply.at nothing", lambda x, v: _at(np.multiply)(x, v, repeated[:0]), normal(3),
            normal(1), stands_in=0),
        row("flat", _flat, normal(2, 3), normal(2), stands_in=0),
        row("fill", _filled, normal(2), normal()),
    ]  # fmt: skip


def _flat(x: Any, v: Any) -> Any:
    y = np.copy(x)
    y.flat[1:5:3] = v
    y.flat[-1] = v[0]
    return y * y.flat[0]


def _filled(x: Any, v: Any) -> Any:
    y = x * 2
    y.fill(v)
    return y


CASES = [
    *_unary(),
    *_binary(),
    *_options(),
    *_reductions(),
    *_scans(),
    *_pairs(),
    *_writes(),
]
