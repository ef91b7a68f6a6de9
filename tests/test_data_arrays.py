"""`tensorgrad.data` in memory: made-up point sets and batches."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import Batches, batches, make_blobs, make_moons, make_spirals
from tensorgrad.random import manual_seed

MAKERS: list[tuple[Callable[..., Any], int]] = [
    (make_moons, 2), (make_spirals, 3), (make_blobs, 3),
]  # fmt: skip

# ------------------------------------------------------------------------------------- synthetic


@pytest.mark.parametrize(("make", "classes"), MAKERS)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000])
def test_points_have_the_promised_arrays(make: Callable[..., Any], classes: int, n: int) -> None:
    x, y = make(n, rng=0)
    assert (x.shape, x.dtype) == ((n, 2), np.float32)
    assert (y.shape, y.dtype) == ((n,), np.int64)
    assert np.isfinite(x).all()
    counts = np.bincount(y, minlength=classes)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("make", "classes"), MAKERS)
def test_points_follow_the_seed_and_are_shuffled(make: Callable[..., Any], classes: int) -> None:
    (x, y), again = make(600, rng=5), make(600, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert not np.array_equal(x, make(600, rng=6)[0])
    # Neighbours in random order share their class once in `classes` times; sorted ones nearly
    # always, alternating ones never.
    assert abs((y[1:] == y[:-1]).mean() - 1 / classes) < 0.1


@pytest.mark.parametrize(("make", "classes"), MAKERS)
def test_points_come_from_the_default_generator_where_none_is_named(
    make: Callable[..., Any], classes: int
) -> None:
    manual_seed(3)
    x, y = make(20)
    expected = make(20, rng=3)
    np.testing.assert_array_equal(x, expected[0])
    np.testing.assert_array_equal(y, expected[1])
    assert y.max() < classes


def test_moons_lie_on_their_half_circles() -> None:
    x, y = make_moons(4001, noise=0, rng=0)
    outer, inner = x[y == 0].astype(float), x[y == 1].astype(float) - (1, 0.5)
    for points, sign in ((outer, 1), (inner, -1)):
        np.testing.assert_allclose(np.hypot(*points.T), 1, atol=1e-6)
        angle = np.arctan2(sign * points[:, 1], points[:, 0])
        assert angle.min() >= -1e-6
        # Uniform in 0..pi: quartiles, within four standard errors of 2,000 draws.
        np.testing.assert_allclose(np.quantile(angle / np.pi, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75],
                                   atol=0.045)  # fmt: skip


@pytest.mark.parametrize(("classes", "turns"), [(2, 0.75), (3, 1.0), (5, 2.5), (1, 0.0), (3, -1.0)])
def test_spirals_lie_on_their_arms(classes: int, turns: float) -> None:
    x, y = make_spirals(4000, classes=classes, noise=0, turns=turns, rng=0)
    r = np.hypot(*x.T.astype(float))
    expected = np.exp(2j * np.pi * (turns * r + y / classes))
    np.testing.assert_allclose(x[:, 0] + 1j * x[:, 1], r * expected, atol=1e-5)
    np.testing.assert_allclose(np.quantile(r**2, [0, 0.5, 1]), [0, 0.5, 1], atol=0.032)


@pytest.mark.parametrize("make", [make_moons, make_spirals])
def test_noise_has_the_named_deviation(make: Callable[..., Any]) -> None:
    # The same draws with and without noise: what differs is the noise.
    noise = make(20_000, noise=0.3, rng=1)[0] - make(20_000, noise=0, rng=1)[0]
    np.testing.assert_allclose(noise.std(axis=0), 0.3, rtol=0.02)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.01)


def test_blobs_lie_around_their_centers() -> None:
    centers = np.array([[0.0, 5.0, -3.0], [100.0, 0.0, 1.0]])
    x, y = make_blobs(40_000, centers=centers, std=0.5, rng=0)
    assert x.shape == (40_000, 3)
    for k in range(2):
        np.testing.assert_allclose(x[y == k].mean(axis=0), centers[k], atol=0.02)
        np.testing.assert_allclose(x[y == k].std(axis=0), 0.5, rtol=0.03)
    drawn, label = make_blobs(500, centers=100, features=4, std=0, rng=0)
    assert drawn.shape == (500, 4)
    assert len(np.unique(drawn, axis=0)) == len(np.unique(label)) == 100
    assert -10 <= drawn.min() < -9
    assert 9 < drawn.max() <= 10


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: make_moons(-1), ValueError, "n is -1; expected an integer >= 0"),
        (lambda: make_moons(2.0), TypeError, "n is 2.0; expected an integer"),
        (lambda: make_moons(2, noise=-0.1), ValueError, "noise is -0.1"),
        (lambda: make_moons(2, noise=float("nan")), ValueError, "noise is nan"),
        (lambda: make_moons(2, rng="seed"), TypeError, "rng is 'seed'"),
        (lambda: make_spirals(2, classes=0), ValueError, "classes is 0"),
        (lambda: make_spirals(2, turns=float("inf")), ValueError, "turns is inf"),
        (lambda: make_spirals(2, noise=float("inf")), ValueError, "noise is inf"),
        (lambda: make_blobs(2, centers=0), ValueError, "centers is 0"),
        (lambda: make_blobs(2, centers=2.5), TypeError, "centers is 2.5"),
        (lambda: make_blobs(2, features=0), ValueError, "features is 0"),
        (lambda: make_blobs(2, std=-1), ValueError, "std is -1"),
        (lambda: make_blobs(2, centers=[1.0, 2.0]), ValueError, r"centers has shape \(2,\)"),
        (lambda: make_blobs(2, centers=np.zeros((0, 2))), ValueError, r"shape \(0, 2\)"),
        (lambda: make_blobs(2, centers=np.zeros((2, 0))), ValueError, r"shape \(2, 0\)"),
        (lambda: make_blobs(2, centers=np.eye(3), features=2), ValueError, "features is 2"),
        (lambda: make_blobs(2, centers=[[1.0, np.nan]]), ValueError, "not finite"),
        (lambda: make_blobs(2, centers=[[1.0, 1e39]]), ValueError, "not finite as float32"),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


# --------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize(
    ("n", "size", "drop_last", "sizes"),
    [
        (10, 5, False, [5, 5]),
        (10, 5, True, [5, 5]),
        (10, 4, False, [4, 4, 2]),
        (10, 4, True, [4, 4]),
        (3, 8, False, [3]),
        (3, 8, True, []),
        (0, 8, False, []),
        (0, 8, True, []),
        (1, 1, False, [1]),
    ],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_sizes_of_batches(
    n: int, size: int, drop_last: bool, sizes: list[int], shuffle: bool
) -> None:
    """Case 103: last partial batch, batch larger than the data, no data."""
    x = np.arange(2 * n).reshape(n, 2)
    loader = batches((x, x[:, 0]), size, shuffle=shuffle, rng=0, drop_last=drop_last)
    assert len(loader) == len(sizes)
    for _ in range(2):
        found = list(loader)
        assert [a.shape for a, _ in found] == [(k, 2) for k in sizes]
        assert all(np.array_equal(a[:, 0], b) for a, b in found)


def test_batches_in_order_are_views() -> None:
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    parts = list(batches((x, y), 4))
    assert all(np.shares_memory(a, x) and np.shares_memory(b, y) for a, b in parts)
    np.testing.assert_array_equal(np.concatenate([a for a, _ in parts]), x)
    np.testing.assert_array_equal(np.concatenate([b for _, b in parts]), y)


def test_shuffled_batches_visit_each_sample_once_in_a_new_order_each_pass() -> None:
    x = np.arange(100)
    loader = batches(x, 7, shuffle=True, rng=0)
    first, second = np.concatenate(list(loader)), np.concatenate(list(loader))
    for order in (first, second):
        assert sorted(order.tolist()) == x.tolist()
    assert len({tuple(x), tuple(first), tuple(second)}) == 3
    again = batches(x, 7, shuffle=True, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(np.concatenate(list(again)), first)
    np.testing.assert_array_equal(np.concatenate(list(again)), second)


def test_dropped_samples_differ_from_pass_to_pass() -> None:
    loader = batches(np.arange(11), 10, shuffle=True, rng=0, drop_last=True)
    left_out = {55 - int(next(iter(loader)).sum()) for _ in range(20)}
    assert len(left_out) > 3


def test_two_passes_at_once_do_not_disturb_each_other() -> None:
    loader = batches(np.arange(30), 7, shuffle=True, rng=0)
    pairs = list(zip(loader, loader, strict=True))
    for side in range(2):
        assert sorted(np.concatenate([pair[side] for pair in pairs]).tolist()) == list(range(30))


def test_shuffled_batches_are_copies() -> None:
    x = np.arange(10)
    for batch in batches(x, 3, shuffle=True, rng=0):
        batch[:] = -1
    np.testing.assert_array_equal(x, np.arange(10))


def test_one_array_yields_arrays_and_a_tuple_yields_tuples() -> None:
    x = np.arange(4)
    assert isinstance(next(iter(batches(x, 2))), np.ndarray)
    assert [type(part) for part in batches((x,), 2)] == [tuple, tuple]
    assert len(next(iter(batches((x, x, x), 2)))) == 3
    assert isinstance(batches(x, 2), Batches)


@pytest.mark.parametrize(
    "make",
    [
        np.asfortranarray,
        lambda a: a[::-1],
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a.astype(">f4"),
        lambda a: np.array([[str(v) for v in row] for row in a]),
    ],
    ids=["fortran", "reversed", "stride 0", "strided", "big-endian", "text"],
)
def test_any_layout_gives_the_rows_of_a_copy(make: Callable[[Any], Any]) -> None:
    """Case 96, for data: read-only and strange layouts are data as well."""
    x = make(np.arange(30.0).reshape(10, 3))
    x.flags.writeable = False
    for shuffle in (False, True):
        wanted = list(batches(x.copy(order="C"), 4, shuffle=shuffle, rng=0))
        for batch, expected in zip(batches(x, 4, shuffle=shuffle, rng=0), wanted, strict=True):
            np.testing.assert_array_equal(batch, expected)
            assert batch.dtype == x.dtype


def test_a_memory_map_is_read_batch_by_batch(tmp_path: Path) -> None:
    # 1 GiB that takes next to no disk space: the file is a hole, apart from three elements.
    rows = 2**12
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(rows, 2**16))
    x[[0, 1_234, rows - 1], 1] = [1, 2, 3]
    tracemalloc.start()
    try:
        seen = [batch[:, 1].max() for batch in batches(x, 16)]
        batch, index = next(iter(batches((x, np.arange(rows)), 16, shuffle=True, rng=0)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert {i: value for i, value in enumerate(seen) if value} == {0: 1, 1_234 // 16: 2, 255: 3}
    # A batch of 16 rows is 4 MiB.
    assert peak < 6_000_000
    assert type(batch) is np.ndarray
    np.testing.assert_array_equal(batch, np.asarray(x[index]))


def test_the_callers_random_state_is_untouched() -> None:
    """Case 103."""
    np.random.seed(0)  # noqa: NPY002 - the state that must not move is the legacy one
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    list(batches(np.arange(50), 3, shuffle=True))
    list(batches(np.arange(50), 3, shuffle=True, rng=1))
    make_moons(10)
    make_spirals(10)
    make_blobs(10)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_batches_in_order_draw_nothing(rng: np.random.Generator) -> None:
    before = rng.bit_generator.state
    list(batches(np.arange(50), 3, rng=rng))
    len(batches(np.arange(50), 3, shuffle=True, rng=rng))
    assert rng.bit_generator.state == before


def test_a_saved_generator_repeats_the_passes_that_follow(rng: np.random.Generator) -> None:
    """Case 109: the position in the data is the state of the generator."""
    loader = batches(np.arange(50), 8, shuffle=True, rng=rng)
    list(loader)
    state = rng.bit_generator.state
    following = np.concatenate(list(loader))
    resumed = np.random.default_rng(99)
    resumed.bit_generator.state = state
    np.testing.assert_array_equal(
        np.concatenate(list(batches(np.arange(50), 8, shuffle=True, rng=resumed))), following
    )


@pytest.mark.parametrize(
    ("arrays", "options", "error", "message"),
    [
        ((np.zeros(3), np.zeros(4)), {}, ValueError, r"shapes \[\(3,\), \(4,\)\]"),
        ((np.zeros(3), np.zeros(())), {}, ValueError, r"shapes \[\(3,\), \(\)\]"),
        (np.zeros(()), {}, ValueError, r"shapes \[\(\)\]"),
        ((), {}, ValueError, "at least one array"),
        ([np.zeros(3), np.zeros(3)], {}, TypeError, "holds a list"),
        ((np.zeros(3), [1, 2, 3]), {}, TypeError, "holds a list"),
        (None, {}, TypeError, "holds a NoneType"),
        (np.zeros(3), {"batch_size": 0}, ValueError, "batch_size is 0"),
        (np.zeros(3), {"batch_size": -2}, ValueError, "batch_size is -2"),
        (np.zeros(3), {"batch_size": 2.0}, TypeError, "batch_size is 2.0"),
        (np.zeros(3), {"rng": "seed"}, TypeError, "rng is 'seed'"),
    ],
)
def test_bad_arguments_raise_at_the_call(
    arrays: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Case 103."""
    with pytest.raises(error, match=message):
        batches(arrays, **{"batch_size": 2, **options})
