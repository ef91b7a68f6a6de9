"""DLPack: arrays shared with other libraries, both ways, without copies and without lost graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

DTYPES = ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "?", "c8", "c16"]
SHAPES = [(), (3,), (2, 3), (0, 4), (2, 1, 3)]


def same_memory(one: Any, other: Any) -> bool:
    """Tell whether two arrays start at the same place."""
    return bool(one.__array_interface__["data"][0] == other.__array_interface__["data"][0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_both_ways(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)
    tensor = tg.from_dlpack(array)
    back = np.from_dlpack(tensor)
    assert not tensor.requires_grad
    assert tensor.dtype == back.dtype == array.dtype
    assert tensor.shape == back.shape == shape
    assert same_memory(tensor.data, array)
    assert same_memory(back, array)


def test_a_view_stays_a_view() -> None:
    array = np.arange(12.0).reshape(3, 4)
    view = array[::-1, ::2].T
    back = np.from_dlpack(tg.from_dlpack(view))
    assert back.strides == view.strides
    np.testing.assert_array_equal(back, view)
    array[:] = 0
    assert not back.any()


def test_numbers_are_shared_as_0d_arrays() -> None:
    total = tg.tensor([1.0, 2.0]).sum()
    assert np.from_dlpack(total).tolist() == 3.0
    assert tg.from_dlpack(tg.Value(3.0).detach()).tolist() == 3.0
    assert total.__dlpack_device__() == (1, 0)


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 2, lambda x: x.sum()])
def test_a_recording_tensor_is_refused(make: Any) -> None:
    x = make(tg.Tensor([1.0, 2.0]))
    for function in (np.from_dlpack, tg.from_dlpack):
        with pytest.raises(TypeError, match=r"recording tensor.*x\.detach\(\) or x\.data"):
            function(x)
    assert same_memory(np.from_dlpack(x.detach()), x.data) or not x.shape
    np.testing.assert_array_equal(np.from_dlpack(x.data), x.data)


def test_a_read_only_source_is_shared_and_never_written() -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    t = tg.from_dlpack(array)
    assert same_memory(t.data, array)
    t[0] = 7.0
    t += 1
    assert t.tolist() == [8.0, 2.0, 3.0]
    assert array.tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(BufferError, match=r"[Rr]ead-?only"):
        tg.from_dlpack(array).__dlpack__()  # by the first version, which cannot say so


def test_a_write_in_place_never_reaches_the_source() -> None:
    array = np.arange(3.0)
    t = tg.from_dlpack(array)
    t[0] = 7.0
    np.add.at(t, [1], 5.0)
    assert t.tolist() == [7.0, 6.0, 2.0]
    assert array.tolist() == [0.0, 1.0, 2.0]


def test_copies_on_request() -> None:
    array = np.arange(3.0)
    assert not same_memory(tg.from_dlpack(array, copy=True).data, array)
    assert same_memory(tg.from_dlpack(array, copy=False).data, array)
    assert not same_memory(np.from_dlpack(tg.from_dlpack(array), copy=True), array)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0], TypeError, "x is a list; expected an array that speaks DLPack"),
        (None, TypeError, "x is a NoneType"),
        (np.array(["a"]), BufferError, "only supports"),
        (np.array([1], ">i4"), BufferError, "byte order"),
    ],
)
def test_what_cannot_be_shared_is_refused(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tg.from_dlpack(x)


@pytest.mark.parametrize("function", [np.from_dlpack, tg.from_dlpack])
def test_a_compiled_step_does_not_bake_in_what_left_it(function: Any) -> None:
    """Case 111."""
    step = tg.compile(lambda x: tg.as_tensor(function(tg.as_tensor(x * 2))) + x)
    with pytest.raises(tg.CompileError, match="from_dlpack"):
        step(np.ones(2))
    given = tg.compile(lambda x, c: tg.from_dlpack(c) * x)
    for factor in (1.0, 2.0):
        with pytest.raises(tg.CompileError, match="from_dlpack"):
            given(np.ones(2), np.full(2, factor))


# ---------------------------------------------------------------------------------- other libraries


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pytorch_both_ways(dtype: str, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    array = np.ones(shape, dtype)
    theirs = torch.from_dlpack(tg.as_tensor(array))
    assert theirs.numpy().dtype == array.dtype
    assert theirs.shape == shape
    ours = tg.from_dlpack(theirs)
    if array.size:
        assert theirs.data_ptr() == array.ctypes.data == ours.data.ctypes.data
        theirs.fill_(0)
        assert not array.any()
        assert not ours.data.any()


def test_pytorch_gradients_and_dtypes_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(BufferError, match="require gradient"):
        tg.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises((BufferError, RuntimeError), match="Unsupported dtype"):
        tg.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"x\.detach\(\) or x\.data"):
        torch.from_dlpack(tg.Tensor([1.0]))


def test_jax_both_ways() -> None:
    jax = pytest.importorskip("jax")
    theirs = jax.numpy.arange(6, dtype=np.float32).reshape(2, 3)
    ours = tg.from_dlpack(theirs)
    assert ours.data.ctypes.data == theirs.unsafe_buffer_pointer()
    assert not ours.data.flags.writeable
    np.testing.assert_array_equal((ours * 2).data, np.asarray(theirs) * 2)
    ours[0] = 9.0
    assert ours.tolist()[0] == [9.0] * 3
    assert theirs[0].tolist() == [0.0, 1.0, 2.0]
    # JAX shares what starts at a multiple of 64 bytes, and copies the rest.
    raw = np.zeros(64 + 16, np.float32)
    array = raw[-(raw.ctypes.data // 4) % 16 :][:64]
    back = jax.dlpack.from_dlpack(tg.as_tensor(array))
    assert back.unsafe_buffer_pointer() == array.ctypes.data
    with pytest.raises(TypeError, match=r"x\.detach\(\) or x\.data"):
        jax.dlpack.from_dlpack(tg.Tensor([1.0]))
