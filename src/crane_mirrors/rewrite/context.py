"""What the words beside a bare `owner/name` say that it is: a container image or a Git repository.

`gocrane/crane-scheduler` is both, and stands in prose, in workflows and in manifests. Each rule looks only
at text that has no `/` in it and so cannot itself be rewritten: a second run sees what the first one saw.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache, lru_cache

__all__ = ["Mark", "in_client_command", "mark"]


class Mark(Enum):
    """What the words beside a bare `owner/name` say that it is."""

    IMAGE = "image"
    REPOSITORY = "repository"
    NONE = "none"


@cache
def _left_word() -> re.Pattern[bytes]:
    """Match, in reversed text, the word before a name (group 2) and the `:` or `=` between them (group 1)."""
    return re.compile(rb"[\"'`*]{0,3}[ \t]{0,64}(?:(={1,2}|:)[ \t]{0,64}[\"']?)?([\w.-]{1,64}+)(?![\w./${}-])")


_WORD_END = rb"(?![\w/@-]|[.:]\w)"  # not the start of another name


@cache
def _right_words() -> re.Pattern[bytes]:
    """Match what says after a name what it is: a link (1), a word for repository (2) or image (3)."""
    return re.compile(
        rb"[\"'`*]{0,3}(?:(\][(\[])"
        rb"|[ \t]?(?:(repo(?:s|sitory)?" + _WORD_END + rb"|\xe4\xbb\x93\xe5\xba\x93)"
        rb"|(images?" + _WORD_END + rb"|\xe9\x95\x9c\xe5\x83\x8f)))",
        re.IGNORECASE,
    )


@lru_cache(maxsize=4096)
def _word_mark(separator: bytes, word: bytes) -> Mark | None:
    """Say what a word before a name makes of it; None for `repository:`, which needs a second look."""
    key = word.lower().lstrip(b"-")
    if not separator:
        if word == b"FROM" or key in (b"image", b"images", b"container"):
            return Mark.IMAGE
        places = (b"repo", b"repos", b"repository", b"clone", b"fork", b"view", b"uses", b"cd")
        return Mark.REPOSITORY if key in places or word == b"-R" else Mark.NONE
    if b"github" in key:
        return Mark.REPOSITORY
    last = key.rpartition(b".")[2]
    if b"image" in key or last in (b"from", b"newname", b"container"):
        return Mark.IMAGE
    if last == b"repository":
        return None if separator == b":" else Mark.IMAGE
    if last.endswith((b"repo", b"repos")) or last in (b"uses", b"slug", b"path", b"working-directory"):
        return Mark.REPOSITORY
    return Mark.NONE


def _yaml_parent_mark(text: bytes, start: int) -> Mark:
    """Say what `repository: owner/name` is: a checkout's input under `with:`, else an image (Helm).

    Stops at a `/`: only text without one is sure to be the same after a rewriting as before it.
    """
    window = text[max(0, start - 512) : start]
    lines = window[window.rfind(b"/") + 1 :].split(b"\n")
    whole = start <= 512 and b"/" not in window
    indent = _indent(lines[-1])
    for line in reversed(lines[0 if whole else 1 : -1]):
        if line.strip() and not line.lstrip().startswith(b"#") and _indent(line) < indent:
            parent = line.strip().lstrip(b"- ").partition(b":")[0]
            return Mark.REPOSITORY if parent == b"with" else Mark.IMAGE
    return Mark.IMAGE if whole or (len(lines) > 1 and not indent) else Mark.NONE


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" \t"))


def mark(text: bytes, start: int, end: int) -> Mark:
    """Say what the words beside the bare name `text[start:end]`, which has no tag, make of it.

    >>> mark(b"image: o/n", 7, 10), mark(b"uses: o/n", 6, 9), mark(b"see o/n.", 4, 7)
    (<Mark.IMAGE: 'image'>, <Mark.REPOSITORY: 'repository'>, <Mark.NONE: 'none'>)
    """
    after = _right_words().match(text, end, end + 32)
    if after and after[1]:
        return Mark.REPOSITORY
    before = _left_word().match(text[max(0, start - 256) : start][::-1])
    if before:
        found = _word_mark(before[1] or b"", before[2][::-1])
        if found is None:
            found = _yaml_parent_mark(text, start)
        if found is not Mark.NONE:
            return found
    if after:
        return Mark.REPOSITORY if after[2] else Mark.IMAGE
    return Mark.NONE


def in_client_command(text: bytes, start: int) -> bool:
    """Say whether `text[start:]` is an argument of `docker pull` and the like, with no `/` in between.

    >>> in_client_command(b"docker run --rm o/n", 16), in_client_command(b"docker ps; cd o/n", 14)
    (True, False)
    """
    return _client_command().search(text, max(0, start - 160), start) is not None


@cache
def _client_command() -> re.Pattern[bytes]:
    """Match a container client's command line up to its arguments, if no `/`, `;`, `|` or `&` follows."""
    return re.compile(
        rb"\b(?:docker|podman|nerdctl|crictl|ctr|buildah)[ \t]+(?:[\w.=-]+[ \t]+){0,4}?"
        rb"(?:pull|push|run|create|tag|rmi|save|inspect|history|build)\b[^;|&/\n]*\Z"
    )
