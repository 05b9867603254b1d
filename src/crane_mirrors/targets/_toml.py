"""Strings as TOML writes them; the rest of the format is plain enough to be written where it is used."""

from __future__ import annotations

__all__ = ["quoted"]

# TOML 1.0.0, "String": what a basic string may not hold as it is.
_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)} | {ord('"'): '\\"', ord("\\"): "\\\\"}


def quoted(text: str) -> str:
    r"""Write a basic string, which can be a key as well.

    >>> print(quoted('a"b\n'))
    "a\"b\u000a"
    """
    return f'"{text.translate(_ESCAPES)}"'
