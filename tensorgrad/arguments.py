"""Arguments: how what people give becomes arrays, shapes and indices, or a clear error.

Floor: above `handle`.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ._typing import ArrayLike, Index
from .graph import Node
from .handle import NUMBER_KINDS, Handle, differentiable, to_array
from .ops import index


def unwrapped(arg: Any) -> Any:
    """Return what the forward of an op takes for `arg`: an array, or a Python number as it is."""
    if isinstance(arg, Handle):
        return arg._data
    if type(arg) in (float, int, bool, complex):
        return arg  # stays weak: it does not widen the dtype (NEP 50)
    if type(arg) is np.ndarray or isinstance(arg, np.generic):
        if arg.dtype.kind not in NUMBER_KINDS or not arg.dtype.isnative:
            return to_array(arg, "an operand")
        return arg
    if arg is None or isinstance(arg, (str, bytes, dict, set)):
        raise TypeError(f"an operand is {arg!r}; expected a tensor, an array or a number")
    return to_array(arg, "an operand")


def is_operand(other: Any) -> bool:
    """Tell whether an operator of ours takes `other`; Python asks the other side if not."""
    kinds = (Handle, np.ndarray, np.generic, int, float, complex, list, tuple)
    return isinstance(other, kinds) or hasattr(other, "__array_function__")


def checked_seed(node: Node, gradient: ArrayLike | None) -> Any:
    """Return the cotangent to start a pass from, of the node's shape and dtype.

    Raises
    ------
    ValueError
        If it is missing and the node is no single number, or if its shape is another.
    TypeError
        If it is complex and the node is not.
    """
    if gradient is None:
        if node.shape:
            raise ValueError(
                f"backward() of a tensor of shape {node.shape} needs gradient=, of that shape; or "
                "reduce it to one number first, as with .sum()"
            )
        if node.dtype.kind == "c":
            raise ValueError(
                "backward() of a complex number needs gradient=; or start from a real one, such as "
                "abs(x) or x.real"
            )
        # A NumPy scalar, which is fast, unless the graph is of another array type.
        ours = isinstance(node.out, (np.generic, np.ndarray))
        return node.dtype.type(1) if ours else np.ones_like(node.out)
    seed = to_array(gradient, "gradient")
    check_fits(node, seed)
    return seed.astype(node.dtype, copy=False)


def check_fits(node: Node, gradient: Any) -> None:
    """Raise unless an array can be the gradient that a pass starts from at a node."""
    if gradient.shape != node.shape:
        raise ValueError(f"gradient has shape {gradient.shape}; expected exactly {node.shape}")
    if gradient.dtype.kind == "c" and node.dtype.kind != "c":
        raise TypeError(f"gradient is complex, and the result is {node.dtype}: give its real part")


def split_index(key: Index) -> tuple[tuple[Any, ...], list[Any]]:
    """Split an index into a static template and its arrays; see `ops.index`."""
    template: list[Any] = []
    arrays: list[Any] = []
    for part in key if isinstance(key, tuple) else (key,):
        if part is None or part is Ellipsis or type(part) in (int, slice):
            template.append(part)
        elif isinstance(part, np.integer):
            template.append(int(part))
        else:
            array = _index_array(part)
            if not array.size and isinstance(part, (list, tuple)):
                array = array.astype(np.intp)  # as NumPy reads x[[]]
            template.append(index.HOLE)
            arrays.append(array)
    return tuple(template), arrays


def _index_array(part: Any) -> Any:
    """Return an index of integers or booleans as an array."""
    if isinstance(part, str) or (isinstance(part, Handle) and differentiable(part.dtype)):
        raise IndexError(
            f"an index is {part!r}; expected integers, slices, ..., None, or arrays of integers or "
            "booleans"
        )
    return to_array(part, "an index")


def varargs(values: tuple[Any, ...]) -> tuple[int, ...]:
    """Read `f(2, 3)` and `f((2, 3))` alike."""
    if len(values) == 1 and not isinstance(values[0], (int, np.integer)):
        values = tuple(values[0])
    return tuple(operator.index(value) for value in values)


def records(data: Any) -> bool:
    """Tell whether a recording tensor is anywhere in nested arguments."""
    if isinstance(data, (list, tuple)):
        return any(records(item) for item in data)
    if isinstance(data, dict):
        return any(records(item) for item in data.values())
    return isinstance(data, Handle) and data._node is not None


def _holds_tensor(data: Any) -> bool:
    """Tell whether an `out=` argument is a tensor or holds one."""
    return any(isinstance(item, Handle) for item in (data if isinstance(data, tuple) else (data,)))


def plain(data: Any) -> Any:
    """Replace the tensors in nested arguments by their arrays."""
    if isinstance(data, (list, tuple)):
        return type(data)(plain(item) for item in data)
    if isinstance(data, dict):
        return {key: plain(item) for key, item in data.items()}
    return data._data if isinstance(data, Handle) else data


def static(value: Any, name: str) -> Any:
    """Return a parameter that has no derivative here, without its tensor.

    Raises
    ------
    TypeError
        If it records: its gradient would be lost.
    """
    if records(value):
        raise TypeError(
            f"{name} is a tensor that records, and has no gradient here: give a number, or pass "
            f"{name}.detach()"
        )
    return plain(value)


_WRITERS: Final = (
    np.copyto,
    np.fill_diagonal,
    np.place,
    np.put,
    np.put_along_axis,
    np.putmask,
)


def without_graph(
    name: str,
    function: Callable[..., Any],
    args: Any,
    kwargs: dict[str, Any],
    advice: str = "pass x.data or x.detach() if no gradient is wanted",
) -> Any:
    """Call a NumPy function that has no gradient here, if no graph would be lost.

    Nor may it write into a tensor, whose memory a graph or another tensor may share.
    """
    writes = function in _WRITERS or name.endswith(".at")
    if _holds_tensor(kwargs.get("out")) or (writes and args and isinstance(args[0], Handle)):
        raise TypeError(
            f"{name} would write into the memory of a tensor: assign with t[i] = value, or write "
            "to t.data"
        )
    if records((args, kwargs)):
        raise TypeError(
            f"{name} is not differentiable here and would lose the graph of a recording tensor: "
            f"{advice}"
        )
    return function(*plain(args), **plain(kwargs))


def checked_call(name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Call what stands for a NumPy function; an option that it lacks is named."""
    try:
        return function(*args, **kwargs)
    except TypeError:
        known = inspect.signature(function).parameters
        # `out` is served before the function is called.
        foreign = [key for key in kwargs if key not in known and key != "out"]
        if foreign and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            raise TypeError(
                f"{name} of a tensor has no option {', '.join(foreign)}; it takes "
                f"{', '.join(known)}"
            ) from None
        raise
