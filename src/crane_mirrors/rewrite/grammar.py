"""What a name looks like in running text: where it may start, where it ends, what stands beside it.

Everything here is a pure function of at most `LOOK_BEHIND` bytes before and `LOOK_AHEAD` bytes after the
place in question, so that the answer is the same however a stream was cut into chunks. The README has the
grammar in words ("Rewriting").
"""

from __future__ import annotations

import re
from functools import cache

__all__ = [
    "LOOK_AHEAD",
    "LOOK_BEHIND",
    "PLAIN_BEFORE",
    "TOKEN_LIMIT",
    "before_prose",
    "first_segment",
    "image_name",
    "inside_url",
    "is_repository_name",
    "may_start_address",
    "scheme_start",
    "scp_host",
    "trimmed",
    "url_host",
    "url_token",
]

LOOK_BEHIND = 1024
"""No rule looks further back than this many bytes."""
LOOK_AHEAD = 1024
"""No rule looks further ahead than this many bytes, counted from a name's first byte."""
TOKEN_LIMIT = 800
"""A URL or image name of this many bytes or more is left alone."""

# No group here is possessive, `(?:…)*+`, but atomic, `(?>(?:…)*)`: before Python 3.11.5 a possessive group's last try,
# the one that fails, is not taken back (https://github.com/python/cpython/issues/106052).
# An OCI path component: https://github.com/opencontainers/distribution-spec (spec.md, "Pulling manifests").
_COMPONENT = rb"[a-z0-9]++(?>(?:(?:\.|__?|-++)[a-z0-9]++)*)"
_HOST = rb"[A-Za-z0-9]++(?>(?:[._-]++[A-Za-z0-9]++)*)(?::[0-9]{1,5})?"
# What may stand directly before a name: blanks and control bytes, quotes, brackets, separators, bytes of
# other alphabets. `-` counts only in a shell default, `${IMAGE:-owner/name}`.
_BEFORE = rb"\x00-\x20\x7f-\xff\"'`(\[{<>,;|=&#*"
_CJK_PUNCTUATION = rb"\xe3\x80|\xef[\xbc\xbd]|\xe2\x80[\x90-\x9f]|\xc2[\xa0\xab\xbb]"


@cache
def first_segment() -> re.Pattern[bytes]:
    """Match, in *reversed lower-case* text, the first path segment of a word that has no scheme.

    Reversed, because `re` can look for a `/` at memchr speed and then run over the segment before it,
    while forwards it would try every word.
    """
    segment = rb"[a-z0-9]++(?>(?:[._-]++[a-z0-9]++)*)"
    return re.compile(rb"/(?:[0-9]{1,5}:)?(" + segment + rb")(?=[" + _BEFORE + rb"]|-:|\Z)")


_LOWER_HOST = rb"([a-z0-9_]++(?>(?:[.-]++[a-z0-9_]++)*))"
_LOWER_SEGMENT = rb"([a-z0-9_%~+-]*+(?>(?:\.++[a-z0-9_%~+-]++)*))"  # a full stop at its end is the sentence's


@cache
def url_host() -> re.Pattern[bytes]:
    """Match, in lower-case text, `://`, the host (group 1) and the first path segment (group 2)."""
    return re.compile(rb"://(?:git@)?" + _LOWER_HOST + rb"(?::[0-9]++)?/?+" + _LOWER_SEGMENT)


@cache
def scp_host() -> re.Pattern[bytes]:
    """Match, in lower-case text, `git@host:owner` with the host (group 1) and the first segment (group 2)."""
    return re.compile(rb"git@" + _LOWER_HOST + rb":/?+" + _LOWER_SEGMENT)


@cache
def image_name() -> re.Pattern[bytes]:
    """Match an image's repository (group 1), its tag, digest or place for one (2), or a star after it (3)."""
    return re.compile(
        rb"((?>[A-Za-z0-9._-]++(?::[0-9]++)?/[a-z0-9/._-]*[a-z0-9]))"
        rb"(?:(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}+(?![A-Za-z0-9_./-])|:(?=[$<{%*])|@(?:sha256|sha512|[$<{%]))"
        rb"|(?=[\x00-\x20\x7f-\xff\"'`,;|()\]}<>=&\\]|[.?!:](?:\Z|[^A-Za-z0-9_./:$%{*@~-])|(\*)|\Z))"
    )


@cache
def _repository_name() -> re.Pattern[bytes]:
    return re.compile(_HOST + rb"(?>(?:/" + _COMPONENT + rb")+)")


def is_repository_name(name: bytes) -> bool:
    """Say whether this is an image repository's name, host and port before it or not.

    >>> is_repository_name(b"a.example:5000/b/c-d"), is_repository_name(b"b//c"), is_repository_name(b"b/c-")
    (True, False, False)
    """
    return _repository_name().fullmatch(name) is not None


