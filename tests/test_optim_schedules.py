"""Schedules: against PyTorch's and formulas written out, resumed, and seen by compiled steps."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad.optim import LBFGS, SGD, Adam, lr_scheduler

# What makes a schedule of ours, or of PyTorch's, given the module and an optimiser of two groups.
SCHEDULES = {
    "step": lambda m, o: m.StepLR(o, 7, 0.3),
    "multistep": lambda m, o: m.MultiStepLR(o, [3, 9, 20], 0.3),
    "exponential": lambda m, o: m.ExponentialLR(o, 0.93),
    "linear": lambda m, o: m.LinearLR(o, 0.1, 0.8, 12),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, 30, 0.001),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 5, 2, 0.001),
    "equal restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 6),
    "one cycle": lambda m, o: m.OneCycleLR(o, [0.5, 0.2], 51, **fixed(m)),
    "one cycle, linear": lambda m, o: m.OneCycleLR(
        o, 0.5, epochs=3, steps_per_epoch=17, pct_start=0.2, anneal_strategy="linear", **fixed(m)
    ),
    "one cycle, three": lambda m, o: m.OneCycleLR(o, 0.5, 60, three_phase=True, **fixed(m)),
    "lambda": lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + t)),
    "lambdas": lambda m, o: m.LambdaLR(o, [lambda t: 1 / (1 + t), lambda t: 0.9**t]),
    "sequence": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, 1.0, 5), m.CosineAnnealingLR(o, 20), m.StepLR(o, 3)], [5, 25]
    ),
}
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def fixed(module):
    """Return what keeps the momentum as it is, which ours does."""
    return {} if module is lr_scheduler else {"cycle_momentum": False}


def sgd():
    groups = [{"params": [tg.Tensor([1.0])], "lr": 0.4}, {"params": [tg.Tensor([2.0])]}]
    return SGD(groups, lr=0.1, momentum=0.9)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


# ------------------------------------------------------------------ the rates


@every_schedule
def test_fifty_steps_equal_pytorch(name):
    torch = pytest.importorskip("torch")
    params = [torch.tensor([1.0], requires_grad=True) for _ in range(2)]
    theirs = torch.optim.SGD([{"params": params[:1], "lr": 0.4}, {"params": params[1:]}], lr=0.1)
    ours = sgd()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a deprecated argument, inside PyTorch
        other = SCHEDULES[name](torch.optim.lr_scheduler, theirs)
        schedule = SCHEDULES[name](lr_scheduler, ours)
        for t in range(50):
            np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-12, atol=1e-14)
            assert schedule.get_last_lr() == schedule.lr_at(t) == rates(ours)
            assert schedule.last_epoch == t
            theirs.step()
            other.step()
            schedule.step()


FORMULAS = {
    "step": lambda t: 0.1 * 0.3 ** (t // 7),
    "multistep": lambda t: 0.1 * 0.3 ** sum(t >= m for m in (3, 9, 20)),
    "exponential": lambda t: 0.1 * 0.93**t,
    "linear": lambda t: 0.1 * (0.1 + 0.7 * min(t, 12) / 12),
    "cosine": lambda t: 0.001 + 0.099 * (1 + math.cos(math.pi * t / 30)) / 2,
    "equal restarts": lambda t: 0.1 * (1 + math.cos(math.pi * (t % 6) / 6)) / 2,
    "lambda": lambda t: 0.1 / (1 + t),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_rate_is_that_of_the_formula(name):
    schedule = SCHEDULES[name](lr_scheduler, sgd())
    for t in (0, 1, 2, 3, 7, 12, 20, 35):
        assert schedule.lr_at(t)[1] == pytest.approx(FORMULAS[name](t), rel=1e-13)


def test_one_cycle_by_its_ends():
    schedule = lr_scheduler.OneCycleLR(sgd(), 1.0, 101, pct_start=0.5, div_factor=10.0)
    found = [schedule.lr_at(t)[0] for t in range(102)]
    peak = 0.5 * 101 - 1
    assert found[0] == pytest.approx(0.1)
    assert max(found) == pytest.approx(1.0, abs=1e-3)
    assert found.index(max(found)) in (math.floor(peak), math.ceil(peak))
    assert found[100] == found[101] == pytest.approx(0.1 / 1e4)
    assert found[:50] == sorted(found[:50])
    assert found[51:] == sorted(found[51:], reverse=True)


def test_restarts_become_longer():
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 2, 3)
    starts = [t for t in range(30) if schedule.lr_at(t)[1] == 0.1]
    assert starts == [0, 2, 8, 26]


def test_a_schedule_starts_from_the_rate_that_was_given():
    """Not from what another schedule has made of it."""
    optimizer = sgd()
    warm = lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    warm.step()
    after = lr_scheduler.ExponentialLR(optimizer, 0.5)
    assert after.base_lrs == [0.4, 0.1]
    optimizer.lr = 1.0
    assert lr_scheduler.ExponentialLR(optimizer, 0.5).base_lrs == [1.0, 1.0]


def test_of_two_schedules_the_last_step_counts():
    optimizer = sgd()
    one, other = lr_scheduler.StepLR(optimizer, 1), lr_scheduler.ExponentialLR(optimizer, 0.5)
    one.step()
    other.step()
    assert rates(optimizer) == other.lr_at(1) != one.lr_at(1)
    one.step()
    assert rates(optimizer) == one.lr_at(2)


def test_one_cycle_is_over_after_its_last_step():
    optimizer = sgd()
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.5, 3)
    for _ in range(3):
        schedule.step()
    before = rates(optimizer)
    with pytest.raises(ValueError, match="all of its 3 steps"):
        schedule.step()
    assert (schedule.last_epoch, rates(optimizer)) == (3, before)


def test_a_state_of_a_longer_cycle_changes_nothing():
    """Case 101."""
    optimizer = sgd()
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.5, 3)
    before = rates(optimizer)
    with pytest.raises(ValueError, match="all of its 3 steps"):
        schedule.load_state_dict(schedule.state_dict() | {"last_epoch": np.array(9)})
    assert (schedule.last_epoch, rates(optimizer)) == (0, before)


def test_a_rate_that_is_no_rate_changes_nothing():
    optimizer = sgd()
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda _: 1.0, lambda t: 1.0 - t])
    schedule.step()
    with pytest.raises(ValueError, match=r"lr is -0\.1"):
        schedule.step()
    assert (schedule.last_epoch, rates(optimizer)) == (1, [0.4, 0.0])


def test_one_cycle_without_a_rise():
    schedule = lr_scheduler.OneCycleLR(sgd(), 0.5, 10, pct_start=0.0)
    assert schedule.lr_at(1)[0] < 0.5
    assert schedule.lr_at(9)[0] == pytest.approx(0.5 / 25 / 1e4)


# ------------------------------------------------------------------ a plateau

FIGURES = [3.0, 2.0, 1.99999, 2.5, 2.0, 1.0, 1.0, 1.0, 1.0, math.nan, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"patience": 0, "factor": 0.5, "cooldown": 2},
        {"patience": 1, "threshold": 0.3, "threshold_mode": "abs", "min_lr": [0.05, 0.02]},
        {"patience": 1, "mode": "max"},
        {"patience": 0, "eps": 0.05},
    ],
    ids=str,
)
def test_a_plateau_equals_pytorch(options):
    torch = pytest.importorskip("torch")
    params = [torch.tensor([1.0], requires_grad=True) for _ in range(2)]
    theirs = torch.optim.SGD([{"params": params[:1], "lr": 0.4}, {"params": params[1:]}], lr=0.1)
    ours = sgd()
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    schedule = lr_scheduler.ReduceLROnPlateau(ours, **options)
    for figure in FIGURES * 2:
        schedule.step(figure)
        other.step(figure)
        np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-13)
        assert schedule.get_last_lr() == rates(ours)


def test_a_plateau_is_found_after_the_patience():
    optimizer = sgd()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, factor=0.5)
    found = []
    for figure in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        schedule.step(np.float32(figure))
        found.append(rates(optimizer)[0])
    assert found == [0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1]
    with pytest.raises(TypeError, match="metrics is 'low'"):
        schedule.step("low")
    assert schedule.last_epoch == 7


# ------------------------------------------------------------------ resuming


@every_schedule
def test_a_schedule_resumes_to_the_bit(name):
    """Case 109: also in an optimiser whose rate has been loaded before."""
    whole = sgd()
    schedule = SCHEDULES[name](lr_scheduler, whole)
    for _ in range(8):
        schedule.step()
    saved, state = schedule.state_dict(), whole.state_dict()
    resumed = sgd()
    resumed.load_state_dict(state)
    other = SCHEDULES[name](lr_scheduler, resumed)
    other.load_state_dict(saved)
    for _ in range(20):
        assert rates(resumed) == rates(whole)
        assert other.last_epoch == schedule.last_epoch
        schedule.step()
        other.step()


def test_a_plateau_resumes():
    """Case 109."""
    one, other = sgd(), sgd()
    first = lr_scheduler.ReduceLROnPlateau(one, patience=2, cooldown=1)
    for figure in FIGURES[:7]:
        first.step(figure)
    second = lr_scheduler.ReduceLROnPlateau(other, patience=2, cooldown=1)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(first.state_dict())
    for figure in FIGURES[7:]:
        first.step(figure)
        second.step(figure)
        assert rates(one) == rates(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("last_epoch"), "last_epoch: missing"),
        (lambda s: s.update(more=1), "more: unexpected"),
        (lambda s: s.update(base_lrs=np.ones(3)), r"base_lrs: float64 \(3,\), expected"),
        (lambda s: s.update(base_lrs=np.array([1.0, -1.0])), r"base_lrs is -1\.0"),
        (lambda s: s.update(last_epoch=np.array(-3)), "last_epoch is -3"),
    ],
)
@pytest.mark.parametrize("name", ["step", "sequence"])
def test_a_state_that_does_not_fit_changes_nothing(name, change, message):
    """Case 101."""
    optimizer = sgd()
    schedule = SCHEDULES[name](lr_scheduler, optimizer)
    schedule.step()
    wrong, before = schedule.state_dict() | {"base_lrs": np.array([9.0, 9.0])}, rates(optimizer)
    change(wrong)
    with pytest.raises(ValueError, match=message):
        schedule.load_state_dict(wrong)
    with pytest.raises(TypeError, match="expected a dict"):
        schedule.load_state_dict([1])
    assert (schedule.last_epoch, rates(optimizer), schedule.get_last_lr()) == (1, before, before)


# ------------------------------------------------------------------ compiled steps


def test_compiled_steps_see_the_rates():
    """Case 111: one record for all rates; a step inside would be taken once, and is refused."""

    def story(compiled):
        a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0])
        optimizer = Adam([{"params": [a], "lr": 0.4}, {"params": [b]}], lr=0.1)
        schedule = SCHEDULES["sequence"](lr_scheduler, optimizer)

        class Trainer:
            """Holds the schedule, so that the compiled function can reach it."""

            def __init__(self):
                self.schedule = schedule

            @compiled
            def step(self, x):
                optimizer.zero_grad()
                loss = (a * a * x).sum() + (b * b).sum()
                loss.backward()
                optimizer.step()
                return loss

        trainer = Trainer()
        for i in range(20):
            yield trainer.step(np.float64(i)), optimizer, a, b
            schedule.step()

    told_twice(story, runs=1)


@pytest.mark.parametrize("make", [SCHEDULES["cosine"], lambda m, o: m.ReduceLROnPlateau(o)])
def test_a_step_of_a_schedule_inside_is_refused(make):
    p = tg.Tensor([1.0])
    optimizer = SGD([{"params": [p]}], lr=0.1)
    schedule = make(lr_scheduler, optimizer)

    @tg.compile
    def step():
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
        schedule.step(*[1.0] * isinstance(schedule, lr_scheduler.ReduceLROnPlateau))

    with pytest.raises(tg.CompileError, match="take it after the function"):
        step()
    assert schedule.last_epoch == 0
    assert p.data[0] == 1.0


# ------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m, _: m.StepLR([1], 2), TypeError, "optimizer is a list"),
        (lambda m, o: m.StepLR(o, 0), ValueError, "step_size is 0"),
        (lambda m, o: m.StepLR(o, 1.5), TypeError, "step_size is 1.5; expected an integer >= 1"),
        (lambda m, o: m.MultiStepLR(o, [3, 2]), ValueError, "expected rising numbers"),
        (lambda m, o: m.ExponentialLR(o, -1), ValueError, "gamma is -1"),
        (lambda m, o: m.OneCycleLR(o, 1.0), ValueError, "give total_steps"),
        (lambda m, o: m.OneCycleLR(o, 1.0, 9, anneal_strategy="sin"), ValueError, "anneal_strat"),
        (lambda m, o: m.OneCycleLR(o, [1.0], 9), ValueError, "1 values for 2 groups"),
        (lambda m, o: m.OneCycleLR(o, 1.0, 9, div_factor=0), ValueError, "div_factor is 0; expe"),
        (lambda m, o: m.LambdaLR(o, 0.5), TypeError, "expected a function"),
        (lambda m, o: m.SequentialLR(o, [], []), ValueError, "one milestone between"),
        (
            lambda m, o: m.SequentialLR(o, [m.StepLR(sgd(), 2)], []),
            TypeError,
            "no schedule of this",
        ),
        (lambda m, o: m.SequentialLR(o, [m.ReduceLROnPlateau(o)], []), TypeError, "no schedule of"),
        (lambda m, o: m.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor is 1.0"),
        (lambda m, o: m.ReduceLROnPlateau(o, mode="low"), ValueError, "mode is 'low'"),
    ],
)
def test_wrong_arguments_are_refused(make, error, message):
    optimizer = sgd()
    with pytest.raises(error, match=message):
        make(lr_scheduler, optimizer)
    assert rates(optimizer) == [0.4, 0.1]


def test_groups_that_came_later_are_noticed():
    optimizer = sgd()
    schedule = lr_scheduler.StepLR(optimizer, 1)
    optimizer.add_param_group({"params": [tg.Tensor([1.0])]})
    with pytest.raises(ValueError, match="made for 2 groups, and the optimiser has 3"):
        schedule.step()
    assert schedule.last_epoch == 0


def test_any_optimiser_will_do():
    optimizer = LBFGS([tg.Tensor([1.0])])
    lr_scheduler.LinearLR(optimizer, 0.5)
    assert optimizer.lr == 0.5
