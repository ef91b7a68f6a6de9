"""Schedules: the learning rate as a function of the number of steps.

Floor: optim.  To add one: derive from `LRScheduler`, and write `rate`, the rate at step t.

A schedule is called after each step of the optimiser, or after each epoch, whichever it is to
count.  It writes into the array that the optimiser reads, so a compiled step sees it; `step` itself
is called outside of what is compiled.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..checks import as_count, as_fraction, as_number, one_of
from ..compiler.errors import CompileError
from .base import BaseOptimizer
from .groups import Group
from .state import fitting


class LRScheduler(ABC):
    """What all schedules share.

    The rates that the groups have been given are those that a schedule starts from; what other
    schedules have made of them does not count.  So two on one optimiser do not combine: the rate is
    that of the one whose `step` came last, and one that is assigned holds until the next.

    Parameters
    ----------
    optimizer
        Its rates are set, at once and at each `step`.
    base_lrs
        What each group starts from, in place of the rates that they have been given.

    Attributes
    ----------
    base_lrs : list of float
        The rate that each group starts from.
    last_epoch : int
        How often `step` was called.

    Raises
    ------
    TypeError
        If `optimizer` is none.
    """

    def __init__(self, optimizer: BaseOptimizer, base_lrs: list[float] | None = None) -> None:
        given = [group.initial_lr for group in _groups_of(optimizer)]
        self.optimizer = optimizer
        self.base_lrs = given if base_lrs is None else base_lrs
        self._epoch = 0  # private, so that compiled steps do not take it for a part of the record
        self._go_to(0)

    @abstractmethod
    def rate(self, i: int, t: int) -> float:
        """Return the rate of group i, which starts from `base_lrs[i]`, after t steps."""

    @property
    def last_epoch(self) -> int:
        """How often `step` was called."""
        return self._epoch

    def lr_at(self, t: int) -> list[float]:
        """Return the rate of each group after t steps; nothing is changed."""
        return [self.rate(i, t) for i in range(len(self.base_lrs))]

    def step(self) -> None:
        """Go on by a step, and set the rates.

        Raises
        ------
        CompileError
            In a compiled function, which would do it when it is recorded and not at each call.
        ValueError
            If a rate is negative or not finite, or there are other groups.  Nothing was changed.
        """
        self._go_to(self._epoch + 1)

    def _go_to(self, t: int) -> None:
        """Set the rates to those after t steps, or none of them."""
        groups = _groups_of(self.optimizer, len(self.base_lrs))
        rates = [as_number("lr", rate) for rate in self.lr_at(t)]
        for group, rate in zip(groups, rates, strict=True):
            group.schedule(rate)
        self._epoch = t

    def get_last_lr(self) -> list[float]:
        """Return the rates that were set last, one for each group."""
        return self.lr_at(self._epoch)

    def state_dict(self) -> dict[str, Array]:
        """Copy what the next steps depend on, beside the arguments of the constructor."""
        return {"last_epoch": np.array(self._epoch), "base_lrs": np.array(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave, and set the rates.

        Parameters
        ----------
        state
            Of a schedule made with the same arguments.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If a name is missing or unexpected, or a value has another shape or is out of range.
            Nothing was changed then.
        """
        own = self.state_dict()
        given = fitting(type(self).__name__, state, own)
        for name, array in given.items():
            for value in array.reshape(-1).tolist():
                as_number(name, value)
        try:
            self._load(given)
            self._go_to(self._epoch)
        except ValueError:
            self._load(own)
            raise

    def _load(self, state: dict[str, Array]) -> None:
        """Take over a state, which was checked."""
        self._epoch = int(state["last_epoch"])
        self.base_lrs = state["base_lrs"].tolist()


