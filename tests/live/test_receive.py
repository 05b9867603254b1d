"""Answers of any length: the same bytes past the HTTP parser, bounded waits, and no address that is waited for."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from servers.listener import Handle, listening, reset, syn_hole
from servers.tls import make_authority
from servers.web import file, read_request, redirect, routes, web

from crane_mirrors.live import receive
from crane_mirrors.live.ask import Ask
from crane_mirrors.live.causes import Failed
from crane_mirrors.live.receive import LONG, received
from crane_mirrors.live.trust import Trust

CONTENT = random.Random(2).randbytes(LONG + 123_457)


def read(url: str, idle: float = 5) -> bytes:
    with received(Ask(url, headers={"Accept-Encoding": "identity"}), idle, Trust()) as answer:
        return b"".join([bytes(piece) for piece in answer.pieces])


def assert_same(content: bytes, expected: bytes) -> None:
    """Compare what is too long for pytest to show."""
    same = content == expected
    assert same, f"{len(content)} bytes, expected are {len(expected)}"


@pytest.mark.parametrize("length", [0, 1, LONG - 1, LONG, LONG + 1, len(CONTENT)])
@pytest.mark.parametrize("secure", [False, True])
def test_the_bytes_are_the_servers(length: int, secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short or long, over http or https, all bytes come, once and in order."""
    authority = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with web(file(CONTENT[:length]), certificate=authority.good("127.0.0.1") if secure else None) as server:
        assert_same(read(server.url), CONTENT[:length])


def test_redirects_lead_to_the_body() -> None:
    """The answer is the last one, and knows its address."""
    with web(routes({"/old": redirect("/new"), "/new": file(CONTENT)})) as server:
        with received(Ask(f"{server.url}/old"), 5, Trust()) as answer:
            assert answer.url == f"{server.url}/new"
        assert_same(read(f"{server.url}/old"), CONTENT)


def saying(body: bytes, then: Callable[[socket.socket], object], head: bytes = b"") -> Handle:
    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            if read_request(connection, stream):
                length = head or b"Content-Length: %d" % len(CONTENT)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + body)
                then(connection)

    return handle


def wait(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.parametrize("came", [0, 100, 70_000, LONG])
@pytest.mark.parametrize(("then", "cause"), [(lambda _: None, "truncated"), (reset, "reset"), (wait, "timeout")])
def test_faults(came: int, then: Callable[[socket.socket], object], cause: str) -> None:
    """A long body that breaks off or stands still is a failure with its cause, however much came."""
    begin = time.monotonic()
    with listening(saying(CONTENT[:came], then)) as server, pytest.raises(Failed) as caught:
        read(f"http://{server.authority}/", 0.4)
    assert time.monotonic() - begin < 2
    assert caught.value.cause == cause


def test_no_more_than_the_head_says() -> None:
    """What a server sends beyond the length that it told is not of this body."""
    with listening(saying(CONTENT + b"more", wait)) as server:
        assert_same(read(f"http://{server.authority}/"), CONTENT)


def test_chunked_bodies_are_parsed() -> None:
    """Where more than bytes follows, the parser reads it."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (CONTENT[:LONG], CONTENT[LONG:])) + b"0\r\n\r\n"
    with listening(saying(framed, wait, b"Transfer-Encoding: chunked")) as server:
        assert_same(read(f"http://{server.authority}/"), CONTENT)


def test_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is asked, and a long body comes through it as well."""
    with web(file(CONTENT)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert_same(read("http://far.example/a"), CONTENT)
        assert [request.path for request in proxy.requests] == ["http://far.example/a"]


def test_a_proxy_that_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be one is said to be that."""
    monkeypatch.setenv("http_proxy", "nonsense://x")
    with pytest.raises(Failed) as caught:
        read("http://far.example/a")
    assert caught.value.cause == "proxy: the environment names one that is no address"


def test_certificates_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So is a file of certificates that holds none."""
    (tmp_path / "ca.pem").write_text("none", encoding="ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(Failed) as caught:
        read("https://127.0.0.1:9/")
    assert caught.value.cause == "tls: the certificates of the environment cannot be read"


def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name have an IPv6 address first, and an IPv4 one."""

    def getaddrinfo(_host: str, port: int, *_: object, **__: object) -> list[object]:
        stream = (socket.SOCK_STREAM, 6, "")
        return [(socket.AF_INET6, *stream, ("::1", port, 0, 0)), (socket.AF_INET, *stream, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_silent_ipv6_address_does_not_hide_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that never answers costs a moment, not the whole time."""
    with web(file(CONTENT)) as server, syn_hole("::1", server.listener.port):
        two_addresses(monkeypatch)
        begin = time.monotonic()
        assert_same(read(f"http://two.example:{server.listener.port}/", 5), CONTENT)
        assert 0.2 < time.monotonic() - begin < 3
        assert len(server.requests) == 1


def test_a_slow_answer_is_not_asked_for_twice() -> None:
    """Once something has connected, it is waited for."""

    def slow(connection: socket.socket) -> None:
        time.sleep(0.8)
        saying(b"", lambda _: None, b"Content-Length: 0")(connection)

    with listening(slow) as server:
        assert read(f"http://{server.authority}/") == b""
        assert server.accepted == 1


def test_a_silent_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that takes for ever is left to itself when the time is over."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(10) or [])
    begin = time.monotonic()
    with pytest.raises(Failed) as caught:
        read("http://slow.example/", 0.6)
    released.set()
    assert caught.value.cause == "timeout (connect)"
    assert time.monotonic() - begin < 1.5


def test_an_answer_that_comes_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loses a race closes its connection."""
    closed = threading.Event()
    close = receive._close

    def close_and_tell(opened: tuple[httpx.Client, httpx.Response]) -> None:
        close(opened)
        closed.set()

    monkeypatch.setattr(receive, "_close", close_and_tell)

    def slow(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            read_request(connection, stream)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(10):
                connection.sendall(b"x")
                time.sleep(0.1)
            connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")

    with listening(slow) as server:
        with pytest.raises(Failed):
            read(f"http://{server.authority}/", 0.5)
        assert closed.wait(3)
