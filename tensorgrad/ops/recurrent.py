"""Recurrent layers over a whole sequence, one op each: `rnn`, `lstm` and `gru`.

Floor: `ops`.  What a layer makes of its input is one product for all steps, outside: it comes as
`inputs`, of shape (time, batch, gates * hidden), and each step adds its product with the state
before.  The result holds the states only; a rule goes back through the steps once, and computes
their gates again, which costs less than to keep them, as the memory of a large array is new at
each call.  The gradient of `weight` is one product in the end.

To add a cell, write its step, and its rule beside it: an op, and a row in the table of cases.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ..op import op
from .fused import as_rows


def _at_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a loop over time be one call also where a compiler records.

    It is offered to the arrays as NumPy offers its own functions.  Step by step, the recording of
    an LSTM would take 25 ms for each of them.  With a Tensor the loop runs, and is differentiated.
    """

    @functools.wraps(function)
    def call(*args: Any, **params: Any) -> Any:
        if not any(hasattr(type(arg), "__apply_op__") for arg in args):
            for arg in args:
                if type(arg) is not np.ndarray:
                    return arg.__array_function__(call, (type(arg),), args, params)
        return function(*args, **params)

    return call


def _by_gate(weight: Any, gates: int) -> Any:
    """Copy the transposes of the parts of `weight`, as (gates, hidden, hidden).

    With h of shape (batch, hidden) the product has the shape (gates, batch, hidden).  Whole blocks
    are computed with 2.5 times faster than columns, and a product of 32 rows with the copy of a
    transpose takes 38 us, with the transposed view 75.
    """
    hidden = weight.shape[-1]
    parts = np.reshape(weight, (gates, hidden, hidden))
    return np.copy(np.swapaxes(parts, 1, 2), order="C")


