"""Checkpoints: everything that a training depends on, in one file, and back.

Floor: train.  May import `io` and all below.  What can be saved and loaded is a part: an object
with `state_dict` and `load_state_dict`, or a generator.  Anything else is a plain value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from ..interrupts import uninterrupted
from ..io import load, save
from ..nn.module import Module
from ..random import as_generator, generator_at, generators_in, state_of
from .snapshot import kept_on_error

_FORMAT: Final = "tensorgrad checkpoint 1"
_DEFAULT: Final = "default generator"


def save_checkpoint(path: str | os.PathLike[str], **parts: Any) -> None:
    """Save all that the next steps of a training depend on, in one file.

    The file appears whole or not at all, and one that was there stays until then.

    Parameters
    ----------
    path
        The file to write.
    **parts
        By names of your choice: a model, with the generators in it, such as those of its dropouts;
        an optimiser, a schedule, `data.batches(...)`, a `DataLoader`, a `History`: whatever has
        `state_dict` and `load_state_dict`; generators; and plain values, such as the number of the
        epoch.  The default generator of tensorgrad is saved in any case.

    Raises
    ------
    TypeError
        If a plain value is not a number, string, array, None, or a list or dict of them.
    OSError
        If the file cannot be written; what was there before is still there.

    Examples
    --------
    >>> import tempfile, tensorgrad as tg
    >>> model = tg.nn.Linear(2, 1)
    >>> optimizer = tg.optim.Adam(model.parameters())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.npz", model=model, optimizer=optimizer, epoch=3)
    ...     load_checkpoint(f"{folder}/run.npz", model=model, optimizer=optimizer)
    {'epoch': 3}
    """
    state = {name: _state(part) for name, part in parts.items() if _is_part(part)}
    values = {name: part for name, part in parts.items() if not _is_part(part)}
    own = {_DEFAULT: _state(as_generator(None))}
    save(path, {"format": _FORMAT, "parts": state, "values": values, **own})


def load_checkpoint(path: str | os.PathLike[str], **parts: Any) -> dict[str, Any]:
    """Put the parts of a training, all or none, into the state that `save_checkpoint` found.

    Parameters
    ----------
    path
        A file of `save_checkpoint`.
    **parts
        The objects to continue with, under the names that they were saved under.  A file may hold
        more parts than are asked for: `load_checkpoint("best.npz", model=model)` takes the weights.

    Returns
    -------
    dict
        The plain values.

    Raises
    ------
    ValueError
        If the file is damaged or no checkpoint, lacks a part, or a part does not fit.  Nothing was
        changed then.
    OSError
        If there is no such file.
    """
    saved = load(path)
    names = {"format", "parts", "values", _DEFAULT}
    if not isinstance(saved, dict) or saved.keys() != names or saved["format"] != _FORMAT:
        raise ValueError(f"{os.fspath(path)} is not a checkpoint of save_checkpoint")
    given, states = dict(parts), dict(saved["parts"])
    for name, part in given.items():
        if not _is_part(part):
            raise TypeError(
                f"{name} is a {type(part).__name__}, which cannot be loaded into; plain values are "
                "returned"
            )
        if name not in states:
            raise ValueError(f"{os.fspath(path)} has no part {name!r}; it has {list(states)}")
    # Last, since generators in a model may be the default one.
    given[_DEFAULT], states[_DEFAULT] = as_generator(None), saved[_DEFAULT]
    with uninterrupted():
        _put_all(given, states, os.fspath(path))
    return dict(saved["values"])


def _put_all(parts: Mapping[str, Any], states: Mapping[str, Any], path: str) -> None:
    """Load every part; where one refuses, put all back as they were."""
    with kept_on_error(*parts.values()):
        for name, part in parts.items():
            try:
                _put(part, states[name])
            except Exception as error:
                raise ValueError(
                    f"{path} does not fit, and nothing was changed: {name}: {error}"
                ) from error


def _is_part(part: Any) -> bool:
    """Tell whether there is a state to save and to load."""
    protocol = hasattr(part, "state_dict") and hasattr(part, "load_state_dict")
    return isinstance(part, np.random.Generator) or protocol


def _state(part: Any) -> Any:
    """Return the state of a part."""
    if isinstance(part, np.random.Generator):
        return state_of(part)
    if isinstance(part, Module):
        generators = {name: _state(generator) for name, generator in _generators(part)}
        return {"state": part.state_dict(), "generators": generators}
    return part.state_dict()


def _put(part: Any, state: Any) -> None:
    """Put a part into a state."""
    if isinstance(part, np.random.Generator):
        part.bit_generator.state = generator_at(part, state).bit_generator.state
    elif isinstance(part, Module):
        generators = dict(_generators(part))
        if generators.keys() != state["generators"].keys():
            raise ValueError(
                f"the model has the generators {list(generators)}, the file "
                f"{list(state['generators'])}"
            )
        part.load_state_dict(state["state"])
        for name, generator in generators.items():
            _put(generator, state["generators"][name])
    else:
        part.load_state_dict(state)


def _generators(model: Module) -> Iterator[tuple[str, np.random.Generator]]:
    """Yield the generators in a model's modules, and in their lists, tuples and dicts."""
    for i, module in enumerate(model.modules()):
        yield from generators_in(str(i), vars(module), _items)


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return what is in a container."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()
