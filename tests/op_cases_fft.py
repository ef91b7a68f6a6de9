"""Rows of op cases: Fourier transforms, and the functions of complex numbers.

The inputs of rows are real; where a function is for complex numbers, a row joins two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from case import Case, Sample, apart, normal, positive, row

DTYPES = ("float32", "float64")  # NumPy has no complex numbers of two float16

# Odd and even lengths; n crops and pads, and cuts through the inner part of a Hermitian array.
ALONG: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((5,), {}),
    ((4,), {"norm": "ortho"}),
    ((3, 4), {"axis": 0, "norm": "forward"}),
    ((2, 3, 2), {"axis": -2, "n": 3, "norm": "backward"}),
    ((6,), {"n": 4}),
    ((6, 2), {"n": 3, "axis": 0}),
    ((3,), {"n": 8}),
    ((3,), {"n": 7, "norm": "forward"}),
    ((3,), {"n": 1}),
    ((3,), {"n": 2}),
    ((0, 3), {}),
    ((3, 0), {"n": 4}),
]
OVER: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {}),
    ((2, 3, 5), {}),
    ((4, 2, 3), {"axes": (0, -1), "norm": "ortho"}),
    ((4, 3), {"axes": (1, 0), "norm": "forward"}),
    ((4, 3), {"s": (3, 6), "axes": (0, 1)}),
    ((4, 5), {"s": (-1, 3), "axes": (-1, -2)}),
    ((3, 4), {"axes": (1, 1)}),
    ((5, 3), {"s": (3, 6), "axes": (0, 0)}),
    ((5, 2), {"s": (7, 4), "axes": (0, 0), "norm": "ortho"}),
    ((0, 3, 2), {"axes": (1, 2)}),
]
SHIFTED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((5,), {}),
    ((3, 4), {}),
    ((3, 4), {"axes": -1}),
    ((3, 2, 5), {"axes": (0, 2)}),
    ((5,), {"axes": (0, 0)}),
    ((0,), {}),
]


def _name(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> str:
    return f"{name} {shape} " + " ".join(f"{key}={value}" for key, value in options.items())


def _of_reals(name: str, shape: tuple[int, ...], options: dict[str, Any], **more: Any) -> Case:
    """Make the row of a transform of one real array."""
    transform = getattr(np.fft, name)
    return row(_name(name, shape, options), lambda x: transform(x, **options), normal(*shape),
               dtypes=DTYPES, **more)  # fmt: skip


def _of_pairs(name: str, shape: tuple[int, ...], options: dict[str, Any], **more: Any) -> Case:
    """Make the row of a transform of a complex array."""
    transform = getattr(np.fft, name)
    return row(_name(name, shape, options), lambda x, y: transform(x + 1j * y, **options),
               normal(*shape), normal(*shape), dtypes=DTYPES, **more)  # fmt: skip


def _transforms() -> list[Case]:
    rows = []
    for shape, options in ALONG:
        rows += [_of_reals(name, shape, options, holomorphic=True) for name in ("fft", "ifft")]
        rows += [_of_reals(name, shape, options) for name in ("rfft", "ihfft")]
        if shape[-1]:  # NumPy's own result is undefined: it reads the first of no elements
            rows += [_of_pairs(name, shape, options) for name in ("irfft", "hfft")]
    for shape, options in OVER:
        rows += [_of_reals(name, shape, options, holomorphic=True) for name in ("fftn", "ifftn")]
        rows += [_of_reals("rfftn", shape, options), _of_pairs("irfftn", shape, options)]
    for options in ({}, {"s": (2, 5)}, {"axes": (0, 1), "norm": "ortho"}):
        shape = (3, 4, 3)
        rows += [_of_reals(name, shape, options, holomorphic=True) for name in ("fft2", "ifft2")]
        rows += [_of_reals("rfft2", shape, options), _of_pairs("irfft2", shape, options)]
    rows += [_of_reals("fftn", (2, 3), {"axes": ()}, holomorphic=True)]
    for shape, options in SHIFTED:
        rows += [
            _of_reals(name, shape, options, holomorphic=True) for name in ("fftshift", "ifftshift")
        ]
    return rows


def _joined(name: str, function: Callable[..., Any], *inputs: Sample, **options: Any) -> Case:
    """Make the row of a function of one complex number, from its two parts."""
    return row(name, lambda x, y: function(x + 1j * y), *(inputs or (normal(2, 3), normal(2, 3))),
               dtypes=DTYPES, **options)  # fmt: skip


def _complex_numbers() -> list[Case]:
    return [
        row("real", np.real, normal(2, 3), also=(lambda x: x.real,)),
        row("imag", np.imag, normal(2, 3), also=(lambda x: x.imag,)),
        row("conj", np.conj, normal(2, 3), also=(lambda x: x.conj(), lambda x: x.conjugate())),
        row("angle", np.angle, apart(2, 3)),
        row("real_if_close", np.real_if_close, normal(2, 3)),
        _joined("real of complex", np.real, also=(lambda x, y: (x + 1j * y).real,)),
        _joined("imag of complex", np.imag, also=(lambda x, y: (x + 1j * y).imag,)),
        _joined("conj of complex", np.conj, also=(lambda x, y: (x + 1j * y).conj(),)),
        _joined("conj of numbers", np.conjugate, normal(), normal()),
        _joined("angle of complex", np.angle),
        _joined("angle of one complex", np.angle, normal(), normal()),
        _joined("angle in degrees", lambda z: np.angle(z, deg=True)),
        _joined("angle of nothing", np.angle, normal(0), normal(0)),
        _joined("real_if_close of complex", np.real_if_close),
        _joined("real_if_close of nearly real", lambda z: np.real_if_close(z, tol=1e30)),
        _joined("abs of complex", np.abs),
        _joined("sign of complex", np.sign),
        _joined("var of complex", lambda z: np.var(z, axis=-1)),
        _joined("std of complex", lambda z: np.std(z, axis=0, keepdims=True)),
        row("complex and real", lambda x, y: (x * 1j + y) * np.exp(x) - y * y, normal(2, 3),
            normal(3), dtypes=DTYPES, holomorphic=True),
        row("complex power of real", lambda x: x ** (1.5 - 0.5j), positive(3), dtypes=DTYPES,
            holomorphic=True),
        row("real power of complex", lambda x: (0.5 + 2j) ** x, normal(3), dtypes=DTYPES,
            holomorphic=True),
        row("power spectrum", lambda x: np.square(np.abs(np.fft.fft(x))), normal(2, 5),
            dtypes=DTYPES),
        row("complex product", lambda x, y: (x + 2j * x) @ (y - 1j), normal(2, 3), normal(3, 2),
            dtypes=DTYPES, holomorphic=True),
        row("assign real to complex", _assigned, normal(3), normal(2), dtypes=DTYPES,
            holomorphic=True),
    ]  # fmt: skip


def _assigned(x: Any, value: Any) -> Any:
    z = np.copy(x * 1j)
    z[1:] = value
    return z


CASES = [*_transforms(), *_complex_numbers()]
