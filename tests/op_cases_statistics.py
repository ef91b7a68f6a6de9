"""Op cases of reductions with options, statistics and histograms; `op_cases.py` joins them in."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import tensorgrad as tg
from case import Case, Sample, apart, inside, normal, positive, row
from tensorgrad.ops import covariance, quantile, reduce

MASK = np.array([[True, False, True], [True, True, False]])
CUBE_MASK = np.arange(12).reshape(2, 3, 2) % 5 != 2


def ranked(*shape: int) -> Sample:
    """Draw as `apart`, but with NaN in places of the last column."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        x = apart(*size)(rng)
        x[..., -1].flat[::2] = np.nan
        return x

    return Sample(draw, shape)


def with_zeros(*shape: int) -> Sample:
    return Sample(
        lambda rng, s: np.where(np.arange(s[-1]) % 3 == 1, 0.0, rng.standard_normal(s)), shape
    )


def between(low: float, high: float, *shape: int) -> Sample:
    return Sample(lambda rng, s: rng.uniform(low, high, s), shape)


# --- options of the reductions --------------------------------------------------------------------


def _options() -> list[Case]:
    rows = []
    smooth = ("sum", "mean", "prod")
    for name, (axis, keep) in itertools.product(
        ("sum", "mean", "prod", "var", "std"),
        [(None, False), (1, False), (-1, True), ((0, 2), False), (None, True)],
    ):
        rows.append(
            row(f"{name} where {axis} {keep}",
                lambda x, m, n=name, a=axis, k=keep: getattr(tg, n)(x, axis=a, keepdims=k, where=m),
                apart(2, 3, 2), data=(CUBE_MASK,),
                reference=lambda x, m, n=name, a=axis, k=keep: getattr(np, n)(
                    x, axis=a, keepdims=k, where=m),
                also=(lambda x, m, n=name, a=axis, k=keep: getattr(x, n)(
                    axis=a, keepdims=k, where=m),),
                holomorphic=name in smooth)
        )  # fmt: skip
    rows += [
        row(f"{name} initial {axis} {keep}",
            lambda x, i, m, n=name, a=axis, k=keep: getattr(np, n)(
                x, axis=a, keepdims=k, initial=i, where=m),
            normal(2, 3), positive(), data=(MASK,), holomorphic=True)
        for name in ("sum", "prod")
        for axis, keep in [(None, False), (1, False), (0, True), ((0, 1), False), ((), False)]
    ]  # fmt: skip
    rows += [
        row(f"{name} initial {initial} {axis}",
            lambda x, m, n=name, i=initial, a=axis: getattr(np, n)(
                x, axis=a, initial=i, where=m), apart(2, 3), data=(MASK,))
        for name, initial in [("max", -9.0), ("max", 0.02), ("min", 9.0), ("amax", -9.0),
                              ("amin", 0.02), ("nanmax", -9.0), ("nanmin", 9.0)]
        for axis in (None, 0, -1)
    ]  # fmt: skip
    rows += [
        row(f"{name} initial tensor",
            lambda x, i, n=name: getattr(np, n)(x, axis=1, initial=i), apart(2, 3), inside())
        for name in ("max", "min", "nanmax", "nanmin")
    ]  # fmt: skip
    return rows


