"""Section F of docs/semantics.md: interplay with NumPy, with Python, with pickle; text."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, Value


def test_case_90_numpy_on_the_left() -> None:
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    for y in (
        np.float64(2) * t,
        np.ones((2, 2)) * t,
        np.ones((2, 2)) @ t,
        np.ones(2) - t,
        t - [1, 1],
    ):
        assert isinstance(y, Tensor)
        assert y.requires_grad
    with pytest.raises(TypeError):
        "a" * t
    assert (t == None) is False  # noqa: E711 - the comparison with a stranger is the point


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.exp(t, out=np.zeros(2)),
        lambda t: np.emath.sqrt(t),
        lambda t: np.vectorize(abs)(t),
        lambda t: np.array([t, t]),
        lambda t: np.asarray(t),
    ],
)
def test_case_91_never_a_silent_detach(call: Any) -> None:
    with pytest.raises(TypeError, match=r"\.detach\(\)|differentiable"):
        call(Tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    "call",
    [
        lambda p: np.linalg.norm(Tensor([3.0, 4.0]), p),
        lambda p: np.linalg.cond(Tensor(np.eye(2)), p),
        lambda p: np.var(Tensor([1.0, 2.0]), ddof=p),
        lambda p: np.std(Tensor([1.0, 2.0]), correction=p),
        lambda p: Tensor([1.0, 2.0]).var(ddof=p),
        lambda p: tg.leaky_relu([1.0, -2.0], p),
        lambda p: np.sum(tg.as_tensor([1, 2]), initial=p),
        lambda p: np.max(tg.as_tensor([1, 2]), initial=p),
    ],
)
def test_case_91_parameters_without_a_derivative(call: Any) -> None:
    with pytest.raises(TypeError, match=r"\.detach\(\)|would lose"):
        call(Tensor(1.0))


def test_case_91_options_record_where_the_array_does_not() -> None:
    start = Tensor(3.0)
    np.sum(tg.as_tensor([1.0, 2.0]), dtype=np.float64, initial=start).backward()
    assert start.grad == 1
    mean = Tensor([1.0])
    np.var(np.array([1.0, 4.0]), dtype=np.float64, mean=mean).backward()
    assert mean.grad.tolist() == [-3.0]


def test_case_91_what_does_not_record_passes_through() -> None:
    t = tg.tensor([1.4, 2.6])
    assert np.round(t).tolist() == [1, 3]
    assert np.add.reduce(t) == 4
    assert np.asarray(t) is t.data
    assert np.argmax(Tensor([1.0, 3.0])) == 1
    assert np.isnan(Tensor([np.nan])).tolist() == [True]


def test_case_92_the_array_protocol() -> None:
    t = tg.tensor([1.0, 2.0])
    assert np.asarray(t, dtype=np.float32).dtype == np.float32
    assert np.array(t, copy=True) is not t.data
    assert np.array(t, copy=False) is t.data
    with pytest.raises(ValueError, match="copy"):
        np.array(t, dtype=np.float32, copy=False)


def test_case_93_truth_and_floats() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="empty"):
        bool(Tensor(np.zeros(0)))
    assert bool(Tensor(1.0))
    assert float(Tensor(2.5)) == 2.5
    assert math.sin(Tensor(0.0)) == 0
    a = np.zeros(2)
    a[0] = Tensor(3.0)
    assert a.tolist() == [3, 0]
    with pytest.raises(TypeError):
        float(Tensor([1.0, 2.0]))
    assert range(5)[tg.tensor(2)] == 2
    with pytest.raises(TypeError):
        range(5)[Tensor(2.0)]


def test_case_94_hash_is_identity_and_equality_elementwise() -> None:
    x, y = Tensor([1.0, 2.0]), Tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False]
    assert (x != y).tolist() == [False, True]
    assert len({x, y, x}) == 2
    for compared in (x < y, x <= y, x > y, x >= 2):
        assert isinstance(compared, np.ndarray)


def test_case_95_iteration() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    total = sum(item * (i + 1) for i, item in enumerate(x))
    total.backward()
    assert x.grad.tolist() == [1, 2, 3]
    assert len(x) == 3
    a, b = Tensor([1.0, 2.0])
    assert (a.item(), b.item()) == (1, 2)
    for f in (iter, len):
        with pytest.raises(TypeError, match="0-d"):
            f(Tensor(1.0))


def layouts(a: np.ndarray) -> Iterator[tuple[str, Any]]:
    yield "fortran", np.asfortranarray(a)
    yield "negative strides", a[::-1, ::-1].copy()[::-1, ::-1]
    yield "strided", np.repeat(a, 2, axis=1)[:, ::2]
    read_only = a.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    yield "unaligned", raw
    yield "matrix", np.asmatrix(a)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_case_96_layouts_and_subclasses(rng: np.random.Generator, tmp_path: Any) -> None:
    a = rng.random((3, 4))
    mapped = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", a.dtype, a.shape)
    mapped[...] = a
    w = rng.random((4, 2))

    def f(x: Tensor) -> Tensor:
        return (np.tanh(x @ w).sum(axis=0) * np.exp(x.mean())).sum() + (x * x)[1].sum()

    x = Tensor(a)
    f(x).backward()
    for name, b in [*layouts(a), ("memmap", mapped)]:
        for y in (Tensor(b), tg.as_tensor(b).requires_grad_()):
            f(y).backward()
            np.testing.assert_allclose(y.grad, x.grad, rtol=1e-13, err_msg=name)
        np.testing.assert_array_equal(np.asarray(b), a, err_msg=f"{name} was changed")
        assert type((Tensor(a) * b).data) is np.ndarray


def test_case_97_pickle_and_deepcopy_of_leaves() -> None:
    x = Tensor(np.ones(2, np.float32), label="x")
    frozen = Tensor([1.0], label="frozen")
    frozen.requires_grad = False
    for make in (lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy):
        y = make(x)
        assert (y.tolist(), y.dtype, y.requires_grad, y.label) == ([1, 1], np.float32, True, "x")
        assert not np.shares_memory(x.data, y.data)
        assert not make(frozen).requires_grad
        assert make(frozen).label == frozen.requires_grad_().label == "frozen"
        frozen.requires_grad = False
        v = make(Value(2.0, label="v"))
        assert type(v) is Value
        assert (v.data, v.label) == (2.0, "v")
    with pytest.raises(TypeError, match="detach"):
        pickle.dumps(x * 2)
    with pytest.raises(TypeError, match="detach"):
        copy.deepcopy(x * 2)
    assert pickle.loads(pickle.dumps((x * 2).detach())).tolist() == [2, 2]
    tied = copy.deepcopy([x, x])
    assert tied[0] is tied[1]


def test_case_98_a_pass_never_warns() -> None:
    x = Tensor([0.0, 1.0, 1e300])
    with np.errstate(all="ignore"):
        y = np.log(x) + np.exp(x) + x**0.5 + x / 0.0
    with np.errstate(all="raise"):
        y.sum().backward()


def test_conversions_and_text() -> None:
    x = Tensor([[1.0, 2.0]], dtype=np.float32, label="x")
    y = np.exp(x)
    assert repr(x) == "Tensor([[1., 2.]], dtype=float32, label='x')"
    assert repr(y).endswith("dtype=float32, op=exp)")
    assert f"{y.sum():.2f}" == "10.11"
    assert f"{x}" == str(x)
    assert repr(Value(2.0, label="a")) == "Value(2.0, label='a')"
    assert repr(Value(2.0) * 3) == "Value(6.0, op=multiply)"
    with pytest.raises(ValueError, match="not one number"):
        x.item()
    assert x.tolist() == [[1, 2]]
    copied = x.copy()
    assert copied.requires_grad
    assert copied.grad_fn == "copy"
    assert x.detach().data is x.data
    assert (x.size, x.ndim, x.shape, x.T.shape, x.mT.shape) == (2, 2, (1, 2), (2, 1), (2, 1))


def test_prev_gives_the_same_object_for_the_same_node() -> None:
    a = Value(2.0, label="a")
    b = (a * 3.0) * a
    [inner] = [v for v in b._prev if v._op == "*"]
    again = [v for v in b._prev if v._op == "*"]
    assert inner is again[0]
    assert a in b._prev
    assert a in inner._prev
    assert inner._prev == inner._prev
    assert {v.data for v in inner._prev} == {2.0, 3.0}
    assert inner.data == 6


def test_an_array_nobody_kept_is_computed_again() -> None:
    x = Tensor([1.0, 2.0])
    y = np.exp((x + 1) * 2 - 3)
    [before] = y._prev
    assert before.data.tolist() == [1, 3]
    z = (x + np.array([1.0, 2.0])) * 2.0
    [lost] = [v for v in z._prev if v.grad_fn == "add"]
    with pytest.raises(ValueError, match="not kept"):
        _ = lost.data
    assert (before * 2.0).tolist() == [2, 6]


def test_mistakes_are_named() -> None:
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TypeError, match=r"np\.clip of a tensor has no option casting; it takes"):
        np.clip(t, 0, 1, casting="no")
    with pytest.raises(TypeError):
        np.sum(t, 0, 1)
    with pytest.raises(np.exceptions.AxisError):
        np.split(t, 2, axis=5)
    with pytest.raises(np.exceptions.AxisError):
        np.mean(Tensor(1.0), axis=0)
    with pytest.raises(ValueError, match="same number of dimensions"):
        np.take_along_axis(t, np.array([0]), 1)
    with pytest.raises(ValueError, match="expected 0 to 51"):
        np.einsum(t, [0, -1])
    with pytest.raises(ValueError, match="not as both"):
        np.clip(t, 0, 1, min=3)
    with pytest.raises(TypeError, match="one number"):
        f"{t:.2f}"
    with pytest.raises(TypeError, match=r"write @no_grad\(\)"):
        tg.no_grad(len)
    for index in ("a", t, [0.5]):
        with pytest.raises(IndexError):
            t[index]
    with pytest.raises(TypeError, match="expected text"):
        t.label = 3
    assert 3.0 in t
    assert 5.0 not in t
    np.testing.assert_array_equal(
        tg.gradients(np.einsum("ii,ij->j", t, t, optimize=["einsum_path", (0, 1)]).sum(), t),
        tg.gradients(np.einsum("ii,ij->j", t, t).sum(), t),
    )


def test_an_async_generator_is_refused() -> None:
    async def steps() -> Any:
        yield 1

    with pytest.raises(TypeError, match="asynchronous generators"):
        tg.no_grad()(steps)
