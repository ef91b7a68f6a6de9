"""Buffers, containers, shared parameters, and states that are loaded in part or by other names."""

from __future__ import annotations

import copy
import pickle
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn, optim


class Counting(nn.Module):
    """A parameter, two buffers and a constant."""

    def __init__(self) -> None:
        self.scale = tg.Tensor([1.0, 2.0])
        self.register_buffer("total", np.zeros(2))
        self.register_buffer("calls", 0)
        self.constant = np.ones(2)

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.total += x.data if isinstance(x, tg.Tensor) else x
        return self.scale * x


class Tied(nn.Module):
    """An embedding whose weight is that of the last layer as well."""

    def __init__(self) -> None:
        self.table = tg.Tensor(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
        self.head = nn.Linear(3, 5, bias=False, rng=1)
        self.head.weight = self.table

    def forward(self, words: Any) -> Any:
        return self.head(self.table[words])


# --- buffers --------------------------------------------------------------------------------------


def test_buffers_are_saved_and_not_trained() -> None:
    model = nn.Sequential(Counting(), nn.Tanh())
    model(np.ones(2)).sum().backward()
    assert [name for name, _ in model.named_parameters()] == ["0.scale"]
    assert [name for name, _ in model.named_buffers()] == ["0.total", "0.calls"]
    assert model.buffers()[0] is model[0].total
    state = model.state_dict()
    assert {name: value.tolist() for name, value in state.items()} == {
        "0.scale": [1.0, 2.0],
        "0.total": [1.0, 1.0],
        "0.calls": 1,
    }
    assert not np.shares_memory(state["0.total"], model[0].total)
    assert repr(model).splitlines()[0] == "Sequential(Counting, Tanh), 2 parameters"


def test_a_buffer_is_a_copy_and_may_be_assigned_or_left_out() -> None:
    start = np.zeros(2)
    module = nn.Module()
    module.register_buffer("mean", start)
    start += 1
    assert module.mean.tolist() == [0.0, 0.0]
    module.mean = module.mean + 2
    assert module.state_dict()["mean"].tolist() == [2.0, 2.0]
    module.register_buffer("mean", None)
    assert module.buffers() == []
    module.register_buffer("mean", [1, 2, 3])
    assert module.state_dict()["mean"].tolist() == [1, 2, 3]
    module.count = np.int64(3)
    assert list(module.state_dict()) == ["mean"]


@pytest.mark.parametrize(
    "value", [np.float64(2.0), 2.0, tg.zeros(())], ids=["0-d", "float", "tensor"]
)
def test_a_buffer_that_became_another_kind_of_number_is_saved(value: Any) -> None:
    module = nn.Module()
    module.register_buffer("mean", np.ones(()))
    module.mean = value
    assert module.parameters() == []
    assert module.state_dict()["mean"] == value
    module.load_state_dict({"mean": np.array(7.0)})
    assert module.mean == 7.0


@pytest.mark.parametrize(
    ("name", "array", "error", "message"),
    [
        (3, np.ones(2), TypeError, "name of a buffer is 3"),
        ("a.b", np.ones(2), TypeError, r"name of a buffer is 'a\.b'"),
        ("scale", np.ones(2), ValueError, "Counting has an attribute 'scale' already"),
        ("forward", np.ones(2), ValueError, "has an attribute 'forward' already"),
        ("names", ["a", "b"], TypeError, "the buffer 'names' has dtype <U1"),
        ("tensor", tg.Tensor([1.0]), TypeError, "recording tensor"),
    ],
)
def test_register_buffer_checks_before_anything_changes(
    name: Any, array: Any, error: type[Exception], message: str
) -> None:
    module = Counting()
    with pytest.raises(error, match=message):
        module.register_buffer(name, array)
    assert list(module.state_dict()) == ["scale", "total", "calls"]


def test_a_buffer_that_records_is_named() -> None:
    model = nn.Sequential(Counting())
    state = model.state_dict()
    model[0].total = model[0].total * 0.5 + model[0].scale  # without no_grad
    message = r"the buffer 'total' of Counting is a recording tensor, .* under no_grad\(\)"
    with pytest.raises(TypeError, match=message):
        model.named_buffers()
    with pytest.raises(TypeError, match=message):
        model.state_dict()
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state)
    model[0].total = model[0].total.detach()
    assert model.state_dict()["0.total"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_buffers_of_its_own(copied: Callable[[Any], Any]) -> None:
    model = Counting()
    twin = copied(model)
    twin(np.ones(2))
    assert (int(model.calls), int(twin.calls)) == (0, 1)
    assert list(twin.state_dict()) == ["scale", "total", "calls"]


def test_a_shared_module_has_its_buffers_once() -> None:
    shared = Counting()
    model = nn.Sequential(shared, shared)
    model(np.ones(2))
    assert list(model.state_dict()) == ["0.scale", "0.total", "0.calls"]
    assert model.state_dict()["0.calls"] == 2


@pytest.mark.parametrize("assigned", [False, True], ids=["in place", "assigned"])
def test_compiled_steps_write_buffers_as_eager_does(assigned: bool) -> None:
    """Case 111."""

    class Running(Counting):
        def forward(self, x: Any) -> Any:
            out = self.scale * x
            if assigned:
                self.total = 0.9 * self.total + out.data
                self.calls = self.calls + 1
            else:
                self.total *= 0.9
                self.total += out.data
                self.calls += 1
            return out * self.total

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = Running()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        @compiled
        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = model(x).sum()
            loss.backward()
            optimizer.step()
            return loss

        for i in range(6):
            if i == 3:
                model.load_state_dict({**model.state_dict(), "total": np.full(2, 5.0)})
            yield step(np.array([1.0, -1.0]) * i)
            yield model

    told_twice(story)


# --- states in part (case 101) --------------------------------------------------------------------


def test_what_is_missing_or_unexpected_is_returned_when_not_strict() -> None:
    """Case 101."""
    model = nn.Sequential(Counting(), nn.Linear(2, 1, rng=0))
    state = model.state_dict()
    assert model.load_state_dict(state) == ([], [])
    del state["0.calls"], state["1.weight"]
    state |= {"0.total": np.full(2, 9.0), "more": np.ones(1), "0.constant": np.zeros(2)}
    before = model[1].weight.data.copy()
    found = model.load_state_dict(state, strict=False)
    assert found.missing_keys == ["0.calls", "1.weight"]
    assert found.unexpected_keys == ["more", "0.constant"]
    assert model[0].total.tolist() == [9.0, 9.0]
    np.testing.assert_array_equal(model[1].weight.data, before)
    assert model[0].constant.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"total": np.zeros(3)}, r"total: shape \(3,\), expected \(2,\)"),
        ({"total": np.zeros(2, np.float32)}, "total: dtype float32, expected float64"),
        ({"calls": np.array(1.0)}, "calls: dtype float64, expected int64"),
        ({"scale": np.zeros((2, 1))}, r"scale: shape \(2, 1\), expected \(2,\)"),
    ],
)
def test_a_buffer_that_does_not_fit_changes_nothing(
    change: dict[str, Any], message: str, strict: bool
) -> None:
    """Case 101."""
    model = Counting()
    before = {name: value.tobytes() for name, value in model.state_dict().items()}
    state = {name: value + 1 for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state | change, strict)
    assert {name: value.tobytes() for name, value in model.state_dict().items()} == before


