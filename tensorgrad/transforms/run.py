"""One call of a user's function on inputs that record, and what of its results to hand out.

Floor: `transforms`, below its other modules.  A transform does not record on the arguments
themselves: each array, and each recording tensor, is given to the function as the result of an op
of its own, `argument`.  So two transforms, one in the other, never take each other's input for
their own.  A Module is used as it is, with its parameters for inputs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..graph import Leaf, Node, enable_grad, is_grad_enabled
from ..handle import differentiable, to_array
from ..numpy_api import concatenate
from ..op import op
from ..recording import record
from ..tensor import Tensor, as_tensor
from ..trees import flatten, rebuild, tree_map


class Span:
    """The time of a call: what is recorded on its inputs after it are constants to others."""

    def __init__(self) -> None:
        self.open = True


argument: Final = op(
    lambda x, *, span: x,  # noqa: ARG005 - `span` is for `leaves_graph`
    lambda g, _out, _x, **_: g,
    name="argument",
    elementwise=True,
    view=True,
)

# The parameters of modules by which the transforms around this place in the program differentiate.
_parameters: ContextVar[frozenset[Node]] = ContextVar("tensorgrad_parameters", default=frozenset())


def is_module(leaf: Any) -> bool:
    """Tell whether a leaf holds parameters: `nn` lies above, so what it offers decides."""
    return not isinstance(leaf, type) and callable(getattr(leaf, "named_parameters", None))


class Inputs:
    """The arguments of a call, some of them recorded.

    `args` is what the function is called with.  `shapes` holds, for each argument recorded, the
    tree that its gradients will have, with nodes for leaves; `nodes` are these leaves, in order.
    """

    def __init__(self, args: Sequence[Any], positions: Sequence[int], connected: bool) -> None:
        """Record on the arguments at `positions`; on top of what records there, if `connected`."""
        self.args: list[Any] = list(args)
        self.shapes: list[Any] = []
        self.span = Span()
        for position in positions:
            seen: list[Any] = []
            nodes: list[Any] = []
            for name, leaf in flatten(args[position], f"argument {position}"):
                if is_module(leaf):
                    seen.append(leaf)
                    nodes.append(_parameter_nodes(leaf, name))
                else:
                    seen.append(as_input(leaf, name, connected, self.span))
                    nodes.append(seen[-1]._node)
            self.args[position] = rebuild(args[position], iter(seen))
            self.shapes.append(rebuild(args[position], iter(nodes)))
        self.nodes: list[Node] = [node for _, node in flatten(self.shapes, "")]
        if not self.nodes:
            raise ValueError(
                f"nothing to differentiate by: argument {', '.join(map(str, positions))} holds no "
                "array, no number and no parameter that records"
            )

    def filled(self, values: Sequence[Any]) -> list[Any]:
        """Return for each position the tree of its values, of which there is one per node."""
        return rebuild(self.shapes, iter(values))  # type: ignore[no-any-return]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record, and let transforms inside know of these inputs."""
        leaves = {node for node in self.nodes if isinstance(node, Leaf)}
        token = _parameters.set(_parameters.get() | leaves)
        try:
            with enable_grad():
                yield
        finally:
            _parameters.reset(token)
            self.span.open = False


def _parameter_nodes(module: Any, name: str) -> dict[str, Node]:
    """Return the nodes of the parameters of a module that record, by name."""
    found = {key: parameter._node for key, parameter in module.named_parameters()}
    nodes = {key: node for key, node in found.items() if node is not None}
    if not nodes:
        raise ValueError(f"{name}, a {type(module).__name__}, has no parameter that records")
    return nodes


def as_input(value: Any, name: str, connected: bool = True, span: Span | None = None) -> Tensor:
    """Return a tensor that records for itself: the result of `argument` on a value.

    Parameters
    ----------
    value
        A Tensor, an array of floats or complex numbers, or a Python number.
    name
        Where it stands, for messages.
    connected
        Whether the gradient goes on to a tensor that records.
    span
        The call that it is an input of.

    Raises
    ------
    TypeError
        If `value` has no gradient.
    """
    cls, parent = Tensor, None
    if isinstance(value, Tensor):
        cls, data = type(value), value._data if hasattr(value, "_data") else value.data
        parent = value._node if connected else None
    elif type(value) in (int, float):
        data = np.float64(value)
    elif isinstance(value, np.inexact):
        data = value
    elif isinstance(value, (str, bytes, set, np.str_)) or callable(value):
        raise TypeError(f"{name} is {value!r}; expected floats: close over what is no number")
    else:
        data = to_array(value, name)
    if not differentiable(data.dtype):
        kind = f"of dtype {data.dtype}" if data.shape else f"{value!r}, of dtype {data.dtype}"
        raise TypeError(
            f"{name} is {kind}, which has no gradient: give floats, as with .astype(float), or "
            "leave it out of argnums"
        )
    return record(cls, argument, [parent], 1, [data], {"span": span}, data)


