"""Tensor: the handle people hold, its operators and methods; `apply`, which runs and records.

Floor: above `operators` and `ops`.  NumPy's names arrive here through its two protocols and are
looked up in a table that `numpy_api` fills.  To add a method: one line that applies an op.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

import numpy as np

from . import backprop
from ._typing import ArrayLike, Axis, DTypeLike, Index
from .arguments import (
    checked_call,
    checked_seed,
    split_index,
    unwrapped,
    varargs,
    without_graph,
)
from .graph import Node, _modes, is_grad_enabled
from .handle import Handle, checked_dtype, differentiable, to_array
from .op import Op
from .operators import Operators
from .ops import elementwise, index, normalise, products, reduce, shape
from .recording import NUMBERS, applied, made, record

NUMPY_TABLE: Final[dict[Any, Callable[..., Any]]] = {}
"""What stands for each NumPy callable.  `numpy_api` fills it."""
UFUNC_METHODS: Final[dict[str, Callable[..., Any]]] = {}
"""What stands for `ufunc.reduce` and its like, and for `__call__` with options, by the method's
name; called with the ufunc first.  `numpy_api` fills it."""
ABOVE: Final[dict[str, Callable[..., Any]]] = {}
"""Functions of floors above that methods call, by name.  The package's `__init__` fills it."""


def apply(op: Op, *args: ArrayLike, **params: Any) -> Tensor:
    """Run an operation, and record it if an input records.

    Parameters
    ----------
    op
        The operation.
    *args
        Its inputs: Tensors, arrays, numbers.
    **params
        Its static parameters.

    Returns
    -------
    Tensor
        The result; a `Value` if all tensors among the inputs are Values and it is one number.
    """
    if len(args) == 1 and type(args[0]) is Tensor:
        return applied(op, args[0], params)
    arrays: list[Any] = []
    nodes: list[Node | None] = []
    recording = 0
    cls: type[Tensor] | None = None
    for position, arg in enumerate(args):
        if isinstance(arg, Tensor):
            node = arg._node
            arrays.append(arg._data)
            nodes.append(node)
            if node is not None:
                recording |= 1 << position
            cls = type(arg) if cls in (None, type(arg)) else Tensor
        else:
            arrays.append(unwrapped(arg))
            nodes.append(None)
    out = op.forward(*arrays, **params)
    if cls is not Value or out.shape or out.dtype.char != "d":
        cls = Tensor
    if not recording or not is_grad_enabled():
        return made(cls, out)
    return record(cls, op, nodes, recording, arrays, params, out)


