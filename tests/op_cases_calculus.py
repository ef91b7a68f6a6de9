"""Rows of the table of op cases: differences, integrals, interpolation, polynomials."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from case import Case, Sample, inside, normal, positive, row
from tensorgrad.ops import special


def _same(name: str, function: Callable[..., Any], *inputs: Sample, **options: Any) -> Case:
    """Make a row with NumPy's names on both sides, of a function that takes complex numbers."""
    return row(name, function, *inputs, holomorphic=True, **options)


def spread(*shape: int) -> Sample:
    """Draw numbers that rise along the last axis, by steps of 0.5 to 1.5."""
    return Sample(lambda rng, s: np.cumsum(rng.uniform(0.5, 1.5, s), axis=-1), shape)


# --- differences and integrals --------------------------------------------------------------------


def _differences() -> list[Case]:
    x, cube = normal(5), normal(3, 4, 3)
    return [
        _same("diff", np.diff, x),
        _same("diff twice", lambda x: np.diff(x, 2), normal(2, 5)),
        _same("diff first axis", lambda x: np.diff(x, axis=0), cube),
        _same("diff inner axis", lambda x: np.diff(x, 3, -2), cube),
        _same("diff of one", np.diff, normal(2, 1)),
        _same("diff of nothing", np.diff, normal(2, 0)),
        _same("diff too often", lambda x: np.diff(x, 7), x),
        _same("diff not at all", lambda x: np.diff(x, 0), x, order=1),
        _same("diff between", lambda x, a, b: np.diff(x, prepend=a, append=b), normal(2, 3),
              normal(), normal(2, 2)),
        _same("diff after a number", lambda x: np.diff(x, axis=0, prepend=1.0), normal(3, 2),
              stands_in=0),
        _same("ediff1d", np.ediff1d, normal(2, 3)),
        _same("ediff1d between", lambda x, a, b: np.ediff1d(x, a, to_begin=b), x, normal(2, 2),
              normal()),
        _same("ediff1d of one", lambda x: np.ediff1d(x, to_end=[1.0]), normal(1), stands_in=0),
        _same("trapezoid", np.trapezoid, x),
        _same("trapezoid by steps", lambda y, h: np.trapezoid(y, dx=h, axis=0), normal(4, 2),
              positive()),
        _same("trapezoid by places", lambda y, x: np.trapezoid(y, x), normal(2, 4), spread(4)),
        _same("trapezoid by places, inner", lambda y, x: np.trapezoid(y, x, axis=1),
              normal(2, 4, 2), spread(4)),
        _same("trapezoid by many places", lambda y, x: np.trapezoid(y, x, axis=0), normal(3, 2),
              normal(3, 2)),
        _same("trapezoid of one", np.trapezoid, normal(2, 1)),
        _same("unwrap", np.unwrap, Sample(lambda rng, s: rng.uniform(-9, 9, s), (2, 6)),
              reference=_unwrapped, dispatches=False),
        row("unwrap options", lambda p, t: np.unwrap(p, 1.5, 0, period=t),
            Sample(lambda rng, s: rng.uniform(-9, 9, s), (6, 2)), positive()),
    ]  # fmt: skip


def _unwrapped(p: Any) -> Any:
    """Unwrap the real part: NumPy has no remainder of complex numbers."""
    return p + (np.unwrap(np.real(p)) - np.real(p)) if np.iscomplexobj(p) else np.unwrap(p)


# Narrow, so that they widen nothing.
COUNTED = np.arange(5, dtype=np.float16)
# Shapes, and the axis.
GRADIENT: list[tuple[tuple[int, ...], int]] = [((5,), 0), ((3,), -1), ((4, 3), 0), ((2, 4, 2), 1)]


def _gradients() -> list[Case]:
    rows = []
    for (shape, axis), edge in itertools.product(GRADIENT, (1, 2)):
        given = {"axis": axis, "edge_order": edge}
        rows += [
            _same(f"gradient {shape} {axis} {edge}", lambda f, k=given: np.gradient(f, **k),
                  normal(*shape)),
            _same(f"gradient {shape} {axis} {edge} by steps",
                  lambda f, h, k=given: np.gradient(f, h, **k), normal(*shape), positive()),
            _same(f"gradient {shape} {axis} {edge} by places",
                  lambda f, x, a, k=given: np.gradient(f, x + a, **k), normal(*shape),
                  inside(shape[axis]), data=(2.0 * COUNTED[: shape[axis]],)),
        ]  # fmt: skip
    return [
        *rows,
        _same("gradient of two", np.gradient, normal(2)),
        _same("gradient of two by places", lambda f, x, a: np.gradient(f, x + a), normal(2),
              inside(2), data=(2.0 * COUNTED[:2],)),
        _same("gradient all axes", lambda f: np.stack(np.gradient(f)), normal(3, 4)),
        _same("gradient all axes by one", lambda f, h: np.stack(np.gradient(f, h)), normal(3, 4),
              positive()),
        _same("gradient all axes by each", lambda f, h, x, a: np.stack(np.gradient(f, h, x + a)),
              normal(3, 4), positive(), inside(4), data=(2.0 * COUNTED[:4],)),
        _same("gradient some axes", lambda f, h: np.stack(np.gradient(f, h, 2.0, axis=(2, 0))),
              normal(2, 3, 4), positive()),
        row("gradient at regular places", lambda f: np.gradient(f, np.arange(5, dtype=np.uint8)),
            normal(5), stands_in=0, dtypes=("float64",)),
    ]  # fmt: skip


