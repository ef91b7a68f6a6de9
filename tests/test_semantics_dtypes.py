"""Section D of docs/semantics.md: dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, Value

F32 = np.float32


def test_case_65_python_numbers_are_weak() -> None:
    x = Tensor(np.ones(2, F32))
    assert (x * 2.0).dtype == F32
    assert (2 + x).dtype == F32
    assert (x / 3).dtype == F32
    assert (x**2).dtype == F32
    assert (x * np.float64(2)).dtype == np.float64
    assert (x + np.array(1.0)).dtype == np.float64
    (x * np.float64(2)).sum().backward()
    assert x.grad.dtype == F32


def test_case_67_builtin_sum_keeps_the_dtype() -> None:
    x = Tensor(np.ones(2, F32))
    total = sum([x, x])
    assert total.dtype == F32
    total.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_case_68_mixed_precision() -> None:
    x = Tensor(np.ones(2, F32))
    y = x * np.ones(2)
    assert y.dtype == np.float64
    y.sum().backward()
    assert x.grad.dtype == F32


def test_case_69_float16_mean_of_many() -> None:
    x = Tensor(np.ones(70_000, np.float16))
    with np.errstate(over="ignore"):
        assert x.sum().item() == np.inf
    y = x.mean()
    assert y.item() == 1
    y.backward()
    np.testing.assert_array_equal(x.grad, np.float16(1 / 70_000))


def test_case_70_integers_do_not_record() -> None:
    for data in ([1, 2], [True], np.uint8(3)):
        assert not Tensor(data).requires_grad
        with pytest.raises(TypeError, match="no gradient"):
            Tensor(data, requires_grad=True)
    assert (tg.tensor([1]) / tg.tensor([2])).dtype == np.float64
    x = Tensor([1.5])
    assert isinstance(x > 1, np.ndarray)
    assert not x.astype(int).requires_grad


def test_case_71_errors_of_numpy() -> None:
    with pytest.raises(ValueError, match="negative integer"):
        tg.tensor([2]) ** -1
    with pytest.raises(OverflowError):
        tg.tensor(np.uint8(1)) + 300
    with pytest.raises(TypeError, match="boolean"):
        tg.tensor([True]) - tg.tensor([True])
    with np.errstate(over="ignore"):
        assert (Tensor(F32(3)) + 3e100).item() == np.inf


def test_case_72_complex_numbers() -> None:
    """More of them in test_complex.py."""
    z, x = Tensor(3 + 4j), Tensor(2.0)
    (abs(z) * x).backward()
    assert (z.grad, x.grad) == (1.2 + 1.6j, 5.0)
    assert (z.grad.dtype, x.grad.dtype) == (np.complex128, np.float64)
    with pytest.raises(ValueError, match="of a complex number needs gradient="):
        (z * x).backward()


@pytest.mark.parametrize(
    "data",
    [
        "text",
        ["a", "b"],
        [1.0, None],
        None,
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(2, [("a", float)]),
        [[1.0], [2.0, 3.0]],
        {"a": 1},
        np.ma.masked_array([1.0, 2.0], [True, False]),
    ],
    ids=str,
)
def test_case_73_other_dtypes_are_refused(data: Any) -> None:
    with pytest.raises(TypeError):
        Tensor(data)
    if data is not None:
        with pytest.raises(TypeError):
            Tensor([1.0, 2.0]) + data


def test_case_73_big_endian_is_converted_and_longdouble_kept() -> None:
    x = Tensor(np.array([1.0, 2.0], ">f4"))
    assert x.dtype.isnative
    assert x.dtype == np.float32
    assert (Tensor([1.0]) + np.array([1.0], ">f8")).tolist() == [2]
    y = Tensor(np.longdouble(2))
    (y * y).backward()
    assert y.grad == 4
    assert y.grad.dtype == np.longdouble


def test_value_is_one_float64() -> None:
    assert Value(3).dtype == np.float64
    for data in ([1.0, 2.0], "x", None, 1j):
        with pytest.raises(TypeError):
            Value(data)