class Tensor(Operators):
    """An array that records what is done with it, and can be differentiated.

    Parameters
    ----------
    data
        Numbers of any shape.  They are copied, so that later changes to an array given here change
        nothing.
    requires_grad
        Whether operations are recorded.  None: if the elements are floats or complex numbers.
    dtype
        The type of the elements; None keeps that of `data`.
    label
        A name for drawings and messages.

    Raises
    ------
    TypeError
        If the elements are no numbers, or if a gradient is asked of integers.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0])
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> x.grad
    array([2., 4., 6.])
    """

    __slots__ = ()
    __array_priority__ = 1000  # for libraries that still ask; NumPy itself asks the protocols

    def __init__(
        self,
        data: ArrayLike,
        requires_grad: bool | None = None,
        dtype: DTypeLike = None,
        label: str = "",
    ) -> None:
        array = to_array(data).copy()
        if dtype is not None:
            dtype = np.dtype(dtype)
            checked_dtype(dtype, "the dtype asked for")
            array = array.astype(dtype, copy=False)
        if requires_grad is None:
            requires_grad = differentiable(array.dtype)
        self._data = array
        self._node = None
        if label:
            self.label = label
        self.requires_grad = requires_grad

    # --- derivatives ------------------------------------------------------------------------------

    def backward(self, gradient: ArrayLike | None = None, audit: bool = False) -> None:
        """Compute the gradient of this tensor with respect to every leaf, and add it to `grad`.

        Parameters
        ----------
        gradient
            The cotangent to start from, of exactly this tensor's shape; needed unless this tensor
            is a single number, where it is 1.
        audit
            Whether to compare the rules of all operations on the way with differences of their
            forwards, at many times the cost; see `backward_steps`.

        Raises
        ------
        RuntimeError
            If this tensor has no graph, or a leaf was changed since it was recorded.  As an
            `AnomalyError`, if `audit` finds a wrong rule, and under `detect_anomaly`.
        ValueError
            If `gradient` is missing or has another shape.
        """
        if audit:
            for _step in self.backward_steps(gradient, audit):
                pass
            return
        node = self._graph()
        seed = checked_seed(node, gradient)
        backprop.accumulate(backprop.backpropagate(node, seed), seed)

    def backward_steps(
        self, gradient: ArrayLike | None = None, audit: bool = False
    ) -> Iterator[Any]:
        """Run `backward` an operation at a time.

        The steps are computed as they are asked for.  After the last one the `grad` of the leaves
        is, to the bit, what `backward` leaves there; whoever breaks off changes no `grad`.

        Parameters
        ----------
        gradient
            As for `backward`.
        audit
            Whether to check the rules of each operation, on the values and on the cotangent that it
            has here: in double precision, along a random direction for each input, against central
            differences of the forward.  Elements of the result without a derivative (kinks, ties,
            edges of the domain) are left out, and an input that cannot be checked says why in the
            step.

        Yields
        ------
        BackwardStep
            The operation, its inputs and its result, the gradient that arrived and those that it
            gives to its inputs, and the line that recorded it, if anomalies were being detected
            there; see `tensorgrad.debug.BackwardStep`.

        Raises
        ------
        RuntimeError, ValueError
            As `backward`, at the call; an `AnomalyError` at the step of a wrong rule.

        Examples
        --------
        >>> from tensorgrad import Value
        >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        >>> for step in (a * b).tanh().backward_steps():
        ...     print(step.op, step.gradient, *step.gradients)
        tanh 1.0 2.45765474...e-05
        multiply 2.45765474...e-05 -7.37296422...e-05 4.91530948...e-05
        >>> print(a.grad)
        -7.37296422...e-05
        """
        steps: Iterator[Any] = ABOVE["backward_steps"](self, gradient, audit)
        return steps

    def _graph(self) -> Node:
        """Return the node to start a backward pass from."""
        if self._node is None:
            raise RuntimeError(
                "backward() on a tensor without a graph: nothing that records went into it, or "
                "it was computed under no_grad()"
            )
        return self._node

    def detach(self) -> Self:
        """Return a tensor on the same array that does not record."""
        return made(type(self), self._data)

    def clone(self) -> Tensor:
        """Return a copy that stays in the graph."""
        return apply(shape.copy, self)

    copy = clone

    @property
    def _prev(self) -> set[Tensor]:
        """The inputs of the operation that made this tensor: micrograd's name for them."""
        found = inputs_of(self)
        for tensor in found:
            with contextlib.suppress(ValueError):  # gone: whoever reads its data is told so
                _ = tensor.data
        return set(found)

    @property
    def _op(self) -> str:
        """The symbol of the operation that made this tensor, "" for a leaf."""
        node = self._node
        return "" if node is None or node.op is None else node.op.symbol

    # --- in place ---------------------------------------------------------------------------------

    def _store(self, result: Any) -> None:
        """Take the result of an operation that this tensor was given to as `out=`."""
        if self._writes_in_place():
            data = self._writable()
            np.copyto(data, unwrapped(result), casting="same_kind")
            self.data = data
        else:
            self._move_to(as_tensor(result).broadcast_to(self.shape))

    def _move_to(self, result: ArrayLike) -> None:
        """Become the handle of a new value; whoever used the old one keeps it."""
        result = as_tensor(result)
        if result.shape != self.shape:
            raise ValueError(
                f"an in-place operation would change the shape from {self.shape} to "
                f"{result.shape}; use y = x + ... in place of x += ..."
            )
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise TypeError(f"cannot write a result of dtype {result.dtype} into {self.dtype}")
            result = result.astype(self.dtype)
        self._take(result._data, result._node)

    def __setitem__(self, key: Index, value: ArrayLike) -> None:
        template, arrays = split_index(key)
        self._write(index.assign, [value], arrays, template=template)

    def _write(
        self, op: Op, operands: Sequence[ArrayLike], arrays: list[Any], **params: Any
    ) -> None:
        """Become the handle of a value with the operands written at the index, or write to a leaf.

        `op` is one of `index.WRITERS`; `arrays` are those of its index.
        """
        if self._writes_in_place():
            values, data = [unwrapped(value) for value in operands], self._writable()
            data = np.array(data) if isinstance(data, np.generic) else data
            try:
                index.WRITERS[op](data, *values, *arrays, **params)
            finally:  # an error on the way may have written a part
                self.data = data
            return
        nodes = [value._node if isinstance(value, Tensor) else None for value in operands]
        parents = [self._node, *nodes, *(None for _ in arrays)]
        recording = sum(1 << i for i, parent in enumerate(parents) if parent is not None)
        mode = _modes.get()[-1]
        records = recording and mode is not False
        watched = records and mode is not True
        if records and not differentiable(self.dtype):
            raise TypeError(
                f"assigning a recording tensor into a tensor of dtype {self.dtype} would lose its "
                "gradient: make the target of floats, or assign value.detach()"
            )
        # Two references are this handle's and the call's own: nobody else will see the old value,
        # so its array is taken over, and a loop of assignments stays linear.  A watcher sees it.
        alone = sys.getrefcount(self._data) == 2 and _owned(self._data) and not watched
        if records and 0 not in op.unread(recording, len(parents))[1]:
            alone = False  # but the rules of `op` read it
        inputs = [self._data if self.shape else self.data, *map(unwrapped, operands), *arrays]
        if alone:
            index.WRITERS[op](*inputs, **params)
            out = inputs[0]
        else:
            out = op.forward(*inputs, **params)
        result = made(Tensor, out)
        if records:
            result = record(Tensor, op, parents, recording, inputs, params, out)
        self._take(result._data, result._node)

    # --- indexing ---------------------------------------------------------------------------------

    def __getitem__(self, key: Index) -> Tensor:
        template, arrays = split_index(key)
        found = apply(index.getitem, self, *arrays, template=template)
        node = self._node
        if node is not None and node.op is not None and 4 * found.size <= self.size:
            # A row that is kept would keep the whole array, and the next assignment would have to
            # copy that in place of taking it over.
            found._data = found._data.copy()
        return found

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    # --- elementwise ------------------------------------------------------------------------------

    def clip(self, min: ArrayLike = None, max: ArrayLike = None) -> Tensor:
        """Apply `tensorgrad.clip`."""
        lower = -np.inf if min is None else min
        upper = np.inf if max is None else max
        if not differentiable(self.dtype) and (min is None or max is None):
            return made(Tensor, np.clip(self._data, min, max))
        return apply(elementwise.clip, self, lower, upper)

    def astype(
        self,
        dtype: DTypeLike,
        order: str = "K",
        casting: Any = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Tensor:
        """Cast to another dtype; a cast to integers or booleans leaves the graph."""
        del order, subok, copy  # they change no value
        dtype = np.dtype(dtype)
        checked_dtype(dtype, "the dtype asked for")
        np.empty(0, self.dtype).astype(dtype, casting=casting)  # NumPy's own error
        if not differentiable(dtype):
            return made(Tensor, self._data.astype(dtype))
        return apply(elementwise.astype, self, dtype=dtype)

    # --- reductions -------------------------------------------------------------------------------

    def _reduce(self, op: Op, axis: Axis, keepdims: bool) -> Tensor:
        """Apply a reduction that is a ufunc in NumPy, which lets a 0-d array have an axis 0."""
        if axis is not None and not self.shape and axis in (0, -1):
            axis = None
        return apply(op, self, axis=axis, keepdims=keepdims)

    def sum(
        self,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: Any = None,
        keepdims: bool = False,
        **options: Any,
    ) -> Tensor:
        """Apply `tensorgrad.sum`."""
        if dtype is None and out is None and not options:
            return self._reduce(reduce.sum, axis, keepdims)
        return np.sum(self, axis, dtype, out, keepdims, **options)  # type: ignore[no-any-return]

    def mean(
        self,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: Any = None,
        keepdims: bool = False,
        **options: Any,
    ) -> Tensor:
        """Apply `tensorgrad.mean`."""
        if dtype is None and out is None and not options:
            return apply(reduce.mean, self, axis=axis, keepdims=keepdims)
        return np.mean(self, axis, dtype, out, keepdims, **options)  # type: ignore[no-any-return]

    def max(
        self, axis: Axis = None, out: Any = None, keepdims: bool = False, **options: Any
    ) -> Tensor:
        """Apply `tensorgrad.max`."""
        if out is None and not options:
            return self._reduce(reduce.max, axis, keepdims)
        return np.max(self, axis, out, keepdims, **options)  # type: ignore[no-any-return]

    def min(
        self, axis: Axis = None, out: Any = None, keepdims: bool = False, **options: Any
    ) -> Tensor:
        """Apply `tensorgrad.min`."""
        if out is None and not options:
            return self._reduce(reduce.min, axis, keepdims)
        return np.min(self, axis, out, keepdims, **options)  # type: ignore[no-any-return]

    def var(
        self,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        **options: Any,
    ) -> Tensor:
        """Apply `tensorgrad.var`."""
        if dtype is None and out is None and not options and not isinstance(ddof, Tensor):
            return apply(reduce.var, self, axis=axis, keepdims=keepdims, ddof=ddof)
        return np.var(self, axis, dtype, out, ddof, keepdims, **options)  # type: ignore[no-any-return]

    def std(
        self,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        **options: Any,
    ) -> Tensor:
        """Apply `tensorgrad.std`."""
        if dtype is None and out is None and not options and not isinstance(ddof, Tensor):
            return apply(reduce.std, self, axis=axis, keepdims=keepdims, ddof=ddof)
        return np.std(self, axis, dtype, out, ddof, keepdims, **options)  # type: ignore[no-any-return]

    def prod(
        self,
        axis: Axis = None,
        dtype: DTypeLike = None,
        out: Any = None,
        keepdims: bool = False,
        **options: Any,
    ) -> Tensor:
        """Apply `tensorgrad.prod`."""
        if dtype is None and out is None and not options:
            return self._reduce(reduce.prod, axis, keepdims)
        return np.prod(self, axis, dtype, out, keepdims, **options)  # type: ignore[no-any-return]

    def logsumexp(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """Apply `tensorgrad.logsumexp`."""
        return apply(normalise.logsumexp, self, axis=axis, keepdims=keepdims)

    def softmax(self, axis: Axis = -1) -> Tensor:
        """Apply `tensorgrad.softmax`."""
        return apply(normalise.softmax, self, axis=axis)

    def log_softmax(self, axis: Axis = -1) -> Tensor:
        """Apply `tensorgrad.log_softmax`."""
        return apply(normalise.log_softmax, self, axis=axis)

    # --- shape ------------------------------------------------------------------------------------

    def reshape(
        self, *shape_: int | Sequence[int], order: str = "C", copy: bool | None = None
    ) -> Tensor:
        """Apply `tensorgrad.reshape`; the shape as a tuple or as several ints."""
        if order == "C" and copy is None:
            return apply(shape.reshape, self, shape=varargs(shape_))
        return np.reshape(self, varargs(shape_), order=order, copy=copy)  # type: ignore[call-overload, no-any-return]

    view = reshape

    def flatten(self, order: str = "C") -> Tensor:
        """Apply `tensorgrad.ravel`."""
        return self.reshape(-1) if order == "C" else np.ravel(self, order)  # type: ignore[call-overload]

    ravel = flatten

    def transpose(self, *axes: int | Sequence[int] | None) -> Tensor:
        """Apply `tensorgrad.transpose`; the axes as a tuple or as several ints, or none at all."""
        order = None if not axes or axes[0] is None else varargs(axes)
        return apply(shape.transpose, self, axes=order)

    permute = transpose

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """Apply `tensorgrad.swapaxes`."""
        return apply(shape.swapaxes, self, axis1=axis1, axis2=axis2)

    @property
    def T(self) -> Tensor:
        """All axes reversed."""
        return self.transpose()

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped."""
        return self.swapaxes(-1, -2)

    def expand_dims(self, axis: int | tuple[int, ...]) -> Tensor:
        """Apply `tensorgrad.expand_dims`."""
        return apply(shape.expand_dims, self, axis=axis)

    unsqueeze = expand_dims

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Apply `tensorgrad.squeeze`."""
        return apply(shape.squeeze, self, axis=axis)

    def broadcast_to(self, shape_: int | Sequence[int]) -> Tensor:
        """Apply `tensorgrad.broadcast_to`."""
        return apply(shape.broadcast_to, self, shape=varargs((shape_,)))

    # --- products ---------------------------------------------------------------------------------

    def matmul(self, other: ArrayLike) -> Tensor:
        """Apply `tensorgrad.matmul`."""
        return apply(products.matmul, self, other)

    def dot(self, other: ArrayLike) -> Tensor:
        """Apply `tensorgrad.dot`."""
        other = other if isinstance(other, Tensor) else as_tensor(other)
        if not self.shape or not other.shape:
            return apply(elementwise.multiply, self, other)
        return apply(products.dot, self, other)

    # --- protocols --------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = NUMPY_TABLE.get(ufunc)
        if function is not None and method == "__call__" and not kwargs:
            return function(*inputs)
        return UFUNC_METHODS[method](ufunc, *inputs, **kwargs)

    def __array_function__(
        self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        function = NUMPY_TABLE.get(func)
        name = f"{func.__module__.replace('numpy', 'np')}.{func.__name__}"
        if function is not None:
            return checked_call(name, function, args, kwargs)
        return without_graph(name, func, args, kwargs)

    @staticmethod
    def __apply_op__(op: Op, args: tuple[Any, ...], params: dict[str, Any]) -> Tensor:
        return apply(op, *args, **params)

    def __repr__(self) -> str:
        parts = [np.array2string(self.data, separator=", ", prefix=f"{type(self).__name__}(")]
        parts.append(f"dtype={self.dtype}")
        if self.label:
            parts.append(f"label={self.label!r}")
        if self.grad_fn:
            parts.append(f"op={self.grad_fn}")
        return f"{type(self).__name__}({', '.join(parts)})"


class Value(Tensor):
    """A scalar Tensor of float64, with micrograd's way of working.

    Parameters
    ----------
    data
        One number.
    label
        A name for drawings.

    Raises
    ------
    TypeError
        If `data` is not one real number.

    Examples
    --------
    >>> from tensorgrad import Value
    >>> a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    >>> c = a * b + 10
    >>> c.backward()
    >>> float(a.grad), float(b.grad)
    (-3.0, 2.0)
    """

    __slots__ = ()

    def __init__(self, data: float, label: str = "") -> None:
        array = to_array(data)
        if array.shape or array.dtype.kind == "c":
            raise TypeError(f"a Value is one real number, not {array.dtype}{list(array.shape)}")
        self._data = np.float64(array)
        self._node = None
        self.label = label
        self.requires_grad = True

    # A Value shows NumPy's scalars, which print and compute like Python's floats.

    @property
    def data(self) -> Any:
        """The number, a `numpy.float64`."""
        return self._data[()]

    @data.setter
    def data(self, value: ArrayLike) -> None:
        Handle.data.fset(self, value)  # type: ignore[attr-defined]

    @staticmethod
    def _stored(value: Any) -> Any:
        return value[()]

    @staticmethod
    def _shown(value: Any) -> Any:
        return value[()]

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        made_by = f", op={self.grad_fn}" if self.grad_fn else ""
        return f"Value({self._data!s}{label}{made_by})"


def as_tensor(data: ArrayLike) -> Tensor:
    """Return `data` as a Tensor, without a copy and without recording.

    Parameters
    ----------
    data
        A Tensor, which comes back as it is, or numbers of any shape.

    Returns
    -------
    Tensor
        A constant on the same memory where `data` is an array.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> tg.as_tensor([1, 2]).requires_grad
    False
    """
    return data if isinstance(data, Tensor) else made(Tensor, to_array(data))


def handle_of(node: Node, kind: type[Tensor] = Tensor, value: Any = None) -> Tensor:
    """Return the one handle on a node, made anew if nobody holds it.

    Parameters
    ----------
    node
        The node.
    kind
        The class of a new handle on a single number; arrays get Tensors.
    value
        The array, where the caller has it; otherwise it is computed when somebody looks.
    """
    handle = None if node.handle is None else node.handle()
    if handle is not None and handle._node is node:
        return handle  # type: ignore[no-any-return]
    tensor = object.__new__(Tensor if node.shape else kind)
    if value is None:
        value = node.out
    if value is not None:
        tensor._data = value
    tensor._attach(node)
    return tensor


# The handles on the number constants of a node: they have no node of their own to find them by.
_constants: WeakKeyDictionary[Node, dict[int, Tensor]] = WeakKeyDictionary()


def inputs_of(tensor: Tensor) -> list[Tensor]:
    """List the inputs of the operation that made a tensor, numbers included.

    Constant arrays are left out, as the graph keeps them only where a rule reads them.
    """
    node = tensor._node
    if node is None:
        return []
    found: list[Tensor] = []
    for i, (parent, value) in enumerate(zip(node.parents, node.inputs, strict=True)):
        if parent is not None:
            found.append(handle_of(parent, type(tensor)))
        elif type(value) in NUMBERS:
            own = _constants.setdefault(node, {})
            if i not in own:
                own[i] = made(type(tensor), np.float64(value))
            found.append(own[i])
    return found


def _owned(data: Any) -> bool:
    """Tell whether an array has memory of its own that can be written."""
    flags = getattr(data, "flags", None)
    return flags is not None and bool(flags.owndata and flags.writeable)
