"""Clipping of gradients, and parameters as one vector."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import batches, net, told_twice
from tensorgrad.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)
from tensorgrad.optim import SGD

GRADS = [np.array([[3.0, -4.0], [0.5, 0.0]]), np.array(12.0), np.array([-1.0, 2.0, 1e-3])]


def tensors(dtype=np.float64):
    found = [tg.Tensor(np.ones_like(g, dtype=dtype)) for g in GRADS]
    for p, g in zip(found, GRADS, strict=True):
        p.grad = g.astype(dtype)
    return found


def flat(order):
    return np.linalg.norm(np.concatenate([g.reshape(-1) for g in GRADS]), order)


# ------------------------------------------------------------------ the norm


@pytest.mark.parametrize("order", [1, 2, 2.5, np.inf])
@pytest.mark.parametrize("limit", [0.0, 0.5, 100.0, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_scaled_by_their_norm(order, limit, dtype):
    params = tensors(dtype)
    norm = clip_grad_norm_(params, limit, order)
    assert norm.dtype == np.float64
    assert float(norm) == pytest.approx(flat(order), rel=1e-6)
    factor = min(1.0, limit / (flat(order) + 1e-6))
    for p, g in zip(params, GRADS, strict=True):
        assert (p.grad.dtype, p.grad.shape) == (dtype, g.shape)
        np.testing.assert_allclose(p.grad, g * factor, rtol=1e-6)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, np.inf])
def test_complex_gradients_count_by_their_absolute_value(order):
    # 3 + 4i squared is -7 + 24i: a norm of squares without the absolute value is itself complex.
    grads = [np.array([3 + 4j, -6j]), np.array([1.0, -2.0])]
    params = [tg.Tensor(np.ones(2, g.dtype)) for g in grads]
    for p, g in zip(params, grads, strict=True):
        p.grad = g
    expected = np.linalg.norm([5.0, 6.0, 1.0, 2.0], order)
    norm = clip_grad_norm_(params, 0.5, order)
    assert (norm.dtype, float(norm)) == (np.float64, pytest.approx(expected, rel=1e-12))
    for p, g in zip(params, grads, strict=True):
        np.testing.assert_allclose(p.grad, g * (0.5 / (expected + 1e-6)), rtol=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, np.inf])
def test_the_norm_equals_pytorchs(order):
    torch = pytest.importorskip("torch")
    params = tensors()
    theirs = [torch.ones(g.shape, dtype=torch.float64, requires_grad=True) for g in GRADS]
    for q, g in zip(theirs, GRADS, strict=True):
        q.grad = torch.tensor(g)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 0.75, order)
    assert float(clip_grad_norm_(params, 0.75, order)) == pytest.approx(float(expected), rel=1e-12)
    for p, q in zip(params, theirs, strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_gradients_of_zero_stay_zero(order):
    """Case 100."""
    p, empty = tg.Tensor([1.0, 2.0]), tg.Tensor(np.zeros((0, 3)))
    p.grad, empty.grad = [0.0, -0.0], np.zeros((0, 3))
    assert float(clip_grad_norm_([p, empty], 1.0, order)) == 0.0
    np.testing.assert_array_equal(p.grad, [0.0, 0.0])


def test_parameters_without_a_gradient_are_skipped():
    p, q = tg.Tensor([3.0]), tg.Tensor([1.0])
    frozen = tg.Tensor([1.0], requires_grad=False)
    p.grad = [3.0]
    assert float(clip_grad_norm_((x for x in (p, q, frozen)), 1.5)) == 3.0
    assert (p.grad[0], q.has_grad) == (pytest.approx(1.5), False)
    assert float(clip_grad_norm_([q], 1.0)) == 0.0
    assert float(clip_grad_norm_([], 1.0)) == 0.0


def test_a_single_tensor_and_a_value():
    p, v = tg.Tensor([3.0, 4.0]), tg.Value(2.0)
    p.grad, v.grad = [3.0, 4.0], 10.0
    clip_grad_norm_(p, 1.0)
    clip_grad_norm_(v, 1.0)
    clip_grad_value_(v, 0.5)
    np.testing.assert_allclose(p.grad, [0.6, 0.8], rtol=1e-6)
    assert (type(v.grad), float(v.grad)) == (np.float64, 0.5)


def test_gradients_that_cannot_be_written_to_are_replaced():
    p, g = tg.Tensor([1.0, 1.0]), np.array([3.0, 4.0])
    g.flags.writeable = False
    p.grad = g
    clip_grad_norm_([p], 1.0)
    clip_grad_value_([p], 0.7)
    np.testing.assert_allclose(p.grad, [0.6, 0.7], rtol=1e-6)
    assert g.tolist() == [3.0, 4.0]


def test_squares_that_overflow_float32_do_not_matter():
    p = tg.Tensor(np.ones(2, np.float32))
    p.grad = np.array([3e30, -4e30], np.float32)
    assert float(clip_grad_norm_([p], 1.0)) == pytest.approx(5e30)
    np.testing.assert_allclose(p.grad, [0.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_raises_if_asked(bad):
    params = tensors()
    params[0].grad[0, 0] = bad
    before = [p.grad.copy() for p in params]
    with pytest.raises(ValueError, match=r"is (nan|inf); nothing was clipped"):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    for p, g in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.grad, g)
    assert not np.isfinite(clip_grad_norm_(params, 1.0))
    assert np.isnan(params[0].grad[0, 0])


# ------------------------------------------------------------------ single entries


def test_entries_are_clipped():
    params = tensors(np.float32)
    params[0].grad[1, 1] = np.nan
    clip_grad_value_(params, 2)
    np.testing.assert_array_equal(params[0].grad, [[2.0, -2.0], [0.5, np.nan]])
    assert (params[1].grad, params[1].grad.dtype) == (2.0, np.float32)


def test_entries_without_an_order_are_not_clipped():
    real, turned = tg.Tensor([1.0]), tg.Tensor([1j])
    real.grad, turned.grad = np.array([3.0]), np.array([3j])
    with pytest.raises(TypeError, match=r"complex128, and complex numbers have no order"):
        clip_grad_value_([real, turned], 1.0)
    assert (real.grad[0], turned.grad[0]) == (3.0, 3j)


# ------------------------------------------------------------------ in a training step


@pytest.mark.parametrize("kind", ["norm", "norm 1", "norm inf", "checked norm", "value"])
def test_the_next_step_sees_it_compiled_as_well(kind):
    """Case 111."""

    def story(compiled):
        model = net()
        optimizer = SGD(model.parameters(), lr=0.5)

        def clip():
            params = model.parameters()
            if kind == "value":
                return clip_grad_value_(params, 0.01)
            order = {"norm 1": 1.0, "norm inf": np.inf}.get(kind, 2.0)
            return clip_grad_norm_(params, 0.05, order, error_if_nonfinite=kind == "checked norm")

        @compiled
        def step(x, y):
            optimizer.zero_grad()
            loss = tg.nn.cross_entropy(model(x), y)
            loss.backward()
            norm = clip()
            optimizer.step()
            return loss, norm

        for x, y in batches(20):
            before = [p.data.copy() for p in model.parameters()]
            loss, norm = step(x, y)
            moved = [p.data - b for p, b in zip(model.parameters(), before, strict=True)]
            if kind == "norm":
                together = np.sqrt(sum((m.astype(float) ** 2).sum() for m in moved))
                assert together == pytest.approx(0.5 * 0.05, rel=1e-3)
            yield loss, norm, model, [p.grad for p in model.parameters()]

    told_twice(story, runs=1)


def test_a_compiled_step_raises_before_anything_changes():
    w = tg.Tensor([1.0, 2.0])
    optimizer = SGD([w], lr=0.1)

    @tg.compile
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
        optimizer.step()

    step(np.ones(2))
    before = w.data.copy()
    with pytest.raises(ValueError, match="is inf; nothing was clipped"):
        step(np.array([np.inf, 1.0]))
    np.testing.assert_array_equal(w.data, before)


# ------------------------------------------------------------------ one vector


def test_there_and_back():
    model = net()
    vector = parameters_to_vector(model.parameters())
    assert vector.shape == (sum(p.size for p in model.parameters()),)
    vector_to_parameters(vector * 2, model.parameters())
    np.testing.assert_array_equal(parameters_to_vector(model.parameters()).data, 2 * vector.data)
    (parameters_to_vector(model.parameters()) ** 2).sum().backward()
    for p in model.parameters():
        np.testing.assert_allclose(p.grad, 2 * p.data)


def test_parameters_share_no_memory_with_the_vector():
    p, v = tg.Tensor([[1.0], [2.0]]), tg.Value(3.0)
    vector = np.arange(3.0)
    vector_to_parameters(vector, [p, v])
    vector[:] = 9.0
    assert (p.data.tolist(), v.data) == ([[0.0], [1.0]], 2.0)


@pytest.mark.parametrize("vector", [np.ones(2), np.ones(4), np.ones((3, 1)), 1.0])
def test_a_vector_of_another_shape_changes_nothing(vector):
    p, q = tg.Tensor([1.0, 2.0]), tg.Tensor(3.0)
    with pytest.raises(ValueError, match=r"the parameters need \(3,\)"):
        vector_to_parameters(vector, [p, q])
    assert (p.data.tolist(), float(q)) == ([1.0, 2.0], 3.0)


# ------------------------------------------------------------------ arguments

FUNCTIONS = [
    lambda params: clip_grad_norm_(params, 1.0),
    lambda params: clip_grad_value_(params, 1.0),
    parameters_to_vector,
    lambda params: vector_to_parameters(np.ones(1), params),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("params", [net(), [np.ones(1)], ["w"]], ids=["a module", "arrays", "text"])
def test_what_are_no_parameters_is_refused(function, params):
    with pytest.raises(TypeError, match=r"model\.parameters\(\)|expected a Tensor"):
        function(params)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: clip_grad_norm_(p, -1.0), "max_norm is -1"),
        (lambda p: clip_grad_norm_(p, np.nan), "max_norm is nan"),
        (lambda p: clip_grad_norm_(p, 1.0, 0), "norm_type is 0"),
        (lambda p: clip_grad_value_(p, -1.0), "clip_value is -1"),
        (lambda _: parameters_to_vector([]), "empty"),
    ],
)
def test_wrong_numbers_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(tensors())
