"""Docker's ``registry-mirrors``: https://docs.docker.com/docker-hub/image-library/mirror/.

They serve Docker Hub only, all of it, and keep each path; dockerd does not start on a value with a path of its own. So
what can be said here is that a server has all of Docker Hub, and nothing about single repositories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._redirects import RENAMING, Spot, spot_of, swept_along

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.model import Kind
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET", "Docker"]

_WHEN = "dockerd reads the file when it starts, and when it gets SIGHUP"


class Docker(Target):
    """A ``daemon.json`` with the mirrors of all of Docker Hub, if there are any."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    folder: ClassVar[str] = "/etc/docker"
    paths: ClassVar[tuple[str, ...]] = ("daemon.json",)

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the file, or none where no mirror has all of Docker Hub at the top of a host."""
        import json

        mirrors: list[str] = []
        left_out: list[LeftOut] = []
        for entry, better, _ in rows:
            for place in better:
                asked, found = spot_of(entry.origin), spot_of(place)
                if asked == Spot("docker.io", "") and not found.path and entry.is_prefix:
                    mirrors.append(f"https://{found.registry}")
                    continue
                reason = f"Docker has mirrors for all of Docker Hub only, and '{found}' is none"
                left_out.append(LeftOut(entry.kind, entry.name, place.name, reason, RENAMING))
        if not mirrors:
            return Configuration((), tuple(left_out))
        text = json.dumps({"registry-mirrors": mirrors}, indent=2) + "\n"
        notes = [*swept_along(rows, ("docker.io",), "Docker"), _WHEN]
        return Configuration((File(self.paths[0], text, comment=None),), tuple(left_out), tuple(notes))


TARGET = Docker()
