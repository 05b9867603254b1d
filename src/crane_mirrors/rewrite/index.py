"""What the engine knows of a catalogue: where to look, and whom to ask."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from crane_mirrors.rewrite import grammar
from crane_mirrors.rewrite.grammar import LOOK_BEHIND, TOKEN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Replace: TypeAlias = "Callable[[bytes], bytes | None]"

_CACHED_TOKENS = 1 << 14
_NO_PATH = frozenset([b"/"])  # no first path segment has a slash


class Index:
    """What the engine has to know of a catalogue. Immutable once made, apart from its bounded caches.

    `images` are the first segments (registry host without port, or bare owner) of image names; `urls` maps
    each host of a URL to the first path segments that matter, none meaning all; `repositories` are bare
    `owner/name` that name a Git repository too. `replace_image` is given a repository without tag or
    digest; `replace_url` a whole URL or scp-like address; `replace_bare`, if there is one, a repository of
    Docker Hub without its registry, from a place where only an image can stand (bare.py). They answer None
    to leave it as it is, must map their own answers to None, and never answer with blanks or control bytes.
    `pin`, if there is one, is asked first about an image's name and what follows that; it answers how much of
    what follows it replaces as well.
    """

    __slots__ = (
        "images",
        "pin",
        "replace_bare",
        "replace_image",
        "replace_url",
        "repositories",
        "reversed_images",
        "urls",
    )

    def __init__(
        self,
        *,
        images: Collection[bytes],
        urls: Mapping[bytes, Collection[bytes]],
        repositories: Collection[bytes],
        replace_image: Replace,
        replace_url: Replace,
        replace_bare: Replace | None = None,
        pin: Callable[[bytes, bytes], tuple[int, bytes] | None] | None = None,
    ) -> None:
        self.images = frozenset(image.lower() for image in images)
        self.reversed_images = frozenset(image[::-1] for image in self.images)
        self.urls = dict.fromkeys(self.images, _NO_PATH)
        self.urls |= {host.lower(): frozenset(part.lower() for part in parts) for host, parts in urls.items()}
        self.repositories = frozenset(repositories)
        self.pin = pin
        self.replace_image = lru_cache(_CACHED_TOKENS)(_image_replacer(replace_image))
        self.replace_bare = replace_bare and lru_cache(_CACHED_TOKENS)(_image_replacer(replace_bare, bare=True))
        self.replace_url = lru_cache(_CACHED_TOKENS)(_url_replacer(replace_url))


def _image_replacer(replace: Replace, *, bare: bool = False) -> Replace:
    """Wrap `replace` so that a name that no registry would take is left as it is."""

    def decide(name: bytes) -> bytes | None:
        replacement = replace(name) if len(name) < TOKEN_LIMIT else None
        if replacement is None or replacement == name or len(replacement) > LOOK_BEHIND:
            return None
        return replacement if bare or grammar.is_repository_name(name) else None

    return decide


def _url_replacer(replace: Replace) -> Callable[[bytes], tuple[int, bytes] | None]:
    """Wrap `replace` so that it answers with the number of bytes it replaces, and never sees a password."""

    def decide(raw: bytes) -> tuple[int, bytes] | None:
        if len(raw) >= TOKEN_LIMIT:
            return None
        token = grammar.trimmed(raw)
        if not token.isascii():
            token = grammar.trimmed(grammar.before_prose(token))
        scheme, separator, rest = token.partition(b"://")
        if separator:
            authority = rest.replace(b"?", b"/").replace(b"#", b"/").partition(b"/")[0]
            user, at, _ = authority.rpartition(b"@")
            if at and (user != b"git" or scheme.lower() != b"ssh"):
                return None
        replacement = replace(token)
        if replacement is None or replacement == token or len(replacement) > LOOK_BEHIND:
            return None
        return len(token), replacement

    return decide


__all__ = ["Index", "Replace"]
