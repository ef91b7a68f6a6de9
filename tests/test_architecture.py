"""The house, proved by reading the source: who may import whom, and how large a room may be.

To add a module, give it a place in FLOORS; to use a new optional package, add it to OPTIONAL and
to an extra in pyproject.toml.
"""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

# From the cellar up: a module imports from the floors below its own, and from its own room.
# A room is a module of the package, or a subpackage with all that is in it.
FLOORS = (
    {"_typing"},
    {"random", "op", "trees", "interrupts", "quiet", "files", "checks"},
    {"graph"},
    {"hooks"},
    {"ops", "backprop"},
    {"batched"},
    {"handle"},
    {"methods"},
    {"arguments"},
    {"recording"},
    {"operators"},
    {"tensor"},
    {"creation"},
    {"numpy_api"},
    {"transforms", "debug", "numpy"},
    {"compiler"},
    {"nn", "optim", "data", "io"},
    {"viz", "scalar", "testing"},
    {"train"},
    {"__init__"},
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}

# Imported inside the functions that use them: they are optional, or slow to import.
OPTIONAL = {"IPython", "graphviz", "llvmlite", "matplotlib", "numba", "onnx", "tqdm"}
REQUIRED = {"numpy"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

PACKAGE = sorted((ROOT / "tensorgrad").rglob("*.py"))
OUTSIDE = sorted(
    path for folder in ("benchmarks", "examples", "tests") for path in (ROOT / folder).rglob("*.py")
)


def module_name(path: Path) -> str:
    """Return the dotted name of a file: `tensorgrad.nn` for tensorgrad/nn/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE}


def room(name: str) -> str:
    """Return the room of a dotted name: `nn` for tensorgrad.nn.linear."""
    return ([*name.split("."), "__init__"])[1]


def targets(node: ast.Import | ast.ImportFrom, importer: str, is_package: bool) -> list[str]:
    """Return the dotted names of the modules that an import statement reads."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    package = importer.split(".")
    if not is_package:
        package = package[:-1]
    base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
    base = ".".join(part for part in (base, node.module) if part)
    deeper = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name in MODULES else base for name in deeper]


