"""Loops: a chain as one generated loop, compiled by numba where that is installed.

Floor: compiler, above `arrangement`, `arithmetic`, `cache` and `threads`.  Strict floating point: a
loop has the bits that NumPy's functions have, one after the other.
"""

from __future__ import annotations

import functools
import hashlib
import math
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._typing import Array
from . import cache
from .arithmetic import Term, expression
from .arrangement import COLUMN, FULL, SCALAR, SINGLE, Arrangement, arranged, views
from .chain import Chain, Literal
from .threads import ARITHMETIC, both

_HEADER: Final = "import math\n\nimport numpy as np\n\n\n"
# No `parallel`: numba's threads abort the process where two threads of Python use them, and after a
# fork.  No `fastmath`: it changes bits.
_OPTIONS: Final = {"nogil": True, "error_model": "numpy"}
_kernels: dict[str, Kernel | str] = {}


class Kernel:
    """A compiled function."""

    def __init__(self, function: Callable[..., None], from_cache: bool) -> None:
        self.function = function
        self.from_cache = from_cache
        """Whether it was loaded from disk."""


class Loop:
    """A chain that runs as one loop over its arrays.

    Call it with the inputs and then the outputs, or bind it to arrays that stay where they are.
    """

    def __init__(self, plan: _Plan, kernel: Kernel) -> None:
        self._plan = plan
        self._kernel = kernel

    @property
    def source(self) -> str:
        """The Python text of the loop."""
        return self._plan.source

    @property
    def from_cache(self) -> bool:
        """Whether the compiled loop was loaded from disk."""
        return self._kernel.from_cache

    def halved(self, threads: int) -> bool:
        """Tell whether two threads share the work."""
        return self._plan.halved(threads)

    def __call__(self, *arguments: Any) -> None:
        """Run over all inputs, scalars included, and outputs."""
        count = len(self._plan.chain.inputs)
        kinds = self._plan.arrangement.kinds
        inputs = list(zip(arguments[:count], kinds, strict=True))
        arrays = [x for x, kind in inputs if kind != SCALAR]
        self.bind(arrays, arguments[count:])(*(x for x, kind in inputs if kind == SCALAR))

    def bind(
        self, arrays: Sequence[Array], outputs: Sequence[Array], threads: int = 1
    ) -> Callable[..., None]:
        """Return the loop over these arrays, to be called with the scalars, in order."""
        arguments = self._plan.arguments(arrays, outputs)
        function = self._kernel.function
        parts = self._plan.halves(arguments, threads)
        if parts is None:
            return functools.partial(function, *arguments)
        return functools.partial(_in_halves, function, *parts)


def compiled_loop(chain: Chain, in_place: Mapping[int, int] | None = None) -> Loop | None:
    """Return a chain as a compiled loop; None where it cannot be, and `reason` says why.

    `in_place` gives, for the position of an output, the number of the input whose memory it takes.
    """
    plan = _planned(chain, in_place)
    if isinstance(plan, str):
        return None
    key = plan.text
    if key not in _kernels:
        _kernels[key] = _compiled(plan)
    kernel = _kernels[key]
    return None if isinstance(kernel, str) else Loop(plan, kernel)


def reason(chain: Chain, in_place: Mapping[int, int] | None = None) -> str:
    """Return why a chain has no compiled loop; "" if it has one, or has not been tried."""
    plan = _planned(chain, in_place)
    if isinstance(plan, str):
        return plan
    kernel = _kernels.get(plan.text, "")
    return kernel if isinstance(kernel, str) else ""


def _in_halves(
    function: Callable[..., None], first: tuple[Any, ...], second: tuple[Any, ...], *scalars: Any
) -> None:
    both(function, (*first, *scalars), (*second, *scalars))


def _planned(chain: Chain, in_place: Mapping[int, int] | None) -> _Plan | str:
    """Return how a chain becomes a loop, or why it does not."""
    arrangement = arranged(chain)
    if arrangement is None:
        return "the shapes broadcast over more than two axes"
    expressions = []
    for number, line in enumerate(chain.lines):
        terms = [_term(chain, arrangement, operand) for operand in line.operands]
        text = expression(line.function, terms, line.dtype)
        if text is None:
            return f"{line.function} of line {number} is left to NumPy"
        expressions.append(text)
    return _Plan(chain, arrangement, dict(in_place or {}), expressions)


def _term(chain: Chain, arrangement: Arrangement, operand: int | Literal) -> Term:
    """Return an operand as the loop names it."""
    if isinstance(operand, Literal):
        return operand
    return _name(chain, arrangement, operand), chain.dtype_of(operand)


def _name(chain: Chain, arrangement: Arrangement, value: int) -> str:
    """Return the name of an element."""
    count = len(chain.inputs)
    if value >= count:
        return f"v{value - count}"
    return f"x{value}" if arrangement.kinds[value] == SCALAR else f"a{value}"


