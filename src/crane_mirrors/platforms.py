"""Platforms that an image is built for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crane_mirrors.errors import InvalidPlatform
from crane_mirrors.model import shown

__all__ = ["Platform"]

_MACHINES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system and a machine, in Go's words as OCI uses them (image-spec, ``platform``)."""

    os: str
    machine: str
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/machine[/variant]``; other spellings of a machine become Go's. Raises InvalidPlatform.

        >>> str(Platform.parse("linux/aarch64")), str(Platform.parse("linux/arm64/v8"))
        ('linux/arm64', 'linux/arm64')
        """
        if not re.fullmatch(r"[a-z0-9]+/[a-z0-9_-]+(/v[0-9]+)?", text):
            raise InvalidPlatform(f"invalid platform {shown(text)}: use OS/MACHINE[/VARIANT], as in linux/arm64")
        os, machine, *rest = text.split("/")
        machine = _MACHINES.get(machine, machine)
        variant = rest[0] if rest else None
        return cls(os, machine, None if (machine, variant) == ("arm64", "v8") else variant)

    def __str__(self) -> str:
        """Join the parts with slashes."""
        return "/".join(filter(None, (self.os, self.machine, self.variant)))
