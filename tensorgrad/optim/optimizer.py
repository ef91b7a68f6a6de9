"""Optimizer: the loop over parameters that every optimiser shares; an optimiser is its rule.

Floor: optim.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from .._typing import Array
from ..tensor import Tensor
from .interrupts import uninterrupted

State: TypeAlias = dict[str, Array]
"""What an optimiser remembers of one parameter, by name: of its shape, or 0-d."""

_BLOCK: Final = 65_536
"""Elements that are updated at a time, so that the intermediate results stay in the cache.

Adam's step, 535,818 float32 parameters, median within a training loop: 1.5 ms in blocks of 16k to
128k elements, 5.1 ms with whole arrays.
"""


class Optimizer(ABC):
    """The part that all optimisers share.

    A subclass writes two short functions of arrays: `init`, and `update`, which is an expression of
    ordinary NumPy that dispatches, without branches on values or writes to its arguments, and
    elementwise, since it is given large parameters in blocks.

    Parameters
    ----------
    params
        The tensors to change: leaves of floats, such as `model.parameters()`.  Frozen ones are
        skipped as long as they are frozen.
    lr
        The learning rate, finite and not negative.

    Attributes
    ----------
    params : list of Tensor
        In the order given.
    state : list of dict
        What is remembered of each parameter.

    Raises
    ------
    TypeError
        If something other than such tensors is given.
    ValueError
        If there is none, if one comes twice, or if a number is out of range.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import SGD
    >>> w = tg.Tensor([1.0, -2.0])
    >>> optimizer = SGD([w], lr=0.25)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w.data
    array([ 0.125, -0.25 ])
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = _checked_params(params)
        # An array, so that a recorded step reads the rate anew at each run.
        self._lr = np.array(checked("lr", lr))
        self.state = [self.init(param.data) for param in self.params]

    @abstractmethod
    def init(self, param: Array) -> State:
        """Return what to remember of a parameter before the first step: new C-ordered arrays."""

    @abstractmethod
    def update(self, param: Array, grad: Array, state: State, lr: Array) -> tuple[Array, State]:
        """Compute the parameter and the state after one step.

        Parameters
        ----------
        param, grad
            Of one shape and dtype.
        state
            As `init` returns it.
        lr
            The learning rate, a 0-d float64; cast it, and what comes of it, to the dtype of `param`
            where they meet, or float32 becomes float64.

        Returns
        -------
        tuple of Array and dict
            New arrays.
        """

    @property
    def lr(self) -> float:
        """The learning rate; what is assigned holds from the next step on."""
        return float(self._lr)

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr[...] = checked("lr", value)

    def step(self) -> None:
        """Change every parameter that a backward pass has reached; skip the others.

        Ctrl-C waits until all of them are changed.

        Raises
        ------
        RuntimeError
            If no parameter was reached.
        ValueError
            If the memory of one cannot be written to.  Nothing was changed then.
        """
        reached = [i for i, param in enumerate(self.params) if param.has_grad]
        if not reached:
            raise RuntimeError(
                "step() before any gradient: call loss.backward() first, on a loss that was "
                "computed from these parameters (frozen ones get no gradient)"
            )
        for i in reached:
            param = self.params[i]
            if param.shape and not param.data.flags.writeable:
                raise ValueError(
                    f"parameter {i} {param.shape} is read-only memory: freeze it, or make it with "
                    "Tensor(array), which copies"
                )
        # A NaN or an overflow must not stop a step half-way, whatever np.seterr says.
        with uninterrupted(), np.errstate(all="ignore"):
            for i in reached:
                self._apply(self.params[i], self.state[i])

    def _apply(self, param: Tensor, state: State) -> None:
        """Update one parameter and its state, in place."""
        data = np.asarray(param.data)
        new: State = {}
        for values, grad, part in _pieces(data, param.grad, state):
            values[...], new = self.update(values, grad, part, self._lr)
            for name, array in part.items():
                if array.ndim:
                    array[...] = new[name]
        for name, array in state.items():
            if not array.ndim:  # every piece reads it, so it is written after the last one
                array[...] = new[name]
        param.data = data  # tells the graph that the data were written

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for param in self.params:
            param.zero_grad()

    # --- saving -----------------------------------------------------------------------------------

    def _named_state(self) -> Iterator[tuple[str, Array]]:
        """Yield the arrays of the state with their names, the learning rate first."""
        yield "lr", self._lr
        for i, state in enumerate(self.state):
            for name, array in state.items():
                yield f"{i}.{name}", array

    def state_dict(self) -> dict[str, Array]:
        """Copy what the next steps depend on, beside the parameters and the constructor's numbers.

        Returns
        -------
        dict of str to ndarray
            "lr", and the state of each parameter under its position, such as "0.velocity".
        """
        return {name: array.copy() for name, array in self._named_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave.

        Parameters
        ----------
        state
            Of an optimiser of the same kind over the same parameters in the same order.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If a name is missing or unexpected, an array has another shape or dtype, or the learning
            rate is out of range.  All faults are listed, and nothing was changed.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state is {type(state).__name__}; expected a dict of names and arrays")
        own = dict(self._named_state())
        given = {name: np.asarray(state[name]) for name in own if name in state}
        faults = [f"{name}: missing" for name in own if name not in given]
        faults += [f"{name}: unexpected" for name in state if name not in own]
        faults += [
            f"{name}: {array.dtype} {array.shape}, expected {own[name].dtype} {own[name].shape}"
            for name, array in given.items()
            if (array.dtype, array.shape) != (own[name].dtype, own[name].shape)
        ]
        if faults:
            raise ValueError(
                f"the state does not fit this {type(self).__name__}, and nothing was changed:\n  "
                + "\n  ".join(faults)
            )
        checked("lr", float(given["lr"]))
        for name, array in own.items():
            array[...] = given[name]


def _pieces(data: Array, grad: Array, state: State) -> Iterator[tuple[Array, Array, State]]:
    """Yield views of a parameter, its gradient and its state: whole, or in blocks."""
    if data.size <= _BLOCK or not data.flags.c_contiguous:
        yield data, grad, state
        return
    flat, flat_grad = data.reshape(-1), np.ascontiguousarray(grad).reshape(-1)
    # `init` makes contiguous arrays, and they are never replaced: these are views.
    flat_state = {name: array.reshape(-1) if array.ndim else array for name, array in state.items()}
    for start in range(0, data.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        part = {name: array[rows] if array.ndim else array for name, array in flat_state.items()}
        yield flat[rows], flat_grad[rows], part


def checked(name: str, value: float, below: float = math.inf) -> float:
    """Return a number from 0 to `below`, itself excluded, or raise naming it.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is out of range.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; expected a number") from None
    if not 0 <= number < below:
        limit = "a finite number >= 0" if below == math.inf else f"a number >= 0 and < {below:g}"
        raise ValueError(f"{name} is {value!r}; expected {limit}")
    return number


def _checked_params(params: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, after checking each."""
    if hasattr(params, "parameters"):
        raise TypeError(
            f"params is a {type(params).__name__}; give its parameters: model.parameters()"
        )
    if isinstance(params, (Tensor, Mapping, set, frozenset)) or not isinstance(params, Iterable):
        raise TypeError(
            f"params is a {type(params).__name__}; expected a list or a generator of Tensors, "
            "in a fixed order"
        )
    found = list(params)
    if not found:
        raise ValueError("params is empty (a generator gives its items only once)")
    places: dict[int, int] = {}
    for i, param in enumerate(found):
        _check_param(i, param)
        if id(param) in places:
            raise ValueError(
                f"params {places[id(param)]} and {i} are the same Tensor, which would be changed "
                "twice in a step: give it once"
            )
        places[id(param)] = i
    return found


def _check_param(i: int, param: Any) -> None:
    """Raise a TypeError unless this is a leaf of floats."""
    if not isinstance(param, Tensor):
        raise TypeError(f"params holds a {type(param).__name__} at {i}; expected a Tensor")
    if not param.is_leaf:
        raise TypeError(
            f"params holds a result (of {param.grad_fn}) at {i}, which changes with what it was "
            "computed from: give the leaves, such as Tensor(x.data)"
        )
    if param.dtype.kind != "f":
        raise TypeError(f"params holds a tensor of {param.dtype} at {i}; expected floats")
