"""Downloading from one address: what is asked, what counts as the file, and what may be continued."""

from __future__ import annotations

import random
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from servers.listener import Handle, listening, reset
from servers.web import Request, Response, encode, file, login_page, read_request, redirect, routes, status, web

from crane_mirrors.live.causes import Failed
from crane_mirrors.live.download import Bounds, Downloader, Source, strong_validator

CONTENT = random.Random(1).randbytes(300_000)
BOUNDS = Bounds(idle=5.0, size=2**30)


@dataclass
class Memory:
    """A store that remembers what it was told."""

    content: bytes = b""
    validator: str | None = None
    restarts: list[str | None] = field(default_factory=list)
    length: int = 0

    def __post_init__(self) -> None:
        self.length = len(self.content)

    def restart(self, validator: str | None) -> None:
        self.content, self.length, self.validator = b"", 0, validator
        self.restarts.append(validator)

    def write(self, chunk: bytes | memoryview) -> None:
        self.content += chunk
        self.length = len(self.content)


@dataclass
class Shaky:
    """A server of one file that breaks off after some bytes of each answer, as often as `breaks` says."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    after: int = 100_000
    breaks: int = 1
    ranges: bool = True
    heeds_if_range: bool = True
    end: Callable[[socket.socket], None] = lambda _: None
    requests: list[Request] = field(default_factory=list)

    def __call__(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            request = read_request(connection, stream)
            if request is None:
                return
            self.requests.append(request)
            answer = self.answer(request)
            whole = encode(request, answer)
            if len(self.requests) <= self.breaks:
                connection.sendall(whole[: len(whole) - len(answer.body) + self.after])
                self.end(connection)
            else:
                connection.sendall(whole)

    def answer(self, request: Request) -> Response:
        headers = {"ETag": self.etag} if self.etag else {}
        start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        same = request.headers.get("if-range") == self.etag or not self.heeds_if_range
        if not (start and self.ranges and same):
            return Response(200, headers, self.content)
        first, size = int(start[1]), len(self.content)
        if first >= size:
            return Response(416, {"Content-Range": f"bytes */{size}"})
        return Response(206, headers | {"Content-Range": f"bytes {first}-{size - 1}/{size}"}, self.content[first:])


def silent(length: int, total: int | None) -> None:
    pass


def got(url: str, store: Memory | None = None, bounds: Bounds = BOUNDS) -> Memory:
    store = store or Memory()
    Downloader(bounds, silent).download(Source(url), store)
    return store


def cause(url: str, bounds: Bounds = BOUNDS, store: Memory | None = None) -> str:
    with pytest.raises(Failed) as caught:
        got(url, store, bounds)
    return caught.value.cause


def test_a_file() -> None:
    """The bytes are the server's, they were asked for unpacked, and who looks on hears how far it is."""
    heard: list[tuple[int, int | None]] = []
    store = Memory()
    with web(file(CONTENT, packed=True)) as server:
        Downloader(BOUNDS, lambda length, total: heard.append((length, total))).download(Source(server.url), store)
        (request,) = server.requests
    assert store.content == CONTENT
    assert request.headers["accept-encoding"] == "identity"
    assert heard[0] == (0, len(CONTENT))
    assert heard[-1] == (len(CONTENT), len(CONTENT))


def test_an_empty_file() -> None:
    """A file may be empty."""
    with web(file(b"")) as server:
        assert got(server.url).content == b""


