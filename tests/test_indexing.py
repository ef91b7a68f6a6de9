"""Picking, writing and selecting: what is particular, beside the rows of the table of op cases."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor

# --- work -----------------------------------------------------------------------------------------


def filled_by_rows(n: int) -> tuple[Tensor, Tensor]:
    x, out = Tensor(np.ones((n, 8))), tg.zeros((n, 8))
    for i in range(n):
        out[i] = np.sin(x[i])
    return (out * out).sum(), x


def summed_over_rows(n: int) -> tuple[Any, Tensor]:
    x = Tensor(np.ones((n, 8)))
    return sum((row * row * row).sum() for row in x), x


def recurrence(n: int) -> tuple[Tensor, Tensor]:
    a, x = Tensor(np.full(8, 0.9)), Tensor(np.ones((n, 8)))
    y = x * 1.0
    for i in range(1, n):
        y[i] = y[i - 1] * a + y[i]
    return (y * y).sum(), a


def changed_in_place(n: int) -> tuple[Tensor, Tensor]:
    x = Tensor(np.ones((n, 8)))
    y = x * 1.0
    for i in range(n):
        y[i] *= x[i]
    return y.sum(), x


def written_by_lists(n: int) -> tuple[Tensor, Tensor]:
    x, y = Tensor(np.ones((n, 8))), tg.zeros((n, 8))
    for i in range(n):
        y[[i, i]] = np.take(x, [i, i], axis=0) ** 2
    return y.sum(), x


def put_by_rows(n: int) -> tuple[Tensor, Tensor]:
    x, y = Tensor(np.ones((n, 8))), tg.zeros((n, 8))
    for i in range(n):
        np.put(y, 8 * i + np.arange(8), x[i] ** 3)
    return y.sum(), x


class Work:
    """Counts the elements that NumPy's functions make copies or new arrays of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        for name in ("copy", "zeros_like", "concatenate", "where"):
            monkeypatch.setattr(np, name, self.counted(getattr(np, name)))

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            self.done += np.size(result)
            return result

        return call

    def of(self, function: Callable[[], Any]) -> tuple[int, Any]:
        """Return what a call has cost, and its result."""
        before = self.done
        result = function()
        return self.done - before, result


def costs(loop: Callable[[int], tuple[Any, Tensor]], n: int, work: Work) -> list[int]:
    """Return the work of a loop of n steps: forwards, backwards, recorded, of the second order."""
    forward, (loss, x) = work.of(lambda: loop(n))
    first, _ = work.of(loss.backward)
    recorded, slope = work.of(lambda: tg.gradients(loss, x, create_graph=True))
    second, _ = work.of(lambda: tg.gradients((slope * slope).sum(), x))
    return [forward, first, recorded, second]


