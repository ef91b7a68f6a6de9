"""Products of a derivative with vectors: vjp, jvp, hvp.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import records
from ..graph import Node
from ..handle import to_array
from ..recording import made
from ..tensor import Tensor
from ..trees import matched, rebuild, tree_map
from .derivatives import single_number
from .pullback import pulled_back
from .run import as_input, checked_function, named, outputs, packed, run, unpacked


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    r"""Compute `f` and return, with its value, its vector-Jacobian product.

    .. math:: \operatorname{vjp\_fn}(u) = J^\mathsf{T} u, \qquad J = \partial f / \partial x

    Parameters
    ----------
    f
        Returns an array, a number, or tuples, lists and dicts of them.
    *primals
        Its arguments, all of which are differentiated by; see `grad` for what they may be.

    Returns
    -------
    out
        The value of `f`: ndarrays, or Tensors where something outside records (see `grad`).
    vjp_fn : callable
        Takes a cotangent `u` with the nesting and the shapes of `out`, and returns a tuple with the
        product for each argument.  It may be called any number of times; its graph lives as long as
        it does.  A recording Tensor for `u` is differentiated through.

    Raises
    ------
    TypeError
        If an argument has no gradient, or `u` has another nesting than `out`.
    ValueError
        If an array of `u` has another shape than that of `out`.

    See Also
    --------
    jvp, grad

    Notes
    -----
    For complex arrays the product is that with the conjugate transpose, :math:`J^\mathsf{H} u`.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> out, vjp_fn = tg.vjp(lambda x, y: x * y, np.array([1.0, 2.0]), 3.0)
    >>> out
    array([3., 6.])
    >>> vjp_fn(np.array([1.0, 10.0]))
    (array([ 3., 30.]), np.float64(21.0))
    """
    checked_function(f, "vjp")
    # What the rules will read is not in the caller's hands, who may write to it meanwhile.
    done = run(f, tree_map(_own, primals), {}, range(len(primals)))
    outs = outputs(done, f)
    root = packed(outs)
    outside = not done.leaves_graph(root)

    def vjp_fn(cotangent: Any) -> tuple[Any, ...]:
        given = _vectors(cotangent, done.out, outs, "the cotangent", done.connected)
        connected = outside or records(given)
        pulled = pulled_back(root, done.inputs.nodes, packed(given), connected)
        return tuple(done.inputs.filled(pulled))

    return tree_map(_own, done.handed_out(done.out)), named(vjp_fn, "vjp", f)


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    r"""Compute `f` and its Jacobian-vector product: how it changes along a direction.

    .. math:: \dot y = J v, \qquad J = \partial f / \partial x

    Parameters
    ----------
    f
        Returns an array, a number, or tuples, lists and dicts of them.
    primals
        A tuple of its arguments; see `grad` for what they may be.
    tangents
        A tuple of the directions `v`, with the nesting and the shapes of `primals`; for a Module
        a dict of names and arrays.

    Returns
    -------
    out
        The value of `f`: ndarrays, or Tensors where something outside records (see `grad`).
    tangent
        The product, with the nesting and the shapes of `out`.

    Raises
    ------
    TypeError
        If an argument has no gradient, or `tangents` has another nesting than `primals`.
    ValueError
        If a tangent has another shape than its primal.

    See Also
    --------
    vjp, hvp

    Notes
    -----
    The product is the derivative of the reverse pass: `vjp(u)` is linear in `u`, and the transpose
    of that map is `J` (Townsend, "A new trick for calculating Jacobian vector products", 2017).  It
    costs a small multiple of one evaluation of `f`, whatever the number of inputs.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> out, tangent = tg.jvp(np.sin, (np.array([0.0, 1.0]),), (np.array([1.0, 0.0]),))
    >>> tangent
    array([1., 0.])
    """
    checked_function(f, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("jvp takes tuples of primals and of tangents: jvp(f, (x,), (v,))")
    done = run(f, primals, {}, range(len(primals)))
    outs = outputs(done, f)
    root = packed(outs)
    given = _vectors(tangents, done.inputs.shapes, done.inputs.nodes, "tangents", done.connected)
    # Any cotangent will do, as only the derivative by it is used; zeros would meet the strong zero.
    u = as_input(np.ones(root.shape, root.dtype), "the cotangent")
    assert u._node is not None
    products = packed(pulled_back(root, done.inputs.nodes, u, create_graph=True))
    outside = records(given) or not done.leaves_graph(root, products)
    (pushed,) = pulled_back(products, [u._node], packed(given), outside)
    tangent = rebuild(done.out, iter(unpacked(pushed, outs)))
    return done.handed_out(done.out), tangent


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    r"""Return the product of the Hessian of `f` with a vector.

    .. math:: H v, \qquad H_{ij} = \partial^2 f(x) / \partial x_i \partial x_j

    Parameters
    ----------
    f
        A function of one argument that returns a single number.
    x
        Where: an array, a number, a Module, or tuples, lists and dicts of them.
    v
        The vector, with the nesting and the shapes of `x`; for a Module a dict of names and arrays.

    Returns
    -------
    ndarray, or the nesting of `x`
        The product; a Tensor where something outside records (see `grad`).

    Raises
    ------
    TypeError
        If `x` has no gradient, or `v` another nesting.
    ValueError
        If `f` returns no single number, or `v` has another shape than `x`.

    See Also
    --------
    hessian, jvp

    Notes
    -----
    The gradient of the gradient's product with `v`: the Hessian itself is never made, so that this
    takes a small multiple of the time of `f` at any size (Pearlmutter, "Fast exact multiplication
    by the Hessian", 1994).

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> tg.hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    checked_function(f, "hvp")
    done = run(f, [x], {}, [0])
    out = single_number(done.out, f)
    nodes = done.inputs.nodes
    given = _vectors(v, done.inputs.shapes[0], nodes, "v", done.connected)
    slope = packed(pulled_back(out, nodes, None, create_graph=True))
    outside = records(given) or not done.leaves_graph(out, slope)
    (product,) = done.inputs.filled(pulled_back(slope, nodes, packed(given), outside))
    return product


def _own(leaf: Any) -> Any:
    """Return a copy of an array, and everything else as it is."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _vectors(
    tree: Any, like: Any, shapes: Sequence[Tensor | Node], name: str, connected: bool
) -> list[Tensor]:
    """Return the leaves of a tree as tensors of given shapes and dtypes.

    They stay in their graphs if `connected`.

    Raises
    ------
    TypeError, ValueError
        If it has another nesting than `like`, or a leaf another shape than its own.
    """
    found = []
    for (where, leaf), one in zip(matched(tree, like, name), shapes, strict=True):
        if isinstance(leaf, Tensor):
            tensor = leaf if connected else leaf.detach()
        else:
            tensor = made(Tensor, to_array(leaf, where))
        if tensor.shape != one.shape:
            raise ValueError(f"{where} has shape {tensor.shape}; expected exactly {one.shape}")
        if tensor.dtype != one.dtype:
            if not np.can_cast(tensor.dtype, one.dtype, "same_kind"):
                raise TypeError(f"{where} has dtype {tensor.dtype}; expected {one.dtype}")
            tensor = tensor.astype(one.dtype)
        found.append(tensor)
    return found
