"""A web server that answers as one function says, with a log of what it was asked.

    with web(status(429, retry_after=30)) as server:
        httpx.get(server.url)
        assert server.requests[0].path == "/"

    with web(routes({"/old": redirect("/new"), "/new": file(b"hello"), "/login": login_page})) as server: ...
    with web(forward(registry.authority), certificate=authority.good("ghcr.io")) as server: ...

A responder is a function from Request to Response; those below are the ones that tests need most.
"""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from servers.listener import Listener, listening
from servers.tls import Certificate


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked; the names of headers are in lower case."""

    method: str
    path: str  # with its query, as it was sent
    host: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What it gets; `Content-Length` is added, and the body left out where HTTP says so."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


Responder = Callable[[Request], Response]


@dataclass(slots=True)
class Web:
    """A running server: its address, and all that it was asked so far."""

    listener: Listener
    scheme: str
    requests: list[Request] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return self.listener.authority

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"


@contextmanager
def web(
    respond: Responder, *, address: str = "127.0.0.1", port: int = 0, certificate: Certificate | None = None
) -> Iterator[Web]:
    """Serve HTTP/1.1, or HTTPS with a certificate, for as long as the block lasts."""
    requests: list[Request] = []
    context = certificate.server_context() if certificate else None
    with listening(
        lambda connection: converse(connection, respond, requests), address=address, port=port, context=context
    ) as listener:
        yield Web(listener, "https" if certificate else "http", requests)


def converse(connection: socket.socket, respond: Responder, requests: list[Request]) -> None:
    """Answer one request after the other until the client goes away."""
    with connection.makefile("rb") as stream:
        while request := read_request(connection, stream):
            requests.append(request)
            connection.sendall(encode(request, respond(request)))
            if request.headers.get("connection", "").lower() == "close":
                return


def read_request(connection: socket.socket, stream: BinaryIO) -> Request | None:
    """Read a whole request; None where the client has nothing more to ask."""
    words = stream.readline(65536).decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/"):  # three words may stand in a TLS hello, too
        return None
    lines = http.client.parse_headers(stream)
    headers = {name.lower(): ", ".join(lines.get_all(name, [])) for name in lines}  # RFC 9110, section 5.3
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(stream))
    else:
        body = stream.read(int(headers.get("content-length", "0")))
    return Request(words[0], words[1], headers.get("host", ""), headers, body)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := int(stream.readline().partition(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass


def encode(request: Request, response: Response) -> bytes:
    """Write an answer as it goes over the wire."""
    phrase = HTTPStatus(response.status).phrase if response.status in list(HTTPStatus) else "Unknown"
    headers = {"Content-Length": str(len(response.body)), **response.headers}
    bare = request.method == "HEAD" or response.status in (204, 304)
    if response.status == 204 or "Transfer-Encoding" in headers:
        del headers["Content-Length"]
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if bare else response.body)


def status(code: int, *, retry_after: int | str | None = None, body: bytes = b"") -> Responder:
    """Answer everything with one status."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return lambda _: Response(code, headers, body)


def after(seconds: float, respond: Responder) -> Responder:
    """Answer late."""

    def late(request: Request) -> Response:
        time.sleep(seconds)
        return respond(request)

    return late


def redirect(location: str, code: int = 301) -> Responder:
    """Send everybody elsewhere; `{path}` in the location stands for the path that was asked for."""
    return lambda request: Response(code, {"Location": location.replace("{path}", request.path)})


def login_page(_: Request) -> Response:
    """Answer everything with 200 and a page that wants a password, as captive portals do."""
    page = b"<!DOCTYPE html><html><title>Sign in</title><form method=post><input name=password></form></html>\n"
    return Response(200, {"Content-Type": "text/html; charset=utf-8"}, page)


def file(
    content: bytes, media_type: str = "text/plain", *, head: bool = True, ranges: bool = True, packed: bool = False
) -> Responder:
    """Serve one file: with HEAD or 405 to it, with Range or without, and packed by gzip if the client takes that."""

    def respond(request: Request) -> Response:
        headers = {"Content-Type": media_type}
        if request.method == "HEAD" and not head:
            return Response(405, {"Allow": "GET"})
        if packed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(200, headers | {"Content-Encoding": "gzip"}, gzip.compress(content, mtime=0))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")) if ranges else None
        if wanted is None:
            return Response(200, headers, content)
        (first, last) = (int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1))
        if first > last:
            return Response(416, {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return Response(206, headers, content[first : last + 1])

    return respond


def files(folder: Path, media_type: str = "application/octet-stream") -> Responder:
    """Serve the files in a folder, and 404 for all else."""

    def respond(request: Request) -> Response:
        parts = [part for part in unquote(request.path.partition("?")[0]).split("/") if part]
        path = folder.joinpath(*parts)
        if ".." in parts or not path.is_file():
            return Response(404, {"Content-Type": "text/plain"}, b"not found\n")
        kind = "text/yaml" if path.suffix in (".yaml", ".yml") else media_type
        return file(path.read_bytes(), kind)(request)

    return respond


def routes(table: Mapping[str, Responder]) -> Responder:
    """Choose by the longest prefix of whole path segments; 404 for what has none."""

    def respond(request: Request) -> Response:
        path = request.path.partition("?")[0]
        fitting = [prefix for prefix in table if f"{path}/".startswith(f"{prefix.rstrip('/')}/")]
        if not fitting:
            return Response(404, {"Content-Type": "text/plain"}, b"not found\n")
        return table[max(fitting, key=len)](request)

    return respond


def forward(authority: str) -> Responder:
    """Ask another server, on plain HTTP, and hand its answer on; the host's name stays what the client said."""

    def respond(request: Request) -> Response:
        kept = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(authority, timeout=20)
        try:
            connection.request(request.method, request.path, request.body, {**kept, "host": request.host})
            with connection.getresponse() as response:
                headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
                body = response.read()
                length = {"Content-Length": response.getheader("Content-Length") or str(len(body))}
                return Response(response.status, headers | length, body)
        except OSError:
            return Response(502)
        finally:
            connection.close()

    return respond


_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade", "expect"}
