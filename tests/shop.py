"""A repository that three servers have: near, far, and the origin; what each of them answers is the test's to say.

place = opened(Place(tmp_path), stack)
place.answers["near"] = status(404)
cli("fetch", *FILE, "-c", place.catalogue)
assert place.asked[0] == ("near", "/acme/shop/raw/main/deploy/values.yaml")
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from servers.web import Request, Responder, Response, file, web

FILE = ("shop", "main", "deploy/values.yaml")
CONTENT = b"replicas: 1\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = b"replicas: 2\n"
NAMES = ("near", "far", "origin")


@dataclass
class Place:
    """Three servers of the same repository, near, far and the origin, and what each answers; all is well at first."""

    folder: Path
    answers: dict[str, Responder] = field(default_factory=lambda: dict.fromkeys(NAMES, file(CONTENT)))
    authorities: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def respond(self, name: str, request: Request) -> Response:
        self.asked.append((name, request.path))
        self.headers.append(dict(request.headers))
        return self.answers[name](request)

    @property
    def catalogue(self) -> str:
        return str(self.folder / "mirrors.yaml")

    def write_catalogue(self, scheme: str = "http", path: str = "mirrors.yaml", **instead: str) -> None:
        every = {**self.authorities, **instead}
        where = {name: place if "://" in place else f"{scheme}://{place}" for name, place in every.items()}
        (self.folder / path).write_text(
            f"""\
version: 1
git:
  shop:
    origin: {{url: "{where["origin"]}/acme/shop.git", host_kind: github}}
    mirrors:
      near: {{url: "{where["near"]}/acme/shop", host_kind: gitee}}
      far: {{url: "{where["far"]}/acme/shop", host_kind: gitee}}
helm:
  charts:
    origin: "{where["origin"]}/charts"
    mirrors: {{near: {{url: "{where["near"]}/charts"}}}}
""",
            encoding="utf-8",
        )


def opened(place: Place, stack: contextlib.ExitStack) -> Place:
    for name in NAMES:
        server = stack.enter_context(web(partial(place.respond, name)))
        place.authorities[name] = server.authority
    place.write_catalogue()
    return place
