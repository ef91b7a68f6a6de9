"""Audit: the rules of the operations of a graph, compared with differences of their forwards.

Floor: `debug`.  Each operation is looked at alone, on the values that it has in the graph: in
float64, unless its forward takes no float64, along random directions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from .. import backprop
from .._typing import Array
from ..graph import Leaf, Node, clock
from ..handle import recomputed
from ..op import Op, conjugate
from .anomaly import AnomalyError
from .describe import floating, message, operand, statistics

_EACH_ELEMENT: Final = 256
"""In so many elements the worst one is found by looking at each."""

_STEPS: Final = ((1.0, 0.0), (0.0, 1.0), (0.02, 0.0), (0.0, 0.02))
"""Steps to try: in units of the third root of the precision, and relative to each element."""


class Difference(NamedTuple):
    """The derivative of a forward along a direction, by central differences."""

    direction: Array
    slope: Array
    error: Array
    """About how wrong each element of the slope is."""
    known: Array
    """Where there is a slope: not at kinks, jumps, and edges of the domain."""


class _NotCheckedError(Exception):
    """Says why a rule cannot be checked."""


class Audit:
    """The audit of one pass."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.values: dict[Node, Any] = {}
        """The values that had to be computed again, until their own step."""

    def check(self, node: Node, g: Any) -> tuple[str | None, ...]:
        """Say of each input of a node whether its rule was checked, and raise if it is wrong.

        The rules run on the cotangent `g` that arrived, and on no other: it may have to be one
        that does not see the arbitrary part of a result, such as the phases of eigenvectors.
        """
        assert node.op is not None
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                trial: _Trial | None = _Trial(node, self._inputs(node), g, self.rng)
                why = ""
            except _NotCheckedError as error:
                trial, why = None, str(error)
            self.values.pop(node, None)
            return tuple(
                None
                if parent is None
                else self._checked(position, trial)
                if trial
                else f"not checked: {why}"
                for position, parent in enumerate(node.parents)
            )

    def _inputs(self, node: Node) -> list[Any]:
        """Return the values of all inputs, from where they still are."""
        pairs = list(zip(node.parents, node.inputs, strict=True))
        for position, (parent, value) in enumerate(pairs):
            if parent is None and value is None:
                raise _NotCheckedError(f"operand {position}, a constant, was not kept")
        inputs = []
        for position, (parent, value) in enumerate(pairs):
            if parent is not None and value is parent:
                try:
                    value = recomputed(parent, self.values)
                except ValueError:
                    raise _NotCheckedError(
                        f"{operand(node, position)}, was not kept, and cannot be computed again"
                    ) from None
            if not isinstance(value, (np.ndarray, np.generic, int, float, complex)):
                raise _NotCheckedError(f"operand {position} is a {type(value).__name__}")
            inputs.append(value)
        return inputs

    def _checked(self, position: int, trial: _Trial) -> str:
        """Check the rule of one input."""
        if not trial.has_rule(position):
            return "not checked: it has no derivative by nature"
        try:
            return trial.check(position)
        except _NotCheckedError as error:
            return f"not checked: {error}"


def _widened(value: Any) -> Any:
    """Return a copy in double precision of an array that is floating and narrower."""
    if hasattr(value, "dtype") and value.dtype.kind in "fc":
        wide = np.complex128 if value.dtype.kind == "c" else np.float64
        return np.array(value, np.promote_types(value.dtype, wide))
    return value


