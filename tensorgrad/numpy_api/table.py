"""Which NumPy callable is what here, and the contract: every one of them is in one of four classes.

Floor: `numpy_api`, below its other modules.  A module registers what it implements:

- `@implements(np.roll)` over the function that stands for it;
- `no_gradient(np.argmax, ...)` for what gives integers, booleans or shapes: NumPy runs on the data;
- `refuses("use np.sort", np.sort_complex)` for what has a gradient that is not offered.
"""

from __future__ import annotations

import enum
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np

from ..arguments import plain, records, without_graph
from ..tensor import NUMPY_TABLE, Tensor

F = TypeVar("F", bound=Callable[..., Any])


class Support(enum.StrEnum):
    """What tensorgrad does with a NumPy callable on tensors; true unless it is refused."""

    DIFFERENTIABLE = "differentiable"
    """It is recorded, and has its derivative."""
    ZERO_GRADIENT = "zero gradient"
    """It is recorded; constant in pieces, so that its derivative is 0."""
    NO_GRADIENT = "no gradient"
    """Not differentiable by nature: it returns integers, booleans, shapes, or no array at all."""
    REFUSED = "refused"
    """It raises on a recording tensor, and says what to use."""

    def __bool__(self) -> bool:
        return self is not Support.REFUSED


SUPPORT: Final[dict[Any, Support]] = {}
"""The class of each callable.  `supports` reads it, and so does the page of the documentation."""
ADVICE: Final[dict[Any, str]] = {}
"""What to use in place of a callable that is refused."""


def implements(*functions: Any, support: Support = Support.DIFFERENTIABLE) -> Callable[[F], F]:
    """Let a function stand for NumPy callables where an argument is a tensor.

    The function takes what NumPy's takes, in the same order; `out=` is left to this decorator.

    Parameters
    ----------
    *functions
        NumPy's.
    support
        Their class.

    Returns
    -------
    callable
        A decorator that returns the function unchanged.
    """

    def register(function: F) -> F:
        for numpy_function in functions:
            NUMPY_TABLE[numpy_function] = _with_out(numpy_function, function)
            SUPPORT[numpy_function] = support
        return function

    return register


def _with_out(numpy_function: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Serve the argument `out` of a NumPy function that has it; ufuncs have a way of their own."""
    if isinstance(numpy_function, np.ufunc):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        position = _position_of_out(numpy_function)
        if position is None or ("out" not in kwargs and len(args) <= position):
            return function(*args, **kwargs)
        out = kwargs.pop("out", None)
        if len(args) > position:
            out, args = args[position], args[:position] + args[position + 1 :]
        result = function(*args, **kwargs)
        return result if out is None else stored(result, out, numpy_function.__name__)

    return call


@functools.cache
def _position_of_out(numpy_function: Any) -> int | None:
    """Return where NumPy's function takes `out`; None if it does not."""
    try:
        parameters = inspect.signature(numpy_function).parameters
    except ValueError:  # compiled, and silent about it
        return None
    if "out" not in parameters:
        return None
    if parameters["out"].kind is inspect.Parameter.KEYWORD_ONLY:
        return sys.maxsize
    return list(parameters).index("out")


def stored(result: Any, out: Any, name: str) -> Any:
    """Write a result into what was given as `out=`, and return that.

    Raises
    ------
    TypeError
        If `out` is an array, which would lose the graph of the result.
    """
    if isinstance(out, Tensor):
        out._store(result)
    elif records(result):
        raise TypeError(
            f"np.{name} with out= an array would lose the graph of a recording tensor: leave out= "
            "away, give a tensor, or pass x.detach()"
        )
    else:
        np.copyto(out, plain(result), casting="same_kind")
    return out


def no_gradient(*functions: Any) -> None:
    """Let NumPy run on the data for callables whose results have no gradient by nature."""
    for function in functions:
        NUMPY_TABLE[function] = _on_arrays(function)
        SUPPORT[function] = Support.NO_GRADIENT


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        position = _position_of_out(function)
        out = kwargs.get("out")
        if out is None and position is not None and len(args) > position:
            out = args[position]
        if isinstance(out, Tensor):
            raise TypeError(
                f"np.{function.__name__} gives no floats, and would write into the memory of a "
                "tensor: give an array as out="
            )
        return function(*plain(args), **plain(kwargs))

    return call


def refuses(advice: str, *functions: Any) -> None:
    """Refuse callables on recording tensors, and say what to use; others go to NumPy."""
    for function in functions:
        NUMPY_TABLE[function] = _refusal(function, advice)
        SUPPORT[function] = Support.REFUSED
        ADVICE[function] = advice


def _refusal(function: Callable[..., Any], advice: str) -> Callable[..., Any]:
    name = f"{function.__module__.replace('numpy', 'np')}.{function.__name__}"

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return without_graph(name, function, args, kwargs, advice)

    return call
