"""Node: the record of one application of an op; recording on and off; the topological order.

Floor: beside `op`.  A Node records and computes nothing; `backprop` walks it, `tensor` makes it.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import ref

import numpy as np

from ._typing import Shape

if TYPE_CHECKING:
    from .op import Op

F = TypeVar("F", bound=Callable[..., Any])


class Node:
    """What one application of an op leaves behind.

    Recorded once, never changed: `op`, `parents` (the node of each input, None for a constant),
    `inputs` (of each input what the rules read, else its node), `params`, `out` (the result where
    a rule reads it or where it is a single number), `shape` and `dtype` of the result, `time` (the
    clock when it was made).  Beside them, for people: `grad`, `label`, `keeps_grad`, and
    `handle`, a weak reference to the one Tensor on this node.
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "grad",
        "handle",
        "inputs",
        "keeps_grad",
        "label",
        "op",
        "out",
        "params",
        "parents",
        "shape",
        "time",
    )

    op: Op | None
    parents: tuple[Node | None, ...]
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    out: Any
    shape: Shape
    dtype: np.dtype[Any]
    time: int
    grad: Any
    label: str
    keeps_grad: bool
    handle: ref[Any] | None

    @property
    def ndim(self) -> int:
        """The number of axes of the result."""
        return len(self.shape)

    def __repr__(self) -> str:
        """Name the op, the dtype and the shape."""
        name = self.op.name if self.op else "leaf"
        return f"<node {name} {self.dtype}{list(self.shape)}>"


class Leaf(Node):
    """A node that no op made: a parameter or an input whose gradient is wanted.

    Its `time` is that of the last write to its data.  `grad` counts only where `reached` is
    set, by a backward pass or by an assignment; before that it may hold the zeros that somebody
    read.
    """

    __slots__ = ("reached",)

    reached: bool

    def __init__(self, data: Any) -> None:
        self.op = None
        self.parents = ()
        self.inputs = ()
        self.params = {}
        self.out = data
        self.shape = data.shape
        self.dtype = data.dtype
        self.time = clock.now
        self.grad = None
        self.label = ""
        self.keeps_grad = False
        self.handle = None
        self.reached = False


class Clock:
    """Counts the writes to leaves.

    A node recorded at time t has read its leaves as they were at t; a leaf with a later `time`
    has changed since.
    """

    __slots__ = ("_lock", "now")

    def __init__(self) -> None:
        self.now = 0
        self._lock = threading.Lock()

    def tick(self) -> int:
        """Count one write and return its time."""
        with self._lock:
            self.now += 1
            return self.now


clock = Clock()


def last_write(node: Node) -> int:
    """Return when the memory of this node's result was last written.

    A view (transpose, reshape, a slice) changes with the leaf that it looks at.
    """
    while node.op is not None and node.op.view and node.parents[0] is not None:
        node = node.parents[0]
    return node.time


def topological_order(root: Node) -> list[Node]:
    """List the interior nodes below `root`, each before the nodes it was computed from.

    Iterative, so that depth is bounded by memory alone, and deterministic: the order depends on
    the graph only.  Kahn's algorithm (1962) over the number of uses.

    Parameters
    ----------
    root
        The node to start from; itself first in the list, unless it is a leaf.

    Returns
    -------
    list of Node
        Leaves are left out: nothing is computed from them.
    """
    if root.op is None:
        return []
    uses: dict[Node, int] = {root: 0}
    stack = [root]
    while stack:
        for parent in stack.pop().parents:
            if parent is None or parent.op is None:
                continue
            if parent in uses:
                uses[parent] += 1
            else:
                uses[parent] = 1
                stack.append(parent)
    order = []
    ready = [root]
    while ready:
        node = ready.pop()
        order.append(node)
        for parent in node.parents:
            if parent is None or parent.op is None:
                continue
            if uses[parent] == 1:
                ready.append(parent)
            else:
                uses[parent] -= 1
    return order


