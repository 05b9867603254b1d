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
    command = ("helm", "repo", "add", entry.name) if kind == "helm" else ("git", "clone")
    chosen, rest = rank(catalogue, entry, choice)
    routes = tuple(
        Route(place, str(place.location), (*command, str(place.location)), place.page) for place in (*chosen, *rest)
    )
    return Answer(kind, entry.name, routes)
