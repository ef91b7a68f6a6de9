"""Checkpoints: what they hold, and what is refused before anything changes."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import io, nn, optim
from tensorgrad.data import DataLoader, batches
from tensorgrad.random import as_generator, state_of
from tensorgrad.train import History, fit, load_checkpoint, save_checkpoint


class Noisy(nn.Module):
    """Holds generators in all places where they are looked for, one of them twice."""

    def __init__(self, seed):
        shared = np.random.default_rng(seed)
        self.rng = shared
        self.more = [shared, {"a": np.random.Generator(np.random.MT19937(seed))}]
        self.linear = nn.Linear(2, 3, rng=seed)
        self.more.append(self.more)  # a cycle

    def draws(self):
        return [self.rng.random(), self.more[1]["a"].random()]


def parts(seed=0):
    """Return a model, an optimiser that has taken a step, batches within a pass, a history."""
    model = Noisy(seed)
    optimizer = optim.Adam(model.linear.parameters(), lr=0.1)
    data = batches(np.arange(10.0), 3, shuffle=True, rng=seed)
    history = History()
    next(iter(data))
    for _ in range(seed + 1):
        optimizer.zero_grad()
        (model.linear.weight * float(seed + 1)).sum().backward()
        optimizer.step()
        history.record_step(seed, 0.1)
    return {"model": model, "optimizer": optimizer, "data": data, "history": history}


def states(found):
    """Return all that can be seen of the parts, as text."""
    model = found["model"]
    seen = [part.state_dict() for part in found.values()]
    return repr([seen, state_of(model.rng), state_of(model.more[1]["a"])])


def test_everything_comes_back(tmp_path):
    saved, other = parts(0), parts(1)
    assert states(saved) != states(other)
    save_checkpoint(tmp_path / "a.npz", **saved, epoch=3, note=["x", None, {"y": 2.5}])
    assert load_checkpoint(tmp_path / "a.npz", **other) == {
        "epoch": 3,
        "note": ["x", None, {"y": 2.5}],
    }
    assert states(other) == states(saved)
    assert other["model"].draws() == saved["model"].draws()
    whole = batches(np.arange(10.0), 3, shuffle=True, rng=0)
    assert [b.tolist() for b in other["data"]] == [b.tolist() for b in whole][1:]


def test_the_default_generator_is_in_every_checkpoint(tmp_path):
    tg.manual_seed(3)
    save_checkpoint(tmp_path / "a.npz")
    expected = tg.rand(4).data
    tg.manual_seed(4)
    load_checkpoint(tmp_path / "a.npz")
    np.testing.assert_array_equal(tg.rand(4).data, expected)


def test_generators_are_parts(tmp_path):
    rng = np.random.default_rng(5)
    save_checkpoint(tmp_path / "a.npz", rng=rng)
    expected = rng.random(3)
    load_checkpoint(tmp_path / "a.npz", rng=rng)
    np.testing.assert_array_equal(rng.random(3), expected)


def test_a_part_can_be_taken_alone(tmp_path):
    saved, model = parts(0), Noisy(7)
    save_checkpoint(tmp_path / "a.npz", **saved)
    load_checkpoint(tmp_path / "a.npz", model=model)
    np.testing.assert_array_equal(model.linear.weight.data, saved["model"].linear.weight.data)


def test_saving_changes_nothing(tmp_path):
    found = parts()
    before = states(found)
    save_checkpoint(tmp_path / "a.npz", **found)
    assert states(found) == before


# ------------------------------------------------------------------ what does not fit


class Stubborn:
    """Changes, and then refuses."""

    def __init__(self):
        self.value = 0

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]
        if state["value"] == 13:
            raise RuntimeError("not with me")


def other_parts(name):
    """Return parts of which one does not fit, behind those that do."""
    found = parts(1)
    if name == "model":
        model = Noisy(1)
        model.more.append(np.random.default_rng(0))
        return {**found, "model": model}, r"model: the model has the generators"
    if name == "optimizer":
        optimizer = optim.SGD(found["model"].linear.parameters(), lr=0.1)
        return {**found, "optimizer": optimizer}, r"optimizer: (.|\n)*unexpected"
    if name == "data":
        return {**found, "data": batches(np.arange(11.0), 3, shuffle=True, rng=0)}, "data: "
    return {**found, "history": batches(np.arange(3.0), 1)}, "history: "


@pytest.mark.parametrize("name", ["model", "optimizer", "data", "history"])
def test_a_part_that_does_not_fit_leaves_all_as_they_were(name, tmp_path):
    """Cases 101 and 109."""
    save_checkpoint(tmp_path / "a.npz", **parts(0))
    tg.manual_seed(1)
    found, message = other_parts(name)
    before, default = states(found), state_of(as_generator(None))
    with pytest.raises(ValueError, match=f"nothing was changed: {message}"):
        load_checkpoint(tmp_path / "a.npz", **found)
    assert (states(found), state_of(as_generator(None))) == (before, default)


def sharing(rng, last):
    """Return parts of which three have the same generator, in front of a last one."""
    model, data = Noisy(0), batches(np.arange(10.0), 3, shuffle=True, rng=rng)
    model.rng = model.more[0] = rng
    return {"data": data, "rng": rng, "model": model, "last": last}


def test_a_generator_that_parts_share_is_put_back(tmp_path):
    saved, rng = Stubborn(), np.random.default_rng(1)
    saved.value = 13
    save_checkpoint(tmp_path / "a.npz", **sharing(np.random.default_rng(0), saved))
    before = state_of(rng)
    with pytest.raises(ValueError, match="nothing was changed: last: not with me"):
        load_checkpoint(tmp_path / "a.npz", **sharing(rng, Stubborn()))
    assert state_of(rng) == before


def test_ctrl_c_in_a_part_puts_all_back(tmp_path):
    class Interrupted(Stubborn):
        def load_state_dict(self, state):
            super().load_state_dict(state)
            if state["value"] == 7:
                raise KeyboardInterrupt

    saved, found, rng = Interrupted(), Interrupted(), np.random.default_rng(1)
    saved.value = 7
    save_checkpoint(tmp_path / "a.npz", rng=np.random.default_rng(0), last=saved)
    before = state_of(rng)
    with pytest.raises(KeyboardInterrupt):
        load_checkpoint(tmp_path / "a.npz", rng=rng, last=found)
    assert (state_of(rng), found.value) == (before, 0)


def test_a_part_that_changes_and_then_refuses_is_put_back(tmp_path):
    saved, found = Stubborn(), Stubborn()
    saved.value = 13
    rng = np.random.default_rng(0)
    save_checkpoint(tmp_path / "a.npz", rng=np.random.default_rng(9), part=saved)
    before = state_of(rng)
    with pytest.raises(ValueError, match="part: not with me"):
        load_checkpoint(tmp_path / "a.npz", rng=rng, part=found)
    assert (found.value, state_of(rng)) == (0, before)


def test_a_missing_part_is_named(tmp_path):
    save_checkpoint(tmp_path / "a.npz", history=History())
    with pytest.raises(ValueError, match=r"no part 'model'; it has \['history'\]"):
        load_checkpoint(tmp_path / "a.npz", model=Noisy(0))


def test_a_plain_value_cannot_be_loaded_into(tmp_path):
    save_checkpoint(tmp_path / "a.npz", epoch=3)
    with pytest.raises(TypeError, match="epoch is a int"):
        load_checkpoint(tmp_path / "a.npz", epoch=0)


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    save_checkpoint(tmp_path / "a.npz", epoch=3)
    with pytest.raises(TypeError, match="set"):
        save_checkpoint(tmp_path / "a.npz", epoch={1})
    assert load_checkpoint(tmp_path / "a.npz") == {"epoch": 3}


@pytest.mark.parametrize(
    "state", [{}, [1], {"format": "tensorgrad checkpoint 2"}, {"format": "x", "parts": {}}]
)
def test_other_files_are_refused(state, tmp_path):
    io.save(tmp_path / "a.npz", state)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "a.npz")


def test_damage_is_found_before_anything_changes(tmp_path):
    """Cases 112 and 113, through fit's own file."""
    path = tmp_path / "a.npz"
    found = parts(0)
    save_checkpoint(path, **found)
    whole = path.read_bytes()
    other = parts(1)
    before = states(other)
    for place in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place])
        with pytest.raises(io.FormatError):
            load_checkpoint(path, **other)
        assert states(other) == before


