"""Line search: how far to go along a direction, by the strong Wolfe conditions.

Floor: optim.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._typing import Array

_DECREASE, _CURVATURE = 1e-4, 0.9
"""c₁ and c₂ of the conditions: how much the loss must fall, and its slope flatten."""

_LEAST = 1e-9
"""A bracket in which no parameter changes by more is not divided further."""


class Point(NamedTuple):
    """What is known at a distance along the direction."""

    distance: float
    loss: float
    slope: float
    """The derivative of the loss along the direction."""
    grad: Array


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, distance: float, reach: float, most: int
) -> tuple[Point, int]:
    """Find a distance where the loss has fallen enough and its slope is flat enough.

    Parameters
    ----------
    evaluate
        Returns the point at a distance.
    start
        The point at distance 0, whose slope is negative.
    distance
        What to try first.
    reach
        The largest change of a parameter at distance 1.
    most
        How often to evaluate at most, after the first time.

    Returns
    -------
    tuple of Point and int
        The best point, and the number of evaluations.

    References
    ----------
    J. Nocedal, S. Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6; with the bounds
    of PyTorch's search, which are those of M. Schmidt's minFunc.
    """

    def falls(point: Point) -> bool:
        # Rounded as the loss is: where it is flat to the last digit nothing has risen.
        bound = start.loss + _DECREASE * point.distance * start.slope
        return bool(point.loss <= start.grad.dtype.type(bound))

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -_CURVATURE * start.slope

    last, point = start, evaluate(distance)
    count = 1
    while True:  # go on until there is a minimum between two points
        if count > most:
            return min(start, point, key=_loss), count
        if not falls(point) or (count > 2 and point.loss >= last.loss):
            break
        if is_flat(point):
            return point, count
        if point.slope >= 0:
            break
        step = point.distance - last.distance
        bounds = point.distance + 0.01 * step, 10 * point.distance
        last, point = point, evaluate(_minimum(last, point, bounds))
        count += 1
    low, high = sorted((last, point), key=_loss)
    slow = False
    while count <= most:  # divide the bracket
        if abs(high.distance - low.distance) * reach < _LEAST:
            break
        distance, slow = _inside(low, high, slow)
        point = evaluate(distance)
        count += 1
        if not falls(point) or point.loss >= low.loss:
            low, high = sorted((low, point), key=_loss)
            continue
        if is_flat(point):
            return point, count
        if point.slope * (high.distance - low.distance) >= 0:
            high = low
        low = point
    return low, count


def _loss(point: Point) -> float:
    """Return the loss, for comparison: one that is no number is the worst."""
    return math.inf if math.isnan(point.loss) else point.loss


def _inside(low: Point, high: Point, slow: bool) -> tuple[float, bool]:
    """Return a distance between two points, and whether it is close to one of them.

    The second time in a row that it is, it is moved away from there.
    """
    left, right = sorted((low.distance, high.distance))
    distance, margin = _minimum(low, high, (left, right)), 0.1 * (right - left)
    if min(right - distance, distance - left) >= margin:
        return distance, False
    if not slow and left < distance < right:
        return distance, True
    return (right - margin if right - distance < distance - left else left + margin), False


def _minimum(one: Point, other: Point, bounds: tuple[float, float]) -> float:
    """Return where the cubic through two points with their slopes is least, within bounds."""
    (x, f, df, _), (y, g, dg, _) = sorted((one, other), key=lambda point: point.distance)
    with np.errstate(all="ignore"):
        middle = df + dg - 3 * (f - g) / (x - y)
        square = middle * middle - df * dg
        if not square >= 0:
            return sum(bounds) / 2
        root = math.sqrt(square)
        divisor = dg - df + 2 * root
    if not divisor:
        return sum(bounds) / 2
    return min(max(y - (y - x) * ((dg + root - middle) / divisor), bounds[0]), bounds[1])
