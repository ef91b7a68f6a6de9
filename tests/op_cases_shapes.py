"""Op cases of shape, joining, padding, diagonals and spacing; `op_cases.py` joins them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from case import Case, Sample, apart, normal, positive, row
from tensorgrad.ops import padding
from tensorgrad.ops import shape as shape_ops

windows = np.lib.stride_tricks.sliding_window_view


def _same(name: str, function: Callable[..., Any], *inputs: Sample, **options: Any) -> Case:
    """Make a row with NumPy's names on both sides, of a function that takes complex numbers."""
    return row(name, function, *inputs, **{"holomorphic": True, **options})


def _flat(pieces: Any) -> Any:
    """Lay several results out one after the other, the last first."""
    return np.concatenate([np.ravel(piece) for piece in pieces][::-1])


def _moved() -> list[Case]:
    x, cube = normal(2, 3), normal(2, 3, 4)
    return [
        _same("reshape F", lambda x: np.reshape(x, (4, -1), order="F"), cube),
        _same("reshape copy", lambda x: np.reshape(x, (3, 2), copy=True), x),
        *(_same(f"ravel {order}", lambda x, o=order: np.ravel(np.swapaxes(x, 1, 2), o), cube)
          for order in "CF"),
        _same("matrix_transpose", np.matrix_transpose, cube, also=(lambda x: x.mT,)),
        _same("np.linalg.matrix_transpose", np.linalg.matrix_transpose, x),
        _same("permute_dims", lambda x: np.permute_dims(x, (2, 0, 1)), cube),
        *(_same(f"rollaxis {axis} {start}", lambda x, a=axis, s=start: np.rollaxis(x, a, s), cube)
          for axis, start in [(2, 0), (0, 3), (1, 1), (-1, -2), (0, -1)]),
        *(_same(f"atleast {shape}",
                lambda x: _flat([np.atleast_1d(x), np.atleast_2d(x), np.atleast_3d(x)]),
                normal(*shape))
          for shape in [(), (3,), (2, 3), (2, 3, 2), (0,)]),
        _same("atleast several", lambda x, y: _flat(np.atleast_2d(x, y)), normal(3), normal()),
        _same("broadcast_arrays", lambda x, y: _flat(np.broadcast_arrays(x, y, 2.0)),
              normal(3, 1), normal(2), stands_in=0),
        _same("fliplr", np.fliplr, cube),
        _same("flipud", np.flipud, x),
        *(_same(f"rot90 {k} {axes}", lambda x, k=k, a=axes: np.rot90(x, k, a), cube)
          for k, axes in [(1, (0, 1)), (2, (0, 2)), (3, (-1, 0)), (-1, (1, 0)), (4, (0, 1))]),
        *(_same(f"roll {shift} {axis}", lambda x, s=shift, a=axis: np.roll(x, s, a), cube)
          for shift, axis in [(5, None), (-1, 1), ((1, 2), (0, 2)), (1, (0, 1)), ((1, 1), 2),
                              (np.array([1, -7]), (2, 2))]),
        _same("roll empty", lambda x: np.roll(x, 2), normal(0, 3)),
        _same("copy F", lambda x: np.copy(x, order="F"), x),
        row("np.astype", lambda x: np.astype(x, np.float64), x),
    ]  # fmt: skip


