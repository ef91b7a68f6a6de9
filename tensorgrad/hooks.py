"""Hooks on tensors: functions that see, and may replace, the gradient of a node during a pass.

Floor: above `graph`, below `backprop`.  A node has no slot for them, which every operation would
have to fill: they stand in a table beside the graph, and a pass looks at it once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Self
from weakref import ref

import numpy as np

from .graph import Leaf, Node
from .op import conjugate


class Hook:
    """One registration of a function; the same function may be registered twice."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again.

    As a context manager it does so at the end.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor(3.0)
    >>> with x.register_hook(lambda g: 10 * g):
    ...     (x * x).backward()
    >>> float(x.grad)
    60.0
    """

    def __init__(self, owner: Any, remove: Callable[[Any], None]) -> None:
        self._owner = ref(owner)
        self._remove = remove

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        owner = self._owner()
        if owner is not None:
            self._remove(owner)

    def __enter__(self) -> Self:
        """Return the handle itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Remove the hook."""
        self.remove()


class HookTable:
    """The hooks of all nodes, in the order in which they were registered."""

    def __init__(self) -> None:
        self.nodes: dict[ref[Node], tuple[Hook, ...]] = {}
        """A plain dict, so that a pass of a few numbers can look at once whether it is empty."""
        self._lock = threading.Lock()
        self.leaves = object()
        """Another one after each change at a leaf: compiled steps look at it."""

    def of(self, node: Node) -> tuple[Hook, ...]:
        """Return the hooks of a node."""
        return self.nodes.get(ref(node), ())

    def on(self, nodes: Iterable[Node]) -> bool:
        """Tell whether any of the nodes has a hook."""
        return bool(self.nodes) and any(ref(node) in self.nodes for node in nodes)

    def add(self, node: Node, function: Callable[[Any], Any]) -> RemovableHandle:
        """Register a function on a node."""
        hook = Hook(function)
        self._change(node, lambda found: (*found, hook))
        return RemovableHandle(
            node,
            lambda owner: self._change(owner, lambda found: tuple(h for h in found if h != hook)),
        )

    def _change(self, node: Node, change: Callable[[tuple[Hook, ...]], tuple[Hook, ...]]) -> None:
        """Replace the hooks of a node, which another thread may be about to do as well."""
        with self._lock:
            found = change(self.of(node))
            if found:
                self.nodes[ref(node, self._forget)] = found
            else:
                self.nodes.pop(ref(node), None)
            if isinstance(node, Leaf):
                self.leaves = object()

    def _forget(self, reference: ref[Node]) -> None:
        self.nodes.pop(reference, None)


hooks: Final = HookTable()


class Hooked(dict[Node, Any]):
    """The cotangents of a pass; what is taken out has gone through the hooks of its node."""

    def pop(self, node: Node, default: Any = None) -> Any:
        """Take the cotangent of a node out, when all its uses have been added up."""
        g = super().pop(node, default)
        return g if g is None else _through(node, g)


def at_leaves(grads: dict[Node, Any]) -> dict[Node, Any]:
    """Send the gradients of leaves through their hooks, at the end of a pass."""
    return {n: _through(n, g) if isinstance(n, Leaf) else g for n, g in grads.items()}


def shown(g: Any) -> Any:
    """Return a gradient as a hook sees it: a copy that cannot be written to.

    The memory of a cotangent may be that of another one, or be written to later in the pass.
    """
    g = conjugate(g).copy()
    if isinstance(g, np.ndarray):
        g.flags.writeable = False
    return g


def checked(found: Any, g: Any, what: str) -> Any:
    """Return the gradient that a hook has returned in place of `g`, of its shape and dtype."""
    if found.shape != g.shape:
        raise ValueError(
            f"a hook on {what} returned a gradient of shape {found.shape}; expected {g.shape}, or "
            "None to leave it as it is"
        )
    if found.dtype.kind == "c" and g.dtype.kind != "c":
        raise TypeError(f"a hook on {what} returned complex numbers for a gradient of {g.dtype}")
    found = found.copy()  # it belongs to the pass, which may write to it
    return conjugate(found if found.dtype == g.dtype else found.astype(g.dtype))


def _through(node: Node, g: Any) -> Any:
    """Return a cotangent as the hooks of its node leave it."""
    for hook in hooks.of(node):
        found = hook.function(shown(g))
        if found is not None:
            name = f" {node.label!r}" if node.label else ""
            g = checked(found, g, f"a tensor{name} of shape {node.shape}")
    return g
