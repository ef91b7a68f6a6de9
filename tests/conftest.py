"""What every test shares: one thread, a fresh generator, property tests without a clock."""

from __future__ import annotations

import contextlib
import os

# Before NumPy is imported: sums in the same order, and the same speed, on any number of cores.
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

with contextlib.suppress(ImportError):
    from hypothesis import settings

    settings.register_profile("tensorgrad", deadline=None, derandomize=True)
    settings.load_profile("tensorgrad")


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator that starts afresh in each test."""
    return np.random.default_rng(0)
