"""Random programs: what a compiled function leaves behind and returns equals eager to the bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from side_by_side import told_twice
from tensorgrad import Tensor

SEEDS = 60
CALLS = 4
SHAPES = [(3, 4), (4,), (3, 1), (1, 4), (), (2, 3, 4), (0, 4)]
LARGE = [(95, 99), (99,), (95, 1), (1, 99), ()]
SPECIAL = [0.0, -0.0, 1e-40, 1e-310, np.inf, -np.inf, np.nan]
UNARY = [
    "negative",
    "absolute",
    "sqrt",
    "square",
    "exp",
    "tanh",
    "sign",
    "reciprocal",
    "floor",
    "isnan",
    "logical_not",
]
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "power",
    "greater",
    "less_equal",
    "equal",
]
SIGNS = ["+", "-", "*", "/", "**", ">", "<=", "!="]
NUMBERS = ["2", "0.5", "-1", "1", "0.0", "-0.0", "True", "np.float32(0.7)", "np.array(0.25)"]
AXES = ["", "axis=0", "axis=-1", "keepdims=True", "axis=0, keepdims=True"]
KEYS = ["0", "1:", "::2", "::-1", "...", "None", "...,0", "...,1:", "[0,0]", "x>0"]
VIEWS = ["{x}.T", "{x}.reshape(-1)", "{x}[None]", "np.flip({x}, -1)", "np.split({x}, 2)[0]"]
JOINS = ["np.concatenate([{x}, {y}])", "np.stack([{x}, {y}])", "{x} @ {y}", "np.dot({x}, {y})"]
DTYPES = ["np.float32", "np.float64", "np.int64", "bool", "np.complex64", "np.float16"]


def line(r: random.Random, names: list[str], number: int) -> str:
    """Return a line of a program, which may be wrong."""
    x, y = r.choice(names[-6:]), r.choice(names)
    other = x if r.random() < 0.15 else r.choice([y, y, y, r.choice(NUMBERS)])
    key = r.choice(KEYS).replace("x>0", f"{y} > 0")
    computed = [
        f"np.{r.choice(UNARY)}({x})",
        f"{x} {r.choice(SIGNS)} {other}",
        f"np.{r.choice(BINARY)}({other}, {x})",
        f"np.where({x} > 0, {other}, {y})",
        f"np.clip({x}, -0.5, {other})",
        f"{x}.astype({r.choice(DTYPES)})",
        f"{x}.{r.choice(['sum', 'mean', 'max', 'prod'])}({r.choice(AXES)})",
        f"{x}[{key}]",
        r.choice(VIEWS).format(x=x),
        r.choice(JOINS).format(x=x, y=y),
    ]
    written = [
        f"{x}[{key}] = {other}",
        f"{x}[{key}] {r.choice('+-*/')}= {other}",
        f"{x} {r.choice('+-*/')}= {other}",
        f"np.{r.choice(BINARY[:6])}({y}, {other}, out={x})",
        f"np.add({y}, {other}, out={x}, where={y} > 0)",
        f"np.sum({y}, axis=0, out={x})",
        f"np.copyto({x}, {other})",
        "s.a, s.b = s.b, s.a",
        "s.a = np.copy(s.a)",
        "s.b = s.a",
        f"s.w.data -= 0.1 * {x}",
        "s.v.data = s.v.data + 1.0",
    ]
    return r.choice(written) if r.random() < 0.3 else f"v{number} = {r.choice(computed)}"


def array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, special: bool) -> Any:
    """Draw an array, in any layout."""
    x = rng.normal(size=shape) * 3.0
    if special:
        x = np.where(rng.random(shape) < 0.3, rng.choice(SPECIAL, shape), x)
    x = x.astype(dtype)
    layout = rng.choice(["C", "F", "turned"], p=[0.6, 0.2, 0.2])
    if not shape or layout != "turned":
        return np.array(x, order="F" if layout == "F" else "C")
    return np.flip(np.flip(x).copy())


class Program:
    """The text of a function, and how to draw what it computes with."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        r = random.Random(seed)
        self.shapes = LARGE if r.random() < 0.25 else SHAPES
        self.special = r.random() < 0.3
        env = {"np": np, "tg": tg, "s": self.state()}
        env |= vars(env["s"]) | dict(zip("xy", self.arguments(0), strict=True))
        names = [*vars(env["s"]), "x", "y"]
        lines = [f"{name} = s.{name}" for name in names[:-2]]
        for number in range(r.choice([20, 60, 150])):
            text = line(r, names, number)
            try:
                exec(text, env)
            except (TypeError, ValueError, IndexError, RuntimeError, AttributeError):
                continue
            name = f"v{number}"
            if text.startswith(name):
                if not isinstance(env[name], (np.ndarray, np.generic, Tensor)):
                    continue
                names.append(name)
            lines.append(text)
        records = [n for n in names if getattr(env[n], "requires_grad", False)]
        real = [n for n in records if env[n].dtype.kind == "f"]
        lines.append(f"({real[-1]}.sum() + s.w.sum()).backward()")
        lines.append(f"return {names[-1]}, {r.choice(names)}, [{r.choice(names)}], s.w.grad")
        self.text = "\n    ".join(["def step(x, y):", *lines])

    def state(self) -> Any:
        """Draw what the function captures."""
        rng = np.random.default_rng(self.seed)
        shapes = [self.shapes[i] for i in rng.integers(len(self.shapes), size=6)]
        kinds = ["float32", "float64", "int64", "bool", "float32", "float64"]
        a, b, n, m, w, v = (
            array(rng, shape, kind, self.special and kind.startswith("float"))
            for shape, kind in zip(shapes, kinds, strict=True)
        )
        c = a[..., :1] if a.ndim and rng.random() < 0.5 else b
        return SimpleNamespace(a=a, b=b, c=c, n=n, m=m, w=Tensor(w), v=Tensor(v))

    def arguments(self, call: int) -> list[Any]:
        """Draw the arguments of a call."""
        rng = np.random.default_rng([self.seed, call])
        shapes = random.Random(self.seed).choices(self.shapes, k=2)
        return [array(rng, shape, "float64", self.special) for shape in shapes]

    def story(self, compiled: Any) -> Iterator[Any]:
        """Call the function several times, with changes in between; show what it leaves."""
        s = self.state()
        env: dict[str, Any] = {"np": np, "tg": tg, "s": s}
        exec(self.text, env)
        step = compiled(env["step"])
        for call in range(CALLS):
            if call == 2:
                s.w.data = s.w.data * 0.5
                s.a = s.a.copy()
            try:
                found = step(*self.arguments(call))
            except tg.CompileError:
                raise
            except (TypeError, ValueError, IndexError, RuntimeError) as error:
                yield type(error)
                return
            yield found[0] is not None, [plain(x) for x in (*found, *vars(s).values())]


def plain(x: Any) -> Any:
    """Return the numbers of an array or a tensor, with one NaN for all."""
    if isinstance(x, list):
        return [plain(item) for item in x]
    if isinstance(x, Tensor):
        return plain(x.data), x.requires_grad and x.is_leaf and x.has_grad
    x = np.array(x)
    return np.where(np.isnan(x), np.array(np.nan, x.dtype), x) if x.dtype.kind in "fc" else x


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_program(seed: int) -> None:
    program = Program(seed)
    try:
        told_twice(program.story)
    except tg.CompileError as error:
        pytest.skip(str(error))
