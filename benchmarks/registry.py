"""The peers: who is timed, which module speaks for them, and what that needs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

COMPILED = {"compiled": True}


@dataclass(frozen=True)
class Peer:
    """One way of doing the work.

    `module` is in `benchmarks.peers`; `package` is what has to be installed; `options` are given
    to each of the module's cases that is asked for; `hidden` is a package that the process is to do
    without.
    """

    key: str
    title: str
    module: str
    package: str
    options: Mapping[str, Any] = field(default_factory=dict)
    hidden: str = ""

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return importlib.util.find_spec(self.package) is not None


PEERS = {
    peer.key: peer
    for peer in (
        Peer("tensorgrad", "tensorgrad", "on_tensorgrad", "tensorgrad"),
        Peer("no-grad", "not recording", "on_tensorgrad", "tensorgrad", {"recording": False}),
        Peer("compiled", "compiled + numba", "on_tensorgrad", "numba", COMPILED),
        Peer("compiled-numpy", "compiled", "on_tensorgrad", "tensorgrad", COMPILED, hidden="numba"),
        Peer("torch", "PyTorch", "on_torch", "torch"),
        Peer("torch-fused", "PyTorch fused", "on_torch", "torch", {"fused": True}),
        Peer(
            "torch-compile",
            "torch.compile, fused",
            "on_torch",
            "torch",
            {"fused": True, **COMPILED},
        ),
        Peer("jax", "JAX jit", "on_jax", "jax"),
        Peer("autograd", "autograd", "on_autograd", "autograd"),
        Peer("mygrad", "MyGrad", "on_mygrad", "mygrad"),
        Peer("micrograd", "micrograd", "on_micrograd", "micrograd"),
        Peer("by-hand", "NumPy by hand", "by_hand", "numpy"),
    )
}


def available(keys: Sequence[str]) -> list[Peer]:
    """Return those of the peers whose package is installed."""
    return [PEERS[key] for key in keys if PEERS[key].installed]


def versions() -> dict[str, str]:
    """Return the version of each package that is compared here and installed."""
    packages = dict.fromkeys(peer.package for peer in PEERS.values() if peer.installed)
    packages.pop("tensorgrad")
    return {package: importlib.metadata.version(package) for package in packages}
