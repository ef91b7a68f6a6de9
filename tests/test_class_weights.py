"""Weights that let all classes of a data set count alike, in the loss and through `fit`."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.train import balanced_class_weights, fit


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([0, 0, 0, 1], None, [4 / 6, 4 / 2]),
        ([0, 1, 2], 3, [1.0, 1.0, 1.0]),
        (np.array([[2, 0], [1, 1]], np.uint8), None, [4 / 3, 4 / 6, 4 / 3]),
        (tg.Tensor(np.array([0, 1, 1])), None, [3 / 2, 3 / 4]),
        ([0], 1, [1.0]),
    ],
)
def test_the_formula(labels, classes, expected):
    """That of scikit-learn's `compute_class_weight("balanced")`: n / (classes * count)."""
    found = balanced_class_weights(labels, classes)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_each_class_has_the_same_total_and_a_sample_the_mean_1():
    labels = np.random.default_rng(0).choice(5, size=300, p=[0.6, 0.2, 0.1, 0.06, 0.04])
    weights = balanced_class_weights(labels)
    np.testing.assert_allclose(np.bincount(labels, weights[labels]), np.full(5, 60.0))
    np.testing.assert_allclose(weights[labels].mean(), 1.0)


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([], None, ValueError, "labels holds no samples"),
        ([0.0, 1.0], None, TypeError, r"labels are of float64; expected the integers.*argmax"),
        (["a", "b"], None, TypeError, "return_inverse"),
        ([0, 2, 2], None, ValueError, "class 1 of 3 has no sample"),
        ([0, 1], 4, ValueError, "class 2 of 4 has no sample"),
        ([1, 2], None, ValueError, "class 0 of 3 has no sample"),
        ([0, 10**12], None, ValueError, "class 1 of 1000000000001 has no sample"),
        ([-1, 0], None, ValueError, "a label is -1; expected 0 to 0"),
        ([0, 3], 3, ValueError, "a label is 3; expected 0 to 2"),
        ([0, 1], 2.5, TypeError, "classes is 2.5"),
    ],
)
def test_what_cannot_be_balanced(labels, classes, error, message):
    with pytest.raises(error, match=message):
        balanced_class_weights(labels, classes)


def test_a_rare_class_is_learned():
    """One number per sample, two classes that overlap, 950 against 50.

    Both classes are normal, one standard deviation to either side of 0: weighed alike they part
    at 0, and unweighed at log(19) / 2 = 1.47, where a third of the rare class is found.
    """
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], [950, 50])
    x = rng.normal(2.0 * y[:, None] - 1.0, 1.0)
    found = {}
    for weight in (None, balanced_class_weights(y)):
        model = nn.Linear(1, 2, rng=0, dtype="float64")
        fit(
            model, (x, y), loss=nn.CrossEntropyLoss(weight=weight), epochs=30, batch_size=1000,
            optimizer=optim.Adam(model.parameters(), lr=0.1), rng=0, verbose=0,
        )  # fmt: skip
        predicted = tg.predict(model, x).argmax(axis=1)
        found[weight is None] = np.mean(predicted[y == 1])
    assert found[True] < 0.5
    assert found[False] > 0.75
