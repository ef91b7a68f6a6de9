"""Properties: broadcasting, indexing and reductions on shapes, strides and indices that are drawn.

The oracles need no second implementation.  What is linear has `<g, f(v)> = <grad, v>`; what is
homogeneous of degree k has `<grad, x> = k <g, f(x)>`, which is Euler's; the rest is compared with
the complex step, or with central differences along a direction that is drawn.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

settings.register_profile("properties", deadline=None, derandomize=True, max_examples=20)
PROPERTY = settings(settings.get_profile("properties"))

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FULL_SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)
SEEDS = st.integers(0, 2**32 - 1)
LAYOUTS = st.sampled_from(["C", "F", "reversed", "gaps", "read-only"])


def drawn(seed: int, shape: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Any:
    return np.random.default_rng(seed).uniform(low, high, shape)


def laid_out(array: Any, layout: str) -> Any:
    """Return the same values with other strides."""
    if layout == "F":
        return array.copy(order="F")
    if layout == "reversed" and array.ndim:
        return np.flip(np.flip(array).copy())
    if layout == "gaps":
        return np.repeat(array[..., None], 3, axis=-1)[..., 1]
    array = array.copy()
    array.flags.writeable = layout != "read-only"
    return array


def leaf(array: Any) -> Tensor:
    """Return a recording tensor on this very memory."""
    return tg.as_tensor(array).requires_grad_()


def inner(a: Any, b: Any) -> Any:
    return np.sum(np.asarray(a) * np.asarray(b))


def pulled_back(f: Callable[..., Any], arrays: list[Any], seed: int) -> tuple[Any, Any, list[Any]]:
    """Return a cotangent that is drawn, the value of `f` and the gradients."""
    xs = [leaf(array) for array in arrays]
    out = f(*xs)
    g = drawn(seed + 1, out.shape, -1.0, 1.0)
    return g, out.data, tg.gradients(out, xs, g, allow_unused=True)


def assert_close(got: Any, expected: Any, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


# --- broadcasting ---------------------------------------------------------------------------------

BINARY = [np.add, np.subtract, np.multiply, np.divide, np.power, np.hypot, np.arctan2, np.logaddexp,
          np.maximum, np.fmin, np.remainder, np.copysign]  # fmt: skip


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@PROPERTY
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3),
       layouts=st.tuples(LAYOUTS, LAYOUTS), seed=SEEDS)  # fmt: skip
def test_broadcasting_sums_the_gradients(f: Any, shapes: Any, layouts: Any, seed: int) -> None:
    """Cases 40, 41, 96: as for inputs that were stretched by hand."""
    arrays = [
        laid_out(drawn(seed + i, shape), layout)
        for i, (shape, layout) in enumerate(zip(shapes.input_shapes, layouts, strict=True))
    ]
    _, value, grads = pulled_back(f, arrays, seed)
    stretched = [np.broadcast_to(array, shapes.result_shape).copy() for array in arrays]
    _, expected, wide = pulled_back(f, stretched, seed)
    np.testing.assert_array_equal(value, f(*arrays))
    assert_close(value, expected)
    for array, grad, full in zip(arrays, grads, wide, strict=True):
        assert grad.shape == array.shape
        extra = tuple(range(full.ndim - array.ndim))
        summed = np.sum(full, axis=extra)
        axes = tuple(i for i, n in enumerate(array.shape) if n != summed.shape[i])
        assert_close(grad, np.sum(summed, axis=axes, keepdims=True))


@PROPERTY
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=1, max_side=3),
       seed=SEEDS)  # fmt: skip
def test_an_expression_agrees_with_the_complex_step(shapes: Any, seed: int) -> None:
    """Case 40, with every operator between arrays of different shapes."""

    def f(x: Any, y: Any, z: Any) -> Any:
        return np.exp(x * y - z) / (x + y * z) + np.sin(x - z) ** 2 - np.log(y) * z**x

    arrays = [drawn(seed + i, shape) for i, shape in enumerate(shapes.input_shapes)]
    g, _, grads = pulled_back(f, arrays, seed)
    along = [drawn(seed + 5 + i, a.shape, -1.0, 1.0) for i, a in enumerate(arrays)]
    moved = [a + 1e-20j * v for a, v in zip(arrays, along, strict=True)]
    slope = inner(g, np.imag(f(*moved))) / 1e-20
    assert_close(sum(inner(grad, v) for grad, v in zip(grads, along, strict=True)), slope)


@PROPERTY
@given(data=st.data(), shape=SHAPES, layout=LAYOUTS, seed=SEEDS)
def test_a_mask_shares_between_the_result_and_what_was_there(
    data: Any, shape: Any, layout: str, seed: int
) -> None:
    """`where=` is `np.where`, of values and of gradients."""
    mask = data.draw(hnp.arrays(bool, data.draw(st.sampled_from([shape, shape[1:], ()]))))
    arrays = [laid_out(drawn(seed + i, shape), layout) for i in range(3)]
    one = pulled_back(lambda x, y, o: np.multiply(x, y, out=o * 1, where=mask), arrays, seed)
    other = pulled_back(lambda x, y, o: np.where(mask, x * y, o), arrays, seed)
    for got, expected in zip(one[2], other[2], strict=True):
        assert_close(got, expected)
    assert_close(one[1], other[1])


# --- indexing -------------------------------------------------------------------------------------


def indices(data: Any, shape: tuple[int, ...]) -> Any:
    """Draw an index: slices and ints, integer arrays, a mask, or a mixture."""
    ways = ["basic", "mask"]
    if shape and 0 not in shape:
        ways += ["integers", "mixed"]
    way = data.draw(st.sampled_from(ways))
    if way == "basic":
        return data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    if way == "mask":
        return data.draw(hnp.arrays(bool, shape))
    if way == "integers":
        return data.draw(hnp.integer_array_indices(shape))
    rows = data.draw(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4))
    rest = data.draw(hnp.basic_indices(shape[1:], allow_ellipsis=False))
    return (np.array(rows, int), *(rest if isinstance(rest, tuple) else (rest,)))


@PROPERTY
@given(data=st.data(), shape=SHAPES, layout=LAYOUTS, seed=SEEDS)
def test_reading_and_its_gradient_are_adjoint(
    data: Any, shape: Any, layout: str, seed: int
) -> None:
    """Cases 55 to 59."""
    key = indices(data, shape)
    x, v = laid_out(drawn(seed, shape), layout), drawn(seed + 2, shape)
    g, value, (grad,) = pulled_back(operator.itemgetter(key), [x], seed)
    np.testing.assert_array_equal(value, x[key])
    assert_close(inner(grad, v), inner(g, v[key]))


@PROPERTY
@given(data=st.data(), shape=SHAPES, layout=LAYOUTS, seed=SEEDS)
def test_writing_and_its_gradient_are_adjoint(
    data: Any, shape: Any, layout: str, seed: int
) -> None:
    """Case 60, also where the value broadcasts."""
    key = indices(data, shape)
    x = laid_out(drawn(seed, shape), layout)
    value_shape = data.draw(st.sampled_from([x[key].shape, ()]))
    v = drawn(seed + 2, value_shape)

    def write(x: Any, v: Any) -> Any:
        y = x * 1
        y[key] = v
        return y

    g, value, (gx, gv) = pulled_back(write, [x, v], seed)
    expected = x.copy()
    expected[key] = v
    np.testing.assert_array_equal(value, expected)
    assert_close(inner(gx, x) + inner(gv, v), inner(g, value))


@pytest.mark.parametrize(("ufunc", "degree"), [(np.add, 1), (np.maximum, 1), (np.hypot, 1),
                                               (np.fmin, 1), (np.subtract, 1)],
                         ids=lambda p: getattr(p, "__name__", None))  # fmt: skip
@PROPERTY
@given(data=st.data(), shape=FULL_SHAPES, layout=LAYOUTS, seed=SEEDS)
def test_operating_at_an_index_is_homogeneous(
    ufunc: Any, degree: int, data: Any, shape: Any, layout: str, seed: int
) -> None:
    """Cases 55, 56: as often as the index names an element."""
    key = indices(data, shape)
    x = laid_out(drawn(seed, shape), layout)
    v = drawn(seed + 2, x[key].shape)

    def operate(x: Any, v: Any) -> Any:
        y = x * 1
        ufunc.at(y, key, v)
        return y

    g, value, (gx, gv) = pulled_back(operate, [x, v], seed)
    expected = x.copy()
    ufunc.at(expected, key, v)
    assert_close(value, expected)
    assert_close(inner(gx, x) + inner(gv, v), degree * inner(g, value))


# --- reductions -----------------------------------------------------------------------------------


def axes(data: Any, ndim: int) -> Any:
    """Draw an axis: None, one, or several, from either end."""
    if not ndim or data.draw(st.booleans()):
        return None
    several = data.draw(hnp.valid_tuple_axes(ndim, min_size=0))
    return several[0] if len(several) == 1 else several


# The degree of homogeneity, -1 for that of the number of elements.
REDUCTIONS = [("sum", 1), ("mean", 1), ("max", 1), ("min", 1), ("std", 1), ("var", 2), ("prod", -1)]


@pytest.mark.parametrize(("name", "degree"), REDUCTIONS)
@PROPERTY
@given(data=st.data(), shape=FULL_SHAPES, layout=LAYOUTS, keep=st.booleans(), seed=SEEDS)
def test_reductions_are_homogeneous(
    name: str, degree: int, data: Any, shape: Any, layout: str, keep: bool, seed: int
) -> None:
    """Case 45, and Euler's identity."""
    axis = axes(data, len(shape))
    x = laid_out(drawn(seed, shape), layout)

    def f(x: Any) -> Any:
        return getattr(np, name)(x, axis=axis, keepdims=keep)

    g, value, (grad,) = pulled_back(f, [x], seed)
    np.testing.assert_array_equal(value, f(x))
    if degree < 0:
        degree = x.size // max(1, np.size(value))
    assert_close(inner(grad, x), degree * inner(g, value))


