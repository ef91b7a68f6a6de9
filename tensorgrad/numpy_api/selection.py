"""Functions that select between arrays: where, select, choose, piecewise, nan_to_num.

Floor: `numpy_api`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._typing import ArrayLike
from ..arguments import plain
from ..ops import elementwise, selection
from ..tensor import Tensor, apply, as_tensor
from .table import implements, stored


@implements(np.where)
def where(condition: ArrayLike, x: ArrayLike = None, y: ArrayLike = None) -> Any:
    """Choose `x` where the condition holds and `y` elsewhere, as `numpy.where`.

    Parameters
    ----------
    condition
        Of booleans; it has no gradient.
    x, y
        What to choose from; all three broadcast together.  Without both, the positions where the
        condition holds are returned.

    Returns
    -------
    Tensor, or tuple of arrays
        What was not chosen gets gradient 0, also where its own derivative is inf or NaN.  Without
        `x` and `y`, an array of integers for each axis, as `numpy.nonzero`.

    Raises
    ------
    ValueError
        If only one of `x` and `y` is given.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> x = tg.Tensor([0.0, 1.0])
    >>> with np.errstate(divide="ignore"):
    ...     tg.where(x > 0, tg.log(x), 0.0).sum().backward()
    >>> x.grad
    array([0., 1.])
    """
    condition = plain(condition)
    if x is None and y is None:
        return np.where(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    return apply(elementwise.where, condition, x, y)


@implements(np.select)
def select(
    condlist: Sequence[Any], choicelist: Sequence[ArrayLike], default: ArrayLike = 0
) -> Tensor:
    """Take for each element the choice of the first condition that holds, or the default."""
    conditions = [np.asarray(condition) for condition in plain(list(condlist))]
    if len(conditions) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not conditions:
        raise ValueError("select with an empty condition list is not possible")
    for i, condition in enumerate(conditions):
        if condition.dtype != np.bool_:
            raise TypeError(f"invalid entry {i} in condlist: should be boolean ndarray")
    together = np.stack(np.broadcast_arrays(*conditions))
    return apply(selection.select, together, *choicelist, default)


@implements(np.choose)
def choose(a: Any, choices: Sequence[ArrayLike], mode: str = "raise") -> Tensor:
    """Take for each element the choice that an integer names."""
    return apply(selection.choose, np.asarray(plain(a)), *choices, mode=mode)


@implements(np.piecewise)
def piecewise(
    x: ArrayLike,
    condlist: Any,
    funclist: Sequence[Callable[..., Any] | ArrayLike],
    *args: Any,
    **kw: Any,
) -> Tensor:
    """Call for each condition a function on the elements where it holds."""
    tensor = as_tensor(x)
    conditions = plain(condlist)
    if np.isscalar(conditions) or (
        not isinstance(conditions[0], (list, np.ndarray)) and tensor.ndim != 0
    ):
        conditions = [conditions]
    conditions = np.asarray(conditions, dtype=bool)
    count = len(conditions)
    if count == len(funclist) - 1:
        otherwise = ~np.any(conditions, axis=0, keepdims=True)
        conditions = np.concatenate([conditions, otherwise], axis=0)
    elif count != len(funclist):
        raise ValueError(
            f"with {count} condition(s), either {count} or {count + 1} functions are expected"
        )
    out = as_tensor(np.zeros(tensor.shape, tensor.dtype))
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            out[condition] = function
            continue
        chosen = tensor[condition]
        if chosen.size:
            out[condition] = function(chosen, *args, **kw)
    return out


@implements(np.nan_to_num)
def nan_to_num(
    x: Any,
    copy: bool = True,
    nan: ArrayLike = 0.0,
    posinf: ArrayLike = None,
    neginf: ArrayLike = None,
) -> Any:
    """Replace NaN and infinities by numbers, by default 0 and the largest of the dtype."""
    tensor = as_tensor(x)
    if tensor.dtype.kind not in "fc":
        return tensor.clone() if copy else x
    limits = np.finfo(tensor.dtype)
    replaced = apply(
        selection.nan_to_num,
        tensor,
        nan,
        limits.max if posinf is None else posinf,
        limits.min if neginf is None else neginf,
    )
    return replaced if copy else stored(replaced, x, "nan_to_num")
