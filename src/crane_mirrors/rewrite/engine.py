"""Find and replace, in any bytes, the names in a catalogue, at a speed that does not depend on its size.

Two passes of `re` over each chunk yield the few words that could be a name: `://host` forwards, and the
segment before a word's first `/` backwards. One set lookup throws out nearly all of them; grammar.py
delimits the rest exactly, and the index says what to put in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from crane_mirrors.rewrite import context, grammar
from crane_mirrors.rewrite.bare import bare_images
from crane_mirrors.rewrite.context import Mark
from crane_mirrors.rewrite.grammar import LOOK_AHEAD, LOOK_BEHIND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crane_mirrors.rewrite.index import Index

CHUNK = 1 << 18
"""How many bytes `rewrite_stream` asks for at a time."""

Span: TypeAlias = tuple[int, int, bytes]
"""`(start, end, replacement)`: what to put in the place of `text[start:end]`."""


def spans(text: bytes, index: Index, start: int = 0, stop: int | None = None) -> list[Span]:
    """Return what to replace, in order, without overlaps, of the names that start in `[start, stop)`.

    The bytes before `start` and from `stop` on are context. The result does not depend on where a longer
    text was cut, if there are `LOOK_BEHIND` bytes of context before and `LOOK_AHEAD` after, or all there are.

    >>> from crane_mirrors.rewrite.index import Index
    >>> spans(b"FROM o/n:1", Index(images=[b"o"], urls={}, repositories=[], replace_url=lambda url: None,
    ...     replace_image={b"o/n": b"mirror.example/o/n"}.get))
    [(5, 8, b'mirror.example/o/n')]
    """
    stop = len(text) if stop is None else stop
    lower = text.lower()
    found = _image_spans(text, lower, index, start, stop)
    found += _url_spans(text, lower, index, start, stop)
    if index.replace_bare:
        found += _bare_spans(text, index, start, stop)
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
        end = at + len(name)
        replacement = replace(name)
        if replacement is None and index.pin is None:
            continue
        plain = at > 0 and text[at - 1] in grammar.PLAIN_BEFORE and star is None
        if not plain and not _stands_alone(text, at, tag, star):
            continue
        if tag is None and b"." not in first and b":" not in name:
            marked = context.mark(text, at, end)
            if marked is Mark.REPOSITORY or (marked is Mark.NONE and _is_ambiguous(text, at, name, index)):
                continue
        if pinned := _pinned(text, at, end, index):
            found.append(pinned)
        elif replacement is not None:
            found.append((at, end, replacement))
    return found


def _pinned(text: bytes, at: int, end: int, index: Index, registry: bytes = b"") -> Span | None:
    """Say what replaces the image whose name is `text[at:end]` together with its tag, if it is to be pinned."""
    answer = index.pin and index.pin(registry + text[at:end], text[end : end + LOOK_BEHIND])
    return (at, end + answer[0], answer[1]) if answer else None


def _stands_alone(text: bytes, at: int, tag: bytes | None, star: bytes | None) -> bool:
    """Say whether the image name at `at` is a word, not a piece of a glob, an expansion or a URL."""
    before = text[max(0, at - 2) : at]
    starred = before.endswith(b"*")
    if before == b"${" or (star and not starred) or (starred and not star and not tag):
        return False
    return not grammar.inside_url(text, at)


def _is_ambiguous(text: bytes, at: int, name: bytes, index: Index) -> bool:
    """Say whether the name with no telling word directly beside it may as well be a Git repository's."""
    return name in index.repositories and not context.in_client_command(text, at)


def _bare_spans(text: bytes, index: Index, start: int, stop: int) -> list[Span]:
    """Find the image names without a registry, in order."""
    assert index.replace_bare
    replace, places = index.replace_bare, bare_images(text, start, stop)
    found: list[Span] = []
    for at, end in places:
        if pinned := _pinned(text, at, end, index, b"docker.io/"):
            found.append(pinned)
        elif (new := replace(text[at:end])) is not None:
            found.append((at, end, new))
    return found


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
            and not grammar.inside_url(text, at)
        ):
            found.append((at, at + answer[0], answer[1]))
    return found


def _container_span(text: bytes, at: int, index: Index) -> list[Span]:
    """Return what to replace, if anything, of the image reference that starts with `docker://` at `at`."""
    start = at + len(b"docker://")
    match = grammar.image_name().match(text, start)
    if match is None or grammar.inside_url(text, at):
        return []
    new = index.replace_image(match[1])
    found = _pinned(text, start, match.end(1), index) or (new and (start, match.end(1), new))
    return [found] if found else []


def _scp_spans(text: bytes, lower: bytes, index: Index, start: int, stop: int) -> list[Span]:
    """Find the addresses like `git@host:owner/repository`, in order."""
    found: list[Span] = []
    for match in grammar.scp_host().finditer(lower):
        segments, at = index.urls.get(match[1]), match.start()
        if segments is None or not start <= at < stop or not grammar.may_start_address(text, at):
            continue
        url = grammar.url_token().match(text, at, at + LOOK_AHEAD)
        answer = url and index.replace_url(url[0])
        if answer and not grammar.inside_url(text, at):
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


__all__ = ["Block", "Span", "blocks", "rewrite_stream", "spans"]
