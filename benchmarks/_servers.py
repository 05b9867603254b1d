"""All hosts of a measurement in one server: files by host and path, registries' tokens, and Git by git-http-backend.

python _servers.py TABLE    a JSON file: see `Table` in _world.py. Ends when the standard input does.

It answers on the ports 443 (TLS) and 80 of every address. Answers lie ready in memory, so that what is measured is
the client and the link.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import mmap
import os
import ssl
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

_TOKEN = b'{"token": "a-token-for-everybody", "expires_in": 300}'
_PIECE = 2**18

Headers = dict[str, str]
Answer = tuple[int, Headers, Any]


class Server:
    """What there is, and how it is asked for."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.files: dict[str, Headers] = table["files"]
        self.repositories: dict[str, str] = table["repositories"]
        self.tokens: dict[str, str] = table["tokens"]
        self._read: dict[str, Any] = {}
        self._said: dict[tuple[str, ...], Answer] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after the other."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, target, headers = _parsed(head)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, more, answer = await self._answer(target, headers, body)
                lines = [f"HTTP/1.1 {status} {http.client.responses[status]}", f"Content-Length: {len(answer)}"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
                if method != "HEAD":
                    await _write(writer, answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _answer(self, target: str, headers: Headers, body: bytes) -> Answer:
        url = urlsplit(f"//{headers['host'].partition(':')[0]}{target}")
        place = f"{url.netloc}{url.path}"
        if place in self.tokens.values():
            return 200, {"Content-Type": "application/json"}, _TOKEN
        if url.netloc in self.tokens and url.path.startswith("/v2/") and "authorization" not in headers:
            return 401, {"WWW-Authenticate": self._challenge(url.netloc, url.path)}, b"{}"
        if url.path == "/v2/":
            return 200, {"Content-Type": "application/json"}, b"{}"
        for root, service in ((place.removesuffix(end), end) for end in ("/info/refs", "/git-upload-pack")):
            if root in self.repositories and root != place:
                return await self._git(self.repositories[root], service, url.query, headers, body)
        if place not in self.files:
            return 404, {"Content-Type": "text/plain"}, b"not found\n"
        found = dict(self.files[place])
        return _part(headers.get("range", ""), found, self._content(found.pop("file")))

    def _challenge(self, host: str, path: str) -> str:
        repository = path.removeprefix("/v2/").rpartition("/")[0].rpartition("/")[0]
        scope = f',scope="repository:{repository}:pull"' if repository else ""
        return f'Bearer realm="https://{self.tokens[host]}",service="{host}"{scope}'

    def _content(self, path: str) -> Any:
        if path not in self._read:
            with open(path, "rb") as file:
                self._read[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._read[path]

    async def _git(self, repository: str, service: str, query: str, headers: Headers, body: bytes) -> Answer:
        version = headers.get("git-protocol", "")
        asked = (repository, service, query, version, body.hex())
        if asked not in self._said:
            variables = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": repository,
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_PROTOCOL": version,
                "REQUEST_METHOD": "POST" if body else "GET",
                "PATH_INFO": service,
                "QUERY_STRING": query,
                "CONTENT_TYPE": headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
            }
            self._said[asked] = await asyncio.to_thread(_backend, variables, body)
        return self._said[asked]


def _part(wanted: str, headers: Headers, content: Any) -> Answer:
    """Give a file's beginning to who asks for that (RFC 9110, 14.2), as file servers do."""
    last = wanted.removeprefix("bytes=0-")
    if not last.isdecimal() or wanted == last:
        return 200, headers, content
    part = content[: int(last) + 1]
    return 206, {**headers, "Content-Range": f"bytes 0-{len(part) - 1}/{len(content)}"}, part


def _backend(variables: Headers, body: bytes) -> Answer:
    done = subprocess.run(["git", "http-backend"], env=variables, input=body, stdout=subprocess.PIPE, check=False)
    head, _, answer = done.stdout.partition(b"\r\n\r\n")
    more = dict(http.client.parse_headers(io.BytesIO(head + b"\r\n\r\n")).items())
    return int(more.pop("Status", "200" if head else "500").split()[0]), more, answer


def _parsed(head: bytes) -> tuple[str, str, Headers]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    fields = (line.partition(":") for line in lines if line)
    return method, target, {name.lower(): value.strip() for name, _, value in fields}


async def _write(writer: asyncio.StreamWriter, answer: Any) -> None:
    for start in range(0, len(answer), _PIECE):
        writer.write(answer[start : start + _PIECE])
        await writer.drain()


async def main(table: dict[str, Any]) -> None:
    server, loop, end = Server(table), asyncio.get_running_loop(), asyncio.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(table["certificate"], table["key"])
    limits: dict[str, Any] = {"limit": 2**20, "backlog": 1024}
    await asyncio.start_server(server.serve, "0.0.0.0", 443, ssl=context, **limits)
    await asyncio.start_server(server.serve, "0.0.0.0", 80, **limits)
    loop.add_reader(0, end.set)
    print("ready", flush=True)
    await end.wait()
    os._exit(0)  # whatever connections are open


if __name__ == "__main__":
    with open(sys.argv[1]) as text:
        tables = json.load(text)
    asyncio.run(main(tables))
