"""Where a server may send a client: to no address that only the client's own network has."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urljoin, urlsplit

from crane_mirrors.live.causes import Failed

__all__ = ["check_realm", "next_url", "same_server"]

_HOST = re.compile(r"[\w.:%-]+")


def next_url(url: str, location: str) -> str:
    """Give where a redirect leads. Raises Failed for what is no web address, or less safe than where it came from.

    >>> next_url("https://a.example/x/y", "../z")
    'https://a.example/z'
    """
    try:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        host, _ = new.hostname or "", new.port
    except ValueError:
        raise Failed("redirect to an invalid address") from None
    if new.scheme not in ("http", "https") or not _HOST.fullmatch(host) or len(target) > 8192:
        raise Failed("redirect to an invalid address")
    if old.scheme == "https" and new.scheme == "http":
        raise Failed("redirect to http")
    if is_private(host) and not is_private(old.hostname or ""):
        raise Failed("redirect to a private address")
    return target


def check_realm(realm: str, registry: str) -> None:
    """Refuse a token server that a hostile registry may have chosen: https only, and no private address.

    A registry that is itself on plain http, or on a private address, may name such a one. Raises Failed.
    """
    try:
        target, own = urlsplit(realm), urlsplit(registry)
        host, _ = target.hostname or "", target.port
    except ValueError:
        raise Failed("challenge: invalid realm") from None
    if target.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise Failed("challenge: invalid realm")
    if target.username is not None or len(realm) > 2048:
        raise Failed("challenge: invalid realm")
    if target.scheme == "http" and own.scheme != "http":
        raise Failed("challenge: realm on http")
    if is_private(host) and not is_private(own.hostname or ""):
        raise Failed("challenge: realm on a private address")


def same_server(one: str, other: str) -> bool:
    """Tell whether two URLs have scheme, host and port in common, so that one may see the other's secrets.

    >>> same_server("https://a.example/x", "https://A.example:443/y"), same_server("https://a.example", "http://a.example")
    (True, False)
    """
    return _server(one) == _server(other)


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def is_private(host: str) -> bool:
    """Tell by its form whether a host is one of the client's own network.

    >>> is_private("127.0.0.1"), is_private("[fd00::1]"), is_private("ghcr.io"), is_private("169.254.169.254")
    (True, True, False, True)
    """
    host = host.strip("[]").rstrip(".").lower()
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    try:
        # The old forms that the system's resolver takes, too: 127.1, 0x7f000001, 2130706433.
        return not ipaddress.ip_address(socket.inet_aton(host)).is_global
    except (OSError, ValueError):
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
