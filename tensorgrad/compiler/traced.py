"""Traced: the array that a function sees while it is recorded.

Floor: compiler, above `tape`.  It speaks NumPy's protocols, as any array type does, so that what
works eagerly is recorded: no second table of operations.  It computes at once, on the values of the
recording, and shows each call to the tape.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .._typing import Shape
from ..handle import Handle
from .errors import CompileError, NotNowError
from .program import GETITEM, Array, Instruction, Kind, Method
from .tape import Tape
from .values import equal, lowered

_ABOUT: Final = {
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast,
    np.common_type, np.min_scalar_type, np.may_share_memory, np.shares_memory,
}  # fmt: skip
"""Functions that look at shapes and dtypes only."""
_LIKE: Final = {np.empty_like, np.full_like, np.ones_like, np.zeros_like}
_WRITERS: Final = {np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal}
_REDUCTIONS: Final[dict[Any, np.ufunc]] = {
    np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.amax: np.maximum,
    np.min: np.minimum, np.amin: np.minimum, np.any: np.logical_or, np.all: np.logical_and,
}  # fmt: skip
"""NumPy's functions and methods that are the `reduce` of a ufunc."""
_BY_NAME: Final = {f.__name__: ufunc for f, ufunc in _REDUCTIONS.items()}
_IN_PLACE: Final = {"fill", "partition", "put", "sort"}
_LEAKS: Final = {"dump", "dumps", "item", "tobytes", "tofile", "tolist"}
_METHODS: Final = (
    {
        name
        for name in dir(np.ndarray)
        if not name.startswith("_") and callable(getattr(np.ndarray, name))
    }
    - _IN_PLACE
    - _LEAKS
    - {"resize", "setfield", "setflags", "byteswap", "to_device"}
)
_VIEWS: Final = {"T", "mT", "real", "imag"}
_ABOUT_MEMORY: Final = {"base", "flags", "itemsize", "nbytes", "strides", "device"}

_OURS: Final = tuple(
    str(Path(file).parent) + "/" for file in (str(Path(__file__).parent), np.__file__)
)
# What a user calls to see a value, and lies in our files.
_SHOWN: Final = {
    "__bool__", "__complex__", "__contains__", "__dlpack__", "__dlpack_device__", "__float__",
    "__format__", "__index__", "__int__", "__repr__", "__round__", "__str__", "__trunc__",
    "_leave_graph", "from_dlpack", "item", "tolist",
}  # fmt: skip


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    """Make an in-place operator from Python's two."""
    write, compute = getattr(NDArrayOperatorsMixin, f"__i{name}__"), getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        return compute(self, other) if isinstance(self.value, np.generic) else write(self, other)

    return method