# --- interpolation --------------------------------------------------------------------------------


def between(low: float, high: float, *shape: int) -> Sample:
    return Sample(lambda rng, s: rng.uniform(low, high, s), shape)


def _interpolations() -> list[Case]:
    x, xp, fp = between(-1.0, 8.0, 2, 5), spread(6), normal(6)
    return [
        row("interp", np.interp, x, xp, fp),
        row("interp at one", np.interp, between(1.0, 4.0), xp, fp),
        row("interp outside", np.interp, between(20.0, 30.0, 2), xp,
            fp),
        row("interp ends", lambda x, xp, fp, a, b: np.interp(x, xp, fp, a, b), x, xp, fp, normal(),
            normal()),
        row("interp left", lambda x, xp, fp: np.interp(x, xp, fp, left=np.nan_to_num(2.5)), x, xp,
            fp),
        row("interp one sample", np.interp, x, normal(1), normal(1)),
        row("interp no places", np.interp, normal(0), xp, fp),
        row("interp constants", lambda fp: np.interp([0.5, 1.0, 7.0], [0.0, 1.0, 2.0], fp),
            normal(3), stands_in=0),
        # Unsorted, and negative: all that counts is where in a period.
        row("interp period", lambda x, xp, fp: np.interp(x, xp, fp, period=-2.5),
            between(-7.0, 7.0, 9), between(-7.0, 7.0, 4), normal(4)),
        row("interp period of one", lambda x, xp, fp: np.interp(x, xp, fp, period=2.5),
            between(-7.0, 7.0, 3), normal(1), normal(1)),
    ]  # fmt: skip


# --- convolution ----------------------------------------------------------------------------------

SIZES = [(5, 2), (5, 3), (6, 4), (4, 4), (5, 1), (1, 1), (2, 5), (3, 5), (4, 6), (1, 4), (3, 4)]


def _convolutions() -> list[Case]:
    return [
        *(_same(f"{name} {n} {m} {mode}",
                lambda x, y, f=function, k=mode: f(x, y, k), normal(n), normal(m))
          for (name, function), (n, m), mode in itertools.product(
              (("convolve", np.convolve), ("correlate", _correlate)), SIZES,
              ("full", "same", "valid"))),
        _same("convolve default", np.convolve, normal(3), normal(2)),
        _same("convolve number", np.convolve, normal(), normal(2)),
        _same("convolve with itself", lambda x: np.convolve(x, x), normal(3)),
        _same("correlate default", lambda x, y: _correlate(x, y, "valid"), normal(3), normal(2),
              also=(np.correlate,)),
    ]  # fmt: skip


def _correlate(x: Any, y: Any, mode: str) -> Any:
    """Correlate; the complex step needs what NumPy conjugates as it is."""
    return np.correlate(x, np.conj(y) if isinstance(y, np.ndarray) else y, mode)


# --- special functions ----------------------------------------------------------------------------


