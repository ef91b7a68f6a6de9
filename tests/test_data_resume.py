"""Case 109: the position of a loader, saved and taken up again, to the batch and to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import DataLoader, Dataset, Subset, batches
from tensorgrad.random import generator_at, manual_seed, state_of

X = np.arange(23)


def numbers() -> Iterator[int]:
    """Yield the same as X."""
    yield from range(23)


MAKERS: dict[str, Callable[[], DataLoader]] = {
    "batches in order": lambda: batches(X, 4),
    "batches": lambda: batches(X, 4, shuffle=True, rng=7),
    "prefetch": lambda: DataLoader(X, 4, shuffle=True, generator=7, prefetch=3),
    "drop_last": lambda: DataLoader(list(X), 4, shuffle=True, generator=7, drop_last=True),
    "stream": lambda: DataLoader(numbers, 4, prefetch=2),
    "ready": lambda: DataLoader(numbers, None),
    "other generator": lambda: DataLoader(
        X, 4, shuffle=True, generator=np.random.Generator(np.random.MT19937(3))
    ),
}


def follow(loader: DataLoader, passes: int = 2) -> list[list[list[int]]]:
    """Return what the next passes give."""
    return [[np.atleast_1d(batch).tolist() for batch in loader] for _ in range(passes)]


def fresh(name: str) -> DataLoader:
    """Return a loader like those of MAKERS, whose generator stands elsewhere."""
    loader = MAKERS[name]()
    loader.generator.random(5)
    return loader


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("through_json", [False, True])
def test_what_follows_is_what_would_have_followed(name: str, through_json: bool) -> None:
    count = len(follow(MAKERS[name](), 1)[0])
    for done in range(count + 1):
        loader = MAKERS[name]()
        list(loader)  # not in the first pass
        running = iter(loader)
        list(islice(running, done))
        state = loader.state_dict()
        rest = [np.atleast_1d(batch).tolist() for batch in running]
        wanted = [rest, *follow(loader)]
        resumed = fresh(name)
        resumed.load_state_dict(json.loads(json.dumps(state)) if through_json else state)
        assert resumed.state_dict() == state
        assert follow(resumed, 3) == wanted
        assert [len(rest), len(wanted[1])] == [count - done, count]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("passes", [0, 1, 2])
def test_between_passes_a_new_pass_follows(name: str, passes: int) -> None:
    loader = MAKERS[name]()
    follow(loader, passes)
    resumed = fresh(name)
    resumed.load_state_dict(loader.state_dict())
    found = follow(resumed)
    assert found == follow(loader)
    assert found[0]


def test_the_position_counts_what_was_handed_out_not_what_was_fetched() -> None:
    made: list[int] = []

    def count() -> Iterator[int]:
        for i in range(10):
            made.append(i)
            yield i

    loader = DataLoader(count, None, prefetch=5)
    running = iter(loader)
    list(islice(running, 2))
    assert loader.state_dict()["position"] == 2
    running.close()
    assert len(made) > 2
    assert loader.state_dict()["position"] == 2


def test_a_shared_generator_is_where_it_was_and_need_not_be_drawn_from(
    rng: np.random.Generator,
) -> None:
    """The generator of the order may be the one that dropout draws from."""
    loader = batches(X, 4, shuffle=True, rng=rng)
    running = iter(loader)
    next(running)
    rng.random(3)
    state = loader.state_dict()
    rest, drawn, after = list(running), rng.random(2), list(loader)
    other = np.random.default_rng(99)
    resumed = batches(X, 4, shuffle=True, rng=other)
    resumed.load_state_dict(state)
    assert state_of(other) == state["generator"]
    np.testing.assert_array_equal(np.concatenate(list(resumed)), np.concatenate(rest))
    np.testing.assert_array_equal(other.random(2), drawn)
    np.testing.assert_array_equal(np.concatenate(list(resumed)), np.concatenate(after))


def test_loading_into_a_running_loader_leaves_its_loop_alone() -> None:
    loader = batches(X, 4)
    running = iter(loader)
    next(running)
    state = loader.state_dict()
    next(running)
    loader.load_state_dict(state)
    assert len(list(running)) == 4
    assert [batch[0] for batch in loader] == [4, 8, 12, 16, 20]


def test_in_order_nothing_is_drawn_or_kept_of_a_generator() -> None:
    before = state_of(manual_seed(3))
    loader = batches(X, 4)
    assert set(loader.state_dict()) == {"samples", "batch_size", "drop_last", "position"}
    loader.load_state_dict(loader.state_dict())
    list(loader)
    assert state_of(manual_seed(3)) == before


def test_another_process_goes_on() -> None:
    loader = MAKERS["batches"]()
    running = iter(loader)
    next(running)
    code = (
        "import json, sys, numpy as np\n"
        "from tensorgrad.data import batches\n"
        "loader = batches(np.arange(23), 4, shuffle=True)\n"
        "loader.load_state_dict(json.load(sys.stdin))\n"
        "print([[b.tolist() for b in loader] for _ in range(2)])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=json.dumps(loader.state_dict()), capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = [[batch.tolist() for batch in running], *follow(loader, 1)]
    assert json.loads(done.stdout) == wanted


def changed(**entries: Any) -> Callable[[dict[str, Any]], Any]:
    """Return a function that replaces entries of a state, or leaves out those that are None."""
    return lambda state: {k: v for k, v in {**state, **entries}.items() if v is not None}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (changed(samples=22), "samples: 22, expected 23"),
        (changed(batch_size=5), "batch_size: 5, expected 4"),
        (changed(drop_last=1), "drop_last: 1, expected 0"),
        (changed(position=7), "position: 7, expected 0 to 6"),
        (changed(position=-1), "position: -1, expected 0 to 6"),
        (changed(position=1.0), "position: 1.0"),
        (changed(position="1"), "position: '1'"),
        (changed(position=None), "position: missing"),
        (changed(epoch=3), "epoch: unexpected"),
        (changed(generator=None), "generator: missing"),
        (changed(generator={}), "none of a PCG64"),
        (changed(generator=3), "none of a PCG64"),
        (changed(order={"bit_generator": "MT19937"}), "none of a PCG64"),
        (changed(order=None), "order: missing, but the position is within a pass"),
        (lambda _: {}, "samples: missing"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(
    spoil: Callable[[dict[str, Any]], Any], message: str
) -> None:
    """Case 101, for data."""
    loader = MAKERS["batches"]()
    running = iter(loader)
    next(running)
    before = loader.state_dict()
    with pytest.raises(ValueError, match=message):
        loader.load_state_dict(spoil(before))
    assert loader.state_dict() == before
    assert len(list(running)) == 5


def test_a_state_of_another_kind_of_loader_is_refused() -> None:
    shuffled, ordered = MAKERS["batches"](), MAKERS["batches in order"]()
    with pytest.raises(ValueError, match="generator: unexpected"):
        ordered.load_state_dict(shuffled.state_dict())
    with pytest.raises(ValueError, match="generator: missing"):
        shuffled.load_state_dict(ordered.state_dict())
    with pytest.raises(ValueError, match="samples: -1, expected 23"):
        ordered.load_state_dict(DataLoader(numbers, 4).state_dict())
    with pytest.raises(TypeError, match="state is a list"):
        ordered.load_state_dict([])  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [4, None])
def test_a_stream_that_ends_before_the_position_is_an_error(size: int | None) -> None:
    loader = DataLoader(numbers, size)
    list(islice(iter(loader), 3))
    shorter = DataLoader(lambda: iter(range(2)), size)
    shorter.load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match=r"gave [12] batches, and .* is after 3"):
        list(shorter)


# ------------------------------------------------------------------------- where a generator stands

KINDS = [
    np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_generator_goes_on_through_json(kind: Any) -> None:
    rng = np.random.Generator(kind(3))
    rng.integers(3, dtype=np.int32)  # leaves half a number behind
    rng.random(5)
    state = json.loads(json.dumps(state_of(rng)))
    other = generator_at(rng, state)
    np.testing.assert_array_equal(other.integers(9, size=3, dtype=np.int32),
                                  rng.integers(9, size=3, dtype=np.int32))  # fmt: skip
    np.testing.assert_array_equal(other.random(700), rng.random(700))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_state_of_a_generator_is_refused(kind: Any) -> None:
    rng = np.random.Generator(kind(3))
    good = state_of(rng)
    inner = good["state"]
    bad: list[Any] = [None, 3, {}, {**good, "bit_generator": "other"}, {**good, "state": None}]
    bad += [{**good, "state": {}}, {**good, "state": dict.fromkeys(inner, -1)}]
    bad += [{**good, "state": dict.fromkeys(inner, value)} for value in (2**200, "a", [])]
    bad += [{**good, "state": {**inner, "pos": 10**6}}] if "pos" in inner else []
    bad += [{**good, "buffer_pos": 10**6}] if "buffer_pos" in good else []
    for state in bad:
        with pytest.raises(ValueError, match=f"none of a {kind.__name__}"):
            generator_at(rng, state)
    assert state_of(rng) == good


# ------------------------------------------------------------------ passes within passes


def test_a_pass_within_a_pass_leaves_the_position_of_the_first() -> None:
    loader = batches(X, 4, shuffle=True, rng=7)
    running = iter(loader)
    list(islice(running, 2))
    state = loader.state_dict()
    list(loader)  # to its end
    assert loader.state_dict()["position"] == 2
    next(iter(loader))  # left early
    found = loader.state_dict()
    assert (found["position"], found["order"]) == (2, state["order"])
    assert len(list(running)) == 4
    assert loader.state_dict()["position"] == 0


def test_a_pass_that_was_left_does_not_come_back() -> None:
    loader = batches(X, 4)
    next(iter(loader))
    assert loader.state_dict()["position"] == 1
    list(loader)
    assert loader.state_dict()["position"] == 0


def test_a_position_that_is_forgotten_is_that_of_a_loop_again_when_it_goes_on() -> None:
    loader = batches(X, 4, shuffle=True, rng=7)
    running = iter(loader)
    next(running)
    loader.forget_position()
    state = loader.state_dict()
    assert (state["position"], "order" in state) == (0, False)
    next(running)
    assert loader.state_dict()["position"] == 2
    list(loader)
    assert loader.state_dict()["position"] == 2


def test_a_position_that_was_loaded_is_not_forgotten() -> None:
    loader = batches(X, 4)
    loader.load_state_dict({**loader.state_dict(), "position": 2})
    loader.forget_position()
    assert len(list(loader)) == len(loader) - 2


# ------------------------------------------------------------------ data that draw


class Noisy(Dataset):
    """Numbers with noise."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> float:
        return index + self.rng.random()


