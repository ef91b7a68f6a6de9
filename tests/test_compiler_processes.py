"""Compiled loops between processes, and two threads at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.compiler import cache, loops, threads
from tensorgrad.compiler.chain import Chain, Line, Operand
from tensorgrad.compiler.loops import compiled_loop, reason

ROOT = Path(__file__).parents[1]


@pytest.fixture
def numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return pytest.importorskip("numba")


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
    (source,) = folder.rglob("tensorgrad_loop_*.py")
    assert source.parent.stat().st_mode & 0o777 == 0o700 or sys.platform == "win32"
    source.write_bytes(b"\x80broken")
    assert run(PROGRAM, folder) == "True"
    for (broken,) in (folder.rglob("*.nbi"), folder.rglob("*.nbc")):
        broken.write_bytes(b"\x80broken")
        # Thrown away, compiled again, loaded again.
        assert [run(PROGRAM, folder) for _ in range(3)] == ["False", "False", "True"]


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
        assert (cache.stored("a.py", "text", "v") is not None) == (name == "fine"), name


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache.location().name == "tensorgrad"
    if sys.platform == "linux":
        assert cache.location() == tmp_path / "tensorgrad"


def test_a_file_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    path = cache.stored("a.py", "one", "v")
    assert path is not None
    path.write_text("another")
    assert cache.stored("a.py", "one", "v") == path
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
    x = Operand((5,), np.dtype("f4"))
    chain = Chain((5,), (x,), (Line("square", (0,), x.dtype),), (1,))
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
from tensorgrad.compiler import threads
from tensorgrad.compiler.chain import Chain, Line, Operand
x = np.arange(400_000, dtype="f4")
out = np.empty_like(x)
{call}
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


FUNCTION = """
halves = [(x[cut], out[cut]) for cut in (slice(200_000), slice(200_000, None))]
call = lambda: threads.both(np.square, *halves)
"""
LOOP = """
from tensorgrad.compiler.loops import compiled_loop
operand = Operand(x.shape, x.dtype)
chain = Chain(x.shape, (operand,), (Line("square", (0,), x.dtype),), (1,))
call = compiled_loop(chain).bind([x], [out], threads=2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("call", [FUNCTION, LOOP], ids=["function", "loop"])
def test_a_forked_process_starts_anew(
    call: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if call == LOOP:
        request.getfixturevalue("numba")
    program = FORK.format(call=call)
    # Python 3.12 warns of forks of a process with threads, which is what this is about.
    assert run(program, tmp_path, PYTHONWARNINGS="ignore::DeprecationWarning") == "fine"


def test_the_interpreter_ends_while_the_helper_waits(tmp_path: Path) -> None:
    program = (
        "import atexit\nfrom tensorgrad.compiler import threads\n"
        "threads.both(int, (1,), (2,))\n"
        "class Late:\n"
        "    def __del__(self, both=threads.both): both(int, (1,), (2,)); print('late')\n"
        "late = Late()\n"
        "atexit.register(lambda: threads.both(print, ('end ',), ('end ',)))"
    )
    assert run(program, tmp_path).split() == ["end", "end", "late"]
