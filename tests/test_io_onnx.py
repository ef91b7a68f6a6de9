"""Export to ONNX: the reference evaluator computes what the model computes in evaluation mode."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.io import export_onnx
from tensorgrad.io.onnx import EXPORTS

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")

Make = Callable[[Any], Any]

# A name, how to make the model, and the shape of a batch (integers below 5 for an embedding).
MODELS: list[tuple[str, Make, tuple[int, ...]]] = [
    ("Linear", lambda nn: nn.Linear(3, 2, rng=0), (3,)),
    ("Linear", lambda nn: nn.Linear(3, 2, bias=False, rng=0), (3,)),
    ("Linear", lambda nn: nn.Linear(3, 2, rng=0), (4, 3)),
    ("Linear", lambda nn: nn.Linear(3, 2, dtype="f8", rng=0), (3,)),
    ("Sequential", lambda nn: nn.Sequential(), (3,)),
    ("Sequential", lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU())), (3,)),
    ("Sequential", lambda nn: nn.Sequential(*[nn.Linear(3, 3, rng=0)] * 2), (3,)),
    ("Dropout", lambda nn: nn.Sequential(nn.Linear(3, 4, rng=0), nn.Dropout(0.5)), (3,)),
    ("Dropout", lambda nn: nn.Dropout(0.5), (3,)),
    ("Flatten", lambda nn: nn.Sequential(nn.Flatten(), nn.Linear(6, 2, rng=0)), (2, 3)),
    ("ReLU", lambda nn: nn.ReLU(), (7,)),
    ("LeakyReLU", lambda nn: nn.LeakyReLU(0.3), (7,)),
    ("GELU", lambda nn: nn.GELU(), (7,)),
    ("GELU", lambda nn: nn.GELU("tanh"), (7,)),
    ("SiLU", lambda nn: nn.SiLU(), (7,)),
    ("Tanh", lambda nn: nn.Tanh(), (7,)),
    ("Sigmoid", lambda nn: nn.Sigmoid(), (7,)),
    ("Softplus", lambda nn: nn.Softplus(), (7,)),
    ("Softmax", lambda nn: nn.Softmax(), (4, 7)),
    ("Softmax", lambda nn: nn.Softmax(1), (4, 7)),
    ("MLP", lambda nn: nn.MLP(3, [4, 2], rng=0), (3,)),
    ("MLP", lambda nn: nn.MLP(3, [4, 1], "relu", None, rng=0), (3,)),
    ("MLP", lambda nn: nn.MLP(3, [4, 4, 2], nn.GELU(), np.tanh, rng=0), (3,)),
    ("Identity", lambda nn: nn.Sequential(nn.Identity(), nn.Linear(3, 2, rng=0)), (3,)),
    ("Conv1d", lambda nn: nn.Conv1d(2, 4, 3, padding="same", rng=0), (2, 6)),
    ("Conv1d", lambda nn: nn.Conv1d(2, 4, 4, padding="same", dilation=2, rng=0), (2, 9)),
    ("Conv2d", lambda nn: nn.Conv2d(2, 4, 3, rng=0), (2, 5, 6)),
    ("Conv2d", lambda nn: nn.Conv2d(4, 6, 3, 2, 1, groups=2, bias=False, rng=0), (4, 6, 7)),
    ("Conv2d", lambda nn: nn.Conv2d(2, 4, (3, 2), (1, 2), (2, 1), (2, 1), rng=0), (2, 5, 6)),
    ("Conv2d", lambda nn: nn.Conv2d(2, 4, 3, padding="valid", rng=0), (2, 5, 6)),
    ("MaxPool2d", lambda nn: nn.MaxPool2d(2), (2, 6, 8)),
    ("MaxPool2d", lambda nn: nn.MaxPool2d(3, 2, 1), (2, 7, 8)),
    ("AvgPool2d", lambda nn: nn.AvgPool2d((2, 3)), (2, 6, 9)),
    ("AvgPool2d", lambda nn: nn.AvgPool2d(3, 2, 1), (2, 7, 8)),
    ("AvgPool2d", lambda nn: nn.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 7, 8)),
    ("AdaptiveAvgPool2d", lambda nn: nn.AdaptiveAvgPool2d(1), (2, 5, 6)),
    ("BatchNorm1d", lambda nn: nn.BatchNorm1d(3), (3,)),
    ("BatchNorm2d", lambda nn: nn.BatchNorm2d(3, affine=False), (3, 4, 5)),
    ("BatchNorm2d", lambda nn: nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()), (2, 4, 5)),
    ("LayerNorm", lambda nn: nn.LayerNorm(4), (3, 4)),
    ("LayerNorm", lambda nn: nn.LayerNorm((3, 4), bias=False), (3, 4)),
    ("GroupNorm", lambda nn: nn.GroupNorm(2, 6), (6,)),
    ("GroupNorm", lambda nn: nn.GroupNorm(3, 6, eps=0.1), (6, 4, 5)),
    ("GroupNorm", lambda nn: nn.Sequential(nn.GroupNorm(1, 2, dtype="f8"), nn.ReLU()), (2, 3)),
    ("RMSNorm", lambda nn: nn.RMSNorm(4), (3, 4)),
    ("RMSNorm", lambda nn: nn.RMSNorm((3, 4), eps=0.1), (2, 3, 4)),
    ("RMSNorm", lambda nn: nn.RMSNorm(4, dtype="f8"), (4,)),
    ("Embedding", lambda nn: nn.Embedding(5, 3, rng=0), (4,)),
    ("Embedding", lambda nn: nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2)), (4,)),
]


def evaluated(path: Path, x: Any) -> Any:
    """Return what the reference evaluator computes from a file."""
    found = onnx.load(path)
    onnx.checker.check_model(found, full_check=True)
    (out,) = reference.ReferenceEvaluator(found).run(None, {"input": x})
    return out


def perturbed(model: Any, rng: np.random.Generator) -> Any:
    """Give parameters and buffers values that are not zeros and ones."""
    arrays = [p.data for p in model.parameters()] + [*getattr(model, "buffers", list)()]
    for array in arrays:
        if array.dtype.kind == "f":
            array += rng.uniform(0.1, 0.5, array.shape).astype(array.dtype)
    return model


@pytest.mark.parametrize(
    ("name", "make", "shape"), MODELS, ids=[f"{name}{i}" for i, (name, *_) in enumerate(MODELS)]
)
def test_the_evaluator_computes_the_same(
    name: str, make: Make, shape: tuple[int, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    model, path = perturbed(make(nn), rng), tmp_path / "model.onnx"
    x = rng.standard_normal((5, *shape)).astype(np.float32)
    if name == "Embedding":
        x = rng.integers(0, 5, (5, *shape))
    elif model.parameters():
        x = x.astype(model.parameters()[0].dtype)
    export_onnx(model, path, x[:1])
    assert model.training
    expected = tg.as_tensor(model.eval()(x)).data
    for batch in (5, 2):  # the first axis is free
        found = evaluated(path, x[:batch])
        np.testing.assert_allclose(found, expected[:batch], rtol=0, atol=1e-5)
        assert found.dtype == expected.dtype
        assert found.shape == expected[:batch].shape


def test_every_export_is_tested() -> None:
    assert {name for name, *_ in MODELS} == set(EXPORTS)


FUNCTIONS = ["gelu", "leaky_relu", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_activation_by_name_and_as_a_function(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    assert set(FUNCTIONS) == set(nn.activations.ACTIVATIONS)
    x = rng.standard_normal((4, 3)).astype(np.float32)
    function = getattr(tg, name)
    for model in (nn.MLP(3, [4, 2], name, name), nn.Sequential(nn.Linear(3, 2), function)):
        export_onnx(model, tmp_path / "model.onnx", x)
        found = evaluated(tmp_path / "model.onnx", x)
        np.testing.assert_allclose(found, model(x).data, rtol=0, atol=1e-5)


def test_the_file_names_the_parameters_and_the_free_axis(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, rng=0), nn.Sequential(nn.Linear(2, 3)))
    export_onnx(model, path, np.zeros((1, 2, 3)))
    graph = onnx.load(path).graph
    assert [c.name for c in graph.initializer] == [
        "1.weight.T",
        "1.bias",
        "2.0.weight.T",
        "2.0.bias",
    ]
    (given,) = graph.input
    shape = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert shape == ["batch", 2, 3]
    (out,) = graph.output
    assert [d.dim_value for d in out.type.tensor_type.shape.dim][1:] == [3]


class Linear(nn.Linear):
    """Somebody's own layer, under a name that is known."""

    def forward(self, x: Any) -> tg.Tensor:
        return super().forward(x) * 2


