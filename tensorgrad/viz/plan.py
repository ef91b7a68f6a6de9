"""The plan of a compiled function as a picture: `step.draw()`.

Floor: viz, beside `graph`.  Reads the rows of `step.plan`; `render` makes the picture.
"""

from __future__ import annotations

from typing import Any, Final

from ..checks import one_of
from ..compiler.report import PlanTable, Row
from .graph import _DIRECTIONS, _escaped
from .render import drawing_class

COLOURS: Final = {"forward": "#cfe3f7", "backward": "#fbdcbd", "update": "#d3ecc8"}
"""What fills an operation, by its phase."""
_LINES: Final = 12
"""How many operations of a chain are written out."""


def draw_plan(
    plan: PlanTable, format: str = "svg", rankdir: str = "TB", max_nodes: int = 300
) -> Any:
    """Draw the plan of a compiled function.

    An operation is a rounded box in the colour of its phase, with the number of its row in
    `step.plan`, and what it makes; a chain is one of them, with its lines.  What comes from outside
    - arguments, parameters, state, arrays - is a white box.  Views that are resolved once are left
    out.  A thick border marks what the caller gets.

    Parameters
    ----------
    plan
        `step.plan` of a function that `tg.compile` has made and that was called.
    format, rankdir
        As in `draw_dot`.
    max_nodes
        The most operations that are drawn.

    Returns
    -------
    graphviz.Digraph
        As of `draw_dot`.

    Raises
    ------
    TypeError
        If `plan` is not a plan.
    ValueError
        If it has more than `max_nodes` operations, or `rankdir` is no direction.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> double = tg.compile(lambda x: x * 2)
    >>> _ = double(np.ones(3))
    >>> draw_plan(double.plan)
    <drawing of 7 nodes and edges>
    """
    if not isinstance(plan, PlanTable):
        raise TypeError(f"expected the plan of a compiled function, not {type(plan).__name__}")
    one_of("rankdir", rankdir, *_DIRECTIONS)
    drawn = [row for row in plan if row.runs != "once"]
    if len(drawn) > max_nodes:
        raise ValueError(
            f"the plan has {len(drawn):,} operations, and max_nodes={max_nodes:,}: compile a part "
            "of the function, print step.plan, or set max_nodes= (the layout of thousands takes "
            "minutes)"
        )
    dot = drawing_class()(
        format=format,
        graph_attr={"rankdir": rankdir, "ranksep": "0.3", "nodesep": "0.2"},
        node_attr={"fontname": "Helvetica", "fontsize": "11", "height": "0.3"},
        edge_attr={"arrowsize": "0.6", "color": "gray35"},
    )
    _legend(dot, {row.phase for row in drawn})
    outside: dict[str, str] = {}
    views = {row.number: row.sources for row in plan if row.runs == "once"}
    for row in drawn:
        _operation(dot, row)
        for source in _resolved(row.sources, views):
            if isinstance(source, str) and source not in outside:
                outside[source] = f"outside{len(outside)}"
                dot.node(outside[source], _escaped(source.replace(" ", "\n", 1)), shape="box")
            dot.edge(outside[source] if isinstance(source, str) else f"{source}", f"{row.number}")
    return dot


def _legend(dot: Any, phases: set[str]) -> None:
    """Say what the colours mean, for the phases that there are."""
    with dot.subgraph(name="cluster_legend") as legend:
        legend.attr(style="rounded", color="gray70", margin="8")
        for phase, colour in COLOURS.items():
            if phase in phases:
                legend.node(phase, phase, shape="box", style="rounded,filled", fillcolor=colour)


def _operation(dot: Any, row: Row) -> None:
    """Draw one operation."""
    numbers = [text for text in row.inputs if text[:1] in "-.0123456789"]
    title = " ".join([f"{row.number}  {row.operation}", *numbers])
    lines = row.lines if len(row.lines) <= _LINES else (*row.lines[: _LINES - 1], "...")
    made = row.output or row.lives
    # A result that is stored where somebody else sees it says so.
    stored = row.lives if row.lives.startswith("in ") and row.output else ""
    label = "".join(_escaped(text) + r"\l" for text in (title, *lines, made, stored) if text)
    dot.node(
        f"{row.number}",
        label if lines else label.removesuffix(r"\l").replace(r"\l", r"\n"),
        shape="box",
        style="rounded,filled",
        fillcolor=COLOURS[row.phase],
        penwidth="2.5" if row.returned else "1",
    )


def _resolved(
    sources: tuple[int | str, ...], views: dict[int, tuple[int | str, ...]]
) -> dict[int | str, None]:
    """Return what is read, with what a view looks at in place of the view."""
    found: dict[int | str, None] = {}
    for source in sources:
        inside = views.get(source) if isinstance(source, int) else None
        found |= {source: None} if inside is None else _resolved(inside, views)
    return found
