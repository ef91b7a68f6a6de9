"""Products: matmul, dot and their like; tensordot, cross, einsum.

Floor: `ops`.  Products are outside the strong zero (semantics, rule 7): an element of the result
mixes whole rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import Shape
from ..op import conjugate, op, unbroadcast
from .shape import inverse


def _matmul_left(g: Any, _out: Any, _x: Any, y: Any) -> Any:
    """`g yᵀ`, with the vector forms of matmul; broadcast batches are summed."""
    if _x.ndim == 1 and y.ndim == 1:
        return g * y
    if y.ndim == 1:
        return np.expand_dims(g, -1) * y
    if _x.ndim == 1:
        return unbroadcast(np.matmul(y, np.expand_dims(g, -1))[..., 0], _x.shape)
    return unbroadcast(np.matmul(g, np.swapaxes(y, -1, -2)), _x.shape)


def _matmul_right(g: Any, _out: Any, x: Any, _y: Any) -> Any:
    """`xᵀ g`, likewise."""
    if x.ndim == 1 and _y.ndim == 1:
        return g * x
    if x.ndim == 1:
        return unbroadcast(np.expand_dims(x, -1) * np.expand_dims(g, -2), _y.shape)
    if _y.ndim == 1:
        return unbroadcast(
            np.matmul(np.swapaxes(x, -1, -2), np.expand_dims(g, -1))[..., 0], _y.shape
        )
    return unbroadcast(np.matmul(np.swapaxes(x, -1, -2), g), _y.shape)


matmul = op(np.matmul, _matmul_left, _matmul_right, symbol="@")


def _rows(x: Any) -> Any:
    """Lay `x` out as (rows, n), the axis that `dot` sums over last."""
    return np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _columns(y: Any) -> Any:
    """Lay `y` out as (n, columns), the axis that `dot` sums over first."""
    if y.ndim < 2:
        return np.reshape(y, (y.size, 1))
    return np.reshape(np.moveaxis(y, -2, 0), (y.shape[-2], _column_count(y)))


def _column_count(y: Any) -> int:
    """Return how many vectors `dot` multiplies with."""
    return 1 if y.ndim < 2 else math.prod(y.shape[:-2]) * y.shape[-1]


def _dot_left(g: Any, _out: Any, _x: Any, y: Any) -> Any:
    """Both operands as matrices; `dot` of more axes is an outer product of rows and columns."""
    by_rows = np.reshape(g, (math.prod(_x.shape[:-1]), _column_count(y)))
    return np.reshape(np.matmul(by_rows, np.transpose(_columns(y))), _x.shape)


def _dot_right(g: Any, _out: Any, x: Any, _y: Any) -> Any:
    """Likewise, with the summed axis moved back to its place."""
    by_columns = np.reshape(g, (math.prod(x.shape[:-1]), _column_count(_y)))
    gy = np.matmul(np.transpose(_rows(x)), by_columns)
    if _y.ndim < 2:
        return np.reshape(gy, _y.shape)
    moved = (x.shape[-1], *_y.shape[:-2], _y.shape[-1])
    return np.moveaxis(np.reshape(gy, moved), 0, -2)


# Of arrays with at least one axis each; the function `dot` multiplies when one has none.
dot = op(np.dot, _dot_left, _dot_right)
outer = op(
    np.outer,
    lambda g, _out, _x, y: np.reshape(np.matmul(g, np.ravel(y)), _x.shape),
    lambda g, _out, x, _y: np.reshape(np.matmul(np.ravel(x), g), _y.shape),
)


def _inner_left(g: Any, _out: Any, _x: Any, y: Any) -> Any:
    """Both operands as rows of vectors: `g y`."""
    by_rows = np.reshape(g, (math.prod(_x.shape[:-1]), math.prod(y.shape[:-1])))
    return np.reshape(np.matmul(by_rows, _rows(y)), _x.shape)


def _inner_right(g: Any, _out: Any, x: Any, _y: Any) -> Any:
    """Likewise, `gᵀ x`."""
    by_rows = np.reshape(g, (math.prod(x.shape[:-1]), math.prod(_y.shape[:-1])))
    return np.reshape(np.matmul(np.transpose(by_rows), _rows(x)), _y.shape)


# Of arrays with at least one axis each, like `dot`.
inner = op(np.inner, _inner_left, _inner_right)
# Those that follow conjugate their first operand.
vdot = op(
    np.vdot,
    lambda g, _out, _x, y: np.reshape(conjugate(g * y), _x.shape),
    lambda g, _out, x, _y: np.reshape(g * conjugate(x), _y.shape),
)
vecdot = op(
    np.vecdot,
    lambda g, _out, _x, y: unbroadcast(conjugate(np.expand_dims(g, -1) * y), _x.shape),
    lambda g, _out, x, _y: unbroadcast(np.expand_dims(g, -1) * conjugate(x), _y.shape),
    name="vecdot",
)


def _columns_of(vectors: Any) -> Any:
    """Return vectors as matrices of one column."""
    return np.expand_dims(vectors, -1)


matvec = op(
    np.matvec,
    lambda g, _out, _x, y: unbroadcast(_columns_of(g) * np.expand_dims(y, -2), _x.shape),
    lambda g, _out, x, _y: unbroadcast(
        np.matmul(np.swapaxes(x, -1, -2), _columns_of(g))[..., 0], _y.shape
    ),
    name="matvec",
)
vecmat = op(
    np.vecmat,
    lambda g, _out, _x, y: unbroadcast(conjugate(np.matmul(y, _columns_of(g))[..., 0]), _x.shape),
    lambda g, _out, x, _y: unbroadcast(_columns_of(conjugate(x)) * np.expand_dims(g, -2), _y.shape),
    name="vecmat",
)

# --- several axes ---------------------------------------------------------------------------------


def _tensordot_rule(
    g: Any, other: Any, shape: Shape, axes: tuple[Sequence[int], Sequence[int]], left: bool
) -> Any:
    """Contract `g` with the free axes of the other operand, and order what is left.

    `axes` are those that were summed over, of the operand and of the other one.
    """
    own = [axis % len(shape) for axis in axes[0]]
    others = [axis % other.ndim for axis in axes[1]]
    free = [axis for axis in range(len(shape)) if axis not in own]
    other_free = [axis for axis in range(other.ndim) if axis not in others]
    start = len(free) if left else 0
    found = np.tensordot(g, other, (list(range(start, start + len(other_free))), other_free))
    # Now come the free axes, and then those summed over, in the order that the other had.
    order = free + [axis for _, axis in sorted(zip(others, own, strict=True))]
    return np.transpose(found, inverse(order, len(order)))


tensordot = op(
    lambda x, y, *, axes: np.tensordot(x, y, axes),
    lambda g, _out, _x, y, *, axes: _tensordot_rule(g, y, _x.shape, axes, True),
    lambda g, _out, x, _y, *, axes: _tensordot_rule(g, x, _y.shape, axes[::-1], False),
    name="tensordot",
)


def _in_space(vectors: Any) -> Any:
    """Give vectors of the plane a third component, 0."""
    if vectors.shape[-1] == 3:
        return vectors
    return np.concatenate([vectors, np.zeros_like(vectors[..., :1])], axis=-1)


def _cross_rule(g: Any, other: Any, shape: Any, axes: tuple[int, int, int], left: bool) -> Any:
    """`<g, x × y> = <x, y × g> = <y, g × x>`; `axes` are those of the operand, the other and g."""
    own_axis, other_axis, g_axis = axes
    other = np.moveaxis(other, other_axis, -1)
    own_shape = list(shape)
    own_shape.append(own_shape.pop(own_axis))
    if own_shape[-1] == other.shape[-1] == 2:  # the result is the third component alone
        g = np.expand_dims(g, -1)
        g = np.concatenate([np.zeros_like(g), np.zeros_like(g), g], axis=-1)
    else:
        g = np.moveaxis(g, g_axis, -1)
    other = _in_space(other)
    found = np.cross(other, g) if left else np.cross(g, other)
    found = unbroadcast(found[..., : own_shape[-1]], tuple(own_shape))
    return np.moveaxis(found, -1, own_axis)


cross = op(
    lambda x, y, *, axes: np.cross(x, y, *axes),
    lambda g, _out, _x, y, *, axes: _cross_rule(g, y, _x.shape, axes, left=True),
    lambda g, _out, x, _y, *, axes: _cross_rule(
        g, x, _y.shape, (axes[1], axes[0], axes[2]), left=False
    ),
    name="cross",
)

# --- einsum ---------------------------------------------------------------------------------------


def _einsum_rule(
    g: Any,
    _out: Any,
    *xs: Any,
    needs: tuple[bool, ...],
    subscripts: str,
    optimize: Any,
    **_options: Any,
) -> tuple[Any, ...]:
    """For each operand, one einsum of `g` with all the others."""
    # A path was made for the forward's operands; here others are multiplied.
    optimize = optimize if isinstance(optimize, (bool, str)) else True
    left, out_term = subscripts.split("->")
    terms = left.split(",")
    return tuple(
        _einsum_operand(g, xs, terms, out_term, k, optimize) if needed else None
        for k, needed in enumerate(needs)
    )


def _einsum_operand(
    g: Any, xs: Sequence[Any], terms: list[str], out_term: str, k: int, optimize: Any
) -> Any:
    """Ask einsum for the operand's own subscripts.

    A repeated subscript becomes a fresh one tied to the first by an identity matrix; one that
    nothing else has, or only with length 1, is fed by ones.
    """
    others = [i for i in range(len(xs)) if i != k]
    names = [out_term, *(terms[i] for i in others)]
    arrays = [g, *(xs[i] for i in others)]
    fresh = iter(sorted(set(LETTERS) - set("".join([out_term, *terms]))))
    target = ""
    for letter, size in zip(terms[k], xs[k].shape, strict=True):
        if letter in target:
            tied = next(fresh)
            names.append(letter + tied)
            arrays.append(np.eye(size, dtype=g.dtype, like=_array(arrays)))
            letter = tied
        elif not any(
            letter in name and array.shape[name.index(letter)] >= size
            for name, array in zip(names, arrays, strict=True)
        ):
            names.append(letter)
            arrays.append(np.ones(size, dtype=g.dtype, like=_array(arrays)))
        target += letter
    subscripts = ",".join(names) + "->" + target
    return unbroadcast(np.einsum(subscripts, *arrays, optimize=optimize), xs[k].shape)


def _array(arrays: Sequence[Any]) -> Any:
    """Return the first that `like=` takes, to create others like it: a NumPy scalar is not one."""
    return next((a for a in arrays if hasattr(a, "__array_function__")), None)


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def explicit_subscripts(subscripts: str, ndims: Sequence[int]) -> str:
    """Rewrite einsum subscripts with every axis named: no ellipsis, an explicit result.

    Parameters
    ----------
    subscripts
        As `numpy.einsum` takes them.
    ndims
        The number of axes of each operand.

    Returns
    -------
    str
        An equivalent of the form "ab,bc->ac".

    Raises
    ------
    ValueError
        If there are more or fewer terms than operands, or a term that does not fit its operand;
        NumPy's own errors come when it runs.
    """
    left, arrow, out_term = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum got {len(ndims)} operands for the subscripts {subscripts!r}")
    free = [letter for letter in LETTERS if letter not in subscripts]
    hidden = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    if any(h < 0 or (h and "..." not in t) for t, h in zip(terms, hidden, strict=True)):
        raise ValueError(
            f"einsum operands of {ndims} axes do not fit the subscripts {subscripts!r}"
        )
    longest = "".join(free[: max([0, *(h for t, h in zip(terms, hidden, strict=True))])])
    full = [
        term.replace("...", longest[len(longest) - count :])
        for term, count in zip(terms, hidden, strict=True)
    ]
    if arrow:
        if longest and "..." not in out_term:
            raise ValueError(f"einsum {subscripts!r} has an ellipsis that its result lacks")
        return ",".join(full) + "->" + out_term.replace("...", longest)
    named = "".join(terms).replace("...", "")
    once = sorted(letter for letter in set(named) if named.count(letter) == 1)
    return ",".join(full) + "->" + longest + "".join(once)


def _einsum(*xs: Any, subscripts: str, **options: Any) -> Any:
    return np.einsum(subscripts, *xs, **options)


einsum = op(_einsum, joint=_einsum_rule, name="einsum")
# Of one operand NumPy's result may be a view, as that of "ii->i" is.
einsum_of_one = op(_einsum, joint=_einsum_rule, name="einsum", view=True)
