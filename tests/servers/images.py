"""Tiny images, the same bytes for the same marker, of all four manifest types; and how they get into a registry.

image = make_image("v1")                        # an OCI index; also "docker list", "oci manifest", …
chart = make_chart(b"bytes of an archive")      # what `helm push` puts there
push("127.0.0.1:5000", "gocrane/craned", "main", image)
assert image.digest.startswith("sha256:")
assert image.platforms["linux/arm64/v8"].digest != image.digest
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import ssl
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_OCI = "application/vnd.oci.image."
_DOCKER = "application/vnd.docker."
_HELM = "application/vnd.cncf.helm."

OCI_INDEX = f"{_OCI}index.v1+json"
DOCKER_LIST = f"{_DOCKER}distribution.manifest.list.v2+json"
OCI_MANIFEST = f"{_OCI}manifest.v1+json"
DOCKER_MANIFEST = f"{_DOCKER}distribution.manifest.v2+json"
CHART_LAYER = f"{_HELM}chart.content.v1.tar+gzip"

#: What an image can be, and the type of the manifest at its top.
FORMS = {
    "oci index": OCI_INDEX,
    "docker list": DOCKER_LIST,
    "oci manifest": OCI_MANIFEST,
    "docker manifest": DOCKER_MANIFEST,
}

_PLATFORMS: tuple[dict[str, str], ...] = (
    {"os": "linux", "architecture": "amd64"},
    {"os": "linux", "architecture": "arm64", "variant": "v8"},
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The exact bytes of a manifest, and their type."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        return _digest(self.content)


@dataclass(frozen=True, slots=True)
class Image:
    """The manifest that a tag names, the one of each platform (the same if there is only one), and all blobs."""

    top: Manifest
    platforms: Mapping[str, Manifest]
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return self.top.digest


def make_image(marker: str, form: str = "oci index") -> Image:
    """Make an image; the marker stands in its one file, so that other markers give other digests."""
    top_type = FORMS[form]
    docker = form.startswith("docker")
    many = top_type in (OCI_INDEX, DOCKER_LIST)
    platforms: dict[str, Manifest] = {}
    entries, blobs = [], []
    for platform in _PLATFORMS if many else _PLATFORMS[:1]:
        manifest, parts = _one(marker, platform, docker=docker)
        platforms["/".join(platform.values())] = manifest
        entries.append(_descriptor(manifest.content, manifest.media_type) | {"platform": platform})
        blobs += parts
    top = next(iter(platforms.values()))
    if many:
        top = Manifest(top_type, _json({"schemaVersion": 2, "mediaType": top_type, "manifests": entries}))
    return Image(top, platforms, tuple(blobs))


def make_chart(archive: bytes, layer_type: str = CHART_LAYER, layers: int = 1) -> Image:
    """Make a chart as Helm does: a manifest with the archive as its layer, and a provenance file beside that."""
    config, provenance = b"{}", b"signed"
    parts = [_descriptor(archive, layer_type)] * layers + [_descriptor(provenance, f"{_HELM}chart.provenance.v1.prov")]
    manifest = {"config": _descriptor(config, f"{_HELM}config.v1+json"), "layers": parts}
    content = _json({"schemaVersion": 2, "mediaType": OCI_MANIFEST, **manifest})
    return Image(Manifest(OCI_MANIFEST, content), {}, (config, archive, provenance))


def _one(marker: str, platform: Mapping[str, str], *, docker: bool) -> tuple[Manifest, list[bytes]]:
    body = f"{marker} {platform['architecture']}\n".encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("hello.txt")
        entry.size = len(body)
        tar.addfile(entry, io.BytesIO(body))
    layer = _packed(archive.getvalue())
    rootfs = {"type": "layers", "diff_ids": [_digest(archive.getvalue())]}
    config = _json({**platform, "config": {"Cmd": ["/hello"]}, "rootfs": rootfs})
    (media_type, config_type, layer_type) = (
        (DOCKER_MANIFEST, f"{_DOCKER}container.image.v1+json", f"{_DOCKER}image.rootfs.diff.tar.gzip")
        if docker
        else (OCI_MANIFEST, f"{_OCI}config.v1+json", f"{_OCI}layer.v1.tar+gzip")
    )
    manifest = {"config": _descriptor(config, config_type), "layers": [_descriptor(layer, layer_type)]}
    content = _json({"schemaVersion": 2, "mediaType": media_type, **manifest})
    return Manifest(media_type, content), [config, layer]


def _packed(data: bytes) -> bytes:
    """Write the same gzip file (RFC 1952) on every Python and zlib, so that a digest is the same everywhere."""
    length = len(data).to_bytes(2, "little")
    stored = b"\x01" + length + bytes(255 - byte for byte in length) + data  # one block as it is (RFC 1951, 3.2.4)
    ends = (zlib.crc32(data), len(data))
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + stored + b"".join(number.to_bytes(4, "little") for number in ends)


def push(
    authority: str,
    repository: str,
    tag: str,
    image: Image,
    *,
    authorization: str | None = None,
    context: ssl.SSLContext | None = None,
) -> None:
    """Put an image into a registry (OCI distribution specification 1.1, "Push"), over TLS if there is a context."""
    connection = (
        http.client.HTTPSConnection(authority, timeout=10, context=context)
        if context
        else http.client.HTTPConnection(authority, timeout=10)
    )
    base = f"/v2/{repository}"

    def call(method: str, path: str, body: bytes = b"", media_type: str = "application/octet-stream") -> str:
        headers = {"Content-Type": media_type} | ({"Authorization": authorization} if authorization else {})
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            text = response.read()
            assert response.status in (201, 202), (method, path, response.status, text)
            return response.headers["Location"]

    try:
        for blob in image.blobs:
            target = urlsplit(call("POST", f"{base}/blobs/uploads/"))
            call("PUT", f"{target.path}?{target.query}&digest={_digest(blob)}", blob)
        children = [manifest for manifest in image.platforms.values() if manifest is not image.top]
        for name, manifest in [*((child.digest, child) for child in children), (tag, image.top)]:
            call("PUT", f"{base}/manifests/{name}", manifest.content, manifest.media_type)
    finally:
        connection.close()


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