def _repeated() -> list[Case]:
    x, cube = normal(2, 3), normal(2, 3, 4)
    each = (np.array([2, 0, 3]),)
    return [
        *(_same(f"repeat {repeats} {axis}", lambda x, r=repeats, a=axis: np.repeat(x, r, a), cube)
          for repeats, axis in [(2, None), (3, 1), (40, -1), (1, 0), (0, 1), (2, 0)]),
        _same("repeat 0-d", lambda x: np.repeat(x, 3), normal()),
        _same("repeat each", lambda x, n: np.repeat(x, n, 1), x, data=each),
        _same("repeat each, rows", lambda x, n: np.repeat(x, n, -2), normal(3, 2), data=each),
        _same("repeat each of a broadcast count", lambda x, n: np.repeat(x, n, 0), x,
              data=(np.array([2]),)),
        _same("repeat each, flat", np.repeat, x, data=(np.array([0, 1, 2, 0, 3, 0], np.uint8),)),
        _same("repeat none of each", lambda x, n: np.repeat(x, n, 1), x,
              data=(np.array([0, 0, 0]),)),
        *(_same(f"tile {shape} {reps}", lambda x, r=reps: np.tile(x, r), normal(*shape))
          for shape, reps in [((2, 3), 2), ((2, 3), (2, 1)), ((2, 3), (2, 3)), ((3,), (2, 2)),
                              ((2, 2, 3), (2,)), ((), 3), ((2, 3), 0), ((0, 2), (2, 2)),
                              ((2, 3), (1, 1)), ((2, 3), ())]),
        *(_same(f"resize {shape}", lambda x, s=shape: np.resize(x, s), x)
          for shape in [(3, 4), (2, 2), 5, (0, 2), ()]),
        _same("resize empty", lambda x: np.resize(x, (2, 2)), normal(0), stands_in=0),
        _same("sum_runs", lambda x: shape_ops.sum_runs(x, count=2, axis=1), normal(2, 6)),
        _same("sum_runs of rows", lambda x: shape_ops.sum_runs(x, count=3, axis=0), normal(6, 2)),
        _same("sum_segments", lambda x, n: shape_ops.sum_segments(x, n, axis=1), normal(2, 5),
              data=each),
        _same("fold_windows", lambda x: shape_ops.fold_windows(x, window_shape=(2,), axis=(0,)),
              normal(3, 2)),
        *(_same(f"windows {shape} {width} {axis}",
                lambda x, w=width, a=axis: windows(x, w, a), normal(*shape))
          for shape, width, axis in [((5,), 2, None), ((5,), 5, 0), ((3, 4), (2, 3), None),
                                     ((3, 4), 3, -1), ((2, 5), (2, 3), (1, 1)), ((3,), 0, 0),
                                     ((0,), 0, 0), ((2, 6), (2, 5), (0, 1)), ((3, 2), (), ())]),
        _same("apply_along_axis", lambda x: np.apply_along_axis(lambda v: v * np.sum(v), 1, x),
              cube),
        _same("apply_along_axis to number", lambda x: np.apply_along_axis(np.sum, 0, x), x,
              exact=False),
        _same("apply_along_axis to matrix",
              lambda x: np.apply_along_axis(lambda v, c: c * v[:, None] * v, -2, x, 2.0),
              normal(2, 2, 3)),
        *(_same(f"trim_zeros {trim}",
                lambda x, t=trim: np.trim_zeros(np.pad(x, (2, 1)) * 1.0, t), normal(3),
                order=1, holomorphic=False, stands_in=0)
          for trim in ["fb", "f", "b"]),
        _same("trim_zeros of zeros", lambda x: np.trim_zeros(x * 0.0), normal(3),
              holomorphic=False, stands_in=0),
        _same("trim_zeros axis", lambda x: np.trim_zeros(np.pad(x, 1), axis=1), x,
              holomorphic=False, stands_in=0),
    ]  # fmt: skip


