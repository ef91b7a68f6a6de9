"""Every operation, compiled: what a recorded step computes equals eager to the bit.

The rows are those of the table in `op_cases.py`.  What writes in place stands at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import CASES, ONE_OF_EACH
from tensorgrad import Tensor, optim
from tensorgrad.compiler import CompileError, compile

# Rows whose second call is run eagerly, and why.
MISSED = {
    **dict.fromkeys(
        ["poly of a matrix", "roots real"],
        "eigenvalues are real numbers for some matrices and complex ones for others",
    ),
    **dict.fromkeys(
        [
            "setdiff1d", "setxor1d", "union1d", "unique", "unique all", "unique counted",
            "unique counts", "unique inverse", "unique of equals", "unique values",
        ],
        "how many elements there are depends on their values",
    ),
    **dict.fromkeys(
        ["piecewise", "piecewise 0-d", "piecewise overlapping", "polydiv", "polydiv without rest"],
        "results are written into an array that NumPy made, so their values are guarded",
    ),
}  # fmt: skip
# Rows that cannot be recorded.
REFUSED = {"piecewise arguments": "looks whether a mask is an ndarray, to tell one from many"}
DTYPES = ("float32", "float64")


def by_op(cases: list[Case]) -> list[Any]:
    """Gather the rows of each operation: the first words of their names are equal."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.name.split()[0], []).append(case)
    return [pytest.param(rows, id=name) for name, rows in found.items()]


def parts(found: Any) -> list[Any]:
    """List the arrays of nested results."""
    if isinstance(found, (tuple, list)):
        return [part for item in found for part in parts(item)]
    return [found.data if isinstance(found, Tensor) else found]


def bits(array: Any) -> bytes:
    """Return the numbers as bytes; all NaN are one."""
    if array.dtype.kind == "c":
        return bits(array.real) + bits(array.imag)
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return array.tobytes()


def assert_equal(got: Any, expected: Any, name: str) -> None:
    """Compare values, dtypes, shapes and layouts."""
    for one, other in zip(parts(got), parts(expected), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), name
        assert one.strides == other.strides or not one.size, name
        assert bits(one) == bits(other), name


class Twice:
    """A function, eager and compiled, called side by side."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        def counted(*args: Any) -> Any:
            self.calls += 1
            return function(*args)

        self.calls = 0
        self.name = name
        self.eager = function
        self.compiled = compile(counted)

    def __call__(self, arrays: list[Any]) -> bool:
        """Call both, compare, and tell whether the compiled one was replayed."""
        expected = self.eager(*(array.copy() for array in arrays))
        before = self.calls
        assert_equal(self.compiled(*arrays), expected, self.name)
        return self.calls == before


def weights_like(out: Any) -> Any:
    """Draw the weights of a sum, of the dtype of its terms."""
    rng = np.random.default_rng(1)
    drawn = rng.uniform(0.5, 1.5, out.shape)
    if out.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(0.5, 1.5, out.shape)
    return np.asarray(drawn).astype(out.dtype)


def value_and_grads(case: Case, weights: Any) -> Callable[..., Any]:
    """Return a function of arrays that gives a row's value and gradients."""

    def step(*arrays: Any) -> Any:
        xs = [Tensor(array) for array in arrays]
        out = case.function(*xs, *case.data)
        loss = (out * weights).sum()
        (loss.real if loss.dtype.kind == "c" else loss).backward()
        return out, [x.grad for x in xs]

    return step


