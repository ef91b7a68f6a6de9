"""Pictures of training runs and of decision boundaries: the data of their lines and axes."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from tensorgrad.train.history import History
from tensorgrad.viz.plots import plot_decision_boundary, plot_history

NAN, INF = np.nan, np.inf


def run(epochs=3, steps=4, **columns):
    """Record a run whose losses are 1, 1/2, 1/3, ...; columns hold a value per epoch."""
    history = History()
    for epoch in range(epochs):
        for _ in range(steps):
            history.record_step(1 / (1 + len(history.steps)))
        history.end_epoch(**{name: values[epoch] for name, values in columns.items()})
    return history


def lines(axes):
    """Return the lines of an axes as lists, by label."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines
    }


def drawn(figure):
    """Draw every part of the figure, so that what only drawing finds is found."""
    figure.draw_without_rendering()
    return figure


# ------------------------------------------------------------------ history


def test_loss_of_steps_and_validation_at_epoch_ends():
    figure = run(epochs=2, steps=2, val_loss=[0.9, 0.8]).plot()
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    assert lines(axes) == {
        "training": ([0.5, 1.0, 1.5, 2.0], [1, 1 / 2, 1 / 3, 1 / 4]),
        "validation": ([1, 2], [0.9, 0.8]),
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch (2 steps each)", "loss")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
    assert axes.lines[1].get_linestyle() == "--"


def test_a_panel_per_metric_with_its_validation():
    figure = run(
        val_loss=[1, 1, 1], accuracy=[0.1, 0.2, 0.3], val_accuracy=[0, 1, 2], val_f1=[3, 4, 5]
    ).plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "f1"]
    assert lines(figure.axes[1]) == {
        "training": ([1, 2, 3], [0.1, 0.2, 0.3]),
        "validation": ([1, 2, 3], [0, 1, 2]),
    }
    assert lines(figure.axes[2]) == {"validation": ([1, 2, 3], [3, 4, 5])}


def test_a_legend_covers_no_curve():
    figure = drawn(run(accuracy=[0.1, 0.2, 0.3], val_accuracy=[0.3, 0.3, 0.3]).plot())
    for axes in figure.axes:
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.2, 4.0], ["0.2", "0.5", "1", "2"]),
        ([2000.0, 40000.0], ["2000", "5000", "10000", "20000"]),
        ([1e-4, 4.0], None),
    ],
)
def test_a_short_logarithmic_axis_has_plain_numbers(losses, expected):
    (axes,) = drawn(plot_history({"loss": losses}, log_y=True)).axes
    low, high = axes.get_ylim()
    labels = [t.get_text() for t in axes.get_yticklabels() if low <= t.get_position()[1] <= high]
    if expected is None:
        assert all(label.startswith("$") for label in labels)  # powers of ten
    else:
        assert labels == expected


def test_close_numbers_on_a_logarithmic_axis_are_told_apart():
    (axes,) = drawn(plot_history({"loss": [2.512, 2.514]}, log_y=True)).axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert len(labels) > 2
    assert len({*labels}) == len(labels)


def test_one_epoch_of_one_step():
    figure = drawn(run(1, 1, accuracy=[0.5]).plot())
    assert lines(figure.axes[0]) == {"training": ([1], [1])}
    assert figure.axes[0].get_xlabel() == "epoch (1 step each)"
    assert lines(figure.axes[1]) == {"training": ([1], [0.5])}
    low, high = figure.axes[1].get_xlim()
    assert low < 1 < high


def test_unfinished_epoch_continues_the_axis():
    """Half as many steps as the epoch before end half an epoch later."""
    history = run(2, 4)
    history.record_step(0.1)
    history.record_step(0.1)
    (axes,) = history.plot().axes
    assert lines(axes)["training"][0] == [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5]


def test_epochs_of_different_lengths_end_at_whole_numbers():
    history = run(1, 2)
    for _ in range(4):
        history.record_step(0.1)
    history.end_epoch()
    (axes,) = history.plot().axes
    assert lines(axes)["training"][0] == [0.5, 1, 1.25, 1.5, 1.75, 2]
    assert axes.get_xlabel() == "epoch"


def test_steps_before_the_first_epoch_ends():
    history = History()
    history.record_step(0.5)
    history.record_step(0.25)
    (axes,) = history.plot().axes
    assert lines(axes) == {"training": ([1, 2], [0.5, 0.25])}
    assert axes.get_xlabel() == "step"


@pytest.mark.parametrize("history", [History(), {}, {"loss": [NAN, NAN]}])
def test_nothing_to_draw_says_so(history):
    (axes,) = drawn(plot_history(history, log_y=True)).axes
    assert [text.get_text() for text in axes.texts] == ["nothing recorded"]