def imports(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Yield each import, whether a function holds it, and whether only types need it."""
    pending = [(tree, False, False)]
    while pending:
        node, in_function, for_types = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, in_function, for_types
        in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        is_guard = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        pending += [
            (child, in_function, for_types or is_guard) for child in ast.iter_child_nodes(node)
        ]


def import_faults(tree: ast.AST, importer: str, is_package: bool) -> list[str]:
    """Return what is wrong with the imports of one module of the package."""
    own = room(importer)
    if own not in LEVEL:
        return [f"{importer}: give the room {own!r} a floor in FLOORS"]
    faults = []
    for node, in_function, for_types in imports(tree):
        for target in targets(node, importer, is_package):
            top = target.split(".")[0]
            inside = top == "tensorgrad"
            if inside and (target == "tensorgrad" or getattr(node, "level", 0) == 0):
                fault = "inside the package imports are relative, and never of its root"
            elif inside and room(target) not in LEVEL:
                fault = f"give the room {room(target)!r} a floor in FLOORS"
            elif inside and room(target) != own and LEVEL[room(target)] >= LEVEL[own]:
                fault = f"{own!r} is not above {room(target)!r}"
            elif in_function and top not in OPTIONAL:
                fault = "an import inside a function is for optional packages"
            elif in_function or for_types or inside:
                continue
            elif top not in REQUIRED and top not in sys.stdlib_module_names:
                fault = f"{top!r} is imported inside the functions that use it, or not at all"
            else:
                continue
            faults.append(f"{importer}:{node.lineno}: {ast.unparse(node)}: {fault}")
    return faults


def code_lines(source: str, tree: ast.AST) -> set[int]:
    """Return the numbers of the lines that hold code: no docstring, no comment, not blank."""
    layout = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }  # fmt: skip
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            lines.update(range(token.start[0], token.end[0] + 1))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return lines


def size_faults(source: str, tree: ast.AST) -> list[str]:
    """Return the file, if it is too long, and its functions that are."""
    lines = code_lines(source, tree)
    faults = []
    if len(lines) > MAX_FILE_LINES:
        faults.append(f"{len(lines)} lines of code: a file over {MAX_FILE_LINES} is two rooms")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = len(lines.intersection(range(node.lineno, (node.end_lineno or 0) + 1)))
            if count > MAX_FUNCTION_LINES:
                faults.append(f"{node.name}: {count} lines of code, over {MAX_FUNCTION_LINES}")
    return faults


def style_faults(source: str, tree: ast.AST) -> list[str]:
    """Return star imports, and comments that put work off."""
    faults = [
        f"line {node.lineno}: star import"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]
    faults += [
        f"line {token.start[0]}: {token.string}"
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and re.search(r"\b(TODO|FIXME|XXX)\b", token.string)
    ]
    return faults


def rule_faults(tree: ast.AST) -> list[str]:
    """Return what keeps the operations from running on any array that speaks NumPy's protocols."""
    expressions = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    calls = [node for node in expressions if isinstance(node, ast.Call)]
    # `like=` makes NumPy ask that array's own library.
    alike = {call.func for call in calls if any(given.arg == "like" for given in call.keywords)}
    faults = [
        f"line {call.lineno}: {ast.unparse(call)} refuses other arrays"
        for call in calls
        if re.match(r"isinstance\(.*\bnp\.ndarray\b", ast.unparse(call))
    ]
    for node in expressions:
        name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if name in {"np.asarray", "np.array"} and node not in alike:
            faults.append(f"line {node.lineno}: {name} without like= converts")
        elif name.split(".")[-1] == "as_strided":
            faults.append(f"line {node.lineno}: {name} does not dispatch")
    return faults


def relative(path: Path) -> str:
    """Return the name of a file as a test's id."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_imports_point_down(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert import_faults(tree, module_name(path), path.name == "__init__.py") == []


def test_no_module_imports_itself_by_a_detour() -> None:
    edges = {}
    for name, path in MODULES.items():
        found = imports(ast.parse(path.read_text("utf-8")))
        is_package = path.name == "__init__.py"
        edges[name] = {t for node, *_ in found for t in targets(node, name, is_package)} - {name}
    graphlib.TopologicalSorter(edges).prepare()


@pytest.mark.parametrize("path", PACKAGE + OUTSIDE, ids=relative)
def test_files_and_functions_are_one_room(path: Path) -> None:
    source = path.read_text("utf-8")
    assert size_faults(source, ast.parse(source)) == []


@pytest.mark.parametrize("path", PACKAGE + OUTSIDE, ids=relative)
def test_no_star_import_and_nothing_put_off(path: Path) -> None:
    source = path.read_text("utf-8")
    assert style_faults(source, ast.parse(source)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "tensorgrad/ops").rglob("*.py")), ids=relative)
def test_the_law_of_rules(path: Path) -> None:
    assert rule_faults(ast.parse(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("name", sorted(MODULES))
def test_offered_names_exist_and_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", [])
    assert len(offered) == len(set(offered))
    assert [n for n in offered if not inspect.getdoc(getattr(module, n))] == []


@pytest.mark.skipif("tensorgrad" not in MODULES, reason="the package has no __init__.py")
def test_the_root_offers_all_that_it_binds() -> None:
    root = importlib.import_module("tensorgrad")
    tree = ast.parse(MODULES["tensorgrad"].read_text("utf-8"))
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {a.asname or a.name for node in statements for a in node.names}
    # Importing a submodule binds it here as well: only those that the file names are offered.
    bound = {n for n, v in vars(root).items() if n in imported or not isinstance(v, ModuleType)}
    assert {n for n in bound - {"annotations"} if not n.startswith("_")} <= set(root.__all__)


@pytest.mark.parametrize(
    ("source", "importer", "is_package"),
    [
        ("from .tensor import Tensor", "tensorgrad.op", False),
        ("from ..tensor import Tensor", "tensorgrad.ops.shape", False),
        ("from . import nn", "tensorgrad.optim", False),
        ("from .attic import beam", "tensorgrad.nn", False),
        ("import numpy", "tensorgrad.attic", False),
        ("import tensorgrad", "tensorgrad.nn.linear", False),
        ("from tensorgrad.tensor import Tensor", "tensorgrad.nn.linear", False),
        ("from .. import Tensor", "tensorgrad.nn.linear", False),
        ("from .. import Tensor", "tensorgrad.nn", True),
        ("def f():\n    from ..tensor import Tensor", "tensorgrad.nn.linear", False),
        ("def f():\n    import json", "tensorgrad.io", False),
        ("import matplotlib.pyplot", "tensorgrad.viz.plot", False),
        ("import scipy", "tensorgrad.ops.linalg", False),
    ],
)
def test_a_wrong_import_is_found(source: str, importer: str, is_package: bool) -> None:
    assert len(import_faults(ast.parse(source), importer, is_package)) == 1


@pytest.mark.parametrize(
    ("source", "importer", "is_package"),
    [
        ("from ..tensor import Tensor", "tensorgrad.nn.linear", False),
        ("from .linear import Linear", "tensorgrad.nn", True),
        ("from .module import Module", "tensorgrad.nn.linear", False),
        ("from . import data", "tensorgrad", True),
        ("import math\nimport numpy as np", "tensorgrad.ops.shape", False),
        ("def f():\n    from matplotlib.figure import Figure", "tensorgrad.viz.plot", False),
        ("if TYPE_CHECKING:\n    import matplotlib.axes", "tensorgrad.viz.plot", False),
    ],
)
def test_a_right_import_passes(source: str, importer: str, is_package: bool) -> None:
    assert import_faults(ast.parse(source), importer, is_package) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("np.asarray(x)", 1),
        ("np.array([x])", 1),
        ("np.asarray(1.0, like=x)", 0),
        ("np.lib.stride_tricks.as_strided(x)", 1),
        ("as_strided(x)", 1),
        ("isinstance(x, np.ndarray)", 1),
        ("isinstance(x, (float, np.ndarray))", 1),
        ("isinstance(x, tuple)", 0),
        ("def f(x: np.ndarray): return np.zeros_like(x)", 0),
    ],
)
def test_a_broken_law_is_found(source: str, count: int) -> None:
    assert len(rule_faults(ast.parse(source))) == count


def test_sizes_count_code_alone() -> None:
    source = '"""Doc.\n\nMore."""\n# why\n\ndef f():\n    """Doc."""\n    return (\n        1)\n'
    assert code_lines(source, ast.parse(source)) == {6, 8, 9}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f():\n" + "    pass\n" * 59, 0),
        ("def f():\n" + "    pass\n" * 60, 1),
        ("pass\n" * 400, 0),
        ("pass\n" * 401, 1),
    ],
    ids=["function", "long function", "file", "long file"],
)
def test_what_is_too_long_is_found(source: str, count: int) -> None:
    assert len(size_faults(source, ast.parse(source))) == count


@pytest.mark.parametrize("source", ["from numpy import *\n", "x = 1  # FIXME\n"])
def test_a_star_import_or_postponed_work_is_found(source: str) -> None:
    assert len(style_faults(source, ast.parse(source))) == 1
