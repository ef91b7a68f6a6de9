"""Summary: a table of the modules of a model, with shapes, parameters and multiply-adds.

Floor: nn.  May import `module`.  What a layer multiplies it says itself: `Module.multiply_adds`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..graph import no_grad
from ..tensor import Tensor
from ..trees import flatten
from .module import Module


@dataclass(frozen=True)
class SummaryRow:
    """One module of a model."""

    name: str
    """Dotted, as in `named_modules`; "" for the model itself."""
    kind: str
    """The name of its class."""
    title: str
    """Its name within the module that it is in."""
    depth: int
    """In how many modules it is."""
    output_shapes: tuple[tuple[int, ...], ...]
    """Those of the arrays of its last result; empty if it was not called."""
    parameters: int
    """The numbers in its own parameters, without those of modules inside, and without those that
    stand in a row above."""
    frozen: int
    """How many of them are not trained."""
    multiply_adds: int
    """Of all its calls, without those of modules inside."""


@dataclass(frozen=True)
class Summary:
    """The rows of a table, and their sums; its text is the table.

    Attributes
    ----------
    rows
        One for each module, from the model itself downwards.
    ran
        Whether there was an input, and so shapes and multiply-adds.
    """

    rows: tuple[SummaryRow, ...]
    ran: bool

    @property
    def parameters(self) -> int:
        """The numbers in all parameters; what is shared counts once."""
        return sum(row.parameters for row in self.rows)

    @property
    def frozen(self) -> int:
        """How many of them are not trained."""
        return sum(row.frozen for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition, of one call of the model."""
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self) -> str:
        """Return the table."""
        total = f"{self.parameters:,}", f"{self.multiply_adds:,}"
        lines = [
            ("module", "output shape", "parameters", "multiply-adds"),
            *map(_cells, self.rows),
            ("total", "", *total),
        ]
        if not self.ran:
            lines = [(name, "", count, "") for name, _, count, _ in lines]
        head, *body, last = _aligned(lines)
        rule = "-" * max(map(len, (head, last)))
        text = [head, rule, *body, rule, last]
        return "\n".join([*text, f"frozen: {self.frozen:,}"] if self.frozen else text)

    __repr__ = __str__


def summary(model: Module, *inputs: Any, **keywords: Any) -> Summary:
    """Describe a model: its modules, the shapes of their results, parameters and multiply-adds.

    The model runs once, on what it is given, in evaluation mode and without recording; its modes
    are put back afterwards.

    Parameters
    ----------
    model
        The model.
    *inputs, **keywords
        The arguments of one call.  Without any it is not called, and the table has no shapes.

    Returns
    -------
    Summary
        Print it for the table; `rows`, `parameters` and `multiply_adds` hold the numbers.

    Raises
    ------
    TypeError
        If `model` is no Module.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad import nn
    >>> model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    >>> print(summary(model, np.zeros((32, 784))))
    module       output shape  parameters  multiply-adds
    ----------------------------------------------------
    Sequential   (32, 10)               0              0
      0: Linear  (32, 128)        100,480      3,211,264
      1: ReLU    (32, 128)              0              0
      2: Linear  (32, 10)           1,290         40,960
    ----------------------------------------------------
    total                         101,770      3,252,224
    """
    if not isinstance(model, Module):
        raise TypeError(f"the model is {type(model).__name__}; expected a Module")
    modules = model.named_modules()
    shapes: dict[int, tuple[tuple[int, ...], ...]] = {}
    products: dict[int, int] = {}

    def called(module: Module, args: tuple[Any, ...], output: Any) -> None:
        shapes[id(module)] = tuple(_shapes(output))
        products[id(module)] = products.get(id(module), 0) + module.multiply_adds(args, output)

    ran = bool(inputs or keywords)
    if ran:
        _run(model, [module for _, module in modules], called, inputs, keywords)
    rows: list[SummaryRow] = []
    depths = {"": 0}
    seen: set[int] = set()
    for name, module in modules:
        above = _above(name, depths)
        depths[name] = depths[above] + 1 if name else 0
        own = [p for p in module._own_parameters() if id(p) not in seen]
        seen.update(map(id, own))
        rows.append(
            SummaryRow(
                name=name,
                kind=type(module).__name__,
                title=name[len(above) :].lstrip("."),
                depth=depths[name],
                output_shapes=shapes.get(id(module), ()),
                parameters=sum(p.size for p in own),
                frozen=sum(p.size for p in own if not p.requires_grad),
                multiply_adds=products.get(id(module), 0),
            )
        )
    return Summary(tuple(rows), ran)


def _above(name: str, known: Container[str]) -> str:
    """Return the name of the module that a module is in, past lists and dicts."""
    while name:
        name = name.rpartition(".")[0]
        if name in known:
            break
    return name


def _run(model: Module, modules: Sequence[Module], called: Any, inputs: Any, keywords: Any) -> None:
    """Call the model in evaluation mode, with a hook on each module."""
    modes = [(module, vars(module).get("training")) for module in modules]
    handles = [module.register_forward_hook(called) for module in modules]
    try:
        with no_grad():
            model.eval()(*inputs, **keywords)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            if mode is None:
                del module.training
            else:
                module.training = mode


def _shapes(output: Any) -> Iterator[tuple[int, ...]]:
    """Yield the shapes of the arrays in a result."""
    for _, leaf in flatten(output, ""):
        if isinstance(leaf, Tensor) or hasattr(leaf, "shape"):
            yield tuple(leaf.shape)


def _cells(row: SummaryRow) -> tuple[str, str, str, str]:
    """Return the text of a row."""
    name = "  " * row.depth + (f"{row.title}: {row.kind}" if row.title else row.kind)
    shapes = ", ".join(map(str, row.output_shapes))
    return name, shapes, f"{row.parameters:,}", f"{row.multiply_adds:,}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Align two columns to the left and the others, numbers, to the right; leave out empty ones."""
    columns = []
    for i, column in enumerate(zip(*lines, strict=True)):
        width = max(map(len, column))
        if width:
            columns.append([cell.ljust(width) if i < 2 else cell.rjust(width) for cell in column])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
