"""What a user installs: three packages, the extras, typed, with its data, and quick to import."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    not (ROOT / "tensorgrad" / "__init__.py").exists(), reason="the package has no __init__.py"
)


@pytest.fixture(scope="module")
def metadata() -> importlib.metadata.PackageMetadata:
    """Return what the installer was told."""
    try:
        return importlib.metadata.metadata("tensorgrad-numpy")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tensorgrad runs from its folder and is not installed")


def project(requirement: str) -> str:
    """Return the name of a required package: `numpy` for `numpy>=2.2`."""
    return re.split(r"[^\w.-]", requirement)[0]


def test_three_packages_are_required(metadata: importlib.metadata.PackageMetadata) -> None:
    required = metadata.get_all("Requires-Dist", [])
    always = {project(line) for line in required if "extra ==" not in line}
    assert always == {"numpy", "matplotlib", "graphviz"}


def test_extras(metadata: importlib.metadata.PackageMetadata) -> None:
    extras = {"bench", "draw", "fast", "onnx", "progress", "test"}
    assert set(metadata.get_all("Provides-Extra", [])) == extras


def test_installed_version_is_the_one_of_the_source(
    metadata: importlib.metadata.PackageMetadata,
) -> None:
    source = (ROOT / "tensorgrad" / "__init__.py").read_text("utf-8")
    assert f'__version__ = "{metadata["Version"]}"' in source
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"


def test_types_are_announced() -> None:
    assert importlib.resources.files("tensorgrad").joinpath("py.typed").is_file()


def test_shipped_data_say_where_they_come_from() -> None:
    """Beside each file of data lies one of its name, with its source and its licence."""
    folder = importlib.resources.files("tensorgrad").joinpath("data")
    names = {Path(entry.name) for entry in folder.iterdir() if entry.is_file()}
    data = {name for name in names if name.suffix not in (".py", ".md")}
    assert {name.name for name in data} == {"hamlet.txt", "mnist_10k.npz"}
    assert {name.with_suffix(".md") for name in data} <= names


def test_importing_the_package_imports_no_slow_or_optional_one() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = {project(r) for extra in extras["optional-dependencies"].values() for r in extra}
    banned = {name.replace("-", "_") for name in optional} | {"matplotlib", "graphviz", "IPython"}
    code = "import sys, tensorgrad; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"numpy", "tensorgrad"} <= loaded
    assert loaded & banned == set()


def test_what_is_imported_at_its_first_use_is_all_there() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_USES], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("", "")


_FIRST_USES = """
import sys
import tensorgrad as tg

assert not {"tensorgrad.nn", "tensorgrad.compiler", "tensorgrad.debug"} & set(sys.modules)
assert {"nn", "compile", "fit"} <= set(dir(tg)) and not hasattr(tg, "nothing")
steps = (tg.Tensor(2.0) * 3.0).backward_steps()
assert [step.op for step in steps][0] == "multiply"
assert all(getattr(tg, name) is getattr(tg, name) for name in tg.__all__)
"""
