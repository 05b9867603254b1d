"""Registries: who may ask, and which digest a tag has (OCI distribution specification 1.1)."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crane_mirrors.errors import InvalidInput, InvalidReference
from crane_mirrors.live.addresses import same_server
from crane_mirrors.live.ask import SMALL, Ask
from crane_mirrors.live.causes import Failed, NotThere, check_status
from crane_mirrors.live.exchange import Timing
from crane_mirrors.live.tokens import authorization
from crane_mirrors.reference import DOCKER_HUB, Reference, check_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.live.exchange import Exchanger, Reply
    from crane_mirrors.live.tokens import Login
    from crane_mirrors.platforms import Platform

__all__ = ["MANIFEST_TYPES", "Registry", "chart_at", "chart_reference"]

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""All types of a manifest: a registry that is asked for fewer answers 404, or another digest with 200."""

_MAX_MANIFEST = 4 * SMALL
_MAX_PARTS = 250_000
_HUB = "registry-1.docker.io"


def chart_reference(url: str) -> Reference:
    """Read the address of a chart's version. Raises InvalidInput where it names none, or is none.

    >>> str(chart_reference("oci://ghcr.io/acme/charts/shop:1.2.0+b5"))
    'ghcr.io/acme/charts/shop:1.2.0_b5'
    """
    # A tag has no plus sign, so Helm writes an underscore.
    reference = Reference.parse(url.removeprefix("oci://").replace("+", "_"))
    if reference.tag is None and reference.digest is None:
        raise InvalidInput(f"a registry has a chart by its version: write {url}:VERSION")
    return reference


def chart_at(
    exchanger: Exchanger, url: str, deadline: float, login: Callable[[str], Login | None]
) -> tuple[Registry, str]:
    """Give the registry of a chart's version, and the name that it has there. Raises InvalidInput as above."""
    reference = chart_reference(url)
    host, path = reference.repository.registry, reference.repository.path
    return Registry(exchanger, host, path, deadline, login(host)), reference.digest or reference.tag or ""