@dataclass
class Run:
    """A call that was made."""

    inputs: Inputs
    out: Any
    """What the function returned."""
    connected: bool
    """Whether operations were recorded around the call."""

    def leaves_graph(self, *tensors: Tensor) -> bool:
        """Tell whether tensors depend on nothing that records but the inputs.

        If so, plain arrays say all that there is to say of them.
        """
        if not self.connected:
            return True
        own, outer = set(self.inputs.nodes), _parameters.get()
        stack = [tensor._node for tensor in tensors if tensor._node is not None]
        seen = set(stack)
        while stack:
            node = stack.pop()
            if isinstance(node, Leaf):
                if node not in own or node in outer:
                    return False
            elif node.op is argument and node.params["span"] and node.params["span"].open:
                return False  # an input of a transform around this one
            for parent in node.parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return True

    def handed_out(self, tree: Any) -> Any:
        """Return results as the caller gets them: plain, unless something outside records."""
        return tree_map(
            lambda x: plain(x) if isinstance(x, Tensor) and self.leaves_graph(x) else x, tree
        )


def run(
    f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], positions: Sequence[int]
) -> Run:
    """Call a function with the arguments at `positions` recorded."""
    connected = is_grad_enabled()
    inputs = Inputs(args, positions, connected)
    with inputs.recording():
        out = f(*inputs.args, **kwargs)
    return Run(inputs, out, connected)


def plain(x: Any) -> Any:
    """Return the array of a tensor; of a single number, the NumPy scalar, as NumPy itself does."""
    data = x.data if isinstance(x, Tensor) else x
    return data if data.shape else data[()]


def as_output(value: Any, name: str) -> Tensor:
    """Return a result of the user's function as a tensor.

    Raises
    ------
    TypeError
        If it has no derivative.
    """
    if type(value) in (int, float):
        return as_tensor(np.float64(value))
    if not hasattr(value, "dtype"):
        kind = "None" if value is None else f"a {type(value).__name__}"
        raise TypeError(f"{name} is {kind}; expected a tensor, an array or a number")
    tensor = as_tensor(value)
    if not differentiable(tensor.dtype):
        raise TypeError(
            f"{name} is of dtype {tensor.dtype}, which has no derivative: return floats"
        )
    return tensor


def outputs(run: Run, f: Callable[..., Any]) -> list[Tensor]:
    """Return the leaves of the tree that a function returned."""
    found = [as_output(leaf, name) for name, leaf in flatten(run.out, f"the result of {title(f)}")]
    if not found:
        raise TypeError(f"{title(f)} returned {run.out!r}; expected a tensor, or a tree of them")
    return found


def packed(tensors: Sequence[Tensor]) -> Tensor:
    """Lay several tensors side by side along one axis; one stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    with enable_grad():
        flat = [tensor.ravel() for tensor in tensors]
        return concatenate(flat)


def unpacked(flat: Any, like: Sequence[Any]) -> list[Any]:
    """Take apart what `packed` put together, along the last axes of `flat`."""
    if len(like) == 1:
        return [flat]
    parts, start = [], 0
    for one in like:
        size = int(np.prod(one.shape, dtype=int))
        part = flat[start : start + size].reshape(one.shape)
        if part.dtype.kind == "c" and one.dtype.kind != "c":
            part = np.real(part)
        parts.append(part if part.dtype == one.dtype else part.astype(one.dtype))
        start += size
    return parts


# --- what the makers of functions share -----------------------------------------------------------


def checked_function(f: Any, transform: str) -> None:
    """Raise unless `f` can be called."""
    if not callable(f):
        raise TypeError(
            f"{transform} takes the function itself, not {type(f).__name__}: {transform}(f)(x)"
        )


def title(f: Any) -> str:
    """Return the name of a function for messages."""
    return str(getattr(f, "__name__", type(f).__name__))


def named(call: Callable[..., Any], transform: str, f: Any) -> Callable[..., Any]:
    """Give a new function a name that says what it is."""
    call.__name__ = call.__qualname__ = f"{transform}({title(f)})"
    call.__doc__ = f"Compute the {transform} of {title(f)}, with its arguments."
    return call


class Argnums:
    """The positions of the arguments to differentiate by, as a user gave them."""

    def __init__(
        self, argnums: int | Sequence[int], argnum: int | Sequence[int] | None = None
    ) -> None:
        given = argnums if argnum is None else argnum
        self.single = not isinstance(given, (tuple, list))
        several: Any = [given] if self.single else given
        try:
            self.given = [operator.index(n) for n in several]
        except TypeError:
            raise TypeError(
                f"argnums is {given!r}; expected the position of an argument, or a tuple of them"
            ) from None
        if not self.given:
            raise ValueError("argnums is empty: name an argument to differentiate by")

    def positions(self, args: Sequence[Any], f: Any) -> list[int]:
        """Return the positions in a call, counted from the front."""
        count = len(args)
        for n in self.given:
            if not -count <= n < count:
                raise ValueError(
                    f"argnums names argument {n}, but {title(f)} was called with {count} "
                    f"positional argument{'s' * (count != 1)}"
                )
        positions = [n % count for n in self.given]
        if len(set(positions)) < len(positions):
            raise ValueError(f"argnums {tuple(self.given)} names an argument twice")
        return positions

    def shaped(self, results: list[Any]) -> Any:
        """Return one result for one argument, a tuple for several."""
        return results[0] if self.single else tuple(results)
