"""Batch, layer, group and RMS norm: against loops in NumPy, running statistics, numerics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn, optim
from tensorgrad.nn import functional as F

F64 = {"dtype": np.float64}


def normalised(values: Any, eps: float) -> Any:
    """Normalise a flat array."""
    return (values - values.mean()) / np.sqrt(values.var() + eps)


def by_channel(x: Any, eps: float = 1e-5) -> Any:
    """Batch norm, a channel at a time."""
    return np.stack(
        [normalised(x[:, c].ravel(), eps).reshape(x[:, c].shape) for c in range(x.shape[1])], axis=1
    )


def by_group(x: Any, groups: int, eps: float = 1e-5) -> Any:
    """Group norm, a sample and a group at a time."""
    out = np.empty_like(x)
    size = x.shape[1] // groups
    for n in range(x.shape[0]):
        for start in range(0, x.shape[1], size):
            part = x[n, start : start + size]
            out[n, start : start + size] = normalised(part.ravel(), eps).reshape(part.shape)
    return out


def scaled(y: Any, module: Any) -> Any:
    """Apply the weight and the bias of channels."""
    shape = (-1, *(1,) * (y.ndim - 2))
    return y * module.weight.data.reshape(shape) + module.bias.data.reshape(shape)


def with_random_parameters(module: Any, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        parameter.data = rng.uniform(0.5, 1.5, parameter.shape)
    return module


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d, (5, 3)),
        (nn.BatchNorm1d, (4, 3, 6)),
        (nn.BatchNorm1d, (1, 3, 2)),
        (nn.BatchNorm2d, (4, 3, 2, 5)),
        (nn.BatchNorm2d, (1, 3, 1, 2)),
    ],
)
def test_batch_norm_normalises_each_channel(
    layer: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    module, x = with_random_parameters(layer(3, **F64)), rng.normal(2.0, 3.0, size=shape)
    out = module(x)
    np.testing.assert_allclose(out.data, scaled(by_channel(x), module), rtol=1e-11)
    assert (out.shape, out.dtype) == (shape, np.float64)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3), (2, 4, 3, 2)], ids=str)
def test_group_norm_normalises_each_group(
    shape: tuple[int, ...], groups: int, rng: np.random.Generator
) -> None:
    module = with_random_parameters(nn.GroupNorm(groups, 4, **F64))
    x = rng.normal(2.0, 3.0, size=shape)
    np.testing.assert_allclose(module(x).data, scaled(by_group(x, groups), module), rtol=1e-11)


@pytest.mark.parametrize("normalized", [5, (5,), (2, 5), (3, 2, 5)], ids=str)
def test_layer_and_rms_norm_normalise_the_last_axes(
    normalized: Any, rng: np.random.Generator
) -> None:
    lengths = (normalized,) if isinstance(normalized, int) else normalized
    x = rng.normal(2.0, 3.0, size=(3, 2, 5))
    rows = x.reshape(-1, int(np.prod(lengths)))
    layer = with_random_parameters(nn.LayerNorm(normalized, **F64))
    expected = np.stack([normalised(row, 1e-5) for row in rows]).reshape(x.shape)
    expected = expected * layer.weight.data + layer.bias.data
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-11)
    rms = with_random_parameters(nn.RMSNorm(normalized, 1e-3, **F64))
    expected = np.stack([row / np.sqrt((row**2).mean() + 1e-3) for row in rows]).reshape(x.shape)
    np.testing.assert_allclose(rms(x).data, expected * rms.weight.data, rtol=1e-11)


@pytest.mark.parametrize(
    ("bare", "shape"),
    [
        (nn.BatchNorm1d(3, affine=False), (4, 3)),
        (nn.GroupNorm(3, 6, affine=False), (4, 6, 2)),
        (nn.LayerNorm(3, elementwise_affine=False), (4, 3)),
        (nn.RMSNorm(3, elementwise_affine=False), (4, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_parameters_ones_and_zeros_are_meant(
    bare: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    assert bare.parameters() == []
    x = rng.normal(size=shape).astype(np.float32)
    with_ones = {
        nn.BatchNorm1d: lambda: nn.BatchNorm1d(3),
        nn.GroupNorm: lambda: nn.GroupNorm(3, 6),
        nn.LayerNorm: lambda: nn.LayerNorm(3),
        nn.RMSNorm: lambda: nn.RMSNorm(3),
    }[type(bare)]()
    np.testing.assert_allclose(bare(x).data, with_ones(x).data, rtol=1e-6, atol=1e-6)


def test_a_bias_or_a_weight_alone() -> None:
    x = np.array([[1.0, 3.0], [2.0, 8.0]])
    plain, factors = F.layer_norm(x, 2).data, np.array([1.0, 2.0])
    np.testing.assert_allclose(F.layer_norm(x, 2, bias=factors).data, plain + factors)
    np.testing.assert_allclose(F.layer_norm(x, 2, weight=factors).data, plain * factors)
    bias = tg.Tensor([1.0, 2.0])
    F.group_norm(x, 1, bias=bias).sum().backward()
    assert bias.grad.tolist() == [2.0, 2.0]
    layer = nn.LayerNorm(2, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layers_cast_input_to_the_dtype_of_their_parameters(dtype: Any) -> None:
    for layer in (
        nn.BatchNorm1d(2, dtype=dtype),
        nn.BatchNorm1d(2, affine=False, dtype=dtype),
        nn.LayerNorm(2, dtype=dtype),
        nn.GroupNorm(1, 2, dtype=dtype),
        nn.RMSNorm(2, dtype=dtype),
    ):
        for given in (np.array([[1, 2], [3, 4]]), np.array([[1.0, 2.0], [3.0, 4.0]])):
            assert layer(given).dtype == dtype
            assert layer.eval()(given).dtype == dtype
    assert nn.LayerNorm(2, elementwise_affine=False)(np.ones((1, 2))).dtype == np.float64


# --- numerics -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "axis"),
    [
        (lambda x: F.batch_norm(x, None, None, training=True, eps=0.0), 0),
        (lambda x: F.layer_norm(x, 512, eps=0.0), 1),
        (lambda x: F.group_norm(x, 1, eps=0.0), 1),
    ],
    ids=["batch", "layer", "group"],
)
def test_a_large_mean_costs_no_accuracy(
    function: Callable[[Any], Any], axis: int, rng: np.random.Generator
) -> None:
    """A variance of one pass, E[x²] - E[x]², would have no right digit here."""
    x = rng.normal(size=(512, 512)).astype(np.float32) + np.float32(1e4)
    wide = x.astype(np.float64)
    expected = wide - wide.mean(axis, keepdims=True)
    expected /= expected.std(axis, keepdims=True)
    np.testing.assert_allclose(function(x).data, expected, atol=1e-5)


@pytest.mark.parametrize("size", [1e-15, 1e15])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.batch_norm(x, None, None, training=True, eps=0.0),
        lambda x: F.layer_norm(x, 6, eps=0.0),
        lambda x: F.group_norm(x, 2, eps=0.0),
        lambda x: F.rms_norm(x, 6, eps=0.0),
    ],
    ids=["batch", "layer", "group", "rms"],
)
def test_tiny_and_huge_input_has_the_gradient_of_any_other(
    function: Callable[[Any], Any], size: float, rng: np.random.Generator
) -> None:
    """The result does not depend on the size of the input: no power of the scale overflows."""
    x, g = rng.normal(size=(2, 4, 6))
    usual, other = tg.Tensor(x), tg.Tensor((x * size).astype(np.float32))
    function(usual).backward(g)
    function(other).backward(g.astype(np.float32))
    np.testing.assert_allclose(other.grad * np.float32(size), usual.grad, atol=1e-5)


def test_constant_input_is_zero_and_its_gradient_is_finite() -> None:
    """Case 32: the variance is 0, and eps keeps the root from it."""
    for value in (0.0, 3.3, 1e6):
        x = tg.Tensor(np.full((4, 3), value, np.float32))
        out = nn.BatchNorm1d(3)(x)
        out.backward(np.arange(12.0).reshape(4, 3))
        assert not out.data.any()
        assert np.isfinite(x.grad).all()


def test_sums_of_float16_do_not_overflow() -> None:
    """Case 69."""
    x = np.full((2, 70_000), 2.0, np.float16)
    x[1] = 6.0
    assert (F.batch_norm(x, None, None, training=True).data == [[-1.0], [1.0]]).all()
    assert (F.rms_norm(x, 70_000).data == 1).all()
    out = nn.BatchNorm1d(2, dtype=np.float16)(given := tg.Tensor(x.T))
    assert not out.data.any()
    out.sum().backward()
    assert given.grad.dtype == np.float16
    assert not given.grad.any()


def test_a_forward_run_again_on_other_values_leaves_the_rule_alone(
    rng: np.random.Generator,
) -> None:
    """As an audit runs it: the moments that it leaves are not those of the input."""
    x, g = rng.normal(size=(2, 4, 3))
    plain, again = tg.Tensor(x), tg.Tensor(x)
    F.layer_norm(plain, 3).backward(g)
    out = F.layer_norm(again, 3)
    node = out._node
    assert node is not None
    assert node.op is not None
    node.op.forward(5 * x + 1, **node.params)
    out.backward(g)
    assert (again.grad == plain.grad).all()


def test_nan_stays_in_its_channel_or_row() -> None:
    x = np.arange(12.0).reshape(4, 3)
    x[1, 2] = np.nan
    assert np.isnan(nn.BatchNorm1d(3)(x).data).any(0).tolist() == [False, False, True]
    assert np.isnan(nn.LayerNorm(3)(x).data).any(1).tolist() == [False, True, False, False]


def test_an_empty_batch_has_rows_of_nothing() -> None:
    for layer in (nn.LayerNorm(3), nn.RMSNorm(3), nn.GroupNorm(1, 3), nn.BatchNorm1d(3).eval()):
        x = tg.Tensor(np.ones((0, 3), np.float32))
        layer(x).sum().backward()
        assert x.grad.shape == (0, 3)
        assert all(not p.grad.any() for p in layer.parameters())


# --- running statistics (case 102) ----------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0, None])
def test_running_statistics_over_some_batches(
    momentum: float | None, rng: np.random.Generator
) -> None:
    """Case 102: outside the graph, with the unbiased variance."""
    module = nn.BatchNorm1d(3, momentum=momentum, **F64)
    mean, var = np.zeros(3), np.ones(3)
    for i in range(4):
        x = tg.Tensor(rng.normal(i, 1 + i, size=(5 + i, 3)))
        module(x).sum().backward()
        share = 1 / (i + 1) if momentum is None else momentum
        mean = (1 - share) * mean + share * x.data.mean(0)
        var = (1 - share) * var + share * x.data.var(0, ddof=1)
        np.testing.assert_allclose(module.running_mean, mean, rtol=1e-12)
        np.testing.assert_allclose(module.running_var, var, rtol=1e-12)
    assert module.num_batches_tracked == 4
    assert [type(buffer) for buffer in module.buffers()] == [np.ndarray] * 3
    module.reset_running_stats()
    assert [buffer.tolist() for buffer in module.buffers()] == [[0.0] * 3, [1.0] * 3, 0]


def test_evaluation_normalises_by_running_statistics_and_moves_nothing(
    rng: np.random.Generator,
) -> None:
    """Case 102."""
    module = with_random_parameters(nn.BatchNorm2d(3, **F64))
    module(rng.normal(size=(4, 3, 2, 2)))
    module.eval()
    before = {name: value.copy() for name, value in module.named_buffers()}
    x = tg.Tensor(rng.normal(size=(1, 3, 1, 1)))
    out = module(x)
    scale = module.weight.data / np.sqrt(before["running_var"] + 1e-5)
    expected = (x.data[0, :, 0, 0] - before["running_mean"]) * scale + module.bias.data
    np.testing.assert_allclose(out.data[0, :, 0, 0], expected, rtol=1e-12)
    out.sum().backward()
    np.testing.assert_allclose(x.grad[0, :, 0, 0], scale, rtol=1e-12)
    for name, value in module.named_buffers():
        np.testing.assert_array_equal(value, before[name])


def test_without_running_statistics_evaluation_takes_the_batch(rng: np.random.Generator) -> None:
    module, x = nn.BatchNorm1d(3, track_running_stats=False, **F64), rng.normal(size=(4, 3))
    assert list(module.state_dict()) == ["weight", "bias"]
    np.testing.assert_array_equal(module.eval()(x).data, module.train()(x).data)
    module.reset_running_stats()


def test_the_state_of_batch_norm_comes_back() -> None:
    source, target = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    source(np.random.default_rng(0).normal(size=(4, 3, 2, 2)))
    target.load_state_dict(source.state_dict())
    assert list(source.state_dict()) == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip
    x = np.ones((1, 3, 2, 2))
    np.testing.assert_array_equal(target.eval()(x).data, source.eval()(x).data)
    assert target.num_batches_tracked == 1


def with_all_norms() -> nn.Sequential:
    """Return a network with all norms, on inputs of shape (batch, 4)."""
    return nn.Sequential(
        nn.Linear(4, 8, rng=0),
        nn.BatchNorm1d(8),
        nn.LayerNorm(8),
        nn.ReLU(),
        lambda x: x.reshape(-1, 4, 2, 1),
        nn.BatchNorm2d(4, momentum=None),
        nn.GroupNorm(2, 4),
        nn.Flatten(),
        nn.RMSNorm(8),
        nn.Linear(8, 3, rng=1),
    )


def test_compiled_steps_equal_eager_ones() -> None:
    """Cases 102, 111: values, gradients and running statistics, in training and in evaluation."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = with_all_norms().train()
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        @compiled
        def predict(x: Any) -> Any:
            return model(x)

        rng = np.random.default_rng(0)
        for i in range(12):
            x = rng.normal(size=(6, 4)).astype(np.float32)
            yield step(x, rng.integers(0, 3, 6))
            yield model, list(model.parameters())
            if i % 4 == 3:
                model.eval()
                yield predict(x)
                model.train()

    told_twice(story, runs=2)


