"""Starts a process for each peer and times their work in turn, A B A B."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from .registry import Peer

ROOT = Path(__file__).parents[1]
Times: TypeAlias = dict[str, list[float]]
"""Of each peer the seconds that one unit of work took, one number a round."""


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    `seconds` and `least` are the time and the steps that a peer's share of a round has at least,
    `pause` how long the threads of the peer before are given to go to sleep, `check` the steps
    after which losses are compared; memory is watched over `memory` steps, `repeats` times; units
    are dead for nearly `fading` steps; `stream` bytes are streamed.
    """

    rounds: int = 9
    seconds: float = 0.25
    least: int = 3
    pause: float = 0.05
    check: int = 50
    chain: int = 100_000
    elements: int = 1_000_000
    growth: tuple[int, ...] = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536)
    memory: int = 20
    fading: int = 5000
    repeats: int = 3
    stream: int = 10 * 10**9
    peers: tuple[str, ...] = ()

    def asks_for(self, peer: Peer) -> bool:
        """Tell whether a peer is wanted and there."""
        return peer.installed and (not self.peers or peer.key in self.peers)


FULL = Settings()
QUICK = Settings(
    rounds=2,
    seconds=0.005,
    least=1,
    pause=0.0,
    check=5,
    chain=2000,
    elements=10_000,
    growth=(1, 64, 1024),
    memory=3,
    fading=120,
    repeats=1,
    stream=10**8,
)


class PeerError(Exception):
    """What a peer raised in its process."""


def environment() -> dict[str, str]:
    """Return the environment of a peer's process: all cores for everybody."""
    cores = str(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    threads = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **{f"{name}_NUM_THREADS": cores for name in threads}, "PYTHONPATH": path}


def progress(text: str) -> None:
    """Say on standard error what is being measured."""
    print(text, file=sys.stderr, flush=True)


class Process:
    """A peer's process, and what it is asked."""

    def __init__(self, peer: Peer, variables: Mapping[str, str] | None = None) -> None:
        self.peer = peer
        self._failure = ""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", peer.module, peer.hidden],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**environment(), **(variables or {})},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._child.kill()
        with contextlib.suppress(BrokenPipeError):  # of a process that is gone already
            self._child.communicate()

    def ready(self) -> None:
        """Wait until the framework is imported; what is asked of one that cannot be, raises."""
        try:
            self._read()
        except PeerError as error:
            self._failure = str(error)

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and return the answer."""
        if self._failure:
            raise PeerError(self._failure)
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(json.dumps(command) + "\n")
            self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        line = self._child.stdout.readline()
        if not line:
            raise PeerError(self._child.stderr.read().strip() or "the process ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"].strip())
        return answer

    def load(self, case: str, options: Mapping[str, Any]) -> None:
        """Have the process build a case, with the options of the peer."""
        self.ask(load=case, options={**options, **self.peer.options})

    def value(self, steps: int) -> float:
        """Have the work done, and return the number that comes out."""
        return float(self.ask(value=steps)["value"])

    def time(self, steps: int, warm: int) -> float:
        """Have the work done, and return the seconds that one step took."""
        return float(self.ask(time=steps, warm=warm)["seconds"]) / steps


@contextlib.contextmanager
def processes(peers: Sequence[Peer], settings: Settings) -> Iterator[dict[str, Process]]:
    """Start the processes of the peers that are wanted, all at once, and end them afterwards."""
    with contextlib.ExitStack() as stack:
        started = {
            peer.key: stack.enter_context(Process(peer))
            for peer in peers
            if settings.asks_for(peer)
        }
        for process in started.values():
            process.ready()
        yield started


@dataclass(frozen=True)
class Race:
    """One piece of work that several peers do.

    Its time is told per step; peers do a multiple of `unit` steps, exactly `steps` if that is set.
    Before a time counts their results after `check` steps must agree within `tolerance`, relative.
    """

    case: str
    options: Mapping[str, Any]
    unit: int = 1
    steps: int = 0
    check: int = 0
    tolerance: float = 1e-3


@dataclass(frozen=True)
class Outcome:
    """What a race gave: times of those who got it right, and what was wrong with the others."""

    times: Times
    faults: dict[str, str]

    def ratio(self, a: str, b: str) -> float:
        """Return the median over the rounds of the ratio of two peers' times."""
        pairs = zip(self.times[a], self.times[b], strict=True)
        return statistics.median(x / y for x, y in pairs)

    def best(self, key: str) -> float:
        """Return a peer's shortest time."""
        return min(self.times[key])

    def median(self, key: str) -> float:
        """Return a peer's median time."""
        return statistics.median(self.times[key])


def run(race: Race, entered: Mapping[str, Process], settings: Settings) -> Outcome:
    """Compare the results of the peers, then time them in turn."""
    faults: dict[str, str] = {}
    values: dict[str, float] = {}
    for key, process in entered.items():
        try:
            process.load(race.case, race.options)
            values[key] = process.value(race.check or race.unit)
        except PeerError as error:
            faults[key] = str(error).splitlines()[-1]
    faults.update(disagreeing(values, race.tolerance))
    times: Times = {key: [] for key in values if key not in faults}
    steps: dict[str, int] = {}
    for turn in range(settings.rounds):
        for key in list(times):
            time.sleep(settings.pause)
            try:
                if not turn:
                    steps[key] = _steps(entered[key], race, settings)
                warm = 0 if race.steps else race.unit * max(1, steps[key] // race.unit // 20)
                times[key].append(entered[key].time(steps[key], warm))
            except PeerError as error:
                faults[key] = str(error).splitlines()[-1]
                del times[key]
    return Outcome(times, faults)


def disagreeing(values: Mapping[str, float], tolerance: float) -> dict[str, str]:
    """Return what is wrong with those whose result is not that of the majority."""
    expected = statistics.median([v for v in values.values() if v == v] or [math.nan])
    return {
        key: f"its result is {value:.9g}, that of the others {expected:.9g}"
        for key, value in values.items()
        if not math.isclose(value, expected, rel_tol=tolerance)
    }


def _steps(process: Process, race: Race, settings: Settings) -> int:
    """Choose how many steps a round has, from the time of a few."""
    if race.steps:
        return race.steps
    once = process.time(race.unit, race.unit)
    return race.unit * min(
        100_000, max(settings.least, math.ceil(settings.seconds / (once * race.unit)))
    )