class StepLR(LRScheduler):
    """The rate falls by a factor after every `step_size` steps.

    Parameters
    ----------
    optimizer
        Its rates are set.
    step_size
        How many steps the rate stays.
    gamma
        The factor.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import SGD
    >>> schedule = StepLR(SGD([tg.Tensor([1.0])], lr=8.0), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(t)[0] for t in range(6)]
    [8.0, 8.0, 4.0, 4.0, 2.0, 2.0]
    """

    def __init__(self, optimizer: BaseOptimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = as_count("step_size", step_size), as_number("gamma", gamma)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return base · γ^⌊t / step_size⌋."""
        return self.base_lrs[i] * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """The rate falls by a factor at each milestone.

    Parameters
    ----------
    optimizer
        Its rates are set.
    milestones
        After how many steps, in rising order.
    gamma
        The factor.
    """

    def __init__(
        self, optimizer: BaseOptimizer, milestones: Iterable[int], gamma: float = 0.1
    ) -> None:
        self.milestones, self.gamma = _rising("milestones", milestones), as_number("gamma", gamma)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return base · γ^(the number of milestones that are reached)."""
        return self.base_lrs[i] * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """The rate falls by a factor at each step.

    Parameters
    ----------
    optimizer
        Its rates are set.
    gamma
        The factor.
    """

    def __init__(self, optimizer: BaseOptimizer, gamma: float) -> None:
        self.gamma = as_number("gamma", gamma)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return base · γᵗ."""
        return self.base_lrs[i] * self.gamma**t


class LinearLR(LRScheduler):
    """The rate changes evenly from one share of it to another, then stays: a warm-up.

    Parameters
    ----------
    optimizer
        Its rates are set.
    start_factor, end_factor
        The shares.
    total_iters
        In how many steps.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import SGD
    >>> schedule = LinearLR(SGD([tg.Tensor([1.0])], lr=1.0), start_factor=0.25, total_iters=3)
    >>> [schedule.lr_at(t)[0] for t in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start_factor = as_number("start_factor", start_factor)
        self.end_factor = as_number("end_factor", end_factor)
        self.total_iters = as_count("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return base times a factor between the two."""
        share = min(t / self.total_iters, 1.0)
        return self.base_lrs[i] * (
            self.start_factor + share * (self.end_factor - self.start_factor)
        )


class CosineAnnealingLR(LRScheduler):
    """The rate falls along half a cosine, and rises again if it goes on.

    Parameters
    ----------
    optimizer
        Its rates are set.
    T_max
        After how many steps it is lowest.
    eta_min
        The lowest rate.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    equation 5.
    """

    def __init__(self, optimizer: BaseOptimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 - PyTorch's name
        self.T_max, self.eta_min = as_count("T_max", T_max), as_number("eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return η_min + (base − η_min) (1 + cos(π t / T_max)) / 2."""
        return _cosine(self.base_lrs[i], self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """The rate falls along half a cosine again and again.

    Parameters
    ----------
    optimizer
        Its rates are set.
    T_0
        After how many steps it starts again for the first time.
    T_mult
        How many times longer each turn is than the one before.
    eta_min
        The lowest rate.

    References
    ----------
    As of `CosineAnnealingLR`.
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        T_0: int,  # noqa: N803 - PyTorch's name
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
    ) -> None:
        self.T_0, self.T_mult = as_count("T_0", T_0), as_count("T_mult", T_mult)
        self.eta_min = as_number("eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return what `CosineAnnealingLR` would after the steps since the last start."""
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t -= length
            length *= self.T_mult
        return _cosine(self.base_lrs[i], self.eta_min, t / length)


class OneCycleLR(LRScheduler):
    """The rate rises to its highest, then falls far below where it started.

    It is called after each batch.  The momentum stays as it is, as with PyTorch's
    `cycle_momentum=False`.

    Parameters
    ----------
    optimizer
        Its rates are set.
    max_lr
        The highest rate, for all groups or one for each.
    total_steps
        The number of steps in all; or give `epochs` and `steps_per_epoch`.
    epochs, steps_per_epoch
        Whose product it is.
    pct_start
        The share of the steps in which the rate rises.
    anneal_strategy
        "cos" or "linear".
    div_factor
        The rate starts at `max_lr / div_factor`,
    final_div_factor
        and ends at that divided by this.
    three_phase
        Whether it falls to where it started as fast as it has risen, and then further.

    Raises
    ------
    ValueError
        If a number is out of range; in `step`, if all steps were taken.

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018.
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("give total_steps, or epochs and steps_per_epoch")
            total_steps = as_count("epochs", epochs) * as_count("steps_per_epoch", steps_per_epoch)
        self.total_steps = as_count("total_steps", total_steps)
        self.anneal_strategy = one_of("anneal_strategy", anneal_strategy, "cos", "linear")
        self.div_factor = as_number("div_factor", div_factor, above=0)
        self.final_div_factor = as_number("final_div_factor", final_div_factor, above=0)
        low, last = 1 / self.div_factor, float(self.total_steps - 1)
        top = max(as_fraction("pct_start", pct_start) * self.total_steps - 1, 0.0)
        # Where each part ends, and the rate there as a multiple of the highest.
        self._parts = [(0.0, low), (top, 1.0)]
        self._parts += [(2 * top, low)] if three_phase else []
        self._parts += [(last, low / self.final_div_factor)]
        super().__init__(optimizer, _for_each("max_lr", max_lr, optimizer, as_number))

    def rate(self, i: int, t: int) -> float:
        """Return the rate between the ends of the part in which step t is."""
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR has taken all of its {self.total_steps} steps")
        part = min(bisect_left([end for end, _ in self._parts[1:]], t), len(self._parts) - 2)
        (start, one), (end, other) = self._parts[part : part + 2]
        first, last = (factor * self.base_lrs[i] for factor in (one, other))
        share = min((t - start) / (end - start), 1.0) if end > start else 1.0
        if self.anneal_strategy == "cos":
            return _cosine(first, last, share)
        return first + share * (last - first)


class LambdaLR(LRScheduler):
    """The rate times a function of the number of steps.

    Parameters
    ----------
    optimizer
        Its rates are set.
    lr_lambda
        Returns a factor for a number of steps; one function for all groups, or one for each.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import SGD
    >>> schedule = LambdaLR(SGD([tg.Tensor([1.0])], lr=1.0), lambda t: 1 / (1 + t))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        self.lr_lambdas = _for_each("lr_lambda", lr_lambda, optimizer, _function)
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return base · λ(t)."""
        return self.base_lrs[i] * float(self.lr_lambdas[i](t))


class SequentialLR(LRScheduler):
    """Schedules one after the other, each of which starts at a milestone.

    Parameters
    ----------
    optimizer
        Its rates are set.
    schedulers
        Of the same optimiser; `step` is called on this one alone.
    milestones
        After how many steps the second starts, the third, and so on.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import SGD
    >>> sgd = SGD([tg.Tensor([1.0])], lr=1.0)
    >>> parts = [LinearLR(sgd, 0.5, total_iters=2), ExponentialLR(sgd, 0.5)]
    >>> schedule = SequentialLR(sgd, parts, milestones=[2])
    >>> [schedule.lr_at(t)[0] for t in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: BaseOptimizer, schedulers: Sequence[LRScheduler], milestones: Iterable[int]
    ) -> None:
        self.schedulers, self.milestones = list(schedulers), _rising("milestones", milestones)
        if len(self.schedulers) != len(self.milestones) + 1:
            raise ValueError(
                f"{len(self.schedulers)} schedulers and {len(self.milestones)} milestones; "
                "expected one milestone between each two"
            )
        for scheduler in self.schedulers:
            if not isinstance(scheduler, LRScheduler) or scheduler.optimizer is not optimizer:
                raise TypeError(
                    f"{scheduler!r} is no schedule of this optimiser that depends on the number of "
                    "steps alone"
                )
        super().__init__(optimizer)

    def rate(self, i: int, t: int) -> float:
        """Return the rate of the schedule at step t, after the steps since it has started."""
        part = bisect_right(self.milestones, t)
        return self.schedulers[part].rate(i, t - (self.milestones[part - 1] if part else 0))

    def state_dict(self) -> dict[str, Array]:
        """Copy what the next steps depend on, that of each schedule under its position."""
        parts = enumerate(scheduler.state_dict() for scheduler in self.schedulers)
        found = {f"{i}.{name}": array for i, part in parts for name, array in part.items()}
        return super().state_dict() | found

    def _load(self, state: dict[str, Array]) -> None:
        """Take over a state, which was checked."""
        super()._load(state)
        for i, scheduler in enumerate(self.schedulers):
            names = scheduler.state_dict()
            scheduler._load({name: state[f"{i}.{name}"] for name in names})


class ReduceLROnPlateau:
    """The rate falls by a factor when a figure has stopped getting better.

    Parameters
    ----------
    optimizer
        Its rates are set.
    mode
        "min" for a figure that is to fall, such as a loss; "max" for one that is to rise.
    factor
        What the rates are multiplied by, below 1.
    patience
        After how many steps without improvement in a row the next one is too many.
    threshold
        By how much the best figure has to be surpassed,
    threshold_mode
        "rel" for a share of it, "abs" for a number.
    cooldown
        How many steps are not counted after the rates have fallen.
    min_lr
        Below what no rate falls, for all groups or one for each.
    eps
        A fall by no more is not done.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from tensorgrad.optim import SGD
    >>> schedule = ReduceLROnPlateau(SGD([tg.Tensor([1.0])], lr=1.0), factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer, self.mode = optimizer, one_of("mode", mode, "min", "max")
        self.threshold_mode = one_of("threshold_mode", threshold_mode, "rel", "abs")
        self.factor = as_fraction("factor", factor)
        self.threshold = as_number("threshold", threshold)
        self.patience = as_count("patience", patience, 0)
        self.cooldown = as_count("cooldown", cooldown, 0)
        self.min_lrs = _for_each("min_lr", min_lr, optimizer, as_number)
        self.eps = as_number("eps", eps)
        self._best = math.inf if mode == "min" else -math.inf
        self._bad = self._waiting = self._epoch = 0

    @property
    def last_epoch(self) -> int:
        """How often `step` was called."""
        return self._epoch

    def step(self, metrics: float) -> None:
        """Look at a figure, and lower the rates if it has not been better for long enough.

        Parameters
        ----------
        metrics
            The figure, such as the loss of the validation; NaN is no improvement.

        Raises
        ------
        CompileError
            In a compiled function.
        TypeError
            If the figure is no number.
        """
        groups = _groups_of(self.optimizer, len(self.min_lrs))
        try:
            value = float(metrics)
        except (TypeError, ValueError):
            raise TypeError(f"metrics is {metrics!r}; expected a number") from None
        self._epoch += 1
        if self._is_better(value):
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._waiting:
            self._waiting, self._bad = self._waiting - 1, 0
        if self._bad > self.patience:
            self._waiting, self._bad = self.cooldown, 0
            for group, least in zip(groups, self.min_lrs, strict=True):
                lower = max(group["lr"] * self.factor, least)
                if group["lr"] - lower > self.eps:
                    group.schedule(lower)

    def _is_better(self, value: float) -> bool:
        """Tell whether a figure surpasses the best one."""
        if math.isinf(self._best):
            return value < self._best if self.mode == "min" else value > self._best
        margin = self.threshold * (self._best if self.threshold_mode == "rel" else 1.0)
        if self.mode == "min":
            return value < self._best - margin
        return value > self._best + margin

    def get_last_lr(self) -> list[float]:
        """Return the rates of the groups."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Array]:
        """Copy what the next steps depend on, beside the arguments and the rates themselves.

        Those are a part of the optimiser's state.
        """
        values = {
            "last_epoch": self._epoch, "best": self._best, "bad": self._bad,
            "waiting": self._waiting,
        }  # fmt: skip
        return {name: np.array(value) for name, value in values.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; see `LRScheduler` for what is refused."""
        checked = fitting(type(self).__name__, state, self.state_dict())
        self._epoch, self._bad, self._waiting = (
            int(checked[name]) for name in ("last_epoch", "bad", "waiting")
        )
        self._best = float(checked["best"])


def _groups_of(optimizer: BaseOptimizer, expected: int | None = None) -> list[Group]:
    """Return the groups of an optimiser, if there are as many as expected."""
    if not isinstance(optimizer, BaseOptimizer):
        raise TypeError(
            f"optimizer is a {type(optimizer).__name__}; expected one, such as optim.Adam(...)"
        )
    groups = optimizer.param_groups
    if expected not in (None, len(groups)):
        raise ValueError(
            f"the schedule was made for {expected} groups, and the optimiser has {len(groups)}: "
            "make it after add_param_group"
        )
    if type(groups[0].options["lr"]) is not np.ndarray:
        raise CompileError(
            "a step of a schedule in a compiled function: take it after the function, which reads "
            "the rate anew at each call"
        )
    return groups


def _cosine(first: float, last: float, share: float) -> float:
    """Return a value on half a cosine from the first value to the last."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _rising(name: str, values: Iterable[int]) -> list[int]:
    """Return whole numbers as a list, if they rise."""
    found = [as_count(f"{name}[{i}]", value) for i, value in enumerate(values)]
    if found != sorted(set(found)):
        raise ValueError(f"{name} is {found}; expected rising numbers")
    return found


def _for_each(
    name: str, value: Any, optimizer: BaseOptimizer, check: Callable[[str, Any], Any]
) -> list[Any]:
    """Return a value for each group: one for all, or a list."""
    groups = len(_groups_of(optimizer))
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{name} has {len(values)} values for {groups} groups")
    return [check(name, item) for item in values]


def _function(name: str, value: Any) -> Any:
    """Return a function, or raise."""
    if not callable(value):
        raise TypeError(f"{name} is {value!r}; expected a function of the number of steps")
    return value
