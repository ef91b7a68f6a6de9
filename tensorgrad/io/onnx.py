"""Export of models to ONNX, which other programs run.

Floor: io; may import `numpy_api`.  A layer is a function here and a row of `EXPORTS`, under the
name of its class, since `nn` is on the same floor.

References
----------
"Operators", https://onnx.ai/onnx/operators: operator set 20, the first with GELU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from .. import numpy_api
from .._typing import Array, ArrayLike
from ..tensor import Tensor, as_tensor
from .atomic import replacing

_OPSET: Final = 20
_IR: Final = 9  # of the same release as the operator set: newer ones older programs refuse


def export_onnx(model: Any, path: str | os.PathLike[str], example: ArrayLike) -> None:
    """Write a model that is a row of layers as an ONNX file; needs the extra `onnx`.

    It computes what the model computes in evaluation mode, whatever its mode is: no dropout, and
    batch norm with its running statistics.  The model is not run, and not changed.

    Parameters
    ----------
    model
        A `Sequential`, also with others in it, an `MLP`, or one layer; the layers are those of
        `EXPORTS`, and the activations of `tensorgrad.nn`, also as functions.
    path
        Where to write; replaced all at once, as by `save`.
    example
        An input, such as a batch of the training data: its shape is the input's, except for the
        length of its first axis, which stays free.  Floats count as of the parameters' dtype.

    Raises
    ------
    ModuleNotFoundError
        If the package onnx is not installed.
    TypeError
        If a layer is not known here, as one of your own.
    ValueError
        If an option of a layer has no counterpart, or the example does not fit.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import onnx.reference
    >>> from tensorgrad import io, nn
    >>> model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=0))
    >>> x = np.ones((5, 3), np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.onnx")
    ...     io.export_onnx(model, path, x[:1])
    ...     (y,) = onnx.reference.ReferenceEvaluator(str(path)).run(None, {"input": x})
    >>> bool(np.allclose(y, model(x).data, atol=1e-6))
    True
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'export_onnx needs the package onnx: pip install "tensorgrad-numpy[onnx]"'
        ) from None
    given = as_tensor(example)
    if not given.ndim:
        raise ValueError("example is a single number; expected a batch, such as x[:1]")
    parameters: list[Tensor] = getattr(model, "parameters", list)()
    output = parameters[0].dtype if parameters else given.dtype
    dtype = output if given.dtype.kind == "f" else given.dtype
    graph = _Graph(onnx)
    graph.add("Identity", _layer(graph, "input", model), name="output")
    found = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "model",
            [graph.about("input", dtype, ("batch", *given.shape[1:]))],
            [graph.about("output", output, None)],
            graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="tensorgrad",
    )
    try:
        found = onnx.shape_inference.infer_shapes(found, check_type=True, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise ValueError(
            f"an example of shape {given.shape} and dtype {given.dtype} does not fit the model: "
            f"{error}"
        ) from error
    with replacing(path) as file:
        file.write(found.SerializeToString())


class _Graph:
    """The nodes and the constants so far."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.place: tuple[str, ...] = ()
        """Of the layer at hand, as in the names of its parameters."""

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its result."""
        name = name or f"{'.'.join(self.place)}:{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, name: str, array: Array) -> str:
        """Add a constant of the layer, and return its name."""
        name = ".".join((*self.place, name))
        found = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        self.constants.append(found)
        return name

    def filled(self, name: str, parameter: Any, number: float, like: Array) -> str:
        """Add a parameter, or the number that stands for having none."""
        array = np.full_like(like, number) if parameter is None else parameter.data
        return self.constant(name, array)

    def about(self, name: str, dtype: np.dtype[Any], shape: Sequence[str | int] | None) -> Any:
        """Describe an input or an output."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(dtype)
        return self.onnx.helper.make_tensor_value_info(name, kind, shape)


Export = Callable[[_Graph, str, Any], str]
"""Adds what a layer does to a value, and returns the name of the result."""


def _layer(graph: _Graph, x: str, layer: Any) -> str:
    """Add a layer: a module of ours, or one of our functions."""
    kind, options = _as_module(layer)
    # A class of somebody else's may have the name of one of ours, and do something else.
    ours = type(layer).__module__.startswith(f"{__name__.split('.')[0]}.nn.")
    if kind not in EXPORTS or not (ours or options is not layer):
        raise TypeError(
            f"{'.'.join(graph.place) or 'the model'} is {kind}, which cannot be exported; expected "
            f"layers of tensorgrad.nn: {', '.join(EXPORTS)}"
        )
    return EXPORTS[kind](graph, x, options)


def _as_module(layer: Any) -> tuple[str, Any]:
    """Return the class of a layer, and what has its options; for a function those of its module."""
    for function, (kind, options) in _FUNCTIONS.items():
        if layer is function or layer == function.__name__:
            return kind, SimpleNamespace(**options)
    return getattr(layer, "__name__", type(layer).__name__), layer


def _row(graph: _Graph, x: str, layers: Iterable[tuple[str, Any]]) -> str:
    """Add layers, each with its name."""
    place = graph.place
    for name, layer in layers:
        graph.place = (*place, name)
        x = _layer(graph, x, layer)
    graph.place = place
    return x


def _sequential(graph: _Graph, x: str, layer: Any) -> str:
    return _row(graph, x, ((str(i), each) for i, each in enumerate(layer)))


def _mlp(graph: _Graph, x: str, layer: Any) -> str:
    """Add the layers and what follows each; one output is given without its axis."""
    for i, each in enumerate(layer.layers):
        x = _row(graph, x, [(f"layers.{i}", each)])
        last = each is layer.layers[-1]
        follows = layer.output_activation if last else layer.activation
        if follows is not None:
            x = _row(graph, x, [(f"layers.{i}.activation", follows)])
    if layer.layers[-1].out_features > 1:
        return x
    return graph.add("Squeeze", x, graph.constant("axes", np.array([-1])))


def _linear(graph: _Graph, x: str, layer: Any) -> str:
    """Add a product and a sum, since Gemm takes matrices alone."""
    x = graph.add("MatMul", x, graph.constant("weight.T", layer.weight.data.T))
    return x if layer.bias is None else graph.add("Add", x, graph.constant("bias", layer.bias.data))


def _flatten(graph: _Graph, x: str, layer: Any) -> str:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise ValueError(f"{layer} cannot be exported; expected Flatten() from axis 1 to the last")
    return graph.add("Flatten", x, axis=1)


def _softmax(graph: _Graph, x: str, layer: Any) -> str:
    if not isinstance(layer.axis, int):
        raise ValueError(f"a softmax over axis={layer.axis} cannot be exported; expected one axis")
    return graph.add("Softmax", x, axis=layer.axis)


def _convolution(graph: _Graph, x: str, layer: Any) -> str:
    inputs = [graph.constant("weight", layer.weight.data)]
    if layer.bias is not None:
        inputs.append(graph.constant("bias", layer.bias.data))
    return graph.add(
        "Conv",
        x,
        *inputs,
        strides=layer.stride,
        dilations=layer.dilation,
        group=layer.groups,
        pads=_pads(layer),
    )


def _pads(layer: Any) -> list[int]:
    """Return the zeros before each axis, then those after."""
    kernel = layer.kernel_size
    if layer.padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, layer.dilation, strict=True)]
        return [zeros // 2 for zeros in total] + [zeros - zeros // 2 for zeros in total]
    padding = 0 if layer.padding == "valid" else layer.padding
    return [*(padding if isinstance(padding, tuple) else (padding,) * len(kernel))] * 2


def _pool(graph: _Graph, x: str, layer: Any, operator: str, **attributes: Any) -> str:
    return graph.add(
        operator,
        x,
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=_pads(layer),
        ceil_mode=int(layer.ceil_mode),
        **attributes,
    )


def _adaptive(graph: _Graph, x: str, layer: Any) -> str:
    if layer.output_size != (1, 1):
        raise ValueError(f"{layer} cannot be exported; expected AdaptiveAvgPool2d(1)")
    return graph.add("GlobalAveragePool", x)


def _batch_norm(graph: _Graph, x: str, layer: Any) -> str:
    mean, variance = layer.running_mean, layer.running_var
    if mean is None:
        raise ValueError(f"{layer} cannot be exported: it has no running statistics")
    like = mean if layer.weight is None else layer.weight.data
    return graph.add(
        "BatchNormalization",
        x,
        graph.filled("weight", layer.weight, 1.0, like),
        graph.filled("bias", layer.bias, 0.0, like),
        graph.constant("running_mean", mean.astype(like.dtype)),
        graph.constant("running_var", variance.astype(like.dtype)),
        epsilon=layer.eps,
    )


def _layer_norm(graph: _Graph, x: str, layer: Any) -> str:
    if layer.weight is None:
        raise ValueError(f"{layer} cannot be exported: it has no weight")
    return graph.add(
        "LayerNormalization",
        x,
        graph.constant("weight", layer.weight.data),
        graph.filled("bias", layer.bias, 0.0, layer.weight.data),
        axis=-layer.weight.ndim,
        epsilon=layer.eps,
    )


def _group_norm(graph: _Graph, x: str, layer: Any) -> str:
    """Add the norm of each row of (batch, groups, elements), then the factors of the channels."""
    if layer.weight is None:
        raise ValueError(f"{layer} cannot be exported: it has no weight")
    groups, weight = layer.num_groups, layer.weight.data
    shape = graph.add("Shape", x)
    rows = graph.add("Reshape", x, graph.constant("by_group", np.array([0, groups, -1])))
    ones, zeros = np.ones(groups, weight.dtype), np.zeros(groups, weight.dtype)
    normal = graph.add(
        "InstanceNormalization",
        rows,
        graph.constant("ones", ones),
        graph.constant("zeros", zeros),
        epsilon=layer.eps,
    )
    y = graph.add("Reshape", normal, graph.constant("by_channel", np.array([0, weight.size, -1])))
    y = graph.add("Mul", y, graph.constant("weight", weight[:, None]))
    if layer.bias is not None:
        y = graph.add("Add", y, graph.constant("bias", layer.bias.data[:, None]))
    return graph.add("Reshape", y, shape)


def _rms_norm(graph: _Graph, x: str, layer: Any) -> str:
    if layer.weight is None:
        raise ValueError(f"{layer} cannot be exported: it has no weight")
    weight = layer.weight.data
    eps = np.finfo(weight.dtype).eps if layer.eps is None else layer.eps
    axes = graph.constant("axes", np.arange(-weight.ndim, 0))
    mean = graph.add("ReduceMean", graph.add("Mul", x, x), axes, keepdims=1)
    mean = graph.add("Add", mean, graph.constant("eps", np.array(eps, weight.dtype)))
    y = graph.add("Div", x, graph.add("Sqrt", mean))
    return graph.add("Mul", y, graph.constant("weight", weight))


EXPORTS: Final[dict[str, Export]] = {
    "AdaptiveAvgPool2d": _adaptive,
    "AvgPool2d": lambda graph, x, layer: _pool(
        graph, x, layer, "AveragePool", count_include_pad=int(layer.count_include_pad)
    ),
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "Dropout": lambda _graph, x, _layer: x,
    "Embedding": lambda graph, x, layer: graph.add(
        "Gather", graph.constant("weight", layer.weight.data), x
    ),
    "Flatten": _flatten,
    "GELU": lambda graph, x, layer: graph.add("Gelu", x, approximate=layer.approximate),
    "GroupNorm": _group_norm,
    "Identity": lambda _graph, x, _layer: x,
    "LayerNorm": _layer_norm,
    "LeakyReLU": lambda graph, x, layer: graph.add("LeakyRelu", x, alpha=layer.negative_slope),
    "Linear": _linear,
    "MLP": _mlp,
    "MaxPool2d": lambda graph, x, layer: _pool(
        graph, x, layer, "MaxPool", dilations=layer.dilation
    ),
    "RMSNorm": _rms_norm,
    "ReLU": lambda graph, x, _layer: graph.add("Relu", x),
    "Sequential": _sequential,
    "SiLU": lambda graph, x, _layer: graph.add("Mul", x, graph.add("Sigmoid", x)),
    "Sigmoid": lambda graph, x, _layer: graph.add("Sigmoid", x),
    "Softmax": _softmax,
    "Softplus": lambda graph, x, _layer: graph.add("Softplus", x),
    "Tanh": lambda graph, x, _layer: graph.add("Tanh", x),
}
"""How each layer is exported, by the name of its class."""

_FUNCTIONS: Final[dict[Any, tuple[str, dict[str, Any]]]] = {
    numpy_api.gelu: ("GELU", {"approximate": "none"}),
    numpy_api.leaky_relu: ("LeakyReLU", {"negative_slope": 0.01}),
    numpy_api.relu: ("ReLU", {}),
    numpy_api.sigmoid: ("Sigmoid", {}),
    numpy_api.silu: ("SiLU", {}),
    numpy_api.softmax: ("Softmax", {"axis": -1}),
    numpy_api.softplus: ("Softplus", {}),
    numpy_api.tanh: ("Tanh", {}),
    np.tanh: ("Tanh", {}),
}
"""What a function, or its name, is as a layer."""
