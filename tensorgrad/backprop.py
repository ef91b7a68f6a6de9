"""The reverse pass: cotangents from a root down to the leaves.

Floor: above `op`, `graph` and `hooks`.  Knows no particular op and does not name Tensor: to
differentiate the pass itself, the caller hands in `lift`, which turns a node into a Tensor, and the
same rules then record what they do.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Container, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .graph import Leaf, Node, Watcher, clock, last_write, topological_order, watchers
from .hooks import Hooked, at_leaves, hooks
from .op import Op, Rule, conjugate, unbroadcast, zeros
from .quiet import quiet

Gradients: TypeAlias = dict[Node, Any]
Lift: TypeAlias = Callable[[Node, Any], Any]

_accumulation = threading.Lock()


class Step(NamedTuple):
    """One node of a pass, as `walk` shows it."""

    node: Node
    g: Any
    """The cotangent that arrived."""
    given: list[tuple[int, Any]]
    """What its rules returned: pairs of an input's position and its cotangent."""


Walk: TypeAlias = Generator[Step, None, Gradients]


def backpropagate(
    root: Node,
    seed: Any,
    wanted: Container[Node] | None = None,
    lift: Lift | None = None,
    lower: Callable[[Any], Any] = lambda g: g,
) -> Gradients:
    """Run the rules backwards from `root`.

    The pass runs plain.  When a gradient that it is about to hand out contains NaN, it runs
    again with the strong zero (semantics, rule 7), so that regular input pays one read of the
    gradients and the rules stay free of branches.

    For a real loss L the gradient by z = x + iy is dL/dx + i dL/dy, the direction of steepest
    ascent, in the seed as in what is returned.  Rules see its conjugate; the law of rules in `ops`
    says why.

    Parameters
    ----------
    root
        The node to differentiate.
    seed
        The cotangent of the root, of the root's shape and dtype.
    wanted
        The nodes whose gradients are asked for; only paths to them are followed.  None for
        all leaves.
    lift
        `lift(node, value)` gives the Tensor on a node, to record the pass; None to compute
        on arrays.
    lower
        The array inside a cotangent: needed with `lift`.

    Returns
    -------
    dict
        The gradient of each leaf reached, of each wanted node, and of the interior nodes that
        keep theirs (`keeps_grad`, or single numbers).

    Raises
    ------
    RuntimeError
        If a leaf that a rule reads has changed since the graph was recorded.
    TypeError, ValueError
        If a rule returns what is no gradient of its input; the message names the op.
    """
    order = topological_order(root)
    useful = None if wanted is None else _useful(order, wanted)
    run = _Pass(order, wanted, useful, lift, lower)
    watching = [watcher for watcher in watchers() if watcher.careful]
    with quiet():
        seed = conjugate(seed)
        grads = run.plain(_start(root, seed)) if not watching else {}
        if watching or any(_has_nan(lower(g)) for g in grads.values()):
            grads = finish(run.careful(_start(root, seed), watching))
        if hooks.nodes:
            grads = at_leaves(grads)
        return {node: conjugate(g) for node, g in grads.items()}


def walk(root: Node, seed: Any) -> Walk:
    """Run the pass of `backpropagate` a node at a time, with the strong zero throughout.

    Parameters
    ----------
    root, seed
        As there.

    Yields
    ------
    Step
        What came in and what went out, for each node.

    Returns
    -------
    dict
        The gradients of the leaves.  Those that interior nodes keep are assigned at the end.
    """
    run = _Pass(topological_order(root), None, None, None, lambda g: g)
    watching = [watcher for watcher in watchers() if watcher.careful]
    steps = run.careful(_start(root, conjugate(seed)), watching, shown=True)
    while True:
        try:
            with quiet():  # but not while the caller looks at a step
                step = next(steps)
        except StopIteration as stop:
            return {node: conjugate(g) for node, g in at_leaves(stop.value).items()}
        yield step


def _start(root: Node, seed: Any) -> Gradients:
    """Return the cotangents that a pass starts from."""
    return Hooked({root: seed}) if hooks.nodes else {root: seed}


def one_step(node: Node, g: Any) -> list[tuple[int, Any]]:
    """Run the rules of one node on a cotangent; return pairs of an input's position and its own."""
    return _Pass([node], None, None, None, lambda g: g)._repaired(node, g, {}, set(), shown=True)


