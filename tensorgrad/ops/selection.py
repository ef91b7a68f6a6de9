"""Operations that select between arrays element by element: select, choose, nan_to_num.

Floor: `ops`.  `where` is in `elementwise`.  The rules of `select` and `choose` are joint, since
each choice gets what the ones before it left; they read the conditions and no choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op

# --- select and choose ----------------------------------------------------------------------------


def _select(conditions: Any, *choices: Any) -> Any:
    """The choice of the first condition that holds, and the last choice where none does."""
    return np.select(list(conditions), list(choices[:-1]), choices[-1])


def _select_rule(
    g: Any, _out: Any, conditions: Any, *_choices: Any, needs: tuple[bool, ...]
) -> tuple[Any, ...]:
    """`g` where a choice was taken, 0 elsewhere."""
    shares: list[Any] = [None]
    left = ~np.zeros_like(conditions[0])
    for condition, needed in zip(conditions, needs[1:-1], strict=True):
        shares.append(np.where(left & condition, g, 0.0) if needed else None)
        left = left & ~condition
    return (*shares, np.where(left, g, 0.0) if needs[-1] else None)


select = op(_select, joint=_select_rule, name="select", elementwise=True)


def _choose(index: Any, *choices: Any, mode: Any) -> Any:
    return np.choose(index, choices, mode=mode)


def _choose_rule(
    g: Any, _out: Any, index: Any, *_choices: Any, needs: tuple[bool, ...], mode: str
) -> tuple[Any, ...]:
    """`g` where the index names a choice, 0 elsewhere."""
    count = len(needs) - 1
    if mode == "wrap":
        index = np.mod(index, count)
    elif mode == "clip":
        index = np.clip(index, 0, count - 1)
    chosen = (np.where(index == i, g, 0.0) if needs[i + 1] else None for i in range(count))
    return (None, *chosen)


choose = op(_choose, joint=_choose_rule, name="choose", elementwise=True)

# --- replacement of NaN and infinity --------------------------------------------------------------


def _nan_to_num(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _where_parts(test: Any, g: Any, x: Any) -> Any:
    """`g` where the test holds of x, and of a complex number part by part."""
    if x.dtype.kind != "c":
        return np.where(test(x), g, 0.0)
    parts = np.where(test(np.real(x)), np.real(g), 0.0), np.where(test(np.imag(x)), np.imag(g), 0.0)
    return parts[0] + 1j * parts[1]


def _replaced(test: Any) -> Any:
    """Make the rule of what replaces the elements for which a test holds."""

    def rule(g: Any, _out: Any, x: Any, _nan: Any, _posinf: Any, _neginf: Any) -> Any:
        if x.dtype.kind != "c":
            return np.where(test(x), g, 0.0)
        # One real number for both parts: g is `dL/dx - i dL/dy`.
        return np.where(test(np.real(x)), np.real(g), 0.0) - np.where(
            test(np.imag(x)), np.imag(g), 0.0
        )

    return rule


nan_to_num = op(
    _nan_to_num,
    lambda g, _out, x, _nan, _posinf, _neginf: _where_parts(np.isfinite, g, x),
    _replaced(np.isnan),
    _replaced(lambda x: x == np.inf),
    _replaced(lambda x: x == -np.inf),
    name="nan_to_num",
    elementwise=True,
)
