"""What a command has to say, before any format: rows for programs, lines for pipes, cells for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SCHEMA", "Result", "Terminal"]

SCHEMA = 1
"""The version of the JSON and YAML envelope; it changes when a field changes its meaning or goes away."""


class Terminal(NamedTuple):
    """What the output can show: columns, colour, and characters beyond ASCII."""

    width: int
    color: bool
    unicode: bool


class Result(NamedTuple):
    """One command's answer. With ``marked`` the first row of ``cells`` is recommended; ``code`` is the exit code.

    The last cells are addresses, which stand alike in all rows, or ``remarks``, which go below a row only if they must.
    """

    command: str
    rows: Sequence[Mapping[str, Any]] = ()
    lines: Sequence[str] = ()
    header: tuple[str, ...] = ()
    cells: Sequence[tuple[str, ...]] = ()
    marked: bool = False
    remarks: bool = False
    errors: Sequence[Mapping[str, Any]] = ()
    code: int = 0

    @property
    def envelope(self) -> dict[str, Any]:
        """The documented, versioned form for programs."""
        return {"schema": SCHEMA, "command": self.command, "rows": list(self.rows), "errors": list(self.errors)}
