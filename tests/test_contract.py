"""The coverage contract: every public callable of NumPy is in a class, and behaves as that says.

That each differentiable one has a row whose gradient is checked is proven in `test_ops.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.numpy_api.contract import coverage, public_callables
from tensorgrad.numpy_api.table import ADVICE, SUPPORT, Support
from tensorgrad.tensor import NUMPY_TABLE

KNOWN = ("2.2", "2.3", "2.4", "2.5")
"""The versions of NumPy whose names have been sorted into classes."""
PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
CALLABLES = dict(public_callables())
MAKERS = {name: getattr(NUMPY_TABLE.get(f), "__module__", "") for name, f in CALLABLES.items()}


def minor_version() -> str:
    return ".".join(np.__version__.split(".")[:2])


def of_class(support: Support) -> list[str]:
    return [name for name, value in CALLABLES.items() if SUPPORT.get(value) is support]


def test_every_callable_is_in_a_class() -> None:
    """A NumPy that is newer than this test is a report, and no failure."""
    missing = [name for name, value in CALLABLES.items() if value not in SUPPORT]
    if missing and minor_version() not in KNOWN:
        pytest.skip(f"NumPy {np.__version__} has names in no class: {missing}")
    assert missing == []


@pytest.mark.parametrize("name", of_class(Support.DIFFERENTIABLE) + of_class(Support.ZERO_GRADIENT))
def test_what_is_recorded_is_in_the_table(name: str) -> None:
    assert CALLABLES[name] in NUMPY_TABLE or name in ("numpy.poly1d", "numpy.row_stack")


def test_poly1d_computes_with_tensors() -> None:
    """The one class of NumPy that keeps a tensor as it is."""
    coefficients = tg.Tensor([3.0, 2.0, 1.0])
    slope = np.poly1d(coefficients).deriv()
    assert tg.gradients(slope(2.0), coefficients).tolist() == [4.0, 1.0, 0.0]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", of_class(Support.REFUSED))
def test_what_is_refused_raises(name: str) -> None:
    """Case 91: an error, and never a detached array or an array of objects."""
    function = CALLABLES[name]
    t = tg.Tensor([1.0, 2.0])
    assert ADVICE[function]
    assert not tg.supports(function)
    calls = [lambda: function(t), lambda: function([[t, t]])]
    if function is np.vectorize:
        calls = [lambda: np.vectorize(lambda x: x)(t)]
    elif function is np.bmat:  # what is no list of lists it leaves alone, and returns nothing
        calls = calls[1:]
    for call in calls:
        with pytest.raises((TypeError, ValueError, AttributeError)):
            call()


def floats(result: Any) -> bool:
    """Tell whether a result has numbers that could have a gradient."""
    if isinstance(result, list | tuple):
        return any(floats(item) for item in result)
    return isinstance(result, float) or getattr(result, "dtype", np.dtype(int)).kind in "fc"


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in of_class(Support.NO_GRADIENT)
        if CALLABLES[name] in NUMPY_TABLE and not MAKERS[name].endswith(("constants", "creation"))
    ],
)
def test_what_has_no_gradient_gives_no_floats(name: str) -> None:
    """Else a graph would be lost (rule 9)."""
    t = tg.Tensor([[1.5, 2.5], [0.5, 3.5]])
    integers = np.array([[0, 1], [1, 0]])
    if CALLABLES[name] is np.frombuffer:
        return  # asks for memory, and not for numbers
    for args in ((t,), (t, t), (t, integers), (integers, t), (integers, (2, 2)), (t, 1)):
        try:
            result = CALLABLES[name](*args)
        except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
            continue
        assert not isinstance(result, tg.Tensor)
        assert not floats(result), args


def test_supports_tells_the_class() -> None:
    assert tg.supports(np.interp) is Support.DIFFERENTIABLE
    assert tg.supports(np.floor) == "zero gradient"
    assert tg.supports(np.linalg.matrix_rank) is Support.NO_GRADIENT
    assert not tg.supports(np.asarray)
    for unknown in (np.random.rand, len, 3):
        with pytest.raises(ValueError, match="no public callable of numpy"):
            tg.supports(unknown)  # type: ignore[arg-type]


def test_a_function_in_no_class_raises() -> None:
    with pytest.raises(TypeError, match=r"scimath\.sqrt is not differentiable here"):
        np.emath.sqrt(tg.Tensor(1.0))


@pytest.mark.skipif(
    f"NumPy {minor_version()}" not in PAGE.read_text("utf-8"), reason="the page is of another NumPy"
)
def test_the_page_is_generated_from_the_code() -> None:
    assert coverage() in PAGE.read_text("utf-8"), "run `python docs/make_coverage.py`"
