"""Optimisers: the rules against PyTorch and written-out recurrences, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tensorgrad as tg
from optim_rules import CLASSES, RULES, by_hand, gradient, start
from tensorgrad.optim import SGD, Adam, AdamW
from tensorgrad.optim.lr_scheduler import StepLR

every_rule = pytest.mark.parametrize(
    ("name", "options"), RULES, ids=lambda value: value if isinstance(value, str) else str(value)
)
every_class = pytest.mark.parametrize("cls", [SGD, Adam, AdamW])


def steps(optimizer, count=10, first=0):
    """Take steps with made-up gradients."""
    for k in range(first, first + count):
        for p in optimizer.params:
            p.grad = gradient(k, p.data)
        optimizer.step()


# ------------------------------------------------------------------ the rules


@every_rule
def test_twenty_steps_equal_the_recurrence_written_out(name, options):
    p = tg.Tensor(start(np.float64))
    steps(CLASSES[name]([p], **options), 20)
    expected = by_hand(name, start(np.float64), 20, **options)
    np.testing.assert_allclose(p.data, expected, rtol=1e-12, atol=1e-13)


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_twenty_steps_equal_pytorch(name, options, dtype):
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim, name):
        pytest.skip(f"PyTorch has no {name}")
    ours = tg.Tensor(start(dtype))
    steps(CLASSES[name]([ours], **options), 20)
    theirs = torch.tensor(start(dtype), requires_grad=True)
    optimizer = getattr(torch.optim, name)([theirs], **options)
    for k in range(20):
        theirs.grad = torch.tensor(gradient(k, theirs.detach().numpy()))
        optimizer.step()
    # PyTorch keeps the product of NAdam's momenta in float32.
    tolerance = 2e-6 if dtype is np.float32 or name == "NAdam" else 1e-12
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert ours.dtype == dtype


@every_class
def test_a_quadratic_is_minimised(cls):
    p = tg.Tensor([3.0, -4.0])
    optimizer = cls([p], lr=0.1, weight_decay=0)
    for _ in range(400):
        optimizer.zero_grad()
        ((p - [1.0, 2.0]).square() * [1.0, 3.0]).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(p.data, [1.0, 2.0], atol=0.02)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_the_first_step_of_adam_is_lr_whatever_the_size_of_the_gradient(size):
    """Case 100: without the correction of the bias it would be 3.16 lr."""
    p = tg.Tensor([1.0, 1.0])
    p.grad = [size, -size]
    Adam([p], lr=0.01).step()
    np.testing.assert_allclose(p.data, [0.99, 1.01], rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "options"), [(SGD, {"momentum": 0.9}), (Adam, {}), (AdamW, {"weight_decay": 0})]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_of_zero_changes_nothing_at_the_first_step(cls, options, dtype):
    """Case 100."""
    p = tg.Tensor(start(dtype))
    p.grad = np.zeros_like(p.data)
    cls([p], lr=0.1, **options).step()
    np.testing.assert_array_equal(p.data, start(dtype))


def test_decay_goes_through_the_averages_in_adam_and_past_them_in_adamw():
    """Case 100: with a zero gradient L2 takes a full step, decoupled decay a share."""
    results = []
    for cls in (Adam, AdamW):
        p = tg.Tensor([2.0])
        p.grad = [0.0]
        cls([p], lr=0.1, weight_decay=0.5).step()
        results.append(p.data[0])
    np.testing.assert_allclose(results, [2 - 0.1, 2 * (1 - 0.1 * 0.5)], rtol=1e-6)


@every_rule
def test_an_update_on_tensors_has_the_bits_of_one_on_arrays(name, options):
    """It can be recorded: it dispatches, and branches on nothing that it computes."""
    optimizer = CLASSES[name]([tg.Tensor(start(np.float32))], **options)
    steps(optimizer, 2)
    p, state = optimizer.params[0].data, optimizer.state[0]
    g, options = gradient(2, p), optimizer.param_groups[0].options
    expected, expected_state = optimizer.update(p, g, state, options)
    lifted = options | {"lr": tg.tensor(options["lr"])}
    p, g, state = tg.tensor(p), tg.tensor(g), {k: tg.tensor(a) for k, a in state.items()}
    found, found_state = optimizer.update(p, g, state, lifted)
    assert isinstance(found, tg.Tensor)
    np.testing.assert_array_equal(found.data, expected)
    for key, value in expected_state.items():
        np.testing.assert_array_equal(found_state[key].data, value)


@every_rule
def test_an_update_writes_to_none_of_its_arguments(name, options):
    optimizer = CLASSES[name]([tg.Tensor(start(np.float64))], **options)
    p, options = start(np.float64), optimizer.param_groups[0].options
    state = optimizer.init(p, options)
    arrays = [p, gradient(0, p), options["lr"], *state.values()]
    for array in arrays:
        array.flags.writeable = False
    optimizer.update(p, arrays[1], state, options)


# ------------------------------------------------------------------ parameters of all kinds


@every_rule
def test_blocks_have_the_bits_of_whole_arrays(name, options):
    """More than one block, and the last one is short."""
    p = tg.Tensor(start(np.float32, (300, 301)))
    optimizer = CLASSES[name]([p], **options)
    values, options = p.data.ravel().copy(), optimizer.param_groups[0].options
    state = optimizer.init(values, options)
    for k in range(3):
        p.grad = gradient(k, p.data)
        values, state = optimizer.update(values, p.grad.ravel().copy(), state, options)
        optimizer.step()
    np.testing.assert_array_equal(p.data.ravel(), values)
    for key, array in state.items():
        np.testing.assert_array_equal(optimizer.state[0][key].ravel(), array.ravel())


@every_class
@pytest.mark.parametrize("kind", ["transposed", "strided", "reversed", "gradient", "reassigned"])
def test_memory_of_any_layout_equals_a_copy_in_c_order(cls, kind):
    x = start(np.float64, (4, 4))
    array = {"transposed": x.T, "strided": np.repeat(x, 2, 1)[:, ::2], "reversed": x[::-1]}.get(
        kind, x
    )
    p = tg.as_tensor(array).requires_grad_()
    q = tg.Tensor(array)
    ours, reference = cls([p], lr=0.1), cls([q], lr=0.1)
    for k in range(3):
        g = gradient(k, q.data)
        p.grad = np.asfortranarray(g) if kind == "gradient" else g
        q.grad = g
        ours.step()
        reference.step()
        if kind == "reassigned":
            p.data = np.asfortranarray(p.data)
    np.testing.assert_array_equal(p.data, q.data)


@every_class
def test_numbers_and_empty_parameters(cls):
    scalar, empty, value = tg.Tensor(2.0), tg.Tensor(np.zeros((0, 3))), tg.Value(2.0)
    optimizer = cls([scalar, empty, value], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (scalar * scalar + empty.sum()).backward()
        (value * value).backward()
        optimizer.step()
    assert scalar.data.shape == ()
    assert float(scalar) == float(value) < 2.0
    assert isinstance(value.data, np.float64)
    assert empty.shape == (0, 3)


@every_class
def test_the_array_of_a_parameter_stays_the_same_object(cls):
    """Views of it, and an array it was made on without a copy, see the new values."""
    for shape in ((), (3,), (300, 300)):
        p = tg.Tensor(np.ones(shape))
        array = p.data
        p.grad = np.ones(shape)
        cls([p], lr=0.1).step()
        assert p.data is array
        assert (array < 1).all()


@every_class
def test_a_graph_from_before_the_step_refuses_the_new_values(cls):
    """Case 62b: a step is a write."""
    p = tg.Tensor([1.0, 2.0])
    loss = (p * p).sum()
    loss.backward()
    cls([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed"):
        loss.backward()


def test_gradients_of_nan_and_infinity_do_not_stop_a_step_half_way():
    p, q = tg.Tensor([1.0, 1.0, 1.0]), tg.Tensor([1.0])
    p.grad, q.grad = [np.nan, np.inf, 1e300], [1.0]
    optimizer = Adam([p, q], lr=0.1)
    with np.errstate(all="raise"):
        optimizer.step()
    assert np.isnan(p.data[:2]).all()
    np.testing.assert_allclose(q.data, [0.9])


# ------------------------------------------------------------------ what a step needs


@every_class
def test_a_parameter_without_gradient_is_skipped(cls):
    """Case 99: and it does not count a step."""
    p, q, frozen = tg.Tensor([1.0]), tg.Tensor([1.0]), tg.Tensor([1.0], requires_grad=False)
    optimizer = cls([p, q, frozen], lr=0.1)
    p.grad = [1.0]
    assert (q.grad == 0).all()  # to read it is not to reach it
    optimizer.step()
    assert (float(p.data[0]), float(q.data[0]), float(frozen.data[0])) == (
        pytest.approx(0.9, abs=1e-3), 1.0, 1.0,
    )  # fmt: skip
    assert not any(array.any() for state in optimizer.state[1:] for array in state.values())


@every_class
def test_a_step_before_any_gradient_is_an_error(cls):
    """Case 99."""
    p = tg.Tensor([1.0])
    optimizer = cls([p], lr=0.1)
    with pytest.raises(RuntimeError, match=r"call loss\.backward\(\) first"):
        optimizer.step()
    p.grad = [1.0]
    optimizer.zero_grad()
    with pytest.raises(RuntimeError, match="backward"):
        optimizer.step()
    p.grad = [1.0]
    p.requires_grad = False
    with pytest.raises(RuntimeError, match="frozen"):
        optimizer.step()
    assert p.data[0] == 1.0


def test_read_only_memory_is_found_before_anything_changes():
    array = np.ones(3)
    array.flags.writeable = False
    p, q = tg.Tensor([1.0]), tg.as_tensor(array).requires_grad_()
    p.grad, q.grad = [1.0], np.ones(3)
    optimizer = SGD([p, q], lr=0.1)
    with pytest.raises(ValueError, match=r"parameter 1 \(3,\) is read-only"):
        optimizer.step()
    assert p.data[0] == 1.0
    q.requires_grad = False
    optimizer.step()
    assert p.data[0] < 1.0


# ------------------------------------------------------------------ arguments


class Model:
    def parameters(self):
        return [tg.Tensor([1.0])]


def leaf():
    return tg.Tensor([1.0])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ValueError, "empty"),
        (iter(()), ValueError, "only once"),
        (Model(), TypeError, r"Model; give its parameters: model\.parameters\(\)"),
        (leaf(), TypeError, "params is a Tensor; expected a list"),
        ({"w": leaf()}, TypeError, "params is a dict"),
        ({leaf()}, TypeError, "fixed order"),
        (3, TypeError, "params is a int"),
        (None, TypeError, "params is a NoneType"),
        ([leaf(), np.ones(2)], TypeError, "ndarray at 1; expected a Tensor"),
        (["w"], TypeError, "str at 0"),
        ([leaf() * 2], TypeError, r"a result \(of multiply\) at 0"),
        ([tg.Tensor([1, 2])], TypeError, "int64 at 0; expected floats"),
        ([(p := leaf()), leaf(), p], ValueError, "params 0 and 2 are the same Tensor"),
    ],
)
@every_class
def test_wrong_parameters_are_refused(cls, params, error, message):
    """Case 99."""
    with pytest.raises(error, match=message):
        cls(params, lr=0.1)


def test_equal_parameters_and_generators_are_taken():
    """Case 94: two parameters with the same values are two parameters."""
    optimizer = SGD((tg.Tensor([1.0]) for _ in range(2)), lr=0.1)
    assert len(optimizer.params) == 2


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (SGD, {"lr": -0.1}, r"lr is -0\.1; expected a finite number >= 0"),
        (Adam, {"lr": math.nan}, "lr is nan"),
        (AdamW, {"lr": math.inf}, "lr is inf"),
        (SGD, {"lr": 0.1, "momentum": -1}, "momentum is -1; expected a number >= 0 and < 1"),
        (SGD, {"lr": 0.1, "momentum": 1.0}, r"momentum is 1\.0"),
        (SGD, {"lr": 0.1, "weight_decay": -1e-4}, r"weight_decay is -0\.0001"),
        (SGD, {"lr": 0.1, "nesterov": True}, "nesterov=True needs a momentum"),
        (Adam, {"betas": (1.0, 0.999)}, r"betas\[0\] is 1\.0"),
        (AdamW, {"betas": (0.9, -0.1)}, r"betas\[1\] is -0\.1"),
        (Adam, {"eps": -1e-8}, "eps is -1e-08"),
        (Adam, {"eps": 0.0}, "eps is 0.0, too small for float64"),
        (AdamW, {"weight_decay": -1}, "weight_decay is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(cls, options, message):
    """Case 99."""
    with pytest.raises(ValueError, match=message):
        cls([leaf()], **options)


@pytest.mark.parametrize(
    ("cls", "options"), [(SGD, {"lr": "fast"}), (SGD, {"lr": None}), (Adam, {"betas": 0.9})]
)
def test_what_is_no_number_is_refused(cls, options):
    with pytest.raises(TypeError, match="expected"):
        cls([leaf()], **options)


def test_an_eps_that_float16_rounds_to_zero_is_refused():
    """It would turn a gradient of 0 into NaN."""
    p = tg.Tensor(np.ones(2, np.float16))
    with pytest.raises(ValueError, match=r"too small for float16.*such as 1e-4"):
        Adam([p])
    p.grad = np.zeros(2, np.float16)
    Adam([p], eps=1e-4).step()
    np.testing.assert_array_equal(p.data, [1, 1])


def test_the_learning_rate_can_be_read_and_set():
    p = tg.Tensor([1.0])
    optimizer = SGD([p], lr=0.5)
    optimizer.lr = optimizer.lr / 2
    p.grad = [1.0]
    optimizer.step()
    assert p.data[0] == 0.75
    with pytest.raises(ValueError, match=r"lr is -1"):
        optimizer.lr = -1
    assert optimizer.lr == 0.25


# ------------------------------------------------------------------ saving


@every_rule
def test_saved_and_continued_equals_not_interrupted(name, options):
    """Case 109, within one process: to the bit."""
    p = tg.Tensor(start(np.float32))
    whole = CLASSES[name]([p], **options)
    steps(whole, 4)
    saved, values = whole.state_dict(), p.data.copy()
    whole.lr = 0.003
    steps(whole, 3, first=4)

    q = tg.Tensor(values)
    resumed = CLASSES[name]([q], **options)
    resumed.load_state_dict(saved)
    assert resumed.lr == options.get("lr", 1.0)
    resumed.lr = 0.003
    steps(resumed, 3, first=4)
    np.testing.assert_array_equal(p.data, q.data)


def test_the_saved_state_is_plain_arrays_by_position_and_a_copy(tmp_path):
    p, q = tg.Tensor(start(np.float32)), tg.Tensor([1.0])
    optimizer = Adam([p, q])
    saved = optimizer.state_dict()
    numbers = ("lr", "betas", "eps", "weight_decay", "initial_lr")
    names = ("m_weight", "v_weight", "m_sum", "v_sum")
    of_params = [f"{i}.{name}" for i in (0, 1) for name in names]
    assert list(saved) == [*(f"groups.0.{name}" for name in numbers), *of_params]
    assert all(type(array) is np.ndarray for array in saved.values())
    assert saved["0.m_sum"].dtype == np.float32
    steps(optimizer, 1)
    assert not saved["0.m_sum"].any()
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        Adam([p, q]).load_state_dict(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.m_sum"), "0.m_sum: missing"),
        (lambda state: state.update(extra=np.ones(1)), "extra: unexpected"),
        (
            lambda state: state.update({"2.m_weight": state.pop("0.m_weight")}),
            "0.m_weight: missing\n.*2.m_weight",
        ),
        (
            lambda state: state.update({"0.v_sum": np.ones(4, np.float32)}),
            r"0\.v_sum: float32 \(4,\), exp",
        ),
        (
            lambda state: state.update({"0.v_sum": np.ones((3, 4))}),
            "0.v_sum: float64.*expected float32",
        ),
        (lambda state: state.update({"groups.0.lr": np.array(-2.0)}), r"lr is -2\.0"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    """Case 101."""
    optimizer = Adam([tg.Tensor(start(np.float32))])
    steps(optimizer, 1)
    wrong = optimizer.state_dict()
    change(wrong)
    for name, array in wrong.items():
        array += not name.startswith("groups")
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(wrong)
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_state_that_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match="expected a dict"):
        SGD([leaf()], lr=0.1).load_state_dict([1, 2])


@pytest.mark.parametrize("compiled", [False, True])
def test_adam_divides_by_the_weights_that_the_sums_have(compiled):
    """Also where betas change: each average is one of the gradients, here all 1."""
    p = tg.Tensor(np.zeros(3))
    optimizer = Adam([p], lr=1.0, eps=1e-12)

    def step():
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()

    step = tg.compile(step) if compiled else step
    for k in range(30):
        if k == 20:
            optimizer.betas = (0.5, 0.9)
        step()
        np.testing.assert_allclose(p.data, -(k + 1.0), rtol=1e-9)


def test_adam_of_float16_sums_squares_that_float16_cannot_hold():
    p = tg.Tensor(np.zeros(3, np.float16))
    optimizer = Adam([p], lr=2**-10, eps=1e-4)
    for _ in range(500):
        p.grad = np.full(3, 300.0, np.float16)
        optimizer.step()
    np.testing.assert_allclose(p.data, -500 * 2**-10, rtol=1e-3)
    assert p.dtype == np.float16


def test_schedules_start_from_the_rate_that_was_given_also_after_loading():
    rates = []
    for resumed in (False, True):
        optimizer = SGD([tg.Tensor(1.0)], lr=1.0)
        StepLR(optimizer, 1, 0.1).step()
        if resumed:
            state, optimizer = optimizer.state_dict(), SGD([tg.Tensor(1.0)], lr=5.0)
            optimizer.load_state_dict(state)
            assert optimizer.lr == pytest.approx(0.1)
        rates.append(StepLR(optimizer, 2).get_last_lr())
    assert rates[0] == rates[1] == [1.0]
