"""Module: finding parameters, modes, saving and loading, text."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


class Affine(nn.Module):
    """Reads like a user's module: no super().__init__(), tensors as attributes."""

    def __init__(self, start: float = 1.0) -> None:
        self.scale = tg.Tensor([start, start])
        self.shift = tg.Tensor([0.0, 0.0])

    def forward(self, x: Any) -> Any:
        return x * self.scale + self.shift


class Tree(nn.Module):
    """Parameters in every place where they may be."""

    def __init__(self) -> None:
        self.name = "tree"
        self.sizes = [1, 2, 3]
        self.table = np.ones(3)
        self.labels = tg.Tensor([1, 2])
        self.b = Affine()
        self.items = [tg.Tensor(1.0), "text", (Affine(), None)]
        self.by_name = {"z": Affine(), "a": {"deep": tg.Tensor([2.0])}, 7: tg.Tensor([7.0])}
        self.alone = tg.Tensor([[3.0]])


TREE_NAMES = [
    "b.scale", "b.shift", "items.0", "items.2.0.scale", "items.2.0.shift", "by_name.z.scale",
    "by_name.z.shift", "by_name.a.deep", "by_name.7", "alone",
]  # fmt: skip


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        self.encoder = nn.Linear(3, 3, rng=0)
        self.decoder = nn.Linear(3, 3, rng=1)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: Any) -> Any:
        return self.decoder(self.encoder(x))


# --- finding --------------------------------------------------------------------------------------


def test_parameters_are_found_in_the_order_of_the_attributes() -> None:
    tree = Tree()
    assert [name for name, _ in tree.named_parameters()] == TREE_NAMES
    assert all(a is b for a, (_, b) in zip(tree.parameters(), tree.named_parameters(), strict=True))
    assert tree.parameters()[-1] is tree.alone


def test_children_are_direct_and_modules_are_all() -> None:
    tree = Tree()
    assert tree.children() == [tree.b, tree.items[2][0], tree.by_name["z"]]
    outer = nn.Sequential(tree, nn.ReLU())
    assert outer.children() == [tree, outer[1]]
    assert outer.modules() == [outer, tree, *tree.children(), outer[1]]


def test_what_a_forward_leaves_behind_is_no_parameter() -> None:
    affine = Affine()
    affine.last = affine(np.ones(2))
    assert affine.last.requires_grad
    assert [name for name, _ in affine.named_parameters()] == ["scale", "shift"]


def test_a_frozen_tensor_is_a_parameter_and_an_array_is_not() -> None:
    affine = Affine()
    affine.shift.requires_grad = False
    affine.constant = np.ones(2)
    assert list(affine.state_dict()) == ["scale", "shift"]
    assert len(affine.parameters()) == 2


def test_cycles_end() -> None:
    parent, child = Affine(), Affine()
    parent.child, child.parent = child, parent
    loop: list[Any] = [child]
    loop.append(loop)
    parent.loop = loop
    assert [n for n, _ in parent.named_parameters()] == [
        "scale", "shift", "child.scale", "child.shift",
    ]  # fmt: skip
    assert parent.modules() == [parent, child]
    assert parent.children() == [child]
    assert parent.eval().training is child.training is False
    assert repr(parent).count("\n") == 2
    assert repr(parent).endswith("parent: Affine(), shown above")


def test_depth_is_no_limit() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    for _ in range(3000):
        model = nn.Sequential(model)
    assert len(model.parameters()) == 2
    assert len(model.train().modules()) == 3002


def test_a_name_that_two_parameters_share_is_refused() -> None:
    model = nn.Module()
    model.table = {1: tg.Tensor(1.0), "1": tg.Tensor(2.0)}
    with pytest.raises(ValueError, match=r"both called 'table\.1': rename"):
        model.state_dict()


def test_a_dataclass_can_be_a_module() -> None:
    @dataclass(repr=False)
    class Block(nn.Module):
        inner: nn.Linear
        power: int = 2

    block = Block(nn.Linear(2, 1, rng=0))
    assert [name for name, _ in block.named_parameters()] == ["inner.weight", "inner.bias"]
    assert repr(block).splitlines()[0] == "Block(), 3 parameters"
    assert block.train(False).inner.training is False


def test_a_module_without_forward_says_so() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        Empty()(1)


def test_micrograds_own_parameters_method_works() -> None:
    class Neuron(nn.Module):
        def __init__(self) -> None:
            self.w = [tg.Value(0.5), tg.Value(-0.5)]
            self.b = tg.Value(0.0)

        def forward(self, x: Any) -> Any:
            return sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b).tanh()

        def parameters(self) -> list[tg.Tensor]:
            return [*self.w, self.b]

    neuron = Neuron()
    neuron([1.0, 2.0]).backward()
    assert sum(p.grad for p in neuron.parameters()) != 0
    neuron.zero_grad()
    assert sum(p.grad for p in neuron.parameters()) == 0
    state = neuron.state_dict()
    assert list(state) == ["w.0", "w.1", "b"]
    neuron.load_state_dict({**state, "b": np.array(2.0)})
    assert neuron.b.data == 2.0


