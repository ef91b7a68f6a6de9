"""Randomness: one default generator, and the rule that turns `rng=` arguments into generators.

Lowest floor: imports NumPy alone.  NumPy's global random state is never touched.
"""

from __future__ import annotations

import functools

import numpy as np

from ._typing import SeedLike


@functools.cache
def _default() -> np.random.Generator:
    """Return the one default generator, made when it is first needed."""
    return np.random.default_rng()


def manual_seed(seed: int) -> np.random.Generator:
    """Seed the default generator, which every `rng=None` uses.

    Parameters
    ----------
    seed
        A non-negative integer.

    Returns
    -------
    numpy.random.Generator
        The default generator.  It is the same object before and after: what captured it
        earlier draws from the new stream as well.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> first = tg.manual_seed(7).random()
    >>> first == tg.manual_seed(7).random()
    True
    """
    generator = _default()
    generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    return generator


def as_generator(rng: SeedLike) -> np.random.Generator:
    """Return `rng` itself, a generator seeded with an integer, or the default one for None."""
    if rng is None:
        return _default()
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        return np.random.default_rng(rng)
    raise TypeError(
        f"rng is {rng!r} ({type(rng).__name__}); expected a numpy.random.Generator, "
        "an integer seed or None"
    )
