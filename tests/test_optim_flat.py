"""Optimisers lay parameters side by side: equal numbers, and nobody who holds an array notices."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from optim_rules import CLASSES, RULES
from tensorgrad.optim import SGD, Adam, AdamW
from tensorgrad.optim.averages import settled

every_rule = pytest.mark.parametrize(
    ("name", "options"), RULES, ids=lambda value: value if isinstance(value, str) else str(value)
)
every_class = pytest.mark.parametrize("cls", [SGD, Adam, AdamW])

SHAPES = [(3, 4), (4,), (100, 100), (1, 4), (), (0, 2), (5,)]
DTYPES = {
    "float32": [np.float32] * 7,
    "float64": [np.float64] * 7,
    "mixed": [np.float32, np.float64, np.float64, np.float32, np.float64, np.float32, np.float32],
}


def values(kind):
    """Return the first values of a few parameters; one of them is large."""
    rng = np.random.default_rng(0)
    pairs = zip(SHAPES, DTYPES[kind], strict=True)
    return [rng.standard_normal(shape).astype(dtype) for shape, dtype in pairs]


def slope(k, x):
    """Return a gradient of step k at x, for x of any shape."""
    return np.asarray(np.cos(k + 3 * x) - x.dtype.type(0.5) * x)


def give(params, k):
    for p in params:
        p.grad = slope(k, p.data)


def separate(optimizer, x, count):
    """Take steps of one array, by the rule alone: in its own shape, in one piece."""
    options = optimizer.param_groups[0].options
    state = optimizer.init(x, options)
    for k in range(count):
        with np.errstate(all="ignore"):
            x, state = optimizer.update(x, slope(k, x), state, options)
        x = np.asarray(x)
    return x, state


@every_rule
@pytest.mark.parametrize("kind", list(DTYPES))
def test_side_by_side_has_the_bits_of_one_by_one(name, options, kind):
    params = [tg.Tensor(x) for x in values(kind)]
    optimizer = CLASSES[name](params, **options)
    for k in range(20):
        give(params, k)
        optimizer.step()
    for p, state, x in zip(params, optimizer.state, values(kind), strict=True):
        expected, expected_state = separate(optimizer, x, 20)
        np.testing.assert_array_equal(p.data, expected)
        assert p.dtype == x.dtype
        assert list(state) == list(optimizer.init(x, optimizer.param_groups[0].options))
        for key, array in expected_state.items():
            np.testing.assert_array_equal(state[key], array)
            assert (state[key].dtype, state[key].shape) == (array.dtype, array.shape)


class Counted(Adam):
    """Notes how many elements each update has."""

    def update(self, param, grad, state, options):
        self.sizes.append(param.size)
        return super().update(param, grad, state, options)


def test_small_parameters_of_a_dtype_are_updated_as_one():
    params = [tg.Tensor(x) for x in values("mixed")]
    optimizer = Counted(params)
    optimizer.sizes = []
    give(params, 0)
    optimizer.step()
    assert sorted(optimizer.sizes) == [4 + 1, 12 + 4 + 0 + 5, 10_000]
    large, small = params[2].data, params[1].data
    assert large.base is small.base is not None  # of one dtype
    assert large.base is not params[0].data.base
    assert type(small) is np.ndarray
    assert small.flags.c_contiguous


HOLDERS = {
    "a name": lambda p: p.data,
    "a view": lambda p: p.data[1:],
    "a buffer": lambda p: memoryview(p.data),
    "a graph": lambda p: p * p,
    "a frozen tensor": lambda p: p.detach(),
}


@pytest.mark.parametrize("holder", list(HOLDERS))
def test_an_array_that_somebody_holds_stays_where_it_is(holder):
    p, q = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    held = HOLDERS[holder](p)
    optimizer = SGD([p, q], lr=1.0)
    assert p.data.base is None
    assert q.data.base is not None
    p.grad, q.grad = [1.0, 1.0], [1.0, 1.0]
    optimizer.step()
    assert [p.data.tolist(), q.data.tolist()] == [[0, 1], [2, 3]]
    del held
    optimizer.zero_grad()  # nobody holds it any more
    assert p.data.base is q.data.base
    p.grad, q.grad = [1.0, 1.0], [1.0, 1.0]
    optimizer.step()
    assert [p.data.tolist(), q.data.tolist()] == [[-1, 0], [1, 2]]


@pytest.mark.parametrize(
    "array",
    [np.ones(4)[::2], np.ones((2, 2)).T[0], np.frombuffer(bytearray(16)), np.ones(2)[:]],
    ids=["strided", "column", "buffer", "view"],
)
def test_memory_of_somebody_else_stays_where_it_is(array):
    p = tg.as_tensor(array).requires_grad_()
    optimizer = SGD([p, tg.Tensor([1.0])], lr=1.0)
    address = p.data.ctypes.data
    before = array.copy()
    p.grad = [1.0, 1.0]
    optimizer.step()
    optimizer.zero_grad()
    assert p.data.ctypes.data == address
    np.testing.assert_array_equal(array, before - 1)


@every_class
def test_a_parameter_that_is_given_another_array_is_followed(cls):
    """What was there before belongs to who holds it, and is not written to."""
    x, y = np.linspace(-1, 1.5, 6).reshape(2, 3), np.linspace(-2, 2, 4)
    ours, reference = [tg.Tensor(x), tg.Tensor(y)], [tg.Tensor(x), tg.Tensor(y)]
    optimizer, others = cls(ours, lr=0.1), [cls([p], lr=0.1) for p in reference]
    kept = []
    for k in range(8):
        optimizer.zero_grad()
        for p in (ours[k // 2 % 2], reference[k // 2 % 2]):
            old = p.data if k % 2 else p.data[1:]
            kept.append((old, old.copy()))
            p.data = p.data + 1
        give(ours, k)
        give(reference, k)
        optimizer.step()
        for other in others:
            other.step()
    for p, q in zip(ours, reference, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    for old, values in kept:
        np.testing.assert_array_equal(old, values)


def test_a_parameter_comes_back_when_nobody_holds_what_was_there():
    p, q = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0])
    optimizer = SGD([p, q], lr=1.0)
    home = id(p.data)
    p.data = [5.0, 6.0]
    p.grad = [1.0, 1.0]
    optimizer.step()
    optimizer.zero_grad()
    assert id(p.data) == home
    assert p.data.tolist() == [4.0, 5.0]
    part = p.data[:1]
    p.data = [7.0, 8.0]
    p.grad = [1.0, 1.0]
    optimizer.step()
    optimizer.zero_grad()
    assert id(p.data) != home
    assert part.tolist() == [4.0]
    assert p.data.tolist() == [6.0, 7.0]


@every_class
@pytest.mark.parametrize("frozen", [(), (0,), (2, 4), (3,), (0, 1, 2, 3, 4, 6)], ids=str)
def test_each_parameter_counts_its_own_steps(cls, frozen):
    """Case 99: some miss a few steps in the middle."""
    params = [tg.Tensor(x) for x in values("float64")]
    alone = [tg.Tensor(x) for x in values("float64")]
    optimizer = cls(params, lr=0.1)
    others = [cls([p], lr=0.1) for p in alone]
    for k in range(6):
        for i, (p, q) in enumerate(zip(params, alone, strict=True)):
            reached = i not in frozen or not 2 <= k < 4
            p.requires_grad = reached or k % 2  # frozen, or without gradient
            p.zero_grad()
            if reached:
                p.grad = slope(k, p.data)
                q.grad = slope(k, q.data)
                others[i].step()
        optimizer.step()
    for i, (p, q) in enumerate(zip(params, alone, strict=True)):
        np.testing.assert_array_equal(p.data, q.data)
        for key, array in others[i].state[0].items():
            np.testing.assert_array_equal(optimizer.state[i][key], array)
        if cls is not SGD:  # whose state does not say how many steps there were
            weight = (1 - 0.9 ** (4 if i in frozen else 6)) / 0.1
            assert optimizer.state[i]["m_weight"] == pytest.approx(weight)


def test_two_optimisers_over_the_same_parameters():
    """The second one updates them where the first one has laid them."""
    ours = [tg.Tensor(x) for x in values("float64")]
    alone = [tg.Tensor(x) for x in values("float64")]
    first = Adam(ours, lr=0.1)
    arrays = [p.data for p in ours]
    second, part = SGD(ours, lr=0.1, momentum=0.9), Adam([ours[5], ours[1]], lr=0.1)
    references = [(Adam([p], lr=0.1), SGD([p], lr=0.1, momentum=0.9)) for p in alone]
    partly = Adam([alone[1]], lr=0.1)
    for k in range(4):
        for optimizers in (
            [first, *(reference[0] for reference in references)],
            [second, *(reference[1] for reference in references)],
            [part, partly],
        ):
            give(ours, k)
            give(alone, k)
            for optimizer in optimizers:
                optimizer.step()
    for p, q, array in zip(ours, alone, arrays, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        assert p.data is array


@every_class
@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_a_copy_of_an_optimizer_and_its_parameters_goes_its_own_way(cls, way):
    params = [tg.Tensor(x) for x in values("mixed")]
    optimizer = cls(params, lr=0.1)
    for k in range(3):
        give(params, k)
        optimizer.step()
    for p in params:
        p.zero_grad()
    both = params, optimizer
    copies, copied = copy.deepcopy(both) if way == "deepcopy" else pickle.loads(pickle.dumps(both))
    assert copied.params[0] is copies[0]
    before = [p.data.copy() for p in params]
    for k in range(3, 6):
        copied.zero_grad()
        give(copies, k)
        copied.step()
    assert copies[0].data.base is copies[3].data.base is not None
    for p, array in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, array)
    for k in range(3, 6):
        give(params, k)
        optimizer.step()
    for p, q in zip(params, copies, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    ours, theirs = optimizer.state_dict(), copied.state_dict()
    assert list(ours) == list(theirs)
    for key, array in ours.items():
        np.testing.assert_array_equal(array, theirs[key])


def test_a_state_that_is_put_in_place_is_used():
    p, q = tg.Tensor([1.0]), tg.Tensor([1.0, 1.0])
    optimizer = SGD([p, q], lr=1.0, momentum=0.5)
    optimizer.state[0]["velocity"][...] = 2.0
    optimizer.state[1] = {"velocity": np.array([4.0, 8.0])}
    p.grad, q.grad = [0.0], [0.0, 0.0]
    optimizer.step()
    assert [p.data.tolist(), q.data.tolist()] == [[0.0], [-1.0, -3.0]]
    assert optimizer.state[1]["velocity"].tolist() == [2.0, 4.0]
    optimizer.step()
    assert [p.data.tolist(), q.data.tolist()] == [[-0.5], [-2.0, -5.0]]


def test_a_loaded_state_may_hold_different_numbers_of_steps():
    params = [tg.Tensor([1.0, 2.0]), tg.Tensor([3.0]), tg.Tensor([4.0])]
    optimizer = Adam(params, lr=0.1)
    give(params, 0)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["1.m_weight"] = np.array(7.0)
    optimizer.load_state_dict(saved)
    give(params, 1)
    optimizer.step()
    assert [float(state["m_weight"]) for state in optimizer.state] == [1.9, 7.3, 1.9]


def test_values_and_arrays_that_are_held_among_small_parameters():
    held = np.array([1.0, 2.0])
    ours = [tg.Tensor([1.0]), tg.Value(2.0), tg.as_tensor(held).requires_grad_(), tg.Value(3.0)]
    optimizer = Counted(ours, lr=0.1)
    optimizer.sizes = []
    for k in range(5):
        give(ours, k)
        optimizer.step()
    assert optimizer.sizes == [5]  # planned once, for all of them together
    assert isinstance(ours[1].data, np.float64)
    for p, x in zip(ours, ([1.0], 2.0, [1.0, 2.0], 3.0), strict=True):
        np.testing.assert_array_equal(
            p.data, separate(Adam([tg.Tensor([1.0])], lr=0.1), np.array(x), 5)[0]
        )
    np.testing.assert_array_equal(held, ours[2].data)


def test_read_only_memory_is_found_among_those_laid_side_by_side():
    p, q = tg.Tensor([1.0]), tg.Tensor(2.0)
    optimizer = SGD([p, q], lr=0.1)
    p.grad, q.grad = [1.0], 1.0
    optimizer.step()
    q.data.flags.writeable = False
    with pytest.raises(ValueError, match=r"parameter 1 \(\) is read-only"):
        optimizer.step()
    assert p.data.tolist() == [0.9]


def test_a_graph_from_before_refuses_each_parameter_of_an_update():
    params = [tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])]
    optimizer = SGD(params, lr=0.1)
    graphs = [(p * p).sum() for p in params]
    give(params, 0)
    optimizer.step()
    for graph in graphs:
        with pytest.raises(RuntimeError, match="changed"):
            graph.backward()


def test_an_init_of_another_shape_is_refused():
    class Rows(SGD):
        def init(self, param, options):  # noqa: ARG002
            return {"rows": np.zeros(param.size + 2)}

    with pytest.raises(ValueError, match=r"init gave 'rows' the shape \(3,\).* shape \(1,\); exp"):
        Rows([tg.Tensor([1.0])], lr=0.1)


@pytest.mark.parametrize("second", [np.s_[:], np.s_[1:], np.s_[::-1]], ids=str)
def test_two_parameters_on_one_memory_are_updated_one_after_the_other(second):
    array = np.array([1.0, 2.0, 3.0])
    p, q = (tg.as_tensor(view).requires_grad_() for view in (array, array[second]))
    optimizer = SGD([p, q], lr=1.0)
    p.grad, q.grad = np.full(3, 10.0), np.full(q.shape, 1.0)
    optimizer.step()
    expected = np.array([-9.0, -8.0, -7.0])
    expected[second] -= 1
    np.testing.assert_array_equal(array, expected)


def test_views_of_one_vector_are_updated_in_it():
    vector = np.arange(5.0)
    params = [tg.as_tensor(vector[:2]).requires_grad_(), tg.as_tensor(vector[2:]).requires_grad_()]
    optimizer = Counted(params, lr=0.1)
    optimizer.sizes = []
    give(params, 0)
    optimizer.step()
    assert optimizer.sizes == [5]
    assert params[1].data.base is vector
    assert (vector != np.arange(5.0)).all()


@every_class
def test_a_network_trains_to_the_bits_of_updates_one_by_one(cls):
    """The sums of a forward and a backward pass do not depend on where a parameter lies."""
    losses = []
    for together in (True, False):
        model = tg.nn.MLP(5, [16, 16, 1], rng=0)
        params = model.parameters()
        optimizers = [cls(params, lr=0.01)] if together else [cls([p], lr=0.01) for p in params]
        x = np.random.default_rng(1).standard_normal((30, 5)).astype(np.float32)
        for _ in range(20):
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = (model(x) - np.float32(0.5)).square().sum()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(float(loss.data))
    assert losses[:20] == losses[20:]


def test_numbers_of_ones_own_are_seen_when_they_change():
    """Also those that are attributes, and no options."""

    class Scaled(SGD):
        def __init__(self, params, lr, factor):
            super().__init__(params, lr)
            self.factor = factor

        def update(self, param, grad, state, options):
            return super().update(param, self.factor * grad, state, options)

    p = tg.Tensor([1.0])
    optimizer = Scaled([p], lr=0.5, factor=1.0)
    for factor in (1.0, 0.5):
        optimizer.factor = factor
        p.grad = [1.0]
        optimizer.step()
    assert p.data[0] == 0.25


# ------------------------------------------------------------------ units that are dead


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_fades_is_not_left_denormal(name, options, dtype):
    """A processor may be a hundred times slower on it, and rounding never takes it to 0."""
    tiny = np.finfo(dtype).tiny
    sizes = np.geomspace(float(tiny) * 10, 1.0, 60).astype(dtype)
    p = tg.Tensor(np.ones(60, dtype))
    optimizer = CLASSES[name]([p], **options)
    p.grad = sizes
    optimizer.step()
    denormal = 0
    for k in range(700):
        p.grad = np.zeros(60, dtype)
        optimizer.step()
        if k % 50 == 49:
            arrays = [array for array in optimizer.state[0].values() if array.ndim]
            denormal += sum(int(((x != 0) & (np.abs(x) < tiny)).sum()) for x in arrays)
    assert denormal == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_ordinary_size_are_not_rounded(dtype):
    x = np.geomspace(1e-9, 1e30, 200).astype(dtype) * np.resize([1, -1], 200).astype(dtype)
    np.testing.assert_array_equal(settled(x), x)
    assert settled(x).dtype == dtype
    small = np.array([0.0, -0.0, np.finfo(dtype).tiny, -np.finfo(dtype).tiny], dtype)
    np.testing.assert_array_equal(settled(small), 0)
    half = np.array([6e-8, 1e-5, -1.0], np.float16)  # all of whose small numbers matter
    np.testing.assert_array_equal(settled(half), half)
