"""Parts of a data set, and columns with mean 0 and deviation 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import (
    DataLoader,
    Dataset,
    Split,
    Standardizer,
    TensorDataset,
    random_split,
    train_test_split,
)

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20)

# ------------------------------------------------------------------------------------------ split


@pytest.mark.parametrize(
    ("test_size", "count"), [(0.25, 5), (0.26, 6), (1, 1), (19, 19), (0.01, 1)]
)
def test_both_parts_together_are_the_whole(test_size: float, count: int) -> None:
    split = train_test_split(X, Y, test_size=test_size, rng=0)
    assert isinstance(split, Split)
    assert [len(part) for part in split] == [20 - count, 20 - count, count, count]
    for x, y in (split[:2], split[2:]):
        np.testing.assert_array_equal(x, X[y], strict=True)
        assert not np.shares_memory(x, X)
    assert sorted([*split.y_train, *split.y_test]) == Y.tolist()
    again = train_test_split(X, Y, test_size=test_size, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.y_train, split.y_train)
    assert train_test_split(X, Y, test_size=10, rng=1).y_test.tolist() != list(range(10))


@pytest.mark.parametrize("labels", [np.repeat([3, 7, 9], [60, 30, 11]), np.repeat(["a", "b"], 50)])
@pytest.mark.parametrize("test_size", [0.1, 0.33, 50, 1])
def test_a_stratified_split_keeps_the_shares(labels: Any, test_size: float) -> None:
    n = len(labels)
    split = train_test_split(np.arange(n), labels, test_size=test_size, stratify=labels, rng=3)
    names, sizes = np.unique(labels, return_counts=True)
    found = np.array([(split.y_test == name).sum() for name in names])
    assert (np.abs(found - sizes * len(split.y_test) / n) < 1).all()
    np.testing.assert_array_equal(labels[split.x_test], split.y_test)
    assert sorted([*split.x_train, *split.x_test]) == list(range(n))
    # Shuffled within the classes and over them: neither part is sorted.
    assert (np.diff(split.x_train) < 0).sum() > n / 10


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"test_size": 0.0}, ValueError, "test_size is 0.0 of 20"),
        ({"test_size": 1.0}, ValueError, "test_size is 1.0"),
        ({"test_size": 20}, ValueError, "test_size is 20"),
        ({"test_size": 0}, ValueError, "test_size is 0"),
        ({"test_size": 0.99}, ValueError, "leaves samples for both"),
        ({"test_size": float("nan")}, ValueError, "test_size is nan"),
        ({"test_size": "half"}, TypeError, "test_size is 'half'"),
        ({"stratify": Y[:5]}, ValueError, r"stratify has shape \(5,\)"),
        ({"y": Y[:5]}, ValueError, r"\(5,\)"),
        ({"y": [1, 2]}, TypeError, "holds a list"),
        ({"x": X[:1], "y": Y[:1]}, ValueError, "of 1 samples"),
    ],
)
def test_wrong_arguments_of_a_split(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"x": X, "y": Y, **options}
    with pytest.raises(error, match=message):
        train_test_split(given.pop("x"), given.pop("y"), **given)


@pytest.mark.parametrize(
    ("lengths", "counts"),
    [
        ([12, 8], [12, 8]), ([20], [20]), ([0, 20], [0, 20]), ([0.5, 0.5], [10, 10]),
        ([0.33, 0.33, 0.34], [7, 7, 6]), ([1 / 3, 1 / 3, 1 / 3], [7, 7, 6]), ([1.0], [20]),
    ],
)  # fmt: skip
def test_a_random_split_shares_the_samples(lengths: list[float], counts: list[int]) -> None:
    data = TensorDataset(X, Y)
    parts = random_split(data, lengths, generator=0)
    assert [len(part) for part in parts] == counts
    assert all(part.dataset is data for part in parts)
    found = np.concatenate([part.indices for part in parts])
    assert sorted(found.tolist()) == Y.tolist()
    np.testing.assert_array_equal(found, np.random.default_rng(0).permutation(20))
    for part in parts:
        for x, y in DataLoader(part, 7):
            np.testing.assert_array_equal(x, X[y], strict=True)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([12, 9], ValueError, "the sum 20"),
        ([-1, 21], ValueError, r"lengths\[0\] is -1; expected an integer >= 0"),
        ([0.5, 0.4], ValueError, "shares with the sum 1"),
        ([1.5, -0.5], ValueError, "shares"),
        ([], ValueError, "lengths are"),
        (["a"], TypeError, r"lengths\[0\] is 'a'"),
    ],
)
def test_wrong_lengths(lengths: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        random_split((X, Y), lengths)


def test_data_sets_side_by_side() -> None:
    class Names(Dataset):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> str:
            return f"n{index}"

    batch = next(iter(DataLoader((X, Names()), 2, shuffle=True, generator=0)))
    order = np.random.default_rng(0).permutation(20)[:2]
    np.testing.assert_array_equal(batch[0], X[order])
    assert batch[1] == [f"n{i}" for i in order]
    assert next(iter(DataLoader((Names(), Y), None))) == ("n0", 0)
    with pytest.raises(ValueError, match=r"\[3, 20\] samples"):
        DataLoader((X[:3], Names()))
    with pytest.raises(TypeError, match="holds a Names"):
        DataLoader((Names(), [1, 2]))


# -------------------------------------------------------------------------------------- standardize


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int32", "int64"])
@pytest.mark.parametrize("shape", [(50,), (50, 3), (50, 2, 3), (1, 3)])
def test_columns_have_mean_0_and_deviation_1(
    dtype: str, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    x = rng.integers(0, 100, shape).astype(dtype)
    standard = Standardizer().fit(x)
    exact = x.astype(np.float64)
    std = np.where(exact.std(axis=0) == 0, 1, exact.std(axis=0))
    assert standard.mean is not None
    np.testing.assert_allclose(standard.mean, exact.mean(axis=0), rtol=1e-14)
    z = standard.transform(x)
    floats = {"uint8": "float32", "int32": "float64", "int64": "float64"}
    assert z.dtype == floats.get(dtype, dtype)
    tolerance = {2: 1e-3, 4: 1e-6, 8: 1e-13}[z.itemsize]
    np.testing.assert_allclose(z, (exact - exact.mean(axis=0)) / std, atol=4 * tolerance)
    np.testing.assert_allclose(standard.inverse(z), exact, rtol=tolerance, atol=100 * tolerance)
    np.testing.assert_array_equal(standard.transform(np.asarray(x[0])), z[0])  # a single row
    assert x.dtype == dtype


def test_chunks_are_merged(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    x = rng.normal(1e6, 1e-3, (1000, 3)) * [1, 10, 100]
    whole = Standardizer().fit(x)
    for size in (8, 3 * 8 * 7, 3 * 8 * 999):
        monkeypatch.setattr("tensorgrad.data.standardize._CHUNK", size)
        found = Standardizer().fit(x)
        np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-15)
        np.testing.assert_allclose(found.std, whole.std, rtol=1e-9)
    # The deviation is a billionth of the mean: the textbook formula has no digit left.
    shifted = (x - x[0]).std(axis=0)
    np.testing.assert_allclose(whole.std, shifted, rtol=1e-9)


def test_a_large_mean_does_not_cost_float32_its_digits() -> None:
    x = (16_000_000 + np.arange(8, dtype=np.float32))[:, None]
    z = Standardizer().fit(x).transform(x)
    exact = (np.arange(8) - 3.5) / np.arange(8).std()
    np.testing.assert_allclose(z[:, 0], exact, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, -7.3])
def test_a_constant_column_becomes_zeros(value: float) -> None:
    for dtype in (np.float32, np.float64):
        x = np.full((1001, 2), value, dtype)
        x[:, 1] = np.arange(1001)
        standard = Standardizer().fit(x)
        assert not standard.transform(x)[:, 0].any()
        np.testing.assert_array_equal(standard.inverse(standard.transform(x))[:, 0], x[:, 0])


def test_the_test_part_is_scaled_with_the_numbers_of_the_training_part() -> None:
    split = train_test_split(X, Y, rng=0)
    standard = Standardizer().fit(split.x_train)
    expected = (split.x_test - split.x_train.mean(axis=0)) / split.x_train.std(axis=0)
    np.testing.assert_allclose(standard.transform(split.x_test), expected)


@pytest.mark.parametrize("layout", ["fortran", "reversed", "read-only", "memory map"])
def test_every_layout_gives_the_same(layout: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Case 96."""
    x = rng.normal(size=(60, 4)).astype(np.float32)
    other = {"fortran": np.asfortranarray(x), "reversed": x[::-1].copy()[::-1]}.get(
        layout, x.copy()
    )
    if layout == "memory map":
        np.save(tmp_path / "x.npy", x)
        other = np.load(tmp_path / "x.npy", mmap_mode="r")
    if layout == "read-only":
        other.flags.writeable = False
    found, wanted = Standardizer().fit(other), Standardizer().fit(x)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-12)
    z = wanted.transform(x)
    np.testing.assert_allclose(wanted.transform(other), z, rtol=1e-6)