class _Plan:
    """The function that is generated: its text, its signature, and the order of its arguments."""

    def __init__(
        self,
        chain: Chain,
        arrangement: Arrangement,
        in_place: dict[int, int],
        expressions: list[str],
    ) -> None:
        self.chain = chain
        self.arrangement = arrangement
        self.in_place = in_place
        kinds = arrangement.kinds
        self._inputs = [n for n, kind in enumerate(kinds) if kind != SCALAR]
        self._scalars = [n for n, kind in enumerate(kinds) if kind == SCALAR]
        # An output in place is the same argument: two that overlap would not be vectorised.
        self._outputs = [k for k in range(len(chain.outputs)) if k not in in_place]
        self.source = self._source(expressions)
        self.signature = self._signature()
        self.text = f"{_HEADER}# numba.njit({self.signature!r}, **{_OPTIONS})\n{self.source}"

    def arguments(self, arrays: Sequence[Array], outputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return the arrays that the function takes."""
        inputs, results = views(self.chain, self.arrangement, self.in_place, arrays, outputs)
        return (*(_writable(x) for x in inputs), *(results[k] for k in self._outputs))

    def halved(self, count: int) -> bool:
        """Tell whether two loops at the same time are faster than one."""
        touched = math.prod(self.chain.shape) * (len(self._inputs) + len(self.chain.outputs))
        return count > 1 and self.arrangement.shape[0] > 1 and touched >= ARITHMETIC

    def halves(
        self, arguments: tuple[Array, ...], count: int
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]] | None:
        """Return the arguments of two loops, None where one is as fast."""
        if not self.halved(count):
            return None
        length = self.arrangement.shape[0]
        middle = length // 2
        if len(self.arrangement.shape) == 1:
            middle -= middle % 64  # whole lines of the processor's cache
        kinds = [self.arrangement.kinds[n] for n in self._inputs] + [FULL] * len(self._outputs)
        first, second = (
            tuple(
                self.arrangement.part(kind, array, start, stop)
                for kind, array in zip(kinds, arguments, strict=True)
            )
            for start, stop in ((0, middle), (middle, length))
        )
        return first, second

    def _signature(self) -> str:
        """Return the types of the arguments, as numba writes them."""
        kinds, axes = self.arrangement.kinds, len(self.arrangement.shape)
        types = []
        for n in self._inputs:
            dimensions = len(self.arrangement.shape_of(kinds[n]))
            types.append(_array_type(self.chain.inputs[n].dtype, dimensions))
        types += [
            _array_type(self.chain.dtype_of(self.chain.outputs[k]), axes) for k in self._outputs
        ]
        types += [_number_type(self.chain.inputs[n].dtype) for n in self._scalars]
        return f"void({', '.join(types)})"

    def _source(self, expressions: list[str]) -> str:
        """Return the text of the function."""
        chain, kinds = self.chain, self.arrangement.kinds
        targets = [
            f"x{self.in_place[k]}" if k in self.in_place else f"y{k}"
            for k in range(len(chain.outputs))
        ]
        names = [f"x{n}" for n in self._inputs] + [f"y{k}" for k in self._outputs]
        arguments = ", ".join([*names, *(f"x{n}" for n in self._scalars)])
        lines = [f"def loop({arguments}):"]
        lines += [f"    a{n} = x{n}[0]" for n in self._inputs if kinds[n] == SINGLE]
        indent, row = "    ", ""
        if len(self.arrangement.shape) == 2:
            full = [f"x{n}" for n in self._inputs if kinds[n] == FULL]
            full += [f"y{k}" for k in self._outputs]
            lines += [f"    for r in range({targets[0]}.shape[0]):"]
            lines += [f"        {name}_row = {name}[r]" for name in full]
            lines += [f"        a{n} = x{n}[r, 0]" for n in self._inputs if kinds[n] == COLUMN]
            indent, row = " " * 8, "_row"
        lines += [f"{indent}for i in range({targets[0]}{row}.size):"]
        indent += "    "
        for n in self._inputs:
            if kinds[n] not in (SINGLE, COLUMN):
                lines += [f"{indent}a{n} = x{n}{row if kinds[n] == FULL else ''}[i]"]
        lines += [f"{indent}v{n} = {text}" for n, text in enumerate(expressions)]
        lines += [
            f"{indent}{target}{row}[i] = {_name(chain, self.arrangement, value)}"
            for target, value in zip(targets, chain.outputs, strict=True)
        ]
        return "\n".join(lines) + "\n"


def _number_type(dtype: np.dtype[Any]) -> str:
    return "boolean" if dtype.kind == "b" else dtype.name


def _array_type(dtype: np.dtype[Any], axes: int) -> str:
    return f"{_number_type(dtype)}[{':, ' * (axes - 1)}::1]"


def _writable(array: Array) -> Array:
    """Return an array as one that may be written to, as all that loops are compiled for."""
    if array.flags.writeable:
        return array
    interface = array.__array_interface__ | {"data": (array.ctypes.data, False)}
    holder = type("Memory", (), {"__array_interface__": interface, "array": array})()
    return np.asarray(holder)


def _compiled(plan: _Plan) -> Kernel | str:
    """Compile a function, or load it from disk; return why not where it cannot be."""
    try:
        import llvmlite
        import numba
    except ImportError as error:
        return f"numba cannot be imported: {error}"
    if numba.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set"
    versions = (
        f"python{sys.version_info[0]}.{sys.version_info[1]}-numpy{np.__version__}"
        f"-numba{numba.__version__}-llvmlite{llvmlite.__version__}"
    )
    name = f"tensorgrad_loop_{hashlib.sha256(plan.text.encode()).hexdigest()[:32]}"
    path = cache.stored(f"{name}.py", plan.text, versions)
    if path is not None:
        try:
            return _jitted(numba, plan, name, path)
        except Exception:  # noqa: BLE001 - whatever is wrong with the files: do without them
            cache.discard(path)
    try:
        return _jitted(numba, plan, name, None)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with numba: NumPy does the work
        return f"numba failed: {type(error).__name__}: {error}"


def _jitted(numba: Any, plan: _Plan, name: str, path: Path | None) -> Kernel:
    """Compile the text, or load what was compiled from the file that has it."""
    # numba names symbols after the module, and imports it when it loads them.
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(plan.text, str(path or f"<{name}>"), "exec"), vars(module))
    function = numba.njit(plan.signature, cache=path is not None, **_OPTIONS)(module.loop)
    return Kernel(function, bool(function.stats.cache_hits))
