"""Data: digits and a text that ship with the package, IDX files, made-up point sets, batches.

Floor: beside `nn` and `optim`; may import `_typing` and `random`, and works on ndarrays alone.
To add a data set, write a function that returns ndarrays (a `Split`, or `(x, y)`) and name it here.
Nothing here downloads, unpickles or evaluates; every file is checked before memory is claimed.
"""

from .batches import Batches, batches
from .digits import digits
from .idx import load_idx, load_mnist_idx
from .split import Split
from .synthetic import make_blobs, make_moons, make_spirals
from .text import shakespeare

__all__ = [
    "Batches",
    "Split",
    "batches",
    "digits",
    "load_idx",
    "load_mnist_idx",
    "make_blobs",
    "make_moons",
    "make_spirals",
    "shakespeare",
]
