"""The reverse pass for many cotangents at once: the rows of a Jacobian.

Floor: above `ops` and `backprop`.  A cotangent has one axis more than its node, the first, which
numbers the rows.  The rules of elementwise ops broadcast over it as they are.  The ops of `ROWS`
have a rule here that is told of the axis; it is their own rule with other axes, and the tests
compare the two for every row of the table of op cases.  All other rules are called row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, Final

import numpy as np

from ._typing import Axis, Shape
from .backprop import (
    Gradients,
    Lift,
    _check_unchanged,
    _fitted,
    _has_nan,
    _lifted,
    _useful,
    backpropagate,
)
from .graph import Node, topological_order, watchers
from .hooks import hooks
from .op import Op, zeros
from .ops import fused, index, join, normalise, products, shape
from .quiet import quiet

MAX_ELEMENTS: Final = 1 << 16
"""About how many elements a cotangent may have; more rows than that are taken in turns.

Measured: up to here a batch stays in the cache; larger ones took up to twice as long."""


def rows(
    root: Node,
    wanted: Sequence[Node],
    lift: Lift | None = None,
    lower: Callable[[Any], Any] = lambda g: g,
    constant: Callable[[Any], Any] = lambda array: array,
) -> list[Any]:
    """Compute the gradients of every element of `root`.

    Of real arrays only: those of complex ones would have to be conjugated.

    Parameters
    ----------
    root
        The node to differentiate.
    wanted
        The nodes whose gradients are asked for.
    lift, lower
        As for `backprop.backpropagate`: to record the pass.
    constant
        With `lift`, makes a Tensor of an array.

    Returns
    -------
    list of array
        For each node wanted the gradients, of shape (root.size, *node.shape).
    """
    order = topological_order(root)
    useful = _useful(order, wanted)
    largest = max((math.prod(node.shape) for node in order if node in useful), default=1)
    step = max(1, MAX_ELEMENTS // max(1, largest))
    found: list[list[Any]] = [[] for _ in wanted]
    size = math.prod(root.shape)
    if not size:
        return _found({}, wanted, constant(np.empty(0)), 0)
    seen = watchers() or hooks.on((*order, *wanted))
    for start in range(0, size, step):
        stop = min(start + step, size)
        identity = np.eye(stop - start, size, start, dtype=root.dtype)
        seeds = constant(identity.reshape(stop - start, *root.shape))
        results: list[Any] = []
        if not seen:
            with quiet():
                grads = _Pass(stop - start, useful, lift).walk(order, {root: seeds}, wanted)
            results = _found(grads, wanted, seeds, stop - start)
        if not results or any(_has_nan(lower(g)) for g in results):
            # Who watches, and a hook, sees the usual pass; the strong zero (rule 7) is its work.
            passes = [
                _found(backpropagate(root, seed, set(wanted), lift, lower), wanted, seed)
                for seed in seeds
            ]
            results = [np.stack(parts) for parts in zip(*passes, strict=True)]
        for parts, result in zip(found, results, strict=True):
            parts.append(result)
    return [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in found]


def _found(grads: Gradients, wanted: Sequence[Node], like: Any, *count: int) -> list[Any]:
    """Return the gradients of the nodes wanted, zeros for what was not reached."""
    return [
        grads[node] if node in grads else zeros((*count, *node.shape), node.dtype, like)
        for node in wanted
    ]


class _Pass:
    """One batch of rows."""

    def __init__(self, count: int, useful: Container[Node], lift: Lift | None) -> None:
        self.count = count
        self.useful = useful
        self.lift = lift
        # The nodes whose cotangent nobody but this pass can see, so that it may be written to.
        self.own: set[Node] = set()

    def walk(self, order: list[Node], grads: Gradients, wanted: Container[Node]) -> Gradients:
        """Visit the nodes once, as the pass for one cotangent does."""
        handed_out: Gradients = {}
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if node in wanted:
                handed_out[node] = g
                self.own.discard(node)
            _check_unchanged(node)
            inputs, out = (node.inputs, node.out) if not self.lift else _lifted(node, self.lift)
            for parent, gx in self._cotangents(node, g, out, inputs, grads):
                grads[parent] = grads[parent] + gx if parent in grads else gx
        grads.update(handed_out)
        return grads

    def _cotangents(
        self, node: Node, g: Any, out: Any, inputs: Sequence[Any], grads: Gradients
    ) -> Iterator[tuple[Node, Any]]:
        """Yield the inputs of a node, each with its cotangents."""
        op = node.op
        assert op is not None
        if op in (index.getitem, index.assign) and index.HOLE not in node.params["template"]:
            yield from self._sliced(node, g, grads)
            return
        positions = [i for i, parent in enumerate(node.parents) if parent in self.useful]
        at_once = self._at_once(node, positions, g, out, inputs)
        missing = []
        for position, gx in zip(positions, at_once, strict=True):
            parent = node.parents[position]
            assert parent is not None
            if gx is NotImplemented:
                missing.append(position)
            elif gx is not None:
                yield parent, self._fitted(gx, parent)
        if missing:
            yield from self._row_by_row(node, missing, g, out, inputs)

    def _at_once(
        self, node: Node, positions: list[int], g: Any, out: Any, inputs: Sequence[Any]
    ) -> list[Any]:
        """Return the cotangents of some inputs for all rows, or NotImplemented for an input."""
        op = node.op
        assert op is not None
        if op in ROWS:
            return [ROWS[op](position, g, node, out, inputs) for position in positions]
        if op.elementwise and not op.in_place:
            # Broadcasting, which the rules do anyway, covers the axis of the rows.
            shares = _shares(op, node, g, out, inputs, positions)
            return [
                gx if gx is None or np.shape(gx) == g.shape else NotImplemented for gx in shares
            ]
        if op.groups is not None and positions == [0] and not op.joint:
            return [_reduced(g, node, out, inputs)]
        return [NotImplemented] * len(positions)

    def _fitted(self, gx: Any, parent: Node) -> Any:
        """Bring the cotangents of an input to its shape and dtype."""
        gx = unbroadcast_rows(gx, parent.shape)
        if gx.dtype.kind == "c" and parent.dtype.kind != "c":
            gx = np.real(gx)
        return gx if gx.dtype == parent.dtype else gx.astype(parent.dtype)

    def _row_by_row(
        self, node: Node, positions: list[int], g: Any, out: Any, inputs: Sequence[Any]
    ) -> Iterator[tuple[Node, Any]]:
        """Yield the cotangents of some inputs, from a call of their rules for each row."""
        op = node.op
        assert op is not None
        rows = [_shares(op, node, g[row], out, inputs, positions) for row in range(self.count)]
        for at, position in enumerate(positions):
            parent = node.parents[position]
            assert parent is not None
            if rows[0][at] is not None:
                yield parent, np.stack([_fitted(op, row[at], parent) for row in rows])

    def _sliced(self, node: Node, g: Any, grads: Gradients) -> Iterator[tuple[Node, Any]]:
        """Yield what reading or assigning a slice leaves; the first input's is written in place.

        So a loop over the rows of an array costs as much backwards as forwards.
        """
        first = node.parents[0]
        where = (slice(None), *node.params["template"])
        if node.op is index.getitem:
            assert first is not None
            into = grads.get(first)
            if into is None:
                into = zeros((self.count, *first.shape), first.dtype, g)
            elif first not in self.own:
                into = np.copy(into)
            into[where] += g
            grads[first] = into
            self.own.add(first)
            return
        value = node.parents[1]
        if value is not None and value in self.useful:
            gv = unbroadcast_rows(np.copy(g[where]), value.shape)
            yield value, gv if gv.dtype == value.dtype else gv.astype(value.dtype)
        if first is not None and first in self.useful:
            rest = g if node in self.own else np.copy(g)
            rest[where] = 0
            self.own.discard(node)
            if first not in grads:
                self.own.add(first)
            yield first, rest


def _shares(
    op: Op, node: Node, g: Any, out: Any, inputs: Sequence[Any], positions: list[int]
) -> list[Any]:
    """Return the cotangents of some inputs for one row, as the rules give them."""
    if op.joint:
        needs = tuple(position in positions for position in range(len(node.parents)))
        (rule,) = op.rules
        assert rule is not None
        shares = rule(g, out, *inputs, needs=needs, **node.params)
        return [_array(op, shares[position], node, position) for position in positions]
    found: list[Any] = []
    for position in positions:
        rule = op.rules[position] if position < len(op.rules) else None
        if rule is None:
            found.append(None)
        elif op.accumulates and not position:
            first = node.parents[0]
            assert first is not None
            into = zeros(first.shape, first.dtype, g)
            rule(into, g, out, *inputs, **node.params)
            found.append(into)
        else:
            writes = op.overwrites and not position
            gx = rule(np.copy(g) if writes else g, out, *inputs, **node.params)
            found.append(_array(op, gx, node, position))
    return found


def _array(op: Op, gx: Any, node: Node, position: int) -> Any:
    """Return what a rule gave; None, which would count as no derivative, is an error."""
    parent = node.parents[position]
    assert parent is not None
    return _fitted(op, gx, parent) if gx is None else gx


# --- rules of a batch -----------------------------------------------------------------------------


def unbroadcast_rows(g: Any, shape: Shape) -> Any:
    """Sum each row of `g` over the axes along which an array of `shape` was broadcast."""
    if g.shape[1:] == shape:
        return g
    extra = g.ndim - 1 - len(shape)
    stretched = tuple(
        axis
        for axis in range(1, g.ndim)
        if axis <= extra or shape[axis - 1 - extra] != g.shape[axis]
    )
    summed = np.sum(g, axis=stretched) if stretched else g
    return np.reshape(summed, (g.shape[0], *shape))


def _negative(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return axes as negative numbers, which count from the end and so mean the same in a batch."""
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(int(a) % ndim - ndim for a in axes)


