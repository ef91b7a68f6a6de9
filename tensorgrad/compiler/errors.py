"""CompileError: what a recording says when a function cannot be compiled.

Floor: compiler, lowest.
"""


class CompileError(RuntimeError):
    """A function looked at a value that a compiled step computes anew at each call."""


class NotNowError(Exception):
    """This call cannot be recorded, since its data are not as usual; another one can."""
