"""Recurrent layers, embeddings and attention give what PyTorch's give, from PyTorch's weights."""

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


def twins(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """Return a layer of ours with the weights of PyTorch's, and that."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **options)
    ours = getattr(nn, name)(*args, **options)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours, theirs


def assert_same(
    ours: Any, theirs: Any, out: Any, expected: Any, inputs: list[tuple[tg.Tensor, Any]]
) -> None:
    """Compare results, and the gradients of parameters and of pairs of inputs."""
    g = np.random.default_rng(1).normal(size=out.shape).astype(np.float32)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), **CLOSE)
    out.backward(g)
    expected.backward(torch.tensor(g))
    for name, parameter in theirs.named_parameters():
        mine = dict(ours.named_parameters())[name]
        np.testing.assert_allclose(mine.grad, parameter.grad, err_msg=name, **CLOSE)
    for mine, other in inputs:
        np.testing.assert_allclose(mine.grad, other.grad, **CLOSE)


def pair(rng: np.random.Generator, *shape: int) -> tuple[tg.Tensor, Any]:
    """Draw an input, for both."""
    x = rng.normal(size=shape).astype(np.float32)
    return tg.Tensor(x), torch.tensor(x, requires_grad=True)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "bias": False, "batch_first": True},
]


@pytest.mark.parametrize("shape", [(5, 2, 3), (5, 3)], ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["RNN", "RNN relu", "GRU", "LSTM"])
def test_recurrent_layers(
    name: str, options: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    name, _, relu = name.partition(" ")
    ours, theirs = twins(name, 3, 4, **options, **({"nonlinearity": relu} if relu else {}))
    x, y = pair(rng, *shape)
    count = ours.num_layers * (1 + ours.bidirectional)
    batch = () if len(shape) == 2 else (shape[0] if ours.batch_first else shape[1],)
    states = [pair(rng, count, *batch, 4) for _ in ours.states]
    many = len(states) == 2
    out, last = ours(x, tuple(s for s, _ in states) if many else states[0][0])
    expected, end = theirs(y, tuple(s for _, s in states) if many else states[0][1])
    total = tg.concatenate([out.ravel(), *(s.ravel() for s in (last if many else [last]))])
    wanted = torch.cat([expected.ravel(), *(s.ravel() for s in (end if many else [end]))])
    assert out.shape == tuple(expected.shape)
    assert_same(ours, theirs, total, wanted, [(x, y), *states])


@pytest.mark.parametrize("padding", [None, 2, -1])
def test_embedding(padding: int | None) -> None:
    ours, theirs = twins("Embedding", 5, 3, padding_idx=padding)
    indices = np.array([[0, 2, 2], [4, 4, 1]])
    assert_same(ours, theirs, ours(indices), theirs(torch.tensor(indices)), [])


@pytest.mark.parametrize("masks", ["none", "booleans", "floats"])
@pytest.mark.parametrize(
    "options", [{}, {"kdim": 3, "vdim": 5}, {"batch_first": True, "bias": False}], ids=str
)
def test_heads(options: Any, masks: str, rng: np.random.Generator) -> None:
    ours, theirs = twins("MultiheadAttention", 8, 2, **options)
    shapes = [(2, 3, 8), (2, 4, ours.kdim), (2, 4, ours.vdim)]
    if not ours.batch_first:
        shapes = [(shape[1], shape[0], shape[2]) for shape in shapes]
    inputs = [pair(rng, *shape) for shape in shapes]
    given: dict[str, Any] = {}
    if masks != "none":
        padding = np.array([[False, False, True, False], [False] * 4])
        mask = rng.random((4, 3, 4)) < 0.3
        mask[..., 0] = False
        given = {"key_padding_mask": padding, "attn_mask": mask}
    if masks == "floats":
        given = {k: rng.normal(size=v.shape).astype(np.float32) for k, v in given.items()}
    torch_given = {k: torch.tensor(v) for k, v in given.items()}
    for average in (True, False):
        out, weights = ours(*(x for x, _ in inputs), average_attn_weights=average, **given)
        expected, others = theirs(
            *(y for _, y in inputs), average_attn_weights=average, **torch_given
        )
        np.testing.assert_allclose(weights.data, others.detach().numpy(), **CLOSE)
    assert_same(ours, theirs, out, expected, inputs)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("floats", [True, False, None])
def test_attention(floats: bool | None, causal: bool, rng: np.random.Generator) -> None:
    q, k, v = pair(rng, 2, 3, 4), pair(rng, 2, 5, 4), pair(rng, 2, 5, 6)
    mask: Any = None
    if floats is not None and not causal:
        mask = rng.normal(size=(3, 5)).astype(np.float32) if floats else rng.random((3, 5)) < 0.5
        mask[1] = -np.inf if floats else False
    ours = F.scaled_dot_product_attention(q[0], k[0], v[0], mask, is_causal=causal)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        q[1], k[1], v[1], None if mask is None else torch.tensor(mask), is_causal=causal
    )
    g = rng.normal(size=ours.shape).astype(np.float32)
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), **CLOSE)
    ours.backward(g)
    theirs.backward(torch.tensor(g))
    for mine, other in (q, k, v):
        np.testing.assert_allclose(mine.grad, other.grad, **CLOSE)


@pytest.mark.parametrize("options", [
    {}, {"norm_first": True, "activation": "gelu", "batch_first": True}, {"bias": False},
], ids=str)  # fmt: skip
def test_transformer_layer(options: Any, rng: np.random.Generator) -> None:
    ours, theirs = twins("TransformerEncoderLayer", 8, 2, 16, dropout=0.0, **options)
    x, y = pair(rng, 5, 2, 8) if not options.get("batch_first") else pair(rng, 2, 5, 8)
    padding = np.array([[False] * 5, [False, False, False, True, True]])
    mask = ~np.tri(5, dtype=bool)
    out = ours(x, src_key_padding_mask=padding, is_causal=True)
    expected = theirs(y, torch.tensor(mask), torch.tensor(padding))
    assert_same(ours, theirs, out, expected, [(x, y)])


@pytest.mark.parametrize("name", ["LSTM", "TransformerEncoderLayer"])
def test_a_safetensors_file_of_pytorch_loads(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    writer = pytest.importorskip("safetensors.torch")
    reader = pytest.importorskip("safetensors.numpy")
    sizes = {"LSTM": (8, 4, 2), "TransformerEncoderLayer": (8, 2, 16)}[name]
    theirs = getattr(torch.nn, name)(*sizes).eval()
    writer.save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours = getattr(nn, name)(*sizes).eval()
    ours.load_state_dict(reader.load_file(tmp_path / "weights.safetensors"))
    x, y = pair(rng, 5, 2, 8)
    out, expected = ours(x), theirs(y)
    if name == "LSTM":
        out, expected = out[0], expected[0]
    np.testing.assert_allclose(out.data, expected.detach().numpy(), **CLOSE)