def _reduced(g: Any, node: Node, out: Any, inputs: Sequence[Any]) -> Any:
    """Reductions: `g` of its group times the slope, which the rule gives for a cotangent of ones.

    An element of the input is in one group, and so in one element of the result.
    """
    op, x = node.op, node.parents[0]
    assert op is not None
    assert op.groups is not None
    assert op.rules[0] is not None
    assert x is not None
    axes = [a % x.ndim for a in _negative(op.groups(**node.params), x.ndim)]
    kept = tuple(1 if a in axes else size for a, size in enumerate(x.shape))
    if math.prod(kept) != math.prod(node.shape) or (node.shape == x.shape and kept != x.shape):
        return NotImplemented
    slope = op.rules[0](np.ones_like(g[0]), out, *inputs, **node.params)
    return np.reshape(g, (g.shape[0], *kept)) * slope


def _picked(_position: int, g: Any, node: Node, _out: Any, inputs: Sequence[Any]) -> Any:
    """Read elements: what the op makes of the elements' numbers says where each belongs."""
    op, x = node.op, node.parents[0]
    assert op is not None
    assert x is not None
    count, size = g.shape[0], math.prod(x.shape)
    numbers = op.forward(np.arange(size).reshape(x.shape), *inputs[1:], **node.params)
    places = np.ravel(numbers) + size * np.arange(count)[:, None]
    into = zeros((count * size,), x.dtype, g)
    np.add.at(into, np.ravel(places), np.ravel(g))
    return np.reshape(into, (count, *x.shape))


