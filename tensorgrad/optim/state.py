"""State: saved arrays, compared with what is expected before anything is changed.

Floor: optim.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array


def fitting(kind: str, state: Any, own: Mapping[str, Array]) -> dict[str, Array]:
    """Return a saved state as arrays, if it has the names, shapes and dtypes of one's own.

    Parameters
    ----------
    kind
        What the state is of, for the message.

    Raises
    ------
    TypeError
        If `state` is no mapping.
    ValueError
        If anything differs; all faults are listed.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state is {type(state).__name__}; expected a dict of names and arrays")
    given = {name: np.asarray(state[name]) for name in own if name in state}
    faults = [f"{name}: missing" for name in own if name not in given]
    faults += [f"{name}: unexpected" for name in state if name not in own]
    faults += [
        f"{name}: {array.dtype} {array.shape}, expected {own[name].dtype} {own[name].shape}"
        for name, array in given.items()
        if (array.dtype, array.shape) != (own[name].dtype, own[name].shape)
    ]
    if faults:
        raise ValueError(
            f"the state does not fit this {kind}, and nothing was changed:\n  "
            + "\n  ".join(faults)
        )
    return given
