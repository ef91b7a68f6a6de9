"""What is particular to functions of shape, joining, padding and creation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor

windows = np.lib.stride_tricks.sliding_window_view


def outcome(f: Callable[[Any], Any], x: Any) -> Any:
    """Return the result as plain arrays, or the class and the text of the error."""
    try:
        result = f(x)
    except Exception as error:  # noqa: BLE001 - it is what is compared
        return type(error), str(error)
    results = result if isinstance(result, list | tuple) else [result]
    return [r.data if isinstance(r, Tensor) else np.asarray(r) for r in results]


def gradient(f: Callable[..., Any], *arrays: Any) -> list[Any]:
    """Return the gradients of the sum of a function."""
    xs = [Tensor(array) for array in arrays]
    return tg.gradients(f(*xs).sum(), xs)


def slopes(f: Callable[[Any], Any], n: int) -> Any:
    """Return the matrix of a linear function of n numbers, a row per result, by its rule."""
    x = Tensor(np.zeros(n))
    out = f(x)
    rows = [tg.gradients(out, [x], seed.reshape(out.shape))[0] for seed in np.eye(out.size)]
    return np.reshape(rows, (out.size, n))


# --- NumPy's errors -------------------------------------------------------------------------------

WRONG: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda x: np.reshape(x, (5, 5)),
    "reshape order": lambda x: np.reshape(x, -1, order="Q"),
    "reshape K": lambda x: np.reshape(x, -1, order="K"),
    "reshape no copy": lambda x: np.reshape(x.T, -1, copy=False),
    "reshape -1 of 0": lambda x: np.reshape(x[:0], (0, -1)),
    "ravel": lambda x: np.ravel(x, "Z"),
    "transpose": lambda x: np.transpose(x, (0, 1)),
    "transpose twice": lambda x: np.transpose(x, (0, 0, 1)),
    "matrix_transpose": lambda x: np.matrix_transpose(x[0, 0]),
    "np.linalg.matrix_transpose": lambda x: np.linalg.matrix_transpose(x[0, 0]),
    "moveaxis": lambda x: np.moveaxis(x, 0, 5),
    "moveaxis two to one": lambda x: np.moveaxis(x, (0, 1), 2),
    "rollaxis": lambda x: np.rollaxis(x, 5),
    "rollaxis start": lambda x: np.rollaxis(x, 1, 9),
    "rollaxis negative start": lambda x: np.rollaxis(x, 1, -9),
    "expand_dims": lambda x: np.expand_dims(x, (0, 0)),
    "squeeze": lambda x: np.squeeze(x, 1),
    "broadcast_to": lambda x: np.broadcast_to(x, (3, 3, 4)),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, np.ones(3)),
    "fliplr": lambda x: np.fliplr(x[0, 0]),
    "flipud": lambda x: np.flipud(x[0, 0, 0]),
    "rot90 one axis": lambda x: np.rot90(x, 1, (0,)),
    "rot90 same axis": lambda x: np.rot90(x, 1, (0, 0)),
    "rot90 1-d": lambda x: np.rot90(x[0, 0]),
    "roll": lambda x: np.roll(x, (1, 2, 3), (0, 1)),
    "roll nested": lambda x: np.roll(x, [[1, 2]], 0),
    "repeat": lambda x: np.repeat(x, -1),
    "repeat some": lambda x: np.repeat(x, [1, 2], 1),
    "repeat by floats": lambda x: np.repeat(x, np.array([1.0, 2.0]), 0),
    "resize": lambda x: np.resize(x, (-1, 2)),
    "pad mode": lambda x: np.pad(x, 1, "foo"),
    "pad edge option": lambda x: np.pad(x, 1, "edge", constant_values=3),
    "pad constant option": lambda x: np.pad(x, 1, constant_values=3, end_values=2),
    "pad negative": lambda x: np.pad(x, -1),
    "pad float": lambda x: np.pad(x, 1.5),
    "pad widths": lambda x: np.pad(x, ((1, 2), (3, 4))),
    "pad values": lambda x: np.pad(x, 1, constant_values=((1, 2), (3, 4))),
    "pad lengths": lambda x: np.pad(x, 1, "mean", stat_length=-1),
    "pad length 0": lambda x: np.pad(x, 1, "maximum", stat_length=0),
    "pad empty edge": lambda x: np.pad(x[:, :0], 1, "edge"),
    "pad empty mean": lambda x: np.pad(x[:, :0], 1, "mean"),
    "pad empty ramp": lambda x: np.pad(x[:, :0], 1, "linear_ramp"),
    "append": lambda x: np.append(x, np.ones(3), 0),
    "insert bounds": lambda x: np.insert(x, 9, 1.0, 1),
    "insert several bounds": lambda x: np.insert(x, [0, 9], 1.0, 1),
    "insert values": lambda x: np.insert(x, 0, np.ones(7), 1),
    "insert 2-d": lambda x: np.insert(x, [[0, 1]], 1.0, 1),
    "insert float": lambda x: np.insert(x, 1.5, 1.0, 1),
    "delete bounds": lambda x: np.delete(x, 9, 1),
    "delete several bounds": lambda x: np.delete(x, [0, 9], 1),
    "delete mask": lambda x: np.delete(x, [True, False], 1),
    "delete float": lambda x: np.delete(x, 1.5, 1),
    "concatenate": lambda x: np.concatenate([x, x[:, :2]]),
    "concatenate axis": lambda x: np.concatenate([x, x], 9),
    "concatenate 0-d": lambda x: np.concatenate([x[0, 0, 0], x[0, 0, 0]]),
    "concatenate to int": lambda x: np.concatenate([x, x], dtype=int),
    "concatenate safely": lambda x: np.concatenate([x, x], dtype="f2", casting="safe"),
    "stack": lambda x: np.stack([x, x[0]]),
    "stack axis": lambda x: np.stack([x, x], 9),
    "stack generator": lambda x: np.stack(i for i in [x, x]),
    "hstack": lambda x: np.hstack([x, x[0]]),
    "block depths": lambda x: np.block([[x, x], x]),
    "block tuple": lambda x: np.block((x, x)),
    "block empty": lambda x: np.block([[x], []]),
    "block shapes": lambda x: np.block([x, x[:1]]),
    "split": lambda x: np.split(x, 2, 1),
    "split 0": lambda x: np.array_split(x, 0),
    "hsplit": lambda x: np.hsplit(x[0, 0, 0], 1),
    "vsplit": lambda x: np.vsplit(x[0, 0], 1),
    "dsplit": lambda x: np.dsplit(x[0], 1),
    "unstack": lambda x: np.unstack(x[0, 0, 0]),
    "unstack axis": lambda x: np.unstack(x, axis=9),
    "tril": lambda x: np.tril(x[0, 0, 0]),
    "diag": lambda x: np.diag(x),
    "diagonal": lambda x: np.diagonal(x, 0, 1, 1),
    "np.linalg.diagonal": lambda x: np.linalg.diagonal(x[0, 0]),
    "trace": lambda x: np.trace(x[0, 0]),
    "vander": lambda x: np.vander(x),
    "vander negative": lambda x: np.vander(x[0, 0], -1),
    "meshgrid": lambda x: np.meshgrid(x, indexing="foo"),
    "linspace": lambda x: np.linspace(x[0, 0, 0], 1, -1),
    "linspace float": lambda x: np.linspace(x[0, 0, 0], 1, 1.5),
    "linspace shapes": lambda x: np.linspace(x[0], x[0, 0, :3], 3),
    "geomspace": lambda x: np.geomspace(0 * x[0, 0, 0], 1),
    "windows": lambda x: windows(x, 9),
    "windows too wide": lambda x: windows(x, 9, 1),
    "windows negative": lambda x: windows(x, -1, 0),
    "windows and axes": lambda x: windows(x, (1, 2), 1),
    "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 9, x),
    "apply_along_axis empty": lambda x: np.apply_along_axis(np.sum, 0, x[:, :0]),
    "trim_zeros": lambda x: np.trim_zeros(x, "q"),
    "ix_": lambda x: np.ix_(x),
    "copy": lambda x: np.copy(x, "Z"),
    "full_like": lambda x: np.full_like(x, np.ones(7)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_numpys(name: str) -> None:
    """Rule 8, case 54: the class and the text."""
    x = np.arange(24.0).reshape(2, 3, 4)
    expected = outcome(WRONG[name], x)
    assert isinstance(expected, tuple)
    assert outcome(WRONG[name], Tensor(x)) == expected


INTEGERS: dict[str, Callable[[Any], Any]] = {
    "concatenate": lambda x: np.concatenate([x, x], dtype=int, casting="unsafe"),
    "stack": lambda x: np.stack([x, x], dtype=int, casting="unsafe"),
    "trace": lambda x: np.trace(x, dtype=int),
    "linspace": lambda x: np.linspace(x[0], 9, 3, dtype=int),
    "geomspace": lambda x: np.geomspace(x[1], 9, 3, dtype=int),
    "logspace": lambda x: np.logspace(x[0], 2, 3, dtype=int),
    "astype": lambda x: np.astype(x, int),
    "apply_along_axis": lambda x: np.apply_along_axis(np.argmax, 1, x),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_results_of_integers_leave_the_graph(name: str) -> None:
    """Case 70."""
    x = np.arange(1.5, 13.5).reshape(3, 4)
    assert not getattr(INTEGERS[name](Tensor(x)), "requires_grad", False)
    (got,), (expected,) = outcome(INTEGERS[name], Tensor(x)), outcome(INTEGERS[name], x)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


# --- what NumPy does not hand over ----------------------------------------------------------------

x, number = Tensor([1.0, 2.0]), Tensor(3.0)
DETACHING: dict[str, Callable[[], Any]] = {
    "array": lambda: np.array([x, x]),
    "array of numbers": lambda: np.array([number, 1.0]),
    "array, number first": lambda: np.array([1.0, number]),
    "array nested": lambda: np.array([[number, 1.0], [2.0, number]]),
    "array of objects": lambda: np.array([x, x], dtype=object),
    "array of number objects": lambda: np.array([number, 1.0], dtype=object),
    "asarray": lambda: np.asarray(x),
    "asanyarray": lambda: np.asanyarray([x]),
    "ascontiguousarray": lambda: np.ascontiguousarray(x),
    "asfortranarray": lambda: np.asfortranarray(x),
    "require": lambda: np.require(x),
    "asarray_chkfinite": lambda: np.asarray_chkfinite(x),
    "full": lambda: np.full((2, 2), x),
    "as_strided": lambda: np.lib.stride_tricks.as_strided(x, (1,)),
    "broadcast": lambda: np.broadcast(x, x),
    "pad of an array": lambda: np.pad(np.ones(2), 1, constant_values=number),
    "r_": lambda: np.r_[x, x],
    "assignment": lambda: np.zeros(2).__setitem__(slice(None), x),
}


@pytest.mark.parametrize("name", DETACHING)
def test_what_would_leave_the_graph_says_what_to_use(name: str) -> None:
    """Cases 91, 92."""
    with pytest.raises(TypeError, match=r"\.detach\(\).*np\.stack"):
        DETACHING[name]()


def test_full_does_not_write_a_tensor_into_an_array() -> None:
    with pytest.raises(TypeError, match="recording tensor"):
        np.full((2, 2), x, dtype=float)
    with pytest.raises(TypeError, match="recording tensor"):
        np.full_like(np.ones(2), x)


def test_like_a_tensor_arrays_are_joined() -> None:
    """Case 92."""
    a, b = Tensor(1.0), Tensor([2.0, 3.0])
    joined = np.array([[a, b[0]], [b[1], 4.0]], like=a)
    assert joined.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    (joined * np.array([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert float(a.grad) == 1.0
    assert b.grad.tolist() == [2.0, 3.0]
    assert np.asarray(b, like=a) is b
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        np.asarray([b, b], copy=False, like=a)


@pytest.mark.parametrize("function", [np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri])
def test_constants_like_a_tensor_do_not_record(function: Any) -> None:
    made = function(3, like=x)
    assert isinstance(made, Tensor)
    assert not made.requires_grad
    assert made.dtype == function(3).dtype


def test_recorded_values_do_not_vanish_in_integers() -> None:
    for target in (np.arange(3), tg.arange(3)):
        with pytest.raises(TypeError, match="would lose its gradient"):
            np.insert(target, 0, number)
    with pytest.raises(TypeError, match="would lose its gradient"):
        tg.pad(np.arange(3), 1, constant_values=number)


def test_a_function_that_pads_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"np\.concatenate"):
        np.pad(x, 1, lambda *_: None)


# --- layout ---------------------------------------------------------------------------------------


def layouts() -> list[Any]:
    """Draw views: axes in any order, steps of any sign, broadcast axes."""
    rng = np.random.default_rng(0)
    views = []
    for _ in range(200):
        base = rng.standard_normal(tuple(rng.integers(1, 4, rng.integers(1, 4))))
        view = base.transpose(rng.permutation(base.ndim))
        view = view[tuple(slice(None, None, int(rng.choice([1, -1, 2]))) for _ in view.shape)]
        if rng.random() < 0.3:
            view = np.broadcast_to(view, (int(rng.integers(1, 3)), *view.shape))
        views.append(np.moveaxis(view, 0, -1) if rng.random() < 0.3 else view)
    return views


def test_orders_in_memory_are_numpys() -> None:
    """Case 96: orders "A" and "K" depend on how the data lie."""
    for view in layouts():
        t = tg.as_tensor(view).requires_grad_()
        seed = np.arange(float(view.size))
        for order in ("C", "F", "A", "K"):
            flat, copied = np.ravel(t, order), np.copy(t, order)
            np.testing.assert_array_equal(flat.data, np.ravel(view, order))
            assert copied.data.strides == np.copy(view, order).strides
            if order != "K":
                column = np.reshape(t, (-1, 1), order=order)
                np.testing.assert_array_equal(column.data, np.reshape(view, (-1, 1), order=order))
            (slope,) = tg.gradients(flat, [t], seed)
            np.testing.assert_allclose(np.sum(slope * view), np.dot(seed, flat.data))


def test_methods_take_an_order() -> None:
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert t.reshape(4, order="F").tolist() == [1.0, 3.0, 2.0, 4.0]
    assert t.ravel("F").tolist() == t.flatten("F").tolist() == [1.0, 3.0, 2.0, 4.0]
    assert [piece.tolist() for piece in t.split(2)] == [[[1.0, 2.0]], [[3.0, 4.0]]]


def test_reshape_copies_where_it_is_told_to() -> None:
    t = Tensor([1.0, 2.0])
    assert np.shares_memory(np.reshape(t, (2, 1)).data, t.data)
    assert not np.shares_memory(np.reshape(t, (2, 1), copy=True).data, t.data)
    assert np.shares_memory(np.reshape(t, (2, 1), copy=False).data, t.data)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "atleast_3d": np.atleast_3d,
    "broadcast_arrays": lambda t: np.broadcast_arrays(t, np.ones((2, 3, 3)))[0],
    "diag": np.diag,
    "diagonal": np.diagonal,
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "matrix_transpose": np.matrix_transpose,
    "ravel": np.ravel,
    "rollaxis": lambda t: np.rollaxis(t, 1),
    "rot90": np.rot90,
    "sliding_window_view": lambda t: windows(t, (2, 2)),
    "split": lambda t: np.split(t, 3)[0],
    "unstack": lambda t: np.unstack(t)[0],
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_to_the_leaf_under_a_view_is_noticed(name: str) -> None:
    """Case 62b."""
    t = Tensor(np.arange(1.0, 10.0).reshape(3, 3))
    view = VIEWS[name](t)
    assert np.shares_memory(view.data, t.data)
    loss = (view * view).sum()
    t.data += 1.0
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


# --- padding --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("constant", {}),
        ("edge", {}),
        ("wrap", {}),
        ("reflect", {}),
        ("symmetric", {}),
        ("reflect", {"reflect_type": "odd"}),
        ("symmetric", {"reflect_type": "odd"}),
        ("linear_ramp", {}),
        ("mean", {}),
    ],
)
def test_borders_of_every_width(mode: Any, options: Any) -> None:
    """The rule is the transpose of what NumPy makes of unit vectors, also many periods out."""
    for n, before, after in itertools.product((1, 2, 3, 5), (0, 1, 2, 4, 13), (0, 3, 8, 17)):
        matrix = [np.pad(row, (before, after), mode, **options) for row in np.eye(n)]
        found = slopes(lambda t, w=(before, after): np.pad(t, w, mode, **options), n)
        np.testing.assert_allclose(found, np.transpose(matrix), atol=1e-12)


def test_equal_extrema_share_a_border() -> None:
    """Cases 14, 16, 17."""
    assert gradient(lambda t: np.pad(t, 1, "maximum"), [3.0, 3.0, 1.0])[0].tolist() == [2, 2, 1]
    assert gradient(lambda t: np.pad(t, 1, "minimum"), [3.0, 1.0, 1.0])[0].tolist() == [1, 2, 2]
    assert gradient(lambda t: np.pad(t, 1, "median"), [1.0, 1.0, 4.0])[0].tolist() == [2, 2, 1]
    nan = gradient(lambda t: np.pad(t, 1, "maximum"), [3.0, np.nan, 1.0])[0]
    assert nan.tolist() == [1.0, 3.0, 1.0]


def test_an_infinite_cotangent_stays_where_it_belongs() -> None:
    """Rule 7: not at the ends of an odd reflection that have no part in it."""
    t = Tensor(np.arange(5.0))
    seed = np.ones(11)
    seed[0] = np.inf
    (slope,) = tg.gradients(np.pad(t, 3, "reflect", reflect_type="odd"), [t], seed)
    assert slope.tolist() == [np.inf, -1.0, -1.0, -np.inf, 7.0]


def test_pad_widths_in_a_dictionary() -> None:
    t = Tensor(np.ones((2, 2)))
    assert np.pad(t, {0: (1, 2), -1: 3}).shape == (5, 8)


# --- joining and taking apart ---------------------------------------------------------------------


def test_the_same_tensor_twice() -> None:
    """Cases 52, 74."""
    for f in (
        lambda t: np.concatenate([t, t]),
        lambda t: np.block([[t, t]]),
        lambda t: np.append(t, t),
        lambda t: np.insert(t, 1, t),
        lambda t: np.vstack([t, t]),
    ):
        assert gradient(f, [1.0, 2.0])[0].tolist() == [2.0, 2.0]


def test_python_numbers_stay_weak() -> None:
    """Case 65, as NumPy has it for each function."""
    single = Tensor(np.ones(2, np.float32))
    for f in (
        lambda t: np.concatenate([t, 1.0], axis=None),
        lambda t: np.append(t, 1.0),
        lambda t: np.stack([t[0], 1.0]),
        lambda t: np.hstack([t, 1.0]),
        lambda t: np.linspace(t[0], 2.0, 3),
        lambda t: np.pad(t, 1, constant_values=2.0),
        lambda t: np.insert(t, 0, 2.0),
    ):
        assert f(single).dtype == f(single.data).dtype


def test_results_written_into_out() -> None:
    t = Tensor([1.0, 2.0])
    target = tg.zeros(4)
    assert np.concatenate([t, t], out=target) is target
    target.sum().backward()
    assert t.grad.tolist() == [2.0, 2.0]
    with pytest.raises(TypeError, match="out= an array"):
        np.stack([t, t], out=np.zeros((2, 2)))


def test_repeats_are_cut_to_integers() -> None:
    """NumPy takes floats in a list, though not in an array."""
    t = Tensor([1.0, 2.0])
    out = np.repeat(t, [1.5, 2.0])
    assert out.tolist() == [1.0, 2.0, 2.0]
    assert tg.gradients(out.sum(), [t])[0].tolist() == [1.0, 2.0]
    assert gradient(lambda v: np.repeat(v, 2.5), [1.0, 2.0])[0].tolist() == [2.0, 2.0]  # type: ignore[call-overload]


def test_many_pieces() -> None:
    """Taken apart and put together again, each piece is counted once."""
    t = Tensor(np.arange(300.0))
    for pieces in (np.split(t, 300), np.array_split(t, 7), np.unstack(t.reshape(300, 1))):
        joined = np.concatenate([piece * 2.0 for piece in pieces])
        (slope,) = tg.gradients(joined.sum(), [t])
        np.testing.assert_array_equal(slope, np.full(300, 2.0))


# --- creation -------------------------------------------------------------------------------------


def test_linspace_gives_its_step() -> None:
    start, stop = Tensor(1.0), Tensor(3.0)
    numbers, step = np.linspace(start, stop, 5, retstep=True)
    assert (numbers.tolist(), float(step)) == ([1.0, 1.5, 2.0, 2.5, 3.0], 0.5)
    step.backward()
    assert (float(start.grad), float(stop.grad)) == (-0.25, 0.25)
    assert np.isnan(np.linspace(start, stop, 1, retstep=True)[1])


def test_full_sums_the_gradient() -> None:
    assert gradient(lambda v: tg.full((2, 3), v), [1.0, 2.0, 3.0])[0].tolist() == [2.0, 2.0, 2.0]
    like = np.zeros((2, 3), np.float32)
    assert gradient(lambda v: np.full_like(tg.tensor(like), v), 1.0)[0] == 6.0
    assert np.full_like(tg.tensor(like), Tensor(1.0)).dtype == np.float32


def test_copies_like_an_array_keep_its_layout() -> None:
    fortran = tg.as_tensor(np.zeros((2, 3), order="F"))
    for f in (np.zeros_like, np.ones_like, np.empty_like, lambda a: np.full_like(a, 1.0)):
        assert f(fortran).data.flags.f_contiguous
    assert np.zeros_like(fortran, order="C").data.flags.c_contiguous


def test_index_helpers_give_arrays() -> None:
    t = Tensor(np.ones((3, 3)))
    for f in (np.tril_indices_from, np.triu_indices_from, np.diag_indices_from):
        for got, expected in zip(f(t), f(t.data), strict=True):
            assert type(got) is np.ndarray
            np.testing.assert_array_equal(got, expected)
    rows, columns = np.ix_([0, 2], [True, False, True])
    assert t[rows, columns].shape == (2, 2)


def test_complex_gradients() -> None:
    """The gradient of `Re(w . f(z))` by z is the conjugate of w, moved as f moves z."""
    z = np.array([[1 + 2j, 3 - 1j], [0.5j, 2.0]])
    for f in (
        lambda t: np.pad(t, 2, "reflect", reflect_type="odd"),
        lambda t: np.pad(t, 1, "linear_ramp"),
        lambda t: np.repeat(t, [2, 1], 0),
        lambda t: np.tril(t),
        lambda t: np.insert(t, 1, t[0], 0),
        lambda t: np.linspace(t[0], t[1], 4),
    ):
        t = Tensor(z)
        out = f(t)
        seed = np.arange(out.size).reshape(out.shape) * (1 - 0.5j)
        (slope,) = tg.gradients(out, [t], seed)
        # A real step h in a direction d changes Re(conj(seed) . out) by h Re(conj(slope) . d).
        direction = np.array([[1j, 1.0], [2.0 - 1j, 0.5]])
        change = f(z + direction) - f(z)
        np.testing.assert_allclose(
            np.real(np.sum(np.conj(slope) * direction)),
            np.real(np.sum(np.conj(seed) * change)),
        )


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="this NumPy has it no more"
)
def test_the_deprecated_row_stack_is_vstack() -> None:
    with pytest.warns(DeprecationWarning, match="row_stack"):
        joined = np.row_stack([x, x])  # noqa: NPY201
    assert joined.requires_grad
