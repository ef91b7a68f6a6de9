"""Data: data sets, loaders, files, splits, scaling; shipped digits and a text, made-up points.

Floor: beside `nn` and `optim`; may import `_typing`, `checks`, `files` and `random`, and works on
ndarrays alone.  To add a data set, write a function that returns ndarrays (a `Split`, or `(x, y)`)
or a `Dataset`, and name it here.  Nothing here downloads, unpickles or evaluates; every file is
checked before memory is claimed.
"""

from .batches import Batches, batches
from .collate import default_collate
from .csv import CsvBlocks, Table, load_csv
from .dataset import Dataset, Subset, TensorDataset
from .digits import digits
from .folder import NpyFolder
from .idx import load_idx, load_mnist_idx
from .loader import DataLoader
from .npz import load_npz
from .split import Split, random_split, train_test_split
from .standardize import Standardizer
from .synthetic import make_blobs, make_moons, make_spirals
from .text import shakespeare

__all__ = [
    "Batches",
    "CsvBlocks",
    "DataLoader",
    "Dataset",
    "NpyFolder",
    "Split",
    "Standardizer",
    "Subset",
    "Table",
    "TensorDataset",
    "batches",
    "default_collate",
    "digits",
    "load_csv",
    "load_idx",
    "load_mnist_idx",
    "load_npz",
    "make_blobs",
    "make_moons",
    "make_spirals",
    "random_split",
    "shakespeare",
    "train_test_split",
]