def test_ctrl_c_waits_until_a_state_is_loaded() -> None:
    """Case 101: all or nothing."""

    class Interrupted(Counting):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "total" and value.any():
                signal.raise_signal(signal.SIGINT)

    model = Interrupted()
    state = {"total": np.full(2, 3.0), "scale": np.full(2, 4.0), "calls": np.array(5)}
    with pytest.raises(KeyboardInterrupt):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])


# --- shared parameters (case 99) ------------------------------------------------------------------


def test_a_tied_weight_counts_steps_and_saves_once() -> None:
    """Case 99."""
    tied = Tied()
    assert list(tied.state_dict()) == ["table"]
    words, labels = np.array([0, 1, 1]), np.array([1, 2, 0])
    start = tied.table.data.copy()
    nn.cross_entropy(tied(words), labels).backward()
    gradient = tied.table.grad.copy()
    optim.SGD(tied.parameters(), lr=0.5).step()
    np.testing.assert_array_equal(tied.table.data, start - np.float32(0.5) * gradient)
    assert tied.head.weight is tied.table
    # Both uses count: the rows looked up, and the product.
    logits = start[words] @ start.T
    e = np.exp(logits - logits.max(-1, keepdims=True))
    slope = (e / e.sum(-1, keepdims=True) - np.eye(5)[labels]) / 3
    expected = slope.T @ start[words]
    np.add.at(expected, words, slope @ start)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "names", [("table",), ("head.weight",), ("table", "head.weight"), ("head.weight", "table")]
)
def test_a_tied_weight_loads_under_any_of_its_names(names: tuple[str, ...]) -> None:
    """Case 99: PyTorch's states have all names, files of safetensors one of them."""
    tied, value = Tied(), np.arange(15, dtype=np.float32).reshape(5, 3)
    tied.load_state_dict({name: value.copy() for name in names})
    np.testing.assert_array_equal(tied.table.data, value)
    assert tied.head.weight is tied.table


