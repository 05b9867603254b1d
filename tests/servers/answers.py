"""What the fault server says once it was asked: small right answers of each kind, and the ways to get them wrong.

An answer takes an `Exchange`, which holds the connection and what was asked on it, and writes what it likes. The table
of faults is in faults.py.
"""

from __future__ import annotations

import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from servers.images import OCI_INDEX, make_image
from servers.listener import LIFE_SECONDS, reset
from servers.web import Request, Response, encode

KINDS = ("image", "helm", "git", "raw")

RED, CLEAR = "\x1b[31mred\x07\x1b]0;title\x07", "\x1b[2J\u202e"
#: ISO 8859-1's CSI, the one control character that may stand in a header.
HEADER_RED = "\x9b31mred\x9b0m"

_IMAGE = make_image("behind a fault").top
_OBJECT = "ce013625030ba8dba906f756967f9e9ca394464a"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, where its answer goes, and the addresses of servers that it may point to."""

    connection: socket.socket
    request: Request
    kind: str
    url: str  # of this server
    other: str  # URL of a good server under another host name
    plain: str  # the same on http
    stopped: threading.Event

    def good(self) -> Response:
        return good(self.kind, self.request)

    def send(self, response: Response) -> None:
        """Write a whole answer, as HTTP wants it."""
        self.connection.sendall(encode(self.request, response))

    def start(self, response: Response, *, length: int | None = None) -> bytes:
        """Write the head of an answer that promises so many bytes, and give its body, which is still to be sent."""
        headers = {**response.headers} | ({} if length is None else {"Content-Length": str(length)})
        head = encode(self.request, Response(response.status, headers, response.body)).partition(b"\r\n\r\n")[0]
        self.connection.sendall(head + b"\r\n\r\n")
        return response.body

    def stream(self, data: bytes, *, pause: float = 0.0) -> None:
        """Write the same again and again until the client has enough, or 20 seconds are over."""
        limit = time.monotonic() + LIFE_SECONDS
        while time.monotonic() < limit and not self.stopped.wait(pause):
            self.connection.sendall(data)


Answer = Callable[[Exchange], None]


def packet(text: str) -> bytes:
    """Write one pkt-line."""
    data = text.encode()
    return b"%04x" % (len(data) + 4) + data


def advertisement(refs: Mapping[str, str]) -> bytes:
    """Write what a Git server of protocol v0 says first."""
    lines = [f"{number} {name}" for name, number in refs.items()]
    lines[0] += "\0multi_ack symref=HEAD:refs/heads/main agent=git/2.39.5"
    service = packet("# service=git-upload-pack\n") + b"0000"
    return service + b"".join(packet(f"{line}\n") for line in lines) + b"0000"


def good(kind: str, request: Request) -> Response:
    """Answer rightly, the same to everybody."""
    if kind == "image" and request.path.rstrip("/") == "/v2":
        return Response(200, {"Content-Type": "application/json"}, b"{}")
    if kind == "image":
        return Response(200, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": _IMAGE.digest}, _IMAGE.content)
    if kind == "helm":
        return _index({"name": "craned", "version": "0.9.0", "digest": "0" * 64, "urls": ["craned-0.9.0.tgz"]})
    if kind == "git":
        return _refs({"HEAD": _OBJECT, "refs/heads/main": _OBJECT})
    return Response(200, {"Content-Type": "text/plain; charset=utf-8"}, b"grafana:\n  adminPassword: admin\n")


def _index(chart: Mapping[str, object]) -> Response:
    entries = {str(chart["name"]): [{"apiVersion": "v2", "created": "2023-01-01T00:00:00Z", **chart}]}
    text = json.dumps({"apiVersion": "v1", "entries": entries, "generated": "2023-01-01T00:00:00Z"})
    return Response(200, {"Content-Type": "text/yaml"}, text.encode())


def _refs(refs: Mapping[str, str]) -> Response:
    return Response(200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, advertisement(refs))


def right(exchange: Exchange) -> None:
    exchange.send(exchange.good())


def says(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """Answer with one status; `{url}`, `{other}`, `{plain}` and `{path}` in headers stand for what they say."""

    def answer(exchange: Exchange) -> None:
        known = {"url": exchange.url, "other": exchange.other, "plain": exchange.plain, "path": exchange.request.path}
        filled = dict(headers or {})
        for name, value in known.items():
            filled = {header: text.replace(f"{{{name}}}", value) for header, text in filled.items()}
        exchange.send(Response(code, filled, body))

    return answer


def content(change: Callable[[Response], Response]) -> Answer:
    """Change what would be right, digest header left out: HEAD alone would not show what is wrong with the body."""

    def answer(exchange: Exchange) -> None:
        response = exchange.good()
        headers = {name: value for name, value in response.headers.items() if name != "Docker-Content-Digest"}
        exchange.send(change(Response(response.status, headers, response.body)))

    return answer


def body(data: bytes) -> Answer:
    """Send other bytes in place of the right ones."""
    return content(lambda response: Response(response.status, response.headers, data))


def header(name: str, value: str) -> Answer:
    """Change one header of what would be right."""
    return lambda exchange: exchange.send(Response(200, {**exchange.good().headers, name: value}, exchange.good().body))


def reset_in_headers(exchange: Exchange) -> None:
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
    time.sleep(0.05)  # so that the client has read it before the reset throws it away
    reset(exchange.connection)


def reset_in_body(exchange: Exchange) -> None:
    if exchange.request.method == "HEAD":
        return reset_in_headers(exchange)
    exchange.connection.sendall(exchange.start(exchange.good(), length=100_000))
    time.sleep(0.05)
    return reset(exchange.connection)


def truncated(exchange: Exchange) -> None:
    if exchange.request.method == "HEAD":
        exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
    else:
        exchange.connection.sendall(exchange.start(exchange.good(), length=100_000))


def byte_a_second(exchange: Exchange) -> None:
    for byte in encode(exchange.request, exchange.good()):
        exchange.connection.sendall(bytes([byte]))
        if exchange.stopped.wait(1):
            return


def without_digest(exchange: Exchange) -> Response:
    headers = {name: value for name, value in exchange.good().headers.items() if name != "Docker-Content-Digest"}
    return Response(200, headers)


def endless_body(exchange: Exchange) -> None:
    response = without_digest(exchange)
    exchange.start(Response(200, {**response.headers, "Transfer-Encoding": "chunked"}))
    if exchange.request.method != "HEAD":
        exchange.stream(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def gzip_bomb(exchange: Exchange) -> None:
    """Send 4 GiB of spaces in 4 MiB: one block that was flushed can be repeated as it is."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    spaces = b" " * 2**20
    first = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    data = first + block * 4096
    response = without_digest(exchange)
    exchange.send(Response(200, {**response.headers, "Content-Encoding": "gzip"}, data))