@pytest.mark.parametrize("cases", by_op(CASES))
def test_equal_to_eager(cases: list[Case]) -> None:
    """The call that records, and another one with other numbers, which runs what was recorded."""
    for case, dtype in itertools.product(cases, DTYPES):
        if dtype not in case.dtypes or case.name in REFUSED:
            continue
        first, second = case.draw(0, dtype), case.draw(7, dtype)
        shapes = [case.function(*map(Tensor, xs), *case.data).shape for xs in (first, second)]
        weights = weights_like(case.function(*map(Tensor, first), *case.data))
        twice = Twice(value_and_grads(case, weights), f"{case.name} {dtype}")
        twice(first)
        assert twice.calls == 1, f"{twice.name}: the recorded call was not run"
        if shapes[0] == shapes[1]:
            replayed = twice(second)
            assert replayed or case.name in MISSED, f"{twice.name}: run eagerly"


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    (case,) = [case for case in CASES if case.name == name]
    arrays = case.draw()
    weights = weights_like(case.function(*map(Tensor, arrays), *case.data))
    with pytest.raises((CompileError, IndexError)):
        compile(value_and_grads(case, weights))(*arrays)


def slopes_of_slopes(case: Case, count: int) -> Callable[..., Any]:
    """Return a function of arrays: the gradient of the squared gradient."""
    every = tuple(range(count))

    def total(*xs: Tensor) -> Tensor:
        out = case.function(*xs, *case.data)
        return ((out * out.conj()).real if out.dtype.kind == "c" else out * out).sum()

    def steepness(*xs: Tensor) -> Any:
        return sum((slope * slope).sum() for slope in tg.grad(total, argnums=every)(*xs))

    def step(*arrays: Any) -> Any:
        return list(tg.grad(steepness, argnums=every)(*map(Tensor, arrays)))

    return step


@pytest.mark.parametrize("case", [c for c in ONE_OF_EACH if c.order >= 2], ids=lambda c: c.name)
def test_second_order(case: Case) -> None:
    first, second = case.draw(0), case.draw(7)
    twice = Twice(slopes_of_slopes(case, len(first)), case.name)
    twice(first)
    shapes = [case.function(*map(Tensor, xs), *case.data).shape for xs in (first, second)]
    if shapes[0] == shapes[1]:
        assert twice(second) or case.name in MISSED


# --- in place -------------------------------------------------------------------------------------


class Holder:
    """Has arrays, as a module has its running statistics."""

    def __init__(self) -> None:
        self.run = np.arange(4.0)
        self.count = np.zeros(())
        self.table = np.arange(12.0).reshape(3, 4)
        self.fixed = (np.zeros(4),)


def tensor_items(_: Holder, x: Any) -> Any:
    t = Tensor(x)
    y = t * 2
    for i in range(3):
        y[i] = y[i + 1] * t[i]
    y[1:] += t[:3]
    np.add.at(y, np.array([0, 0, 1, 3]), t)
    y *= y
    y.sum().backward()
    return y, t.grad


def statistics(holder: Holder, x: Any) -> Any:
    holder.count += 1
    holder.run *= 0.9
    holder.run += 0.1 * x
    t = Tensor(x)
    ((t - holder.run) / holder.count).sum().backward()
    return t.grad


def rebound(holder: Holder, x: Any) -> Any:
    holder.run = 0.9 * holder.run + 0.1 * x
    return Tensor(x) * holder.run


def overlapping(holder: Holder, x: Any) -> Any:
    holder.run[:2] = x[:2]
    a = holder.run * 1
    view = holder.run[1:]
    view[...] = x[1:] * 2
    b = a + holder.run
    holder.run[::2] += x[::2]
    view += view
    return a, b, holder.run * 3


def view_of_stored(holder: Holder, x: Any) -> Any:
    holder.run[...] = x * 2
    backwards = holder.run[::-1]
    a = backwards * 1.5
    part = holder.run[1:]
    part[...] = a[1:]
    holder.run[0] += part[0]
    return a, part * 2, holder.run.reshape(2, 2).T @ np.eye(2)


def stored_twice(holder: Holder, x: Any) -> Any:
    holder.run[...] = x
    holder.run[...] = holder.run * 2
    whole = holder.run[:]
    whole[...] = whole + 1
    return holder.run * x


def by_functions(holder: Holder, x: Any) -> Any:
    run = holder.run
    np.add(run, x, out=run)
    np.add.at(run, np.array([0, 0, 2]), x[:3])
    np.multiply(run, x, out=run, where=x > 0)
    np.copyto(run, 0.5, where=x < -1)
    np.put(run, [1], x[:1])
    run[x > 0.3] = 0
    before = run.copy()
    run.sort()
    run[1] = before[0]
    return before, run * 1


