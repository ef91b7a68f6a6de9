"""Every operation, judged by the table in `op_cases.py`: values, gradients, dtypes, memory, law.

What is particular to one operation (accuracy, singular points, what the graph keeps) stands at the
end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from op_cases import CASES, Case
from standin import StandIn, unboxed
from tensorgrad import Tensor
from tensorgrad.graph import Node, topological_order
from tensorgrad.numpy_api import NUMPY_TABLE
from tensorgrad.op import Op, op, unbroadcast
from tensorgrad.ops import elementwise, fused, index, linalg, reduce, shape
from tensorgrad.testing import check_grads

ROOMS = (elementwise, reduce, shape, index, linalg, fused)
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
DTYPES = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])


def leaves(arrays: list[Any]) -> list[Tensor]:
    """Return recording tensors on these very arrays, which nothing may write to."""
    for array in arrays:
        array.flags.writeable = False
    return [tg.as_tensor(array).requires_grad_() for array in arrays]


def cotangent(out: Any) -> Any:
    """Draw a cotangent for a result, of its dtype, that nothing may write to."""
    drawn = np.asarray(np.random.default_rng(1).uniform(0.5, 1.5, out.shape)).astype(out.dtype)
    drawn.flags.writeable = False
    return drawn


def result_and_grads(f: Callable[..., Any], arrays: list[Any], data: Any) -> list[Any]:
    """Return the value of `f` and its gradients by all inputs, for a fixed cotangent."""
    xs = leaves(arrays)
    out = f(*xs, *data)
    return [out.data, *tg.gradients(out, xs, cotangent(out), allow_unused=True)]


def assert_same_bits(got: Any, expected: Any) -> None:
    """Compare values, shapes and dtypes; zeros by their sign, NaN as equal."""
    expected = np.asarray(expected)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


def assert_alike(got: Any, expected: Any, dtype: Any = "float64") -> None:
    """Compare up to a few roundings of a dtype."""
    rtol = 1e-11 if dtype == "float64" else 32 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol / 100)


# --- by the table ---------------------------------------------------------------------------------


@EACH
@DTYPES
def test_values_are_numpys(case: Case, dtype: str) -> None:
    """Rule 8: to the bit, where NumPy has the function."""
    arrays = case.draw(dtype=dtype)
    expected = case.reference(*arrays, *case.data)
    got = case.function(*leaves(arrays), *case.data).data
    if case.exact:
        assert_same_bits(got, expected)
    else:
        assert (got.dtype, got.shape) == (expected.dtype, np.shape(expected))
        assert_alike(got, expected, dtype)


@EACH
def test_every_spelling_agrees(case: Case) -> None:
    """Cases 90, 91: methods, operators and NumPy's own names; or an independent composition."""
    spellings = [*case.also, case.reference] if case.dispatches else list(case.also)
    value, *grads = result_and_grads(case.function, case.draw(), case.data)
    for spelled in spellings:
        other_value, *other_grads = result_and_grads(spelled, case.draw(), case.data)
        if case.exact:
            assert_same_bits(other_value, value)
        else:
            assert_alike(other_value, value)
        for grad, other in zip(grads, other_grads, strict=True):
            assert_alike(other, grad)


@EACH
def test_gradients_are_right(case: Case) -> None:
    """Cases 40 to 60, 85: against the complex step or central differences, twice."""
    if not case.order:
        return
    if case.holomorphic:

        def f(*xs: Any) -> Any:
            # The data's own dtype must not turn the complex numbers of the step away.
            return case.reference(*xs, *case.data)

        check_grads(f, *case.draw(), method="complex", order=case.order)
    else:
        check_grads(lambda *xs: case.function(*xs, *case.data), *case.draw(), order=case.order)


@EACH
@DTYPES
def test_gradients_keep_shape_and_dtype(case: Case, dtype: str) -> None:
    """Rule 9, case 66."""
    arrays = case.draw(dtype=dtype)
    _, *grads = result_and_grads(case.function, arrays, case.data)
    for array, grad in zip(arrays, grads, strict=True):
        assert (grad.shape, grad.dtype) == (array.shape, array.dtype)


