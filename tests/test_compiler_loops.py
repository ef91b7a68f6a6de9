"""Chains as generated loops and as blocks of NumPy: equal to NumPy to the bit."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.compiler import blocks, cache, loops, threads
from tensorgrad.compiler.arithmetic import supported
from tensorgrad.compiler.arrangement import arranged
from tensorgrad.compiler.blocks import Blocks
from tensorgrad.compiler.chain import Chain, Line, Literal, Operand
from tensorgrad.compiler.loops import Loop, compiled_loop, reason

ROOT = Path(__file__).parents[1]
F4, F8, BOOL = np.dtype("f4"), np.dtype("f8"), np.dtype(bool)

UNARY = ["absolute", "negative", "positive", "reciprocal", "sqrt", "square"]
BINARY = ["add", "divide", "maximum", "minimum", "multiply", "subtract"]
COMPARE = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
LOGIC = ["bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_or", "logical_xor"]
NUMBERS = [0, 1, -2, 0.0, -0.0, 0.1, 1e-3, 3.4e38, float("inf"), float("nan"), True]


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
    """Run a chain, in one thread and in two, and compare with NumPy."""
    expected = [e.copy() for e in evaluated(chain, inputs)]
    in_place = in_place or {}
    runner = build(chain, in_place)
    for count in (1, 2):
        given = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
        outputs = [
            given[in_place[k]] if k in in_place else np.empty(chain.shape, e.dtype)
            for k, e in enumerate(expected)
        ]
        arrays = [x for x in given if isinstance(x, np.ndarray)]
        scalars = [x for x in given if not isinstance(x, np.ndarray)]
        with np.errstate(all="ignore"):
            runner.bind(arrays, outputs, threads=count)(*scalars)
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
    for module in (loops, blocks):
        monkeypatch.setattr(module, "ARITHMETIC", 1)
    monkeypatch.setattr(blocks, "TRANSCENDENTAL", 1)


pytestmark = pytest.mark.usefixtures("halves")


# --- each function --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
@pytest.mark.parametrize("function", UNARY)
def test_functions_of_one_operand(build: Build, function: str, dtype: np.dtype[Any]) -> None:
    x = np.tile(special(dtype), 9)
    check(build, chain_of(function, [x], dtype), [x])


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
@pytest.mark.parametrize("function", BINARY + COMPARE)
def test_functions_of_two_operands(build: Build, function: str, dtype: np.dtype[Any]) -> None:
    arrays = pairs(dtype)
    check(build, chain_of(function, arrays, BOOL if function in COMPARE else dtype), arrays)


@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
@pytest.mark.parametrize("function", BINARY + COMPARE)
def test_python_numbers_take_the_dtype_of_the_other(
    build: Build, function: str, dtype: np.dtype[Any]
) -> None:
    x = np.tile(special(dtype), 3)
    result = BOOL if function in COMPARE else dtype
    lines, shape = [], (x.size,)
    for number in NUMBERS:
        lines += [Line(function, (0, Literal(number)), result)]
        lines += [Line(function, (Literal(number), 0), result)]
    outputs = tuple(range(1, 1 + len(lines)))
    check(build, Chain(shape, (Operand(shape, dtype),), tuple(lines), outputs), [x])


@pytest.mark.parametrize("function", [*LOGIC, "equal", "not_equal"])
def test_logic(build: Build, function: str) -> None:
    arrays = [np.tile(x, 20) for x in pairs(BOOL)]
    check(build, chain_of(function, arrays, BOOL), arrays)


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
@pytest.mark.parametrize("function", COMPARE)
def test_integers_are_compared(build: Build, function: str, dtype: str) -> None:
    x, y = np.arange(100).astype(dtype), np.arange(100)[::-1].astype(dtype)
    check(build, chain_of(function, [x, y], BOOL), [x, y])
    check(build, chain_of(function, [x], BOOL, 0, Literal(50)), [x])


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
    ((5, 7, 9), (5, 7, 9), (5, 1, 1)),
    ((5, 7, 9), (5, 7, 1), (9,)),
    ((50, 1), (50, 1), (1,)),
    ((50,), (50,), (1,)),
    ((1, 50), (1, 50), (50,)),
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
    check(build, chain_of("square", [x], F4), [x])
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
    arrays = [condition, x, y] if place else [condition, condition[::-1].copy(), ~condition]
    dtype = F4 if place else BOOL
    if place:
        check(build, chain_of("where", arrays, dtype), arrays, {0: place})
    else:  # of booleans: not a loop
        chain = chain_of("where", arrays, dtype)
        check(lambda c, p: Blocks(c, p, 16), chain, arrays, {0: place})


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


@pytest.mark.parametrize("seed", range(12))
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
    assert runner.nbytes == 2 * blocks.BLOCK * 4
    assert "np.multiply(x2, 0.9, out=s0)" in runner.source
    assert "np.subtract(x0, s1, out=x0)" in runner.source


def test_errors_are_handled_as_the_caller_has_it() -> None:
    x = np.zeros(100, F4)
    call = Blocks(chain_of("reciprocal", [x], F4), block=16).bind([x], [np.empty_like(x)], 2)
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


@pytest.mark.skipif(
    not any(name in os.uname().machine for name in ("x86_64", "AMD64"))
    if hasattr(os, "uname")
    else True,
    reason="reads x86 assembly",
)
@pytest.mark.usefixtures("numba")
def test_loops_are_vectorised_and_contract_nothing() -> None:
    full, row = Operand((60, 64), F4), Operand((64,), F4)
    relu = (Line("add", (0, 1), F4), Line("maximum", (2, Literal(0.0)), F4))
    backward = (Line("greater", (1, Literal(0)), BOOL), Line("multiply", (0, 2), F4))
    update = compiled_loop(adam(1000), {0: 0, 1: 2, 2: 3})
    chains = {
        "maxps": compiled_loop(Chain((60, 64), (full, row), relu, (3,))),
        "cmp": compiled_loop(Chain((60, 64), (full, full), backward, (3,))),
        "sqrtps": update,
    }
    for mnemonic, loop in chains.items():
        assert loop is not None
        text = assembly(loop)
        assert "vfm" not in text
        assert "vfnm" not in text
        if mnemonic != "maxps":
            assert mnemonic in text
        assert "mulps" in text or "addps" in text or "andps" in text or "vpand" in text


# --- cache ----------------------------------------------------------------------------------------

PROGRAM = """
import numpy as np
from tensorgrad.compiler.chain import Chain, Line, Literal, Operand
from tensorgrad.compiler.loops import compiled_loop, reason
x = Operand((100,), np.dtype("f4"))
chain = Chain((100,), (x,), (Line("multiply", (0, Literal(0.3)), x.dtype),), (1,))
loop = compiled_loop(chain)
print(reason(chain) if loop is None else loop.from_cache)
"""


def run(program: str, folder: Path, **more: str) -> str:
    """Run a program in another process, and return what it printed."""
    environment = os.environ | {cache.VARIABLE: str(folder), "PYTHONPATH": str(ROOT)} | more
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.usefixtures("numba")
def test_another_process_loads_what_one_compiled(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert run(PROGRAM, folder) == "False"
    assert run(PROGRAM, folder) == "True"
    (source,) = folder.rglob("loop_*.py")
    assert source.parent.stat().st_mode & 0o777 == 0o700 or sys.platform == "win32"
    for broken in (source, *folder.rglob("*.nbi"), *folder.rglob("*.nbc")):
        broken.write_bytes(b"\x80broken")
        assert run(PROGRAM, folder) in ("False", "True")
        assert run(PROGRAM, folder) in ("False", "True")
    assert run(PROGRAM, folder) == "True"


@pytest.mark.usefixtures("numba")
def test_without_a_folder_it_is_compiled_each_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert run(PROGRAM, file) == "False"
    assert run(PROGRAM, file) == "False"


posix = pytest.mark.skipif(sys.platform == "win32", reason="folders have no mode")


@posix
def test_a_folder_that_others_may_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fine", "open", "parent", "link"):
        monkeypatch.setenv(cache.VARIABLE, str(tmp_path / name))
        if name == "open":
            (tmp_path / name / "v").mkdir(parents=True)
            (tmp_path / name / "v").chmod(0o777)
        elif name == "parent":
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(0o777)
        elif name == "link":
            (tmp_path / name).mkdir()
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            (tmp_path / name / "v").symlink_to(tmp_path / "elsewhere")
        assert (cache.stored("text", "v") is not None) == (name == "fine"), name


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache.location().name == "tensorgrad"
    if sys.platform == "linux":
        assert cache.location() == tmp_path / "tensorgrad"


def test_a_file_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    path = cache.stored("one", "v")
    assert path is not None
    path.write_text("another")
    assert cache.stored("one", "v") == path
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_without_numba_there_is_a_reason(tmp_path: Path) -> None:
    program = "import sys\nsys.modules['numba'] = None\n" + PROGRAM
    assert run(program, tmp_path).startswith("numba cannot be imported")


def test_a_loop_that_cannot_be_compiled_says_why(
    numba: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def njit(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such processor")

    monkeypatch.setattr(numba, "njit", njit)
    monkeypatch.setattr(loops, "_kernels", {})
    chain = chain_of("square", [np.zeros(5, F4)], F4)
    assert compiled_loop(chain) is None
    assert reason(chain) == "numba failed: RuntimeError: no such processor"


def test_numba_is_not_imported_before_it_is_needed(tmp_path: Path) -> None:
    program = (
        "import sys, tensorgrad.compiler.loops, tensorgrad.compiler.blocks, threading\n"
        "print('numba' in sys.modules, threading.active_count())"
    )
    assert run(program, tmp_path) == "False 1"


# --- threads --------------------------------------------------------------------------------------


def test_both_halves_are_done() -> None:
    found: list[int] = []
    threads.both(found.append, (1,), (2,))
    assert sorted(found) == [1, 2]


def test_halves_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=60)
    threads.both(meeting.wait, (), ())
    assert not meeting.broken


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_in_a_half_is_raised_when_both_are_done(bad: int) -> None:
    done: list[int] = []

    def half(number: int) -> None:
        done.append(number)
        if number == bad:
            raise KeyError(number)

    with pytest.raises(KeyError):
        threads.both(half, (0,), (1,))
    assert 0 in done
    threads.both(half, (2,), (3,))
    assert {2, 3} <= set(done)


def test_an_error_waits_for_the_other_half() -> None:
    running, go_on, done = threading.Event(), threading.Event(), []

    def half(number: int) -> None:
        if number == 0:
            assert running.wait(60)
            threading.Timer(0, go_on.set).start()
            raise KeyboardInterrupt
        running.set()
        assert go_on.wait(60)
        done.append(number)

    with pytest.raises(KeyboardInterrupt):
        threads.both(half, (0,), (1,))
    assert done == [1]


def test_two_threads_at_once_and_halves_of_halves() -> None:
    counted: list[tuple[int, int]] = []
    start = threading.Barrier(3)

    def work(name: int) -> None:
        start.wait()
        for n in range(300):
            threads.both(lambda a, b: counted.append((a, b)), (name, 2 * n), (name, 2 * n + 1))

    workers = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(counted) == [(name, n) for name in range(3) for n in range(600)]
    threads.both(lambda k: threads.both(counted.append, (k,), (k,)), (1,), (2,))
    assert len(counted) == 1804


FORK = """
import os, sys
import numpy as np
from tensorgrad.compiler import blocks, threads
from tensorgrad.compiler.blocks import Blocks
from tensorgrad.compiler.chain import Chain, Line, Operand
{numba}
x = np.arange(400_000, dtype="f4")
operand = Operand(x.shape, x.dtype)
chain = Chain(x.shape, (operand,), (Line("square", (0,), x.dtype),), (1,))
out = np.empty_like(x)
call = {make}(chain).bind([x], [out], threads=2)
call()
for _ in range(3):
    out[:] = 0
    child = os.fork()
    if not child:
        fine = threads._helper._thread is None
        call()
        os._exit(0 if fine and (out == x * x).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
call()
assert (out == x * x).all()
print("fine")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("make", ["Blocks", "compiled_loop"])
def test_a_forked_process_starts_anew(
    make: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if make == "compiled_loop":
        request.getfixturevalue("numba")
    numba = f"from tensorgrad.compiler.loops import {make}" if make != "Blocks" else ""
    program = FORK.format(make=make, numba=numba)
    # Python 3.12 warns of forks of a process with threads, which is what this is about.
    assert run(program, tmp_path, PYTHONWARNINGS="ignore::DeprecationWarning") == "fine"


def test_the_interpreter_ends_while_the_helper_waits(tmp_path: Path) -> None:
    program = (
        "import atexit\nfrom tensorgrad.compiler import threads\n"
        "threads.both(int, (1,), (2,))\n"
        "class Late:\n"
        "    def __del__(self, both=threads.both): both(int, (1,), (2,)); print('late')\n"
        "late = Late()\n"
        "atexit.register(lambda: threads.both(print, ('end',), ('end',)))"
    )
    assert run(program, tmp_path).split() == ["end", "end", "late"]
