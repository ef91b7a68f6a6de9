"""Containers: modules in a row, and lists and dicts of modules.

Floor: nn.  May import `module`.  A container gives its parts to `_members` without the name of the
attribute that holds them, so that parameters are called as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, overload

from .module import Module


def _members_of(module: Module, parts: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Give the parts by their own names, then the other attributes."""
    yield from parts
    yield from ((name, value) for name, value in vars(module).items() if name != "layers")


class Sequential(Module):
    """Modules in a row, each applied to the result of the one before.

    Parameters
    ----------
    *layers
        Modules, or other callables of one argument, such as `tensorgrad.tanh`.

    Attributes
    ----------
    layers : list
        What was given, in order.  The parameters are called "0.weight" and so on, as in PyTorch.

    Raises
    ------
    TypeError
        If one is not callable.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> from tensorgrad.nn import Linear
    >>> model = Sequential(Linear(3, 4), tg.tanh, Linear(4, 2))
    >>> model(np.ones((5, 3))).shape
    (5, 2)
    >>> len(model), model[0]
    (3, Linear(in_features=3, out_features=4), 16 parameters)
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for position, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(
                    f"layer {position} is {layer!r}; expected a Module or a function. Several "
                    "layers are given one by one: Sequential(*layers)"
                )
            if isinstance(layer, type):
                raise TypeError(
                    f"layer {position} is the class {layer.__name__}; expected an instance: "
                    f"{layer.__name__}()"
                )
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Apply all layers."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        """Iterate over the layers."""
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Callable[[Any], Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Callable[[Any], Any]:
        """Return a layer, or for a slice a Sequential of the same layers."""
        if isinstance(index, slice):
            return Sequential(*self.layers[index])
        return self.layers[index]

    def _members(self) -> Iterable[tuple[Any, Any]]:
        """Give the layers by number, without the name of their list."""
        return _members_of(self, enumerate(self.layers))

    def extra_repr(self) -> str:
        """Return the names of the layers, functions included."""
        return ", ".join(getattr(layer, "__name__", type(layer).__name__) for layer in self.layers)


class ModuleList(Module, MutableSequence[Module]):
    """A list of modules, with the methods of a list.

    A plain list as an attribute does as well: this one only accepts modules, and stands by itself.

    Parameters
    ----------
    modules
        What is in it at first.

    Raises
    ------
    TypeError
        If something that is no module is put in.

    Examples
    --------
    >>> from tensorgrad.nn import Linear
    >>> blocks = ModuleList(Linear(2, 2, bias=False) for _ in range(2))
    >>> blocks.append(Linear(2, 1, bias=False))
    >>> [name for name, _ in blocks.named_parameters()]
    ['0.weight', '1.weight', '2.weight']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.layers = [_checked(module) for module in modules]

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module:
        """Return a module, or for a slice a list of the same modules."""
        return ModuleList(self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        """Put a module, or for a slice modules, in place of others."""
        several = isinstance(index, slice)
        self.layers[index] = [_checked(m) for m in value] if several else _checked(value)

    def __delitem__(self, index: int | slice) -> None:
        """Take a module out, or for a slice several."""
        del self.layers[index]

    def __len__(self) -> int:
        """Return the number of modules."""
        return len(self.layers)

    def insert(self, index: int, value: Module) -> None:
        """Put a module before another one."""
        self.layers.insert(index, _checked(value))

    def _members(self) -> Iterable[tuple[Any, Any]]:
        """Give the modules by number, without the name of their list."""
        return _members_of(self, enumerate(self.layers))


class ModuleDict(Module, MutableMapping[str, Module]):
    """A dict of modules by name, with the methods of a dict.

    A plain dict as an attribute does as well: this one only accepts modules, and stands by itself.

    Parameters
    ----------
    modules
        What is in it at first.

    Raises
    ------
    TypeError
        If something that is no module is put in, or a key is no text.
    ValueError
        If a key is empty or has a dot in it, which would make names ambiguous.

    Examples
    --------
    >>> from tensorgrad.nn import Linear
    >>> heads = ModuleDict({"price": Linear(3, 1, bias=False)})
    >>> heads["colour"] = Linear(3, 4, bias=False)
    >>> [name for name, _ in heads.named_parameters()]
    ['price.weight', 'colour.weight']
    """

    # A module is equal to itself alone, and may be a key.
    __eq__ = Module.__eq__
    __hash__ = Module.__hash__

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.layers: dict[str, Module] = {}
        self.update(modules)

    def __getitem__(self, key: str) -> Module:
        """Return a module."""
        return self.layers[key]

    def __setitem__(self, key: str, value: Module) -> None:
        """Put a module in."""
        if not isinstance(key, str):
            raise TypeError(f"the key is {key!r}; expected text")
        if not key or "." in key:
            raise ValueError(f"the key is {key!r}; expected a name without dots")
        self.layers[key] = _checked(value)

    def __delitem__(self, key: str) -> None:
        """Take a module out."""
        del self.layers[key]

    def __len__(self) -> int:
        """Return the number of modules."""
        return len(self.layers)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self.layers)

    def _members(self) -> Iterable[tuple[Any, Any]]:
        """Give the modules by key, without the name of their dict."""
        return _members_of(self, self.layers.items())


def _checked(module: Any) -> Module:
    """Return `module`, if it is one."""
    if not isinstance(module, Module):
        raise TypeError(f"got {module!r}; expected a Module")
    return module
