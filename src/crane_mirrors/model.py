"""The kinds of things that have mirrors, and how names are shown and suggested in messages."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["KINDS", "Kind", "RouteKind", "nearest", "printable", "shown"]

Kind = Literal["image", "helm", "git", "raw"]
"""A section of a catalogue; ``raw`` holds prefixes only, since files come with their Git repository."""

RouteKind = Literal["image", "helm", "chart", "git", "raw"]
"""What one route leads to: ``raw`` is a file in a Git repository, ``chart`` an archive in a Helm one."""

KINDS: tuple[Kind, ...] = get_args(Kind)


def printable(text: str) -> str:
    r"""Escape what a terminal would obey, and nothing else.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shown(text: str, limit: int = 80) -> str:
    """Quote untrusted text for a one-line message: control characters escaped, long text shortened.

    >>> shown("a\\x1b[2Jb"), shown("x" * 200, 5)
    ("'a\\\\x1b[2Jb'", "'xxxxx…'")
    """
    quoted = ascii(text[:limit]) if _unprintable(text) else f"'{text[:limit]}'"
    return quoted if len(text) <= limit else quoted[:-1] + "…" + quoted[-1]


def _unprintable(text: str) -> bool:
    return not text.isprintable() or "'" in text


def nearest(name: str, known: list[str]) -> str:
    """Say which known name was probably meant, or which there are, as the end of a message.

    >>> nearest("crnaed", ["craned", "dashboard"])
    "did you mean 'craned'?"
    >>> nearest("zzz", ["craned", "dashboard"])
    'there are: craned, dashboard'
    """
    from difflib import get_close_matches

    found = get_close_matches(name[:128].lower(), known, n=1, cutoff=0.6)
    if found:
        return f"did you mean '{found[0]}'?"
    more = f", … ({len(known)} in all)" if len(known) > 12 else ""
    return f"there are: {', '.join(known[:12])}{more}" if known else "there are none"
