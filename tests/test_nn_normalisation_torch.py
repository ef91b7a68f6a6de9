"""Normalisation layers and their states beside PyTorch's, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F

torch: Any = pytest.importorskip("torch")

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("BatchNorm1d", (3,), {}, (6, 3)),
    ("BatchNorm1d", (3,), {"momentum": None}, (4, 3, 5)),
    ("BatchNorm1d", (3,), {"affine": False, "momentum": 0.3}, (6, 3)),
    ("BatchNorm1d", (3,), {"track_running_stats": False}, (6, 3)),
    ("BatchNorm2d", (3,), {"eps": 1e-2}, (4, 3, 5, 2)),
    ("LayerNorm", (5,), {}, (4, 3, 5)),
    ("LayerNorm", ((3, 5),), {"eps": 1e-2}, (4, 3, 5)),
    ("LayerNorm", (5,), {"bias": False}, (4, 5)),
    ("LayerNorm", (5,), {"elementwise_affine": False}, (4, 5)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5)),
    ("GroupNorm", (1, 4), {"affine": False}, (3, 4)),
    ("RMSNorm", (5,), {}, (4, 3, 5)),
    ("RMSNorm", ((3, 5),), {"eps": 1e-2}, (4, 3, 5)),
]


@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS)
def test_values_gradients_and_statistics_over_some_steps(
    name: str,
    args: tuple[Any, ...],
    options: dict[str, Any],
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> None:
    """Case 102."""
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    drawn = torch.Generator().manual_seed(0)  # of some draws PyTorch's float32 is 6e-5 from float64
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.uniform_(0.5, 1.5, generator=drawn)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for _ in range(4):
        start, g = rng.normal(1.0, 2.0, (2, *shape)).astype(np.float32)
        x, y = tg.Tensor(start), torch.tensor(start, requires_grad=True)
        out, expected = ours(x), theirs(y)
        np.testing.assert_allclose(out.data, expected.detach().numpy(), **CLOSE)
        ours.zero_grad()
        theirs.zero_grad()
        out.backward(g)
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(x.grad, y.grad.numpy(), **CLOSE)
        for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(parameter.grad, other.grad.numpy(), **CLOSE)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[key], value.numpy(), **CLOSE)
    out, expected = ours.eval()(start), theirs.eval()(torch.tensor(start))
    np.testing.assert_allclose(out.data, expected.detach().numpy(), **CLOSE)


def test_functions_take_the_arguments_of_pytorch(rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 6)).astype(np.float32)
    weight, bias = rng.normal(size=(2, 6)).astype(np.float32)
    theirs = torch.nn.functional
    t, w, b = (torch.tensor(array) for array in (x, weight, bias))
    mean, var = np.zeros(6, np.float32), np.ones(6, np.float32)
    their_mean, their_var = torch.zeros(6), torch.ones(6)
    pairs = [
        (F.batch_norm(x, mean, var, weight, bias, True, 0.2, 1e-3),
         theirs.batch_norm(t, their_mean, their_var, w, b, True, 0.2, 1e-3)),
        (F.batch_norm(x, mean, var, weight, bias),
         theirs.batch_norm(t, their_mean, their_var, w, b)),
        (F.layer_norm(x, (6,), weight, bias, 1e-3), theirs.layer_norm(t, (6,), w, b, 1e-3)),
        (F.group_norm(x, 3, weight, bias, 1e-3), theirs.group_norm(t, 3, w, b, 1e-3)),
        (F.rms_norm(x, (6,), weight, 1e-3), theirs.rms_norm(t, (6,), w, 1e-3)),
        (F.rms_norm(x, (6,)), theirs.rms_norm(t, (6,))),
    ]  # fmt: skip
    for ours, expected in pairs:
        np.testing.assert_allclose(ours.data, expected.numpy(), **CLOSE)
    np.testing.assert_allclose(mean, their_mean.numpy(), **CLOSE)
    np.testing.assert_allclose(var, their_var.numpy(), **CLOSE)


class Network(nn.Module):
    """An embedding tied to the last layer, and norms between."""

    def __init__(self) -> None:
        self.table = tg.Tensor(np.zeros((7, 4), np.float32))
        self.norms = nn.ModuleList([nn.BatchNorm1d(4), nn.LayerNorm(4)])
        self.head = nn.Linear(4, 7, rng=0)
        self.head.weight = self.table

    def forward(self, words: Any) -> Any:
        x = self.table[words]
        for norm in self.norms:
            x = norm(x)
        return self.head(x)


class Theirs(torch.nn.Module):  # type: ignore[misc]
    """The same."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(7, 4))
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm1d(4), torch.nn.LayerNorm(4)])
        self.head = torch.nn.Linear(4, 7)
        self.head.weight = self.table

    def forward(self, words: Any) -> Any:
        x = self.table[words]
        for norm in self.norms:
            x = norm(x)
        return self.head(x)


@pytest.mark.parametrize("file", [False, True], ids=["state dict", "safetensors"])
def test_a_state_with_buffers_and_tied_weights_loads(file: bool, tmp_path: Path) -> None:
    """Cases 99, 101: PyTorch's state has both names of a tied weight, a file one of them."""
    torch.manual_seed(0)
    theirs, ours, words = Theirs(), Network(), np.array([0, 3, 6, 3])
    for _ in range(3):
        theirs(torch.tensor(words))
    state: Any = theirs.state_dict()
    if file:
        safetensors: Any = pytest.importorskip("safetensors")
        library: Any = pytest.importorskip("safetensors.torch")
        library.save_model(theirs, str(tmp_path / "model.safetensors"))
        with safetensors.safe_open(tmp_path / "model.safetensors", framework="np") as opened:
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    assert len(state) == (9 if file else 10)
    assert ours.load_state_dict(state) == ([], [])
    assert ours.norms[0].num_batches_tracked == 3
    got, expected = ours.eval()(words), theirs.eval()(torch.tensor(words))
    np.testing.assert_allclose(got.data, expected.detach().numpy(), **CLOSE)
