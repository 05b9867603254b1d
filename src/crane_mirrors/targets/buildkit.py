"""The configuration of BuildKit's daemon: docs/buildkitd.toml.md of BuildKit.

Not run: the tests read the file back and compare it with the documented schema. A mirror may have a path, which comes
before the one of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from crane_mirrors.targets._base import Configuration, File, Target
from crane_mirrors.targets._prefixed import servers
from crane_mirrors.targets._redirects import api_host
from crane_mirrors.targets._toml import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.model import Kind
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET", "BuildKit"]


class BuildKit(Target):
    """One table for each registry whose repositories have a copy under the same path elsewhere."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    folder: ClassVar[str] = "/etc/buildkit"
    paths: ClassVar[tuple[str, ...]] = ("buildkitd.toml",)

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the file, or none where no registry has a mirror that the format can express."""
        found = servers(rows, "BuildKit")
        tables = [
            f"[registry.{quoted(registry)}]\nmirrors = [{', '.join(quoted(_host(base)) for base in bases)}]\n"
            for registry, bases in found.of.items()
        ]
        files = (File(self.paths[0], "\n".join(tables)),) if tables else ()
        return Configuration(files, found.left_out, found.notes)


def _host(base: str) -> str:
    host, slash, path = base.partition("/")
    return api_host(host) + slash + path


TARGET = BuildKit()