@dataclass(slots=True)
class Registry:
    """One repository on its registry, within one deadline (the event loop's time).

    ``cold`` is how long its first answer took, for whatever came later had an open connection.
    """

    exchanger: Exchanger
    host: str
    path: str
    deadline: float
    login: Login | None = None
    cold: Timing = field(default_factory=Timing)
    _scheme: str = "https"
    _secret: dict[str, str] = field(default_factory=dict)

    async def version(self) -> Reply:
        """Ask for ``/v2/``, where any client begins; 401 with a challenge is a right answer too. Raises Failed."""
        reply = await self._once(Ask(self._url("")))
        if reply.status == 401 and reply.headers.get("www-authenticate"):
            return reply
        check_status(reply.status, reply.headers)
        if reply.is_page:
            raise Failed("login page")
        return reply

    async def head(self, name: str) -> Reply:
        """Ask whether a tag or digest is there; HEAD does not count as a pull on Docker Hub. Raises Failed."""
        return _checked(await self._ask("HEAD", name))

    async def proven(self, name: str) -> Reply:
        """As ``head``; where that says no digest, the manifest itself has to show that it is one. Raises Failed."""
        reply = await self.head(name)
        if "docker-content-digest" not in reply.headers:
            _hash(_checked(await self._ask("GET", name, _MAX_MANIFEST)))
        return reply

    async def digest(self, tag: str, platform: Platform | None = None) -> str:
        """Give the digest of a tag's index, or of one platform's manifest in it. Raises Failed."""
        if platform:
            return await self._of_platform(tag, platform)
        header = (await self.head(tag)).headers.get("docker-content-digest")
        if header is None:
            return _hash(_checked(await self._ask("GET", tag, _MAX_MANIFEST)))
        return header

    async def has(self, digest: str) -> bool:
        """Tell whether a manifest with this digest is there. Raises Failed."""
        try:
            reply = await self.head(digest)
        except NotThere:
            return False
        return reply.headers.get("docker-content-digest", digest) == digest

    async def manifest(self, name: str) -> dict[str, Any]:
        """Give the manifest that a tag names, or a digest, which it must have then. Raises Failed."""
        reply = _checked(await self._ask("GET", name, _MAX_MANIFEST))
        if _hash(reply) != name and ":" in name:
            raise Failed("not what its digest says")
        return _parsed(reply)

    def blob(self, digest: str) -> Ask:
        """Give the request for a blob, with the authorization that the registry wanted so far. Raises Failed."""
        return Ask(self._url(f"{self.path}/blobs/{_digest(digest)}"), secret=self._secret)

    def ask_for(self, name: str, method: str = "HEAD") -> Ask:
        """Give the request for a manifest, with the authorization that the registry wanted so far."""
        url = self._url(f"{self.path}/manifests/{name}")
        return Ask(url, method, {"Accept": ", ".join(MANIFEST_TYPES)}, secret=self._secret)

    async def _of_platform(self, tag: str, platform: Platform) -> str:
        reply = _checked(await self._ask("GET", tag, _MAX_MANIFEST))
        manifest = _parsed(reply)
        if "manifests" in manifest:
            return _listed(manifest, platform)
        # One manifest alone says in its configuration what it is for; whoever asks for a platform of it, asks for it.
        return _hash(reply)

    async def _ask(self, method: str, name: str, limit: int = SMALL) -> Reply:
        refused = False
        while True:
            reply = await self._once(self.ask_for(name, method), limit)
            if reply.status == 401 and not refused:
                refused = True
                challenge = reply.headers.get("www-authenticate", "")
                # Where a redirect led, somebody else may ask for a login.
                login = self.login if same_server(reply.url, self._url("")) else None
                value = await authorization(self.exchanger, challenge, reply.url, self.path, self.deadline, login)
                self._secret = {"Authorization": value}
            elif reply.status != 429 or not await self._waited(reply):
                return reply

    async def _once(self, ask: Ask, limit: int = SMALL) -> Reply:
        try:
            reply = await self.exchanger.get(ask, self.deadline, limit)
        except Failed as error:
            # As Docker does: a registry on this machine may go without TLS.
            if self._scheme == "http" or not _is_loopback(self.host) or error.cause not in _PLAIN:
                raise
            self._scheme = "http"
            plain = ask._replace(url=ask.url.replace("https:", "http:", 1))
            reply = await self.exchanger.get(plain, self.deadline, limit)
        if self.cold.connect is None:
            self.cold = reply.timing
        return reply

    def _url(self, rest: str) -> str:
        return f"{self._scheme}://{_HUB if self.host == DOCKER_HUB[0] else self.host}/v2/{rest}"

    async def _waited(self, reply: Reply) -> bool:
        """Wait as long as a busy registry asks for, if the deadline allows it."""
        text = reply.headers.get("retry-after", "")
        if not (text.isdecimal() and len(text) < 7):
            return False
        wait = max(1, int(text))
        if asyncio.get_running_loop().time() + wait >= self.deadline:
            return False
        await asyncio.sleep(wait)
        return True


_PLAIN = ("tls: handshake failed",)


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def _checked(reply: Reply) -> Reply:
    if reply.is_page and reply.status == 200:
        raise Failed("login page")
    check_status(reply.status, reply.headers)
    if reply.media_type and reply.media_type not in MANIFEST_TYPES:
        raise Failed("not a manifest")
    if (digest := reply.headers.get("docker-content-digest")) is not None:
        _digest(digest)
    return reply


def _parsed(reply: Reply) -> dict[str, Any]:
    # A few bytes of JSON can take sixty in memory.
    if reply.cut or sum(map(reply.body.count, b",[{")) > _MAX_PARTS:
        raise Failed("manifest too large")
    try:
        manifest = json.loads(reply.body)
    except (ValueError, RecursionError):
        raise Failed("broken json") from None
    if not isinstance(manifest, dict):
        raise Failed("not a manifest")
    return manifest


def _digest(text: str) -> str:
    try:
        return check_digest(text)
    except InvalidReference:
        raise Failed("malformed digest") from None


def _hash(reply: Reply) -> str:
    if reply.cut:
        raise Failed("manifest too large")
    if "schemaVersion" not in _parsed(reply):
        raise Failed("not a manifest")
    return "sha256:" + hashlib.sha256(reply.body).hexdigest()


def _listed(manifest: dict[str, Any], platform: Platform) -> str:
    listed = manifest["manifests"]
    for item in listed if isinstance(listed, list) else ():
        found = item.get("platform") if isinstance(item, dict) else None
        if (
            isinstance(found, dict)
            and (found.get("os"), found.get("architecture")) == (platform.os, platform.machine)
            and (platform.variant is None or found.get("variant") == platform.variant)
        ):
            return _digest(str(item.get("digest")))
    raise NotThere(f"no manifest for {platform}")
