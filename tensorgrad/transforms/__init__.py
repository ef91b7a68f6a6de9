"""Functions of functions: gradients as values, products, matrices, of any order.

Floor: above `numpy_api`, `batched` and `trees`.
"""

from .autograd_names import grad_and_aux, make_jvp, make_vjp
from .checkpoints import checkpoint
from .custom import custom_vjp
from .derivatives import elementwise_grad, grad, stop_gradient, value_and_grad
from .differences import finite_differences
from .matrices import hessian, jacobian
from .products import hvp, jvp, vjp
from .pullback import gradients

__all__ = [
    "checkpoint",
    "custom_vjp",
    "elementwise_grad",
    "finite_differences",
    "grad",
    "grad_and_aux",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "make_jvp",
    "make_vjp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
