"""Point sets to learn on: two moons, spirals, blobs; any size, from a seed.

Floor `data`; may import `_typing` and `random`.  A new set draws shuffled balanced labels first and
then, for every point, its place within its class: nothing is sorted or shuffled afterwards, which
would take longer than the drawing.
"""

from __future__ import annotations

import numpy as np

from .._typing import Array, ArrayLike, SeedLike
from ..checks import as_count, as_number
from ..random import as_generator


def make_moons(
    n: int = 200, *, noise: float = 0.1, rng: SeedLike | None = None
) -> tuple[Array, Array]:
    """Draw points on two interlocking half circles of radius 1.

    Class 0 lies on (cos t, sin t), class 1 on (1 - cos t, 1/2 - sin t), with t uniform in 0..pi.

    Parameters
    ----------
    n
        Number of points, in shuffled order; the classes differ by at most one point.
    noise
        Standard deviation of the Gaussian noise on each coordinate.
    rng
        Generator, seed, or None for the default generator.

    Returns
    -------
    x : ndarray
        (n, 2) float32.
    y : ndarray
        (n,) int64, 0 or 1.

    Raises
    ------
    ValueError
        Where `n` is negative, or `noise` is negative or not finite.

    Examples
    --------
    >>> from tensorgrad.data import make_moons
    >>> x, y = make_moons(100, noise=0.05, rng=0)
    >>> x.shape, x.dtype, int(y.sum())
    ((100, 2), dtype('float32'), 50)
    """
    n, noise, rng = as_count("n", n, 0), as_number("noise", noise), as_generator(rng)
    y = _labels(n, 2, rng)
    t = np.float32(np.pi) * rng.random(n, np.float32)
    side = (1 - 2 * y).astype(np.float32)
    x = _noise((n, 2), noise, rng)
    x[:, 0] += y + side * np.cos(t)
    x[:, 1] += 0.5 * y + side * np.sin(t)
    return x, y


def make_spirals(
    n: int = 300,
    *,
    classes: int = 3,
    noise: float = 0.02,
    turns: float = 0.75,
    rng: SeedLike | None = None,
) -> tuple[Array, Array]:
    """Draw points on spiral arms that start at the origin and end on the unit circle.

    A point of class k is r (cos a, sin a) with a = 2 pi (turns r + k / classes), an Archimedean
    spiral; r is the root of a uniform number, so that an arm is about equally dense all along.

    Parameters
    ----------
    n
        Number of points, in shuffled order; the classes differ by at most one point.
    classes
        Number of arms.
    noise
        Standard deviation of the Gaussian noise on each coordinate.  Arms are at least about
        1 / (classes * turns) apart, where that is below 1.
    turns
        How often an arm winds around the origin; negative winds clockwise.
    rng
        Generator, seed, or None for the default generator.

    Returns
    -------
    x : ndarray
        (n, 2) float32.
    y : ndarray
        (n,) int64, from 0 to classes - 1.

    Raises
    ------
    ValueError
        Where `n` is negative, `classes` is below 1, `noise` is negative, or a number not finite.

    Examples
    --------
    >>> from tensorgrad.data import make_spirals
    >>> x, y = make_spirals(90, classes=3, rng=0)
    >>> x.shape, [int((y == k).sum()) for k in range(3)]
    ((90, 2), [30, 30, 30])
    """
    n, noise, rng = as_count("n", n, 0), as_number("noise", noise), as_generator(rng)
    classes = as_count("classes", classes)
    if not np.isfinite(turns):
        raise ValueError(f"turns is {turns!r}; expected a finite number")
    y = _labels(n, classes, rng)
    r = np.sqrt(rng.random(n, np.float32))
    # In float64: a turn is lost to rounding where turns * r is large, and y / classes is float64.
    angle = 2 * np.pi * (turns * r.astype(np.float64) + y / classes)
    x = _noise((n, 2), noise, rng)
    x[:, 0] += r * np.cos(angle)
    x[:, 1] += r * np.sin(angle)
    return x, y


def make_blobs(
    n: int = 300,
    *,
    centers: ArrayLike = 3,
    features: int | None = None,
    std: float = 1.0,
    rng: SeedLike | None = None,
) -> tuple[Array, Array]:
    """Draw points from isotropic normal distributions, one per class.

    Parameters
    ----------
    n
        Number of points, in shuffled order; the classes differ by at most one point.
    centers
        Their number, to draw them uniformly from -10..10 in each coordinate; or the centres
        themselves, (classes, features).
    features
        Number of coordinates; 2 where it is not given and `centers` is a number.
    std
        Standard deviation of each coordinate around its centre.
    rng
        Generator, seed, or None for the default generator.

    Returns
    -------
    x : ndarray
        (n, features) float32.
    y : ndarray
        (n,) int64, the row of `centers`.

    Raises
    ------
    ValueError
        Where `n` is negative, `std` is negative or not finite, there is no centre or no feature,
        a centre is not finite as float32, or `features` contradicts `centers`.

    Examples
    --------
    >>> from tensorgrad.data import make_blobs
    >>> x, y = make_blobs(10, centers=[[0.0, 0.0, 0.0], [5.0, 5.0, 5.0]], std=0.1, rng=0)
    >>> x.shape, bool((x[y == 1] > 4).all())
    ((10, 3), True)
    """
    n, std, rng = as_count("n", n, 0), as_number("std", std), as_generator(rng)
    means = _centers(centers, features, rng)
    y = _labels(n, len(means), rng)
    x = _noise((n, means.shape[1]), std, rng)
    x += means[y]
    return x, y


def _labels(n: int, classes: int, rng: np.random.Generator) -> Array:
    """Return n labels in random order, as evenly spread over the classes as n allows."""
    y = np.arange(n, dtype=np.int64) % classes
    rng.shuffle(y)
    return y


def _noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Array:
    """Return float32 normal numbers of the given standard deviation."""
    noise = rng.standard_normal(shape, np.float32)
    noise *= scale
    return noise


def _centers(centers: ArrayLike, features: int | None, rng: np.random.Generator) -> Array:
    """Return the centres as float32 (classes, features), drawn where only their number is given."""
    if np.ndim(centers) == 0:
        count = as_count("centers", centers)
        width = 2 if features is None else as_count("features", features)
        return rng.uniform(-10, 10, (count, width)).astype(np.float32)
    means = np.asarray(centers, np.float64)
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(
            f"centers has shape {means.shape}; expected a number or (classes, features), "
            "at least one of each"
        )
    if features is not None and features != means.shape[1]:
        raise ValueError(
            f"features is {features}, but centers has shape {means.shape}; leave features out"
        )
    if not (np.abs(means) <= np.finfo(np.float32).max).all():
        raise ValueError("centers has values that are not finite as float32")
    return means.astype(np.float32)