def test_plain_mapping():
    figure = plot_history({"loss": [3.0, 2.0], "val_loss": [4.0, 3.0], "accuracy": [0.5, 0.75]})
    assert lines(figure.axes[0]) == {
        "training": ([1, 2], [3.0, 2.0]),
        "validation": ([1, 2], [4.0, 3.0]),
    }
    assert lines(figure.axes[1]) == {"training": ([1, 2], [0.5, 0.75])}


def test_history_read_from_csv(tmp_path):
    run(val_loss=[1, 1, 1]).to_csv(tmp_path / "run.csv")
    (axes,) = History.from_csv(tmp_path / "run.csv").plot().axes
    assert lines(axes)["training"][0] == [1, 2, 3]


def test_losses_that_are_not_finite_are_crosses_and_gaps():
    history = History()
    for loss in (1.0, NAN, 0.5, INF):
        history.record_step(loss)
    history.end_epoch(val_loss=NAN, accuracy=0.5)
    figure = drawn(history.plot(smooth=0.5))
    data = lines(figure.axes[0])
    np.testing.assert_array_equal(data["training, by step"][1], [1.0, NAN, 0.5, NAN])
    np.testing.assert_allclose(data["training, smoothed"][1], [1.0, NAN, (0.25 + 0.25) / 0.75, NAN])
    assert data["NaN or infinite"] == ([0.5, 1.0], [0.02, 0.02])
    assert "validation" not in data


def test_epochs_without_a_value_are_passed_over():
    """Validation every second epoch is one line, not isolated points."""
    figure = run(4, val_loss=[NAN, 2.0, NAN, 1.0]).plot()
    assert lines(figure.axes[0])["validation"] == ([2, 4], [2.0, 1.0])


def test_moving_average():
    r"""Against the weights written out: :math:`\sum_s d^{t-s} l_s / \sum_s d^{t-s}`."""
    history = run(2, 20)
    average = lines(history.plot(smooth=0.75).axes[0])["training, smoothed"][1]
    losses = np.array(history.steps)
    for t in range(len(losses)):
        weights = 0.75 ** np.arange(t, -1, -1)
        np.testing.assert_allclose(
            average[t], weights @ losses[: t + 1] / weights.sum(), rtol=1e-12
        )


@pytest.mark.parametrize(("steps", "smoothed"), [(30, False), (31, True)])
def test_short_runs_are_not_smoothed_unless_asked(steps, smoothed):
    history = run(1, steps)
    assert ("training, smoothed" in lines(history.plot().axes[0])) == smoothed
    assert set(lines(history.plot(smooth=0).axes[0])) == {"training"}
    assert "training, smoothed" in lines(history.plot(smooth=0.9).axes[0])


def test_dense_run_keeps_its_extremes():
    history = History()
    history.steps = np.random.default_rng(0).uniform(1, 2, 50_000).tolist()
    history.steps[12_345], history.steps[23_456] = 9.0, -9.0
    history.end_epoch()
    data = lines(history.plot().axes[0])
    assert len(data["training, by step"][1]) == 4000
    assert (min(data["training, by step"][1]), max(data["training, by step"][1])) == (-9.0, 9.0)
    assert len(data["training, smoothed"][1]) == 4000


def test_logarithmic_axis():
    history = run(accuracy=[0.1, 0.2, 0.3])
    history.record_step(0.0)
    figure = drawn(history.plot(log_y=True))
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]


@pytest.mark.parametrize("smooth", [-0.1, 1.0, NAN])
def test_smooth_out_of_range(smooth):
    with pytest.raises(ValueError, match=r"smooth must lie in \[0, 1\)"):
        run().plot(smooth=smooth)


def test_logarithm_of_losses_that_are_not_positive():
    with pytest.raises(ValueError, match="log_y needs positive losses"):
        plot_history({"loss": [-1.0, 0.0, NAN]}, log_y=True)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("f1", "f1"),
        ("a b", "a b"),
        (
            "mean_absolute_percentage_error_of_the_test",
            "mean_absolute_percentage_\nerror_of_the_test",
        ),
        ("x" * 100, "x" * 32 + "\n" + "x" * 31 + "…"),
    ],
)
def test_long_names_are_wrapped(name, label):
    figure = run(1, **{name: [0.5]}).plot()
    assert figure.axes[1].get_ylabel() == label


def test_dollars_are_no_mathematics():
    drawn(run(1, **{"cost in $, not \\frac$": [0.5]}).plot())


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
def test_saved_by_suffix(tmp_path, suffix, magic):
    path = tmp_path / f"run{suffix}"
    run().plot(path)
    plot_decision_boundary(above, X, Y, path=(other := tmp_path / f"boundary{suffix}"))
    assert path.read_bytes().startswith(magic)
    assert other.read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["run", "run.jpeg2", "run.txt"])
