"""fit: the training loop, for those who do not want to write their own.

Floor: train.  May import everything below.  This file holds the arguments; the loop is `run`'s
matter, a step `step`'s; what is measured, and on which data, `metrics`'; what is kept `history`'s;
what is shown `progress`'; what happens besides `callbacks`'.
"""

from __future__ import annotations

import itertools
import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import SeedLike
from ..checks import as_count, as_number
from ..data import DataLoader
from ..data.dataset import Stream
from ..optim.optimizer import Optimizer
from ..random import as_generator, state_of
from .callbacks import LivePlot, ModelCheckpoint
from .history import History
from .metrics import Loss, Metric, Metrics, Model, as_batches, as_loss, as_metrics, evaluate
from .progress import write
from .run import Callback, Run
from .snapshot import put_back
from .step import Step, check_optimizer


def fit(
    model: Model,
    data: Any,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int = 64,
    validation: Any = None,
    metrics: Metrics = None,
    schedule: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    callbacks: Callback | Sequence[Callback] = (),
    checkpoint: str | os.PathLike[str] | ModelCheckpoint | None = None,
    resume: bool | str | os.PathLike[str] = False,
    rng: SeedLike = None,
    verbose: int = 1,
    live: bool = False,
    diagnostics: int = 200,
    compile: bool = True,
) -> History:
    """Train a model: for every batch a forward pass, a backward pass, and a step of the optimiser.

    A Module is in training mode meanwhile, and in evaluation mode while it is validated; afterwards
    each of its parts is in the mode it was in before.

    Ctrl-C ends the training, never within a step, and `fit` returns the history up to there.

    Parameters
    ----------
    model
        A Module, or any function of a batch of inputs.
    data
        `(x, y)`: two arrays, also memory maps, of equal length; they are shuffled in each epoch,
        and the last batch holds what is left.  Or an iterable of batches `(x, y)`, which is passed
        once per epoch in its own order.
    loss
        A function (prediction, target) that returns the mean over a batch, one number as a Tensor.
        To weigh classes: `nn.CrossEntropyLoss(weight=balanced_class_weights(y))`.
    optimizer
        Over the parameters of the model; `LBFGS` needs a loop of its own, which the error shows.
    epochs
        How often to pass the data.
    batch_size
        Samples per batch, where `data` and `validation` are arrays.
    validation
        Data, in either form, to compute the loss and the metrics on after every epoch.
    metrics
        "accuracy", "top_k_accuracy" or "r2"; or a function (prediction, target) of arrays, a
        `Pooled`; a list of these, or a dict of them by name.  On the training data they look at the
        predictions that the steps made.
    schedule
        Changes the learning rate: an object of `optim.lr_scheduler` over `optimizer`.  It goes on
        after every step; `ReduceLROnPlateau` after every epoch, with the loss of the validation, or
        of the training where there is none.
    clip_norm
        The most that the norm of all gradients together may be: greater ones are scaled down.
    clip_value
        The most that each number of a gradient may be, in magnitude; clipped before the norm is.
    accumulate
        How many batches make one step, which then follows the mean over all their samples: as one
        batch of so many times the size, where the loss is a mean over samples and the model treats
        them one by one (batch normalisation does not).  The last step of an epoch takes what is
        left.
    callbacks
        A function `(event, run)`, or several: called with "train_begin", "step_end", "epoch_end",
        "train_end" and a `Run`, which has `model`, `optimizer`, `history`, `epoch`, `stop(why)`,
        `save(path)`.  `EarlyStopping` is one.
    checkpoint
        A folder in which the training is saved after each epoch, as `last.npz`, and where it was
        best, as `best.npz`; or a `ModelCheckpoint`, for more choices.  A folder that has a
        `last.npz` is refused, unless `resume` is given.
    resume
        True: go on from `last.npz` in the folder of `checkpoint`, if it is there; or the path of a
        checkpoint.  All other arguments as in the run that was left, but `epochs` may be greater.
        The result is that of a run without the break, to the bit.
    rng
        The generator that shuffles.
    verbose
        1: a progress bar where someone watches, and a line per epoch; 2: the lines; 0: nothing.
    live
        Draw the curves in a notebook while training; needs IPython.
    diagnostics
        Look at gradients, updates and dead units in every so-manieth step, from the first, and keep
        them in `history.diagnostics`; 0: never.  After 100 samples it is every second of these, and
        so on.
    compile
        Whether to record the step with `tensorgrad.compile`, after the first one.  The numbers are
        the same; where the model or the loss cannot be recorded, training goes on without, and a
        line says why.

    Returns
    -------
    History
        The loss and the learning rate of every step; per epoch "loss" and the metrics, means
        weighted by the lengths of the batches, and the same names with `val_` for the validation;
        and in `runs` the seed, the versions and the threads that it takes to repeat the training.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, there is no sample, or the optimiser has none of the
        model's parameters, or the checkpoint does not fit.  Nothing was changed then.
    FileExistsError
        If the folder of `checkpoint` holds a training, and `resume` is not given.
    DivergenceError
        If the loss is NaN or infinite.  The step was not taken; the exception has the history.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad import nn, optim
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> model = nn.Linear(1, 1, rng=0)
    >>> history = fit(model, (x, 3 * x + 1), loss=nn.mse_loss, epochs=20, batch_size=10,
    ...               optimizer=optim.SGD(model.parameters(), lr=0.2), rng=0, verbose=0)
    >>> history.epochs, len(history.steps), history["loss"][-1] < 1e-4
    (20, 100, True)
    """
    epochs = as_count("epochs", epochs, 0)
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose is {verbose!r}; expected 0, 1 or 2")
    check_optimizer(optimizer, model)
    _check_schedule(schedule, optimizer)
    loss, functions = as_loss(loss), as_metrics(metrics)
    generator = as_generator(rng)
    batches = as_batches(data, batch_size, passes=epochs, shuffle=True, rng=generator)
    if validation is not None:
        validation = as_batches(validation, batch_size, name="validation", passes=epochs)
        _try_validation(model, validation, loss, functions)
    step = Step(
        model,
        loss,
        optimizer,
        clip_norm=_limit("clip_norm", clip_norm),
        clip_value=_limit("clip_value", clip_value),
        returns_prediction=bool(functions),
        compile=compile,
        warn=lambda why: write(why + "\n") if verbose else None,
    )
    run = Run(
        step,
        batches,
        epochs=epochs,
        validation=validation,
        metrics=functions,
        schedule=schedule,
        accumulate=as_count("accumulate", accumulate),
        diagnostics=as_count("diagnostics", diagnostics, 0),
        callbacks=_callbacks(callbacks, checkpoint, live),
        verbose=verbose,
    )
    _resume(run, resume, checkpoint)
    run.history.runs.append(_circumstances(len(run.history.steps), rng, generator))
    run.train()
    return run.history


