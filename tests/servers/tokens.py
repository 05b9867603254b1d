"""The token server of a registry: everybody may pull, one user may push.

    with token_server(tmp_path / "tokens") as tokens, registry(tmp_path / "registry", tokens=tokens) as server:
        server.push("gocrane/craned", "main", make_image("v1"))
        httpx.head(f"{server.url}/v2/gocrane/craned/manifests/main")        # 401, with a challenge

The protocol: https://distribution.github.io/distribution/spec/auth/token/ and …/jwt/. `openssl` signs the tokens.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from conftest import need

from servers.tls import Certificate
from servers.web import Request, Response, Web, web

SERVICE = "test-registry"
ISSUER = "test-issuer"
USER = "user"
PASSWORD = "correct-horse"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens with the key in a folder; a registry trusts `certificate`."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "token.pem"

    def token(self, scopes: list[str], *, may_push: bool, seconds: int = 300) -> str:
        """Make a token (ES256) for scopes like `repository:gocrane/craned:pull,push`."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = [action for action in actions.split(",") if action == "pull" or may_push]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        chain = "".join(self.certificate.read_text(encoding="ascii").splitlines()[1:-1])
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": USER if may_push else "",
            "aud": SERVICE,
            "jti": uuid.uuid4().hex,
        }
        claims |= {"iat": now, "nbf": now - 10, "exp": now + seconds, "access": access}
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': [chain]})}.{_part(claims)}"
        command = [need("openssl"), "dgst", "-sha256", "-sign", str(self.folder / "token.key")]
        signature = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
        return f"{signed}.{_base64(_fixed_width(signature))}"


@dataclass(slots=True)
class Tokens:
    """A running token server; `realm` is what registries name, `web.requests` what it was asked."""

    web: Web
    issuer: Issuer
    realm: str

    @property
    def requests(self) -> list[Request]:
        return self.web.requests


def make_issuer(folder: Path) -> Issuer:
    """Make a key and its certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    issuer = Issuer(folder)
    command = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=token",
        "-keyout",
        str(folder / "token.key"),
        "-out",
        str(issuer.certificate),
    ]
    subprocess.run(command, capture_output=True, check=True)
    return issuer


@contextmanager
def token_server(
    folder: Path,
    *,
    fields: tuple[str, ...] = ("token", "access_token"),
    expires_in: int | None = 300,
    certificate: Certificate | None = None,
    realm: str | None = None,
) -> Iterator[Tokens]:
    """Serve tokens at `/token`; a test may choose in which fields they come, and the realm that registries name."""
    issuer = make_issuer(folder)

    def respond(request: Request) -> Response:
        authorization = request.headers.get("authorization")
        if authorization not in (None, BASIC):
            return _answer(401, {"details": "incorrect username or password"})
        query = parse_qs(urlsplit(request.path).query)
        scopes = " ".join(query.get("scope", [])).split()
        token = issuer.token(scopes, may_push=authorization == BASIC, seconds=expires_in or 60)
        return _answer(200, dict.fromkeys(fields, token) | ({"expires_in": expires_in} if expires_in else {}))

    with web(respond, certificate=certificate) as server:
        yield Tokens(server, issuer, realm or f"{server.url}/token")


def _answer(code: int, value: dict[str, Any]) -> Response:
    return Response(code, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _fixed_width(signature: bytes) -> bytes:
    """Turn OpenSSL's ASN.1 sequence of two integers into what RFC 7518, section 3.4, wants: 32 bytes for each."""
    end = 4 + signature[3]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (signature[4:end], signature[end + 2 :]))


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
