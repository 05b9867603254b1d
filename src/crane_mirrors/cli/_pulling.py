"""Pull one image with a client: route after route until one works; then put the origin's name on what came."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from crane_mirrors.cli._messages import note, say
from crane_mirrors.clients import name_for, tag_command
from crane_mirrors.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.cli._runner import Children
    from crane_mirrors.clients import Client
    from crane_mirrors.resolve.routes import Route

__all__ = ["Attempt", "Image", "Pulled", "name_image", "pull_image"]


@dataclass(frozen=True, slots=True)
class Image:
    """What is to be pulled: the routes, best first, and the origin's name for what comes, if it is to have that.

    ``name`` is the catalogue's, ``label`` what the person wrote.
    """

    name: str
    label: str
    client: Client
    routes: tuple[Route, ...]
    origin: Reference
    tag_as: bool

    def spelt(self, reference: Reference) -> str:
        """Write a reference as the client does."""
        return reference.familiar if self.client == "docker" else str(reference)

    def wanted(self, route: Route) -> Reference | None:
        """Give the name to put on what this route brings; None where it has that already, or cannot have it."""
        name = name_for(self.client, self.origin) if self.tag_as else None
        return name if name and str(name) != route.target else None

    def commands(self, route: Route) -> list[tuple[str, ...]]:
        """Give what is run for a route, in order."""
        name = self.wanted(route)
        return [route.command, *([tag_command(self.client, Reference.parse(route.target), name)] if name else [])]


class Attempt(NamedTuple):
    """One route that was tried, and the exit code of the client's last command."""

    route: Route
    code: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of one image; ``tagged`` is the name it got, ``code`` that of the last command."""

    image: Image
    attempts: tuple[Attempt, ...]
    tagged: Reference | None = None

    @property
    def code(self) -> int:
        """The exit code of the last command that ran."""
        return self.attempts[-1].code

    @property
    def reference(self) -> str:
        """The name by which the client finds the image now."""
        return self.image.spelt(self.tagged or Reference.parse(self.attempts[-1].route.target))

    @property
    def story(self) -> str:
        """The line of the summary."""
        route = self.attempts[-1].route
        before = ", ".join(_said(attempt) for attempt in self.attempts[:-1])
        if self.code and self.tagged:
            # It was pulled, and the command that failed is the one after that.
            return f"could not be tagged {self.reference} (exit code {self.code}), but is here from {route.place.name}"
        if self.code:
            return f"failed: {', '.join(_said(attempt) for attempt in self.attempts)}"
        named = f", as {self.reference}" if self.tagged else ""
        return f"pulled from {route.place.name}{named}{f' (before that: {before})' if before else ''}"

    @property
    def row(self) -> dict[str, Any]:
        """The row of the envelope."""
        last = self.attempts[-1].route
        return {
            "kind": "image",
            "name": self.image.name,
            "client": self.image.client,
            "status": "failed" if self.code else "pulled",
            "mirror": None if self.code else last.place.name,
            "host": None if self.code else last.place.host,
            "reference": None if self.code else last.target,
            "tagged": str(self.tagged) if self.tagged and not self.code else None,
            "exit_code": self.code,
            "attempts": [
                {"mirror": route.place.name, "reference": route.target, "exit_code": code}
                for route, code in self.attempts
            ],
        }


def _said(attempt: Attempt) -> str:
    return f"{attempt.route.place.name} (exit code {attempt.code})"


def pull_image(image: Image, children: Children, *, label: str | None) -> Pulled:
    """Try the routes in order; the clients' output goes to stderr, with a label where several write at once."""
    attempts: list[Attempt] = []
    for route in image.routes:
        code = _run(image, route.command, children, label)
        attempts.append(Attempt(route, code))
        if not code:
            break
    return Pulled(image, tuple(attempts))


def name_image(pulled: Pulled, children: Children, *, label: str | None) -> Pulled:
    """Put the origin's name on what was pulled, if it is to have that; a failure is that of the whole image."""
    image, route = pulled.image, pulled.attempts[-1].route
    if pulled.code:
        return pulled
    name = image.wanted(route)
    if not name:
        if image.tag_as and not route.place.is_origin:
            note(f"{image.label}: {_unnamed(image)}")
        return pulled
    code = _run(image, tag_command(image.client, Reference.parse(route.target), name), children, label)
    # Another route would bring what is here already, and end at the same command.
    return replace(pulled, attempts=(*pulled.attempts[:-1], Attempt(route, code)), tagged=name)


def _run(image: Image, words: Sequence[str], children: Children, label: str | None) -> int:
    if not children.ending:
        say(f"{image.label}: {shlex.join(words)}")
    return children.run(words, label)


def _unnamed(image: Image) -> str:
    if image.client == "crictl":
        return f"crictl cannot give it the name {image.origin}: with containerd, 'ctr -n k8s.io images tag' can"
    return f"no tag is known, and {image.client} takes no digest for a name: it keeps the mirror's"
