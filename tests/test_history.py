"""Training records (`History`) and the sparkline."""

from __future__ import annotations

import csv
import math
import os

import numpy as np
import pytest

from tensorgrad.train.history import History, format_number, sparkline

NAN, INF = math.nan, math.inf


def record(*epochs, seconds=1.0):
    """Make a history of epochs, each a list of step losses or (losses, values)."""
    history = History()
    for epoch in epochs:
        losses, values = epoch if isinstance(epoch, tuple) else (epoch, {})
        for loss in losses:
            history.record_step(loss)
        history.end_epoch(seconds=seconds, **values)
    return history


# ------------------------------------------------------------------ the record


def test_steps_and_epoch_means():
    history = record([4.0, 2.0], [1.0, 0.5])
    assert history.steps == [4.0, 2.0, 1.0, 0.5]
    assert history["loss"] == [3.0, 0.75]
    assert history.epochs == 2
    assert history.epoch_ends == [2, 4]
    assert history.seconds == [1.0, 1.0]


def test_a_given_loss_replaces_the_mean():
    """A mean weighted by batch sizes is what a loop with a short last batch passes."""
    assert record(([4.0, 1.0], {"loss": 3.5}))["loss"] == [3.5]


def test_zero_d_arrays_become_plain_floats():
    history = History()
    history.record_step(np.array(0.5, dtype=np.float32))
    history.end_epoch(accuracy=np.float32(0.25))
    assert [type(v) for v in (*history.steps, *history["accuracy"], *history["loss"])] == [
        float
    ] * 3


def test_a_metric_of_some_epochs_is_nan_elsewhere():
    history = record([1.0], ([1.0], {"val_loss": 2.0}), [1.0], ([1.0], {"f1": 0.5}))
    np.testing.assert_array_equal(history["val_loss"], [NAN, 2.0, NAN, NAN])
    np.testing.assert_array_equal(history["f1"], [NAN, NAN, NAN, 0.5])


def test_mapping_protocol_and_order_of_names():
    history = record(([1.0], {"accuracy": 0.5}), ([1.0], {"val_loss": 1.0, "accuracy": 0.5}))
    assert list(history) == list(history.keys()) == ["loss", "accuracy", "val_loss"]
    assert len(history) == 3
    assert "accuracy" in history
    assert "val_accuracy" not in history
    assert history.get("val_accuracy") is None


def test_unknown_name_tells_what_there_is():
    with pytest.raises(KeyError, match=r"nothing was recorded as 'acc'.* 'loss', 'accuracy'"):
        record(([1.0], {"accuracy": 0.5}))["acc"]


def test_no_epoch_yet():
    history = History()
    assert (history.epochs, history["loss"], list(history)) == (0, [], ["loss"])
    assert history.to_dict() == {"epoch": [], "loss": [], "seconds": []}


def test_epoch_without_steps_has_no_loss():
    assert math.isnan(record([])["loss"][0])


def test_interrupted_epoch_keeps_its_steps():
    history = record([1.0, 0.5])
    history.record_step(0.25)
    assert history.steps == [1.0, 0.5, 0.25]
    assert (history.epochs, history["loss"]) == (1, [0.75])


@pytest.mark.parametrize(
    ("values", "error"), [({"epoch": 3}, ValueError), ({"a": 1.0, "b": "high"}, ValueError)]
)
def test_bad_values_change_nothing(values, error):
    history = record([1.0])
    history.record_step(0.5)
    before = history.to_dict()
    with pytest.raises(error):
        history.end_epoch(**values)
    assert history.to_dict() == before


@pytest.mark.parametrize(
    ("losses", "mean"), [([INF, -INF], NAN), ([1e308, 1e308], INF), ([NAN, 1.0], NAN)]
)
def test_mean_of_losses_that_are_not_finite(losses, mean):
    np.testing.assert_array_equal(record(losses)["loss"], [mean])


def test_returned_lists_are_copies():
    history = record([1.0])
    history["loss"].append(9.0)
    history.to_dict()["loss"].clear()
    assert history["loss"] == [1.0]


# ------------------------------------------------------------------ CSV


def test_csv_text(tmp_path):
    path = tmp_path / "run.csv"
    record(([0.5], {"val_loss": 0.1}), [NAN], seconds=2.0).to_csv(path)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "epoch,loss,val_loss,seconds",
        "1,0.5,0.1,2.0",
        "2,nan,nan,2.0",
    ]


