"""Find and replace, in any bytes, the names that a catalogue knows, at a speed that does not depend on its size.

Two passes of `re` over each chunk yield the few words that could be a name: `://host` forwards, and the
segment before a word's first `/` backwards. One set lookup throws out nearly all of them; grammar.py
delimits the rest exactly, and the index says what to put in their place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from crane_mirrors.rewrite import context, grammar
from crane_mirrors.rewrite.context import Mark
from crane_mirrors.rewrite.grammar import LOOK_AHEAD, LOOK_BEHIND, TOKEN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

CHUNK = 1 << 18
"""How many bytes `rewrite_stream` asks for at a time."""
_CACHED_TOKENS = 1 << 14
_SEPARATORS = b"=&#:!@"
_NO_PATH = frozenset([b"/"])  # no first path segment has a slash

Replace: TypeAlias = "Callable[[bytes], bytes | None]"


Span: TypeAlias = tuple[int, int, bytes]
"""`(start, end, replacement)`: what to put in the place of `text[start:end]`."""


class Index:
    """What the engine has to know of a catalogue. Immutable once made, apart from its bounded caches.

    `images` are the first segments (registry host without port, or bare owner) of image names; `urls` maps
    each host of a URL to the first path segments that matter, none meaning all; `repositories` are bare
    `owner/name` that name a Git repository too. `replace_image` is given a repository without tag or
    digest, `replace_url` a whole URL or scp-like address; both answer None to leave it as it is, must map
    their own answers to None, and never answer with blanks or control bytes.
    """

    __slots__ = ("images", "replace_image", "replace_url", "repositories", "reversed_images", "urls")

    def __init__(
        self,
        *,
        images: Collection[bytes],
        urls: Mapping[bytes, Collection[bytes]],
        repositories: Collection[bytes],
        replace_image: Replace,
        replace_url: Replace,
    ) -> None:
        self.images = frozenset(image.lower() for image in images)
        self.reversed_images = frozenset(image[::-1] for image in self.images)
        self.urls = dict.fromkeys(self.images, _NO_PATH)
        self.urls |= {host.lower(): frozenset(part.lower() for part in parts) for host, parts in urls.items()}
        self.repositories = frozenset(repositories)
        self.replace_image = lru_cache(_CACHED_TOKENS)(_image_replacer(replace_image))
        self.replace_url = lru_cache(_CACHED_TOKENS)(_url_replacer(replace_url))


def _image_replacer(replace: Replace) -> Replace:
    """Wrap `replace` so that it is asked about well-formed names only."""

    def decide(name: bytes) -> bytes | None:
        if len(name) >= TOKEN_LIMIT or not grammar.is_repository_name(name):
            return None
        replacement = replace(name)
        return None if replacement == name else replacement

    return decide


def _url_replacer(replace: Replace) -> Callable[[bytes], tuple[int, bytes] | None]:
    """Wrap `replace` so that it answers with the number of bytes it replaces, and never sees a password."""

    def decide(raw: bytes) -> tuple[int, bytes] | None:
        if len(raw) >= TOKEN_LIMIT:
            return None
        token = grammar.trimmed(raw)
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


def spans(text: bytes, index: Index, start: int = 0, stop: int | None = None) -> list[Span]:
    """Return what to replace, in order and without overlaps, of the names whose first byte is in `[start, stop)`.

    The bytes before `start` and from `stop` on are context. The result does not depend on where a longer
    text was cut, if there are `LOOK_BEHIND` bytes of context before and `LOOK_AHEAD` after, or all there are.

    >>> spans(b"FROM o/n:1", Index(images=[b"o"], urls={}, repositories=[], replace_url=lambda url: None,
    ...     replace_image={b"o/n": b"mirror.example/o/n"}.get))
    [(5, 8, b'mirror.example/o/n')]
    """
    stop = len(text) if stop is None else stop
    lower = text.lower()
    found = _image_spans(text, lower, index, start, stop)
    found += _url_spans(text, lower, index, start, stop)
    if b"git@" in lower:
        found += _scp_spans(text, lower, index, start, stop)
    found.sort()
    kept, done = [], start
    for span in found:
        if span[0] >= done:
            kept.append(span)
            done = span[1]
    return kept


def _image_spans(text: bytes, lower: bytes, index: Index, start: int, stop: int) -> list[Span]:
    """Find the image names without a scheme, the last one first."""
    found: list[Span] = []
    length, wanted, replace = len(text), index.reversed_images, index.replace_image
    match_name = grammar.image_name().match
    for match in grammar.first_segment().finditer(lower[::-1]):
        first = match[1]
        if first not in wanted:
            continue
        at = length - match.end()
        if not start <= at < stop or (image := match_name(text, at)) is None:
            continue
        name, tag, star = image.groups()
        replacement = replace(name)
        if replacement is None:
            continue
        plain = at > 0 and text[at - 1] in grammar.PLAIN_BEFORE and star is None
        if not plain and not _stands_alone(text, at, tag, star):
            continue
        end = at + len(name)
        if tag is None and b"." not in first and b":" not in name and _is_repository(text, at, end, index):
            continue
        found.append((at, end, replacement))
    return found


def _stands_alone(text: bytes, at: int, tag: bytes | None, star: bytes | None) -> bool:
    """Say whether the image name at `at` is a word of its own, not a piece of a glob, an expansion or a URL."""
    before = text[max(0, at - 2) : at]
    starred = before.endswith(b"*")
    if before == b"${" or (star and not starred) or (starred and not star and not tag):
        return False
    return not grammar.inside_url(text, at, b"=&#,;")


def _is_repository(text: bytes, at: int, end: int, index: Index) -> bool:
    """Say whether a bare `owner/name` without a tag is, or may well be, a Git repository's name."""
    marked = context.mark(text, at, end)
    if marked is Mark.NONE and text[at:end] in index.repositories:
        return not context.in_client_command(text, at)
    return marked is Mark.REPOSITORY


