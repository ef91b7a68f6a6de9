"""Gradients of a graph that is there: of one tensor by others.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from .. import backprop
from .._typing import Array, ArrayLike
from ..arguments import check_fits, checked_seed
from ..graph import Node, enable_grad
from ..recording import made
from ..tensor import Tensor, handle_of


@overload
def gradients(
    output: Tensor,
    inputs: Tensor,
    gradient: ArrayLike | None = ...,
    create_graph: Literal[False] = ...,
    allow_unused: bool = ...,
) -> Array: ...
@overload
def gradients(
    output: Tensor,
    inputs: Tensor,
    gradient: ArrayLike | None = ...,
    *,
    create_graph: Literal[True],
    allow_unused: bool = ...,
) -> Tensor: ...
@overload
def gradients(
    output: Tensor,
    inputs: Sequence[Tensor],
    gradient: ArrayLike | None = ...,
    create_graph: Literal[False] = ...,
    allow_unused: bool = ...,
) -> list[Array]: ...
@overload
def gradients(
    output: Tensor,
    inputs: Sequence[Tensor],
    gradient: ArrayLike | None = ...,
    *,
    create_graph: Literal[True],
    allow_unused: bool = ...,
) -> list[Tensor]: ...
def gradients(
    output: Tensor,
    inputs: Tensor | Sequence[Tensor],
    gradient: ArrayLike | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Return the gradients of `output` with respect to `inputs`, leaving every `grad` alone.

    Parameters
    ----------
    output
        What to differentiate.
    inputs
        One tensor or several, leaves or interior; only the paths to them are followed.
    gradient
        The cotangent to start from, of exactly the shape of `output`; needed unless that is a
        single number, where it is 1.  A Tensor is differentiated through if `create_graph`.
    create_graph
        Whether to record the computation of the gradients, so that they can be differentiated
        again.
    allow_unused
        Whether an input that `output` does not depend on is fine; its gradient is then zero.

    Returns
    -------
    ndarray or Tensor, or a list of them
        Of the shapes and dtypes of the inputs; Tensors if `create_graph`.  One for one input given
        as such, a list for a sequence.

    Raises
    ------
    RuntimeError
        If `output` has no graph, or an input is not part of it.
    ValueError
        If `gradient` is missing or has another shape.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor(2.0)
    >>> slope = tg.gradients(x**3, x, create_graph=True)
    >>> float(slope), float(tg.gradients(slope, x))
    (12.0, 12.0)
    """
    single = isinstance(inputs, Tensor)
    if not isinstance(output, Tensor):
        raise TypeError(f"output is a {type(output).__name__}; expected a Tensor")
    tensors: list[Tensor] = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    node = output._node
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"input {position} is a {type(tensor).__name__}; expected a Tensor")
    nodes = [tensor._node for tensor in tensors]
    wanted = {found for found in nodes if found is not None}
    grads: backprop.Gradients = {}
    if node is None:
        if not allow_unused:
            raise RuntimeError(
                "the output has no graph: nothing that records went into it; "
                "pass allow_unused=True for zeros"
            )
    else:
        grads = pulled(node, wanted, seed(node, gradient, create_graph))
    results = []
    given = {id(gradient)}
    for position, (tensor, found) in enumerate(zip(tensors, nodes, strict=True)):
        if found is not None and found in grads:
            # Neither may be the seed itself, or the gradient of another input.
            result = grads[found].clone() if create_graph else _own(grads[found], given)
        elif allow_unused:
            zeros = np.zeros_like(tensor.data)
            result = made(Tensor, zeros) if create_graph else zeros
        else:
            raise RuntimeError(
                f"the output does not depend on input {position} (shape {tensor.shape}): it is "
                "frozen, was replaced in place, or was never used; pass allow_unused=True for zeros"
            )
        results.append(result)
    return results[0] if single else results


def seed(node: Node, gradient: ArrayLike | None, create_graph: bool) -> Any:
    """Return the cotangent to start a pass from: a Tensor if the pass is to be recorded.

    Raises
    ------
    ValueError
        If it is missing and the node is no single number, or if its shape is another.
    TypeError
        If it is complex and the node is not.
    """
    if not create_graph:
        return checked_seed(node, gradient)
    if not isinstance(gradient, Tensor):
        return made(Tensor, checked_seed(node, gradient))
    # It is differentiated through, and so stays as it is.
    check_fits(node, gradient)
    return gradient if gradient.dtype == node.dtype else gradient.astype(node.dtype)


def pulled(node: Node, wanted: set[Node], cotangent: Any) -> backprop.Gradients:
    """Pull a cotangent back to the nodes that are wanted; a Tensor records the pass."""
    if not isinstance(cotangent, Tensor):
        return backprop.backpropagate(node, cotangent, wanted)
    with enable_grad():
        return backprop.backpropagate(node, cotangent, wanted, lift, lower)


def pulled_back(
    root: Tensor, nodes: Sequence[Node], gradient: ArrayLike | None, create_graph: bool
) -> list[Any]:
    """Return a gradient for each node, zeros where `root` does not depend on it."""
    grads: backprop.Gradients = {}
    if root._node is not None:
        grads = pulled(root._node, set(nodes), seed(root._node, gradient, create_graph))
    if not create_graph:
        # [()] turns a 0-d array into the scalar that NumPy's own functions return.
        given = {id(gradient)}
        return [
            _own(grads[node], given)[()] if node in grads else np.zeros(node.shape, node.dtype)[()]
            for node in nodes
        ]
    with enable_grad():
        return [
            grads[node].clone() if node in grads else made(Tensor, np.zeros(node.shape, node.dtype))
            for node in nodes
        ]


def _own(g: Any, given: set[int]) -> Array:
    """Return a gradient as an array that shares memory with none of those in `given`."""
    return backprop.unshared(g, given) if g.shape else g.reshape(()).copy()  # type: ignore[no-any-return]


def lift(node: Node, value: Any) -> Tensor:
    """Return the Tensor on a node."""
    return handle_of(node, Tensor, value)


def lower(g: Tensor) -> Any:
    """Return the array of a Tensor."""
    return g._data