def _spread_options() -> list[Case]:
    rows = [
        row(f"{name} mean {keep}",
            lambda x, m, n=name, k=keep: getattr(np, n)(x, axis=1, mean=m, ddof=1, keepdims=k),
            normal(2, 3), normal(2, 1),
            also=(lambda x, m, n=name, k=keep: getattr(np, n)(
                x, 1, None, None, 1, k, mean=m, where=True),))
        for name in ("var", "std", "nanvar", "nanstd") for keep in (False, True)
    ]  # fmt: skip
    rows += [
        row(f"{name} mean of all where", lambda x, m, w, n=name: getattr(np, n)(
            x, mean=m, where=w), normal(2, 3), normal(1, 1), data=(MASK,))
        for name in ("var", "std")
    ]  # fmt: skip
    rows += [
        row(f"{name} correction", lambda x, n=name: getattr(np, n)(x, axis=0, correction=1),
            normal(3, 2))
        for name in ("var", "std", "nanvar", "nanstd")
    ]  # fmt: skip
    rows += [
        row(f"{name} dtype", lambda x, n=name: getattr(np, n)(x, 1, np.float64), normal(2, 3),
            holomorphic=False)
        for name in ("sum", "mean", "prod", "var", "std", "nansum", "nanprod", "nanmean", "nanvar",
                     "cumsum", "cumprod", "nancumsum", "nancumprod")
    ]  # fmt: skip
    rows += [
        row(f"prod zeros {axis}", lambda x, a=axis: np.prod(x, axis=a), with_zeros(2, 5),
            holomorphic=True)
        for axis in (None, 0, 1, (0, 1), (1, 0))
    ]  # fmt: skip
    rows.append(
        row("prod slope", lambda g, x: reduce.prod_slope(np.broadcast_to(g, x.shape), x,
            np.prod(x, axis=1, keepdims=True), axis=1), normal(2, 1), positive(2, 4))
    )  # fmt: skip
    return rows


# --- without NaN ----------------------------------------------------------------------------------


def _without_nan() -> list[Case]:
    smooth = ("nansum", "nanprod", "nanmean")
    rows = [
        row(f"{name} {axis} {keep}",
            lambda x, n=name, a=axis, k=keep: getattr(np, n)(x, axis=a, keepdims=k),
            ranked(2, 3, 3), holomorphic=name in smooth)
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin",
                     "nanmedian")
        for axis, keep in [(None, False), (0, True), (-1, False), ((0, 2), True), ((1, -1), False)]
    ]  # fmt: skip
    rows += [
        row(f"{name} where", lambda x, m, n=name: getattr(np, n)(x, axis=1, where=m),
            ranked(2, 3), data=(np.array([[True, True, True], [True, False, True]]),))
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd")
    ]  # fmt: skip
    rows += [
        row(f"{name} 0-d", lambda x, n=name: getattr(np, n)(x), normal(),
            order=1 if name in ("nanstd",) else 2)
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanmax", "nanmin", "nanmedian")
    ]  # fmt: skip
    rows += [
        row(f"{name} empty", lambda x, n=name: getattr(np, n)(x, axis=1), normal(0, 3))
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanmax", "nancumsum")
    ]  # fmt: skip
    return rows


# --- median and quantiles -------------------------------------------------------------------------

METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher",
    "midpoint", "nearest",
)  # fmt: skip


def _quantiles() -> list[Case]:
    rows = [
        row(f"median {shape} {axis} {keep}",
            lambda x, a=axis, k=keep: np.median(x, axis=a, keepdims=k), apart(*shape))
        for shape, axis, keep in [((), None, False), ((1,), None, False), ((4,), 0, True),
                                  ((5,), None, False), ((2, 3), None, True), ((2, 4), -1, False),
                                  ((2, 3, 2), (0, 2), False), ((2, 3, 2), (2, 1), True),
                                  ((0, 3), 1, False)]
    ]  # fmt: skip
    rows += [
        row(f"quantile {method} {q}", lambda x, m=method, q=q: np.quantile(x, q, 1, method=m),
            apart(2, 5))
        for q, methods in [(0.37, METHODS), (0, ("linear", "weibull")), (1.0, ("hazen", "lower"))]
        for method in methods
    ]  # fmt: skip
    rows += [
        row(f"quantile {method} {q}", lambda x, q, m=method: np.quantile(x, q, 1, method=m),
            apart(2, 5), data=(np.array(q),))
        for q, methods in [([0.15, 0.5], METHODS), ([[0.25, 0.8]], ("linear",))]
        for method in methods
    ]  # fmt: skip
    return rows


