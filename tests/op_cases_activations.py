"""Rows of the op table: activations, against the formula that a textbook has."""

from __future__ import annotations

import math
from operator import methodcaller as method
from typing import Any

import numpy as np

import tensorgrad as tg
from case import Case, apart, normal, row
from tensorgrad.ops import activations


def erf_cdf(x: Any) -> Any:
    """The normal distribution function by the C library's erfc, element by element."""
    flat = [0.5 * math.erfc(-v / math.sqrt(2.0)) for v in np.ravel(x).tolist()]
    return np.array(flat, dtype=x.dtype).reshape(np.shape(x))


CASES: list[Case] = [
    row("sigmoid", tg.sigmoid, normal(2, 3), reference=lambda x: 1 / (1 + np.exp(-x)),
        also=(method("sigmoid"),), exact=False, holomorphic=True, elementwise=True),
    row("softplus", tg.softplus, normal(2, 3), reference=lambda x: np.log(1 + np.exp(x)),
        also=(method("softplus"),), exact=False, holomorphic=True, elementwise=True),
    row("silu", tg.silu, normal(2, 3), reference=lambda x: x / (1 + np.exp(-x)),
        also=(method("silu"),), exact=False, holomorphic=True, elementwise=True),
    row("relu", tg.relu, apart(2, 3), reference=lambda x: np.where(x > 0, x, 0.0),
        also=(method("relu"),), elementwise=True),
    row("leaky_relu", lambda x: tg.leaky_relu(x, 0.2), apart(2, 3),
        reference=lambda x: np.where(x > 0, x, 0.2 * x),
        also=(lambda x: x.leaky_relu(0.2),), elementwise=True),
    row("normal_cdf", activations.normal_cdf, normal(2, 3), reference=erf_cdf,
        exact=False, dispatches=False, elementwise=True),
    row("gelu", tg.gelu, normal(2, 3), reference=lambda x: x * erf_cdf(x),
        also=(method("gelu"),), exact=False, dispatches=False, elementwise=True),
    row("gelu tanh", lambda x: tg.gelu(x, "tanh"), normal(2, 3),
        reference=lambda x: 0.5 * x * (
            1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
        exact=False, holomorphic=True, elementwise=True),
]  # fmt: skip
