"""Testing: derivatives of any order compared with differences, for those who write rules.

Floor: above `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from ._typing import Array, ArrayLike, SeedLike
from .checks import one_of
from .random import as_generator
from .tensor import Tensor
from .transforms import gradients

Direction: TypeAlias = tuple[str, list[Array]]
"""What moves, in words, and a step of each input."""

_EACH_ELEMENT = 64
"""Inputs of up to so many elements are checked one by one."""

_TOLERANCES = {"central": (1e-5, 1e-7, 1e-6), "complex": (1e-20, 1e-12, 1e-12)}
"""The step, rtol and atol of a method."""


def check_grads(
    f: Callable[..., Any],
    *inputs: ArrayLike,
    order: int = 2,
    method: str = "central",
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    rng: SeedLike = 0,
) -> None:
    """Check the gradients of a function against differences of its values, in double precision.

    The result of `f` is projected on a random cotangent `w`, and the gradient of `<w, f(x)>` is
    compared along random directions `v`, and for small inputs element by element, with the central
    difference `(<w, f(x + h v)> - <w, f(x - h v)>) / (2 h)`.  For the next order the gradients
    themselves, projected in the same way, take the place of `f`.

    Complex inputs move along the real and the imaginary axis, `f` being holomorphic or not, and
    `<w, y>` is the real part of `sum(conj(w) y)`: a gradient is dL/dx + i dL/dy for z = x + iy.

    With `method="complex"` the first order uses the complex step `imag(<w, f(x + i h v)>) / h`,
    which subtracts nothing and so is exact to rounding; `f` is then called on complex ndarrays too.
    It is for real inputs and results.  Squire and Trapp, "Using complex variables to estimate
    derivatives of real functions", SIAM Review 40 (1998).

    Parameters
    ----------
    f
        Takes as many Tensors as there are inputs, and returns one Tensor.  It must be smooth near
        the inputs: keep `eps` away from kinks.
    *inputs
        Floating or complex arrays, Tensors or numbers.  They are copied, as float64 or complex128,
        and never written to.
    order
        The highest order of derivative to check, 1 or more.
    method
        "central" or "complex".
    eps
        The step h: 1e-5, or 1e-20 for the complex step.
    rtol, atol
        Two numbers agree if they differ by no more than `atol + rtol * abs(expected)`: 1e-7 and
        1e-6, or 1e-12 and 1e-12 for the complex step.  With `method="complex"` all three settings
        are for the first order, and the higher orders have the defaults of "central".
    rng
        Draws the cotangents and the directions.

    Raises
    ------
    AssertionError
        If a gradient is wrong; the message names order, input and position, and both numbers.
    TypeError
        If `f` returns no Tensor of floats or complex numbers.
    ValueError
        If an input has no gradient, `method` or `order` is unknown, or the complex step is not for
        this `f` or these inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.testing import check_grads
    >>> check_grads(lambda x, y: np.sin(x) * y, [0.5, 1.0], 2.0, method="complex")
    >>> check_grads(lambda x: x.detach() * x, 3.0, order=1)
    Traceback (most recent call last):
    ...
    AssertionError: order 1, input 0 at (): got gradient 0.377190663..., expected 0.7543813265...
    """
    one_of("method", method, *_TOLERANCES)
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(f"order is {order!r}; expected an integer >= 1")
    arrays = [_floating(value, position) for position, value in enumerate(inputs)]
    if not arrays:
        raise ValueError("check_grads got no inputs to differentiate by")
    if method == "complex" and any(array.dtype.kind == "c" for array in arrays):
        raise ValueError("the complex step is for real inputs: use method='central'")
    generator = as_generator(rng)
    given = (eps, rtol, atol)
    for level in range(1, order + 1):
        defaults = _TOLERANCES[method]
        settings = [
            own if own is not None else usual for own, usual in zip(given, defaults, strict=True)
        ]
        f = _check_order(f, arrays, level, method == "complex", settings, generator)
        if method == "complex":  # a gradient is not holomorphic, and the next f needs Tensors
            method, given = "central", (None, None, None)


def _floating(value: ArrayLike, position: int) -> Array:
    """Return a copy of an input in double precision."""
    array = value.data if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "fc":
        raise ValueError(
            f"input {position} has dtype {array.dtype}; expected floats or complex numbers: only "
            "they have gradients (close over the others, as in lambda x: f(x, labels))"
        )
    return np.array(array, dtype=np.complex128 if array.dtype.kind == "c" else np.float64)


def _check_order(
    f: Callable[..., Any],
    arrays: list[Array],
    level: int,
    is_complex: bool,
    settings: Sequence[float],
    rng: np.random.Generator,
) -> Callable[..., Tensor]:
    """Check the gradient of `f`; return the function whose gradient is of the next order."""
    eps, rtol, atol = settings
    value = _value(f, arrays)
    if is_complex and value.dtype.kind == "c":
        raise ValueError("the complex step is for real results: use method='central'")
    cotangent = _drawn(value, rng)
    got = _gradients(f, arrays, cotangent)
    for what, steps in _directions(arrays, rng):
        if is_complex:
            moved = [a + 1j * eps * v for a, v in zip(arrays, steps, strict=True)]
            expected = np.sum(cotangent * _complex_value(f, moved)) / eps
        else:
            ahead = _value(f, [a + eps * v for a, v in zip(arrays, steps, strict=True)])
            behind = _value(f, [a - eps * v for a, v in zip(arrays, steps, strict=True)])
            expected = _projected(cotangent, ahead - behind) / (2 * eps)
        found = sum(_projected(g, v) for g, v in zip(got, steps, strict=True))
        difference = abs(found - expected)
        # Not `>`: a NaN on either side is a failure.
        if not difference <= atol + rtol * abs(expected):
            raise AssertionError(
                f"order {level}, {what}: got gradient {found:.12g}, expected {expected:.12g}, "
                f"difference {difference:.3g} (rtol={rtol:g}, atol={atol:g}, eps={eps:g})"
            )
    projections = [_drawn(array, rng) for array in arrays]

    def slope(*tensors: Tensor) -> Tensor:
        """Project the gradients of `f` on fixed directions."""
        grads = gradients(f(*tensors), tensors, cotangent, create_graph=True, allow_unused=True)
        terms = [_projected(v, g) for g, v in zip(grads, projections, strict=True)]
        total: Tensor = sum(terms[1:], terms[0])
        return total

    return slope


def _value(f: Callable[..., Any], arrays: list[Array]) -> Array:
    """Return the result of `f`."""
    return _result(f, [Tensor(array) for array in arrays]).data


def _result(f: Callable[..., Any], tensors: list[Tensor]) -> Tensor:
    """Run `f` on Tensors, and make sure that its result is one."""
    out = f(*tensors)
    if not isinstance(out, Tensor) or out.dtype.kind not in "fc":
        kind = f"{type(out).__name__} {getattr(out, 'dtype', '')}".strip()
        raise TypeError(f"f returned {kind}; expected one Tensor of floats or complex numbers")
    return out


def _complex_value(f: Callable[..., Any], arrays: list[Array]) -> Array:
    """Return the imaginary part of `f` on complex arrays."""
    out = np.asarray(f(*arrays))
    if out.dtype.kind != "c":
        raise ValueError(
            f"f returned {out.dtype} for complex input, so the complex step has nothing to read: "
            "write f with NumPy's functions, or use method='central'"
        )
    return out.imag


def _gradients(f: Callable[..., Any], arrays: list[Array], cotangent: Array) -> list[Array]:
    """Return the gradients of `<cotangent, f>`."""
    tensors = [Tensor(array) for array in arrays]
    return gradients(_result(f, tensors), tensors, cotangent, allow_unused=True)


def _projected(w: Array, y: Any) -> Any:
    """Return `<w, y>`, a real number: the real part of `sum(conj(w) y)`."""
    return np.real(np.sum(np.conj(w) * y))


def _drawn(like: Array, rng: np.random.Generator) -> Array:
    """Draw an array of normal numbers, complex ones if `like` is complex."""
    drawn = np.asarray(rng.standard_normal(like.shape))
    if like.dtype.kind == "c":
        return np.asarray(drawn + 1j * rng.standard_normal(like.shape))
    return drawn


def _directions(arrays: list[Array], rng: np.random.Generator) -> Iterator[Direction]:
    """Yield steps: of each element of a small input alone, then of each input as a whole."""
    for position, array in enumerate(arrays):
        if array.size <= _EACH_ELEMENT:
            for index in np.ndindex(array.shape):
                for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
                    steps = [np.zeros_like(a) for a in arrays]
                    steps[position][index] = unit
                    yield f"input {position} at {index}{', along i' * (unit == 1j)}", steps
        for _ in range(2):
            steps = [np.zeros_like(a) for a in arrays]
            steps[position] = _drawn(array, rng)
            yield f"input {position} along a random direction", steps
