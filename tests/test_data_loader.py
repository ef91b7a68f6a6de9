"""`DataLoader`: what it takes, what its batches are, and the thread that makes them ahead."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import DataLoader, Dataset, Subset, TensorDataset, batches, default_collate

X = np.arange(22.0, dtype=np.float32).reshape(11, 2)
Y = np.arange(11)


class Samples(Dataset):
    """The rows of X and Y, one by one."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        assert type(index) is int
        return X[index], int(Y[index])


class Foreign:
    """What another library would call a data set."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return X[index], int(Y[index])


def rows() -> Iterator[tuple[Any, int]]:
    """Yield the rows of X and Y."""
    for x, y in zip(X, Y, strict=True):
        yield x, int(y)


SOURCES: dict[str, Callable[[], Any]] = {
    "arrays": lambda: (X, Y),
    "TensorDataset": lambda: TensorDataset(X, Y),
    "fortran": lambda: (np.asfortranarray(X), Y),
    "list": lambda: list(rows()),
    "Dataset": Samples,
    "foreign": Foreign,
    "Subset": lambda: Subset((np.concatenate([X, X]), np.concatenate([Y, Y])), np.arange(11)),
    "generator function": lambda: rows,
    "generator": rows,
    "dict view": lambda: dict(enumerate(rows())).values(),
}
STREAMS = {"generator function", "generator", "dict view"}


def by_hand(size: int, order: Any = Y, drop_last: bool = False) -> list[tuple[Any, Any]]:
    """Cut the rows into batches with a plain loop."""
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    return [(X[part], Y[part]) for part in parts if len(part) == size or not drop_last]


def assert_same(found: list[Any], wanted: list[Any]) -> None:
    """Compare batches of arrays, dtypes included."""
    assert len(found) == len(wanted)
    for batch, expected in zip(found, wanted, strict=True):
        assert type(batch) is tuple
        for part, right in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(part, right, strict=True)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("prefetch", [0, 1, 3, 100])
@pytest.mark.parametrize(("size", "drop_last"), [(4, False), (4, True), (20, False), (20, True)])
def test_every_source_gives_the_same_batches(
    source: str, prefetch: int, size: int, drop_last: bool
) -> None:
    """Case 103."""
    options: Any = {"drop_last": drop_last, "prefetch": prefetch}
    loader = DataLoader(SOURCES[source](), size, **options)
    wanted = by_hand(size, drop_last=drop_last)
    assert_same(list(loader), wanted)
    if source not in STREAMS:
        assert len(loader) == len(wanted)
        assert_same(list(loader), wanted)
        order = np.random.default_rng(3).permutation(11)
        shuffled = DataLoader(SOURCES[source](), size, shuffle=True, generator=3, **options)
        assert_same(list(shuffled), by_hand(size, order, drop_last))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_no_samples_give_no_batches(prefetch: int) -> None:
    """Case 103."""
    for empty in (X[:0], (X[:0], Y[:0]), [], Subset(X, []), lambda: iter(()), iter(())):
        assert list(DataLoader(empty, 3, prefetch=prefetch)) == []
    assert list(DataLoader(X[:0], 3, shuffle=True, prefetch=prefetch)) == []


def test_batches_that_are_ready_pass_through() -> None:
    ready = by_hand(4)
    assert_same(list(DataLoader(lambda: ready, None)), ready)
    assert_same(list(DataLoader(ready, None, prefetch=1)), ready)
    order = np.random.default_rng(0).permutation(3)
    found = list(DataLoader(ready, None, shuffle=True, generator=0))
    assert_same(found, [ready[i] for i in order])
    doubled = DataLoader(ready, None, collate_fn=lambda batch: batch[0] * 2)
    np.testing.assert_array_equal(np.concatenate(list(doubled)), X * 2)
    assert len(doubled) == 3


@pytest.mark.parametrize("source", SOURCES)
def test_collate_fn_makes_a_batch_of_samples(source: str) -> None:
    loader = DataLoader(SOURCES[source](), 4, collate_fn=lambda samples: [y for _, y in samples])
    assert list(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def test_a_memory_map_is_copied_where_batches_are_made_ahead() -> None:
    plain, ahead = next(iter(DataLoader(X, 3))), next(iter(DataLoader(X, 3, prefetch=1)))
    assert np.shares_memory(plain, X)
    assert not np.shares_memory(ahead, X)
    np.testing.assert_array_equal(plain, ahead, strict=True)


def test_a_masked_array_keeps_its_mask() -> None:
    x = np.ma.masked_equal(X, 6)
    for shuffle in (False, True):
        found = np.ma.concatenate(list(DataLoader(x, 4, shuffle, generator=0)))
        assert found.mask.sum() == 1  # and not lost on the way
        assert found.sum() == X.sum() - 6


def test_an_iterator_gives_its_samples_once() -> None:
    loader = DataLoader(rows(), 4)
    assert len(list(loader)) == 3
    with pytest.raises(ValueError, match="a generator, which gives its samples once"):
        iter(loader)
    again = DataLoader(rows, 4)
    assert_same(list(again), list(again))


def test_length_of_what_cannot_be_counted() -> None:
    with pytest.raises(TypeError, match="number of batches is not known"):
        len(DataLoader(rows, 4))
    assert len(DataLoader({1, 2, 3}, 2)) == 2


def test_samples_of_the_user_may_grow() -> None:
    data = [1, 2]
    loader = DataLoader(data, 2, shuffle=True, generator=0)
    assert len(loader) == 1
    data += [3, 4, 5]
    assert sorted(np.concatenate(list(loader)).tolist()) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        ({"x": X}, {}, TypeError, "data are a dict"),
        ("text", {}, TypeError, "data are a str"),
        (3, {}, TypeError, "data are a int"),
        (Samples, {}, TypeError, "data are a type"),
        ((), {}, ValueError, "at least one array"),
        ((X, [1]), {}, TypeError, "holds a list"),
        ((X, Y[:3]), {}, ValueError, r"shapes \[\(11, 2\), \(3,\)\]"),
        (X, {"batch_size": 0}, ValueError, "batch_size is 0"),
        (X, {"batch_size": "3"}, TypeError, "batch_size is '3'"),
        (X, {"prefetch": -1}, ValueError, "prefetch is -1"),
        (X, {"collate_fn": 3}, TypeError, "collate_fn is 3"),
        (X, {"generator": "seed"}, TypeError, "rng is 'seed'"),
        (rows, {"shuffle": True}, ValueError, "cannot be shuffled"),
        (X, {"batch_size": None, "drop_last": True}, ValueError, "drop_last needs"),
    ],
)
def test_bad_arguments_are_named(
    data: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DataLoader(data, **options)


def test_a_dataset_without_its_methods_says_so() -> None:
    class Nothing(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no __len__"):
        len(DataLoader(Nothing(), 2))
    with pytest.raises(NotImplementedError, match="Nothing has no __getitem__"):
        Nothing()[0]


# ---------------------------------------------------------------------------------------- subset


def test_a_subset_counts_for_itself() -> None:
    part = Subset((X, Y), [7, 7, 0])
    assert len(part) == 3
    assert part[2][1] == 0
    x, y = part.take(slice(0, 2))
    np.testing.assert_array_equal(y, [7, 7])
    np.testing.assert_array_equal(Subset(part, [2, 1]).take(np.array([1, 0]))[0], X[[7, 0]])
    np.testing.assert_array_equal(x, X[[7, 7]])


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([0.0, 1.0], TypeError, "float64"),
        (Y > 3, TypeError, "bool"),
        ([[1]], TypeError, r"shape \(1, 1\)"),
        ([0, 11], IndexError, "11; expected 0 to 10"),
        ([-1], IndexError, "-1"),
        (np.array([2**64 - 1], np.uint64), IndexError, "18446744073709551615"),
    ],
)
def test_wrong_indices_are_named(indices: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Subset(X, indices)


# --------------------------------------------------------------------------------------- collate

Point = namedtuple("Point", "x label")


def test_collate_keeps_the_form_of_a_sample() -> None:
    assert default_collate(["a", "b"]) == ["a", "b"]
    found = default_collate([{"p": Point(X[i], [i, 2.5]), "name": "n"} for i in (1, 2)])
    assert type(found["p"]) is Point
    np.testing.assert_array_equal(found["p"].x, X[1:3], strict=True)
    np.testing.assert_array_equal(found["p"].label[0], [1, 2])
    assert found["p"].label[1].dtype == np.float64
    assert found["name"] == ["n", "n"]


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([1, 2], np.int64), ([1.0, 2], np.float64), ([True, False], np.bool_),
        ([np.float32(1), np.float32(2)], np.float32), ([1j], np.complex128),
        ([np.array(1.0, np.float32)] * 2, np.float32), ([np.uint8(200), 300], np.int64),
    ],
)  # fmt: skip
def test_collate_keeps_the_dtype(samples: list[Any], dtype: Any) -> None:
    found = default_collate(samples)
    assert found.dtype == dtype
    assert found.shape == (len(samples),)


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], ValueError, "no sample"),
        ([X[0], X[0, :1]], ValueError, r"shapes \(2,\) and \(1,\)"),
        ([(1, 2), (1,)], ValueError, "lengths 2 and 1"),
        ([{"a": 1}, {"b": 1}], ValueError, "keys"),
        ([None, None], TypeError, "NoneType"),
        ([np.array([None])], TypeError, "Python objects"),
    ],
)
def test_what_cannot_be_collated_is_named(
    samples: list[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        default_collate(samples)


# -------------------------------------------------------------------------------------- prefetch


def threads() -> list[str]:
    """Return the names of the threads that make batches."""
    return [t.name for t in threading.enumerate() if t.name == "tensorgrad-prefetch"]


def test_the_thread_ends_with_the_pass() -> None:
    loader = DataLoader(X, 2, prefetch=2)
    held = iter(loader)
    assert threads() == []
    next(held)
    assert threads() == ["tensorgrad-prefetch"]
    list(held)
    assert threads() == []


def test_the_thread_ends_where_the_loop_is_left() -> None:
    for _ in DataLoader(X, 2, prefetch=2):
        break
    assert threads() == []
    with pytest.raises(ZeroDivisionError):
        any(1 / 0 for _ in DataLoader(X, 2, prefetch=2))
    assert threads() == []
    held = iter(DataLoader(rows, 2, prefetch=2))
    next(held)
    del held
    assert threads() == []


def test_no_more_is_made_than_was_asked_for() -> None:
    made: list[int] = []
    third = threading.Event()

    def count() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            if len(made) == 3:
                third.set()
            yield i

    held = iter(DataLoader(count, None, prefetch=2))
    assert next(held) == 0
    # The first and two ahead; a fourth waits for room, and would be made within microseconds.
    assert third.wait(10)
    held.close()
    assert made == [0, 1, 2]


def test_batches_are_made_while_the_one_before_is_used() -> None:
    started = threading.Event()

    class Second(Samples):
        def __getitem__(self, index: int) -> Any:
            if index == 1:
                started.set()
            return super().__getitem__(index)

    held = iter(DataLoader(Second(), 1, prefetch=1))
    next(held)
    assert started.wait(10)
    list(held)


class Broken(Samples):
    """Data whose sample 6 cannot be read."""

    def __getitem__(self, index: int) -> Any:
        if index == 6:
            raise OSError("the disk is gone")
        return super().__getitem__(index)


@pytest.mark.parametrize("prefetch", [0, 4])
def test_an_exception_arrives_in_its_place_with_its_traceback(prefetch: int) -> None:
    loader = DataLoader(Broken(), 4, prefetch=prefetch)
    seen = []
    with pytest.raises(OSError, match="the disk is gone") as caught:
        seen.extend(y.tolist() for _, y in loader)
    assert seen == [[0, 1, 2, 3]]
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].name == "__getitem__"
    assert threads() == []


def test_an_exception_leaves_no_cycle_behind() -> None:
    data = Broken()
    held = weakref.ref(data)
    gc.disable()
    try:
        with pytest.raises(OSError, match="disk"):
            list(DataLoader(data, 4, prefetch=2))
        del data
        assert held() is None
    finally:
        gc.enable()


def test_ctrl_c_ends_the_thread() -> None:
    def interrupted() -> Iterator[int]:
        yield 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(DataLoader(interrupted, None, prefetch=2))
    assert threads() == []


def test_two_passes_ahead_at_once_do_not_disturb_each_other() -> None:
    loader = DataLoader((X, Y), 3, shuffle=True, generator=0, prefetch=2)
    pairs = list(zip(loader, loader, strict=True))
    for side in range(2):
        labels = np.concatenate([pair[side][1] for pair in pairs])
        assert sorted(labels.tolist()) == Y.tolist()
    assert threads() == []


class Noisy(Samples):
    """Data that draw: from a child of a seed, which nobody else draws from."""

    def __init__(self, seed: int) -> None:
        (child,) = np.random.SeedSequence(seed).spawn(1)
        self.rng = np.random.default_rng(child)

    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return x + self.rng.normal(), y


def test_data_that_draw_from_a_generator_of_their_own_are_the_same_ahead() -> None:
    """Case 104: there are no worker processes; the thread shares no stream with the loop."""
    seen = []
    for prefetch in (0, 3):
        rng, loader = np.random.default_rng(5), DataLoader(Noisy(5), 4, prefetch=prefetch)
        seen.append([(x, y + rng.normal()) for x, y in loader])
    assert_same(*seen)


def test_batches_is_the_same_mechanism() -> None:
    loader = batches((X, Y), 4, shuffle=True, rng=5)
    assert isinstance(loader, DataLoader)
    assert_same(list(loader), list(DataLoader((X, Y), 4, shuffle=True, generator=5)))


@pytest.mark.parametrize("compiled", [True, False])
def test_fit_takes_loaders_of_every_kind(compiled: bool) -> None:
    """Counted or not, ahead or not: the same batches make the same weights, to the bit."""
    y = X[:, :1] - 2 * X[:, 1:]
    sources: list[Any] = [
        DataLoader((X, y), 4),
        DataLoader(lambda: iter(zip(X, y, strict=True)), 4, prefetch=2),
        [(X[:4], y[:4]), (X[4:8], y[4:8]), (X[8:], y[8:])],
    ]
    weights = []
    for source in sources:
        model = tg.nn.Linear(2, 1, rng=0)
        tg.fit(model, source, loss=tg.nn.mse_loss, epochs=3, verbose=0, compile=compiled,
               optimizer=tg.optim.SGD(model.parameters(), lr=1e-4))  # fmt: skip
        weights.append(model.weight.data)
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[2])
    assert not np.array_equal(weights[0], tg.nn.Linear(2, 1, rng=0).weight.data)
