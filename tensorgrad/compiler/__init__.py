"""Compiler."""

from .errors import CompileError
from .run import compile_function as compile

__all__ = ["CompileError", "compile"]