def _split(x: Any, gates: int) -> Any:
    """Look at (batch, gates * hidden) as (gates, batch, hidden)."""
    batch, width = x.shape
    return np.swapaxes(np.reshape(x, (batch, gates, width // gates)), 0, 1)


def _sigmoid(x: Any) -> Any:
    """`1 / (1 + exp(-x))` as `(1 + tanh(x / 2)) / 2`, which is quick and cannot overflow.

    Its error is one of the last place of 1: enough for a gate, which is a factor.
    """
    return 0.5 * np.tanh(0.5 * x) + 0.5


def _before(first: Any, states: Any) -> Any:
    """Return the state before each step."""
    return np.concatenate([np.expand_dims(first, 0), states[:-1]])


# --- the simple one -------------------------------------------------------------------------------


_SQUASH: Final[dict[str, Callable[[Any], Any]]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}
_SLOPE: Final[dict[str, Callable[[Any], Any]]] = {
    "tanh": lambda h: 1 - np.square(h),
    "relu": lambda h: h > 0,
}


@_at_once
def _rnn(inputs: Any, h: Any, weight: Any, *, nonlinearity: str) -> Any:
    """`h = f(inputs + h weightᵀ)`, of shape (time, batch, hidden)."""
    out = np.empty((*inputs.shape[:2], h.shape[-1]), inputs.dtype, like=inputs)
    weight = _by_gate(weight, 1)[0]
    for t in range(len(inputs)):
        h = _SQUASH[nonlinearity](inputs[t] + h @ weight)
        out[t] = h
    return out


@_at_once
def _rnn_back(g: Any, out: Any, h0: Any, weight: Any, *, nonlinearity: str) -> tuple[Any, Any]:
    """Back through `h = f(a)`, with `a = inputs + h weightᵀ`."""
    slope = _SLOPE[nonlinearity](out)
    da = np.empty_like(out)
    dh = np.zeros_like(h0)
    for t in reversed(range(len(out))):
        da[t] = (g[t] + dh) * slope[t]
        dh = da[t] @ weight
    return da, dh


def _rnn_rule(
    g: Any, out: Any, _inputs: Any, h0: Any, weight: Any, *, needs: Any, nonlinearity: str
) -> tuple[Any, ...]:
    """`dh = da weight`, and `daᵀ h` for the weight."""
    del needs  # they come together
    da, dh = _rnn_back(g, out, h0, weight, nonlinearity=nonlinearity)
    return da, dh, as_rows(da).T @ as_rows(_before(h0, out))


rnn = op(_rnn, joint=_rnn_rule, name="rnn")


# --- long short-term memory -----------------------------------------------------------------------


def _is_cell(like: Any) -> Any:
    """Return 1 for the third gate of four, whose function is tanh, and 0 for the sigmoids."""
    gates = np.zeros_like(like, shape=(4, 1, 1))
    gates[2] = 1
    return gates


def _lstm_gates(inputs: Any, h: Any, weight: Any, is_cell: Any) -> Any:
    """Return the gates i, f, n and o of a step, of shape (4, batch, hidden)."""
    scale = 0.5 + 0.5 * is_cell  # one tanh for all of them, as `_sigmoid` has it
    return scale * np.tanh(scale * (_split(inputs, 4) + h @ weight)) + (1 - scale)


@_at_once
def _lstm(inputs: Any, h: Any, c: Any, weight: Any) -> Any:
    """`c = f c + i n` and `h = o tanh(c)`: both, of shape (time, 2, batch, hidden).

    Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers,
    Schmidhuber and Cummins, "Learning to forget" (2000).
    """
    out = np.empty((len(inputs), 2, *h.shape), inputs.dtype, like=inputs)
    weight, is_cell = _by_gate(weight, 4), _is_cell(inputs)
    for t in range(len(inputs)):
        i, f, n, o = _lstm_gates(inputs[t], h, weight, is_cell)
        c = f * c + i * n
        h = o * np.tanh(c)
        out[t, 0] = c
        out[t, 1] = h
    return out


@_at_once
def _lstm_back(
    g: Any, out: Any, inputs: Any, h0: Any, c0: Any, weight: Any
) -> tuple[Any, Any, Any]:
    """Back through `h = o tanh(c)`, `c = f c + i n` and the gates.

    The slope of a gate of value v is `v (1 - v)`, and for tanh `(1 + v) (1 - v)`.
    """
    c, transposed, is_cell = out[:, 0], _by_gate(weight, 4), _is_cell(inputs)
    h_before, c_before = _before(h0, out[:, 1]), _before(c0, c)
    da = np.empty_like(inputs)
    dh, dc = np.zeros_like(h0), np.zeros_like(c0)
    for t in reversed(range(len(inputs))):
        gates = _lstm_gates(inputs[t], h_before[t], transposed, is_cell)
        i, f, n, o = gates
        tanh_c = np.tanh(c[t])
        dh = dh + g[t, 1]
        dc = dc + g[t, 0] + dh * o * (1 - np.square(tanh_c))
        d_gates = np.stack([dc * n, dc * c_before[t], dc * i, dh * tanh_c])
        d_gates = d_gates * ((gates + is_cell) * (1 - gates))
        da[t] = np.reshape(np.swapaxes(d_gates, 0, 1), inputs.shape[1:])
        dh, dc = da[t] @ weight, dc * f
    return da, dh, dc


def _lstm_rule(
    g: Any, out: Any, inputs: Any, h0: Any, c0: Any, weight: Any, *, needs: Any
) -> tuple[Any, ...]:
    """The gates' `daᵀ h` for the weight; for the rest see `_lstm_back`."""
    del needs  # they come together
    da, dh, dc = _lstm_back(g, out, inputs, h0, c0, weight)
    return da, dh, dc, as_rows(da).T @ as_rows(_before(h0, out[:, 1]))


lstm = op(_lstm, joint=_lstm_rule, name="lstm")


# --- gated recurrent unit -------------------------------------------------------------------------


def _gru_gates(inputs: Any, h: Any, weight: Any, bias: Any) -> tuple[Any, ...]:
    """Return the gates r, z and n of a step, and what r is a factor of in n."""
    from_input, from_state = _split(inputs, 3), h @ weight + bias
    r, z = _sigmoid(from_input[:2] + from_state[:2])
    kept = from_state[2]
    return r, z, np.tanh(from_input[2] + r * kept), kept


@_at_once
def _gru(inputs: Any, h: Any, weight: Any, bias: Any) -> Any:
    """`h = (1 - z) n + z h`, of shape (time, batch, hidden).

    Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), with r applied
    to the product, as in PyTorch.
    """
    out = np.empty((len(inputs), *h.shape), inputs.dtype, like=inputs)
    weight, bias = _by_gate(weight, 3), np.reshape(bias, (3, 1, -1))
    for t in range(len(inputs)):
        _r, z, n, _kept = _gru_gates(inputs[t], h, weight, bias)
        h = n + z * (h - n)
        out[t] = h
    return out


@_at_once
def _gru_back(
    g: Any, out: Any, inputs: Any, h0: Any, weight: Any, bias: Any
) -> tuple[Any, Any, Any]:
    """Back through `h = n + z (h - n)`, `n = tanh(inputs + r kept)` and the gates."""
    transposed, by_gate = _by_gate(weight, 3), np.reshape(bias, (3, 1, -1))
    h_before = _before(h0, out)
    from_input, from_state = np.empty_like(inputs), np.empty_like(inputs)
    dh = np.zeros_like(h0)
    for t in reversed(range(len(inputs))):
        r, z, n, kept = _gru_gates(inputs[t], h_before[t], transposed, by_gate)
        dh = dh + g[t]
        dn = dh * (1 - z) * (1 - np.square(n))
        dz = dh * (h_before[t] - n) * (z * (1 - z))
        dr = dn * kept * (r * (1 - r))
        from_input[t] = np.concatenate([dr, dz, dn], axis=-1)
        from_state[t] = np.concatenate([dr, dz, dn * r], axis=-1)
        dh = dh * z + from_state[t] @ weight
    return from_input, from_state, dh


def _gru_rule(
    g: Any, out: Any, inputs: Any, h0: Any, weight: Any, bias: Any, *, needs: Any
) -> tuple[Any, ...]:
    """The gates' `daᵀ h` for the weight, and `da` for the bias; for the rest see `_gru_back`."""
    del needs  # they come together
    from_input, from_state, dh = _gru_back(g, out, inputs, h0, weight, bias)
    by_row = as_rows(from_state)
    return from_input, dh, by_row.T @ as_rows(_before(h0, out)), np.sum(by_row, axis=0)


gru = op(_gru, joint=_gru_rule, name="gru")