class _Trial:
    """One operation on its own: its forward on given values, and the cotangent that arrived."""

    def __init__(self, node: Node, inputs: Sequence[Any], g: Any, rng: np.random.Generator) -> None:
        self.node, self.rng = node, rng
        self.inputs = [_widened(value) for value in inputs]
        self.out = self._start(inputs)
        self.cotangent = np.asarray(g).astype(self.out.dtype)
        if g.size and not (np.any(g) and np.isfinite(g).all()):
            raise _NotCheckedError("the gradient that arrived is zero, or is not finite")
        self.precision = float(np.finfo(self.out.dtype).eps)
        self.step = self.precision ** (1 / 3)
        self.alone = _alone(node, self.inputs, self.out)

    @property
    def op(self) -> Op:
        """The operation."""
        assert self.node.op is not None
        return self.node.op

    def _start(self, inputs: Sequence[Any]) -> Array:
        """Run the forward, in double precision or, if it takes none, on the inputs themselves."""
        try:
            out = self._forward()
        except _NotCheckedError:
            self.inputs = list(inputs)
            out = self._forward()
        if not np.array_equal(out, self._forward(), equal_nan=True):
            raise _NotCheckedError("its forward draws random numbers")
        return out

    def _forward(self, position: int = 0, moved: Any = None) -> Array:
        """Run the forward, on another value at a position if one is given."""
        inputs = list(self.inputs)
        if moved is not None:
            inputs[position] = moved
        try:
            out = self.op.forward(*inputs, **self.node.params)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise _NotCheckedError(f"its forward failed: {error}") from None
        return np.array(out)

    def has_rule(self, position: int) -> bool:
        """Tell whether an input has a derivative."""
        rules = self.op.rules
        return self.op.joint or (position < len(rules) and rules[position] is not None)

    def _helper(self) -> int | None:
        """Return the position of an input of floats that has no rule."""
        without = (i for i, x in enumerate(self.inputs) if floating(x) and not self.has_rule(i))
        return next(without, None)

    def check(self, position: int) -> str:
        """Compare the rule of an input with differences along several directions."""
        try:
            return self._compared(position, symmetric=False)
        except AnomalyError:
            helper = self._helper()
            if helper is not None:
                raise _NotCheckedError(
                    f"operand {helper} has no rule, and may have been computed from the others"
                ) from None
            if not _is_symmetric(self.inputs[position]):
                raise
        # Of a symmetric matrix a function may read a half, and its rule see to it that the matrix
        # stays symmetric.
        return self._compared(position, symmetric=True) + ", along symmetric directions"

    def _compared(self, position: int, symmetric: bool) -> str:
        """Compare the rule of an input with differences along directions of a kind."""
        tried: list[tuple[int, bool, Difference]] = []
        for absolute, relative in _STEPS:
            found = self._difference(position, absolute, relative, symmetric)
            count = int(found.known.sum())
            if not count and self.out.size:
                continue
            right = self._agrees(position, found)
            if right and count == self.out.size:
                return "checked"
            tried.append((count, right, found))
        if not tried:
            raise _NotCheckedError(
                "no derivative to be found here: a kink, a tie, or the edge of the domain"
            )
        count, right, best = max(tried, key=lambda entry: entry[:2])
        if right:
            return (
                f"checked, but for {self.out.size - count} of {self.out.size} elements of the "
                "result without a derivative to be found: kinks, ties, or the edge of the domain"
            )
        if any(agreed for _, agreed, _ in tried):
            raise _NotCheckedError("differences along several directions contradict each other")
        raise self._error(position, best)

    def _difference(
        self, position: int, absolute: float, relative: float, symmetric: bool = False
    ) -> Difference:
        """Differentiate the forward along a random direction, with a step and with half of it."""
        x = np.asarray(self.inputs[position])
        size = np.abs(x)
        scale = absolute + relative * np.where((size > 0) & np.isfinite(size), size, 1.0)
        direction = scale * _drawn(x, self.rng)
        if symmetric:
            direction = direction + _adjoint(direction)
        h, here = self.step, self.out
        ahead, behind = self._moved(position, h * direction), self._moved(position, -h * direction)
        near, back = (self._moved(position, t * h * direction) for t in (0.5, -0.5))
        coarse, slope = (ahead - behind) / (2 * h), (near - back) / h
        rounding = self.precision * np.maximum(np.abs(ahead), np.maximum(abs(behind), abs(here)))
        error = np.abs(coarse - slope) + 4 * rounding / h
        finite = np.isfinite(error) & np.isfinite(slope)
        steepest = np.max(np.abs(slope), where=finite, initial=0.0)
        # The second difference of a smooth function falls to a quarter, that of a kink to a half.
        bend = np.abs(near - 2 * here + back)
        smooth = bend <= (
            0.35 * np.abs(ahead - 2 * here + behind) + 16 * rounding + 1e-7 * h * steepest
        )
        fuzzy = self.precision ** (2 / 3)
        accurate = error <= (
            max(1e-3, 30 * fuzzy) * np.abs(slope) + 1e-6 * steepest + 10 * rounding / h
        )
        return Difference(direction, slope, error, finite & smooth & accurate)

    def _moved(self, position: int, by: Any) -> Array:
        x = np.asarray(self.inputs[position])
        moved = self._forward(position, (x + by).astype(x.dtype))
        if moved.shape != self.out.shape:
            raise _NotCheckedError("the shape of its result depends on the values")
        return moved

    def _rule(self, position: int, known: Array) -> Array:
        """Run the rule of an input on the cotangent, where the derivative is known."""
        cotangent = self.cotangent * known
        try:
            given = dict(backprop.one_step(self.alone, cotangent))
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise _NotCheckedError(f"its rule failed: {error}") from None
        return np.asarray(given[position])

    def _agrees(self, position: int, found: Difference) -> bool:
        """Tell whether the rule gives the slope along the direction."""
        g = self._rule(position, found.known)
        got = np.sum(np.real(g * found.direction))
        if not np.isfinite(got) and not found.known.all():
            raise _NotCheckedError("its rule is not finite where the forward has no derivative")
        weight = np.where(found.known, np.abs(self.cotangent), 0.0)
        slope, error = (
            np.where(found.known, found.slope, 0.0),
            np.where(found.known, found.error, 0.0),
        )
        expected = np.sum(np.real(self.cotangent * slope))
        loose = max(1e-6, 10 * self.precision ** (2 / 3))
        tolerance = (
            loose * np.linalg.norm(weight * np.abs(slope))
            + 10 * np.linalg.norm(weight * error)
            + 16 * self.precision * np.sum(np.abs(g * found.direction))
        )
        return bool(abs(got - expected) <= tolerance)

    def _error(self, position: int, found: Difference) -> AnomalyError:
        """Find the element in which the rule is most wrong, and make the error that shows it."""
        g = self._rule(position, found.known)
        low, high = 0, g.size
        while high - low > _EACH_ELEMENT:  # a sum of errors halves with what it is summed over
            middle = (low + high) // 2
            parts = [slice(low, middle), slice(middle, high)]
            faults = [abs(self._along(position, found, part, 1.0, g)) for part in parts]
            low, high = (low, middle) if faults[0] >= faults[1] else (middle, high)
        elements = list(self._elements(position, found, g, range(low, high)))
        _, index, got, expected = max(elements, key=lambda element: element[0])
        place = tuple(int(i) for i in np.unravel_index(index, g.shape))
        where = f"at index {place} it gives" if place else "it gives"
        return AnomalyError(
            message(
                f"the rule of {self.op.name} for {operand(self.node, position)}, is wrong: "
                f"{where} {got:.6g}, and central differences give {expected:.6g}",
                self.node,
                [f"the gradient that arrived: {statistics(conjugate(self.cotangent))}"],
            )
        )

    def _along(
        self, position: int, found: Difference, part: slice, unit: complex, g: Array
    ) -> float:
        """Return by how much the rule is wrong along a part of the direction."""
        x = np.asarray(self.inputs[position])
        direction = np.zeros(x.size, np.result_type(x.dtype, type(unit)))
        direction[part] = unit * np.ravel(np.abs(found.direction))[part]
        direction = direction.reshape(x.shape)
        ahead = self._moved(position, self.step * direction)
        behind = self._moved(position, -self.step * direction)
        change = np.where(found.known, ahead - behind, 0.0)
        expected = np.sum(np.real(self.cotangent * change)) / (2 * self.step)
        return float(np.sum(np.real(g * direction)) - expected)

    def _elements(
        self, position: int, found: Difference, g: Array, indices: range
    ) -> Iterator[tuple[float, int, Any, Any]]:
        """Yield for each element how wrong it is, its index, what the rule gives, and the truth."""
        for index in indices:
            part, scale = slice(index, index + 1), np.ravel(np.abs(found.direction))[index]
            wrong: complex = self._along(position, found, part, 1.0, g) / scale
            if g.dtype.kind == "c":  # a rule sees dL/dx - i dL/dy
                wrong -= 1j * self._along(position, found, part, 1j, g) / scale
            got = conjugate(np.ravel(g)[index])
            yield abs(wrong), index, got, got - np.conj(wrong)


