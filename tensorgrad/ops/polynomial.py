"""Polynomials by their coefficients, of the highest power first: what is no composition.

Floor: `ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op


def _stripped(p: Any, *, atol: float) -> Any:
    """The coefficients without leading ones that are 0 up to `atol`; the last one stays."""
    if not p.size:
        return np.zeros_like(p, shape=1)
    significant = ~(np.abs(p[:-1]) <= atol)
    return p[int(np.argmax(significant)) if np.any(significant) else p.size - 1 :]


def _stripped_rule(g: Any, _out: Any, _p: Any, **_: Any) -> Any:
    """What was taken away has no influence."""
    size = _p.shape[0]
    return np.pad(g, (size - g.size, 0)) if size else g[:0]


stripped = op(_stripped, _stripped_rule, name="stripped", view=True)


def _roots_rule(g: Any, out: Any, p: Any) -> Any:
    """`dr/dp_k = -r**(n-k) / p'(r)`: the implicit function theorem on `p(r) = 0`."""
    powers = [np.ones_like(out)]
    value, slope = p[0] * powers[0], np.zeros_like(out)
    for k in range(1, p.size):
        powers.insert(0, powers[0] * out)
        slope = slope * out + value
        value = value * out + p[k]
    return np.sum(-g / slope * np.stack(powers), axis=1)


roots = op(np.roots, _roots_rule, name="roots")


def _real_if_paired(p: Any, roots: Any) -> Any:
    """The coefficients, as real numbers where the roots come in pairs of conjugates."""
    return np.real(p) if np.all(np.sort(roots) == np.sort(np.conj(roots))) else p


# The engine brings g to the coefficients' dtype.
real_if_paired = op(_real_if_paired, lambda g, _out, _p, _roots: g, name="poly", view=True)
