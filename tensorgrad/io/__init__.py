"""Files: saving and loading arrays and training state, and models for other programs.

Floor: beside `nn`; may import the floors up to `numpy_api`.  Every file is read as one from a
stranger: nothing in it is run, unpickled or evaluated, and what it claims is compared with its
size before memory is claimed.  A new format is a module with `write` and `read_header`, and a row
of `FORMATS` in `files`.
"""

from ..files.checks import FormatError
from .files import load, load_metadata, load_safetensors, save, save_safetensors
from .onnx import export_onnx

__all__ = [
    "FormatError",
    "export_onnx",
    "load",
    "load_metadata",
    "load_safetensors",
    "save",
    "save_safetensors",
]
