"""Hooks on tensors and modules: what they see, what they replace, when they are called."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn
from tensorgrad.hooks import hooks

# --- tensors --------------------------------------------------------------------------------------


def test_a_hook_sees_the_whole_gradient_once() -> None:
    x, seen = tg.Tensor([1.0, 2.0]), []
    h = x * 3
    loss = (h * h).sum() + h.sum()
    h.register_hook(seen.append)  # also after the uses were recorded
    loss.backward()
    np.testing.assert_array_equal(seen, [[7.0, 13.0]])
    np.testing.assert_array_equal(x.grad, [21.0, 39.0])


def test_hooks_replace_the_gradient_in_the_order_of_registration() -> None:
    x = tg.Tensor([1.0, 2.0])
    h = x * 3
    h.register_hook(lambda g: g + 1)
    h.register_hook(lambda g: g * 10)
    h.sum().backward()
    np.testing.assert_array_equal(x.grad, [60.0, 60.0])


def test_a_hook_on_a_leaf_comes_before_the_accumulation() -> None:
    x = tg.Tensor([1.0, 2.0])
    x.register_hook(lambda g: 2 * g)
    for _ in range(2):
        (x * 1).sum().backward()
    np.testing.assert_array_equal(x.grad, [4.0, 4.0])
    assert tg.gradients((x * 1).sum(), [x])[0].tolist() == [2.0, 2.0]


def test_a_hook_on_the_root_and_on_a_wanted_result() -> None:
    x = tg.Tensor([1.0, 2.0])
    h = x * 3
    loss = (h * h).sum()
    loss.register_hook(lambda g: g * 2)
    h.register_hook(lambda g: g * 5)
    by_h, by_x = tg.gradients(loss, [h, x])
    np.testing.assert_array_equal(by_h, [60.0, 120.0])
    np.testing.assert_array_equal(by_x, [180.0, 360.0])


def test_a_handle_removes_its_hook_alone_and_once() -> None:
    x, seen = tg.Tensor([1.0]), []
    first = x.register_hook(lambda _g: seen.append("first"))
    x.register_hook(lambda _g: seen.append("second"))
    first.remove()
    first.remove()
    (x * 1).sum().backward()
    assert seen == ["second"]
    with x.register_hook(lambda _g: seen.append("inside")):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert seen == ["second", "second", "inside", "second"]


def test_one_function_may_be_registered_twice() -> None:
    x = tg.Tensor([1.0])

    def double(g: Any) -> Any:
        return 2 * g

    handle = x.register_hook(double)
    x.register_hook(double)
    assert tg.gradients((x * 1).sum(), [x])[0].tolist() == [4.0]
    handle.remove()
    assert tg.gradients((x * 1).sum(), [x])[0].tolist() == [2.0]


def test_what_a_hook_sees_is_no_memory_of_the_pass() -> None:
    """Cases 81, 82: it cannot be written to, and what is returned may be kept and written to."""
    x, kept = tg.Tensor([1.0, 2.0]), np.array([5.0, 6.0])
    h = x * 1

    def hook(g: Any) -> Any:
        with pytest.raises(ValueError, match="read-only"):
            g *= 2
        return kept

    h.register_hook(hook)
    h[0].backward()
    x.grad[0] = 9.0
    assert kept.tolist() == [5.0, 6.0]


def test_hooks_in_a_pass_that_is_recorded() -> None:
    x = tg.Tensor(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (slope,) = tg.gradients(y, [x], create_graph=True)
    assert float(slope) == 18.0  # 2 x * x
    slope.backward()
    assert float(x.grad) == 12.0
    y = x * x
    y.register_hook(lambda _g: np.array(2.0))
    assert float(tg.gradients(y, [x], create_graph=True)[0]) == 12.0


def test_hooks_of_complex_tensors_see_the_gradient_that_people_see() -> None:
    z, seen = tg.Tensor([1.0 + 2.0j]), []
    w = z * (1 + 1j)
    w.register_hook(seen.append)
    w.register_hook(lambda g: g * 1j)
    np.abs(w).sum().backward()
    w.retain_grad()
    np.testing.assert_allclose(seen[0], w.data / np.abs(w.data))
    np.testing.assert_allclose(z.grad, seen[0] * 1j * (1 - 1j))


def test_a_hook_keeps_the_dtype() -> None:
    """Rule 9."""
    x = tg.Tensor(np.ones(2, np.float32))
    (h := x * 1).register_hook(lambda g: g.astype(np.float64) * np.pi)
    h.sum().backward()
    assert x.grad.dtype == np.float32


def test_hooks_are_seen_by_the_rows_of_a_jacobian_and_by_steps() -> None:
    def f(x: Any) -> Any:
        y = np.square(x)
        if isinstance(y, tg.Tensor):
            y.register_hook(lambda g: 3 * g)
        return y

    np.testing.assert_array_equal(tg.jacobian(f)(np.array([1.0, 2.0])), np.diag([6.0, 12.0]))
    x = tg.Tensor([1.0, 2.0])
    x.register_hook(lambda g: g + 1)
    for _step in f(x).sum().backward_steps(audit=True):
        pass
    np.testing.assert_array_equal(x.grad, [7.0, 13.0])


def test_a_gradient_of_nan_runs_the_pass_again_with_hooks() -> None:
    """Rule 7."""
    x = tg.Tensor([0.0, 4.0])
    y = np.sqrt(x)
    y.register_hook(lambda g: 2 * g)
    np.where(x.data > 0, y, 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 0.5])


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (np.ones(3), ValueError, r"hook on a tensor 'h' of shape \(2,\) returned .* \(3,\)"),
        (2.0, ValueError, r"shape \(\); expected \(2,\)"),
        ("text", TypeError, "what a hook has returned has dtype <U4"),
        (tg.Tensor([1.0, 1.0]), TypeError, "recording tensor"),
        (np.ones(2, complex), TypeError, "complex numbers for a gradient of float64"),
    ],
    ids=["shape", "number", "text", "recording", "complex"],
)
def test_a_wrong_gradient_of_a_hook_is_refused_and_changes_nothing(
    returned: Any, error: type[Exception], message: str
) -> None:
    """Case 86."""
    x = tg.Tensor([1.0, 2.0])
    h = x * 1
    h.label = "h"
    handle = h.register_hook(lambda _g: returned)
    with pytest.raises(error, match=message):
        h.sum().backward()
    assert not x.has_grad
    handle.remove()
    h.sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])


def test_hooks_need_a_tensor_that_records_and_a_function() -> None:
    with pytest.raises(ValueError, match="does not record"):
        tg.zeros(2).register_hook(print)
    with pytest.raises(TypeError, match="expected a function"):
        tg.Tensor([1.0]).register_hook(3)  # type: ignore[arg-type]


def test_hooks_die_with_their_tensor() -> None:
    """Case 83."""
    gc.disable()
    others = set(hooks.nodes)
    try:
        x = tg.Tensor([1.0])
        y = x * 2
        handle = y.register_hook(lambda g: g)
        node = weakref.ref(y._node)
        y.sum().backward()
        del y
        assert node() is None
        assert set(hooks.nodes) <= others
        handle.remove()
    finally:
        gc.enable()


def test_hooks_of_separate_graphs_in_threads() -> None:
    """Case 88."""
    results = []

    def work(factor: float) -> None:
        for _ in range(50):
            x = tg.Tensor([1.0, 2.0])
            (h := x * 2).register_hook(lambda g: g * factor)
            h.sum().backward()
            results.append(bool((x.grad == 2 * factor).all()))

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 200


def test_hooks_of_one_leaf_from_several_threads() -> None:
    """Case 88."""
    x = tg.Tensor([1.0])

    def work() -> None:
        handles = [x.register_hook(lambda g: g + 1) for _ in range(200)]
        for handle in handles[1:]:
            handle.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tg.gradients((x * 1).sum(), [x])[0].tolist() == [5.0]


# --- modules --------------------------------------------------------------------------------------


class Both(nn.Module):
    """Two arguments, two results."""

    def forward(self, a: Any, b: Any) -> Any:
        return a * b, a + b


def test_forward_hooks_see_and_replace_arguments_and_results() -> None:
    layer, seen = nn.Identity(), []
    layer.register_forward_pre_hook(lambda m, args: seen.append((m, args)))
    layer.register_forward_pre_hook(lambda _m, args: (args[0] + 1,))
    layer.register_forward_pre_hook(lambda _m, args: args[0] * 10)
    layer.register_forward_hook(lambda _m, args, out: seen.append((args, out)))
    last = layer.register_forward_hook(lambda _m, _args, out: -out)
    assert layer(1.0) == -20.0
    assert seen == [(layer, (1.0,)), ((20.0,), 20.0)]
    last.remove()
    assert layer(2.0) == 30.0


def test_a_removed_hook_costs_nothing_and_a_copy_keeps_its_own() -> None:
    layer = nn.Identity()
    handle = layer.register_forward_hook(lambda _m, _args, out: out + 1)
    twin = nn.Sequential(layer)

    copied = copy.deepcopy(twin)
    handle.remove()
    assert layer._hooks == ()
    assert twin(1.0) == 1.0
    assert copied(1.0) == 2.0


def test_backward_hooks_see_both_ends_of_a_module() -> None:
    layer, seen = nn.Linear(3, 2, dtype=np.float64, rng=0), []
    layer.register_full_backward_hook(lambda m, *grads: seen.append((m, *grads)))
    x, g = tg.Tensor(np.ones((4, 3))), np.arange(8.0).reshape(4, 2)
    layer(x).backward(g)
    ((module, grad_input, grad_output),) = seen
    assert module is layer
    np.testing.assert_array_equal(grad_output[0], g)
    np.testing.assert_array_equal(grad_input[0], g @ layer.weight.data)
    np.testing.assert_array_equal(x.grad, grad_input[0])
    np.testing.assert_array_equal(layer.weight.grad, g.T @ x.data)


def test_backward_hooks_replace_the_gradients_of_the_arguments() -> None:
    both, a, b = Both(), tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    both.register_full_backward_hook(lambda _m, grads, _out: (grads[0] * 10, None))
    both.register_full_backward_hook(lambda _m, grads, _out: (None, grads[0] + grads[1]))
    product, total = both(a, b)
    (product.sum() + 2 * total.sum() + a.sum()).backward()
    np.testing.assert_array_equal(a.grad, [51.0, 61.0])  # (b + 2) 10 + 1
    np.testing.assert_array_equal(b.grad, [53.0, 64.0])  # and a + 2


def test_backward_hooks_say_none_for_what_has_no_gradient() -> None:
    both, seen = Both(), []
    both.register_full_backward_hook(lambda _m, *grads: seen.append(grads))
    a = tg.Tensor([1.0, 2.0])
    both(a, 3.0)[0].sum().backward()
    ((given, out),) = seen
    assert given[0].tolist() == [3.0, 3.0]
    assert given[1] is None
    assert out[0].tolist() == [1.0, 1.0]
    assert out[1] is None


def test_a_first_layer_calls_its_backward_hook_although_its_input_is_data() -> None:
    layer, seen = nn.Linear(3, 2, rng=0), []
    layer.register_full_backward_hook(lambda _m, *grads: seen.append(grads))
    layer(np.ones((4, 3))).sum().backward()
    assert len(seen) == 1
    assert seen[0][0] == (None,)
    assert seen[0][1][0].shape == (4, 2)
    with tg.no_grad():
        assert not layer(np.ones((4, 3))).requires_grad


def test_backward_hooks_change_no_value_and_no_other_gradient() -> None:
    def run(hooked: bool) -> list[Any]:
        model = nn.MLP(3, [4, 2], rng=0)
        if hooked:
            for module in model.modules():
                module.register_full_backward_hook(lambda *_args: None)
        x = tg.Tensor(np.linspace(-1, 1, 12).reshape(4, 3))
        loss = nn.cross_entropy(model(x), [0, 1, 1, 0])
        loss.backward()
        return [loss.data, x.grad, *(p.grad for p in model.parameters())]

    for got, expected in zip(run(hooked=True), run(hooked=False), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_backward_hooks_are_seen_by_debugging_as_right() -> None:
    both, a, b = Both(), tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    both.register_full_backward_hook(lambda *_args: None)
    with tg.detect_anomaly():
        both(a, b)[0].sum().backward()
    for _step in both(a, b)[0].sum().backward_steps(audit=True):
        pass  # a rule that differs from its forward would raise
    np.testing.assert_array_equal(a.grad, [6.0, 8.0])


def test_backward_hooks_of_all_orders() -> None:
    layer, x = nn.Tanh(), tg.Tensor(np.array([0.5]))
    layer.register_full_backward_hook(lambda _m, grads, _out: (2 * grads[0],))
    (slope,) = tg.gradients(layer(x).sum(), [x], create_graph=True)
    t = np.tanh(0.5)
    np.testing.assert_allclose(slope.data, 2 * (1 - t * t))
    # The second pass goes through the module as well, and so through its hook.
    np.testing.assert_allclose(tg.gradients(slope.sum(), [x])[0], -8 * t * (1 - t * t))


def test_a_leaf_that_changed_is_noticed_through_a_hooked_module() -> None:
    """Case 62b."""
    layer, x = nn.Tanh(), tg.Tensor([0.5])
    layer.register_full_backward_hook(lambda *_args: None)
    square = nn.Sequential(layer)
    square.layers[0] = Squared()
    square[0].register_full_backward_hook(lambda *_args: None)
    loss = square(x).sum()
    x.data = [1.0]
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


class Squared(nn.Module):
    """Its rule reads the input."""

    def forward(self, x: Any) -> Any:
        return x * x


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ((1.0, 2.0), "returned 2 gradients; expected 1"),
        (np.ones(3), r"a hook on Tanh returned a gradient of shape \(3,\); expected \(1,\)"),
    ],
)
def test_wrong_gradients_of_a_backward_hook_are_refused(returned: Any, message: str) -> None:
    layer, x = nn.Tanh(), tg.Tensor([0.5])
    layer.register_full_backward_hook(lambda *_args: returned)
    with pytest.raises(ValueError, match=message):
        layer(x).sum().backward()
    assert not x.has_grad


@pytest.mark.parametrize(
    "name", ["register_forward_pre_hook", "register_forward_hook", "register_full_backward_hook"]
)
def test_a_module_hook_is_a_function(name: str) -> None:
    with pytest.raises(TypeError, match=f"the {name[9:]} is 3; expected a function"):
        getattr(nn.Tanh(), name)(3)


# --- compiled -------------------------------------------------------------------------------------


def hooked(register: Callable[[nn.Sequential], Any]) -> Callable[..., Iterator[Any]]:
    """Tell a story of steps before a hook is registered, with it, and after its removal."""

    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1))

        @compiled
        def step(x: Any) -> Any:
            model.zero_grad()
            loss = np.square(model(x)).sum()
            loss.backward()
            return loss

        x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
        handle = None
        for i in range(8):
            if i == 2:
                handle = register(model)
            if i == 5:
                handle.remove()
            yield step(x * i)
            yield list(model.parameters())

    return story


CLIP = np.float32(0.1)


@pytest.mark.parametrize(
    ("register", "runs"),
    [
        (lambda model: model[0].weight.register_hook(lambda g: np.clip(g, -CLIP, CLIP)), 3),
        (lambda model: model[1].register_forward_hook(lambda _m, _args, out: out * 0.5), 2),
        (lambda model: model[0].register_forward_pre_hook(lambda _m, args: args[0] - 1), 2),
        (lambda model: model[1].register_full_backward_hook(lambda _m, g, _o: (g[0] * 0.5,)), 2),
    ],
    ids=["tensor", "forward", "forward pre", "backward"],
)
def test_compiled_steps_notice_hooks(register: Callable[[nn.Sequential], Any], runs: int) -> None:
    """Case 111."""
    told_twice(hooked(register), runs)


def test_a_hook_within_a_compiled_step() -> None:
    def story(compiled: Callable[..., Any]) -> Iterator[Any]:
        w = tg.Tensor([1.0, 2.0])

        @compiled
        def step(x: Any) -> Any:
            w.zero_grad()
            h = w * x
            h.register_hook(lambda g: g * x)
            h.sum().backward()
            return h

        for i in range(4):
            yield step(np.array([1.0, 2.0]) + i)
            yield w

    told_twice(story, runs=1)


def test_a_hook_that_looks_at_a_value_says_so_in_a_compiled_step() -> None:
    w = tg.Tensor([1.0, 2.0])
    w.register_hook(lambda g: g if g.max() < 3 else g * 0)

    @tg.compile
    def step() -> Any:
        loss = (w * w).sum()
        loss.backward()
        return loss

    with pytest.raises(tg.CompileError, match="looks at a value"):
        step()
    assert not w.has_grad