def _by_q() -> list[Case]:
    rows = [
        row(f"quantile {method} by q", lambda x, q, m=method: np.quantile(x, q, method=m),
            apart(7), between(0.21, 0.27), dtypes=("float64",),
            order=2)
        for method in METHODS
    ]  # fmt: skip
    rows += [
        row(f"{name} {axis} {keep} by several q",
            lambda x, q, n=name, a=axis, k=keep, s=scale: getattr(np, n)(x, q * s, a, keepdims=k),
            apart(2, 3, 2), between(0.21, 0.24, 2), dtypes=("float64",))
        for name, scale in [("quantile", 1.0), ("percentile", 100.0), ("nanquantile", 1.0),
                            ("nanpercentile", 100.0)]
        for axis, keep in [(None, False), ((2, 0), True), (1, False)]
    ]  # fmt: skip
    rows += [
        row(f"{name} nan {axis}", lambda x, q, n=name, a=axis: getattr(np, n)(x, q, axis=a),
            ranked(3, 5), data=(np.array(q),))
        for name, q in [("nanquantile", 0.4), ("nanpercentile", [40.0, 70.0])]
        for axis in (None, 0, 1)
    ]  # fmt: skip
    rows += [
        row(f"{name} weights {axis} {keep}",
            lambda x, w, q, n=name, a=axis, k=keep: getattr(np, n)(
                x, q, axis=a, weights=w, method="inverted_cdf", keepdims=k),
            apart(*shape), positive(*weights), data=(np.array(q),))
        for name, q in [("quantile", 0.4), ("percentile", [40.0, 70.0])]
        for shape, weights, axis, keep in [((4,), (4,), None, False), ((2, 4), (2, 4), 1, True),
                                           ((2, 4), (4,), 1, False),
                                           ((2, 3, 2), (2, 2), (2, 0), False)]
    ]  # fmt: skip
    rows.append(
        row("quantile of a weighted q", lambda x, q, w: np.quantile(
            x, q, weights=w, method="inverted_cdf"), apart(5), between(0.2, 0.21), positive(5),
            dtypes=("float64",))
    )  # fmt: skip
    x = apart(2, 5)(np.random.default_rng(3))
    for slope, method in itertools.product((0, 1), ("linear", "midpoint")):
        how = {"axis": (1,), "method": method, "skip_nan": False, "slope": slope}
        rows += [
            row(f"weighted take {slope} {method}",
                lambda y, q, x, h=how: quantile.weighted_take(y, x, q, **h),
                normal(2, 5), between(0.3, 0.4, 2), data=(x,), dtypes=("float64",)),
            row(f"weighted put {slope} {method}",
                lambda g, q, x, h=how: quantile.weighted_put(g, x, q, **h),
                normal(2, 2), between(0.3, 0.4, 2), data=(x,), dtypes=("float64",)),
        ]  # fmt: skip
    return rows


# --- averages and covariances ---------------------------------------------------------------------


def _averages() -> list[Case]:
    cases: list[tuple[tuple[int, ...], tuple[int, ...], Any]] = [
        ((3,), (3,), None), ((2, 3), (2, 3), None), ((2, 3), (3,), 1), ((2, 3), (2,), 0),
        ((2, 3), (2, 3), -1), ((2, 3, 4), (4, 2), (2, 0)), ((2, 3, 4), (3, 2), (1, 0)),
    ]  # fmt: skip
    rows = [
        row(f"average {shape} {weights} {axis} {keep}",
            lambda x, w, a=axis, k=keep: np.average(x, axis=a, weights=w, keepdims=k),
            normal(*shape), positive(*weights), holomorphic=True)
        for shape, weights, axis in cases for keep in (False, True)
    ]  # fmt: skip
    rows += [
        row("average", lambda x: np.average(x, axis=0), normal(2, 3), holomorphic=True),
        row("average returned", lambda x, w: np.concatenate(
            np.average(x, 1, w, returned=True)), normal(2, 3), positive(3), holomorphic=True),
        row("average count", lambda x: np.multiply(*np.average(x, 1, returned=True)),
            normal(2, 3), holomorphic=True, stands_in=0),
        row("ptp", np.ptp, apart(2, 3)),
        row("ptp axis", lambda x: np.ptp(x, axis=-1, keepdims=True), apart(2, 3)),
        row("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, (0, -1)), normal(2, 3, 2),
            holomorphic=True),
        row("apply_over_axes scan", lambda x: np.apply_over_axes(np.cumsum, x, 1), normal(2, 3),
            holomorphic=True),
    ]  # fmt: skip
    counts = np.array([2, 1, 0, 3])
    for name in ("cov", "corrcoef"):
        function = getattr(np, name)
        rows += [
            row(f"{name} columns", lambda x, f=function: f(x, rowvar=False), normal(4, 2)),
            row(f"{name} two columns", lambda x, y, f=function: f(x, y, rowvar=False),
                normal(4, 2), normal(4, 1)),
            row(f"{name} twice", lambda x, f=function: f(x, x[:, ::-1], rowvar=False),
                normal(4, 2)),
        ]  # fmt: skip
    rows += [
        row("cov table", np.cov, normal(3, 4)),
        row("cov vector", np.cov, normal(4)),
        row("cov two", np.cov, normal(4), normal(2, 4)),
        *(row(f"cov {options}", lambda x, o=options: np.cov(x, **o), normal(2, 4))
          for options in ({"bias": True}, {"ddof": 0}, {"ddof": 2})),
        *(row(f"cov fweights {ddof}", lambda x, f, d=ddof: np.cov(x, fweights=f, ddof=d),
              normal(2, 4), data=(counts,)) for ddof in (None, 0)),
        *(row(f"cov aweights {ddof}", lambda x, a, d=ddof: np.cov(x, aweights=a, ddof=d),
              normal(2, 4), positive(4)) for ddof in (None, 0, 2)),
        *(row(f"cov fweights and aweights {bias}", lambda x, a, f, b=bias: np.cov(
            x, bias=b, fweights=f, aweights=a), normal(2, 4), positive(4), data=(counts,))
          for bias in (False, True)),
        row("cov dtype", lambda x: np.cov(x, dtype=np.float64), normal(2, 4)),
        row("cov op", lambda x, w: covariance.cov_aweights(x, w, kinds=("aweights",), ddof=1),
            normal(2, 4), positive(4)),
    ]  # fmt: skip
    return rows


