"""GitHub's container registry: images only."""

from __future__ import annotations

from crane_mirrors.hosts._base import HostKind

__all__ = ["KIND"]


class GHCR(HostKind):
    """https://ghcr.io."""

    domains = ("ghcr.io",)


KIND = GHCR()
