"""Section C of docs/semantics.md: indexing, in-place operations, what shares memory."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, Value

# --- C. indexing ----------------------------------------------------------------------------------

INDICES = [
    [[0, 0, 1]],
    [[0, -3]],
    np.s_[::-1],
    np.s_[::-2],
    np.s_[5:1],
    [[]],
    (),
    True,
    False,
    np.array([True, False, True]),
    np.s_[..., None],
    np.s_[1, ..., ::2],
    np.s_[None, 1],
    np.s_[:, [0, 1], [1, 1]],
    np.s_[[0, 1], :, [1, 1]],
    np.uint8(2),
    np.array(1),
    np.array([[0, 1], [2, 0]]),
    (np.array([0, 1]), 1),
    np.s_[-1],
    np.s_[1:2, [True, False, True, False]],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_cases_55_to_57_indexing_is_numpys(index: Any, rng: np.random.Generator) -> None:
    array = rng.random((3, 4, 5))
    index = tuple(index) if isinstance(index, list) else index
    x = Tensor(array)
    y = x[index]
    np.testing.assert_array_equal(y.data, array[index])
    weights = rng.random(y.shape)
    y.backward(weights)
    expected = np.zeros_like(array)
    np.add.at(expected, index, weights)
    np.testing.assert_allclose(x.grad, expected)


def test_case_55_repeated_indices_add_up() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    x[[0, 0, 1]].sum().backward()
    assert x.grad.tolist() == [2, 1, 0]


def test_case_56_a_negative_alias_adds_up() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    x[[0, -3]].sum().backward()
    assert x.grad.tolist() == [2, 0, 0]


def test_case_58_separated_index_arrays(rng: np.random.Generator) -> None:
    x = Tensor(rng.random((2, 3, 4, 5)))
    y = x[:, [0, 1], :, [0, 1]]
    assert y.shape == (2, 2, 4)
    y.sum().backward()
    expected = np.zeros(x.shape)
    expected[:, [0, 1], :, [0, 1]] = 1
    np.testing.assert_array_equal(x.grad, expected)


def test_case_59_index_types() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    assert x[np.uint8(1)].item() == 2
    assert x[np.array(1)].item() == 2
    assert x[tg.tensor(1)].item() == 2
    assert x[tg.tensor([0, 2])].tolist() == [1, 3]
    with pytest.raises(IndexError):
        x[1.0]
    with pytest.raises(IndexError):
        x[[0, 7]]
    with pytest.raises(IndexError):
        x[3]


def test_case_60_the_last_write_wins() -> None:
    y, v = Tensor([1.0, 2.0]) * 1, Tensor([3.0, 4.0])
    base = y
    x = Tensor([1.0, 2.0])
    y = x * 1
    y[[0, 0]] = v
    assert y.tolist() == [4, 2]
    y.sum().backward()
    assert v.grad.tolist() == [0, 1]
    assert x.grad.tolist() == [0, 1]
    assert base.tolist() == [1, 2]


def test_case_60_the_value_broadcasts() -> None:
    v = Tensor(5.0)
    y = tg.zeros(2, 3)
    y[:, 1:] = v
    y[0] = np.ones((1, 3))
    y.sum().backward()
    assert v.grad == 2
    assert y.tolist() == [[1, 1, 1], [0, 5, 5]]
    row = Tensor([[1.0, 2.0]])
    z = tg.zeros(2)
    z[:] = row
    z.sum().backward()
    assert row.grad.tolist() == [[1, 1]]


def test_case_61_users_of_the_old_value_keep_it() -> None:
    x = Tensor([3.0])
    y = x * 1
    z = y * y
    y += 1
    z.sum().backward()
    assert x.grad.tolist() == [6]
    assert y.tolist() == [4]


def test_case_61_the_new_value_is_differentiated_too() -> None:
    x = Tensor([3.0])
    y = x * 1
    y *= y
    y -= x
    y.sum().backward()
    assert x.grad.tolist() == [5]


def test_case_62b_a_changed_leaf_is_found() -> None:
    p = Tensor([1.0, 2.0], label="p")
    f = (p * p).sum()
    p.data -= 1
    with pytest.raises(RuntimeError, match=r"multiply recorded a tensor 'p'.*detach\(\)\.copy\(\)"):
        f.backward()
    assert not p.has_grad


@pytest.mark.parametrize(
    "write",
    [
        lambda p: setattr(p, "data", np.zeros((2, 2))),
        lambda p: p.__setitem__(0, 0.0),
        lambda p: p.__isub__(1.0),
    ],
    ids=["data", "setitem", "isub"],
)
@pytest.mark.parametrize(
    "read", [lambda p: p * p, lambda p: p.T @ p, lambda p: p.reshape(-1) ** 2, lambda p: p[0] ** 2]
)
def test_case_62b_every_way_to_write_and_views(write: Any, read: Any) -> None:
    p = Tensor([[1.0, 2.0], [3.0, 4.0]])
    f = read(p).sum()
    with tg.no_grad():
        write(p)
    with pytest.raises(RuntimeError, match="changed since"):
        f.backward()


def test_case_62b_what_is_not_read_may_change() -> None:
    p = Tensor([1.0, 2.0])
    f = (p + 1).sum() + (p * 3.0).sum()
    p.data -= 1
    f.backward()
    assert p.grad.tolist() == [4, 4]


def test_case_62_in_place_where_it_would_lose_the_graph() -> None:
    x = Tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match="no_grad"):
        x += 1
    with pytest.raises(RuntimeError, match=r"p\.data"):
        x[0] = 1
    y = x * 1
    with tg.no_grad(), pytest.raises(RuntimeError, match="detach"):
        y += 1
    with tg.no_grad(), pytest.raises(RuntimeError, match="detach"):
        y[0] = 1
    assert x.tolist() == y.tolist() == [1, 2]


def test_case_62_no_grad_writes_into_the_data() -> None:
    p = Tensor([1.0, 2.0])
    memory = p.data
    with tg.no_grad():
        p -= np.array([1.0, 1.0])
        p[0] = 7
    assert p.data is memory
    assert p.tolist() == [7, 1]
    assert p.is_leaf
    assert p.requires_grad


def test_both_ways_to_update_a_parameter() -> None:
    p = Tensor([1.0, 2.0], dtype=np.float32)
    (p * p).sum().backward()
    p.data -= 0.5 * p.grad
    assert p.tolist() == [0, 0]
    with tg.no_grad():
        p -= 0.5 * p.grad
    assert p.tolist() == [-1, -2]
    assert p.dtype == np.float32


def test_case_62_a_slice_is_a_value() -> None:
    y = Tensor([1.0, 2.0, 3.0]) * 1
    v = y[:2]
    v *= 2
    assert y.tolist() == [1, 2, 3]
    assert v.tolist() == [2, 4]


def test_case_63_tensors_copy() -> None:
    a = np.ones(2)
    x = Tensor(a)
    a[0] = 9
    assert x.tolist() == [1, 1]
    assert tg.as_tensor(a).data is a


def test_case_64_a_broadcast_array_is_not_written() -> None:
    shared = np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,))
    t = tg.as_tensor(shared)
    t[0] = 5
    assert t.tolist() == [5, 1, 1]
    assert shared.tolist() == [1, 1, 1]
    leaf = tg.as_tensor(shared).requires_grad_()
    with tg.no_grad(), pytest.raises(ValueError, match="share one place"):
        leaf += 1
    with tg.no_grad(), pytest.raises(ValueError, match="share one place"):
        leaf[0] = 5


def test_case_64_an_empty_array_has_no_elements_that_share_a_place() -> None:
    empty = tg.Tensor(np.zeros((0, 2)))
    with tg.no_grad():
        empty[...] = np.ones((0, 2))
    assert empty.shape == (0, 2)


def test_a_loop_of_assignments_takes_the_array_over() -> None:
    out = tg.zeros(4, 2)
    place = out.data.ctypes.data
    h = Tensor([1.0, 2.0])
    for t in range(4):
        out[t] = h * t
    assert out.data.ctypes.data == place
    out.sum().backward()
    assert h.grad.tolist() == [6, 6]


def test_an_assignment_copies_what_somebody_holds() -> None:
    out = tg.zeros(2)
    view = out.data
    seen = out * 2
    h = Tensor(3.0)
    out[0] = h
    assert view.tolist() == [0, 0]
    middle = out * out
    out[1] = h
    (middle.sum() + out.sum()).backward()
    assert h.grad == 6 + 1 + 1
    assert seen.tolist() == [0, 0]


def test_in_place_refuses_other_shapes_and_dtypes_and_changes_nothing() -> None:
    y = Tensor([1.0, 2.0]) * 1
    with pytest.raises(ValueError, match="shape"):
        y += np.ones((3, 2))
    counts = tg.tensor([1, 2])
    with pytest.raises(TypeError, match="dtype"):
        counts += 0.5
    with pytest.raises(TypeError, match="lose its gradient"):
        counts[0] = y[0]
    assert counts.tolist() == [1, 2]
    assert y.tolist() == [1, 2]
    single = Tensor([1.0], dtype=np.float32) * 1
    single += np.ones(1)
    assert single.dtype == np.float32
    with pytest.raises(ValueError, match="assign"):
        y.data = [1.0, 2.0]
    p = Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="shape"):
        p.data = [1.0]
    with pytest.raises(ValueError, match="shape"):
        p.grad = [1.0]
    assert p.tolist() == [1, 2]
    assert not p.has_grad


def test_an_ndarray_cannot_take_a_recording_tensor_in_place() -> None:
    a = np.ones(2)
    with pytest.raises(TypeError, match="lose the graph"):
        a += Tensor([1.0, 2.0])
    assert a.tolist() == [1, 1]
    a += tg.tensor([1.0, 2.0])
    assert a.tolist() == [2, 3]


def test_the_label_moves_and_the_old_node_keeps_its_gradient() -> None:
    x = Tensor([1.0])
    y = x * 2
    y.label = "y"
    y.sum().backward()
    assert y.grad.tolist() == [1]
    y += 1
    assert y.label == "y"
    assert y.grad.tolist() == [0]


# --- what shares memory, and what may write -------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.multiply(t, 10, out=t),
        lambda t: np.add.at(t, [0], 1.0),
        lambda t: np.maximum.at(t, [0], 5.0),
        lambda t: np.copyto(t, 5.0),
        lambda t: np.put(t, 0, 5.0),
    ],
)
def test_numpy_writes_a_new_value_into_a_tensor(call: Any) -> None:
    """Never into memory that another tensor, or a graph, may share."""
    w = Tensor([1.0, 1.0])
    constant = w.detach()
    call(constant)
    assert constant.tolist() != [1, 1]
    assert w.tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="leaf that records"):
        call(w)
    with tg.no_grad():
        call(w)
    assert w.tolist() == constant.tolist()


def test_freezing_keeps_the_place_in_older_graphs() -> None:
    x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    loss = (x * x).sum()
    x.requires_grad_(False).requires_grad_(True)
    loss.backward()
    assert x.grad.tolist() == [2, 4]
    y = (x * w).sum()
    x.requires_grad = False
    x.data += 5
    with pytest.raises(RuntimeError, match="changed since"):
        y.backward()
    z = (x.requires_grad_() * w).sum()
    x.requires_grad = False
    x += 1.0
    x.requires_grad = True
    with pytest.raises(RuntimeError, match="changed since"):
        z.backward()


def test_plus_and_copies_are_values_of_their_own() -> None:
    x = Tensor([1.0, 2.0])
    y = x * 1
    z = +y
    z += 1
    assert y.tolist() == [1, 2]
    c = copy.copy(x)
    loss = (x * x).sum()
    with tg.no_grad():
        c += 1
    loss.backward()
    assert x.grad.tolist() == [2, 4]


def test_a_write_that_fails_midway_is_seen() -> None:
    x = Tensor([1.0, 0.0])
    loss = (x * x).sum()
    with tg.no_grad(), np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        x /= np.array([2.0, 0.0]) * 0.0
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


def test_gradients_with_a_graph_are_apart() -> None:
    x, y, seed = Tensor([1.0]), Tensor([2.0]), Tensor([1.0])
    gx, gy = tg.gradients(x + y, [x, y], seed, create_graph=True)
    gx *= 2
    assert (gx.item(), gy.item(), seed.item()) == (2, 1, 1)
    z = Tensor(np.ones(1, np.float32)) * 2
    assert tg.gradients(z, z, Tensor([1.0]), create_graph=True).dtype == np.float32
    with pytest.raises(TypeError, match="expected a Tensor"):
        tg.gradients(z, np.ones(1))
    with pytest.raises(TypeError, match="expected a Tensor"):
        tg.gradients(3.0, z)


def test_values_stay_numbers() -> None:
    v = Value(2.0)
    with tg.no_grad():
        v[()] = 7.0
    assert type(v.data) is np.float64
    assert v.data == 7
    assert type(v.astype(np.float32)) is Tensor
    assert type(tg.where(True, v, 0.0).data) is np.float64
