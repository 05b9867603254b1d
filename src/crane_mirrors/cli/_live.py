"""What commands that ask servers have in common: the display of progress, and how times are written."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["duration", "milliseconds", "progress"]


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show on a terminal how many of all have ended; give the function that counts."""
    if sys.stderr is None or not sys.stderr.isatty() or total < 2:
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(label, total=total)
        yield lambda count: display.advance(task, count)


def milliseconds(value: float | None) -> str:
    """Write milliseconds for a person.

    >>> milliseconds(1.234), milliseconds(123.4), milliseconds(None)
    ('1.2 ms', '123 ms', '')
    """
    return "" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def duration(seconds: float | None) -> str:
    """Write seconds for a person, in the largest unit that is full.

    >>> duration(59), duration(7300), duration(200000), duration(None)
    ('59s', '2h', '2d', '')
    """
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
