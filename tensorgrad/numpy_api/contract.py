"""The coverage contract: what tensorgrad does with every public callable of NumPy.

Floor: `numpy_api`, above its other modules, which have registered what they implement.  Named here
is what NumPy does not hand to us: it has no array to differentiate, or it asks a tensor to become
an array, and the tensor refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from .table import ADVICE, SUPPORT, Support

_NOTHING: Final = """
    array2string array_repr array_str base_repr binary_repr format_float_positional
    format_float_scientific datetime_as_string datetime_data busday_count busday_offset is_busday
    get_include get_printoptions set_printoptions printoptions getbufsize setbufsize geterr seterr
    geterrcall seterrcall errstate info show_config show_runtime test
    can_cast common_type isdtype issubdtype min_scalar_type mintypecode promote_types result_type
    typename dtype finfo iinfo isfortran isscalar iterable may_share_memory shares_memory
    broadcast_shapes ndindex busdaycalendar ufunc
    load loadtxt genfromtxt fromfile fromregex fromstring save savetxt savez savez_compressed
    fromiter fromfunction frombuffer frompyfunc
    bool bool_ generic number integer signedinteger unsignedinteger inexact floating complexfloating
    flexible character object_ str_ bytes_ void record datetime64 timedelta64
    byte short intc int_ long longlong intp int8 int16 int32 int64
    ubyte ushort uintc uint ulong ulonglong uintp uint8 uint16 uint32 uint64
    packbits unpackbits
    LinAlgError fftfreq rfftfreq
"""
"""No array of floats goes in, or none comes out: settings, text, files, types, integers."""

_CONVERSIONS: Final = {
    "use t.astype(dtype)": """
        half single double longdouble float16 float32 float64 float128
        csingle cdouble clongdouble complex64 complex128 complex256
    """,
    "join tensors with np.stack or np.concatenate": """
        array asarray asanyarray asarray_chkfinite ascontiguousarray asfortranarray asmatrix bmat
        matrix memmap ndarray recarray require
    """,
    "index the tensor, or iterate over it": """
        broadcast flatiter ndenumerate nditer nested_iters
    """,
    "call the function on the whole tensor, or use tensorgrad.custom_vjp": "vectorize",
    "use tensorgrad.from_dlpack": "from_dlpack",
}
"""Refused by the tensor itself, since NumPy asks it to become an array; and what to use."""


def supports(function: Callable[..., Any]) -> Support:
    """Tell what tensorgrad does with a NumPy callable when it is given tensors.

    Parameters
    ----------
    function
        A public callable of `numpy`, `numpy.linalg` or `numpy.fft`.

    Returns
    -------
    Support
        One of "differentiable", "zero gradient" (constant in pieces), "no gradient" (by nature:
        it returns integers, booleans, shapes, or no array), and "refused", which alone is false:
        the call raises on a recording tensor, and says what to use.

    Raises
    ------
    ValueError
        If the callable is none of those, or came with a NumPy newer than this version of
        tensorgrad; on a recording tensor such a function raises.

    Examples
    --------
    >>> import numpy as np, tensorgrad as tg
    >>> tg.supports(np.interp)
    <Support.DIFFERENTIABLE: 'differentiable'>
    >>> bool(tg.supports(np.vectorize))
    False
    """
    try:
        return SUPPORT[function]
    except (KeyError, TypeError):
        name = getattr(function, "__name__", repr(function))
        raise ValueError(
            f"{name} is no public callable of numpy, numpy.linalg or numpy.fft that tensorgrad "
            "knows: on a recording tensor it raises"
        ) from None


def public_callables() -> Iterator[tuple[str, Any]]:
    """Yield the name and the object of every public callable of NumPy's three namespaces."""
    for module in (np, np.linalg, np.fft):
        for name in sorted(vars(module)):
            value = getattr(module, name)
            if callable(value) and not name.startswith("_"):
                yield f"{module.__name__}.{name}", value


def coverage() -> str:
    """Return the contract as a table in Markdown, for the documentation."""
    lines = ["| callable | class | in its place |", "|---|---|---|"]
    for name, function in public_callables():
        support = SUPPORT.get(function, "in no class")
        lines.append(f"| `{name}` | {support} | {ADVICE.get(function, '')} |")
    return "\n".join(lines)


def _register() -> None:
    """Put what NumPy does not hand to us into its class."""
    nothing = set(_NOTHING.split())
    advice = {name: advice for advice, names in _CONVERSIONS.items() for name in names.split()}
    for path, function in public_callables():
        name = path.rpartition(".")[2]
        if name in nothing:
            SUPPORT[function] = Support.NO_GRADIENT
        elif name in advice:
            SUPPORT[function] = Support.REFUSED
            ADVICE[function] = advice[name]
    # It holds its coefficients as they are, and computes with functions that are handed to us.
    SUPPORT[np.poly1d] = Support.DIFFERENTIABLE


_register()
