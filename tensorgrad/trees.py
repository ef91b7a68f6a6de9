"""Trees: nested tuples, lists and dicts, and the leaves in them.

Lowest floor: imports nothing of the project.  None is an empty tree; whatever else is no tuple, no
list and no dict is a leaf.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def flatten(tree: Any, name: str) -> list[tuple[str, Any]]:
    """List the leaves in order, each with where it is: `argument 0['layers'][1]`."""
    if isinstance(tree, (tuple, list)):
        parts: Iterable[tuple[Any, Any]] = enumerate(tree)
    elif isinstance(tree, dict):
        parts = tree.items()
    else:
        return [] if tree is None else [(name, tree)]
    return [leaf for key, part in parts for leaf in flatten(part, f"{name}[{key!r}]")]


def rebuild(tree: Any, leaves: Iterator[Any]) -> Any:
    """Return a tree of the same shape with other leaves, taken in order."""
    if isinstance(tree, dict):
        filled = copy.copy(tree)  # a subclass keeps what else it has, such as a default
        for key, part in tree.items():
            filled[key] = rebuild(part, leaves)
        return filled
    if isinstance(tree, (tuple, list)):
        parts = [rebuild(part, leaves) for part in tree]
        # A namedtuple takes its fields one by one.
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return None if tree is None else next(leaves)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree of the same shape with the function of each leaf."""
    return rebuild(tree, (function(leaf) for _, leaf in flatten(tree, "")))


def matched(tree: Any, like: Any, name: str) -> list[tuple[str, Any]]:
    """List what of `tree` stands where `like` has its leaves, in order, each with where it is.

    Raises
    ------
    TypeError
        If the two trees have different shapes.
    """
    if isinstance(like, dict):
        if not isinstance(tree, dict) or tree.keys() != like.keys():
            given = f"the keys {list(tree)}" if isinstance(tree, dict) else f"{type(tree).__name__}"
            raise TypeError(f"{name} has {given}; expected a dict with the keys {list(like)}")
        parts = [(key, tree[key], part) for key, part in like.items()]
    elif isinstance(like, (tuple, list)):
        if not isinstance(tree, (tuple, list)) or len(tree) != len(like):
            size = f" of {len(tree)}" if isinstance(tree, (tuple, list)) else ""
            raise TypeError(
                f"{name} is a {type(tree).__name__}{size}; expected a {type(like).__name__} of "
                f"{len(like)}"
            )
        parts = [(key, tree[key], part) for key, part in enumerate(like)]
    else:
        return [] if like is None else [(name, tree)]
    return [leaf for key, a, b in parts for leaf in matched(a, b, f"{name}[{key!r}]")]
