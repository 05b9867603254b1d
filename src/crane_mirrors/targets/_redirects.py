"""Which registries' names are to be got elsewhere: what the targets for nodes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.targets._base import Copies

__all__ = ["RENAMING", "Redirect", "Spot", "api_host", "merged", "redirects", "some", "spot_of", "swept_along"]

RENAMING = ("registries.conf", "k3s", "rke2", "kyverno", "kustomize")
"""The targets that can give an image another path."""


class Spot(NamedTuple):
    """A repository, or with a prefix entry all that is below a path; that path is empty for a whole registry."""

    registry: str
    path: str

    def __str__(self) -> str:
        """Give the spot as it stands before a tag."""
        return f"{self.registry}/{self.path}" if self.path else self.registry


class Redirect(NamedTuple):
    """A name that manifests may use, and the better copies of what it names, best first; never none.

    The origin is one such name; so is each mirror, for it may be slower, or gone, where those that were chosen are not.
    """

    entry: Entry
    place: Place
    better: tuple[Place, ...]


def spot_of(place: Place) -> Spot:
    """Take a place of an image apart.

    >>> from crane_mirrors.catalogue.entry import Place, Prefix
    >>> spot_of(Place("hub", Prefix("docker.io/*"), "dockerhub", None, "built-in", True))
    Spot(registry='docker.io', path='')
    """
    registry, _, path = str(place.location).removesuffix("/*").partition("/")
    return Spot(registry, path)


def redirects(rows: Iterable[Copies]) -> Iterator[Redirect]:
    """Give the redirection of each origin, and behind it those of the entry's other places to better ones."""
    for row in rows:
        for place in (row.entry.origin, *row.entry.mirrors):
            better = row.better(place)
            if better:
                yield Redirect(row.entry, place, better)


def swept_along(rows: Iterable[Copies], registries: Container[str], client: str) -> tuple[str, ...]:
    """Say what a client that sends all of a registry to the same servers sends there against the catalogue."""
    names = [
        str(each.place.location) for row in rows for each in row.stay if spot_of(each.place).registry in registries
    ]
    if not names:
        return ()
    return (
        f"{client} asks mirrors for {some(names)} as well, which the catalogue leaves where it is: "
        "registries.conf and kyverno can make an exception",
    )


def some(names: Sequence[str]) -> str:
    """List the first few names, and say how many there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d"])
    ('a, b', 'a, b, c, … (4 in all)')
    """
    return ", ".join(names[:3]) + (f", … ({len(names)} in all)" if len(names) > 3 else "")


def merged(orders: Iterable[tuple[str, ...]]) -> list[str]:
    """Make one order of several: the longest ones say most, so theirs comes first.

    >>> merged([("b",), ("a", "b"), ("c",)])
    ['a', 'b', 'c']
    """
    return list(dict.fromkeys(name for order in sorted(orders, key=len, reverse=True) for name in order))


def api_host(registry: str) -> str:
    """Give the host that answers for a registry: Docker Hub's has another name than its images.

    >>> api_host("docker.io"), api_host("ghcr.io")
    ('registry-1.docker.io', 'ghcr.io')
    """
    return "registry-1.docker.io" if registry == "docker.io" else registry
