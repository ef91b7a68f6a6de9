"""Saving: the old file or the new one, whole, whatever happens on the way.

Cases 114 to 116 of docs/semantics.md, and point 10 of what a loader must refuse.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from tensorgrad.io import load, save
from tensorgrad.io.atomic import replacing

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX's files and signals")

OLD, NEW = {"version": "old", "w": np.zeros(1000)}, {"version": "new", "w": np.ones(3000)}


@pytest.fixture(params=[".npz", ".safetensors"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the path of the old file."""
    path: Path = tmp_path / f"model{request.param}"
    save(path, OLD)
    return path


def version(path: Path) -> str:
    """Return which of the two a file is, after checking that it is whole."""
    found = load(path)
    expected = {"old": OLD, "new": NEW}[found["version"]]
    np.testing.assert_array_equal(found["w"], expected["w"])
    return str(found["version"])


def alone(path: Path) -> bool:
    """Tell whether nothing else was left in the folder."""
    return list(path.parent.iterdir()) == [path]


KILLED_AT_EACH_CALL = """
import os, signal, sys
from pathlib import Path
import numpy as np
from tensorgrad.io import load, save

path, calls, versions = Path(sys.argv[1]), 0, []
WRITING = {"write", "flush", "close"}

def die_at(number):
    def hook(frame, event, function):
        global calls
        if not event.startswith("c_"):
            return
        # The functions of the system, and the writing to a file.
        system = getattr(function, "__module__", "") == "posix" or function.__name__ in WRITING
        calls += event == "c_call" and system
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
    return hook

for number in range(1, 100_000):
    save(path, {"version": "old", "w": np.zeros(1000)})
    child = os.fork()
    if not child:
        sys.setprofile(die_at(number))
        save(path, {"version": "new", "w": np.ones(3000)})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = load(path)
    size, value = {"old": (1000, 0.0), "new": (3000, 1.0)}[found["version"]]
    assert found["w"].tolist() == [value] * size
    for left in path.parent.iterdir():
        assert left == path or (left.name.startswith(".tensorgrad-") and left.suffix == ".tmp")
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    versions.append(found["version"])
assert versions == sorted(versions, reverse=True), "old up to the rename, new from then on"
print(versions.count("old"), versions.count("new"))
"""


@posix
def test_killed_at_any_system_call_there_is_the_old_file_or_the_new_one(path: Path) -> None:
    """Case 114: killed before each system call and each write of a save."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_CALL, str(path)],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    old, new = map(int, done.stdout.split())
    assert old > 10
    assert new > 1


class InterruptedAt:
    """Sends Ctrl-C before a call into C, by number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, _frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function is not sys.setprofile:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)


@posix
def test_ctrl_c_at_any_call_leaves_one_of_the_two_and_nothing_else(path: Path) -> None:
    seen = set()
    before = sys.getprofile()
    for number in range(1, 100_000, 7):
        save(path, OLD)
        hook, interrupted = InterruptedAt(number), False
        try:
            sys.setprofile(hook)
            save(path, NEW)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.setprofile(before)
        assert alone(path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if hook.left > 0:
            break
        assert interrupted
        seen.add(version(path))
    assert version(path) == "new"
    assert seen == {"old", "new"}


def full_disk(*args: Any, real: Any = os.open) -> int:
    """Make a temporary file, but write to a device that is always full."""
    os.close(real(*args))
    return real("/dev/full", os.O_RDWR)  # type: ignore[no-any-return]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's device that is always full")
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_full_disk_leaves_the_old_file(
    size: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 115: ENOSPC."""
    monkeypatch.setattr(os, "open", full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        save(path, {"w": np.ones(size)})
    assert caught.value.errno == errno.ENOSPC
    assert version(path) == "old"
    assert alone(path)


LIMITED = """
import resource, signal, sys
import numpy as np
from tensorgrad.io import save
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for size in (3_000, 1_000_000):
    try:
        save(sys.argv[1], {"w": np.ones(size)})
    except OSError as error:
        print(error.errno)
"""


@posix
def test_a_file_over_the_limit_leaves_the_old_one(path: Path) -> None:
    """Case 115: EFBIG."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, str(path)],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == [str(errno.EFBIG)] * 2, done.stderr
    assert version(path) == "old"
    assert alone(path)


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_an_error_of_a_system_call_leaves_the_old_file(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, name, fails)
    with pytest.raises(OSError, match="Input/output error"):
        save(path, NEW)
    monkeypatch.undo()
    assert version(path) == "old"
    assert alone(path)


def test_the_data_are_flushed_before_the_rename_and_the_folder_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushed(number: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        fsync(number)

    def renamed(*args: Any) -> None:
        done.append("rename")
        replace(*args)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    save(path, NEW)
    assert done == ["file", "rename", "folder"]


@posix
def test_a_folder_that_cannot_be_flushed_has_the_new_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def fails(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(number)

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input/output error"):
        save(path, NEW)
    assert version(path) == "new"
    assert alone(path)


@posix
def test_killed_at_random_moments_there_is_a_whole_file() -> None:
    """Case 114; `python -m benchmarks.kills` alone kills 200 within a save of each format."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--kills", "15"],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.findall(r"(\S+): \d+ kills, 15 of them within a save, and a whole file", done.stdout)
    assert found == [".npz", ".safetensors"]


# ----------------------------------------------------------------------------------------- targets


@posix
def test_permissions_are_the_old_files_or_the_usual_ones(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    mask = os.umask(0o027)
    try:
        save(path, OLD)
        assert path.stat().st_mode & 0o7777 == 0o640
        path.chmod(0o604)
        with replacing(path) as file:
            assert os.fstat(file.fileno()).st_mode & 0o7777 == 0o600
        assert path.stat().st_mode & 0o7777 == 0o604
    finally:
        os.umask(mask)


@posix
def test_a_symbolic_link_is_not_followed(path: Path) -> None:
    """Case 116."""
    for target in (path, path.parent / "missing.npz"):
        link = path.with_stem("link")
        link.symlink_to(target)
        with pytest.raises(OSError, match="symbolic link: save to what it points to"):
            save(link, NEW)
        assert link.is_symlink()
        link.unlink()
    assert version(path) == "old"
    assert alone(path)


def test_a_folder_a_protected_file_and_a_device_are_refused(path: Path) -> None:
    """Case 116."""
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="write-protected"):
        save(path, NEW)
    assert version(path) == "old"
    folder = path.with_stem("folder")
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save(folder, NEW)
    assert list(folder.iterdir()) == []
    if hasattr(os, "mkfifo"):
        os.mkfifo(path.with_stem("pipe"))
        with pytest.raises(OSError, match="a device, a pipe or a socket"):
            save(path.with_stem("pipe"), NEW)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such folder: '.*missing'"):
        save(tmp_path / "missing" / "model.npz", NEW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may do anything")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            save(tmp_path / "model.npz", NEW)
    finally:
        tmp_path.chmod(0o700)


def test_a_path_of_a_bare_name_and_a_very_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.npz", "m" * 251 + ".npz"):
        save(name, NEW)
        assert version(Path(name)) == "new"


def test_two_writers_and_a_reader(path: Path) -> None:
    """Case 116: each reader finds one file, whole; the last writer wins."""
    errors: list[BaseException] = []
    seen: list[str] = []

    def work(action: Any) -> None:
        try:
            for _ in range(25):
                action()
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(action,))
        for action in (
            lambda: save(path, OLD), lambda: save(path, NEW), lambda: seen.append(version(path)),
        )
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(seen) == 25
    assert alone(path)
