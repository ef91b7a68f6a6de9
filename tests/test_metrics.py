"""Metrics: values by loops, batches against the whole, predictions, refusals."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.data import batches
from tensorgrad.train import (
    Pooled,
    accuracy,
    confusion_matrix,
    evaluate,
    fit,
    predict,
    r2,
    top_k_accuracy,
)


def identity(x: Any) -> Any:
    return x


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_top_k_accuracy_is_a_place_in_a_stable_order(k: int, rng: np.random.Generator) -> None:
    scores, labels = rng.integers(0, 3, (200, 5)).astype(float), rng.integers(0, 5, 200)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    expected = np.mean([label in row for label, row in zip(labels, order, strict=True)])
    assert top_k_accuracy(scores, labels, k=k) == expected
    assert k != 1 or expected == accuracy(scores, labels)


def test_a_score_that_is_no_number_is_no_hit() -> None:
    """Case 103: a network that has diverged is not always right."""
    nan = float("nan")
    assert top_k_accuracy([[nan, nan, nan], [1.0, nan, 0.0]], [0, 0], k=1) == 0
    assert top_k_accuracy([[1.0, nan, 0.0], [1.0, nan, 0.0]], [0, 1], k=2) == 0.5


def test_top_k_accuracy_of_sequences(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=(3, 4, 6)), rng.integers(0, 6, (3, 4))
    flat = top_k_accuracy(scores.reshape(12, 6), labels.reshape(12), k=2)
    assert top_k_accuracy(tg.Tensor(scores), labels, k=2) == flat


def test_a_confusion_matrix_counts(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=(100, 4)), rng.integers(0, 3, 100)
    expected = np.zeros((4, 4), int)
    for row, label in zip(scores, labels, strict=True):
        expected[label, row.argmax()] += 1
    found = confusion_matrix(scores, labels)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype.kind == "i"
    assert np.trace(found) / 100 == accuracy(scores, labels)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 1], [-1, -1, 1, 1, 1]])
def test_a_confusion_matrix_of_two_classes(labels: list[int]) -> None:
    found = confusion_matrix([0.5, -0.5, 2.0, -3.0, 1.0], labels)
    np.testing.assert_array_equal(found, [[1, 1], [1, 2]])
    assert confusion_matrix([0.4, 0.6], [1, 1], threshold=0.5).tolist() == [[0, 0], [1, 1]]


def test_r2(rng: np.random.Generator) -> None:
    y, p = rng.normal(size=(2, 50, 3))
    shares = [1 - np.sum((y - p)[:, i] ** 2) / (50 * np.var(y[:, i])) for i in range(3)]
    assert r2(p, y) == pytest.approx(np.mean(shares), rel=1e-12)
    assert r2(p[:, 0], y[:, 0]) == pytest.approx(shares[0], rel=1e-12)
    assert r2(y, y) == 1
    assert r2(np.full(50, y[:, 0].mean()), y[:, 0]) == pytest.approx(0, abs=1e-12)
    assert np.isnan(r2([1.0, 2.0], [3.0, 3.0]))
    assert np.isnan(r2([1.0], [3.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top_k_accuracy(np.zeros((3, 4)), np.zeros((3, 1))), r"\(3, 4\) and target \(3, 1"),
        (lambda: top_k_accuracy(np.zeros(3), np.zeros(3)), r"expected \(n, classes\) and \(n,\)"),
        (lambda: top_k_accuracy(np.zeros((3, 4)), np.zeros(3)), "k is 5 and there are 4 classes"),
        (lambda: top_k_accuracy(np.zeros((3, 4)), np.zeros(3), k=0), "k is 0"),
        (lambda: top_k_accuracy(np.zeros((0, 4)), np.zeros(0), k=1), "nothing to be right about"),
        (lambda: top_k_accuracy(np.zeros((2, 3)), [0, 3], k=1), "target holds 3; .* 3 classes"),
        (lambda: confusion_matrix(np.zeros((2, 3)), [0, -1]), "target holds -1"),
        (lambda: confusion_matrix(np.zeros((2, 3)), [0, 0.5]), "target holds 0.5"),
        (lambda: confusion_matrix(np.zeros((2, 3)), [0, np.nan]), "target holds nan"),
        (lambda: confusion_matrix(np.zeros(2), [1, 2]), r"it holds \[1, 2\]"),
        (lambda: r2(np.zeros((3, 1)), np.zeros(3)), "expected equal shapes"),
        (lambda: r2(1.0, 1.0), "expected equal shapes"),
        (lambda: r2(np.zeros(0), np.zeros(0)), "nothing to be right about"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, message: str) -> None:
    """Case 103."""
    with pytest.raises(ValueError, match=message):
        call()


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_r2_of_batches_is_that_of_the_whole_also_far_from_zero(
    offset: float, rng: np.random.Generator
) -> None:
    y = offset + rng.normal(size=23)
    p = y + 0.5 * rng.normal(size=23)
    for metric, size in [("r2", 5), (r2, 1), ("r2", 23)]:
        found = evaluate(identity, (p, y), metrics=metric, batch_size=size)
        assert found["r2"] == pytest.approx(r2(p, y), rel=1e-6 if offset else 1e-12)


def test_counts_and_shares_of_batches_are_those_of_the_whole(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=(23, 4)), rng.integers(0, 4, 23)
    metrics = {
        "counts": confusion_matrix,
        "share": accuracy,
        "top2": functools.partial(top_k_accuracy, k=2),
    }
    found = evaluate(identity, (scores, labels), metrics=metrics, batch_size=5)
    np.testing.assert_array_equal(found["counts"], confusion_matrix(scores, labels))
    assert found["share"] == pytest.approx(accuracy(scores, labels))
    assert found["top2"] == pytest.approx(top_k_accuracy(scores, labels, k=2))
    by_name = evaluate(identity, (scores, labels), metrics=["confusion_matrix"], batch_size=5)
    np.testing.assert_array_equal(by_name["confusion_matrix"], found["counts"])


def hits(prediction: Any, target: Any) -> Any:
    found = prediction > 0
    return np.array([np.sum(found & (target == 1)), np.sum(found)])


PRECISION = Pooled(hits, lambda total: total[0] / total[1], name="precision")


def test_a_metric_of_ones_own_that_is_no_mean(rng: np.random.Generator) -> None:
    scores, labels = rng.normal(size=40), rng.integers(0, 2, 40)
    whole = np.mean(labels[scores > 0])
    assert PRECISION(scores, labels) == PRECISION(tg.Tensor(scores), labels) == whole
    for size in (1, 7, 40):
        found = evaluate(identity, (scores, labels), metrics=PRECISION, batch_size=size)
        assert found == {"precision": pytest.approx(whole)}
        assert type(found["precision"]) is float


def test_fit_records_pooled_metrics_of_training_and_validation() -> None:
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    data = (x, 3 * x + 1)
    model = nn.Linear(1, 1, rng=0)
    history = fit(
        model, data, loss=nn.mse_loss, optimizer=optim.SGD(model.parameters(), lr=1e-30), epochs=2,
        batch_size=6, validation=data, metrics="r2", rng=0, verbose=0,
    )  # fmt: skip
    expected = r2(model(x), data[1])
    assert history["r2"] == pytest.approx([expected] * 2, rel=1e-6)
    assert history["val_r2"] == pytest.approx([expected] * 2, rel=1e-6)


@pytest.mark.parametrize("metric", ["confusion_matrix", confusion_matrix])
def test_a_history_takes_no_arrays(metric: Any) -> None:
    model = nn.Linear(2, 2, rng=0)
    with pytest.raises(ValueError, match=r"'confusion_matrix' is an array, .*: ask evaluate"):
        fit(model, (np.zeros((4, 2)), np.zeros(4, int)), loss=nn.cross_entropy, epochs=1,
            optimizer=optim.SGD(model.parameters(), lr=0.1), metrics=metric)  # fmt: skip


def test_a_pooled_metric_without_a_name_is_named_by_a_dict() -> None:
    metric = Pooled(hits, np.sum)
    with pytest.raises(ValueError, match="has no name: give it one"):
        evaluate(identity, (np.ones(3), np.ones(3)), metrics=metric)
    assert evaluate(identity, (np.ones(3), np.ones(3)), metrics={"n": metric}) == {"n": 6.0}


# --- predictions ----------------------------------------------------------------------------------


class Doubling(nn.Module):
    """Doubles in evaluation mode, and notes what it was given."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def forward(self, x: Any) -> Any:
        self.seen.append((len(x), self.training, tg.is_grad_enabled()))
        return 2 * x