class Watcher:
    """A recording mode that is told of each node and of each pass; anomaly detection is one."""

    careful = True
    """Whether passes run node by node under its eyes; if not, it sees what is recorded only."""

    def record(self, node: Node, inputs: Sequence[Any], out: Any) -> None:
        """Take note of a node just made from `inputs`, with the result `out`."""

    def leave_graph(self, node: Node, how: str) -> None:
        """Take note that the value of a recording tensor leaves its graph, as by `float(x)`."""

    def before_rules(self, node: Node, g: Any) -> None:
        """Take note that the rules of a node are about to run on the cotangent `g`."""

    def after_rules(self, node: Node, g: Any, given: Sequence[tuple[int, Any]]) -> None:
        """Take note of what they returned: pairs of an input's position and its cotangent."""

    def after_pass(self, grads: dict[Node, Any]) -> None:
        """Take note of the gradients that a pass is about to hand out."""

    def draw(self, generator: Any, method: str, args: Any, params: dict[str, Any]) -> Any:
        """Draw random numbers in a way of its own; None leaves it to the generator."""


# The modes entered and not yet left, innermost last: False (recording is off), True, or a Watcher.
# A tuple in a context variable: every thread and every asyncio task has its own, and a shared
# `no_grad()` object holds no state.
Mode: TypeAlias = bool | Watcher
_modes: ContextVar[tuple[Mode, ...]] = ContextVar("tensorgrad_recording", default=(True,))


def is_grad_enabled() -> bool:
    """Tell whether operations are recorded in this thread and context."""
    return _modes.get()[-1] is not False


def watchers() -> list[Watcher]:
    """List the watchers of this thread and context, outermost first, under `no_grad` as well.

    Nothing is recorded there, but a backward pass is watched all the same.
    """
    found = [mode for mode in _modes.get() if isinstance(mode, Watcher)]
    return found if len(found) < 2 else list(dict.fromkeys(found))


def draw(generator: np.random.Generator, method: str, *args: Any, **params: Any) -> Any:
    """Draw random numbers, by `getattr(generator, method)`, so that watchers know of it."""
    for watcher in watchers():
        drawn = watcher.draw(generator, method, args, params)
        if drawn is not None:
            return drawn
    return getattr(generator, method)(*args, **params)


class ModeSwitch:
    """A context manager and decorator that enters a recording mode."""

    def _mode(self) -> Mode:
        """Return the mode to enter."""
        raise NotImplementedError

    def __enter__(self) -> None:
        _modes.set((*_modes.get(), self._mode()))

    def __exit__(self, *_exception: object) -> None:
        _modes.set(_modes.get()[:-1])

    def __init__(self, *function: object) -> None:
        if function:
            raise TypeError(
                f"{type(self).__name__} takes no argument: write @{type(self).__name__}()"
            )

    def __call__(self, function: F) -> F:
        """Run every call of the function, or every step of the generator, in this mode."""
        if inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{type(self).__name__}() does not decorate asynchronous generators: use it as a "
                "context manager inside"
            )
        if inspect.isgeneratorfunction(function):
            wrapper = self._wrap_generator(function)
        elif inspect.iscoroutinefunction(function):
            wrapper = self._wrap_coroutine(function)
        else:
            wrapper = self._wrap_function(function)
        return functools.wraps(function)(wrapper)  # type: ignore[return-value]

    def _wrap_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return call

    def _wrap_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return call

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            generator = function(*args, **kwargs)
            sent, raised = None, None
            # The caller runs in its own mode between two steps.
            while True:
                try:
                    with self:
                        item = generator.throw(raised) if raised else generator.send(sent)
                except StopIteration as stop:
                    return stop.value
                finally:
                    raised = None  # or the exception and this frame would hold each other
                try:
                    sent = yield item
                except GeneratorExit:
                    generator.close()
                    raise
                except BaseException as exception:  # noqa: BLE001 - handed on to the generator
                    sent, raised = None, exception

        return call


class no_grad(ModeSwitch):  # noqa: N801 - lower case as in PyTorch: it reads as a statement
    """Switch recording off, as a context manager or a decorator.

    Per thread and per context; may be nested; an exception restores the mode before it.  A
    decorated generator runs its own steps without recording, and leaves the caller's mode alone.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 2.0])
    >>> with tg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def _mode(self) -> Mode:
        return False


class enable_grad(ModeSwitch):  # noqa: N801 - lower case as in PyTorch
    """Switch recording back on, inside `no_grad`; as a context manager or a decorator.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor(3.0)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     y = x * x
    >>> y.requires_grad
    True
    """

    def _mode(self) -> Mode:
        # Who watched outside a `no_grad` watches on inside it.
        return next((mode for mode in reversed(_modes.get()) if mode is not False), True)
