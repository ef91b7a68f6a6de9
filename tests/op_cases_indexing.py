"""Rows of the table of op cases: picking elements, writing them, and selecting between arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from case import Case, Sample, normal, positive, row


def _same(name: str, function: Callable[..., Any], *inputs: Sample, **options: Any) -> Case:
    """Make a row with NumPy's names on both sides, of a function that takes complex numbers."""
    return row(name, function, *inputs, holomorphic=True, **options)


def _written(write: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
    """Return the function of x and v that writes v into a copy of x: `write(copy, ..., v)`."""

    def function(x: Any, v: Any) -> Any:
        y = np.copy(x)
        write(y, *args, v, **options)
        return y

    return function


# --- picking --------------------------------------------------------------------------------------

REPEATED = np.array([[2, 0], [2, -1]])
# Cases 55, 56, 59: (name, shape, axis, mode, indices).
TAKE: list[tuple[str, tuple[int, ...], int | None, str, Any]] = [
    ("flat", (2, 3), None, "raise", REPEATED),
    ("first axis", (3, 2), 0, "raise", REPEATED),
    ("last axis", (2, 3), -1, "raise", REPEATED),
    ("inner axis", (2, 3, 2), 1, "raise", np.array([0, 0, 2])),
    ("wrap", (2, 3), 1, "wrap", np.array([-7, 5, 3, 0])),
    ("clip", (2, 3), 1, "clip", np.array([-7, 5, 2, 0])),
    ("one", (3, 2), 0, "raise", np.array(1)),
    ("none", (3, 2), 0, "raise", np.zeros((0, 2), np.intp)),
    ("bytes", (3,), 0, "raise", np.array([2, 2, 1], np.uint8)),
    ("booleans", (3,), 0, "raise", np.array([True, False, True])),
    ("one row of many", (40, 2), 0, "raise", np.array([3, 3])),
]


def _picking() -> list[Case]:
    rows = [
        _same(f"take {name}", lambda x, i, a=axis, m=mode: np.take(x, i, a, mode=m),
              normal(*shape), data=(indices,),
              also=(lambda x, i, a=axis, m=mode: x.take(i, axis=a, mode=m),))
        for name, shape, axis, mode, indices in TAKE
    ]  # fmt: skip
    columns = np.array([[2, 0, 2], [1, 1, -3]])
    rows += [
        _same("take list", lambda x: np.take(x, [[1], [1]]), normal(2, 3), stands_in=0),
        _same("take_along_axis default", lambda x, i: np.take_along_axis(x, i), normal(2, 3),
              data=(columns,), stands_in=0),
        _same("take_along_axis first", lambda x, i: np.take_along_axis(x, i, axis=-2),
              normal(3, 3), data=(columns,), stands_in=0),
        _same("take_along_axis flat", lambda x, i: np.take_along_axis(x, i, None), normal(2, 3),
              data=(np.array([5, 5, -6]),), stands_in=0),
        _same("compress", lambda x, c: np.compress(c, x, axis=1), normal(2, 4),
              data=(np.array([True, False, True]),), stands_in=0,
              also=(lambda x, c: x.compress(c, axis=1),)),
        _same("compress flat", lambda x: np.compress([0, 1, 1], x), normal(2, 3), stands_in=0),
        _same("extract", lambda x, c: np.extract(c, x), normal(2, 3),
              data=(np.array([[True, False, True], [False, False, True]]),), stands_in=0),
        _same("ix_", lambda x: np.ix_(x, [True, False])[0], normal(3), stands_in=0),
    ]  # fmt: skip
    return rows


# --- writing --------------------------------------------------------------------------------------


def _put_along(y: Any, indices: Any, axis: int | None, v: Any) -> None:
    np.put_along_axis(y, indices, v, axis)


def _copied(y: Any, where: Any, v: Any) -> None:
    np.copyto(y, v, where=where)


def _writing() -> list[Case]:
    """Case 60: of several values for one element the last one stays."""
    x, mask = normal(2, 3), np.array([[True, False, True], [False, False, True]])
    along = np.array([[2, 0], [1, 1]])
    rows = [
        ("copyto", _written(np.copyto), x, normal(3)),
        ("copyto where", _written(_copied, mask), x, normal(2, 1)),
        ("put", _written(np.put, [4, 0, -6]), x, normal(3)),
        ("put cycled", _written(np.put, [[4, 0], [1, 4]]), x, normal(3)),
        ("put too many", _written(np.put, [4]), x, normal(3)),
        ("put wrap", _written(np.put, [7, -8], mode="wrap"), x, normal(2)),
        ("put clip", _written(np.put, [7, -8], mode="clip"), x, normal(2)),
        ("put number", _written(np.put, 2), x, normal()),
        ("put nothing", _written(np.put, []), x, normal(2)),
        ("put_along_axis", _written(_put_along, along, 1), x, normal(2, 2)),
        ("put_along_axis broadcast", _written(_put_along, along[:1], -1), x, normal()),
        ("put_along_axis flat", _written(_put_along, np.array([5, -6]), None), x, normal(2)),
        ("place", _written(np.place, mask), x, normal(3)),
        ("place cycled", _written(np.place, mask), x, normal(2)),
        ("place too many", _written(np.place, mask), x, normal(5)),
        ("place nothing", _written(np.place, mask & ~mask), x, normal(2)),
        ("putmask", _written(np.putmask, mask), x, normal(2, 3)),
        ("putmask cycled", _written(np.putmask, mask), x, normal(4)),
        ("putmask number", _written(np.putmask, mask), x, normal()),
        ("fill_diagonal", _written(np.fill_diagonal), normal(3, 3), normal()),
        ("fill_diagonal tall", _written(np.fill_diagonal), normal(5, 2), normal(2)),
        ("fill_diagonal wide", _written(np.fill_diagonal), normal(2, 4), normal(3)),
        ("fill_diagonal cube", _written(np.fill_diagonal), normal(3, 3, 3), normal(2)),
    ]
    cases = [_same(name, f, *samples, stands_in=0) for name, f, *samples in rows]
    wrapped = _written(lambda y, v: np.fill_diagonal(y, v, wrap=True))
    return [
        *cases,
        _same("fill_diagonal wrap", wrapped, normal(5, 2), normal(3), stands_in=0),
        _same("put constant", lambda x: _written(np.put, [0])(x, [2.0]), x, stands_in=0),
        _same("put into constant", lambda v: _written(np.put, [0, 2])(np.zeros_like(v), v),
              normal(3), stands_in=0),
    ]  # fmt: skip


# --- selecting ------------------------------------------------------------------------------------

FIRST, SECOND = np.array([[True, False, False], [True, False, True]]), np.array([True, True, False])


def _line(x: Any, slope: float, rise: float) -> Any:
    return slope * x + rise


def _parabola(x: Any, slope: float, rise: float) -> Any:
    return slope * np.square(x) + rise


def _selecting() -> list[Case]:
    x, mask = normal(2, 3), FIRST
    index = np.array([[0, 1, 2], [2, 2, 0]])
    beyond = np.array([[-4, 4, 3], [2, -1, 0]])
    return [
        _same("where of one", lambda x, c: np.where(c, x, x), x, data=(mask,)),
        _same("select", lambda x, y, c, d: np.select([c, d], [x, y]), x, normal(2, 1),
              data=(FIRST, SECOND), stands_in=0),
        _same("select default", lambda x, y, z, c, d: np.select([c, d], [x, y], z), x, normal(3),
              normal(), data=(FIRST, SECOND), stands_in=0),
        _same("select numbers", lambda x, c, d: np.select([c, d], [1, x], 2.5), x,
              data=(FIRST, SECOND), stands_in=0),
        _same("choose", lambda x, y, z, i: np.choose(i, [x, y, z]), x, normal(3), normal(),
              data=(index,), stands_in=0),
        _same("choose wrap", lambda x, y, i: np.choose(i, (x, 2.0, y), mode="wrap"), x, x,
              data=(beyond,), stands_in=0),
        _same("choose clip", lambda x, y, i: np.choose(i, (x, y), mode="clip"), x, x,
              data=(beyond,), stands_in=0),
        _same("choose rows", lambda x, i: np.choose(i, x), normal(3, 3), data=(index,),
              stands_in=0),
        _same("piecewise", lambda x, c, d: np.piecewise(x, [c, d], [np.sin, np.square, 3.0]), x,
              data=(FIRST, ~FIRST & SECOND), stands_in=0),
        _same("piecewise overlapping", lambda x, c, d: np.piecewise(x, [c, d], [np.sin, np.exp]),
              x, data=(FIRST, np.broadcast_to(SECOND, (2, 3))), stands_in=0),
        _same("piecewise arguments",
              lambda x: np.piecewise(x, [FIRST], [_line, _parabola], 2.0, rise=3.0),
              x, stands_in=0),
        row("piecewise 0-d", lambda x: np.piecewise(x, [x > 0], [np.sqrt, 0.0]), positive(),
            stands_in=0),
        row("nan_to_num", np.nan_to_num, normal(2, 3), elementwise=True),
    ]  # fmt: skip


CASES = [*_picking(), *_writing(), *_selecting()]