def rule_results(node: Node, g: Any) -> Iterator[tuple[Node, Any]]:
    """Run the rules of a node as the engine does; yield each parent with what is for it."""
    assert node.op is not None
    if node.op.joint:
        needs = tuple(parent is not None for parent in node.parents)
        results = node.op.rules[0](g, node.out, *node.inputs, needs=needs, **node.params)  # type: ignore[misc]
    else:
        results = [
            rule and parent and rule(g, node.out, *node.inputs, **node.params)
            for rule, parent in zip(node.op.rules, node.parents, strict=False)
        ]
    for parent, result in zip(node.parents, results, strict=False):
        if parent is not None and result is not None:
            yield parent, result


def floating(value: Any) -> Any:
    """Return the dtype of floats; a Python number has none, and labels do not count."""
    dtype = getattr(value, "dtype", None)
    return dtype if dtype is not None and dtype.kind == "f" else None


@EACH
@DTYPES
def test_rules_obey_the_law(case: Case, dtype: str) -> None:
    """Write nothing, return `g`, a view of it or new memory, widen nothing (cases 66, 81, 82)."""
    out = case.function(*leaves(case.draw(dtype=dtype)), *case.data)
    for node in topological_order(out._node):
        read = [a for a in (node.out, *node.inputs) if isinstance(a, np.ndarray)]
        for array in read:
            array.flags.writeable = False
        drawn = cotangent(node)
        for g in [drawn] if node.shape else [drawn, drawn[()]]:
            with np.errstate(all="ignore"):
                results = list(rule_results(node, g))
            floats = {kind for a in (node, *node.inputs) if (kind := floating(a))}
            for parent, result in results:
                if node.op is not None and node.op.elementwise:
                    result = unbroadcast(result, parent.shape)
                assert result.shape == parent.shape
                if len(floats) == 1:
                    assert result.dtype == dtype, node
                assert not any(np.may_share_memory(result, array) for array in read), node


@EACH
def test_gradients_share_no_memory(case: Case) -> None:
    """Case 81: not with each other, nor with the data, the result or the seed."""
    xs = [Tensor(array) for array in case.draw()]
    out = case.function(*xs, *case.data)
    seed = cotangent(out)
    out.backward(seed)
    grads = [x.grad for x in xs]
    others = [*(x.data for x in xs), out.data, seed]
    for grad in grads:
        assert grad.flags.writeable
        assert 0 not in grad.strides or grad.size < 2
        assert not any(np.may_share_memory(grad, other) for other in others)
    for one, other in itertools.combinations(grads, 2):
        assert not np.may_share_memory(one, other)


def layouts(arrays: list[Any]) -> Iterator[list[Any]]:
    """Lay out the same values in other ways: Fortran order, negative strides, gaps."""
    yield [a.copy(order="F") for a in arrays]
    yield [np.flip(np.flip(a).copy()) if a.ndim else a.copy() for a in arrays]
    yield [np.repeat(a[..., None], 2, axis=-1)[..., 0] for a in arrays]


@EACH
def test_layout_changes_nothing(case: Case) -> None:
    """Case 96; the inputs are read-only as well."""
    expected = result_and_grads(case.function, case.draw(), case.data)
    for arrays in layouts(case.draw()):
        got = result_and_grads(case.function, arrays, case.data)
        for one, other in zip(got, expected, strict=True):
            assert_alike(one, other)


@EACH
def test_stride_0_changes_nothing(case: Case) -> None:
    """Case 96: an input whose elements share their memory."""
    drawn = case.draw()
    stretched = [np.broadcast_to(a[..., :1], a.shape) if a.size and a.ndim else a for a in drawn]
    expected = result_and_grads(case.function, [a.copy() for a in stretched], case.data)
    got = result_and_grads(case.function, stretched, case.data)
    for one, other in zip(got, expected, strict=True):
        assert_alike(one, other)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,), (2, 1, 2)], ids=str)
@pytest.mark.parametrize("case", [c for c in CASES if c.elementwise], ids=lambda case: case.name)
def test_elementwise_on_every_shape(case: Case, shape: tuple[int, ...]) -> None:
    """Each element is what it is alone, in a flat array."""
    case = case.reshaped(shape)
    flat = [array.ravel() for array in case.draw()]
    value, *grads = result_and_grads(case.function, case.draw(), case.data)
    assert value.shape == shape
    flat_value, *flat_grads = result_and_grads(case.function, flat, case.data)
    assert_alike(value, flat_value.reshape(shape))
    for grad, expected in zip(grads, flat_grads, strict=True):
        assert_alike(grad, expected.reshape(shape))


