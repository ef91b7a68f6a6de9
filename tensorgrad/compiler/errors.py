"""CompileError: what a recording says when a function cannot be compiled.

Floor: compiler, lowest.
"""


class CompileError(RuntimeError):
    """A function looked at a value that a compiled step computes anew at each call."""


class NotNowError(Exception):
    """Say that this call cannot be recorded, since its data are unusual; another one can."""