def _joined() -> list[Case]:
    x, row_, cube = normal(2, 3), normal(3), normal(2, 3, 4)
    half = (np.array([1.0, 2.0, 3.0], np.float16),)
    nested = lambda a, b, c: [[a, np.ones((2, 1), a.dtype) * 2.0], [b, c]]  # noqa: E731
    return [
        _same("concatenate dtype", lambda x, y: np.concatenate([x, y], dtype=np.float64), x, x,
              holomorphic=False),
        _same("concatenate flat with number",
              lambda x, y: np.concatenate([x, 2.0, y], axis=None), x, row_),
        _same("stack dtype", lambda x, y: np.stack([x, y], 1, dtype=np.float64), x, x,
              holomorphic=False),
        *(_same(f"{name} {len(shape)}-d", lambda x, y, n=name: getattr(np, n)([x, y, x]),
                normal(*shape), normal(*shape))
          for name in ("vstack", "hstack", "dstack", "column_stack")
          for shape in [(), (2,), (2, 3), (2, 1, 2)]),
        _same("vstack uneven", lambda x, y, c: np.vstack((x, y, c)), x, row_, data=half),
        _same("block", lambda x, y: np.block([[x, y], [y, x]]), x, x),
        _same("block uneven", lambda a, b, c: np.block(nested(a, b, c)),
              normal(2, 2), normal(1), normal(1, 2), stands_in=0),
        _same("block flat", lambda x, y: np.block([x, y, 1.0]), normal(2), normal()),
        _same("block of one", lambda x: np.block(x), x),
        _same("block deep", lambda x, y: np.block([[[x, y]], [[y, x]]]), x, normal(1, 2, 3)),
        _same("block many axes", lambda x, y: np.block([[x], [y]]), cube, normal(2, 1, 4)),
        _same("append", lambda x, y: np.append(x, y), x, normal()),
        _same("append axis", lambda x, y: np.append(x, y, -1), x, normal(2, 1)),
        _same("append number", lambda x: np.append(x, [1.0, 2.0]), x, stands_in=0),
        _same("array_split", lambda x: _flat(np.array_split(x, 3, axis=1)), normal(2, 5)),
        _same("array_split at", lambda x: _flat(np.array_split(x, [1, -1])), normal(5)),
        _same("split overlapping", lambda x: _flat(np.split(x, [3, 1])), normal(5)),
        _same("hsplit", lambda x: _flat(np.hsplit(x, 3)), x),
        _same("hsplit 1-d", lambda x: _flat(np.hsplit(x, [1])), row_),
        _same("vsplit", lambda x: _flat(np.vsplit(x, 2)), x),
        _same("dsplit", lambda x: _flat(np.dsplit(x, 2)), cube),
        _same("unstack", lambda x: _flat(np.unstack(x)), cube),
        _same("unstack axis", lambda x: _flat(np.unstack(x, axis=-2)), cube),
        _same("asarray like", lambda x: np.asarray(x, like=x), x, stands_in=0),
        _same("asanyarray like", lambda x: np.asanyarray(x, like=x), x, stands_in=0),
        _same("asarray F like", lambda x: np.asarray(x, order="F", like=x), x, stands_in=0),
        row("array like", lambda x, y: np.array([[x, y], [y, x]], like=x), normal(), normal(),
            dispatches=False, reference=lambda x, y: np.array([[x, y], [y, x]]), stands_in=0),
        _same("array ndmin like", lambda x: np.array(x, ndmin=3, like=x), x, stands_in=0),
        _same("ascontiguousarray like", lambda x: np.ascontiguousarray(x, like=x), normal(),
              holomorphic=False, stands_in=0),
        _same("asfortranarray like", lambda x: np.asfortranarray(x, like=x), x, stands_in=0),
        _same("require like", lambda x: np.require(x, None, ["F", "W"], like=x), x, stands_in=0),
        row("full like", lambda x: np.full((2, 3), x, like=x), row_, dispatches=False,
            reference=lambda x: np.full((2, 3), x), stands_in=0),
        _same("empty_like", lambda x: np.concatenate([x, np.empty_like(x, shape=(0, 3))]), x),
        row("full_like", lambda x: np.full_like(x, np.sum(x)), x, exact=False),
        row("tg.full", lambda x: tg.full((2, 3), x), row_, dispatches=False,
            reference=lambda x: np.full((2, 3), x)),
    ]  # fmt: skip


# (name, obj, axis); lists are kept from the other array type, which takes none.
PLACES: list[tuple[Any, int | None]] = [
    (1, 0), (-1, 1), (3, 1), (0, None), (slice(1, 3), 1), (slice(None, None, 2), 1),
    (slice(2, 0, -1), 1), (slice(2, 2), 1), (slice(1, 2), 0), ([2, 0], 1), ([0, 0], 0), ([1], 1),
    ([], 0), ([True, False, True, False], 1), (np.array(2), 1),
]  # fmt: skip


def _edited() -> list[Case]:
    rows = []
    for place, axis in PLACES:
        data = () if isinstance(place, (int, slice)) else (np.asarray(place),)
        if isinstance(place, list) and not place:
            data = (np.zeros(0, np.intp),)
        rows.append(
            _same(f"delete {place!r} {axis}",
                  lambda x, *d, p=place, a=axis: np.delete(x, d[0] if d else p, a),
                  normal(2, 4), data=data, stands_in=1)
        )  # fmt: skip
    inserted: list[tuple[Any, tuple[int, ...], int | None]] = [
        (1, (), 0), (1, (4,), 0), (-1, (2,), 1), (4, (), 1), (1, (3, 2), 1), (0, (3,), None),
        (slice(0, 3, 2), (2, 2), 1), (slice(1, 2), (2, 1), 1), (slice(1, 2), (2, 3), 1),
        ([3, 0, 3], (3,), 1), ([3, -4], (), 1), ([2, 1], (2, 2), 1), ([1], (2, 1), 1),
        ([1], (2, 3), 1), ([], (), 0), ([True, False, True, False], (2, 1), 1),
        ([2, 1], (1, 2, 2), 1), (np.array(2), (2, 2), 1), (np.array(1), (1, 4), 0),
    ]  # fmt: skip
    for place, shape, axis in inserted:
        data = () if isinstance(place, (int, slice)) else (np.asarray(place),)
        if isinstance(place, list) and not place:
            data = (np.zeros(0, np.intp),)
        rows.append(
            _same(f"insert {place!r} {shape} {axis}",
                  lambda x, v, *d, p=place, a=axis: np.insert(x, d[0] if d else p, v, a),
                  normal(2, 4), normal(*shape), data=data, stands_in=1)
        )  # fmt: skip
    return [
        *rows,
        _same("delete listed", lambda x: np.delete(x, [0, 2], 0), normal(3, 2), stands_in=0),
        _same("insert listed", lambda x: np.insert(x, [0, 2], 1.5, 0), normal(3, 2), stands_in=0),
    ]


