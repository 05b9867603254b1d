"""Names of Helm and Git repositories → routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from crane_mirrors.resolve.routes import Answer, Choice, Route, rank

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry

__all__ = ["answer_repository", "resolve_git", "resolve_helm"]


def resolve_helm(catalogue: Catalogue, name: str, choice: Choice | None = None) -> Answer:
    """Resolve a Helm repository by name or alias. Raises NotFound."""
    return answer_repository(catalogue, catalogue.entry("helm", name), choice or Choice())


def resolve_git(catalogue: Catalogue, name: str, choice: Choice | None = None) -> Answer:
    """Resolve a Git repository by name or alias. Raises NotFound."""
    return answer_repository(catalogue, catalogue.entry("git", name), choice or Choice())


def answer_repository(catalogue: Catalogue, entry: Entry, choice: Choice) -> Answer:
    """Give the routes to the entry of a Helm or Git repository. Raises NotFound."""
    kind: Literal["helm", "git"] = "helm" if entry.kind == "helm" else "git"
    places, _ = rank(catalogue, entry, choice)
    routes = []
    for place in places if choice.every else places[:1]:
        url = str(place.location)
        routes.append(Route(place, url, _command(kind, entry.name, url), place.page))
    return Answer(kind, entry.name, tuple(routes))


def _command(kind: Literal["helm", "git"], name: str, url: str) -> tuple[str, ...]:
    if kind == "git":
        return ("git", "clone", url)
    # Helm knows no repositories of an OCI registry, only charts below it.
    return ("helm", "pull", url) if url.startswith("oci:") else ("helm", "repo", "add", name, url)