def on(box: Callable[[Any], Any], case: Case, order: int) -> list[Any]:
    """Return the gradients on boxed arrays of the first order, with the value, or of the second."""
    xs = [tg.as_tensor(box(array)).requires_grad_() for array in case.draw()]
    out = case.function(*xs, *(box(d) for d in case.data))
    seed = box(cotangent(out))
    if order == 1:
        return [out.data, *tg.gradients(out, xs, seed, allow_unused=True)]
    slopes = tg.gradients(out, xs, seed, create_graph=True, allow_unused=True)
    total = sum((slope * slope).sum() for slope in slopes)
    return [slope.data for slope in slopes] + tg.gradients(
        total, xs, box(np.ones(())), allow_unused=True
    )


@EACH
@pytest.mark.parametrize("order", [1, 2])
def test_rules_run_on_any_array_type(case: Case, order: int) -> None:
    """The law: a rule is NumPy that dispatches."""
    if not case.stands_in:
        return
    for got, expected in zip(on(StandIn, case, order), on(np.asarray, case, order), strict=True):
        assert type(got) is StandIn
        assert_same_bits(unboxed(got), expected)


# --- completeness ---------------------------------------------------------------------------------


def declared(rooms: tuple[ModuleType, ...]) -> set[Op]:
    return {value for room in rooms for value in vars(room).values() if isinstance(value, Op)}


def recorded() -> set[Op | None]:
    """Return the ops in the graphs of all rows."""
    outs = [case.function(*leaves(case.draw()), *case.data) for case in CASES]
    return {node.op for out in outs for node in topological_order(out._node)}


def test_every_op_has_a_row() -> None:
    assert declared(ROOMS) - recorded() == set()


def test_an_op_without_a_row_is_found() -> None:
    room = ModuleType("room")
    room.op = op(np.cbrt, lambda g, _out, _x: g, name="without row")  # type: ignore[attr-defined]
    assert len(declared((room,)) - recorded()) == 1