def _padded() -> list[Case]:
    x = normal(3, 4)
    widths: list[Any] = [2, ((1, 0), (0, 2)), ((0, 7), (9, 3)), ((3,), (1,)), {-1: (2, 1)}]
    rows = []
    for mode, kind in [
        ("edge", "even"), ("wrap", "even"), ("reflect", "even"), ("symmetric", "even"),
        ("reflect", "odd"), ("symmetric", "odd"),
    ]:  # fmt: skip
        options = {} if mode in ("edge", "wrap") else {"reflect_type": kind}
        for shape, width in [*((x.shape, w) for w in widths), ((1, 2), 3), ((5,), 23), ((), 0)]:
            rows.append(
                _same(f"pad {mode} {kind} {shape} {width}",
                      lambda x, w=width, m=mode, o=options: np.pad(x, w, m, **o), normal(*shape),
                      exact=True, dispatches=not isinstance(width, dict) or np.__version__ >= "2.3")
            )  # fmt: skip
    for mode in ("mean", "maximum", "minimum", "median"):
        rows += [
            row(f"pad {mode} {length}",
                lambda x, m=mode, s=length: np.pad(x, ((2, 0), (1, 3)), m, stat_length=s),
                apart(3, 5), holomorphic=mode == "mean")
            for length in (None, 2, ((1, 3), (2, 9)))
        ]  # fmt: skip
    return [
        *rows,
        _same("pad empty", lambda x: np.pad(x, 1, "empty")[1:-1, 1:-1], x),
        _same("fold_copies",
              lambda x: padding.fold_copies(x, shape=(2,), pad_width=((3, 2),), mode="reflect"),
              normal(7)),
        _same("pad mean by default", lambda x: np.pad(x, 1, "mean"), x),
        _same("pad empty axis", lambda x: np.pad(x, ((0, 0), (1, 1)), "edge"), normal(0, 2)),
        _same("pad nothing", lambda x: np.pad(x, 0, "reflect"), x),
        _same("pad pair for all", lambda x: np.pad(x, 1, constant_values=(1.0, 2.0)), x,
              stands_in=0),
        row("pad by tensors", lambda x, v: tg.pad(x, ((1, 2), (0, 3)), constant_values=v),
            x, normal(2, 2), dispatches=False, holomorphic=True,
            reference=lambda x, v: np.pad(x, ((1, 2), (0, 3)), constant_values=v)),
        *(row(f"pad by tensor {shape}", lambda x, v: np.pad(x, (2, 1), constant_values=v),
              x, normal(*shape), holomorphic=True)
          for shape in [(), (1,), (2,), (1, 2), (2, 1)]),
        row("pad by nested tensors",
            lambda x, u, v: np.pad(x, 1, constant_values=((u, v), (v, v))), x, normal(), normal(),
            holomorphic=False, stands_in=0),
        _same("pad linear_ramp", lambda x: np.pad(x, ((2, 3), (0, 4)), "linear_ramp"), x),
        _same("pad linear_ramp to tensors",
              lambda x, v: np.pad(x, ((2, 3), (1, 4)), "linear_ramp", end_values=v), x,
              normal(2, 2)),
        _same("pad linear_ramp to tensor", lambda x, v: np.pad(x, 1, "linear_ramp", end_values=v),
              normal(1, 2), normal()),
        _same("pad by tensor without border", lambda x, v: np.pad(x, 0, constant_values=v), x,
              normal(2)),
    ]  # fmt: skip


