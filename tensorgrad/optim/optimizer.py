"""Optimizer: the loop over parameters that every optimiser shares; an optimiser is its rule.

Floor: optim.  May import `tensor` and the floors below it.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
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
from .base import BaseOptimizer, evaluated
from .flat import Bind, Flat, Run, State, may_move
from .groups import Group, Options, as_groups, check_params


class Optimizer(BaseOptimizer):
    """The part that all optimisers share which change each parameter by its gradient.

    A subclass declares its numbers, each an `Option`, and writes two short functions of arrays:
    `init`, and `update`, which is an expression of ordinary NumPy that dispatches, without branches
    on values or writes to its arguments, and elementwise: it is given small parameters side by side
    as one flat array, and large ones in blocks.

    The arrays of the parameters move: `param.data` becomes a view of one array that holds all
    parameters of a dtype.  An array that somebody else holds stays where it is.

    Parameters
    ----------
    params
        The tensors to change: leaves of floats, such as `model.parameters()`; or groups of them,
        dicts with the key "params" and the options that differ from those of the others.  Frozen
        ones are skipped as long as they are frozen.
    lr
        The learning rate, finite and not negative.
    options
        A value for each other `Option` of the class.

    Attributes
    ----------
    params : list of Tensor
        In the order given, those of all groups.
    param_groups : list of Group
        One, unless groups were given.  `group["lr"] = 0.1` holds from the next step on.
    state : list of dict
        What is remembered of each parameter, in arrays of its shape or 0-d; to change the numbers
        of steps in it use `load_state_dict`.

    Raises
    ------
    TypeError
        If something other than such tensors is given, or an option has another type.
    ValueError
        If there is no parameter, if one comes twice, or if an option is out of range.

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

    The weights decay, the biases do not:

    >>> weight, bias = tg.Tensor([1.0]), tg.Tensor([1.0])
    >>> optimizer = SGD([{"params": [weight], "weight_decay": 0.5}, {"params": [bias]}], lr=0.1)
    >>> optimizer.param_groups[1]["lr"] = 0.2
    >>> ((weight + bias) * 0.0).sum().backward()
    >>> optimizer.step()
    >>> weight.data, bias.data
    (array([0.95]), array([1.]))
    """

    elementwise = True
    """Whether `update` may be given parameters flat; if not, each comes alone in its own shape."""

    _flats: list[Flat]

    def __init__(self, params: Iterable[Any], lr: float, **options: Any) -> None:
        super().__init__(params, lr=lr, **options)
        self.state: list[State] = []
        self._lay_out()

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters, such as those of a layer that is no longer frozen.

        Parameters
        ----------
        group
            A dict with the key "params"; options that it does not have are those given to the
            constructor.

        Raises
        ------
        TypeError, ValueError
            As the constructor does.  Nothing was changed then.
        """
        (given,) = as_groups([group])
        params = [*self.params, *given["params"]]
        check_params(params)
        added = self._group(given)
        flats = self._flats_of(added, len(self.params))
        # Other lists, so that a recorded step sees that it is not as it was.
        self.params, self.param_groups = params, [*self.param_groups, added]
        self._flats = [*self._flats, *flats]
        self._index()

    def _lay_out(self) -> None:
        """Lay the parameters of each group and dtype side by side, with a state as at the start."""
        self._flats = []
        first = 0
        for group in self.param_groups:
            self._flats += self._flats_of(group, first)
            first += len(group.params)
        self._index()

    def _flats_of(self, group: Group, first: int) -> list[Flat]:
        """Lay the parameters of a group side by side; `first` is the position of its first."""
        members: dict[np.dtype[Any], list[int]] = {}
        for i, param in enumerate(group.params):
            members.setdefault(param.dtype, []).append(i)
        return [
            Flat(
                [first + i for i in found],
                [group.params[i] for i in found],
                self.init,
                group,
                self.elementwise,
            )
            for found in members.values()
        ]

    def _index(self) -> None:
        """Gather the state from where it lies side by side, and forget what was planned."""
        states = {
            i: s for flat in self._flats for i, s in zip(flat.members, flat.states, strict=True)
        }
        self._states = [states[i] for i in range(len(self.params))]
        self.state = [dict(state) for state in self._states]
        self._views = _arrays(self.state)
        self._plan: _Plan | None = None
        self._binds: dict[int, _Bind] = {}

    @abstractmethod
    def init(self, param: Array, options: Options) -> State:
        """Return what to remember before the first step: new arrays, of the shape given or 0-d.

        Parameters
        ----------
        param
            All parameters of a group and a dtype, side by side in one flat array.
        options
            The numbers of the group.
        """

    @abstractmethod
    def update(
        self, param: Array, grad: Array, state: State, options: Options
    ) -> tuple[Array, State]:
        """Compute the parameter and the state after one step.

        Parameters
        ----------
        param, grad
            Flat arrays of one length and dtype: a part of a parameter, or several.
        state
            As `init` returns it, of the same length; a 0-d array holds for all elements.
        options
            The numbers of the group.  The learning rate, `options["lr"]`, is a 0-d float64; cast
            it, and what comes of it, to the dtype of `param` where they meet, or float32 becomes
            float64.

        Returns
        -------
        tuple of Array and dict
            New arrays.
        """

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change every parameter that a backward pass has reached; skip the others.

        Ctrl-C waits until all of them are changed.

        Parameters
        ----------
        closure
            If given, it is called first: it forgets the gradients, computes the loss, calls
            `backward()`, and returns the loss.

        Returns
        -------
        Tensor or None
            What the closure has returned.

        Raises
        ------
        RuntimeError
            If no parameter was reached.
        ValueError
            If the memory of one cannot be written to.  Nothing was changed then.
        """
        loss = None if closure is None else evaluated(closure)
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
        recorded = type(self.param_groups[0].options["lr"]) is not np.ndarray
        runs = self._recorded_runs(reached) if recorded else self._runs(reached)
        numbers = [v for k, v in vars(self).items() if k[0] != "_" and v.__hash__]
        # A NaN or an overflow must not stop a step half-way, whatever np.seterr says.
        with uninterrupted(), quiet():
            for run in runs:
                if recorded:
                    run.record(self.update)
                else:
                    run.change(self._bind(run.flat.group.options, numbers))
                time = clock.tick()
                for param in run.params:
                    leaf = param._node
                    assert leaf is not None  # it was reached
                    leaf.out, leaf.time = param._data, time  # graphs from before must know
        return loss

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
            If a cohort would split, or somebody has put other arrays into the state: both are done
            eagerly, and once.
        """
        if not _same(_arrays(self.state), self._views):
            raise NotNowError
        before = [flat.cohorts for flat in self._flats]
        runs = [run for flat in self._flats for run in flat.runs(set(reached), any_size=True)]
        if any(flat.cohorts is not old for flat, old in zip(self._flats, before, strict=True)):
            for flat, old in zip(self._flats, before, strict=True):
                flat.cohorts = old
            raise NotNowError
        return runs

    def _bind(self, options: Options, numbers: list[Any]) -> Bind:
        """Return what binds `update` to arrays; another one when a number has changed.

        `numbers` are the attributes of a subclass that are no options, which it may read as well.
        """
        bind = self._binds.get(id(options))
        if bind is None or bind.options != options or bind.numbers != numbers:
            bind = _Bind(self.update, options, numbers, self.elementwise)
            self._binds[id(options)] = bind
        return bind

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        super().zero_grad()
        # A parameter that was given another array can come back once no graph holds that.
        if self._plan is not None and self._plan.away:
            for run in self._plan.runs:
                run.release()
            if [k for flat, k in self._plan.away if flat.take_home(k)]:
                self._plan = None

    # --- saving -----------------------------------------------------------------------------------

    def _state_arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the arrays of the state with their names."""
        for i, state in enumerate(self.state):
            for name, array in state.items():
                yield f"{i}.{name}", array

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; see `BaseOptimizer`."""
        super().load_state_dict(state)
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
        laid_out = ("_binds", "_flats", "_states", "_views", "_plan")
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

    def __init__(
        self, update: Any, options: Options, numbers: list[Any], elementwise: bool
    ) -> None:
        self.options = dict(options)
        self.numbers = numbers
        self._update = update
        self._elementwise = elementwise
        self._plans: dict[Any, PlannedUpdate] = {}

    def __call__(self, values: Array, grad: Array, state: State) -> Callable[[], object]:
        """Return the update over these arrays."""
        if not values.size or not self._elementwise:
            return functools.partial(self._plainly, values, grad, state)
        key = values.size, values.dtype
        lr = self.options["lr"]
        if key not in self._plans:
            self._plans[key] = PlannedUpdate(self._rule, values, grad, state, lr)
        return self._plans[key].bind(values, grad, state, lr)

    def _rule(self, values: Array, grad: Array, state: State, lr: Array) -> tuple[Array, State]:
        """Compute new values and state; the rate comes apart, since it is read at each run."""
        found: tuple[Array, State] = self._update(values, grad, state, self.options | {"lr": lr})
        return found

    def _plainly(self, values: Array, grad: Array, state: State) -> None:
        """Update the arrays without a plan."""
        new, new_state = self._update(values, grad, state, self.options)
        values[...] = new
        for name, array in state.items():
            array[...] = new_state[name]
