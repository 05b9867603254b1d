"""Which registries' names are to be got elsewhere: what the targets for nodes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.targets._base import Copies

__all__ = ["RENAMING", "Redirect", "Spot", "api_host", "merged", "redirects", "spot_of"]

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
    for entry, mirrors in rows:
        yield Redirect(entry, entry.origin, mirrors)
        for place in entry.mirrors:
            better = mirrors[: mirrors.index(place)] if place in mirrors else mirrors
            if better:
                yield Redirect(entry, place, better)


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