@pytest.mark.parametrize("name", ["sum", "mean", "prod"])
@PROPERTY
@given(data=st.data(), shape=SHAPES, layout=LAYOUTS, seed=SEEDS)
def test_smooth_reductions_agree_with_the_complex_step(
    name: str, data: Any, shape: Any, layout: str, seed: int
) -> None:
    """Cases 43, 45."""
    axis = axes(data, len(shape))
    if name == "mean" and 0 in shape:
        shape = tuple(max(1, n) for n in shape)
    x, v = laid_out(drawn(seed, shape), layout), drawn(seed + 2, shape, -1.0, 1.0)

    def f(x: Any) -> Any:
        return getattr(np, name)(x, axis=axis)

    g, _, (grad,) = pulled_back(f, [x], seed)
    assert_close(inner(grad, v), inner(g, np.imag(f(x + 1e-20j * v))) / 1e-20)


FOLDS = [np.add, np.multiply, np.maximum, np.subtract, np.divide, np.logaddexp, np.hypot, np.power]


@pytest.mark.parametrize("ufunc", FOLDS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat"])
@PROPERTY
@given(data=st.data(), shape=FULL_SHAPES.filter(bool), layout=LAYOUTS, seed=SEEDS)
def test_folds_agree_with_differences(
    ufunc: Any, method: str, data: Any, shape: Any, layout: str, seed: int
) -> None:
    """Along any axis, and over stretches that overlap, of any length."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = laid_out(drawn(seed, shape, 1.0, 1.3), layout)
    given_indices = ()
    if method == "reduceat":
        starts = st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=4)
        given_indices = (np.array(data.draw(starts)),)

    def f(x: Any) -> Any:
        return getattr(ufunc, method)(x, *given_indices, axis=axis)

    v, step = drawn(seed + 2, shape, -1.0, 1.0), 1e-5
    g, _, (grad,) = pulled_back(f, [x], seed)
    with tg.no_grad():
        high, low = (f(Tensor(x + s * v)).data for s in (step, -step))
    assert_close(inner(grad, v), inner(g, (high - low) / (2 * step)), rtol=2e-6)
