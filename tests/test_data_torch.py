"""Data sets and loaders beside PyTorch's: the same batches of the same samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad.data import DataLoader, TensorDataset, default_collate, random_split

torch = pytest.importorskip("torch")

X = np.arange(22.0, dtype=np.float32).reshape(11, 2)
Y = np.arange(11)


def as_numpy(batch: Any) -> Any:
    """Return a batch of PyTorch's with arrays for tensors."""
    if isinstance(batch, torch.Tensor):
        return batch.numpy()
    if isinstance(batch, dict):
        return {key: as_numpy(part) for key, part in batch.items()}
    return type(batch)(as_numpy(part) for part in batch) if isinstance(batch, list) else batch


def assert_same(found: Any, wanted: Any) -> None:
    """Compare batches; PyTorch gives lists where samples are tuples."""
    if isinstance(wanted, np.ndarray):
        np.testing.assert_array_equal(found, wanted, strict=True)
    elif isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key, part in wanted.items():
            assert_same(found[key], part)
    elif isinstance(wanted, str):
        assert found == wanted
    else:
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)


@pytest.mark.parametrize("size", [1, 4, 11, 20])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_are_those_of_pytorch(size: int, drop_last: bool) -> None:
    theirs = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    loader = torch.utils.data.DataLoader(theirs, size, drop_last=drop_last)
    ours = DataLoader(TensorDataset(X, Y), size, drop_last=drop_last)
    assert len(ours) == len(loader)
    assert_same(list(ours), [as_numpy(batch) for batch in loader])


@pytest.mark.parametrize(
    "samples",
    [
        [(X[0], 1), (X[1], 2)],
        [{"x": X[0], "more": [1.5, "a"]}, {"x": X[1], "more": [2.5, "b"]}],
        [1, 2, 3],
        [1.5, 2.0],
        [True, False],
        ["a", "b"],
        [np.float32(1), np.float32(2)],
    ],
)
def test_samples_are_put_together_as_by_pytorch(samples: Any) -> None:
    assert_same(default_collate(samples), as_numpy(torch.utils.data.default_collate(samples)))


@pytest.mark.parametrize("lengths", [[0.5, 0.5], [0.33, 0.33, 0.34], [0.9, 0.1], [4, 7], [1.0]])
def test_parts_have_the_sizes_of_pytorch(lengths: Any) -> None:
    theirs = torch.utils.data.random_split(list(Y), lengths)
    assert [len(part) for part in random_split(Y, lengths)] == [len(part) for part in theirs]
