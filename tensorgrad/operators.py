"""Operators: what Python's operators and NumPy's elementary functions do with a tensor.

Floor: above `recording`.  `tensor` adds the rest.  To add a method of one array: one line that
names its op.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ._typing import ArrayLike
from .arguments import static, unwrapped
from .checks import one_of
from .handle import Handle
from .methods import ArrayMethods
from .ops import activations, elementwise, products, rounding
from .recording import binary_operator, comparison, in_place_operator, unary_method


class Operators(ArrayMethods):
    """An array that takes part in expressions."""

    __slots__ = ()

    # --- arithmetic -------------------------------------------------------------------------------

    __add__ = binary_operator(elementwise.add)
    __radd__ = binary_operator(elementwise.add, reflected=True)
    __sub__ = binary_operator(elementwise.subtract)
    __rsub__ = binary_operator(elementwise.subtract, reflected=True)
    __mul__ = binary_operator(elementwise.multiply)
    __rmul__ = binary_operator(elementwise.multiply, reflected=True)
    __truediv__ = binary_operator(elementwise.divide)
    __rtruediv__ = binary_operator(elementwise.divide, reflected=True)
    __floordiv__ = binary_operator(rounding.floor_divide)
    __rfloordiv__ = binary_operator(rounding.floor_divide, reflected=True)
    __mod__ = binary_operator(rounding.remainder)
    __rmod__ = binary_operator(rounding.remainder, reflected=True)
    __matmul__ = binary_operator(products.matmul)
    __rmatmul__ = binary_operator(products.matmul, reflected=True)
    __rpow__ = binary_operator(elementwise.power, reflected=True)
    __pos__ = unary_method(elementwise.positive)
    __neg__ = unary_method(elementwise.negative)
    __abs__ = unary_method(elementwise.absolute)
    _power = binary_operator(elementwise.power)

    def __pow__(self, other: Any) -> Any:
        # As NumPy's own `**` does for these exponents, with its bits and its speed.
        if type(other) is int and other == 2:
            return self.square()
        if type(other) is float and other in (2.0, 0.5) and self.dtype.kind == "f":
            return self.square() if other == 2.0 else self.sqrt()
        if self.dtype.kind == "c":
            if type(other) is float and other == 0.5:
                return self.sqrt()
            if type(other) is int and other == -1:
                return np.reciprocal(self)
        return self._power(other)

    def __divmod__(self, other: ArrayLike) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: ArrayLike) -> tuple[Any, Any]:
        return other // self, other % self

    # --- in place ---------------------------------------------------------------------------------

    __iadd__ = in_place_operator(operator.iadd, operator.add)
    __isub__ = in_place_operator(operator.isub, operator.sub)
    __imul__ = in_place_operator(operator.imul, operator.mul)
    __itruediv__ = in_place_operator(operator.itruediv, operator.truediv)
    __ifloordiv__ = in_place_operator(operator.ifloordiv, operator.floordiv)
    __imod__ = in_place_operator(operator.imod, operator.mod)
    __ipow__ = in_place_operator(operator.ipow, operator.pow)
    __imatmul__ = in_place_operator(operator.imatmul, operator.matmul)
    __iand__ = in_place_operator(operator.iand, operator.and_)
    __ior__ = in_place_operator(operator.ior, operator.or_)
    __ixor__ = in_place_operator(operator.ixor, operator.xor)
    __ilshift__ = in_place_operator(operator.ilshift, operator.lshift)
    __irshift__ = in_place_operator(operator.irshift, operator.rshift)

    # --- integers and booleans: ndarrays, outside the graph ---------------------------------------

    __lt__ = comparison(operator.lt)
    __le__ = comparison(operator.le)
    __gt__ = comparison(operator.gt)
    __ge__ = comparison(operator.ge)
    __eq__ = comparison(operator.eq)
    __ne__ = comparison(operator.ne)
    __hash__ = Handle.__hash__

    __and__ = __rand__ = comparison(operator.and_)
    __or__ = __ror__ = comparison(operator.or_)
    __xor__ = __rxor__ = comparison(operator.xor)
    __lshift__ = comparison(operator.lshift)
    __rlshift__ = comparison(lambda x, y: y << x)
    __rshift__ = comparison(operator.rshift)
    __rrshift__ = comparison(lambda x, y: y >> x)

    def __invert__(self) -> Any:
        return ~self._data

    def __contains__(self, value: ArrayLike) -> bool:
        return bool(np.any(self._data == unwrapped(value)))

    # A whole number has no gradient: like the numbers of NumPy, one number gives a Python int.
    # For math.floor and math.ceil Python itself does that.

    def __trunc__(self) -> int:
        return math.trunc(self.item())  # type: ignore[arg-type]

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(self.item()) if ndigits is None else self.round(ndigits)  # type: ignore[arg-type]

    # --- elementary functions ---------------------------------------------------------------------

    exp = unary_method(elementwise.exp)
    expm1 = unary_method(elementwise.expm1)
    log = unary_method(elementwise.log)
    log1p = unary_method(elementwise.log1p)
    sqrt = unary_method(elementwise.sqrt)
    square = unary_method(elementwise.square)
    abs = unary_method(elementwise.absolute)
    sign = unary_method(elementwise.sign)
    sin = unary_method(elementwise.sin)
    cos = unary_method(elementwise.cos)
    tan = unary_method(elementwise.tan)
    arcsin = unary_method(elementwise.arcsin)
    arccos = unary_method(elementwise.arccos)
    arctan = unary_method(elementwise.arctan)
    sinh = unary_method(elementwise.sinh)
    cosh = unary_method(elementwise.cosh)
    tanh = unary_method(elementwise.tanh)
    sigmoid = unary_method(activations.sigmoid)
    relu = unary_method(activations.relu)
    silu = unary_method(activations.silu)
    softplus = unary_method(activations.softplus)
    pow = __pow__

    def gelu(self: Any, approximate: str = "none") -> Any:
        """Apply `tensorgrad.gelu`."""
        exact = one_of("approximate", approximate, "none", "tanh") == "none"
        op = activations.gelu if exact else activations.gelu_tanh
        return self.__apply_op__(op, (self,), {})

    def leaky_relu(self: Any, negative_slope: float = 0.01) -> Any:
        """Apply `tensorgrad.leaky_relu`."""
        params = {"negative_slope": float(static(negative_slope, "negative_slope"))}
        return self.__apply_op__(activations.leaky_relu, (self,), params)
