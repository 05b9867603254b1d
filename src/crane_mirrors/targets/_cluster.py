"""How names are written and what they are under: what the targets for developers and clusters have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.reference import DOCKER_HUB, Repository
from crane_mirrors.targets._base import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.targets._base import Copies

__all__ = ["folders", "left_out", "repository_of", "spellings"]


def spellings(repository: Repository) -> tuple[str, ...]:
    """Give every way to write a repository, the shortest first.

    >>> spellings(Repository("ghcr.io", "a/b")), spellings(Repository("docker.io", "a/b"))[:2]
    (('ghcr.io/a/b',), ('a/b', 'docker.io/a/b'))
    >>> spellings(Repository("docker.io", "library/nginx"))[:4]
    ('nginx', 'library/nginx', 'docker.io/nginx', 'docker.io/library/nginx')
    """
    if repository.registry != DOCKER_HUB[0]:
        return (str(repository),)
    path, short = repository.path, repository.familiar
    # A path that looks as if it began with a registry cannot be written without its own.
    bare = (short, path) if not short.startswith("docker.io/") else ()
    paths = dict.fromkeys((short, path) if bare else (path,))
    return tuple(dict.fromkeys((*bare, *(f"{host}/{each}" for host in DOCKER_HUB for each in paths))))


def folders(name: str) -> Iterator[str]:
    """Give all that a name is under, the longest first.

    >>> list(folders("ghcr.io/a/b"))
    ['ghcr.io/a', 'ghcr.io']
    """
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def repository_of(place: Place) -> Repository:
    """Give where an image is that is no prefix."""
    assert isinstance(place.location, Repository)
    return place.location


def left_out(row: Copies, reason: str, *instead: str) -> Iterator[LeftOut]:
    """Leave out an entry with all of its mirrors."""
    for place in row.mirrors:
        yield LeftOut(row.entry.kind, row.entry.name, place.name, reason, instead)