# --- histograms -----------------------------------------------------------------------------------


def _histograms() -> list[Case]:
    x = np.array([0.1, 0.4, 0.4, 0.9, 0.5, 1.0])
    edges = np.array([0.0, 0.4, 0.5, 1.0])
    points = np.stack([x, x[::-1]], axis=-1)
    return [
        row("bincount", lambda w, i: np.bincount(i, w), normal(5),
            data=(np.array([2, 0, 2, 5, 0]),), dtypes=("float64",)),
        row("bincount minlength", lambda w, i: np.bincount(i, w, minlength=9), normal(5),
            data=(np.array([2, 0, 2, 5, 0]),), dtypes=("float64",)),
        row("histogram weights", lambda w, x: np.histogram(x, 4, weights=w)[0], normal(6),
            data=(x,)),
        row("histogram range", lambda w, x: np.histogram(x, 3, (0.2, 0.95), weights=w)[0],
            normal(6), data=(x,)),
        row("histogram edges", lambda w, x, e: np.histogram(x, e, weights=w)[0], normal(6),
            data=(x, edges)),
        row("histogram density", lambda w, x, e: np.histogram(x, e, density=True, weights=w)[0],
            positive(6), data=(x, edges)),
        row("histogram density by x", lambda x: np.histogram(x, 3, density=True)[0], apart(2, 3)),
        row("histogram bins", lambda x: np.histogram(x, 3)[1], apart(2, 3)),
        row("histogram_bin_edges", lambda x: np.histogram_bin_edges(x, 4), apart(7)),
        row("histogram_bin_edges auto", lambda x: np.histogram_bin_edges(x, "sqrt"), apart(9)),
        row("histogramdd", lambda w, p: np.histogramdd(p, 3, weights=w)[0], normal(6),
            data=(points,)),
        row("histogramdd density", lambda w, p: np.histogramdd(
            p, (2, 3), density=True, weights=w)[0], positive(6), data=(points,)),
        row("histogramdd edges", lambda p: np.concatenate(np.histogramdd(p, (2, 3))[1]),
            apart(5, 2)),
        row("histogram2d", lambda w, x, y, e: np.histogram2d(x, y, (2, e), weights=w)[0],
            normal(6), data=(x, x[::-1].copy(), edges)),
    ]  # fmt: skip


CASES = [
    *_options(),
    *_spread_options(),
    *_without_nan(),
    *_quantiles(),
    *_by_q(),
    *_averages(),
    *_histograms(),
]