@pytest.mark.parametrize(
    "loop",
    [filled_by_rows, summed_over_rows, recurrence, changed_in_place, written_by_lists, put_by_rows],
)
def test_a_loop_over_rows_is_linear(
    loop: Callable[[int], tuple[Any, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 95: n rows cost n rows, in every order; copying the whole for each costs four times."""
    work = Work(monkeypatch)
    few, many = costs(loop, 40, work), costs(loop, 80, work)
    assert few[1] > 0
    for once, twice in zip(few, many, strict=True):
        assert twice <= 2.2 * once


def test_work_that_grows_with_the_square_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def joined_again_and_again(n: int) -> tuple[Tensor, Tensor]:
        x = Tensor(np.ones((n, 8)))
        y = x[:0]
        for i in range(n):
            y = np.concatenate([y, x[i : i + 1]])
        return (y * y).sum(), x

    work = Work(monkeypatch)
    few, many = (costs(joined_again_and_again, n, work) for n in (40, 80))
    assert many[0] > 3.5 * few[0]


# --- picking --------------------------------------------------------------------------------------


def drawn_index(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Draw an index of every kind of part, whose arrays broadcast together."""
    index: list[Any] = []
    size = int(rng.integers(1, 4))
    axis = 0
    while axis < len(shape):
        n = shape[axis]
        mask = np.arange(n) % 2 == 0
        parts = [
            slice(None), slice(None, None, -1), slice(1, None), int(rng.integers(-n, n)), None,
            rng.integers(-n, n, size), rng.integers(-n, n, (2, size)),
            rng.permutation(mask) if mask.sum() in (1, size) else slice(0, 0),
        ]  # fmt: skip
        part = parts[rng.integers(len(parts))]
        index.append(part)
        axis += part is not None
    cut = int(rng.integers(len(index) + 1))
    return (*index[:cut], ...) if rng.integers(2) else tuple(index)


@pytest.mark.parametrize("seed", range(60))
def test_any_index_has_the_gradient_of_add_at(seed: int) -> None:
    """Cases 55 to 58, through both ways of adding up: g lands where the index has read."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 5, rng.integers(1, 4)))
    index, array = drawn_index(rng, shape), rng.standard_normal(shape)
    x = Tensor(array)
    out = x[index]
    np.testing.assert_array_equal(out.data, array[index])
    g, expected = np.asarray(rng.standard_normal(out.shape)), np.zeros(shape)
    np.add.at(expected, index, g)
    np.testing.assert_allclose(tg.gradients(out, x, g), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "index",
    [[2, 0, 2], (slice(None), [1, 1]), (slice(None), slice(None), [0, -1]), ([[1], [0]], [0, 1])],
    ids=str,
)
def test_gradients_in_fortran_order_are_added_to(index: Any) -> None:
    """Case 96: memory that is not in C order has its elements elsewhere."""
    w = np.asfortranarray(np.arange(24.0).reshape(3, 4, 2))
    x = Tensor(np.ones((3, 4, 2)))
    # The product comes first, and its cotangent is laid out as `w` is.
    loss = x[index].sum() + (x * w).sum()
    expected = w.copy()
    np.add.at(expected, index, 1.0)
    np.testing.assert_array_equal(tg.gradients(loss, x), expected)


def test_an_index_of_bytes_into_more_than_they_count() -> None:
    """Case 59: 300 is no byte."""
    x = Tensor(np.arange(600.0).reshape(300, 2))
    index, flat = np.array([255, 0], np.uint8), np.array([255, 0], np.uint8)
    loss = x[index].sum() + np.take(x, index, 0, mode="wrap").sum() + np.take(x, index, 0).sum()
    y = x * 1.0
    np.put(y, flat, 5.0)
    np.put_along_axis(y, flat, 5.0, None)
    expected = np.ones((300, 2))
    expected[index] += 3.0
    expected.flat[flat] -= 1.0
    np.testing.assert_array_equal(tg.gradients(loss + y.sum(), x), expected)


def test_an_index_may_be_a_tensor() -> None:
    """Case 59."""
    x = Tensor([1.0, 2.0, 3.0])
    where = tg.as_tensor(np.array([2, 2, 0]))
    loss = x[where].sum() + np.take(x, where).sum() + x[x > 1.5].sum()
    loss = loss + np.take_along_axis(x, where, 0).sum() + x[tg.as_tensor(x.data > 1.5)].sum()
    np.testing.assert_array_equal(tg.gradients(loss, x), [3.0, 2.0, 8.0])


def test_the_methods_are_numpys() -> None:
    x = np.arange(6.0).reshape(2, 3)
    t = Tensor(x)
    np.testing.assert_array_equal(t.take([0, -1]).data, x.take([0, -1]))
    np.testing.assert_array_equal(
        t.compress([False, True], axis=1).data, x.compress([False, True], axis=1)
    )
    index = tg.as_tensor(np.array([1, 0, 1]))
    np.testing.assert_array_equal(index.choose(t).data, np.array([1, 0, 1]).choose(x))
    y = t * 1.0
    y.put([0, 5], 9.0)
    np.testing.assert_array_equal(y.data, [[9.0, 1.0, 2.0], [3.0, 4.0, 9.0]])


def test_positions_are_plain_arrays() -> None:
    x = Tensor([[0.0, 2.0], [3.0, 0.0]])
    for function in (np.argwhere, np.flatnonzero, np.diag_indices_from, np.where, tg.where,
                     np.tril_indices_from, np.triu_indices_from, np.nonzero):  # fmt: skip
        got, expected = function(x), getattr(np, function.__name__)(x.data)
        np.testing.assert_array_equal(got, expected)
        assert not isinstance(got, Tensor)
    numbers = tg.as_tensor(np.array([3, 1]))
    assert not isinstance(np.unravel_index(numbers, (2, 2))[0], Tensor)
    assert not isinstance(np.ravel_multi_index((numbers % 2, numbers // 2), (2, 2)), Tensor)


def test_out_takes_the_result() -> None:
    x, out = Tensor([1.0, 2.0, 3.0]), tg.zeros(2, dtype=float)
    assert np.take(x, [2, 2], out=out) is out
    np.testing.assert_array_equal(tg.gradients(out, x, np.ones(2)), [0.0, 0.0, 2.0])
    with pytest.raises(TypeError, match="lose the graph"):
        np.take(x, [2, 2], None, np.zeros(2))


ERRORS: list[Callable[[Any], Any]] = [
    lambda x: np.take(x, 9), lambda x: np.take(x, [[9]], axis=1), lambda x: np.take(x, 0, axis=2),
    lambda x: np.take(x, 0, mode="other"), lambda x: np.take(x[:0], 0),
    lambda x: np.take(x, np.array([0.5])),
    lambda x: np.take_along_axis(x, np.array([0]), 1),
    lambda x: np.take_along_axis(x, np.array([[0.0]]), 1),
    lambda x: np.take_along_axis(x, np.array([[9]]), 1),
    lambda x: np.take_along_axis(x, np.array([[9]]), None),
    lambda x: np.compress([[True]], x), lambda x: np.compress([False] * 9 + [True], x),
    lambda x: np.extract([False] * 9 + [True], x),
    lambda x: np.where(x > 0, x), lambda x: np.where([True] * 5, x, x),
    lambda x: np.select([], [x]), lambda x: np.select([[1, 0, 1]], [x]),
    lambda x: np.select([x > 0], [x, x]), lambda x: np.select([[True] * 5], [x]),
    lambda x: np.choose([0, 2, 1], x), lambda x: np.choose([0.5, 0, 1], x),
    lambda x: np.choose([0, 0, 1], x, mode="other"), lambda x: np.choose([0, 1], x),
    lambda x: np.piecewise(x, [x > 0], [1.0, 2.0, 3.0]), lambda x: np.ix_(x),
    lambda x: np.put(x, 9, 1.0), lambda x: np.put(x, [0, -9], 1.0),
    lambda x: np.put(x, 0, 1.0, mode="other"), lambda x: np.put(x[:0], 0, 1.0),
    lambda x: np.put_along_axis(x, np.array([[9]]), 1.0, 1),
    lambda x: np.put_along_axis(x, np.array([0]), 1.0, 1),
    lambda x: np.put_along_axis(x, np.array([[0]]), 1.0, None),
    lambda x: np.put_along_axis(x, np.array([9]), 1.0, None),
    lambda x: np.place(x, [True], 1.0), lambda x: np.place(x, x == x, []),
    lambda x: np.putmask(x, [True], 1.0), lambda x: np.fill_diagonal(x[0], 1.0),
    lambda x: np.fill_diagonal(x[None], 1.0), lambda x: np.copyto(x, [1.0, 2.0]),
    lambda x: np.copyto(x, 1j), lambda x: np.copyto(x, 1.0, where=np.array([[1, 0, 1]])),
    lambda x: np.copyto(x, np.arange(3), casting="other"),
]  # fmt: skip


@pytest.mark.parametrize("call", ERRORS, ids=range(len(ERRORS)))
def test_errors_are_numpys(call: Callable[[Any], Any]) -> None:
    """Rule 8, case 59: the kind, and the sentence up to its figures."""
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever NumPy raises
        call(x.copy())
    with pytest.raises(expected.type) as got:
        call(Tensor(x) * 1.0)
    assert str(got.value).split(":")[0] == str(expected.value).split(":")[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.put_along_axis(x, np.array([[0]]), np.ones(5), 1),
        lambda x: np.copyto(x, 1.0, where=[True, False]),
        lambda x: np.put(x, np.array([0.5]), 1.0),
    ],
    ids=range(3),
)
def test_errors_are_of_numpys_kind(call: Callable[[Any], Any]) -> None:
    """Where an assignment says it in other words."""
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises((TypeError, ValueError)) as expected:
        call(x.copy())
    with pytest.raises(expected.type):
        call(Tensor(x) * 1.0)


# --- writing --------------------------------------------------------------------------------------

WRITERS: list[tuple[str, Callable[[Any, Any], None]]] = [
    ("copyto", np.copyto),
    ("copyto where", lambda y, v: np.copyto(y, v, where=[True, False, True])),
    ("put", lambda y, v: np.put(y, [0, -1], v)),
    ("put_along_axis", lambda y, v: np.put_along_axis(y, np.array([[1]]), v, 1)),
    ("place", lambda y, v: np.place(y, [[True, False, True]], v)),
    ("putmask", lambda y, v: np.putmask(y, [[True, False, True]], v)),
    ("fill_diagonal", np.fill_diagonal),
]
EACH_WRITER = pytest.mark.parametrize(
    "write", [write for _, write in WRITERS], ids=[name for name, _ in WRITERS]
)


@EACH_WRITER
def test_writing_makes_a_new_value(write: Callable[[Any, Any], None]) -> None:
    """Cases 61 and 62: whoever used the old value keeps it, and a view of it."""
    x = Tensor([[1.0, 2.0, 3.0]])
    y = x * 1.0
    square, part = y * y, y[:, 1:]
    write(y, 7.0)
    assert 7.0 in y.data
    np.testing.assert_array_equal(part.data, [[2.0, 3.0]])
    np.testing.assert_array_equal(tg.gradients(square.sum(), x), [[2.0, 4.0, 6.0]])


@EACH_WRITER
def test_writing_to_a_leaf(write: Callable[[Any, Any], None]) -> None:
    """Case 62: refused while it records; under no_grad its data are written, and 62b found out."""
    x = Tensor([[1.0, 2.0, 3.0]])
    loss = (x * x).sum()
    with pytest.raises(RuntimeError, match="no_grad"):
        write(x, 7.0)
    expected = x.data.copy()
    write(expected, 7.0)
    with tg.no_grad():
        write(x, 7.0)
    np.testing.assert_array_equal(x.data, expected)
    assert x.is_leaf
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


@EACH_WRITER
def test_writing_to_a_result_under_no_grad_is_refused(write: Callable[[Any, Any], None]) -> None:
    """Case 62."""
    y = Tensor([[1.0, 2.0, 3.0]]) * 1.0
    with tg.no_grad(), pytest.raises(RuntimeError, match="detach"):
        write(y, 7.0)


@EACH_WRITER
def test_no_value_is_lost_in_an_array_or_in_integers(write: Callable[[Any, Any], None]) -> None:
    """Rule 9; what does not record may be written anywhere."""
    value = Tensor(7.0)
    array = np.zeros((1, 3))
    with pytest.raises(TypeError, match="graph"):
        write(array, value)
    assert not array.any()
    write(array, value.detach())
    assert array.any()
    integers = tg.as_tensor(np.zeros((1, 3), int))
    with pytest.raises(TypeError):
        write(integers, value)
    write(integers, 7)
    assert 7 in integers.data


@EACH_WRITER
def test_what_was_overwritten_gets_nothing(write: Callable[[Any, Any], None]) -> None:
    """Case 60 and rule 7, in both orders: the slope of sqrt at 0 is inf."""
    x, v = Tensor([[0.0, 0.0, 0.0]]), Tensor(2.0)
    y = np.sqrt(x)
    write(y, v * v)
    mask = y.data != 0
    with np.errstate(all="ignore"):
        loss = (y * mask).sum()
        slope = tg.gradients(loss, [x, v], create_graph=True)
        np.testing.assert_array_equal(slope[0].data, np.zeros((1, 3)))
        second = tg.gradients(slope[0].sum() + slope[1], [x, v], allow_unused=True)
    np.testing.assert_array_equal(second[0], np.zeros((1, 3)))
    np.testing.assert_array_equal([slope[1].data, second[1]], [4.0 * mask.sum(), 2.0 * mask.sum()])


def test_copyto_casts_as_numpy() -> None:
    y = tg.as_tensor(np.zeros(2, int))
    with pytest.raises(TypeError, match="same_kind"):
        np.copyto(y, 1.5)
    np.copyto(y, 1.5, casting="unsafe")
    np.testing.assert_array_equal(y.data, [1, 1])
    narrow = tg.zeros(2, dtype=np.float32)
    x = Tensor([0.1, 0.2])
    np.copyto(narrow, x)
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(tg.gradients(narrow.sum(), x), [1.0, 1.0])


def test_copyto_shares_no_memory() -> None:
    """A tensor is a value: what it was copied from may change."""
    x, y = Tensor([1.0, 2.0]), tg.zeros(2, dtype=float)
    np.copyto(y, x)
    with tg.no_grad():
        x += 1.0
    np.testing.assert_array_equal(y.data, [1.0, 2.0])


# --- selecting ------------------------------------------------------------------------------------

SELECTED: list[tuple[str, Callable[[Any], Any]]] = [
    ("where", lambda x: np.where(x > 0, np.sqrt(x), x * x)),
    ("select", lambda x: np.select([x > 1.5, x > 0], [np.sqrt(x), np.sqrt(x)], 0.0) + x * x),
    ("select default", lambda x: np.select([x == 0], [x * x], np.sqrt(x))),
    ("choose", lambda x: np.choose((x.data > 0).astype(int), [x * x, np.sqrt(x)])),
    ("piecewise", lambda x: np.piecewise(x, [x > 0], [np.sqrt, np.square])),
    ("mask", lambda x: np.sqrt(x)[x > 0]),
    ("take", lambda x: np.take(np.sqrt(x), [1, 2, 2])),
    ("take_along_axis", lambda x: np.take_along_axis(np.sqrt(x), np.array([2, 1]), 0)),
    ("compress", lambda x: np.compress([False, True, True], np.sqrt(x))),
    ("extract", lambda x: np.extract(x > 0, np.sqrt(x))),
    ("diff", lambda x: np.diff(np.sqrt(x)[1:])),
]


@pytest.mark.parametrize("function", [f for _, f in SELECTED], ids=[name for name, _ in SELECTED])
def test_what_was_not_selected_does_not_poison(function: Callable[[Any], Any]) -> None:
    """Rule 7, cases 21 and 22, in both orders: the slope of sqrt at 0 is inf."""
    x = Tensor([0.0, 1.0, 4.0])
    (slope,) = tg.gradients(function(x).sum(), [x], create_graph=True)
    assert np.isfinite(slope.data).all()
    second = tg.gradients((slope * [1.0, 2.0, 3.0]).sum(), x)
    assert np.isfinite(second).all()
    assert slope.data[0] == 0
    assert second[1] != 0


def test_a_cotangent_that_is_nan_is_selected_away() -> None:
    """Case 22, and where it is not it comes through."""
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    for out in (np.select([[False, True]], [x], y), np.choose([1, 0], [x, y])):
        by_x, by_y = tg.gradients(out, [x, y], [np.nan, 1.0])
        np.testing.assert_array_equal(by_x, [0.0, 1.0])
        np.testing.assert_array_equal(by_y, [np.nan, 0.0])


def test_nan_to_num() -> None:
    """Case 36: 0 where the value was replaced; and the replacement has its own gradient."""
    x, bound = Tensor([np.nan, np.inf, -np.inf, 1.0]), Tensor(5.0)
    out = np.nan_to_num(x, nan=2.0 * bound, posinf=bound, neginf=-bound)
    np.testing.assert_array_equal(out.data, [10.0, 5.0, -5.0, 1.0])
    by_x, by_bound = tg.gradients(out, [x, bound], [1.0, 10.0, 100.0, 1000.0])
    np.testing.assert_array_equal(by_x, [0.0, 0.0, 0.0, 1000.0])
    assert by_bound == 2.0 + 10.0 - 100.0
    for dtype in (np.float16, np.float32, np.float64):
        array = np.array([np.nan, np.inf, -np.inf, 1.0], dtype)
        np.testing.assert_array_equal(np.nan_to_num(Tensor(array)).data, np.nan_to_num(array))
        assert np.nan_to_num(Tensor(array)).dtype == dtype


def test_nan_to_num_in_place() -> None:
    x = Tensor([np.nan, 1.0])
    y = x * 2.0
    assert np.nan_to_num(y, copy=False) is y
    np.testing.assert_array_equal(tg.gradients(y, x, [1.0, 1.0]), [0.0, 2.0])
    with pytest.raises(RuntimeError, match="no_grad"):
        np.nan_to_num(x, copy=False)
    integers = tg.as_tensor([1, 2])
    assert np.nan_to_num(integers, copy=False) is integers
    assert np.nan_to_num(integers) is not integers


def test_nan_to_num_of_complex_numbers_goes_part_by_part() -> None:
    """Case 72: PyTorch's convention, `dL/dx + i dL/dy`."""
    z, r = Tensor([complex(np.nan, 2.0), complex(3.0, np.inf), 1 + 1j]), Tensor(7.0)
    out = np.nan_to_num(z, nan=r)
    by_z, by_r = tg.gradients(out, [z, r], [2 + 3j, 5 + 7j, 11 + 13j])
    np.testing.assert_array_equal(by_z, [3j, 5, 11 + 13j])
    assert by_r == 2.0


def test_select_does_not_see_a_default_alone() -> None:
    """NumPy asks conditions and choices only: a default that records is refused, not lost."""
    with pytest.raises(TypeError, match="recording"):
        np.select([np.array([True])], [np.array([0.0])], Tensor([1.0]))


def test_piecewise_calls_functions_on_what_is_selected() -> None:
    seen = []

    def function(values: Tensor) -> Tensor:
        seen.append(values.data.tolist())
        return values * values

    x = Tensor([1.0, -2.0, 3.0])
    np.piecewise(x, [x > 0, x > 5], [function, function, function])
    assert seen == [[1.0, 3.0], [-2.0]]
    with pytest.raises(TypeError, match="int"):
        np.piecewise(tg.as_tensor([1, 2]), [[True, False]], [lambda _: Tensor([2.0]), 0])


def test_nothing_given_is_written_to() -> None:
    """Case 96: indices, masks and values stay as they were."""
    x = Tensor(np.arange(6.0).reshape(2, 3))
    given = [np.array([-7, 5, 2]), np.array([[True, False, True]] * 2), np.array([1.0, 2.0])]
    before = copy.deepcopy(given)
    for array in given:
        array.flags.writeable = False
    indices, mask, values = given
    for mode in ("wrap", "clip"):
        y = x * 1.0
        np.put(y, indices, values, mode=mode)
        np.place(y, mask, values)
        loss = y.sum() + np.take(x, indices, mode=mode).sum() + np.choose(mask, [x, x]).sum()
        loss.backward()
    for array, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("index", [1, [1], [1, 0]])
def test_an_assignment_lets_axes_of_length_one_go(index: Any) -> None:
    expected = np.arange(6.0).reshape(2, 3)
    value = np.ones(np.shape(expected[index]))[None, None] * 7.0
    x, v = Tensor(expected), Tensor(value)
    expected[index] = value
    y = x * 1.0
    y[index] = v
    y.sum().backward()
    assert y.data.tolist() == expected.tolist()
    assert v.grad.tolist() == np.ones_like(value).tolist()
