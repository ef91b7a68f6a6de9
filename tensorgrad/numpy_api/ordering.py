"""Sorting, and what rests on it: partitions, unique elements, sets.

Floor: `numpy_api`.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain
from ..ops import order as orders
from ..tensor import Tensor, apply, as_tensor
from .table import implements, no_gradient

no_gradient(
    np.argmax,
    np.argmin,
    np.argpartition,
    np.argsort,
    np.isin,
    np.lexsort,
    np.searchsorted,
)


def _flat(a: ArrayLike, axis: int | None) -> tuple[Tensor, int]:
    """Flatten where no axis is given."""
    tensor = as_tensor(a)
    return (tensor.reshape(-1), 0) if axis is None else (tensor, axis)


@implements(np.sort)
def sort(
    a: ArrayLike,
    axis: int | None = -1,
    kind: str | None = None,
    order: str | Sequence[str] | None = None,
    *,
    stable: bool | None = None,
) -> Tensor:
    """Put the elements along an axis in order of size."""
    given = {"kind": kind, "order": order, "stable": stable}
    how = {name: value for name, value in given.items() if value is not None}
    tensor, axis = _flat(a, axis)
    return apply(orders.sort, tensor, axis=axis, **how)


@implements(np.sort_complex)
def sort_complex(a: ArrayLike) -> Tensor:
    """Sort by the real part, then by the imaginary one."""
    result = sort(a)
    if result.dtype.kind == "c":
        return result
    return result.astype({**dict.fromkeys("bhBH", "F"), "g": "G"}.get(result.dtype.char, "D"))


@implements(np.partition)
def partition(
    a: ArrayLike,
    kth: int | Sequence[int],
    axis: int | None = -1,
    kind: str = "introselect",
    order: str | Sequence[str] | None = None,
) -> Tensor:
    """Put the k-th elements where sorting would, smaller ones before and larger ones behind."""
    given = {"kind": kind, "order": order}
    how = {name: value for name, value in given.items() if value not in (None, "introselect")}
    tensor, axis = _flat(a, axis)
    return apply(orders.partition, tensor, kth=plain(kth), axis=axis, **how)


# --- unique elements ------------------------------------------------------------------------------

_MAY_STAY_UNSORTED = "sorted" in inspect.signature(np.unique).parameters  # from NumPy 2.3 on


@implements(np.unique)
def unique(
    ar: ArrayLike,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return each element once: the first of those that are equal gets their gradient."""
    tensor = as_tensor(ar)
    wanted: dict[str, Any] = {
        "return_index": return_index,
        "return_inverse": return_inverse,
        "return_counts": return_counts,
    }
    returns = tuple(name for name, value in wanted.items() if value)
    how: dict[str, Any] = {"axis": axis, "equal_nan": equal_nan}
    if not sorted:
        how["sorted"] = False
    values = apply(orders.unique, tensor, returns=returns, **how)
    if not returns:
        return values
    return values, *np.unique(plain(tensor), **wanted, **how)[1:]


def _found(function: Any, *returns: str) -> Any:
    """Make the function of the array API that returns the unique elements and what is named."""

    def call(x: ArrayLike) -> Any:
        tensor = as_tensor(x)
        values = apply(orders.unique, tensor, returns=returns, axis=None, equal_nan=False)
        return function(plain(tensor))._replace(values=values)

    call.__doc__ = f"Apply `numpy.{function.__name__}`."
    return implements(function)(call)


unique_all = _found(np.unique_all, "return_index", "return_inverse", "return_counts")
unique_counts = _found(np.unique_counts, "return_counts")
unique_inverse = _found(np.unique_inverse, "return_inverse")


@implements(np.unique_values)
def unique_values(x: ArrayLike) -> Any:
    """Return each element once, in any order; NaN as often as it occurs."""
    return unique(x, equal_nan=False, sorted=not _MAY_STAY_UNSORTED)


# --- sets -----------------------------------------------------------------------------------------


@implements(np.union1d)
def union1d(ar1: ArrayLike, ar2: ArrayLike) -> Any:
    """Return the unique elements of both; those that both have count as the first's."""
    return unique(np.concatenate([as_tensor(ar1), as_tensor(ar2)], axis=None))


@implements(np.intersect1d)
def intersect1d(
    ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """Return the elements that both have, as those of the first."""
    first, second = as_tensor(ar1), as_tensor(ar2)
    _, *places = np.intersect1d(plain(first), plain(second), assume_unique, return_indices=True)
    values = first.reshape(-1)[places[0]].astype(np.result_type(first.dtype, second.dtype))
    return (values, *places) if return_indices else values


@implements(np.setdiff1d)
def setdiff1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False) -> Any:
    """Return the elements of the first that the second has not."""
    left = as_tensor(ar1).reshape(-1) if assume_unique else unique(ar1)
    return left[~np.isin(plain(left), plain(ar2), assume_unique=assume_unique)]


@implements(np.setxor1d)
def setxor1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False) -> Any:
    """Return the elements that one of the two has."""
    both = [as_tensor(ar) if assume_unique else unique(ar) for ar in (ar1, ar2)]
    ordered = sort(np.concatenate(both, axis=None))
    new = plain(ordered[1:]) != plain(ordered[:-1])
    edge = np.ones(np.minimum(ordered.size, 1), bool)
    changes = np.concatenate([edge, new, edge])
    return ordered[changes[1:] & changes[:-1]]
