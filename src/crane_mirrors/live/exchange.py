"""One bounded exchange: a deadline around everything, a limit on what is read, and a cause when it fails."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from crane_mirrors.live.causes import Failed, cause_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    import httpx

__all__ = ["SMALL", "Exchanger", "Reply", "Timing"]

SMALL = 2**20
"""How many bytes are read, at most, where a small answer is expected."""

MAX_REDIRECTS = 5
_PER_HOST = 4


@dataclass(frozen=True, slots=True)
class Timing:
    """When a request's stages ended, in milliseconds from its start; None for what did not happen or was not seen."""

    connect: float | None = None
    tls: float | None = None
    total: float = 0.0


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
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class _Stages:
    """httpcore's trace events, as times."""

    start: float
    ends: dict[str, float] = field(default_factory=dict)
    last: str = "connect"

    async def __call__(self, name: str, info: object) -> None:
        event = name.rpartition(".")[0]
        stage = {"connection.connect_tcp": "connect", "connection.start_tls": "tls"}.get(event, "answer")
        if name.endswith(".started"):
            self.last = stage
        elif name.endswith(".complete") and stage != "answer":
            self.ends[stage] = (asyncio.get_running_loop().time() - self.start) * 1000


class Exchanger:
    """A pool of connections for one run, a few to each host, with the proxies and certificates of the environment."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Take an open client: use ``Exchanger.open``."""
        self._client = client
        self._gates: dict[str, asyncio.Semaphore] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Exchanger]:
        """Open a pool; connections close when the block ends."""
        import httpx

        from crane_mirrors import __version__

        async with httpx.AsyncClient(
            timeout=None,
            follow_redirects=False,
            verify=tls if tls is not None else True,
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=128),
            headers={"User-Agent": f"crane-mirrors/{__version__}", "Accept-Encoding": "gzip"},
        ) as client:
            yield cls(client)

    async def get(
        self,
        url: str,
        *,
        deadline: float,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limit: int = SMALL,
        secret: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask, follow redirects, and read at most ``limit`` bytes of the last answer, decoded.

        ``deadline`` is the event loop's time. ``secret`` headers go to the first host only. Raises Failed with
        the cause.
        """
        start = asyncio.get_running_loop().time()
        stages = _Stages(start)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._follow(url, stages, method, dict(headers or {}), content, limit, dict(secret or {}))
        except TimeoutError:
            raise Failed("timeout" if stages.last == "answer" else f"timeout ({stages.last})") from None
        except Failed:
            raise
        except Exception as error:
            raise Failed(cause_of(error)) from None

    async def _follow(
        self,
        url: str,
        stages: _Stages,
        method: str,
        headers: dict[str, str],
        content: bytes | None,
        limit: int,
        secret: dict[str, str],
    ) -> Reply:
        first = urlsplit(url)
        for _ in range(MAX_REDIRECTS + 1):
            here = urlsplit(url)
            own = here.netloc == first.netloc and here.scheme == first.scheme
            sent = {**headers, **(secret if own else {})}
            reply = await self._once(url, stages, method, sent, content, limit)
            location = reply.headers.get("location")
            if reply.status not in (301, 302, 303, 307, 308) or not location:
                return reply
            url = _next(url, location)
        raise Failed("too many redirects")

    async def _once(
        self, url: str, stages: _Stages, method: str, headers: dict[str, str], content: bytes | None, limit: int
    ) -> Reply:
        gate = self._gates.setdefault(urlsplit(url).netloc, asyncio.Semaphore(_PER_HOST))
        async with (
            gate,
            self._client.stream(
                method, url, headers=headers, content=content, extensions={"trace": stages}
            ) as response,
        ):
            body, cut = await _read(response, limit)
            total = (asyncio.get_running_loop().time() - stages.start) * 1000
            timing = Timing(stages.ends.get("connect"), stages.ends.get("tls"), total)
            return Reply(url, response.status_code, response.headers, body, cut, timing)


def _next(url: str, location: str) -> str:
    target = urljoin(url, location)
    old, new = urlsplit(url), urlsplit(target)
    if new.scheme not in ("http", "https") or not new.hostname:
        raise Failed("redirect to something that is no web address")
    if old.scheme == "https" and new.scheme == "http":
        raise Failed("redirect to http")
    return target


async def _read(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """Read and decode with a limit on both sides: httpx would unpack a whole chunk, however much comes out of it."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise Failed(f"unasked encoding {encoding[:20]!r}")
    unpack = zlib.decompressobj(31) if "gzip" in encoding else None
    parts: list[bytes] = []
    length = 0
    async for chunk in response.aiter_raw():
        if unpack is None:
            data = chunk
        else:
            try:
                data = unpack.decompress(chunk, max(1, limit - length + 1))
            except zlib.error:
                raise Failed("broken encoding") from None
        parts.append(data[: limit - length + 1])
        length += len(parts[-1])
        if length > limit:
            return b"".join(parts)[:limit], True
    if unpack is not None and length and not unpack.eof:
        raise Failed("truncated")
    return b"".join(parts), False
