"""Pooling layers and functions, against loops over the windows and numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.testing import check_grads
from window_loops import pooled

HOW: list[list[tuple[int, int]]] = [
    [(2, 2), (2, 2), (0, 0), (1, 1)],
    [(3, 2), (1, 2), (1, 1), (1, 1)],
    [(2, 3), (2, 1), (1, 0), (2, 1)],
]


@pytest.mark.parametrize("how", HOW, ids=str)
def test_max_pool_is_a_loop_over_windows(how: Any, rng: np.random.Generator) -> None:
    kernel, stride, padding, dilation = how
    x = rng.normal(size=(2, 3, 6, 7)) - 5  # so that zeros of the padding would be the largest
    found = nn.MaxPool2d(kernel, stride, padding, dilation)(x)
    np.testing.assert_array_equal(found.data, pooled(x, np.max, how))
    check_grads(lambda t: F.max_pool2d(t, kernel, stride, padding, dilation), x, order=2)


@pytest.mark.parametrize("how", [how for how in HOW if how[-1] == (1, 1)], ids=str)
@pytest.mark.parametrize("include", [True, False])
def test_avg_pool_is_a_loop_over_windows(how: Any, include: bool, rng: np.random.Generator) -> None:
    kernel, stride, padding, _ = how
    x = rng.normal(size=(2, 3, 6, 7))
    expected = pooled(x, np.sum, how) / math.prod(kernel) if include else pooled(x, np.mean, how)
    found = nn.AvgPool2d(kernel, stride, padding, count_include_pad=include)(x)
    np.testing.assert_allclose(found.data, expected, rtol=1e-12)
    check_grads(
        lambda t: F.avg_pool2d(t, kernel, stride, padding, count_include_pad=include), x, order=2
    )


def test_a_last_window_may_reach_over_the_end() -> None:
    """It has the elements that are there, and the zeros of the padding, but no more."""
    x = np.arange(1.0, 6.0) * np.ones((5, 1))
    assert F.max_pool2d(x, 2).tolist() == [[2, 4]] * 2
    assert F.max_pool2d(x, 2, ceil_mode=True).tolist() == [[2, 4, 5]] * 3
    assert F.avg_pool2d(x, 2, ceil_mode=True).tolist() == [[1.5, 3.5, 5]] * 3
    assert F.max_pool2d(x, (6, 2), ceil_mode=True).tolist() == [[2, 4, 5]]
    # A window that would begin in the padding behind the end is none.
    assert F.avg_pool2d(x, (1, 3), padding=(0, 1), ceil_mode=True).tolist() == [[1, 4]] * 5


def test_equal_largest_elements_share() -> None:
    """Case 14, here over windows that overlap in the middle column."""
    x = tg.Tensor([[3.0, 1.0, 3.0, 0.0, 3.0]])
    F.max_pool2d(x, (1, 3), (1, 2)).backward([[1.0, 10.0]])
    assert x.grad.tolist() == [[0.5, 0, 5.5, 0, 5]]


def test_more_ties_than_a_byte_counts() -> None:
    """Case 15: of 400 equal elements each has 1/400, in float16 as well."""
    x = tg.Tensor(np.ones((20, 20), np.float16))
    F.max_pool2d(x, 20).backward([[1.0]])
    np.testing.assert_array_equal(x.grad, np.full((20, 20), 1 / 400, np.float16))


def test_nan_is_the_largest() -> None:
    """Case 16: the gradient goes to NaN alone."""
    x = tg.Tensor([[math.nan, 3.0, 1.0, 2.0]])
    out = F.max_pool2d(x, (1, 2))
    assert math.isnan(out.data[0, 0])
    assert out.data[0, 1] == 2
    out.backward([[1.0, 1.0]])
    assert x.grad.tolist() == [[1, 0, 0, 1]]


def test_all_are_minus_infinity_and_padding_takes_no_share() -> None:
    x = tg.Tensor(np.full((2, 2), -math.inf))
    out = F.max_pool2d(x, 2, padding=1)
    assert np.isneginf(out.data).all()
    out.backward(np.ones((2, 2)))
    np.testing.assert_array_equal(x.grad, np.ones((2, 2)))


def test_an_infinite_gradient_stops_where_nothing_was_taken() -> None:
    """Case 22."""
    x = tg.Tensor([[1.0, 2.0, 3.0, 4.0]])
    F.max_pool2d(x, (1, 2)).backward([[math.inf, 1.0]])
    assert x.grad.tolist() == [[0, math.inf, 0, 1]]


# --- adaptive -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [1, 2, 3, (5, 7), (6, 1), (8, 9)], ids=str)
def test_adaptive_windows(wanted: Any, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 5, 7))
    rows, columns = (wanted, wanted) if isinstance(wanted, int) else wanted
    expected = np.empty((2, 3, rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, bottom = math.floor(i * 5 / rows), math.ceil((i + 1) * 5 / rows)
            left, right = math.floor(j * 7 / columns), math.ceil((j + 1) * 7 / columns)
            expected[..., i, j] = x[..., top:bottom, left:right].mean(axis=(-2, -1))
    np.testing.assert_allclose(nn.AdaptiveAvgPool2d(wanted)(x).data, expected, rtol=1e-12)
    check_grads(lambda t: F.adaptive_avg_pool2d(t, wanted), x, order=2)


def test_infinity_stays_in_its_adaptive_window() -> None:
    x = np.ones((3, 3))
    x[0, 0] = math.inf
    assert F.adaptive_avg_pool2d(x, 2).tolist() == [[math.inf, 1], [1, 1]]


# --- shapes, dtypes, errors -----------------------------------------------------------------------

LAYERS = [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2)]


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (0, 3, 4, 4), (2, 0, 4, 4)], ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_leading_axes(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = tg.Tensor(np.ones(shape))
    out = layer(x)
    out.sum().backward()
    assert (out.shape, x.grad.shape) == ((*shape[:-2], 2, 2), shape)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("layer", [*LAYERS, nn.AvgPool2d(3, 2, 1, count_include_pad=False),
                                   nn.AdaptiveAvgPool2d(3)], ids=repr)  # fmt: skip
def test_dtypes_stay(layer: nn.Module, dtype: Any) -> None:
    """Case 66."""
    x = tg.Tensor(np.ones((2, 4, 4), dtype))
    out = layer(x)
    out.sum().backward()
    assert (out.dtype, x.grad.dtype) == (dtype, dtype)


def test_text() -> None:
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=(2, 2))"
    assert repr(nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True)) == (
        "MaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(2, 2), "
        "ceil_mode=True)"
    )
    assert repr(nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)) == (
        "AvgPool2d(kernel_size=(2, 2), ceil_mode=True, count_include_pad=False)"
    )
    assert repr(nn.AdaptiveAvgPool2d((1, 2))) == "AdaptiveAvgPool2d(output_size=(1, 2))"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MaxPool2d(2)(np.ones(4)), ValueError,
         r"MaxPool2d\(kernel_size=\(2, 2\)\) got an input of shape \(4,\); expected"),
        (lambda: nn.AvgPool2d(2)(np.ones((4, 4), int)), TypeError, "expected floats"),
        (lambda: nn.MaxPool2d(5)(np.ones((4, 4))), ValueError, r"at least the \(5, 5\)"),
        (lambda: nn.MaxPool2d(2, padding=2)(np.ones((4, 4))), ValueError, "at most half of it"),
        (lambda: nn.AvgPool2d(3, padding=2)(np.ones((4, 4))), ValueError, "at most half of it"),
        (lambda: nn.MaxPool2d(0), ValueError, "kernel_size is 0"),
        (lambda: nn.MaxPool2d(2, stride=(1, 0)), ValueError, r"stride\[1\] is 0"),
        (lambda: nn.AvgPool2d((2, 2, 2)), ValueError, "expected one integer or 2"),
        (lambda: nn.AdaptiveAvgPool2d(None), TypeError, "output_size is None"),
        (lambda: nn.AdaptiveAvgPool2d(1)(np.ones((2, 0, 4))), ValueError, "nothing to average"),
        (lambda: nn.MaxPool2d(1)(np.ones((2, 0, 4))), ValueError, r"at least the \(1, 1\)"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
