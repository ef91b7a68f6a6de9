"""The audit: right rules pass, wrong ones are named, and what cannot be checked says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import ONE_OF_EACH
from standin import StandIn
from tensorgrad import AnomalyError, Tensor, Value, nn
from tensorgrad.op import op
from tensorgrad.ops import elementwise
from tensorgrad.tensor import apply


def audits(out: Tensor) -> list[str]:
    """Return what an audit says of the inputs that record."""
    seed = np.ones(out.shape, out.dtype)
    steps = out.backward_steps(seed, audit=True)
    return [said for step in steps for said in step.audit if said is not None]


EACH_IN_ITS_DTYPES = pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(case, dtype, id=f"{case.name}-{dtype}")
        for case in ONE_OF_EACH
        for dtype in case.dtypes
    ],
)


@EACH_IN_ITS_DTYPES
def test_every_op_passes(case: Case, dtype: str) -> None:
    audits(case.function(*(Tensor(array) for array in case.draw(dtype=dtype)), *case.data))


def test_little_is_left_unchecked() -> None:
    """At regular points, with inputs that are kept or can be computed again."""
    said = [
        text
        for case in ONE_OF_EACH
        for text in audits(case.function(*(Tensor(array) for array in case.draw()), *case.data))
    ]
    unchecked = [t for t in said if not t.startswith("checked") and "was not kept" not in t]
    assert len(unchecked) < len(said) / 50
    assert said.count("checked") > 0.8 * len(said)


def wrong_op(rule: Any, name: str = "wrong", **options: Any) -> Any:
    return op(lambda x: x * x * x, rule, name=name, **{"elementwise": True} | options)


def test_a_wrong_rule_is_named_with_its_worst_element() -> None:
    def rule(g: Any, _out: Any, x: Any) -> Any:
        return g * np.where(x == 2.0, 4.0, 3.0 * x * x)

    x = Tensor([[1.0, 3.0], [2.0, 0.5]], label="x")
    with tg.detect_anomaly():
        loss = (apply(wrong_op(rule, "cube"), x) * 5).sum()
    with pytest.raises(AnomalyError) as caught:
        loss.backward(audit=True)
    said = str(caught.value)
    assert (
        "the rule of cube for operand 0, the leaf 'x', is wrong: at index (1, 0) it gives" in said
    )
    assert "loss = (apply(" in said
    got, expected = said.split("it gives ")[1].split(", and central differences give ")
    ratio = float(expected.split("\n")[0]) / float(got)
    np.testing.assert_allclose(ratio, 3.0, rtol=1e-5)
    assert not x.has_grad


@pytest.mark.parametrize("size", [(), (1,), (700,), (3, 400)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_one_wrong_element_among_many_is_found(size: tuple[int, ...], dtype: str) -> None:
    last = tuple(n - 1 for n in size)

    def rule(g: Any, _out: Any, x: Any) -> Any:
        slope = np.array(3.0 * x * x)
        slope[last] *= 1.5
        return g * slope

    x = Tensor(np.random.default_rng(0).uniform(0.5, 2, size).astype(dtype))
    out = apply(wrong_op(rule), x)
    with pytest.raises(AnomalyError, match=r"rule of wrong for operand 0") as caught:
        audits(out)
    if size:
        assert f"at index {last} it gives" in str(caught.value)


def test_the_position_of_the_wrong_rule_is_named() -> None:
    wrong = op(
        np.arctan2,
        lambda g, _out, y, x: g * x / (x * x + y * y),
        lambda g, _out, y, x: g * y / (x * x + y * y),
        name="angle",
        elementwise=True,
    )
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    with pytest.raises(AnomalyError, match="rule of angle for operand 1"):
        audits(apply(wrong, a, b))
    assert audits(apply(wrong, a, b.data)) == ["checked"]


def test_a_gradient_of_zero_shows_nothing() -> None:
    out = apply(wrong_op(lambda g, _out, x: g * x), Tensor([1.0, 2.0])) * 0.0
    assert audits(out)[-1] == "not checked: the gradient that arrived is zero, or is not finite"


def test_parts_of_a_result_without_a_gradient_are_not_judged() -> None:
    """An op may return what its rule does not speak of, such as a rank, beside the rest."""
    both = op(
        lambda x: np.stack([x * x, x.max() + x]),
        lambda g, _out, x: g[0] * 2.0 * x,
        name="both",
    )
    assert audits(apply(both, Tensor([1.0, 2.0]))[0])[-1] == "checked"
    with pytest.raises(AnomalyError, match="rule of both"):
        audits(apply(both, Tensor([1.0, 2.0])))


def test_symmetric_matrices_move_symmetrically() -> None:
    """Cholesky reads a half, and its gradient is symmetric, as that of any such function."""

    def rule(g: Any, _out: Any, x: Any) -> Any:
        half = np.tril(g * 2.0 * x)
        return (half + half.T) / 2.0

    lower = op(lambda x: np.tril(x * x), rule, name="lower")
    x = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert audits(apply(lower, Tensor(x))) == ["checked, along symmetric directions"]
    with pytest.raises(AnomalyError, match="rule of lower"):
        audits(apply(lower, Tensor(x + np.array([[0.0, 0.5], [0.0, 0.0]]))))
    wrong = op(lambda x: np.tril(x * x), lambda g, _out, x: 2.0 * rule(g, _out, x), name="wrong")
    with pytest.raises(AnomalyError, match="rule of wrong"):
        audits(apply(wrong, Tensor(x)))


def test_wrong_joint_rules_and_rules_that_write() -> None:
    joint = op(
        np.multiply, name="joint", joint=lambda g, _out, x, y, **_: (g * y, g * x * 2.0),
    )  # fmt: skip
    with pytest.raises(AnomalyError, match="joint for operand 1"):
        audits(apply(joint, Tensor([1.0, 2.0]), Tensor([3.0, 4.0])))

    def read(into: Any, g: Any, _out: Any, _x: Any) -> None:
        into[1:] += g * 2.0

    reading = op(lambda x: x[1:], read, name="reading", accumulates=True)
    with pytest.raises(AnomalyError, match="reading for operand 0"):
        audits(apply(reading, Tensor([1.0, 2.0])))

    def overwritten(g: Any, _out: Any, _x: Any, _v: Any) -> Any:
        return g

    def written(x: Any, v: Any) -> Any:
        x = np.copy(x)
        x[0] = v
        return x

    writing = op(
        written, overwritten, lambda g, _out, _x, _v: g[0], name="writing", overwrites=True
    )
    with pytest.raises(AnomalyError, match="writing for operand 0"):
        audits(apply(writing, Tensor([1.0, 2.0]), Tensor(3.0)))


def test_complex_rules() -> None:
    """A conjugate too many is found; right ones, holomorphic or not, pass."""
    z = Tensor([1.0 + 2.0j, -0.5j])
    conjugated = op(
        np.square, lambda g, _out, z: g * np.conj(2.0 * z), name="conjugated", elementwise=True
    )
    with pytest.raises(AnomalyError, match=r"conjugated.*it gives .*j, and central"):
        audits(apply(conjugated, z))
    assert set(audits(np.exp(z) * z)) == {"checked"}


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.max(),
        lambda x: np.maximum(x[:1], x[1:2]),
        lambda x: tg.relu(x)[2:],
    ],
    ids=["ties", "equal", "kink"],
)
def test_points_without_a_derivative_are_said_to_be_such(f: Any) -> None:
    said = audits(f(Tensor([3.0, 3.0, 0.0])))
    assert any("derivative to be found" in text for text in said)


def test_the_other_elements_are_checked_all_the_same() -> None:
    x = Tensor([0.0, 1.0, -1.0, 2.0])
    [said] = audits(tg.relu(x))
    assert said.startswith("checked, but for 1 of 4 elements")

    def rule(g: Any, _out: Any, x: Any) -> Any:
        return g * (x > 1.5)

    wrong = op(lambda x: np.maximum(x, 0.0), rule, name="wrong", elementwise=True)
    with pytest.raises(AnomalyError, match=r"at index \(1,\)"):
        audits(apply(wrong, x))


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.sqrt, [0.0, 1e-9, 1e9]),
        (np.log, [1e-12, 1.0, 1e12]),
        (np.exp, [-700.0, 1.0, 700.0]),
        (lambda x: x**3, [1e-6, 1e6]),
        (lambda x: 1.0 / x, [1e-8, 1e8]),
        (np.abs, [0.0, -1.0, 1e-7]),
        (np.sin, [1e5, 0.0]),
        (lambda x: np.log(x - 2.0), [1.0, 3.0]),
        (np.sum, [1e-10, 1e10]),
        (lambda x: x.std(), [5.0, 5.0, 5.0]),
        (lambda x: x.std(), [1e4 + 1, 1e4, 1e4 - 1]),
        (lambda x: x.var(), [1e6 + 1, 1e6, 1e6 - 1]),
        (lambda x: x.prod(), [0.0, 0.0, 2.0]),
        (tg.logsumexp, [-np.inf, 0.0, 1000.0]),
        (lambda x: x.softmax(), [-np.inf, 0.0, 50.0]),
        (tg.relu, [np.nan, np.inf, 1.0]),
        (np.sign, [0.0, 1.0]),
        (lambda x: x.clip(0, 1), [0.0, 1.0, 0.5, 1 + 1e-6]),
        (tg.gelu, [0.0, 30.0, -30.0]),
    ],
)
def test_right_rules_at_awkward_places_are_never_called_wrong(f: Any, x: Any) -> None:
    with np.errstate(all="ignore"):
        for dtype in ("float16", "float32", "float64"):
            assert audits(f(Tensor(np.array(x).astype(dtype))))


def test_what_was_not_kept_is_computed_again_or_not_checked() -> None:
    x = Tensor([1.0, 2.0])
    assert audits((x * 2 + x) + x) == ["checked"] * 5
    [said] = audits(x + np.ones(2))
    assert said == "not checked: operand 1, a constant, was not kept"
    total = (x + np.ones(2)).sum()
    assert audits(total) == [
        "not checked: operand 0, the result of add, was not kept, and cannot be computed again",
        "not checked: operand 1, a constant, was not kept",
    ]


def test_a_result_whose_shape_depends_on_the_values_is_not_checked() -> None:
    trimmed = op(np.trim_zeros, lambda g, _out, x: np.concatenate([g, 0.0 * x[: x.size - g.size]]))
    [said] = audits(apply(trimmed, Tensor([1.0, 0.0])))
    assert said == "not checked: the shape of its result depends on the values"


def test_forwards_that_draw_or_fail_are_not_checked() -> None:
    rng = np.random.default_rng(0)
    noisy = op(lambda x: x + rng.standard_normal(x.shape), lambda g, _out, _x: g, name="noisy")
    assert audits(apply(noisy, Tensor([1.0]))) == ["not checked: its forward draws random numbers"]

    def picky(x: Any) -> Any:
        if x[0] != 1.0:
            raise ValueError("not one")
        return x * 1.0

    [said] = audits(apply(op(picky, lambda g, _out, _x: g), Tensor([1.0])))
    assert said == "not checked: its forward failed: not one"


def test_a_forward_of_single_precision_is_checked_in_it() -> None:
    def forward(x: Any) -> Any:
        if x.dtype != np.float32:
            raise TypeError("float32 only")
        return x * x

    x = Tensor(np.ones(5, np.float32))
    right = op(forward, lambda g, _out, x: g * 2.0 * x, name="right")
    assert audits(apply(right, x)) == ["checked"]
    wrong = op(forward, lambda g, _out, x: g * x, name="wrong")
    with pytest.raises(AnomalyError, match="rule of wrong"):
        audits(apply(wrong, x))


def test_other_array_types_are_not_checked() -> None:
    x = tg.as_tensor(StandIn(np.ones(2))).requires_grad_()
    steps = list(np.exp(x).backward_steps(StandIn(np.ones(2)), audit=True))
    assert steps[0].audit == ("not checked: operand 0 is a StandIn",)
    assert isinstance(x.grad, StandIn)


def test_inputs_without_a_rule() -> None:
    half = op(np.multiply, lambda g, _out, _x, y: g * y, None, name="half")
    said = audits(apply(half, Tensor([1.0]), Tensor([2.0])))
    assert said == ["checked", "not checked: it has no derivative by nature"]


def test_inputs_that_only_help_are_no_part_of_the_forward() -> None:
    """What is computed from another input, and handed over to save work, has no rule."""
    squared = op(lambda _x, s: np.copy(s), lambda g, _out, x, _s: g * 2.0 * x, name="squared")
    x = Tensor([1.0, 2.0])
    squares = x * x
    said = audits(apply(squared, x, squares))
    assert said[0].endswith("operand 1 has no rule, and may have been computed from the others")


def test_assignments_and_rows() -> None:
    x = Tensor(np.arange(6.0).reshape(3, 2))
    table = x * 2
    for i in range(3):
        table[i] = x[i] * table[(i + 1) % 3]
    assert set(audits(table.sum())) == {"checked"}


def test_a_network_and_its_gradients() -> None:
    model = nn.MLP(3, [8, 1], rng=0)
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    loss = (model(x) ** 2).mean()
    loss.backward()
    expected = [p.grad.tobytes() for p in model.parameters()]
    model.zero_grad()
    loss.backward(audit=True)
    assert [p.grad.tobytes() for p in model.parameters()] == expected


def test_the_audit_leaves_random_state_and_warnings_alone() -> None:
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr] # noqa: NPY002
    a, b = Value(2.0), Value(3.0)
    ((a * b + a) ** 2).tanh().backward(audit=True)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr] # noqa: NPY002
    assert audits(tg.clip(Tensor([0.5]), 0.0, 1.0)) == ["checked"]


def test_under_detect_anomaly_the_audit_itself_is_not_watched() -> None:
    x = Tensor([0.0, 1.0])
    with tg.detect_anomaly():
        assert set(audits(np.exp(x).sum())) == {"checked"}
        with np.errstate(all="ignore"), pytest.raises(AnomalyError, match="gradient of sqrt"):
            audits(np.sqrt(x))


def test_changing_what_an_op_keeps_changes_no_audit_of_others() -> None:
    """The audit runs the rules on copies: neither values nor gradients move."""
    x = Tensor([1.0, 2.0])
    y = apply(elementwise.exp, x)
    before = (x.data.copy(), y.data.copy())
    audits(y)
    assert x.data.tolist() == before[0].tolist()
    assert y.data.tolist() == before[1].tolist()
