"""Whole matrices of derivatives: jacobian, hessian.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..batched import rows
from ..graph import enable_grad
from ..recording import made
from ..tensor import Tensor
from ..trees import rebuild
from .derivatives import grad
from .pullback import lift, lower
from .run import Argnums, Run, checked_function, named, outputs, packed, run, title


def jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    argnum: int | Sequence[int] | None = None,
) -> Callable[..., Any]:
    r"""Return the function that computes the Jacobian of `f`.

    .. math:: J_{ij} = \partial f(x)_i / \partial x_j

    Parameters
    ----------
    f
        Returns an array, a number, or tuples, lists and dicts of them.
    argnums, argnum
        As for `grad`.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns an array of shape `f(x).shape + x.shape` and of the
        dtype of `x`.  Where `f` returns nested results, each of them is replaced by its Jacobian;
        where `x` is nested or a Module, each Jacobian by the nesting of `x`; for a tuple of
        `argnums` by a tuple.  Tensors where something outside records; see `grad`.

    Raises
    ------
    TypeError
        If an argument at `argnums` is of integers, or something is complex.

    See Also
    --------
    hessian, vjp, jvp

    Notes
    -----
    One reverse pass for all rows at once: NumPy computes with cotangents that have one axis more.
    Its time and memory are those of as many passes as `f` has results, without Python's part.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> tg.jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    checked_function(f, "jacobian")
    where = Argnums(argnums, argnum)

    def call(*args: Any, **kwargs: Any) -> Any:
        done = run(f, args, kwargs, where.positions(args, f))
        outs = outputs(done, f)
        root = packed(outs)
        dtypes = [one.dtype for one in outs] + [node.dtype for node in done.inputs.nodes]
        if any(dtype.kind == "c" for dtype in dtypes):
            raise TypeError(
                f"jacobian of {title(f)}: it takes or returns complex numbers, whose derivative is "
                "no single matrix: use vjp or jvp, or the real and the imaginary part"
            )
        found = _all_rows(done, root)
        results, start = [], 0
        for out in outs:
            stop = start + out.size
            parts = [
                _of_shape(by_input[start:stop], out.shape + node.shape)
                for by_input, node in zip(found, done.inputs.nodes, strict=True)
            ]
            results.append(where.shaped(done.inputs.filled(parts)))
            start = stop
        return rebuild(done.out, iter(results))

    return named(call, "jacobian", f)


def _all_rows(done: Run, root: Tensor) -> list[Any]:
    """Return for each input the gradients of all elements of `root`."""
    nodes = done.inputs.nodes
    connected = not done.leaves_graph(root)
    if root._node is None:
        found = [np.zeros((root.size, *node.shape), node.dtype) for node in nodes]
        return [made(Tensor, zeros) for zeros in found] if connected else found
    if not connected:
        return rows(root._node, nodes)
    with enable_grad():
        return rows(root._node, nodes, lift, lower, lambda array: made(Tensor, array))


def _of_shape(array: Any, shape: tuple[int, ...]) -> Any:
    """Return an array in another shape; a single number as NumPy's scalar."""
    shaped = array.reshape(shape)
    return shaped if shape or isinstance(shaped, Tensor) else shaped[()]


def hessian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    argnum: int | Sequence[int] | None = None,
) -> Callable[..., Any]:
    r"""Return the function that computes the Hessian of `f`.

    .. math:: H_{ij} = \partial^2 f(x) / \partial x_i \partial x_j

    Parameters
    ----------
    f
        Returns a single number.
    argnums, argnum
        As for `grad`.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns an array of shape `x.shape + x.shape`; where `x` is
        nested, or for a tuple of `argnums`, the nesting of `x` with that of `x` in each place.
        Tensors where something outside records; see `grad`.

    Raises
    ------
    TypeError, ValueError
        As for `grad`.

    See Also
    --------
    hvp, jacobian

    Notes
    -----
    The Jacobian of the gradient.  For its product with a vector alone, `hvp` is cheaper by the
    number of inputs.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    checked_function(f, "hessian")
    where = argnums if argnum is None else argnum
    return named(jacobian(grad(f, where), where), "hessian", f)