def test_csv_round_trip_is_exact(tmp_path):
    """Names with commas, quotes and other letters, and every kind of float."""
    history = record(
        ([1 / 3], {'top-5, "strict"': 1e-300, "präzision": INF}), [5e-324], ([2.0], {"f1": -INF})
    )
    history.to_csv(tmp_path / "run.csv")
    back = History.from_csv(tmp_path / "run.csv")
    assert list(back) == list(history)
    assert back.steps == []
    for name, column in history.to_dict().items():
        np.testing.assert_array_equal(back.to_dict()[name], column)


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_csv_keeps_the_permissions_of_the_file_that_it_replaces(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("old")
    path.chmod(0o600)
    record([1.0]).to_csv(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_csv_without_epochs_is_its_header(tmp_path):
    History().to_csv(tmp_path / "run.csv")
    with (tmp_path / "run.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["epoch", "loss", "seconds"]]
    assert History.from_csv(tmp_path / "run.csv").epochs == 0


def test_csv_appears_complete_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "run.csv"
    path.write_text("old")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            record([1.0]).to_csv(path)
    assert [file.name for file in tmp_path.iterdir()] == ["run.csv"]
    assert path.read_text() == "old"
    record([1.0]).to_csv(str(path))
    assert path.read_text().startswith("epoch,loss")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with the header"),
        ("loss,seconds\n1,2\n", "does not begin with the header"),
        ("epoch,loss,seconds\n1,0.5,1\n2,high,1\n", "line 3: could not convert"),
        ("epoch,loss,seconds\n1,0.5\n", "line 2: 2 cells under a header of 3"),
    ],
)
def test_csv_of_somebody_else_is_refused(tmp_path, text, message):
    path = tmp_path / "run.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        History.from_csv(path)


# ------------------------------------------------------------------ text


def test_table():
    history = record(
        ([2.0, 1.0], {"val_loss": 1.25, "accuracy": 0.5}),
        ([0.5, 0.25], {"val_loss": NAN, "accuracy": 1.0}),
    )
    assert str(history).splitlines() == [
        "History: 2 epochs, 4 steps, 2.0 s",
        "loss █▄▂▁",
        "epoch    loss  val_loss  accuracy  seconds",
        "    1  1.5000    1.2500    0.5000     1.00",
        "    2  0.3750       nan    1.0000     1.00",
    ]
    assert repr(history) == str(history)


def test_table_without_epochs():
    assert str(History()) == "History: 0 epochs"


def test_table_of_an_interrupted_first_epoch():
    history = History()
    history.record_step(1.0)
    history.record_step(INF)
    assert str(history).splitlines() == [
        "History: 0 epochs, 2 steps",
        "loss ▄×",
        "epoch 1 stopped after 2 steps, loss inf",
    ]


def test_table_without_times_or_steps():
    history = History()
    history.end_epoch(loss=3e-5)
    assert str(history).splitlines() == [
        "History: 1 epoch",
        "loss ▄",
        "epoch       loss  seconds",
        "    1  3.000e-05      nan",
    ]


@pytest.mark.parametrize(
    ("epochs", "shown"),
    [
        (1, [1]),
        (12, list(range(1, 13))),
        (13, [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13]),
        (100, [1, 10, 19, 28, 37, 46, 55, 64, 73, 82, 91, 100]),
    ],
)
def test_table_shows_at_most_twelve_epochs(epochs, shown):
    lines = str(record(*([1.0] for _ in range(epochs)))).splitlines()[3:]
    assert [int(line.split()[0]) for line in lines] == shown


def test_table_shortens_long_names():
    history = record(([1.0], {"a" * 200: 0.5}))
    assert "a" * 23 + "…" in str(history)
    assert max(map(len, str(history).splitlines())) < 60


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([3.0], "▄"),
        ([2.0, 2.0, 2.0], "▄▄▄"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([7.0, NAN, 0.0], "█×▁"),
        ([NAN, INF], "××"),
        ([-INF, 1.0, INF], "×▄×"),
        ([1e308, -1e308, 1e308], "█▁█"),
        ([5e-324, 0.0], "▄▄"),
    ],
)
def test_sparkline(values, line):
    assert sparkline(values) == line


def test_sparkline_averages_runs():
    assert sparkline([0, 0, 7, 7, 2, 4], width=3) == "▁█▄"
    assert sparkline([0, 0, 7, NAN, 3, 4], width=3) == "▁×█"
    assert len(sparkline(range(1001))) == 40


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.1235"),
        (-2.0, "-2.0000"),
        (0.0, "0.0000"),
        (9.99e-4, "9.990e-04"),
        (1e-3, "0.0010"),
        (1e4, "1.000e+04"),
        (-INF, "-inf"),
        (NAN, "nan"),
    ],
)
def test_format_number(value, text):
    assert format_number(value) == text
