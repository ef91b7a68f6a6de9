"""Utilities: gradients of many parameters clipped, and parameters as one vector.

Floor: nn.  Beside `functional`: plain functions of parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .._typing import Array, ArrayLike
from ..checks import as_number
from ..handle import to_array
from ..tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Array:
    r"""Scale all gradients by one number, so that their norm is at most `max_norm`.

    With n the norm of all gradients together, laid side by side::

        g ← g · min(1, max_norm / (n + 10⁻⁶))

    Call it between `backward()` and `step()`.  Parameters without a gradient are skipped.

    Parameters
    ----------
    parameters
        Tensors, such as `model.parameters()`, or one.
    max_norm
        The largest norm that is left.
    norm_type
        The order of the norm: 2, `np.inf` for the largest entry, or another positive number.
    error_if_nonfinite
        Whether to raise where the norm is infinite or NaN; else all gradients become NaN or 0.

    Returns
    -------
    Array
        The norm before, a float64 number.

    Raises
    ------
    TypeError
        If `parameters` holds something else than Tensors.
    ValueError
        If a number is out of range, or the norm is not finite and that is to be an error.  Nothing
        was changed then.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks",
    ICML 2013, algorithm 1; with PyTorch's 10⁻⁶.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.nn.utils import clip_grad_norm_
    >>> w = tg.Tensor([3.0, 4.0])
    >>> (w * w).sum().backward()
    >>> float(clip_grad_norm_([w], max_norm=1.0))
    10.0
    >>> w.grad.round(6)
    array([0.6, 0.8])
    """
    reached = [param for param in _tensors(parameters) if param.has_grad]
    max_norm = as_number("max_norm", max_norm, most=math.inf)
    norm_type = as_number("norm_type", norm_type, above=0, most=math.inf)
    with np.errstate(all="ignore"):
        norm = _norm([param.grad for param in reached], norm_type)
    if error_if_nonfinite and not np.isfinite(norm):
        raise ValueError(
            f"the norm of the gradients is {float(norm)}; nothing was clipped: look for NaN and "
            "huge numbers in the data and the loss, with tg.detect_anomaly()"
        )
    with np.errstate(all="ignore"):
        scale = np.minimum(max_norm / (norm + 1e-6), 1.0)
        for param in reached:
            param.grad = param.grad * scale.astype(param.dtype)
    return norm


def _norm(grads: list[Array], order: float) -> Array:
    """Return the norm of all gradients together, in float64: squares of float32 may overflow."""
    grads = [np.abs(grad) if grad.dtype.kind == "c" else grad for grad in grads]
    if math.isinf(order):
        largest = [np.max(np.abs(grad), initial=0.0) for grad in grads]
        return np.max(np.stack([np.float64(0.0), *largest]))  # type: ignore[no-any-return]
    wide = [grad.astype(np.result_type(grad, np.float64)) for grad in grads]
    if order == 2:
        found = np.sqrt(sum((np.sum(np.square(grad)) for grad in wide), np.float64(0.0)))
    else:
        total = sum((np.sum(np.power(np.abs(grad), order)) for grad in wide), np.float64(0.0))
        found = np.power(total, 1 / order)
    return found  # type: ignore[no-any-return]


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip each entry of each gradient to the range from -`clip_value` to `clip_value`.

    Parameters
    ----------
    parameters
        Tensors, such as `model.parameters()`, or one; those without a gradient are skipped.
    clip_value
        The largest size that is left.

    Raises
    ------
    TypeError
        If `parameters` holds something else than Tensors, or complex ones, which have no order.
    ValueError
        If the value is negative or NaN.  Nothing was changed then.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([3.0, 0.25])
    >>> (w * w).sum().backward()
    >>> clip_grad_value_([w], 2.0)
    >>> w.grad
    array([2. , 0.5])
    """
    clip_value = as_number("clip_value", clip_value, most=math.inf)
    reached = [param for param in _tensors(parameters) if param.has_grad]
    for param in reached:
        if param.dtype.kind == "c":
            raise TypeError(
                f"a gradient has dtype {param.dtype}, and complex numbers have no order to clip "
                "by: use clip_grad_norm_"
            )
    for param in reached:
        param.grad = np.clip(param.grad, -clip_value, clip_value)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Lay parameters side by side in one vector, which records as they do.

    Parameters
    ----------
    parameters
        Tensors, such as `model.parameters()`.

    Returns
    -------
    Tensor
        Of shape (number of all elements,).

    Raises
    ------
    TypeError
        If `parameters` holds something else than Tensors.
    ValueError
        If there are none.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> parameters_to_vector([tg.Tensor([[1.0, 2.0]]), tg.Tensor(3.0)]).data
    array([1., 2., 3.])
    """
    found = _tensors(parameters)
    if not found:
        raise ValueError("parameters is empty (a generator gives its items only once)")
    vector: Tensor = np.concatenate([param.reshape(-1) for param in found])  # type: ignore[assignment]
    return vector


def vector_to_parameters(vec: ArrayLike, parameters: Iterable[Tensor]) -> None:
    """Set parameters to the values that lie side by side in a vector.

    Parameters
    ----------
    vec
        Of shape (number of all elements,), as `parameters_to_vector` gives it.
    parameters
        Tensors, such as `model.parameters()`.

    Raises
    ------
    TypeError
        If `parameters` holds something else than Tensors.
    ValueError
        If the vector has another shape.  Nothing was changed then.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w, b = tg.Tensor([[1.0, 2.0]]), tg.Tensor(3.0)
    >>> vector_to_parameters([4.0, 5.0, 6.0], [w, b])
    >>> w.data, float(b)
    (array([[4., 5.]]), 6.0)
    """
    found = _tensors(parameters)
    values = vec.detach().data if isinstance(vec, Tensor) else to_array(vec, "vec")
    size = sum(param.size for param in found)
    if values.shape != (size,):
        raise ValueError(f"vec has shape {values.shape}; the parameters need ({size},)")
    start = 0
    for param in found:
        param.data = values[start : start + param.size].reshape(param.shape).copy()
        start += param.size


def _tensors(parameters: Any) -> list[Tensor]:
    """Return parameters as a list, after a look at each."""
    if hasattr(parameters, "parameters"):
        raise TypeError(
            f"parameters is a {type(parameters).__name__}; give its parameters: model.parameters()"
        )
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for i, param in enumerate(found):
        if not isinstance(param, Tensor):
            raise TypeError(f"parameters holds a {type(param).__name__} at {i}; expected a Tensor")
    return found
