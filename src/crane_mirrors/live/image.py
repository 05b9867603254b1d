"""An image, by its tag: what registries say of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crane_mirrors.live.ask import Ask
from crane_mirrors.live.causes import Failed
from crane_mirrors.live.differences import Difference, compare_digests
from crane_mirrors.live.question import First
from crane_mirrors.live.registry import Registry
from crane_mirrors.live.tokens import nobody
from crane_mirrors.reference import Repository
from crane_mirrors.tags import is_immutable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.exchange import Exchanger
    from crane_mirrors.live.tokens import Login
    from crane_mirrors.platforms import Platform

__all__ = ["ImageQuestion"]


@dataclass(frozen=True, slots=True)
class ImageQuestion:
    """A tag (or digest) of an image, or one platform of it; with no ``tag``, only whether the registry answers."""

    tag: str | None
    platform: Platform | None = None
    login: Callable[[str], Login | None] = nobody
    """Gives the account that is to be used at a registry."""

    def at(self, exchanger: Exchanger, place: Place, deadline: float) -> Registry:
        """Give a place's registry."""
        host, _, path = str(place.location).removesuffix("/*").partition("/")
        if isinstance(place.location, Repository):
            host, path = place.location.registry, place.location.path
        return Registry(exchanger, host, path, deadline, self.login(host))

    async def measure(self, exchanger: Exchanger, place: Place, deadline: float) -> First:
        """Ask for ``/v2/``, or for the head of the tag's manifest, with a token where one is wanted. Raises Failed."""
        registry = self.at(exchanger, place, deadline)
        reply = await (registry.proven(self.tag) if self.tag else registry.version())
        ask = Ask(reply.url)
        if self.tag:
            ask = registry.ask_for(self.tag)
        return First(registry.cold, ask, reply.status)

    async def facts(self, exchanger: Exchanger, place: Place, deadline: float) -> str:
        """Get the digest. Raises Failed."""
        assert self.tag
        return await self.at(exchanger, place, deadline).digest(self.tag, self.platform)

    def compare(self, origin: str, mirror: str) -> Difference:
        """Compare digests: a branch's tag moves, a commit's or a version's does not."""
        assert self.tag
        return compare_digests(origin, mirror, immutable=is_immutable(self.tag), what=f"tag {self.tag}")

    async def known(
        self, exchanger: Exchanger, place: Place, deadline: float, facts: str, objects: Collection[str]
    ) -> set[str]:
        """Ask which manifests a registry has, whatever their tags; what cannot be asked counts as there."""
        registry = self.at(exchanger, place, deadline)
        answers = await asyncio.gather(*map(registry.has, objects), return_exceptions=True)
        return {item for item, answer in zip(objects, answers, strict=True) if answer or isinstance(answer, Failed)}
