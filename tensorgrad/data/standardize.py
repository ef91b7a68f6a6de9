"""Standardisation: columns with mean 0 and standard deviation 1.

Floor `data`; may import `_typing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from .._typing import Array
from .dataset import as_dataset

_CHUNK = 8 << 20
"""How many bytes are turned into float64 at a time."""


class Standardizer:
    r"""Shift and scale columns: z = (x - mean) / std, with the numbers of the training part.

    Fitted on the training part alone, it tells nothing about the test part.  A column that is
    constant there becomes zeros: its `std` is 1.  Means and deviations are float64, merged over
    chunks [1]_ of differences to the first row, so that neither a large offset nor the number of
    rows costs accuracy; of a memory map a chunk at a time is read.

    Attributes
    ----------
    mean, std : ndarray
        (features...) float64, once fitted; the deviation divides by n.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance",
       The American Statistician 37(3), 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import Standardizer
    >>> x_train = np.array([[1.0, 7.0], [3.0, 7.0]], dtype=np.float32)
    >>> standard = Standardizer().fit(x_train)
    >>> standard.transform(x_train)
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    >>> standard.inverse(standard.transform(np.array([[5.0, 6.0]])))
    array([[5., 6.]])
    """

    mean: Array | None = None
    std: Array | None = None

    def fit(self, x: Array) -> Self:
        """Compute mean and deviation of each column; return the object itself.

        Parameters
        ----------
        x
            (n, features...) real numbers, at least one row; also a memory map.

        Raises
        ------
        TypeError, ValueError
            Where `x` is something else, or not finite.  Nothing was changed.
        """
        data = as_dataset(_checked(x))
        if not len(x):
            raise ValueError(f"x has shape {x.shape}: there is no row to fit")
        origin = x[0].astype(np.float64)
        mean, squares = np.zeros_like(origin), np.zeros_like(origin)
        step = max(1, _CHUNK // max(1, 8 * origin.size))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(x), step):
                part = np.subtract(data.take(slice(start, start + step)), origin, dtype=np.float64)
                n = len(part)
                shift = part.mean(axis=0) - mean
                part -= part.mean(axis=0)
                squares += np.square(part).sum(axis=0) + np.square(shift) * (
                    start * n / (start + n)
                )
                mean += shift * (n / (start + n))
            std = np.sqrt(squares / len(x))
        fit = np.isfinite(origin + mean) & np.isfinite(std)
        if not fit.all():
            column = ", ".join(map(str, np.argwhere(~fit)[0].tolist()))
            raise ValueError(f"column {column or 0} of x is not finite, or too large to square")
        self.mean, self.std = np.asarray(origin + mean), np.where(std == 0, 1.0, std)
        return self

    def transform(self, x: Array) -> Array:
        """Return x with the columns shifted and scaled.

        Parameters
        ----------
        x
            (n, features...), or a single row: of the features that were fitted.

        Returns
        -------
        ndarray
            New; of the dtype of `x` where that is floating, float32 for small integers.

        Raises
        ------
        RuntimeError
            Before `fit`.
        TypeError, ValueError
            Where `x` does not fit.
        """
        mean, std, dtype = self._fitted(x)
        # In float64 in between, buffered: a large mean would cost float32 its digits.
        z = np.subtract(x, mean, out=np.empty(x.shape, dtype), dtype=np.float64, casting="unsafe")
        return np.divide(z, std, out=z, dtype=np.float64, casting="unsafe")

    def inverse(self, z: Array) -> Array:
        """Return what `transform` would turn into z: z std + mean.

        Parameters
        ----------
        z
            As of `transform`.

        Returns
        -------
        ndarray
            As of `transform`.

        Raises
        ------
        RuntimeError, TypeError, ValueError
            As of `transform`.
        """
        mean, std, dtype = self._fitted(z)
        x = np.multiply(z, std, out=np.empty(z.shape, dtype), dtype=np.float64, casting="unsafe")
        return np.add(x, mean, out=x, dtype=np.float64, casting="unsafe")

    def state_dict(self) -> dict[str, Array]:
        """Copy "mean" and "std"; empty before `fit`."""
        if self.mean is None or self.std is None:
            return {}
        return {"mean": self.mean.copy(), "std": self.std.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises
        ------
        ValueError
            Where it is something else: "mean" and "std" of one shape, finite, no deviation of 0 or
            below.  Nothing was changed.
        """
        if not state:
            self.mean = self.std = None
            return
        if set(state) != {"mean", "std"}:
            raise ValueError(f"the state has the entries {sorted(state)}; expected mean and std")
        mean, std = (np.array(state[name], np.float64) for name in ("mean", "std"))
        fit = mean.shape == std.shape and np.isfinite(mean).all() and np.isfinite(std).all()
        if not fit or (std <= 0).any():
            raise ValueError(
                f"mean has shape {mean.shape} and std {std.shape}; expected one shape, finite "
                "numbers, and deviations above 0"
            )
        self.mean, self.std = mean, std

    def _fitted(self, x: Array) -> tuple[Array, Array, np.dtype[Any]]:
        """Return mean, deviation and the dtype of the result, if `x` has what was fitted."""
        if self.mean is None or self.std is None:
            raise RuntimeError("nothing was fitted: call fit with the training part first")
        width = self.mean.ndim
        if _checked(x).shape[x.ndim - width :] != self.mean.shape or x.ndim > width + 1:
            raise ValueError(f"x has shape {x.shape}; expected (n, *{self.mean.shape})")
        small = np.result_type(x.dtype, np.float32)
        return self.mean, self.std, x.dtype if x.dtype.kind == "f" else small


def _checked(x: Any) -> Array:
    """Return an array of real numbers, or raise."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x is of {kind}; expected an ndarray of real numbers")
    return x
