"""Several names for one memory, and names that change hands: compiled functions follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import four_arrays, told_twice
from tensorgrad import CompileError, Tensor, nn


def two_names(s: Any, x: Any) -> Any:
    s.b *= 2.0
    s.a += x
    return s.a + s.b


def names_change_places(s: Any, x: Any) -> Any:
    s.a, s.b = s.b, s.a
    s.a += x
    return s.a * 2.0


def one_becomes_the_other(s: Any, x: Any) -> None:
    s.b = s.a
    s.a += x
    s.b *= 2.0


def one_is_replaced(s: Any, x: Any) -> None:
    s.a = s.a + x
    s.b *= 2.0


def the_argument_is_kept(s: Any, x: Any) -> Any:
    before = s.b * 1.0
    s.b = x
    return before


def a_number_has_two_names(s: Any, x: Any) -> Any:
    s.m = s.n
    s.n += x[0]
    s.n[...] = s.n * 2.0
    return s.n


@pytest.mark.parametrize("shared", ["apart", "the same", "a view"])
@pytest.mark.parametrize(
    "function",
    [
        two_names, names_change_places, one_becomes_the_other, one_is_replaced,
        the_argument_is_kept, a_number_has_two_names,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_who_shares_memory_with_whom(function: Callable[[Any, Any], Any], shared: str) -> None:
    def story(compiled: Any) -> Iterator[Any]:
        s = four_arrays()
        if shared != "apart":
            s.b = s.a if shared == "the same" else s.a[::-1]
        step = compiled(lambda x: function(s, x))
        for i in range(6):
            if i == 4:  # the names part, and meet again below
                s.a = s.a * 2.0
            if i == 5:
                s.a = s.b
            yield step(np.arange(3.0) + i), *(array.copy() for array in vars(s).values())
            yield s.a is s.b, s.m is s.n, np.may_share_memory(s.a, s.b)

    told_twice(story)


def test_an_array_of_another_dtype_is_put_in_place() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        s = SimpleNamespace(a=np.arange(3.0), b=np.arange(4, dtype=np.float32))

        def step() -> Any:
            s.a, s.b = s.b, s.a
            return s.a + 1.0

        run = compiled(step)
        for _ in range(4):
            yield run(), s.a, s.b

    told_twice(story)


def test_a_view_in_place_of_an_array_is_refused() -> None:
    s = SimpleNamespace(last=np.zeros(2))

    @tg.compile
    def step(x: Any) -> None:
        s.last = x[1:]

    with pytest.raises(tg.CompileError, match="give a copy"):
        step(np.ones(3))
    assert s.last.tolist() == [0.0, 0.0]


def test_a_view_is_written_to_when_its_array_has_moved_on() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        s = SimpleNamespace(a=np.arange(4.0))
        s.view = s.a[1:]

        def step() -> None:
            s.view[0] += 1.0

        run = compiled(step)
        for i in range(4):
            if i == 2:
                s.a = s.a * 10.0
            run()
            yield s.a.copy(), s.view.copy()

    told_twice(story)


def test_gradients_that_add_up_are_clipped_at_each_call() -> None:
    """The next gradient is not computed where the last one, which it needs, still is."""

    def story(compiled: Any) -> Iterator[Any]:
        w = Tensor(np.arange(3.0))

        def step() -> Any:
            (w * w).sum().backward()
            nn.utils.clip_grad_value_([w], 1.5)

        run = compiled(step)
        for _ in range(5):
            run()
            yield w.grad.copy()

    told_twice(story, runs=2)


def test_a_returned_gradient_is_not_added_to() -> None:
    w = Tensor(np.ones((2, 3)))

    @tg.compile
    def step() -> Any:
        np.exp(w).sum().backward()
        return w.grad

    first = step()
    before = first.copy()
    assert step().tolist() == (2 * before).tolist()
    assert first.tolist() == before.tolist()


def test_gradients_of_another_layout() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        w = Tensor(np.arange(6.0).reshape(2, 3))

        def step(x: Any) -> None:
            (w * x).sum().backward()

        run = compiled(step)
        for order in "CCFFC":
            w._node.grad = np.array(w.grad, order=order)  # type: ignore[union-attr]
            run(np.ones((2, 3)))
            yield w.grad.copy()

    told_twice(story)


def test_whether_a_tensor_records_is_not_changed() -> None:
    w = Tensor(np.ones(3))

    @tg.compile
    def step(freezes: bool) -> Any:
        loss = (w * 2.0).sum()
        loss.backward()
        w.requires_grad = not freezes
        return loss

    with pytest.raises(tg.CompileError, match="requires_grad outside"):
        step(True)
    assert w.requires_grad
    assert not w.has_grad
    assert step(False).data == 6.0


def test_an_array_is_written_to_in_parts_and_as_a_whole() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        whole = np.arange(10.0).reshape(1, 10)
        s = SimpleNamespace(a=whole[::-1], b=whole[::-1])

        def step() -> None:
            s.a[...] /= -1.0
            s.b[::2] = 0.3
            s.b[:, 1:3] += 1.0

        run = compiled(step)
        for _ in range(3):
            run()
            yield whole.copy()

    told_twice(story, runs=1)


def test_a_result_is_written_over_by_a_captured_array() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        w = Tensor(np.arange(3.0))

        def step() -> Any:
            y = np.square(w)
            y.real[...] = w
            w.data[...] = w.data + 1.0
            return y.data

        run = compiled(step)
        for _ in range(3):
            yield run(), w.data.copy()

    told_twice(story)


@pytest.mark.parametrize("size", [3, 9000])
def test_views_of_numbers(size: int) -> None:
    """An array of no axes, seen as one of some, also within a chain of operations."""

    def story(compiled: Any) -> Iterator[Any]:
        s = SimpleNamespace(n=np.array(2.0), a=np.arange(6.0).reshape(2, 3))

        def step(x: Any) -> Any:
            part = s.a[0, 1, ...]
            y = s.n.reshape(-1)[None] * x + x * part - s.n[None] * 0.5
            z = np.log1p(s.n.reshape(-1)[:, None])
            s.n += 1.0
            s.a += 0.5
            return y, z, part[None] * x + x

        run = compiled(step)
        for i in range(3):
            if i == 2:
                s.n = np.array(7.0)
            yield run(np.arange(float(size))), s.n.copy(), s.a.copy()

    told_twice(story)


def test_another_tensor_is_given_and_changed_in_place_at_each_call() -> None:
    def story(compiled: Any) -> Iterator[Any]:
        def step(t: Any, u: Any) -> Any:
            t *= 2.0
            t[0] = -1.0
            u += t
            return t

        run = compiled(step)
        for i in range(3):
            t, u = (Tensor(np.arange(3.0) + k, requires_grad=False) for k in (i, 2 * i))
            yield run(t, u) is t, t.data, u.data
        yield run(t, t) is t, t.data

    told_twice(story, runs=2)


def test_a_state_is_made_at_the_first_call() -> None:
    """Where None was an array is left, as in eager."""

    def story(compiled: Any) -> Iterator[Any]:
        s = SimpleNamespace(sum=None, last=None)

        def step(x: Any) -> Any:
            if s.sum is None:
                s.sum = np.zeros_like(x)
            s.sum = s.sum + x
            s.last = x * 2.0
            return s.sum * 1.0

        run = compiled(step)
        for i in range(6):
            if i == 4:
                s.sum = None
            yield run(np.arange(3.0) + i), s.sum, s.last

    told_twice(story, runs=3)


def test_a_state_is_not_left_by_an_error() -> None:
    s = SimpleNamespace(sum=None)

    @tg.compile
    def step(x: Any) -> Any:
        s.sum = x + 1.0
        return float(x.sum())

    with pytest.raises(tg.CompileError, match=r"float\(\)"):
        step(np.ones(3))
    assert s.sum is None


def test_a_tensor_that_has_views_is_not_written_over() -> None:
    """Case 62: who has the old value keeps it."""

    def story(compiled: Any) -> Iterator[Any]:
        def step(x: Any, i: Any) -> Any:
            y = tg.as_tensor(x) * 2.0
            row, part, whole = y[i], y[None][:, 1:], y.reshape(y.shape)
            np.copyto(y, 3.0)
            z = tg.as_tensor(x * 2.0)
            flat = z.reshape(-1)
            z[1:] = 0.5
            return row, part, whole, y, flat, z

        run = compiled(step)
        for k in range(3):
            yield run(np.arange(6.0).reshape(2, 3) + k, np.array(k % 2))

    told_twice(story)


@pytest.mark.parametrize("start", [None, 0, 0.5, np.float64(0.5), True])
@pytest.mark.parametrize("summed", [False, True])
def test_an_array_in_place_of_a_number(start: Any, summed: bool) -> None:
    """A total that starts as a number, or as None, goes on as an array or as a NumPy scalar."""

    def added(s: Any, x: Any) -> Any:
        s.total = (0 if s.total is None else s.total) + (x.sum() if summed else x)
        s.listed[0] = s.listed[0] + x
        return s.total * 2

    eager, here = (SimpleNamespace(total=start, listed=[0.0]) for _ in range(2))
    compiled = tg.compile(lambda x: added(here, x))
    for i in range(5):
        x = np.arange(3.0) + i
        np.testing.assert_array_equal(compiled(x), added(eager, x))
        assert type(here.total) is type(eager.total)
        np.testing.assert_array_equal(here.total, eager.total)
        np.testing.assert_array_equal(here.listed[0], eager.listed[0])


def test_places_that_a_function_takes_away_leave_no_traced_array() -> None:
    """A list that it shortens, a variable that it deletes: all else is put back, and it is said."""
    scale, listed, held, nothing = Tensor([2.0]), [np.ones(1)], np.ones(1), None

    def shortens(x: Any) -> Any:
        listed.clear()
        return x * scale

    def deletes(x: Any) -> Any:
        nonlocal held
        del held
        return x * scale

    def deletes_none(x: Any) -> Any:
        nonlocal nothing
        del nothing
        return x * scale

    for function in (shortens, deletes):
        with pytest.raises(CompileError, match="puts a NoneType in place of an array"):
            tg.compile(function)(np.ones(1))
        assert type(scale.data) is np.ndarray
    assert [type(item) for item in listed] == [type(held)] == [np.ndarray]
    assert tg.compile(deletes_none)(np.ones(1)).tolist() == [2.0]
    assert type(scale.data) is np.ndarray
