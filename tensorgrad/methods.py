"""ArrayMethods: the methods of an array that NumPy has as functions.

Floor: above `handle`.  Each is one line: NumPy's function on the tensor itself, which comes back
through the protocol to what `numpy_api` has registered.  Methods that a training loop calls are in
`tensor`, and do not take that detour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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
    compress = _method(np.compress)
    conj = _method(np.conj)
    conjugate = _method(np.conj)
    cumprod = _method(np.cumprod)
    cumsum = _method(np.cumsum)
    diagonal = _method(np.diagonal)
    repeat = _method(np.repeat)
    round = _method(np.round)
    take = _method(np.take)
    tile = _method(np.tile)
    trace = _method(np.trace)
    tril = _method(np.tril)
    triu = _method(np.triu)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part; zeros for real numbers."""
        return np.imag(self)
