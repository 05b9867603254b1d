"""Clients that send all names of a registry to the same servers, with something put before each path at most.

Their files name a registry's servers, not its repositories. A server is asked for every repository of that registry, so
one that the catalogue does not have there is a 404, upon which the client asks the next server, at last the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.targets._base import LeftOut
from crane_mirrors.targets._redirects import RENAMING, Spot, merged, redirects, spot_of, swept_along

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crane_mirrors.targets._base import Copies

__all__ = ["Servers", "base", "servers"]


class Servers(NamedTuple):
    """For each registry the bases (``HOST`` or ``HOST/PATH``) that are put in its place, best first.

    ``notes`` say which servers get to see more names of a registry than the catalogue has there.
    """

    of: Mapping[str, Sequence[str]]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def base(asked: Spot, mirror: Spot) -> str | None:
    """Give what a name's registry is to be replaced by to make the mirror's name of it, if that is all it takes.

    >>> base(Spot("docker.io", "a/b"), Spot("m.example", "hub/a/b")), base(Spot("docker.io", ""), Spot("m.example", ""))
    ('m.example/hub', 'm.example')
    >>> base(Spot("docker.io", "a/b"), Spot("m.example", "a/c/b")) is None
    True
    """
    whole = f"/{mirror.path}" if mirror.path else ""
    tail = f"/{asked.path}" if asked.path else ""
    return mirror.registry + whole.removesuffix(tail) if whole.endswith(tail) else None


def servers(rows: Sequence[Copies], client: str) -> Servers:
    """Find the servers of all registries; left out is each mirror whose path is another one than its origin's."""
    orders: dict[str, dict[tuple[str, ...], None]] = {}
    left_out: list[LeftOut] = []
    whole: set[tuple[str, str]] = set()
    for entry, place, better in redirects(rows):
        asked = spot_of(place)
        found = [(mirror, base(asked, spot_of(mirror))) for mirror in better]
        bases = tuple(name for _, name in found if name is not None)
        if bases:
            orders.setdefault(asked.registry, {})[bases] = None
        if not asked.path:
            whole.update((asked.registry, name) for name in bases)
        if place.is_origin:
            reason = f"{client} puts something before '{asked.path}' at most, and cannot put another path in its place"
            left_out += [
                LeftOut(entry.kind, entry.name, mirror.name, reason, RENAMING) for mirror, name in found if name is None
            ]
    of = {registry: merged(order) for registry, order in sorted(orders.items())}
    partly = {registry: [name for name in bases if (registry, name) not in whole] for registry, bases in of.items()}
    notes = [
        f"{client} asks {', '.join(bases)} for every repository of {registry}, before it asks {registry} itself"
        for registry, bases in partly.items()
        if bases
    ]
    return Servers(of, tuple(left_out), (*notes, *swept_along(rows, of, client)))
