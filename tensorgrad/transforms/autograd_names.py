"""The names that autograd has for what is here: make_vjp, make_jvp, grad_and_aux.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .derivatives import grad
from .products import jvp, vjp
from .run import Argnums, checked_function, named


def make_vjp(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """Return autograd's form of `vjp`, by one argument.

    Parameters
    ----------
    f
        As for `vjp`.
    argnum
        The position of the argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns `(vjp_fn, out)`; `vjp_fn` takes a cotangent and
        returns the product.

    See Also
    --------
    vjp

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> vjp_fn, out = tg.make_vjp(np.square)(np.array([1.0, 2.0]))
    >>> vjp_fn(np.array([1.0, 1.0]))
    array([2., 4.])
    """
    where = _one(f, argnum, "make_vjp")

    def call(*args: Any, **kwargs: Any) -> Any:
        of_one, at = _of_one(f, where, args, kwargs)
        out, vjp_fn = vjp(of_one, at)
        return (lambda cotangent: vjp_fn(cotangent)[0]), out

    return named(call, "make_vjp", f)


def make_jvp(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """Return autograd's form of `jvp`, by one argument.

    Parameters
    ----------
    f
        As for `jvp`.
    argnum
        The position of the argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns a function that takes a direction and returns
        `(out, tangent)`.

    See Also
    --------
    jvp

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> out, tangent = tg.make_jvp(np.square)(np.array([1.0, 2.0]))(np.array([1.0, 0.0]))
    >>> tangent
    array([2., 0.])
    """
    where = _one(f, argnum, "make_jvp")

    def call(*args: Any, **kwargs: Any) -> Any:
        of_one, at = _of_one(f, where, args, kwargs)
        return lambda tangent: jvp(of_one, (at,), (tangent,))

    return named(call, "make_jvp", f)


def grad_and_aux(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """Return autograd's name for `grad(f, argnum, has_aux=True)`.

    Parameters
    ----------
    f
        Returns a pair: the number to differentiate, and anything else.
    argnum
        The position of the argument to differentiate by.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns `(gradient, aux)`.

    See Also
    --------
    grad

    Examples
    --------
    >>> import tensorgrad as tg
    >>> gradient, aux = tg.grad_and_aux(lambda x: (x**2, "seen"))(3.0)
    >>> float(gradient), aux
    (6.0, 'seen')
    """
    return grad(f, argnum, has_aux=True)


def _one(f: Callable[..., Any], argnum: int, transform: str) -> Argnums:
    """Return the one position, after checking the function."""
    checked_function(f, transform)
    where = Argnums(argnum)
    if not where.single:
        raise TypeError(f"{transform} takes one argnum, not {argnum!r}: use vjp or jvp for several")
    return where


def _of_one(
    f: Callable[..., Any], where: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[[Any], Any], Any]:
    """Return `f` as a function of one of its arguments, and that argument."""
    (position,) = where.positions(args, f)

    def of_one(x: Any) -> Any:
        return f(*args[:position], x, *args[position + 1 :], **kwargs)

    return of_one, args[position]
