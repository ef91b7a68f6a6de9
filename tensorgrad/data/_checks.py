"""The name under which `train.fit` takes `as_count`.

Floor `data`.
"""

from __future__ import annotations

from ..checks import as_count as as_count
