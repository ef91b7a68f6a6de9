"""LBFGS: a quasi-Newton method, for losses without noise.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_count, as_number, one_of
from ..compiler.errors import CompileError
from ..graph import no_grad
from ..quiet import quiet
from ..tensor import Tensor
from .base import BaseOptimizer, evaluated
from .groups import Option
from .line_search import Point, strong_wolfe


def _search(name: str, value: str | None) -> str | None:
    """Return the name of a line search, or None, or raise."""
    return one_of(name, value, None, "strong_wolfe")


def _count_or_none(name: str, value: Any) -> int | None:
    """Return a whole number, at least 1, or None, or raise."""
    return None if value is None else as_count(name, value)


class LBFGS(BaseOptimizer):
    r"""Limited-memory BFGS: steps along an estimate of Newton's direction.

    From the last steps s and the changes y of the gradient that they made it estimates the inverse
    of the Hessian H, and moves by t H⁻¹ g.  It suits few parameters, batches of all data and no
    randomness; a step evaluates the loss several times.

    Parameters
    ----------
    params
        The tensors to change, in one group and of one dtype; see `Optimizer`.
    lr
        How far to go along the direction; with a line search what it tries first.
    max_iter
        The most iterations in a step.
    max_eval
        The most evaluations of the loss in a step; None for 5/4 `max_iter`.
    tolerance_grad
        A step ends when no part of the gradient is larger.
    tolerance_change
        A step ends when neither a parameter nor the loss changes by more.
    history_size
        How many pairs of s and y are kept: twice as many arrays as long as all parameters.
    line_search_fn
        "strong_wolfe", which is the safe choice, or None to go `lr` far without looking.

    Attributes
    ----------
    state : dict
        What is remembered, by name.

    Raises
    ------
    TypeError
        If `params` are no leaves of floats, or a number is none.
    ValueError
        If there are no parameters, one comes twice, their dtypes differ, there are several groups,
        or a number is out of range.

    References
    ----------
    J. Nocedal, S. Wright, "Numerical optimization", 2006, algorithms 7.4 and 7.5; with PyTorch's
    stopping rules.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> w = tg.Tensor([-1.5, 2.0])
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe", max_iter=50)
    >>> def rosenbrock():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> float(optimizer.step(rosenbrock))  # the loss before the step
    12.5
    >>> w.data.round(4)
    array([1., 1.])
    """

    max_iter = Option(as_count)
    max_eval = Option(_count_or_none)
    tolerance_grad = Option(as_number)
    tolerance_change = Option(as_number)
    line_search_fn = Option(_search)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        size = as_count("history_size", history_size)
        super().__init__(
            params, lr=lr, max_iter=max_iter, max_eval=max_eval, tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change, line_search_fn=line_search_fn,
        )  # fmt: skip
        if len(self.param_groups) > 1:
            raise ValueError("LBFGS has one group, since its direction is that of all parameters")
        dtypes = {param.dtype for param in self.params}
        if len(dtypes) > 1:
            names = ", ".join(sorted(map(str, dtypes)))
            raise ValueError(f"params are of {names}; LBFGS needs one dtype: use astype")
        n, (dtype,) = sum(param.size for param in self.params), dtypes
        self.state: dict[str, Array] = {
            "iterations": np.zeros((), int),
            "stored": np.zeros((), int),
            "scale": np.ones(()),
            "grad": np.zeros(n, dtype),
            "move": np.zeros(n, dtype),
            "s": np.zeros((size, n), dtype),
            "y": np.zeros((size, n), dtype),
        }

    def _state_arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the arrays of the state with their names."""
        yield from self.state.items()

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:
        """Iterate until the loss changes no more, or `max_iter` times.

        Parameters
        ----------
        closure
            Forgets the gradients, computes the loss, calls `backward()`, and returns the loss.  It
            is called several times, and may be a compiled function.

        Returns
        -------
        Tensor
            The loss before the step.

        Raises
        ------
        TypeError
            If there is no closure, or it returns something else.
        RuntimeError
            If it has computed no gradient.
        CompileError
            In a compiled function.

        An error in the closure leaves the parameters as the last whole iteration did.
        """
        if closure is None:
            raise TypeError(
                "LBFGS evaluates the loss several times in a step: give step() a function that "
                "calls zero_grad() and backward() and returns the loss"
            )
        if type(self.param_groups[0].options["lr"]) is not np.ndarray:
            raise CompileError(
                "LBFGS decides by the loss how to go on, which a record cannot: call step() "
                "outside the compiled function, and compile the closure"
            )
        first, point = self._evaluate(closure)
        evaluations, options = 1, self.param_groups[0]
        limit = options["max_eval"] or options["max_iter"] * 5 // 4
        for i in range(1, options["max_iter"] + 1):
            if np.abs(point.grad).max(initial=0.0) <= options["tolerance_grad"]:
                break
            with quiet():
                direction = self._direction(point.grad)
                slope = float(point.grad @ direction)
            if slope > -options["tolerance_change"]:
                break
            start = point._replace(distance=0.0, slope=slope)
            # Without a line search the loss after the last move is left to the next step.
            evaluates = options["line_search_fn"] or i < options["max_iter"]
            left = limit - evaluations if evaluates else 0
            point, count = self._moved(closure, start, direction, left)
            evaluations += count
            if evaluations >= limit or self._is_settled(start, point):
                break
        return first

    def _evaluate(self, closure: Callable[[], Tensor]) -> tuple[Tensor, Point]:
        """Compute the loss and the gradient where the parameters are."""
        loss = evaluated(closure)
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"the closure returned a {type(loss).__name__}; expected the loss, a Tensor"
            )
        if not any(param.has_grad for param in self.params):
            raise RuntimeError(
                "the closure has computed no gradient: call loss.backward() in it, on a loss that "
                "was computed from these parameters (frozen ones get no gradient)"
            )
        grad = np.concatenate([param.grad.reshape(-1) for param in self.params])
        return loss, Point(0.0, float(loss.detach()), 0.0, grad)

    def _direction(self, grad: Array) -> Array:
        """Remember what the last move did to the gradient, and estimate -H⁻¹ g: two loops."""
        state = self.state
        size = len(state["s"])
        if state["iterations"]:
            change = grad - state["grad"]
            curvature = float(change @ state["move"])
            if curvature > 1e-10:  # else the loss is not convex there
                row = int(state["stored"]) % size
                state["s"][row], state["y"][row] = state["move"], change
                state["stored"] += 1
                state["scale"][...] = curvature / float(change @ change)
        state["iterations"] += 1
        state["grad"][...] = grad
        stored = int(state["stored"])
        rows = [i % size for i in range(max(0, stored - size), stored)]
        curvatures = {row: 1 / float(state["s"][row] @ state["y"][row]) for row in rows}
        weights = {}
        direction = -grad
        for row in reversed(rows):
            weights[row] = float(state["s"][row] @ direction) * curvatures[row]
            direction -= weights[row] * state["y"][row]
        direction *= float(state["scale"])
        for row in rows:
            weight = float(state["y"][row] @ direction) * curvatures[row]
            direction += (weights[row] - weight) * state["s"][row]
        return direction

    def _is_settled(self, start: Point, point: Point) -> bool:
        """Tell whether a move has changed hardly anything."""
        least = self.param_groups[0]["tolerance_change"]
        small = bool(np.abs(self.state["move"]).max() <= least)
        return small or abs(point.loss - start.loss) < least

    def _moved(
        self, closure: Callable[[], Tensor], start: Point, direction: Array, left: int
    ) -> tuple[Point, int]:
        """Move along a direction; return what is known there, and how often the loss was computed.

        Parameters
        ----------
        left
            How often it may be computed.
        """
        options, state = self.param_groups[0], self.state
        before = np.concatenate([param.data.reshape(-1) for param in self.params])
        distance = options["lr"]
        if state["iterations"] == 1:
            distance *= min(1.0, 1.0 / float(np.abs(start.grad).sum()))

        def at(t: float) -> Point:
            self._put(before + t * direction)
            _, found = self._evaluate(closure)
            with quiet():
                return found._replace(distance=t, slope=float(found.grad @ direction))

        try:
            if options["line_search_fn"] is None:
                count = min(left, 1)
                point = at(distance) if left else start._replace(distance=distance)
            else:
                reach = float(np.abs(direction).max())
                point, count = strong_wolfe(at, start, distance, reach, left)
        except BaseException:
            self._put(before)
            raise
        state["move"][...] = point.distance * direction
        self._put(before + point.distance * direction)
        return point, count

    def _put(self, vector: Array) -> None:
        """Write the parameters, laid side by side, each into its place."""
        start = 0
        with no_grad():
            for param in self.params:
                param[...] = vector[start : start + param.size].reshape(param.shape)
                start += param.size
