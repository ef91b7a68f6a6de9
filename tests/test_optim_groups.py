"""Groups of parameters: each has its own numbers, which compiled steps see and files keep."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from optim_rules import CLASSES, RULES, gradient, start
from side_by_side import told_twice
from tensorgrad.optim import SGD, Adagrad, Adam, AdamW, Muon, RMSprop

SHAPES = [(3, 4), (4,), (100, 100), (2, 2)]


def tensors(dtype=np.float64):
    return [tg.Tensor(start(dtype, shape)) for shape in SHAPES]


def steps(optimizer, count=5, first=0):
    for k in range(first, first + count):
        for p in optimizer.params:
            p.grad = gradient(k, p.data)
        optimizer.step()


@pytest.mark.parametrize(("name", "options"), RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_groups_have_the_bits_of_optimisers_of_their_own(name, options, dtype):
    a, b, c, d = tensors(dtype)
    own = dict(options, lr=0.03)
    CLASSES[name]([{"params": [a, b], **own}, {"params": [c, d]}], **options)
    grouped = CLASSES[name]([{"params": [a, b], **own}, {"params": [c, d]}], **options)
    steps(grouped)
    e, f, g, h = tensors(dtype)
    for optimizer in (CLASSES[name]([e, f], **own), CLASSES[name]([g, h], **options)):
        steps(optimizer)
    for ours, theirs in zip((a, b, c, d), (e, f, g, h), strict=True):
        np.testing.assert_array_equal(ours.data, theirs.data)


def test_groups_equal_pytorchs():
    torch = pytest.importorskip("torch")
    ours = tensors()
    theirs = [torch.tensor(p.data, requires_grad=True) for p in ours]

    def groups(params):
        return [
            {"params": params[:1], "lr": 0.1, "weight_decay": 0.3},
            {"params": params[1:3], "betas": (0.5, 0.9)},
            {"params": params[3:]},
        ]

    optimizer, other = AdamW(groups(ours), lr=0.01), torch.optim.AdamW(groups(theirs), lr=0.01)
    for k in range(20):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = gradient(k, p.data)
            q.grad = torch.tensor(gradient(k, q.detach().numpy()))
        optimizer.step()
        other.step()
        if k == 10:
            for each in (optimizer, other):
                each.param_groups[1]["lr"] = 0.05
                each.param_groups[0]["weight_decay"] = 0.0
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_a_group_is_like_a_dict():
    a, b, *_ = tensors()
    optimizer = SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.1, momentum=0.9)
    group = optimizer.param_groups[0]
    assert list(group) == ["params", "lr", "momentum", "nesterov", "weight_decay"]
    assert dict(group) == {
        "params": [a], "lr": 0.5, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0,
    }  # fmt: skip
    assert len(group) == 5
    assert optimizer.param_groups[1]["params"] == [b]
    assert optimizer.params == [a, b]
    assert repr(group).startswith("Group(1 parameters, {'lr': 0.5,")
    with pytest.raises(TypeError, match="assign another value"):
        del group["lr"]


def test_a_number_of_the_optimiser_is_that_of_all_groups():
    a, b, *_ = tensors()
    optimizer = Adam([{"params": [a], "lr": 0.5}, {"params": [b]}])
    assert optimizer.lr == 0.5
    optimizer.lr, optimizer.betas = 0.25, (0.5, 0.75)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    assert [group["betas"] for group in optimizer.param_groups] == [(0.5, 0.75)] * 2


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([{"params": []}], ValueError, "empty"),
        ([{"lr": 0.1}], TypeError, "a dict with the key 'params'"),
        ([{"params": [tg.Tensor([1.0])]}, tg.Tensor([1.0])], TypeError, "holds a Tensor at 1"),
        ([{"params": [tg.Tensor([1.0])], "momentum": 0.9}], TypeError, "Adam has no option 'momen"),
        ([{"params": [tg.Tensor([1.0])], "lr": -1}], ValueError, "lr is -1"),
        ([{"params": [tg.Tensor([1.0])], "betas": (2, 0)}], ValueError, r"betas\[0\] is 2"),
        ([{"params": [p := tg.Tensor([1.0])]}, {"params": [p]}], ValueError, "same Tensor"),
        ([{"params": np.ones(3)}], TypeError, "float64 at 0; expected a Tensor"),
        ([{"params": {"w": 1}}], TypeError, "params is a dict"),
    ],
)
def test_wrong_groups_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        Adam(groups)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="'amsgrad'"):
        Adam([tg.Tensor([1.0])], amsgrad=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("lr", -1.0), ValueError, "lr is -1"),
        (("lr", "fast"), TypeError, "lr is .fast.; expected a finite number >= 0"),
        (("betas", (0.9, 1.0)), ValueError, r"betas\[1\] is 1"),
        (("eps", 0.0), ValueError, "too small for float64"),
        (("momentum", 0.9), KeyError, "Adam has no option 'momentum'; it has 'lr', 'betas'"),
    ],
)
def test_a_wrong_number_leaves_all_as_it_was(change, error, message):
    a, b, *_ = tensors()
    optimizer = Adam([{"params": [a]}, {"params": [b]}])
    before = optimizer.state_dict()
    with pytest.raises(error, match=message):
        optimizer.param_groups[1][change[0]] = change[1]
    after = optimizer.state_dict()
    assert all((array == after[name]).all() for name, array in before.items())


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda p: SGD(p, lr=0.1), "momentum", 0.9),
        (RMSprop, "momentum", 0.9),
        (RMSprop, "centered", True),
    ],
)
def test_what_has_no_memory_cannot_get_it_later(make, name, value):
    optimizer = make([tg.Tensor([1.0])])
    with pytest.raises(ValueError, match=f"give {name}={value} to the constructor"):
        optimizer.param_groups[0][name] = value
    optimizer.param_groups[0][name] = type(value)(0)


def test_where_a_sum_has_started_cannot_change_later():
    a, b, *_ = tensors()
    groups = [{"params": [a], "initial_accumulator_value": 2.0}, {"params": [b]}]
    optimizer = Adagrad(groups, lr=0.1, initial_accumulator_value=1.0)
    match = "give initial_accumulator_value=2 to the constructor"
    with pytest.raises(ValueError, match=match):
        optimizer.param_groups[1]["initial_accumulator_value"] = 2
    with pytest.raises(ValueError, match=match):
        optimizer.initial_accumulator_value = 2  # which the first group has
    optimizer.param_groups[0]["initial_accumulator_value"] = 2  # as it was
    assert [g["initial_accumulator_value"] for g in optimizer.param_groups] == [2.0, 1.0]


def test_where_a_sum_has_started_is_loaded_with_the_sum():
    a, b, *_ = tensors()
    made = Adagrad([a, b], lr=0.1, initial_accumulator_value=1.0)
    steps(made, 2)
    other = Adagrad([a, b], lr=0.1)
    other.load_state_dict(made.state_dict())
    assert other.initial_accumulator_value == 1.0
    np.testing.assert_array_equal(other.state[0]["sum"], made.state[0]["sum"])


@pytest.mark.parametrize("cls", [SGD, RMSprop])
def test_momentum_may_become_zero(cls):
    def story(compiled):
        p = tg.Tensor([1.0, 2.0])
        optimizer = cls([p], lr=0.5, momentum=0.9)

        @compiled
        def step():
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()

        for i in range(4):
            if i == 2:
                optimizer.momentum = 0
            step()
            yield p, optimizer

    told_twice(story)


# ------------------------------------------------------------------ a group that is added


def test_an_added_group_has_the_bits_of_an_optimiser_of_its_own():
    a, b, c, d = tensors()
    optimizer = Adam([a, b], lr=0.1)
    steps(optimizer, 3)
    optimizer.add_param_group({"params": [c, d], "lr": 0.5})
    steps(optimizer, 3, first=3)
    e, f, g, h = tensors()
    steps(Adam([e, f], lr=0.1), 6)
    steps(Adam([g, h], lr=0.5), 3, first=3)
    for ours, theirs in zip((a, b, c, d), (e, f, g, h), strict=True):
        np.testing.assert_array_equal(ours.data, theirs.data)
    steps_taken = [round(float(state["m_weight"]), 6) for state in optimizer.state]
    assert steps_taken == [round((1 - 0.9**n) / 0.1, 6) for n in (6, 6, 3, 3)]
    assert a.data.base is b.data.base is not None  # they have stayed side by side


@pytest.mark.parametrize(
    ("group", "error", "message"),
    [
        ({"params": [tg.Tensor([1])]}, TypeError, "expected floats"),
        ({"params": [tg.Tensor([1.0])], "lr": -1}, ValueError, "lr is -1"),
        ({"lr": 1.0}, TypeError, "key 'params'"),
        (None, ValueError, "same Tensor"),
    ],
)
def test_a_wrong_group_is_not_added(group, error, message):
    a, b, *_ = tensors()
    optimizer = Adam([a, b])
    with pytest.raises(error, match=message):
        optimizer.add_param_group(group or {"params": [b]})
    assert optimizer.params == [a, b]
    assert len(optimizer.param_groups) == 1
    steps(optimizer, 1)


# ------------------------------------------------------------------ saving, copies, compiled steps


def grouped(params):
    return Adam([{"params": params[:2], "lr": 0.5}, {"params": params[2:], "betas": (0.5, 0.9)}])


def test_groups_are_saved_and_loaded():
    """Case 109: with the numbers that were changed on the way."""
    params = tensors()
    whole = grouped(params)
    whole.param_groups[0]["weight_decay"] = 0.1
    steps(whole, 3)
    saved, values = whole.state_dict(), [p.data.copy() for p in params]
    assert saved["groups.0.lr"] == 0.5
    assert saved["groups.1.betas"].tolist() == [0.5, 0.9]
    steps(whole, 3, first=3)
    others = [tg.Tensor(x) for x in values]
    resumed = Adam([{"params": others[:2]}, {"params": others[2:]}])
    resumed.load_state_dict(saved)
    steps(resumed, 3, first=3)
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"groups.1.betas": np.array([0.5, 1.5])}), r"betas\[1\] is 1.5"),
        (lambda s: s.update({"groups.1.betas": np.array([0.5])}), r"betas: float64 \(1,\), exp"),
        (lambda s: s.pop("groups.1.lr"), "groups.1.lr: missing"),
        (lambda s: s.update({"groups.2.lr": np.array(1.0)}), "groups.2.lr: unexpected"),
    ],
)
def test_a_state_of_other_groups_changes_nothing(change, message):
    """Case 101."""
    optimizer = grouped(tensors())
    steps(optimizer, 1)
    wrong = {name: array + 0 for name, array in optimizer.state_dict().items()}
    wrong["groups.0.lr"] += 1
    wrong["0.m_sum"] += 1
    change(wrong)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(wrong)
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_has_groups_of_its_own(way):
    params = tensors()
    optimizer = grouped(params)
    steps(optimizer, 2)
    for p in params:
        p.zero_grad()
    copies, copied = way((params, optimizer))
    copied.param_groups[0]["lr"] = 0.125
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert copied.param_groups[0]["params"][0] is copies[0]
    steps(copied, 2)
    optimizer.param_groups[0]["lr"] = 0.125
    steps(optimizer, 2)
    for p, q in zip(params, copies, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_compiled_steps_see_the_numbers_of_each_group():
    """Case 111."""

    def story(compiled):
        a, b, c, d = tensors(np.float32)
        optimizer = grouped([a, b, c, d])

        @compiled
        def step(x):
            optimizer.zero_grad()
            loss = ((a * x).sum() + (b * b).sum() + (c * x).sum() + (d * d * d).sum()) / 8
            loss.backward()
            optimizer.step()
            return loss

        for i in range(12):
            optimizer.param_groups[i % 2]["lr"] = 0.1 / (i + 1)
            if i == 4:
                optimizer.param_groups[1]["betas"] = (0.8, 0.99)
            if i == 8:
                optimizer.add_param_group({"params": [tg.Tensor([1.0])]})
            yield step(np.float32(i)), optimizer, [a, b, c, d]

    told_twice(story, runs=3)


def test_a_rate_set_inside_a_compiled_step():
    """It is a constant of the record, and the step stays compiled."""

    def story(compiled):
        p = tg.Tensor([1.0, 2.0])
        optimizer = SGD([p], lr=0.5)

        @compiled
        def step():
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
            optimizer.lr = 0.25

        for _ in range(4):
            step()
            yield p, optimizer

    told_twice(story, runs=1)


# ------------------------------------------------------------------ a closure, matrices


@pytest.mark.parametrize("cls", [SGD, Adam, Muon])
def test_a_step_may_be_given_a_closure(cls):
    p = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
    optimizer = cls([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tg.no_grad():  # as PyTorch's, it records all the same
        loss = optimizer.step(closure)
    assert float(loss) == 30.0
    assert float((p * p).sum()) < 30.0
    assert optimizer.step() is None
