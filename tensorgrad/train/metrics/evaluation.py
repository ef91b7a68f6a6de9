"""Evaluation: a loss and metrics of a model on a data set, and its predictions, in batches.

Floor: train.  May import `nn`, `data` and the floors below them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from ..._typing import Array, SeedLike
from ...data.batches import batches
from ...graph import no_grad
from ...nn.module import Module
from ...tensor import Tensor
from .choosing import Metrics, as_metrics
from .measuring import Averages, as_array, measured

Model: TypeAlias = Callable[[Any], Any]
"""A Module, or any function of a batch of inputs."""

Loss: TypeAlias = Callable[[Any, Any], Any]
"""A function (prediction, target) that returns one number, the mean over the batch."""


def evaluate(
    model: Model,
    data: Any,
    *,
    loss: Loss | None = None,
    metrics: Metrics = None,
    batch_size: int = 256,
) -> dict[str, Any]:
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
        "accuracy", "top_k_accuracy", "r2" or "confusion_matrix"; or a function (prediction,
        target) of arrays, a `Pooled`; a list of these, or a dict of them by name.
    batch_size
        Samples per batch, where `data` is two arrays.

    Returns
    -------
    dict of str to float
        "loss", where one is given, and each metric: means over the batches, weighted by their
        lengths.  That is the mean over all samples for whatever is a mean over a batch.  "r2",
        "confusion_matrix", which is an array, and any `Pooled` are of the whole.

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
    functions = as_metrics(metrics, arrays=True)
    if loss is not None:
        functions = {"loss": as_loss(loss), **functions}
    if not functions:
        raise ValueError("nothing to compute: give loss=, metrics= or both")
    averages = Averages(functions)
    source = as_batches(data, batch_size)
    with mode(model, training=False), no_grad():
        for x, y in pairs(source):
            averages.add(len(y), measured(functions, model(x), y))
    return averages.means()


def predict(model: Model, x: Any, *, batch_size: int = 256) -> Array:
    """Compute the predictions of a model, batch by batch, without changing anything.

    Nothing is recorded, and a Module is in evaluation mode meanwhile.

    Parameters
    ----------
    model
        A Module, or any function of a batch of inputs, that returns one row for each sample.
    x
        An array, also a memory map, of which a batch at a time is read; or an iterable of batches,
        or of pairs of which the first is the batch.
    batch_size
        Samples per batch, where `x` is an array.

    Returns
    -------
    ndarray
        Of the shape (samples, ...), in the order of `x`.

    Raises
    ------
    TypeError, ValueError
        If `x` is neither, holds no sample, or the model does not return a row for each sample.

    Examples
    --------
    >>> import numpy as np
    >>> predict(lambda x: 2 * x[:, 0], np.array([[1.0], [2.0], [3.0]]), batch_size=2)
    array([2., 4., 6.])
    """
    source = x.data if isinstance(x, Tensor) else x
    if isinstance(source, np.ndarray):
        source = batches(source, batch_size)
    elif isinstance(source, (str, Mapping)) or not isinstance(source, Iterable):
        raise TypeError(f"x is a {type(x).__name__}; expected an array, or an iterable of batches")
    found: list[Array] = []
    with mode(model, training=False), no_grad():
        for batch in source:
            inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
            found.append(_rows(model, inputs))
    if not found:
        raise ValueError("x holds no samples")
    return np.concatenate(found)


def _rows(model: Model, inputs: Any) -> Array:
    """Return the prediction for a batch as an array, if it has a row for each sample."""
    samples = _samples(inputs)
    if not samples:
        raise TypeError(
            f"a batch is a {type(inputs).__name__}; expected an array of at least one sample"
        )
    prediction = model(inputs)
    if not isinstance(prediction, (Tensor, np.ndarray)):
        raise TypeError(f"the model returned a {type(prediction).__name__}; expected an array")
    if prediction.shape[:1] != (samples,):
        raise ValueError(
            f"the model returned shape {prediction.shape} for a batch of {samples} samples; "
            "expected a row for each"
        )
    rows: Array = as_array(prediction)
    return rows


def as_loss(loss: Any) -> Loss:
    """Return the loss, if it is a function."""
    if not callable(loss):
        raise TypeError(
            f"loss is {loss!r}; expected a function (prediction, target), such as nn.cross_entropy"
        )
    return loss  # type: ignore[no-any-return]


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
