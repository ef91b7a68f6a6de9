"""Module: what holds parameters, finds them, saves and loads them.

Floor: nn.  May import `tensor` and the floors below it.  A new kind of container that parameters
are found in is a line in `_below`, and its class in `_walk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from .._typing import Array, ArrayLike
from ..handle import to_array
from ..tensor import Tensor


class Module:
    """A part of a model: parameters, other modules, and a `forward` that uses them.

    Derive from it, assign tensors and modules to attributes, and define `forward`.  Nothing has to
    be registered, and `super().__init__()` need not be called: parameters are found by looking at
    the attributes, in the order in which they were assigned, and through lists, tuples, dicts and
    other modules.  Every tensor of floats that is a leaf is a parameter, frozen or not; what
    two places share is one parameter, under its first name.  A NumPy array is a constant: it is
    neither trained nor saved.

    Attributes
    ----------
    training : bool
        Whether the module is in training mode, which `Dropout` asks for; see `train` and `eval`.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = tg.Tensor(2.0), tg.Tensor(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> float(line(3.0))
    7.0
    >>> [name for name, _ in line.named_parameters()]
    ['slope', 'offset']
    """

    training: bool = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's result; a subclass defines it, with any signature.

        Raises
        ------
        NotImplementedError
            If the subclass does not.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call `forward`."""
        return self.forward(*args, **kwargs)

    # --- what there is ----------------------------------------------------------------------------

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """List the parameters with their dotted names, such as "layers.0.weight".

        Returns
        -------
        list of (str, Tensor)
            In the order of the attributes; each tensor once.

        Raises
        ------
        ValueError
            If two parameters have the same name, as under the keys 1 and "1" of a dict.
        TypeError
            If a tensor that records is complex, which no optimiser takes.
        """
        found = [(name, item) for name, item in _walk(self) if _is_parameter(name, item)]
        if len(dict(found)) < len(found):
            names = [name for name, _ in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"two parameters of {type(self).__name__} are both called {twice!r}: rename an "
                "attribute or a key"
            )
        return found

    def parameters(self) -> list[Tensor]:
        """List the parameters, frozen ones included; see `named_parameters`."""
        return [parameter for _, parameter in self.named_parameters()]

    def modules(self) -> list[Module]:
        """List this module and all modules in it, each once."""
        return [item for _, item in _walk(self) if isinstance(item, Module)]

    def children(self) -> list[Module]:
        """List the modules directly in this one, also those in its lists, tuples and dicts."""
        return [child for _, child in self._named_children()]

    def _named_children(self) -> list[tuple[str, Module]]:
        """List the modules directly in this one with their names."""
        found = _walk(self, deep=False)
        return [(n, item) for n, item in found if isinstance(item, Module) and item is not self]

    def _members(self) -> Iterable[tuple[Any, Any]]:
        """Give the names and values among which parameters and modules are found."""
        return vars(self).items()

    # --- mode, gradients --------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode, here and in all modules below.

        Parameters
        ----------
        mode
            False for evaluation mode.

        Returns
        -------
        Module
            Itself.
        """
        if not isinstance(mode, bool):
            raise TypeError(f"mode is {mode!r}; expected True or False")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode, here and in all modules below; the same as `train(False)`."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def requires_grad_(self, flag: bool = True) -> Self:
        """Freeze all parameters, or unfreeze them.

        Parameters
        ----------
        flag
            False to freeze: no gradient is computed and no optimiser changes them.

        Returns
        -------
        Module
            Itself.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(flag)
        return self

    # --- state ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copy the values of all parameters.

        Returns
        -------
        dict of str to ndarray
            By name; it shares no memory with the module.

        Examples
        --------
        >>> from tensorgrad import nn
        >>> {name: array.shape for name, array in nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return {name: np.array(parameter.data) for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Set all parameters to copies of saved values.

        Parameters
        ----------
        state
            What `state_dict` gave, or PyTorch's `state_dict()` of the same layers.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If a name is missing or unexpected, or an array has another shape or dtype than its
            parameter.  All faults are listed, and no parameter was changed.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state is {type(state).__name__}; expected a dict of names and arrays")
        parameters = dict(self.named_parameters())
        arrays: dict[str, Any] = {}
        faults = []
        for name, parameter in parameters.items():
            if name in state:
                try:
                    arrays[name] = _fitting(state[name], parameter)
                except (TypeError, ValueError) as error:
                    faults.append(f"{name}: {error}")
            else:
                faults.append(f"{name}: missing")
        faults += [f"{name}: unexpected" for name in state if name not in parameters]
        if faults:
            raise ValueError(
                f"the state does not fit this {type(self).__name__}, and nothing was changed:\n  "
                + "\n  ".join(faults)
            )
        for name, parameter in parameters.items():
            parameter.data = arrays[name]

    # --- text -------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return what stands in the parentheses of the module's text; a subclass may define it."""
        return ""

    def _title(self) -> str:
        """Return the module's own part of its text."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def __repr__(self) -> str:
        """Show the modules as a tree, with the number of parameters in each."""
        lines: list[str] = []
        shown: set[int] = set()  # a dataclass that is a Module cannot be hashed
        stack: list[tuple[int, str, Module]] = [(0, "", self)]
        while stack:
            depth, name, module = stack.pop()
            line = "  " * depth + name + module._title()
            if id(module) in shown:
                lines.append(line + ", shown above")
                continue
            shown.add(id(module))
            lines.append(line + _count(module.parameters()))
            below = module._named_children()
            stack += [(depth + 1, f"{key}: ", child) for key, child in reversed(below)]
        return "\n".join(lines)


def _below(item: Any) -> Iterable[tuple[Any, Any]]:
    """Give what is in a module or a container, with its names."""
    if isinstance(item, Module):
        return item._members()
    if isinstance(item, dict):
        return item.items()
    return enumerate(item) if isinstance(item, (list, tuple)) else ()


def _walk(root: Module, deep: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield the modules and tensors from `root` down with their names, in order, each once.

    With a stack, and with a record of what was seen: neither depth nor a cycle can stop it.

    Parameters
    ----------
    root
        Where to start; it comes first.
    deep
        Whether to look into the modules below `root`.
    """
    # The values keep the objects alive, so that an id stays one object's.
    seen: dict[int, Any] = {}
    stack: list[tuple[str, Any]] = [("", root)]
    while stack:
        name, item = stack.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, (Module, Tensor)):
            yield name, item
            if isinstance(item, Tensor) or not (deep or item is root):
                continue
        prefix = f"{name}." if name else ""
        members = [
            (f"{prefix}{key}", value)
            for key, value in _below(item)
            if isinstance(value, (Module, Tensor, list, tuple, dict))
        ]
        stack += reversed(members)


def _is_parameter(name: str, item: Any) -> bool:
    """Tell whether an attribute's value is a parameter."""
    if not isinstance(item, Tensor) or not item.is_leaf:
        return False
    if item.dtype.kind == "c" and item.requires_grad:
        raise TypeError(
            f"{name} is complex, and parameters are real: keep its real and its imaginary part as "
            "two parameters, or freeze it"
        )
    return item.dtype.kind == "f"


def _fitting(value: ArrayLike, parameter: Tensor) -> Any:
    """Return a saved value as an array, if it has the parameter's shape and dtype."""
    array = to_array(value, "the value")
    if array.shape != parameter.shape:
        raise ValueError(f"shape {array.shape}, expected {parameter.shape}")
    if array.dtype != parameter.dtype:
        raise ValueError(f"dtype {array.dtype}, expected {parameter.dtype}: use astype")
    return array


def _count(parameters: Iterable[Tensor]) -> str:
    """Return the end of a line of a module's text."""
    sizes = [(parameter.size, parameter.requires_grad) for parameter in parameters]
    total = sum(size for size, _ in sizes)
    frozen = sum(size for size, records in sizes if not records)
    if not total:
        return ""
    return f", {total:,} parameter{'s' * (total > 1)}" + (f" ({frozen:,} frozen)" * (frozen > 0))