def _drawn(like: Any, rng: np.random.Generator) -> Array:
    """Draw numbers of either sign that are not small, of the shape and kind of an array."""
    drawn = rng.uniform(0.5, 1.5, like.shape) * rng.choice([-1.0, 1.0], like.shape)
    if like.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(-1.5, 1.5, like.shape)
    return np.asarray(drawn).astype(like.dtype)


def _adjoint(matrix: Array) -> Array:
    return np.conj(np.swapaxes(matrix, -1, -2))


def _is_symmetric(x: Any) -> bool:
    """Tell whether this is a symmetric matrix, or Hermitian, or a stack of such, to rounding."""
    x = np.asarray(x)
    square = x.ndim >= 2 and x.shape[-1] == x.shape[-2]
    return square and np.allclose(x, _adjoint(x), rtol=1e-6, atol=1e-6 * np.abs(x).max(initial=0.0))


def _alone(node: Node, inputs: Sequence[Any], out: Array) -> Node:
    """Record the operation of a node again, on these values and on leaves of its own."""
    op = node.op
    assert op is not None
    alone = Node()
    parents = [
        None if parent is None else Leaf(np.asarray(value))
        for parent, value in zip(node.parents, inputs, strict=True)
    ]
    recording = sum(1 << i for i, parent in enumerate(parents) if parent is not None)
    keep_out, unread = op.unread(recording, len(parents))
    kept = list(inputs)
    for i in unread:
        kept[i] = parents[i]
    alone.op, alone.parents, alone.inputs = op, tuple(parents), tuple(kept)
    alone.params, alone.out = node.params, out if keep_out else None
    alone.shape, alone.dtype, alone.time = out.shape, out.dtype, clock.now
    alone.grad, alone.label, alone.keeps_grad, alone.handle = None, "", False, None
    return alone
