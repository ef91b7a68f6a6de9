"""Muon: against the iteration written out with singular values, and PyTorch's without bfloat16."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from optim_rules import gradient, start
from side_by_side import told_twice
from tensorgrad.optim import Adam, AdamW, Muon
from tensorgrad.optim.muon import orthogonalized

SHAPES = [(3, 4), (6, 2), (1, 5), (4, 4), (5, 1)]
OPTIONS = [
    {"lr": 0.02},
    {"lr": 0.02, "nesterov": False, "momentum": 0.8, "weight_decay": 0.0},
    {"lr": 0.02, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3},
]


def by_hand(x, count, lr, weight_decay=0.1, momentum=0.95, nesterov=True, ns_steps=5,
            adjust_lr_fn="original"):  # fmt: skip
    """Apply the quintic to singular values, where Muon multiplies matrices."""
    m = np.zeros_like(x)
    for k in range(count):
        g = gradient(k, x)
        m = momentum * m + (1 - momentum) * g
        u, s, v = np.linalg.svd((1 - momentum) * g + momentum * m if nesterov else m)
        s = s / max(np.sqrt((s**2).sum()), 1e-7)
        for _ in range(ns_steps):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        factor = max(1.0, x.shape[0] / x.shape[1]) ** 0.5
        if adjust_lr_fn != "original":
            factor = 0.2 * max(x.shape) ** 0.5
        x = (1 - lr * weight_decay) * x - lr * factor * (u[:, : len(s)] * s) @ v[: len(s)]
    return x


def steps(optimizer, count):
    for k in range(count):
        for p in optimizer.params:
            p.grad = gradient(k, p.data)
        optimizer.step()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_twenty_steps_equal_the_singular_values_written_out(options):
    params = [tg.Tensor(start(np.float64, shape)) for shape in SHAPES]
    steps(Muon(params, **options), 20)
    for p in params:
        expected = by_hand(start(np.float64, p.shape), 20, **options)
        np.testing.assert_allclose(p.data, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 2e-5)])
def test_twenty_steps_equal_pytorch(options, dtype, tolerance, monkeypatch):
    """PyTorch's orthogonalises in bfloat16, to three digits: here it is made not to."""
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    params = [tg.Tensor(start(dtype, shape)) for shape in SHAPES]
    theirs = [torch.tensor(p.data, requires_grad=True) for p in params]
    steps(Muon(params, **options), 20)
    optimizer = torch.optim.Muon(theirs, **options)
    for k in range(20):
        for q in theirs:
            q.grad = torch.tensor(gradient(k, q.detach().numpy()))
        optimizer.step()
    for p, q in zip(params, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)
        assert p.dtype == dtype


@pytest.mark.parametrize("shape", [(8, 8), (3, 20), (20, 3)])
def test_singular_values_are_near_one(shape):
    x = np.random.default_rng(0).normal(size=shape)
    s = np.linalg.svd(orthogonalized(x, 5, 1e-7), compute_uv=False)
    assert 0.5 < s.min() <= s.max() < 1.3


def test_a_gradient_of_zero_changes_nothing():
    """Case 100."""
    p = tg.Tensor(start(np.float32))
    p.grad = np.zeros_like(p.data)
    Muon([p], weight_decay=0).step()
    np.testing.assert_array_equal(p.data, start(np.float32))


def test_memory_of_any_layout_and_of_no_size():
    columns = tg.as_tensor(np.asfortranarray(start(np.float64))).requires_grad_()
    plain, empty = tg.Tensor(start(np.float64)), tg.Tensor(np.zeros((0, 3)))
    steps(Muon([columns, empty]), 3)
    steps(Muon([plain]), 3)
    np.testing.assert_array_equal(columns.data, plain.data)
    assert columns.data.flags.f_contiguous


def test_what_is_no_matrix_is_refused():
    model = tg.nn.MLP(3, [4, 2], rng=0)
    with pytest.raises(ValueError, match=r"parameter 1 has shape \(4,\).*AdamW"):
        Muon(model.parameters())
    with pytest.raises(ValueError, match="adjust_lr_fn is 'mine'"):
        Muon([model.parameters()[0]], adjust_lr_fn="mine")
    with pytest.raises(ValueError, match="ns_steps is 0"):
        Muon([model.parameters()[0]], ns_steps=0)
    with pytest.raises(TypeError, match="ns_steps is 2"):
        Muon([model.parameters()[0]], ns_steps=2.5)


def test_a_copy_keeps_the_shapes_of_the_state():
    p = tg.Tensor(start(np.float64))
    optimizer = Muon([p])
    steps(optimizer, 2)
    assert optimizer.state[0]["m"].shape == (3, 4)
    other = Muon([tg.Tensor(p.data)])
    other.load_state_dict(optimizer.state_dict())
    steps(optimizer, 2)
    steps(other, 2)
    np.testing.assert_array_equal(p.data, other.params[0].data)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_steps_are_equal_to_the_bit(dtype):
    """Beside another optimiser for what is no matrix."""

    def story(compiled):
        model = tg.nn.MLP(4, [8, 5, 3], "relu", output_activation=None, dtype=dtype, rng=0)
        params = model.parameters()
        muon = Muon([p for p in params if p.ndim == 2], lr=0.02)
        adam = AdamW([p for p in params if p.ndim != 2], lr=0.01)

        @compiled
        def step(x, y):
            model.zero_grad()
            loss = tg.nn.cross_entropy(model(x), y)
            loss.backward()
            muon.step()
            adam.step()
            return loss

        rng = np.random.default_rng(0)
        for _ in range(50):
            yield step(rng.normal(size=(7, 4)).astype(dtype), rng.integers(0, 3, 7))
        yield model, muon, adam

    told_twice(story, runs=1)


def test_it_trains_a_network():
    x, y = tg.data.make_moons(200, noise=0.1, rng=0)
    losses = {}
    for name in ("muon", "adam"):
        model = tg.nn.MLP(2, [16, 16, 2], "relu", output_activation=None, rng=0)
        params = model.parameters()
        matrices = [p for p in params if p.ndim == 2]
        optimizers = [Adam([p for p in params if p.ndim != 2], lr=0.01)]
        optimizers += [Muon(matrices, lr=0.02) if name == "muon" else Adam(matrices, lr=0.01)]
        for _ in range(100):
            model.zero_grad()
            loss = tg.nn.cross_entropy(model(x), y)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        losses[name] = float(loss)
    assert losses["muon"] < 0.2
    assert losses["adam"] < 0.2
