"""The ``registries.yaml`` of rke2, which reads what k3s does: https://docs.rke2.io/install/private_registry.

Not run: the tests read the file back, compare it with the documented schema and execute its patterns.
"""

from __future__ import annotations

from typing import ClassVar

from crane_mirrors.targets._rancher import Rancher

__all__ = ["TARGET", "Rke2"]


class Rke2(Rancher):
    """What rke2 makes its own containerd's configuration of."""

    folder: ClassVar[str] = "/etc/rancher/rke2"


TARGET = Rke2()