def _sinc_curvature(x: Any) -> Any:
    """The second derivative of sinc: the integral of its cosines, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    t = np.pi * (nodes + 1) / 2
    values = -np.square(t) * np.cos(np.multiply.outer(x, t).astype(np.float64))
    return np.asarray(np.dot(values, weights) / 2).astype(x.dtype)


def _bessel_quotient(x: Any) -> Any:
    """`I_2(x) / x**2`, the mean of `exp(x cos t) sin(t)**4 / 3` (DLMF 10.32.2)."""
    t = np.pi * (np.arange(64) + 0.5) / 64
    values = np.exp(np.multiply.outer(x, np.cos(t)).astype(np.float64))
    return np.asarray(np.mean(values * np.sin(t) ** 4, axis=-1) / 3).astype(x.dtype)


def _special() -> list[Case]:
    return [
        _same("sinc", np.sinc, normal(2, 3), elementwise=True, order=3),
        _same("sinc near 0", lambda x: np.sinc(0.01 * x), normal(2, 3), elementwise=True, order=3),
        _same("sinc far", lambda x: np.sinc(5.0 * x), normal(2, 3), elementwise=True),
        row(
            "sinc_derivative",
            lambda x: special.sinc_derivative(x, order=2),
            normal(2, 3),
            reference=_sinc_curvature,
            exact=False,
            dispatches=False,
            elementwise=True,
        ),
        row(
            "bessel_quotient",
            lambda x: special.bessel_quotient(x, order=2),
            normal(2, 3),
            reference=_bessel_quotient,
            exact=False,
            dispatches=False,
            elementwise=True,
        ),
        row("i0", np.i0, normal(2, 3), elementwise=True, order=3),
        row("i0 near 0", lambda x: np.i0(0.01 * x), normal(2, 3), elementwise=True, order=3),
        row(
            "i0 far",
            lambda x: 1e-9 * np.i0(np.sign(x) * 20.0 + x),
            normal(2, 3),
            dtypes=("float32", "float64"),
        ),
    ]


# --- polynomials ----------------------------------------------------------------------------------


FITS: list[tuple[str, tuple[int, ...], dict[str, Any], int | None]] = [
    ("plain", (5,), {}, None),
    ("columns", (5, 2), {}, None),
    ("residuals", (5,), {"full": True}, 1),
    ("covariance", (5,), {"cov": True}, 1),
    ("unscaled covariance", (5,), {"cov": "unscaled"}, 1),
    ("covariance of columns", (5, 2), {"cov": True}, 1),
]


def pick(results: Any, place: int | None) -> Any:
    """Pick one of several results."""
    return results if place is None else results[place]


def _polynomials() -> list[Case]:
    p, q = normal(4), normal(2)
    return [
        _same("polyval", np.polyval, p, normal(2, 3)),
        _same("polyval at one", np.polyval, p, normal()),
        _same("polyval constants", lambda x: np.polyval([1, 2.0, 3], x), q),
        _same("polyadd", np.polyadd, p, q, stands_in=0),
        _same("polyadd longer", np.polyadd, q, p, stands_in=0),
        _same("polysub", np.polysub, p, p),
        _same("polysub number", lambda x: np.polysub(x, 2.0), p, stands_in=0),
        _same("polymul", np.polymul, p, q, stands_in=0),
        _same("polymul leading zeros", lambda x, y: np.polymul(np.concatenate([0.0 * y, x]), y), p,
              q, stands_in=0),
        _same("polydiv", lambda x, y: np.concatenate(np.polydiv(x, y)), p, q, stands_in=0),
        _same("polydiv by longer", lambda x, y: np.concatenate(np.polydiv(x, y)), q, p,
              stands_in=0),
        _same("polydiv without rest",
              lambda x, y: np.concatenate(np.polydiv(np.convolve(x, y), y)), q, q, stands_in=0,
              order=0),
        _same("polyder", np.polyder, p, stands_in=0),
        _same("polyder twice", lambda x: np.polyder(x, 2), p, stands_in=0),
        _same("polyder to nothing", lambda x: np.polyder(x, 3), q, stands_in=0),
        _same("polyint", np.polyint, p, stands_in=0),
        _same("polyint twice", lambda x, k: np.polyint(x, 2, k), p, q, stands_in=0),
        _same("polyint one constant", lambda x, k: np.polyint(x, 3, k), q, normal(), stands_in=0),
        _same("poly", np.poly, p, stands_in=0),
        row("poly of conjugate pairs", lambda x: np.poly(np.concatenate([x + 1j, x - 1j])),
            normal(2), exact=False, stands_in=0),
        row("poly of a matrix", lambda x: np.poly(x), normal(3, 3), dtypes=("float32", "float64"),
            stands_in=0, order=1),
        *(row(f"polyfit {name}", lambda x, y, a, k=options, i=place: pick(np.polyfit(
                  x + a, y, 2, **k), i), inside(5), normal(*shape), data=(2.0 * COUNTED,),
              dtypes=("float32", "float64"), stands_in=0)
          for name, shape, options, place in FITS),
        row("polyfit by weights", lambda y, w, a: np.polyfit(a, y, 1, w=w), normal(5), positive(5),
            data=(COUNTED,), dtypes=("float32", "float64"), stands_in=0),
        row("polyfit of columns by weights", lambda y, w, a: np.polyfit(a, y, 1, w=w),
            normal(5, 2), positive(5), data=(COUNTED,), dtypes=("float32", "float64"),
            stands_in=0),
        row("roots real", np.roots, Sample(lambda rng, s: np.poly([1.0, 2.5, -1.0, 4.0])
            + rng.uniform(-0.1, 0.1, s), (5,)), dtypes=("float32", "float64"), stands_in=0),
        row("roots complex", lambda x: np.abs(np.roots(x)),
            Sample(lambda rng, s: np.array([1.0, 0.5, 3.0, 1.5]) + rng.uniform(-0.1, 0.1, s), (4,)),
            dtypes=("float32", "float64"), stands_in=0),
        row("roots and zeros", lambda x: np.sum(np.roots(np.concatenate([0.0 * x[:1], x]))),
            Sample(lambda rng, s: rng.uniform(2.0, 3.0, s), (2,)), dtypes=("float32", "float64"),
            stands_in=0),
        row("roots of a constant", np.roots, positive(1), dtypes=("float64",), stands_in=0),
    ]  # fmt: skip


CASES = [
    *_differences(),
    *_gradients(),
    *_interpolations(),
    *_convolutions(),
    *_special(),
    *_polynomials(),
]
