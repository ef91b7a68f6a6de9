"""Module: what holds parameters and buffers, and finds them.

Floor: nn.  May import `hooks` and `state` beside it, `tensor` and the floors below it.  A new kind
of container that parameters are found in is a line in `_below`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from .._typing import Array, ArrayLike
from ..checks import as_flag
from ..handle import to_array
from ..hooks import RemovableHandle
from ..tensor import Tensor
from . import hooks
from .state import Buffer, LoadResult, Slot, load


class Module:
    """A part of a model: parameters, other modules, and a `forward` that uses them.

    Derive from it, assign tensors and modules to attributes, and define `forward`.  Nothing has to
    be registered, and `super().__init__()` need not be called: parameters are found by looking at
    the attributes, in the order in which they were assigned, and through lists, tuples, dicts and
    other modules.  Every tensor of floats that is a leaf is a parameter, frozen or not; what
    two places share is one parameter, under its first name.  A NumPy array is a constant, which is
    neither trained nor saved, or a buffer, which is saved: see `register_buffer`.

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
    _buffers: tuple[str, ...] = ()
    """The attributes that are buffers."""
    _hooks: tuple[hooks.ModuleHook, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's result; a subclass defines it, with any signature.

        Raises
        ------
        NotImplementedError
            If the subclass does not.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call `forward`, between the hooks if there are some."""
        if self._hooks:
            return hooks.called(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def multiply_adds(self, inputs: tuple[Any, ...], output: Any) -> int:  # noqa: ARG002
        """Count the multiplications, each with its addition, of one call; for `summary`.

        Without those of modules inside, which count their own.  A layer of products overrides this,
        a convolution with `output.size * self.weight[0].size`; what is done once per element does
        not count.

        Parameters
        ----------
        inputs
            The positional arguments of the call.
        output
            Its result.

        Returns
        -------
        int
            0, unless a layer says otherwise.
        """
        return 0

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
        return [(name, slot) for name, slot in self._slots().items() if isinstance(slot, Tensor)]

    def parameters(self) -> list[Tensor]:
        """List the parameters, frozen ones included; see `named_parameters`."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> list[tuple[str, Any]]:
        """List the buffers with their dotted names; see `register_buffer`.

        Returns
        -------
        list of (str, ndarray)
            The arrays themselves, in the order of the attributes.
        """
        slots = self._slots().items()
        return [(name, slot.data) for name, slot in slots if isinstance(slot, Buffer)]

    def buffers(self) -> list[Any]:
        """List the buffers; see `named_buffers`."""
        return [array for _, array in self.named_buffers()]

    def register_buffer(self, name: str, array: ArrayLike | None) -> None:
        """Set an attribute to an array that is saved with the parameters, and not trained.

        The module reads and writes it as `self.name`, outside any graph, in place or by assigning
        another array.  None takes its place where there is nothing to save.

        Parameters
        ----------
        name
            The attribute.
        array
            Numbers, which are copied.

        Raises
        ------
        TypeError, ValueError
            If `name` is no name for an attribute, or is that of something else; if `array` holds no
            numbers.

        Examples
        --------
        >>> class Counter(Module):
        ...     def __init__(self):
        ...         self.register_buffer("calls", 0)
        ...
        ...     def forward(self, x):
        ...         self.calls += 1
        ...         return x
        >>> counter = Counter()
        >>> _ = counter(1.0), counter(2.0)
        >>> counter.state_dict()
        {'calls': array(2)}
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise TypeError(f"the name of a buffer is {name!r}; expected one for an attribute")
        if name not in self._buffers and hasattr(self, name):
            raise ValueError(f"{type(self).__name__} has an attribute {name!r} already")
        value = None if array is None else to_array(array, f"the buffer {name!r}").copy()
        if name not in self._buffers:
            self._buffers = (*self._buffers, name)
        setattr(self, name, value)

    def named_modules(self) -> list[tuple[str, Module]]:
        """List this module, under "", and all modules in it with their dotted names, each once."""
        return [(name, item) for name, item in _walk(self) if isinstance(item, Module)]

    def _own_parameters(self) -> list[Tensor]:
        """List the parameters that are not in a module inside this one."""
        found = _walk(self, deep=False)
        return [item for n, item in found if isinstance(item, Tensor) and _is_slot(n, item)]

    def modules(self) -> list[Module]:
        """List this module and all modules in it, each once."""
        return [module for _, module in self.named_modules()]

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

    def _slots(self) -> dict[str, Slot]:
        """Return the parameters and the places of buffers by name, each once."""
        found = [(name, item) for name, item in _walk(self) if _is_slot(name, item)]
        slots: dict[str, Slot] = dict(found)
        if len(slots) < len(found):
            names = [name for name, _ in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"two parameters of {type(self).__name__} are both called {twice!r}: rename an "
                "attribute or a key"
            )
        return slots

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call a function with each module, the innermost first; to initialise, for example.

        Returns
        -------
        Module
            Itself.
        """
        for module in reversed(self.modules()):
            function(module)
        return self

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
        mode = as_flag("mode", mode)
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

    # --- hooks ------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[[Module, tuple[Any, ...]], Any]
    ) -> RemovableHandle:
        """Call a function before each call of this module.

        Parameters
        ----------
        hook
            `hook(module, args)` is given the positional arguments.  It may return others, as a
            tuple or as a single argument, or None.

        Returns
        -------
        RemovableHandle
            `remove()` takes the hook away.
        """
        return hooks.registered(self, hooks.BEFORE, hook)

    def register_forward_hook(
        self, hook: Callable[[Module, tuple[Any, ...], Any], Any]
    ) -> RemovableHandle:
        """Call a function after each call of this module.

        Parameters
        ----------
        hook
            `hook(module, args, output)` is given the positional arguments and the result.  It may
            return another result, or None.

        Returns
        -------
        RemovableHandle
            `remove()` takes the hook away.

        Examples
        --------
        >>> import numpy as np
        >>> from tensorgrad import nn
        >>> layer = nn.Linear(3, 2)
        >>> handle = layer.register_forward_hook(lambda module, args, out: print(out.shape))
        >>> _ = layer(np.ones((5, 3)))
        (5, 2)
        >>> handle.remove()
        """
        return hooks.registered(self, hooks.AFTER, hook)

    def register_full_backward_hook(
        self, hook: Callable[[Module, tuple[Any, ...], tuple[Any, ...]], Any]
    ) -> RemovableHandle:
        """Call a function when a backward pass has gone through a call of this module.

        Parameters
        ----------
        hook
            `hook(module, grad_input, grad_output)` is given the gradients of the positional
            arguments and of the results, as tuples: arrays that cannot be written to (Tensors in a
            pass that is recorded itself), or None for what is no recording tensor or was not
            reached.  Tensors inside lists, tuples and dicts are not looked for.  It may return
            other gradients of the arguments, as a tuple or a single one, or None.

        Returns
        -------
        RemovableHandle
            `remove()` takes the hook away.
        """
        return hooks.registered(self, hooks.BACKWARD, hook)

    # --- state ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copy the values of all parameters and buffers.

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
        return {name: np.array(slot.data) for name, slot in self._slots().items()}

    def load_state_dict(self, state: Mapping[str, ArrayLike], strict: bool = True) -> LoadResult:
        """Set all parameters and buffers to copies of saved values.

        Parameters
        ----------
        state
            What `state_dict` gave, or PyTorch's `state_dict()` of the same layers.  What is shared
            may stand there under one of its names, or with the same values under several.
        strict
            Whether each parameter and buffer must be there, and nothing else.

        Returns
        -------
        LoadResult
            `missing_keys` and `unexpected_keys`, both empty if `strict`.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If an array has another shape or dtype than what it is for, or the names of one
            parameter have different values; if `strict`, if a name is missing or unexpected.  All
            faults are listed, and nothing was changed.
        """
        return load(self._slots(), self._lookup, state, strict, type(self).__name__)

    def _lookup(self, name: Any) -> Slot | None:
        """Return the parameter or the place of a buffer to which a dotted name leads."""
        pending: list[tuple[Any, str]] = [(self, str(name))]
        while pending:
            item, rest = pending.pop()
            for key, value in _below(item):
                if rest == key and _is_slot(name, value):
                    return value  # type: ignore[no-any-return]
                if rest.startswith(f"{key}."):
                    pending.append((value, rest[len(key) + 1 :]))
        return None

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


