"""A drop-in of registries.conf, which podman, skopeo, buildah and CRI-O read: containers-registries.conf(5).

It can give every repository its own mirrors, under any path, and a client goes to the origin when all mirrors fail. The
longest prefix that matches decides, by whole path components. So what lies below a repository, and a repository with
the name of a folder, is asked for at those mirrors as well, in vain, and then at its origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._redirects import redirects, spot_of
from crane_mirrors.targets._toml import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.model import Kind
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET", "RegistriesConf"]


class RegistriesConf(Target):
    """One table for each repository that has a better copy than the one that is named."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    folder: ClassVar[str] = "/etc/containers/registries.conf.d"
    paths: ClassVar[tuple[str, ...]] = ("50-crane-mirrors.conf",)
    options: ClassVar[frozenset[str]] = frozenset({"digest_only"})

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the drop-in. A mirror's location has no scheme and no slash at its end: skopeo fails on either."""
        only = 'pull-from-mirror = "digest-only"\n' if options.digest_only else ""
        tables: dict[str, str] = {}
        left_out: list[LeftOut] = []
        notes: list[str] = []
        for entry, place, better in redirects(rows):
            name = str(spot_of(place))
            if "/" in name and not all(spot_of(mirror).path for mirror in better):
                # Seen with skopeo: it makes a name of the mirror's host alone, and gives up.
                notes.append(f"a repository called {name}, beside the folder, cannot be pulled by that name any more")
            mirrors = [f"\n[[registry.mirror]]\nlocation = {quoted(str(spot_of(mirror)))}\n{only}" for mirror in better]
            table = _table(name) + "".join(mirrors)
            if tables.setdefault(name, table) != table:
                # A repository and the folder of that name are two entries, but one prefix.
                reason = f"'{name}' is both a repository and a folder, and the format has one table for them"
                left_out.append(LeftOut(entry.kind, entry.name, better[0].name, reason, ("k3s", "rke2", "kyverno")))
        for name in (str(spot_of(each.place)) for row in rows for each in row.stay):
            tables.setdefault(name, _table(name))
        text = "".join(tables.values()).lstrip("\n")
        return Configuration((File(self.paths[0], text),), tuple(left_out), tuple(notes))


def _table(name: str) -> str:
    """Begin a table; without mirrors it keeps a name from those of the folder around it."""
    return f"\n[[registry]]\nprefix = {quoted(name)}\nlocation = {quoted(name)}\n"


TARGET = RegistriesConf()
