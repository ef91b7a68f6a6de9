"""`tensorgrad.io`: what is saved comes back to the bit, in both formats, for other programs too."""

from __future__ import annotations

import copy
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from io_files import bits
from tensorgrad.io import load, load_metadata, load_safetensors, save, save_safetensors

SUFFIXES = [".npz", ".safetensors"]
REAL = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8"]


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return where to save."""
    return tmp_path / f"state{request.param}"  # type: ignore[no-any-return]


def returned(path: Path, state: Any) -> Any:
    """Return a state after saving and loading."""
    save(path, state)
    return load(path)


@pytest.mark.parametrize("code", [*REAL, "c16", "g", "G"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3), (1,) * 32], ids=str)
def test_every_dtype_and_shape_returns(code: str, shape: tuple[int, ...], path: Path) -> None:
    """Case 116; all values, since the bits are random."""
    size = math.prod(shape)
    dtype = np.dtype(code)
    raw = np.random.default_rng(1).integers(0, 2 if code == "?" else 256, size * dtype.itemsize)
    array = raw.astype(np.uint8).view(dtype).reshape(shape)
    if path.suffix == ".safetensors" and code in ("c16", "g", "G"):
        with pytest.raises(TypeError, match=r"'a' has dtype .* save to a file that ends in \.npz"):
            save(path, {"a": array})
        assert not path.exists()
        return
    found = returned(path, {"a": array})["a"]
    assert (found.dtype, found.shape, found.tobytes()) == (dtype, shape, array.tobytes())
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert found.flags.owndata or found.base.flags.owndata


def test_every_kind_of_nan_returns(path: Path) -> None:
    """Case 116: payloads, signalling NaNs, signed zeros, denormals."""
    patterns = [0x7FF8000000000001, 0xFFF4000000000123, 0x8000000000000000, 1, 0x7FF0000000000000]
    array = np.array(patterns, np.uint64).view(np.float64)
    singles = np.array([0x7FA00001, 0xFFC12345, 0x80000000, 1], np.uint32).view(np.float32)
    found = returned(path, {"d": array, "s": singles, "half": singles.astype(np.float16)})
    assert found["d"].tobytes() == array.tobytes()
    assert found["s"].tobytes() == singles.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[:, ::2],
        lambda a: a[::-1, ::-1],
        lambda a: a.T,
        np.asfortranarray,
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
        lambda a: np.require(a, requirements="W").view(np.matrix),
    ],
    ids=["step", "reverse", "T", "F", "stride 0", "big-endian", "unaligned", "matrix"],
)
def test_every_layout_returns_as_a_plain_array(change: Any, path: Path) -> None:
    """Cases 96 and 116."""
    array = change(np.arange(12.0).reshape(3, 4))
    array.flags.writeable = False
    found = returned(path, {"a": array})["a"]
    np.testing.assert_array_equal(found, array)
    assert type(found) is np.ndarray
    assert found.dtype == np.dtype(float)
    assert found.dtype.isnative
    assert found.flags.writeable


STATE: dict[str, Any] = {
    "model": {"0.weight": np.ones((2, 3), np.float32), "0.bias": np.zeros(2, np.float32)},
    "generator": np.random.default_rng(3).bit_generator.state,
    "legacy": np.random.MT19937(3).state,
    "numbers": [0, -1, 10**400, 2**127, 1.5, -0.0, 5e-324, 1e308, math.nan, math.inf, -math.inf],
    "text": ["", "é\n\0\ud800", "None", '{"dict": 1}'],
    "rest": [None, True, False, [], {}, [[]], {"": [{}]}],
    "dict": {"dict": {"array": "float"}},
    "array": np.arange(3),
}


def test_a_state_returns_as_it_was(path: Path) -> None:
    before = copy.deepcopy(STATE)
    found = returned(path, STATE)
    assert bits(found) == bits(STATE) == bits(before)
    generator = np.random.default_rng()
    generator.bit_generator.state = found["generator"]
    assert generator.random() == np.random.default_rng(3).random()
    assert returned(path, [np.ones(2), 1])[1] == 1
    assert returned(path, {}) == {}
    assert returned(path, []) == []


def test_tensors_and_scalars_return_as_arrays(path: Path) -> None:
    x = tg.Tensor([1.0, 2.0])
    state = {
        "leaf": x, "result": x * 2, "constant": tg.tensor([1]), "value": tg.Value(3.0),
        "number": (x * x).sum(), "scalar": np.float32(0.1), "flag": np.bool_(True),
    }  # fmt: skip
    found = returned(path, state)
    assert {name: (a.dtype.name, a.tolist()) for name, a in found.items()} == {
        "leaf": ("float64", [1.0, 2.0]), "result": ("float64", [2.0, 4.0]),
        "constant": ("int64", [1]), "value": ("float64", 3.0), "number": ("float64", 5.0),
        "scalar": ("float32", float(np.float32(0.1))), "flag": ("bool", True),
    }  # fmt: skip
    assert all(type(array) is np.ndarray for array in found.values())


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | hnp.arrays(st.sampled_from(REAL).map(np.dtype), hnp.array_shapes(min_dims=0, min_side=0)),
    lambda parts: st.lists(parts, max_size=4)
    | st.dictionaries(st.text("abc", min_size=1, max_size=3), parts, max_size=4),
    max_leaves=10,
)  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=st.lists(trees, max_size=3))
def test_any_state_returns_as_it_was(suffix: str, tmp_path: Path, state: list[Any]) -> None:
    assert bits(returned(tmp_path / f"any{suffix}", state)) == bits(state)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.ones(2), TypeError, "state is a ndarray; expected a dict or a list"),
        ((1, 2), TypeError, "state is a tuple; expected a dict or a list"),
        ({"a": [1, {2}]}, TypeError, r"state\['a'\]\[1\] is a set; expected"),
        ({"a": (1, 2)}, TypeError, r"state\['a'\] is a tuple; .* use list"),
        ({"a": {1: 2}}, TypeError, r"state\['a'\] has the key 1; expected text"),
        ({"a": 1j}, TypeError, r"state\['a'\] is a complex"),
        ({"a": np.array(["x"])}, TypeError, r"state\['a'\] has dtype <U1"),
        ({"a": np.array([object()])}, TypeError, r"state\['a'\] holds objects"),
        ({"a": np.zeros(1, "f4,f4")}, TypeError, r"state\['a'\] has dtype"),
        ({"a": np.ma.masked_array([1.0])}, TypeError, r"state\['a'\] is a masked array"),
        ({"a": tg.Tensor}, TypeError, r"state\['a'\] is a type"),
        ({"": np.ones(1)}, ValueError, r"state\[''\] cannot be stored under its name"),
        ({"../a": np.ones(1)}, ValueError, "cannot be stored under its name"),
        ({"__metadata__": np.ones(1)}, ValueError, "where the metadata are kept"),
        ({"a.b": np.ones(1), "a": {"b": np.ones(1)}}, ValueError, r"\['a'\]\['b'\] would be"),
        ({"a": 10**5000}, ValueError, "digits"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_named_and_the_old_file_stays(
    state: Any, error: type[Exception], message: str, path: Path
) -> None:
    save(path, {"old": 1})
    with pytest.raises(error, match=message):
        save(path, state)
    assert load(path) == {"old": 1}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_state_that_holds_itself_is_refused(path: Path) -> None:
    state: dict[str, Any] = {}
    state["self"] = state
    with pytest.raises(ValueError, match="nested more than 50 deep"):
        save(path, state)
    deep: list[Any] = []
    for _ in range(50):
        deep = [deep]
    assert returned(path, deep) == deep


def test_what_could_not_be_loaded_replaces_nothing(path: Path) -> None:
    save(path, {"old": 1})
    with pytest.raises(ValueError, match="expected 4000000 at most"):
        save(path, {"text": "a" * 4_000_000})
    with pytest.raises(ValueError, match="has 33 dimensions"):
        save(path, {"a": np.ones((1,) * 33)})
    assert load(path) == {"old": 1}


def test_metadata(path: Path) -> None:
    given = {"author": "é", "format": "pt", "": ""}
    save(path, {"a": np.ones(2)}, metadata=given)
    assert load_metadata(path) == given
    save(path, {"a": np.ones(2)})
    assert load_metadata(path) == {}
    with pytest.raises(TypeError, match="metadata has 'epoch': 3; expected text by name"):
        save(path, {}, metadata={"epoch": 3})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="a name that this package uses itself"):
        save(path, {}, metadata={"tensorgrad": "1"})


def test_equal_states_are_equal_files(path: Path) -> None:
    """Case 106, for files."""
    save(path, STATE)
    first = path.read_bytes()
    save(path, copy.deepcopy(STATE))
    assert path.read_bytes() == first


def test_both_formats_hold_the_same(tmp_path: Path) -> None:
    found = []
    for suffix in SUFFIXES:
        save(tmp_path / f"a{suffix}", STATE, metadata={"a": "b"})
        found.append(load(tmp_path / f"a{suffix}"))
    assert bits(found[0]) == bits(found[1])
    with np.load(tmp_path / "a.npz", allow_pickle=False) as members:
        archived = json.loads(members["__metadata__.json"])
    length = int.from_bytes((tmp_path / "a.safetensors").read_bytes()[:8], "little")
    header = json.loads((tmp_path / "a.safetensors").read_bytes()[8 : 8 + length])
    assert archived == header["__metadata__"]


def test_load_then_train_on(path: Path) -> None:
    """Loaded arrays are as good as new ones: a model takes them, and they can be written to."""
    model, twin = tg.nn.MLP(3, [4, 1], rng=0), tg.nn.MLP(3, [4, 1], rng=1)
    optimizer = tg.optim.Adam(model.parameters(), lr=0.1)
    model(np.ones((2, 3))).sum().backward()
    optimizer.step()
    found = returned(path, {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    twin.load_state_dict(found["model"])
    resumed = tg.optim.Adam(twin.parameters(), lr=0.5)
    resumed.load_state_dict(found["optimizer"])
    for one, other in ((model, optimizer), (twin, resumed)):
        one.zero_grad()
        one(np.ones((2, 3))).sum().backward()
        other.step()
    assert bits(model.state_dict()) == bits(twin.state_dict())


# ----------------------------------------------------------------------------------- other programs


def test_numpy_reads_what_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    state = {"w": np.arange(6.0).reshape(2, 3), "z": np.array(1 + 2j), "e": np.zeros((0, 2), "?")}
    save(path, state)
    with np.load(path, allow_pickle=False) as members:
        assert members.files == ["__metadata__.json", "w", "z", "e"]
        assert bits({name: members[name] for name in state}) == bits(state)


def test_an_archive_of_more_than_4_gib_has_numbers_of_64_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As zipfile would write it, which is told here that 100 bytes are too many for 32 bits."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    state = {"a": np.arange(50.0), "b": np.arange(3), "c": np.ones((2, 2))}
    found = returned(tmp_path / "a.npz", state)
    assert bits(found) == bits(state)
    content = (tmp_path / "a.npz").read_bytes()
    assert content.count(b"PK\6\6") == 1
    assert b"\1\0\x18\0" in content[content.index(b"PK\1\2") :], "size, size and offset"


def test_a_file_of_numpy_is_read(tmp_path: Path) -> None:
    path = tmp_path / "numpy.npz"
    arrays = {
        "c": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i2"), "number": np.array(2.5), "none": np.zeros((0, 4)),
        "é/part": np.array([True]),
    }  # fmt: skip
    np.savez(path, **arrays)  # type: ignore[arg-type]
    found = load(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype.newbyteorder("=")
    assert load_metadata(path) == {}
    np.savez(path)
    assert load(path) == {}


def test_the_library_safetensors_reads_what_is_saved(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    safe_open = pytest.importorskip("safetensors").safe_open
    path = tmp_path / "a.safetensors"
    rng = np.random.default_rng(0)
    state = {code: rng.integers(0, 2, (2, 3)).astype(code) for code in REAL}
    state |= {"number": np.array(1.0), "none": np.zeros((0, 2))}
    save_safetensors(path, state, metadata={"format": "np"})
    found = library.load_file(path)
    assert bits({name: found[name] for name in state}) == bits(state)
    assert found.keys() == state.keys()
    with safe_open(path, "np") as file:
        assert file.metadata()["format"] == "np"


def test_a_file_of_the_library_safetensors_is_read(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "a.safetensors"
    state = {code: np.ones((2, 3)).astype(code) for code in REAL} | {"none": np.zeros((0, 2))}
    library.save_file(state, path, metadata={"format": "np"})
    found = load(path)
    assert bits({name: found[name] for name in state}) == bits(state)
    assert load_metadata(path) == {"format": "np"}


def test_pytorch_reads_a_state_dict_and_writes_one(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    path = tmp_path / "a.safetensors"
    ours = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.nn.Tanh(), tg.nn.Linear(4, 2, rng=0))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    save_safetensors(path, ours.state_dict())
    theirs.load_state_dict(library.load_file(path))
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(ours(x).data, expected, rtol=0, atol=1e-5)
        for parameter in theirs.parameters():
            parameter.mul_(2)
        expected = theirs(torch.from_numpy(x)).numpy()
    library.save_file(theirs.state_dict(), path)
    ours.load_state_dict(load_safetensors(path))
    np.testing.assert_allclose(ours(x).data, expected, rtol=0, atol=1e-5)


def test_save_safetensors_takes_arrays_alone(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'a' is a list; expected an array"):
        save_safetensors(tmp_path / "a.safetensors", {"a": [1.0]})
    with pytest.raises(ValueError, match=r"expected a name in \.safetensors"):
        save_safetensors(tmp_path / "a.npz", {"a": np.ones(1)})
    save(tmp_path / "a.safetensors", {"deep": [np.ones(1), 2]})
    assert list(load_safetensors(tmp_path / "a.safetensors")) == ["deep.0"]
