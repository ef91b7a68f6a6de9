"""Randomness: one default generator, `rng=` arguments, and where a generator stands.

Lowest floor: imports NumPy alone.  NumPy's global random state is never touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

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


def state_of(rng: np.random.Generator) -> dict[str, Any]:
    """Describe where a generator stands, in text, ints and lists, which JSON can hold.

    Examples
    --------
    >>> rng = as_generator(0)
    >>> before = state_of(rng)
    >>> drawn = rng.random(3)
    >>> (generator_at(rng, before).random(3) == drawn).all()
    np.True_
    """
    plain: dict[str, Any] = _plain(rng.bit_generator.state)
    return plain


def generator_at(like: np.random.Generator, state: Any) -> np.random.Generator:
    """Return a new generator of the kind of `like`, which stands where `state_of` says.

    Raises
    ------
    ValueError
        If the state is of another kind of generator, or not what `state_of` gives.
    """
    kind = type(like.bit_generator)
    fresh = kind(0)
    try:
        plain = _plain(state)
        # NumPy takes any number for the place in a buffer, and reads there.
        if not (0 <= plain.get("buffer_pos", 0) <= 4 and 0 <= _place(plain) <= 624):
            raise ValueError("a position out of range")
        fresh.state = plain
        if _plain(fresh.state) != plain:
            raise ValueError("numbers out of range")
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"the state of the generator is none of a {kind.__name__} ({error}); expected what "
            "state_of gave for a generator of this kind"
        ) from None
    return np.random.Generator(fresh)


def generators_in(
    name: str, value: Any, enter: Callable[[Any], Iterable[tuple[Any, Any]]]
) -> Iterator[tuple[str, np.random.Generator]]:
    """Yield the generators in a value, with names that say where; each thing is entered once.

    Parameters
    ----------
    name
        What to call the value.
    value
        Where to look.
    enter
        Returns the keys and values in a value; none where it is not to be looked into.
    """
    stack = [(name, value)]
    seen: set[int] = set()
    while stack:
        name, value = stack.pop()
        if isinstance(value, np.random.Generator):
            yield name, value
        elif id(value) not in seen:
            seen.add(id(value))
            stack += [(f"{name}.{key}", item) for key, item in enter(value)]


def _place(state: dict[str, Any]) -> Any:
    """Return where a Mersenne Twister stands in its block; 0 for the other kinds."""
    words = state["state"]
    return words.get("pos", 0) if isinstance(words, dict) else 0


def _plain(value: Any) -> Any:
    """Turn the arrays and NumPy integers of a state into lists and ints."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
