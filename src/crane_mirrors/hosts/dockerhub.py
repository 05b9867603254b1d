"""Docker Hub: images only."""

from __future__ import annotations

from crane_mirrors.hosts._base import HostKind

__all__ = ["KIND"]


class DockerHub(HostKind):
    """https://hub.docker.com; the registry answers under several names (distribution/reference, ``normalize``)."""

    domains = ("docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com")


KIND = DockerHub()