def test_the_names_of_a_tied_weight_must_agree() -> None:
    """Cases 99, 101."""
    tied, value = Tied(), np.zeros((5, 3), np.float32)
    before = tied.table.data.copy()
    with pytest.raises(ValueError, match=r"head\.weight: other values than table, with which"):
        tied.load_state_dict({"table": value, "head.weight": value + 1})
    np.testing.assert_array_equal(tied.table.data, before)


def test_shared_modules_load_under_both_names() -> None:
    shared = Counting()
    model = nn.Sequential(shared, nn.ModuleDict({"again": shared}))
    state = model.state_dict()
    doubled = state | {f"1.again.{name[2:]}": value for name, value in state.items()}
    assert len(doubled) == 6
    assert model.load_state_dict(doubled) == ([], [])


def test_names_lead_nowhere_but_to_parameters_and_buffers() -> None:
    model = nn.Sequential(Counting())
    for name in ("", "0", "0.", "0.constant", "0.__class__", "0.scale.data", "layers.0.scale", 7):
        found = model.load_state_dict({name: np.ones(2)}, strict=False)  # type: ignore[dict-item]
        assert found.unexpected_keys == [name]


def test_a_chain_that_shares_at_each_level_is_looked_up_at_once() -> None:
    """Case 74, for modules: 2**40 names."""
    model: nn.Module = nn.Linear(1, 1, rng=0)
    for _ in range(40):
        model = nn.Sequential(model, model)
    state = model.state_dict()
    assert len(state) == 2
    other = ".".join("01" * 20)
    model.load_state_dict({f"{other}.weight": np.ones((1, 1), np.float32)}, strict=False)
    assert model.parameters()[0].tolist() == [[1.0]]


# --- containers -----------------------------------------------------------------------------------


def test_a_module_list_is_a_list_whose_parameters_are_found() -> None:
    first, second, third = (nn.Linear(2, 2, bias=False, rng=i) for i in range(3))
    blocks = nn.ModuleList([first])
    blocks.append(third)
    blocks.insert(1, second)
    blocks.extend([nn.Tanh()])
    assert (len(blocks), blocks[-2], first in blocks) == (4, third, True)
    assert list(blocks) == [first, second, third, blocks[3]]
    assert [name for name, _ in blocks.named_parameters()] == ["0.weight", "1.weight", "2.weight"]
    assert type(blocks[1:]) is nn.ModuleList
    assert blocks[1:].children() == [second, third, blocks[3]]
    blocks[0] = third
    del blocks[1]
    assert blocks.pop() is not third
    assert len(blocks.parameters()) == 1
    blocks[:] = [second]
    assert blocks.children() == [second]
    blocks += [first]
    assert blocks.eval().children()[1].training is False


def test_a_module_dict_is_a_dict_whose_parameters_are_found() -> None:
    heads = nn.ModuleDict({"a": nn.Linear(2, 1, rng=0)})
    heads["b"] = nn.Tanh()
    heads.update(c=nn.ReLU())
    assert list(heads) == ["a", "b", "c"]
    assert list(heads.keys()) == list(dict(heads.items())) == ["a", "b", "c"]
    assert [name for name, _ in heads.named_parameters()] == ["a.weight", "a.bias"]
    assert heads.pop("b") not in heads.values()
    del heads["c"]
    assert ("a" in heads, len(heads)) == (True, 1)
    assert heads == heads.eval()
    assert heads != nn.ModuleDict(heads)
    assert {heads: 1}[heads] == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda: nn.ModuleList([tg.tanh]), TypeError, "expected a Module"),
        (lambda: nn.ModuleList().append(nn.Tanh), TypeError, "expected a Module"),
        (lambda: nn.ModuleDict({"a": 3}), TypeError, "got 3; expected a Module"),
        (lambda: nn.ModuleDict({"a.b": nn.Tanh()}), ValueError, "a name without dots"),
        (lambda: nn.ModuleDict({"": nn.Tanh()}), ValueError, "a name without dots"),
        (lambda: nn.ModuleDict([(1, nn.Tanh())]), TypeError, "the key is 1; expected text"),
    ],
)
def test_containers_take_modules_only(
    change: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        change()


def test_named_modules_and_apply_reach_all() -> None:
    inner = nn.ModuleList([nn.Tanh()])
    model = nn.Sequential(nn.Linear(2, 2), inner)
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "1.0"]
    order: list[nn.Module] = []
    assert model.apply(order.append) is model
    assert order == [inner[0], inner, model[0], model]


def test_identity_gives_back_what_it_is_given() -> None:
    given = object()
    assert nn.Identity()(given) is given
    assert nn.Identity().parameters() == []
