"""ArrayMethods: the methods of an array that NumPy has as functions.

Floor: above `handle`.  Each is one line: NumPy's function on the tensor itself, which comes back
through the protocol to what `numpy_api` has registered.  Methods that a training loop calls are in
`tensor`, and do not take that detour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ._typing import ArrayLike, Index
from .handle import Handle


def _method(function: Any) -> Callable[..., Any]:
    """Make the method that calls a function of NumPy."""

    def method(self: Handle, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"Apply `numpy.{function.__name__}`."
    return method


class ArrayMethods(Handle):
    """What an ndarray offers, in NumPy's spelling."""

    __slots__ = ()

    # --- integers and booleans: no gradient -------------------------------------------------------

    all = _method(np.all)
    any = _method(np.any)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    argpartition = _method(np.argpartition)
    argsort = _method(np.argsort)
    nonzero = _method(np.nonzero)
    searchsorted = _method(np.searchsorted)

    # --- values -----------------------------------------------------------------------------------

    choose = _method(np.choose)
    conj = _method(np.conj)
    conjugate = _method(np.conj)
    cumprod = _method(np.cumprod)
    cumsum = _method(np.cumsum)
    diagonal = _method(np.diagonal)
    repeat = _method(np.repeat)
    round = _method(np.round)
    split = _method(np.split)
    take = _method(np.take)
    tile = _method(np.tile)
    trace = _method(np.trace)
    tril = _method(np.tril)
    triu = _method(np.triu)

    def compress(self, condition: ArrayLike, axis: int | None = None, out: Any = None) -> Any:
        """Apply `numpy.compress`, which takes the condition first."""
        return np.compress(condition, self, axis=axis, out=out)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part; zeros for real numbers."""
        return np.imag(self)

    @property
    def flat(self) -> Flat:
        """The elements one after the other, to read, to write and to iterate over."""
        return Flat(self)

    # --- in place ---------------------------------------------------------------------------------

    put = _method(np.put)

    def fill(self, value: ArrayLike) -> None:
        """Write one number into all elements."""
        self[...] = np.reshape(value, ())  # type: ignore[index]

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, **options: Any) -> None:
        """Put the elements along an axis in order, in place; `numpy.sort` gives a new tensor."""
        self._store(np.sort(self, axis, kind, order, **options))  # type: ignore[attr-defined]

    def partition(
        self, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None
    ) -> None:
        """Put the kth element in its sorted place along an axis, in place."""
        self._store(np.partition(self, kth, axis, kind, order))  # type: ignore[attr-defined]

    # --- memory -----------------------------------------------------------------------------------

    @property
    def itemsize(self) -> int:
        """The bytes that one element takes."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.size * self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """The bytes from an element to the next along each axis."""
        return self.data.strides


class Flat:
    """The elements of a tensor one after the other, as `ndarray.flat`."""

    def __init__(self, tensor: ArrayMethods) -> None:
        self._tensor = tensor

    def __len__(self) -> int:
        """Return how many there are."""
        return self._tensor.size

    def __iter__(self) -> Iterator[Any]:
        """Yield each as a tensor of one number."""
        return iter(np.ravel(self._tensor))

    def __getitem__(self, key: Index) -> Any:
        """Read some."""
        return np.ravel(self._tensor)[key]

    def __setitem__(self, key: Index, value: ArrayLike) -> None:
        """Write some; too few values are repeated."""
        if not isinstance(key, (int, np.integer)):
            key = np.arange(len(self))[key]
        np.put(self._tensor, key, value)  # type: ignore[arg-type]
