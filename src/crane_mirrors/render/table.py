"""A table for people: no lines to clutter a copied address, and nothing cut where the terminal is narrow."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.render._result import Result, Terminal

__all__ = ["render"]

_GAP = 2


def render(result: Result, terminal: Terminal) -> str:
    """Write a line for each row where that fits; otherwise the last cell, an address, gets a line of its own.

    A line that is still too long is left to the terminal, which wraps it without putting a break into it.
    """
    from rich.console import Console

    buffer = StringIO()
    console = Console(
        file=buffer,
        width=terminal.width,
        force_terminal=terminal.color,
        color_system="standard" if terminal.color else None,
        highlight=False,
        emoji=False,
        markup=False,
        _environ={},
    )
    mark = ("\u25b8 " if terminal.unicode else "* ") if result.marked else ""
    for number, (line, below) in enumerate(_lines(result, terminal.width - len(mark))):
        best = number == 1 and result.marked
        style = "bold green" if best else "bold" if number == 0 else ""
        console.print((mark if best else " " * len(mark)) + line, style=style, soft_wrap=True)
        if below:
            console.print(" " * (len(mark) + _GAP) + below, style=style, soft_wrap=True)
    return buffer.getvalue()


def _lines(result: Result, width: int) -> list[tuple[str, str]]:
    """Give a line for each row and, where rows do not fit, the last cell for the line below it."""
    rows = [result.header, *result.cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if _total(widths) <= width:
        return [(_joined(row, widths), "") for row in rows]
    first = widths[:-1]
    if _total(first) > width:
        first = [0] * len(first)
    if not result.remarks:
        return [(_joined(row[:-1], first), row[-1]) for row in rows]
    lines = [(_joined(row, [*first, 0]), row) for row in rows]
    return [(line, "") if len(line) <= width else (_joined(row[:-1], first), row[-1]) for line, row in lines]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