# ------------------------------------------------------------------ through fit


def run(folder, model=None, **options):
    """Train a linear model for two epochs, in a folder."""
    model = nn.Linear(1, 1, rng=0) if model is None else model
    x = np.linspace(-1, 1, 12, dtype=np.float32)[:, None]
    if "optimizer" not in options:
        options["optimizer"] = optim.SGD(model.parameters(), lr=0.1)
    options = {"epochs": 2, "checkpoint": folder, "verbose": 0} | options
    data = options.pop("data", (x, 3 * x))
    return fit(model, data, loss=nn.mse_loss, batch_size=5, rng=0, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": nn.Linear(1, 2, rng=0)}, r"model: (.|\n)*shape"),
        ({"optimizer": lambda p: optim.Adam(p)}, r"optimizer: (.|\n)*(missing|unexpected)"),
        ({"data": (np.ones((9, 1), np.float32), np.ones((9, 1), np.float32))}, "data: "),
    ],
)
def test_another_training_does_not_resume(options, message, tmp_path):
    run(tmp_path)
    model = options.pop("model", None) or nn.Linear(1, 1, rng=5)
    if "optimizer" in options:
        options["optimizer"] = options["optimizer"](model.parameters())
    before = model.state_dict()
    with pytest.raises(ValueError, match=message):
        run(tmp_path, model, resume=True, **options)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_folder_with_a_training_is_not_written_over(tmp_path):
    run(tmp_path)
    kept = (tmp_path / "last.npz").read_bytes()
    model = nn.Linear(1, 1, rng=5)
    before = model.state_dict()
    with pytest.raises(FileExistsError, match=r"last.npz holds a training.*resume=True"):
        run(tmp_path, model)
    assert (tmp_path / "last.npz").read_bytes() == kept
    np.testing.assert_array_equal(model.weight.data, before["weight"])


