"""Rows of the table of op cases: convolution and pooling, against loops over the windows."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from case import Case, apart, normal, positive, row
from tensorgrad.ops import convolution as ops
from tensorgrad.ops import pooling
from tensorgrad.ops.windows import Window, spread, sum_windows
from window_loops import convolved, pooled, windows

# Sizes, kernels, strides, padding, dilation, groups; one number for each axis.
CONVOLUTIONS: dict[str, tuple[Any, ...]] = {
    "plain": ((4, 3), (2, 2), (1, 1), (0, 0), (1, 1), 1),
    "along a line": ((6,), (3,), (2,), (1,), (1,), 1),
    "in space": ((2, 3, 2), (2, 2, 1), (1, 1, 1), (0, 1, 0), (1, 1, 1), 1),
    "strided": ((5, 4), (2, 3), (2, 1), (0, 0), (1, 1), 1),
    "padded": ((3, 2), (3, 2), (1, 2), (1, 1), (1, 1), 1),
    "dilated": ((5, 4), (2, 2), (1, 1), (1, 0), (3, 2), 1),
    "grouped": ((3, 3), (2, 2), (1, 1), (0, 0), (1, 1), 2),
    "with all": ((6, 5), (2, 3), (3, 2), (1, 2), (2, 1), 2),
    "of one place": ((2, 2), (1, 1), (1, 1), (0, 0), (1, 1), 1),
}
POOLS: dict[str, tuple[Any, ...]] = {
    "plain": ((4, 4), (2, 2), (2, 2), (0, 0), (1, 1)),
    "overlapping": ((4, 3), (3, 2), (1, 1), (0, 0), (1, 1)),
    "padded": ((4, 3), (3, 2), (2, 1), (1, 1), (1, 1)),
    "dilated": ((5, 4), (2, 2), (2, 1), (0, 1), (3, 2)),
    "along a line": ((5,), (2,), (2,), (0,), (1,)),
}


def window(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Window:
    return Window(size, kernel, stride, tuple((p, p) for p in padding), dilation)


def _by_input(g: Any, weight: Any, shape: Any, how: Any, groups: int) -> Any:
    """Ask what each element of a sample does to the result, by a batch of unit vectors."""
    units = np.eye(math.prod(shape[1:]), dtype=g.dtype).reshape(-1, *shape[1:])
    effects = convolved(units, weight, how, groups)
    return np.tensordot(g, effects, [range(1, g.ndim)] * 2).reshape(shape)


def _by_weight(x: Any, g: Any, shape: Any, how: Any, groups: int) -> Any:
    """Ask what each weight does to the result."""
    units = np.eye(math.prod(shape), dtype=g.dtype).reshape(-1, *shape)
    found = [np.sum(g * convolved(x, unit, how, groups)) for unit in units]
    return np.reshape(np.stack(found), shape)


def _convolutions() -> list[Case]:
    """The op, and its derivatives by the input and by the weight, which are ops as well."""
    rows = []
    for name, (size, kernel, *how, groups) in CONVOLUTIONS.items():
        over = {"window": window(size, kernel, *how), "groups": groups}
        x, weight = (2, 2, *size), (2, 2 // groups, *kernel)
        g = (2, 2, *over["window"].count)
        for op, inputs, reference in (
            (ops.convolution, (x, weight), partial(convolved, how=how, groups=groups)),
            (ops.convolution_by_input, (g, weight),
             partial(_by_input, shape=x, how=how, groups=groups)),
            (ops.convolution_by_weight, (x, g),
             partial(_by_weight, shape=weight, how=how, groups=groups)),
        ):  # fmt: skip
            samples = (positive(*shape) for shape in inputs)
            rows.append(
                row(f"{op.name} {name}", partial(op, **over), *samples, reference=reference,
                    exact=False, dispatches=False, dtypes=("float32", "float64"))
            )  # fmt: skip
    return rows


def _spread(g: Any, size: Any, how: Any) -> Any:
    found = np.zeros((2, *size), g.dtype)
    for where, inside in windows(size, *how):
        for _, element in inside:
            found[(..., *element)] += g[(..., *where)]
    return found


def _pools() -> list[Case]:
    rows = []
    for name, (size, *how) in POOLS.items():
        over = window(size, *how)
        x, g = (2, *size), (2, *over.count)
        data = apart(*x)(np.random.default_rng(3))
        largest = pooling.max_pool(data, window=over)
        rows += [
            row(f"max_pool {name}", partial(pooling.max_pool, window=over), apart(*x),
                reference=partial(pooled, reduce=np.max, how=how), dispatches=False),
            row(f"largest {name} take", partial(pooling.take_largest, window=over), normal(*x),
                data=(data, largest), holomorphic=True),
            row(f"largest {name} put", partial(pooling.put_largest, window=over), normal(*g),
                data=(data, largest), holomorphic=True),
            row(f"sum_windows {name}", partial(sum_windows, window=over), normal(*x),
                reference=partial(pooled, reduce=np.sum, how=how), exact=False, dispatches=False),
            row(f"spread {name}", partial(spread, window=over), normal(*g),
                reference=partial(_spread, size=size, how=how), exact=False, dispatches=False),
        ]  # fmt: skip
    return rows


CASES = [*_convolutions(), *_pools()]
