"""A table for people: no lines to clutter a copied address, and nothing cut where the terminal is narrow."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from crane_mirrors.render._result import Result, Terminal

__all__ = ["render"]

_GAP = 2


def render(result: Result, terminal: Terminal) -> str:
    """Write columns where they fit, otherwise a block for each row whose last cell the terminal may wrap itself."""
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
    rows = [result.header, *result.cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    fits = len(mark) + sum(widths) + _GAP * (len(widths) - 1) <= terminal.width
    (_columns if fits else _blocks)(console, result, mark, widths)
    return buffer.getvalue()


def _columns(console: Console, result: Result, mark: str, widths: list[int]) -> None:
    gap = " " * _GAP
    for number, row in enumerate([result.header, *result.cells]):
        cells = gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        best = number == 1 and result.marked
        lead = mark if best else " " * len(mark)
        console.print(lead + cells, style=_style(number, best=best), soft_wrap=True)


def _blocks(console: Console, result: Result, mark: str, _widths: list[int]) -> None:
    for number, row in enumerate(result.cells, start=1):
        best = number == 1 and result.marked
        *head, last = row
        console.print(
            (mark if best else " " * len(mark)) + " ".join(head), style=_style(number, best=best), soft_wrap=True
        )
        console.print(last, soft_wrap=True)


def _style(number: int, *, best: bool) -> str:
    return "bold green" if best else "bold" if number == 0 else ""