def test_an_answer_in_chunks() -> None:
    """A body of unknown length is taken, and one that breaks off is not."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"one", b"two" * 9000))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with listening(saying(head + chunks + b"0\r\n\r\n")) as server:
        assert got(f"http://{server.authority}/").content == b"one" + b"two" * 9000
    with listening(saying(head + chunks)) as server:
        assert cause(f"http://{server.authority}/") == "truncated"


def saying(answer: bytes, then: Callable[[socket.socket], None] = lambda _: None) -> Handle:
    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            if read_request(connection, stream):
                connection.sendall(answer)
                then(connection)

    return handle


def wait(connection: socket.socket) -> None:
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (saying(HEAD + b"x" * 1000), "truncated"),
        (saying(HEAD + b"x" * 100_000), "truncated"),
        (saying(HEAD + b"x" * 1000, reset), "reset"),
        (saying(HEAD + b"x" * 100_000, reset), "reset"),
        (saying(HEAD, reset), "reset"),
        (saying(b"", reset), "reset"),
        (saying(b""), "truncated"),
        (saying(HEAD, wait), "timeout"),
        (saying(HEAD + b"x" * 1000, wait), "timeout"),
        (saying(b"", wait), "timeout"),
        (saying(HEAD, drip), "timeout"),
        (saying(b"HTTP/1.1 200 OK\r\nX: ", drip), "timeout"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx"), "an encoding that nobody asked for"),
        (saying(b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-0/1\r\nContent-Length: 1\r\n\r\nx"), "a part that nobody"),
        (saying(b"HTTP/1.1 206 OK\r\nContent-Length: 1\r\n\r\nx"), "a part that nobody asked for"),
        (saying(b"SSH-2.0 hello\r\n\r\n", wait), "not http"),
    ],
)
def test_faults(handle: Handle, expected: str) -> None:
    """Whatever a server does, it is a failure with its cause, soon after the server may no longer be waited for."""
    begin = time.monotonic()
    with listening(handle) as server:
        assert cause(f"http://{server.authority}/", Bounds(0.4, 2**30)).startswith(expected)
    assert time.monotonic() - begin < 2.5


@pytest.mark.parametrize(
    ("responder", "expected"),
    [
        (status(404), "404"),
        (status(403), "403"),
        (status(503), "503"),
        (status(204), "204"),
        (status(416), "416"),
        (status(429, retry_after=30), "rate limited, retry in 30 s"),
        (login_page, "login page"),
        (routes({"/file": redirect("/login"), "/login": login_page}), "login page"),
        (redirect("/file"), "too many redirects"),
        (redirect("file:///etc/passwd"), "redirect to an invalid address"),
    ],
)
def test_answers_that_are_not_the_file(responder: Callable[[Request], Response], expected: str) -> None:
    """Another status, a page for people and a redirect to nowhere are failures, each with its cause."""
    with web(responder) as server:
        assert cause(f"{server.url}/file") == expected


def test_a_page_that_was_asked_for() -> None:
    """A page is the file where an address of a page was asked for."""
    with web(login_page) as server:
        assert b"<html>" in got(f"{server.url}/index.html").content


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(chunked: bool) -> None:
    """What is longer than allowed is not read to its end, whether the server says so before or not."""
    head = b'HTTP/1.1 200 OK\r\nETag: "a"\r\n' + (b"\r\n" if chunked else b"Content-Length: 900000\r\n\r\n")
    store = Memory()
    with listening(saying(head + b"x" * 900_000)) as server:
        assert cause(f"http://{server.authority}/", Bounds(5, 500_000), store) == "larger than 500000 bytes"
    assert store.length == 0


def test_exactly_as_large_as_allowed() -> None:
    """The limit is what a file may have."""
    with web(file(b"12345")) as server:
        assert got(server.url, bounds=Bounds(5, 5)).content == b"12345"


@pytest.mark.parametrize("end", [lambda _: None, reset], ids=["closed", "reset"])
def test_what_broke_off_is_continued(end: Callable[[socket.socket], None]) -> None:
    """The rest is asked for, of the same bytes only, and no byte comes twice or from elsewhere."""
    shaky = Shaky(breaks=2, end=end, after=50_000)
    store = Memory()
    with listening(shaky) as server:
        got(f"http://{server.authority}/", store)
    assert store.content == CONTENT
    (first, second, third) = shaky.requests
    assert "range" not in first.headers
    for request in (second, third):
        assert request.headers["if-range"] == '"one"'
    assert 0 < int(second.headers["range"][6:-1]) < int(third.headers["range"][6:-1]) <= 100_000
    assert store.restarts == ['"one"']


def test_nothing_is_continued_without_a_validator() -> None:
    """Where nothing tells one answer's bytes from another's, what broke off has failed."""
    for etag in (None, 'W/"weak"'):
        shaky = Shaky(etag=etag)
        with listening(shaky) as server:
            assert cause(f"http://{server.authority}/") == "truncated"
        assert len(shaky.requests) == 1


def test_a_server_that_always_breaks_off_is_left() -> None:
    """There is an end to continuing, even if a little came each time."""
    shaky = Shaky(breaks=100, after=1000)
    with listening(shaky) as server:
        assert cause(f"http://{server.authority}/") == "truncated"
    assert len(shaky.requests) == 6


def test_what_another_run_left_is_continued() -> None:
    """A store that has a beginning gets the rest, if that is of the same file."""
    shaky = Shaky(breaks=0)
    with listening(shaky) as server:
        store = got(f"http://{server.authority}/", Memory(CONTENT[:1234], '"one"'))
    assert (store.content, store.restarts) == (CONTENT, [])
    assert [request.headers["range"] for request in shaky.requests] == ["bytes=1234-"]


@pytest.mark.parametrize(
    ("server", "kept"),
    [
        (Shaky(breaks=0, etag='"two"'), b"other"),
        (Shaky(breaks=0, etag='"two"', heeds_if_range=False), b"other"),
        (Shaky(breaks=0, etag=None, heeds_if_range=False), b"other"),
        (Shaky(breaks=0, ranges=False), CONTENT[:10]),
        (Shaky(breaks=0), CONTENT),
        (Shaky(breaks=0, content=b"short"), b"longer than that"),
    ],
    ids=["changed", "changed-unheeded", "unnamed", "no-ranges", "whole-already", "shorter-now"],
)
def test_a_changed_file_begins_anew(server: Shaky, kept: bytes) -> None:
    """Bytes of an older answer never stand before those of a newer one, whether or not the server heeds If-Range."""
    with listening(server) as listener:
        store = got(f"http://{listener.authority}/", Memory(kept, '"one"'))
    assert store.content == server.content


def test_a_part_that_begins_elsewhere() -> None:
    """A server that sends another part than the one it was asked for is asked for the whole."""
    wrong = b'HTTP/1.1 206 OK\r\nETag: "one"\r\nContent-Range: bytes 2-4/5\r\nContent-Length: 3\r\n\r\ncde'
    right = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            request = read_request(connection, stream)
            connection.sendall(wrong if request and "range" in request.headers else right)

    with listening(handle) as server:
        assert got(f"http://{server.authority}/", Memory(b"a", '"one"')).content == b"abcde"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"a b"'}, None),
        ({"etag": '""'}, '""'),
        ({"etag": '"x\r\ny"'}, None),
        ({"last-modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, None),
        (
            {"last-modified": "Mon, 01 Jan 2024 00:00:00 GMT", "date": "Mon, 01 Jan 2024 00:00:01 GMT"},
            "Mon, 01 Jan 2024 00:00:00 GMT",
        ),
        ({"last-modified": "Mon, 01 Jan 2024 00:00:00 GMT", "date": "Mon, 01 Jan 2024 00:00:00 GMT"}, None),
        ({"last-modified": "yesterday", "date": "today"}, None),
        ({"last-modified": "Mon, 01 Jan 2024 00:00:00 +99999999999999999999", "date": "today"}, None),
        ({"last-modified": "Mon, 01 Jan 2024 00:00:00 GMT", "date": "Mon, 01 Jan 2024 00:00:01 +9" + 19 * "9"}, None),
        (
            {
                "etag": 'W/"w"',
                "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT",
                "date": "Tue, 02 Jan 2024 00:00:00 GMT",
            },
            None,
        ),
        ({}, None),
    ],
)
def test_validators(headers: dict[str, str], validator: str | None) -> None:
    """Only what names exactly these bytes is a validator (RFC 9110, 8.8)."""
    assert strong_validator(headers) == validator


def test_a_secret_goes_to_its_own_server_only() -> None:
    """After a redirect to another port, which is another server, the header is gone; to the same one it stays."""
    with web(file(b"there")) as other:
        table = {"/near": redirect("/file"), "/far": redirect(f"{other.url}/file"), "/file": file(b"here")}
        with web(routes(table)) as server:
            for path in ("near", "far"):
                Downloader(BOUNDS, silent).download(
                    Source(f"{server.url}/{path}", {"Authorization": "Bearer s3cret"}), Memory()
                )
            assert [request.headers.get("authorization") for request in server.requests] == ["Bearer s3cret"] * 3
            assert ["authorization" in request.headers for request in other.requests] == [False]
