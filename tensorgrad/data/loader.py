"""DataLoader: a data set in batches, shuffled or not, with an exact position.

Floor `data`; may import `_typing` and `random`.  What a sample is, is `dataset`'s matter; how
samples become a batch `collate`'s; the thread `prefetch`'s.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from .._typing import Array, SeedLike
from ..checks import as_count
from ..random import as_generator, generator_at, state_of
from .collate import default_collate
from .dataset import Dataset, Stream, as_source, generators_of
from .prefetch import prefetched


@dataclass(slots=True)
class _Pass:
    """A pass over the data: its order, what that was drawn from, and how far it has come.

    `outer` is the pass in whose loop it was begun.
    """

    order: Array | None = None
    drawn_from: dict[str, Any] | None = None
    done: int = 0
    running: bool = False
    outer: _Pass | None = None


class DataLoader:
    """Iterate over a data set in batches, as often as you like; `len` counts the batches.

    Arrays are cut into batches as a whole, not sample by sample.  In order and without prefetching
    their batches are views (writing to one writes to the array); else they are copies, and of a
    memory map nothing but the rows of the batch is read.

    Parameters
    ----------
    dataset
        An array or memory map (a batch is an array), a tuple of them or of `Dataset`s with equal
        lengths (a batch is a tuple), a list of samples, a `Dataset`, or any object with `__len__`
        and `__getitem__`.  Or samples that only come one after the other: an iterable, or a
        function that returns one, such as a generator function, called anew for each pass.
    batch_size
        Samples per batch, at least 1; None: what `dataset` gives are batches already.
    shuffle
        Whether every pass has a new order; not of an iterable.
    drop_last
        Leave out the last batch where it is smaller than the others; also where it is the only one.
    collate_fn
        A function of a list of samples that returns a batch, or of one sample where `batch_size` is
        None.  By default samples are put together as `default_collate` does.
    generator
        Generator, seed, or None for the default generator; drawn from once per shuffled pass.
    prefetch
        How many batches a thread makes ahead, while the one before is used: the same batches in the
        same order.  The thread ends with the loop, also where that is left early.  It helps where
        making a batch waits for a disk or is NumPy's work on large arrays, both of which let other
        threads run.  A data set that draws random numbers needs a generator of its own then,
        and has no position that can be saved.

    Raises
    ------
    TypeError, ValueError
        Where an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from tensorgrad.data import DataLoader
    >>> x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    >>> [labels.tolist() for _, labels in DataLoader((x, y), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    >>> loader = DataLoader((x, y), batch_size=2, shuffle=True, generator=0, drop_last=True)
    >>> first = next(iter(loader))
    >>> position = loader.state_dict()
    >>> resumed = DataLoader((x, y), batch_size=2, shuffle=True, drop_last=True)
    >>> resumed.load_state_dict(position)
    >>> len(list(resumed)), len(list(resumed))
    (1, 2)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        collate_fn: Callable[[Any], Any] | None = None,
        generator: SeedLike = None,
        prefetch: int = 0,
    ) -> None:
        self.dataset = as_source(dataset)
        self.batch_size = None if batch_size is None else as_count("batch_size", batch_size)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.collate_fn = collate_fn
        self.generator = as_generator(generator)
        self.prefetch = as_count("prefetch", prefetch, 0)
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"collate_fn is {collate_fn!r}; expected a function of samples")
        if self.shuffle and isinstance(self.dataset, Stream):
            raise ValueError(
                "samples that come one after the other cannot be shuffled: shuffle where they come "
                "from, or give a list"
            )
        if self.drop_last and batch_size is None:
            raise ValueError("drop_last needs a batch_size: batches that are ready are not counted")
        self._current: _Pass | None = None
        self._resumed: _Pass | None = None

    def __len__(self) -> int:
        """Return the number of batches in one pass; a TypeError where only a pass would tell."""
        if (samples := self._samples()) < 0:
            raise TypeError("the number of batches is not known: the data are an iterable")
        full, rest = divmod(samples, self.batch_size or 1)
        return full + (rest > 0 and not self.drop_last)

    def _samples(self) -> int:
        """Return the number of samples, or -1 where only a pass would tell."""
        return self.dataset.count() if isinstance(self.dataset, Stream) else len(self.dataset)

    def __iter__(self) -> Iterator[Any]:
        """Start a pass, or go on with the one that `load_state_dict` has set."""
        run = self._resumed or self._begun()
        if isinstance(self.dataset, Stream):
            made = self._collected(self.dataset.start(), run.done)
        else:
            made = self._taken(self.dataset, run.order, range(run.done, len(self)))
        if self._current and self._current.running:
            run.outer = self._current
        self._current, self._resumed = run, None
        return self._handed_out(run, prefetched(made, self.prefetch) if self.prefetch else made)

    def _begun(self) -> _Pass:
        """Return a new pass; a shuffled one draws its order."""
        if not self.shuffle:
            return _Pass()
        drawn_from = state_of(self.generator)
        return _Pass(self.generator.permutation(self._samples()), drawn_from)

    def _handed_out(self, run: _Pass, made: Iterator[Any]) -> Iterator[Any]:
        """Yield batches and count them; then the position is again that of the loop around."""
        run.running, left = True, True
        try:
            for batch in made:
                run.done += 1
                self._current = self._current or run  # after `forget_position` in its loop
                yield batch
            left = False
        finally:
            run.running = False
            outer = run.outer if run.outer and run.outer.running else None
            if self._current is run and (outer or not left):
                self._current = outer

    def _taken(self, data: Dataset, order: Array | None, numbers: range) -> Iterator[Any]:
        """Make the batches of these numbers from a data set."""
        n = len(data)
        for number in numbers:
            if self.batch_size is None:
                sample = data[number if order is None else int(order[number])]
                yield self.collate_fn(sample) if self.collate_fn else sample
                continue
            start = number * self.batch_size
            rows: Any = slice(start, min(start + self.batch_size, n))
            if order is not None:
                rows = order[rows]
            elif self.prefetch:  # a copy, so that the thread reads a memory map, not its reader
                rows = np.arange(rows.start, rows.stop)
            yield self.collate_fn(data.samples(rows)) if self.collate_fn else data.take(rows)

    def _collected(self, samples: Iterator[Any], done: int) -> Iterator[Any]:
        """Make batches of samples as they come, and leave out those that are done."""
        groups = samples if self.batch_size is None else self._grouped(samples, self.batch_size)
        skipped = sum(1 for _ in islice(groups, done))
        if skipped < done:
            raise ValueError(
                f"the data gave {skipped} batches, and the position that was loaded is after "
                f"{done}: they are not the data of that position"
            )
        collate = self.collate_fn or (None if self.batch_size is None else default_collate)
        for group in groups:
            yield group if collate is None else collate(group)

    def _grouped(self, samples: Iterator[Any], size: int) -> Iterator[list[Any]]:
        """Yield the samples in lists, one to a batch."""
        while len(group := list(islice(samples, size))) >= (size if self.drop_last else 1):
            yield group

    def state_dict(self) -> dict[str, Any]:
        """Describe the position: which batches are still to come, now and in the passes after.

        Batches count once they were handed out, whatever was prefetched.

        Returns
        -------
        dict of str to int or dict
            "samples" (-1 where unknown), "batch_size" (0 for None), "drop_last", "position" in
            batches; where passes are shuffled "generator", its state, and within a pass "order",
            the state that it was drawn from; where samples are drawn from them "generators".  Text,
            ints and lists, which JSON can hold.

        Raises
        ------
        ValueError
            If the data set has a generator, and is an iterable or prefetched: then the generator is
            not where the batches are.
        """
        run = self._resumed or self._current
        state: dict[str, Any] = {**self._form(), "position": run.done if run else 0}
        if found := self._sources():
            state["generators"] = {name: state_of(generator) for name, generator in found.items()}
        if self.shuffle:
            state["generator"] = state_of(self.generator)
            if run:
                state["order"] = run.drawn_from
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where `state_dict` was called, and those after it as well.

        The generator is set to where it was; a loop that is running is not affected.  After the
        last batch of a pass but within its loop nothing is left of that pass: the next iteration is
        empty, and the one after it a new pass.  An iterable starts anew, and what was handed out is
        made once more and thrown away.

        Parameters
        ----------
        state
            Of a loader over as many samples in the same order, made with the same `batch_size`,
            `shuffle` and `drop_last`.

        Raises
        ------
        TypeError
            If `state` is no mapping.
        ValueError
            If it does not fit this loader.  Nothing was changed.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state is a {type(state).__name__}; expected what state_dict gave")
        if faults := self._faults(state):
            raise ValueError(
                "the state does not fit this DataLoader, and nothing was changed:\n  "
                + "\n  ".join(faults)
            )
        run = _Pass(done=operator.index(state["position"]))
        marks = [(own, state["generators"][name]) for name, own in self._sources().items()]
        if self.shuffle:
            marks.append((self.generator, state["generator"]))
            if "order" in state:
                drawn = generator_at(self.generator, state["order"])
                run.drawn_from = state_of(drawn)
                run.order = drawn.permutation(self._samples())
        places = [(own, generator_at(own, mark)) for own, mark in marks]
        for own, place in places:
            own.bit_generator.state = place.bit_generator.state
        begun = run.order is not None or run.done
        self._current, self._resumed = None, run if begun else None

    def forget_position(self) -> None:
        """Let the position be that before a new pass, which the next iteration begins in any case.

        So that a pass that was left, or looked into by `next(iter(loader))`, is not saved and gone
        on with.  One that `load_state_dict` has set is the next iteration's, and stays.
        """
        self._current = None

    def _faults(self, state: Mapping[str, Any]) -> list[str]:
        """List what of a state does not fit this loader; the generators apart."""
        form = self._form()
        optional = {"order"} if self.shuffle else set()
        sources = self._sources()
        needed = {*form, "position"} | ({"generator"} if self.shuffle else set())
        needed |= {"generators"} if sources else set()
        faults = [f"{name}: missing" for name in sorted(needed - state.keys())]
        faults += [f"{name}: unexpected" for name in state if name not in needed | optional]
        most = len(self) if self._samples() >= 0 else 2**63
        bounds = {name: (own, own) for name, own in form.items()} | {"position": (0, most)}
        for name, (low, high) in bounds.items():
            if name in state and not _within(state[name], low, high):
                expected = low if low == high else f"{low} to {high}"
                faults.append(f"{name}: {state[name]!r}, expected {expected}")
        if not faults and self.shuffle and "order" not in state and state["position"]:
            faults.append("order: missing, but the position is within a pass")
        if not faults and sources:
            given = state["generators"]
            if not isinstance(given, Mapping) or given.keys() != sources.keys():
                faults.append(f"generators: {given!r}, expected the states of {list(sources)}")
        return faults

    def _sources(self) -> dict[str, np.random.Generator]:
        """Return the generators that batches are made with, by names; see `generators_of`."""
        data = dict(generators_of("dataset", self.dataset))
        found = data | dict(generators_of("collate_fn", self.collate_fn))
        if (self.prefetch and found) or (isinstance(self.dataset, Stream) and data):
            why = "prefetch draws from it ahead" if self.prefetch else "an iterable starts anew"
            raise ValueError(
                f"{next(iter(found))} is a generator, and {why}, so that a position among the "
                "batches is none of the generator: give "
                + ("prefetch=0" if self.prefetch else "a data set with __len__ and __getitem__")
            )
        return found

    def _form(self) -> dict[str, int]:
        """Return what has to be the same where a position is to be taken up."""
        return {
            "samples": self._samples(),
            "batch_size": self.batch_size or 0,
            "drop_last": int(self.drop_last),
        }


def _within(value: Any, low: int, high: int) -> bool:
    """Tell whether a value of a state is an integer in these bounds."""
    try:
        return low <= operator.index(value) <= high
    except TypeError:
        return False
