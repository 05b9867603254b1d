"""Which entry a URL belongs to, at which of its places, and what it names there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors import hosts
from crane_mirrors.catalogue.entry import key_of

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.hosts import Found
    from crane_mirrors.model import RouteKind
    from crane_mirrors.url import URL

__all__ = ["Located", "locate", "repository_at"]

_INDEX = "/index.yaml"
_ARCHIVES = (".tgz", ".tgz.prov")


class Located(NamedTuple):
    """What a URL names: ``tail`` is what follows a Helm repository, ``found`` what a Git host makes of the URL."""

    kind: RouteKind
    entry: Entry
    key: str
    tail: str = ""
    found: Found | None = None

    @property
    def place(self) -> Place:
        """The origin or mirror that the URL is on."""
        return next(place for place in self.entry.places if key_of(place.location) == self.key)

    def serves(self, place: Place) -> bool:
        """Whether a place can have the same thing: a chart's archive and its tag in a registry have other addresses."""
        return self.kind != "chart" or _is_oci(place) == _is_oci(self.place)


def _is_oci(place: Place) -> bool:
    return str(place.location).startswith("oci:")


def locate(catalogue: Catalogue, url: URL) -> Located | None:
    """Find the entry of a URL; None when the catalogue has none, or the URL is no repository, chart or file.

    An exact repository comes before a prefix for raw files, and that before a prefix for repositories.
    """
    found = repository_at(catalogue, url)
    located = _helm(catalogue, url)
    if not located and found:
        located = _git(catalogue.at("git", found.repository), found)
    located = located or _raw(catalogue, url)
    if not located and found:
        # What a prefix entry makes of a clone URL ends as that does; an exact entry has an end of its own.
        end = ".git" if url.path.endswith(".git") and not found.path else ""
        located = _git(catalogue.under("git", found.repository + end), found)
    return located


def repository_at(catalogue: Catalogue, url: URL) -> Found | None:
    """Say which repository or file a URL names by the rules of its host, whether or not the catalogue has it."""
    if url.scheme == "oci":
        return None
    return hosts.kind_named(catalogue.host_kind(url.authority) or hosts.kind_of(url.host).name).find(url)


def _helm(catalogue: Catalogue, url: URL) -> Located | None:
    if url.scheme not in ("https", "http", "oci"):
        return None
    where = url.place
    head = where.removesuffix(_INDEX)
    entry = catalogue.at("helm", head)
    if entry:
        return Located("helm", entry, head, where[len(head) :])
    chart = url.scheme == "oci" or where.endswith(_ARCHIVES)
    head = where
    while chart and "/" in head:
        head = head.rpartition("/")[0]
        entry = catalogue.at("helm", head)
        if entry:
            return Located("chart", entry, head, where[len(head) :])
    entry = catalogue.under("helm", where)
    return Located("chart" if chart else "helm", entry, _key(where)) if entry else None


def _git(entry: Entry | None, found: Found) -> Located | None:
    if entry is None:
        return None
    return Located("raw" if found.path else "git", entry, found.repository, found=found)


def _raw(catalogue: Catalogue, url: URL) -> Located | None:
    entry = catalogue.under("raw", url.place)
    return Located("raw", entry, _key(url.place)) if entry else None


def _key(where: str) -> str:
    return where.removesuffix(".git")
