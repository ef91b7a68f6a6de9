"""Optimizer: the loop over parameters that every optimiser shares; an optimiser is its rule.

Floor: optim.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from .._typing import Array
from ..compiler.errors import NotNowError
from ..compiler.update import PlannedUpdate
from ..graph import clock
from ..interrupts import uninterrupted
from ..quiet import quiet
from ..tensor import Tensor
from .flat import Bind, Flat, Run, State, may_move


class Optimizer(ABC):
    """The part that all optimisers share.

    A subclass writes two short functions of arrays: `init`, and `update`, which is an expression of
    ordinary NumPy that dispatches, without branches on values or writes to its arguments, and
    elementwise: it is given small parameters side by side as one flat array, and large ones in
    blocks.

    The arrays of the parameters move: `param.data` becomes a view of one array that holds all
    parameters of a dtype.  An array that somebody else holds stays where it is.

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
        What is remembered of each parameter, in arrays of its shape or 0-d; to change the numbers
        of steps in it use `load_state_dict`.

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
        for param in self.params:
            param.data  # noqa: B018 - makes an array of a 0-d result that is kept as a scalar
        self.state: list[State] = []
        self._lay_out()

    def _lay_out(self) -> None:
        """Lay the parameters of each dtype side by side, with a state as at the beginning."""
        members: dict[np.dtype[Any], list[int]] = {}
        for i, param in enumerate(self.params):
            members.setdefault(param.dtype, []).append(i)
        self._flats = [Flat(found, self.params, self.init) for found in members.values()]
        states = {
            i: s for flat in self._flats for i, s in zip(flat.members, flat.states, strict=True)
        }
        self._states = [states[i] for i in range(len(self.params))]
        self.state = [dict(state) for state in self._states]
        self._views = _arrays(self.state)
        self._plan: _Plan | None = None
        self._bind: _Bind | None = None

    @abstractmethod
    def init(self, param: Array) -> State:
        """Return what to remember before the first step: new arrays, of the shape given or 0-d.

        Parameters
        ----------
        param
            All parameters of a dtype, side by side in one flat array.
        """

    @abstractmethod
    def update(self, param: Array, grad: Array, state: State, lr: Array) -> tuple[Array, State]:
        """Compute the parameter and the state after one step.

        Parameters
        ----------
        param, grad
            Flat arrays of one length and dtype: a part of a parameter, or several.
        state
            As `init` returns it, of the same length; a 0-d array holds for all elements.
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
            data = self.params[i]._data
            if not data.flags.writeable and not isinstance(data, np.generic):
                raise ValueError(
                    f"parameter {i} {data.shape} is read-only memory: freeze it, or make it with "
                    "Tensor(array), which copies"
                )
        # While a step is recorded there are stand-ins for the arrays.
        recorded = type(self._lr) is not np.ndarray
        runs = self._recorded_runs(reached) if recorded else self._runs(reached)
        bind = None if recorded else self._rule()
        # A NaN or an overflow must not stop a step half-way, whatever np.seterr says.
        with uninterrupted(), quiet():
            for run in runs:
                if bind is None:
                    run.record(self.update, self._lr)
                else:
                    run.change(bind)
                time = clock.tick()
                for param in run.params:
                    leaf = param._node
                    assert leaf is not None  # it was reached
                    leaf.out, leaf.time = param._data, time  # graphs from before must know

    def _runs(self, reached: list[int]) -> list[Run]:
        """Return what to update in one go; planned anew when something is not as it was."""
        if not _same(_arrays(self.state), self._views):
            self._take_state(self.state)  # somebody has put other arrays there
        if self._plan is None or not self._plan.holds(reached):
            self._plan = _Plan(reached, self._flats)
        return self._plan.runs

    def _recorded_runs(self, reached: list[int]) -> list[Run]:
        """Return what to update in one go, whatever its size: the compiler cuts it into blocks.

        Raises
        ------
        NotNowError
            If a group would split, or somebody has put other arrays into the state: both are done
            eagerly, and once.
        """
        if not _same(_arrays(self.state), self._views):
            raise NotNowError
        before = [flat.groups for flat in self._flats]
        runs = [run for flat in self._flats for run in flat.runs(set(reached), any_size=True)]
        if any(flat.groups is not old for flat, old in zip(self._flats, before, strict=True)):
            for flat, old in zip(self._flats, before, strict=True):
                flat.groups = old
            raise NotNowError
        return runs

    def _rule(self) -> Bind:
        """Return what binds `update` to arrays; another one when a number has changed."""
        numbers = [v for k, v in vars(self).items() if not k.startswith("_") and v.__hash__]
        if self._bind is None or self._bind.numbers != numbers:
            self._bind = _Bind(self.update, self._lr, numbers)
        return self._bind

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for param in self.params:
            param.zero_grad()
        # A parameter that was given another array can come back once no graph holds that.
        if self._plan is not None and self._plan.away:
            for run in self._plan.runs:
                run.release()
            if [k for flat, k in self._plan.away if flat.take_home(k)]:
                self._plan = None

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
        self._regroup()

    def _take_state(self, states: Sequence[State]) -> None:
        """Copy other arrays into the state of the parameters, and let that be the state again."""
        for own, state in zip(self._states, states, strict=True):
            for name, array in own.items():
                if state[name] is not array:
                    array[...] = state[name]
        self.state = [dict(state) for state in self._states]
        self._regroup()

    def _regroup(self) -> None:
        """Find out which parameters have taken equally many steps, after a change of state."""
        for flat in self._flats:
            flat.regroup()
        self._plan = None

    # --- pickle and copy --------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what lies side by side: copies of views are arrays of their own."""
        laid_out = ("_bind", "_flats", "_states", "_views", "_plan")
        return {name: value for name, value in vars(self).items() if name not in laid_out}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """Lay all out anew."""
        vars(self).update(attributes)
        states = self.state
        self._lay_out()
        self._take_state(states)


