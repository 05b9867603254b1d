"""The ``WWW-Authenticate`` header: RFC 9110 section 11.6.1, as registries use it."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Challenge", "parse_challenges"]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\\x00-\x1f]|\\.)*)"|({_TOKEN}))\s*')
_SCHEME = re.compile(rf"\s*({_TOKEN})(?:\s+|(?=,)|$)")

MAX_LENGTH = 8192


class Challenge(NamedTuple):
    """One scheme (lower case) with its parameters (names in lower case)."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """Read the challenges of a header; what cannot be read ends the list, and a huge header has none.

    >>> parse_challenges('Bearer realm="https://auth.example/token",service="r", Basic realm=x')
    [Challenge(scheme='bearer', parameters={'realm': 'https://auth.example/token', 'service': 'r'}), \
Challenge(scheme='basic', parameters={'realm': 'x'})]
    """
    found: list[Challenge] = []
    if len(header) > MAX_LENGTH:
        return found
    position = 0
    while position < len(header):
        scheme = _SCHEME.match(header, position)
        if not scheme:
            break
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            value = parameter[3] if parameter[2] is None else re.sub(r"\\(.)", r"\1", parameter[2])
            parameters.setdefault(parameter[1].lower(), value)
            position = parameter.end()
            if header[position : position + 1] != ",":
                break
            position += 1
        found.append(Challenge(scheme[1].lower(), parameters))
        while header[position : position + 1] in (",", " ") and position < len(header):
            position += 1
    return found
