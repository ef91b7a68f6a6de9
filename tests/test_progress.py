"""The progress bar and the lines that stand in for it."""

from __future__ import annotations

import io
import math
import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from tensorgrad.train.progress import Progress, epoch_line, write


class Terminal(io.StringIO):
    """A terminal that keeps what was written."""

    encoding = "utf-8"

    def isatty(self):
        return True


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def drawings(stream):
    """Return what was drawn, without the padding that covers what stood before."""
    return [line.rstrip() for line in stream.getvalue().split("\r")[1:]]


def test_bar_text():
    stream, clock = Terminal(), Clock()
    with Progress(4, "epoch 1/2", stream=stream, clock=clock) as bar:
        clock.now = 30.0
        bar.update(np.array(0.5))
        clock.now = 180.0
        bar.update(math.nan, steps=2)
        clock.now = 181.0
        bar.update()
    assert drawings(stream) == [
        "epoch 1/2  ██████░░░░░░░░░░░░░░░░░░  1/4  loss 0.5000  ETA 1:30",
        "epoch 1/2  ██████████████████░░░░░░  3/4  loss nan  ETA 1:00",
        "epoch 1/2  ████████████████████████  4/4  ETA 0:00",
        "",
        "",
    ]


def test_bar_covers_its_longer_self_and_leaves_nothing():
    stream, clock = Terminal(), Clock()
    bar = Progress(None, stream=stream, clock=clock)
    bar.update(0.5)
    clock.now = 1.0
    bar.update()
    bar.close()
    assert stream.getvalue() == "\r1 steps  loss 0.5000\r2 steps" + " " * 13 + "\r" + " " * 7 + "\r"


def test_bar_draws_at_most_ten_times_a_second():
    stream, clock = Terminal(), Clock()
    bar = Progress(1000, stream=stream, clock=clock)
    for step in range(1000):
        clock.now = step / 512
        bar.update()
    assert len(drawings(stream)) == 20
    assert bar.done == 1000


def test_bar_reads_the_loss_only_when_it_draws():
    class Loss:
        reads = 0

        def __float__(self):
            Loss.reads += 1
            return 0.5

    bar = Progress(3, stream=Terminal(), clock=Clock())
    for _ in range(3):
        bar.update(Loss())
    assert Loss.reads == 1


def test_bar_fits_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Progress(10, "a long description of this epoch", stream=stream, clock=Clock()).update()
    assert stream.getvalue() == "\ra long description o"[:20]


def test_bar_keeps_its_place_while_the_count_grows():
    stream = Terminal()
    Progress(469, stream=stream, clock=Clock()).update(steps=40)
    assert drawings(stream) == ["██" + "░" * 22 + "   40/469  ETA 0:00"]


def test_bar_goes_past_its_total():
    stream = Terminal()
    Progress(2, stream=stream, clock=Clock()).update(steps=5)
    assert drawings(stream) == ["█" * 24 + "  5/2  ETA 0:00"]


def test_bar_is_removed_when_training_is_interrupted():
    stream = Terminal()

    def train():
        with Progress(2, stream=stream, clock=Clock()) as bar:
            bar.update()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert stream.getvalue().endswith(" \r")


@pytest.mark.parametrize("verbose", [0, 2])
def test_no_bar_unless_asked_for(verbose):
    stream = Terminal()
    with Progress(2, verbose=verbose, stream=stream) as bar:
        bar.update(0.5)
    assert (stream.getvalue(), bar.done) == ("", 1)


def test_no_bar_where_nobody_watches(capsys, monkeypatch):
    closed = Terminal()
    closed.close()
    stream = io.StringIO()
    for target in (stream, closed, None, object()):
        with Progress(2, stream=target) as bar:
            bar.update(0.5)
    assert stream.getvalue() == capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stdout", None)
    with Progress(2) as bar:
        bar.update(0.5)
    assert bar.done == 1


def test_bar_falls_back_to_ascii():
    stream = Terminal()
    stream.encoding = "latin-1"
    Progress(2, "étape", stream=stream, clock=Clock()).update()
    assert drawings(stream) == ["étape  ############............  1/2  ETA 0:00"]


def test_bar_survives_a_terminal_that_goes_away():
    stream, clock = Terminal(), Clock()
    with Progress(2, stream=stream, clock=clock) as bar:
        bar.update()
        stream.close()
        clock.now = 1.0
        bar.update()
    assert bar.done == 2


class Bar:
    """Stands for tqdm's bar and keeps what it is told."""

    made: ClassVar[list[Bar]] = []

    def __init__(self, total, desc, leave):
        self.n, self.said = 0, [total, desc, leave]
        Bar.made.append(self)

    def set_postfix_str(self, text, refresh):
        self.said += [text, refresh]

    def update(self, steps):
        self.n += steps

    def close(self):
        self.said.append("closed")


def test_notebook_uses_tqdm(monkeypatch, capsys):
    tqdm = ModuleType("tqdm.auto")
    tqdm.tqdm = Bar
    monkeypatch.setattr(Bar, "made", [])
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", tqdm)
    monkeypatch.setitem(sys.modules, "tqdm", ModuleType("tqdm"))
    clock = Clock()
    with Progress(5, "epoch 1/1", clock=clock) as bar:
        bar.update(0.5)
        bar.update(0.25)
        clock.now = 1.0
        bar.update(0.125)
    assert Bar.made[0].said == [
        5,
        "epoch 1/1",
        False,
        "loss 0.5000",
        False,
        "loss 0.1250",
        False,
        "closed",
    ]
    assert Bar.made[0].n == 3
    assert Progress(5, verbose=2).done == 0
    assert len(Bar.made) == 1
    assert capsys.readouterr().out == ""


def test_notebook_without_tqdm_has_no_bar(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with Progress(5) as bar:
        bar.update(0.5)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            (3, 10, {"loss": 0.1234, "val_accuracy": 0.9612}, 1.2),
            "epoch  3/10  loss 0.1234  val_accuracy 0.9612  1.2 s",
        ),
        ((1, 1, {"loss": math.nan}), "epoch 1/1  loss nan"),
        ((7, 100, {}, 61.25), "epoch   7/100  61.2 s"),
    ],
)
def test_epoch_line(arguments, line):
    assert epoch_line(*arguments) == line


def test_write_goes_to_standard_output(capsys):
    write("epoch 1/2  präzision 0.5\n")
    assert capsys.readouterr().out == "epoch 1/2  präzision 0.5\n"


def test_write_escapes_what_the_stream_cannot_encode():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write("präzision\n", stream)
    assert stream.buffer.getvalue() == b"pr\\xe4zision\n"


def test_write_ignores_missing_closed_and_broken_streams(monkeypatch):
    class Broken(io.StringIO):
        writes = 0

        def write(self, _text):
            Broken.writes += 1
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    write("text", closed)
    write("text", Broken())
    assert Broken.writes == 1
    monkeypatch.setattr(sys, "stdout", None)
    write("text")
