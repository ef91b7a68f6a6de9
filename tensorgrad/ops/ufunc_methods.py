"""The methods of ufuncs, and their option `where`, from the rules of the ufunc itself.

Floor: `ops`.  `inner` is the op of the ufunc, whose rules serve here as they are.  Folds are
written with `y[k] = f(y[k-1], x[k])` for a ufunc f of two arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._typing import Axis
from ..op import Op, op, unbroadcast
from .index import HOLE, WRITERS, add_at, assign, filled
from .pick import put_extremum
from .reduce import full, over_axis
from .scan import recurrence


def _cotangents(
    inner: Op, g: Any, out: Any, inputs: Sequence[Any], needs: Sequence[bool]
) -> Sequence[Any]:
    """Run the rules of a ufunc, for the inputs that need one."""
    if inner.joint:
        (rule,) = inner.rules
        assert rule is not None
        return rule(g, out, *inputs, needs=needs)  # type: ignore[no-any-return]
    pairs = zip(inner.rules, needs, strict=True)
    return [rule(g, out, *inputs) if rule and needed else None for rule, needed in pairs]


# --- where= ---------------------------------------------------------------------------------------


def _masked(old: Any, mask: Any, *inputs: Any, ufunc: Any, casting: str, **_: Any) -> Any:
    """Compute where the mask holds, and nowhere else; keep what was there."""
    out = np.copy(old)
    ufunc(*inputs, out=out, where=mask, casting=casting)
    return out


def _masked_rule(
    g: Any, out: Any, _old: Any, mask: Any, *inputs: Any, needs: Any, inner: Op, **_: Any
) -> tuple[Any, ...]:
    """The rules of the ufunc where the mask holds, `g` for what was there elsewhere."""
    shares = [np.where(mask, 0.0, g) if needs[0] else None, None]
    given = _cotangents(inner, g, out, inputs, needs[2:])
    return (*shares, *(None if gx is None else np.where(mask, gx, 0.0) for gx in given))


masked = op(_masked, joint=_masked_rule, name="masked ufunc", elementwise=True)

# --- accumulate -----------------------------------------------------------------------------------


def _accumulate(x: Any, *, ufunc: Any, axis: int, **_: Any) -> Any:
    return ufunc.accumulate(x, axis=axis)


def _accumulate_rule(g: Any, out: Any, x: Any, *, inner: Op, axis: int, **_: Any) -> Any:
    """What arrives at y[k] is `s[k] = g[k] + df/dy[k] s[k+1]`, a linear recurrence."""
    g, out, x = (np.moveaxis(a, axis, 0) for a in (g, out, x))
    after, step = out[1:], (out[:-1], x[1:])
    link, _ = _cotangents(inner, np.ones_like(after), after, step, (True, False))
    arrived = recurrence(link, g, axis=0, backwards=True)
    _, later = _cotangents(inner, arrived[1:], after, step, (False, True))
    return np.moveaxis(np.concatenate([arrived[:1], later], axis=0), 0, axis)


accumulate = op(_accumulate, _accumulate_rule, name="ufunc.accumulate")

# --- reduce ---------------------------------------------------------------------------------------


def _reduction(ufunc: Any, rule: Callable[..., Any], **options: Any) -> Op:
    """Declare the reduction of a ufunc whose derivative takes no fold."""

    def reduction_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
        g, out = (full(a, x.ndim, axis, keepdims) for a in (g, out))
        return rule(g, out, x, axis)

    return op(
        lambda x, *, axis, keepdims: ufunc.reduce(x, axis=axis, keepdims=keepdims),
        reduction_rule,
        name=f"{ufunc.__name__}.reduce",
        groups=over_axis,
        **options,
    )


def _logaddexp_share(g: Any, out: Any, x: Any, _axis: Axis, power: Callable[[Any], Any]) -> Any:
    """`exp(x - out)`; where all are -inf, 0 (case 26)."""
    return g * power(x - np.where(out == -np.inf, 0.0, out))


def _shared_extremum(g: Any, out: Any, x: Any, axis: Axis) -> Any:
    """Equal extrema share; a NaN is one only where there is nothing else."""
    return put_extremum(g, x, out, True, axis=axis, keep_nan=False)


logaddexp_reduce = _reduction(
    np.logaddexp, lambda g, out, x, axis: _logaddexp_share(g, out, x, axis, np.exp)
)
logaddexp2_reduce = _reduction(
    np.logaddexp2, lambda g, out, x, axis: _logaddexp_share(g, out, x, axis, np.exp2)
)
hypot_reduce = _reduction(np.hypot, lambda g, out, x, _axis: g * (x / (out + (out == 0))))
fmax_reduce = _reduction(np.fmax, _shared_extremum, selects=True)
fmin_reduce = _reduction(np.fmin, _shared_extremum, selects=True)

# --- folds of groups: reduceat and at -------------------------------------------------------------
# Entries go into groups one after the other.  Each round takes one entry of every group that has
# one left; with the largest groups first, those of the next round are the first of this one.


class _Rounds:
    """In which order the entries of groups are folded: `owner` names the group of each."""

    def __init__(self, owner: Any, count: int) -> None:
        sizes = np.bincount(owner, minlength=count)
        self.groups = np.argsort(-sizes, kind="stable")
        self.entries = np.argsort(owner, kind="stable")
        self.starts = (np.cumsum(sizes) - sizes)[self.groups]
        # How many groups have more than r entries, for each r.
        self.widths = np.cumsum(np.bincount(sizes)[::-1])[::-1][1:].tolist()

    def __iter__(self) -> Any:
        for turn, width in enumerate(self.widths):
            yield width, self.entries[self.starts[:width] + turn]


def _fold_back(inner: Op, rounds: _Rounds, start: Any, values: Any, g: Any) -> tuple[Any, Any]:
    """Return the cotangents of `start` and `values` for that of the groups' last states.

    All by group in the order of `rounds`, but for the values, which are as they came; `values` is
    None for a ufunc of one argument.
    """
    states, steps = [start], []
    for width, entries in rounds:
        before = states[-1][:width]
        operands = () if values is None else (values[entries],)
        states.append(inner(before, *operands))
        steps.append((width, entries, before, operands))
    shares = []
    arrived, done = g[:0], 0
    for out, (width, entries, before, operands) in zip(states[:0:-1], steps[::-1], strict=True):
        arrived = np.concatenate([arrived, g[done:width]], axis=0)
        needs = (True,) * (1 + len(operands))
        arrived, *given = _cotangents(inner, arrived, out, (before, *operands), needs)
        shares += [(entries, share) for share in given]
        done = width
    start_share = np.concatenate([arrived, g[done:]], axis=0)
    if not shares:
        return start_share, values if values is None else np.zeros_like(values)
    order = np.argsort(np.concatenate([entries for entries, _ in shares]))
    return start_share, np.concatenate([share for _, share in shares], axis=0)[order]


def _reduceat(x: Any, indices: Any, *, ufunc: Any, axis: int, **_: Any) -> Any:
    out = ufunc.reduceat(x, indices, axis=axis)
    if ufunc in (np.power, np.arctan2):  # NumPy 2.4 forgets what it has folded, on AVX512
        x, last = np.moveaxis(x, axis, 0), x.shape[axis]
        stops = [*indices[1:].tolist(), last]
        parts = [x[i : max(i + 1, j)] for i, j in zip(indices.tolist(), stops, strict=True)]
        folded = [ufunc.accumulate(part, axis=0)[-1] for part in parts]
        out = np.moveaxis(np.stack(folded), 0, axis) if folded else out
    return out


def _reduceat_rule(
    g: Any, _out: Any, x: Any, indices: Any, *, inner: Op, axis: int, **_: Any
) -> Any:
    """Each stretch is a group, whose first element is the start; stretches may overlap."""
    g, x = np.moveaxis(g, axis, 0), np.moveaxis(x, axis, 0)
    later = np.maximum(np.append(indices[1:], x.shape[0]) - indices - 1, 0)
    skipped = indices + 1 - (np.cumsum(later) - later)
    places = np.repeat(skipped, later) + np.arange(np.sum(later), like=indices)
    rounds = _Rounds(np.repeat(np.arange(indices.size, like=indices), later), indices.size)
    first = indices[rounds.groups]
    start, values = _fold_back(inner, rounds, x[first], x[places], g[rounds.groups])
    gx = add_at(np.zeros_like(x), start, first, template=(HOLE,))
    if values is not None:
        gx = add_at(gx, values, places, template=(HOLE,))
    return np.moveaxis(gx, 0, axis)


reduceat = op(_reduceat, _reduceat_rule, name="ufunc.reduceat")


def write_at(x: Any, *inputs: Any, ufunc: Any, template: tuple[Any, ...], **_: Any) -> None:
    """Operate in place at an index; after the operands, if any, come the arrays of the index."""
    operands = inputs[: ufunc.nin - 1]
    ufunc.at(x, filled(template, inputs[ufunc.nin - 1 :]), *operands)


def _at(x: Any, *inputs: Any, **params: Any) -> Any:
    out = np.copy(x)
    write_at(out, *inputs, **params)
    return out


def _at_rule(
    g: Any,
    _out: Any,
    x: Any,
    *inputs: Any,
    needs: Any,
    inner: Op,
    ufunc: Any,
    template: tuple[Any, ...],
) -> tuple[Any, ...]:
    """Each element that the index names is a group, which starts from its value before."""
    operands, arrays = inputs[: ufunc.nin - 1], inputs[ufunc.nin - 1 :]
    numbers = np.reshape(np.arange(x.size), x.shape)[filled(template, arrays)]
    elements, owner = np.unique(numbers, return_inverse=True)
    rounds = _Rounds(np.reshape(owner, -1), elements.size)
    elements = elements[rounds.groups]
    values = None
    if operands:
        values = np.reshape(np.broadcast_to(operands[0], numbers.shape), -1)
    flat = np.reshape(g, -1)
    start, values = _fold_back(inner, rounds, np.reshape(x, -1)[elements], values, flat[elements])
    shares = [np.reshape(assign(flat, start, elements, template=(HOLE,)), x.shape)]
    if operands and needs[1]:
        shares.append(unbroadcast(np.reshape(values, numbers.shape), operands[0].shape))
    return (*shares, *(None,) * (len(inputs) + 1 - len(shares)))


at = op(_at, joint=_at_rule, name="ufunc.at")
WRITERS[at] = write_at
