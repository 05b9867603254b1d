"""A file, in a Git or a Helm repository, by its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crane_mirrors.live.ask import Ask, is_login_page
from crane_mirrors.live.causes import Failed, check_status
from crane_mirrors.live.differences import Difference, compare_digests
from crane_mirrors.live.question import First
from crane_mirrors.live.registry import chart_at
from crane_mirrors.live.tokens import nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.exchange import Exchanger, Reply
    from crane_mirrors.live.tokens import Login

__all__ = ["FileQuestion"]

MAX_FILE = 16 * 2**20
_NO_HEAD = (400, 403, 405, 501)


@dataclass(frozen=True, slots=True)
class FileQuestion:
    """A file that each mirror, by its name, has under a URL of its own; ``immutable`` where it can never change."""

    urls: Mapping[str, str]
    what: str
    immutable: bool = False
    login: Callable[[str], Login | None] = nobody
    """Gives the account that is to be used at a registry, for a chart in one."""

    async def measure(self, exchanger: Exchanger, place: Place, deadline: float) -> First:
        """Ask for the file's head, or its first byte where a server refuses that. Raises Failed."""
        url = self._url(place)
        if url.startswith("oci://"):
            registry, name = chart_at(exchanger, url, deadline, self.login)
            reply = await registry.head(name)
            return First(registry.cold, registry.ask_for(name), reply.status)
        ask = Ask(url, "HEAD")
        reply = await exchanger.get(ask, deadline)
        if reply.status in _NO_HEAD:
            ask = Ask(url, headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"})
            reply = await exchanger.get(ask, deadline)
        self._check(reply, url)
        return First(reply.timing, ask, reply.status)

    async def facts(self, exchanger: Exchanger, place: Place, deadline: float) -> str:
        """Get the file and give its hash. Raises Failed."""
        url = self._url(place)
        reply = await exchanger.get(Ask(url), deadline, MAX_FILE)
        self._check(reply, url)
        if reply.cut:
            raise Failed(f"larger than {MAX_FILE // 2**20} MiB")
        return "sha256:" + hashlib.sha256(reply.body).hexdigest()

    def compare(self, origin: str, mirror: str) -> Difference:
        """Compare hashes."""
        return compare_digests(origin, mirror, immutable=self.immutable, what=self.what)

    async def known(
        self, exchanger: Exchanger, place: Place, deadline: float, facts: Any, objects: Collection[str]
    ) -> set[str]:
        """No server has files by their hash; a branch's file that differs counts as an older one."""
        return set(objects)

    def _url(self, place: Place) -> str:
        url = self.urls.get(place.name)
        if url is None:
            raise Failed(f"no address of this file at {place.host} is known")
        return url

    def _check(self, reply: Reply, url: str) -> None:
        check_status(reply.status, reply.headers)
        if is_login_page(reply.media_type, url):
            raise Failed("login page")
