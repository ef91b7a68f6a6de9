"""The graph of a result as a picture: `trace`, `draw_dot`, `save_graph`.

Floor: viz.  Reads the engine's records and its handles; `render` makes the picture.  What is drawn
of a tensor is in `_record`: add a field there.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..checks import one_of
from ..graph import Leaf, Node, topological_order
from ..recording import NUMBERS
from ..tensor import Tensor, handle_of, inputs_of
from .render import RenderError, drawing_class

_DIRECTIONS: Final = ("LR", "TB", "RL", "BT")
_COUNTED: Final = 100_000
# As character entities where DOT allows them, since they mean the same within records and outside.
_ESCAPES: Final = {c: f"&#{ord(c)};" for c in '&"{}|<>'} | {"\\": r"\\", "\n": r"\n"}


def trace(root: Tensor) -> tuple[set[Tensor], set[tuple[Tensor, Tensor]]]:
    """Collect a result and all that it was computed from.

    Parameters
    ----------
    root
        The result.

    Returns
    -------
    nodes : set of Tensor
        The result, the inputs and every value in between, one object for each, also those that
        nobody holds; Python numbers among the operands too, but not constant arrays.
    edges : set of (Tensor, Tensor)
        A pair (input, result) for each operand of each operation.

    Raises
    ------
    TypeError
        If `root` is not a Tensor.

    Examples
    --------
    >>> from tensorgrad import Value
    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> nodes, edges = trace(a * b)
    >>> len(nodes), sorted(source.label for source, _ in edges)
    (3, ['a', 'b'])
    """
    _checked(root)
    tensors = _inputs_first(root)
    edges = {(source, result) for result in tensors for source in inputs_of(result)}
    return set(tensors), edges


def draw_dot(root: Tensor, format: str = "svg", rankdir: str = "LR", max_nodes: int = 1000) -> Any:
    r"""Draw the graph of a result.

    Every tensor is a record; an operation is an ellipse in front of its result.  A number shows its
    label, data and gradient (zero where no backward pass has come); an array its label, shape and
    dtype, and mean and standard deviation of both.  An array in between that neither the graph
    nor a variable keeps is computed again for its statistics, or says "not kept" where a constant
    that it takes is gone.  Constant arrays stand as plain text before the operation.

    Parameters
    ----------
    root
        The result.
    format
        Of the picture that `render` and `pipe` make: `"svg"`, `"png"`, and `"pdf"` where
        Graphviz is installed.
    rankdir
        Where the graph runs to: `"LR"` (left to right), `"TB"`, `"RL"` or `"BT"`.
    max_nodes
        The most tensors that are drawn.

    Returns
    -------
    graphviz.Digraph
        A notebook displays it; `.source` is its DOT source, the same for the same graph,
        `.render(outfile="graph.svg")` and `save_graph` write it to a file.

    Raises
    ------
    TypeError
        If `root` is not a Tensor.
    ValueError
        If the graph has more than `max_nodes` tensors, or an argument is none of the values above.

    Examples
    --------
    >>> from tensorgrad import Value
    >>> a = Value(2.0, label="a")
    >>> print(draw_dot(-a).source)
    digraph {
        graph [rankdir=LR]
        0 [label="{ a | data 2.0000 | grad 0.0000 }" shape=record]
        1 [label="{  | data -2.0000 | grad 0.0000 }" shape=record]
        op1 [label="-"]
        op1 -> 1
        0 -> op1
    }
    <BLANKLINE>
    """
    _checked(root)
    one_of("rankdir", rankdir, *_DIRECTIONS)
    _check_size(root, max_nodes)
    dot = drawing_class()(format=format, graph_attr={"rankdir": rankdir})
    tensors = _inputs_first(root)
    names = {tensor: str(number) for number, tensor in enumerate(tensors)}
    for tensor, name in names.items():
        dot.node(name, _record(tensor), shape="record")
        if not tensor._op:
            continue
        op = f"op{name}"
        dot.node(op, _escaped(tensor._op))
        dot.edge(op, name)
        for source in dict.fromkeys(inputs_of(tensor)):
            dot.edge(names[source], op)
        for place, text in _constant_arrays(tensor._node):
            dot.node(f"{op}_{place}", _escaped(text), shape="plaintext", fontcolor="gray40")
            dot.edge(f"{op}_{place}", op, color="gray40")
    return dot


def save_graph(
    root: Tensor,
    path: str | os.PathLike[str],
    rankdir: str = "LR",
    max_nodes: int = 1000,
) -> Path:
    """Draw the graph of a result into a file.

    Parameters
    ----------
    root, rankdir, max_nodes
        As in `draw_dot`.
    path
        The file; its suffix is the format: `.svg`, `.png`, `.pdf` where Graphviz is installed,
        or `.gv` for the DOT source.  Folders that do not exist are made.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    RenderError
        If no picture can be drawn.  The DOT source is then beside it, with the suffix `.gv`.
    TypeError, ValueError
        As in `draw_dot`, or if the suffix is none of these.
    """
    path = Path(path)
    format = path.suffix.removeprefix(".").lower()
    if format not in ("svg", "png", "pdf", "gv"):
        raise ValueError(f"a graph is saved as .svg, .png, .pdf or .gv, not as {str(path)!r}")
    dot = draw_dot(root, rankdir=rankdir, max_nodes=max_nodes)
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "gv":
        path.write_text(dot.source, encoding="utf-8")
        return path
    try:
        path.write_bytes(dot.pipe(format))
    except RenderError as error:
        source = path.with_suffix(".gv")
        source.write_text(dot.source, encoding="utf-8")
        raise RenderError(f"{error}; the graph's DOT source is in {source}") from None
    return path


def _checked(root: Tensor) -> None:
    """Raise unless the root is a Tensor."""
    if not isinstance(root, Tensor):
        raise TypeError(
            f"a graph belongs to the Tensor that was computed, not to {type(root).__name__}"
        )


def _check_size(root: Tensor, max_nodes: int) -> None:
    """Raise a ValueError, without a walk through all of it, if the graph has too many tensors."""
    limit = max(max_nodes, _COUNTED)
    count = 1
    nodes = {root._node}
    pending = [root._node]
    while pending and count <= limit:
        node = pending.pop()
        if node is None:
            continue
        for parent, value in zip(node.parents, node.inputs, strict=True):
            if parent is None:
                count += type(value) in NUMBERS
            elif parent not in nodes:
                count += 1
                nodes.add(parent)
                pending.append(parent)
    if count > max_nodes:
        raise ValueError(
            f"the graph has {f'more than {limit:,}' if count > limit else f'{count:,}'} tensors, "
            f"and max_nodes={max_nodes:,}: draw an intermediate result or a smaller batch, or set "
            "max_nodes= (the layout of thousands takes minutes)"
        )


def _inputs_first(root: Tensor) -> list[Tensor]:
    """List the tensors of a graph, each after those it was computed from; the same each time."""
    order = [] if root._node is None else topological_order(root._node)
    # What a rule will read of an input is that input's value.
    kept = {
        parent: value
        for node in order
        for parent, value in zip(node.parents, node.inputs, strict=True)
        if parent is not None and value is not parent
    }
    listed: dict[Tensor, None] = {}
    for node in reversed(order):
        tensor = handle_of(node, type(root), kept.get(node))
        listed.update(dict.fromkeys(inputs_of(tensor)))
        listed[tensor] = None
    return [*listed] or [root]


def _value(tensor: Tensor) -> Any:
    """Return the data of a tensor, None where they are gone."""
    try:
        return tensor.data
    except ValueError:
        return None


def _record(tensor: Tensor) -> str:
    """Return the label of a tensor's record."""
    node, value = tensor._node, _value(tensor)
    grad = None
    if node is not None and (not isinstance(node, Leaf) or node.reached):
        grad = node.grad
    if not tensor.shape:
        fields = [f"data {_number(value)}", f"grad {_number(0.0 if grad is None else grad)}"]
    else:
        fields = [f"{tensor.shape}\n{tensor.dtype}", f"data {_statistics(value)}"]
        fields += [] if grad is None else [f"grad {_statistics(grad)}"]
    return f"{{ {' | '.join(_escaped(text) for text in (tensor.label, *fields))} }}"


