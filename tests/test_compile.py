"""Compiled functions: equal to eager to the bit, and honest about what they see (case 111)."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import nn, optim

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
}


def network(activation, optimizer, dtype):
    """Return a small network, its optimiser and its training step."""
    model = nn.Sequential(
        nn.MLP(4, [8, 8], activation, activation, dtype=dtype, rng=0),
        nn.Dropout(0.25, rng=1),
        nn.Linear(8, 3, dtype=dtype, rng=2),
    )
    chosen = OPTIMIZERS[optimizer](model.parameters())

    def step(x, y):
        chosen.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        chosen.step()
        return loss

    return model, chosen, step


def batches(count, dtype="float32", size=6):
    rng = np.random.default_rng(5)
    return [
        (rng.normal(size=(size, 4)).astype(dtype), rng.integers(0, 3, size)) for _ in range(count)
    ]


def assert_same(ours, reference):
    for p, q in zip(ours.parameters(), reference.parameters(), strict=True):
        assert p.data.tobytes() == q.data.tobytes()
        assert p.has_grad == q.has_grad
        assert p.grad.tobytes() == q.grad.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "silu", "softplus", "sigmoid"])
def test_fifty_steps_equal_eager_to_the_bit(activation, optimizer, dtype):
    model, ours, step = network(activation, optimizer, dtype)
    reference, theirs, eager = network(activation, optimizer, dtype)
    compiled = tg.compile(step)
    for x, y in batches(50, dtype):
        assert compiled(x, y).data.tobytes() == eager(x, y).data.tobytes()
        assert_same(model, reference)
    for name, array in ours.state_dict().items():
        assert array.tobytes() == theirs.state_dict()[name].tobytes()


def test_what_changes_outside_is_seen():
    model, ours, step = network("tanh", "Adam", "float32")
    reference, theirs, eager = network("tanh", "Adam", "float32")
    compiled = tg.compile(step)
    given = iter(batches(40) + batches(2, size=3))
    changes = [
        lambda _m, _o: None,
        lambda _m, o: setattr(o, "lr", 0.5),
        lambda m, _o: m.eval(),
        lambda m, _o: m.train(),
        lambda m, _o: setattr(m.parameters()[0], "data", m.parameters()[0].data * 2),
        lambda m, _o: m.parameters()[1].requires_grad_(False),
        lambda m, _o: m.parameters()[1].requires_grad_(True),
        lambda _m, o: setattr(o, "betas", (0.5, 0.9)),
        lambda _m, o: o.load_state_dict({k: v * 0.5 for k, v in o.state_dict().items()}),
        lambda m, _o: m.load_state_dict({k: v + 0.1 for k, v in m.state_dict().items()}),
    ]
    for change in changes:
        change(model, ours)
        change(reference, theirs)
        for _ in range(3):
            x, y = next(given)
            assert compiled(x, y).data.tobytes() == eager(x, y).data.tobytes()
            assert_same(model, reference)


def test_results_and_gradients_survive_the_next_call():
    model, _, step = network("tanh", "SGD", "float32")
    compiled = tg.compile(step)
    (x, y), (u, v), (s, t) = batches(3)
    compiled(x, y)
    loss, grads = compiled(u, v), [p.grad for p in model.parameters()]
    before = loss.data.copy(), [g.copy() for g in grads]
    compiled(s, t)
    assert loss.data == before[0]
    for grad, old in zip(grads, before[1], strict=True):
        np.testing.assert_array_equal(grad, old)


def test_an_error_leaves_all_as_it_was():
    model, optimizer, step = network("tanh", "Adam", "float32")
    compiled = tg.compile(step)
    (x, y), (u, _) = batches(2)
    compiled(x, y)
    before = [p.data.copy() for p in model.parameters()], optimizer.state_dict()
    with pytest.raises(IndexError, match="there are 3 classes"):
        compiled(u, np.array([0, 1, 2, 3, 0, 1]))
    for p, old in zip(model.parameters(), before[0], strict=True):
        np.testing.assert_array_equal(p.data, old)
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, before[1][name])


@pytest.mark.parametrize("look", [bool, float, int, repr, lambda x: x.item(), np.asarray])
def test_looking_at_a_value_raises_and_names_the_line(look):
    @tg.compile
    def function(x):
        look(x.sum())
        return x

    with pytest.raises(tg.CompileError, match=r"test_compile.py:\d+: .* looks at a value"):
        function(np.ones(3))
    with pytest.raises(tg.CompileError, match="looks at a value"):
        function(np.ones(3))


def test_tensors_as_arguments_get_their_own_gradients():
    @tg.compile
    def function(t, k):
        (t * t * k).sum().backward()
        return t.grad

    for values in ([1.0, 2.0], [3.0, 4.0]):
        t = tg.Tensor(values)
        np.testing.assert_array_equal(function(t, 3.0), 6 * np.array(values))
        np.testing.assert_array_equal(function(t, 3.0), 12 * np.array(values))
        np.testing.assert_array_equal(t.grad, 12 * np.array(values))


def test_arrays_in_nested_arguments_and_captured_arrays_are_read_and_written():
    held = np.ones(3)

    @tg.compile
    def function(tree):
        held[1] = tree["a"][0].sum()
        return {"sum": tree["a"][0] + held, "same": 3}

    for scale in (1.0, 2.0, 5.0):
        held[0] = scale
        found = function({"a": [np.arange(3.0) * scale]})
        np.testing.assert_array_equal(held, [scale, 3 * scale, 1.0])
        np.testing.assert_array_equal(found["sum"], np.arange(3.0) * scale + held)
        assert found["same"] == 3


def test_derivatives_as_functions_are_compiled():
    compiled = tg.compile(lambda x: tg.grad(lambda v: np.sin(v).sum())(x))
    for x in (np.ones(3), np.arange(3.0)):
        np.testing.assert_array_equal(compiled(x), np.cos(x))


def test_a_draw_behind_our_back_raises():
    rng = np.random.default_rng(0)
    with pytest.raises(tg.CompileError, match="draws random numbers"):
        tg.compile(lambda x: x + rng.normal(size=3))(np.ones(3))


def test_a_number_that_is_an_array_without_axes_meets_a_large_array():
    """`np.where` returns no NumPy scalar, which is what generated loops take."""

    def story(compiled):
        x = np.linspace(0.0, 1.0, 200_000, dtype=np.float32)

        @compiled
        def shrink(limit):
            factor = np.where(limit > 0, limit, 1.0).astype(np.float32)
            x[...] = x * factor - factor

        for limit in (0.5, 0.25, -1.0):
            shrink(np.array(limit))
            yield x

    told_twice(story)


def test_a_number_that_is_read_and_then_written():
    def story(compiled):
        number = np.array(3.0)

        @compiled
        def step(x):
            before = number * x
            number[...] = 0.25
            return before, number * x

        for i in range(3):
            yield step(np.full(2, float(i))), number
            number[...] = float(i)

    told_twice(story)


def test_a_single_number_as_an_argument_meets_arrays_in_a_fused_chain():
    """An array without axes, which a generated loop takes as a number."""

    def squares(scale):
        difference = scale * x - scale
        return (difference * difference + scale).sum()

    x = np.arange(6.0).reshape(2, 3)
    compiled = tg.compile(squares)
    for scale in (np.array(0.5), np.array(2.0), np.float64(3.0)):
        assert compiled(scale) == squares(scale)
