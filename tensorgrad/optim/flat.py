"""Flat: parameters side by side in memory, so that one update changes many of them.

Floor: optim.  May import `tensor` and the floors below it.  An update of a small array is all
overhead: six parameters of a small network, updated as one array, take the time of one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from itertools import combinations
from typing import Any, Final, TypeAlias

import numpy as np

from .._typing import Array
from ..compiler.values import address
from ..tensor import Tensor, Value
from .groups import Group, Options

State: TypeAlias = dict[str, Array]
"""What an optimiser remembers of a parameter, by name: of its shape, or 0-d."""

Bind: TypeAlias = Callable[[Array, Array, State], Callable[[], object]]
"""Gives what changes values and state in place, given the gradient; all flat, but for numbers."""

_SMALL: Final = 8192
"""Up to so many elements a parameter is updated together with its neighbours.

Adam, 4 parameters of float32, one by one and gathered: 175 and 60 us with 1,024 elements each, 188
and 98 us with 4,096, the same with 16,384.
"""


class Flat:
    """The parameters of a group and a dtype, the large ones first, and what belongs to them.

    Everything lies side by side, in the same order: the values (`data`), the gradients that are
    gathered for an update (`grad`), the state of each element (`state`), and that of each parameter
    (`counts`, such as the number of its steps).  `homes`, `grads` and `states` are views of them in
    the shapes of the parameters.

    A parameter whose array nobody else holds moves into its home.  What stays outside is copied in
    and out at each update, or updated where it is if it is large.
    """

    settled = True
    """Its lists and dicts stay as they are made, so that compiled functions need not look."""

    def __init__(
        self,
        members: Sequence[int],
        params: Sequence[Tensor],
        init: Callable[[Array, Options], State],
        group: Group,
        elementwise: bool = True,
    ) -> None:
        self.group = group
        self.elementwise = elementwise
        order = sorted(range(len(params)), key=lambda k: params[k].size <= _SMALL)
        self.members = [members[k] for k in order]
        self.params = [params[k] for k in order]
        stops = np.cumsum([param.size for param in self.params]).tolist()
        self.slices = list(map(slice, [0, *stops[:-1]], stops))
        self.data, shared = _laid_by_another([param._data for param in self.params]), True
        if self.data is None:
            self.data = np.concatenate([param._data.reshape(-1) for param in self.params])
            shared = False
        self.grad = np.empty_like(self.data)
        self.homes = [param._data for param in self.params] if shared else self._views(self.data)
        self.grads = self._views(self.grad)
        self.state: State = {}
        self.counts: State = {}
        self.states: list[State] = [{} for _ in self.params]
        for name, array in init(self.data, group.options).items():
            self._remember(name, array)
        # Parameters with the same number in here have equal counts, and may be updated as one.
        self.cohorts = (0,) * len(self.params)
        away = [k for k in range(len(self.params)) if not self.take_home(k)]
        self.apart = {away[i] for i in _sharing([self.params[k]._data for k in away])}

    def _remember(self, name: str, array: Array) -> None:
        """Take a part of the state, as `init` gave it."""
        if array.shape == self.data.shape:
            self.state[name] = array
            views = self._views(array)
        elif not array.shape:
            counts = self.counts[name] = np.full(len(self.params), array, array.dtype)
            views = [counts[k : k + 1].reshape(()) for k in range(len(self.params))]
        else:
            raise ValueError(
                f"init gave {name!r} the shape {array.shape} for a parameter of shape "
                f"{self.data.shape}; expected the same shape, or ()"
            )
        for state, view in zip(self.states, views, strict=True):
            state[name] = view

    def _views(self, flat: Array) -> list[Array]:
        """Cut a flat array into arrays in the shapes of the parameters."""
        return [
            flat[rows].reshape(param.shape)
            for param, rows in zip(self.params, self.slices, strict=True)
        ]

    def take_home(self, k: int) -> bool:
        """Move a parameter into its home, unless somebody could notice; tell whether it is there.

        Its values do not change, so graphs that hold the array from before stay true.
        """
        param = self.params[k]
        if param._data is self.homes[k]:
            return True
        if not may_move(param._data):
            return False
        leaf = param._leaf()
        # No local variable holds an array here: the references are the handle's, the call's, and
        # the leaf's.  A view counts as well, since it holds the array that it looks at.
        own = 2 if leaf is None or leaf.out is not param._data else 3
        if sys.getrefcount(param._data) > own:
            return False
        # Nor may anybody hold the home, whose values are those of another time, or a part of it.
        if sys.getrefcount(self.homes[k]) > 2 or sys.getrefcount(self.data) > 2 + len(self.homes):
            return False
        if self.data.base is not None:  # the count above is that of another array
            return False
        self.homes[k][...] = param._data
        if own == 3:
            leaf.out = self.homes[k]  # type: ignore[union-attr]
        param._data = self.homes[k]
        return True

    def regroup(self) -> None:
        """Find the parameters that have equal counts."""
        self._gather(
            b"".join(array[k].tobytes() for array in self.counts.values())
            for k in range(len(self.params))
        )

    def _gather(self, keys: Iterable[Hashable]) -> None:
        """Let the parameters with equal keys be a cohort."""
        numbers: dict[Hashable, int] = {}
        cohorts = tuple([numbers.setdefault(key, len(numbers)) for key in keys])
        if (
            cohorts != self.cohorts
        ):  # a recorded step holds as long as it finds the same object here
            self.cohorts = cohorts

    def runs(self, reached: Container[int], any_size: bool = False) -> list[Run]:
        """Cut the parameters that were reached into runs, each of which is updated as one array.

        Those of a cohort that are not reached do not count this step, and leave it.  Large
        parameters are in runs of their own unless `any_size` is said.
        """
        # Without a look at the counts, so that a recorded step may come along here.
        self._gather([(self.cohorts[k], i in reached) for k, i in enumerate(self.members)])
        found: list[list[int]] = []
        for k, i in enumerate(self.members):
            if i not in reached:
                continue
            if found and found[-1][-1] == k - 1 and self._together(k - 1, k, any_size):
                found[-1].append(k)
            else:
                found.append([k])
        return [Run(self, members[0], members[-1] + 1) for members in found]

    def _together(self, k: int, following: int, any_size: bool) -> bool:
        """Tell whether one update may change both of two neighbours."""
        if not self.elementwise:
            return False
        small = any_size or max(self.params[k].size, self.params[following].size) <= _SMALL
        apart = k in self.apart or following in self.apart
        return small and not apart and self.cohorts[k] == self.cohorts[following]


class Run:
    """Neighbours in a `Flat` that one update changes: large parameters alone, small ones together.

    It holds for as long as those parameters that were at home stay there.
    """

    __slots__ = (
        "_bound",
        "counts",
        "flat",
        "flattened",
        "grads",
        "home",
        "params",
        "rows",
        "state",
    )

    def __init__(self, flat: Flat, start: int, stop: int) -> None:
        self.flat = flat
        self.params = flat.params[start:stop]
        self.rows = slice(flat.slices[start].start, flat.slices[stop - 1].stop)
        self.grads = flat.grads[start:stop]
        self.flattened = flat.elementwise
        # An update changes the count of the first parameter; the others follow it.
        self.state = {
            name: array[self.rows] if self.flattened else flat.states[start][name]
            for name, array in flat.state.items()
        }
        self.state |= {name: flat.states[start][name] for name in flat.counts}
        self.counts = [(name, array[start:stop]) for name, array in flat.counts.items()]
        homes = zip(self.params, flat.homes[start:stop], strict=True)
        self.home = all(param._data is array for param, array in homes)
        self._bound: tuple[Bind, Callable[[], object]] | None = None

    def change(self, bind: Bind) -> None:
        """Update the parameters and their state, by a function of flat arrays."""
        if len(self.params) == 1:
            param = self.params[0]
            in_place = not isinstance(param, Value) and param._data.flags.c_contiguous
            data = self._shaped(param._data) if in_place else self._copied()
            bind(data, self._shaped(param._node.grad), self.state)()  # type: ignore[union-attr]
        else:
            for place, param in zip(self.grads, self.params, strict=True):
                place[...] = param._node.grad  # type: ignore[union-attr]
            in_place = self.home
            if not in_place:
                data = self._copied()
                bind(data, self.flat.grad[self.rows], self.state)()
            else:
                self._at_home(bind)()
            for name, counts in self.counts:
                counts[...] = self.state[name]
        if not in_place:
            self._copy_back(data)

    def _at_home(self, bind: Bind) -> Callable[[], object]:
        """Return the update where all is at the same place each time: prepared once."""
        if self._bound is None or self._bound[0] is not bind:
            step = bind(self.flat.data[self.rows], self.flat.grad[self.rows], self.state)
            self._bound = bind, step
        return self._bound[1]

    def release(self) -> None:
        """Let go of the arrays that the prepared update holds."""
        self._bound = None

    def record(self, update: Callable[..., tuple[Array, State]]) -> None:
        """Do the same in whole arrays, which leaves to a compiler how it is done."""
        grads = [self._shaped(param._node.grad) for param in self.params]  # type: ignore[union-attr]
        grad = grads[0] if len(grads) == 1 else np.concatenate(grads)
        data = self._shaped(self.flat.data[self.rows]) if self.home else self._copied()
        new, state = update(data, grad, self.state, self.flat.group.options)
        if self.home:
            data[...] = new
        else:
            self._copy_back(new)
        for name, array in self.state.items():
            if array.ndim:
                array[...] = state[name]
        for name, counts in self.counts:
            counts[...] = state[name]

    def _shaped(self, array: Array) -> Array:
        """Return an array as the rule wants it: flat, or in the shape of its parameter."""
        return array.reshape(-1 if self.flattened else self.params[0].shape)

    def _copied(self) -> Array:
        """Copy the parameters, side by side."""
        return self._shaped(np.concatenate([param._data.reshape(-1) for param in self.params]))

    def _copy_back(self, data: Array) -> None:
        """Write new values into the parameters, each where it is."""
        start, data = 0, data.reshape(-1)
        for param in self.params:
            values = data[start : start + param.size].reshape(param.shape)
            if isinstance(param, Value):
                param._data = values[()]  # a NumPy scalar, which cannot be written to
            else:
                param._data[...] = values
            start += param.size


def may_move(array: Any) -> bool:
    """Tell whether this is an array of its own, rather than a view of another or a scalar."""
    if type(array) is not np.ndarray:
        return False
    flags = array.flags
    return bool(flags.owndata and flags.c_contiguous and flags.writeable)


def _sharing(arrays: Sequence[Any]) -> set[int]:
    """Find the arrays that share memory with another one: an update of both would lose one."""
    pairs = combinations(((k, a) for k, a in enumerate(arrays) if isinstance(a, np.ndarray)), 2)
    return {k for (i, a), (j, b) in pairs if np.may_share_memory(a, b) for k in (i, j)}


def _laid_by_another(arrays: Sequence[Any]) -> Any:
    """Return the flat memory in which the arrays lie side by side, in this order, if they do.

    Another optimiser over the same parameters has laid them so, or the user has.
    """
    owner = getattr(arrays[0], "base", None)
    if type(owner) is not np.ndarray or owner.dtype != arrays[0].dtype or owner.ndim != 1:
        return None
    start = end = address(arrays[0])
    for array in arrays:
        if type(array) is not np.ndarray or array.base is not owner:
            return None
        if address(array) != end or not array.flags.c_contiguous:
            return None
        end += array.nbytes
    first, rest = divmod(start - address(owner), owner.itemsize)
    if rest or not owner.flags.c_contiguous:
        return None
    return owner[first : first + sum(map(np.size, arrays))]