@pytest.mark.parametrize(
    ("model", "example", "error", "message"),
    [
        (nn.Sequential(nn.ReLU(), Linear(2, 2)), np.ones((1, 2)), TypeError, "^1 is Linear, which"),
        (nn.Sequential(nn.ReLU(), lambda x: x), np.ones((1, 2)), TypeError, "^1 is <lambda>,"),
        (nn.Sequential(nn.Sequential(tg.exp)), np.ones((1, 2)), TypeError, r"^0\.0 is exp, which"),
        (nn.Sequential(np.exp), np.ones((1, 2)), TypeError, "^0 is exp, which"),
        (nn.MLP(2, [2, 2], abs), np.ones((1, 2)), TypeError, r"^layers\.0\.activation is abs,"),
        (nn.MSELoss(), np.ones((1, 2)), TypeError, "the model is MSELoss, which"),
        (None, np.ones((1, 2)), TypeError, "the model is NoneType"),
        (len, np.ones((1, 2)), TypeError, "the model is len"),
        (nn.Flatten(0), np.ones((1, 2)), ValueError, "Flatten.* cannot be exported"),
        (nn.Softmax((0, 1)), np.ones((1, 2)), ValueError, "softmax over axis=.* cannot be"),
        (nn.Linear(3, 2), np.ones((1, 2)), ValueError, r"shape \(1, 2\) .* does not fit"),
        (nn.Linear(2, 2), np.ones((1, 2), int), ValueError, "does not fit the model"),
        (nn.GroupNorm(1, 2, affine=False), np.ones((1, 2)), ValueError, "it has no weight"),
        (nn.RMSNorm(2, elementwise_affine=False), np.ones((1, 2)), ValueError, "it has no weight"),
        (nn.ReLU(), 1.0, ValueError, "example is a single number"),
        (nn.ReLU(), [["a"]], TypeError, "data has dtype"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_named(
    model: Any, example: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        export_onnx(model, path, example)
    assert path.read_bytes() == b"old"


def test_without_the_package_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "tensorgrad-numpy\[onnx\]"'):
        export_onnx(nn.ReLU(), tmp_path / "model.onnx", np.ones((1, 2)))
    assert list(tmp_path.iterdir()) == []
