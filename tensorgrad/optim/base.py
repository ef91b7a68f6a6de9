"""Base: parameters in groups, and the state of an optimiser, saved and loaded.

Floor: optim.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_number
from ..graph import enable_grad
from ..interrupts import uninterrupted
from ..tensor import Tensor
from .groups import Group, Option, as_groups, check_eps, check_params
from .state import fitting


class BaseOptimizer(ABC):
    """What `Optimizer`, which most derive from, and `LBFGS` share.

    Parameters, attributes and errors are those of `Optimizer`.
    """

    lr = Option(as_number)

    def __init__(self, params: Iterable[Any], **options: Any) -> None:
        groups = as_groups(params)
        self._defaults = options
        self.params: list[Tensor] = [param for group in groups for param in group["params"]]
        check_params(self.params)
        self.param_groups = [self._group(group) for group in groups]
        for param in self.params:
            param.data  # noqa: B018 - makes an array of a 0-d result that is kept as a scalar

    def _group(self, given: Mapping[str, Any]) -> Group:
        """Make a group of parameters and of the options that differ from the defaults."""
        options = self._defaults | {k: value for k, value in given.items() if k != "params"}
        return Group(type(self), given["params"], options)

    @staticmethod
    def check(options: Mapping[str, Any], params: list[Tensor]) -> None:
        """Raise if the options of a group do not go together, or not with its parameters."""
        if "eps" in options:
            check_eps(options["eps"], params)

    @abstractmethod
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change the parameters that a backward pass has reached."""

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for param in self.params:
            param.zero_grad()

    # --- saving -----------------------------------------------------------------------------------

    @abstractmethod
    def _state_arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the arrays of the state with their names."""

    def _option_arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the numbers of the groups with their names."""
        for i, group in enumerate(self.param_groups):
            for name in group.options:
                array = np.asarray(group[name])
                if array.dtype.kind in "bif":
                    yield f"groups.{i}.{name}", array
            yield f"groups.{i}.initial_lr", np.array(group.initial_lr)

    def state_dict(self) -> dict[str, Array]:
        """Copy what the next steps depend on, beside the parameters.

        Returns
        -------
        dict of str to ndarray
            The numbers of each group, such as "groups.0.lr", and the state of each parameter under
            its position, such as "0.velocity".
        """
        found = dict(self._option_arrays())
        return found | {name: array.copy() for name, array in self._state_arrays()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave.

        Parameters
        ----------
        state
            Of an optimiser of the same kind over the same parameters in the same order and groups.
            Its learning rates and other numbers replace those given to the constructor.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If a name is missing or unexpected, an array has another shape or dtype, or a number is
            out of range.  All faults are listed, and nothing was changed.
        """
        arrays = dict(self._state_arrays())
        own = dict(self._option_arrays()) | arrays
        given = fitting(type(self).__name__, state, own)
        checked = []
        for i, group in enumerate(self.param_groups):
            names = [name for name in group.options if f"groups.{i}.{name}" in given]
            loaded = {name: given[f"groups.{i}.{name}"].tolist() for name in names}
            initial = as_number("initial_lr", given[f"groups.{i}.initial_lr"].tolist())
            checked.append((group, group.checked(loaded), initial))
        with uninterrupted():
            for group, values, initial in checked:
                group.take(values)
                group.start_from(initial)
            for name, array in arrays.items():
                array[...] = given[name]


def evaluated(closure: Callable[[], Tensor]) -> Tensor:
    """Call a closure, which computes the loss and its gradients, also where recording is off."""
    with enable_grad():
        return closure()
