"""Every loss with its options against PyTorch, where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from loss_cases import CASES, LossCase
from tensorgrad.nn import functional as F

torch: Any = pytest.importorskip("torch")

TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 1e-6}, "float64": {"rtol": 1e-10, "atol": 1e-12}}


def theirs(value: Any, dtype: str) -> Any:
    """Turn an array into a tensor, floats in a dtype; leave the rest."""
    if not isinstance(value, np.ndarray):
        return value
    return torch.tensor(value.astype(dtype) if value.dtype.kind == "f" else value)


def compare(ours: tg.Tensor, other: Any, dtype: str) -> None:
    np.testing.assert_allclose(ours.data, other.detach().numpy(), **TOLERANCE[dtype])


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_values_and_gradients(case: LossCase, dtype: str) -> None:
    function = getattr(torch.nn.functional, case.function)
    data = [theirs(value, dtype) for value in case.data]
    options = {name: theirs(value, dtype) for name, value in case.options.items()}
    for reduction in case.reductions:
        xs = [tg.Tensor(array) for array in case.draw(dtype)]
        ys = [torch.tensor(x.data, requires_grad=True) for x in xs]
        out, expected = (
            case(*xs, reduction=reduction),
            function(*ys, *data, reduction=reduction, **options),
        )
        compare(out, expected, dtype)
        g = np.linspace(0.5, 1.5, out.size, dtype=dtype).reshape(out.shape)
        out.backward(g)
        expected.backward(torch.tensor(g))
        for x, y in zip(xs, ys, strict=True):
            np.testing.assert_allclose(x.grad, y.grad.numpy(), **TOLERANCE[dtype])


def test_the_class_axis_is_the_last_and_theirs_the_second(rng: np.random.Generator) -> None:
    start, labels = rng.normal(size=(2, 3, 4)), rng.integers(-1, 4, (2, 3))
    options: dict[str, Any] = {"ignore_index": -1, "label_smoothing": 0.1}
    x, y = tg.Tensor(start), torch.tensor(start, requires_grad=True)
    out = F.cross_entropy(x, labels, **options)
    expected = torch.nn.functional.cross_entropy(y.movedim(-1, 1), torch.tensor(labels), **options)
    compare(out, expected, "float64")
    out.backward()
    expected.backward()
    np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_cosine_similarity(axis: int, dtype: str, rng: np.random.Generator) -> None:
    """Case 10: a vector of zeros among them."""
    pair = [rng.normal(size=(4, 3)).astype(dtype) for _ in range(2)]
    pair[0][1] = 0
    pair[0][:, 2] = 0
    xs, ys = [tg.Tensor(a) for a in pair], [torch.tensor(a, requires_grad=True) for a in pair]
    out = F.cosine_similarity(*xs, axis=axis)
    expected = torch.nn.functional.cosine_similarity(*ys, dim=axis)
    compare(out, expected, dtype)
    out.sum().backward()
    expected.sum().backward()
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x.grad, y.grad.numpy(), **TOLERANCE[dtype])


def test_a_small_variance_has_the_gradient_of_the_least_one() -> None:
    means, var = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1e-9, 0.5])
    target = np.array([0.0, 2.1, 0.0])
    xs = [tg.Tensor(means), tg.Tensor(var)]
    ys = [torch.tensor(means, requires_grad=True), torch.tensor(var, requires_grad=True)]
    out = F.gaussian_nll_loss(xs[0], target, xs[1])
    expected = torch.nn.functional.gaussian_nll_loss(ys[0], torch.tensor(target), ys[1])
    compare(out, expected, "float64")
    out.backward()
    expected.backward()
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-12)


def test_logarithms_are_cut_at_minus_100() -> None:
    p, y = np.array([0.0, 1.0, 1e-300, 0.25]), np.array([1.0, 0.0, 1.0, 0.5])
    out = F.binary_cross_entropy(p, y, "none")
    expected = torch.nn.functional.binary_cross_entropy(
        torch.tensor(p), torch.tensor(y), reduction="none"
    )
    compare(out, expected, "float64")