# --- tied weights (case 99) -----------------------------------------------------------------------


def test_tied_weights_count_and_are_saved_once() -> None:
    """Case 99."""
    tied = Tied()
    assert [name for name, _ in tied.named_parameters()] == [
        "encoder.weight", "encoder.bias", "decoder.bias",
    ]  # fmt: skip
    assert list(tied.state_dict()) == ["encoder.weight", "encoder.bias", "decoder.bias"]
    assert repr(tied).splitlines()[0] == "Tied(), 15 parameters"


def test_the_gradient_of_a_tied_weight_counts_both_uses() -> None:
    """Case 99."""
    tied = Tied()
    x = np.array([[1.0, -2.0, 0.5]], np.float32)
    tied(x).sum().backward()
    w, b = tied.encoder.weight.data, tied.encoder.bias.data
    ones = np.ones((1, 3), np.float32)
    expected = ones.T @ (x @ w.T + b) + (ones @ w).T @ x
    np.testing.assert_allclose(tied.encoder.weight.grad, expected, rtol=1e-5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_tied_weights_stay_tied_in_a_copy(copied: Callable[[Tied], Tied]) -> None:
    """Case 99."""
    twin = copied(Tied())
    assert twin.encoder.weight is twin.decoder.weight
    twin.load_state_dict({name: value * 0 for name, value in twin.state_dict().items()})
    assert not twin.decoder.weight.data.any()


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_computes_the_same_and_shares_nothing(copied: Callable[[Any], Any]) -> None:
    """Case 97."""
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    model = nn.Sequential(
        nn.MLP(3, [4, 2], activation=tg.relu, dtype=np.float64, rng=0),
        nn.LeakyReLU(0.2),
        tg.tanh,
        nn.Dropout(0.5, rng=3),
    )
    model[0].layers[0].weight.requires_grad = False
    model.eval()
    twin = copied(model)
    np.testing.assert_array_equal(twin(x).data, model(x).data)
    assert [p.requires_grad for p in twin.parameters()] == [False, True, True, True]
    assert [p.dtype for p in twin.parameters()] == [np.float64] * 4
    assert not any(module.training for module in twin.modules())
    before = model.state_dict()
    for parameter in twin.parameters():
        parameter.data = parameter.data + 1
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


# --- modes and gradients --------------------------------------------------------------------------


def test_train_and_eval_reach_every_module() -> None:
    """Case 102, as far as there are modes."""
    tree = nn.Sequential(Tree(), nn.Dropout())
    assert all(module.training for module in tree.modules())
    assert tree.eval() is tree
    assert not any(module.training for module in tree.modules())
    tree[0].train()
    assert [module.training for module in tree.modules()] == [False, True, True, True, True, False]
    assert nn.Module.training


@pytest.mark.parametrize("mode", [1, None, "train"])
def test_a_mode_is_a_bool(mode: Any) -> None:
    model = nn.Sequential(nn.Dropout())
    with pytest.raises(TypeError, match="expected True or False"):
        model.train(mode)
    assert model[0].training


def test_zero_grad_forgets_all() -> None:
    affine = Affine()
    affine(np.ones(2)).sum().backward()
    assert all(p.has_grad for p in affine.parameters())
    affine.zero_grad()
    assert not any(p.has_grad for p in affine.parameters())
    assert affine.scale.grad.tolist() == [0.0, 0.0]


def test_freezing_stops_gradients_and_unfreezing_brings_them_back() -> None:
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Linear(2, 1, rng=1))
    assert model[0].requires_grad_(False) is model[0]
    model(np.ones((4, 3))).sum().backward()
    assert [p.has_grad for p in model.parameters()] == [False, False, True, True]
    assert not model.requires_grad_(False)(np.ones((4, 3))).requires_grad
    model.requires_grad_()
    model(np.ones((4, 3))).sum().backward()
    assert all(p.has_grad for p in model.parameters())


# --- state (case 101) -----------------------------------------------------------------------------


def test_a_state_is_a_copy_and_comes_back() -> None:
    source, target = nn.MLP(3, [4, 2], rng=0), nn.MLP(3, [4, 2], rng=1)
    state = source.state_dict()
    assert all(type(value) is np.ndarray for value in state.values())
    assert not any(np.shares_memory(state[name], p.data) for name, p in source.named_parameters())
    target.load_state_dict(state)
    for name, parameter in target.named_parameters():
        np.testing.assert_array_equal(parameter.data, state[name])
        assert not np.shares_memory(parameter.data, state[name])


