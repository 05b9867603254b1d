"""One answer of any length, received by a blocking socket: for a gigabyte, an event loop costs more than all else."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING
from urllib.request import getproxies

from crane_mirrors.live.addresses import next_url, same_server
from crane_mirrors.live.ask import MAX_REDIRECTS, REDIRECTS
from crane_mirrors.live.causes import Failed, cause_of
from crane_mirrors.live.trust import load_httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from socket import socket

    import httpx

    from crane_mirrors.live.ask import Ask
    from crane_mirrors.live.trust import Trust

    _Open = tuple[httpx.Client, httpx.Response]

__all__ = ["Answer", "received"]

IPV4_AFTER = 0.3
"""After how many seconds without a connection IPv4 is tried by itself (RFC 8305 has a quarter of a second)."""

LONG = 4 * 2**20

_RECORD = 2**14
"""As much as one record of TLS holds."""

PIECE = 3 * _RECORD
"""How many bytes are taken at a time, at most, of a body that is ``LONG``.

Linux gives a file that much memory at once as is written at once. Up to 32 KiB in a block come from a processor's own
stock; larger blocks took two to five times as long on a virtual machine that had to get them from its host.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to be read, as it comes over the line; a piece is good until the next one."""

    url: str
    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes | memoryview]


@contextmanager
def received(ask: Ask, idle: float, trust: Trust) -> Iterator[Answer]:
    """Ask, follow redirects, and give the last answer.

    Its head must be there after ``idle`` seconds, and then each piece of its body that long after the one before.
    Raises Failed with the cause, in the block as well.
    """
    load_httpx()
    import httpx

    url, deadline = ask.url, time.monotonic() + idle
    try:
        for _ in range(MAX_REDIRECTS + 1):
            headers = {**ask.headers, **(ask.secret if same_server(url, ask.url) else {})}
            client, response = _Race(url, headers, _trusted(url, trust), idle).won(deadline)
            with closing(client), closing(response):
                location = response.headers.get("location")
                if response.status_code not in REDIRECTS or not location:
                    yield Answer(url, response.status_code, response.headers, _pieces(response, idle))
                    return
            url = next_url(url, location)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
        raise Failed(cause_of(error)) from None
    raise Failed("too many redirects")


class _Race:
    """One request, sent by threads that nobody waits for: name servers and addresses may be silent for very long."""

    def __init__(self, url: str, headers: Mapping[str, str], tls: ssl.SSLContext, idle: float) -> None:
        self._url, self._headers, self._tls, self._idle = url, headers, tls, idle
        self._results: SimpleQueue[_Open | Exception] = SimpleQueue()
        self._lock = Lock()
        self._connected = self._over = False

    def won(self, deadline: float) -> _Open:
        """Give the first answer there is, its body unread. Raises Failed, or as httpx does."""
        self._start(ipv4=False)
        running, alone = 1, time.monotonic() + IPV4_AFTER
        try:
            while running:
                try:
                    result = self._results.get(timeout=max(0.0, min(deadline, alone) - time.monotonic()))
                except Empty:
                    if time.monotonic() >= deadline:
                        raise Failed("timeout" if self._connected else "timeout (connect)") from None
                    alone = deadline
                    if not self._connected and not getproxies():
                        self._start(ipv4=True)
                        running += 1
                    continue
                if not isinstance(result, Exception):
                    return result
                running, last = running - 1, result
            raise last
        finally:
            self._abandon()

    def _start(self, *, ipv4: bool) -> None:
        Thread(target=self._ask, args=(ipv4,), daemon=True).start()

    def _ask(self, ipv4: bool) -> None:
        try:
            client = _client(self._tls, self._idle, ipv4=ipv4)
            request = client.build_request("GET", self._url, headers=self._headers, extensions={"trace": self._trace})
            opened = client, client.send(request, stream=True)
        except Exception as error:
            self._results.put(error)
            return
        with self._lock:
            if not self._over:
                self._results.put(opened)
                return
        _close(opened)

    def _trace(self, name: str, _info: object) -> None:
        self._connected |= name == "connection.connect_tcp.complete"

    def _abandon(self) -> None:
        with self._lock:
            self._over = True
        with suppress(Empty):
            while True:
                result = self._results.get_nowait()
                if not isinstance(result, Exception):
                    _close(result)


def _close(opened: _Open) -> None:
    client, response = opened
    response.close()
    client.close()


def _trusted(url: str, trust: Trust) -> ssl.SSLContext:
    import ssl

    if not url.startswith("https:") and not getproxies():
        # Reading the certificates takes 40 ms; nobody is trusted here, and nobody is asked.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return trust.tls


def _client(tls: ssl.SSLContext, idle: float, *, ipv4: bool) -> httpx.Client:
    import httpx

    # A transport of one's own takes the environment's proxies away, so there must be none then.
    own = httpx.HTTPTransport(verify=tls, local_address="0.0.0.0") if ipv4 else None
    try:
        agent = {"User-Agent": "crane-mirrors"}
        return httpx.Client(timeout=idle, follow_redirects=False, verify=tls, headers=agent, transport=own)
    except (ValueError, httpx.InvalidURL, ImportError):
        raise Failed("proxy: the environment names one that is no address") from None


def _pieces(response: httpx.Response, idle: float) -> Iterator[bytes | memoryview]:
    """Read a body; where HTTP/1.1 says how long it is, nothing but bytes follows (RFC 9112, 6.2), to be read as such.

    What the parser has of the body already, because it came together with the head, is in the first chunk.
    """
    chunks = response.iter_raw()
    left = _plain_length(response)
    if left < LONG:
        yield from chunks
        return
    first = next(chunks, b"")
    yield first
    left -= len(first)
    connection = response.extensions["network_stream"].get_extra_info("socket")
    connection.settimeout(idle)
    piece = memoryview(bytearray(PIECE))
    while left > 0:
        length, failure = _filled(connection, piece[: min(left, PIECE)])
        yield piece[:length]
        left -= length
        if failure:
            raise failure


def _filled(connection: socket, room: memoryview) -> tuple[int, Exception | None]:
    """Receive until the room is full, for a call to write costs more than one to receive; and say what ended it."""
    length = 0
    try:
        while length < len(room):
            new = connection.recv_into(room[length:])
            if not new:
                return length, Failed("truncated")
            length += new
            if new < _RECORD:
                break  # it is slower than we are, and somebody may be looking on
    except OSError as error:
        return length, error
    return length, None


def _plain_length(response: httpx.Response) -> int:
    """Give the length of a body that can be read from the connection itself; 0 for one that cannot."""
    length = response.headers.get("content-length", "")
    plain = (
        response.http_version == "HTTP/1.1"
        and response.status_code in (200, 206)
        and "transfer-encoding" not in response.headers
        and "network_stream" in response.extensions
        and not getproxies()  # through one, what is the socket may be a layer too low
    )
    return int(length) if plain and length.isdecimal() and len(length) < 19 else 0
