"""Handle: what a Tensor holds (data, gradient, label, its node), without any operation.

Floor: above `graph` and `hooks`.  `tensor` adds the operations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final, Self
from weakref import ref

import numpy as np

from ._typing import Array, ArrayLike, DTypeLike, Shape
from .graph import Leaf, Node, clock, is_grad_enabled, last_write, watchers
from .hooks import RemovableHandle, hooks

NUMBER_KINDS: Final = "biufc"


def differentiable(dtype: np.dtype[Any]) -> bool:
    """Tell whether arrays of this dtype have gradients: floats and complex numbers do."""
    return dtype.kind in "fc"


def checked_dtype(dtype: np.dtype[Any], what: str) -> None:
    """Raise a TypeError unless arrays of this dtype can be the data of a tensor."""
    if dtype.kind in NUMBER_KINDS:
        return
    if dtype.kind == "O":
        raise TypeError(f"{what} holds objects that are no numbers of a NumPy dtype")
    raise TypeError(
        f"{what} has dtype {dtype}; expected booleans, integers, floats or complex numbers: "
        "convert it with astype"
    )


def to_array(data: ArrayLike, what: str = "data") -> Any:
    """Return `data` as an array of numbers, without copying one.

    A Tensor gives its own array, if it does not record.  An array type that implements NumPy's
    protocols (CuPy) stays as it is.

    Raises
    ------
    TypeError
        If the elements are no numbers, or if a graph or a mask would be lost.
    """
    if isinstance(data, Handle):
        if data._node is not None:
            raise TypeError(
                f"{what} is a recording tensor, which would be cut from its graph here: "
                "give x.detach() or x.data"
            )
        return data._data
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array, whose mask would be lost: use .filled(value)")
    if not hasattr(data, "__array_function__") or isinstance(data, np.ndarray):
        try:
            data = np.asarray(data)  # also turns a subclass such as np.matrix into a plain array
        except ValueError as error:
            raise TypeError(f"{what} is no rectangular array of numbers: {error}") from error
    checked_dtype(data.dtype, what)
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


class Handle:
    """The state of a Tensor: an array, and a node where it records.

    `_data` is the array, or the NumPy scalar that stands for a 0-d result.  On a handle made anew
    for an interior node whose array nothing kept, it is unset, and computed when asked for.
    """

    __slots__ = ("__weakref__", "_data", "_frozen", "_label", "_node")

    _data: Any
    _frozen: Leaf
    _label: str
    _node: Node | None

    # --- data -------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The values, as an ndarray.

        Assigning checks the shape, casts to the tensor's dtype and writes a copy.  On a tensor that
        records only a leaf may be assigned to; a graph that was recorded before then refuses to
        read the changed values in its backward pass.

        Raises
        ------
        ValueError
            If the assigned value has another shape, or if this is the result of an operation.
        """
        try:
            data = self._data
        except AttributeError:  # an interior value that nobody held
            assert self._node is not None
            data = recomputed(self._node)
        self._data = np.asarray(data) if isinstance(data, np.generic) else data
        return self._data  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: ArrayLike) -> None:
        node = self._node
        if node is not None and node.op is not None:
            raise ValueError(
                f"cannot assign to the data of a result (of {node.op.name}), since its graph would "
                "no longer be true: assign to x.detach() or to a leaf"
            )
        if value is not self._data:  # or it was written in place, and this says so
            self._data = self._stored(self._fitting(value, "data"))
        leaf = self._leaf()
        if leaf is not None:
            leaf.out = self._data
            leaf.time = clock.tick()

    def _leaf(self) -> Leaf | None:
        """Return the node of a leaf, also of a frozen one: older graphs may hold it."""
        node = getattr(self, "_frozen", None) if self._node is None else self._node
        return node if isinstance(node, Leaf) else None

    def _fitting(self, value: ArrayLike, what: str) -> Any:
        """Return `value` cast to this tensor's dtype, after checking its shape."""
        value = to_array(value, what)
        if value.shape != self.shape:
            raise ValueError(
                f"the assigned {what} has shape {value.shape}, the tensor has {self.shape}: "
                "reshape it first, or make a new Tensor"
            )
        return value.astype(self.dtype, copy=False)

    @staticmethod
    def _stored(value: Any) -> Any:
        """Return the form in which `data` and `grad` are kept: an array nobody else holds."""
        return value.copy()

    @property
    def shape(self) -> Shape:
        """The length along each axis."""
        return self._data.shape if self._node is None else self._node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        dtype: np.dtype[Any] = self._data.dtype if self._node is None else self._node.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    # --- gradient ---------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded.

        Setting it on a leaf freezes or unfreezes it; its gradient and its place in older graphs
        wait meanwhile.

        Raises
        ------
        TypeError
            If set on a tensor of integers or booleans.
        ValueError
            If cleared on the result of an operation.
        """
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        node = self._node
        if flag and node is None:
            if not differentiable(self.dtype):
                raise TypeError(
                    f"a tensor of dtype {self.dtype} has no gradient; "
                    "convert it to floats first, as in Tensor(data, dtype=float)"
                )
            leaf = self._leaf()
            if leaf is None:
                leaf = Leaf(self._data)
            elif leaf.out is not self._data:  # a frozen tensor was given a new value
                leaf.out, leaf.time = self._data, clock.tick()
            self._attach(leaf)
            self.label = getattr(self, "_label", "")
        elif not flag and node is not None:
            if node.op is not None:
                raise ValueError("only a leaf can be frozen; use x.detach() on a result")
            assert isinstance(node, Leaf)
            self._label = node.label
            self._frozen, self._node = node, None

    def requires_grad_(self, flag: bool = True) -> Self:
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = flag
        return self

    def _attach(self, node: Node) -> None:
        """Become the handle of `node`."""
        self._node = node
        node.handle = ref(self)

    @property
    def grad(self) -> Array:
        """The gradient, an ndarray of the tensor's shape and dtype.

        Zeros until a backward pass has reached the tensor: reading does not count as reached,
        assigning does, and `None` takes it back.  Passes add up on leaves; interior tensors show
        the last pass, if they are single numbers, have a label or were told `retain_grad()`.

        Raises
        ------
        ValueError
            If this is an interior array whose gradient is not kept.
        """
        node = self._node
        if node is None:
            return self._shown(np.zeros_like(self._data))  # type: ignore[no-any-return]
        if node.grad is None and node.op is not None and node.shape and not node.keeps_grad:
            raise ValueError(
                f"the gradient of this result of {node.op.name} is not kept: call retain_grad(), "
                "or give it a label, before backward()"
            )
        if node.grad is None:
            node.grad = np.zeros(node.shape, node.dtype, like=_example(self._data))
        node.grad = self._shown(node.grad)
        return node.grad  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: ArrayLike | None) -> None:
        node = self._node
        if node is None:
            raise ValueError("this tensor does not record, so it has no gradient to assign")
        if value is None:
            self.zero_grad()
            return
        if isinstance(value, (int, float)) and not isinstance(value, np.generic):
            value = np.full_like(self.grad, value)  # micrograd's `p.grad = 0.0`
        if value is not node.grad:
            node.grad = self._stored(self._fitting(value, "grad"))
        if isinstance(node, Leaf):
            node.reached = True

    @staticmethod
    def _shown(value: Any) -> Any:
        """Return the form in which `grad` is read: an array."""
        return np.asarray(value) if isinstance(value, np.generic) else value

    @property
    def has_grad(self) -> bool:
        """Whether a backward pass, or an assignment, has reached this leaf."""
        return isinstance(self._node, Leaf) and self._node.reached

    def zero_grad(self) -> None:
        """Forget the gradient: it reads as zeros, and counts as not reached."""
        node = self._node
        if node is not None:
            node.grad = None
            if isinstance(node, Leaf):
                node.reached = False

    def retain_grad(self) -> Self:
        """Keep the gradient of this interior tensor in the passes to come.

        Returns
        -------
        Tensor
            Itself.
        """
        if self._node is None:
            raise ValueError("this tensor does not record, so it will have no gradient to retain")
        self._node.keeps_grad = True
        return self

    def register_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Call a function with the gradient of this tensor, in each backward pass.

        Parameters
        ----------
        hook
            `hook(gradient)` is called when the gradient is complete: once in a pass, of a leaf with
            what the pass is about to add to `grad`.  It may return another gradient, of this shape,
            to go on with, or None.  It is shown an array that cannot be written to, and a Tensor in
            a pass that is recorded itself (`create_graph=True`).  Where a gradient holds NaN, the
            pass runs again with the strong zero, and so do the hooks on results.

        Returns
        -------
        RemovableHandle
            `remove()` takes the hook away.

        Raises
        ------
        TypeError
            If `hook` is no function; in the pass, if it returns no array.
        ValueError
            If this tensor does not record; in the pass, if another shape is returned.

        Examples
        --------
        >>> import numpy as np
        >>> import tensorgrad as tg
        >>> x = tg.Tensor([1.0, 2.0])
        >>> y = x * x
        >>> handle = y.register_hook(lambda g: np.clip(g, -1, 1))
        >>> (5 * y).sum().backward()
        >>> x.grad
        array([2., 4.])
        """
        if not callable(hook):
            raise TypeError(f"the hook is {hook!r}; expected a function of the gradient")
        if self._node is None:
            raise ValueError("this tensor does not record, so no gradient of it will reach a hook")

        return hooks.add(self._node, lambda g: in_place_of(g, hook(g)))

    # --- place in the graph -----------------------------------------------------------------------

    @property
    def label(self) -> str:
        """A name for drawings and messages; a labelled tensor keeps its gradient."""
        return getattr(self, "_label", "") if self._node is None else self._node.label

    @label.setter
    def label(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"the label is {text!r}; expected text")
        self._label = text
        if self._node is not None:
            self._node.label = text
            self._node.keeps_grad = self._node.keeps_grad or bool(text)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self._node is None or self._node.op is None

    @property
    def grad_fn(self) -> str | None:
        """The name of the operation that made this tensor, None for a leaf."""
        node = self._node
        return None if node is None or node.op is None else node.op.name

    # --- writing in place -------------------------------------------------------------------------

    def _writes_in_place(self) -> bool:
        """Tell whether an in-place operation writes the data, rather than making a new value.

        Raises
        ------
        RuntimeError
            If either would make a recorded graph untrue.
        """
        node = self._node
        if node is None:
            return False
        if node.op is None:
            if is_grad_enabled():
                raise RuntimeError(
                    "an in-place operation on a leaf that records: to update a parameter use "
                    "`with no_grad():` or write to p.data; to compute with a changed value use "
                    "y = x + ... in place of x += ..."
                )
            return True
        if not is_grad_enabled():
            raise RuntimeError(
                f"an in-place operation on a result (of {node.op.name}) under no_grad() would cut "
                "it from its graph: use x.detach() first"
            )
        return False

    def _writable(self) -> Any:
        """Return the array of a leaf for writing."""
        data = self._data
        shared = (n > 1 and s == 0 for n, s in zip(data.shape, data.strides, strict=True))
        if data.size and any(shared):
            raise ValueError(
                "several elements of this tensor share one place in memory (a broadcast array): "
                "make it with Tensor(data), which copies, to write to it"
            )
        return data

    def _take(self, data: Any, node: Node | None) -> None:
        """Take over an array and a node; the label moves with the handle."""
        label, old = self.label, self._node
        if old is not None:
            old.label = ""
        self._data = data
        self._node = node
        if node is not None:
            self._attach(node)
            node.keeps_grad = old is not None and old.keeps_grad
        if label:
            self.label = label

    # --- conversion -------------------------------------------------------------------------------

    def item(self) -> bool | int | float | complex:
        """Return the only element as a Python number, without its graph.

        Raises
        ------
        ValueError
            If there is not exactly one element.
        RuntimeError
            If this tensor records and anomalies are being detected.
        """
        self._leave_graph("item()")
        if self.size != 1:
            raise ValueError(
                f"a tensor of shape {self.shape} is not one number: index it, or use tolist()"
            )
        return self.data.item()  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers, without their graph."""
        return self.data.tolist()

    def numpy(self) -> Array:
        """Return the values, without their graph: the array of `data` itself."""
        return self.data

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        self._leave_graph("float()")
        return float(self.data)

    def __int__(self) -> int:
        self._leave_graph("int()")
        return int(self.data)

    def __complex__(self) -> complex:
        self._leave_graph("complex()")
        return complex(self.data)

    def _leave_graph(self, how: str) -> None:
        """Tell who watches that a value is about to leave its graph."""
        if self._node is not None and is_grad_enabled():
            for watcher in watchers():
                watcher.leave_graph(self._node, how)

    def __index__(self) -> int:
        return self.data.__index__()

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.shape:
            raise TypeError(
                f"the format {spec!r} is for one number, and this tensor has shape {self.shape}"
            )
        return format(self.data.item(), spec)

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> Array:
        if self._node is not None:
            raise TypeError(
                "this would take a recording tensor out of its graph: use .data or .detach() for "
                "the values; to keep the gradient join tensors with np.stack or np.concatenate in "
                "place of np.array, and call NumPy's functions on the tensor itself"
            )
        return np.array(self._data, dtype=dtype, copy=copy)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if self._node is not None:
            raise TypeError(
                "this would take a recording tensor out of its graph: give x.detach() or x.data to "
                "the other library"
            )
        data = _exported(self._data)
        return data.__dlpack__(
            stream=stream, max_version=max_version, dl_device=dl_device, copy=copy
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = _exported(self.data).__dlpack_device__()
        return device

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    __hash__ = object.__hash__

    # --- pickle and copy --------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise TypeError(
                f"this tensor is the result of {self.grad_fn}, and a graph is not pickled or "
                "copied: use x.detach()"
            )
        return _restored, (type(self), self._data, self.requires_grad, self.label)

    def __copy__(self) -> Self:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        function, (kind, data, *state) = self.__reduce__()
        copied: Self = function(kind, copy.deepcopy(data, memo), *state)
        memo[id(self)] = copied
        return copied


def _example(data: Any) -> Any:
    """Return what `like=` takes: the array itself, or any ndarray for a NumPy scalar."""
    return np.empty(0) if isinstance(data, np.generic) else data


def _exported(data: Any) -> Any:
    """Return an array that exports itself to other libraries, for one that may be a number."""
    return np.asarray(data) if isinstance(data, np.generic) else data


def recomputed(root: Node, values: dict[Node, Any] | None = None) -> Any:
    """Compute again the result of an interior node that nobody kept.

    A graph keeps only what its rules read.  Whoever asks for another value through `_prev` or in a
    drawing gets it from what is there.  `values` are known already, and are added to.

    Raises
    ------
    ValueError
        If a constant was not kept either, or a leaf has changed since.
    """
    values = {} if values is None else values
    stack = [root]
    while stack:
        node = stack[-1]
        if node not in values:
            value = _kept_value(node)
            if value is not None:
                values[node] = value
        if node in values:
            stack.pop()
            continue
        missing = [
            parent
            for parent, value in zip(node.parents, node.inputs, strict=True)
            if value is parent and parent is not None and parent not in values
        ]
        if missing:
            stack += missing
            continue
        assert node.op is not None
        if any(value is None for value in node.inputs) or any(
            parent is not None and last_write(parent) > node.time for parent in node.parents
        ):
            raise ValueError(
                f"this result of {node.op.name} was not kept, and its inputs are gone or changed: "
                "hold the tensor itself to look at it later"
            )
        inputs = [
            values[parent] if parent is not None and value is parent else value
            for parent, value in zip(node.parents, node.inputs, strict=True)
        ]
        with np.errstate(all="ignore"):  # what there was to warn of has been said
            values[node] = node.op.forward(*inputs, **node.params)
        stack.pop()
    return values[root]


def _kept_value(node: Node) -> Any:
    """Return the result of a node from where it still is: the node, or a living handle on it."""
    handle = None if node.handle is None else node.handle()
    if handle is not None and handle._node is node and hasattr(handle, "_data"):
        return handle._data
    return node.out


def _restored(kind: type[Handle], data: Any, records: bool, label: str) -> Handle:
    """Make a leaf from its pickled parts."""
    handle = object.__new__(kind)
    handle._data = data
    handle._node = None
    handle.label = label
    handle.requires_grad = records
    return handle


def in_place_of(g: Any, found: ArrayLike | None) -> Any:
    """Return what a hook gives in place of a gradient as rules go on with it: like `g`."""
    if found is None or (isinstance(g, Handle) and isinstance(found, Handle)):
        return found
    array = to_array(found, "what a hook has returned")
    if not isinstance(g, Handle):
        return array
    constant = object.__new__(type(g))
    constant._data, constant._node = array, None
    return constant
