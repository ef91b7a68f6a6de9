"""Update: the rule of an optimiser as a planned step over flat arrays, for eager training.

Floor: compiler, above `emit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from .._typing import Array
from ..quiet import quiet
from .emit import emit
from .plan import planned
from .program import Phase, Place, Program
from .recording import Recording
from .tape import Tape
from .traced import Traced

State: TypeAlias = dict[str, Array]
Rule: TypeAlias = Callable[[Array, Array, State, Array], tuple[Array, State]]

_LARGE = 65_536
"""From so many elements on a generated loop is worth the import of numba."""


class PlannedUpdate:
    """A rule `update(param, grad, state, lr)`, to be run in place on arrays of one size.

    Raises what the rule raises on arrays that refuse to show their values.
    """

    def __init__(self, rule: Rule, param: Array, grad: Array, state: State, lr: Array) -> None:
        tape = Tape(Traced, lambda: Place(Phase.UPDATE))
        arrays = {"param": param, "grad": grad, "lr": lr} | state
        traced = {name: tape.capture(array, name) for name, array in arrays.items()}
        names = {traced[name].array: name for name in arrays}
        with quiet():
            new, new_state = rule(
                traced["param"],
                traced["grad"],
                {name: traced[name] for name in state},
                traced["lr"],
            )
            traced["param"][...] = new
            for name in state:
                if new_state[name] is not traced[name]:  # else it stays as it is
                    traced[name][...] = new_state[name]
        program = Program(tape.instructions, [], tape.captured, tape.stores(), [], [])
        recording = Recording(program)
        tape.close()
        large = math.prod(param.shape) >= _LARGE
        plan = planned(recording, threads=2 if large else 1, loops=large)
        code = emit(recording, plan, atomic=False)
        exec(compile(code.source, "<update>", "exec"), code.bound)
        self._prepare = code.bound["prepare"]
        # The names alone: the arrays of the recording may be large, and are somebody else's.
        self._names = [names[array] for array in plan.program.captured]

    def bind(self, param: Array, grad: Array, state: State, lr: Array) -> Callable[[], Any]:
        """Return the step over these arrays."""
        arrays = {"param": param, "grad": grad, "lr": lr} | state
        step: Callable[[], Any] = self._prepare(*(arrays[name] for name in self._names))[0]
        return step
