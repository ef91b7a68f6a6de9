"""The engine: what one operation, a long graph, an import and a step's memory cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from .driver import (
    Outcome,
    PeerError,
    Process,
    Race,
    Settings,
    environment,
    processes,
    progress,
    run,
)
from .registry import PEERS, Peer, available
from .table import Report, Table, number, verdict
from .workloads import WORKLOADS, Workload

OPERATIONS = ("x + y", "x * y", "x @ y", "x.sum()", "x.tanh()", "np.tanh(x)")
# Number of operations in one backward pass, as in `peers.shared`.
PRODUCTS, EXPRESSION = 100, 130
MICROSECONDS, SECONDS, MEGABYTES = 1e6, 1.0, 1 / 2**20

Line = tuple[str, str, str, str, str, str]
Lines = tuple[list[Line], list[str]]
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def measured(settings: Settings, rows: Sequence[str]) -> Report:
    """Return the table of this group, and what went wrong."""
    lines: list[Line] = []
    faults: list[str] = []
    for name in rows:
        progress(f"engine: {name}")
        found, wrong = ROWS[name](settings)
        lines += found
        faults += wrong
    heading = ("", "tensorgrad", "compared with", "figure", "target", "")
    return Report([Table("engine", "Engine", heading, lines, words=(0, 2, 5))], faults)


def _raced(what: str, race: Race, keys: Sequence[str], target: float, settings: Settings) -> Lines:
    """Run a race, and compare tensorgrad with the second peer named, the first that is judged."""
    with processes(available(keys), settings) as started:
        outcome = run(race, started, settings)
    faults = [f"{what}, {key}: {why}" for key, why in outcome.faults.items()]
    return [_line(what, outcome, keys[0], keys[1], target)], faults


def _line(what: str, outcome: Outcome, own: str, rival: str, target: float) -> Line:
    """Write one row from the times of a race, in microseconds for one operation."""
    best = {key: outcome.best(key) * MICROSECONDS for key in outcome.times}
    others = _others({key: time for key, time in best.items() if key != own}, "us")
    if own not in best or rival not in best:
        return (what, _figure(best.get(own), "us"), others, "-", f"{target:g}", "not compared")
    ratio = outcome.ratio(own, rival)
    cells = (_figure(best[own], "us"), others, f"{number(ratio)} x {PEERS[rival].title}")
    return (what, *cells, f"{target:g}", verdict(ratio, target))


def _figure(value: float | None, unit: str) -> str:
    """Write a figure with its unit, or a dash."""
    return "-" if value is None else f"{number(value)} {unit}"


def _others(figures: Mapping[str, float], unit: str) -> str:
    """Write the figures of the other peers in one cell."""
    texts = (f"{PEERS[key].title} {number(figure)}" for key, figure in figures.items())
    return f"{', '.join(texts)} {unit}" if figures else "-"


def multiply(settings: Settings) -> Lines:
    """Small products, forward and backward."""
    keys = ("tensorgrad", "torch", "mygrad", "autograd")
    what = "small multiply, forward + backward, per op"
    return _raced(what, Race("multiply", {}, unit=PRODUCTS), keys, 0.6, settings)


def scalars(settings: Settings) -> Lines:
    """Expressions of single numbers, as in micrograd."""
    race = Race("scalars", {}, unit=EXPRESSION, tolerance=1e-9)
    what = "scalar expression, forward + backward, per op"
    return _raced(what, race, ("tensorgrad", "micrograd"), 1.5, settings)


def chain(settings: Settings) -> Lines:
    """The gradient through a graph as deep as it is long."""
    race = Race("chain", {}, steps=settings.chain, check=1000, tolerance=1e-9)
    what = f"chain of {settings.chain:,} products, forward + backward, per op"
    keys = ("tensorgrad", "torch", "mygrad", "autograd")
    return _raced(what, race, keys, 0.7, settings)


def forward(settings: Settings) -> Lines:
    """Small operations over NumPy's own."""
    lines: list[Line] = []
    faults: list[str] = []
    with processes(available(("tensorgrad", "no-grad", "by-hand")), settings) as started:
        for operation in OPERATIONS:
            outcome = run(Race("forward", {"op": operation}), started, settings)
            faults += [f"{operation}, {key}: {why}" for key, why in outcome.faults.items()]
            for own, mode, target in (
                ("tensorgrad", "recording", 2.5),
                ("no-grad", "not recording", 1.8),
            ):
                if settings.asks_for(PEERS[own]):
                    pair = {k: t for k, t in outcome.times.items() if k in (own, "by-hand")}
                    what = f"forward of `{operation}` on (32, 32), {mode}"
                    lines.append(_line(what, Outcome(pair, {}), own, "by-hand", target))
    return lines, faults