class Traced(NDArrayOperatorsMixin):
    """An array of a recording: its value there, and its place in the program."""

    __slots__ = ("__weakref__", "array", "owner", "tape", "value")
    __hash__ = object.__hash__

    def __init__(
        self, tape: Tape, value: Any, array: Array, looked_at: Traced | None = None
    ) -> None:
        self.tape = tape
        self.value = value
        self.array = array
        # As the `base` of a view: whether an array may be written over is asked by its references.
        further = None if looked_at is None else looked_at.owner
        self.owner: Traced | None = looked_at if further is None else further

    # --- what is the same at each call ------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The length along each axis."""
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.value.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.value.size  # type: ignore[no-any-return]

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows."""
        return (self[i] for i in range(len(self)))

    # --- NumPy ------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **params: Any) -> Any:
        if any(_foreign(x) for x in (*inputs, *params.get("out", ()))):
            return NotImplemented
        out = params.pop("out", None)
        if out is not None and any(_is_number(x) for x in out):
            out = None  # `x += y` of a number makes another number
        if method == "at":
            self.tape.write_by(ufunc.at, self.tape.target(inputs[0]), inputs[1:], {})
            return None
        if out is not None and params.get("where", True) is not True:
            start = tuple(self.tape.target(o).copy() for o in out)
            found = self.tape.call(Kind.CALL, _Masked(ufunc), (*inputs, *start), params)
            return self._given(out, found, _Into(ufunc, inputs, params))
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        # A list has no dtype to plan with: the call is left to NumPy.
        listed = any(isinstance(x, (list, tuple)) for x in inputs)
        kind = Kind.CALL if listed else _kind(ufunc, method, params)
        found = self.tape.call(kind, function, inputs, params)
        return found if out is None else self._given(out, found, _Into(function, inputs, params))

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        if any(not issubclass(kind, (Traced, np.ndarray)) for kind in types):
            return NotImplemented
        if function in _ABOUT:
            return function(*lowered(args, _value), **lowered(params, _value))
        if function is np.copyto and not params and len(args) == 2 and _castable(*args):
            self.tape.write(self.tape.target(args[0]), Ellipsis, args[1])
            return None
        if function in _LIKE:
            args = (self.tape.template(args[0]), *args[1:])
        if function in _WRITERS or function is np.copyto:
            target, *rest = args
            self.tape.write_by(function, self.tape.target(target), tuple(rest), params)
            return None
        out = (
            params.pop("out", None) if isinstance(params.get("out"), (Traced, np.ndarray)) else None
        )
        found = self._called(function, args, params)
        return found if out is None else self._given((out,), found, _Into(function, args, params))

    def _called(self, function: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Record a function of NumPy, in the simplest form that has its bits."""
        params = {k: v for k, v in params.items() if not (k == "out" and v is None)}
        if function in _REDUCTIONS and len(args) <= 2:
            known = dict(zip(("a", "axis"), args, strict=False)) | params
            if set(known) <= {"a", "axis", "keepdims", "dtype"}:
                return self._reduced(_REDUCTIONS[function], known.pop("a"), known)
        kind = Kind.CALL
        if function is np.concatenate and not params and len(args) == 1:
            kind = Kind.JOIN if all(x.ndim == 1 for x in args[0]) else Kind.CALL
        found = self.tape.call(kind, function, args, params)
        if isinstance(found, (bool, int, float, complex, str)):
            self._leak(f"np.{function.__name__}")
            for item in (*args, *params.values()):
                if isinstance(item, Traced):
                    self.tape.expect(item)
        return found

    def _reduced(self, ufunc: np.ufunc, x: Any, params: dict[str, Any]) -> Any:
        """Record `ufunc.reduce`, over all axes where none is named."""
        params = {"axis": None} | {k: v for k, v in params.items() if k != "dtype" or v is not None}
        if params.get("keepdims") is np._NoValue or not params.get("keepdims", True):
            params.pop("keepdims")
        return self.tape.call(Kind.REDUCTION, ufunc.reduce, (x,), params)

    def _given(self, targets: tuple[Any, ...], found: Any, into: _Into) -> Any:
        """Write results into the arrays given for them.

        What NumPy computes depends on where it writes: the dtype of a sum, and, by the layout, the
        last bits of a power or a product.  So into an array that is not like the result the call
        itself is written down.
        """
        results = found if isinstance(found, tuple) else (found,)
        given = [r if t is None else t for t, r in zip(targets, results, strict=True)]
        for target, result in zip(targets, results, strict=True):
            if target is None:
                continue
            target = self.tape.target(target)
            if len(results) > 1 or into.can_be_copied(target.value, result.value):
                self.tape.write(target, Ellipsis, result)
            else:
                self.tape.write_by(into, target, into.args, into.params)
        return given[0] if len(given) == 1 else tuple(given)

    def __getattr__(self, name: str) -> Any:
        if name in _BY_NAME:
            return lambda *args, **params: self._called(getattr(np, name), (self, *args), params)
        if name in _METHODS:
            return lambda *args, **params: self._method(name, args, params)
        if name in _VIEWS:
            return self.tape.call(Kind.CALL, Attribute(name), (self,), {})
        if name in _ABOUT_MEMORY:
            return getattr(self.value, name)
        if name in _IN_PLACE:
            return lambda *args, **params: self.tape.write_by(Method(name), self, args, params)
        if name in _LEAKS:
            return lambda *args: self._seen(
                f".{name}()", lambda x: getattr(np.asarray(x), name)(*args)
            )
        if hasattr(np.ndarray, name) and not name.startswith("_"):
            raise CompileError(
                f"an array has no {name!r} while a function is recorded: use NumPy's functions and "
                "operators, or call the function without compile"
            )
        raise AttributeError(f"an array of a recording has no {name!r}")

    def _method(self, name: str, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        out = params.pop("out", None)
        if out is not None:
            out = out if isinstance(out, tuple) else (out,)
        into = _Into(Method(name), (self, *args), params)
        plain = self.dtype.kind == "f" and self.dtype != np.float16 and self.size < 2**24
        if name == "mean" and plain and not set(params) - {"axis", "keepdims"} and len(args) < 2:
            # NumPy's own mean is this sum over this count, in as many lines of Python.
            total = self.sum(*args, **params)
            found = total / (self.size // total.size if total.size else 1)
        else:
            kind = Kind.ELEMENTWISE if name in ("astype", "copy") else Kind.CALL
            found = self.tape.call(kind, Method(name), (self, *args), params)
        return found if out is None else self._given(out, found, into)

    def __getitem__(self, key: Any) -> Any:
        return self.tape.call(Kind.CALL, GETITEM, (self, _with_plain_slices(key)), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, Handle):
            if value._node is not None and not value.shape:
                raise CompileError(
                    "a compiled function writes a tensor that records to an array, which takes the "
                    "number out of its graph: write x.data"
                )
            value = value._data if value._node is None else np.asarray(value)
        self.tape.write(self, _with_plain_slices(key), value)

    def __pow__(self, other: Any) -> Any:
        """Raise to a power: for some numbers the operator takes a root or a reciprocal."""
        if isinstance(other, (int, float)) and self._has_its_own_power():
            return self.tape.call(Kind.CALL, operator.pow, (self, other), {})
        return np.power(self, other)

    def _has_its_own_power(self) -> bool:
        """Tell whether `x ** n` may have another dtype or other bits than `np.power(x, n)`."""
        other = self.dtype.kind in "bc" or self.dtype == np.float16
        return other and isinstance(self.value, np.ndarray)

    # A NumPy scalar is not changed in place, so a name is bound to another one.
    __iadd__ = _in_place("add")
    __isub__ = _in_place("sub")
    __imul__ = _in_place("mul")
    __itruediv__ = _in_place("truediv")
    __ipow__ = _in_place("pow")
    __imod__ = _in_place("mod")
    __ifloordiv__ = _in_place("floordiv")

    # --- values that leave the recording ----------------------------------------------------------

    def _seen(self, how: str, convert: Callable[[Any], Any]) -> Any:
        """Return the value, if our own code asks for it; the next call checks that it is equal."""
        self._leak(how)
        self.tape.expect(self)
        return convert(self.value)

    def _leak(self, how: str) -> None:
        """Raise if it is the user's code that looks at the value."""
        frame = _caller()
        if frame is not None:
            raise CompileError(
                f"{frame.f_code.co_filename}:{frame.f_lineno}: {how} looks at a value that a "
                "compiled function computes anew at each call.  Return it and look at it outside; "
                "choose with np.where or multiply by a mask in place of a Python branch; or call "
                "the function without compile"
            )

    def __has_nan__(self, has_nan: Callable[[Any], bool]) -> bool:
        """Find no NaN, and look again at each call."""
        if has_nan(self.value):
            raise NotNowError
        self.tape.expect_no_nan(self, has_nan)
        return False

    def __bool__(self) -> bool:
        return bool(self._seen("bool(), as in `if` and `while`,", bool))

    def __float__(self) -> float:
        return float(self._seen("float()", float))

    def __int__(self) -> int:
        return int(self._seen("int()", int))

    def __complex__(self) -> complex:
        return complex(self._seen("complex()", complex))

    def __index__(self) -> int:
        return operator.index(self._seen("an index or a count", operator.index))

    def __round__(self, digits: int | None = None) -> Any:
        return self._seen("round()", lambda value: round(value, digits))

    def __contains__(self, item: Any) -> bool:
        return bool(self._seen("`in`", lambda value: item in value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._seen("np.asarray()", lambda value: np.array(value, dtype=dtype, copy=copy))

    def __dlpack__(self, **options: Any) -> Any:
        return self._seen("from_dlpack()", lambda value: np.asarray(value).__dlpack__(**options))

    def __dlpack_device__(self) -> Any:
        return self._seen("from_dlpack()", lambda value: np.asarray(value).__dlpack_device__())

    def __repr__(self) -> str:
        return str(self._seen("printing", repr))

    def __format__(self, spec: str) -> str:
        return str(self._seen("printing", lambda value: format(value, spec)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        raise CompileError("an array cannot be pickled while a function is recorded")


class Attribute(Method):
    """An attribute of arrays, as a function: `Attribute("T")(x)` is `x.T`."""

    def __call__(self, array: Any, *_args: Any, **_params: Any) -> Any:
        """Get it."""
        return getattr(array, self.name)


class _Masked:
    """A ufunc with a mask, which keeps what it was given where the mask is False."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self.ufunc = ufunc

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Call it on inputs and starting values."""
        inputs, start = args[: self.ufunc.nin], args[self.ufunc.nin :]
        return self.ufunc(*inputs, out=tuple(np.array(s) for s in start), **params)


class _Into:
    """A call as a function that writes its result into its first argument."""

    def __init__(self, function: Callable[..., Any], args: Any, params: dict[str, Any]) -> None:
        self.function = function
        self.args = args
        self.params = params
        self.__name__ = str(getattr(function, "__name__", getattr(function, "name", "call")))

    def __call__(self, target: Any, *args: Any, **params: Any) -> None:
        """Call it."""
        self.function(*args, out=target, **params)

    def can_be_copied(self, target: Any, result: Any) -> bool:
        """Tell whether a result has the same bits if it is computed elsewhere and copied."""
        if target.dtype != result.dtype and not isinstance(self.function, np.ufunc):
            return False
        if not np.can_cast(result.dtype, target.dtype, "same_kind"):
            return False  # it raises
        scale = target.dtype.itemsize, result.dtype.itemsize
        return target.shape == result.shape and all(
            n == 1 or a * scale[1] == b * scale[0]
            for n, a, b in zip(target.shape, target.strides, result.strides, strict=True)
        )


def _kind(ufunc: np.ufunc, method: str, params: dict[str, Any]) -> Kind:
    """Tell what kind of an instruction a ufunc is."""
    if ufunc.nout > 1:
        return Kind.CALL
    if method == "reduce" and not set(params) - {"axis", "keepdims", "dtype"}:
        return Kind.REDUCTION
    if method == "__call__" and not set(params) - {"dtype"}:
        return Kind.PRODUCT if ufunc.signature else Kind.ELEMENTWISE
    return Kind.CALL


def _castable(target: Any, value: Any) -> bool:
    """Tell whether NumPy casts an array to the dtype of another one without being told to."""
    known = hasattr(target, "dtype") and hasattr(value, "dtype")
    return known and bool(np.can_cast(value.dtype, target.dtype, "same_kind"))


def _foreign(x: Any) -> bool:
    """Tell whether another type wants its say: a Tensor."""
    return hasattr(x, "__array_ufunc__") and not isinstance(x, (Traced, np.ndarray, np.generic))


def _is_number(x: Any) -> bool:
    """Tell whether a traced array is a NumPy scalar, which nothing can be written to."""
    return isinstance(x, Traced) and isinstance(x.value, np.generic)


def _value(x: Any) -> Any:
    """Return the array itself."""
    return x.value if isinstance(x, Traced) else x


def _with_plain_slices(key: Any) -> Any:
    """Return what stands between brackets; numbers in slices decide a shape, so they are read."""
    if isinstance(key, tuple):
        return tuple(_with_plain_slices(item) for item in key)
    if not isinstance(key, slice):
        return key
    parts = (key.start, key.stop, key.step)
    return slice(*(operator.index(part) if isinstance(part, Traced) else part for part in parts))


def _caller() -> FrameType | None:
    """Return the user's frame, if it is the user's code that looks at a value."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        ours = code.co_filename.startswith(_OURS)
        if not ours:
            return frame
        if code.co_filename != __file__ and code.co_name not in _SHOWN:
            return None
        frame = frame.f_back
    return None


def has_nan_of(instruction: Instruction) -> Array | None:
    """Return the array that an instruction searches for NaN, None if it does something else."""
    if instruction.kind is Kind.EXPECT and instruction.function is not equal:
        return instruction.args[0]  # type: ignore[no-any-return]
    return None
