"""A chart in a registry: the manifest of a version, and which of its blobs is the archive.

What Helm puts there is described in https://helm.sh/docs/topics/registries/, "Helm chart manifest".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from crane_mirrors.live.causes import Failed
from crane_mirrors.live.download import Source
from crane_mirrors.live.loop import run
from crane_mirrors.live.network import Network
from crane_mirrors.live.registry import chart_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.live.tokens import Login

__all__ = ["archive_of"]

_ARCHIVES = (
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",  # Helm before 3.7
)


def archive_of(url: str, timeout: float, login: Callable[[str], Login | None]) -> Source:
    """Ask a registry for the address of a chart's archive, and the hash that it must have, within so many seconds.

    ``login`` gives the account at a registry. Raises Failed with the cause, InvalidInput for no chart's address.
    """

    async def asked() -> Source:
        async with Network(timeout).connections() as exchanger:
            deadline = asyncio.get_running_loop().time() + timeout
            registry, name = chart_at(exchanger, url, deadline, login)
            manifest = await registry.manifest(name)
            digest = _archive(manifest)
            blob = registry.blob(digest)
            return Source(blob.url, blob.secret, digest.removeprefix("sha256:"))

    return run(asked())


def _archive(manifest: dict[str, Any]) -> str:
    layers = manifest.get("layers")
    found = [
        layer.get("digest")
        for layer in (layers if isinstance(layers, list) else ())
        if isinstance(layer, dict) and layer.get("mediaType") in _ARCHIVES
    ]
    if len(found) != 1:
        raise Failed("not a chart")
    if not isinstance(found[0], str) or not found[0].startswith("sha256:"):
        raise Failed("malformed digest")
    return found[0]
