"""checkpoint: a part of a graph that is computed again in place of being stored.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakSet

import numpy as np

from ..graph import ModeSwitch, Node, Watcher, enable_grad, is_grad_enabled, no_grad
from ..handle import _kept_value
from ..op import conjugate, op, zeros
from ..random import as_generator
from ..recording import record
from ..tensor import Tensor, as_tensor
from ..trees import flatten, rebuild, tree_map
from .pullback import pulled
from .run import as_input, checked_function, named, packed, title, unpacked


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that computes what `f` does, and keeps nothing that `f` computed inside.

    The backward pass runs `f` again, and differentiates that run.  So a chain of n parts keeps the
    results of n parts in place of all that is in them, for the time of a second forward pass (Chen
    et al., "Training deep nets with sublinear memory cost", arXiv:1604.06174).

    Parameters
    ----------
    f
        Returns a tensor, or tuples, lists and dicts of them.  Given the same arguments it must
        compute the same again.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns its result.  Gradients go to the tensors among the
        arguments, also in tuples, lists and dicts, and to all that `f` closes over, such as
        the parameters of a module; derivatives of any order.

    Raises
    ------
    RuntimeError
        In the backward pass, if a tensor that `f` read has changed since, or if `f` computes
        something else than before: what it closes over has changed, as the variable of a loop does,
        or it draws from a generator of its own.  In the call, if `f` assigns to an argument.

    Notes
    -----
    Before `f` runs again, the default generator goes back to where it was, so that `dropout` draws
    the same mask.  What `f` does beside computing, such as counting, it does twice.  A `jacobian`
    runs `f` again for each of its rows.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 2.0])
    >>> y = tg.checkpoint(lambda x: np.tanh(np.exp(x) * x))(x)
    >>> y.grad_fn
    'checkpoint'
    >>> y.sum().backward()
    """
    checked_function(f, "checkpoint")

    def call(*args: Any, **kwargs: Any) -> Any:
        if not is_grad_enabled():
            return f(*args, **kwargs)
        tensors = [leaf for _, leaf in flatten((args, kwargs), "argument") if _records(leaf)]
        holed = tree_map(lambda leaf: _HOLE if _records(leaf) else leaf, (args, kwargs))
        part = _Part(f, holed, _generator().bit_generator.state)
        done = part.run(tensors)
        part.places = [i for i, leaf in enumerate(done.leaves) if _records(leaf)]
        part.closed = done.outside(part.places)
        results = iter(_recorded(part, tensors, [done.leaves[i] for i in part.places]))
        return rebuild(
            done.result, (next(results) if _records(leaf) else leaf for leaf in done.leaves)
        )

    return named(call, "checkpoint", f)


_HOLE: Final = object()
"""Stands among the arguments for a tensor that records, which the graph has."""


@dataclass(eq=False)
class _Part:
    """A call of a function that can be made again."""

    f: Callable[..., Any]
    arguments: Any
    """`(args, kwargs)`, with holes."""
    state: Any
    """That of the default generator."""
    places: list[int] = field(default_factory=list)
    """Which leaves of the result record."""
    closed: list[Node] = field(default_factory=list)
    """What the function closes over."""

    def run(self, tensors: Sequence[Any]) -> _Call:
        """Call the function on inputs of its own, and watch what is recorded."""
        inputs = [as_input(tensor, "an argument") for tensor in tensors]
        nodes = [tensor._node for tensor in inputs]
        inside = _Inside()
        with inside:
            result = self.call(inputs)
        if any(tensor._node is not node for tensor, node in zip(inputs, nodes, strict=True)):
            raise RuntimeError(
                f"{title(self.f)} assigns to its argument, which checkpoint would do twice: work "
                "on a copy, as with x = x.copy()"
            )
        return _Call(result, nodes, inside)

    def call(self, inputs: Sequence[Tensor]) -> Any:
        """Fill the holes, and call."""
        given = iter(inputs)
        filled = tree_map(lambda leaf: next(given) if leaf is _HOLE else leaf, self.arguments)
        args, kwargs = filled
        return self.f(*args, **kwargs)


class _Inside(Watcher, ModeSwitch):
    """The recording mode that knows which nodes were made in it, as long as they live."""

    def __init__(self) -> None:
        self.nodes: WeakSet[Node] = WeakSet()

    def _mode(self) -> _Inside:
        return self

    def record(self, node: Node, _inputs: Sequence[Any], _out: Any) -> None:
        """Take note of a node."""
        self.nodes.add(node)