def _number(value: Any) -> str:
    """Write a number with four decimals, in powers of ten where it would fill the page."""
    number = np.asarray(value).item()  # real or complex
    return f"{number:.4f}" if abs(number) < 1e10 else f"{number:.4e}"


def _statistics(array: Any) -> str:
    """Write the mean and the standard deviation of an array."""
    if array is None:
        return "not kept"
    if not array.size:
        return "empty"
    with np.errstate(all="ignore"):
        # In double precision, since the sum of float16 overflows.
        dtype = complex if array.dtype.kind == "c" else float
        mean, std = np.mean(array, dtype=dtype), np.std(array, dtype=dtype)
    return f"mean {mean:.4g}\nstd {std:.4g}"


def _constant_arrays(node: Node | None) -> Iterator[tuple[int, str]]:
    """Yield the place and the description of the operands that are neither tensors nor numbers."""
    if node is None:
        return
    for place, (parent, value) in enumerate(zip(node.parents, node.inputs, strict=True)):
        if parent is not None or type(value) in NUMBERS:
            continue
        shape = getattr(value, "shape", ())
        if value is None:
            yield place, "constant"
        else:
            yield place, f"{shape}\n{value.dtype}" if shape else f"{value:.4g}"


def _escaped(text: str) -> str:
    """Return a text that DOT draws as it stands, inside a record or outside one."""
    text = "".join(_ESCAPES.get(c) or (c if _drawable(c) else "\ufffd") for c in text.expandtabs())
    # DOT drops the spaces at the ends of a field and all but one in between; its own escape for
    # them, a backslash, loses the first ones too.
    return re.sub(r"(?<= ) |^ | $", "&#160;", text)


def _drawable(character: str) -> bool:
    """Tell whether a picture can hold a character: XML has no control characters or surrogates."""
    return unicodedata.category(character) not in ("Cc", "Cs") and ord(character) & 0xFFFE != 0xFFFE
