"""How good a model is: accuracy, and the evaluation of a loss and of metrics over a data set.

Floor: train.  May import `nn`, `data` and the floors below them.  A metric is a function of two
arrays, prediction and target, that returns a number; to give one a name, add it to `_NAMED`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, Final, SupportsFloat, TypeAlias

import numpy as np

from .._typing import ArrayLike, SeedLike
from ..data.batches import batches
from ..graph import no_grad
from ..nn.module import Module
from ..tensor import Tensor

Model: TypeAlias = Callable[[Any], Any]
"""A Module, or any function of a batch of inputs."""

Loss: TypeAlias = Callable[[Any, Any], Any]
"""A function (prediction, target) that returns one number, the mean over the batch."""

Metric: TypeAlias = Callable[[Any, Any], SupportsFloat]
Metrics: TypeAlias = str | Metric | Iterable[str | Metric] | Mapping[str, Metric] | None


def accuracy(prediction: ArrayLike, target: ArrayLike, *, threshold: float = 0.0) -> float:
    """Return the share of samples that a classifier gets right.

    Parameters
    ----------
    prediction
        Scores of shape (..., classes), of which the greatest wins; or, for two classes, one score
        per sample, of the shape of `target`: the class is positive above `threshold`.
    target
        Class labels of shape (...): integers from 0; for two classes 0 and 1, or -1 and 1.
    threshold
        For two classes: 0 for logits, tanh and margins; 0.5 for probabilities.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no sample, or two classes have other labels.

    Examples
    --------
    >>> accuracy([[0.1, 2.0], [3.0, -1.0], [0.0, 0.5]], [1, 0, 0]), accuracy([-0.3, 4.0], [-1, 1])
    (0.6666666666666666, 1.0)
    """
    scores, labels = _array(prediction), _array(target)
    if not labels.size:
        raise ValueError(f"target has shape {labels.shape}: there is nothing to be right about")
    if scores.ndim == labels.ndim + 1 and scores.shape[:-1] == labels.shape:
        if scores.shape[-1] == 1:
            raise ValueError(
                f"prediction has shape {scores.shape}, a single class; for two classes give one "
                "score per sample: prediction[..., 0]"
            )
        return float(np.mean(scores.argmax(-1) == labels))
    if scores.shape != labels.shape or labels.ndim > 1:
        raise ValueError(
            f"prediction has shape {scores.shape} and target {labels.shape}; expected (n, classes) "
            "and (n,), or (n,) and (n,) for two classes (labels from one-hot rows: argmax(-1))"
        )
    if not (np.isin(labels, (0, 1)).all() or np.isin(labels, (-1, 1)).all()):
        raise ValueError(
            "with one score per sample, target holds 0 and 1, or -1 and 1; it holds "
            f"{np.unique(labels)[:5].tolist()}"
        )
    return float(np.mean((scores > threshold) == (labels > 0)))


_NAMED: Final[dict[str, Metric]] = {"accuracy": accuracy}


def evaluate(
    model: Model,
    data: Any,
    *,
    loss: Loss | None = None,
    metrics: Metrics = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Compute the loss and metrics of a model on a data set, without changing anything.

    Nothing is recorded, and a Module is in evaluation mode meanwhile.

    Parameters
    ----------
    model
        A Module, or any function of a batch of inputs.
    data
        `(x, y)`, two arrays of equal length; or an iterable of batches `(x, y)`.
    loss
        A function (prediction, target) that returns the mean over a batch.
    metrics
        "accuracy"; or a function (prediction, target) of arrays, a list of these, or a dict of
        functions by name.
    batch_size
        Samples per batch, where `data` is two arrays.

    Returns
    -------
    dict of str to float
        "loss", where one is given, and each metric: means over the batches, weighted by their
        lengths.  That is the mean over all samples for whatever is a mean over a batch.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, there is nothing to compute, or there is no sample.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> evaluate(lambda x: x[:, 0] - 1.5, (x, np.array([0, 0, 1])), metrics="accuracy")
    {'accuracy': 1.0}
    """
    functions = as_metrics(metrics)
    if loss is not None:
        functions = {"loss": as_loss(loss), **functions}
    if not functions:
        raise ValueError("nothing to compute: give loss=, metrics= or both")
    averages = Averages()
    source = as_batches(data, batch_size)
    with mode(model, training=False), no_grad():
        for x, y in pairs(source):
            averages.add(len(y), measured(functions, model(x), y))
    return averages.means()


class Averages:
    """Means of several numbers over batches, weighted by the lengths of the batches."""

    def __init__(self) -> None:
        self._count = 0
        self._totals: dict[str, float] = {}

    def add(self, count: int, values: Mapping[str, float]) -> None:
        """Add the means over a batch of `count` samples."""
        self._count += count
        for name, value in values.items():
            self._totals[name] = self._totals.get(name, 0.0) + count * value

    def means(self) -> dict[str, float]:
        """Return the means so far."""
        return {name: total / self._count for name, total in self._totals.items()}


