"""Groups: parameters, and the numbers that hold for them, such as the learning rate.

Floor: optim.  May import `tensor` and the floors below it.  An optimiser declares each number as an
`Option` of its class; that is all it takes to have it checked, kept for each group, and saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

import numpy as np

from ..checks import as_number
from ..tensor import Tensor

Options: TypeAlias = dict[str, Any]
"""The numbers of a group by name: "lr" is a 0-d array of float64, the others are Python's."""


class Option:
    """A number that each group of an optimiser has for itself.

    As an attribute, such as `optimizer.eps`, it is that of the first group; what is assigned holds
    for all groups.

    Parameters
    ----------
    check
        Returns a value as it is kept, or raises, given the name and the value.
    remembered
        Whether something is remembered of the parameters only where the number is not zero, so that
        it cannot become positive later.
    initial
        Whether it counts only for what is remembered at first, so that it cannot change later.
    """

    def __init__(
        self, check: Callable[[str, Any], Any], remembered: bool = False, initial: bool = False
    ) -> None:
        self.check = check
        self.remembered = remembered
        self.initial = initial

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name."""
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        """Return the number of the first group; of a class, the option itself."""
        return self if optimizer is None else optimizer.param_groups[0][self.name]

    def __set__(self, optimizer: Any, value: Any) -> None:
        """Set the number of all groups, or of none."""
        checked = [group.assigned(self.name, value) for group in optimizer.param_groups]
        for group, values in zip(optimizer.param_groups, checked, strict=True):
            group.take(values)


class Group(MutableMapping[str, Any]):
    """Parameters and their numbers, as a dict: `group["lr"] = 0.1` holds from the next step on.

    Parameters
    ----------
    kind
        The class of the optimiser, which knows the options.
    params
        What is in the group, checked.
    options
        A value for each option.
    """

    def __init__(self, kind: Any, params: list[Tensor], options: Mapping[str, Any]) -> None:
        self.kind = kind
        self.params = params
        unknown = [name for name in options if not isinstance(getattr(kind, name, None), Option)]
        if unknown:
            raise TypeError(
                f"{kind.__name__} has no option {unknown[0]!r}; a group has 'params' and any of "
                f"{', '.join(map(repr, options_of(kind)))}"
            )
        found = {name: getattr(kind, name).check(name, value) for name, value in options.items()}
        kind.check(found, params)
        # An array, so that a compiled step reads the rate anew at each run.
        self.options: Options = found | {"lr": np.array(found["lr"])}
        self._initial_lr: float | None = None

    def __getitem__(self, name: str) -> Any:
        """Return the parameters, or a number."""
        if name == "params":
            return self.params
        return float(self.options["lr"]) if name == "lr" else self.options[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a number; see `assigned` for what is refused."""
        self.take(self.assigned(name, value))

    def __delitem__(self, name: str) -> None:
        """Refuse: each number has a value."""
        raise TypeError(f"a group keeps its {name!r}: assign another value")

    def __iter__(self) -> Iterator[str]:
        """Yield "params" and the names of the numbers."""
        return iter(("params", *self.options))

    def __len__(self) -> int:
        """Return how many names there are."""
        return 1 + len(self.options)

    def __repr__(self) -> str:
        """Show the numbers."""
        numbers = {name: self[name] for name in self.options}
        return f"Group({len(self.params)} parameters, {numbers})"

    def checked(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return new values as they are kept, after a look at each; nothing is changed yet.

        Raises
        ------
        KeyError
            If there is no such option.
        TypeError, ValueError
            If a value does not suit it.
        """
        found = {}
        for name, value in changes.items():
            if name not in self.options:
                known = ", ".join(map(repr, self.options))
                raise KeyError(f"{self.kind.__name__} has no option {name!r}; it has {known}")
            option: Option = getattr(self.kind, name)
            found[name] = option.check(name, value)
            if option.remembered and found[name] and not self.options[name]:
                raise ValueError(
                    f"{name} was {self.options[name]!r} when the optimiser was made, so that "
                    f"nothing is remembered for it: give {name}={value!r} to the constructor"
                )
        self.kind.check(self.options | found, self.params)
        return found

    def assigned(self, name: str, value: Any) -> dict[str, Any]:
        """Return what `checked` does; refuse what counts only at first, and can only be loaded."""
        found = self.checked({name: value})
        if getattr(self.kind, name).initial and found[name] != self.options[name]:
            raise ValueError(
                f"{name} was {self.options[name]!r} when the optimiser was made, and counts only "
                f"then: give {name}={value!r} to the constructor"
            )
        return found

    def take(self, values: Mapping[str, Any]) -> None:
        """Let these values, which `checked` gave, be those of the group."""
        for name, value in values.items():
            if name == "lr":
                self.options["lr"][...] = value
                self._initial_lr = None
            elif value != self.options[name]:  # else the same object, so that a record stays valid
                self.options[name] = value

    def schedule(self, lr: float) -> None:
        """Set the rate for the next steps; schedules still start from the one that was given."""
        if self._initial_lr is None:
            self._initial_lr = self["lr"]
        self.options["lr"][...] = as_number("lr", lr)

    def start_from(self, lr: float) -> None:
        """Let schedules start from another rate than that of the next step."""
        self._initial_lr = None if lr == self["lr"] else lr

    @property
    def initial_lr(self) -> float:
        """The rate that was given, whatever schedules have made of it."""
        return self["lr"] if self._initial_lr is None else self._initial_lr


def options_of(kind: type) -> list[str]:
    """List the options of a class of optimisers, those of all optimisers first."""
    every = [vars(base).items() for base in reversed(kind.__mro__)]
    found = [name for items in every for name, value in items if isinstance(value, Option)]
    return list(dict.fromkeys(found))


def as_groups(params: Any) -> list[dict[str, Any]]:
    """Return groups as dicts with the key "params", whether one list is given or groups."""
    if hasattr(params, "parameters"):
        raise TypeError(
            f"params is a {type(params).__name__}; give its parameters: model.parameters()"
        )
    if isinstance(params, (Tensor, Mapping, set, frozenset)) or not isinstance(params, Iterable):
        raise TypeError(
            f"params is a {type(params).__name__}; expected a list or a generator of Tensors, "
            "in a fixed order, or a list of groups"
        )
    found = list(params)
    if not found:
        raise ValueError("params is empty (a generator gives its items only once)")
    if not any(isinstance(item, Mapping) for item in found):
        return [{"params": found}]
    for i, item in enumerate(found):
        if not isinstance(item, Mapping) or "params" not in item:
            raise TypeError(
                f"params holds a {type(item).__name__} at {i}; expected groups, each a dict with "
                "the key 'params'"
            )
    return [{**item, "params": _listed(item["params"])} for item in found]


def _listed(params: Any) -> list[Any]:
    """Return the parameters of a group as a list; one Tensor is a list of one."""
    if isinstance(params, Tensor):
        return [params]
    (group,) = as_groups(params)
    return list(group["params"])


def check_params(params: list[Any]) -> None:
    """Raise unless these are leaves of floats, each there once."""
    places: dict[int, int] = {}
    for i, param in enumerate(params):
        _check_param(i, param)
        if id(param) in places:
            raise ValueError(
                f"params {places[id(param)]} and {i} are the same Tensor, which would be changed "
                "twice in a step: give it once"
            )
        places[id(param)] = i


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


def check_eps(eps: float, params: Iterable[Tensor]) -> None:
    """Raise if ε is zero in the dtype of a parameter."""
    for param in params:
        if not param.dtype.type(eps):
            raise ValueError(
                f"eps is {eps!r}, too small for {param.dtype}: where the gradient is 0, a step "
                "would be 0 / 0; give a larger one, such as 1e-4"
            )
