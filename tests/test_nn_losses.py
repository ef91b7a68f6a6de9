"""Losses: values, gradients and refusals, against NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F

BCE = nn.binary_cross_entropy_with_logits


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# Of each elementwise loss: the function, how to draw targets, its value, its derivative.
ELEMENTWISE = {
    "mse": (
        nn.mse_loss,
        lambda rng, shape: rng.normal(size=shape),
        lambda x, y: (x - y) ** 2,
        lambda x, y: 2 * (x - y),
    ),
    "bce": (
        BCE,
        lambda rng, shape: rng.integers(0, 2, shape),
        lambda x, y: -(y * np.log(sigmoid(x)) + (1 - y) * np.log(sigmoid(-x))),
        lambda x, y: sigmoid(x) - y,
    ),
    "soft bce": (
        BCE,
        lambda rng, shape: rng.random(shape),
        lambda x, y: -(y * np.log(sigmoid(x)) + (1 - y) * np.log(sigmoid(-x))),
        lambda x, y: sigmoid(x) - y,
    ),
    "hinge": (
        nn.hinge_loss,
        lambda rng, shape: 2 * rng.integers(0, 2, shape) - 1,
        lambda x, y: np.maximum(0, 1 - x * y),
        lambda x, y: -y * (x * y < 1),
    ),
}
REDUCE: dict[str, Callable[[Any], Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("shape", [(), (5,), (4, 3)], ids=str)
def test_elementwise_losses(
    name: str, reduction: str, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    loss, draw, value, slope = ELEMENTWISE[name]
    x, y = tg.Tensor(rng.normal(size=shape)), np.asarray(draw(rng, shape))
    out = loss(x, y, reduction)
    np.testing.assert_allclose(out.data, REDUCE[reduction](value(x.data, y)), rtol=1e-12)
    assert out.shape == (shape if reduction == "none" else ())
    out.backward(np.ones(out.shape))
    scale = x.size if reduction == "mean" else 1
    np.testing.assert_allclose(x.grad, slope(x.data, y) / scale, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)], ids=str)
@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_cross_entropy(
    reduction: str, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator
) -> None:
    x = tg.Tensor(rng.normal(size=(*shape, 4)))
    labels = np.asarray(rng.integers(0, 4, shape), dtype)
    one_hot = np.eye(4)[labels]
    out = nn.cross_entropy(x, labels, reduction)
    expected = -(one_hot * np.log(softmax(x.data))).sum(-1)
    np.testing.assert_allclose(out.data, REDUCE[reduction](expected), rtol=1e-12)
    out.backward(np.ones(out.shape))
    scale = labels.size if reduction == "mean" else 1
    np.testing.assert_allclose(x.grad, (softmax(x.data) - one_hot) / scale, atol=1e-14)


def test_cross_entropy_is_its_composition_to_the_second_order(rng: np.random.Generator) -> None:
    """Cases 29 and 85: the fused op against log_softmax and indexing."""
    start, labels = rng.normal(size=(3, 4)), np.array([0, 3, 1])
    results = []
    for loss in (
        lambda x: nn.cross_entropy(x, labels),
        lambda x: -(F.log_softmax(x)[np.arange(3), labels]).mean(),
    ):
        x = tg.Tensor(start)
        slope = tg.gradients(loss(x), x, create_graph=True)
        results.append((loss(x).data, slope.data, tg.gradients((slope * slope).sum(), x)))
    for fused, composed in zip(*results, strict=True):
        np.testing.assert_allclose(fused, composed, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "labels", [[0, 2], (0, 2), tg.tensor([0, 2]), np.array([0, 2], "i1"), np.array([0, 2], ">i8")]
)
def test_labels_come_in_any_form_of_integers(labels: Any) -> None:
    logits = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    expected = (-math.log(softmax(logits[0])[0]) + math.log(3)) / 2
    assert float(nn.cross_entropy(logits, labels)) == pytest.approx(expected, rel=1e-12)


# --- the edges of the numbers ---------------------------------------------------------------------


@pytest.fixture
def strict() -> Iterator[None]:
    """Make NumPy raise on what it would warn of (case 98)."""
    with np.errstate(invalid="raise", divide="raise", over="raise"):
        yield


@pytest.mark.usefixtures("strict")
def test_losses_of_logits_are_finite() -> None:
    """Cases 28, 29 and 98."""
    logits = tg.Tensor([[1000.0, 0.0], [-1000.0, 0.0]])
    out = nn.cross_entropy(logits, [1, 0], "none")
    out.sum().backward()
    assert out.tolist() == [1000.0, 1000.0]
    assert logits.grad.tolist() == [[1.0, -1.0], [-1.0, 1.0]]
    x = tg.Tensor([1000.0, 1000.0, -1000.0, -1000.0])
    out = BCE(x, [1, 0, 1, 0], "none")
    out.sum().backward()
    assert out.tolist() == [0.0, 1000.0, 1000.0, 0.0]
    assert x.grad.tolist() == [0.0, 1.0, -1.0, 0.0]


@pytest.mark.parametrize("classes", [10, 128, 129, 20_000])
def test_cross_entropy_is_accurate_for_few_and_for_many_classes(
    classes: int, rng: np.random.Generator
) -> None:
    given = rng.normal(0, 3, (16, classes)).astype(np.float32)
    labels = rng.integers(0, classes, 16)
    logits = tg.Tensor(given)
    losses = nn.cross_entropy(logits, labels, reduction="none")
    losses.sum().backward()
    exact = softmax(given.astype(np.float64))
    picked = exact[np.arange(16), labels]
    np.testing.assert_allclose(losses.data, -np.log(picked), rtol=3e-6)
    exact[np.arange(16), labels] -= 1
    np.testing.assert_allclose(logits.grad, exact, rtol=5e-6)


def test_a_sure_and_right_prediction_has_an_accurate_loss_and_gradient() -> None:
    x = tg.Tensor(np.array([30.0, -30.0], np.float32))
    out = BCE(x, [1.0, 0.0], "none")
    out.sum().backward()
    np.testing.assert_allclose(out.data, math.exp(-30), rtol=1e-5)
    np.testing.assert_allclose(x.grad, [-math.exp(-30), math.exp(-30)], rtol=1e-5)


def test_the_gradient_at_zero_logits_is_that_of_the_sigmoid() -> None:
    """A form made of abs and relu would lose the half of the sigmoid at 0."""
    x = tg.Tensor([0.0, 0.0, 0.0])
    BCE(x, [1.0, 0.0, 0.25], "sum").backward()
    assert x.grad.tolist() == [-0.5, 0.5, 0.25]


def test_a_score_on_the_margin_has_gradient_zero() -> None:
    """Case 13: relu(0)."""
    x = tg.Tensor([1.0, -1.0])
    nn.hinge_loss(x, [1, -1]).backward()
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("loss", "target"), [(nn.mse_loss, 0.5), (BCE, 0.5), (nn.hinge_loss, 1)])
@pytest.mark.parametrize("given", [np.float64, np.int64])
def test_the_target_does_not_widen_the_loss(loss: Any, target: float, given: Any) -> None:
    x = tg.Tensor(np.ones(3, np.float32))
    out = loss(x, np.full(3, target).astype(given if target == 1 else float))
    assert out.dtype == np.float32
    out.backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(("loss", "slope"), [(nn.mse_loss, -3.5), (BCE, -2.0)], ids=["mse", "bce"])
def test_a_target_that_records_gets_its_gradient(loss: Any, slope: float) -> None:
    """Rule 9: a graph is never lost."""
    x, y = tg.Tensor([2.0]), tg.Tensor([0.25])
    loss(x, y).backward()
    assert y.grad.tolist() == [slope]


def test_not_a_number_in_a_regression_target_shows() -> None:
    assert math.isnan(float(nn.mse_loss([1.0, 2.0], [math.nan, 2.0])))


# --- refusals -------------------------------------------------------------------------------------


SHAPES = [((4,), (4, 1)), ((4, 1), (4,)), ((4,), ()), ((4,), (3,))]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_shapes_are_never_broadcast(name: str, shapes: tuple[Any, Any]) -> None:
    loss = ELEMENTWISE[name][0]
    output, target = np.ones(shapes[0]), np.ones(shapes[1])
    with pytest.raises(ValueError, match="expected equal shapes, since nothing is") as error:
        loss(output, target)
    assert f"has shape {shapes[0]} and target {shapes[1]}" in str(error.value)
    fixable = output.size == target.size
    assert (f"use target.reshape({shapes[0]}) or " in str(error.value)) == fixable


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3, -1], r"labels\[1\] is 3, but there are 3 classes: expected 0 to 2"),
        ([0, -1, 3], r"labels\[1\] is -1, but there are 3 classes"),
        (np.array([0, 1, 255], np.uint8), r"labels\[2\] is 255"),
    ],
)
def test_a_label_that_is_no_class_is_named(labels: Any, message: str) -> None:
    """Cases 29 and 103."""
    with pytest.raises(IndexError, match=message):
        nn.cross_entropy(np.zeros((3, 3)), labels)


def test_the_place_of_a_bad_label_has_all_its_axes() -> None:
    """Case 29."""
    labels = np.zeros((2, 3), int)
    labels[1, 2] = 9
    with pytest.raises(IndexError, match=r"labels\[1, 2\] is 9"):
        nn.cross_entropy(np.zeros((2, 3, 4)), labels)
    with pytest.raises(IndexError, match=r"labels is 4, but"):
        nn.cross_entropy(np.zeros(4), 4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(2), r"dtype float64; expected integers.*: labels\.astype\(int\)"),
        (np.array([0.0, np.nan]), r"remove the NaN"),
        (np.array([True, False]), r"dtype bool; expected integers"),
        (np.eye(3, dtype=bool)[[0, 1]], r"labels\.argmax\(axis=-1\) for one-hot rows"),
        (tg.tensor([0.0, 1.0]), r"dtype float64"),
        (["cat", "dog"], r"labels has dtype <U3; expected booleans, integers, floats"),
    ],
)
def test_labels_are_integers(labels: Any, message: str) -> None:
    """Cases 29 and 103."""
    with pytest.raises(TypeError, match=message):
        nn.cross_entropy(np.zeros((2, 3)), labels)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ((2, 3), (2, 1), r"labels should have \(2,\), not \(2, 1\): labels\.reshape\(\(2,\)\)"),
        ((2, 3), (3,), r"should have \(2,\), not \(3,\): one integer per row"),
        ((2, 3), (2, 3), r"not \(2, 3\): labels\.argmax\(axis=-1\) for one-hot rows"),
        ((2, 3), (), r"not \(\): one integer per row"),
        ((), (), r"logits has shape \(\); expected \(\.\.\., classes\)"),
        ((2, 0), (2,), r"logits has shape \(2, 0\); expected \(\.\.\., classes\)"),
    ],
)
def test_labels_have_the_shape_of_the_rows(logits: Any, labels: Any, message: str) -> None:
    """Case 29."""
    with pytest.raises(ValueError, match=message):
        nn.cross_entropy(np.zeros(logits), np.zeros(labels, int))


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        (BCE, [0.0, -1.0], r"target\[1\] is -1\.0; expected numbers from 0 to 1: use \(y \+ 1"),
        (BCE, [0.0, 1.5], r"target\[1\] is 1\.5"),
        (BCE, [math.nan, 1.0], r"target\[0\] is nan"),
        (nn.hinge_loss, [1, 0], r"target\[1\] is 0\.0; expected -1 or 1: use 2 \* y - 1 for 0/1"),
        (nn.hinge_loss, [math.nan, 1], r"target\[0\] is nan"),
    ],
)
def test_targets_outside_their_range_are_named(loss: Any, target: Any, message: str) -> None:
    """Case 103."""
    with pytest.raises(ValueError, match=message):
        loss([0.5, 0.5], target)


@pytest.mark.parametrize("loss", [nn.mse_loss, BCE, nn.hinge_loss, nn.cross_entropy])
def test_the_models_output_holds_floats(loss: Any) -> None:
    with pytest.raises(TypeError, match=r"dtype int64; expected floats\. The model's output is"):
        loss(np.ones(3, int), np.ones(3))


@pytest.mark.parametrize("loss", [nn.mse_loss, BCE, nn.hinge_loss, nn.cross_entropy])
def test_an_empty_batch_has_a_sum_and_no_mean(loss: Any) -> None:
    """Case 103."""
    shape = (0, 3) if loss is nn.cross_entropy else (0,)
    x, target = tg.Tensor(np.zeros(shape)), np.zeros(0, int)
    with pytest.raises(ValueError, match="the mean over an empty batch is undefined"):
        loss(x, target)
    out = loss(x, target, "sum")
    out.backward()
    assert float(out) == 0.0
    assert x.grad.shape == shape
    assert loss(x, target, "none").shape == (0,)


@pytest.mark.parametrize("loss", [nn.mse_loss, BCE, nn.hinge_loss, nn.cross_entropy])
@pytest.mark.parametrize("reduction", ["average", None, ""])
def test_an_unknown_reduction_is_refused(loss: Any, reduction: Any) -> None:
    with pytest.raises(ValueError, match=r"reduction is .*; expected 'mean', 'sum' or 'none'"):
        loss(np.ones(2), np.ones(2), reduction)


# --- modules --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCE)
def test_loss_modules_apply_their_functions(reduction: str, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(4, 3)), rng.random((4, 3))
    labels = np.array([0, 1, 2, 0])
    pairs = [
        (nn.MSELoss(reduction)(x, y), F.mse_loss(x, y, reduction)),
        (nn.BCEWithLogitsLoss(reduction)(x, y), BCE(x, y, reduction)),
        (nn.CrossEntropyLoss(reduction)(x, labels), F.cross_entropy(x, labels, reduction)),
    ]
    for module, function in pairs:
        np.testing.assert_array_equal(module.data, function.data)


@pytest.mark.parametrize("kind", [nn.MSELoss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss])
def test_a_loss_module_checks_its_reduction_when_it_is_made(kind: Any) -> None:
    with pytest.raises(ValueError, match="reduction is 'avg'"):
        kind("avg")
    assert kind().parameters() == []
