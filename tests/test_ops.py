"""Every operation, judged by the table in `op_cases.py`: values, gradients, dtypes, memory, law.

What is particular to one operation stands in `test_ops_special.py`.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from case import Case
from op_cases import CASES
from standin import StandIn, unboxed
from tensorgrad import Tensor, ops
from tensorgrad.graph import Node, topological_order
from tensorgrad.numpy_api.table import NUMPY_TABLE, SUPPORT, Support
from tensorgrad.op import Op, op, unbroadcast
from tensorgrad.testing import check_grads

ROOMS = tuple(
    importlib.import_module(f"{ops.__name__}.{room.name}")
    for room in pkgutil.iter_modules(ops.__path__)
)
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
EACH_IN_ITS_DTYPES = pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(case, dtype, id=f"{case.name}-{dtype}")
        for case in CASES
        for dtype in case.dtypes
    ],
)


def leaves(arrays: list[Any]) -> list[Tensor]:
    """Return recording tensors on these very arrays, which nothing may write to."""
    for array in arrays:
        array.flags.writeable = False
    return [tg.as_tensor(array).requires_grad_() for array in arrays]


def cotangent(out: Any) -> Any:
    """Draw a cotangent for a result, of its dtype, that nothing may write to."""
    rng = np.random.default_rng(1)
    drawn = rng.uniform(0.5, 1.5, out.shape)
    if out.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(0.5, 1.5, out.shape)
    drawn = np.asarray(drawn).astype(out.dtype)
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
    for part in (np.real, np.imag) if got.dtype.kind == "c" else (np.asarray,):
        np.testing.assert_array_equal(np.signbit(part(got)), np.signbit(part(expected)))


def assert_alike(got: Any, expected: Any, dtype: Any = "float64") -> None:
    """Compare up to a few roundings of a dtype."""
    rtol = 1e-11 if dtype == "float64" else 32 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol / 100)


@EACH_IN_ITS_DTYPES
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
    # The complex step is for functions that are real on real numbers.
    if case.holomorphic and not np.iscomplexobj(case.reference(*case.draw(), *case.data)):

        def f(*xs: Any) -> Any:
            # The data's own dtype must not turn the complex numbers of the step away.
            return case.reference(*xs, *case.data)

        check_grads(f, *case.draw(), method="complex", order=case.order)
    else:
        check_grads(lambda *xs: case.function(*xs, *case.data), *case.draw(), order=case.order)


@EACH_IN_ITS_DTYPES
def test_gradients_keep_shape_and_dtype(case: Case, dtype: str) -> None:
    """Rule 9, case 66."""
    arrays = case.draw(dtype=dtype)
    _, *grads = result_and_grads(case.function, arrays, case.data)
    for array, grad in zip(arrays, grads, strict=True):
        assert (grad.shape, grad.dtype) == (array.shape, array.dtype)


def rule_results(node: Node, g: Any) -> Iterator[tuple[Node, Any]]:
    """Run the rules of a node as the engine does; yield each parent with what is for it."""
    assert node.op is not None
    if node.op.accumulates:
        into = np.zeros(node.parents[0].shape, g.dtype)  # type: ignore[union-attr]
        node.op.rules[0](into, g, node.out, *node.inputs, **node.params)  # type: ignore[misc]
        results = [into]
    elif node.op.overwrites:
        first, *rest = node.op.rules
        results = [
            rule and parent and rule(g, node.out, *node.inputs, **node.params)
            for rule, parent in zip(rest, node.parents[1:], strict=False)
        ]
        results = [first(np.copy(g), node.out, *node.inputs, **node.params), *results]  # type: ignore[misc]
    elif node.op.joint:
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
    """Return the dtype of floats or of their pairs; numbers have none, and labels do not count."""
    dtype = getattr(value, "dtype", None)
    return np.finfo(dtype).dtype if dtype is not None and dtype.kind in "fc" else None


@EACH_IN_ITS_DTYPES
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
                    assert {floating(result)} == floats, node
                assert not any(np.may_share_memory(result, array) for array in read), node


@EACH
def test_gradients_share_no_memory(case: Case) -> None:
    """Case 81: not with each other, nor with the data, the result or the seed."""
    xs = [Tensor(array) for array in case.draw()]
    out = case.function(*xs, *case.data)
    seed = cotangent(out)
    out.backward(seed)
    grads = [x.grad for x in xs]
    # Single numbers on the way show their gradients too.
    nodes = topological_order(out._node)
    inner = [node.grad for node in nodes if node.grad is not None]
    others = [*(x.data for x in xs), out.data, seed]
    for grad in inner:
        assert not any(np.may_share_memory(grad, other) for other in [*grads, seed])
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
    if order > case.stands_in:
        return
    for got, expected in zip(on(StandIn, case, order), on(np.asarray, case, order), strict=True):
        assert type(got) is StandIn
        # Not to the bit: a copy in another layout may multiply in another order (case 108).
        got, expected = unboxed(got), np.asarray(expected)
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        assert_alike(got, expected)


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
        if name in set(tg.__all__) - {"supports"}
        and getattr(value, "__module__", "").startswith("tensorgrad.numpy_api")
    }
    table = {
        key: value
        for key, value in NUMPY_TABLE.items()
        if SUPPORT[key] not in (Support.NO_GRADIENT, Support.REFUSED)
        and "_constant" not in value.__qualname__
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