def imports(settings: Settings) -> Lines:
    """The time to import tensorgrad, over NumPy's, in fresh processes."""
    packages = {"numpy": "by-hand", "tensorgrad": "tensorgrad", "autograd": "autograd",
                "mygrad": "mygrad", "torch": "torch"}  # fmt: skip
    wanted = [p for p, key in packages.items() if settings.asks_for(PEERS[key]) or p == "numpy"]
    seconds: dict[str, list[float]] = {package: [] for package in wanted}
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(settings.rounds + 1):
            for package in wanted:
                found = _import_time(package, cache)
                if turn:  # the first import compiles, which an installation has done before
                    seconds[package].append(found)
    over = {
        package: statistics.median(x - y for x, y in zip(times, seconds["numpy"], strict=True))
        for package, times in seconds.items()
    }
    own = over.get("tensorgrad")
    numpy = min(seconds["numpy"])
    others = {packages[p]: x for p, x in over.items() if p not in ("numpy", "tensorgrad")}
    what = "`import tensorgrad` over `import numpy`"
    compared = f"numpy itself {number(numpy)}; over it {_others(others, 's')}"
    if own is None:
        return [(what, "-", compared, "-", "+0.05 s", "not compared")], []
    figure = f"+{own:.3f} s"
    return [(what, f"{numpy + own:.3f} s", compared, figure, "+0.05 s", verdict(own, 0.05))], []


def _import_time(package: str, cache: str) -> float:
    """Return the seconds that an import takes in a fresh process, with a folder for bytecode."""
    code = f"import time; t = time.perf_counter(); import {package}; print(time.perf_counter() - t)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    variables = {**environment(), "PYTHONPYCACHEPREFIX": cache}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    return float(done.stdout)


def memory(settings: Settings) -> Lines:
    """The most memory that a training loop on `wide` takes, above its data."""
    workload = BY_NAME["wide"]
    own = ("tensorgrad", "compiled", "compiled-numpy")
    rivals = ("torch", "torch-fused", "torch-compile", "mygrad", "autograd", "by-hand")
    used: dict[str, float] = {}
    faults: list[str] = []
    for peer in filter(settings.asks_for, available(own + rivals)):
        try:
            peaks = [_peak(peer, workload, settings) for _ in range(settings.repeats)]
            used[peer.key] = statistics.median(peaks) * MEGABYTES
        except PeerError as error:
            faults.append(f"memory, {peer.key}: {str(error).splitlines()[-1]}")
    what = "peak memory of a training loop on wide, above the data"
    others = {key: used[key] for key in rivals if key in used}
    lines = [memory_line(what, used.get("tensorgrad"), others, 1.3)]
    for key in own[1:]:
        if key in used:
            beside = ("tensorgrad", "torch", "torch-compile")
            few = {name: used[name] for name in beside if name in used}
            lines.append(memory_line(f"the same, {PEERS[key].title}", used[key], few, None))
    return lines, faults


def memory_line(
    what: str, own: float | None, others: Mapping[str, float], target: float | None
) -> Line:
    """Write one row about memory, in mebibytes, beside PyTorch's; not every row has a target."""
    told = "-" if target is None else f"{target:g}"
    cells = (_figure(own, "MiB"), _others(others, "MiB"))
    if own is None or "torch" not in others:
        return (what, *cells, "-", told, "not compared")
    ratio = own / others["torch"]
    judged = "" if target is None else verdict(ratio, target)
    return (what, *cells, f"{number(ratio)} x PyTorch", told, judged)


def _peak(peer: Peer, workload: Workload, settings: Settings) -> float:
    """Return the bytes that a loop of steps takes at most, above what is loaded, and its data.

    A few steps of another network come first, so that the libraries are in memory by then: a large
    one, for which the eager optimisers load numba.
    """
    with Process(peer) as process:
        process.ready()
        process.load("training", {"workload": asdict(BY_NAME["mnist"])})
        process.value(5)
        options = {"workload": asdict(workload), **peer.options}
        found = process.ask(memory=settings.memory, load="training", options=options)
    labels = 8
    row = workload.nin * 4 + labels
    data = workload.batches * workload.batch * row
    return float(found["peak"] - found["before"] - data)


def nan_check(settings: Settings) -> Lines:
    """The strong zero's price: the part of a step that looks for NaN in the gradients."""
    what = "part of the mnist step spent on looking for NaN in gradients"
    with processes(available(("tensorgrad",)), settings) as started:
        if "tensorgrad" not in started:
            return [], []
        try:
            started["tensorgrad"].load("nan_check", {"workload": asdict(BY_NAME["mnist"])})
            shares = [started["tensorgrad"].value(settings.check) for _ in range(settings.rounds)]
        except PeerError as error:
            return [], [f"nan-check: {str(error).splitlines()[-1]}"]
    share = statistics.median(shares)
    return [(what, "", "the whole step", f"{share:.2%}", "2 %", verdict(share, 0.02))], []


ROWS = {
    "multiply": multiply,
    "forward": forward,
    "scalars": scalars,
    "chain": chain,
    "import": imports,
    "memory": memory,
    "nan-check": nan_check,
}