class _Plan:
    """What a step changes, for as long as the same parameters are reached, in the same places."""

    __slots__ = ("away", "homes", "params", "reached", "runs")

    def __init__(self, reached: list[int], flats: list[Flat]) -> None:
        self.reached = reached
        self.runs = [run for flat in flats for run in flat.runs(set(reached))]
        self.params: list[Tensor] = []
        self.homes: list[Array] = []
        self.away: list[tuple[Flat, int]] = []
        for flat in flats:
            for k, (param, home) in enumerate(zip(flat.params, flat.homes, strict=True)):
                if param._data is home:
                    self.params.append(param)
                    self.homes.append(home)
                elif may_move(param._data):
                    self.away.append((flat, k))

    def holds(self, reached: list[int]) -> bool:
        """Tell whether nothing has changed."""
        at = [param._data for param in self.params]
        return self.reached == reached and _same(at, self.homes)


def _arrays(states: Sequence[State]) -> list[Array]:
    """List the arrays in the states of all parameters."""
    return [array for state in states for array in state.values()]


def _same(found: Sequence[Any], known: Sequence[Any]) -> bool:
    """Tell whether these are the same objects."""
    return len(found) == len(known) and all(map(is_, found, known))


class _Bind:
    """Binds the rule of an optimiser to arrays; planned once for each size."""

    def __init__(self, rule: Any, lr: Array, numbers: list[Any]) -> None:
        self.numbers = numbers
        self._rule = rule
        self._lr = lr
        self._plans: dict[Any, PlannedUpdate] = {}

    def __call__(self, values: Array, grad: Array, state: State) -> Callable[[], object]:
        """Return the update over these arrays."""
        if not values.size:
            return functools.partial(self._plainly, values, grad, state)
        key = values.size, values.dtype
        if key not in self._plans:
            self._plans[key] = PlannedUpdate(self._rule, values, grad, state, self._lr)
        return self._plans[key].bind(values, grad, state, self._lr)

    def _plainly(self, values: Array, grad: Array, state: State) -> None:
        """Update nothing but the counts."""
        _, new = self._rule(values, grad, state, self._lr)
        for name, array in state.items():
            array[...] = new[name]


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