def columns(holder: Holder, x: Any) -> Any:
    holder.table[:, 1] = x[:3]
    holder.table.T[2] *= x[1]
    holder.table[1] += holder.table[0]
    return holder.table @ x


def standing_apart(_: Holder, x: Any) -> Any:
    source = x * 2
    copied = np.empty_like(source)
    copied[...] = source
    view = copied[1:]
    view[...] = 5
    source[0] = 7
    other = np.zeros_like(source)
    other[...] = copied
    other += 1
    column = other.reshape(4, 1)
    column[0] = source[0]
    copied *= 2
    return source, copied, view, other, column


def inside_buffer(_: Holder, x: Any) -> Any:
    y, buffer = Tensor(x), np.zeros(4)
    for i in range(4):
        buffer[i] = i + 1
        y = y * buffer + buffer
    buffer[:] = 7
    return y


def argument(_: Holder, x: Any) -> Any:
    x[0] = 5
    x *= 2
    return Tensor(x) * 2, x * 1


def row_of_table(holder: Holder, x: Any) -> Any:
    return holder.table[np.floor(np.abs(x[0])).astype(np.int64) % 3] * x


@pytest.mark.parametrize(
    "function",
    [
        argument, by_functions, columns, inside_buffer, overlapping, rebound, row_of_table,
        standing_apart, statistics, stored_twice, tensor_items, view_of_stored,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_in_place(function: Callable[[Holder, Any], Any]) -> None:
    """Results and all that is written to are as eager leaves them, at each of several calls."""
    eager, other = Holder(), Holder()
    compiled = compile(lambda x: function(other, x))
    for seed in range(3):
        given = np.random.default_rng(seed).standard_normal(4)
        x, y = given.copy(), given.copy()
        assert_equal(compiled(y), function(eager, x), function.__name__)
        assert_equal([y, other.run, other.count, other.table], [x, eager.run, eager.count,
                     eager.table], function.__name__)  # fmt: skip


def test_two_optimisers_over_one_parameter() -> None:
    def made() -> tuple[Tensor, Any, Callable[[Any], Any]]:
        p = Tensor(np.ones(3))
        both = optim.SGD([p], lr=0.1, momentum=0.9), optim.Adam([p], lr=0.01)

        def step(x: Any) -> Any:
            both[0].zero_grad()
            loss = ((p - x) ** 2).sum()
            loss.backward()
            both[0].step()
            both[1].step()
            return loss

        return p, both, step

    p, optimizers, step = made()
    q, others, again = made()
    compiled = compile(again)
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal(3)
        assert_equal(compiled(x), step(x), "loss")
        assert_equal([q.data, q.grad], [p.data, p.grad], "parameter")
        for one, other in zip(optimizers, others, strict=True):
            for state, same in zip(one.state, other.state, strict=True):
                assert_equal(list(same.values()), list(state.values()), "state")


def test_equal_gradients_are_two_arrays() -> None:
    def step(x: Any) -> Any:
        a, b = Tensor(x), Tensor(x)
        (a + b).sum().backward()
        return a.grad, b.grad

    one, other = compile(step)(np.ones(3))
    assert not np.may_share_memory(one, other)


def test_arrays_made_inside_are_new_at_each_call() -> None:
    step = compile(lambda x: (tg.zeros(3), np.arange(3.0), x * 2))
    first = step(np.ones(3))
    first[0][0] = 9.0
    first[1][0] = 9.0
    tensor, array, _ = step(np.ones(3))
    assert tensor.tolist() == [0.0, 0.0, 0.0]
    assert array.tolist() == [0.0, 1.0, 2.0]


def into_numpy(_: Holder, x: Any) -> Any:
    return np.add(x, 1, out=np.empty(4))


def into_list(_holder: Holder, x: Any) -> Any:
    np.copyto([1.0, 2.0, 3.0, 4.0], x)  # type: ignore[arg-type]


def into_tuple(holder: Holder, x: Any) -> Any:
    holder.fixed[0][0] += 1
    return holder.fixed[0] * x


def into_row(holder: Holder, x: Any) -> Any:
    row = holder.table[np.floor(np.abs(x[0])).astype(np.int64) % 3]
    row += x
    return row


def beside_row(holder: Holder, x: Any) -> Any:
    row = holder.table[np.floor(np.abs(x[0])).astype(np.int64) % 3]
    holder.table[0] = x
    return row


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (into_numpy, "no array of the recording"),
        (into_list, "into a list, no array of the recording"),
        (into_tuple, "in a tuple"),
        (into_row, "at a place that is computed"),
        (beside_row, "at a place that is computed"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_what_cannot_be_written(function: Callable[[Holder, Any], Any], message: str) -> None:
    """It is said, and nothing is changed."""
    holder, before = Holder(), Holder()
    with pytest.raises(CompileError, match=message):
        compile(lambda x: function(holder, x))(np.ones(4))
    assert_equal([holder.fixed[0], holder.table], [before.fixed[0], before.table], message)


def into_the_first(x: Any) -> Any:
    whole = np.zeros_like(x)
    return whole, *np.divmod(x, 2.0, out=(whole, None))


def into_the_last(x: Any) -> Any:
    rest = np.zeros_like(x)
    return rest, *np.divmod(x, 2.0, out=(None, rest))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.exp(x * [1, 2, 3]) + 1,
        lambda x: [1, 2, 3] - x,
        lambda x: np.maximum(x, (0.5, 0.25, 0.0)),
        lambda x: x * [x[1], x[2], x[0]],
        into_the_first,
        into_the_last,
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lists_and_one_output_of_two(function: Callable[[Any], Any], dtype: str) -> None:
    """NumPy takes lists beside arrays, and None in `out` for a new array."""
    both = Twice(function, "lists and None")
    rng = np.random.default_rng(0)
    both([rng.random(3, np.float32).astype(dtype)])
    assert both([rng.random(3, np.float32).astype(dtype)])


def test_adding_to_a_slice_writes_it_once() -> None:
    """Python ends `y[1:] += x` by putting the slice back where it is, which need not be done."""

    def shifted(x: Any) -> Any:
        y = np.zeros_like(x)
        y[1:] += x[:-1]
        return y

    step = compile(shifted)
    assert_equal(step(np.ones(3)), shifted(np.ones(3)), "shifted")
    assert step.source.count("] = ") == 1


@pytest.mark.parametrize("number", [2, -1, 0.5, 3, True])
@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "complex64", "complex128"])
def test_powers_are_those_of_the_operator(dtype: str, number: Any) -> None:
    """`x ** 0.5` is a root of arrays, and `np.power(x, 0.5)` is none of complex ones."""
    x = np.array([0.25, 1.5, 1e-3, 7.0, 0.1, 3.0] * 3)
    x = x.astype(dtype) * (1 - 2j if dtype.startswith("complex") else 1)
    x = x.astype(dtype)
    if dtype == "bool" and number == -1:
        pytest.skip("NumPy refuses negative powers of integers")
    power = tg.compile(lambda x: (x + x) ** number)
    for _ in range(2):
        assert_equal(power(x), (x + x) ** number, dtype)


def test_complex_numbers_times_one_and_zeros_of_both_signs() -> None:
    """(inf + 1j) * 1 is inf + nanj; 0j and -0j are two numbers."""
    x = np.array([complex(np.inf, 1.0), complex(-0.0, -0.0), complex(1.0, -0.0), 2 - 3j])

    def products(x: Any) -> Any:
        with np.errstate(invalid="ignore"):
            ones = x * (1 + 0j) + x, (x * 1).real + 0.0
            return *ones, x * complex(0.0, 0.0) + x, x * complex(0.0, -0.0) + x

    run = tg.compile(products)
    for _ in range(2):
        assert_equal(run(x), products(x), "complex")
