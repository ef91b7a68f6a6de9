"""EMA: averages of the weights over the last steps, which often predict better than the weights.

Floor: optim.  It knows modules by what they offer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_fraction
from ..graph import no_grad
from ..interrupts import uninterrupted
from .groups import as_groups, check_params
from .state import fitting


class EMA:
    r"""An exponential moving average of parameters.

    After each step of the optimiser `update()` moves the averages a towards the parameters p::

        a ← a + (1 − d) (p − a)

    They start as the parameters are.  Buffers of a model, such as the statistics of batch norm, are
    not averaged but copied.  `update()` may be a part of a compiled step.

    Parameters
    ----------
    model
        A module, or its parameters.
    decay
        d, how much of the averages stays, in [0, 1): about 1 / (1 − d) steps count.

    Raises
    ------
    TypeError
        If `model` is neither, or the decay is no number.
    ValueError
        If there are no parameters, one comes twice, or the decay is out of range.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992;
    with weights that decay, as in the training of Inception (C. Szegedy and others, 2016).

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import EMA
    >>> w = tg.Tensor([1.0])
    >>> ema = EMA([w], decay=0.75)
    >>> w.data += 1.0
    >>> ema.update()
    >>> with ema.swapped():
    ...     print(w.data)
    [1.25]
    >>> w.data
    array([2.])
    """

    def __init__(self, model: Any, decay: float = 0.999) -> None:
        self.decay = as_fraction("decay", decay)
        self.model: Any = model if hasattr(model, "named_parameters") else None
        if self.model is None:
            (group,) = as_groups(model)
            self._params = [(str(i), param) for i, param in enumerate(group["params"])]
        else:
            self._params = list(self.model.named_parameters())
        check_params([param for _, param in self._params])
        self._averages = {name: np.array(param.data) for name, param in self._params}
        self._copies = {name: np.array(array) for name, array in self._buffers()}
        self._inside = False

    def _buffers(self) -> Iterable[tuple[str, Array]]:
        """Return the buffers of the model, which may be other arrays each time."""
        found: Iterable[tuple[str, Array]] = getattr(self.model, "named_buffers", list)()
        return found

    def _check_buffers(self) -> None:
        """Raise unless each buffer is as it was when its copy was made: casts would be silent."""
        for name, array in self._buffers():
            now = array if hasattr(array, "dtype") else np.asarray(array)
            copy = self._copies.get(name)
            if copy is None or (now.shape, now.dtype) != (copy.shape, copy.dtype):
                before = "was not there" if copy is None else f"had {copy.shape} and {copy.dtype}"
                raise ValueError(
                    f"the buffer {name!r} has shape {now.shape} and dtype {now.dtype}, and "
                    f"{before} when the averages were begun: make the EMA after the last change "
                    "to the model"
                )

    def update(self) -> None:
        """Move the averages towards the parameters, and copy the buffers.

        Raises
        ------
        RuntimeError
            Inside `swapped()`.
        ValueError
            If a buffer is new, or has another shape or dtype than at first.  Nothing was changed.
        """
        self._check_outside("update()")
        self._check_buffers()
        with np.errstate(all="ignore"):
            for name, param in self._params:
                average = self._averages[name]
                average[...] = average + (1 - self.decay) * (param.data - average)
            for name, array in self._buffers():
                self._copies[name][...] = array

    @contextlib.contextmanager
    def swapped(self) -> Generator[None]:
        """Let the parameters and buffers be the averages inside a `with` block.

        Afterwards, and after an error in it, they are as before.  The block is for evaluating and
        saving: what it changes of the parameters changes the averages.

        Raises
        ------
        RuntimeError
            Inside another such block.
        ValueError
            If a buffer is new, or has another shape or dtype than at first.  Nothing was changed.
        """
        self._check_outside("swapped()")
        self._check_buffers()
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        """Put the averages in place of the parameters, and these in place of the averages."""
        with uninterrupted(), no_grad():
            for name, param in self._params:
                average, values = self._averages[name], np.array(param.data)
                param[...] = average
                average[...] = values
            self._inside = not self._inside
            for name, array in self._buffers():
                copy, values = self._copies[name], np.array(array)
                self._write(name, array, copy)
                copy[...] = values

    def _write(self, name: str, array: Array, copy: Array) -> None:
        """Put the values of a copy into a buffer."""
        if isinstance(array, np.ndarray) and array.flags.writeable:
            array[...] = copy
        else:  # a number that was assigned where a 0-d array was
            owner, _, attribute = name.rpartition(".")
            setattr(dict(self.model.named_modules())[owner], attribute, copy.copy())

    def _check_outside(self, what: str) -> None:
        """Raise while the averages are in place."""
        if self._inside:
            raise RuntimeError(f"{what} inside swapped(): the parameters are the averages there")

    def state_dict(self) -> dict[str, Array]:
        """Copy the averages.

        Returns
        -------
        dict of str to ndarray
            Under the names of the module's `state_dict`, into which it can be loaded; or under
            positions, where parameters were given.
        """
        self._check_outside("state_dict()")
        found = {**self._averages, **self._copies}
        return {name: array.copy() for name, array in found.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave.

        Parameters
        ----------
        state
            Of the averages of the same parameters.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If a name is missing or unexpected, or an array has another shape or dtype.  All faults
            are listed, and nothing was changed.
        RuntimeError
            Inside `swapped()`.
        """
        self._check_outside("load_state_dict()")
        own = {**self._averages, **self._copies}
        given = fitting(type(self).__name__, state, own)
        with uninterrupted():
            for name, array in own.items():
                array[...] = given[name]
