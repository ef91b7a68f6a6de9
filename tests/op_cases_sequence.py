"""Rows of the table of op cases: recurrent layers, against their equations, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from case import Case, Sample, normal, row
from tensorgrad.ops import recurrent


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def parts(x: Any, count: int) -> list[Any]:
    """Cut the last axis of (batch, count * hidden)."""
    hidden = x.shape[-1] // count
    return [x[:, k * hidden : (k + 1) * hidden] for k in range(count)]


def rnn(squash: Callable[[Any], Any]) -> Callable[..., Any]:
    def reference(inputs: Any, h: Any, weight: Any) -> Any:
        states = []
        for x in inputs:
            h = squash(x + h @ weight.T)
            states.append(h)
        return np.stack(states)

    return reference


def lstm(inputs: Any, h: Any, c: Any, weight: Any) -> Any:
    states = []
    for x in inputs:
        i, f, g, o = parts(x + h @ weight.T, 4)
        c = logistic(f) * c + logistic(i) * np.tanh(g)
        h = logistic(o) * np.tanh(c)
        states.append(np.stack([c, h]))
    return np.stack(states)


def gru(inputs: Any, h: Any, weight: Any, bias: Any) -> Any:
    states = []
    for x in inputs:
        (r, z, n), (hr, hz, hn) = parts(x, 3), parts(h @ weight.T + bias, 3)
        z = logistic(z + hz)
        h = (1 - z) * np.tanh(n + logistic(r + hr) * hn) + z * h
        states.append(h)
    return np.stack(states)


def small(*shape: int) -> Sample:
    """Draw weights, with which states neither explode nor saturate."""
    return Sample(lambda rng, s: 0.5 * rng.standard_normal(s), shape)


def _rows() -> list[Case]:
    rows = []
    for steps, batch, hidden in [(3, 2, 2), (1, 1, 3), (2, 0, 2)]:
        state = normal(batch, hidden)
        gates = {k: normal(steps, batch, k * hidden) for k in (1, 3, 4)}
        weight = {k: small(k * hidden, hidden) for k in (1, 3, 4)}
        size = f"{steps} {batch} {hidden}"
        rows += [
            row(f"rnn tanh {size}", lambda *xs: recurrent.rnn(*xs, nonlinearity="tanh"),
                gates[1], state, weight[1], reference=rnn(np.tanh), exact=False,
                holomorphic=True),
            row(f"rnn relu {size}", lambda *xs: recurrent.rnn(*xs, nonlinearity="relu"),
                gates[1], state, weight[1], reference=rnn(lambda x: np.where(x > 0, x, 0)),
                exact=False),
            row(f"lstm {size}", recurrent.lstm, gates[4], state, state, weight[4],
                reference=lstm, exact=False, holomorphic=True),
            row(f"gru {size}", recurrent.gru, gates[3], state, weight[3], small(3 * hidden),
                reference=gru, exact=False, holomorphic=True),
        ]  # fmt: skip
    return rows


CASES = _rows()
