"""Convolution layers and functions, against loops over the windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.ops import convolution as ops
from tensorgrad.testing import check_grads
from window_loops import convolved

LAYERS: list[tuple[Any, tuple[int, ...], dict[str, Any], list[tuple[int, ...]]]] = [
    (nn.Conv1d, (2, 3, 4), {}, [(1,), (0,), (1,)]),
    (nn.Conv1d, (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, [(2,), (1,), (1,)]),
    (nn.Conv2d, (2, 3, 2), {}, [(1, 1), (0, 0), (1, 1)]),
    (nn.Conv2d, (4, 4, 3), {"stride": (2, 1), "padding": (0, 2), "dilation": 2, "groups": 4},
     [(2, 1), (0, 2), (2, 2)]),
]  # fmt: skip


def made(layer: Any, sizes: tuple[int, ...], options: dict[str, Any], dtype: Any = "f8") -> Any:
    return layer(*sizes, **options, dtype=dtype, rng=0)


@pytest.mark.parametrize(("layer", "sizes", "options", "how"), LAYERS)
def test_layers_are_loops_over_windows(
    layer: Any, sizes: Any, options: Any, how: Any, rng: np.random.Generator
) -> None:
    conv = made(layer, sizes, options)
    x = rng.normal(size=(3, sizes[0], *(7, 6)[: len(how[0])]))
    expected = convolved(x, conv.weight.data, how, conv.groups)
    expected += conv.bias.data.reshape(-1, *[1] * len(how[0]))
    np.testing.assert_allclose(conv(x).data, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("layer", "sizes", "options", "how"), LAYERS)
def test_gradients_of_input_weight_and_bias(
    layer: Any, sizes: Any, options: Any, how: Any, rng: np.random.Generator
) -> None:
    conv = made(layer, sizes, options)
    function = F.conv1d if layer is nn.Conv1d else F.conv2d

    def f(x: Any, weight: Any, bias: Any) -> Any:
        return function(x, weight, bias, **options)

    x = rng.normal(size=(2, sizes[0], *(7, 6)[: len(how[0])]))
    check_grads(f, x, conv.weight.data, conv.bias.data, order=2)


def test_a_sequence_is_correlated(rng: np.random.Generator) -> None:
    x, kernel = rng.normal(size=9), rng.normal(size=4)
    found = F.conv1d(x.reshape(1, 9), kernel.reshape(1, 1, 4))
    np.testing.assert_allclose(found.data[0], np.correlate(x, kernel), rtol=1e-12)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_keeps_the_length(
    kernel: int, dilation: int, rng: np.random.Generator
) -> None:
    """An odd zero goes to the end."""
    x, weight = rng.normal(size=(1, 1, 8)), rng.normal(size=(1, 1, kernel))
    found = F.conv1d(x, weight, padding="same", dilation=dilation)
    total = dilation * (kernel - 1)
    padded = np.pad(x, ((0, 0), (0, 0), (total // 2, total - total // 2)))
    assert found.shape == x.shape
    np.testing.assert_array_equal(found.data, F.conv1d(padded, weight, dilation=dilation).data)


def test_valid_padding_is_none(rng: np.random.Generator) -> None:
    x, weight = rng.normal(size=(2, 1, 5, 5)), rng.normal(size=(1, 1, 3, 3))
    found = F.conv2d(x, weight, padding="valid")
    np.testing.assert_array_equal(found.data, F.conv2d(x, weight).data)


def test_a_sample_without_batch(rng: np.random.Generator) -> None:
    conv, x = nn.Conv2d(2, 3, 3, dtype="f8", rng=0), tg.Tensor(rng.normal(size=(2, 5, 4)))
    out = conv(x)
    assert out.shape == (3, 3, 2)
    np.testing.assert_array_equal(out.data, conv(x.data[None]).data[0])
    out.sum().backward()
    assert x.grad.shape == x.shape


def test_an_empty_batch() -> None:
    """Cases 41 and 103: no sample, no gradient, no error."""
    conv, x = nn.Conv2d(1, 2, 3, rng=0), tg.Tensor(np.zeros((0, 1, 5, 5), np.float32))
    out = conv(x)
    out.sum().backward()
    assert (out.shape, x.grad.shape) == ((0, 2, 3, 3), x.shape)
    assert conv.bias is not None
    assert not conv.weight.grad.any()
    assert not conv.bias.grad.any()


@pytest.mark.parametrize("strip", [1, 100, 10_000])
def test_strips_change_nothing(
    strip: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    x, weight = rng.normal(size=(3, 2, 9, 8)), rng.normal(size=(4, 1, 3, 2))

    def results() -> list[Any]:
        ops._strips.cache_clear()
        xs = tg.Tensor(x), tg.Tensor(weight)
        out = F.conv2d(*xs, stride=2, padding=(3, 1), groups=2)
        return [out.data, *tg.gradients(out, xs, np.cos(out.data))]

    expected = results()
    monkeypatch.setattr(ops, "STRIP", strip)
    for found, same in zip(results(), expected, strict=True):
        np.testing.assert_allclose(found, same, rtol=1e-12, atol=1e-14)
    ops._strips.cache_clear()


def test_what_is_read_only_or_strided_is_left_alone(rng: np.random.Generator) -> None:
    """Case 96."""
    x = np.flip(rng.normal(size=(2, 5, 4, 3))).transpose(0, 3, 1, 2)
    x.flags.writeable = False
    before, weight = x.copy(), rng.normal(size=(2, 3, 2, 2))
    found = F.conv2d(x, weight)
    np.testing.assert_allclose(found.data, F.conv2d(before, weight).data, rtol=1e-12)
    np.testing.assert_array_equal(x, before)


def test_the_batch_is_last_in_memory_from_layer_to_layer() -> None:
    """What the comment in `ops.convolution` relies on: nothing is turned in between."""
    model = nn.Sequential(nn.Conv2d(1, 3, 3, rng=0), nn.ReLU(), nn.MaxPool2d(2))
    out = model(np.ones((8, 1, 10, 10)))
    assert np.moveaxis(out.data, 0, -1).flags.c_contiguous


def test_nan_stays_under_its_kernel() -> None:
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 0, 0] = math.nan
    found = F.conv2d(x, np.ones((1, 1, 2, 2)))
    assert np.isnan(found.data).sum() == 1


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "shape"), [(nn.Conv1d, (64, 4, 5)), (nn.Conv2d, (64, 4, 5, 5))])
def test_pytorchs_layout_and_start(layer: Any, shape: tuple[int, ...]) -> None:
    conv = layer(8, 64, 5, groups=2, rng=0)
    assert [p.shape for p in conv.parameters()] == [shape, (64,)]
    assert list(conv.state_dict()) == ["weight", "bias"]
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    for parameter in conv.parameters():
        assert 0.95 * bound < abs(parameter.data).max() <= bound
        assert parameter.dtype == np.float32
    assert len(layer(8, 64, 5, bias=False).parameters()) == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float32, np.float64, np.uint8, np.bool_])
def test_input_is_cast_to_the_dtype_of_the_parameters(dtype: Any, given: Any) -> None:
    """Case 68."""
    conv = nn.Conv2d(1, 2, 3, dtype=dtype, rng=0)
    out = conv(np.ones((2, 1, 4, 4), given))
    out.sum().backward()
    assert (out.dtype, conv.weight.grad.dtype) == (dtype, dtype)


def test_complex_input_meets_real_weights(rng: np.random.Generator) -> None:
    x, weight = rng.normal(size=(2, 1, 2, 6)), rng.normal(size=(1, 2, 3))
    found = F.conv1d(x[0] + 1j * x[1], weight)
    expected = F.conv1d(x[0], weight).data + 1j * F.conv1d(x[1], weight).data
    np.testing.assert_allclose(found.data, expected, rtol=1e-12)


def test_text() -> None:
    assert repr(nn.Conv1d(2, 4, 3, padding="same")) == (
        "Conv1d(2, 4, kernel_size=(3,), padding='same'), 28 parameters"
    )
    assert repr(nn.Conv2d(2, 4, (3, 1), stride=2, dilation=3, groups=2, bias=False)) == (
        "Conv2d(2, 4, kernel_size=(3, 1), stride=(2, 2), dilation=(3, 3), groups=2, bias=False), "
        "12 parameters"
    )


# --- errors ---------------------------------------------------------------------------------------

IMAGE = np.ones((1, 2, 5, 5), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(2, 3, 3)(np.ones((4, 5, 5, 2))), ValueError,
         r"Conv2d\(2, 3, kernel_size=\(3, 3\)\) got an input of shape \(4, 5, 5, 2\); expected "
         r"\(batch, 2, height, width\), or the same without the batch"),
        (lambda: nn.Conv1d(2, 3, 3)(np.ones(5)), ValueError, r"expected \(batch, 2, length\)"),
        (lambda: nn.Conv2d(2, 3, 6)(IMAGE), ValueError, r"at least the \(6, 6\) that the kernel"),
        (lambda: nn.Conv2d(2, 3, 3, dilation=4, padding=1)(IMAGE), ValueError,
         r"with padding \(7, 7\); expected at least the \(9, 9\)"),
        (lambda: F.conv2d(IMAGE, np.ones((2, 3))), ValueError, r"expected \(out, channels, height"),
        (lambda: F.conv2d(IMAGE, np.ones((0, 2, 3, 3))), ValueError, r"weight has shape \(0, 2"),
        (lambda: F.conv2d(IMAGE, np.ones((3, 2, 3, 3)), np.ones(2)), ValueError,
         r"bias has shape \(2,\); expected \(3,\)"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "groups is 2; expected a divisor"),
        (lambda: nn.Conv2d(3, 4, 3, groups=0), ValueError, "groups is 0"),
        (lambda: nn.Conv2d(3, 4, 0), ValueError, "kernel_size is 0; expected an integer >= 1"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "expected one integer or 2"),
        (lambda: nn.Conv2d(3, 4, 2.0), TypeError, r"kernel_size is 2.0; expected an integer >= 1"),
        (lambda: nn.Conv2d(3, 4, 3, stride=(1, "a")), TypeError, r"stride\[1\] is 'a'"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "padding is -1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), ValueError, "'same' or 'valid'"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ValueError, "a stride of 1"),
        (lambda: nn.Conv2d(3, 4, 3, dtype=int), TypeError, "expected a floating one"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
