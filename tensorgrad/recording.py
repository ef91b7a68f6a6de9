"""Recording: the node of each application of an op, and the operators built on it.

Floor: above `arguments`.  The classes that record are the caller's: `tensor`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from weakref import ref

from ._typing import ArrayLike
from .arguments import is_operand, unwrapped
from .graph import Node, _modes, clock, watchers
from .handle import Handle
from .op import Op

NUMBERS: Final = (float, int)
"""Python's numbers, which stay weak and are kept by the graph for drawings."""

_NO_PARAMS: Final[dict[str, Any]] = {}
H = TypeVar("H", bound=Handle)
_new = object.__new__


def made(cls: type[H], out: Any) -> H:
    """Wrap an array in a handle that does not record."""
    tensor = _new(cls)
    tensor._data = out
    tensor._node = None
    return tensor


def recorded(
    cls: type[H],
    op: Op,
    parents: tuple[Node | None, ...],
    inputs: tuple[Any, ...],
    out: Any,
    keep_out: bool,
    params: dict[str, Any] = _NO_PARAMS,
) -> H:
    """Wrap a result in a handle on a new node.

    One function for both, and attributes set one by one: calls are what a small op costs, and
    this took a fifth off it.
    """
    tensor = _new(cls)
    tensor._data = out
    tensor._node = node = Node()
    node.op = op
    node.parents = parents
    node.inputs = inputs
    node.params = params
    node.shape = shape = out.shape
    node.dtype = out.dtype
    node.out = out if keep_out or not shape else None
    node.time = clock.now
    node.grad = None
    node.label = ""
    node.keeps_grad = False
    node.handle = ref(tensor)
    return tensor


def watched(tensor: H, inputs: Sequence[Any]) -> H:
    """Tell the watchers of this thread of a node just recorded."""
    for watcher in watchers():
        watcher.record(tensor._node, inputs, tensor._data)  # type: ignore[arg-type]
    return tensor


def record(
    cls: type[H],
    op: Op,
    parents: Sequence[Node | None],
    recording: int,
    inputs: list[Any],
    params: dict[str, Any],
    out: Any,
) -> H:
    """Wrap a result in a handle on a new node that keeps what the rules of `op` will read.

    Bit i of `recording` is set where input i records.  Of an input that no rule reads, its node is
    kept; numbers are kept in any case, since they cost nothing and drawings show them.
    """
    keep_out, unread = op.unread(recording, len(parents))
    kept = list(inputs)
    for i in unread:
        if type(inputs[i]) not in NUMBERS:
            kept[i] = parents[i]
    tensor = recorded(cls, op, tuple(parents), tuple(kept), out, keep_out, params)
    return tensor if _modes.get()[-1] is True else watched(tensor, inputs)


def applied(op: Op, tensor: H, params: dict[str, Any]) -> H:
    """Run an operation on one tensor, and record it.

    What most calls of `apply` are: it spares `x.sum()` of a small array a sixth of its time.
    """
    cls, x, parent = type(tensor), tensor._data, tensor._node
    out = op.forward(x, **params)
    if parent is None or (mode := _modes.get()[-1]) is False:
        return made(cls, out)
    keep_out, unread = op.unread(1, 1)
    result = recorded(cls, op, (parent,), (parent if unread else x,), out, keep_out, params)
    return result if mode is True else watched(result, (x,))


def binary_operator(op: Op, reflected: bool = False) -> Callable[[H, ArrayLike], H]:
    """Make the method of a binary operator.

    The short way is for what a loop over small tensors consists of: two operands of one class, or a
    Python number.  It takes half of the time of `apply`, and spells out what `recorded` does, since
    the call alone would be a tenth of it.
    """
    forward = op.forward
    both, left, right = (op.unread(recording, 2) for recording in (3, 1, 2))
    modes = _modes.get

    def method(self: Any, other: ArrayLike) -> Any:
        cls = type(self)
        kind = type(other)
        x, px = self._data, self._node
        if kind is cls:
            y, py = other._data, other._node
        elif kind is float or kind is int:
            y, py = other, None
        elif is_operand(other):
            return self.__apply_op__(op, (other, self) if reflected else (self, other), {})
        else:
            return NotImplemented
        if reflected:
            x, y, px, py = y, x, py, px
        tensor = _new(cls)
        tensor._data = out = forward(x, y)
        if (px is None and py is None) or (mode := modes()[-1]) is False:
            tensor._node = None
            return tensor
        tensor._node = node = Node()
        node.op = op
        node.parents = parents = (px, py)
        keep_out, unread = left if py is None else right if px is None else both
        if not unread:
            node.inputs = (x, y)
        elif kind is cls and len(unread) == 2:
            node.inputs = parents
        else:
            node.inputs = (
                px if 0 in unread and type(x) not in NUMBERS else x,
                py if 1 in unread and type(y) not in NUMBERS else y,
            )
        node.params = _NO_PARAMS
        node.shape = shape = out.shape
        node.dtype = out.dtype
        node.out = out if keep_out or not shape else None
        node.time = clock.now
        node.grad = None
        node.label = ""
        node.keeps_grad = False
        node.handle = ref(tensor)
        return tensor if mode is True else watched(tensor, (x, y))

    method.__name__ = op.name
    return method


def unary_method(op: Op) -> Callable[[H], H]:
    """Make the method of an op of one array, with a short way as in `binary_operator`."""
    forward = op.forward
    keep_out, unread = op.unread(1, 1)

    def method(self: Any) -> Any:
        x, parent = self._data, self._node
        out = forward(x)
        if parent is None or (mode := _modes.get()[-1]) is False:
            return made(type(self), out)
        tensor = recorded(type(self), op, (parent,), (parent if unread else x,), out, keep_out)
        return tensor if mode is True else watched(tensor, (x,))

    method.__name__ = op.name
    method.__doc__ = f"Apply `tensorgrad.{op.name}`."
    return method


def in_place_operator(
    write: Callable[[Any, Any], Any], compute: Callable[[Any, Any], Any]
) -> Callable[[H, ArrayLike], H]:
    """Make the method of an in-place operator from Python's two, such as `iadd` and `add`."""

    def method(self: Any, other: ArrayLike) -> Any:
        if not is_operand(other):
            return NotImplemented
        if self._writes_in_place():
            operand, data = unwrapped(other), self._writable()
            try:
                data = write(data, operand)
            finally:  # an error on the way may have written a part
                self.data = data
        else:
            self._move_to(compute(self, other))
        return self

    return method


def comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, ArrayLike], Any]:
    """Make the method of a comparison: an ndarray of booleans, outside the graph."""

    def method(self: Any, other: ArrayLike) -> Any:
        return compare(self._data, unwrapped(other)) if is_operand(other) else NotImplemented

    return method
