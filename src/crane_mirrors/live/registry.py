"""Registries: the anonymous token dance, and the digest of a tag (OCI distribution specification 1.1)."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from crane_mirrors.errors import InvalidReference
from crane_mirrors.live.causes import Failed, status_cause
from crane_mirrors.live.challenge import parse_challenges
from crane_mirrors.live.exchange import SMALL
from crane_mirrors.reference import check_digest

if TYPE_CHECKING:
    from crane_mirrors.live.exchange import Exchanger, Reply
    from crane_mirrors.platforms import Platform
    from crane_mirrors.reference import Repository

__all__ = ["MANIFEST_TYPES", "Registry"]

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""All types of a manifest: a registry that is asked for fewer answers 404, or another digest with 200."""

_MAX_MANIFEST = 4 * SMALL
_HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Registry:
    """One repository on its registry, within one deadline (the event loop's time)."""

    exchanger: Exchanger
    repository: Repository
    deadline: float
    plain_http: bool = False

    @property
    def base(self) -> str:
        """The URL under which the repository's manifests are."""
        host = _HUB if self.repository.registry == "docker.io" else self.repository.registry
        return f"{'http' if self.plain_http else 'https'}://{host}/v2"

    async def digest(self, tag: str, platform: Platform | None = None) -> str:
        """Give the digest of a tag's index, or of one platform's manifest in it. Raises Failed."""
        if platform:
            return _of_platform(await self._manifest(tag), platform)
        reply = await self._ask("HEAD", f"manifests/{tag}")
        header = reply.headers.get("docker-content-digest")
        if reply.status == 200 and header is None:
            return _hash((await self._ask("GET", f"manifests/{tag}", _MAX_MANIFEST)))
        _check_status(reply)
        try:
            return check_digest(header or "")
        except InvalidReference:
            raise Failed("malformed digest") from None

    async def has(self, digest: str) -> bool:
        """Tell whether a manifest with this digest is there. Raises Failed."""
        reply = await self._ask("HEAD", f"manifests/{digest}")
        if reply.status == 404:
            return False
        _check_status(reply)
        return True

    async def _manifest(self, tag: str) -> dict[str, Any]:
        reply = await self._ask("GET", f"manifests/{tag}", _MAX_MANIFEST)
        _check_status(reply)
        if reply.cut:
            raise Failed("manifest too large")
        try:
            manifest = json.loads(reply.body)
        except (ValueError, RecursionError):
            raise Failed("broken json") from None
        if not isinstance(manifest, dict):
            raise Failed("not a manifest")
        return manifest

    async def _ask(self, method: str, what: str, limit: int = SMALL) -> Reply:
        url = f"{self.base}/{self.repository.path}/{what}"
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        secret: dict[str, str] = {}
        for _ in range(3):
            reply = await self.exchanger.get(
                url, deadline=self.deadline, method=method, headers=headers, limit=limit, secret=secret
            )
            if reply.status == 401 and not secret:
                secret = {"Authorization": f"Bearer {await self._token(reply)}"}
            elif reply.status != 429 or not await self._waited(reply):
                return reply
        return reply

    async def _waited(self, reply: Reply) -> bool:
        """Wait as long as a busy registry asks for, if the deadline allows it."""
        text = reply.headers.get("retry-after", "")
        if not (text.isdecimal() and len(text) < 7):
            return False
        if asyncio.get_running_loop().time() + int(text) >= self.deadline:
            return False
        await asyncio.sleep(int(text))
        return True

    async def _token(self, refused: Reply) -> str:
        """Fetch an anonymous token (https://distribution.github.io/distribution/spec/auth/token/)."""
        challenges = parse_challenges(refused.headers.get("www-authenticate", ""))
        bearer = next((found for found in challenges if found.scheme == "bearer"), None)
        if bearer is None:
            raise Failed("401, credentials needed" if challenges else "401 without a challenge")
        realm = bearer.parameters.get("realm", "")
        _check_realm(realm, refused.url)
        asked = {"scope": f"repository:{self.repository.path}:pull"}
        if service := bearer.parameters.get("service"):
            asked["service"] = service
        mark = "&" if urlsplit(realm).query else "?"
        reply = await self.exchanger.get(realm + mark + urlencode(asked), deadline=self.deadline)
        if reply.status != 200:
            raise Failed(f"token: {status_cause(reply.status, reply.headers.get('retry-after'))}")
        try:
            answer = json.loads(reply.body)
            token = answer.get("token") or answer.get("access_token")
        except (ValueError, RecursionError, AttributeError):
            raise Failed("token: broken json") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Failed("token: none in the answer")
        return token


def _check_realm(realm: str, registry: str) -> None:
    """Refuse a token server that a hostile registry may have chosen: https only, and no private address.

    A registry on plain http, or on a private address itself, may name such a one.
    """
    try:
        target, own = urlsplit(realm), urlsplit(registry)
        host = target.hostname or ""
    except ValueError:
        raise Failed("challenge: invalid realm") from None
    if target.scheme not in ("http", "https") or not host or target.username:
        raise Failed("challenge: invalid realm")
    if target.scheme == "http" and own.scheme != "http":
        raise Failed("challenge: realm on http")
    if _is_private(host) and not _is_private(own.hostname or ""):
        raise Failed("challenge: realm on a private address")


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _check_status(reply: Reply) -> None:
    if reply.status != 200:
        raise Failed(status_cause(reply.status, reply.headers.get("retry-after")))
    if reply.media_type and reply.media_type not in MANIFEST_TYPES:
        raise Failed("login page" if reply.media_type == "text/html" else "not a manifest")


def _hash(reply: Reply) -> str:
    _check_status(reply)
    if reply.cut:
        raise Failed("manifest too large")
    return "sha256:" + hashlib.sha256(reply.body).hexdigest()


def _of_platform(manifest: dict[str, Any], platform: Platform) -> str:
    for item in manifest.get("manifests") or ():
        found = item.get("platform") if isinstance(item, dict) else None
        if (
            isinstance(found, dict)
            and (found.get("os"), found.get("architecture")) == (platform.os, platform.machine)
            and (platform.variant is None or found.get("variant") == platform.variant)
        ):
            try:
                return check_digest(str(item.get("digest")))
            except InvalidReference:
                raise Failed("malformed digest") from None
    raise Failed(f"no manifest for {platform}")