def huge_header(exchange: Exchange) -> None:
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    limit = time.monotonic() + LIFE_SECONDS
    for _ in range(2**30 // 2**16):
        if exchange.stopped.is_set() or time.monotonic() > limit:
            return
        exchange.connection.sendall(b"a" * 2**16)


def short_length(exchange: Exchange) -> None:
    response = without_digest(exchange)
    exchange.start(response, length=5)
    if exchange.request.method != "HEAD":
        exchange.connection.sendall(exchange.good().body)


def control_characters(exchange: Exchange) -> None:
    """Put them wherever a client might show what a server said."""
    if exchange.kind == "helm":
        chart = {"name": f"craned{RED}", "version": f"0.9.0{CLEAR}", "digest": RED, "urls": [f"https://{RED}/{CLEAR}"]}
        exchange.send(_index({**chart, "created": RED, "description": CLEAR}))
    elif exchange.kind == "git":
        exchange.send(_refs({"HEAD": _OBJECT, f"refs/heads/{RED}": _OBJECT, f"refs/tags/v1{CLEAR}": _OBJECT}))
    elif exchange.kind == "image":
        challenge = f'Bearer realm="https://{HEADER_RED}.example/{HEADER_RED}",service="{HEADER_RED}"'
        message = json.dumps({"errors": [{"code": RED, "message": f"{RED}{CLEAR}", "detail": RED}]}, ensure_ascii=False)
        exchange.send(Response(401, {"WWW-Authenticate": challenge}, message.encode()))
    else:
        head = f"HTTP/1.1 429 {HEADER_RED}\r\nRetry-After: {HEADER_RED}\r\nContent-Type: text/{HEADER_RED}\r\n"
        exchange.connection.sendall(f"{head}Content-Length: 0\r\n\r\n".encode("latin-1"))
