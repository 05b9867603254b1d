"""Image names without a registry, in places where nothing else can stand.

``nginx:1.27`` is an image of Docker Hub to every client, but in running text it may be anything. A prefix entry for
all of Docker Hub is about such names, so they are looked for after ``image:`` or ``--image=``, after ``FROM``, and
after ``docker pull`` and its like; and only with a tag or a digest, which a picture's file name, a build stage and a
word of prose do not have.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONTEXT", "bare_images"]

CONTEXT = (
    rb"(?:(?<![A-Za-z0-9_])[iI]mage[\"']?[ \t]{0,16}[:=][ \t]{0,16}[\"']?"
    rb"|(?m:^)[ \t]{0,16}(?i:FROM)[ \t]{1,16}(?:--platform=\S{1,64}[ \t]{1,16})?"
    rb"|\b(?:docker|podman|nerdctl|crictl)[ \t]{1,4}pull[ \t]{1,4})"
)
"""What stands directly before an image's name, and makes it one."""


@cache
def _pattern() -> re.Pattern[bytes]:
    component = rb"[a-z0-9]++(?>(?:(?:[._]|__|-++)[a-z0-9]++)*)"
    end = rb"(?=:[A-Za-z0-9_][\w.-]{0,127}+(?![\w/:@$<{%*.-])|:[A-Za-z0-9_][\w.-]{0,127}+@sha256:|@sha256:|:\$\{?\w)"
    return re.compile(CONTEXT + rb"(" + component + rb"(?>(?:/" + component + rb")*))" + end)


def bare_images(text: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Give where the names without a registry stand whose first byte is in ``[start, stop)``.

    >>> list(bare_images(b"FROM python:3.12 AS base\\nFROM base\\nimage: a.example/x:1\\n", 0, 99))
    [(5, 11)]
    """
    for match in _pattern().finditer(text, max(0, start - 256)):
        at, end = match.span(1)
        if at >= stop:
            return
        head, slash, _ = match[1].partition(b"/")
        if at >= start and not (slash and (b"." in head or head == b"localhost")):
            yield at, end
