"""A folder of containerd's registry hosts, one file for each registry: containerd's docs/hosts.md.

containerd's own setting ``config_path`` (``ctr``: ``--hosts-dir``) names the folder, and each pull reads it anew. A
file with a mistake in it is passed over, and the registry itself asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from crane_mirrors.targets._base import Configuration, File, Target
from crane_mirrors.targets._prefixed import servers
from crane_mirrors.targets._redirects import api_host
from crane_mirrors.targets._toml import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crane_mirrors.model import Kind
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET", "Containerd"]

_WHERE = 'containerd 1 reads the folder only if its config.toml names it: config_path = "/etc/containerd/certs.d"'
# What containerd asks over plain HTTP as well, but only where no server is named.
_LOOPBACK = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?")


class Containerd(Target):
    """One ``hosts.toml`` for each registry whose repositories have a copy under the same path elsewhere."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    folder: ClassVar[str] = "/etc/containerd/certs.d"
    paths: ClassVar[tuple[str, ...]] = ("*/hosts.toml",)
    options: ClassVar[frozenset[str]] = frozenset({"digest_only"})

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the files; a mirror that may not resolve tags has the capability ``pull`` alone."""
        found = servers(rows, "containerd")
        capabilities = ("pull",) if options.digest_only else ("pull", "resolve")
        files = [File(f"{host}/hosts.toml", _hosts(host, bases, capabilities)) for host, bases in found.of.items()]
        notes = found.notes
        if notes and not options.digest_only:
            notes = (*notes, "with --digest-only such a server cannot say what a tag means, only deliver what is meant")
        return Configuration(tuple(files), found.left_out, (*notes, _WHERE) if files else ())


def _hosts(registry: str, bases: Iterable[str], capabilities: tuple[str, ...]) -> str:
    can = ", ".join(map(quoted, capabilities))
    tables = "".join(f"\n[host.{quoted(_url(base))}]\ncapabilities = [{can}]\n{_override(base)}" for base in bases)
    if _LOOPBACK.fullmatch(registry):
        return tables.removeprefix("\n")
    return f"server = {quoted(f'https://{api_host(registry)}')}\n{tables}"


def _url(base: str) -> str:
    host, slash, path = base.partition("/")
    return f"https://{api_host(host)}" + (f"/v2/{path}" if slash else "")


def _override(base: str) -> str:
    return "override_path = true\n" if "/" in base else ""


TARGET = Containerd()