def _check_schedule(schedule: Any, optimizer: Optimizer) -> None:
    """Raise unless this changes the learning rate of the optimiser, as far as one can tell."""
    if schedule is None:
        return
    if isinstance(schedule, type) or not callable(getattr(schedule, "step", None)):
        raise TypeError(
            f"schedule is {schedule!r}; expected an object with a method step(), such as "
            "optim.lr_scheduler.StepLR(optimizer, 100)"
        )
    if getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise ValueError("the schedule belongs to another optimizer: make it from the one given")


def _try_validation(
    model: Model, batches: Iterable[Any], loss: Loss, metrics: Mapping[str, Metric]
) -> None:
    """Evaluate a batch: what does not fit is found now, not after an epoch.

    Of a stream none is taken, since it may give each sample only once.
    """
    if isinstance(batches, Sequence):
        evaluate(model, itertools.islice(batches, 1), loss=loss, metrics=metrics)
    elif isinstance(batches, DataLoader) and not isinstance(batches.dataset, Stream):
        trial = DataLoader(batches.dataset, batches.batch_size, collate_fn=batches.collate_fn)
        with put_back(trial):  # what the samples draw from
            evaluate(model, itertools.islice(trial, 1), loss=loss, metrics=metrics)


def _limit(name: str, value: float | None) -> float | None:
    """Return a limit of gradients, a positive number or None."""
    return None if value is None else as_number(name, value, above=0, most=math.inf)


def _callbacks(
    given: Callback | Sequence[Callback],
    checkpoint: str | os.PathLike[str] | ModelCheckpoint | None,
    live: bool,
) -> list[Callback]:
    """Return all callbacks; what saves comes after those that have a state to be saved."""
    if not callable(given) and not isinstance(given, Iterable):
        raise TypeError(f"callbacks is {given!r}; expected a function (event, run), or several")
    found = [given] if callable(given) else list(given)
    for callback in found:
        if not callable(callback) or isinstance(callback, type):
            raise TypeError(f"a callback is {callback!r}; expected a function (event, run)")
    if isinstance(checkpoint, ModelCheckpoint):
        found.append(checkpoint)
    elif isinstance(checkpoint, (str, os.PathLike)):
        found.append(ModelCheckpoint(checkpoint))
    elif checkpoint is not None:
        raise TypeError(f"checkpoint is {checkpoint!r}; expected a folder or a ModelCheckpoint")
    return [*found, LivePlot()] if live else found


def _resume(run: Run, resume: Any, checkpoint: Any) -> None:
    """Go on from a checkpoint where that is asked for; a first run has none in its folder."""
    if not isinstance(resume, (bool, str, os.PathLike)):
        raise TypeError(f"resume is {resume!r}; expected True, False or the path of a checkpoint")
    if checkpoint is not None:
        run.check_resumable()
    elif resume is True:
        raise ValueError("resume=True goes on from a folder: give checkpoint= too, or a path")
    if resume is True:
        folder = checkpoint.folder if isinstance(checkpoint, ModelCheckpoint) else Path(checkpoint)
        if (folder / "last.npz").exists():
            run.resume(folder / "last.npz")
    elif resume:
        run.resume(resume)


def _circumstances(step: int, rng: SeedLike, generator: np.random.Generator) -> dict[str, Any]:
    """Return what it takes, beside code and data, to repeat a run from its first step on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    set_threads = [os.environ[name] for name in names if os.environ.get(name, "").isdigit()]
    return {
        "first_step": step,
        "seed": int(rng) if isinstance(rng, (int, np.integer)) else None,
        "generators": {
            "rng": state_of(generator),
            "default": state_of(as_generator(None)),
        },
        # The package's root is above this floor, and has been imported all the same.
        "tensorgrad": sys.modules[__name__.partition(".")[0]].__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "threads": int(set_threads[0]) if set_threads else cores,
    }
