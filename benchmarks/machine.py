"""What the figures were measured on: machine, versions, date."""

from __future__ import annotations

import datetime as dt
import importlib
import os
import platform
from pathlib import Path

from .registry import versions
from .table import Table


def machine(settings_in_words: str) -> Table:
    """Describe this machine, the versions of all that is compared, and the run."""
    import tensorgrad

    compared = {"tensorgrad": tensorgrad.__version__, **versions()}
    rows = [
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("products", _products()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("versions", ", ".join(f"{name} {version}" for name, version in compared.items())),
        ("run", f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, {settings_in_words}"),
    ]
    if hasattr(os, "getloadavg"):
        # Somebody else's threads double the time of every product: such a run is for nothing.
        rows.append(("others", f"{os.getloadavg()[0]:.2f} processes busy in the minute before"))
    return Table("machine", "Measured on", ("what", "which"), rows, words=(0, 1))


def _processor() -> str:
    """Return the name of the processor."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return name


def _products() -> str:
    """Name the library of NumPy's matrix products, and the kernels that it has chosen."""
    try:
        found = importlib.import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return "not known without threadpoolctl, which the extra [bench] brings"
    blas = next((library for library in found if library["user_api"] == "blas"), None)
    if blas is None:
        return "not known to threadpoolctl"
    kernels = f", kernels for {blas['architecture']}" if "architecture" in blas else ""
    # An order to use those of an older processor can double the time of every product.
    pinned = os.environ.get("OPENBLAS_CORETYPE")
    ordered = ", ordered by OPENBLAS_CORETYPE: unset it to time this processor" if pinned else ""
    return f"{blas['internal_api']} {blas['version']}{kernels}{ordered}"
