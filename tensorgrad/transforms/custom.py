"""custom_vjp: an op of a user's own, with its rules.

Floor: `transforms`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import Op, Rule, op
from ..tensor import Tensor
from .run import checked_function, title


class custom_vjp:  # noqa: N801 - a decorator, as in JAX
    """A function on arrays with derivatives of its own, as a decorator.

    Inside, the function computes on ndarrays with whatever it likes; its rules, given to `defvjp`,
    are its derivative.

    Parameters
    ----------
    function
        `function(*inputs, **params)` returns one array.  Positional arguments are data, and may be
        Tensors in a call; keyword arguments are parameters, which rules are told of.

    Raises
    ------
    TypeError
        In a call: if there are no rules yet and a gradient is recorded, if a tensor is given by
        keyword, or if the function returns no array.
    TypeError, ValueError
        In the backward pass: if what a rule returns is no array of its input's shape.  The message
        names the function.

    See Also
    --------
    finite_differences

    Examples
    --------
    A square root whose gradient at 0 is 0:

    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> @tg.custom_vjp
    ... def root(x):
    ...     return np.sqrt(x)
    >>> _ = root.defvjp(lambda g, out, x: np.where(out > 0, 0.5 * g / (out + (out == 0)), 0.0))
    >>> tg.elementwise_grad(root)(np.array([0.0, 4.0]))
    array([0.  , 0.25])
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        checked_function(function, "custom_vjp")
        self.name = self.__name__ = title(function)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._op: Op | None = None

    def defvjp(self, *rules: Rule | None) -> custom_vjp:
        """Give the rules of the derivative, one for each positional argument, in order.

        Parameters
        ----------
        *rules
            `rule(g, out, *inputs, **params)` takes the gradient by the result, the result, the
            inputs and the parameters, and returns the gradient by its input, of the input's shape.
            An argument whose name begins with an underscore is not read, and not kept in memory:
            the rule sees only its `shape`, `dtype` and `ndim`.  None for an input that has no
            derivative, such as labels.  A rule of NumPy functions is differentiable itself, and so
            gives derivatives of any order.

        Returns
        -------
        custom_vjp
            Itself.

        Raises
        ------
        TypeError
            If there are more or fewer rules than arguments, or a rule does not take its arguments.
        """
        count = _positional(self.__wrapped__)
        if not rules or (count is not None and len(rules) != count):
            takes = "its" if count is None else str(count)
            raise TypeError(
                f"{self.name} takes {takes} positional arguments and was given {len(rules)} rules: "
                "expected one for each, None where there is no derivative"
            )
        for position, rule in enumerate(rules):
            if rule is not None and count is not None:
                _check_takes(rule, count, f"rule {position} of {self.name}")
        self._op = op(
            _forward(self.__wrapped__, self.name),
            *(rule and _CheckedRule(rule, self.name) for rule in rules),
            name=self.name,
        )
        return self

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Compute the function; record it where a tensor records."""
        for key, value in params.items():
            if isinstance(value, Tensor):
                raise TypeError(
                    f"{self.name} was given the tensor {key} by keyword: give arrays by position, "
                    "so that their rules are found"
                )
        if self._op is None:
            if any(isinstance(arg, Tensor) and arg.requires_grad for arg in args):
                raise TypeError(f"{self.name} has no rules yet: call {self.name}.defvjp(...)")
            return self.__wrapped__(*args, **params)
        if len(args) > len(self._op.rules):
            raise TypeError(
                f"{self.name} was called with {len(args)} positional arguments and has rules for "
                f"{len(self._op.rules)}"
            )
        return self._op(*args, **params)

    def __repr__(self) -> str:
        """Name the function."""
        return f"<custom_vjp {self.name}>"


def _positional(function: Callable[..., Any]) -> int | None:
    """Return how many positional arguments a function takes; None if that varies."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function in C
        return None
    kinds = inspect.Parameter
    if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) for p in parameters)


def _check_takes(rule: Rule, count: int, name: str) -> None:
    """Raise unless a rule takes `g`, `out` and all inputs."""
    parameters = inspect.signature(rule).parameters.values()
    kinds = inspect.Parameter
    places = sum(p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) for p in parameters)
    if places != count + 2 and not any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        raise TypeError(
            f"{name} takes {places} positional arguments; expected {count + 2}: g, out and the "
            f"{count} input{'s' * (count > 1)}"
        )


def _forward(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Wrap a user's function: what it returns must be one array."""

    @functools.wraps(function)
    def forward(*arrays: Any, **params: Any) -> Any:
        out = function(*arrays, **params)
        if isinstance(out, Tensor):
            raise TypeError(
                f"{name} returned a Tensor; it is called with arrays, and must return one: it "
                "closes over a tensor, which should be an argument"
            )
        if type(out) in (int, float, complex):
            out = np.asarray(out)[()]
        if not hasattr(out, "dtype"):
            raise TypeError(f"{name} returned {type(out).__name__}; expected one array")
        return out

    return forward


class _CheckedRule:
    """A user's rule: what it returns must be of floats.  The engine checks the shape."""

    def __init__(self, rule: Rule, name: str) -> None:
        self.rule = rule
        self.name = name
        # The names of the parameters say what it reads.
        self.__signature__ = inspect.signature(rule)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Run the rule."""
        gx = self.rule(*args, **params)
        if hasattr(gx, "dtype") and gx.dtype.kind not in "fc":
            raise TypeError(
                f"a rule of {self.name} returned an array of dtype {gx.dtype}; expected floats"
            )
        return gx
