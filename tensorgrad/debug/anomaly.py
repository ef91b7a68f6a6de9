"""detect_anomaly: the first NaN or infinity, forwards or backwards, and arrays that have changed.

Floor: `debug`.  A watcher of the recording; where the mode is off nothing here runs.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import numpy as np

from ..graph import Mode, ModeSwitch, Node, Watcher, _modes
from .describe import (
    at,
    first_index,
    floating,
    known_inputs,
    message,
    operand,
    operands,
    statistics,
)
from .origin import Record, found_origin, records


class AnomalyError(RuntimeError):
    """What `detect_anomaly` or an audit of the rules has found.

    The message names the operation, the line that recorded it, the module, and the operands.
    """


class detect_anomaly(ModeSwitch):  # noqa: N801 - lower case as `no_grad`
    """Raise at the first NaN or infinity, and say where it comes from.

    A context manager, and a decorator; per thread and context, and may be nested.  What it costs
    it costs inside: each operation is remembered with the line that recorded it, its result is
    read, and of the arrays that it keeps for the backward pass a checksum is taken.  Then:

    - **Forwards** a result raises if it holds NaN or an infinity that did not go in: `log(0)`,
      `inf - inf`, an overflow.  What goes in raises as well where it is no intention: NaN in a leaf
      or in an array of data, an infinity in a leaf, which is a parameter that has diverged.  The
      infinities of constants (masks, bounds) and a NaN that is written as a number, as in
      `np.where(known, x, np.nan)`, are handed on, and so are those of results.
    - **Backwards** `backward`, `backward_steps` and the functions that return gradients raise at
      the first gradient of an operand that is not finite.  What the strong zero repairs is finite.
    - **Changed arrays**: an array that was changed after it was used, and that a rule is about to
      read, raises and is named.
    - **Lost gradients**: `float(x)`, `int(x)`, `x.item()`, and what calls them, such as
      `math.sin(x)`, raise if `x` records: use `x.detach()`.  `bool(x)`, comparisons and printing
      are allowed.

    Under `no_grad()` inside nothing is recorded, so nothing forwards raises.

    Raises
    ------
    AnomalyError
        As said; a RuntimeError.

    Examples
    --------
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 0.0], label="x")
    >>> with tg.detect_anomaly():
    ...     np.sqrt(x).sum().backward()
    Traceback (most recent call last):
    ...
    tensorgrad.debug.anomaly.AnomalyError: the gradient of sqrt for operand 0, the leaf 'x', is inf
    at index (1,)
    ...
    """

    def __enter__(self) -> None:
        """Begin to watch, without switching recording on: inside `no_grad` it goes below that."""
        modes = _modes.get()
        paused: tuple[Mode, ...] = modes[-1:] if modes[-1] is False else ()
        _modes.set((*modes[: len(modes) - len(paused)], _WATCHER, *paused))

    def __exit__(self, *_exception: object) -> None:
        """Leave the mode."""
        modes = _modes.get()
        paused: tuple[Mode, ...] = modes[-1:] if modes[-1] is False else ()
        _modes.set((*modes[: len(modes) - len(paused) - 1], *paused))


class _Detector(Watcher):
    """What the mode does; it holds no state, so that one serves all threads."""

    def record(self, node: Node, inputs: Sequence[Any], out: Any) -> None:
        origin, in_pass = found_origin()
        records[node] = Record(origin, _checksums(node))
        # In a pass that records itself the strong zero has yet to come, and `after_rules` checks.
        if not in_pass and floating(out) and not np.all(np.isfinite(out)):
            _check_result(node, inputs, out)

    def leave_graph(self, node: Node, how: str) -> None:
        name = f" {node.label!r}" if node.label else ""
        raise AnomalyError(
            f"{how} takes the value of a recording tensor{name} out of its graph, and its gradient "
            "is lost: say x.detach() first if none is wanted, or use NumPy's functions on the "
            "tensor"
        )

    def before_rules(self, node: Node, g: Any) -> None:
        record = records.get(node)
        if record is not None:
            _check_unchanged(node, record)
        bad = ~np.isfinite(g)
        if bad.any():
            _raise(
                f"the gradient that arrives at {_name(node)}, given or summed over its uses, is "
                f"{_element(g, bad)}",
                node,
                [f"the gradient: {statistics(g)}"],
            )

    def after_rules(self, node: Node, g: Any, given: Sequence[tuple[int, Any]]) -> None:
        for position, gx in given:
            bad = ~np.isfinite(gx)
            if bad.any():
                _raise(
                    f"the gradient of {_name(node)} for {operand(node, position)}, is "
                    f"{_element(gx, bad)}",
                    node,
                    [
                        f"the gradient that arrived: {statistics(g)}",
                        f"the gradient given: {statistics(gx)}",
                        *operands(node, known_inputs(node)),
                    ],
                )

    def after_pass(self, grads: dict[Node, Any]) -> None:
        for node, g in grads.items():
            bad = ~np.isfinite(g)
            if bad.any():
                raise AnomalyError(
                    f"the gradient of {_name(node)}, given or summed over its uses, is "
                    f"{_element(g, bad)}\n  the gradient: {statistics(g)}"
                )


_WATCHER: Final = _Detector()


def _name(node: Node) -> str:
    name = node.op.name if node.op else "the leaf"
    return f"{name} {node.label!r}" if node.label else name


def _element(array: Any, bad: Any) -> str:
    """Show the first bad element and where it is."""
    index = first_index(bad)
    return f"{array[index]}{at(index)}"


def _raise(what: str, node: Node, lines: Sequence[str]) -> NoReturn:
    raise AnomalyError(message(what, node, lines))


def _check_result(node: Node, inputs: Sequence[Any], out: Any) -> None:
    """Raise if a NaN or an infinity in a result appeared here, or entered the graph here."""
    for kind, holds, meant in (
        ("NaN", np.isnan, _nan_is_meant),
        ("an infinity", np.isinf, _infinity_is_meant),
    ):
        bad = holds(out)
        culprit = None
        for position, value in enumerate(inputs):
            held = holds(value) if floating(value) else np.False_
            if not held.any():
                continue
            if meant(node.parents[position], value):
                # An element of an elementwise result comes of the elements in its place.
                bad = bad & ~held if _elementwise(node) else np.zeros_like(bad)
            elif culprit is None and (not _elementwise(node) or (bad & held).any()):
                culprit = position
        if not bad.any():
            continue
        lines, gave = operands(node, inputs), f"{_name(node)} gave {_element(out, bad)}"
        if culprit is None:
            finite = all(np.isfinite(value).all() for value in inputs if floating(value))
            of = "of finite operands" if finite else f"of operands that held no {kind.split()[-1]}"
            _raise(f"{gave} {of}" + ("" if finite else " there"), node, lines)
        advice = _ADVICE[kind]
        _raise(f"{gave}: {operand(node, culprit)}, holds {kind} already", node, [advice, *lines])


_ADVICE: Final = {
    "NaN": "NaN in data has to be replaced, or left out, before it is used",
    "an infinity": "a parameter has diverged, or a mask should be a constant (x.detach())",
}


def _elementwise(node: Node) -> bool:
    assert node.op is not None
    return node.op.elementwise


def _nan_is_meant(parent: Node | None, value: Any) -> bool:
    """Tell whether NaN was written as a number, or was let through when it appeared."""
    return not np.ndim(value) if parent is None else parent in records


def _infinity_is_meant(parent: Node | None, _value: Any) -> bool:
    """Tell whether this is no leaf: masks and bounds are constants."""
    return parent is None or parent.op is not None


def _checksums(node: Node) -> dict[int, int]:
    """Take the checksums of the arrays that the rules of a node will read."""
    assert node.op is not None
    recording = sum(1 << i for i, parent in enumerate(node.parents) if parent is not None)
    reads_out, _ = node.op.unread(recording, len(node.parents))
    kept = dict(enumerate(node.inputs)) | ({-1: node.out} if reads_out else {})
    return {p: _checksum(array) for p, array in kept.items() if isinstance(array, np.ndarray)}


def _checksum(array: Any) -> int:
    """Return a number that another array of this shape is unlikely to have."""
    if array.dtype.char in "gG":  # the padding of long doubles is anything
        with np.errstate(all="ignore"):
            array = array.astype(array.dtype.char.translate({ord("g"): "d", ord("G"): "D"}))
    # A transpose of what lies in Fortran order needs no copy.
    flat: Any = np.ascontiguousarray(array.T if array.flags.f_contiguous else array)
    return zlib.crc32(flat)


def _check_unchanged(node: Node, record: Record) -> None:
    """Raise if an array that the rules of a node are about to read is not what it was."""
    for position, checksum in record.sums.items():
        array = node.out if position < 0 else node.inputs[position]
        if _checksum(array) != checksum:
            what = "its result" if position < 0 else operand(node, position)
            _raise(
                f"{_name(node)} recorded an array that has changed since: {what}, of shape "
                f"{array.shape}",
                node,
                [
                    "its gradient would be wrong: run backward() before the array is written to, "
                    "or record a copy of it",
                    f"now: {statistics(array)}",
                ],
            )
