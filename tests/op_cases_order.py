"""Op cases of scans and of what puts elements in order; `op_cases.py` joins them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from case import Case, Sample, apart, normal, row
from op_cases_statistics import ranked, with_zeros
from tensorgrad.ops import order, pick, scan

# --- scans ----------------------------------------------------------------------------------------


def _scans() -> list[Case]:
    rows = []
    for name in ("cumsum", "cumprod", "nancumsum", "nancumprod"):
        rows += [
            row(f"{name} {shape} {axis}", lambda x, n=name, a=axis: getattr(np, n)(x, axis=a),
                normal(*shape), holomorphic=True)
            for shape, axis in [((), None), ((), 0), ((1,), 0), ((5,), None), ((2, 3), None),
                                ((3, 2), 0), ((2, 3, 2), -2), ((2, 9), 1), ((0,), 0), ((2, 0), 1),
                                ((0, 2), 1)]
        ]  # fmt: skip
        rows.append(row(f"{name} zeros", lambda x, n=name: getattr(np, n)(x, axis=1),
                        with_zeros(2, 7), holomorphic=True))  # fmt: skip
    rows += [
        row(f"{name} nan", lambda x, n=name: getattr(np, n)(x, axis=0), ranked(3, 2),
            holomorphic=True)
        for name in ("nancumsum", "nancumprod")
    ]  # fmt: skip
    for name in ("cumulative_sum", "cumulative_prod"):
        rows += [
            row(f"{name} {shape} {axis} {first}",
                lambda x, n=name, a=axis, f=first: getattr(np, n)(x, axis=a, include_initial=f),
                normal(*shape), holomorphic=True)
            for shape, axis, first in [((4,), None, False), ((4,), None, True), ((2, 3), 0, True),
                                       ((2, 3), -1, True), ((2, 3), 1, False), ((), None, True)]
        ]  # fmt: skip
    return rows


def _running() -> list[Case]:
    rows = []
    for shape, axis in [((1,), 0), ((6,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 0), 1)]:
        x = apart(*shape)(np.random.default_rng(3))
        rows += [
            row(f"cumulative_max {shape} {axis}", lambda x, a=axis: scan.cumulative_max(x, axis=a),
                apart(*shape), reference=lambda x, a=axis: np.maximum.accumulate(x, axis=a)),
            row(f"cumulative_min {shape} {axis}", lambda x, a=axis: scan.cumulative_min(x, axis=a),
                apart(*shape), reference=lambda x, a=axis: np.minimum.accumulate(x, axis=a)),
            row(f"running extremum {shape} {axis}",
                lambda y, x, a=axis: scan.take_running(
                    y, x, np.maximum.accumulate(x, axis=a), axis=a), normal(*shape), data=(x,)),
            row(f"running extremum back {shape} {axis}",
                lambda y, x, a=axis: scan.put_running(
                    y, x, np.maximum.accumulate(x, axis=a), axis=a), normal(*shape), data=(x,)),
        ]  # fmt: skip
    for shape, links, axis in [((1,), (0,), 0), ((7,), (6,), 0), ((3, 4), (2, 4), 0),
                               ((2, 5), (2, 4), -1), ((2, 0), (2, 0), 1)]:  # fmt: skip
        rows += [
            row(f"recurrence {shape} {axis} {backwards}",
                lambda a, b, z=axis, k=backwards: scan.recurrence(a, b, axis=z, backwards=k),
                normal(*links), normal(*shape), holomorphic=True)
            for backwards in (False, True)
        ]  # fmt: skip
    for indices in ([0, 4, 1, 5, 2, 6, 3, 7][::2], [0, 3, 1, 1, 6], [2], [0, 0, 2]):
        given = np.array(indices)
        rows += [
            row(f"add.reduceat {indices}",
                lambda x, i: scan.add_reduceat(x, i, axis=0, size=8), normal(8), data=(given,),
                reference=lambda x, i: np.add.reduceat(x, i), dispatches=False, holomorphic=True),
            row(f"add.reduceat axis {indices}",
                lambda x, i: scan.add_reduceat(x, i, axis=1, size=8), normal(2, 8), data=(given,),
                reference=lambda x, i: np.add.reduceat(x, i, axis=1), dispatches=False,
                holomorphic=True),
            row(f"add.reduceat spread {indices}",
                lambda g, i: scan.spread_reduceat(g, i, axis=-1, size=8), normal(2, len(indices)),
                data=(given,), holomorphic=True),
        ]  # fmt: skip
    return rows


# --- order ----------------------------------------------------------------------------------------


def _order() -> list[Case]:
    rows = [
        row(f"sort {shape} {axis}", lambda x, a=axis: np.sort(x, axis=a), apart(*shape))
        for shape, axis in [((1,), 0), ((5,), -1), ((2, 3), None), ((2, 3), 0), ((2, 3, 2), -2),
                            ((0,), 0), ((2, 0), 1), ((), None)]
    ]  # fmt: skip
    rows += [
        row("sort kind", lambda x: np.sort(x, 0, "mergesort"), apart(3, 2)),
        row("sort stable", lambda x: np.sort(x, stable=True), apart(2, 3)),
        row("sort_complex", lambda x: np.real(np.sort_complex(x)), apart(2, 3)),
    ]
    rows += [
        row(f"partition {kth} {axis}", lambda x, k=kth, a=axis: np.partition(x, k, axis=a),
            apart(4, 6))
        for kth, axis in [(2, -1), ((1, 3), 0), (-2, 1), (11, None)]
    ]  # fmt: skip
    repeats = np.array([2, 0, 1, 2, 0])
    rows += [
        row("unique", np.unique, apart(2, 3)),
        row("unique of equals", lambda x, i: np.unique(x[i]), apart(3), data=(repeats,),
            stands_in=0),
        row("unique axis", lambda x, i: np.unique(x[i], axis=0), apart(3, 2), data=(repeats,),
            stands_in=0),
        row("unique last axis", lambda x: np.unique(x, axis=-1), apart(2, 3)),
        row("unique counted", lambda x: np.unique(x, return_index=True, return_counts=True)[0],
            apart(5)),
        row("unique all", lambda x: np.unique_all(x).values, apart(5), stands_in=0),
        row("unique counts", lambda x: np.unique_counts(x).values, apart(5), stands_in=0),
        row("unique inverse", lambda x: np.unique_inverse(x).values, apart(5), stands_in=0),
        row("unique values", np.unique_values, apart(20)),
        row("union1d", np.union1d, apart(3), normal(2, 2)),
        row("intersect1d", lambda x, y: np.intersect1d(x, np.concatenate([x[1:], y])), apart(4),
            normal(2), stands_in=0),
        row("setdiff1d", lambda x: np.setdiff1d(x, x[1:3]), apart(5), stands_in=0),
        row("setxor1d", lambda x, y: np.setxor1d(x, np.concatenate([x[1:3], y])), apart(5),
            normal(2), stands_in=0),
    ]  # fmt: skip
    return rows


def _pairs() -> list[Case]:
    """The linear maps of which derivatives consist."""
    rows = []
    x = apart(3, 4)(np.random.default_rng(3))
    pairs: list[tuple[str, Callable[..., Any], Callable[..., Any], Sample, Sample, tuple[Any, ...]]]
    pairs = [
        ("extremum", lambda y, x: pick.take_extremum(
            y, x, np.max(x, axis=1, keepdims=True), True, axis=1, keep_nan=True),
         lambda g, x: pick.put_extremum(
            g, x, np.max(x, axis=1, keepdims=True), True, axis=1, keep_nan=True),
         normal(3, 4), normal(3, 1), (x,)),
        ("range", lambda y, x: pick.take_range(
            y, x, np.max(x, axis=1, keepdims=True), np.min(x, axis=1, keepdims=True), axis=1),
         lambda g, x: pick.put_range(
            g, x, np.max(x, axis=1, keepdims=True), np.min(x, axis=1, keepdims=True), axis=1),
         normal(3, 4), normal(3, 1), (x,)),
        ("sorted", lambda y, x: order.take_sorted(y, x, np.sort(x, 0), axis=0),
         lambda g, x: order.put_sorted(g, x, np.sort(x, 0), axis=0),
         normal(3, 4), normal(3, 4), (x,)),
        ("parted", lambda y, x: order.take_parted(y, x, np.partition(x, 2, 1), kth=2, axis=1),
         lambda g, x: order.put_parted(g, x, np.partition(x, 2, 1), kth=2, axis=1),
         normal(3, 4), normal(3, 4), (x,)),
        ("unique", lambda y, x: order.take_unique(
            y, x, np.unique(x), axis=None, equal_nan=True),
         lambda g, x: order.put_unique(g, x, np.unique(x), axis=None, equal_nan=True),
         normal(3, 4), normal(12), (x,)),
    ]  # fmt: skip
    for name, take, put, taken, given, data in pairs:
        rows += [
            row(f"{name} take", take, taken, data=data, holomorphic=True),
            row(f"{name} put", put, given, data=data, holomorphic=True),
        ]
    return rows


CASES = [*_scans(), *_running(), *_order(), *_pairs()]
