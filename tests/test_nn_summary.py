"""nn.summary: the rows, the sums, the text, and that nothing is left changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


class Block(nn.Module):
    """Parameters of its own, a list of layers, a layer that is called twice, and one never."""

    def __init__(self) -> None:
        self.gain = tg.Tensor(np.ones(4, np.float32))
        self.layers = [nn.Linear(4, 4, rng=0), nn.Linear(4, 4, bias=False, rng=1)]
        self.layers[1].weight = self.layers[0].weight
        self.norm = nn.BatchNorm1d(4)
        self.unused = nn.Linear(4, 3, rng=2)

    def forward(self, x: Any, twice: bool = True) -> Any:
        for layer in self.layers:
            x = layer(x)
        if twice:
            x = self.layers[1](x)
        return self.gain * self.norm(x), {"x": x}


def test_rows_have_shapes_parameters_and_products_of_all_calls() -> None:
    found = nn.summary(Block(), np.ones((5, 4)))
    rows = [
        (r.name, r.kind, r.depth, r.output_shapes, r.parameters, r.multiply_adds)
        for r in found.rows
    ]
    assert rows == [
        ("", "Block", 0, ((5, 4), (5, 4)), 4, 0),
        ("layers.0", "Linear", 1, ((5, 4),), 20, 80),
        ("layers.1", "Linear", 1, ((5, 4),), 0, 160),  # its weight stands above
        ("norm", "BatchNorm1d", 1, ((5, 4),), 8, 0),
        ("unused", "Linear", 1, (), 15, 0),
    ]


def test_shared_parameters_count_once_as_in_the_model() -> None:
    """Case 99."""
    model = nn.Sequential(Block(), nn.ModuleDict({"again": nn.Identity()}))
    model.layers.append(model[0].norm)
    model[0].unused.requires_grad_(False)
    found = nn.summary(model)
    assert found.parameters == sum(p.size for p in model.parameters()) == 47
    assert found.frozen == 15
    assert [row.title for row in found.rows] == [
        "", "0", "layers.0", "layers.1", "norm", "unused", "1", "again",
    ]  # fmt: skip
    assert [row.depth for row in found.rows] == [0, 1, 2, 2, 2, 2, 1, 2]


def test_a_call_may_have_keywords() -> None:
    assert nn.summary(Block(), np.ones((5, 4)), twice=False).multiply_adds == 160
    assert nn.summary(Block(), x=np.ones((5, 4))).multiply_adds == 240


def test_a_layer_says_what_it_multiplies() -> None:
    class Square(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return np.matmul(x, y)

        def multiply_adds(self, inputs: tuple[Any, ...], output: Any) -> int:
            return output.size * inputs[0].shape[-1]

    found = nn.summary(Square(), np.ones((2, 3)), np.ones((3, 4)))
    assert (found.multiply_adds, found.rows[0].output_shapes) == (24, ((2, 4),))


@pytest.mark.parametrize(
    ("layer", "shapes", "products"),
    [
        (lambda: nn.Conv2d(4, 6, 3, groups=2), [(5, 4, 8, 9)], 5 * 6 * 6 * 7 * (2 * 9)),
        (lambda: nn.Conv1d(4, 6, 3, stride=2), [(4, 9)], 6 * 4 * (4 * 3)),
        (lambda: nn.LSTM(3, 5), [(7, 2, 3)], 7 * 2 * 4 * (5 * 3 + 5 * 5)),
        (
            lambda: nn.GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True),
            [(2, 7, 3)],
            7 * 2 * 3 * 2 * ((5 * 3 + 5 * 5) + (5 * 10 + 5 * 5)),
        ),
        (
            lambda: nn.MultiheadAttention(6, 2, kdim=3, vdim=4),
            [(7, 2, 6), (5, 2, 3), (5, 2, 4)],
            # the maps of queries, keys and values; the scores and the sums; the last map
            14 * 36 + 10 * 6 * (3 + 4) + 2 * (14 * 6 * 5) + 14 * 36,
        ),
    ],
    ids=["conv2d", "conv1d", "lstm", "gru", "attention"],
)
def test_products_of_layers(layer: Any, shapes: list[tuple[int, ...]], products: int) -> None:
    assert nn.summary(layer(), *map(np.ones, shapes)).multiply_adds == products


def test_the_text_is_a_table() -> None:
    model = nn.Sequential(nn.Linear(3, 1000, rng=0), nn.MLP(1000, [1], rng=0))
    model[0].bias.requires_grad = False
    assert str(nn.summary(model, np.ones((2, 3)))).splitlines() == [
        "module                output shape  parameters  multiply-adds",
        "-------------------------------------------------------------",
        "Sequential            (2,)                   0              0",
        "  0: Linear           (2, 1000)          4,000          6,000",
        "  1: MLP              (2,)                   0              0",
        "    layers.0: Linear  (2, 1)             1,001          2,000",
        "-------------------------------------------------------------",
        "total                                    5,001          8,000",
        "frozen: 1,000",
    ]
    assert repr(nn.summary(model)).splitlines()[2] == "Sequential                     0"


def test_modes_hooks_buffers_generators_and_graphs_are_as_before() -> None:
    model = nn.Sequential(Block(), lambda pair: pair[0], nn.Dropout(0.5, rng=0))
    model[0].eval()
    attributes = [dict(vars(module)) for module in model.modules()]
    state, draws = model.state_dict(), model[2].rng.bit_generator.state
    nn.summary(model, x := tg.Tensor(np.ones((5, 4))))
    assert [vars(module) for module in model.modules()] == attributes
    assert model[2].rng.bit_generator.state == draws
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    assert x.requires_grad


def test_an_error_of_the_model_leaves_nothing_behind() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2)).train()
    with pytest.raises(ValueError, match="in_features=3"):
        nn.summary(model, np.ones((5, 3)))
    assert all(module.training and not module._hooks for module in model.modules())


def test_a_model_is_a_module() -> None:
    with pytest.raises(TypeError, match="the model is function; expected a Module"):
        nn.summary(tg.tanh, np.ones(3))  # type: ignore[arg-type]
