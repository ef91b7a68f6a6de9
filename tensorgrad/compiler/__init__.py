"""Compiler: a function recorded once, and run as straight-line NumPy.

Floor: above `transforms` and `debug`, which it records like all else; below `nn` and `optim`.

The way of a function: `discover` finds what it can reach, `record` runs it on traced arrays
(`traced`, `tape`) and gives a flat program (`program`) with what ties it to the world
(`recording`); `plan` runs the `passes` over it, makes chains (`runners`: `loops` or `blocks`), puts
what it changes last (`commit`) and finds a place for each array (`memory`); `emit` writes the
`code`, `guard` the test before each call, `run` calls it.
"""

from .errors import CompileError
from .run import Compiled, compile

__all__ = ["CompileError", "Compiled", "compile"]
