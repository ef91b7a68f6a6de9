"""Measuring: what a metric is, and how batch after batch becomes one number.

Floor: train.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..._typing import Array, ArrayLike
from ...tensor import Tensor

Metric: TypeAlias = Callable[[Any, Any], Any]
"""A function (prediction, target) of arrays that returns a number, the mean over the batch."""


class Pooled:
    """A metric that is no mean over batches: each contributes an array, and all make one number.

    It is called like any other metric, on arrays; in `metrics=` it is computed from all batches.

    Parameters
    ----------
    part
        A function (prediction, target) of arrays that returns what a batch contributes, an array.
    result
        A function of the array that came of all batches; it returns the number.
    join
        A function of two such arrays that makes one of them; by default they are added.
    name
        What it is called in a history.
    number
        False where the result is an array, which a history cannot hold.

    Examples
    --------
    >>> import numpy as np
    >>> def counts(prediction, target):
    ...     found = prediction > 0
    ...     return np.array([np.sum(found & (target == 1)), np.sum(found)])
    >>> precision = Pooled(counts, lambda total: total[0] / total[1], name="precision")
    >>> float(precision([0.5, 2.0, -1.0, 3.0], [1, 0, 1, 1])).__round__(4)
    0.6667
    """

    def __init__(
        self,
        part: Callable[[Any, Any], Array],
        result: Callable[[Array], Any],
        *,
        join: Callable[[Array, Array], Array] = np.add,
        name: str = "",
        number: bool = True,
    ) -> None:
        self.part = part
        self.result = result
        self.join = join
        self.number = number
        if name:
            self.__name__ = name

    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Any:
        """Compute the metric of one batch."""
        return self.result(self.part(as_array(prediction), as_array(target)))


class Averages:
    """Means of several numbers over batches, weighted by their lengths; and what is `Pooled`.

    Parameters
    ----------
    functions
        The metrics by name, as `as_metrics` returns them.  A name that is not among them stands for
        a mean.
    """

    def __init__(self, functions: Mapping[str, Metric]) -> None:
        self._pooled = {n: f for n, f in functions.items() if isinstance(f, Pooled)}
        self._count = 0
        self._totals: dict[str, Any] = {}

    def add(self, count: int, values: Mapping[str, Any]) -> None:
        """Add what `measured` returned for a batch of `count` samples."""
        self._count += count
        for name, value in values.items():
            if name not in self._pooled:
                self._totals[name] = self._totals.get(name, 0.0) + count * float(value)
            elif name in self._totals:
                self._totals[name] = self._pooled[name].join(self._totals[name], value)
            else:
                self._totals[name] = value

    def means(self) -> dict[str, Any]:
        """Return the means so far, and the results of what is pooled."""
        found = {}
        for name, total in self._totals.items():
            pooled = self._pooled.get(name)
            if pooled is None:
                found[name] = total / self._count
            else:
                found[name] = float(pooled.result(total)) if pooled.number else pooled.result(total)
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far."""
        names, totals = list(self._totals), list(self._totals.values())
        return {"count": self._count, "names": names, "totals": totals}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from such sums."""
        totals = dict(zip(state["names"], state["totals"], strict=True))
        self._count, self._totals = int(state["count"]), totals


def measured(functions: Mapping[str, Metric], prediction: Any, target: Any) -> dict[str, Any]:
    """Apply metrics to a prediction and its target: numbers, and of `Pooled` the arrays."""
    scores, labels = as_array(prediction), as_array(target)
    return {
        name: function.part(scores, labels)
        if isinstance(function, Pooled)
        else _number(name, function(scores, labels))
        for name, function in functions.items()
    }


def _number(name: str, value: Any) -> float:
    """Return what a metric returned, if it is one number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        shown = f"shape {value.shape}" if getattr(value, "shape", ()) else repr(value)
        raise TypeError(
            f"the metric {name!r} returned {shown}; expected one number, such as the mean over the "
            "batch"
        ) from None


def as_array(data: ArrayLike) -> Any:
    """Return the values of a prediction or target as an array."""
    return data.data if isinstance(data, Tensor) else np.asarray(data)
