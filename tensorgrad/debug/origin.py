"""Origin: which line of the user's code recorded a node, and in which module's `forward`.

Floor: `debug`, below its other modules.  Kept for as long as the node lives, and for no longer: in
a table of weak references, whose values hold no node.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary, ref

import numpy as np

from .. import backprop
from ..graph import Node

_LIBRARIES: Final = tuple(
    os.path.dirname(path) + os.sep  # noqa: PTH120 - compared with the names in code objects
    for path in (os.path.dirname(__file__), np.__file__)  # noqa: PTH120
)
_PASS: Final = backprop._Pass.careful.__code__


class Origin(NamedTuple):
    """Where a node was recorded."""

    file: str
    line: int
    function: str
    root: ref[Any] | None
    """The outermost module whose method was running."""
    module: ref[Any] | None
    """The innermost one."""
    derivative: str
    """What a pass was taking the derivative of, if it was a pass that recorded the node."""

    def __str__(self) -> str:
        """Say it in a line or two, with the text of the line."""
        text = linecache.getline(self.file, self.line).strip()
        lines = [f"recorded at {self.place}, in {self.function}" + (f": {text}" if text else "")]
        if self.derivative:
            lines.append(f"while the gradient of {self.derivative} was computed")
        path = self.path
        if path:
            lines.append(f"by {path}")
        return "\n".join(lines)

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.file}:{self.line}"

    @property
    def path(self) -> str:
        """The innermost module, as `layers.0 (Linear) of MLP`."""
        root, module = _alive(self.root), _alive(self.module)
        if module is None:
            return ""
        name = type(module).__name__
        if root is None or root is module:
            return name
        found = _name_in(root, module)
        return f"{found} ({name}) of {type(root).__name__}" if found else name

    def parameter(self, leaf: Node) -> str:
        """Return the dotted name of a leaf in the outermost module, "" where it has none."""
        root = _alive(self.root)
        return "" if root is None else _name_in(root, leaf)


class Record(NamedTuple):
    """What is known of a node that was recorded while anomalies were being detected."""

    origin: Origin
    sums: dict[int, int]
    """The checksums of the inputs that it keeps, by position; that of its result is at -1."""


records: Final[WeakKeyDictionary[Node, Record]] = WeakKeyDictionary()


def origin_of(node: Node) -> Origin | None:
    """Return where a node was recorded, if that is known."""
    record = records.get(node)
    return record.origin if record else None


def found_origin() -> tuple[Origin, bool]:
    """Look through the calls that are running; tell as well whether a pass records itself."""
    user: FrameType | None = None
    modules: list[Any] = []
    derivative = ""
    in_pass = False
    frame: FrameType | None = sys._getframe(1)
    outermost = frame
    while frame is not None:
        code = frame.f_code
        if user is None and not code.co_filename.startswith(_LIBRARIES):
            user = frame
        if code is _PASS:
            local = frame.f_locals
            if not in_pass and local["self"].lift is not None:
                derivative, in_pass = _described(local["node"]), True
        elif code.co_argcount and code.co_varnames[0] == "self":
            module = frame.f_locals.get("self")
            if callable(getattr(type(module), "named_parameters", None)):
                modules.append(module)
        outermost, frame = frame, frame.f_back
    user = user or outermost
    assert user is not None
    root, innermost = (modules[-1], modules[0]) if modules else (None, None)
    code = user.f_code
    return Origin(
        code.co_filename, user.f_lineno, code.co_name, _weak(root), _weak(innermost), derivative
    ), in_pass


def _described(node: Node) -> str:
    """Name a node's op, and its line where that is known."""
    assert node.op is not None
    origin = origin_of(node)
    return f"{node.op.name} ({origin.place})" if origin else node.op.name


def _weak(module: Any) -> ref[Any] | None:
    """Return a weak reference, since a module may hold a graph that holds the record."""
    try:
        return None if module is None else ref(module)
    except TypeError:  # a class with slots
        return None


def _alive(reference: ref[Any] | None) -> Any:
    """Return what a weak reference refers to, None if it is gone."""
    return None if reference is None else reference()


def _members(item: Any) -> Iterable[tuple[Any, Any]]:
    """Give what is in a module or a container, with its names."""
    if isinstance(item, dict):
        return item.items()
    if isinstance(item, (list, tuple)):
        return enumerate(item)
    own = getattr(item, "_members", None)
    if own is not None:
        return own()  # type: ignore[no-any-return]
    return vars(item).items() if hasattr(item, "__dict__") else ()


def _walk(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is in a module, and in what is in it, with dotted names; each once."""
    seen = {id(root): root}
    stack = [(str(key), item) for key, item in _members(root)][::-1]
    while stack:
        name, item = stack.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        yield name, item
        if isinstance(item, (dict, list, tuple)) or hasattr(type(item), "named_parameters"):
            stack += [(f"{name}.{key}", below) for key, below in _members(item)][::-1]


def _name_in(root: Any, wanted: Any) -> str:
    """Return the dotted name of a module, or of the tensor on a node; "" if it is not there."""
    for name, item in _walk(root):
        if item is wanted or getattr(item, "_node", None) is wanted:
            return name
    return ""
