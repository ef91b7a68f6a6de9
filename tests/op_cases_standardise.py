"""Rows of the table of op cases: batch, layer, group and RMS norm, against their compositions."""

from __future__ import annotations

from typing import Any

import numpy as np

from case import Case, normal, row
from tensorgrad.ops.standardise import rms_norm, standardise

EPS = 0.1

# What is normalised: the view, its axes, what has a mean, what has a weight.
KINDS: list[tuple[str, tuple[int, ...], tuple[int, ...], str, str, str]] = [
    ("batch", (3, 2, 4), (3, 2, 4), "ncs", "c", "c"),
    ("batch of images", (3, 2, 2, 2), (3, 2, 4), "ncs", "c", "c"),
    ("batch of rows", (4, 3), (4, 3), "nc", "c", "c"),
    ("layer", (4, 3), (4, 3), "rn", "r", "n"),
    ("layer of two axes", (2, 2, 3), (2, 6), "rn", "r", "n"),
    ("layer of nothing", (0, 3), (0, 3), "rn", "r", "n"),
    ("group", (2, 4, 3), (2, 2, 2, 3), "ngcs", "ng", "gc"),
    ("one group", (2, 4), (2, 1, 4, 1), "ngcs", "ng", "gc"),
]


def composed(
    x: Any, weight: Any, bias: Any, view: tuple[int, ...], axes: str, kept: str, per: str
) -> Any:
    """Normalise with the functions that NumPy has."""
    over = tuple(i for i, letter in enumerate(axes) if letter not in kept)
    seen = tuple(n if letter in per else 1 for letter, n in zip(axes, view, strict=True))
    y = np.reshape(x, view)
    y = y - np.mean(y, axis=over, keepdims=True)
    y = y / np.sqrt(np.mean(np.square(y), axis=over, keepdims=True) + EPS)
    if weight is not None:
        y = y * np.reshape(weight, seen)
    if bias is not None:
        y = y + np.reshape(bias, seen)
    return np.reshape(y, np.shape(x))


def _row(
    kind: tuple[str, tuple[int, ...], tuple[int, ...], str, str, str], weight: bool, bias: bool
) -> Case:
    name, shape, view, axes, kept, per = kind
    per = per if weight else kept
    size = tuple(n for letter, n in zip(axes, view, strict=True) if letter in per)
    factors = [normal(*size)] * (weight + bias)
    given = {"view": view, "axes": axes, "kept": kept, "per": per}
    with_what = f"with{'' if weight else 'out'} weight{' and bias' * bias}"
    return row(
        f"standardise {name} {with_what}",
        lambda x, *fs: standardise(x, *fs, eps=EPS, moments=[], **given),
        normal(*shape),
        *factors,
        reference=lambda x, *fs: composed(x, *(*fs, None, None)[:2], **given),
        exact=False,
        holomorphic=True,
    )


CASES = [
    *(_row(kind, weight=True, bias=True) for kind in KINDS),
    *(_row(kind, weight=True, bias=False) for kind in (KINDS[0], KINDS[3])),
    *(_row(kind, weight=False, bias=False) for kind in (KINDS[0], KINDS[3], KINDS[6])),
    row("rms_norm", lambda x, w: rms_norm(x, w, eps=EPS), normal(4, 3), normal(3),
        reference=lambda x, w: x / np.sqrt(np.mean(np.square(x), -1, keepdims=True) + EPS) * w,
        exact=False, holomorphic=True),
    row("rms_norm without weight", lambda x: rms_norm(x, eps=EPS), normal(4, 3),
        reference=lambda x: x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + EPS),
        exact=False, holomorphic=True),
    row("rms_norm of nothing", lambda x, w: rms_norm(x, w, eps=EPS), normal(0, 3), normal(3),
        reference=lambda x, w: x / np.sqrt(np.mean(np.square(x), -1, keepdims=True) + EPS) * w,
        exact=False, holomorphic=True),
]  # fmt: skip