def _as_input(_position: int, g: Any, node: Node, _out: Any, _inputs: Sequence[Any]) -> Any:
    if node.params.get("order", "C") != "C":
        return NotImplemented
    return np.reshape(g, (g.shape[0], *node.parents[0].shape))  # type: ignore[union-attr]


def _transpose(_position: int, g: Any, node: Node, _out: Any, _inputs: Sequence[Any]) -> Any:
    axes = node.params["axes"]
    back = shape.inverse(range(node.ndim)[::-1] if axes is None else axes, node.ndim)
    return np.transpose(g, (0, *(a + 1 for a in back)))


def _swapaxes(_position: int, g: Any, node: Node, _out: Any, _inputs: Sequence[Any]) -> Any:
    one, other = _negative((node.params["axis1"], node.params["axis2"]), node.ndim)
    return np.swapaxes(g, one, other)


def _flip(_position: int, g: Any, node: Node, _out: Any, _inputs: Sequence[Any]) -> Any:
    return np.flip(g, _negative(node.params.get("axis"), node.ndim))


def _broadcast_to(_position: int, g: Any, node: Node, _out: Any, _inputs: Sequence[Any]) -> Any:
    return unbroadcast_rows(g, node.parents[0].shape)  # type: ignore[union-attr]


def _own_rule(position: int, g: Any, node: Node, out: Any, inputs: Sequence[Any]) -> Any:
    """Call the op's own rule, with an `axis` that counts from the end."""
    rule = node.op.rules[position]  # type: ignore[union-attr]
    assert rule is not None
    params = dict(node.params)
    if "axis" in params:
        params["axis"] = _negative(params["axis"], node.ndim)
    return rule(g, out, *inputs, **params)


def _joined(position: int, g: Any, node: Node, out: Any, inputs: Sequence[Any]) -> Any:
    """Call the rule of an op that joins, with an axis that counts from the end."""
    (rule,) = node.op.rules  # type: ignore[union-attr]
    assert rule is not None
    if node.params["axis"] is None:
        return NotImplemented
    (axis,) = _negative(node.params["axis"], node.ndim)
    needs = tuple(i == position for i in range(len(inputs)))
    return rule(g, out, *inputs, needs=needs, **{**node.params, "axis": axis})[position]


