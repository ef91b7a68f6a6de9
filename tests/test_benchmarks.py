"""The benchmarks run, compute the same with tensorgrad as by hand, and write their page.

No time is tested: what is fast on one machine, on one day, is no property of the code.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks import (
    compiled,
    denormals,
    diagnostics,
    driver,
    eager,
    engine,
    first_call,
    machine,
    page,
    registry,
    worker,
)
from benchmarks.growth import Curve
from benchmarks.peers import by_hand, on_tensorgrad
from benchmarks.table import Table, compared, number
from benchmarks.workloads import WORKLOADS, Workload, batches_of, weights_of
from tensorgrad import fit

ROOT = Path(__file__).parents[1]
TINY = Workload("tiny", 3, (5, 4), "tanh", 6, "cross entropy", dtype="float64", lr=0.1)


def test_the_quick_run_agrees_with_numpy_by_hand() -> None:
    peers = ("tensorgrad", "compiled", "compiled-numpy", "by-hand")
    given = ["--quick", *(word for peer in peers for word in ("--peer", peer))]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *given],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not timed" not in done.stderr
    rows = (
        "First call",
        "lenet",
        "small multiply",
        "peak memory",
        "1,024",
        "shuffled",
        "Lion",
        "Step of fit",
    )
    for row in (*eager.ROWS, *rows):
        assert row in done.stdout


def test_batches_differ_and_come_out_the_same_each_time() -> None:
    for workload in WORKLOADS:
        first, again = batches_of(workload)[:2], batches_of(workload)[:2]
        assert (first[0][0] == again[0][0]).all()
        assert (first[0][0] != first[1][0]).any()
        assert first[0][0].dtype == workload.dtype


@pytest.mark.parametrize("workload", [TINY, WORKLOADS[0]], ids=lambda w: w.name)
def test_the_gradient_by_hand_is_that_of_differences(workload: Workload) -> None:
    network = by_hand.Network(workload)
    x, y = batches_of(workload)[0]
    start = network.p.copy()
    network.step(x, y)
    gradient = network.g.copy()
    for i in range(0, start.size, 7):
        losses = []
        for sign in (1, -1):
            network.p[:] = start
            network.p[i] += sign * 1e-6
            losses.append(float(network.step(x, y)))
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient[i], rel=1e-5, abs=1e-8)


def test_weights_have_the_shapes_of_the_layers() -> None:
    shapes = [(w.shape, b.shape) for w, b in weights_of(TINY)]
    assert shapes == [((5, 3), (5,)), ((4, 5), (4,))]
    assert TINY.parameters == 15 + 5 + 20 + 4


def test_who_computes_something_else_is_not_timed() -> None:
    faults = driver.disagreeing({"a": 1.0, "b": 1.0005, "c": 1.1}, tolerance=1e-3)
    assert list(faults) == ["c"]
    assert driver.disagreeing({"a": 1.0, "b": float("nan"), "c": 1.0}, 1e-3).keys() == {"b"}


def test_a_ratio_is_taken_within_the_round() -> None:
    outcome = driver.Outcome({"a": [1.0, 20.0, 3.0], "b": [2.0, 10.0, 6.0]}, {})
    assert outcome.ratio("a", "b") == 0.5
    assert (outcome.best("a"), outcome.median("a")) == (1.0, 3.0)


def test_the_fastest_of_all_may_be_missed_by_noise_on_the_wide_rows_alone() -> None:
    times = {"compiled": [1.02, 1.02], "by-hand": [2.0, 2.0], "jax": [1.0, 1.0]}
    outcomes = {name: driver.Outcome(times, {}) for name in ("mnist", "wide")}
    table = compiled.ratios_table(outcomes, "compiled", ["by-hand", "jax"])
    assert table.rows[0] == ["mnist", "0.510", "1.02", "JAX jit", "1.00", "falls short"]
    assert table.rows[1] == ["wide", "0.510", "1.02", "JAX jit", "1.03", "pass"]


def test_without_numba_the_target_is_that_of_the_floor() -> None:
    times = {"compiled-numpy": [1.04], "by-hand": [1.0], "jax": [0.5]}
    table = compiled.ratios_table(
        {"mnist": driver.Outcome(times, {})}, "compiled-numpy", ["by-hand", "jax"]
    )
    assert table.rows == [["mnist", "1.04", "2.08", "NumPy by hand", "1.05", "pass"]]


def test_who_was_not_timed_is_not_compared() -> None:
    outcomes = {"mnist": driver.Outcome({"by-hand": [1.0]}, {"compiled": "raised"})}
    table = compiled.ratios_table(outcomes, "compiled", ["by-hand"])
    assert table.rows == [["mnist", "-", "-", "1.00", "not compared"]]


def test_a_peer_needs_its_package() -> None:
    assert registry.Peer("k", "t", "m", "numpy").installed
    assert not registry.Peer("k", "t", "m", "no_such_package").installed


def test_a_hidden_package_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hidden_package", None)
    worker.hide("hidden_package")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("hidden_package")


def test_the_kernels_of_products_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of another processor, ordered from outside, can double the time of every product."""
    openmp = {"user_api": "openmp", "internal_api": "openmp", "version": "5"}
    blas = {"user_api": "blas", "internal_api": "openblas", "version": "0.3", "architecture": "Zen"}
    fake = SimpleNamespace(threadpool_info=lambda: [openmp, blas])
    monkeypatch.setitem(sys.modules, "threadpoolctl", fake)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert machine._products() == "openblas 0.3, kernels for Zen"
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    assert "kernels for Zen, ordered by OPENBLAS_CORETYPE" in machine._products()
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert "[bench]" in machine._products()