def test_unknown_suffix(tmp_path, name):
    for draw in (run().plot, lambda path: plot_decision_boundary(above, X, Y, path=path)):
        with pytest.raises(ValueError, match=r"saved as \.png, \.svg, \.pdf, not as"):
            draw(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_notebook_shows_the_figure_and_it_can_be_pickled():
    figure = run().plot()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert len(pickle.loads(pickle.dumps(figure)).axes) == 1


def test_neither_pyplot_nor_a_display_is_needed():
    code = (
        "import sys; from tensorgrad.viz.plots import plot_history, plot_decision_boundary\n"
        "before = 'matplotlib' in sys.modules\n"
        "plot_history({'loss': [1.0, 0.5]})._repr_png_()\n"
        "plot_decision_boundary(lambda p: p[:, 0], [[0, 0], [1, 1]], [0, 1])._repr_png_()\n"
        "print(before, 'matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


# ------------------------------------------------------------------ decision boundary

X = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
Y = np.array([0, 1, 0, 1])


def above(points):
    """Score positive right of x = 1."""
    return points[:, 0] - 1.0


def nearest(points):
    """Score four classes by the distance to the samples of X."""
    return -np.square(points[:, None, :] - X).sum(axis=-1)


class Held:
    """Stands for a tensor: holds an array in `data`, and refuses conversion."""

    def __init__(self, data):
        self.data = data

    def __array__(self, dtype=None, copy=None):
        raise TypeError("use .data")


def regions(figure):
    """Return the image of class indices, with -1 where it is masked."""
    return np.ma.filled(figure.axes[0].images[0].get_array(), -1)


def boundary(figure):
    """Return the points of every boundary line."""
    contours = [item for item in figure.axes[0].collections if isinstance(item, ContourSet)]
    return [path.vertices for item in contours for path in item.get_paths()]


def scatters(figure):
    """Return the scattered points by label."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    return {label: np.asarray(h.get_offsets()) for h, label in zip(handles, labels, strict=True)}


@pytest.mark.parametrize(
    "model",
    [
        above,
        lambda p: above(p)[:, None],
        lambda p: Held(above(p)),
        lambda p: Held(Held(above(p)).data[:, None]),
        lambda p: above(p).tolist(),
        lambda p: np.stack([-above(p), above(p)], axis=1),
        lambda p: above(p) > 0,
        lambda p: (above(p) > 0).astype(np.int8),
        lambda p: (above(p) > 0).astype(np.float32),
    ],
)
def test_every_form_of_two_classes(model):
    figure = drawn(plot_decision_boundary(model, X, Y, resolution=40))
    expected = np.linspace(-0.2, 2.2, 40) > 1.0
    np.testing.assert_array_equal(regions(figure), np.broadcast_to(expected, (40, 40)))
    (line,) = boundary(figure)
    assert abs(line[:, 0] - 1.0).max() < 2.4 / 39
    assert (figure.axes[0].get_xlim(), figure.axes[0].get_ylim()) == ((-0.2, 2.2), (-0.4, 4.4))


def test_boundary_is_where_the_score_is_zero():
    """Not on the grid, but interpolated: a straight boundary is exact."""
    figure = plot_decision_boundary(lambda p: p[:, 1] - 2 * p[:, 0], X, Y, resolution=7)
    (line,) = boundary(figure)
    np.testing.assert_allclose(line[:, 1], 2 * line[:, 0], atol=1e-12)


@pytest.mark.parametrize(
    "labels", [[-1, 1], [0, 1], [1, 2], ["cat", "dog"], [False, True], [-1.0, 1.0]]
)
def test_labels_of_two_classes(labels):
    figure = plot_decision_boundary(above, X, np.array(labels)[Y])
    data = scatters(figure)
    assert list(data) == [str(label) for label in np.array(labels)]
    np.testing.assert_array_equal(data[str(np.array(labels)[1])], X[Y == 1])


@pytest.mark.parametrize(("only", "names"), [(0, ["0", "1"]), (1, ["0", "1"]), (-1, ["-1", "1"])])
def test_samples_of_one_of_two_classes(only, names):
    figure = plot_decision_boundary(above, X, np.full(4, only))
    assert list(scatters(figure)) == names
    assert len(scatters(figure)[str(only)]) == 4


def test_threshold_of_a_probability():
    figure = plot_decision_boundary(
        lambda p: 1 / (1 + np.exp(-above(p))), X, Y, threshold=0.5, resolution=40
    )
    np.testing.assert_array_equal(regions(figure)[0], np.linspace(-0.2, 2.2, 40) > 1.0)


def test_four_classes():
    figure = drawn(plot_decision_boundary(nearest, X, [0, 1, 2, 3], resolution=30))
    right = np.linspace(-0.2, 2.2, 30) > 1
    upper = np.linspace(-0.4, 4.4, 30) > 2
    np.testing.assert_array_equal(regions(figure), right[None, :] + 2 * upper[:, None])
    assert list(scatters(figure)) == ["0", "1", "2", "3"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1", "2", "3"]


def test_predicted_labels_that_no_sample_has():
    figure = plot_decision_boundary(lambda p: nearest(p).argmax(axis=1), X, [0, 1, 1, 3])
    assert list(scatters(figure)) == ["0", "1", "2", "3"]
    assert len(scatters(figure)["2"]) == 0


def test_many_classes_and_classes_that_win_nowhere():
    scores = np.arange(12.0)
    figure = drawn(plot_decision_boundary(lambda p: np.tile(scores, (len(p), 1)), X, Y))
    assert set(np.unique(regions(figure))) == {11}
    assert len(scatters(figure)) == 12


def test_scores_that_are_nan_stay_white():
    def model(points):
        return np.where(points[:, 1] > 2, NAN, above(points))

    image = regions(drawn(plot_decision_boundary(model, X, Y, resolution=10)))
    assert (image[5:] == -1).all()
    assert (image[:5] >= 0).all()


def test_infinite_scores():
    def model(points):
        return np.where(nearest(points) > -1, INF, -INF)

    image = regions(drawn(plot_decision_boundary(model, X, [0, 1, 2, 3], resolution=10)))
    assert set(np.unique(image)) == {0, 1, 2, 3}


def test_grid_comes_in_batches_of_the_samples_dtype():
    seen = []

    def model(points):
        seen.append((points.shape, points.dtype))
        return above(points)

    plot_decision_boundary(model, X.astype(np.float32), Y, resolution=300)
    assert seen == [((65536, 2), np.float32), ((90_000 - 65536, 2), np.float32)]
    seen.clear()
    plot_decision_boundary(model, [[0, 0], [1, 1]], [0, 1], resolution=2)
    assert seen == [((4, 2), np.float64)]


def test_margin_and_samples_on_a_line():
    axes = plot_decision_boundary(above, [[1.0, 3.0], [5.0, 3.0]], [0, 1], margin=0.25).axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.0, 6.0), (2.0, 4.0))


def test_samples_are_thinned_within_each_class():
    """Labels that alternate with the stride keep every class, and a rare class a sample."""
    x = np.random.default_rng(1).normal(size=(8000, 2))
    y = np.arange(8000) % 4
    y[17] = 4
    data = scatters(plot_decision_boundary(lambda p: np.eye(5)[np.zeros(len(p), int)], x, y))
    assert [len(points) for points in data.values()] == [500, 500, 500, 500, 1]
    np.testing.assert_array_equal(data["2"], x[y == 2][::4])


def test_tensors_as_samples_and_columns_as_labels():
    figure = plot_decision_boundary(above, Held(X), Held(Y[:, None]))
    np.testing.assert_array_equal(scatters(figure)["1"], X[Y == 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((4, 3))}, r"x must have shape \(n, 2\).*not \(4, 3\): choose two columns"),
        ({"x": np.zeros(4)}, r"x must have shape"),
        ({"x": np.zeros((0, 2)), "y": []}, "x holds no sample"),
        ({"x": X * [1.0, NAN]}, "x contains NaN or infinity"),
        ({"y": [0, 1]}, r"y must have shape \(4,\)"),
        ({"y": np.eye(4)}, r"one-hot rows become labels by y.argmax"),
        ({"y": [0, 1, 2, 1]}, r"tells two labels apart, and y holds 3"),
        ({"y": [7, 7, 7, 7]}, r"and y holds 1"),
        ({"model": nearest, "y": [0, 1, 2, 4]}, r"labels 0 to 3, and y also holds \[4\]"),
        ({"model": nearest, "y": [-1, 1, -1, 1]}, r"also holds \[-1\]"),
        ({"model": nearest, "y": list("abab")}, r"also holds \['a', 'b'\]"),
        ({"model": lambda _: np.zeros(3)}, r"one score.*each of the 100 points.*not \(3,\)"),
        ({"model": lambda _: 0.0}, r"not \(\)"),
        ({"model": lambda p: p[:, :, None]}, r"not \(100, 2, 1\)"),
        ({"resolution": 1}, "resolution must be at least 2"),
        ({"margin": -0.5}, "margin must not be negative"),
    ],
)
def test_errors_say_what_to_do(changes, message):
    arguments = {"model": above, "x": X, "y": Y, "resolution": 10} | changes
    with pytest.raises(ValueError, match=message):
        plot_decision_boundary(**arguments)
