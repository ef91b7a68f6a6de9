"""Section E of docs/semantics.md: the engine, memory, threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, Value
from tensorgrad.graph import topological_order
from tensorgrad.op import op
from tensorgrad.tensor import apply

# --- E. engine ------------------------------------------------------------------------------------


def test_case_74_every_use_counts_once() -> None:
    x = Tensor([3.0])
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [7]
    x.zero_grad()
    np.concatenate([x, x]).sum().backward()
    assert x.grad.tolist() == [2]
    y = Tensor(1.0)
    z = y
    for _ in range(40):
        z = z + z
    z.backward()
    assert y.grad == 2**40


def test_case_75_equal_values_are_distinct() -> None:
    a, b = Tensor(3.0), Tensor(3.0)
    (a + b).backward()
    assert (a.grad, b.grad) == (1, 1)


def chain(length: int) -> Tensor:
    x = Value(1.0)
    for _ in range(length):
        x = x + 1.0
    return x


def test_case_76_a_chain_of_a_million() -> None:
    y = chain(1_000_000)
    y.backward()
    assert "1000001.0" in repr(y)
    assert len(topological_order(y._node)) == 1_000_000
    dead = weakref.ref(y._node)
    gc.disable()
    try:
        del y
        assert dead() is None
    finally:
        gc.enable()


def test_case_78_a_second_pass_doubles_the_leaves() -> None:
    x = Tensor(2.0)
    y = x * x
    z = y * y
    for _ in range(2):
        z.backward()
    assert x.grad == 2 * 32
    w = Tensor([1.0])
    (2 * w).sum().backward()
    (3 * w).sum().backward()
    assert w.grad.tolist() == [5]


def test_case_79_seeds() -> None:
    x = Tensor([1.0, 2.0])
    y = x * 2
    with pytest.raises(ValueError, match="needs gradient="):
        y.backward()
    with pytest.raises(ValueError, match="exactly"):
        y.backward([1.0])
    with pytest.raises(ValueError, match="exactly"):
        y.sum().backward([1.0])
    assert not x.has_grad
    y.backward(tg.tensor([1.0, 2.0]))
    assert x.grad.tolist() == [2, 4]


def test_case_80_no_graph_and_unused_inputs() -> None:
    with pytest.raises(RuntimeError, match="without a graph"):
        tg.tensor([1.0]).sum().backward()
    with tg.no_grad():
        y = Tensor(1.0) * 2
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward()
    a, b = Tensor(1.0), Tensor(2.0)
    with pytest.raises(RuntimeError, match=r"input 1 .*allow_unused"):
        tg.gradients(a * 2, [a, b])
    assert tg.gradients(a * 2, [a, b], allow_unused=True) == [2, 0]
    assert not a.has_grad


def test_case_81_what_is_handed_out_is_its_own() -> None:
    x, y = Tensor(np.ones(3)), Tensor(np.ones(3))
    seed = np.ones(3)
    (x + y).backward(seed)
    assert not np.shares_memory(x.grad, y.grad)
    assert not np.shares_memory(x.grad, seed)
    assert not np.shares_memory(y.grad, seed)
    x.grad *= 0.5
    assert y.grad.tolist() == seed.tolist() == [1, 1, 1]
    z = Tensor(np.ones(3))
    z.sum().backward()
    assert z.grad.flags.writeable
    assert z.grad.strides == (8,)
    w = Tensor(np.ones((2, 3)))
    w.T.backward(np.ones((3, 2)))
    w.grad[0, 0] = 7
    [g] = tg.gradients(x + 1, [x], seed)
    assert not np.shares_memory(g, seed)


def test_case_81_labelled_interior_gradients_are_their_own() -> None:
    x = Tensor(np.ones(3))
    y = x + 1
    y.label = "y"
    y.backward(np.ones(3))
    y.grad[0] = 5
    assert x.grad.tolist() == [1, 1, 1]


def test_case_82_fan_out_does_not_mutate() -> None:
    x, y = Tensor(np.ones(2)), Tensor(np.ones(2))
    a = x + y
    b = a + x
    (a + b)[[0, 0]].sum().backward()
    assert y.grad.tolist() == [4, 0]
    assert x.grad.tolist() == [6, 0]


def test_case_83_graphs_die_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Tensor(np.ones(3))
        loss = (np.tanh(x * 2)[[0, 1]] ** 2).sum()
        loss.backward()
        node = weakref.ref(loss._node)
        del loss
        assert node() is None
    finally:
        gc.enable()


def test_case_83_training_leaves_memory_flat() -> None:
    rng = np.random.default_rng(0)
    w, x = Tensor(rng.random((8, 8))), rng.random((4, 8))

    def steps(n: int) -> int:
        for _ in range(n):
            loss = (np.tanh(x @ w) ** 2).mean()
            w.zero_grad()
            loss.backward()
            w.data -= 0.1 * w.grad
        return len(gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        steps(10)
        before = steps(10)
        assert steps(1000) - before < 20
    finally:
        gc.enable()


def test_case_84_create_graph_does_not_leak() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Tensor([1.0, 2.0])
        slope = tg.gradients((x**3).sum(), x, create_graph=True)
        curvature = tg.gradients(slope.sum(), x, create_graph=True)
        node = weakref.ref(slope._node)
        del slope, curvature
        assert node() is None
        assert not x.has_grad
    finally:
        gc.enable()


def test_case_85_higher_orders() -> None:
    x = Tensor(0.5)
    y = np.sin(x)
    for expected in (np.cos(0.5), -np.sin(0.5), -np.cos(0.5), np.sin(0.5)):
        y = tg.gradients(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected)
    a = Tensor([1.0, 2.0])
    slope = tg.gradients((a * a.detach() * 3.0).sum(), a, create_graph=True)
    assert tg.gradients(slope.sum(), a, allow_unused=True).tolist() == [0, 0]


def test_case_85_hessian_vector_product(rng: np.random.Generator) -> None:
    x, v = Tensor(rng.random(4)), rng.random(4)
    matrix = rng.random((4, 4))
    slope = tg.gradients(x @ matrix @ x, x, create_graph=True)
    product = tg.gradients(slope, x, v)
    np.testing.assert_allclose(product, (matrix + matrix.T) @ v)


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (lambda g, _out, _x: g[:1], ValueError, "rule of bad .*shape"),
        (lambda _g, _out, _x: None, TypeError, "rule of bad .*NoneType"),
        (lambda _g, _out, _x: 1.0, TypeError, "rule of bad .*float"),
    ],
)
def test_case_86_a_wrong_rule_is_named(rule: Any, error: type[Exception], message: str) -> None:
    bad = op(lambda x: x * 2, rule, name="bad")
    x = Tensor([1.0, 2.0])
    with pytest.raises(error, match=message):
        apply(bad, x).sum().backward()
    assert not x.has_grad
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_case_86_a_wrong_count_is_named() -> None:
    bad = op(lambda x, y: x * y, joint=lambda g, _out, _x, _y, **_: (g,), name="bad")
    with pytest.raises(ValueError, match="rule of bad returned 1 gradients for 2"):
        apply(bad, Tensor([1.0]), Tensor([1.0])).sum().backward()


def test_case_86_an_exception_in_a_rule_leaves_the_engine_usable() -> None:
    def fail(_g: Any, _out: Any, _x: Any) -> Any:
        raise KeyError("inside")

    x = Tensor([1.0])
    y = apply(op(lambda x: x + 0, fail, name="fails"), x)
    with pytest.raises(KeyError):
        y.sum().backward()
    assert not x.has_grad
    assert tg.is_grad_enabled()


def test_case_87_modes_nest_and_are_restored() -> None:
    def boom() -> None:
        with tg.no_grad():
            raise KeyError

    with pytest.raises(KeyError):
        boom()
    assert tg.is_grad_enabled()
    with tg.no_grad():
        with tg.enable_grad():
            assert tg.is_grad_enabled()
        assert not tg.is_grad_enabled()

    shared = tg.no_grad()

    @shared
    def depth(n: int) -> bool:
        return not tg.is_grad_enabled() and (n == 0 or depth(n - 1))

    assert tg.is_grad_enabled()
    assert depth(3)
    assert tg.is_grad_enabled()
    with shared, shared:
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


def test_case_87_decorated_generators_keep_the_modes_apart() -> None:
    @tg.no_grad()
    def numbers() -> Iterator[bool]:
        try:
            got = yield tg.is_grad_enabled()
            assert got == "sent"
            yield tg.is_grad_enabled()
        except KeyError:
            yield not tg.is_grad_enabled()

    steps = numbers()
    assert next(steps) is False
    assert tg.is_grad_enabled()
    assert steps.send("sent") is False
    assert steps.throw(KeyError()) is True
    assert tg.is_grad_enabled()
    steps.close()
    assert list(tg.no_grad()(lambda: (yield from [1, 2]))()) == [1, 2]


def test_case_87_coroutines() -> None:
    @tg.no_grad()
    async def inside() -> bool:
        await asyncio.sleep(0)
        return tg.is_grad_enabled()

    async def outside() -> list[bool]:
        return [*(await asyncio.gather(inside(), inside())), tg.is_grad_enabled()]

    assert asyncio.run(outside()) == [False, False, True]


def test_case_88_modes_are_per_thread() -> None:
    with tg.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(tg.is_grad_enabled).result() is True


def test_case_88_threads_agree_with_serial() -> None:
    def work(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        w = Tensor(rng.random((5, 5)))
        for _ in range(20):
            (np.tanh(w @ w) ** 2).sum().backward()
        return w.grad

    serial = [work(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        parallel = list(pool.map(work, range(8)))
    for a, b in zip(serial, parallel, strict=True):
        np.testing.assert_array_equal(a, b)


def test_case_88_no_update_of_a_shared_leaf_is_lost() -> None:
    w = Tensor(np.zeros(1000))
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for _ in range(50):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(w.grad, 400)


def test_case_89_the_same_graph_twice_gives_the_same_bits(rng: np.random.Generator) -> None:
    x = Tensor(rng.random((6, 6)).astype(np.float32))
    y = (np.tanh(x @ x) * x + np.exp(x.T) @ x).sum()
    first, second = tg.gradients(y, x), tg.gradients(y, x)
    np.testing.assert_array_equal(first, second)
    order = topological_order(y._node)
    assert order == topological_order(y._node)
    place = {node: i for i, node in enumerate(order)}
    for node in order:
        assert all(place[p] > place[node] for p in node.parents if p in place)


def test_interior_gradients_are_kept_where_a_person_would_look() -> None:
    x = Tensor([1.0, 2.0])
    plain, kept, labelled = x * 2, x * 3, x * 4
    kept.retain_grad()
    labelled.label = "labelled"
    single = (plain + kept + labelled).sum()
    single.backward()
    with pytest.raises(ValueError, match=r"result of multiply is not kept.*retain_grad"):
        _ = plain.grad
    assert kept.grad.tolist() == labelled.grad.tolist() == [1, 1]
    assert single.grad == 1
    single.backward()
    assert kept.grad.tolist() == [1, 1]
    kept[0] = 5.0
    kept.sum().backward()
    assert kept.grad.tolist() == [1, 1]
    with pytest.raises(ValueError, match="does not record"):
        tg.tensor([1.0]).retain_grad()


def test_reading_a_gradient_does_not_count_as_reached() -> None:
    p = Tensor([1.0, 2.0])
    assert p.grad.tolist() == [0, 0]
    assert not p.has_grad
    p.grad *= 2
    assert p.has_grad
    p.grad = None
    assert not p.has_grad
    p.grad = 0.0
    assert p.grad.tolist() == [0, 0]
    with pytest.raises(ValueError, match="does not record"):
        tg.tensor([1.0]).grad = [1.0]


def test_freezing() -> None:
    x, w = Tensor([1.0]), Tensor([2.0])
    w.requires_grad = False
    (x * w).sum().backward()
    assert x.grad.tolist() == [2]
    assert w.grad.tolist() == [0]
    w.requires_grad = True
    (x * w).sum().backward()
    assert w.grad.tolist() == [1]
    y = x * w
    with pytest.raises(ValueError, match="detach"):
        y.requires_grad = False
    with pytest.raises(TypeError, match="no gradient"):
        tg.tensor([1]).requires_grad_()


def test_what_no_rule_reads_is_not_kept(rng: np.random.Generator) -> None:
    x = Tensor(rng.random((50, 50)))
    hidden = x + 1
    array = weakref.ref(hidden.data)
    y = (hidden - 1) * 2.0
    z = np.where(y > 3, y, 0.0)
    del hidden
    assert array() is None
    z.sum().backward()
    assert x.has_grad