def measured(functions: Mapping[str, Metric], prediction: Any, target: Any) -> dict[str, float]:
    """Apply functions of arrays to a prediction and its target."""
    scores, labels = _array(prediction), _array(target)
    return {name: float(function(scores, labels)) for name, function in functions.items()}


def as_loss(loss: Any) -> Loss:
    """Return the loss, if it is a function."""
    if not callable(loss):
        raise TypeError(
            f"loss is {loss!r}; expected a function (prediction, target), such as nn.cross_entropy"
        )
    return loss  # type: ignore[no-any-return]


def as_metrics(metrics: Metrics) -> dict[str, Metric]:
    """Return the metrics by name, after checking names and functions."""
    if metrics is None:
        return {}
    if isinstance(metrics, Mapping):
        named = list(metrics.items())
    else:
        single = isinstance(metrics, str) or callable(metrics)
        given: Any = [metrics] if single else list(metrics)  # type: ignore[arg-type]
        named = [(_name(metric), _NAMED.get(metric, metric)) for metric in given]
    found: dict[str, Metric] = {}
    for name, function in named:
        if not callable(function):
            known = ", ".join(repr(key) for key in _NAMED)
            raise TypeError(
                f"a metric is {function!r}; expected {known} or a function (prediction, target)"
            )
        if name in found or name in ("loss", "epoch", "seconds") or name.startswith("val_"):
            raise ValueError(
                f"a metric is called {name!r}, which is taken: name it by a dict, as in "
                "metrics={'my_score': function}"
            )
        found[name] = function
    return found


def _name(metric: Any) -> str:
    """Return the name of a metric that comes without one."""
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "<unnamed>")
    if name.startswith("<"):
        raise ValueError(
            f"the metric {metric!r} has no name: give it one, as in metrics={{'score': function}}"
        )
    return str(name)


def as_batches(
    data: Any,
    batch_size: int,
    *,
    name: str = "data",
    passes: int = 1,
    shuffle: bool = False,
    rng: SeedLike = None,
) -> Iterable[Any]:
    """Return `data`, arrays or batches, as an iterable of batches for so many passes.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If the arrays differ in length, there is no sample, or an iterator is to be passed again.
    """
    arrays = (np.ndarray, Tensor)
    source: Iterable[Any] = data
    if isinstance(data, tuple) and len(data) == 2 and all(isinstance(a, arrays) for a in data):
        x, y = (part.data if isinstance(part, Tensor) else part for part in data)
        source = batches((x, y), batch_size, shuffle=shuffle, rng=rng)
    elif isinstance(data, (str, Mapping, *arrays)) or not isinstance(data, Iterable):
        raise TypeError(
            f"{name} is a {type(data).__name__}; expected a tuple (x, y) of two arrays, or an "
            "iterable of batches (x, y)"
        )
    if isinstance(source, Sized) and operator.length_hint(source, -1) == 0:
        raise ValueError(f"{name} holds no samples")
    if isinstance(source, Iterator) and passes > 1:
        raise ValueError(
            f"{name} is an iterator, which gives its batches once, and there are {passes} epochs: "
            "give a list of batches, two arrays, or an object whose __iter__ starts anew"
        )
    return source


def pairs(source: Iterable[Any]) -> Generator[tuple[Any, Any]]:
    """Yield the batches, after checking that each is an input and a target of some samples."""
    empty = True
    for batch in source:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not _samples(batch[1]):
            raise TypeError(
                f"a batch is a {type(batch).__name__}, and not a pair (x, y) of arrays with at "
                "least one sample; a whole data set is a tuple of two arrays (np.asarray)"
            )
        empty = False
        yield batch[0], batch[1]
    if empty:
        raise ValueError("a pass over the data gave no batch")


def _samples(target: Any) -> int:
    """Return the length of a batch, 0 where it is no array of at least one axis."""
    return target.shape[0] if getattr(target, "shape", ()) else 0


@contextmanager
def mode(model: Model, *, training: bool) -> Generator[None]:
    """Put a Module into training or evaluation mode, and each part back into its own afterwards."""
    modules = model.modules() if isinstance(model, Module) else []
    before = [module.training for module in modules]
    try:
        if isinstance(model, Module):
            model.train(training)
        yield
    finally:
        for module, flag in zip(modules, before, strict=True):
            module.training = flag


def _array(data: ArrayLike) -> Any:
    """Return the values of a prediction or target as an array."""
    return data.data if isinstance(data, Tensor) else np.asarray(data)
