"""One bounded exchange: a deadline around everything, a limit on what is read, and a cause when it fails."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from crane_mirrors.live.addresses import next_url, same_server
from crane_mirrors.live.ask import MAX_REDIRECTS, PAGES, REDIRECTS, SMALL, media_type
from crane_mirrors.live.body import read_body
from crane_mirrors.live.causes import Failed, cause_of
from crane_mirrors.live.loop import lookups

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from crane_mirrors.live.ask import Ask

__all__ = ["PER_HOST", "Exchanger", "Reply", "Timing"]

PER_HOST = 4
"""How many requests are under way to one server at a time."""

_DRAIN_SECONDS = 0.2


class Timing(NamedTuple):
    """Milliseconds that an exchange took in all, and its first connection; None for what was not needed or not seen."""

    total: float = 0.0
    dns: float | None = None
    tcp: float | None = None
    tls: float | None = None

    @property
    def connect(self) -> float | None:
        """The whole of the connection; None where an open one was used."""
        parts = [part for part in (self.dns, self.tcp, self.tls) if part is not None]
        return sum(parts) if parts else None


@dataclass(frozen=True, slots=True)
class _Stream:
    """An answer whose body is still to be read, raw as it came over the line."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body is complete, or as long as was allowed (``cut``)."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    timing: Timing

    @property
    def media_type(self) -> str:
        """The type of the body without parameters, lower case."""
        return media_type(self.headers)

    @property
    def is_page(self) -> bool:
        """Whether the body is a page for people, such as a login page or that of a captive portal."""
        return self.media_type in PAGES


@dataclass(slots=True)
class _Stages:
    """When the stages of the first connection began and how long they took, from httpcore's trace events."""

    now: float
    last: str = "connect"
    took: dict[str, float] = field(default_factory=dict)

    async def __call__(self, name: str, info: object) -> None:
        stage = "tcp" if "connect_tcp." in name else "tls" if "start_tls." in name else "answer"
        now = asyncio.get_running_loop().time()
        if name.endswith(".started"):
            self.now, self.last = now, {"tcp": "connect"}.get(stage, stage)
        elif name.endswith(".complete") and stage != "answer":
            self.took.setdefault(stage, now - self.now)

    def looked_up(self, seconds: float) -> None:
        self.took.setdefault("dns", seconds)

    def timing(self, total: float) -> Timing:
        dns, tcp, tls = (self.took.get(stage) for stage in ("dns", "tcp", "tls"))
        tcp = max(0.0, tcp - (dns or 0)) if tcp is not None else None
        return Timing(*(None if part is None else round(part * 1000, 3) for part in (total, dns, tcp, tls)))  # type: ignore[arg-type]


class Exchanger:
    """A pool of connections with the proxies of the environment, and a few requests to a server at a time."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Take an open client: use ``Exchanger.open``."""
        self._client = client
        self._gates: dict[str, asyncio.Semaphore] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, tls: ssl.SSLContext) -> AsyncIterator[Exchanger]:
        """Open a pool; its connections close when the block ends. Raises Failed for a proxy that is no address."""
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx

        try:
            client = httpx.AsyncClient(
                # As Git, curl and Docker do: a jar would send a cookie to every port of its host, and to its domain.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                timeout=None,
                follow_redirects=False,
                verify=tls,
                limits=httpx.Limits(max_connections=256, max_keepalive_connections=128),
                headers={"User-Agent": "crane-mirrors", "Accept-Encoding": "gzip"},
            )
        except ImportError:
            raise Failed("proxy: socks is not supported") from None
        except (ValueError, httpx.InvalidURL):
            raise Failed("proxy: the environment names one that is no address") from None
        async with client:
            yield cls(client)

    async def get(self, ask: Ask, deadline: float, limit: int = SMALL) -> Reply:
        """Ask, follow redirects, and read at most ``limit`` bytes of the last answer, unpacked.

        ``deadline`` is the event loop's time. Raises Failed with the cause.
        """
        loop = asyncio.get_running_loop()
        start, stages = loop.time(), _Stages(loop.time())
        try:
            async with asyncio.timeout_at(deadline), self._stream(ask, stages) as answer:
                body, cut = await read_body(answer.chunks, answer.headers.get("content-encoding", ""), limit)
        except TimeoutError:
            raise Failed("timeout" if stages.last == "answer" else f"timeout ({stages.last})") from None
        timing = stages.timing(loop.time() - start)
        return Reply(answer.url, answer.status, answer.headers, body, cut, timing)

    @asynccontextmanager
    async def _stream(self, ask: Ask, stages: _Stages) -> AsyncIterator[_Stream]:
        import httpx

        lookups.set(stages.looked_up)
        try:
            async with self._last(ask, stages) as answer:
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError, ExceptionGroup) as error:
            raise Failed(cause_of(error)) from None

    @asynccontextmanager
    async def _last(self, ask: Ask, stages: _Stages) -> AsyncIterator[_Stream]:
        url = ask.url
        for _ in range(MAX_REDIRECTS + 1):
            secret = ask.secret if same_server(url, ask.url) else {}
            gate = self._gates.setdefault(urlsplit(url).netloc, asyncio.Semaphore(PER_HOST))
            async with (
                gate,
                self._client.stream(
                    ask.method,
                    url,
                    headers={**ask.headers, **secret},
                    content=ask.content,
                    extensions={"trace": stages},
                ) as response,
            ):
                location = response.headers.get("location")
                if response.status_code not in REDIRECTS or not location:
                    yield _Stream(url, response.status_code, response.headers, response.aiter_raw())
                    return
                await _drain(response.aiter_raw())
            url = next_url(url, location)
            if ask.content is not None and not same_server(url, ask.url):
                raise Failed("redirect of a question to another host")
        raise Failed("too many redirects")


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what came with a redirect, if it is short and there: what is not read to its end costs the connection."""
    length = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in chunks:
                length += len(chunk)
                if length > 2**16:
                    return
