"""Everything that is wrong with a catalogue, each with its position, in the style of compilers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from crane_mirrors.errors import InvalidCatalogue

__all__ = ["At", "Problems"]

LIMIT = 100


class At(NamedTuple):
    """A place in a catalogue file: line and column from 1, and the path of keys that leads there."""

    file: str
    line: int
    column: int
    path: str = ""

    def key(self, name: str) -> At:
        """Go one key down.

        >>> str(At("m.yaml", 3, 1, "images").key("craned"))
        'm.yaml:3:1: images.craned: '
        """
        return At(self.file, self.line, self.column, f"{self.path}.{name}" if self.path else name)

    def __str__(self) -> str:
        """Begin a message as compilers do: ``file:line:column: path: ``."""
        return f"{self.file}:{self.line}:{self.column}: " + (f"{self.path}: " if self.path else "")


@dataclass(slots=True)
class Problems:
    """A growing list of messages; what comes after the hundredth is only counted."""

    lines: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, at: At | str, message: str) -> None:
        """Note one problem; ``at`` without a position is the name of a file."""
        self.count += 1
        if self.count <= LIMIT:
            self.lines.append(f"{at}{message}" if isinstance(at, At) else f"{at}: {message}")

    def raise_any(self) -> None:
        """Raise InvalidCatalogue if there is any problem."""
        if self.lines:
            rest = self.count - len(self.lines)
            raise InvalidCatalogue((*self.lines, *([f"… and {rest} more problems"] if rest else [])))