def _diagonals() -> list[Case]:
    cube = normal(2, 3, 4)
    places = [(0, 0, 1), (1, 1, 2), (-1, 0, 1), (2, -1, 0), (5, 0, 1), (-2, 1, 2), (-1, 2, 0)]
    rows = []
    for offset, one, other in places:
        rows += [
            _same(f"diagonal {offset} {one} {other}",
                  lambda x, o=offset, a=one, b=other: np.diagonal(x, o, a, b), cube),
            _same(f"trace {offset} {one} {other}",
                  lambda x, o=offset, a=one, b=other: np.trace(x, o, a, b), cube),
        ]  # fmt: skip
    for shape in [(3,), (2, 3), (2, 2, 3), (1, 3), (0, 2)]:
        for k in (0, 1, -2):
            rows += [
                _same(f"tril {shape} {k}", lambda x, k=k: np.tril(x, k), normal(*shape)),
                _same(f"triu {shape} {k}", lambda x, k=k: np.triu(x, k), normal(*shape)),
            ]
    for shape in [(3,), (0,), (2, 3), (3, 2)]:
        rows += [
            _same(f"diag {shape} {k}", lambda x, k=k: np.diag(x, k), normal(*shape))
            for k in (0, 2, -1)
        ]
    return [
        *rows,
        _same("np.linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), cube),
        _same("np.linalg.trace", lambda x: np.linalg.trace(x, offset=-1), cube),
        _same("trace dtype", lambda x: np.trace(x, dtype=np.float64), normal(3, 3),
              holomorphic=False),
        _same("diagflat", lambda x: np.diagflat(x, 1), normal(2, 2)),
        _same("diagflat 0-d", lambda x: np.diagflat(x, -1), normal()),
    ]  # fmt: skip


def _spaced() -> list[Case]:
    rows = []
    for options in [
        {}, {"num": 5}, {"num": 4, "endpoint": False}, {"num": 1}, {"num": 0},
        {"num": 1, "endpoint": False},
    ]:  # fmt: skip
        for start, stop in [((), ()), ((2, 1), (3,))]:
            name = f"{options} {start} {stop}"
            rows += [
                row(f"linspace {name}", lambda x, y, o=options: np.linspace(x, y, **o),
                    normal(*start), normal(*stop), holomorphic=True),
                row(f"geomspace {name}", lambda x, y, o=options: np.geomspace(x, y, **o),
                    positive(*start), positive(*stop), holomorphic=True),
            ]  # fmt: skip
    return [
        *rows,
        row("linspace axis", lambda x: tg.linspace(x, 1.0, 3, axis=-1), normal(2),
            reference=lambda x: np.linspace(x, 1.0, 3, axis=-1), holomorphic=True),
        row("linspace to one tensor", lambda x: np.linspace(2, x, 3), normal()),
        row("linspace dtype", lambda x, y: np.linspace(x, y, 3, dtype=np.float64), normal(),
            normal()),
        row("linspace step", lambda x, y: np.linspace(x, y, 4, retstep=True)[1], normal(2),
            normal(2, 1), holomorphic=True, stands_in=0),
        row("linspace step of numbers", lambda x: np.linspace(x, 3.0, 4, False, True)[1],
            normal(), stands_in=0),
        row("logspace", lambda x, y: np.logspace(x, y, 4, base=2.0), normal(), normal(2),
            holomorphic=True),
        row("logspace by default", lambda x, y: np.logspace(x, y), normal(), normal(),
            holomorphic=True),
        row("logspace of bases", lambda x, b: np.logspace(0.5, x, 3, base=b, axis=-1), normal(),
            positive(2), holomorphic=True, stands_in=0),
        row("geomspace of negatives", lambda x, y: np.geomspace(-x, -y, 4), positive(), positive()),
        row("geomspace axis", lambda x: np.geomspace(x, 3.0, 4, axis=1), positive(2)),
        *(_same(f"meshgrid {options}",
                lambda x, y, z, o=options: _flat(np.meshgrid(x, y, z, **o)),
                normal(2), normal(3), normal())
          for options in [{}, {"indexing": "ij"}, {"sparse": True}, {"copy": False}]),
        *(row(f"vander {n} {increasing}", lambda x, n=n, i=increasing: np.vander(x, n, i),
              normal(3), holomorphic=True, stands_in=1)
          for n in (None, 0, 1, 5) for increasing in (False, True)),
    ]  # fmt: skip


CASES = [
    *_moved(),
    *_repeated(),
    *_joined(),
    *_edited(),
    *_padded(),
    *_diagonals(),
    *_spaced(),
]