@pytest.mark.parametrize("form", ["array", "tensor", "memory map", "list", "pairs", "generator"])
def test_predictions_come_in_batches_in_evaluation_mode(form: str, tmp_path: Any) -> None:
    """Case 102."""
    x = np.arange(14, dtype=np.float32).reshape(7, 2)
    np.save(tmp_path / "x.npy", x)
    given: Any = {
        "array": x,
        "tensor": tg.Tensor(x),
        "memory map": np.load(tmp_path / "x.npy", mmap_mode="r"),
        "list": [x[:3], x[3:6], x[6:]],
        "pairs": batches((x, np.zeros(7)), 3),
        "generator": (part for part in batches(x, 3)),
    }[form]
    model = Doubling()
    found = predict(model, given, batch_size=3)
    np.testing.assert_array_equal(found, 2 * x)
    assert type(found) is np.ndarray
    assert found.dtype == np.float32
    assert model.seen == [(3, False, False), (3, False, False), (1, False, False)]
    assert model.training
    assert tg.is_grad_enabled()


def test_predictions_share_no_memory_with_the_data() -> None:
    x = np.ones((4, 2))
    for size in (2, 100):
        assert not np.may_share_memory(predict(identity, x, batch_size=size), x)


def test_one_number_for_each_sample() -> None:
    model = nn.MLP(2, [4, 1], rng=0)
    assert predict(model, np.ones((5, 2)), batch_size=2).shape == (5,)