class Plain:
    """The same, of another library: no Dataset."""

    def __init__(self, seed: int) -> None:
        self.noise = np.random.default_rng(seed)

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> float:
        return index + self.noise.random()


class Collate:
    """Adds noise to a batch."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, samples: list[int]) -> Any:
        return np.array(samples) + self.rng.random(len(samples))

    def method(self, samples: list[int]) -> Any:
        return self(samples)


DRAWING: dict[str, Callable[[int], DataLoader]] = {
    "data set": lambda seed: DataLoader(Noisy(seed), 2, shuffle=True, generator=seed),
    "no Dataset": lambda seed: DataLoader(Plain(seed), 2),
    "within": lambda seed: DataLoader(Subset(Noisy(seed), [3, 1, 4]), 2),
    "side by side": lambda seed: DataLoader((Noisy(seed), np.arange(9)), 2),
    "collate_fn": lambda seed: DataLoader(range(9), 2, collate_fn=Collate(seed)),
    "method": lambda seed: DataLoader(range(9), 2, collate_fn=Collate(seed).method),
    "stream": lambda seed: DataLoader(numbers, 2, collate_fn=Collate(seed)),
}


@pytest.mark.parametrize("name", DRAWING)
def test_the_numbers_that_samples_draw_go_on(name: str) -> None:
    loader, resumed = DRAWING[name](0), DRAWING[name](1)
    running = iter(loader)
    next(running)
    resumed.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    for wanted, found in ((running, resumed), (loader, resumed)):
        pairs = list(zip(wanted, found, strict=True))
        assert pairs
        for one, other in pairs:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "state", [3, {}, {"dataset.rng": {}}, {"other": state_of(np.random.default_rng(0))}]
)
def test_wrong_generators_of_samples_change_nothing(state: dict[str, Any]) -> None:
    loader = DataLoader(Noisy(0), 2)
    before = loader.state_dict()
    with pytest.raises(ValueError, match="generator"):
        loader.load_state_dict({**before, "position": 1, "generators": state})
    assert loader.state_dict() == before


class Walk:
    """A stream with a generator."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __iter__(self) -> Iterator[float]:
        yield self.rng.random()


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        (DataLoader(Noisy(0), 2, prefetch=1), "dataset.rng is a generator, and prefetch draws"),
        (DataLoader(Walk(), 2), "dataset.rng is a generator, and an iterable starts anew"),
    ],
)
def test_generators_that_are_elsewhere_than_the_batches_are_refused(
    loader: DataLoader, message: str
) -> None:
    next(iter(loader))
    with pytest.raises(ValueError, match=message):
        loader.state_dict()
