"""Functions that give the gradient of a function: grad, value_and_grad, elementwise_grad.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..trees import tree_map
from .pullback import pulled_back
from .run import Argnums, Run, as_output, checked_function, is_module, named, plain, run, title


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnum: int | Sequence[int] | None = None,
) -> Callable[..., Any]:
    r"""Return the function that computes the gradient of `f`.

    .. math:: (\operatorname{grad} f)(x)_i = \partial f(x) / \partial x_i

    Parameters
    ----------
    f
        Returns a single number.  It is called with Tensors in place of the arrays at `argnums`, and
        with all other arguments as they are.
    argnums
        The position of the argument to differentiate by, or a tuple of positions.  Each argument
        may be an array, a number, a Module, or tuples, lists and dicts of them.
    has_aux
        Whether `f` returns a pair, of the number and anything else.
    argnum
        Another name of `argnums`.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns the gradient: for an array an array of its shape and
        dtype, for a number a NumPy scalar, for a Module a dict of the names of its parameters that
        record and their gradients, for nested arguments the same nesting; for a tuple of `argnums`
        a tuple.  With `has_aux` it returns `(gradient, aux)`.

        What it returns are ndarrays.  They are Tensors, with their graph, where something outside
        records: where an argument is a recording Tensor, where `f` closes over one, or where the
        gradient is taken inside of another transform.  Under `no_grad` they are always ndarrays.

    Raises
    ------
    TypeError
        If an argument at `argnums` is of integers, or `f` returns something other than a number.
    ValueError
        If `f` returns an array that is not a single number, or `argnums` names no argument.

    See Also
    --------
    value_and_grad, jacobian, elementwise_grad, gradients

    Notes
    -----
    The `grad` of leaves, which `backward` adds to, is left alone.  An argument that is not used has
    the gradient zero.  Python numbers count as float64.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> def f(x):
    ...     return np.sum(np.sin(x) ** 2)
    >>> tg.grad(f)(np.array([0.0, np.pi / 4]))
    array([0., 1.])
    >>> cube = lambda x: x**3
    >>> float(tg.grad(tg.grad(cube))(2.0))
    12.0
    """
    both = value_and_grad(f, argnums, has_aux, argnum=argnum)

    def call(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return named(call, "grad", f)


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnum: int | Sequence[int] | None = None,
) -> Callable[..., Any]:
    """Return the function that computes `f` and its gradient, in one run.

    Parameters
    ----------
    f, argnums, has_aux, argnum
        As for `grad`.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns `(value, gradient)`, with `has_aux`
        `((value, aux), gradient)`.  The value is a NumPy scalar, or a Tensor where the gradient is
        one; the gradient is that of `grad`.

    Raises
    ------
    TypeError, ValueError
        As for `grad`.

    See Also
    --------
    grad

    Examples
    --------
    `scipy.optimize.minimize(f, x0, jac=True)` takes such a function for its `f`:

    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> value, gradient = tg.value_and_grad(lambda x: (x**2).sum())(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    checked_function(f, "grad")
    where = Argnums(argnums, argnum)

    def call(*args: Any, **kwargs: Any) -> Any:
        done = run(f, args, kwargs, where.positions(args, f))
        result = done.out
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise TypeError(
                    f"{title(f)} returned {type(result).__name__}; with has_aux expected a pair "
                    "of the number to differentiate and the rest"
                )
            result = result[0]
        out = single_number(result, f)
        connected = not done.leaves_graph(out)
        gradient = where.shaped(_gradient(done, out, None, connected))
        value = out if connected else plain(out)
        return ((value, done.handed_out(done.out[1])) if has_aux else value), gradient

    return named(call, "value_and_grad", f)


def single_number(result: Any, f: Callable[..., Any]) -> Tensor:
    """Return what a function to be differentiated returned, if it is one real number."""
    if isinstance(result, (tuple, list, dict)):
        raise TypeError(
            f"{title(f)} returned a {type(result).__name__}; grad expects a single number: set "
            "has_aux=True for a pair of it and something else, or use jacobian"
        )
    out = as_output(result, f"the result of {title(f)}")
    if out.shape:
        raise ValueError(
            f"{title(f)} returned an array of shape {out.shape}; grad expects a single number: use "
            "jacobian, or elementwise_grad where each element depends on its own input alone"
        )
    if out.dtype.kind == "c":
        raise ValueError(
            f"{title(f)} returned a complex number; grad expects a real one, such as abs(z) or "
            "z.real: use vjp"
        )
    return out


def _gradient(done: Run, out: Tensor, cotangent: Any, connected: bool) -> list[Any]:
    """Return the gradient by each argument."""
    return done.inputs.filled(pulled_back(out, done.inputs.nodes, cotangent, connected))


def elementwise_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    argnum: int | Sequence[int] | None = None,
) -> Callable[..., Any]:
    r"""Return the function that computes the derivative of `f` at each element.

    For `f` that computes each element of its result from the same element of its input, such as
    `np.tanh`:

    .. math:: f'(x)_i = \partial f(x)_i / \partial x_i

    What it computes is the gradient of the sum of `f`; where elements depend on each other that is
    the sum over a column of the Jacobian, and no such derivative.

    Parameters
    ----------
    f, argnums, argnum
        As for `grad`, of a function that returns an array of the shape of its argument.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns the derivative, of the shape of the argument; see
        `grad`.

    Raises
    ------
    TypeError
        If an argument at `argnums` has no gradient, or the result is complex.
    ValueError
        If the result has another shape than the argument.

    See Also
    --------
    grad, jacobian

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> x = np.array([-1.0, 0.0, 2.0])
    >>> tg.elementwise_grad(np.square)(x)
    array([-2.,  0.,  4.])
    >>> tg.elementwise_grad(tg.elementwise_grad(np.square))(x)
    array([2., 2., 2.])
    """
    checked_function(f, "elementwise_grad")
    where = Argnums(argnums, argnum)

    def call(*args: Any, **kwargs: Any) -> Any:
        done = run(f, args, kwargs, where.positions(args, f))
        out = as_output(done.out, f"the result of {title(f)}")
        if out.dtype.kind == "c":
            raise TypeError(f"{title(f)} returned complex numbers; use vjp")
        for node in done.inputs.nodes:
            if node.shape != out.shape:
                raise ValueError(
                    f"{title(f)} returned shape {out.shape} for an argument of shape {node.shape}; "
                    "elementwise_grad expects one result for each element: use jacobian"
                )
        ones = np.ones(out.shape, out.dtype)
        return where.shaped(_gradient(done, out, ones, not done.leaves_graph(out)))

    return named(call, "elementwise_grad", f)


def stop_gradient(tree: Any) -> Any:
    """Return the same values as constants: no gradient goes through them.

    Parameters
    ----------
    tree
        A Tensor, or tuples, lists and dicts of them.

    Returns
    -------
    Tensor, or the same nesting
        Each Tensor detached, on the same array; everything else as it is.

    Raises
    ------
    TypeError
        If a Module is among them: freeze it with `requires_grad_(False)`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> float(tg.grad(lambda x: tg.stop_gradient(x) * x)(3.0))
    3.0
    """

    def stopped(leaf: Any) -> Any:
        if is_module(leaf):
            raise TypeError(
                f"stop_gradient of a {type(leaf).__name__}: its parameters go on to record; freeze "
                "them with requires_grad_(False)"
            )
        return leaf.detach() if isinstance(leaf, Tensor) else leaf

    return tree_map(stopped, tree)
