"""What has no gradient by nature, and what makes arrays `like=` a tensor.

Floor: `numpy_api`.  NumPy hands a function that makes an array to us only if a tensor is its
`like=`; so `np.array([t, u])` without it can but raise, from the `__array__` of a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..creation import full, full_like, ones_like, zeros_like
from ..ops import shape as shape_ops
from ..tensor import Tensor, apply, as_tensor
from .joining import joined
from .table import Support, implements, no_gradient


def _constant(create: Callable[..., Any]) -> Callable[..., Tensor]:
    """Wrap what a creation function of NumPy makes."""

    def function(*args: Any, **kwargs: Any) -> Tensor:
        return as_tensor(create(*args, **kwargs))

    return function


for _create in (
    np.arange,
    np.empty,
    np.eye,
    np.frombuffer,
    np.fromfile,
    np.fromfunction,
    np.fromiter,
    np.genfromtxt,
    np.identity,
    np.loadtxt,
    np.ones,
    np.tri,
    np.zeros,
):
    implements(_create, support=Support.NO_GRADIENT)(_constant(_create))
implements(np.zeros_like, support=Support.NO_GRADIENT)(zeros_like)
implements(np.ones_like, support=Support.NO_GRADIENT)(ones_like)
implements(np.full_like)(full_like)


@implements(np.empty_like, support=Support.NO_GRADIENT)
def empty_like(
    prototype: Any,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: str | None = None,
) -> Tensor:
    """Return memory that nothing was written to, of the shape and the dtype of an array."""
    like = as_tensor(prototype).data
    found = np.empty_like(like, dtype, order, subok, shape, device=device)  # type: ignore[call-overload]
    return as_tensor(found)


@implements(np.full)
def _full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: str | None = None
) -> Tensor:
    """Return copies of one number."""
    del device
    return apply(shape_ops.copy, full(shape, fill_value, dtype), order=order)


# --- arrays of what may hold tensors --------------------------------------------------------------


@implements(np.asarray, np.asanyarray)
def _asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    device: str | None = None,
    copy: bool | None = None,
) -> Tensor:
    """Join nested sequences of tensors; a tensor comes back as it is."""
    del device
    tensor = as_tensor(joined(a))
    if dtype is not None and tensor.dtype != np.dtype(dtype):
        tensor = tensor.astype(dtype)
    flags = tensor.data.flags
    fits = {"C": flags.c_contiguous, "F": flags.f_contiguous}.get(order or "K", True)
    if copy is False and not (fits and tensor is a):
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return tensor if fits and not copy else apply(shape_ops.copy, tensor, order=order or "K")


@implements(np.array)
def _array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
) -> Tensor:
    """Join nested sequences of tensors, into memory of their own."""
    del subok, ndmax
    tensor = _asarray(object, dtype, order, copy=copy)
    return tensor.reshape((1,) * (ndmin - tensor.ndim) + tensor.shape)


@implements(np.ascontiguousarray)
def _ascontiguousarray(a: Any, dtype: Any = None) -> Tensor:
    """Lay out in C order."""
    return _array(a, dtype, copy=None, order="C", ndmin=1)


@implements(np.asfortranarray)
def _asfortranarray(a: Any, dtype: Any = None) -> Tensor:
    """Lay out in Fortran order."""
    return _array(a, dtype, copy=None, order="F", ndmin=1)


@implements(np.require)
def _require(a: Any, dtype: Any = None, requirements: Any = None) -> Tensor:
    """Lay out as required; a copy has memory of its own, that can be written."""
    asked = {str(letter)[0].upper() for letter in requirements or ()}
    tensor = _array(
        a, dtype, copy=None, order="F" if "F" in asked else "C" if "C" in asked else "K"
    )
    flags = tensor.data.flags
    owned = (flags.owndata or "O" not in asked) and (flags.writeable or "W" not in asked)
    return tensor if owned else tensor.clone()


no_gradient(np.indices)

no_gradient(
    np.nonzero,
    np.count_nonzero,
    np.all,
    np.any,
    np.isclose,
    np.allclose,
    np.array_equal,
    np.array_equiv,
    np.isneginf,
    np.isposinf,
)
