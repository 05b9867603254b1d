"""A Helm repository, by its index."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crane_mirrors.live.ask import Ask
from crane_mirrors.live.causes import Failed, NotAsked, check_status
from crane_mirrors.live.charts import parse_index
from crane_mirrors.live.differences import Difference, compare_charts
from crane_mirrors.live.loop import aside_until
from crane_mirrors.live.question import First
from crane_mirrors.live.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.charts import Chart
    from crane_mirrors.live.exchange import Exchanger, Reply

__all__ = ["HelmQuestion", "Index"]

MAX_INDEX = 24 * 2**20
_BEGINNING = 4096
_WHOLE = 2**17
"""An index that is shorter, and came as a whole, is read at once: no one has to wait for that."""


class Index(dict[tuple[str, str], "Chart"]):
    """What an index says, by chart and version, and the host that it came from."""

    def __init__(self, charts: Mapping[tuple[str, str], Chart], host: str) -> None:
        super().__init__(charts)
        self.host = host

    @property
    def archives(self) -> set[str]:
        """Name the hosts that archives come from; a relative address means the index's own."""
        return {chart.host or self.host for chart in self.values()}


@dataclass(frozen=True, slots=True)
class HelmQuestion:
    """A Helm repository; in an OCI registry only the registry itself can be asked."""

    async def measure(self, exchanger: Exchanger, place: Place, deadline: float) -> First:
        """Ask for the beginning of the index. Raises Failed."""
        base = str(place.location)
        if base.startswith("oci://"):
            reply = await Registry(exchanger, place.host, "", deadline).version()
            return First(reply.timing, Ask(reply.url), reply.status)
        ask = Ask(_index_url(base), headers={"Range": f"bytes=0-{_BEGINNING - 1}", "Accept-Encoding": "identity"})
        reply = await exchanger.get(ask, deadline)
        _check(reply)
        if not _is_index(reply.body[:_BEGINNING]):
            raise Failed("not a helm index")
        if reply.status == 200 and len(reply.body) < _WHOLE:
            parse_index(reply.body)
        if reply.cut:
            # What was not read to its end costs the connection, so a warm request must be a smaller one.
            ask = ask._replace(method="HEAD")
        return First(reply.timing, ask, reply.status)

    async def facts(self, exchanger: Exchanger, place: Place, deadline: float) -> Index:
        """Get the index. Raises Failed."""
        base = str(place.location)
        if base.startswith("oci://"):
            raise NotAsked("an OCI registry has no index")
        reply = await exchanger.get(Ask(_index_url(base)), deadline, MAX_INDEX)
        _check(reply)
        if reply.cut:
            raise Failed("index too large")
        body, time = reply.body, asyncio.get_running_loop().time
        charts = await aside_until(deadline, lambda: parse_index(body, lambda: time() > deadline))
        return Index(charts, urlsplit(reply.url).netloc.lower())

    def compare(self, origin: Index, mirror: Index) -> Difference:
        """Compare versions and digests, and note downloads that the mirror sends back to the origin."""
        difference = compare_charts(origin, mirror)
        hosts = sorted(mirror.archives & origin.archives - {mirror.host})
        return replace(difference, notes=(f"downloads go to the origin's host: {', '.join(hosts)}",) if hosts else ())

    async def known(
        self, exchanger: Exchanger, place: Place, deadline: float, facts: Any, objects: Collection[str]
    ) -> set[str]:
        """An index has no suspects: it says all there is."""
        return set()


def _index_url(base: str) -> str:
    head, mark, query = base.partition("?")
    return f"{head}/index.yaml{mark}{query}"


def _check(reply: Reply) -> None:
    check_status(reply.status, reply.headers)
    if reply.is_page:
        raise Failed("login page")


def _is_index(beginning: bytes) -> bool:
    return any(word in beginning for word in (b"apiVersion", b"entries", b"generated")) and beginning[:1] != b"<"