class _Call:
    """What a call gave: the result, the nodes of its inputs, and what was recorded inside."""

    def __init__(self, result: Any, inputs: list[Node | None], inside: _Inside) -> None:
        self.result = result
        self.leaves = [leaf for _, leaf in flatten(result, "")]
        self.inputs = inputs
        self.inside = inside

    def outside(self, places: Sequence[int]) -> list[Node]:
        """List what the results at `places` were computed from, beside the inputs."""
        stack = [self.leaves[i]._node for i in places]
        seen = set(stack)
        found = []
        while stack:
            node = stack.pop()
            if node in self.inside.nodes:
                fresh = [p for p in node.parents if p is not None and p not in seen]
                stack += fresh
                seen.update(fresh)
            elif node not in self.inputs:
                found.append(node)
        return found


def _recorded(part: _Part, tensors: list[Tensor], outs: list[Tensor]) -> list[Tensor]:
    """Return results on one node, whose parents are what the part was computed from."""
    if not outs:
        return []
    parents = [tensor._node for tensor in tensors] + part.closed
    inputs = [tensor._data for tensor in tensors]
    for node in part.closed:
        value = _kept_value(node)
        inputs.append(node if value is None else value)
    with no_grad():
        flat = packed([out.detach() for out in outs])._data
    made = record(
        type(outs[0]) if len(outs) == 1 else Tensor,
        _checkpoint,
        parents,
        (1 << len(parents)) - 1,
        inputs,
        {"part": part},
        flat,
    )
    return unpacked(made, outs)


def _again(*xs: Any, part: _Part) -> Any:
    """Compute the results once more, side by side."""
    count = len(xs) - len(part.closed)
    with no_grad(), _generator_at(part.state):
        result = part.call([as_tensor(x) for x in xs[:count]])
    leaves = [leaf for _, leaf in flatten(result, "")]
    return packed([leaves[i] for i in part.places])._data


def _checkpoint_rule(
    g: Any, out: Any, *xs: Any, needs: tuple[bool, ...], part: _Part
) -> tuple[Any, ...]:
    """Run the part again, and differentiate that run."""
    count = len(xs) - len(part.closed)
    with enable_grad():
        with _generator_at(part.state):
            done = part.run(xs[:count])
        _check_same_graph(part, done)
        root = packed([done.leaves[i] for i in part.places])
    _check_same_values(part, root, out)
    targets = [*done.inputs, *part.closed]
    wanted = {node for node, needed in zip(targets, needs, strict=True) if needed and node}
    assert root._node is not None
    # A rule is shown cotangents; `pulled` takes and gives gradients.
    grads = pulled(root._node, wanted, conjugate(g))
    return tuple(
        conjugate(grads[node]) if node in grads else zeros(x.shape, x.dtype, g) if needed else None
        for node, x, needed in zip(targets, xs, needs, strict=True)
    )


_checkpoint: Final = op(_again, joint=_checkpoint_rule, name="checkpoint")


def _check_same_graph(part: _Part, done: _Call) -> None:
    """Raise if the second run read other tensors than the first."""
    recorded = [i for i, leaf in enumerate(done.leaves) if _records(leaf)]
    if recorded != part.places or set(done.outside(part.places)) != set(part.closed):
        raise RuntimeError(
            f"{title(part.f)} read other tensors when checkpoint ran it again: what it closes over "
            "has changed, as the variable of a loop does; give it as an argument"
        )


def _check_same_values(part: _Part, root: Tensor, out: Any) -> None:
    """Raise if the second run gave other numbers than the first, beyond rounding."""
    again, first = root.data, out.data if isinstance(out, Tensor) else out
    fits = again.shape == first.shape and again.dtype == first.dtype
    if fits and again.size:
        largest = np.max(np.abs(first), initial=0.0, where=np.isfinite(first))
        tolerance = float(np.finfo(first.dtype).eps) ** 0.5
        fits = np.allclose(
            again, first, rtol=tolerance, atol=tolerance * float(largest), equal_nan=True
        )
    if not fits:
        raise RuntimeError(
            f"{title(part.f)} gave another result when checkpoint ran it again: an array that it "
            "reads has changed, or it draws from a generator of its own (use the default one, "
            "rng=None, which checkpoint sets back)"
        )


def _records(leaf: Any) -> bool:
    """Tell whether a leaf is a tensor that records."""
    return isinstance(leaf, Tensor) and leaf._node is not None


def _generator() -> np.random.Generator:
    """Return the default generator."""
    return as_generator(None)


@contextmanager
def _generator_at(state: Any) -> Iterator[None]:
    """Set the default generator to a state, and back at the end."""
    bits = _generator().bit_generator
    now = bits.state
    bits.state = state
    try:
        yield
    finally:
        bits.state = now
