"""Sequence models trained by a compiled step: 50 steps are equal to eager to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn, optim

STEPS = 50
LETTERS = 7


class Reader(nn.Module):
    """An embedding, recurrent layers, and a score for each letter."""

    def __init__(self, kind: type[nn.RNN | nn.LSTM | nn.GRU], **options: Any) -> None:
        self.embedding = nn.Embedding(LETTERS, 4, rng=0)
        self.body = kind(4, 6, num_layers=2, dropout=0.25, rng=1, **options)
        self.head = nn.Linear(12 if self.body.bidirectional else 6, LETTERS, rng=2)

    def forward(self, letters: Any) -> Any:
        return self.head(self.body(self.embedding(letters))[0])


class Transformer(nn.Module):
    """A letter and its place, two layers with dropout, and a score for each letter."""

    def __init__(self, norm_first: bool = True) -> None:
        self.letters = nn.Embedding(LETTERS, 8, padding_idx=0, rng=0)
        self.places = nn.Embedding(5, 8, rng=1)
        self.layers = [
            nn.TransformerEncoderLayer(
                8, 2, 16, 0.1, "gelu", batch_first=True, norm_first=norm_first, rng=k
            )
            for k in range(2)
        ]
        self.head = nn.Linear(8, LETTERS, rng=3)

    def forward(self, letters: Any) -> Any:
        x = self.letters(letters) + self.places(np.arange(letters.shape[1]))
        for layer in self.layers:
            x = layer(x, is_causal=True)
        return self.head(x)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: Reader(nn.RNN, nonlinearity="relu"),
    "LSTM": lambda: Reader(nn.LSTM),
    "GRU": lambda: Reader(nn.GRU, bidirectional=True),
    "transformer": Transformer,
    "transformer, norms last": lambda: Transformer(norm_first=False),
}


@pytest.mark.parametrize("name", MODELS)
def test_fifty_steps(name: str) -> None:
    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = MODELS[name]()
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(STEPS):
            text = np.random.default_rng(i).integers(0, LETTERS, (3, 6))
            yield step(text[:, :-1], text[:, 1:])
        yield model, optimizer, list(model.parameters())

    told_twice(story, runs=1)


def test_a_state_is_carried_from_call_to_call() -> None:
    """As when text is read in pieces, or written letter by letter."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = nn.LSTM(3, 4, num_layers=2, rng=0)
        forward = compiled(model.forward)
        state: Any = (np.zeros((2, 2, 4), np.float32), np.zeros((2, 2, 4), np.float32))
        for i in range(4):
            out, state = forward(np.full((3, 2, 3), 0.1 * i, np.float32), state)
            yield out.data, [s.data for s in state]
            state = tuple(s.data for s in state)

    told_twice(story, runs=1)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_penalty_on_gradients(kind: Any) -> None:
    """The loops are differentiated themselves, beside states that are plain arrays."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = kind(3, 4, rng=0)

        @compiled
        def penalty(x: Any, state: Any) -> Any:
            model.zero_grad()
            x = tg.Tensor(x)
            out, _ = model(x, (state, state) if kind is nn.LSTM else state)
            (slope,) = tg.gradients((out * out).sum(), [x], create_graph=True)
            (slope * slope).sum().backward()
            return slope.data, [p.grad for p in model.parameters()]

        for i in range(3):
            rng = np.random.default_rng(i)
            yield penalty(*(rng.normal(size=s).astype(np.float32) for s in [(3, 2, 3), (1, 2, 4)]))

    told_twice(story, runs=1)


def test_a_letter_out_of_range_raises_as_in_eager() -> None:
    """Case 29, for embeddings; nothing has been changed before."""
    layer = nn.Embedding(LETTERS, 4, rng=0)
    look_up = tg.compile(lambda letters: layer(letters))
    assert look_up(np.array([0, 6])).shape == (2, 4)
    for bad in (-1, LETTERS):
        with pytest.raises(IndexError, match=f"an index is {bad}"):
            look_up(np.array([0, bad]))


def test_masks_are_seen_at_each_call() -> None:
    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        layer = nn.MultiheadAttention(4, 2, batch_first=True, rng=0)
        x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)

        @compiled
        def attended(x: Any, padding: Any, mask: Any) -> Any:
            x = tg.Tensor(x)
            layer.zero_grad()
            out, weights = layer(x, x, x, padding, attn_mask=mask)
            out.sum().backward()
            return out, weights, x.grad

        for i in range(4):
            padding = np.arange(3) >= [[3 - i], [1]]  # in the end all keys of a sequence
            yield attended(x, padding, np.where(np.tri(3, dtype=bool), 0.1 * i, -np.inf))

    told_twice(story, runs=1)
