"""Optimisers: what turns gradients into better parameters.

Floor: beside `nn`, of which it knows nothing.  To add one: derive from `Optimizer`, and write
`init` and `update` with the equation and its source in the docstring.
"""

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
