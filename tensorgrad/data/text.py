"""A text that ships with the package, for models of letters.

Floor `data`; imports nothing of the project.  Where it comes from and why it may be shipped:
`hamlet.md`, beside this file.
"""

from __future__ import annotations

import pkgutil


def shakespeare() -> str:
    """Load the whole of Shakespeare's "Hamlet", 173,942 letters.

    Returns
    -------
    str
        ASCII: speakers, speeches and directions, a line feed after each line.

    Examples
    --------
    >>> from tensorgrad.data import shakespeare
    >>> text = shakespeare()
    >>> text.splitlines()[0], len(set(text))
    ('HAMLET, PRINCE OF DENMARK', 65)
    """
    # Read by the import system, so that a package inside a zip file works as well.
    file = pkgutil.get_data(__package__, "hamlet.txt")
    assert file is not None  # the file belongs to the package
    return file.decode("ascii")
