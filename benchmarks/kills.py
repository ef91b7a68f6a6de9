"""`python -m benchmarks.kills`: processes killed at random moments while they save.

After each kill the file must be there, whole.  Needs `os.fork`; not one of the groups, since it
measures no time.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tensorgrad import io

LARGEST = 500_000
"""Numbers in an array: a file of 4 MB takes some milliseconds to write, and more to flush."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill until so many have died while they saved, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    given = parser.parse_args(arguments)
    for suffix in io.files.FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            found = killed(Path(folder, f"state{suffix}"), given.kills)
        print(
            f"{suffix}: {found['kills']} kills, {found['during']} of them within a save, and a "
            f"whole file after each; {found['saves']} saves went through before"
        )


def killed(path: Path, kills: int) -> Counter[str]:
    """Kill savers of one file, `kills` of them within a save, and check the file each time."""
    moments, found = random.Random(0), Counter[str]()
    last = 0
    io.save(path, state(last))
    while found["during"] < kills:
        found["kills"] += 1
        child = os.fork()
        if not child:
            save_for_ever(path, last)
        time.sleep(moments.uniform(0.005, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        loaded = io.load(path)
        number = loaded["number"]
        np.testing.assert_array_equal(loaded["array"], state(number)["array"])
        left = [other for other in path.parent.iterdir() if other != path]
        found["during"] += bool(left)
        found["saves"] += number - last
        for other in left:
            other.unlink()
        last = number
    return found


def save_for_ever(path: Path, number: int) -> None:
    """Save one state after the other."""
    while True:
        number += 1
        io.save(path, state(number))


def state(number: int) -> dict[str, object]:
    """Return a state that tells whether all of it belongs together."""
    return {"number": number, "array": np.full(LARGEST - number % 1000, float(number))}


if __name__ == "__main__":
    main()
