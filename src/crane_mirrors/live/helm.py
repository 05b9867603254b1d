"""A Helm repository, by its index."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crane_mirrors.live.causes import Failed, check_status
from crane_mirrors.live.charts import parse_index
from crane_mirrors.live.differences import Difference, compare_charts
from crane_mirrors.live.exchange import Ask
from crane_mirrors.live.loop import aside
from crane_mirrors.live.question import First
from crane_mirrors.live.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Collection

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.charts import Chart
    from crane_mirrors.live.exchange import Exchanger, Reply

__all__ = ["HelmQuestion", "Index"]

MAX_INDEX = 64 * 2**20
_BEGINNING = 4096

# Reading an index takes memory, so only one is read at a time.
Index = dict[tuple[str, str], "Chart"]


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
        if reply.cut:
            # What was not read to its end costs the connection, so a warm request must be a smaller one.
            ask = ask._replace(method="HEAD")
        return First(reply.timing, ask, reply.status)

    async def facts(self, exchanger: Exchanger, place: Place, deadline: float) -> Index:
        """Get the index. Raises Failed."""
        base = str(place.location)
        if base.startswith("oci://"):
            raise Failed("an OCI registry has no index")
        reply = await exchanger.get(Ask(_index_url(base)), deadline, MAX_INDEX)
        _check(reply)
        if reply.cut:
            raise Failed("index too large")
        body, time = reply.body, asyncio.get_running_loop().time
        charts = await aside(lambda: parse_index(body, lambda: time() > deadline))
        own = urlsplit(reply.url).netloc.lower()
        return {key: replace_host(chart, own) for key, chart in charts.items()}

    def compare(self, origin: Index, mirror: Index) -> Difference:
        """Compare versions and digests, and note downloads that the mirror sends back to the origin."""
        hosts = {chart.host for chart in mirror.values()} & {chart.host for chart in origin.values()}
        difference = compare_charts(origin, mirror)
        if not hosts:
            return difference
        return replace(difference, notes=(f"downloads go to the origin's host: {', '.join(sorted(map(str, hosts)))}",))

    async def known(
        self, exchanger: Exchanger, place: Place, deadline: float, facts: Any, objects: Collection[str]
    ) -> set[str]:
        """An index has no suspects: it says all there is."""
        return set()


def replace_host(chart: Chart, own: str) -> Chart:
    """Say where a chart's archive comes from, when the index gives a relative address."""
    return chart if chart.host else chart._replace(host=own)


def _index_url(base: str) -> str:
    head, mark, query = base.partition("?")
    return f"{head}/index.yaml{mark}{query}"


def _check(reply: Reply) -> None:
    check_status(reply.status, reply.headers)
    if reply.is_page:
        raise Failed("login page")


def _is_index(beginning: bytes) -> bool:
    return any(word in beginning for word in (b"apiVersion", b"entries", b"generated")) and beginning[:1] != b"<"