# Expansions in a URL hold no `/`, so that no name can be inside one: then only the bytes directly before a
# name have to be looked at to see that it is not in a URL.
_URL_BODY = (
    rb"(?>(?:[A-Za-z0-9._~:/?#@!*+=%-]++"
    rb"|&(?!&|(?:quot|lt|gt|apos|nbsp|#3[49]|#x2[27]);)(?:amp;)?"
    rb"|,(?![\s\"'`)\]}>]|\Z|[\w.\[\]-]{1,64}=|[a-z+]{3,9}://)"
    rb"|\$\{[^{}\s/]*+\}|\$\([^()\n/]*+\)|\$(?=\w)"
    rb"|\{\{[^{}\n/]*+\}\}|\{[^{}\s/]*+\}|\([A-Za-z0-9._~:/?#@!*+=%&,-]*+\)|(?<=/)<[\w-]++>"
    rb"|(?!" + _CJK_PUNCTUATION + rb")[\x80-\xff])+)"
)


@cache
def url_token() -> re.Pattern[bytes]:
    """Match a whole URL or scp-like address, with `${VAR}`, `{{ x }}` and `/<tag>/` in it."""
    return re.compile(_URL_BODY + rb"(?![({$^])")


def trimmed(token: bytes) -> bytes:
    """Take the punctuation of the sentence off the end of a URL.

    >>> trimmed(b"https://a.example/b."), trimmed(b"https://a.example/b/...")
    (b'https://a.example/b', b'https://a.example/b/...')
    """
    end = len(token)
    while end and token[end - 1] in b".,:;!?&*":
        if token[end - 1] in b".*" and token[end - 2 : end - 1] in (b".", b"/"):
            return token
        end -= 1
    return token[:end]


@cache
def _path_goes_on() -> re.Pattern[bytes]:
    return re.compile(rb"[./][A-Za-z0-9]")


@cache
def _file_ends() -> re.Pattern[bytes]:
    return re.compile(rb"\.[A-Za-z0-9]{1,8}\Z")


def before_prose(token: bytes) -> bytes:
    """Take off a URL what other alphabets write directly behind it, with no blank between.

    A folder or file may have such a name itself: then a path or a file's ending follows.

    >>> before_prose("https://a.example/b.yaml并修改".encode()), before_prose("https://a.example/中.md".encode())[-3:]
    (b'https://a.example/b.yaml', b'.md')
    """
    first = next((at for at, byte in enumerate(token) if byte >= 0x80), len(token))
    if _file_ends().search(token, 0, first) or not _path_goes_on().search(token, first):
        return token[:first]
    return token


_SCHEMES = (b"https", b"http", b"ssh", b"git", b"docker", b"oci")
PLAIN_BEFORE = frozenset(b"\n \"'`<>[\t\r|")
"""After one of these a name may start, with no need to look further back: none occurs in a URL."""


def scheme_start(lower: bytes, colon: int) -> int:
    """Return where in lower-case text the URL whose `://` is at `colon` starts, -1 if none may.

    >>> scheme_start(b"(https://a", 6), scheme_start(b"x/https://a", 7), scheme_start(b"git+https://a", 9)
    (1, -1, 4)
    """
    start = colon - 5
    if start > 0 and lower[start - 1] in PLAIN_BEFORE and lower.startswith(b"https", start):
        return start  # by far the most frequent case
    for scheme in _SCHEMES:
        if lower.endswith(scheme, max(0, colon - 6), colon):
            start = colon - len(scheme)
            outer = start - 4 if lower.endswith(b"git+", max(0, start - 4), start) else start
            return start if may_start_address(lower, outer) else -1
    return -1


@cache
def _url_boundary() -> re.Pattern[bytes]:
    """Match the end of text after which a URL or scp-like address may start."""
    return re.compile(rb"(?:[" + _BEFORE + rb":!@]|:-|\\[nrt])\Z")


def may_start_address(text: bytes, start: int) -> bool:
    """Say whether a URL or scp-like address may start at `start`, as far as the bytes before it show."""
    return start == 0 or _url_boundary().search(text[max(0, start - 4) : start]) is not None


def inside_url(text: bytes, start: int) -> bool:
    """Say whether what stands at `start` is part of a URL that starts before it, with a scheme or with a `?`.

    >>> inside_url(b"https://a.example/#o/n", 19), inside_url(b"--set image=o/n", 12)
    (True, False)
    """
    if start == 0 or text[start - 1] in PLAIN_BEFORE or text.startswith(b"](", max(0, start - 2)):
        return False
    line = max(0, start - LOOK_BEHIND, text.rfind(b"\n", max(0, start - LOOK_BEHIND), start) + 1)
    part = _reversed_part().match(text[line:start][::-1])
    if part and b"?" in part[0]:
        return True
    colon = start
    for _ in range(8):  # a URL may have others in it
        colon = text.rfind(b"://", line, colon)
        if colon < 0:
            break
        url = _url_body().match(text, colon, start + LOOK_AHEAD // 8)
        if url and url.end() > start:
            return True
    return False


@cache
def _url_body() -> re.Pattern[bytes]:
    return re.compile(_URL_BODY)


@cache
def _reversed_part() -> re.Pattern[bytes]:
    return re.compile(rb"[^\x00-\x20\x7f-\xff\"'`<>()\[\]{}|\\,;]*+")
