"""URLs of repositories and files: parsed once, compared by parts, never by string prefix.

The grammar is RFC 3986's, cut down to what names a repository or a file: no fragment and no userinfo is
kept, and a host is a DNS name, an IPv4 address or an IPv6 address in brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from crane_mirrors.errors import InvalidURL
from crane_mirrors.model import shown

__all__ = ["URL", "decode", "encode", "shown_url"]

_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418, "oci": 443}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\"<>^`{|}\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[A-Za-z0-9_.~/@:+,=-]*")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(r"([^/?#]*)([^?#]*)(?:\?([^#]*))?")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)([A-Za-z0-9._-]+):(?!//)(.+)")


def encode(text: str) -> str:
    """Percent-encode a ref or a path for use in a URL's path; slashes stay.

    >>> encode("a b/c#d?e%f/ü@1")
    'a%20b/c%23d%3Fe%25f/%C3%BC@1'
    """
    if _PLAIN.fullmatch(text):
        return text
    return quote(text.encode("utf-8", "surrogateescape"), safe="/@:+,=")


def decode(text: str) -> str:
    """Undo percent-encoding. Raises InvalidURL when an escape is broken or the bytes are not UTF-8.

    >>> decode("a%20b")
    'a b'
    """
    if "%" not in text:
        return text
    if _BROKEN.search(text):
        raise InvalidURL(f"broken percent-encoding in {shown(text)}: '%' must be followed by two hex digits")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidURL(f"the percent-encoded bytes in {shown(text)} are not UTF-8") from None


def shown_url(text: str) -> str:
    """Quote what should be a URL for a message, without what may be secret: userinfo, query and fragment.

    >>> shown_url("https://user:a/b@c@Example.org/x?token=d")
    "'https://…@Example.org/x?…'"
    """
    scheme = re.match("[A-Za-z][A-Za-z0-9+.-]*://|", text)
    start = scheme[0] if scheme else ""
    cut = re.search("[?#]", text[len(start) :])
    end = len(start) + cut.start() if cut else len(text)
    if "@" in text[end:]:
        # That may be the end of a password with a question mark in it, or a part of the query.
        return shown(f"{start}…")
    # A password may hold anything, so all before the last "@" could be one, in what is no URL even more so.
    _, at, rest = text[len(start) : end].rpartition("@")
    return shown(f"{start}{'…@' if at else ''}{rest}{text[end] + '…' if cut else ''}")


@dataclass(frozen=True, slots=True)
class URL:
    """The address of a repository or a file; ``path`` is as written, but ASCII and without a trailing slash."""

    scheme: str
    host: str
    port: int | None = None
    path: str = ""
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> URL:
        """Read an absolute URL or Git's ``user@host:path``. Userinfo and fragment are dropped. Raises InvalidURL.

        >>> str(URL.parse("HTTPS://user:secret@GitHub.com:443/gocrane/crane/"))
        'https://github.com/gocrane/crane'
        >>> str(URL.parse("git@github.com:gocrane/crane.git"))
        'ssh://github.com/gocrane/crane.git'
        """
        if len(text) > 8192:
            raise InvalidURL(f"invalid URL {shown_url(text)}: more than 8192 characters")
        if _FORBIDDEN.search(text):
            raise InvalidURL(
                f"invalid URL {shown_url(text)}: spaces, quotes, braces and control characters are not allowed"
            )
        scp = _SCP.fullmatch(text)
        if scp:
            text = f"ssh://{scp[1]}/{scp[2].lstrip('/')}"
        scheme, mark, rest = text.partition("://")
        scheme = scheme.lower()
        if not mark or scheme not in _PORTS:
            raise InvalidURL(f"invalid URL {shown_url(text)}: it must begin with one of {', '.join(_PORTS)} and '://'")
        parts = _PARTS.match(rest)
        assert parts is not None  # it matches the empty string too
        address, path, query = parts.groups("")
        try:
            host, port = _authority(address.rpartition("@")[2], scheme)
            _check_path(path)
        except ValueError as error:
            raise InvalidURL(f"invalid URL {shown_url(text)}: {error}") from None
        if not path.isascii():
            path = quote(path, safe="!$%&'()*+,/:;=@[]")
        return cls(scheme, host, port, path.rstrip("/"), query)

    @property
    def authority(self) -> str:
        """Host and, where it is not the scheme's default, port."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def place(self) -> str:
        """What is compared when two URLs may name the same thing: authority and path, without the scheme.

        >>> URL.parse("http://Example.org:8080/a/").place
        'example.org:8080/a'
        """
        return self.authority + self.path

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, still percent-encoded."""
        return tuple(self.path[1:].split("/")) if self.path else ()

    def __str__(self) -> str:
        """Write the URL in its canonical form."""
        return f"{self.scheme}://{self.place}" + (f"?{self.query}" if self.query else "")


@lru_cache(maxsize=256)
def _authority(address: str, scheme: str) -> tuple[str, int | None]:
    host, port = address, ""
    if match := re.fullmatch(r"(.*[^:\]]|\[[^\]]*\]):([0-9]*)", address):
        host, port = match[1], match[2]
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        host = ""
    host = host.lower().removesuffix(".")
    host = _ipv6(host) if host[:1] == "[" else host
    if len(host) > 253 or not (host[:1] == "[" or re.fullmatch(_NAME, host)):
        raise ValueError("no valid host name")
    if port and not (len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError("the port must be from 1 to 65535")
    return host, int(port) if port and int(port) != _PORTS[scheme] else None


def _ipv6(host: str) -> str:
    from ipaddress import IPv6Address

    try:
        # An address has many spellings; a zone ("%eth0") means something on one machine only.
        address = IPv6Address(host[1:-1]) if host[-1] == "]" and "%" not in host else None
    except ValueError:
        return ""
    if address and address.ipv4_mapped:
        # Python 3.13 began to write these with dots; URLs have none (https://url.spec.whatwg.org/#concept-ipv6-serializer).
        high, low = divmod(int(address.ipv4_mapped), 2**16)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address}]" if address else ""


def _check_path(path: str) -> None:
    if _BROKEN.search(path):
        raise ValueError("broken percent-encoding: '%' must be followed by two hex digits")
    try:
        plain = unquote(path, errors="strict") if "%" in path else path
    except UnicodeDecodeError:
        raise ValueError("the percent-encoded bytes are not UTF-8") from None
    if "/." in plain and any(part in (".", "..") for part in plain.split("/")):
        # Clients take them away (RFC 3986, section 5.2.4), and then it is another address.
        raise ValueError("'.' and '..' are not allowed as parts of the path")
