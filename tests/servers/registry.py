"""docker-registry, the reference implementation: plain, with TLS, with a password, with tokens, or as a cache.

    with registry(tmp_path / "origin") as origin:
        origin.push("gocrane/craned", "main", make_image("v1"))
        with registry(tmp_path / "cache", upstream=origin) as cache: ...

    registry(folder, certificate=authority.good("127.0.0.1"))      TLS
    registry(folder, password=True)                                Basic, tokens.USER and tokens.PASSWORD
    registry(folder, tokens=tokens)                                Bearer, see tokens.py

`server.requests` is what it was asked so far.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from conftest import need

from servers.images import Image, push
from servers.process import Program, free_port, running
from servers.tls import Certificate
from servers.tokens import BASIC, ISSUER, SERVICE, USER, Tokens

#: bcrypt of tokens.PASSWORD, at the lowest cost.
_HTPASSWD = f"{USER}:$2b$04$2ttiPBwpFkM3aYYUIGM7E.TBExsV6EPyO0FeppEk83oDKyI8cI.VO\n"


class Asked(NamedTuple):
    """One line of the registry's log."""

    method: str
    path: str
    host: str
    status: int


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry."""

    authority: str
    program: Program
    certificate: Certificate | None = None
    tokens: Tokens | None = None
    password: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.authority}"

    def push(self, repository: str, tag: str, image: Image) -> str:
        """Put an image under a tag, with whatever credentials that takes, and give its digest."""
        authorization = BASIC if self.password else None
        if self.tokens:
            token = self.tokens.issuer.token([f"repository:{repository}:pull,push"], may_push=True)
            authorization = f"Bearer {token}"
        context = self.certificate.client_context() if self.certificate else None
        push(self.authority, repository, tag, image, authorization=authorization, context=context)
        return image.digest

    @property
    def requests(self) -> list[Asked]:
        """All requests so far, pushes included; a last one of our own shows that the log is complete."""
        mark = f"/v2/?{uuid.uuid4().hex}"
        context = self.certificate.client_context() if self.certificate else None
        connection = (
            http.client.HTTPSConnection(self.authority, timeout=5, context=context)
            if context
            else http.client.HTTPConnection(self.authority, timeout=5)
        )
        connection.request("GET", mark)
        connection.getresponse().close()
        connection.close()
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            asked = list(_asked(self.program.log))
            if any(request.path == mark for request in asked):
                return [request for request in asked if not _is_mark(request.path)]
            time.sleep(0.005)
        raise RuntimeError(f"a request is not in {self.program.log}")


@contextmanager
def registry(
    folder: Path,
    *,
    address: str = "127.0.0.1",
    port: int | None = None,
    certificate: Certificate | None = None,
    password: bool = False,
    tokens: Tokens | None = None,
    upstream: Registry | None = None,
) -> Iterator[Registry]:
    """Run a registry that keeps its data in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port(address)
    authority = f"{address}:{port}"
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": authority, "secret": "for tests"},
    }
    if certificate:
        settings["http"]["tls"] = {"certificate": str(certificate.file), "key": str(certificate.key)}
    if password:
        (folder / "htpasswd").write_text(_HTPASSWD, encoding="ascii")
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    if tokens:
        settings["auth"] = {"token": {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER,
                                      "rootcertbundle": str(tokens.issuer.certificate)}}  # fmt: skip
    if upstream:
        settings["proxy"] = {"remoteurl": upstream.url}
    config = folder / "config.yml"
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    command = [need("docker-registry"), "serve", str(config)]
    with running(command, folder=folder, address=address, port=port) as program:
        yield Registry(authority, program, certificate, tokens, password)


def _is_mark(path: str) -> bool:
    return path.startswith("/v2/?") and len(path) == len("/v2/?") + 32


def _asked(log: Path) -> Iterator[Asked]:
    for line in log.read_bytes().splitlines():
        if b'"msg":"response completed' not in line:
            continue
        entry = json.loads(line)
        method, path, host = (entry[f"http.request.{key}"] for key in ("method", "uri", "host"))
        yield Asked(method, path, host, entry["http.response.status"])
