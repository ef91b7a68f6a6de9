"""The same values, gradients and state dicts as PyTorch, where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.nn import init

torch: Any = pytest.importorskip("torch")

BCE = "binary_cross_entropy_with_logits"
TOLERANCE = {np.float32: {"rtol": 1e-5, "atol": 1e-6}, np.float64: {"rtol": 1e-12, "atol": 1e-13}}


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Any:
    return request.param


def compare(ours: tg.Tensor, theirs: Any, dtype: Any) -> None:
    """Compare values, or gradients where both have one."""
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), **TOLERANCE[dtype])
    assert ours.dtype == dtype


def test_a_state_dict_of_pytorch_loads_and_gives_the_same_network(
    dtype: Any, rng: np.random.Generator
) -> None:
    torch_dtype = torch.float32 if dtype is np.float32 else torch.float64
    theirs = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(6, 8),
        torch.nn.Tanh(),
        torch.nn.Sequential(torch.nn.Linear(8, 5, bias=False), torch.nn.GELU()),
        torch.nn.Linear(5, 3),
    ).to(torch_dtype)
    ours = nn.Sequential(
        nn.Flatten(),
        nn.Linear(6, 8, dtype=dtype),
        nn.Tanh(),
        nn.Sequential(nn.Linear(8, 5, bias=False, dtype=dtype), nn.GELU()),
        nn.Linear(5, 3, dtype=dtype),
    )
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, labels = rng.normal(size=(4, 2, 3)).astype(dtype), np.array([0, 2, 1, 2])
    loss = nn.cross_entropy(ours(x), labels)
    expected = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
    compare(loss, expected, dtype)
    loss.backward()
    expected.backward()
    for parameter, (name, other) in zip(ours.parameters(), theirs.named_parameters(), strict=True):
        np.testing.assert_allclose(
            parameter.grad, other.grad.numpy(), **TOLERANCE[dtype], err_msg=name
        )


def test_our_state_dict_loads_into_pytorch(rng: np.random.Generator) -> None:
    ours, theirs = nn.Linear(3, 2, rng=0), torch.nn.Linear(3, 2)
    theirs.load_state_dict({n: torch.from_numpy(v) for n, v in ours.state_dict().items()})
    x = rng.normal(size=(4, 3)).astype(np.float32)
    compare(ours(x), theirs(torch.tensor(x)), np.float32)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nn.ReLU(), "ReLU()"),
        (nn.LeakyReLU(0.2), "LeakyReLU(0.2)"),
        (nn.GELU(), "GELU()"),
        (nn.GELU("tanh"), "GELU('tanh')"),
        (nn.SiLU(), "SiLU()"),
        (nn.Tanh(), "Tanh()"),
        (nn.Sigmoid(), "Sigmoid()"),
        (nn.Softmax(-1), "Softmax(-1)"),
        (nn.Softmax(0), "Softmax(0)"),
        (nn.Softplus(), "Softplus()"),
        (nn.Flatten(1, 2), "Flatten(1, 2)"),
    ],
    ids=repr,
)
def test_modules_without_parameters(
    ours: nn.Module, theirs: str, dtype: Any, rng: np.random.Generator
) -> None:
    start = (3 * rng.normal(size=(2, 3, 4))).astype(dtype)
    g = rng.normal(size=start.shape).astype(dtype)
    x, y = tg.Tensor(start), torch.tensor(start, requires_grad=True)
    out, expected = ours(x), eval(f"torch.nn.{theirs}", {"torch": torch})(y)
    compare(out, expected, dtype)
    out.backward(g.reshape(out.shape))
    expected.backward(torch.tensor(g.reshape(out.shape)))
    np.testing.assert_allclose(x.grad, y.grad.numpy(), **TOLERANCE[dtype])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["mse_loss", BCE, "cross_entropy"])
def test_losses(name: str, reduction: str, dtype: Any, rng: np.random.Generator) -> None:
    start = (4 * rng.normal(size=(5, 3))).astype(dtype)
    target: Any = rng.random((5, 3)).astype(dtype)
    if name == "cross_entropy":
        target = np.array([0, 2, 1, 1, 0])
    x, y = tg.Tensor(start), torch.tensor(start, requires_grad=True)
    out = getattr(F, name)(x, target, reduction)
    expected = getattr(torch.nn.functional, name)(y, torch.tensor(target), reduction=reduction)
    compare(out, expected, dtype)
    out.backward(np.ones(out.shape))
    expected.backward(torch.ones_like(expected))
    np.testing.assert_allclose(x.grad, y.grad.numpy(), **TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["xavier_uniform_", "kaiming_uniform_"])
def test_initial_values_have_the_bounds_of_pytorch(name: str) -> None:
    torch.manual_seed(0)
    theirs = torch.empty(200, 300)
    getattr(torch.nn.init, name)(theirs)
    ours = getattr(init, name)(tg.Tensor(np.zeros((200, 300))), rng=0)
    assert abs(ours.data).max() == pytest.approx(float(theirs.abs().max()), rel=1e-3)


def test_linear_starts_as_pytorchs_does() -> None:
    torch.manual_seed(0)
    theirs, ours = torch.nn.Linear(100, 300), nn.Linear(100, 300, rng=0)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert abs(a.data).max() == pytest.approx(float(b.detach().abs().max()), rel=0.02)
