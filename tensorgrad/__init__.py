"""tensorgrad: reverse-mode automatic differentiation on NumPy arrays.

The public names, nothing else.  Tensors and NumPy's functions are imported at once; networks,
optimisers, the compiler and the rest at their first use, which is two thirds of the time.
"""

import importlib as _importlib
import typing as _t
from collections.abc import Callable as _Callable

from .creation import (
    arange,
    eye,
    from_dlpack,
    full,
    full_like,
    get_default_dtype,
    linspace,
    ones,
    ones_like,
    rand,
    randn,
    set_default_dtype,
    tensor,
    zeros,
    zeros_like,
)
from .graph import (
    enable_grad,
    is_grad_enabled,
    no_grad,
)
from .numpy_api import (
    abs,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    broadcast_to,
    cbrt,
    ceil,
    clip,
    concatenate,
    cos,
    cosh,
    divide,
    dot,
    einsum,
    exp,
    exp2,
    expand_dims,
    expm1,
    flip,
    floor,
    gelu,
    hypot,
    leaky_relu,
    log,
    log1p,
    log2,
    log10,
    log_softmax,
    logaddexp,
    logsumexp,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    moveaxis,
    multiply,
    negative,
    outer,
    pad,
    power,
    prod,
    ravel,
    reciprocal,
    relu,
    reshape,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softmax,
    softplus,
    split,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    subtract,
    sum,
    supports,
    swapaxes,
    tan,
    tanh,
    transpose,
    var,
    where,
)
from .random import manual_seed
from .tensor import ABOVE as _ABOVE
from .tensor import Tensor, Value, as_tensor

if _t.TYPE_CHECKING:
    from . import data, debug, io, nn, numpy, optim, scalar, viz
    from .compiler import CompileError, compile
    from .debug import AnomalyError, detect_anomaly
    from .testing import check_grads
    from .train import History, accuracy, evaluate, find_lr, predict
    from .train.fit import fit
    from .transforms import (
        checkpoint,
        custom_vjp,
        elementwise_grad,
        finite_differences,
        grad,
        grad_and_aux,
        gradients,
        hessian,
        hvp,
        jacobian,
        jvp,
        make_jvp,
        make_vjp,
        stop_gradient,
        value_and_grad,
        vjp,
    )

__version__ = "0.1.0"

_PACKAGES = (
    "compiler", "data", "debug", "io", "nn", "numpy", "optim", "scalar", "testing", "train",
    "transforms", "viz",
)  # fmt: skip
_NAMES = {
    "compiler": "CompileError compile",
    "debug": "AnomalyError detect_anomaly",
    "testing": "check_grads",
    "train": "History accuracy evaluate find_lr fit predict",
    "transforms": """
        checkpoint custom_vjp elementwise_grad finite_differences grad grad_and_aux gradients
        hessian hvp jacobian jvp make_jvp make_vjp stop_gradient value_and_grad vjp
    """,
}
"""What is imported at its first use: packages, and names by the module that has them."""
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> _t.Any:
    """Import what is asked for the first time."""
    if name in _PACKAGES:
        return _importlib.import_module(f".{name}", __name__)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def _later(package: str, name: str) -> _Callable[..., _t.Any]:
    """Return a function of a package that is imported at the first call."""
    return lambda *args, **kwargs: getattr(__getattr__(package), name)(*args, **kwargs)


_ABOVE["backward_steps"] = _later("debug", "backward_steps")
_ABOVE["draw_plan"] = _later("viz", "draw_plan")


def __dir__() -> list[str]:
    """List the public names, those not yet imported as well."""
    return sorted({*globals(), *__all__})


__all__ = [
    "AnomalyError",
    "CompileError",
    "History",
    "Tensor",
    "Value",
    "abs",
    "accuracy",
    "add",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "as_tensor",
    "broadcast_to",
    "cbrt",
    "ceil",
    "check_grads",
    "checkpoint",
    "clip",
    "compile",
    "concatenate",
    "cos",
    "cosh",
    "custom_vjp",
    "data",
    "debug",
    "detect_anomaly",
    "divide",
    "dot",
    "einsum",
    "elementwise_grad",
    "enable_grad",
    "evaluate",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "eye",
    "find_lr",
    "finite_differences",
    "fit",
    "flip",
    "floor",
    "from_dlpack",
    "full",
    "full_like",
    "gelu",
    "get_default_dtype",
    "grad",
    "grad_and_aux",
    "gradients",
    "hessian",
    "hvp",
    "hypot",
    "io",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "leaky_relu",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "make_jvp",
    "make_vjp",
    "manual_seed",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "nn",
    "no_grad",
    "numpy",
    "ones",
    "ones_like",
    "optim",
    "outer",
    "pad",
    "power",
    "predict",
    "prod",
    "rand",
    "randn",
    "ravel",
    "reciprocal",
    "relu",
    "reshape",
    "scalar",
    "set_default_dtype",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "supports",
    "swapaxes",
    "tan",
    "tanh",
    "tensor",
    "transpose",
    "value_and_grad",
    "var",
    "viz",
    "vjp",
    "where",
    "zeros",
    "zeros_like",
]
