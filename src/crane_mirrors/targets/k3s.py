"""The ``registries.yaml`` of k3s.

Not run: the tests read the file back, compare it with the documented schema and execute its patterns.
"""

from __future__ import annotations

from typing import ClassVar

from crane_mirrors.targets._rancher import Rancher

__all__ = ["TARGET", "K3s"]


class K3s(Rancher):
    """What k3s makes its own containerd's configuration of."""

    folder: ClassVar[str] = "/etc/rancher/k3s"


TARGET = K3s()
