"""Attention and the transformer layer, against loops in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F


def by_hand(q: Any, k: Any, v: Any, allowed: Any, added: Any) -> tuple[Any, Any]:
    """Return what one head gives, query by query, and its weights."""
    out, weights = np.zeros((len(q), v.shape[1])), np.zeros((len(q), len(k)))
    for i, query in enumerate(q):
        seen = [j for j in range(len(k)) if allowed[i, j]]
        scores = [query @ k[j] / math.sqrt(len(query)) + added[i, j] for j in seen]
        total = sum(math.exp(s) for s in scores)
        for j, score in zip(seen, scores, strict=True):
            weights[i, j] = math.exp(score) / total
            out[i] += weights[i, j] * v[j]
    return out, weights


def drawn(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Any]:
    return [rng.normal(size=shape) for shape in shapes]


MASKS: dict[str, Any] = {
    "none": None,
    "booleans": np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 1]], bool),
    "floats": np.array([[0.5, -np.inf, 1, 0], [0, 0, -2, 0], [-np.inf, 1, 1, -np.inf]]),
    "causal": "causal",
}


@pytest.mark.parametrize("mask", MASKS)
def test_attention_is_a_loop_over_queries(mask: str, rng: np.random.Generator) -> None:
    q, k, v = drawn(rng, (2, 3, 5), (2, 4, 5), (2, 4, 6))
    given = MASKS[mask]
    allowed, added, causal = np.ones((3, 4), bool), np.zeros((3, 4)), mask == "causal"
    if mask == "booleans":
        allowed = given
    elif mask == "floats":
        added = given
    elif causal:
        allowed, given = np.arange(4) <= np.arange(3)[:, None], None
    out = F.scaled_dot_product_attention(q, k, v, given, is_causal=causal)
    for n in range(2):
        expected, _ = by_hand(q[n], k[n], v[n], allowed, added)
        np.testing.assert_allclose(out.data[n], expected, rtol=1e-12)


def test_the_scale_may_be_given(rng: np.random.Generator) -> None:
    q, k, v = drawn(rng, (3, 4), (3, 4), (3, 2))
    scaled = F.scaled_dot_product_attention(q, k, v, scale=0.25)
    usual = F.scaled_dot_product_attention(q / 2, k, v)
    np.testing.assert_allclose(scaled.data, usual.data, rtol=1e-12)


def test_gradients_of_attention_and_of_a_learned_bias(rng: np.random.Generator) -> None:
    q, k, v, bias = drawn(rng, (2, 3, 4), (2, 3, 4), (2, 3, 2), (3, 3))

    def weighed(q: Any, k: Any, v: Any, bias: Any) -> Any:
        blocked = np.where(np.tri(3, dtype=bool), bias, -np.inf)
        return F.scaled_dot_product_attention(q, k, v, blocked)

    tg.check_grads(weighed, q, k, v, bias)


@pytest.mark.parametrize("floats", [True, False])
def test_a_query_without_a_key_gets_zeros(floats: bool, rng: np.random.Generator) -> None:
    """Case 27 has NaN for the softmax of such a row; here there is an answer."""
    q, k, v = (tg.Tensor(x) for x in drawn(rng, (2, 4), (3, 4), (3, 4)))
    mask: Any = np.array([[True, False, True], [False] * 3])
    out = F.scaled_dot_product_attention(q, k, v, np.where(mask, 0.0, -np.inf) if floats else mask)
    out.sum().backward()
    assert out.data[0].all()
    assert not out.data[1].any()
    assert not q.grad[1].any()
    assert all(np.isfinite(x.grad).all() for x in (q, k, v))


@pytest.mark.parametrize("shape", [(2, 3, 0), (2, 0, 3), (0, 2, 3)], ids=str)
def test_nothing_to_look_at_and_nobody_to_look(shape: tuple[int, int, int]) -> None:
    batch, queries, keys = shape
    q, k, v = (tg.Tensor(np.ones((batch, n, 4))) for n in (queries, keys, keys))
    out = F.scaled_dot_product_attention(q, k, v, np.ones((queries, keys), bool))
    out.sum().backward()
    assert out.shape == (batch, queries, 4)
    assert not q.grad.any()
    assert keys or not out.data.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_masks_do_not_widen(dtype: Any) -> None:
    """Case 65."""
    layer = nn.MultiheadAttention(4, 2, dtype=dtype, rng=0)
    x = np.ones((3, 1, 4), dtype)
    mask = np.where(np.tri(3, dtype=bool), 0.5, -np.inf)
    out, weights = layer(x, x, x, attn_mask=mask)
    assert weights is not None
    assert out.dtype == weights.dtype == dtype
    assert F.scaled_dot_product_attention(x, x, x, np.zeros((1, 1))).dtype == dtype
    assert layer(x.astype(float), x, x)[0].dtype == dtype


def test_what_is_masked_has_no_influence(rng: np.random.Generator) -> None:
    """Even where it is enormous (rule 7)."""
    q, k, v = drawn(rng, (2, 4), (3, 4), (3, 4))
    k[2] = 1e300
    k, v, q = tg.Tensor(k), tg.Tensor(v), tg.Tensor(q)
    out = F.scaled_dot_product_attention(q, k, v, np.array([True, True, False]))
    out.sum().backward()
    assert np.isfinite(out.data).all()
    assert not k.grad[2].any()
    assert not v.grad[2].any()


def test_dropout_of_weights(rng: np.random.Generator) -> None:
    q, k = drawn(rng, (3, 4), (200, 4))
    out = F.scaled_dot_product_attention(q, k, np.eye(200), dropout_p=0.25, rng=1).data
    whole = F.scaled_dot_product_attention(q, k, np.eye(200)).data
    assert 0.15 < (out == 0).mean() < 0.35
    np.testing.assert_allclose(out[out > 0], (whole / 0.75)[out > 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"query": np.ones((2, 3))}, ValueError, r"query \(2, 3\), key \(5, 4\)"),
        ({"value": np.ones((6, 4))}, ValueError, r"value \(6, 4\); expected"),
        ({"key": np.ones(4)}, ValueError, "expected"),
        ({"attn_mask": np.ones((2, 5), int)}, TypeError, "int64; expected booleans or floats"),
        ({"attn_mask": np.ones((2, 5), bool), "is_causal": True}, ValueError, "and is_causal"),
        ({"dropout_p": 2.0}, ValueError, "dropout_p is 2.0; expected a number >= 0 and <= 1"),
    ],
)
def test_bad_attention_is_refused(change: dict[str, Any], error: Any, text: str) -> None:
    given = {"query": np.ones((2, 4)), "key": np.ones((5, 4)), "value": np.ones((5, 4))}
    with pytest.raises(error, match=text):
        F.scaled_dot_product_attention(**given | change)


# --- several heads --------------------------------------------------------------------------------


def heads_by_hand(layer: Any, q: Any, k: Any, v: Any, allowed: Any) -> tuple[Any, Any]:
    """Return what a layer gives for one sequence, and the weights of each head."""
    state, size = layer.state_dict(), layer.embed_dim
    if "in_proj_weight" in state:
        maps = np.split(state["in_proj_weight"], 3)
    else:
        maps = [state[f"{name}_proj_weight"] for name in "qkv"]
    biases = np.split(state["in_proj_bias"], 3)
    q, k, v = (x @ w.T + b for x, w, b in zip((q, k, v), maps, biases, strict=True))
    width = size // layer.num_heads
    outs, weights = [], []
    for h in range(layer.num_heads):
        part = slice(h * width, (h + 1) * width)
        out, weight = by_hand(q[:, part], k[:, part], v[:, part], allowed, np.zeros(allowed.shape))
        outs.append(out)
        weights.append(weight)
    mapped = np.concatenate(outs, axis=1) @ state["out_proj.weight"].T + state["out_proj.bias"]
    return mapped, np.stack(weights)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"kdim": 3, "vdim": 5}], ids=str)
def test_heads_are_apart(sizes: Any, batch_first: bool, rng: np.random.Generator) -> None:
    layer = nn.MultiheadAttention(
        4, 2, batch_first=batch_first, dtype=np.float64, rng=0, **sizes
    )  # fmt: skip
    assert layer.in_proj_bias is not None
    layer.in_proj_bias.data = rng.normal(size=12)
    layer.out_proj.bias.data = rng.normal(size=4)  # type: ignore[union-attr]
    q, k, v = drawn(rng, (2, 3, 4), (2, 4, layer.kdim), (2, 4, layer.vdim))
    padding = np.array([[False, False, True, False], [False] * 4])
    mask = np.array([[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]], bool)
    given = [x if batch_first else x.swapaxes(0, 1) for x in (q, k, v)]
    out, weights = layer(*given, padding, attn_mask=mask, average_attn_weights=False)
    mean = layer(*given, padding, attn_mask=mask)[1]
    out = out.data if batch_first else out.data.swapaxes(0, 1)
    for n in range(2):
        expected, heads = heads_by_hand(layer, q[n], k[n], v[n], ~mask & ~padding[n])
        np.testing.assert_allclose(out[n], expected, rtol=1e-11)
        np.testing.assert_allclose(weights.data[n], heads, rtol=1e-11)
        np.testing.assert_allclose(mean.data[n], heads.mean(axis=0), rtol=1e-11)
        alone = layer(q[n], k[n], v[n], padding[n], attn_mask=mask)
        np.testing.assert_allclose(alone[0].data, expected, rtol=1e-11)
        assert alone[1].shape == (3, 4)


def test_self_attention_and_three_equal_inputs_agree(rng: np.random.Generator) -> None:
    """One map of 3 features in place of three maps."""
    layer = nn.MultiheadAttention(4, 2, dtype=np.float64, rng=0)
    x = tg.Tensor(rng.normal(size=(5, 2, 4)))
    found = []
    for key in (x, x * 1.0):
        layer.zero_grad()
        out, none = layer(x, key, x, need_weights=False, is_causal=True)
        assert none is None
        (out * out).sum().backward()
        found.append([out.data, *(p.grad for p in layer.parameters())])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_masks_of_both_kinds_meet(rng: np.random.Generator) -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True, dtype=np.float64, rng=0)
    x = rng.normal(size=(2, 3, 4))
    causal = ~np.tri(3, dtype=bool)
    padding = np.array([[False, False, True], [False] * 3])
    expected, _ = layer(x, x, x, padding, attn_mask=causal)
    for mask in (causal, np.where(causal, -np.inf, 0.0), np.repeat(causal[None], 4, axis=0)):
        for pad in (padding, np.where(padding, -np.inf, 0.0)):
            np.testing.assert_allclose(layer(x, x, x, pad, attn_mask=mask)[0].data, expected.data)
    hinted, _ = layer(x, x, x, padding, is_causal=True)
    np.testing.assert_array_equal(hinted.data, expected.data)


def test_what_a_mask_adds_counts_beside_another_that_blocks(rng: np.random.Generator) -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True, dtype=np.float64, rng=0)
    x, bias, more = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 3)), rng.normal(size=(2, 3))
    padding = np.array([[False, False, True], [False] * 3])
    blocks = np.where(padding, -np.inf, 0.0)
    expected, _ = layer(x, x, x, blocks, attn_mask=bias)
    np.testing.assert_allclose(layer(x, x, x, padding, attn_mask=bias)[0].data, expected.data)
    both = np.repeat(bias + more[:, None], 2, axis=0)
    added, _ = layer(x, x, x, more, attn_mask=bias)
    np.testing.assert_allclose(added.data, layer(x, x, x, attn_mask=both)[0].data)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"query": np.ones((3, 2, 5))}, r"shape \(3, 2, 5\); expected \(time, batch, 4\)"),
        ({"key": np.ones((3, 1, 4)), "value": np.ones((3, 1, 4))}, "one number of sequences"),
        ({"value": np.ones((2, 2, 4))}, "as many values as keys"),
        ({"attn_mask": np.ones((2, 3), bool)}, r"expected \(3, 3\) or \(4, 3, 3\)"),
        ({"key_padding_mask": np.ones((3, 2), bool)}, r"expected \(2, 3\)"),
    ],
)
def test_bad_input_of_heads_is_refused(change: dict[str, Any], text: str) -> None:
    x = np.ones((3, 2, 4))
    with pytest.raises(ValueError, match=text):
        nn.MultiheadAttention(4, 2)(**{"query": x, "key": x, "value": x} | change)


def test_heads_must_divide_the_features() -> None:
    with pytest.raises(ValueError, match="embed_dim is 5; expected a multiple of 2"):
        nn.MultiheadAttention(5, 2)


# --- the transformer layer ------------------------------------------------------------------------


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu", np.tanh], ids=str)
def test_the_layer_is_what_it_says(
    activation: Any, norm_first: bool, rng: np.random.Generator
) -> None:
    layer = nn.TransformerEncoderLayer(
        4, 2, 6, activation=activation, norm_first=norm_first, dtype=np.float64, rng=0
    ).eval()
    squash = {"relu": tg.relu, "gelu": tg.gelu}.get(activation, activation)
    x = tg.Tensor(rng.normal(size=(5, 2, 4)))

    def attended(x: Any) -> Any:
        return layer.self_attn(x, x, x, is_causal=True)[0]

    def mapped(x: Any) -> Any:
        return layer.linear2(squash(layer.linear1(x)))

    if norm_first:
        inner = x + attended(layer.norm1(x))
        expected = inner + mapped(layer.norm2(inner))
    else:
        inner = layer.norm1(x + attended(x))
        expected = layer.norm2(inner + mapped(inner))
    np.testing.assert_allclose(layer(x, is_causal=True).data, expected.data, rtol=1e-12)


def test_a_causal_layer_does_not_see_what_comes(rng: np.random.Generator) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, rng=0).eval()
    x = rng.normal(size=(1, 6, 8))
    before = layer(x, is_causal=True).data
    x[0, 4:] = 9.0
    after = layer(x, is_causal=True).data
    np.testing.assert_array_equal(after[0, :4], before[0, :4])
    assert (after[0, 4:] != before[0, 4:]).any()


def test_dropout_is_on_in_training_alone(rng: np.random.Generator) -> None:
    layer, x = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, rng=0), rng.normal(size=(4, 2, 8))
    assert (layer(x).data != layer(x).data).any()
    layer.eval()
    np.testing.assert_array_equal(layer(x).data, layer(x).data)


def test_names_are_pytorchs() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 6)
    assert list(layer.state_dict()) == [
        "self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
        "self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight",
        "linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias",
    ]  # fmt: skip
    without = nn.TransformerEncoderLayer(4, 2, 6, bias=False)
    assert not [name for name in without.state_dict() if "bias" in name]
    with pytest.raises(ValueError, match="activation is 'swish'"):
        nn.TransformerEncoderLayer(4, 2, activation="swish")