def test_a_compiled_step_that_fails_leaves_running_statistics_alone() -> None:
    """Case 111: what it would have written comes last."""
    module = nn.BatchNorm1d(2)

    @tg.compile
    def step(x: Any, size: Any) -> Any:
        out = module(x)
        return np.linalg.inv(size) * out.sum()

    x, one = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32), np.eye(2, dtype=np.float32)
    step(x, one)
    before = module.state_dict()
    with pytest.raises(np.linalg.LinAlgError):
        step(x, 0 * one)
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    step(x, one)
    assert module.num_batches_tracked == 2


def test_the_plan_of_a_compiled_step_calls_buffers_by_their_names() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    forward = tg.compile(lambda x: model(x))
    forward(np.ones((3, 2), np.float32))
    assert "  0.running_mean float32[2]" in str(forward.plan)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.BatchNorm1d(3)(np.ones((1, 3))), ValueError, "fewer than two values"),  # 38
        (lambda: nn.BatchNorm1d(3)(np.ones((0, 3))), ValueError, "fewer than two values"),
        (lambda: nn.BatchNorm2d(3)(np.ones((1, 3, 1, 1))), ValueError, "call eval"),
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 4))), ValueError, r"\(2, 4\); expected \(batch, c"),
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 3, 1, 1))), ValueError, "or .batch, channels, len"),
        (lambda: nn.BatchNorm2d(3)(np.ones((2, 3))), ValueError, "channels, height, width"),
        (lambda: nn.BatchNorm1d(0), ValueError, "num_features is 0"),
        (lambda: nn.BatchNorm1d(2, dtype=int), TypeError, "expected a floating one"),
        (lambda: nn.LayerNorm(3)(np.ones((2, 4))), ValueError, r"expected \(\.\.\., 3\)"),
        (lambda: nn.LayerNorm((2, 3))(np.ones(3)), ValueError, r"expected \(\.\.\., 2, 3\)"),
        (lambda: nn.LayerNorm(()), ValueError, "normalized_shape is empty"),
        (lambda: nn.LayerNorm("ab"), TypeError, "normalized_shape is 'a'"),
        (lambda: nn.RMSNorm(2.5), TypeError, r"normalized_shape is 2\.5"),
        (lambda: nn.RMSNorm(3)(np.ones(())), ValueError, r"of shape \(\); expected"),
        (lambda: nn.GroupNorm(3, 4), ValueError, "expected a multiple of num_groups, 3"),
        (lambda: nn.GroupNorm(2, 4)(np.ones((2, 6))), ValueError, r"expected \(batch, 4, \.\.\.\)"),
        (lambda: nn.GroupNorm(2, 4)(np.ones(4)), ValueError, r"of shape \(4,\)"),
        (lambda: nn.LayerNorm(2)(np.ones((1, 2), complex)), TypeError, "got complex128"),
        (lambda: F.layer_norm([[1, 2]], 2), TypeError, "got int64; expected floats"),
        (lambda: F.layer_norm([[1.0, 2.0]], 2, weight=[1.0]), ValueError, r"weight has shape \(1,"),
        (lambda: F.group_norm(np.ones((2, 3)), 2), ValueError, "that 2 divides"),
        (lambda: F.batch_norm(np.ones(3), None, None), ValueError, r"of shape \(3,\)"),
        (lambda: F.batch_norm(np.ones((2, 3)), None, None), ValueError, "no running statistics"),
        (lambda: F.batch_norm(np.ones((2, 3)), np.ones(3), None), ValueError, "or neither"),
        (lambda: F.batch_norm(np.ones((2, 3)), np.ones(2), np.ones(2)), ValueError, "running_mean"),
    ],
)
def test_wrong_arguments_are_refused(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    """Case 38 among them."""
    with pytest.raises(error, match=message):
        call()


def test_an_error_moves_no_running_statistics() -> None:
    """Case 38."""
    module = nn.BatchNorm1d(3)
    for wrong in (np.ones((1, 3)), np.ones((4, 2))):
        with pytest.raises(ValueError, match=r"BatchNorm1d|batch_norm"):
            module(wrong)
    assert [buffer.tolist() for buffer in module.buffers()] == [[0.0] * 3, [1.0] * 3, 0]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.BatchNorm1d(3), "BatchNorm1d(3), 6 parameters"),
        (nn.BatchNorm2d(3, 0.5, None), "BatchNorm2d(3, eps=0.5, momentum=None), 6 parameters"),
        (nn.LayerNorm((2, 3)), "LayerNorm((2, 3)), 12 parameters"),
        (nn.GroupNorm(2, 4), "GroupNorm(2, 4), 8 parameters"),
        (nn.RMSNorm(3), "RMSNorm((3,)), 3 parameters"),
    ],
)  # fmt: skip
def test_the_text_of_a_norm(module: nn.Module, text: str) -> None:
    assert repr(module) == text