def test_a_training_without_a_step_is_gone_on_with(tmp_path):
    run(tmp_path, epochs=0)
    assert run(tmp_path, resume=True).epochs == 2


@pytest.mark.parametrize("held", [True, False], ids=["loop goes on", "loop was left"])
@pytest.mark.parametrize("peeked", ["data", "validation"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_data_that_were_looked_into_are_whole_after_a_resumption(peeked, held, shuffle, tmp_path):
    """From before the first step, as after a kill in the first epoch."""

    def loaders():
        x = np.linspace(-1, 1, 12, dtype=np.float32)[:, None]
        return {
            name: DataLoader((x, 3 * x), 5, shuffle, generator=i)
            for i, name in enumerate(("data", "validation"))
        }

    def looked_into():
        found = loaders()
        loop = iter(found[peeked])
        next(loop)
        return found, loop if held else None

    first, loop = looked_into()
    expected = run(tmp_path / "whole", **first)
    again, other = looked_into()
    run(tmp_path / "left", epochs=0, **again)
    resumed = run(tmp_path / "left", resume=True, **loaders())
    assert len(expected.steps) == 6
    assert resumed.steps == expected.steps
    assert resumed["val_loss"] == expected["val_loss"]
    assert loop is other or next(loop)[0].shape == next(other)[0].shape == (5, 1)


def test_data_without_a_position_cannot_be_saved(tmp_path):
    class Endless:
        def __iter__(self):
            yield np.ones((2, 1), np.float32), np.ones((2, 1), np.float32)

    with pytest.raises(TypeError, match="data is a Endless, whose position cannot be saved"):
        run(tmp_path, data=Endless())


def test_resume_needs_a_place():
    with pytest.raises(ValueError, match="give checkpoint= too, or a path"):
        run(None, resume=True)


def test_resume_from_a_path_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        run(None, resume=tmp_path / "none.npz")


def test_a_function_as_a_model_resumes_its_parameters(tmp_path):
    """Those of the optimiser, since a function has none to ask for."""

    def train(folder, epochs, **options):
        w = tg.Tensor(np.ones((1, 1), np.float32))
        run(folder, lambda x: x @ w, optimizer=optim.SGD([w], lr=0.1), epochs=epochs, **options)
        return w.data.item()

    expected = train(tmp_path / "whole", 4)
    train(tmp_path / "left", 2)
    assert train(tmp_path / "left", 4, resume=True) == expected


def test_a_folder_that_cannot_be_made_is_found_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    model = nn.Linear(1, 1, rng=0)
    with pytest.raises(OSError, match="file"):
        run(tmp_path / "file" / "folder", model)
    np.testing.assert_array_equal(model.weight.data, nn.Linear(1, 1, rng=0).weight.data)


@pytest.mark.parametrize("name", ["last.npz", "best.npz"])
def test_a_training_survives_a_checkpoint_that_cannot_be_saved(name, tmp_path):
    """Cases 114 and 115: as on a full disk; the file is tried again when it is due."""

    def trouble(event, run):
        if event == "epoch_end" and run.epoch == 2:
            (tmp_path / name).rename(tmp_path / "kept.npz")
            (tmp_path / name).mkdir()
        elif event == "epoch_end" and run.epoch == 3:
            (tmp_path / name).rmdir()

    with pytest.warns(RuntimeWarning, match=f"{name} is as it was, .* after step 6: .*folder"):
        history = run(tmp_path, callbacks=trouble, epochs=3)
    assert history.epochs == 3
    for path, steps in (("kept.npz", 3), (name, 9)):
        found = History()
        load_checkpoint(tmp_path / path, history=found)
        assert found.steps == history.steps[:steps]


def test_a_resumed_training_says_where_it_goes_on(tmp_path, capsys):
    run(tmp_path)
    run(tmp_path, epochs=3, resume=True, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"goes on from {tmp_path / 'last.npz'}, after 6 steps and 2 whole epochs"
    assert [line[:9] for line in lines[1:]] == ["epoch 3/3"]
