"""Arithmetic: NumPy's functions as expressions of Python that have the same bits.

Floor: compiler, above `chain`.  To add a function, add its expression to a table; the tests compare
every row with NumPy on all special values.  Transcendental functions have no place here: NumPy's
kernels are faster than a compiler's, and their bits are the reference.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from .chain import Literal

Term: TypeAlias = "tuple[str, np.dtype[Any]] | Literal"
"""An operand: the name of a value and its dtype, or a number."""

_FLOATS: Final = (np.dtype("f4"), np.dtype("f8"))
_BOOL: Final = np.dtype(bool)
_ARITHMETIC: Final = {
    "absolute": "abs({0})",
    "add": "{0} + {1}",
    "divide": "{0} / {1}",
    "maximum": "{0} if ({0} > {1}) | ({0} != {0}) else {1}",
    "minimum": "{0} if ({0} < {1}) | ({0} != {0}) else {1}",
    "multiply": "{0} * {1}",
    "negative": "-{0}",
    "positive": "{0}",
    "reciprocal": "np.{dtype}(1.0) / {0}",
    "sqrt": "math.sqrt({0})",
    "square": "{0} * {0}",
    "subtract": "{0} - {1}",
}
_COMPARISONS: Final = {
    "equal": "{0} == {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "not_equal": "{0} != {1}",
}
_LOGIC: Final = {
    "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} != {1}",
    "invert": "not {0}",
    "logical_and": "{0} & {1}",
    "logical_not": "not {0}",
    "logical_or": "{0} | {1}",
    "logical_xor": "{0} != {1}",
}


def expression(function: str, terms: Sequence[Term], dtype: np.dtype[Any]) -> str | None:
    """Return an expression with NumPy's bits, of a function that gives `dtype`; None without one.

    Examples
    --------
    >>> single = np.dtype("f4")
    >>> expression("multiply", [("x", single), Literal(0.9)], single)
    'x * np.float32(0.9)'
    >>> expression("tanh", [("x", single)], single)
    """
    if all(isinstance(term, Literal) for term in terms):
        return None
    if function == "astype" or (function == "positive" and dtype in _FLOATS):
        return _as(dtype, terms[0])
    if function == "where":
        condition, *choices = terms
        texts = [_as(dtype, choice) for choice in choices]
        if isinstance(condition, Literal) or condition[1] != _BOOL:
            return None
        if common_dtype(choices) != dtype or None in texts:
            return None
        return f"{texts[0]} if {condition[0]} else {texts[1]}"
    common = common_dtype(terms)
    template, result = None, _BOOL
    if function in _ARITHMETIC and common in _FLOATS:
        template, result = _ARITHMETIC[function], common
    elif function in _COMPARISONS and _comparable(common, terms):
        template = _COMPARISONS[function]
    elif function in _LOGIC and all(_is_bool(term) for term in terms):
        template = _LOGIC[function]
    texts = [_as(common, term) for term in terms]
    if template is None or result != dtype or None in texts:
        return None
    if function in ("maximum", "minimum") and not _picks_the_second_zero():
        return None
    return template.format(*texts, dtype=dtype.name)


def supported(
    function: str, operands: Sequence[np.dtype[Any] | Literal], dtype: np.dtype[Any]
) -> bool:
    """Tell whether a generated loop can compute a function of values of these dtypes."""
    terms = [o if isinstance(o, Literal) else ("x", o) for o in operands]
    return expression(function, terms, dtype) is not None


def dtype_of_numbers(
    function: str, terms: Sequence[Term], dtype: np.dtype[Any]
) -> np.dtype[Any] | None:
    """Return the dtype that the Python numbers among the operands take, None where it is NumPy's.

    NumPy converts a Python number at each call, which takes as long as a hundred additions.
    """
    if function == "where" or expression(function, terms, dtype) is None:
        return None
    return common_dtype(terms)


def common_dtype(terms: Sequence[Term]) -> np.dtype[Any]:
    """Return the dtype that NumPy computes in (NEP 50)."""
    return np.result_type(*(t.value if isinstance(t, Literal) else t[1] for t in terms))


def _as(dtype: np.dtype[Any], term: Term) -> str | None:
    """Return a term in another dtype, None if NumPy would warn or the bits may differ."""
    if not isinstance(term, Literal):
        text, given = term
        if given == dtype:
            return text
        return f"np.{dtype.name}({text})" if dtype in _FLOATS and _plain(given) else None
    if dtype == _BOOL:
        return repr(term.value) if isinstance(term.value, bool) else None
    if dtype not in _FLOATS:
        fits = isinstance(term.value, int) and dtype.kind in "iu" and _in_range(term.value, dtype)
        return f"np.{dtype.name}({int(term.value)})" if fits else None
    with np.errstate(all="ignore"):
        value = dtype.type(term.value)
    if math.isfinite(term.value) and not np.isfinite(value):
        return None  # an overflow, of which NumPy warns
    if isinstance(term.value, int) and int(value) != term.value:
        return None
    return f"np.{dtype.name}({_text(float(term.value))})"


def _text(value: float) -> str:
    """Write a number."""
    return repr(value) if math.isfinite(value) else f"float({str(value)!r})"


def _plain(dtype: np.dtype[Any]) -> bool:
    """Tell whether numbers of a dtype are cast as C casts them."""
    return dtype in _FLOATS or dtype.kind in "biu"


def _in_range(value: int, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return int(limits.min) <= value <= int(limits.max)


def _comparable(common: np.dtype[Any], terms: Sequence[Term]) -> bool:
    """Tell whether values are compared in one dtype: integers of different kinds are not."""
    dtypes = {term[1] for term in terms if not isinstance(term, Literal)}
    if common in _FLOATS:
        return any(dtype in _FLOATS for dtype in dtypes)
    return common.kind in "biu" and dtypes == {common}


def _is_bool(term: Term) -> bool:
    return isinstance(term.value, bool) if isinstance(term, Literal) else term[1] == _BOOL


@functools.cache
def _picks_the_second_zero() -> bool:
    """Tell whether NumPy's maximum and minimum of two zeros are the second: x86 yes, ARM no."""
    for size in (1, 3, 64, 67):
        for dtype in _FLOATS:
            plus, minus = np.zeros(size, dtype), -np.zeros(size, dtype)
            for function in (np.maximum, np.minimum):
                if np.signbit(function(minus, plus)).any():
                    return False
                if not np.signbit(function(plus, minus)).all():
                    return False
    return True
