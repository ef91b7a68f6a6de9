"""Op: the record of one operation, its forward and its rules side by side.

Floor: above `_typing`.  Knows arrays, and neither graph nor Tensor.

A rule computes a vector-Jacobian product, `rule(g, out, *inputs, **params)`: `g` is the
cotangent of the result `out`, and what it returns is the cotangent of one input.  Positional
arguments are data; keyword arguments are static parameters (axis, shape, ...).  An argument whose
name starts with an underscore is not read: the graph does not keep it, and the rule sees of an
input only the `shape` and the `dtype`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np

from ._typing import Axis, Shape

Forward: TypeAlias = Callable[..., Any]
Rule: TypeAlias = Callable[..., Any]
Reads: TypeAlias = tuple[bool, ...]
"""Which of `out, *inputs` a rule reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation: a forward, and the rules of its derivative.

    Made by `op`; see there for the fields.
    """

    name: str
    symbol: str
    forward: Forward
    rules: tuple[Rule | None, ...]
    joint: bool
    elementwise: bool
    selects: bool
    view: bool
    accumulates: bool
    overwrites: bool
    groups: Callable[..., Axis] | None
    reads: tuple[Reads, ...]
    _unread: dict[tuple[int, int], tuple[bool, tuple[int, ...]]] = field(
        default_factory=dict, repr=False
    )

    @property
    def in_place(self) -> bool:
        """Whether the first rule writes into memory that the engine hands to it."""
        return self.accumulates or self.overwrites

    def unread(self, recording: int, count: int) -> tuple[bool, tuple[int, ...]]:
        """Tell what the rules of one application will read.

        Parameters
        ----------
        recording
            Bit i is set where input i records: only its rule will run.
        count
            The number of inputs, which varies for `concatenate` and its like.

        Returns
        -------
        tuple
            Whether they read the result, and the positions of the inputs that they do not read.
        """
        key = (recording, count)
        if key not in self._unread:
            read = [False] * (count + 1)
            for position, reads in enumerate(self.reads):
                if reads and (self.joint or recording >> position & 1):
                    # A `*inputs` parameter speaks for all inputs from its place on.
                    padded = reads + reads[-1:] * (count + 1 - len(reads))
                    read = [a or b for a, b in zip(read, padded, strict=False)]
            unread = tuple(i for i in range(count) if not read[i + 1])
            self._unread[key] = read[0], unread
        return self._unread[key]

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Run the forward on arrays; on Tensors, record.

        This is how a rule calls an op that has no NumPy name, and it follows NumPy's own way:
        the argument's type offers `__apply_op__`.
        """
        for arg in args:
            hook = getattr(type(arg), "__apply_op__", None)
            if hook is not None:
                return hook(self, args, params)
        return self.forward(*args, **params)

    def __repr__(self) -> str:
        """Name the op."""
        return f"<op {self.name}>"


def op(
    forward: Forward,
    *rules: Rule | None,
    name: str | None = None,
    symbol: str | None = None,
    joint: Rule | None = None,
    elementwise: bool = False,
    selects: bool = False,
    view: bool = False,
    accumulates: bool = False,
    overwrites: bool = False,
    groups: Callable[..., Axis] | None = None,
) -> Op:
    """Declare an operation.

    Parameters
    ----------
    forward
        `forward(*inputs, **params)` on ndarrays, one array or NumPy scalar out.
    *rules
        One rule per input, in order, as the law of rules in `ops` has it: what it returns is `g`, a
        view of `g`, or new.  None for an input that has no derivative by nature, such
        as labels and indices.  Inputs beyond the last rule have none either.
    name
        The op's name in messages and drawings; the forward's own by default.
    symbol
        What `_op` and drawings show, such as "+"; the name by default.
    joint
        In place of `rules`, one rule for all inputs, `joint(g, out, *inputs, needs, **params)`:
        `needs` holds a bool per input, and the result is a tuple of cotangents, with anything
        where none is needed.
    elementwise
        Each element of the result depends on one element of each input, after broadcasting.
        The engine sums the cotangents back to the inputs' shapes, so the rules need not.
    selects
        The derivative is 0 where the forward takes nothing of an input.  The rules may multiply by
        a mask, and an infinite cotangent stops there all the same.
    view
        The result may share memory with the first input.
    accumulates
        The first rule is called `rule(into, g, out, *inputs, **params)` and adds its cotangent to
        `into`, of the first input's shape, in place: what reads a row costs a row.
    overwrites
        The first rule writes into `g` and returns it, so that assigning a row costs a row: the
        engine copies a `g` that somebody else may hold, and runs the other rules first.  What they
        return must be new.
    groups
        For an op that reduces or normalises: `groups(**params)` gives the axes whose elements
        depend on each other.  With `elementwise` this is what makes the strong zero possible
        (semantics, rule 7).

    Returns
    -------
    Op
        The record.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.op import op
    >>> cube = op(lambda x: x * x * x, lambda g, _out, x: g * (3.0 * x * x),
    ...           name="cube", elementwise=True)
    >>> cube(np.array([1.0, 2.0]))
    array([1., 8.])
    """
    all_rules: tuple[Rule | None, ...] = (joint,) if joint else rules
    found = name or str(getattr(forward, "__name__", "op"))
    return Op(
        name=found,
        symbol=symbol or found,
        forward=forward,
        rules=all_rules,
        joint=joint is not None,
        elementwise=elementwise,
        selects=selects,
        view=view,
        accumulates=accumulates,
        overwrites=overwrites,
        groups=groups,
        reads=tuple(() if rule is None else _reads(rule, accumulates) for rule in all_rules),
    )


def _reads(rule: Rule, accumulates: bool) -> Reads:
    """Tell which positional arguments after `g` the rule names without an underscore."""
    names: Sequence[str]
    if isinstance(rule, FunctionType):
        # `inspect.signature` of every rule would be a third of the time of the import.
        code = rule.__code__
        count = code.co_argcount
        names = code.co_varnames[:count]
        if code.co_flags & inspect.CO_VARARGS:
            names += (code.co_varnames[count + code.co_kwonlyargcount],)
    else:
        kinds = inspect.Parameter
        positional = (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD, kinds.VAR_POSITIONAL)
        parameters = inspect.signature(rule).parameters.values()
        names = [p.name for p in parameters if p.kind in positional]
    return tuple(not name.startswith("_") for name in names[2 if accumulates else 1 :])


def zeros(shape: Shape, dtype: Any, example: Any) -> Any:
    """Return zeros of the array type of `example`, which may be a NumPy scalar."""
    return np.zeros_like(example, dtype=dtype, shape=shape)


def conjugate(z: Any) -> Any:
    """Return the complex conjugate, and of real numbers the very same array."""
    return np.conj(z) if z.dtype.kind == "c" else z


def unbroadcast(g: Any, shape: Shape) -> Any:
    """Sum `g` over the axes along which an array of `shape` was broadcast.

    The adjoint of broadcasting.

    Parameters
    ----------
    g
        A cotangent whose shape is what `shape` broadcasts to.
    shape
        The shape to come back to.

    Returns
    -------
    array
        Of exactly `shape`.

    Examples
    --------
    >>> unbroadcast(np.ones((2, 3)), (1, 3))
    array([[2., 2., 2.]])
    """
    extra = g.ndim - len(shape)
    stretched = [
        axis for axis, size in enumerate(g.shape) if axis < extra or shape[axis - extra] != size
    ]
    if stretched:
        g = np.sum(g, axis=tuple(stretched))
    return g if g.shape == shape else np.reshape(g, shape)
