"""A block without NumPy's floating-point errors."""

from __future__ import annotations

import contextvars

import numpy as np
import pytest

from tensorgrad import quiet as module
from tensorgrad.quiet import quiet


def overflow() -> None:
    np.exp(np.array([1e9]))


def test_the_variable_of_numpy_is_found() -> None:
    assert module._ignored is not None


@pytest.mark.parametrize("state", [{}, {"all": "raise"}, {"all": "warn", "under": "raise"}])
def test_errors_are_ignored_inside_and_as_before_outside(state: dict[str, str]) -> None:
    with np.errstate(**state):  # type: ignore[arg-type]
        before = np.geterr()
        with quiet():
            assert set(np.geterr().values()) == {"ignore"}
            overflow()
            with quiet():
                overflow()
            overflow()
        assert np.geterr() == before


def test_errors_are_as_before_after_an_exception() -> None:
    before = np.geterr()
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert np.geterr() == before


def test_the_buffer_size_that_was_chosen_stays() -> None:
    def inside() -> int:
        np.setbufsize(1024)
        with quiet():
            return np.getbufsize()

    assert contextvars.copy_context().run(inside) == 1024


def test_without_the_variable_numpy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_usual", object())
    before = np.geterr()
    with quiet():
        overflow()
    assert np.geterr() == before
