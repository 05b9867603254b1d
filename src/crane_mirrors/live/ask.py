"""What is asked of a web server, and which of its answers are none: all that needs no network, nor an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_REDIRECTS", "PAGES", "REDIRECTS", "SMALL", "Ask", "is_login_page", "media_type"]

SMALL = 2**20
"""How many bytes are read, at most, where a small answer is expected."""

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)

PAGES = ("text/html", "application/xhtml+xml")
"""The media types of pages for people."""


class Ask(NamedTuple):
    """A request; ``secret`` headers go to its own server only, never along with a redirect to another."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = {}
    content: bytes | None = None
    secret: Mapping[str, str] = {}


def media_type(headers: Mapping[str, str]) -> str:
    """Give the type of a body without parameters, lower case.

    >>> media_type({"content-type": "Text/HTML; charset=utf-8"})
    'text/html'
    """
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_login_page(media_type: str, url: str) -> bool:
    """Tell whether a page came in place of a file that is none.

    >>> is_login_page("text/html", "https://a.example/values.yaml"), is_login_page("text/html", "https://a.example/x.html")
    (True, False)
    """
    path = url.partition("#")[0].partition("?")[0].lower()
    return media_type in PAGES and not path.endswith((".html", ".htm", ".xhtml"))