def _matmul(position: int, g: Any, node: Node, _out: Any, inputs: Sequence[Any]) -> Any:
    """`g yᵀ` and `xᵀ g`; a vector is a matrix with one row, or one column."""
    x, y = inputs
    ndims = [len(_shape_of(i, node, p)) for p, i in enumerate(inputs)]
    if node.op is products.dot and max(ndims) > 2:
        return NotImplemented
    if ndims[1] == 1:
        g = np.expand_dims(g, -1)
    if ndims[0] == 1:
        g = np.expand_dims(g, -2)
    target = _shape_of(inputs[position], node, position)
    if position == 0:
        matrix = np.expand_dims(y, -1) if ndims[1] == 1 else y
        gx = np.matmul(g, np.swapaxes(matrix, -1, -2))
        return unbroadcast_rows(gx if ndims[0] > 1 else gx[..., 0, :], target)
    matrix = np.expand_dims(x, 0) if ndims[0] == 1 else x
    gy = np.matmul(np.swapaxes(matrix, -1, -2), g)
    return unbroadcast_rows(gy if ndims[1] > 1 else gy[..., 0], target)


def _shape_of(value: Any, node: Node, position: int) -> Shape:
    """Return the shape of an input, which the graph may not have kept."""
    parent = node.parents[position]
    return np.shape(value) if parent is None else parent.shape


def _outer(position: int, g: Any, node: Node, _out: Any, inputs: Sequence[Any]) -> Any:
    """Multiply by the other vector."""
    x, y = inputs
    gx = np.matmul(g, np.ravel(y)) if position == 0 else np.matmul(np.ravel(x), g)
    return np.reshape(gx, (g.shape[0], *_shape_of(inputs[position], node, position)))


def _einsum(position: int, g: Any, node: Node, out: Any, inputs: Sequence[Any]) -> Any:
    """Call the rule with a letter more for the rows, in `g` and in the operand's own subscripts."""
    (rule,) = node.op.rules  # type: ignore[union-attr]
    assert rule is not None
    subscripts = node.params["subscripts"]
    row = next(letter for letter in products.LETTERS if letter not in subscripts)
    left, out_term = subscripts.split("->")
    terms = left.split(",")
    terms[position] = row + terms[position]
    operands = list(inputs)  # of this one the rule reads the shape
    operands[position] = np.broadcast_to(0.0, (g.shape[0], *inputs[position].shape))
    needs = tuple(i == position for i in range(len(inputs)))
    params = {**node.params, "subscripts": f"{','.join(terms)}->{row}{out_term}"}
    return rule(g, out, *operands, needs=needs, **params)[position]


def _linear(position: int, g: Any, _node: Node, _out: Any, inputs: Sequence[Any]) -> Any:
    """`x weightᵀ + bias`, with the leading axes of `x` laid side by side."""
    x, weight, _ = inputs
    if position == 0:
        return np.matmul(g, weight)
    count = math.prod(g.shape[1:-1])
    flat = np.reshape(g, (g.shape[0], count, g.shape[-1]))
    if position == 2:
        return np.sum(flat, axis=1)
    return np.matmul(np.swapaxes(flat, -1, -2), np.reshape(x, (count, x.shape[-1])))


RowRule = Callable[[int, Any, Node, Any, Sequence[Any]], Any]
ROWS: Final[dict[Op, RowRule]] = {
    shape.reshape: _as_input,
    shape.expand_dims: _as_input,
    shape.squeeze: _as_input,
    shape.atleast_1d: _as_input,
    shape.atleast_2d: _as_input,
    shape.atleast_3d: _as_input,
    shape.matrix_transpose: _own_rule,
    shape.transpose: _transpose,
    shape.swapaxes: _swapaxes,
    shape.flip: _flip,
    shape.broadcast_to: _broadcast_to,
    shape.copy: _own_rule,
    join.concatenate: _joined,
    join.stack: _joined,
    normalise.softmax: _own_rule,
    normalise.log_softmax: _own_rule,
    index.getitem: _picked,
    index.take: _picked,
    products.matmul: _matmul,
    products.dot: _matmul,
    products.outer: _outer,
    products.einsum: _einsum,
    products.einsum_of_one: _einsum,
    fused.linear: _linear,
}
"""`rule(position, g, node, out, inputs)` gives the cotangents of one input, or NotImplemented."""
