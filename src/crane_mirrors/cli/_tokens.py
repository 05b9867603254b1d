"""Tokens for files that a host shows to some people only: from the environment or a file, to that host, over https."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crane_mirrors import hosts
from crane_mirrors.cli._messages import note
from crane_mirrors.cli._sources import failure
from crane_mirrors.errors import InvalidInput
from crane_mirrors.model import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crane_mirrors.resolve.routes import Route

__all__ = ["Tokens"]

_LONGEST = 8192


class Tokens:
    """The tokens of one call, by host kind; none of them is ever printed."""

    def __init__(self, files: Sequence[str], project: str | None) -> None:
        """Take ``KIND=FILE`` words, and the catalogue file that came with somebody's repository.

        Raises InvalidInput, FileFailed, or UnknownName for no host kind.
        """
        self._project = project
        self._known: dict[str, str] = {}
        for word in files:
            kind, equals, path = word.partition("=")
            if not equals or not path:
                raise InvalidInput(f"--token-file takes HOSTKIND=FILE, as in coding=/run/secrets/coding: {shown(kind)}")
            name = hosts.kind_named(kind).name
            self._known[name] = _checked(_read(path), f"the file {shown(path)}")

    def secret(self, route: Route) -> Mapping[str, str]:
        """Give the header that goes to a route's own server; none where the token was not meant for it."""
        kind = route.place.host_kind
        variable = f"CRANE_MIRRORS_TOKEN_{kind.upper()}"
        token = self._known.get(kind) or _checked(os.environ.get(variable, "").strip(), variable)
        if not token:
            return {}
        host = urlsplit(route.target).hostname or ""
        if not route.target.startswith("https://"):
            note(f"{route.place.name}: no token is sent without https")
            return {}
        of_project = self._project is not None and route.place.source == self._project
        if of_project and not hosts.kind_named(kind).claims(host):
            # Anybody's repository may say that its own server is one of this kind.
            note(f"{route.place.name}: no token is sent to {host}, which {self._project} alone calls {kind}")
            return {}
        return {"Authorization": f"{hosts.kind_named(kind).token_scheme} {token}"}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST + 1).strip()
    except OSError as error:
        raise failure(error, path) from None


def _checked(token: str, where: str) -> str:
    """Refuse what would be another header, or none, without showing it."""
    if token and (len(token) > _LONGEST or not token.isascii() or not token.isprintable() or " " in token):
        raise InvalidInput(f"{where} holds no token: that is one word of ASCII characters")
    return token