def test_every_function_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `tensorgrad` and NumPy's names offer is called by some row."""
    called: set[Any] = {case.function for case in CASES}

    def spied(key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            called.add(key)
            return function(*args, **kwargs)

        return call

    functions = {
        name: value
        for name, value in vars(tg).items()
        if name in tg.__all__ and getattr(value, "__module__", "") == "tensorgrad.numpy_api"
    }
    table = {
        key: value
        for key, value in NUMPY_TABLE.items()
        if not {"_plain", "_constant"} & set(value.__qualname__.split("."))
        and "creation" not in value.__module__
    }
    for name, function in functions.items():
        monkeypatch.setattr(tg, name, spied(function, function))
    for key, function in table.items():
        monkeypatch.setitem(NUMPY_TABLE, key, spied(key, function))
    for case in CASES:
        case.function(*leaves(case.draw()), *case.data)
        if case.dispatches:
            case.reference(*leaves(case.draw()), *case.data)
    assert {name for name, function in functions.items() if function not in called} == set()
    assert {key.__name__ for key in table if key not in called} == set()


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


# --- what the graph keeps -------------------------------------------------------------------------

x23, y23 = np.full((2, 3), 0.5), np.full((2, 3), 1.5)


@pytest.mark.parametrize(
    ("f", "kept", "keeps_out"),
    [
        (lambda x, y: x + y, (False, False), False),
        (lambda x, y: x * y, (True, True), False),
        (lambda x, y: x * y.detach(), (False, True), False),
        (lambda x, y: x.detach() / y, (False, True), True),
        (lambda x, y: x / y.detach(), (False, True), False),
        (lambda x, _: tg.exp(x), (False,), True),
        (lambda x, _: tg.relu(x), (False,), True),
        (lambda x, _: tg.log(x), (True,), False),
        (lambda x, _: tg.reshape(x, 6), (False,), False),
        (lambda x, _: x[:, 1:], (False,), False),
        (lambda x, _: tg.mean(x, 0), (False,), False),
        (lambda x, _: tg.softmax(x), (False,), True),
        (lambda x, y: tg.matmul(x, y.T.detach()), (False, True), False),
        (lambda x, y: tg.concatenate([x, y]), (False, False), False),
        (lambda x, y: tg.where(x23 > 1, x, y), (True, False, False), False),
    ],
)
def test_only_what_a_rule_reads_is_kept(
    f: Callable[..., Tensor], kept: tuple[bool, ...], keeps_out: bool
) -> None:
    node = f(Tensor(x23), Tensor(y23))._node
    assert node is not None
    assert tuple(isinstance(value, np.ndarray) for value in node.inputs) == kept
    assert (node.out is not None) == keeps_out


# --- the strong zero ------------------------------------------------------------------------------

# Elementwise: (function, a point where its derivative is inf or NaN).
SINGULAR: list[tuple[str, Callable[..., Any], float]] = [
    ("sqrt", tg.sqrt, 0.0),
    ("sqrt outside", tg.sqrt, -1.0),
    ("log", tg.log, 0.0),
    ("log outside", tg.log, -1.0),
    ("log of inf", lambda x: tg.log(x) - x, np.inf),
    ("log1p", tg.log1p, -1.0),
    ("x ** -1", lambda x: x**-1, 0.0),
    ("x ** 0.5", lambda x: x**0.5, 0.0),
    ("x ** 1.5", lambda x: x**1.5, -1.0),
    ("x ** x", lambda x: x**x, -1.0),
    ("1 / x", lambda x: 1 / x, 0.0),
    ("x / x", lambda x: x * 3 / x, 0.0),
    ("arcsin", tg.arcsin, 1.0),
    ("arccos", tg.arccos, 1.0),
    ("exp of inf", lambda x: tg.exp(x) / tg.exp(x), np.inf),
    ("exp of 1000", lambda x: tg.exp(x) * 2, 1000.0),
    ("tanh of nan", tg.tanh, np.nan),
    ("sin of inf", tg.sin, np.inf),
    ("tan of inf", tg.tan, np.inf),
    ("gelu of inf", tg.gelu, -np.inf),
    ("silu of inf", tg.silu, -np.inf),
    ("sqrt of the square", lambda x: tg.sqrt(x * x), 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "f", "point"), SINGULAR, ids=[name for name, *_ in SINGULAR])
def test_where_shields_a_singular_point(name: str, f: Callable[..., Any], point: float) -> None:
    """Rule 7, case 21: of the first and second order; the other element is as without it."""
    del name
    regular = 0.5

    def orders(guarded: Callable[[Tensor], Tensor], points: list[float]) -> list[Any]:
        x = Tensor(points)
        with np.errstate(all="ignore"):
            slope = tg.gradients(guarded(x), x, np.ones(len(points)), create_graph=True)
            curvature = tg.gradients(slope, x, np.ones(len(points)))
        return [slope.data, curvature]

    expected = orders(f, [regular])
    for got in [
        orders(lambda x: tg.where(np.array([False, True]), f(x), 0.0), [point, regular]),
        orders(lambda x: tg.where(np.array([True, False]), 0.0, f(x)), [point, regular]),
    ]:
        for one, alone in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, [0.0, alone[0]], rtol=1e-12)


