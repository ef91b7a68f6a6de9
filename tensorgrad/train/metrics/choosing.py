"""Choosing: what is given as `metrics=` becomes functions by name.

Floor: train.  May import the floors below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from .measuring import Metric, Pooled
from .scores import NAMED, WHOLE

Metrics: TypeAlias = str | Metric | Iterable[str | Metric] | Mapping[str, str | Metric] | None


def as_metrics(metrics: Metrics, *, arrays: bool = False) -> dict[str, Metric]:
    """Return the metrics by name, after checking names and functions.

    Unless `arrays`, one whose result is an array is refused.
    """
    if metrics is None:
        return {}
    if isinstance(metrics, Mapping):
        named = list(metrics.items())
    else:
        single = isinstance(metrics, str) or callable(metrics)
        given: Any = [metrics] if single else list(metrics)  # type: ignore[arg-type]
        named = [(_name(metric), metric) for metric in given]
    found: dict[str, Metric] = {}
    for name, metric in named:
        function = NAMED.get(metric, metric) if isinstance(metric, str) else metric
        if not callable(function):
            known = ", ".join(repr(key) for key in NAMED)
            raise TypeError(
                f"a metric is {function!r}; expected {known} or a function (prediction, target)"
            )
        if name in found or name in ("loss", "epoch", "seconds") or name.startswith("val_"):
            raise ValueError(
                f"a metric is called {name!r}, which is taken: name it by a dict, as in "
                "metrics={'my_score': function}"
            )
        whole = next((pooled for known, pooled in WHOLE.items() if known is function), function)
        if isinstance(whole, Pooled) and not (whole.number or arrays):
            raise ValueError(
                f"the metric {name!r} is an array, and a history holds numbers: ask "
                "evaluate(model, data, metrics=...) for it"
            )
        found[name] = whole
    return found


def _name(metric: Any) -> str:
    """Return the name of a metric that comes without one."""
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "<unnamed>")
    if name.startswith("<"):
        raise ValueError(
            f"the metric {metric!r} has no name: give it one, as in metrics={{'score': function}}"
        )
    return str(name)
