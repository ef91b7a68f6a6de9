"""Convolution and pooling: the values, gradients and state dicts of PyTorch, where it is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

torch: Any = pytest.importorskip("torch")

TOLERANCE = {np.float32: {"rtol": 1e-5, "atol": 1e-6}, np.float64: {"rtol": 1e-12, "atol": 1e-13}}
# As both spell them; the shape of a sample.
LAYERS = [
    ("Conv1d(2, 3, 4)", (2, 9)),
    ("Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2)", (4, 11)),
    ("Conv1d(2, 3, 3, padding='same', bias=False)", (2, 9)),
    ("Conv2d(2, 3, 3)", (2, 6, 7)),
    ("Conv2d(2, 4, (3, 2), stride=(1, 2), padding=(2, 0), groups=2)", (2, 6, 7)),
    ("Conv2d(4, 4, 3, padding='same', dilation=2, groups=4)", (4, 6, 7)),
    ("Conv2d(2, 3, (2, 3), padding='valid', bias=False)", (2, 6, 7)),
    ("MaxPool2d(2)", (2, 6, 7)),
    ("MaxPool2d(3, stride=2, padding=1)", (2, 6, 7)),
    ("MaxPool2d((2, 3), stride=1, dilation=(2, 1), ceil_mode=True)", (2, 6, 7)),
    ("MaxPool2d(3, stride=2, ceil_mode=True)", (2, 6, 7)),
    ("AvgPool2d(2)", (2, 6, 7)),
    ("AvgPool2d(3, stride=2, padding=1)", (2, 6, 7)),
    ("AvgPool2d(3, stride=2, padding=1, ceil_mode=True)", (2, 6, 8)),
    ("AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)", (2, 6, 8)),
    ("AdaptiveAvgPool2d(1)", (2, 6, 7)),
    ("AdaptiveAvgPool2d((3, 5))", (2, 6, 7)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [(3,), ()], ids=["batch", "sample"])
@pytest.mark.parametrize(("text", "shape"), LAYERS, ids=lambda item: str(item))
def test_values_and_gradients(
    text: str, shape: tuple[int, ...], batch: tuple[int, ...], dtype: Any, rng: np.random.Generator
) -> None:
    ours, theirs = eval(f"nn.{text}", {"nn": nn}), eval(f"nn.{text}", {"nn": torch.nn})
    if theirs.state_dict():
        theirs = theirs.to(torch.float32 if dtype is np.float32 else torch.float64)
        ours = eval(f"nn.{text[:-1]}, dtype=dtype)", {"nn": nn, "dtype": dtype})
        ours.load_state_dict(theirs.state_dict())
    start = rng.normal(size=(*batch, *shape)).astype(dtype)
    x, y = tg.Tensor(start), torch.tensor(start, requires_grad=True)
    out, expected = ours(x), theirs(y)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), **TOLERANCE[dtype])
    assert out.dtype == dtype
    g = rng.normal(size=out.shape).astype(dtype)
    out.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad, y.grad.numpy(), **TOLERANCE[dtype])
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, other.grad.numpy(), **TOLERANCE[dtype])


def lenet(library: Any) -> Any:
    return library.Sequential(
        library.Conv2d(1, 6, 5, padding=2), library.Tanh(), library.MaxPool2d(2),
        library.Conv2d(6, 16, 5), library.Tanh(), library.AvgPool2d(2),
        library.Flatten(), library.Linear(64, 10),
    )  # fmt: skip


def test_a_state_dict_of_pytorch_gives_the_same_network(rng: np.random.Generator) -> None:
    theirs, ours = lenet(torch.nn), lenet(nn)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, labels = rng.normal(size=(4, 1, 16, 16)).astype(np.float32), np.array([3, 0, 9, 1])
    loss = nn.cross_entropy(ours(x), labels)
    expected = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
    loss.backward()
    expected.backward()
    assert float(loss) == pytest.approx(float(expected.detach()), rel=1e-5)
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, other.grad.numpy(), **TOLERANCE[np.float32])
    theirs.load_state_dict({n: torch.from_numpy(v) for n, v in ours.state_dict().items()})


@pytest.mark.parametrize("text", ["Conv1d(20, 300, 5)", "Conv2d(20, 300, 3, groups=2)"])
def test_layers_start_as_pytorchs_do(text: str) -> None:
    torch.manual_seed(0)
    ours = eval(f"nn.{text[:-1]}, rng=0)", {"nn": nn})
    theirs = eval(f"nn.{text}", {"nn": torch.nn})
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert a.shape == tuple(b.shape)
        assert abs(a.data).max() == pytest.approx(float(b.detach().abs().max()), rel=0.03)