ROWS: list[tuple[str, Callable[..., Any], list[float]]] = [
    ("sum of sqrt", lambda x: tg.sqrt(x).sum(axis=1), [0.0, -1.0, 1.0]),
    ("mean of log", lambda x: tg.log(x).mean(axis=1), [0.0, -1.0, 1.0]),
    ("max", lambda x: x.max(axis=1), [np.nan, np.inf, 1.0]),
    ("var", lambda x: x.var(axis=1), [np.inf, 1.0, 2.0]),
    ("std", lambda x: x.std(axis=1), [np.inf, 1.0, 2.0]),
    ("std of nan", lambda x: x.std(axis=1), [np.nan, 1.0, 2.0]),
    ("root of var", lambda x: tg.sqrt(x.var(axis=1)), [1.0, 1.0, 1.0]),
    ("norm", lambda x: tg.sqrt(tg.square(x).sum(axis=1)), [0.0, 0.0, 0.0]),
    ("prod", lambda x: x.prod(axis=1), [0.0, np.inf, np.nan]),
    ("logsumexp", lambda x: x.logsumexp(axis=1), [np.inf, 0.0, np.nan]),
    ("logsumexp of -inf", lambda x: x.logsumexp(axis=1), [-np.inf] * 3),
    ("softmax", lambda x: x.softmax(axis=1)[:, 0], [-np.inf] * 3),
    ("log_softmax", lambda x: x.log_softmax(axis=1)[:, 0], [-np.inf] * 3),
    ("log_softmax of inf", lambda x: x.log_softmax(axis=1)[:, 0], [np.inf, 0.0, 1.0]),
    ("cross entropy", lambda x: fused.softmax_cross_entropy(x, np.array([0, 0])), [-np.inf] * 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "f", "bad"), ROWS, ids=[name for name, *_ in ROWS])
def test_where_shields_a_row(name: str, f: Callable[..., Any], bad: list[float]) -> None:
    """Rule 7, cases 26, 27: reductions and what normalises; of the first and second order."""
    del name
    good, mask = [0.3, 0.5, 0.7], np.array([False, True])
    x, alone = Tensor([bad, good]), Tensor([good, good])
    with np.errstate(all="ignore"):
        got = tg.gradients(tg.where(mask, f(x), 0.0), x, np.ones(2), create_graph=True)
        expected = tg.gradients(f(alone), alone, np.ones(2), create_graph=True)
        np.testing.assert_allclose(got.data, [[0.0] * 3, expected.data[1]], rtol=1e-12)
        v = np.array([[1.0, -2.0, 0.5]] * 2)
        curvature = tg.gradients(got, x, v, allow_unused=True)
        expected = tg.gradients(expected, alone, v, allow_unused=True)
    np.testing.assert_allclose(curvature, [[0.0] * 3, expected[1]], rtol=1e-9, atol=1e-12)


def test_a_zero_cotangent_keeps_its_own_derivative() -> None:
    """Rule 7: repairing by `where(g == 0, 0, ...)` would lose these."""
    x = Tensor(1.0)
    slope = tg.gradients(tg.log(x) ** 2, x, create_graph=True)
    assert tg.gradients(slope, x) == 2.0
    a = np.array([1.0, -2.0, 3.0])
    w = Tensor(2.0)
    slope = tg.gradients(tg.square(a * w - 2 * a).sum(), w, create_graph=True)
    assert slope.data == 0.0
    assert tg.gradients(slope, w) == 2 * np.square(a).sum()
    # A jvp as the vjp of a vjp, at u = 0.
    x, u = Tensor([1.0, 4.0]), Tensor([0.0, 0.0])
    pulled = tg.gradients(tg.sqrt(x), x, u, create_graph=True)
    np.testing.assert_allclose(tg.gradients(pulled, u, np.array([3.0, 8.0])), [1.5, 2.0])


def test_a_shield_of_the_second_order() -> None:
    """Case 21: where(x > 0, log(x), 0) and its like, at 0."""
    x = Tensor([0.0, 2.0])
    with np.errstate(all="ignore"):
        for f, slope, curvature in [(tg.log, 0.5, -0.25), (tg.sqrt, 8**-0.5, -(2.0**-3.5))]:
            got = tg.gradients(tg.where(x > 0, f(x), 0.0), x, np.ones(2), create_graph=True)
            np.testing.assert_allclose(got.data, [0.0, slope])
            np.testing.assert_allclose(tg.gradients(got, x, np.ones(2)), [0.0, curvature])


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("relu", tg.relu),
        ("clip", lambda x: tg.clip(x, 0.0, 9.0)),
        ("maximum of a number", lambda x: tg.maximum(x, 0.0)),
        ("maximum of an array", lambda x: tg.maximum(x, np.zeros(2))),
        ("where", lambda x: tg.where(x > 0, x, 0.0)),
    ],
)
def test_an_infinite_cotangent_stops_where_nothing_was_taken(
    name: str, f: Callable[..., Any]
) -> None:
    """Rules 1, 7: sqrt(relu(x)) is the constant 0 below 0, and its gradient there is 0."""
    del name
    x = Tensor([-1.0, 4.0])
    tg.sqrt(f(x)).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_an_infinite_cotangent_goes_to_the_extremum_alone() -> None:
    """Rule 4, cases 12, 14: sqrt(max) where the maximum is 0."""
    x, y = Tensor([0.0, -1.0]), Tensor([-1.0, 0.0])
    tg.sqrt(tg.max(x)).backward()
    assert x.grad.tolist() == [np.inf, 0.0]
    x.zero_grad()
    tg.sqrt(tg.maximum(x, y)).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([np.inf, 0.0], [0.0, np.inf])