def finish(steps: Walk) -> Gradients:
    """Run a pass to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


@dataclass(slots=True)
class _Pass:
    """The settings of a pass; `plain` and `careful` visit the nodes once."""

    order: list[Node]
    wanted: Container[Node] | None
    useful: Container[Node] | None
    lift: Lift | None
    lower: Callable[[Any], Any]

    def plain(self, grads: Gradients) -> Gradients:
        """Start from the cotangents in `grads`; return those of the leaves and what is wanted."""
        wanted, useful, lift = self.wanted, self.useful, self.lift
        handed_out: Gradients = {}
        own: set[Node] = set()  # the nodes whose cotangent nobody but this pass can see
        now = clock.now
        for node in self.order:
            # An interior gradient dies as soon as it is used up, unless a person would look at it.
            g = grads.pop(node, None)
            if g is None:
                continue
            if wanted is not None:
                if node in wanted:
                    handed_out[node] = g
                    own.discard(node)
            elif not node.shape or node.keeps_grad:
                node.grad = conjugate(g) if isinstance(g, np.generic) else conjugate(g.copy())
            if node.time != now:
                _check_unchanged(node)
            op, out, params = node.op, node.out, node.params
            inputs: Sequence[Any] = node.inputs
            assert op is not None  # the order holds no leaves
            if lift is not None:
                inputs, out = _lifted(node, lift)
            if op.joint or op.in_place:
                rules = self._run(node, g, out, inputs, grads, own)
                if op.joint:  # its rules have been run, and read none of the many inputs
                    inputs, params = inputs[:1], {}
            else:
                rules = op.rules
            for parent, rule in zip(node.parents, rules):  # noqa: B905 - labels have no rule
                if parent is None or rule is None or (useful is not None and parent not in useful):
                    continue
                # Spelt out for one and two inputs: it takes an eighth off a pass over numbers.
                if params or len(inputs) > 2:
                    gx = rule(g, out, *inputs, **params)
                elif len(inputs) == 2:
                    gx = rule(g, out, inputs[0], inputs[1])
                else:
                    gx = rule(g, out, inputs[0])
                try:
                    fits = gx.dtype is parent.dtype and gx.shape == parent.shape
                except AttributeError:  # no array at all
                    fits = False
                if not fits:
                    gx = _fitted(op, gx, parent)
                grads[parent] = grads[parent] + gx if parent in grads else gx
        grads.update(handed_out)
        return grads

    def careful(
        self, grads: Gradients, watching: Sequence[Watcher] = (), shown: bool = False
    ) -> Walk:
        """Do what `plain` does, to the bit, with the strong zero and before the eyes of others.

        A generator of the steps, which are complete if `shown`.  What interior nodes keep is
        assigned at the end, so that a pass that is broken off leaves nothing behind.
        """
        handed_out: Gradients = {}
        kept: Gradients = {}
        own: set[Node] = set()
        for node in self.order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if self.wanted is not None:
                if node in self.wanted:
                    handed_out[node] = g
                    own.discard(node)
            elif not node.shape or node.keeps_grad:
                kept[node] = g
            for watcher in watching:
                watcher.before_rules(node, self.lower(g))
            if node.time != clock.now:  # which whoever looks at the steps may move
                _check_unchanged(node)
            given = self._repaired(node, g, grads, own, shown)
            for watcher in watching:
                lowered = [(position, self.lower(gx)) for position, gx in given]
                watcher.after_rules(node, self.lower(g), lowered)
            yield Step(node, g, given)
        grads.update(handed_out)
        for watcher in watching:
            watcher.after_pass({node: self.lower(g) for node, g in grads.items()})
        for node, g in kept.items():
            node.grad = conjugate(g) if isinstance(g, np.generic) else conjugate(g.copy())
        return grads

    def _needs(self, parent: Node | None) -> bool:
        """Tell whether the cotangent of an input is asked for."""
        return parent is not None and (self.useful is None or parent in self.useful)

    def _repaired(
        self, node: Node, g: Any, grads: Gradients, own: set[Node], shown: bool
    ) -> list[tuple[int, Any]]:
        """Run the rules of a node with the strong zero, and add to `grads` what they give.

        An accumulating rule adds to what is there; what it gives is computed apart where it is to
        be `shown`, and costs the whole input.
        """
        op, out = node.op, node.out
        inputs: Sequence[Any] = node.inputs
        assert op is not None
        if self.lift is not None:
            inputs, out = _lifted(node, self.lift)
        given = []
        if shown and op.accumulates and self._needs(node.parents[0]):
            given.append((0, self._accumulated({}, node, g, out, inputs, own)))
        # Overwriting rules get a copy: others look at `g`.
        rules = self._run(node, g, out, inputs, grads, own if op.accumulates else set())
        pairs = zip(node.parents, rules)  # noqa: B905 - labels have no rule
        for position, (parent, rule) in enumerate(pairs):
            if parent is None or rule is None or not self._needs(parent):
                continue
            gx = rule(g, out, *inputs, **node.params)
            if hasattr(gx, "shape"):
                gx = _strong_zero(node, rule, self.lower(g), gx, self.lower, parent)
            gx = _fitted(op, gx, parent)
            given.append((position, gx))
            grads[parent] = grads[parent] + gx if parent in grads else gx
        return given

    def _run(
        self,
        node: Node,
        g: Any,
        out: Any,
        inputs: Sequence[Any],
        grads: Gradients,
        own: set[Node],
    ) -> tuple[Rule | None, ...]:
        """Run the joint rule of a node, or a first rule that writes; return what is left to do.

        Memory that `own` says is seen by nobody else is written as it is, so that a loop over the
        rows of an array costs as much backwards as forwards.
        """
        op, first, params = node.op, node.parents[0], node.params
        assert op is not None
        if op.joint:
            return _shares(node, g, out, inputs, self.useful)
        if op.accumulates:
            if first is not None and self._needs(first):
                grads[first] = self._accumulated(grads, node, g, out, inputs, own)
                own.add(first)
            return (None, *op.rules[1:])
        if not op.overwrites:
            return op.rules
        rest = [
            rule and self._needs(parent) and _constant(rule(g, out, *inputs, **params))
            for parent, rule in zip(node.parents[1:], op.rules[1:])  # noqa: B905
        ]
        if first is None or not self._needs(first):
            return (None, *(rule or None for rule in rest))
        assert op.rules[0] is not None
        gx = op.rules[0](g if node in own else np.copy(g), out, *inputs, **params)
        own.add(first)
        return (_constant(gx), *(rule or None for rule in rest))

    def _accumulated(
        self,
        grads: Gradients,
        node: Node,
        g: Any,
        out: Any,
        inputs: Sequence[Any],
        own: set[Node],
    ) -> Any:
        """Add the cotangent of a first input to the one in `grads`, or to zeros."""
        op, first = node.op, node.parents[0]
        assert op is not None
        assert op.rules[0] is not None
        assert first is not None
        into = grads.get(first)
        if into is None:
            into = zeros(first.shape, first.dtype, g)
        elif first not in own:
            into = np.copy(into)
        op.rules[0](into, g, out, *inputs, **node.params)
        return into


def _useful(order: list[Node], wanted: Container[Node]) -> set[Node]:
    """Collect the nodes through which a wanted node is reached."""
    useful: set[Node] = set()
    for node in reversed(order):
        for parent in node.parents:
            if parent is not None and (parent in useful or parent in wanted):
                useful.add(node)
                useful.add(parent)
    return useful


def _lifted(node: Node, lift: Lift) -> tuple[list[Any], Any]:
    """Give what the rules of a node read as Tensors, where it depends on other nodes."""
    inputs = [
        value if parent is None or value is parent else lift(parent, value)
        for parent, value in zip(node.parents, node.inputs, strict=True)
    ]
    return inputs, None if node.out is None else lift(node, node.out)


def _shares(
    node: Node, g: Any, out: Any, inputs: Sequence[Any], useful: Container[Node] | None
) -> tuple[Rule, ...]:
    """Run the joint rule of a node, and give each input a rule that returns its share."""
    op = node.op
    assert op is not None
    assert op.rules[0] is not None
    needs = tuple(p is not None and (useful is None or p in useful) for p in node.parents)
    cotangents = op.rules[0](g, out, *inputs, needs=needs, **node.params)
    if len(cotangents) != len(inputs):
        raise ValueError(
            f"the rule of {op.name} returned {len(cotangents)} gradients for {len(inputs)} inputs"
        )
    return tuple(_constant(gx) for gx in cotangents)


def _constant(gx: Any) -> Rule:
    """Return a rule that has been run."""
    return lambda *_args, **_params: gx


def _fitted(op: Op, gx: Any, parent: Node) -> Any:
    """Bring a cotangent to its input's shape and dtype, or say that the rule is wrong.

    A real input of a complex result has the real part for its cotangent.
    """
    if not hasattr(gx, "shape") or not hasattr(gx, "astype"):
        raise TypeError(
            f"the rule of {op.name} returned {type(gx).__name__}; "
            f"expected an array of shape {parent.shape}"
        )
    if op.elementwise:
        with contextlib.suppress(ValueError):  # the shape does not fit, as is said below
            gx = unbroadcast(gx, parent.shape)
    if gx.shape != parent.shape:
        raise ValueError(
            f"the rule of {op.name} returned a gradient of shape {gx.shape} "
            f"for an input of shape {parent.shape}"
        )
    if gx.dtype.kind == "c" and parent.dtype.kind != "c":
        gx = np.real(gx)
    return gx if gx.dtype == parent.dtype else gx.astype(parent.dtype)


def _strong_zero(
    node: Node, rule: Rule, g: Any, gx: Any, lower: Callable[[Any], Any], parent: Node
) -> Any:
    """Replace the NaN that came of `0 * inf` or `0 * nan` by 0.

    The 0 is that of the cotangent, or, of an op that selects, what was not selected.
    """
    op = node.op
    assert op is not None
    if gx.shape != (parent.shape if op.groups is not None else g.shape):
        return gx  # an elementwise rule that has summed already, or a wrong one
    zero = g == 0
    if op.groups is not None:
        axis = op.groups(**node.params)
        axes = () if axis is None else np.atleast_1d(axis)
        if any(not -parent.ndim <= a < parent.ndim for a in axes):
            return gx  # no array that was reduced, but what came beside it
        if g.shape == parent.shape:
            zero = np.all(zero, axis=axis, keepdims=True)
        else:
            kept = _kept_dims(parent.shape, axis)
            if math.prod(kept) != zero.size:
                return gx  # no array that was reduced, but what came beside it
            zero = np.reshape(zero, kept)
    elif not op.elementwise:
        return gx
    if op.selects:
        zero = zero | (rule(np.ones_like(g), node.out, *node.inputs, **node.params) == 0)
    poisoned = np.isnan(lower(gx)) & zero
    return np.where(poisoned, 0.0, gx) if poisoned.any() else gx


def _kept_dims(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """Return `shape` with the size 1 along the axes that a reduction removed."""
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
    removed = {int(a) % len(shape) for a in axes} if shape else ()
    return tuple(1 if i in removed else size for i, size in enumerate(shape))


def _check_unchanged(node: Node) -> None:
    """Raise if a leaf whose data the rules are about to read was written after recording."""
    for parent, value in zip(node.parents, node.inputs, strict=True):
        if parent is not None and value is not parent and last_write(parent) > node.time:
            assert node.op is not None
            label = f" {parent.label!r}" if parent.label else ""
            raise RuntimeError(
                f"{node.op.name} recorded a tensor{label} of shape {parent.shape} whose data "
                "have changed since, so its gradient would be wrong: run backward() before "
                "changing the data, or record x.detach().copy() in place of x"
            )


def _has_nan(g: Any) -> bool:
    """Tell whether an array or a scalar contains NaN; an array type may have a way of its own."""
    hook = getattr(type(g), "__has_nan__", None)
    if hook is not None:
        return bool(hook(g, _has_nan))
    if not g.shape:
        return bool(g != g)
    # Both hand NaN through in one read.  The sum of squares starts sooner, the maximum is faster: a
    # third of the time of isnan(g).any(); but complex numbers are slow to order.
    sign = np.vdot(g, g) if g.size < 4096 or g.dtype.kind == "c" else g.max()
    return bool(sign != sign)


def accumulate(grads: Gradients, seed: Any) -> None:
    """Add the result of a pass to the `grad` of the leaves.

    What is handed out shares no memory with anything else: not with another gradient, not with
    `seed`, and it is writable (semantics, case 81).
    """
    given = {id(seed)}
    with _accumulation:
        for node, g in grads.items():
            assert isinstance(node, Leaf)
            if node.reached:
                node.grad += g
                continue
            node.grad = unshared(g, given)
            node.reached = True


def unshared(g: Any, given: set[int]) -> Any:
    """Return `g`, or a copy where somebody else may hold its memory; note its id in `given`.

    By the law of rules, what a rule returns is its cotangent itself, a view of it, or new.  A 0-d
    `g` may be the gradient of an interior number as well.
    """
    shared = id(g) in given or not g.shape or getattr(g, "base", None) is not None
    given.add(id(g))
    return g.copy() if shared else g
