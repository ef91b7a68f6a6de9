"""finite_differences: a derivative for a function that only NumPy can compute.

Floor: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..checks import as_number
from ..op import Rule, op
from ..tensor import Tensor
from .run import checked_function, named, title


def finite_differences(
    f: Callable[..., Any], step: float | None = None, name: str | None = None
) -> Callable[..., Any]:
    r"""Make a function that only NumPy can compute differentiable, by central differences.

    .. math:: \frac{\partial f}{\partial x_j} \approx \frac{f(x + h e_j) - f(x - h e_j)}{2 h}

    For what is not written in functions that have a derivative: compiled code, a solver, a table.

    Parameters
    ----------
    f
        A smooth function of one or several arrays that returns an array or a number.  It is called
        with copies, as ndarrays.
    step
        The step relative to `max(1, |x_j|)`; by default the cube root of the precision of the
        input's dtype (6e-6 for float64), which balances the error of the formula, of order h²,
        against that of rounding.
    name
        What drawings and messages call it; by default "f (finite differences)" with the name of
        `f`.

    Returns
    -------
    callable
        Takes the arguments of `f`, Tensors or arrays, and records.  The gradient takes two calls of
        `f` for each element of each argument that records, and has about two thirds of the dtype's
        digits.

    Raises
    ------
    NotImplementedError
        In the backward pass, if the second derivative is asked for.
    TypeError
        In a call, if arrays are complex or `f` returns no array of floats.
    ValueError
        If `step` is not positive.

    See Also
    --------
    custom_vjp

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> import tensorgrad as tg
    >>> erf = tg.finite_differences(np.vectorize(math.erf), name="erf")
    >>> slope = tg.elementwise_grad(erf)(np.array([0.0, 1.0]))
    >>> np.allclose(slope, 2 / np.sqrt(np.pi) * np.exp([0.0, -1.0]))
    True
    """
    checked_function(f, "finite_differences")
    step = None if step is None else as_number("step", step, above=0)
    black_box = _BlackBox(f, step, name or f"{title(f)} (finite differences)")

    def call(*args: Any) -> Any:
        return black_box.value(*args)

    return named(call, "finite_differences", f)


class _BlackBox:
    """A function of arrays, and the ops that it and its derivative are."""

    def __init__(self, f: Callable[..., Any], step: float | None, name: str) -> None:
        self.f = f
        self.step = step
        self.name = name
        self.value = op(self._forward, joint=self._rule, name=name)
        # The transpose of the Jacobian times g, and the Jacobian times v.  Each is linear, and the
        # other is its adjoint: so `jvp`, which differentiates the reverse pass by g, works.
        self.transposed = op(
            self._transposed, joint=self._adjoint("product"), name=f"gradient of {name}"
        )
        self.product = op(
            self._product, joint=self._adjoint("transposed"), name=f"tangent of {name}"
        )

    def _forward(self, *xs: Any) -> Any:
        """Call the function with copies, and check what it gives."""
        arrays = [np.array(x) for x in xs]
        out = self.f(*arrays)
        if isinstance(out, Tensor):
            raise TypeError(
                f"{self.name} returned a Tensor: it has a gradient already, so call it as it is"
            )
        out = np.asarray(out)
        for kind, array in [("returned", out), *(("was given", array) for array in arrays)]:
            if array.dtype.kind == "c" or (array is out and out.dtype.kind != "f"):
                raise TypeError(f"{self.name} {kind} dtype {array.dtype}; expected real floats")
        return out if out.shape else out[()]

    def _rule(self, g: Any, _out: Any, *xs: Any, needs: tuple[bool, ...]) -> tuple[Any, ...]:
        """Differences along each element of the inputs that need a gradient."""
        return tuple(
            self.transposed(g, *xs, position=position) if needed else None
            for position, needed in enumerate(needs)
        )

    def _transposed(self, g: Any, *xs: Any, position: int) -> Any:
        """Return `sum_i g_i df_i/dx_j` for each j."""
        x = np.asarray(xs[position])
        slopes = [np.sum(g * slope) for slope in self._slopes(xs, position)]
        return np.array(slopes, dtype=x.dtype).reshape(x.shape)

    def _product(self, v: Any, *xs: Any, position: int) -> Any:
        """Return `sum_j df_i/dx_j v_j` for each i."""
        total = 0.0 * self._forward(*xs)
        for one, slope in zip(np.ravel(v), self._slopes(xs, position), strict=True):
            total = total + one * slope
        return total

    def _adjoint(self, other: str) -> Rule:
        """Make the rule of a product with the Jacobian: by its vector, and by nothing else."""

        def rule(
            g: Any, _out: Any, _vector: Any, *xs: Any, needs: tuple[bool, ...], position: int
        ) -> tuple[Any, ...]:
            if any(needs[1:]):
                raise NotImplementedError(
                    f"the second derivative of {self.name}: its gradient comes from finite "
                    "differences, and those of differences would be mostly rounding; give the "
                    "derivative with custom_vjp"
                )
            return (getattr(self, other)(g, *xs, position=position), *(None for _ in xs))

        return rule

    def _slopes(self, xs: Sequence[Any], position: int) -> Iterator[Any]:
        """Yield the slope of f along each element of an input."""
        x = np.asarray(xs[position])
        step = self.step or float(np.finfo(x.dtype).eps) ** (1 / 3)
        for index in np.ndindex(x.shape):
            above, below = np.array(x), np.array(x)
            h = step * max(1.0, abs(float(x[index])))
            above[index] += h
            below[index] -= h
            values = [
                self._forward(*xs[:position], moved, *xs[position + 1 :])
                for moved in (above, below)
            ]
            # Over the distance that rounding left, in place of 2h.
            yield (values[0] - values[1]) / float(above[index] - below[index])