# --- accuracy -------------------------------------------------------------------------------------


def longdoubles(points: Any) -> Any:
    return np.asarray(points, dtype=np.longdouble)


FORMULAS: list[tuple[str, Callable[..., Any], Callable[..., Any]]] = [
    ("sigmoid", tg.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    ("softplus", tg.softplus, lambda x: np.log1p(np.exp(x))),
    ("silu", tg.silu, lambda x: x / (1 + np.exp(-x))),
    ("gelu tanh", lambda x: tg.gelu(x, "tanh"), lambda x: x / (1 + np.exp(
        -2 * np.sqrt(longdoubles(2) / np.pi) * (x + longdoubles("0.044715") * x**3)))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "f", "formula"), FORMULAS, ids=[name for name, *_ in FORMULAS])
def test_activations_to_the_last_digits(
    name: str, f: Callable[..., Any], formula: Callable[..., Any]
) -> None:
    """Against the formula in longdouble, and its slope there by Richardson's differences."""
    # The formula itself overflows further out, and 1 + tanh loses digits below -3.
    x = Tensor(np.linspace(-3.0 if name == "gelu tanh" else -30.0, 30.0, 241))
    y = f(x)
    y.sum().backward()
    exact, h = longdoubles(x.data), longdoubles(2.0**-10)
    np.testing.assert_allclose(y.data, formula(exact), rtol=1e-14)
    narrow, wide = ((formula(exact + k) - formula(exact - k)) / (2 * k) for k in (h, 2 * h))
    np.testing.assert_allclose(x.grad, (4 * narrow - wide) / 3, rtol=3e-11, atol=1e-14)


def test_the_normal_distribution_to_the_last_digits() -> None:
    """gelu and its slope against math.erfc, into the far tail."""
    x = Tensor(np.linspace(-12.0, 12.0, 481))
    y = tg.gelu(x)
    y.sum().backward()
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in x.data])
    np.testing.assert_allclose(elementwise.normal_cdf(x).data, cdf, rtol=1e-13)
    np.testing.assert_allclose(y.data, x.data * cdf, rtol=1e-13)
    density = np.exp(-0.5 * x.data * x.data) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(x.grad, cdf + x.data * density, rtol=1e-12, atol=1e-40)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_picks_from_log_softmax(dtype: str, rng: np.random.Generator) -> None:
    labels = rng.integers(0, 7, (4, 5))
    x = Tensor((10 * rng.standard_normal((4, 5, 7))).astype(dtype))
    picked = -np.take_along_axis(tg.log_softmax(x), labels[..., None], axis=-1)[..., 0]
    got = fused.softmax_cross_entropy(x, labels)
    np.testing.assert_allclose(got.data, picked.data, rtol=1e-5 if dtype == "float32" else 1e-13)
    seed = rng.standard_normal((4, 5)).astype(dtype)
    np.testing.assert_allclose(
        tg.gradients(got, x, seed), tg.gradients(picked, x, seed), atol=16 * np.finfo(dtype).eps
    )


def test_linear_is_matmul_and_add(rng: np.random.Generator) -> None:
    x, w, b = (Tensor(rng.standard_normal(s)) for s in [(4, 5, 3), (2, 3), (2,)])
    seed = rng.standard_normal((4, 5, 2))
    one, other = fused.linear(x, w, b), x @ w.T + b
    np.testing.assert_array_equal(one.data, other.data)
    for g, h in zip(
        tg.gradients(one, [x, w, b], seed), tg.gradients(other, [x, w, b], seed), strict=True
    ):
        np.testing.assert_allclose(g, h, rtol=1e-12, atol=1e-14)