def _below(item: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is in a module or a container and may hold parameters, with its names."""
    buffers: tuple[str, ...] = ()
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(item, Module):
        members, buffers = item._members(), item._buffers
    elif isinstance(item, dict):
        members = item.items()
    elif isinstance(item, (list, tuple)):
        members = enumerate(item)
    for key, value in members:
        if key in buffers:
            if value is not None:
                yield key, Buffer(item, key)
        elif isinstance(value, (Module, Tensor, list, tuple, dict)):
            yield str(key), value


def _walk(root: Module, deep: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield the modules, tensors and buffers from `root` down with their names, each once.

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
        if isinstance(item, (Module, Tensor, Buffer)):
            yield name, item
            if isinstance(item, Module) and not (deep or item is root):
                continue
        prefix = f"{name}." if name else ""
        stack += reversed([(prefix + key, value) for key, value in _below(item)])


def _is_slot(name: str, item: Any) -> bool:
    """Tell whether what was found is a parameter or a buffer, and not a module or a result."""
    if isinstance(item, Buffer):
        return True
    if not isinstance(item, Tensor) or not item.is_leaf:
        return False
    if item.dtype.kind == "c" and item.requires_grad:
        raise TypeError(
            f"{name} is complex, and parameters are real: keep its real and its imaginary part as "
            "two parameters, or freeze it"
        )
    return item.dtype.kind == "f"


def _count(parameters: Iterable[Tensor]) -> str:
    """Return the end of a line of a module's text."""
    sizes = [(parameter.size, parameter.requires_grad) for parameter in parameters]
    total = sum(size for size, _ in sizes)
    frozen = sum(size for size, records in sizes if not records)
    if not total:
        return ""
    return f", {total:,} parameter{'s' * (total > 1)}" + (f" ({frozen:,} frozen)" * (frozen > 0))