@pytest.mark.parametrize(
    ("model", "x", "error", "message"),
    [
        (identity, np.zeros((0, 2)), ValueError, "x holds no samples"),
        (identity, [], ValueError, "x holds no samples"),
        (identity, np.array(1.0), ValueError, "at least one array"),
        (identity, 3, TypeError, "x is a int; expected an array"),
        (identity, "abc", TypeError, "x is a str"),
        (identity, [1.0, 2.0], TypeError, "a batch is a float; expected an array of at least"),
        (identity, [np.zeros((0, 2))], TypeError, "at least one sample"),
        (lambda x: (x, x), np.ones((3, 2)), TypeError, "returned a tuple; expected an array"),
        (np.sum, np.ones((3, 2)), TypeError, "returned a float64; expected an array"),
        (lambda x: tg.sum(x), np.ones((3, 2)), ValueError, r"returned shape \(\) for a batch of 3"),
        (lambda x: x[:1], np.ones((3, 2)), ValueError, r"returned shape \(1, 2\) for a batch of 3"),
    ],
)
def test_what_cannot_be_predicted_is_named(model: Any, x: Any, error: Any, message: str) -> None:
    """Case 103."""
    with pytest.raises(error, match=message):
        predict(model, x)


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_a_batch_has_samples(size: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="batch_size is"):
        predict(identity, np.ones((3, 2)), batch_size=size)


def test_modes_are_put_back_after_an_error() -> None:
    """Case 102."""
    model = nn.Sequential(nn.Dropout(0.5, rng=0), lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict(model, np.ones((3, 2)))
    assert [m.training for m in model.modules()] == [True] * len(model.modules())
    assert tg.is_grad_enabled()