def test_deviation_of_equal_numbers_has_no_slope() -> None:
    """Case 32, with a number whose mean is rounded."""
    for n, value in [(3, 0.1), (6, 0.7), (10, 1.1)]:
        x = Tensor(np.full(n, value))
        tg.std(x).backward()
        assert x.grad.tolist() == [0.0] * n


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_last_of_several_values_stays(order: Any) -> None:
    """Case 60, where NumPy writes in the order of memory: the gradient is of what is there."""
    i = np.array([[0, 1], [1, 0]], order=order)
    v = tg.as_tensor(np.array([[1.0, 2.0], [3.0, 4.0]], order=order)).requires_grad_()
    y = tg.zeros(2)
    y[i] = v
    weights = np.array([10.0, 1.0])
    y.backward(weights)
    assert (v.grad * v.data).sum() == (y.data * weights).sum()


# --- PyTorch --------------------------------------------------------------------------------------

TORCH: list[tuple[str, Callable[..., Any], Callable[[Any], Callable[..., Any]], float]] = [
    ("gelu", tg.gelu, lambda F: F.gelu, 1e-12),
    ("gelu tanh", lambda x: tg.gelu(x, "tanh"), lambda F: lambda x: F.gelu(x, approximate="tanh"),
     1e-12),
    ("silu", tg.silu, lambda F: F.silu, 1e-12),
    ("softplus", tg.softplus, lambda F: F.softplus, 1e-8),
    ("sigmoid", tg.sigmoid, lambda F: F.sigmoid, 1e-12),
    ("leaky_relu", tg.leaky_relu, lambda F: F.leaky_relu, 1e-12),
    ("softmax", tg.softmax, lambda F: lambda x: F.softmax(x, -1), 1e-12),
    ("log_softmax", tg.log_softmax, lambda F: lambda x: F.log_softmax(x, -1), 1e-12),
    ("logsumexp", lambda x: tg.logsumexp(x, -1), lambda _: lambda x: x.logsumexp(-1), 1e-12),
    ("cross entropy", lambda x: fused.softmax_cross_entropy(x, np.arange(6) % 4),
     lambda F: lambda x: F.cross_entropy(x, _torch().arange(6) % 4, reduction="none"), 1e-12),
    ("linear", lambda x: fused.linear(x, x, x[0, :1] * np.ones(6)),
     lambda F: lambda x: F.linear(x, x, x[0, :1].expand(6)), 1e-12),
    ("std", lambda x: tg.std(x, 0, 1), lambda _: lambda x: x.std(0), 1e-12),
    ("prod", lambda x: tg.prod(x, 0), lambda _: lambda x: x.prod(0), 1e-12),
    ("einsum", lambda x: tg.einsum("ij,kj,ik->", x, x, x @ x.T),
     lambda _: lambda x: _torch().einsum("ij,kj,ik->", x, x, x @ x.T), 1e-12),
]  # fmt: skip


def _torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize(("name", "f", "theirs", "rtol"), TORCH, ids=[name for name, *_ in TORCH])
def test_like_pytorch(
    name: str,
    f: Callable[..., Any],
    theirs: Callable[[Any], Callable[..., Any]],
    rtol: float,
    rng: np.random.Generator,
) -> None:
    """Values, gradients and a product with the Hessian."""
    del name
    torch = _torch()
    points = 3 * rng.standard_normal((6, 4))
    x, u = Tensor(points), torch.tensor(points, requires_grad=True)
    y, z = f(x), theirs(torch.nn.functional)(u)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=rtol)
    seed = rng.standard_normal(y.shape)
    slope = tg.gradients(y, x, seed, create_graph=True)
    (their_slope,) = torch.autograd.grad(z, u, torch.tensor(seed), create_graph=True)
    np.testing.assert_allclose(slope.data, their_slope.detach().numpy(), rtol=rtol, atol=rtol)
    along = rng.standard_normal(points.shape)
    (theirs_twice,) = torch.autograd.grad(their_slope, u, torch.tensor(along))
    twice = tg.gradients(slope, x, along, allow_unused=True)
    np.testing.assert_allclose(twice, theirs_twice.numpy(), rtol=10 * rtol, atol=10 * rtol)
