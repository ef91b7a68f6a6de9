"""Chains as generated loops and as blocks of NumPy: equal to NumPy to the bit."""

from __future__ import annotations

import itertools
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.compiler import blocks, cache, loops
from tensorgrad.compiler.arithmetic import supported
from tensorgrad.compiler.arrangement import arranged
from tensorgrad.compiler.blocks import Blocks
from tensorgrad.compiler.chain import Chain, Line, Literal, Operand
from tensorgrad.compiler.loops import Loop, compiled_loop, reason

F4, F8, BOOL = np.dtype("f4"), np.dtype("f8"), np.dtype(bool)

UNARY = ["absolute", "negative", "positive", "reciprocal", "sqrt", "square"]
BINARY = ["add", "divide", "maximum", "minimum", "multiply", "subtract"]
COMPARE = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
LOGIC = ["bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_or", "logical_xor"]
NUMBERS = [0, -2, -0.0, 0.1, float("-inf"), float("nan"), True]


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loops")


@pytest.fixture
def numba(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(cache.VARIABLE, str(cache_folder))
    return pytest.importorskip("numba")


Build = Callable[[Chain, Mapping[int, int]], Any]


@pytest.fixture(params=["loop", "blocks", "small blocks"])
def build(request: pytest.FixtureRequest) -> Build:
    """Return what makes something that runs a chain."""
    if request.param == "loop":
        request.getfixturevalue("numba")

        def loop(chain: Chain, in_place: Mapping[int, int]) -> Loop:
            found = compiled_loop(chain, in_place)
            assert found is not None, reason(chain, in_place)
            return found

        return loop
    block = 16 if request.param == "small blocks" else blocks.BLOCK
    return lambda chain, in_place: Blocks(chain, in_place, block)


def special(dtype: np.dtype[Any]) -> Any:
    """Return the values where functions differ: zeros, infinities, NaN, denormals, extremes."""
    if dtype == BOOL:
        return np.array([False, True])
    info = np.finfo(dtype)
    values = [0.0, 1.0, 0.1, 1 / 3, 2.5, 1e-8, np.inf, np.nan, info.max, info.tiny]
    values += [float(info.smallest_subnormal), float(info.tiny) / 3, 16777217.0]
    return np.array([*values, *(-v for v in values)], dtype)


def evaluated(chain: Chain, inputs: list[Any]) -> list[Any]:
    """Return what NumPy's functions give, one after the other."""
    values = list(inputs)
    with np.errstate(all="ignore"):
        for line in chain.lines:
            given = [o.value if isinstance(o, Literal) else values[o] for o in line.operands]
            if line.function == "astype":
                found = np.asarray(given[0]).astype(line.dtype)
            else:
                found = getattr(np, line.function)(*given)
            assert found.dtype == line.dtype
            values.append(found)
    return [np.broadcast_to(values[k], chain.shape) for k in chain.outputs]


def assert_same_bits(found: Any, expected: Any) -> None:
    """Compare bits; of NaN only that it is one: neither IEEE 754 nor NumPy fix the rest."""
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if found.dtype.kind == "f":
        numbers = ~np.isnan(expected)
        assert (np.signbit(found) == np.signbit(expected))[numbers].all()


def check(
    build: Build, chain: Chain, inputs: list[Any], in_place: Mapping[int, int] | None = None
) -> Any:
    """Run a chain, loops in one thread and in two, and compare with NumPy."""
    expected = [e.copy() for e in evaluated(chain, inputs)]
    in_place = in_place or {}
    runner = build(chain, in_place)
    for threads in ({}, {"threads": 2}) if isinstance(runner, Loop) else ({},):
        given = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
        outputs = [
            given[in_place[k]] if k in in_place else np.empty(chain.shape, e.dtype)
            for k, e in enumerate(expected)
        ]
        arrays = [x for x in given if isinstance(x, np.ndarray)]
        scalars = [x for x in given if not isinstance(x, np.ndarray)]
        with np.errstate(all="ignore"):
            runner.bind(arrays, outputs, **threads)(*scalars)
        for found, wanted in zip(outputs, expected, strict=True):
            assert_same_bits(found, wanted)
    return runner


def chain_of(function: str, inputs: list[Any], dtype: Any, *operands: Any) -> Chain:
    """Return a chain of one line over arrays."""
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    given = operands or tuple(range(len(inputs)))
    line = Line(function, given, np.dtype(dtype))
    declared = tuple(Operand(x.shape, x.dtype) for x in inputs)
    return Chain(shape, declared, (line,), (len(inputs),))


def pairs(dtype: np.dtype[Any]) -> list[Any]:
    """Return two arrays with all pairs of special values."""
    values = np.array(list(itertools.product(special(dtype), repeat=2)), dtype)
    return [np.ascontiguousarray(column) for column in values.T]


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two threads work on few elements."""
    monkeypatch.setattr(loops, "ARITHMETIC", 1)


pytestmark = pytest.mark.usefixtures("halves")


# --- each function --------------------------------------------------------------------------------


def chain_of_each(names: list[str], inputs: list[Any], rows: list[Any]) -> Chain:
    """Return a chain that stores what each function gives for each row of operands."""
    operands = tuple(Operand(x.shape, x.dtype) for x in inputs)
    dtype = inputs[-1].dtype
    lines = tuple(
        Line(name, row, BOOL if name in COMPARE + LOGIC else dtype)
        for name in names
        for row in rows
    )
    count = len(inputs)
    return Chain(inputs[0].shape, operands, lines, tuple(range(count, count + len(lines))))


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
def test_functions_of_one_operand(build: Build, dtype: np.dtype[Any]) -> None:
    x = np.tile(special(dtype), 9)
    check(build, chain_of_each(UNARY, [x], [(0,)]), [x])


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
def test_functions_of_two_operands(build: Build, dtype: np.dtype[Any]) -> None:
    arrays = pairs(dtype)
    check(build, chain_of_each(BINARY + COMPARE, arrays, [(0, 1)]), arrays)


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
@pytest.mark.parametrize("first", [True, False], ids=["number first", "number second"])
def test_python_numbers_take_the_dtype_of_the_other(
    build: Build, dtype: np.dtype[Any], first: bool
) -> None:
    x = np.tile(special(dtype), 3)
    numbers = [Literal(number) for number in NUMBERS]
    rows = [(number, 0) if first else (0, number) for number in numbers]
    check(build, chain_of_each(BINARY + COMPARE, [x], rows), [x])


def test_logic(build: Build) -> None:
    arrays = [np.tile(x, 20) for x in pairs(BOOL)]
    check(build, chain_of_each([*LOGIC, "equal", "not_equal"], arrays, [(0, 1)]), arrays)


@pytest.mark.parametrize("function", ["logical_not", "invert"])
def test_not(build: Build, function: str) -> None:
    x = np.tile([True, False, False], 13)
    check(build, chain_of(function, [x], BOOL), [x])


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
def test_where(build: Build, dtype: np.dtype[Any]) -> None:
    arrays = pairs(dtype)
    condition = np.resize([True, False, True, True, False], arrays[0].size)
    check(build, chain_of("where", [condition, *arrays], dtype), [condition, *arrays])
    chain = chain_of("where", [condition, arrays[0]], dtype, 0, Literal(-0.0), 1)
    check(build, chain, [condition, arrays[0]])


@pytest.mark.parametrize("new", [F4, F8], ids=str)
@pytest.mark.parametrize("old", [F4, F8, BOOL, np.dtype("i8"), np.dtype("u1")], ids=str)
def test_astype(build: Build, old: np.dtype[Any], new: np.dtype[Any]) -> None:
    x = np.tile(special(old), 5) if old.kind in "fb" else np.arange(-200, 200).astype(old)
    check(build, chain_of("astype", [x], new), [x])


@pytest.mark.parametrize("dtype", ["i8", "i4", "u1"])
def test_integers_are_compared(build: Build, dtype: str) -> None:
    arrays = [np.arange(100).astype(dtype), np.arange(100)[::-1].astype(dtype)]
    check(build, chain_of_each(COMPARE, arrays, [(0, 1), (0, Literal(50))]), arrays)


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [(BOOL, F4, F4), (F4, BOOL, F4), (BOOL, F8, F8), (F4, F8, F8), (np.dtype("i8"), F4, F8)],
    ids=str,
)
def test_dtypes_meet_as_in_numpy(build: Build, left: Any, right: Any, result: Any) -> None:
    x = np.resize([0, 1, 5, 3, 16777217], 99).astype(left)
    y = np.linspace(-2, 2, 99).astype(right)
    check(build, chain_of("multiply", [x, y], result), [x, y])


@pytest.mark.parametrize(
    ("function", "operands", "result"),
    [
        ("exp", [F4], F4), ("tanh", [F8], F8), ("log", [F4], F4), ("power", [F4, F4], F4),
        ("add", [np.dtype("i8")] * 2, np.dtype("i8")), ("divide", [np.dtype("i8")] * 2, F8),
        ("add", [BOOL, BOOL], BOOL), ("multiply", [np.dtype("f2")] * 2, np.dtype("f2")),
        ("add", [F4, Literal(1e300)], F4), ("add", [F4, Literal(2**24 + 1)], F4),
        ("sqrt", [BOOL], np.dtype("f2")), ("multiply", [np.dtype("c8")] * 2, np.dtype("c8")),
        ("astype", [F4], np.dtype("i8")), ("astype", [F4], BOOL), ("add", [F4, F4], F8),
        ("equal", [np.dtype("i8"), np.dtype("u8")], BOOL), ("logical_and", [F4, F4], BOOL),
        ("less", [np.dtype("u1"), Literal(300)], BOOL), ("where", [F4, F4, F4], F4),
    ],
)  # fmt: skip
def test_what_is_left_to_numpy(function: str, operands: Any, result: np.dtype[Any]) -> None:
    assert not supported(function, operands, result)


# --- shapes ---------------------------------------------------------------------------------------

SHAPES = [
    ((60, 33), (60, 33), (33,)),
    ((60, 33), (60, 33), (1, 33)),
    ((60, 33), (60, 33), (60, 1)),
    ((60, 33), (33,), (60, 1)),
    ((5, 7, 9), (5, 7, 9), (7, 9)),
    ((5, 7, 9), (5, 7, 1), (9,)),
    ((50, 1), (50, 1), (1,)),
    ((50,), (50,), (1,)),
    ((0, 4), (0, 4), (4,)),
    ((1, 1), (1, 1), (1,)),
]


@pytest.mark.parametrize(("shape", "left", "right"), SHAPES, ids=str)
def test_shapes(build: Build, shape: Any, left: Any, right: Any) -> None:
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=s).astype(F4) for s in (left, right))
    chain = chain_of("subtract", [x, y], F4)
    assert chain.shape == shape
    check(build, chain, [x, y])


@pytest.mark.parametrize(
    ("shape", "others"),
    [((), [()]), ((3, 4, 5), [(3, 1, 5)]), ((3, 4, 5), [(3, 1, 1), (5,), (4, 5), (3, 4, 1)])],
)
def test_shapes_that_are_left_to_numpy(shape: Any, others: Any) -> None:
    operands = tuple(Operand(s, F4) for s in (shape, *others))
    chain = Chain(shape, operands, (Line("add", (0, 1), F4),), (len(operands),))
    assert arranged(chain) is None
    assert compiled_loop(chain) is None
    assert "two axes" in reason(chain)
    with pytest.raises(ValueError, match="two axes"):
        Blocks(chain)


def test_scalars_are_given_at_each_call(build: Build) -> None:
    x = np.linspace(-1, 1, 40, dtype=F4)
    declared = (Operand((), F4), Operand((40,), F4), Operand((), F8))
    lines = (
        Line("multiply", (0, 1), F4), Line("add", (3, 0), F4), Line("multiply", (4, 2), F8)
    )  # fmt: skip
    chain = Chain((40,), declared, lines, (5,))
    out = np.empty(40, F8)
    call = build(chain, {}).bind([x], [out])
    for rate in (0.1, 0.7):
        given = [np.float32(rate), x, np.float64(rate)]
        call(given[0], given[2])
        assert_same_bits(out, evaluated(chain, given)[0])
    build(chain, {})(np.float32(3), x, np.float64(2), out)
    assert_same_bits(out, evaluated(chain, [np.float32(3), x, np.float64(2)])[0])


def test_read_only_inputs(build: Build) -> None:
    x = np.arange(40, dtype=F4)
    x.flags.writeable = False
    out = np.empty_like(x)
    call = build(chain_of("square", [x], F4), {}).bind([x], [out])
    call()
    assert_same_bits(out, x * x)


@pytest.mark.parametrize(
    ("arrays", "outputs", "message"),
    [
        ([np.zeros(5, F8)], [np.zeros(5, F4)], r"got float64\[5\].*expected float32\[5\]"),
        ([np.zeros(6, F4)], [np.zeros(5, F4)], r"got float32\[6\]"),
        ([np.zeros(10, F4)[::2]], [np.zeros(5, F4)], r"strides \(8,\)"),
        ([], [np.zeros(5, F4)], "0 arrays and 1 outputs were given, expected 1 and 1"),
        ([np.zeros(5, F4)], [np.frombuffer(bytes(20), F4)], "output 0 is read-only"),
    ],
    ids=["dtype", "shape", "strides", "count", "read-only"],
)
def test_what_does_not_fit_is_refused(
    build: Build, arrays: Any, outputs: Any, message: str
) -> None:
    runner = build(chain_of("square", [np.zeros(5, F4)], F4), {})
    with pytest.raises(ValueError, match=message):
        runner.bind(arrays, outputs)


# --- in place -------------------------------------------------------------------------------------


def adam(size: int, dtype: np.dtype[Any] = F4) -> Chain:
    """Return the update of p, m and v from p, g, m, v, the rate and a correction."""
    full, number, one = Operand((size,), dtype), Operand((), dtype), Literal
    table: list[tuple[str, Any, Any]] = [
        ("multiply", 2, one(0.9)), ("multiply", 1, one(0.1)), ("add", 6, 7), ("square", 1, None),
        ("multiply", 3, one(0.999)), ("multiply", 9, one(0.001)), ("add", 10, 11),
        ("divide", 12, 5), ("sqrt", 13, None), ("add", 14, one(1e-8)), ("divide", 8, 15),
        ("multiply", 16, 4), ("subtract", 0, 17),
    ]  # fmt: skip
    lines = tuple(
        Line(name, tuple(o for o in rest if o is not None), dtype) for name, *rest in table
    )
    return Chain((size,), (full, full, full, full, number, number), lines, (18, 8, 12))


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
@pytest.mark.parametrize("size", [1, 64, 337, 1000])
def test_an_update_in_place(build: Build, size: int, dtype: np.dtype[Any]) -> None:
    rng = np.random.default_rng(2)
    inputs = [np.abs(rng.normal(size=size)).astype(dtype) for _ in range(4)]
    given = [*inputs, dtype.type(0.001), dtype.type(0.271)]
    check(build, adam(size, dtype), given, {0: 0, 1: 2, 2: 3})
    check(build, adam(size, dtype), given)


def test_an_input_that_is_read_later_is_not_written_over(build: Build) -> None:
    x, y = np.arange(1, 101, dtype=F4), np.arange(100, dtype=F4)[::-1].copy()
    full = Operand((100,), F4)
    lines = (Line("add", (0, 1), F4), Line("multiply", (0, 2), F4), Line("negative", (2,), F4))
    chain = Chain((100,), (full, full), lines, (2, 3, 4))
    check(build, chain, [x, y], {0: 0})
    check(build, chain, [x, y], {0: 1, 2: 0})


def test_arrays_change_places(build: Build) -> None:
    x, y = np.arange(100, dtype=F4), -np.arange(100, dtype=F4)
    full = Operand((100,), F4)
    chain = Chain((100,), (full, full), (Line("add", (0, 1), F4),), (1, 0))
    check(build, chain, [x, y], {0: 0, 1: 1})


@pytest.mark.parametrize("place", [0, 1, 2])
def test_where_in_place(build: Build, place: int) -> None:
    condition = np.resize([True, False, True], 100)
    x, y = np.arange(100, dtype=F4), -np.arange(100, dtype=F4)
    if place:
        check(build, chain_of("where", [condition, x, y], F4), [condition, x, y], {0: place})
    else:
        arrays = [condition, condition[::-1].copy(), ~condition]
        check(build, chain_of("where", arrays, BOOL), arrays, {0: place})


def test_memory_shared_without_saying_so_is_refused(build: Build) -> None:
    x = np.arange(6, dtype=F4)
    chain = chain_of("square", [x[:5]], F4)
    with pytest.raises(ValueError, match="output 0 shares memory with input 0"):
        build(chain, {}).bind([x[:5]], [x[1:]])
    with pytest.raises(ValueError, match="output 0 is not input 0"):
        build(chain, {0: 0}).bind([x[:5]], [x[1:]])


# --- random chains --------------------------------------------------------------------------------


def random_chain(rng: np.random.Generator, shape: Any, others: Any) -> Chain:
    """Return a chain of functions drawn at random, over full and broadcast operands."""
    dtype = rng.choice([F4, F8])
    operands = [Operand(s, dtype) for s in (shape, shape, *others, ())]
    kinds = {"f": list(range(len(operands))), "b": []}
    lines: list[Line] = []
    for _ in range(int(rng.integers(3, 14))):
        numbers, masks = kinds["f"], kinds["b"]
        kind = rng.choice(["unary", "binary", "compare", "mask", "where", "logic"])
        x, y = (int(v) for v in rng.choice(numbers, 2))
        result, name, given = dtype, "", (x,)
        if kind == "unary":
            name = str(rng.choice(UNARY))
        elif kind == "binary" or (not masks and kind != "compare"):
            name, given = str(rng.choice(BINARY)), (x, Literal(0.1) if y % 3 == 0 else y)
        elif kind == "compare":
            name, given, result = str(rng.choice(COMPARE)), (x, y), BOOL
        elif kind == "mask":
            name, given = "multiply", (x, int(rng.choice(masks)))
        elif kind == "where":
            name, given = "where", (int(rng.choice(masks)), x, y)
        else:
            p, q = (int(v) for v in rng.choice(masks, 2))
            name, given, result = str(rng.choice(LOGIC)), (p, q), BOOL
        lines.append(Line(name, given, result))
        kinds["b" if result == BOOL else "f"].append(len(operands) + len(lines) - 1)
    count = len(operands) + len(lines)
    outputs = {count - 1, *(int(v) for v in rng.integers(len(operands), count, 2))}
    return Chain(shape, tuple(operands), tuple(lines), tuple(sorted(outputs)))


@pytest.mark.parametrize("seed", range(8))
def test_random_chains(build: Build, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, others = [
        ((200,), []),
        ((200,), [(1,)]),
        ((19, 21), [(21,), (19, 1)]),
        ((4, 5, 6), [(5, 6), (4, 1, 1)]),
    ][seed % 4]
    chain = random_chain(rng, shape, others)
    inputs = [
        rng.choice(special(o.dtype), size=o.shape) if o.shape else o.dtype.type(rng.normal())
        for o in chain.inputs
    ]
    place = next(
        ({k: 1} for k, v in enumerate(chain.outputs) if chain.dtype_of(v) == chain.inputs[1].dtype),
        {},
    )
    check(build, chain, inputs, place)
    normal = [
        rng.normal(size=o.shape).astype(o.dtype) if o.shape else x
        for o, x in zip(chain.inputs, inputs, strict=True)
    ]
    check(build, chain, normal)


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
def test_blocks_run_every_function(dtype: np.dtype[Any]) -> None:
    x = np.random.default_rng(3).uniform(0.1, 0.9, (301, 7)).astype(dtype)
    full = Operand(x.shape, dtype)
    names = ["exp", "tanh", "log", "sin", "arctan", "expm1", "log1p", "cbrt", "floor", "sign"]
    lines = [Line(name, (n,), dtype) for n, name in enumerate(names)]
    lines += [Line("power", (0, Literal(2.5)), dtype), Line("arctan2", (11, 0), dtype)]
    chain = Chain(x.shape, (full,), tuple(lines), (1, 5, len(lines)))
    for block in (100, 1000, 100_000):
        check(lambda c, p, block=block: Blocks(c, p, block), chain, [x])


def test_blocks_reuse_memory() -> None:
    runner = Blocks(adam(200_000), {0: 0, 1: 2, 2: 3})
    assert runner.nbytes == blocks.BLOCK * 4
    assert "np.multiply(x2, 0.9, out=x2)" in runner.source
    assert "np.subtract(x0, s0, out=x0)" in runner.source


def test_errors_are_handled_as_the_caller_has_it() -> None:
    x = np.zeros(100, F4)
    call = Blocks(chain_of("reciprocal", [x], F4), block=16).bind([x], [np.empty_like(x)])
    with np.errstate(divide="ignore"):
        call()
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        call()


# --- what is generated ----------------------------------------------------------------------------


def assembly(loop: Loop) -> str:
    (found,) = loop._kernel.function.inspect_asm().values()  # type: ignore[attr-defined]
    return str(found)


@pytest.mark.usefixtures("numba")
def test_the_source_is_readable() -> None:
    x, bias = np.zeros((6, 5), F4), np.zeros(5, F4)
    lines = (Line("add", (0, 1), F4), Line("maximum", (2, Literal(0)), F4))
    operands = (Operand((6, 5), F4), Operand((5,), F4))
    loop = check(compiled_loop, Chain((6, 5), operands, lines, (3,)), [x, bias])
    assert loop.source == (
        "def loop(x0, x1, y0):\n"
        "    for r in range(y0.shape[0]):\n"
        "        x0_row = x0[r]\n"
        "        y0_row = y0[r]\n"
        "        for i in range(y0_row.size):\n"
        "            a0 = x0_row[i]\n"
        "            a1 = x1[i]\n"
        "            v0 = a0 + a1\n"
        "            v1 = v0 if (v0 > np.float32(0.0)) | (v0 != v0) else np.float32(0.0)\n"
        "            y0_row[i] = v1\n"
    )


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
@pytest.mark.usefixtures("numba")
def test_loops_are_vectorised_and_contract_nothing() -> None:
    full, row = Operand((60, 64), F4), Operand((64,), F4)
    relu = (Line("add", (0, 1), F4), Line("maximum", (2, Literal(0.0)), F4))
    backward = (Line("greater", (1, Literal(0)), BOOL), Line("multiply", (0, 2), F4))
    packed = {
        "addps": compiled_loop(Chain((60, 64), (full, row), relu, (3,))),
        "mulps": compiled_loop(Chain((60, 64), (full, full), backward, (3,))),
        "sqrtps": compiled_loop(adam(1000), {0: 0, 1: 2, 2: 3}),
    }
    for mnemonic, loop in packed.items():
        assert loop is not None
        assert mnemonic in assembly(loop)
        assert not re.search(r"vfn?m(add|sub)", assembly(loop))
