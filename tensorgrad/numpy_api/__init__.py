"""The functions of tensorgrad, and which NumPy callable each of them stands for.

Floor: above `creation`.  A function takes Tensors, arrays and numbers and returns a Tensor; NumPy's
own function of that name, called on a Tensor, comes here through the table.  To add one: define it
in the module of its kind, under `@implements(np.name)`.
"""

# Imported for what they register.
from . import calculus as calculus
from . import complex_numbers as complex_numbers
from . import constants as constants
from . import diagonals as diagonals
from . import fft as fft
from . import histograms as histograms
from . import indexing as indexing
from . import linalg as linalg
from . import norms as norms
from . import ordering as ordering
from . import polynomials as polynomials
from . import scans as scans
from . import signal as signal
from . import spacing as spacing
from . import statistics as statistics
from . import ufunc_methods as ufunc_methods
from . import ufuncs as ufuncs
from . import writing as writing
from .contract import supports
from .elementwise import (
    abs,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cbrt,
    ceil,
    clip,
    cos,
    cosh,
    divide,
    exp,
    exp2,
    expm1,
    floor,
    gelu,
    hypot,
    leaky_relu,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    reciprocal,
    relu,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
)
from .joining import (
    concatenate,
    split,
    stack,
)
from .padding import (
    pad,
)
from .products import (
    dot,
    einsum,
    matmul,
    outer,
)
from .reductions import (
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    prod,
    softmax,
    std,
    sum,
    var,
)
from .selection import where
from .shapes import (
    broadcast_to,
    expand_dims,
    flip,
    moveaxis,
    ravel,
    reshape,
    squeeze,
    swapaxes,
    transpose,
)

__all__ = [
    "abs",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "broadcast_to",
    "cbrt",
    "ceil",
    "clip",
    "concatenate",
    "cos",
    "cosh",
    "divide",
    "dot",
    "einsum",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "gelu",
    "hypot",
    "leaky_relu",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "outer",
    "pad",
    "power",
    "prod",
    "ravel",
    "reciprocal",
    "relu",
    "reshape",
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
    "subtract",
    "sum",
    "supports",
    "swapaxes",
    "tan",
    "tanh",
    "transpose",
    "var",
    "where",
]