def test_a_first_call_that_was_not_made_has_no_figure() -> None:
    assert first_call.line("cold", [], 6.0) == ["cold", "-", "6.00", "not measured"]
    assert first_call.line("cold", [1.0, 9.0, 2.0], 6.0) == ["cold", "2.00", "6.00", "pass"]


def test_memory_is_compared_with_that_of_pytorch() -> None:
    line = engine.memory_line("memory", 120.0, {"torch": 100.0}, 1.3)
    assert line == ("memory", "120 MiB", "PyTorch 100 MiB", "1.20 x PyTorch", "1.3", "pass")
    assert engine.memory_line("memory", 120.0, {"torch": 100.0}, None)[-2:] == ("-", "")
    assert engine.memory_line("memory", 120.0, {}, 1.3)[-1] == "not compared"


def test_a_step_is_compared_with_that_in_the_same_round() -> None:
    cells = compared("SGD", [1e-6, 4e-6, 1e-6], [1.2e-6, 4e-6, 1.2e-6], denormals.TARGET)
    assert cells == ["SGD", "1.00", "1.20", "1.20", "1.10", "falls short"]


def test_diagnostics_are_compared_with_none_in_the_same_round() -> None:
    cells = compared("mnist", [1e-6, 4e-6, 2e-6], [1.02e-6, 4e-6, 2.04e-6], diagnostics.TARGET)
    assert cells == ["mnist", "1.00", "1.02", "1.02", "1.03", "pass"]


def test_the_distance_of_diagnostics_is_that_of_fit() -> None:
    default = inspect.signature(fit).parameters["diagnostics"].default
    assert default == diagnostics.SPACING


@pytest.mark.parametrize("watched", [False, True])
def test_the_seconds_of_a_step_of_fit_come_out(watched: bool) -> None:
    assert 0 < float(on_tensorgrad.fitting(asdict(TINY), watched)(3)) < 10


def test_half_of_the_first_layer_dies() -> None:
    losses = []
    for dead in (False, True):
        fields = asdict(WORKLOADS[2])
        train = on_tensorgrad.fading(fields, "SGD", {"lr": 0.1, "momentum": 0.5}, dead)
        losses.append([float(train(99)), float(train(1))])
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]


def test_a_curve_that_rises_again_is_seen() -> None:
    assert Curve("k", "sample", "batch", (1, 2, 3), {"tensorgrad": (9.0, 2.0, 3.0)}).rise == 1.5
    assert Curve("k", "sample", "batch", (1, 2, 3), {"tensorgrad": (9.0, 2.0, 2.0)}).rise == 1.0


@pytest.mark.parametrize(
    ("figure", "text"), [(0, "0"), (12345.6, "12,346"), (1.234, "1.23"), (0.012345, "0.0123")]
)
def test_figures_have_three_digits(figure: float, text: str) -> None:
    assert number(figure) == text


def test_a_table_replaces_the_one_on_the_page(tmp_path: Path) -> None:
    table = Table("t", "Title", ("name", "us"), [("a", "1"), ("bc", "10")], ["Note."])
    file = tmp_path / "page.md"
    file.write_text("A\n<!-- table t -->\nold\n<!-- end t -->\nB\n", "utf-8")
    for _ in range(2):
        page.write(file, [table])
    drawn = "**Title**\n\n| name |  us |\n| :--- | --: |\n| a    |   1 |\n| bc   |  10 |\n\nNote."
    assert file.read_text("utf-8") == f"A\n<!-- table t -->\n{drawn}\n<!-- end t -->\nB\n"
    with pytest.raises(ValueError, match="no place"):
        page.write(file, [Table("other", "", ("",), [])])


def test_the_page_of_the_project_has_a_place_for_every_table() -> None:
    text = (ROOT / "docs/performance.md").read_text("utf-8")
    names = (
        "machine", "eager", "eager-ratios", "compiled", "compiled-ratios", "compiled-numpy-ratios",
        "first-call", "convolution", "convolution-ratios", "engine", "gradients", "growth-batch",
        "growth-network", "denormals", "diagnostics",
    )  # fmt: skip
    assert [name for name in names if f"<!-- table {name} -->" not in text] == []
    assert "<!-- picture -->" in text


@pytest.mark.parametrize("wrong", [["--quick"], ["--peer", "torch"], ["--only", "mnist"]])
def test_a_page_is_written_from_a_full_run_alone(wrong: list[str]) -> None:
    with pytest.raises(SystemExit, match="whole groups"):
        command.main(["--write", "docs/performance.md", *wrong])
