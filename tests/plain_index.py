"""An engine index made of plain dictionaries, so that the engine is tested without a catalogue."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from crane_mirrors.rewrite.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HUB = "docker.io"
HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io")


def canonical_image(name: str) -> str:
    """Return a repository's full name: host in lower case, Docker Hub's aliases and omissions undone.

    >>> canonical_image("o/n"), canonical_image("Index.Docker.io/nginx"), canonical_image("a.example:443/x")
    ('docker.io/o/n', 'docker.io/library/nginx', 'a.example/x')
    """
    host, slash, path = name.partition("/")
    if not slash or ("." not in host and ":" not in host and host != "localhost"):
        host, path = HUB, name
    host = host.lower().removesuffix(":443")
    if host in HUB_HOSTS:
        host, path = HUB, path if "/" in path else f"library/{path}"
    return f"{host}/{path}"


@cache
def _clone_url() -> re.Pattern[str]:
    return re.compile(
        r"(?:(https?|ssh|git)://(?:git@)?([a-z0-9.-]+)(?::([0-9]+))?|git@([a-z0-9.-]+):)/?([^?#]+)",
        re.IGNORECASE,
    )


def canonical_git(url: str) -> str | None:
    """Return `host/owner/repository` for any spelling of a clone address, None for all other URLs.

    >>> canonical_git("git@github.com:o/n.git"), canonical_git("https://github.com/o/n/")
    ('github.com/o/n', 'github.com/o/n')
    """
    match = _clone_url().fullmatch(url)
    if match is None:
        return None
    scheme, host, port, scp_host, path = match.groups()
    if port and port != {"https": "443", "http": "80", "ssh": "22", "git": "9418"}[scheme.lower()]:
        return None
    return f"{(host or scp_host).lower()}/{path.removesuffix('/').removesuffix('.git')}"


def build(
    *,
    images: Mapping[str, str] | None = None,
    image_prefixes: Mapping[str, str] | None = None,
    urls: Mapping[str, str] | None = None,
    git: Mapping[str, str] | None = None,
    resolvable: Mapping[str, Iterable[str]] | None = None,
    resolve_url: Callable[[str], str | None] = lambda _: None,
) -> Index:
    """Make an index.

    `images` maps full repository names to repositories, `image_prefixes` whole leading segments of them;
    `urls` does the same for URLs (Helm repositories and prefix entries), scheme included; `git` maps
    `host/owner/repository` to clone URLs. URLs whose host and first path segment stand in `resolvable`
    and that none of these know go to `resolve_url`.
    """
    images, image_prefixes, urls, git = images or {}, image_prefixes or {}, urls or {}, git or {}
    anchors: dict[str, set[str]] = {}
    for host, segments in (resolvable or {}).items():
        anchors.setdefault(host, set()).update(segments)
    for where in git:
        host, first = where.split("/")[:2]
        anchors.setdefault(host, set()).update((first, f"{first}.git"))
    for url in urls:
        host, _, path = url.partition("://")[2].partition("/")
        anchors.setdefault(host.partition(":")[0], set()).add(path.partition("/")[0])
    everything = {host for host, segments in anchors.items() if "" in segments}
    return Index(
        images=_image_anchors(images, image_prefixes),
        urls={h.encode(): () if h in everything else [s.encode() for s in p] for h, p in anchors.items()},
        repositories=[where.partition("/")[2].encode() for where in git],
        replace_image=lambda name: _replace_image(name, images, image_prefixes),
        replace_url=lambda url: _replace_url(url, urls, git, resolve_url),
    )


def _image_anchors(images: Mapping[str, str], prefixes: Mapping[str, str]) -> set[bytes]:
    anchors = set()
    for name in (*images, *prefixes):
        host, _, path = name.partition("/")
        anchors.add(host.partition(":")[0])
        if host == HUB:
            anchors.update(HUB_HOSTS)
            if name in images:
                anchors.add(path.partition("/")[0])
    return {anchor.encode() for anchor in anchors}


def _longest(name: str, prefixes: Mapping[str, str]) -> str | None:
    """Replace the longest run of whole leading segments that is in `prefixes`."""
    head = name
    while head:
        if head in prefixes:
            return prefixes[head] + name[len(head) :]
        head = head.rpartition("/")[0]
    return None


def _replace_image(name: bytes, images: Mapping[str, str], prefixes: Mapping[str, str]) -> bytes | None:
    text = name.decode("ascii")
    where = canonical_image(text)
    answer = images.get(where)
    first = text.partition("/")[0]
    if answer is None and prefixes and ("." in first or ":" in first or first == "localhost"):
        answer = _longest(where, prefixes)
    return None if answer is None or answer == where else answer.encode()


def _replace_url(
    url: bytes, urls: Mapping[str, str], git: Mapping[str, str], resolve_url: Callable[[str], str | None]
) -> bytes | None:
    text = url.decode("utf-8", "surrogateescape")
    where = canonical_git(text)
    answer = git.get(where) if where else None
    if answer is not None and canonical_git(answer) == where:
        return None
    if answer is None:
        answer = resolve_url(text)
    if answer is None and "://" in text:
        scheme, _, rest = text.partition("://")
        host, slash, path = rest.partition("/")
        answer = _longest(f"{scheme.lower()}://{host.lower()}{slash}{path}", urls)
    return None if answer is None else answer.encode("utf-8", "surrogateescape")
