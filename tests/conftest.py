"""What every test shares: one thread, a fresh generator, Ctrl-C, no clock in property tests."""

from __future__ import annotations

import contextlib
import os
import signal

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


# A shell starts jobs in the background with Ctrl-C ignored; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator that starts afresh in each test."""
    return np.random.default_rng(0)