def test_a_state_goes_on() -> None:
    standard = Standardizer()
    assert standard.state_dict() == {}
    standard.fit(X)
    state = standard.state_dict()
    other = Standardizer()
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.transform(X), standard.transform(X), strict=True)
    state["mean"][:] = 0
    np.testing.assert_array_equal(other.transform(X), standard.transform(X), strict=True)
    for bad, message in [
        ({"mean": [0.0]}, "entries"),
        ({"mean": [0.0], "std": [1.0, 1.0]}, "one shape"),
        ({"mean": [0.0], "std": [0.0]}, "above 0"),
        ({"mean": [np.nan], "std": [1.0]}, "finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(bad)
    np.testing.assert_array_equal(other.transform(X), standard.transform(X), strict=True)
    other.load_state_dict({})
    with pytest.raises(RuntimeError, match="call fit"):
        other.transform(X)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X[:0], ValueError, "no row"),
        ([[1.0]], TypeError, "of list"),
        (X + 1j, TypeError, "of complex128"),
        (np.array(3.0), ValueError, r"shapes \[\(\)\]"),
        (np.where(X == 7, np.nan, X), ValueError, "column 1 of x"),
        (np.where(X == 6, np.inf, X), ValueError, "column 0 of x"),
        (np.array([1e200, -1e200, 0.0]), ValueError, "too large to square"),
    ],
)
def test_what_cannot_be_fitted_changes_nothing(
    x: Any, error: type[Exception], message: str
) -> None:
    standard = Standardizer().fit(X)
    before = standard.transform(X)
    with pytest.raises(error, match=message):
        standard.fit(x)
    np.testing.assert_array_equal(standard.transform(X), before)


def test_what_does_not_fit_is_not_transformed() -> None:
    standard = Standardizer().fit(X)
    for x in (X[:, :1], X[None], X.T):
        with pytest.raises(ValueError, match="expected"):
            standard.transform(x)
    assert standard.transform(X[:0]).shape == (0, 2)
    with pytest.raises(TypeError, match="of list"):
        standard.inverse([1.0])  # type: ignore[arg-type]
