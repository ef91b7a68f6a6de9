"""Hooks on modules: functions that see, and may replace, what goes in and out of one.

Floor: nn, below `module`.  May import `tensor` and the floors below it.

A module's hooks are one tuple, replaced at each change, so that compiled steps notice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from ..handle import in_place_of
from ..hooks import Hook, RemovableHandle, checked, shown
from ..op import Op, op, zeros
from ..tensor import Tensor, apply

BEFORE: Final = "forward_pre_hook"
AFTER: Final = "forward_hook"
BACKWARD: Final = "full_backward_hook"


class ModuleHook(Hook):
    """A hook of one of the three kinds."""

    def __init__(self, kind: str, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"the {kind} is {function!r}; expected a function")
        super().__init__(function)
        self.kind = kind


def registered(module: Any, kind: str, function: Callable[..., Any]) -> RemovableHandle:
    """Add a hook to a module."""
    hook = ModuleHook(kind, function)
    module._hooks = (*module._hooks, hook)

    def remove(owner: Any) -> None:
        left = tuple(h for h in owner._hooks if h is not hook)
        if left:
            owner._hooks = left
        else:  # as before the first one
            vars(owner).pop("_hooks", None)

    return RemovableHandle(module, remove)


def called(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a module's forward between its hooks."""
    hooks: tuple[ModuleHook, ...] = module._hooks
    for hook in hooks:
        if hook.kind == BEFORE:
            found = hook.function(module, args)
            if found is not None:
                args = found if isinstance(found, tuple) else (found,)
    backward = [hook for hook in hooks if hook.kind == BACKWARD]
    crossing = _Crossing(module, backward) if backward else None
    if crossing is not None:
        args = crossing.entered(args)
    out = module.forward(*args, **kwargs)
    if crossing is not None:
        out = crossing.left(out)
    for hook in hooks:
        if hook.kind == AFTER:
            found = hook.function(module, args, out)
            out = out if found is None else found
    return out


class _Crossing:
    """One call of a module with backward hooks: the gradients at both of its ends."""

    def __init__(self, module: Any, hooks: Sequence[ModuleHook]) -> None:
        self.module = module
        self.hooks = hooks
        self.inputs = 0
        self.records = False
        self.grad_output: tuple[Any, ...] = ()

    def entered(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments; those that record have gone through a gate."""
        gate = _Gate(args, self._called)
        self.inputs, self.records = len(args), bool(gate.positions)
        return tuple(gate.passed())

    def left(self, out: Any) -> Any:
        """Return the result; its tensors have gone through a gate."""
        passed = _Gate(out if isinstance(out, tuple) else (out,), self._arrived).passed()
        if not isinstance(out, tuple):
            return passed[0]
        return type(out)(*passed) if hasattr(out, "_fields") else tuple(passed)

    def _arrived(self, gradients: list[Any]) -> list[Any]:
        """Keep the gradients of the result; where no input records, nothing else will come."""
        self.grad_output = _shown(gradients)
        if not self.records:
            self._called([None] * self.inputs)
        return gradients

    def _called(self, gradients: list[Any]) -> list[Any]:
        """Call the hooks, each with what the one before has left of the gradients of the inputs."""
        for hook in self.hooks:
            seen = _shown(gradients)
            found = hook.function(self.module, seen, self.grad_output)
            if found is not None:
                gradients = self._replaced(found, seen, gradients)
        return gradients

    def _replaced(self, found: Any, seen: tuple[Any, ...], gradients: list[Any]) -> list[Any]:
        """Return the gradients that a hook has put in place of others."""
        found = found if isinstance(found, tuple) else (found,)
        title = type(self.module).__name__
        if len(found) != len(gradients):
            raise ValueError(
                f"a hook on {title} returned {len(found)} gradients; expected {len(gradients)}, "
                "one for each positional argument, or None to leave them as they are"
            )
        return [
            g if g is None or new is None else checked(in_place_of(old, new), g, title)
            for new, old, g in zip(found, seen, gradients, strict=True)
        ]


def _shown(gradients: list[Any]) -> tuple[Any, ...]:
    """Return gradients as hooks see them, None for what has none."""
    return tuple(None if g is None else shown(g) for g in gradients)


class _Gate:
    """Where the gradients of several tensors meet: a function sees all, and may replace them.

    Each tensor goes through an operation that also reads one number, computed from all of them.  A
    pass reaches the node of that number when it has been through all the tensors, and its rule
    hands out what they have received.
    """

    def __init__(self, items: Sequence[Any], function: Callable[[list[Any]], list[Any]]) -> None:
        self.items = list(items)
        self.function = function
        self.positions = [
            i for i, item in enumerate(items) if isinstance(item, Tensor) and item.requires_grad
        ]
        self.arrived: dict[int, Any] = {}

    def passed(self) -> list[Any]:
        """Return the items, those that record as tensors behind the gate."""
        items, self.items = self.items, []
        count = len(items)
        recording = [items[i] for i in self.positions]
        if recording:
            number = apply(_meeting(lambda: self._handed_out(count)), *recording)
            for i in self.positions:
                items[i] = apply(_passing(self.arrived, i), items[i], number)
        return items

    def _handed_out(self, count: int) -> list[Any]:
        """Return the gradients of the recording tensors, as the function leaves them."""
        gradients = self.function([self.arrived.pop(i, None) for i in range(count)])
        return [gradients[i] for i in self.positions]


def _meeting(handed_out: Callable[[], list[Any]]) -> Op:
    """Return the operation that makes the number: its gradients are those handed out."""

    def rule(g: Any, _out: Any, *_xs: Any, needs: tuple[bool, ...]) -> tuple[Any, ...]:  # noqa: ARG001
        return tuple(
            zeros(x.shape, x.dtype, g) if gx is None else gx
            for x, gx in zip(_xs, handed_out(), strict=True)
        )

    return op(lambda first, *_rest: np.zeros((), first.dtype), joint=rule, name="gate")


def _passing(arrived: dict[int, Any], position: int) -> Op:
    """Return the operation of one tensor: it changes nothing, and keeps the gradient."""

    def rule(g: Any, _out: Any, _x: Any, number: Any) -> Any:
        arrived[position] = g
        return np.zeros_like(number)

    return op(lambda x, _number: x, None, rule, view=True, name="gate")