def test_a_state_loads_into_frozen_parameters_and_keeps_them_frozen() -> None:
    model = nn.Linear(2, 1, rng=0).requires_grad_(False)
    model.load_state_dict(nn.Linear(2, 1, rng=1).state_dict())
    assert not model.weight.requires_grad
    np.testing.assert_array_equal(model.weight.data, nn.Linear(2, 1, rng=1).weight.data)


def test_a_state_of_any_mapping_and_of_lists_and_tensors_loads() -> None:
    model = Affine()
    model.load_state_dict({"scale": [2.0, 3.0], "shift": tg.tensor([4.0, 5.0])})
    assert model.scale.tolist() == [2.0, 3.0]
    assert model.shift.tolist() == [4.0, 5.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": None}, r"weight: missing"),
        ({"wait": np.zeros(2)}, r"wait: unexpected"),
        ({"bias": np.zeros((2, 1), np.float32)}, r"bias: shape \(2, 1\), expected \(2,\)"),
        ({"bias": np.zeros(2)}, r"bias: dtype float64, expected float32: use astype"),
        ({"bias": np.array(["a", "b"])}, r"bias: the value has dtype <U1"),
        ({"bias": [[1.0], [1.0, 2.0]]}, r"bias: the value is no rectangular array"),
        ({"bias": tg.Tensor([1.0, 2.0])}, r"bias: the value is a recording tensor"),
    ],
    ids=["missing", "unexpected", "shape", "dtype", "text", "ragged", "recording"],
)
def test_a_state_that_does_not_fit_changes_nothing(change: dict[str, Any], message: str) -> None:
    """Case 101."""
    model = nn.Linear(3, 2, rng=0)
    before = model.state_dict()
    state = {**nn.Linear(3, 2, rng=1).state_dict(), **change}
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_all_faults_of_a_state_are_listed_at_once() -> None:
    """Case 101."""
    model = nn.MLP(3, [4, 2], rng=0)
    state = model.state_dict()
    del state["layers.0.bias"]
    state["layers.0.weight"] = state["layers.0.weight"].T
    state["layers.1.bias"] = state["layers.1.bias"].astype(np.float16)
    state["__class__"] = np.zeros(1)
    with pytest.raises(ValueError, match="nothing was changed") as caught:
        model.load_state_dict(state)
    assert str(caught.value).splitlines()[1:] == [
        "  layers.0.weight: shape (3, 4), expected (4, 3)",
        "  layers.0.bias: missing",
        "  layers.1.bias: dtype float16, expected float32: use astype",
        "  __class__: unexpected",
    ]


def test_a_state_must_be_a_mapping() -> None:
    with pytest.raises(TypeError, match="state is list; expected a dict"):
        Affine().load_state_dict([("scale", [1.0, 1.0])])  # type: ignore[arg-type]


def test_loading_is_a_write_that_a_recorded_graph_notices() -> None:
    """Case 62b."""
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 1, rng=0))
    loss = model(np.ones((1, 2))).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


# --- text -----------------------------------------------------------------------------------------


def test_the_text_is_a_tree_with_counts() -> None:
    shared = nn.ReLU()
    inner = nn.Sequential(nn.Linear(4, 1, bias=False), shared)
    model = nn.Sequential(nn.Linear(3, 4), shared, inner)
    model[0].bias.requires_grad = False
    assert repr(model).splitlines() == [
        "Sequential(Linear, ReLU, Sequential), 20 parameters (4 frozen)",
        "  0: Linear(in_features=3, out_features=4), 16 parameters (4 frozen)",
        "  1: ReLU()",
        "  2: Sequential(Linear, ReLU), 4 parameters",
        "    0: Linear(in_features=4, out_features=1, bias=False), 4 parameters",
        "    1: ReLU(), shown above",
    ]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Linear(999, 1000), "Linear(in_features=999, out_features=1000), 1,000,000 parameters"),
        (nn.Linear(1, 1, False), "Linear(in_features=1, out_features=1, bias=False), 1 parameter"),
        (nn.Dropout(0.25), "Dropout(p=0.25)"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.LeakyReLU(0.1), "LeakyReLU(0.1)"),
        (nn.GELU(), "GELU()"),
        (nn.GELU("tanh"), "GELU('tanh')"),
        (nn.Softmax(), "Softmax(axis=-1)"),
        (nn.MSELoss(), "MSELoss()"),
        (nn.CrossEntropyLoss("sum"), "CrossEntropyLoss(reduction='sum', label_smoothing=0.0)"),
        (nn.Sequential(tg.tanh, nn.SiLU()), "Sequential(tanh, SiLU)\n  1: SiLU()"),
    ],
)  # fmt: skip
def test_the_text_of_a_module(module: nn.Module, text: str) -> None:
    assert repr(module) == text