def _url_spans(text: bytes, lower: bytes, index: Index, start: int, stop: int) -> list[Span]:
    """Find the URLs, in order, `docker://` among them."""
    found: list[Span] = []
    urls, replace = index.urls, index.replace_url
    match_url = grammar.url_token().match
    for match in grammar.url_host().finditer(lower):
        segments = urls.get(match[1])
        if segments is None or (segments and match[2] not in segments and match[1] not in index.images):
            continue
        at = grammar.scheme_start(lower, match.start())
        if not start <= at < stop:
            continue
        if lower.startswith(b"docker:", at):
            found += _container_span(text, at, index)
        elif (
            (url := match_url(text, at, at + LOOK_AHEAD))
            and (answer := replace(url[0]))
            and ((at and text[at - 1] in grammar.PLAIN_BEFORE) or not grammar.inside_url(text, at, _SEPARATORS))
        ):
            found.append((at, at + answer[0], answer[1]))
    return found


def _container_span(text: bytes, at: int, index: Index) -> list[Span]:
    """Return what to replace, if anything, of the image reference that starts with `docker://` at `at`."""
    start = at + len(b"docker://")
    match = grammar.image_name().match(text, start)
    replacement = match and index.replace_image(match[1])
    if match is None or replacement is None or grammar.inside_url(text, at, _SEPARATORS):
        return []
    return [(start, match.end(1), replacement)]


def _scp_spans(text: bytes, lower: bytes, index: Index, start: int, stop: int) -> list[Span]:
    """Find the addresses like `git@host:owner/repository`, in order."""
    found: list[Span] = []
    for match in grammar.scp_host().finditer(lower):
        segments, at = index.urls.get(match[1]), match.start()
        if segments is None or not start <= at < stop or not grammar.may_start_address(text, at):
            continue
        url = grammar.url_token().match(text, at, at + LOOK_AHEAD)
        answer = url and index.replace_url(url[0])
        if answer and not grammar.inside_url(text, at, _SEPARATORS):
            found.append((at, at + answer[0], answer[1]))
    return found


class Block(NamedTuple):
    """A piece of a stream: `text[start:stop]` is the next piece of it, the rest of `text` its context."""

    text: bytes
    start: int
    stop: int
    spans: list[Span]

    @property
    def rewritten(self) -> bytes:
        """The block's own piece of the stream, names replaced."""
        parts: list[bytes] = []
        done = self.start
        for at, end, replacement in self.spans:
            parts += (self.text[done:at], replacement)
            done = end
        parts.append(self.text[done : self.stop])
        return b"".join(parts)


def blocks(read: Callable[[int], bytes], index: Index, size: int = CHUNK) -> Iterator[Block]:
    """Cut what `read(size)` gives until it gives nothing into blocks, each with what to replace in it.

    Holds a few times `size` bytes, whatever the input's size and however long its lines are.
    """
    text, start, more = b"", 0, True
    while more:
        data = _filled(read, size)
        more = len(data) >= size
        text += data
        stop = max(start, len(text) - LOOK_AHEAD) if more else len(text)
        found = spans(text, index, start, stop)
        if found:
            stop = max(stop, found[-1][1])
        yield Block(text, start, stop, found)
        kept = max(0, stop - LOOK_BEHIND)
        text, start = text[kept:], stop - kept


def _filled(read: Callable[[int], bytes], size: int) -> bytes:
    """Return at least `size` bytes, fewer only at the end; a pipe gives them in small portions."""
    data = read(size)
    if not data or len(data) >= size:
        return data
    portions, length = [data], len(data)
    while length < size and (data := read(size - length)):
        portions.append(data)
        length += len(data)
    return b"".join(portions)


def rewrite_stream(read: Callable[[int], bytes], write: Callable[[bytes], object], index: Index) -> int:
    """Copy what `read(size)` gives to `write`, names replaced; return how many names were."""
    count = 0
    for block in blocks(read, index):
        write(block.rewritten)
        count += len(block.spans)
    return count
